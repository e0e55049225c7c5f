"""Which estimator when: accuracy by what is missing in training and in testing.

Every classifier of the package with its default settings, beside gradient boosting on
NaN and imputation with concatenation, on the three data sets that ship with it. In
training nothing is hidden or every block with a probability of one half, in testing
nothing, every block with that probability, or all but one block of each row; in any
case one of its blocks, drawn at random, is kept. Accuracies in per cent, mean and
standard deviation over seeds of gaps, splits and nets, and differences to
``FusionClassifier`` with their paired standard errors. Run with

    python benchmarks/bench_estimators.py --seeds 5 --out estimators.json

The tables are ``estimators_DATA_accuracy.csv``, which the user guide shows, and
``estimators_DATA_differences.csv``.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import platform
import time
import warnings
from inspect import signature

import numpy as np
import pandas as pd
import sklearn
import torch
from _tables import add_tables_option, gap_se, mean_sd, write_table
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skmissing
from skmissing import (
    DyMoSelector,
    IPWMultimodalClassifier,
    PRIMOClassifier,
    UMEMMAEnsemble,
    baselines,
)
from skmissing.baselines import FusionClassifier
from skmissing.datasets import load_av_digits, load_heart, load_mfeat

METHODS = {
    kind.__name__: kind for kind in (UMEMMAEnsemble, PRIMOClassifier, DyMoSelector)
}
# The order of the tables; a baseline that is not named here stands behind these.
ORDER = [
    "FusionClassifier", "UnimodalEnsemble", *METHODS, "MultitaskFusionClassifier",
    "MissingDetectionClassifier", "PatternClassifier",
]  # fmt: skip
TRAIN = {"complete": 0.0, "half": 0.5}
TEST = {"complete": 0.0, "half": 0.5, "one left": None}


def data_set(name, seed):
    """Data without covariates, labels, training and test rows."""
    if name == "av_digits":
        bunch = load_av_digits()
        return bunch.data, bunch.target, bunch.train, bunch.test
    bunch = load_mfeat() if name == "mfeat" else load_heart()
    train, test = train_test_split(
        np.arange(len(bunch.target)), test_size=0.4, random_state=seed,
        stratify=bunch.target,
    )  # fmt: skip
    return bunch.data, bunch.target, train, test


def thin(X, rate, seed):
    """Hide each block with a probability, or all but one; a row always keeps one."""
    if rate == 0.0:
        return X
    rng = np.random.default_rng(seed)
    chance = np.where(X.present, rng.random(X.present.shape), -1.0)
    others = np.arange(X.shape[1]) != chance.argmax(axis=1)[:, None]
    if rate is not None:
        others &= rng.random(X.present.shape) < rate
    return X.hide(others)


class Flat:
    """A scikit-learn classifier on the blocks side by side, NaN where missing."""

    def __init__(self, estimator):
        self.estimator = estimator

    def flatten(self, X):
        parts = []
        for m, block in enumerate(X.blocks.values()):
            part = np.asarray(block, dtype=float).reshape(len(block), -1).copy()
            part[~X.present[:, m]] = np.nan
            parts.append(part)
        return np.hstack(parts)

    def fit(self, X, y):
        self.estimator.fit(self.flatten(X), y)
        return self

    def predict(self, X):
        return self.estimator.predict(self.flatten(X))


def estimators(seed):
    every = {
        **METHODS,
        **{name: getattr(baselines, name) for name in baselines.__all__},
    }
    fixed = {"random_state": seed, "n_threads": 1}
    out = {}
    for name in [*ORDER, *(name for name in every if name not in ORDER)]:
        given = signature(every[name]).parameters
        out[name] = every[name](**{k: v for k, v in fixed.items() if k in given})
    out["complete rows only (IPW net)"] = IPWMultimodalClassifier(
        FusionClassifier(random_state=seed, n_threads=1)
    )
    out["gradient boosting on NaN"] = Flat(
        HistGradientBoostingClassifier(max_iter=60, random_state=seed)
    )
    out["imputation + logistic"] = Flat(
        make_pipeline(
            SimpleImputer(keep_empty_features=True), StandardScaler(),
            LogisticRegression(max_iter=300),
        )
    )  # fmt: skip
    return out


def run(name, seed, labels):
    """Rows of the table for some estimators."""
    X, y, train, test = data_set(name, seed)
    tests = {k: thin(X[test], rate, 1000 + seed) for k, rate in TEST.items()}
    rows = []
    for lost, rate in TRAIN.items():
        X_train = thin(X[train], rate, seed)
        for label, clf in estimators(seed).items():
            if label not in labels:
                continue
            start = time.perf_counter()
            try:
                clf.fit(X_train, y[train])
            except ValueError as error:
                # No complete row is left with six views.
                if "Got" not in str(error):
                    raise
                rows += [(name, seed, label, lost, k, None, 0.0) for k in tests]
                continue
            seconds = time.perf_counter() - start
            for k, X_test in tests.items():
                # Not score: that of the weighted estimator counts complete rows only.
                right = clf.predict(X_test) == y[test]
                rows.append((name, seed, label, lost, k, 100 * right.mean(), seconds))
    return rows


def summarise(part):
    """Accuracies (sd), and differences to FusionClassifier (paired standard error)."""
    wide = part.pivot(
        index="seed", columns=["estimator", "train", "test"], values="accuracy"
    ).astype(float)
    values, gaps = {}, {}
    for label in part.estimator.unique():
        values[label], gaps[label] = {}, {}
        for lost in TRAIN:
            for shown in TEST:
                cell = f"{lost} / {shown}".capitalize()
                value = wide[label, lost, shown].dropna()
                gap = (value - wide["FusionClassifier", lost, shown]).dropna()
                if len(value) == 0:
                    values[label][cell] = gaps[label][cell] = "none fits"
                    continue
                values[label][cell] = mean_sd(value)
                gaps[label][cell] = gap_se(gap)
        fit = part[(part.estimator == label) & (part.train == "complete")]
        gaps[label]["Fit (s)"] = f"{fit.seconds.median():.1f}"
    del gaps["FusionClassifier"]
    return pd.DataFrame(values).T, pd.DataFrame(gaps).T


def report(rows, folder):
    columns = ["data", "seed", "estimator", "train", "test", "accuracy", "seconds"]
    frame = pd.DataFrame(rows, columns=columns)
    # In the order of the program, in whatever order they were run.
    order = pd.Series({label: i for i, label in enumerate(estimators(0))})
    frame = frame.sort_values("estimator", key=lambda c: c.map(order), kind="stable")
    for name, part in frame.groupby("data"):
        for kind, table in zip(("accuracy", "differences"), summarise(part)):
            print(f"\n{name}, {part.seed.nunique()} seeds (training / testing)")
            print(table.to_string())
            # Classes of the package are code.
            table.index = [
                f"``{label}``" if label.isidentifier() else label
                for label in table.index
            ]
            write_table(
                folder, f"estimators_{name}_{kind}", ["Estimator", *table.columns],
                table.itertuples(),
            )  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--data", nargs="+", default=["heart", "mfeat", "av_digits"]
    )  # fmt: skip
    parser.add_argument("--only", nargs="+", default=None, help="some estimators")
    parser.add_argument("--out", default="estimators.json")
    add_tables_option(parser)
    args = parser.parse_args()
    warnings.simplefilter("ignore", skmissing.exceptions.SkmissingWarning)
    warnings.simplefilter("ignore", sklearn.exceptions.ConvergenceWarning)
    path = pathlib.Path(args.out)
    done = json.loads(path.read_text()) if path.exists() else {}
    for seed in range(args.seeds):
        for name in args.data:
            key = f"{name}/{seed}"
            for label in args.only or estimators(seed):
                rows = done.setdefault(key, [])
                if all(row[2] != label for row in rows):
                    rows += run(name, seed, [label])
                    path.write_text(json.dumps(done))
    print(
        f"skmissing {skmissing.__version__}, torch {torch.__version__}, scikit-learn "
        f"{sklearn.__version__}, Python {platform.python_version()}, 1 thread"
    )
    report([tuple(row) for rows in done.values() for row in rows], args.tables)


if __name__ == "__main__":
    main()
