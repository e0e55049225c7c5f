"""Whether a missing modality would change a prediction. Importing it imports torch."""

from ._classifier import PRIMOClassifier

__all__ = ["PRIMOClassifier"]
