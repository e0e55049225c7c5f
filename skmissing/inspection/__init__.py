"""Plots of propensities, balance, utilities, information, scores and selections."""

from ._balance_display import BalanceDisplay
from ._pattern_score_display import PatternScoreDisplay
from ._pid_display import PIDDisplay
from ._propensity_display import PropensityDisplay
from ._selection_display import SelectionDisplay
from ._sensitivity_display import SensitivityDisplay
from ._utility_display import UtilityDisplay

__all__ = [
    "BalanceDisplay",
    "PIDDisplay",
    "PatternScoreDisplay",
    "PropensityDisplay",
    "SelectionDisplay",
    "SensitivityDisplay",
    "UtilityDisplay",
]
