"""Stacking of any classifiers by what a row has."""

from ._classifier import PatternStackingClassifier as PatternStackingClassifier

__all__ = ["PatternStackingClassifier"]
