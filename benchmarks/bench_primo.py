"""PRIMO: what it predicts, what its impact is worth, and what it costs.

Five parts. ``xor`` and ``digits``: the default settings and those of the paper, beside
reference nets. ``noise``: rows that are unsure because a modality is missing, among
rows that stay unsure. ``patterns``: accuracy by the number of modalities a test row
has, beside ``FusionClassifier`` with modality dropout, on data of which training rows
lack a random part; does V indicate whose predicted label changes when a modality is
revealed, and what is gained if those rows get it first? ``cost``: prediction with 200
draws against one, a training step against ``FusionClassifier``, and memory. Results are
kept in a file and not computed twice. Run with

    python benchmarks/bench_primo.py xor digits noise patterns --seeds 5
    python benchmarks/bench_primo.py cost

The tables are ``primo_xor.csv``, ``primo_digits.csv`` and ``primo_noise.csv``, and
``primo_patterns.csv`` and ``primo_impact.csv`` for ``patterns``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import pathlib
import platform
import resource
import statistics
import time

import numpy as np
import pandas as pd
import torch
from _tables import add_tables_option, gap_se, mean_sd, write_table
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

import skmissing
from skmissing import MultimodalData, PRIMOClassifier
from skmissing.baselines import FusionClassifier
from skmissing.datasets import load_av_digits, load_mfeat, make_xor
from skmissing.missingness import simulate_missing
from skmissing.nn import MLPEncoder

PAPER = {
    "anchor_weight": 1.0, "tie_weight": 1.0, "posterior_norm": 1.0,
    "classifier_dropout": 0.0, "classifier_input": "core",
}  # fmt: skip
BUDGETS = (0.1, 0.2, 0.3, 0.5)
RANDOM_ORDERS = 200
SETTINGS = ("xor", "digits", "noise")


def log_loss(clf, X, y):
    return -clf.predict_log_proba(X)[np.arange(len(y)), y].mean()


def raw(names, width):
    return [(k, MLPEncoder(hidden=(width,), scale_inputs=False)) for k in names]


# -- XOR and halves of digits ----------------------------------------------------------


def xor(seed):
    """40,000 rows, x_m hidden in half of the training rows."""
    X, y = make_xor(40_000, return_X_y=True, random_state=seed)
    lost = np.random.default_rng(seed).random(28_000) < 0.5
    train, test = X[:28_000].hide({"x_m": lost}), X[28_000:32_000]
    y_train, y_test = y[:28_000], y[28_000:32_000]
    common = {
        "encoders": raw(["x_o", "x_m"], 128), "hidden": (128,), "latent_dim": 2,
        "max_epochs": 20, "batch_size": 256, "weight_decay": 1e-4,
        "early_stopping": False, "n_threads": 1, "random_state": seed,
    }  # fmt: skip
    out = {}
    for name, weight, params in [
        ("default", 0.1, {}),
        ("classifier_input='core'", 0.1, {"classifier_input": "core"}),
        ("paper", 1.0, {"classifier_input": "core", "posterior_norm": 1.0}),
    ]:
        clf = PRIMOClassifier(
            **common, **params, anchor_weight=weight, tie_weight=weight,
            classifier_dropout=0.0,
        ).fit(train, y_train)  # fmt: skip
        impact = clf.predictive_impact(test, modality="x_m")
        left = test["x_o"][:, 0] < 0
        hidden = test.hide("x_m")
        out[name] = {
            "acc missing": 100 * clf.score(hidden, y_test),
            "acc complete": 100 * clf.score(test, y_test),
            "nll missing": log_loss(clf, hidden, y_test),
            "nll complete": log_loss(clf, test, y_test),
            "gap x_o<0": impact.gap[left].mean(),
            "gap x_o>0": impact.gap[~left].mean(),
            "largest V / bound": impact.v_relative.max(),
        }
    return out


def digits(seed):
    """Left and right halves, the right one lost in half of the training rows."""
    data = load_digits()
    image, y = data.images / 16, data.target
    X = MultimodalData(
        {"a": image[:, :, :4].reshape(-1, 32), "b": image[:, :, 4:].reshape(-1, 32)}
    )
    train, test = train_test_split(
        np.arange(len(y)), test_size=0.4, random_state=seed, stratify=y
    )
    lost = np.random.default_rng(seed).random(len(train)) < 0.5
    common = {
        "batch_size": 64, "early_stopping": False, "n_threads": 1,
        "random_state": seed,
    }  # fmt: skip
    plain = {**common, "modality_dropout": 0.0, "max_epochs": 100}
    one = FusionClassifier(**plain, encoders=raw("a", 64))
    one.fit(X[train].select("a"), y[train])
    both = FusionClassifier(**plain, encoders=raw("ab", 64))
    both.fit(X[train][~lost], y[train][~lost])
    X_test, y_test = X[test], y[test]
    hidden, alone = X_test.hide("b"), X_test.select("a")
    out = {
        "reference nets": {
            "acc missing": 100 * one.score(alone, y_test),
            "acc complete": 100 * both.score(X_test, y_test),
            "nll missing": log_loss(one, alone, y_test),
            "nll complete": log_loss(both, X_test, y_test),
        }
    }
    for name, params in [
        ("default", {}),
        ("classifier_input='core'", {"classifier_input": "core"}),
        ("paper", PAPER),
    ]:
        clf = PRIMOClassifier(
            **common, **params, encoders=raw("ab", 64), max_epochs=120
        ).fit(X[train].hide({"b": lost}), y[train])
        impact = clf.predictive_impact(X_test, modality="b")
        out[name] = {
            "acc missing": 100 * clf.score(hidden, y_test),
            "acc complete": 100 * clf.score(X_test, y_test),
            "nll missing": log_loss(clf, hidden, y_test),
            "nll complete": log_loss(clf, X_test, y_test),
            "V missing": impact.v_missing.mean(),
            "V complete": impact.v_complete.mean(),
        }
    return out


def noise(seed):
    """Where x_o < 0 the sign of x_m is the label, elsewhere a coin is."""
    rng = np.random.default_rng(seed)
    x_o, x_m = rng.normal(size=(2, 8000, 1))
    left = x_o[:, 0] < 0
    y = np.where(left, x_m[:, 0] > 0, rng.random(8000) < 0.5).astype(int)
    X = MultimodalData({"x_o": x_o, "x_m": x_m})
    lost = rng.random(4000) < 0.5
    test, y_test, left = X[4000:], y[4000:], left[4000:]
    out = {}
    for name in ("present", "core"):
        clf = PRIMOClassifier(
            max_epochs=25, lr=3e-3, classifier_input=name, n_threads=1,
            random_state=seed,
        ).fit(X[:4000].hide({"x_m": lost}), y[:4000])  # fmt: skip
        hidden = test.hide("x_m")
        impact = clf.predictive_impact(test, modality="x_m")
        unsure = entropy(clf.predict_proba(hidden))
        gain = (clf.predict(test) == y_test) * 1.0 - (clf.predict(hidden) == y_test)
        row = {
            "V where x_m decides": impact.v_missing[left].mean(),
            "V at the coin": impact.v_missing[~left].mean(),
            "AUC of V": roc_auc_score(left, impact.v_missing),
            "AUC of entropy": roc_auc_score(left, unsure),
            "points, all": 100 * gain.mean(),
        }
        for k, v in {"V": impact.v_missing, "entropy": unsure}.items():
            half = np.argsort(-np.asarray(v), kind="stable")[: len(v) // 2]
            row[f"points, half by {k}"] = 100 * gain[half].sum() / len(v)
        out[f"classifier_input={name!r}"] = row
    return out


# -- real data -------------------------------------------------------------------------


def data_set(name, seed):
    """Complete data without covariates, labels, training and test rows."""
    if name == "av_digits":
        bunch = load_av_digits()
        return bunch.data, bunch.target, bunch.train, bunch.test
    bunch = load_mfeat()
    X = bunch.data.select(["fou", "kar"]) if name == "mfeat, 2" else bunch.data
    train, test = train_test_split(
        np.arange(len(bunch.target)), test_size=0.4, random_state=seed,
        stratify=bunch.target,
    )  # fmt: skip
    return X, bunch.target, train, test


def by_number_present(clf, X, y):
    """Accuracy over all patterns of a size, each on the whole test set."""
    out = {}
    for size in range(1, X.shape[1] + 1):
        scores = [
            clf.score(X.hide([n for n in X.names if n not in kept]), y)
            for kept in itertools.combinations(X.names, size)
        ]
        out[str(size)] = 100 * float(np.mean(scores))
    return out


def entropy(proba):
    logs = np.log(np.maximum(proba, np.finfo(float).tiny))
    return -(proba * logs).sum(axis=1)


def impact_of(clf, X, y):
    """Ranks of rows against what happens when a modality is revealed."""
    revealed = clf.predict(X)
    out = {}
    for name in X.names:
        hidden = X.hide(name)
        proba, before = clf.predict_proba(hidden), clf.predict(hidden)
        table = clf.predictive_impact(hidden, modality=name)
        ranks = {
            "V": table.v_missing.to_numpy(),
            "V relative": table.v_relative.to_numpy(),
            "mutual information": table.mutual_information.to_numpy(),
            "entropy": entropy(proba),
        }
        changes = before != revealed
        row = {"changes": 100 * changes.mean(), "n": len(y)}
        if 0 < changes.sum() < len(changes):
            row["auc"] = {k: roc_auc_score(changes, v) for k, v in ranks.items()}
            row["difference"] = paired(changes, ranks["V"], ranks["entropy"])
        gain = (revealed == y).astype(float) - (before == y)
        rng = np.random.default_rng(0)
        orders = {k: [np.argsort(-v, kind="stable")] for k, v in ranks.items()}
        orders["random"] = [rng.permutation(len(y)) for _ in range(RANDOM_ORDERS)]
        row["gain"] = {
            k: [
                100 * np.mean([gain[o[: round(b * len(y))]].sum() for o in several])
                / len(y)
                for b in BUDGETS
            ]
            for k, several in orders.items()
        }  # fmt: skip
        row["gain of all"] = 100 * gain.mean()
        out[name] = row
    return out


def paired(changes, one, other):
    """Difference of two areas on the same rows, and its bootstrap standard error."""
    rng = np.random.default_rng(0)
    gaps = []
    for _ in range(200):
        rows = rng.integers(len(changes), size=len(changes))
        if 0 < changes[rows].sum() < len(rows):
            gaps.append(
                roc_auc_score(changes[rows], one[rows])
                - roc_auc_score(changes[rows], other[rows])
            )
    whole = roc_auc_score(changes, one) - roc_auc_score(changes, other)
    return [whole, float(np.std(gaps, ddof=1))]


def patterns(name, seed):
    X, y, train, test = data_set(name, seed)
    X_train = simulate_missing(X[train], rate=0.5, random_state=seed).apply(X[train])
    out = {}
    for label, kind in [("primo", PRIMOClassifier), ("fusion", FusionClassifier)]:
        start = time.perf_counter()
        clf = kind(random_state=seed, n_threads=1).fit(X_train, y[train])
        out[label] = by_number_present(clf, X[test], y[test])
        out[label]["seconds"] = time.perf_counter() - start
        if label == "primo":
            out["impact"] = impact_of(clf, X[test], y[test])
    return out


# -- cost ------------------------------------------------------------------------------


def cost():
    bunch = load_av_digits()
    X, y = bunch.data[bunch.train], bunch.target[bunch.train]
    short = {"early_stopping": False, "n_threads": 1, "random_state": 0}
    clf = PRIMOClassifier(max_epochs=2, **short).fit(X, y)
    many = X[np.arange(10_000) % len(X)]
    times = {1: [], 200: []}
    for _ in range(7):
        for n_draws, measured in times.items():
            clf.set_params(n_draws=n_draws)
            # Processor time: one thread, whatever else the machine does.
            start = time.process_time()
            clf.predict_proba(many)
            measured.append(time.process_time() - start)
    ratio = statistics.median(b / a for a, b in zip(times[1], times[200]))
    print(
        f"predict_proba, 10,000 rows of av_digits: {statistics.median(times[1]):.2f} s "
        f"with 1 draw, {statistics.median(times[200]):.2f} s with 200, ratio "
        f"{ratio:.2f}"
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clf.set_params(n_draws=2000)
    start = time.perf_counter()
    clf.predict_proba(many)
    clf.predictive_impact(many, modality="speech")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"2,000 draws, 10,000 rows, 10 classes, prediction and impact: "
        f"{time.perf_counter() - start:.0f} s, peak memory {after / 1024:.0f} MiB in "
        f"all, {(after - before) / 1024:.0f} MiB more than before"
    )
    mfeat = load_mfeat()
    sets = {"av_digits": (X, y), "mfeat, 6": (mfeat.data, mfeat.target)}
    for name, (X, y) in sets.items():
        times = {"fusion": [], "primo": []}
        for _ in range(7):
            for label, kind in [
                ("fusion", FusionClassifier),
                ("primo", PRIMOClassifier),
            ]:
                net = kind(max_epochs=3, **short).fit(X, y)
                # Without the first, which warms up.
                times[label].append(sum(net.net_.history[1:, "dur"]))
        ratio = statistics.median(
            b / a for a, b in zip(times["fusion"], times["primo"])
        )
        each = {k: statistics.median(v) / 2 for k, v in times.items()}
        print(
            f"one epoch of {name} ({len(y)} rows): fusion {each['fusion']:.2f} s, "
            f"PRIMO {each['primo']:.2f} s, ratio {ratio:.2f}"
        )


# -- reports ---------------------------------------------------------------------------


def show_settings(title, runs):
    print(f"\n{title}, {len(runs)} seeds: mean (sd)")
    for name in runs[0]:
        frame = pd.DataFrame([r[name] for r in runs])
        cells = [
            f"{k} {frame[k].mean():.3f} ({frame[k].std():.3f})" for k in frame.columns
        ]
        print(f"  {name:30} " + "  ".join(cells))


def show_patterns(title, runs):
    print(f"\n{title}, {len(runs)} seeds: accuracy by number of modalities present")
    sizes = [k for k in runs[0]["primo"] if k != "seconds"]
    for size in sizes:
        a, b = (np.array([r[k][size] for r in runs]) for k in ("primo", "fusion"))
        gap = a - b
        print(
            f"  {size}: PRIMO {a.mean():.1f} ({a.std(ddof=1):.1f})  fusion "
            f"{b.mean():.1f} ({b.std(ddof=1):.1f})  difference {gap.mean():+.2f} "
            f"(paired SE {gap.std(ddof=1) / np.sqrt(len(gap)):.2f})"
        )
    print("  does V indicate whose label changes when the modality is revealed?")
    for name in runs[0]["impact"]:
        rows = [r["impact"][name] for r in runs if "auc" in r["impact"][name]]
        aucs = pd.DataFrame([r["auc"] for r in rows])
        gaps = np.array([r["difference"][0] for r in rows])
        within = np.mean([r["difference"][1] for r in rows])
        print(
            f"    {name:7} changes {np.mean([r['changes'] for r in rows]):.0f}%  "
            + "  ".join(f"{k} {aucs[k].mean():.3f}" for k in aucs)
            + f"  V - entropy {gaps.mean():+.3f} (SE over seeds "
            f"{gaps.std(ddof=1) / np.sqrt(len(gaps)):.3f}, over rows {within:.3f})"
        )
    print(f"  points gained if {BUDGETS} of the rows get the modality, and if all do")
    for name in runs[0]["impact"]:
        rows = [r["impact"][name] for r in runs]
        for order in rows[0]["gain"]:
            got = np.array([r["gain"][order] for r in rows])
            base = np.array([r["gain"]["random"] for r in rows])
            error = (got - base).std(axis=0, ddof=1) / np.sqrt(len(rows))
            cells = [f"{g:+.2f} ({e:.2f})" for g, e in zip(got.mean(axis=0), error)]
            print(f"    {name:7} {order:18} " + "  ".join(cells))
        print(
            f"    {name:7} {'all':18} {np.mean([r['gain of all'] for r in rows]):+.2f}"
        )


# -- tables ----------------------------------------------------------------------------


# Name of the first column, and by key of a result name and decimals of the others.
COLUMNS = {
    "xor": (
        "XOR",
        {
            "acc missing": ("Accuracy without x_m (%)", 1),
            "acc complete": ("with x_m", 1),
            "nll missing": ("Log-loss without", 3),
            "nll complete": ("with", 3),
            "gap x_o<0": ("Gap of V where x_o < 0", 3),
            "gap x_o>0": ("where x_o > 0", 3),
        },
    ),
    "digits": (
        "Digits",
        {
            "acc missing": ("Accuracy, left half (%)", 1),
            "acc complete": ("both", 1),
            "nll missing": ("Log-loss, left half", 3),
            "nll complete": ("both", 3),
            "V missing": ("V, left half", 3),
            "V complete": ("both", 3),
        },
    ),
    "noise": (
        "",
        {
            "V where x_m decides": ("V where x_m decides", 3),
            "V at the coin": ("V at the coin", 3),
            "AUC of V": ("AUC of V", 3),
            "AUC of entropy": ("AUC of entropy", 3),
            "points, half by V": ("Points, half of the rows in the order of V", 1),
            "points, half by entropy": ("of entropy", 1),
            "points, all": ("Points, all rows", 1),
        },
    ),
}
ROWS = {"classifier_input='present'": "default", "classifier_input='core'": "core"}
DATA = {"mfeat, 2": "mfeat, fou and kar", "mfeat, 6": "mfeat, six views"}
NUMBERS = {4: "four", 5: "five", 6: "six"}


def write_settings(key, runs, folder):
    first, columns = COLUMNS[key]
    rows = []
    for name, one in runs[0].items():
        cells = [
            mean_sd([r[name][k] for r in runs], digits) if k in one else ""
            for k, (_, digits) in columns.items()
        ]
        rows.append([ROWS.get(name, name), *cells])
    header = [first, *(title for title, _ in columns.values())]
    write_table(folder, f"primo_{key}", header, rows)


def pattern_rows(key, runs):
    """Accuracy by the number of modalities present."""
    rows = []
    for size in (k for k in runs[0]["primo"] if k not in ("seconds", "impact")):
        a, b = (np.array([r[k][size] for r in runs]) for k in ("primo", "fusion"))
        label = "" if rows else DATA.get(key, key)
        rows.append([label, size, mean_sd(a), mean_sd(b), gap_se(a - b)])
    return rows


def impact_rows(key, runs):
    """Ranks by V and by entropy; of more than three modalities only the ranges."""
    found = []
    for name in runs[0]["impact"]:
        some = [r["impact"][name] for r in runs if "auc" in r["impact"][name]]
        changes = np.mean([r["changes"] for r in some])
        areas = [np.mean([r["auc"][k] for r in some]) for k in ("V", "entropy")]
        found.append((name, changes, *areas, [r["difference"][0] for r in some]))
    label = DATA.get(key, key)
    if len(found) <= 3:
        return [
            ["" if i else label, name, f"{changes:.0f}", f"{v:.3f}", f"{h:.3f}",
             gap_se(gaps, 3)]
            for i, (name, changes, v, h, gaps) in enumerate(found)
        ]  # fmt: skip
    _, changes, v, h, gaps = zip(*found)
    columns = [(changes, ".0f"), (v, ".3f"), (h, ".3f")]
    columns += [([np.mean(g) for g in gaps], "+.3f")]
    cells = [f"{min(c):{how}} to {max(c):{how}}" for c, how in columns]
    return [[label, f"each of {NUMBERS.get(len(found), len(found))}", *cells]]


def write_patterns(results, folder):
    write_table(
        folder, "primo_patterns",
        ["Data", "Present", "``PRIMOClassifier``", "``FusionClassifier``",
         "Difference"],
        [row for key, runs in results.items() for row in pattern_rows(key, runs)],
    )  # fmt: skip
    write_table(
        folder, "primo_impact",
        ["Data", "Modality", "Labels that change (%)", "V", "Entropy", "Difference"],
        [row for key, runs in results.items() for row in impact_rows(key, runs)],
    )  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "parts", nargs="*", default=["xor"],
        choices=[*SETTINGS, "patterns", "cost"],
    )  # fmt: skip
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--data", nargs="+", default=["av_digits", "mfeat, 2", "mfeat, 6"]
    )
    parser.add_argument("--out", default="primo.json")
    add_tables_option(parser)
    args = parser.parse_args()
    path = pathlib.Path(args.out)
    done = json.loads(path.read_text()) if path.exists() else {}
    jobs = {"xor": (xor, []), "digits": (digits, []), "noise": (noise, [])}
    if "patterns" in args.parts:
        jobs |= {name: (patterns, [name]) for name in args.data}
    wanted = [p for p in args.parts if p in SETTINGS]
    wanted += args.data if "patterns" in args.parts else []
    for seed in range(args.seeds):
        for key in wanted:
            if f"{key}/{seed}" not in done:
                work, inputs = jobs[key]
                done[f"{key}/{seed}"] = work(*inputs, seed)
                path.write_text(json.dumps(done))
    print(
        f"skmissing {skmissing.__version__}, torch {torch.__version__}, Python "
        f"{platform.python_version()}, 1 thread, seeds 0 to {args.seeds - 1}"
    )
    results = {
        key: [done[f"{key}/{seed}"] for seed in range(args.seeds)] for key in wanted
    }
    for key, runs in results.items():
        if key in SETTINGS:
            show_settings(key, runs)
            write_settings(key, runs, args.tables)
        else:
            show_patterns(key, runs)
    if "patterns" in args.parts:
        write_patterns({key: results[key] for key in args.data}, args.tables)
    if "cost" in args.parts:
        cost()


if __name__ == "__main__":
    main()
