"""Modality dropout in training against missing modalities in the test.

``FusionClassifier`` with early fusion is trained on the rows as they are, with four
values of ``modality_dropout`` (each modality on its own), and scored on test rows from
which each present modality is hidden with a probability, but one of each row. On
*mfeat* the scores are accuracies, on *support* areas under the ROC curve, in per cent:
mean and standard deviation over seeds of splits, gaps and nets. Run with

    OMP_NUM_THREADS=1 python benchmarks/bench_modality_dropout.py

The table is ``modality_dropout.csv``.
"""

from __future__ import annotations

import argparse

import numpy as np
from _tables import add_tables_option, mean_sd, write_table
from bench_cost import hide
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from skmissing.baselines import FusionClassifier
from skmissing.benchmark._datasets import DATASETS
from skmissing.benchmark._tasks import NumericBlocks

RATES = (0.0, 0.25, 0.5, 0.75)
TEST_RATES = (0.0, 0.25, 0.5, 0.75, 0.9)


def score(clf, X, y):
    """Area under the ROC curve for two classes, accuracy for more."""
    proba = clf.predict_proba(X)
    if proba.shape[1] == 2:
        return 100 * roc_auc_score(y, proba[:, 1])
    return 100 * np.mean(clf.classes_[proba.argmax(axis=1)] == y)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(200, 205)))
    parser.add_argument("--data", nargs="+", default=["mfeat", "support"])
    add_tables_option(parser)
    options = parser.parse_args(argv)
    table = []
    for name in options.data:
        scores = {rate: [] for rate in RATES}
        for seed in options.seeds:
            X, y, _ = DATASETS[name](seed)
            train, test, y_train, y_test = train_test_split(
                X, y, test_size=0.4, random_state=seed, stratify=y
            )
            encode = NumericBlocks(train)
            train, test = encode(train), encode(test)
            tests = [hide(test, rate, seed) for rate in TEST_RATES]
            for rate in RATES:
                clf = FusionClassifier(
                    modality_dropout=rate, dropout_scheme="independent",
                    random_state=seed, n_threads=1,
                ).fit(train, y_train)  # fmt: skip
                scores[rate].append([score(clf, part, y_test) for part in tests])
                print(name, seed, rate, np.round(scores[rate][-1], 1), flush=True)
        for rate in RATES:
            columns = np.array(scores[rate]).T
            table.append([name, rate, *(mean_sd(column) for column in columns)])
    shares = [f"{rate:.0%} hidden" for rate in TEST_RATES]
    write_table(
        options.tables, "modality_dropout", ["Data", "modality_dropout", *shares], table
    )


if __name__ == "__main__":
    main()
