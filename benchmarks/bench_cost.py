"""What DyMoSelector, PRIMOClassifier and NeighborRecovery cost beside FusionClassifier.

Fits and predictions are interleaved, on one thread; times are those of the processor.
Run with OMP_NUM_THREADS=1, all parts or some:

    OMP_NUM_THREADS=1 python benchmarks/bench_cost.py selector modalities rows

The tables are ``cost_selector.csv``, ``cost_modalities.csv`` and ``cost_rows.csv``.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from resource import RUSAGE_SELF, getrusage

import numpy as np
import pandas as pd
from _tables import add_tables_option, median_range, write_table
from sklearn.model_selection import train_test_split

from skmissing import DyMoSelector, MultimodalData, PRIMOClassifier
from skmissing.baselines import FusionClassifier
from skmissing.datasets import load_mfeat, load_support
from skmissing.recovery import NeighborRecovery


class TimedSelector(DyMoSelector):
    """A selector that knows how long all but its net took."""

    def _fit_selection(self, *args):
        start = time.process_time()
        super()._fit_selection(*args)
        self.selection_seconds_ = time.process_time() - start


def support():
    """Nine blocks of 9,105 patients; text as indicators."""
    X, y = load_support(return_X_y=True)
    blocks = X.blocks
    for name in ("demographics", "history"):
        table = pd.DataFrame(np.asarray(blocks[name]))
        columns = []
        for label in table:
            numbers = pd.to_numeric(table[label], errors="coerce")
            is_text = numbers.notna().mean() < 0.3
            columns.append(
                pd.get_dummies(table[label], dtype=float) if is_text else numbers
            )
        blocks[name] = pd.concat(columns, axis=1).to_numpy(float)
    return MultimodalData(blocks, X.present), np.asarray(y)


def mfeat():
    """Six blocks of 2,000 digits; a third of the blocks hidden from training rows."""
    return load_mfeat(return_X_y=True)


def hide(X, share, seed):
    """Blocks hidden at random, but one of each row."""
    rng = np.random.default_rng(seed)
    hidden = X.present & (rng.random(X.present.shape) < share)
    kept = np.where(X.present, rng.random(X.present.shape), -1.0).argmax(axis=1)
    hidden[np.arange(len(X)), kept] = False
    return X.hide(hidden)


def seconds(function, *args):
    """Result, and seconds of the processor."""
    start = time.process_time()
    out = function(*args)
    return out, time.process_time() - start


def selector(args):
    """Fit and prediction on two data sets, with half of the blocks missing."""
    table = []
    for name, load, share in (("SUPPORT2", support, 0.0), ("mfeat", mfeat, 0.3)):
        X, y = load()
        found = []
        for seed in range(args.repeats):
            train, test, y_train, y_test = train_test_split(
                X, y, test_size=0.3, stratify=y, random_state=seed
            )
            train, test = hide(train, share, seed), hide(test, 0.5, seed)
            row = []
            for kind in (FusionClassifier, TimedSelector):
                clf = kind(random_state=seed, n_threads=1)
                _, fit = seconds(clf.fit, train, y_train)
                clf.predict_proba(test)
                times = [seconds(clf.predict_proba, test)[1] for _ in range(3)]
                row += [fit, float(np.median(times)), clf.score(test, y_test)]
            fused = clf.select(test).sum() / test.present.sum()
            found.append([*row, clf.selection_seconds_, fused])
            print(name, seed, np.round(found[-1], 3), clf.calibration_, clf.min_reward_)
        v = np.array(found)
        table.append(
            [
                name,
                median_range(v[:, 0], 1),
                median_range(v[:, 3], 1),
                median_range(v[:, 3] / v[:, 0], 1),
                median_range(v[:, 6] / v[:, 3], 2),
                median_range(v[:, 4] / v[:, 1], 1),
                median_range(100 * v[:, 2], 1),
                median_range(100 * v[:, 5], 1),
            ]
        )
    write_table(
        args.tables, "cost_selector",
        ["Data", "FusionClassifier fit (s)", "DyMoSelector fit (s)", "Fits",
         "Share of selection", "Predictions", "Accuracy, fusion (%)",
         "Accuracy, selector (%)"],
        table,
    )  # fmt: skip


def linked(n, n_modalities, n_columns, seed=0, missing=0.3):
    """Blocks that share two hidden numbers, which decide between two classes."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, 2))
    blocks = {
        f"m{i}": hidden @ rng.normal(size=(2, n_columns))
        + rng.normal(size=(n, n_columns))
        for i in range(n_modalities)
    }
    y = (hidden.sum(axis=1) + 0.5 * rng.normal(size=n) > 0).astype(int)
    return hide(MultimodalData(blocks), missing, seed), y


def modalities(args):
    """10 and 20 modalities, 2,000 rows."""
    found = {}
    for seed in range(args.repeats):
        for m in (10, 20):
            X, y = linked(2000, m, 4, seed, missing=0.5)
            clf = TimedSelector(
                max_epochs=10, early_stopping=False, calibration="auto",
                random_state=seed, n_threads=1,
            )  # fmt: skip
            _, fit = seconds(clf.fit, X, y)
            _, predict = seconds(lambda c=clf, X=X: c.predict_proba(X, min_reward=0.0))
            found.setdefault(m, []).append((fit, predict))
            print(m, seed, fit, predict, clf.selection_seconds_)
    v = {m: np.array(times) for m, times in found.items()}
    write_table(
        args.tables, "cost_modalities",
        ["", "10 modalities (s)", "20 modalities (s)", "Ratio"],
        [
            [
                what,
                median_range(v[10][:, i], 2),
                median_range(v[20][:, i], 2),
                median_range(v[20][:, i] / v[10][:, i], 2),
            ]
            for i, what in enumerate(("Fit", "Prediction"))
        ],
    )  # fmt: skip


def measure_rows(name, n):
    """Seconds of one epoch and of the prediction, and the peak memory in MiB."""
    X, y = linked(n, 3, 3)
    params = {
        "max_epochs": 1, "early_stopping": False, "random_state": 0, "n_threads": 1,
    }  # fmt: skip
    start = getrusage(RUSAGE_SELF).ru_maxrss / 1024
    if name == "NeighborRecovery":
        recovery = NeighborRecovery()
        _, fit = seconds(recovery.fit, X)
        _, predict = seconds(recovery.transform, X)
    else:
        kinds = {
            "FusionClassifier": FusionClassifier, "PRIMOClassifier": PRIMOClassifier,
            "DyMoSelector": DyMoSelector,
        }  # fmt: skip
        clf = kinds[name](**params)
        _, fit = seconds(clf.fit, X, y)
        _, predict = seconds(clf.predict_proba, X)
    peak = getrusage(RUSAGE_SELF).ru_maxrss / 1024
    return fit, predict, start, peak


def rows(args):
    """200,000 rows of 9 features in three blocks; each estimator in its own process."""
    table, base = [], None
    for name in (
        "FusionClassifier", "PRIMOClassifier", "DyMoSelector", "NeighborRecovery",
    ):  # fmt: skip
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            fit, predict, _, peak = pool.submit(measure_rows, name, args.rows).result()
        base = base or fit + predict
        print(name, fit, predict, peak)
        ratio = (fit + predict) / base
        table.append(
            [name, f"{fit:.1f}", f"{predict:.1f}", f"{ratio:.1f}", f"{peak:,.0f}"]
        )
    write_table(
        args.tables, "cost_rows",
        ["", "Fit (s)", "Prediction (s)", "Time beside FusionClassifier",
         "Peak memory of the process (MiB)"],
        table,
    )  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parts = {"selector": selector, "modalities": modalities, "rows": rows}
    parser.add_argument("parts", nargs="*", choices=[*parts, []], default=list(parts))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rows", type=int, default=200_000)
    add_tables_option(parser)
    args = parser.parse_args()
    for name in args.parts:
        parts[name](args)


if __name__ == "__main__":
    main()
