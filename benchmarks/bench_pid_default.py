"""What ``PIDEstimator()`` finds with its default learners, and what that costs.

Run with

    OMP_NUM_THREADS=1 python benchmarks/bench_pid_default.py --seeds 20

Three tables: ``pid_default_known.csv`` (signs of a product, and mixtures whose parts
are known, 4,000 rows, five seeds), ``pid_default_noise.csv`` (the label has nothing to
do with the sources) and ``pid_default_time.csv`` (the default as against boosted trees
alone on the same folds).
"""

from __future__ import annotations

import argparse
import time
import warnings
from importlib.metadata import version

import numpy as np
import pandas as pd
from _tables import add_tables_option, mean_sd, write_table
from sklearn.ensemble import HistGradientBoostingClassifier

from skmissing import MultimodalData, PIDEstimator
from skmissing.exceptions import SparseStatesWarning

PARTS = ("Unique to a", "Unique to b", "Redundant", "Synergistic")


def draw_signs(seed, n):
    a, b = np.random.default_rng(seed).normal(size=(2, n, 1))
    return MultimodalData({"a": a, "b": b}), (a * b > 0).ravel().astype(int)


def draw_mixture(seed, n):
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    a = rng.normal(size=n) * np.where(y == 1, 2.4, 1.0)
    two = 1.6 * rng.choice([-1, 1], size=n) + 0.7 * rng.normal(size=n)
    return MultimodalData({"a": a, "b": np.where(y == 1, two, rng.normal(size=n))}), y


KNOWN = {
    "signs of a product": (draw_signs, [0.0, 0.0, 0.0, 1.0]),
    "mixtures": (draw_mixture, [0.0385, 0.0832, 0.1546, 0.1024]),
}


NOISE_HEADER = [
    "Rows", "Sources", "Kind", "Largest mean of a part", "Largest part of a seed",
    "Intervals that hold 0",
]  # fmt: skip


def draw_block(kind, rng, n):
    """Columns of a source that is noise."""
    if kind == "numbers":
        return pd.DataFrame({"x": rng.normal(size=n), "z": rng.normal(size=n)})
    if kind == "text":
        return pd.DataFrame({"x": rng.choice([f"level {i}" for i in range(30)], n)})
    days = pd.to_timedelta(rng.integers(3000, size=n), unit="D")
    return pd.DataFrame({"x": pd.Timestamp("2015-01-01") + days})


def draw_noise(kind, n_sources, seed, n):
    rng = np.random.default_rng(seed)
    kinds = ("numbers", "text", "dates")
    blocks = []
    for i in range(n_sources):
        own = kinds[(i + seed) % 3] if kind == "mixed" else kind
        blocks.append(draw_block(own, rng, n).add_prefix(f"{'abc'[i]}__"))
    return pd.concat(blocks, axis=1), rng.integers(2, size=n)


def parts_of(pid, column="value"):
    return pid.to_frame()[column].to_numpy().reshape(-1, 7)[:, :4]


def bench_known(tables, n, n_seeds):
    rows = []
    for name, (draw, truth) in KNOWN.items():
        found = np.array(
            [
                parts_of(PIDEstimator(random_state=0).fit(*draw(seed, n)))[0]
                for seed in range(n_seeds)
            ]
        )
        for part, true, values in zip(PARTS, truth, found.T):
            error = np.abs(values - true).max()
            rows.append([name, part, f"{true:.4f}", mean_sd(values, 4), f"{error:.4f}"])
            print(rows[-1], flush=True)
    header = ["Data", "Part", "Truth", "Mean (sd)", "Largest error of a seed"]
    write_table(tables, "pid_default_known", header, rows)


def measure_noise(kind, n_sources, n, n_seeds):
    """Row of the table of noise: what is found where there is nothing to find."""
    found, held, most = [], 0, 0
    for seed in range(n_seeds):
        X, y = draw_noise(kind, n_sources, seed, n)
        pid = PIDEstimator(n_bootstraps=20, random_state=0).fit(X, y)
        found.append(parts_of(pid))
        low = parts_of(pid, "low")
        held += int((low <= 1e-12).sum())
        most += low.size
    mean, largest = np.mean(found, axis=0).max(), np.max(found)
    held = f"{held} of {most}"
    return [n, n_sources, kind, f"{mean:.4f}", f"{largest:.4f}", held]


def bench_noise(tables, sizes, n_seeds):
    rows = []
    for n in sizes:
        for n_sources in (2, 3):
            for kind in ("numbers", "text", "dates", "mixed"):
                rows.append(measure_noise(kind, n_sources, n, n_seeds))
                print(rows[-1], flush=True)
    write_table(tables, "pid_default_noise", NOISE_HEADER, rows)


def bench_time(tables, n, n_repeats):
    rows = []
    for name, (draw, _) in KNOWN.items():
        X, y = draw(0, n)
        seconds = {"default": [], "boosted trees": []}
        for _ in range(n_repeats):
            for label in seconds:
                estimator = None
                if label != "default":
                    estimator = HistGradientBoostingClassifier(random_state=0)
                start = time.perf_counter()
                PIDEstimator(
                    method="posterior", estimator=estimator, random_state=0
                ).fit(X, y)
                seconds[label].append(time.perf_counter() - start)
        slow, fast = (np.median(v) for v in seconds.values())
        rows.append([name, f"{slow:.2f}", f"{fast:.2f}", f"{slow / fast:.1f}"])
        print(rows[-1], flush=True)
    header = ["Data", "Default (s)", "Boosted trees alone (s)", "Ratio"]
    write_table(tables, "pid_default_time", header, rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--seeds", type=int, default=20, help="of noise")
    parser.add_argument("--sizes", type=int, nargs="*", default=[300, 1000, 4000])
    parser.add_argument("--only", choices=["known", "noise", "time"])
    add_tables_option(parser)
    args = parser.parse_args()
    print("scikit-learn", version("scikit-learn"))
    if args.only in (None, "known"):
        bench_known(args.tables, args.rows, 5)
    if args.only in (None, "time"):
        bench_time(args.tables, args.rows, 3)
    if args.only in (None, "noise"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SparseStatesWarning)
            bench_noise(args.tables, args.sizes, args.seeds)


if __name__ == "__main__":
    main()
