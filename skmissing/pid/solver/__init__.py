"""Certified minimum of the information about Y that two marginals allow."""
