"""Two bits and a gate, the second bit missing at random: what complete rows pretend.

For AND, OR and XOR with the exact values: the area under the ROC curve of each bit, and
the decomposition of what both tell about the label, from complete rows as they are and
from weighted ones. Run with

    python benchmarks/bench_gates.py --seeds 10

The table is ``gates.csv``. "Complete rows" leaves rows without x2 out for x1 too, as
the published experiment does; "all rows that have the bit" is what
``skmissing.ipw.modality_utility`` calls biased.
"""

from __future__ import annotations

import argparse

import numpy as np
from _tables import add_tables_option, mean_sd, write_table
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

import skmissing
from skmissing import IPWMultimodalClassifier, PIDEstimator, PropensityWeighter
from skmissing.datasets import make_bitwise
from skmissing.ipw import ObservedStratifiedKFold, make_ipw_scorer

BITS = ("x1", "x2")
PARTS = ("unique_x1", "unique_x2", "redundant", "synergistic")
# The bits of a row say all, so that little ridge is right.
MODEL = LogisticRegression(C=100.0)


def areas(X, y, rows, propensity):
    """Cross-fitted area of each bit, of some rows, weighted or as they are."""
    cv = ObservedStratifiedKFold(5, random_state=0)
    out = []
    for bit in BITS:
        clf = IPWMultimodalClassifier(MODEL, use=[bit], weighting="none")
        scoring = "roc_auc"
        if propensity is not None:
            clf.set_params(weighting="ipw", propensity=propensity)
            fitted = PropensityWeighter(random_state=0).fit(X)
            scoring = make_ipw_scorer("roc_auc", propensity=fitted)
        some = rows if rows is not None else X.present[:, X.names.index(bit)]
        score = cross_val_score(clf, X[some], y[some], cv=cv, scoring=scoring)
        out.append(score.mean())
    return out


def parts(X, y, propensity):
    pid = PIDEstimator(propensity=propensity, random_state=0).fit(X, y)
    return [*(pid.unique_[bit] for bit in BITS), pid.redundant, pid.synergistic]


def run(gate, seed):
    """Seven rows of numbers: exact ones, and estimates from a sample."""
    bunch = make_bitwise(gate=gate, mechanism="mar", random_state=seed)
    X, y = bunch.data, bunch.target
    every, seen = np.ones(len(y), dtype=bool), np.asarray(X.present.all(axis=1))
    template = PropensityWeighter(required=list(BITS), random_state=0)
    exact = {
        which: [
            *(bunch.oracle[which][f"auc_{bit}"] for bit in BITS),
            *(bunch.oracle[which][part] for part in PARTS),
        ]
        for which in ("true", "observed")
    }
    return {
        "all rows, exact": exact["true"],
        "complete rows, exact": exact["observed"],
        "complete rows": [*areas(X, y, seen, None), *parts(X, y, None)],
        "all rows that have the bit": [*areas(X, y, None, None), *[np.nan] * 4],
        "weighted": [*areas(X, y, every, template), *parts(X, y, template)],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=10)
    add_tables_option(parser)
    args = parser.parse_args()
    print(f"skmissing {skmissing.__version__}, seeds 0 to {args.seeds - 1}")
    rows = []
    for gate in ("and", "or", "xor"):
        runs = [run(gate, seed) for seed in range(args.seeds)]
        for name in runs[0]:
            values = np.array([found[name] for found in runs], dtype=float)
            shown = [
                ""
                if np.isnan(column).any()
                else f"{column[0]:.3f}"
                if name.endswith("exact")
                else mean_sd(column, 3)
                for column in values.T
            ]
            rows.append([gate.upper(), name, *shown])
            print(*rows[-1], sep="  ")
    header = ["Gate", "Estimated from", "AUC of x1", "AUC of x2", "Unique to x1",
              "Unique to x2", "Redundant", "Synergistic"]  # fmt: skip
    write_table(args.tables, "gates", header, rows)


if __name__ == "__main__":
    main()
