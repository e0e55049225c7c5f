"""Rows of the benchmark with default and with tuned parameters.

Tuned is the best of the defaults and of settings drawn at random, as many for each
estimator, by the log-loss on a fourth of the training rows. Run with

    OMP_NUM_THREADS=1 python benchmarks/bench_tuned.py

The table is ``leaderboard_tuned.csv``. Fits that are in the folder of predictions are
not repeated.
"""

from __future__ import annotations

import argparse

import pandas as pd
from _tables import add_tables_option, gap_se, write_table

from skmissing.benchmark import leaderboard, run
from skmissing.benchmark._datasets import DATASETS

# The data sets with the fastest fits.
SHOWN = ["breast_cancer", "xor", "gates", "digits_halves", "heart", "support"]
TUNED = " (tuned)"


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--datasets", nargs="+", default=SHOWN, choices=list(DATASETS))
    parser.add_argument("--mechanisms", nargs="+", default=["mcar"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--n-trials", type=int, default=5)
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--cache", default="skmissing-benchmark")
    add_tables_option(parser)
    options = parser.parse_args(argv)
    scores = {
        n_trials: run(
            None, options.datasets, options.mechanisms, options.seeds,
            n_trials=n_trials, cache=options.cache, n_jobs=options.n_jobs,
        )
        for n_trials in (0, options.n_trials)
    }  # fmt: skip
    ranks = leaderboard(pd.concat(scores.values(), ignore_index=True)).set_index(
        "estimator"
    )["mean_rank"]
    means = {
        n: table.pivot_table("accuracy", "dataset", "estimator") * 100
        for n, table in scores.items()
    }
    default, tuned = means[0], means[options.n_trials]
    rows = [
        (
            label,
            f"{default[label].mean():.1f}",
            f"{tuned[label + TUNED].mean():.1f}",
            gap_se(tuned[label + TUNED] - default[label]),
            f"{ranks[label]:.1f}",
            f"{ranks[label + TUNED]:.1f}",
        )
        for label in default.mean().sort_values(ascending=False).index
    ]
    write_table(
        options.tables, "leaderboard_tuned",
        ["Estimator", "Accuracy", "Tuned", "Difference", "Rank", "Rank, tuned"],
        rows,
    )  # fmt: skip


if __name__ == "__main__":
    main()
