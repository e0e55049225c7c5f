"""The neural coupling of the ICYM2I paper, for comparison."""
