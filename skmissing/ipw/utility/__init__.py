"""What each modality adds, for the whole population."""

from ._utility import UtilityScores, modality_utility

__all__ = ["UtilityScores", "modality_utility"]
