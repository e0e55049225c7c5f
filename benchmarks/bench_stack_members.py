"""Which members PatternStackingClassifier should have by default.

Four data sets that the benchmark of the package does not use, 40 % of each modality
missing completely at random, seeds from 100 on: wine in three blocks, four blocks of a
``make_classification`` of scikit-learn, a product of two modalities beside a weak third
one, and five modalities that are independent given the class. Every member is fitted
once on each fold; sets of members are compared with these fits. Run with

    OMP_NUM_THREADS=1 python benchmarks/bench_stack_members.py --seeds 1

The table is ``stack_members.csv``: log-loss on test rows, a mean over the conditions
"as trained", "complete", "one left" and "unseen pattern".
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import replace

import numpy as np
from _tables import add_tables_option, write_table
from sklearn.datasets import load_wine, make_classification
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold

from skmissing import PRIMOClassifier, UMEMMAEnsemble
from skmissing._estimation._rows import LabelledRows
from skmissing.baselines import FusionClassifier, PatternClassifier, UnimodalEnsemble
from skmissing.benchmark._mechanisms import mcar
from skmissing.benchmark._tasks import make_task
from skmissing.stacking._members import BOOSTING, fit_member, hide_some
from skmissing.stacking._pool import HeldOutRatios, PatternPool

FIRST_SEED = 100
N_ROWS = 2000
HIDDEN_WEIGHT = 0.2
NET = {"n_threads": 1}
MEMBERS = {
    "pattern": PatternClassifier(),
    "fusion": FusionClassifier(**NET),
    "unimodal": UnimodalEnsemble(**NET),
    "boosting": HistGradientBoostingClassifier(**BOOSTING),
    "PRIMO": PRIMOClassifier(**NET),
    "I2M2": FusionClassifier(fusion="i2m2", **NET),
    "attention": FusionClassifier(fusion="attention", **NET),
    "UME-MMA": UMEMMAEnsemble(**NET),
}
DEFAULT = ["pattern", "fusion", "unimodal", "boosting"]
SETS = {
    "the default: pattern, fusion, unimodal, boosting": DEFAULT,
    "without boosting": DEFAULT[:3],
    **{
        f"default and {name}": [*DEFAULT, name]
        for name in MEMBERS
        if name not in DEFAULT
    },
    "PRIMO in place of fusion": ["pattern", "PRIMO", "unimodal", "boosting"],
    "UME-MMA in place of unimodal": ["pattern", "fusion", "UME-MMA", "boosting"],
    "all eight": list(MEMBERS),
    **{f"{name} alone": [name] for name in MEMBERS},
}


def wine(_):
    X, y = load_wine(return_X_y=True)
    return {"a": X[:, :4], "b": X[:, 4:9], "c": X[:, 9:]}, y, None


def clusters(seed):
    X, y = make_classification(
        N_ROWS, 40, n_informative=16, n_redundant=8, n_classes=4, random_state=seed
    )
    return {f"m{k}": X[:, 10 * k : 10 * k + 10] for k in range(4)}, y, None


def product(seed):
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(N_ROWS, 2))
    y = signal[:, 0] * signal[:, 1] + 0.5 * rng.normal(size=N_ROWS) > 0
    blocks = {
        name: np.column_stack([column, rng.normal(size=(N_ROWS, 4))])
        for name, column in zip("ab", (signal + 0.2 * rng.normal(size=signal.shape)).T)
    }
    blocks["c"] = (y - 0.5 + rng.normal(size=N_ROWS))[:, None]
    return blocks, y.astype(int), None


def independent(seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(6, size=N_ROWS)
    blocks = {
        f"v{k}": 0.6 * rng.normal(size=(6, 8))[y] + rng.normal(size=(N_ROWS, 8))
        for k in range(5)
    }
    return blocks, y, None


def fit(make, seed):
    """What all members say of held-out rows, and of the test rows of all conditions."""
    task = make_task(make(seed), mcar, seed, f"{make.__name__}/mcar")
    rng = np.random.RandomState(seed)
    n, prior = len(task.y), np.bincount(task.y) / len(task.y)
    classes = np.arange(task.n_classes)
    splitter = StratifiedKFold(5, shuffle=True, random_state=seed)
    fold, fits, parts = np.empty(n, dtype=int), [], []
    for k, (train, test) in enumerate(splitter.split(task.y, task.y)):
        fold[test] = k
        rows = LabelledRows(task.X[train], task.y[train], classes, np.ones(len(train)))
        fits.append([fit_member(m, rows, prior, seed) for m in MEMBERS.values()])
        held = task.X[test]
        several, kept = hide_some(held, rng)
        copies = held[several].hide(held[several].present & ~kept)
        for index, data, weight in (
            (test, held, 1.0), (test[several], copies, HIDDEN_WEIGHT),
        ):  # fmt: skip
            parts.append(
                HeldOutRatios(
                    np.stack([f.log_ratio(data) for f in fits[-1]], axis=1),
                    np.asarray(data.present), task.y[index],
                    np.full(len(index), weight), fold[index],
                )
            )  # fmt: skip
    held_out = HeldOutRatios(
        *(np.concatenate(c) for c in zip(*(vars(p).values() for p in parts)))
    )
    tests = [
        (
            np.mean([[f.log_ratio(t.X) for f in some] for some in fits], axis=0),
            np.asarray(t.X.present), t.y,
        )
        for t in task.tests.values()
    ]  # fmt: skip
    return np.log(prior), held_out, tests


def loss(log_prior, held_out, tests, names):
    """Log-loss of a set of members."""
    columns = [list(MEMBERS).index(name) for name in names]
    rows = replace(held_out, ratios=held_out.ratios[:, columns])
    pool = PatternPool(log_prior).fit(rows)
    return np.mean(
        [
            -pool(given[columns].swapaxes(0, 1), present)[np.arange(len(y)), y].mean()
            for given, present, y in tests
        ]
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=1)
    add_tables_option(parser)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    losses = {}
    for make in (wine, clusters, product, independent):
        runs = [fit(make, FIRST_SEED + k) for k in range(args.seeds)]
        for label, names in SETS.items():
            value = np.mean([loss(*run, names) for run in runs])
            losses.setdefault(label, []).append(value)
            print(make.__name__, label, round(float(value), 4), flush=True)
    rows = [
        [label, *(f"{v:.3f}" for v in values), f"{np.mean(values):.3f}"]
        for label, values in losses.items()
    ]
    header = ["Members", "Wine", "Clusters", "Product", "Independent", "Mean"]
    write_table(args.tables, "stack_members", header, rows)


if __name__ == "__main__":
    main()
