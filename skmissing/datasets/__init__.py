"""Generators with known answers, three small real data sets, and builders."""

from ._av_digits import load_av_digits
from ._av_mnist import build_av_mnist
from ._bitwise import make_bitwise
from ._heart import load_heart
from ._mfeat import load_mfeat
from ._polymnist import build_polymnist
from ._simulation import make_simulation
from ._simulation_settings import simulation_settings
from ._xor import make_xor

__all__ = [
    "build_av_mnist",
    "build_polymnist",
    "load_av_digits",
    "load_heart",
    "load_mfeat",
    "make_bitwise",
    "make_simulation",
    "make_xor",
    "simulation_settings",
]
