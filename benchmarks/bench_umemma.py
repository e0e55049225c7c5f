"""UME-MMA and its comparators on halves of handwritten digits.

Four parts: ``table`` (all methods, equal and unbalanced halves), ``training`` (few
training rows have the second half), ``faults`` (broken blocks that pass for values)
and ``jobs`` (phase 1 in one process and in two). Accuracies in per cent, over seeds of
the split and the nets; paired standard errors of differences. Run with

    python benchmarks/bench_umemma.py table training faults
    python benchmarks/bench_umemma.py jobs

The tables are ``umemma_halves.csv`` and ``umemma_unbalanced.csv`` (``table``),
``umemma_training.csv`` and ``umemma_faults.csv``.
"""

from __future__ import annotations

import argparse
import itertools
import platform
import statistics
import time

import numpy as np
import pandas as pd
import torch
from _tables import add_tables_option, gap_se, mean_sd, write_table
from joblib import Parallel, delayed
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import skmissing
from skmissing import MultimodalData, UMEMMAEnsemble
from skmissing.baselines import (
    MissingDetectionClassifier,
    MultitaskFusionClassifier,
    UnimodalEnsemble,
)
from skmissing.nn import ConvEncoder, MLPEncoder

RAW = MLPEncoder(hidden=(64, 64), scale_inputs=False)
COMMON = {
    "encoders": [("a", RAW), ("b", RAW)],
    "max_epochs": 30, "optimizer": "adam", "early_stopping": False, "n_threads": 1,
}  # fmt: skip
SHORT = {"finetune_lr": 1e-4, "finetune_epochs": 10}
PARTS = {
    "left/right": (slice(0, 4), slice(4, 8)),
    "unbalanced": (slice(0, 5), slice(6, 8)),
}
NAIVE = {"side_weight": 0.0}
METHODS = {
    "naive": (MultitaskFusionClassifier, NAIVE),
    "multi-task": (MultitaskFusionClassifier, {}),
    "missing detection": (MissingDetectionClassifier, {}),
    "only augmentation": (MultitaskFusionClassifier,
                          {**NAIVE, "modality_dropout": 0.3}),
    "only pre-training": (UMEMMAEnsemble, {**SHORT, "modality_dropout": 0.0}),
    "no phase 2": (UMEMMAEnsemble, {"finetune_epochs": 0}),
    "UME-MMA, 10 epochs at 1e-4": (UMEMMAEnsemble, SHORT),
    "UME-MMA, frozen, 10 epochs at 1e-3": (
        UMEMMAEnsemble, {"finetune_epochs": 10, "freeze_encoders": True}
    ),
    "UME-MMA (default phase 2)": (UMEMMAEnsemble, {}),
    "UME-MMA, sum of logits": (UMEMMAEnsemble, {"fusion": "sum_logits"}),
    "UME-MMA, mean of probabilities": (UMEMMAEnsemble, {"fusion": "mean_proba"}),
    "mask-aware ensemble": (UnimodalEnsemble, {}),
}  # fmt: skip
# The published tables rank the comparators differently for each data set. In all three
# of them UME-MMA is first, these two follow, and the rest is behind in varying order.
TIERS = (
    ["UME-MMA, 10 epochs at 1e-4"],
    ["missing detection", "only augmentation"],
    ["naive", "multi-task", "only pre-training"],
)
CONDITIONS = ["B missing", "A missing", "complete"]
REFERENCE = "UME-MMA (default phase 2)"
HEADER = ["Method", "B missing", "A missing", "Complete", "Mean", "To UME-MMA"]


def digits(part):
    data = load_digits()
    image = data.images / 16
    a, b = PARTS[part]
    blocks = {
        "a": image[:, :, a].reshape(len(image), -1),
        "b": image[:, :, b].reshape(len(image), -1),
    }
    return MultimodalData(blocks), data.target


def split(y, seed):
    return train_test_split(
        np.arange(len(y)), test_size=0.4, random_state=seed, stratify=y
    )


def fit(name, X, y, seed, **more):
    kind, params = METHODS[name]
    return kind(**{**COMMON, **params, **more}, random_state=seed).fit(X, y)


def accuracies(name, part, seed, keep):
    X, y = digits(part)
    train, test = split(y, seed)
    lost = np.random.default_rng(seed).random(len(train)) >= keep
    clf = fit(name, X[train].hide({"b": lost}), y[train], seed)
    X, y = X[test], y[test]
    return [100 * clf.score(Z, y) for Z in (X.hide("b"), X.hide("a"), X)]


def show(title, results, reference):
    """Means and deviations over seeds, and paired differences to one method."""
    print(f"\n{title}")
    base = results[reference].mean(axis=1)
    for name, r in results.items():
        mean, sd = r.mean(axis=0), r.std(axis=0, ddof=1)
        each = "  ".join(f"{a:5.1f} ({b:.1f})" for a, b in zip(mean, sd))
        total = r.mean(axis=1)
        gap = total - base
        error = gap.std(ddof=1) / np.sqrt(len(gap))
        print(
            f"  {name:36} {each}   mean {total.mean():5.2f} "
            f"({total.std(ddof=1):.2f})   against {reference}: {gap.mean():+6.2f} "
            f"({error:.2f})"
        )


def cells(results):
    """Rows of a table: each condition, their mean, and that against the reference."""
    base = results[REFERENCE].mean(axis=1)
    rows = []
    for name, r in results.items():
        total = r.mean(axis=1)
        row = [name, *(mean_sd(column) for column in r.T), mean_sd(total, 2)]
        rows.append([*row, "" if name == REFERENCE else gap_se(total - base, 2)])
    return rows


def collect(names, part, seeds, keep=1.0):
    return {
        name: np.array([accuracies(name, part, s, keep) for s in range(seeds)])
        for name in names
    }


def table(seeds, folder):
    for part, name in zip(PARTS, ("umemma_halves", "umemma_unbalanced")):
        results = collect(METHODS, part, seeds)
        show(f"{part}: {', '.join(CONDITIONS)}", results, REFERENCE)
        write_table(folder, name, HEADER, cells(results))
        print("  what all published data sets share, with paired standard errors")
        for above, below in itertools.pairwise(TIERS):
            for high, low in itertools.product(above, below):
                gap = results[high].mean(axis=1) - results[low].mean(axis=1)
                error = gap.std(ddof=1) / np.sqrt(len(gap))
                print(f"    {low} -> {high}: {gap.mean():+.2f} ({error:.2f})")


def training(seeds, folder):
    names = ["naive", "only augmentation", "missing detection",
             "UME-MMA, 10 epochs at 1e-4", REFERENCE,
             "mask-aware ensemble"]  # fmt: skip
    rows = []
    for keep in (0.1, 0.2, 0.5, 1.0):
        results = collect(names, "left/right", seeds, keep)
        show(
            f"left/right, {keep:.0%} of the training rows have B: "
            f"{', '.join(CONDITIONS)}",
            results,
            REFERENCE,
        )
        # With all rows it is the table of the halves.
        if keep < 1:
            rows += [[f"{keep:.0%}", *row] for row in cells(results)]
    write_table(folder, "umemma_training", ["Rows with B", *HEADER], rows)


def faults(seeds, folder):
    """Accuracy where block B is broken and not reported."""
    X, y = digits("left/right")
    tested = {
        f"UME-MMA, {s}": (REFERENCE, {"substitute": s})
        for s in ("zero", "mean", "noise")
    }
    tested["UME-MMA, noise, mean of probabilities"] = (
        REFERENCE, {"substitute": "noise", "fusion": "mean_proba"}
    )  # fmt: skip
    tested |= {
        f"detection, {s}": ("missing detection", {"substitute": s})
        for s in ("zero", "noise")
    }
    tested["naive"] = ("naive", {})
    tested["mask-aware ensemble"] = ("mask-aware ensemble", {})
    rows = []
    for seed in range(seeds):
        train, test = split(y, seed)
        rng = np.random.default_rng(seed)
        seen, block = X["b"][train], X["b"][test]
        mean, sd = seen.mean(axis=0), seen.std(axis=0)
        broken = {
            "zeros": np.zeros_like(block),
            "mean": np.tile(mean, (len(test), 1)),
            "noise": mean + sd * rng.normal(size=block.shape),
            "other rows": block[rng.permutation(len(test))],
        }
        for name, (method, params) in tested.items():
            clf = fit(method, X[train], y[train], seed, **params)
            scores = {
                "complete": clf.score(X[test], y[test]),
                "reported missing": clf.score(X[test].hide("b"), y[test]),
            }
            for fault, values in broken.items():
                fed = MultimodalData({"a": X["a"][test], "b": values})
                scores[fault] = clf.score(fed, y[test])
            rows += [(name, k, 100 * v) for k, v in scores.items()]
    frame = pd.DataFrame(rows, columns=["method", "B is", "accuracy"])
    shown = frame.groupby(["method", "B is"], sort=False)["accuracy"].agg(
        ["mean", "std"]
    )
    print("\nleft/right, block B broken without notice")
    print(shown.unstack("B is").round(1).to_string())
    wide = frame.groupby(["method", "B is"])["accuracy"].apply(mean_sd).unstack()
    wide = wide.loc[list(tested), list(frame["B is"].unique())]
    header = ["Method", *(name.capitalize() for name in wide)]
    write_table(folder, "umemma_faults", header, wide.itertuples())


def jobs(repeats):
    """Wall time of phase 1 for two pictures, in one process and in two."""
    rng = np.random.default_rng(0)
    n = 4000
    y = rng.integers(10, size=n)
    picture = rng.normal(size=(2, n, 1, 28, 28)).astype(np.float32)
    picture += (y / 10)[:, None, None, None]
    X = MultimodalData({"a": picture[0], "b": picture[1]})
    wide = ConvEncoder(channels=(32, 64))
    # The worker processes start once and import torch once.
    Parallel(n_jobs=2)(delayed(__import__)("torch") for _ in range(4))
    times = {1: [], 2: []}
    for _ in range(repeats):
        for n_jobs, measured in times.items():
            clf = UMEMMAEnsemble(
                encoders=[("a", wide), ("b", wide)], max_epochs=10, n_jobs=n_jobs,
                finetune_epochs=0, n_threads=1, early_stopping=False, random_state=0,
            )  # fmt: skip
            start = time.perf_counter()
            clf.fit(X, y)
            measured.append(time.perf_counter() - start)
    ratio = statistics.median(a / b for a, b in zip(times[1], times[2]))
    print(f"\nphase 1, two encoders, {n} rows of 28 x 28, median of {repeats}")
    for n_jobs, measured in times.items():
        print(f"  n_jobs={n_jobs}: {statistics.median(measured):.1f} s")
    print(f"  {ratio:.2f} times as long with one as with two")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "parts", nargs="*", default=["table"],
        choices=["table", "training", "faults", "jobs"],
    )  # fmt: skip
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    add_tables_option(parser)
    args = parser.parse_args()
    print(
        f"skmissing {skmissing.__version__}, torch {torch.__version__}, Python "
        f"{platform.python_version()}, 1 thread, seeds 0 to {args.seeds - 1}"
    )
    for part in args.parts:
        if part == "jobs":
            jobs(args.repeats)
        else:
            run = {"table": table, "training": training, "faults": faults}[part]
            run(args.seeds, args.tables)


if __name__ == "__main__":
    main()
