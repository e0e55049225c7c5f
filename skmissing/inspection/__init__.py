"""Plots of propensities, balance, utilities, sensitivity, information and scores."""

from ._balance_display import BalanceDisplay
from ._pattern_score_display import PatternScoreDisplay
from ._pid_display import PIDDisplay
from ._propensity_display import PropensityDisplay
from ._sensitivity_display import SensitivityDisplay
from ._utility_display import UtilityDisplay

__all__ = [
    "BalanceDisplay",
    "PIDDisplay",
    "PatternScoreDisplay",
    "PropensityDisplay",
    "SensitivityDisplay",
    "UtilityDisplay",
]
