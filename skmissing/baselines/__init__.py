"""Baselines to compare the methods of the package with.

This list is the registry. The laws of ``tests/test_common.py``, the reference and the
comparison of estimators in ``benchmarks`` take every class that is imported here.
"""

from ._detection import MissingDetectionClassifier as MissingDetectionClassifier
from ._fusion import FusionClassifier as FusionClassifier
from ._multitask import MultitaskFusionClassifier as MultitaskFusionClassifier
from ._pattern import PatternClassifier as PatternClassifier
from ._unimodal import UnimodalEnsemble as UnimodalEnsemble

__all__ = sorted(name for name, value in vars().items() if isinstance(value, type))
