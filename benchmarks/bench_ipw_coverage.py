"""Do intervals of a corrected gain cover the truth, and does double robustness pay?

In each of many data sets the gain of x1+x2 over x1 is estimated by modality_utility.
The truth is the gain of the *same fitted models* on 100,000 fresh complete rows.
Reported are the share of 90% intervals that hold the truth, and the root mean squared
errors of the weighted and of the doubly robust value. Run with

    python benchmarks/bench_ipw_coverage.py --sets 200 --out coverage.json
    python benchmarks/bench_ipw_coverage.py --hold-out --kinds shape --out split.json

Four kinds of data: missingness driven by a covariate that has nothing to do with the
loss; by a site that differs in both; and by a covariate on which the loss depends in
another shape (labels are noise where it is near 0) than missingness does, with a
quarter of the rows observed and a forest that sees the covariate ("shape") or a
logistic regression that does not ("linear").
"""

from __future__ import annotations

import argparse
import json
import pathlib
import time
import warnings

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import norm
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
METRICS = ["roc_auc", "neg_log_loss", "accuracy", "neg_brier_score"]
KINDS = ["unrelated", "site", "shape", "linear"]
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
        p = expit(1.5 * c - (1.5 if kind in ("shape", "linear") else 0.0))
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
            scoring=METRICS, n_bootstraps=n_bootstraps, return_scores=True,
            random_state=seed, fold_dependence=dependence,
            cv=StratifiedShuffleSplit(1, test_size=0.5, random_state=seed)
            if hold_out else 5,
        )  # fmt: skip
    fresh, labels, _ = draw(kind, 100_000, np.random.default_rng([seed, 99]))
    truth = true_gains(scores, fresh, labels)
    gains = table[table.quantity == "gain"].set_index("metric")
    columns = ["biased", "biased_low", "biased_high", "corrected", "low", "high",
               "doubly_robust", "dr_low", "dr_high"]  # fmt: skip
    return {
        m: {**gains.loc[m, columns].astype(float).to_dict(), "truth": truth[m]}
        for m in METRICS
    }


def report(records):
    for kind in KINDS:
        runs = records.get(kind, [])
        if not runs:
            continue
        print(f"\n{kind}: {len(runs)} data sets")
        for m in METRICS:
            t = pd.DataFrame([r[m] for r in runs])
            line = f"  {m:16} gain {t.truth.mean():+.4f}"
            for name, prefix in [
                ("biased", "biased_"), ("corrected", ""), ("doubly_robust", "dr_")
            ]:  # fmt: skip
                if t[name].isna().all():
                    continue
                error = t[name] - t.truth
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
            if not t.doubly_robust.isna().all():
                a, b = ((t[c] - t.truth) ** 2 for c in ("doubly_robust", "corrected"))
                ratio = np.sqrt(a.mean() / b.mean())
                rng = np.random.default_rng(0)
                rows = rng.integers(len(t), size=(500, len(t)))
                spread = np.sqrt(
                    a.to_numpy()[rows].mean(1) / b.to_numpy()[rows].mean(1)
                ).std()
                line += f" | rmse ratio {ratio:.3f} ({spread:.3f})"
            print(line)


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
    args = parser.parse_args()
    path = pathlib.Path(args.out)
    records = json.loads(path.read_text()) if path.exists() else {}
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
    report(records)


if __name__ == "__main__":
    main()
