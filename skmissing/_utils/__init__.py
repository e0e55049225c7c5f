"""Helpers that know nothing of the package: random numbers, threads, warnings."""
