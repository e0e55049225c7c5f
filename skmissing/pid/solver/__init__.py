"""Certified minimum of the information about Y that two marginals allow."""

from ._certificate import certify, negative_entropy, repair
from ._union_information import UnionInformation, union_information

__all__ = [
    "UnionInformation",
    "certify",
    "negative_entropy",
    "repair",
    "union_information",
]
