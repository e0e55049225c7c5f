"""Do intervals of a corrected gain cover the truth, and does double robustness pay?

In each of many data sets the gain of x1+x2 over x1 is estimated by modality_utility.
The truth is the gain of the *same fitted models* on 100,000 fresh complete rows.
Reported are the share of 90% intervals that hold the truth, and the root mean squared
errors of the weighted and of the doubly robust value. Run with

    python benchmarks/bench_ipw_coverage.py --sets 200 --rows 3000 --out coverage.json
    python benchmarks/bench_ipw_coverage.py --bounds --out coverage.json
    python benchmarks/bench_ipw_coverage.py --hold-out --kinds shape --out split.json

Five kinds of data: missingness driven by a covariate that has nothing to do with the
loss; by a site that differs in both; by a covariate on which the loss depends in
another shape (labels are noise where it is near 0) than missingness does, with a
quarter of the rows observed and a forest that sees the covariate ("shape") or a
logistic regression that does not ("linear"); and by a covariate that tells much of
what x2 would be ("proxy").

``--bounds`` says how much of the variance of a row's gain can be known of all rows (by
covariate, x1 and label), and what the error of a doubly robust value can be at best,
as a share of that of the weighted one: from the variance of the weighted mean with an
estimated logistic propensity, and the efficiency bound. It is kept in the result file,
too. The table ``ipw_coverage.csv`` is made from that file. It is not written with
``--hold-out`` or ``--independent``.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import time
import warnings

import numpy as np
import pandas as pd
from _tables import add_tables_option, write_table
from scipy.special import expit
from scipy.stats import norm
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import StratifiedShuffleSplit

from skmissing import PropensityWeighter
from skmissing.exceptions import OverlapWarning
from skmissing.ipw import modality_utility

MODALITIES = {"x1": ["x1"], "x2": ["x2"]}
# A forest that knows c can tell where the label is noise.
KNOWING = {"x1": ["x1", "c"], "x2": ["x2"]}
TREES = RandomForestClassifier(60, min_samples_leaf=20, random_state=0)
METRICS = {
    "roc_auc": "area under the curve",
    "neg_log_loss": "log-likelihood",
    "accuracy": "accuracy",
    "neg_brier_score": "Brier score",
}
# How the columns of each estimate begin in the table of modality_utility.
ESTIMATES = {"biased": "biased_", "corrected": "", "DR": "doubly_robust_"}
KINDS = ["unrelated", "site", "shape", "linear", "proxy"]
RARE = ("shape", "linear", "proxy")
SITES = np.array(["east", "north", "south", "west"])


def draw(kind, n, rng):
    """A complete table, labels, and the probability to have x2."""
    frame = pd.DataFrame(rng.normal(size=(n, 2)), columns=["x1", "x2"])
    if kind == "site":
        k = rng.integers(4, size=n)
        frame["c"] = SITES[k]
        strength, p = (
            np.array([0.1, 0.5, 1.5, 4.0])[k],
            np.array([0.2, 0.4, 0.6, 0.9])[k],
        )
    else:
        c = rng.uniform(-1, 1, size=n)
        frame["c"] = c
        strength = np.ones(n)
        if kind in ("shape", "linear"):
            strength = np.where(np.abs(c) > 0.5, 20.0, 0.0)
        if kind == "proxy":
            # Correlation 0.9.
            frame["x2"] = 0.9 * np.sqrt(3) * c + np.sqrt(0.19) * frame.x2
        p = expit(1.5 * c - (1.5 if kind in RARE else 0.0))
    y = (rng.random(n) < expit(strength * (frame.x1 + 1.5 * frame.x2))).astype(int)
    return frame, y.to_numpy(), p


def true_gains(scores, fresh, y):
    """Gain of each fold's models on complete rows, averaged over folds."""
    out = dict.fromkeys(METRICS, 0.0)
    models = scores.models
    folds = list(zip(models[("x1",), "ipw"], models[("x1", "x2"), "ipw"]))
    for pair in folds:
        values = []
        for model in pair:
            p = model.predict_proba(fresh)[:, 1]
            values.append(
                {
                    "roc_auc": roc_auc_score(y, p),
                    "neg_log_loss": -log_loss(y, p),
                    "accuracy": ((p > 0.5) == y).mean(),
                    "neg_brier_score": -((p - y) ** 2).mean(),
                }
            )
        for m in METRICS:
            out[m] += (values[1][m] - values[0][m]) / len(folds)
    return out


def run(kind, seed, n, n_bootstraps, hold_out, dependence=True):
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    frame, y, p = draw(kind, n, rng)
    seen = frame.copy()
    seen.loc[rng.random(n) >= p, "x2"] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OverlapWarning)
        table, scores = modality_utility(
            TREES if kind == "shape" else LogisticRegression(), seen, y,
            modalities=KNOWING if kind == "shape" else MODALITIES,
            propensity=PropensityWeighter(random_state=0), subsets=["x1", ["x1", "x2"]],
            scoring=list(METRICS), n_bootstraps=n_bootstraps, return_scores=True,
            random_state=seed, fold_dependence=dependence,
            cv=StratifiedShuffleSplit(1, test_size=0.5, random_state=seed)
            if hold_out else 5,
        )  # fmt: skip
    fresh, labels, _ = draw(kind, 100_000, np.random.default_rng([seed, 99]))
    truth = true_gains(scores, fresh, labels)
    gains = table[table.quantity == "gain"].set_index("metric")
    columns = [
        f"{prefix}{end}" for prefix in ESTIMATES.values()
        for end in ("value", "low", "high")
    ]  # fmt: skip
    return {
        m: {**gains.loc[m, columns].astype(float).to_dict(), "truth": truth[m]}
        for m in METRICS
    }


def bounds(n=800_000):
    """What is known of the gain of a row, and the least error that is possible."""
    at_best = {kind: {} for kind in KINDS}
    for kind in KINDS:
        small, y, p = draw(kind, 3000, np.random.default_rng([0, 0]))
        big, Y, P = draw(kind, n, np.random.default_rng([0, 99]))
        seen = np.random.default_rng(0).random(3000) < p
        model = TREES if kind == "shape" else LogisticRegression()
        columns = KNOWING if kind == "shape" else MODALITIES
        said = []
        for names in (columns["x1"], columns["x1"] + columns["x2"]):
            fitted = clone(model).fit(small.loc[seen, names], y[seen])
            said.append(np.clip(fitted.predict_proba(big[names])[:, 1], 1e-9, 1 - 1e-9))
        if kind == "site":
            c = np.unique(big.c, return_inverse=True)[1]
            design = np.eye(4)[c]
        else:
            c = np.clip(((big.c.to_numpy() + 1) * 20).astype(int), 0, 39)
            design = np.column_stack([np.ones(n), big.c])
        x1 = np.clip(((big.x1.to_numpy() + 3) * 4).astype(int), 0, 23)
        known = (c * 24 + x1) * 2 + Y
        count = np.bincount(known)
        for metric, score in {
            "neg_log_loss": lambda q, y: np.log(np.where(y == 1, q, 1 - q)),
            "accuracy": lambda q, y: ((q > 0.5) == y).astype(float),
            "neg_brier_score": lambda q, y: -((q - y) ** 2),
        }.items():
            gain = score(said[1], Y) - score(said[0], Y)
            mean = (np.bincount(known, gain) / np.maximum(count, 1))[known]
            # An estimated propensity takes what its scores predict of the gain.
            moved = ((gain - gain.mean()) * (1 - P)) @ design / n
            inner = (design.T * (P * (1 - P))) @ design / n
            weighted = ((gain - gain.mean()) ** 2 / P).mean()
            weighted -= moved @ np.linalg.solve(inner, moved)
            least = ((gain - mean) ** 2 / P).mean() + mean.var()
            at_best[kind][metric] = float(np.sqrt(least / weighted))
            print(
                f"  {kind:10} {metric:16} share of the variance of the gain known "
                f"{mean.var() / gain.var():.2f}, rmse ratio at least "
                f"{at_best[kind][metric]:.3f}"
            )
    return at_best


def report(records):
    """Rows of the table, without the bounds."""
    table = []
    for kind in KINDS:
        runs = records.get(kind, [])
        if not runs:
            continue
        print(f"\n{kind}: {len(runs)} data sets")
        for m, shown in METRICS.items():
            t = pd.DataFrame([r[m] for r in runs])
            row = {
                "kind": kind, "metric": m, "Metric": shown,
                "Data": kind if m == "roc_auc" else "",
                "Gain": f"{t.truth.mean():.3f}",
            }  # fmt: skip
            table.append(row)
            line = f"  {m:16} gain {t.truth.mean():+.4f}"
            for name, prefix in ESTIMATES.items():
                if t[f"{prefix}value"].isna().all():
                    continue
                error = t[f"{prefix}value"] - t.truth
                inside = (t[f"{prefix}low"] <= t.truth) & (
                    t.truth <= t[f"{prefix}high"]
                )
                rmse = np.sqrt((error**2).mean())
                # What the intervals take the standard error for.
                half = (t[f"{prefix}high"] - t[f"{prefix}low"]) / 2 / norm.ppf(0.95)
                spread = rmse / np.sqrt((half**2).mean())
                line += (
                    f" | {name} bias {error.mean():+.4f} rmse {rmse:.4f} "
                    f"cover {inside.mean():.3f} error / se {spread:.2f}"
                )
                row[f"Bias, {name}"] = f"{error.mean():+.4f}"
                row[f"Coverage (%), {name}"] = f"{100 * inside.mean():.1f}"
            if not t.doubly_robust_value.isna().all():
                a, b = ((t[c] - t.truth) ** 2 for c in ("doubly_robust_value", "value"))
                ratio = np.sqrt(a.mean() / b.mean())
                rng = np.random.default_rng(0)
                rows = rng.integers(len(t), size=(500, len(t)))
                spread = np.sqrt(
                    a.to_numpy()[rows].mean(1) / b.to_numpy()[rows].mean(1)
                ).std()
                line += f" | rmse ratio {ratio:.3f} ({spread:.3f})"
                row["DR / IPW"] = f"{ratio:.3f} ({spread:.3f})"
            print(line)
    return table


def write(table, at_best, folder):
    """What there is no doubly robust value or bound for stays empty."""
    for row in table:
        if row["metric"] in at_best.get(row["kind"], {}):
            row["At best"] = f"{at_best[row['kind']][row['metric']]:.2f}"
    names = tuple(ESTIMATES)
    header = [
        "Data", "Metric", "Gain", *(f"Bias, {name}" for name in names),
        *(f"Coverage (%), {name}" for name in names), "DR / IPW", "At best",
    ]  # fmt: skip
    rows = [[row.get(column, "") for column in header] for row in table]
    write_table(folder, "ipw_coverage", header, rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--bootstraps", type=int, default=200)
    parser.add_argument("--kinds", nargs="+", default=KINDS)
    parser.add_argument(
        "--hold-out", action="store_true", help="one split instead of five folds"
    )
    parser.add_argument(
        "--independent", action="store_true", help="do not count what folds share"
    )
    parser.add_argument("--out", default="coverage.json")
    parser.add_argument(
        "--bounds", action="store_true", help="what is possible at best, no new sets"
    )
    add_tables_option(parser)
    args = parser.parse_args()
    path = pathlib.Path(args.out)
    records = json.loads(path.read_text()) if path.exists() else {}
    if args.bounds:
        records["bounds"] = bounds()
        path.write_text(json.dumps(records))
        args.sets = 0
    started = time.perf_counter()
    for seed in range(args.sets):
        for kind in args.kinds:
            done = records.setdefault(kind, [])
            if len(done) <= seed:
                done.append(
                    run(
                        kind, seed, args.rows, args.bootstraps, args.hold_out,
                        not args.independent,
                    )
                )  # fmt: skip
        path.write_text(json.dumps(records))
    print(f"{time.perf_counter() - started:.0f} s")
    table = report(records)
    if table and not args.hold_out and not args.independent:
        write(table, records.get("bounds", {}), args.tables)


if __name__ == "__main__":
    main()
