"""The 60 settings of the simulation: which correction brings the oracle back.

In each setting one model per set of modalities is trained on the complete rows (as
they are, or weighted) and evaluated on the complete test rows (as they are, or
weighted). The oracle is trained and evaluated on all rows before x2 was hidden. Like
the published experiment, rows that lack x2 are left out for x1 as well. Run with

    python benchmarks/bench_ipw_simulation.py --out simulation.json
    python benchmarks/bench_ipw_simulation.py --out simulation.json --report

Settings that stand in the file already are not run again. The table is
``ipw_simulation.csv``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import pathlib
import warnings

import numpy as np
from _simulation_settings import simulation_settings
from _tables import add_tables_option, write_table
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from skmissing import PropensityWeighter
from skmissing.baselines import FusionClassifier
from skmissing.datasets import make_simulation
from skmissing.exceptions import OverlapWarning
from skmissing.nn import MLPEncoder

KINDS = {
    "known": "known",
    "logistic": "logistic on x1",
    "boosted": "boosted on x1",
    "logistic+label": "logistic on x1 and label",
    "boosted+label": "boosted on x1 and label",
}
SETS = {"x1": ["x1"], "x2": ["x2"], "x1+x2": ["x1", "x2"]}


def make_net(names):
    """Two hidden layers of 32, no dropout, as published.

    Each modality has its own, and their scores add up; the published net of both reads
    all columns at once.
    """
    return FusionClassifier(
        encoders=[(name, MLPEncoder(hidden=(32, 32))) for name in names],
        head_hidden=(),
        modality_dropout=0.0,
        max_epochs=40,
        n_iter_no_change=4,
        batch_size=256,
        n_threads=1,
        random_state=0,
    )


def weights_of(bunch, rows):
    """Stabilised weights of all rows, by several kinds of propensity."""
    X, y = bunch.data, bunch.target
    known = np.where(bunch.mask[:, 1], 0.0, 1.0 / bunch.propensity)
    boosted = HistGradientBoostingClassifier(max_iter=100, learning_rate=0.05)
    out = {"known": known / known[known > 0].mean()}
    for name, estimator, cv, label in [
        ("logistic", None, None, False),
        ("boosted", boosted, 5, False),
        ("logistic+label", None, None, True),
        ("boosted+label", boosted, 5, True),
    ]:
        weighter = PropensityWeighter(
            estimator, cv=cv, use_target=label, random_state=0
        )
        weights = np.zeros(len(X))
        # Training rows out of fold, test rows by the model of all training rows.
        weights[rows] = weighter.fit_transform(X[rows], y[rows])[:, 0]
        rest = np.setdiff1d(np.arange(len(X)), rows)
        weights[rest] = weighter.sample_weight(X[rest], y[rest])
        out[name] = weights
    return out


def run(setting, n_trees):
    bunch = make_simulation(setting, n_trees=n_trees, random_state=0)
    y, full = bunch.target, bunch.complete_data
    seen = ~bunch.mask[:, 1]
    fit_rows = np.sort(np.concatenate([bunch.train, bunch.validation]))
    test = bunch.test
    weights = weights_of(bunch, fit_rows)
    record = {}
    for label, names in SETS.items():
        X = full.select(names)
        here = fit_rows[seen[fit_rows]]
        models = {"all": make_net(names).fit(X[fit_rows], y[fit_rows])}
        models["observed"] = make_net(names).fit(X[here], y[here])
        for kind, w in weights.items():
            models[kind] = make_net(names).fit(X[here], y[here], sample_weight=w[here])
        p = {kind: m.predict_proba(X[test])[:, 1] for kind, m in models.items()}
        s = seen[test]
        record[f"{label}/oracle"] = roc_auc_score(y[test], p["all"])
        for kind in weights:
            w = weights[kind][test][s]
            for train, evaluate in itertools.product(["observed", kind], repeat=2):
                value = roc_auc_score(
                    y[test][s],
                    p[train][s],
                    sample_weight=None if evaluate == "observed" else w,
                )
                a = "corrected" if train == kind else "observed"
                b = "corrected" if evaluate == kind else "observed"
                record[f"{label}/{kind}/{a}/{b}"] = value
            # The same model on all test rows: what a perfect evaluation would say.
            record[f"{label}/{kind}/model"] = roc_auc_score(y[test], p[kind])
        record[f"{label}/observed/model"] = roc_auc_score(y[test], p["observed"])
    return record


def report(records):
    """Errors by propensity, corrections of training and evaluation, and modalities."""
    cells = {}
    names = sorted(records)
    rng = np.random.default_rng(0)
    draws = rng.integers(len(names), size=(100, len(names)))
    print(f"{len(names)} settings; RMSE of the AUC against the oracle (bootstrap sd)")
    for kind in KINDS:
        print(f"\npropensity: {kind}")
        for label in SETS:
            oracle = np.array([records[n][f"{label}/oracle"] for n in names])
            for a, b in itertools.product(["observed", "corrected"], repeat=2):
                got = np.array([records[n][f"{label}/{kind}/{a}/{b}"] for n in names])
                error = (got - oracle) ** 2
                rmse = np.sqrt(error.mean())
                sd = np.sqrt(error[draws].mean(axis=1)).std(ddof=1)
                bias = (got - oracle).mean()
                cells[kind, a, b, label] = rmse, sd
                print(
                    f"  {label:6} train {a:9} evaluate {b:9} "
                    f"{rmse:.4f} ({sd:.4f})  bias {bias:+.4f}"
                )
    return cells


def write(cells, folder):
    """All combinations for the known propensities, both corrections for the others."""
    words = {"observed": "as observed", "corrected": "corrected"}
    shown = [("known", *both) for both in itertools.product(words, repeat=2)]
    shown += [(kind, "corrected", "corrected") for kind in KINDS if kind != "known"]
    least = {label: min(cells[*key, label][0] for key in shown) for label in SETS}
    rows = []
    for kind, a, b in shown:
        # Without any correction there is no propensity.
        row = ["" if a == b == "observed" else KINDS[kind], words[a], words[b]]
        for label in SETS:
            rmse, sd = cells[kind, a, b, label]
            best = "**" if rmse == least[label] else ""
            row.append(f"{best}{rmse:.4f}{best} ({sd:.4f})")
        rows.append(row)
    header = ["Propensities", "Trained", "Evaluated", "x1", "x2", "x1 + x2"]
    write_table(folder, "ipw_simulation", header, rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="simulation.json")
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--every", type=int, default=1, help="take every k-th setting")
    parser.add_argument("--report", action="store_true")
    add_tables_option(parser)
    args = parser.parse_args()
    path = pathlib.Path(args.out)
    records = json.loads(path.read_text()) if path.exists() else {}
    if not args.report:
        for setting in simulation_settings()[:: args.every]:
            if setting not in records:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", OverlapWarning)
                    records[setting] = run(setting, args.trees)
                path.write_text(json.dumps(records))
                print(setting, "done", flush=True)
    write(report(records), args.tables)


if __name__ == "__main__":
    main()
