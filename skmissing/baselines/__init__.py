"""Comparators: what one would try before the methods of the package."""

from ._detection import MissingDetectionClassifier
from ._fusion import FusionClassifier
from ._multitask import MultitaskFusionClassifier
from ._pattern import PatternClassifier
from ._unimodal import UnimodalEnsemble

__all__ = [
    "FusionClassifier",
    "MissingDetectionClassifier",
    "MultitaskFusionClassifier",
    "PatternClassifier",
    "UnimodalEnsemble",
]
