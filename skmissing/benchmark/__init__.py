"""Benchmark of classifiers for missing modalities."""

from ._run import load_scores, run

__all__ = ["load_scores", "run"]
