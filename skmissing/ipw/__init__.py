"""Honest training and evaluation where missingness is not completely at random."""

from ._classifier import IPWMultimodalClassifier
from ._propensity import PropensityWeighter
from ._scorer import make_ipw_scorer
from ._sensitivity import sensitivity_bounds, tipping_odds_ratio
from ._splitter import ObservedStratifiedKFold
from .utility import UtilityScores, modality_utility

__all__ = [
    "IPWMultimodalClassifier",
    "ObservedStratifiedKFold",
    "PropensityWeighter",
    "UtilityScores",
    "make_ipw_scorer",
    "modality_utility",
    "sensitivity_bounds",
    "tipping_odds_ratio",
]
