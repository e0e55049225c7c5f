"""Plots of propensities, balance, utilities and sensitivity. They need matplotlib."""

from ._balance_display import BalanceDisplay
from ._propensity_display import PropensityDisplay
from ._sensitivity_display import SensitivityDisplay
from ._utility_display import UtilityDisplay

__all__ = [
    "BalanceDisplay",
    "PropensityDisplay",
    "SensitivityDisplay",
    "UtilityDisplay",
]
