"""Benchmark of classifiers for missing modalities, which anyone can add a row to."""

from ._critical_difference_display import CriticalDifferenceDisplay
from ._leaderboard import leaderboard
from ._run import load_scores, run

__all__ = ["CriticalDifferenceDisplay", "leaderboard", "load_scores", "run"]
