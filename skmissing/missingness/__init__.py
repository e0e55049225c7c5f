"""Which rows lack which modality: simulate it, describe it."""

from ._patterns import patterns
from ._simulate import simulate_missing
from ._simulated_missingness import SimulatedMissingness

__all__ = ["SimulatedMissingness", "patterns", "simulate_missing"]
