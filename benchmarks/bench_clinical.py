"""Classifiers on the table of a hospital, whose modalities interact.

Death in hospital of seriously ill patients (``load_support``), nine modalities of which
five are missing in 18 to 47% of the rows.
Area under the ROC curve by cross-validation, with default settings. Run with

    python benchmarks/bench_clinical.py

The table is ``clinical.csv``.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from _tables import add_tables_option, gap_se, mean_sd, write_table
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

import skmissing
from skmissing import MultimodalData, PRIMOClassifier, UMEMMAEnsemble
from skmissing.baselines import (
    FusionClassifier,
    MissingDetectionClassifier,
    PatternClassifier,
    UnimodalEnsemble,
)
from skmissing.datasets import load_support

TEXT = ["sex", "race", "income", "disease_group", "disease_class", "cancer"]
BLOCKS = {
    "demographics": ["age", "sex", "race", "education_years", "income"],
    "history": ["disease_group", "disease_class", "comorbidities", "diabetes",
                "dementia", "cancer", "hospital_day", "coma_score"],
    "vitals": ["mean_bp", "heart_rate", "resp_rate", "temperature"],
    "blood": ["wbc", "creatinine", "sodium"],
    "liver": ["albumin", "bilirubin"],
    "blood_gas": ["pao2_fio2", "arterial_ph"],
    "renal": ["glucose", "bun", "urine_output"],
    "function": ["adl_patient", "adl_surrogate"],
    "physician": ["physician_2m", "physician_6m"],
}  # fmt: skip
NETS = {
    "``FusionClassifier``": FusionClassifier,
    "``UnimodalEnsemble``": UnimodalEnsemble,
    "``UMEMMAEnsemble``": UMEMMAEnsemble,
    "``MissingDetectionClassifier``": MissingDetectionClassifier,
    "``PRIMOClassifier``": PRIMOClassifier,
}
REFERENCE = "``FusionClassifier``"


def load():
    """Blocks of numbers; text has one column for each level, 0 where it is missing."""
    frame = pd.read_csv(load_support().filename)
    blocks = {}
    for name, columns in BLOCKS.items():
        part = pd.get_dummies(
            frame[columns], columns=[c for c in columns if c in TEXT], dtype=float
        )
        blocks[name] = part.to_numpy(float)
    return MultimodalData(blocks), frame["died_in_hospital"].to_numpy()


def scores(name, X, y, train, test, seed):
    if name in NETS:
        clf = NETS[name](n_threads=1, random_state=seed)
    elif "boosting" in name:
        clf = HistGradientBoostingClassifier(max_iter=60, random_state=seed)
        X = X.to_frame().to_numpy()
    else:
        clf = PatternClassifier()
    return clf.fit(X[train], y[train]).predict_proba(X[test])[:, 1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--folds", type=int, default=5)
    add_tables_option(parser)
    args = parser.parse_args()
    print(f"skmissing {skmissing.__version__}, seeds 0 to {args.seeds - 1}")
    X, y = load()
    found = {name: [] for name in (*NETS, "``PatternClassifier``",
                                   "gradient boosting on NaN")}  # fmt: skip
    for seed in range(args.seeds):
        cv = StratifiedKFold(args.folds, shuffle=True, random_state=seed)
        for train, test in cv.split(np.zeros(len(y)), y):
            for name, values in found.items():
                p = scores(name, X, y, train, test, seed)
                values.append(roc_auc_score(y[test], p))
            print(*(f"{name} {v[-1]:.3f}" for name, v in found.items()), flush=True)
    base = np.array(found[REFERENCE])
    rows = [
        [
            name,
            mean_sd(v, 3),
            "" if name == REFERENCE else gap_se(np.array(v) - base, 3),
        ]
        for name, v in found.items()
    ]
    header = ["Estimator", "AUC", "To ``FusionClassifier``"]
    write_table(args.tables, "clinical", header, rows)


if __name__ == "__main__":
    main()
