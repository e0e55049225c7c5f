"""Generators with known population values, and four small real data sets."""

from ._bitwise import make_bitwise
from ._loaders import load_av_digits, load_heart, load_mfeat
from ._simulation import make_simulation
from ._support import load_support
from ._xor import make_xor

__all__ = [
    "load_av_digits",
    "load_heart",
    "load_mfeat",
    "load_support",
    "make_bitwise",
    "make_simulation",
    "make_xor",
]
