"""Patterns of missing modalities: simulate and describe them."""

from ._patterns import patterns
from ._simulate import simulate_missing
from ._simulated_missingness import SimulatedMissingness

__all__ = ["SimulatedMissingness", "patterns", "simulate_missing"]
