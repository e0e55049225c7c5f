"""Comparators: what one would try before the methods of the package."""

from ._fusion import FusionClassifier
from ._pattern import PatternClassifier
from ._unimodal import UnimodalEnsemble

__all__ = ["FusionClassifier", "PatternClassifier", "UnimodalEnsemble"]
