"""Scores by pattern, and bounds on what a modality can add."""

from ._bounds import bayes_error_bounds, mse_gap_bound
from ._calibration import calibration_by_pattern
from ._complementary import ComplementaryInformation, complementary_information
from ._pattern_scores import score_by_pattern, score_by_rate

__all__ = [
    "ComplementaryInformation",
    "bayes_error_bounds",
    "calibration_by_pattern",
    "complementary_information",
    "mse_gap_bound",
    "score_by_pattern",
    "score_by_rate",
]
