"""Fusions of ``FusionClassifier`` on the same rows.

On *mfeat*, every block of a training row is hidden with a probability of one half; test
rows keep six, three or one of their views, drawn at random. Fusions have their default
settings, one after the other for each seed of gaps, splits and nets. "ModDrop"
is the attention fusion with ``modality_dropout=0.5``. Accuracies in per cent, mean and
standard deviation over seeds. Run with

    python benchmarks/bench_fusions.py

The table is ``fusions.csv``, which the page on fusions shows.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from _tables import add_tables_option, mean_sd, write_table
from sklearn.model_selection import train_test_split

from skmissing.baselines import FusionClassifier
from skmissing.datasets import load_mfeat
from skmissing.nn.fusion._default import FUSIONS

LEFT = (6, 3, 1)
# In the table; ``--fusions`` takes any.
SHOWN = [
    "early", "late", "i2m2", "qmf", "attention", "ModDrop", "m3care", "muse", "cmmd",
    "pdf", "online_mae", "prompts",
]  # fmt: skip
SETTINGS = {
    **{name: {"fusion": name} for name in FUSIONS},
    "ModDrop": {"fusion": "attention", "modality_dropout": 0.5},
}


def hide(X, rng, n_left=None):
    """Hide each block with a probability of one half, or leave some of each row."""
    chance = rng.random(X.present.shape)
    rank = chance.argsort(axis=1).argsort(axis=1)
    if n_left is not None:
        return X.hide(rank >= n_left)
    # A row keeps one at least.
    return X.hide((chance > 0.5) & (rank > 0))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[100, 101, 102])
    parser.add_argument("--fusions", nargs="+", default=SHOWN)
    add_tables_option(parser)
    options = parser.parse_args(argv)
    X, y = load_mfeat(return_X_y=True)
    scores = {name: [] for name in options.fusions}
    for seed in options.seeds:
        train, test = train_test_split(
            np.arange(len(y)), test_size=0.4, random_state=seed, stratify=y
        )
        rng = np.random.default_rng(seed)
        fitted_on = hide(X[train], rng)
        tests = [hide(X[test], rng, n_left) for n_left in LEFT]
        for name in options.fusions:
            start = time.perf_counter()
            clf = FusionClassifier(random_state=seed, n_threads=1, **SETTINGS[name])
            clf.fit(fitted_on, y[train])
            took = time.perf_counter() - start
            row = [100 * clf.score(part, y[test]) for part in tests]
            scores[name].append([*row, took])
            print(seed, name, *(f"{v:.1f}" for v in scores[name][-1]), flush=True)
    rows = [
        [
            f"``{name}``" if name in FUSIONS else name,
            *(mean_sd(part) for part in np.transpose(values)[:3]),
            f"{np.median(np.transpose(values)[3]):.0f}",
        ]
        for name, values in scores.items()
    ]
    header = ["Fusion", "6 left", "3 left", "1 left", "Fit, seconds"]
    write_table(options.tables, "fusions", header, rows)


if __name__ == "__main__":
    main()
