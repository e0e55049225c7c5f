"""Fill missing modalities from those that a row has."""

from ._base import BaseRecovery
from ._mean import MeanRecovery
from ._neighbor import NeighborRecovery
from ._regression import RegressionRecovery

__all__ = [
    "BaseRecovery",
    "MeanRecovery",
    "NeighborRecovery",
    "RegressionRecovery",
]
