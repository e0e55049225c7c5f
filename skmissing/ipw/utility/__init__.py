"""What each modality adds, for the whole population."""

from ._utility import modality_utility
from ._utility_scores import UtilityScores

__all__ = ["UtilityScores", "modality_utility"]
