"""Accuracy on ``load_av_digits`` when half of the recordings are lost in training.

Default nets, five seeds (of the mask and of the nets), the official test clips.
Run with

    python benchmarks/bench_av_digits.py

The table is ``av_digits.csv``.
"""

from __future__ import annotations

import argparse
import platform
import time

import numpy as np
import pandas as pd
import sklearn
import torch
from _tables import add_tables_option, mean_sd, write_table

import skmissing
from skmissing.baselines import FusionClassifier, UnimodalEnsemble
from skmissing.datasets import load_av_digits
from skmissing.missingness import simulate_missing

HIDDEN = {"complete": [], "image only": ["speech"], "speech only": ["image"]}
LABELS = {
    "fusion, nothing lost": "``FusionClassifier``, nothing lost",
    "fusion, half lost": "``FusionClassifier``, half lost",
    "ensemble, half lost": "``UnimodalEnsemble``, half lost",
    "image net": "``FusionClassifier``, image alone",
    "speech net": "``FusionClassifier``, speech alone",
}


def one_seed(seed):
    bunch = load_av_digits()
    X, y, train, test = bunch.data, bunch.target, bunch.train, bunch.test
    lost = simulate_missing(X[train], rate={"speech": 0.5}, random_state=seed)
    half = lost.apply(X[train])
    params = {"random_state": seed, "n_threads": 1}
    fits = {
        "fusion, nothing lost": (FusionClassifier(**params), X[train]),
        "fusion, half lost": (FusionClassifier(**params), half),
        "ensemble, half lost": (UnimodalEnsemble(**params), half),
        "image net": (FusionClassifier(modalities=["image"], **params), X[train]),
        "speech net": (FusionClassifier(modalities=["speech"], **params), X[train]),
    }
    rows = []
    for name, (model, X_train) in fits.items():
        start = time.perf_counter()
        model.fit(X_train, y[train])
        seconds = time.perf_counter() - start
        for pattern, hidden in HIDDEN.items():
            if name.endswith("net") and pattern != f"{name[:-4]} only":
                continue
            score = 100 * model.score(X[test].hide(hidden), y[test])
            rows.append((seed, name, pattern, score, seconds))
    return rows


def write(wide, folder):
    """Accuracy by model and by what test rows have; some nets have one modality."""
    rows = []
    for name, label in LABELS.items():
        cells = [
            mean_sd(wide[name, pattern]) if (name, pattern) in wide else ""
            for pattern in HIDDEN
        ]
        rows.append([label, *cells])
    header = ["Model", "Complete test rows", "Image only", "Speech only"]
    write_table(folder, "av_digits", header, rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    add_tables_option(parser)
    args = parser.parse_args()
    print(
        f"skmissing {skmissing.__version__}, torch {torch.__version__}, scikit-learn "
        f"{sklearn.__version__}, Python {platform.python_version()}, 1 thread, seeds 0 "
        f"to {args.seeds - 1}"
    )
    rows = [row for seed in range(args.seeds) for row in one_seed(seed)]
    table = pd.DataFrame(rows, columns=["seed", "model", "rows", "accuracy", "seconds"])
    shown = table.groupby(["model", "rows"], sort=False)["accuracy"].agg(
        ["mean", "std"]
    )
    print(shown.unstack("rows").round(1).to_string())
    print(table.groupby("model", sort=False)["seconds"].median().round(1).to_string())
    wide = table.pivot(index="seed", columns=["model", "rows"], values="accuracy")
    half = wide["fusion, half lost", "complete"]
    for other in (("image net", "image only"), ("fusion, nothing lost", "complete")):
        gap = half - wide[other]
        print(
            f"fusion, half lost, complete rows, minus {other[0]}: {gap.mean():.1f} "
            f"(standard error {gap.std() / np.sqrt(len(gap)):.1f})"
        )
    write(wide, args.tables)


if __name__ == "__main__":
    main()
