"""Training to the end against early stopping, with few rows.

Log-loss and accuracy (%) on 700 test rows, means over seeds of splits and nets from 100
on. Patients are those of SUPPORT2; the other rows are those of
``bench_stack_members.py``, with 30 % of all modalities but the first hidden. Run with

    OMP_NUM_THREADS=1 python benchmarks/bench_early_stopping.py

The table is ``early_stopping.csv``.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
from _tables import add_tables_option, write_table
from bench_stack_members import FIRST_SEED, clusters, independent, product
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from skmissing import MultimodalData, PRIMOClassifier
from skmissing.baselines import FusionClassifier
from skmissing.datasets import load_mfeat, load_support
from skmissing.modalities import ModalityTransformer

N_TEST = 700
# Log-losses of single rows are cut off at this probability.
LEAST = 1e-4


def patients(_):
    bunch = load_support()
    return ModalityTransformer("auto").fit_transform(bunch.data), bunch.target


def hidden(make, seed):
    blocks, y = make(seed)[:2]
    X = blocks if isinstance(blocks, MultimodalData) else MultimodalData(blocks)
    rng = np.random.default_rng(seed)
    return X.hide({name: rng.random(len(y)) < 0.3 for name in X.names[1:]}), y


def digits(_):
    return load_mfeat(return_X_y=True)


SETS = {
    "patients": lambda: patients(FIRST_SEED),
    "six views of digits": lambda: hidden(digits, FIRST_SEED),
    "clusters": lambda: hidden(clusters, FIRST_SEED),
    "product of two modalities": lambda: hidden(product, FIRST_SEED),
    "independent modalities": lambda: hidden(independent, FIRST_SEED),
}


def score(kind, X, y, n, seed, stopping):
    """Log-loss, and accuracy in per cent."""
    classes, y = np.unique(y, return_inverse=True)
    train, test = train_test_split(
        np.arange(len(y)), train_size=n, test_size=N_TEST, stratify=y, random_state=seed
    )
    clf = kind(early_stopping=stopping, random_state=seed, n_threads=1)
    clf.fit(X[train], y[train])
    proba = np.zeros((len(test), len(classes)))
    proba[:, clf.classes_] = clf.predict_proba(X[test])
    loss = log_loss(y[test], np.clip(proba, LEAST, 1), labels=range(len(classes)))
    return loss, 100 * np.mean(proba.argmax(axis=1) == y[test])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    add_tables_option(parser)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for name, make in SETS.items():
        X, y = make()
        for n in (150, 300, 600):
            for kind in (FusionClassifier, PRIMOClassifier):
                cells = [name, n, f"``{kind.__name__}``"]
                for stopping in (False, True):
                    found = [
                        score(kind, X, y, n, FIRST_SEED + k, stopping)
                        for k in range(args.seeds)
                    ]
                    loss, right = np.mean(found, axis=0)
                    cells += [f"{loss:.2f}", f"{right:.1f}"]
                print(*cells, flush=True)
                rows.append(cells)
    header = [
        "Data", "Training rows", "Estimator", "Log-loss to the end", "Accuracy (%)",
        "Log-loss, early stopping", "Accuracy (%) ",
    ]  # fmt: skip
    write_table(args.tables, "early_stopping", header, rows)


if __name__ == "__main__":
    main()
