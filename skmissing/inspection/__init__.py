"""What models make of modalities, and plots of the results of the package."""

from ._attribution_display import AttributionDisplay
from ._balance_display import BalanceDisplay
from ._impact_display import ImpactDisplay
from ._importance_display import ImportanceDisplay
from ._modality_attribution import modality_attribution
from ._modality_importance import modality_importance
from ._pattern_score_display import PatternScoreDisplay
from ._pid_display import PIDDisplay
from ._plausible_labels_display import PlausibleLabelsDisplay
from ._propensity_display import PropensityDisplay
from ._selection_display import SelectionDisplay
from ._sensitivity_display import SensitivityDisplay
from ._utility_display import UtilityDisplay

__all__ = [
    "AttributionDisplay",
    "BalanceDisplay",
    "ImpactDisplay",
    "ImportanceDisplay",
    "PIDDisplay",
    "PatternScoreDisplay",
    "PlausibleLabelsDisplay",
    "PropensityDisplay",
    "SelectionDisplay",
    "SensitivityDisplay",
    "UtilityDisplay",
    "modality_attribution",
    "modality_importance",
]
