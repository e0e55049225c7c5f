"""Scores of predictions, over all rows and by what is missing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import rankdata

from .._utils._tables import ResultTable

# Least probability in the log-loss: one certain mistake is not to decide.
LEAST = 1e-4
# Least number of rows of a pattern that can be the worst one.
PATTERN_ROWS = 30
METRICS = {"accuracy": True, "log_loss": False, "auc": True, "brier": False}


def log_loss(proba: np.ndarray, y: np.ndarray) -> float:
    """Mean of minus the log of the probability of the label, at least 1e-4."""
    p = proba[np.arange(len(y)), y]
    return float(-np.log(np.maximum(p, LEAST)).mean())


def score(proba: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """All metrics on some rows; AUC is a mean over classes, each against the rest."""
    if np.isnan(proba).any():
        return dict.fromkeys(METRICS, float("nan"))
    proba = proba / proba.sum(axis=1, keepdims=True)
    hot = np.eye(proba.shape[1])[y]
    n, n_in = len(y), hot.sum(axis=0)
    found = (n_in > 0) & (n_in < n)
    # By ranks, since scikit-learn's function takes longer than all else here.
    above = (rankdata(proba, axis=0) * hot).sum(axis=0) - n_in * (n_in + 1) / 2
    areas = above[found] / (n_in * (n - n_in))[found]
    return {
        "accuracy": float((proba.argmax(axis=1) == y).mean()),
        "log_loss": log_loss(proba, y),
        "auc": float(areas.mean()) if len(areas) else float("nan"),
        "brier": float(((proba - hot) ** 2).sum(axis=1).mean()),
    }


def score_files(paths: Iterable[Path], by_pattern: bool = False) -> ResultTable:
    """Scores of cells: a row for each condition, or for each pattern of it."""
    return ResultTable([record for path in paths for record in _read(path, by_pattern)])


def _read(path: Path, by_pattern: bool) -> Iterator[dict[str, Any]]:
    with np.load(path) as file:
        meta = json.loads(str(file["meta"]))
        arrays = {name: file[name] for name in file.files if name != "meta"}
    names = meta.pop("modalities")
    cell = {k: meta[k] for k in ("estimator", "dataset", "mechanism", "seed")}
    for condition in dict.fromkeys(name.partition("/")[0] for name in arrays):
        proba, y, present = (
            arrays[f"{condition}/{part}"] for part in ("proba", "y", "present")
        )
        proba = proba.astype(np.float64)
        head = {**cell, "condition": condition}
        patterns, which = np.unique(present, axis=0, return_inverse=True)
        rows = {
            " + ".join(np.array(names)[patterns[k]]): np.flatnonzero(which.ravel() == k)
            for k in range(len(patterns))
        }
        if by_pattern:
            for pattern, at in rows.items():
                scores = score(proba[at], y[at])
                yield {**head, "pattern": pattern, "n_rows": len(at), **scores}
            continue
        large = {k: at for k, at in rows.items() if len(at) >= PATTERN_ROWS}
        hit = (proba.argmax(axis=1) == y).astype(float)
        hit[np.isnan(proba).any(axis=1)] = np.nan
        shares = {k: float(hit[at].mean()) for k, at in large.items()}
        # The pattern is that of all methods alike only by name; the value is its own.
        worst = min(shares, key=lambda k: shares[k]) if shares else ""
        yield {
            **head, "n_rows": len(y), **score(proba, y), "worst_pattern": worst,
            "worst_accuracy": shares.get(worst, float("nan")),
            "seconds": meta["seconds"], "error": meta["error"],
        }  # fmt: skip
