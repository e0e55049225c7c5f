"""Plots of weights, utility, sensitivity, information, impact, scores, selections."""

from ._balance_display import BalanceDisplay
from ._impact_display import ImpactDisplay
from ._pattern_score_display import PatternScoreDisplay
from ._pid_display import PIDDisplay
from ._plausible_labels_display import PlausibleLabelsDisplay
from ._propensity_display import PropensityDisplay
from ._selection_display import SelectionDisplay
from ._sensitivity_display import SensitivityDisplay
from ._utility_display import UtilityDisplay

__all__ = [
    "BalanceDisplay",
    "ImpactDisplay",
    "PIDDisplay",
    "PatternScoreDisplay",
    "PlausibleLabelsDisplay",
    "PropensityDisplay",
    "SelectionDisplay",
    "SensitivityDisplay",
    "UtilityDisplay",
]
