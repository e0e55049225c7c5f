"""Partial information decomposition: unique, redundant and synergistic parts."""

from ._broja import broja
from ._estimator import PIDEstimator

__all__ = ["PIDEstimator", "broja"]
