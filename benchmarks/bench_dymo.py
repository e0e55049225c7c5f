"""DyMoSelector: what selection is worth, and what it costs.

Parts: ``mfeat`` (six views of digits, recoveries of several qualities), ``saturation``
(how often confidence is 1 to the last bit, and what is fused then), ``polymnist`` (five
coloured views, a variational auto-encoder), ``speed`` (against the published loop and
against decoding every set). Accuracies in per cent, over seeds of split, net and what
is missing; differences are paired by seed. Every finished run is kept in a JSON file
and not repeated. Run with

    python benchmarks/bench_dymo.py mfeat --seeds 10 --out dymo.json
    python benchmarks/bench_dymo.py saturation --seeds 3
    python benchmarks/bench_dymo.py polymnist --data-home DIR --seeds 3 --out dymo.json
    python benchmarks/bench_dymo.py speed --data-home DIR

The tables are ``dymo_mfeat_*.csv``, ``dymo_saturation.csv``, ``dymo_polymnist_*.csv``
and ``dymo_speed.csv``.
Which settings ``dymo_mfeat_*.csv`` show is in ``MFEAT_TABLES`` and ``GAINS``; tables of
settings and seeds that are not in the result file are not written.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import pickle
import platform
import statistics
import time
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import torch
from _polymnist import build_polymnist
from _tables import add_tables_option, decimals, gap_se, mean_sd, write_table
from scipy import stats
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

import skmissing
from skmissing import DyMoSelector
from skmissing.datasets import load_mfeat
from skmissing.dymo import TokenTransformer, Typicality
from skmissing.dymo._scores import alphas, rewards, unit_length
from skmissing.dymo._selection import Policy, select
from skmissing.nn import MLPEncoder, ModuleEncoder
from skmissing.nn._runtime import torch_threads
from skmissing.recovery import (
    BaseRecovery,
    MeanRecovery,
    MultimodalVAE,
    RegressionRecovery,
)

# Layers, sets and rate as in the paper.
PUBLISHED = TokenTransformer(mlp_ratio=4, subsets_per_row=None, lr_schedule="constant")
# Rewards above 0, as in the paper, but for the default.
POLICIES = {
    "none": {"selection": "none"},
    "all": {"selection": "all"},
    "S": {"selection": "simultaneous", "calibration": None, "min_reward": 0.0},
    "I": {"selection": "iterative", "calibration": None, "min_reward": 0.0},
    "I+log": {"selection": "iterative", "calibration": "log", "min_reward": 0.0},
    "I+ratio": {"selection": "iterative", "calibration": "ratio", "min_reward": 0.0},
    # With the calibration that was chosen.
    "I+C": {"selection": "iterative", "min_reward": 0.0},
    # With the minimum reward that was chosen, too.
    "default": {},
}
SHOWN = {
    "none": '"none"',
    "all": '"all"',
    "S": "S",
    "I": "I",
    "I+log": "I, log",
    "I+ratio": "I, ratio",
    "I+C": "I, chosen (I+C)",
    "default": "the default",
}


class Fixture(BaseRecovery):
    """What stands behind the mask, spoilt in a share of the blocks.

    ``spoil``: "swap" (the block of a random training row), "noise" (normal, with the
    training mean and deviation of every feature).
    """

    def __init__(self, *, share=0.0, spoil="swap", modalities=None):
        self.share = share
        self.spoil = spoil
        self.modalities = modalities

    def _fit_rows(self, rows):
        self.pool_ = rows.data
        self.known_ = {}

    def _recover(self, data):
        out = {}
        for m, name in enumerate(data.names):
            rows = np.flatnonzero(~data.present[:, m])
            out[name] = data[name][rows].astype(float)
            for value in out[name]:
                key = name, value.tobytes()
                if key not in self.known_:
                    # Drawn from the row itself, so that it is the same in any batch.
                    rng = np.random.RandomState(zlib.crc32(key[1]))
                    self.known_[key] = self._spoilt(name, value, rng)
                value[:] = self.known_[key]
        return out

    def _spoilt(self, name, value, rng):
        if rng.uniform() >= self.share:
            return value.copy()
        if self.spoil == "swap":
            return self.pool_[name][rng.randint(len(self.pool_))].astype(float)
        noise = rng.standard_normal(value.shape)
        return self.means_[name] + self._deviations[name] * noise


FIXTURES = {
    "ridge": RegressionRecovery(),
    "half-swapped": Fixture(share=0.5),
    "perfect": Fixture(),
    "pure noise": Fixture(share=1.0, spoil="noise"),
}


class Results:
    """Finished runs, on disk."""

    def __init__(self, path):
        self.path = None if path is None else Path(path)
        self.runs = {}
        if self.path is not None and self.path.exists():
            self.runs = json.loads(self.path.read_text())

    def get(self, key, compute, complete=bool):
        if key not in self.runs or not complete(self.runs[key]):
            start = time.perf_counter()
            self.runs[key] = self.runs.get(key, {}) | compute()
            print(f"  {key}: {time.perf_counter() - start:.0f} s", flush=True)
            if self.path is not None:
                part = self.path.with_suffix(".part")
                part.write_text(json.dumps(self.runs, indent=1))
                os.replace(part, self.path)
        return self.runs[key]

    def keep(self, key, fit):
        """A fitted estimator, in a file beside the results."""
        if self.path is None:
            return fit()
        path = self.path.with_name(f"{self.path.stem} {key}.pickle")
        if not path.exists():
            part = path.with_suffix(".part")
            part.write_bytes(pickle.dumps(fit()))
            os.replace(part, path)
        return pickle.loads(path.read_bytes())


def hide_all_but(X, n_left, rng):
    """Keep as many modalities of each row, drawn at random."""
    rank = rng.random(X.shape).argsort(axis=1).argsort(axis=1)
    return X.hide(rank >= n_left)


def policy_of(clf, **how):
    """A policy with what the selector has chosen where nothing else is given."""
    chosen = {
        "selection": clf.selection, "calibration": clf.calibration_,
        "min_reward": clf.min_reward_, **how,
    }  # fmt: skip
    typicality = Typicality() if clf.typicality is None else clf.typicality
    net = TokenTransformer() if clf.net is None else clf.net
    return Policy(
        chosen["selection"], chosen["calibration"], typicality.reward,
        float(chosen["min_reward"]), float(net.temperature), typicality.ics,
    )  # fmt: skip


def predict(clf, X, y):
    """Accuracy and blocks fused per row, by policy.

    What ``predict_proba`` and ``select`` give for each of them, recovered and encoded
    once for all.
    """
    policies = {name: policy_of(clf, **how) for name, how in POLICIES.items()}
    # What "I+C" and the default come to may be known already.
    different = list(dict.fromkeys(policies.values()))
    data = X.select(clf.fusion_.model.names)
    assert data.present.any(axis=1).all()
    with torch_threads(1):
        rows = clf.fusion_.prepare(data)
        outcomes = {policy: rows.select(policy) for policy in different}
    n_present = data.present.sum(axis=1)
    return {
        name: {
            "accuracy": 100
            * float(np.mean(clf.classes_[outcomes[policy].logits.argmax(axis=1)] == y)),
            "fused": float(np.mean(outcomes[policy].fused.sum(axis=1) - n_present)),
        }
        for name, policy in policies.items()
    }


def scorer(clf, policy):
    return lambda logits, z, masks: clf.fusion_.table.score(
        logits, z, masks, policy.temperature, policy.ics
    )


def exchange(clf, recovery, X, y, **settings):
    """The same net with another recovery: statistics and calibration are new."""
    settings |= {"estimator": FrozenEstimator(clf), "recovery": recovery}
    return clone(clf).set_params(**settings).fit(X, y)


# -- mfeat ----------------------------------------------------------------------------


# "whole": all 30 epochs. A training that is "stopped" early has not seen low rates, and
# predicts worse from a single view. "published": as the reference, but for widths.
NETS = ("whole", "stopped", "published")


# Name, distance, how many views are missing, and the rows of a table.
MFEAT_TABLES = [
    ("dymo_mfeat_cosine_5", "cosine", 5, list(POLICIES)),
    ("dymo_mfeat_cosine_3", "cosine", 3, ["none", "all", "I", "I+C", "default"]),
    ("dymo_mfeat_euclidean_5", "euclidean", 5, list(POLICIES)),
]
MFEAT_COLUMNS = {
    "perfect": "Perfect",
    "ridge": "Ridge",
    "half-swapped": "Half swapped",
    "pure noise": "Pure noise",
}
# What iterative selection gains without calibration: label, settings, seeds.
GAINS = [
    ("as above, cosine", "cosine empirical auto whole", 10),
    (
        "the same with ``--seeds 40`` (beyond ten, half-swapped views alone were run)",
        "cosine empirical auto whole",
        40,
    ),
    ("as above, Euclidean", "euclidean empirical auto whole", 10),
    (
        "with early stopping, cosine (``cosine/empirical/auto/stopped``)",
        "cosine empirical auto stopped",
        10,
    ),
    (
        "with early stopping, Euclidean (``euclidean/empirical/auto/stopped``)",
        "euclidean empirical auto stopped",
        10,
    ),
    (
        "all settings of the reference measurement but widths "
        "(``cosine/halfnormal/training/published``)",
        "cosine halfnormal training published",
        10,
    ),
    ("the same", "cosine halfnormal training published", 40),
]


def mfeat_run(seed, distance, ics, statistics_of, net, recoveries):
    X, y = load_mfeat(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(y))
    train, test = order[:1000], order[1000:]
    # Wider than the default, and with dropout: it predicts better from a single view.
    encoder = MLPEncoder(hidden=(256,), dropout=0.3)
    settings = {"encoders": dict.fromkeys(X.names, encoder)}
    typicality = Typicality(ics=ics, statistics=statistics_of)
    if net == "published":
        settings = {"net": PUBLISHED}
        typicality.set_params(min_rows=1)
    clf = DyMoSelector(
        **settings, distance=distance, typicality=typicality, max_epochs=30,
        early_stopping=net == "stopped", n_threads=1, random_state=seed,
    ).fit(X[train], y[train])  # fmt: skip
    out = {"complete": 100 * clf.score(X[test], y[test])}
    for name in recoveries:
        other = exchange(clf, FIXTURES[name], X[train], y[train])
        for missing in (1, 3, 5):
            rng = np.random.default_rng([seed, missing])
            rows = hide_all_but(X[test], 6 - missing, rng)
            out[f"{name}, {missing} of 6"] = predict(other, rows, y[test])
        out[f"{name}, calibration"] = str(other.calibration_)
        out[f"{name}, min_reward"] = str(other.min_reward_)
    return out


def mfeat(args, results):
    for setting in args.settings:
        runs = [
            results.get(
                " ".join(["mfeat", *setting, str(seed)]),
                lambda s=seed, how=setting: mfeat_run(s, *how, args.recoveries),
                lambda run: all(f"{k}, 5 of 6" in run for k in args.recoveries),
            )
            for seed in range(args.seeds)
        ]
        print(f"\nmfeat, {'/'.join(setting)}; accuracy (sd)")
        complete = [run["complete"] for run in runs]
        print(f"  complete rows {np.mean(complete):.2f} ({_sd(complete):.2f})")
        for name in args.recoveries:
            for what in ("calibration", "min_reward"):
                print(f"  {name}, {what}: {[r[f'{name}, {what}'] for r in runs]}")
            for missing in (1, 3, 5):
                key = f"{name}, {missing} of 6"
                show(key, [run[key] for run in runs])
        for name, distance, missing, policies in MFEAT_TABLES:
            complete = set(args.recoveries) == set(FIXTURES)
            if complete and setting == (distance, "empirical", "auto", "whole"):
                columns = {
                    title: [run[f"{key}, {missing} of 6"] for run in runs]
                    for key, title in MFEAT_COLUMNS.items()
                }
                write_policies(args.tables, name, columns, policies, missing == 5)
    write_gains(args.tables, results.runs)


def write_gains(folder, runs):
    """With half-swapped recoveries, of all settings and seeds that were run."""
    rows = []
    for label, setting, n_seeds in GAINS:
        found = [runs.get(f"mfeat {setting} {seed}", {}) for seed in range(n_seeds)]
        if not all("half-swapped, 5 of 6" in run for run in found):
            print(f"not in the result file: {setting}, {n_seeds} seeds")
            return
        some = [run["half-swapped, 5 of 6"] for run in found]
        none, alone, chosen = (
            np.array([run[policy]["accuracy"] for run in some])
            for policy in ("none", "I", "I+C")
        )
        rows.append(
            [label, f"0 to {n_seeds - 1}", f"{none.mean():.1f}", f"{alone.mean():.1f}",
             gap_se(alone - none), gap_se(chosen - none)]
        )  # fmt: skip
    header = ["Nets, distance", "Seeds", '"none"', "I", 'I against "none"',
              'I+C against "none"']  # fmt: skip
    write_table(folder, "dymo_mfeat_uncalibrated", header, rows)


def write_policies(folder, name, columns, policies=tuple(POLICIES), differences=True):
    """Accuracies by policy, and in a second table differences from "none"."""
    values = {
        title: {p: np.array([run[p]["accuracy"] for run in runs]) for p in policies}
        for title, runs in columns.items()
    }
    header = ["Policy", *columns]
    rows = [[SHOWN[p], *(mean_sd(v[p]) for v in values.values())] for p in policies]
    write_table(folder, name, header, rows)
    if differences:
        rows = [
            [SHOWN[p], *(gap_se(v[p] - v["none"]) for v in values.values())]
            for p in policies if p != "none"
        ]  # fmt: skip
        write_table(folder, f"{name}_differences", header, rows)


def _sd(values):
    return np.std(values, ddof=1) if len(values) > 1 else float("nan")


def show(title, runs):
    """Accuracies by policy, and differences from "none", paired by seed."""
    print(f"  {title}")
    base = np.array([run["none"]["accuracy"] for run in runs])
    full = np.array([run["all"]["accuracy"] for run in runs])
    for policy in POLICIES:
        values = np.array([run[policy]["accuracy"] for run in runs])
        fused = np.mean([run[policy]["fused"] for run in runs])
        line = f"    {policy:8} {values.mean():6.2f} ({_sd(values):4.2f})"
        line += f"   fused {fused:4.2f}   against all {np.mean(values - full):+6.2f}"
        gap = values - base
        if policy != "none" and len(gap) > 1:
            error = _sd(gap) / np.sqrt(len(gap))
            p = stats.ttest_rel(values, base).pvalue if gap.std() > 0 else 1.0
            line += f"   against none {gap.mean():+6.2f} ({error:.2f}), p {p:.1g}"
        elif policy != "none":
            line += f"   against none {gap.mean():+6.2f}"
        print(line)


# -- saturated confidence --------------------------------------------------------------

# The least reward that counts: any at all, and the resolution of float32.
LIMITS = (0.0, 6e-8)


def saturation_run(seed, distance):
    """Shares of saturated rows, blocks fused per row and accuracies, by limit."""
    X, y = load_mfeat(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(y))
    train, test = order[:1000], order[1000:]
    encoder = MLPEncoder(hidden=(256,), dropout=0.3)
    # Statistics and calibration as published.
    clf = DyMoSelector(
        encoders=dict.fromkeys(X.names, encoder), distance=distance, max_epochs=30,
        net=PUBLISHED, early_stopping=False,
        typicality=Typicality(ics="halfnormal", statistics="training", min_rows=1),
        calibration="ratio", min_reward=0.0, n_threads=1, random_state=seed,
    ).fit(X[train], y[train])  # fmt: skip
    out = {}
    for missing in (1, 3, 5):
        rows = hide_all_but(
            X[test], 6 - missing, np.random.default_rng([seed, missing])
        )
        policies = [policy_of(clf, min_reward=limit) for limit in LIMITS]
        with torch_threads(1):
            prepared = clf.fusion_.prepare(rows)
            outcomes = [prepared.select(policy) for policy in policies]
            fuse = clf.fusion_.model.encode(rows).fuse
            logits, z = fuse(np.arange(len(rows)), np.asarray(rows.present))
            loss, _ = scorer(clf, policies[0])(logits, z, np.asarray(rows.present))
        confidence = np.exp(-loss)
        got = [outcome.logits.argmax(axis=1) == y[test] for outcome in outcomes]
        rewards_of = [judged.reward[judged.accepted] for judged in outcomes[0].history]
        accepted = np.concatenate([*rewards_of, np.empty(0)])
        out[str(missing)] = {
            "float32": 100 * float(np.mean(confidence.astype(np.float32) == 1)),
            "float64": 100 * float(np.mean(confidence == 1)),
            "fused": [
                float(np.mean((outcome.fused & ~rows.present).sum(axis=1)))
                for outcome in outcomes
            ],
            "accuracy": [100 * float(np.mean(right)) for right in got],
            "median reward": float(np.median(accepted)) if len(accepted) else 0.0,
        }
    return out


def saturation(args, results):
    rows = []
    for distance in ("cosine", "euclidean"):
        runs = [
            results.get(
                f"saturation {distance} {seed}",
                lambda s=seed, d=distance: saturation_run(s, d),
            )
            for seed in range(args.seeds)
        ]
        for missing in runs[0]:
            some = [run[missing] for run in runs]
            medians = [f"{run['median reward']:.1e}" for run in some]
            print(
                f"{distance}, {missing} of 6 missing; median accepted reward {medians}"
            )
            rows.append([
                distance, f"{missing} of 6",
                *(mean_sd([run[k] for run in some]) for k in ("float32", "float64")),
                *(mean_sd([run["fused"][i] for run in some], 2) for i in (0, 1)),
                *(mean_sd([run["accuracy"][i] for run in some]) for i in (0, 1)),
            ])  # fmt: skip
    header = ["Distance", "Missing", "q is 1 in float32 (%)", "q is 1 in float64 (%)",
              "Fused a row", "with ``min_reward=6e-8``", "Accuracy (%)",
              "with ``min_reward=6e-8``"]  # fmt: skip
    write_table(args.tables, "dymo_saturation", header, rows)


# -- PolyMNIST ------------------------------------------------------------------------


def polymnist_net():
    """The net of the paper for a view of 28 x 28, up to its tokens."""
    layers = []
    for depth, width in ((3, 32), (32, 64), (64, 128)):
        layers += [torch.nn.Conv2d(depth, width, 3, 2, 1), torch.nn.ReLU()]
    return torch.nn.Sequential(
        *layers, torch.nn.Conv2d(128, 128, 1), torch.nn.MaxPool2d(2),
        torch.nn.Flatten(), torch.nn.Linear(512, 128), torch.nn.ReLU(),
    )  # fmt: skip


def recovery_net():
    """A smaller one: a recovery takes many more steps."""
    layers = []
    for depth, width in ((3, 16), (16, 32), (32, 64)):
        layers += [torch.nn.Conv2d(depth, width, 3, 2, 1), torch.nn.ReLU()]
    return torch.nn.Sequential(
        *layers, torch.nn.Flatten(), torch.nn.Linear(1024, 64), torch.nn.ReLU()
    )


def polymnist_encoders(X, net=polymnist_net, width=128):
    encoder = ModuleEncoder(net, width, scale_inputs=True)
    return [(name, encoder) for name in X.names]


def polymnist_vae(X, seed, epochs):
    return MultimodalVAE(
        encoders=polymnist_encoders(X, recovery_net, 64), n_threads=1,
        random_state=seed, fusion="moe", latent_dim=32, likelihood="laplace",
        scale=0.75, beta=2.5, hidden=(32,), max_epochs=epochs, batch_size=64, lr=2e-3,
        early_stopping=False,
    ).fit(X)  # fmt: skip


def polymnist_selector(X, y, seed, distance, epochs):
    """The net; what is recovered has no part in its training."""
    return DyMoSelector(
        encoders=polymnist_encoders(X), n_threads=1,
        random_state=seed, recovery=MeanRecovery(), distance=distance,
        net=TokenTransformer(
            token_dim=128, mlp_ratio=4, feature_dim=64, n_subsets=5,
            subsets_per_row=None,
        ),
        max_epochs=epochs, batch_size=256, early_stopping=True, calibration=None,
        min_reward=0.0,
    ).fit(X, y)  # fmt: skip


def coherence(clf, vae, X, y):
    """Accuracy of the net for each view recovered from another one."""
    own = np.eye(X.shape[1], dtype=bool)
    right = []
    for i, j in itertools.permutations(range(X.shape[1]), 2):
        rows = np.broadcast_to(own[i], X.shape)
        filled = vae.transform(X.hide(~rows))
        alone = filled.hide(~np.broadcast_to(own[j], X.shape))
        proba = clf.predict_proba(alone, selection="none")
        right.append(np.mean(clf.classes_[proba.argmax(axis=1)] == y))
    return 100 * float(np.mean(right))


def polymnist_run(clf, vae, bunch, seed, n_test):
    clf = exchange(
        clf, FrozenEstimator(vae), bunch.X_train, bunch.y_train,
        calibration="auto", min_reward="auto",
    )  # fmt: skip
    test, labels = bunch.X_test[:n_test], bunch.y_test[:n_test]
    out = {
        "complete": 100 * clf.score(test, labels),
        "calibration": str(clf.calibration_),
        "min_reward": str(clf.min_reward_),
        "recovered variance": vae.score(test[:1000]),
        "coherence": coherence(clf, vae, test[:1000], labels[:1000]),
    }
    for left in (4, 3, 2, 1):
        rng = np.random.default_rng([seed, left])
        rows = hide_all_but(test, left, rng)
        out[f"eta {1 - left / 5:.1f}"] = predict(clf, rows, labels)
    return out


def polymnist_seed(args, results, seed, keys):
    """All distances, with one recovery."""
    bunch = build_polymnist(args.data_home, n_samples=args.samples, random_state=seed)
    X, y = bunch.X_train, bunch.y_train
    vae = results.keep(
        f"recovery {args.samples} {args.vae_epochs} {seed}",
        lambda: polymnist_vae(X, seed, args.vae_epochs),
    )
    for distance, key in keys.items():
        clf = results.keep(
            f"net {distance} {args.samples} {args.epochs} {seed}",
            lambda d=distance: polymnist_selector(X, y, seed, d, args.epochs),
        )
        results.get(key, lambda c=clf: polymnist_run(c, vae, bunch, seed, args.rows))


def polymnist(args, results):
    settings = f"{args.samples} {args.vae_epochs} {args.epochs}"
    distances = ("cosine", "euclidean")
    for seed in range(args.seeds):
        keys = {d: f"polymnist {d} {settings} {seed}" for d in distances}
        if not all(key in results.runs for key in keys.values()):
            polymnist_seed(args, results, seed, keys)
    for distance in distances:
        runs = [
            results.runs[f"polymnist {distance} {settings} {seed}"]
            for seed in range(args.seeds)
        ]
        print(f"\nPolyMNIST, {distance}, {args.samples} training rows; accuracy (sd)")
        for name in ("complete", "coherence", "recovered variance"):
            values = [run[name] for run in runs]
            print(f"  {name} {np.mean(values):.2f} ({_sd(values):.2f})")
        for name in ("calibration", "min_reward"):
            print(f"  {name}: {[run[name] for run in runs]}")
        columns = {f"{eta:.1f}": [] for eta in (0.2, 0.4, 0.6, 0.8)}
        for eta in columns:
            columns[eta] = [run[f"eta {eta}"] for run in runs]
            show(f"eta {eta}", columns[eta])
        write_policies(args.tables, f"dymo_polymnist_{distance}", columns)


# -- speed ----------------------------------------------------------------------------


def published_loop(clf, policy, store, present, candidates):
    """Every candidate of a row that is not finished costs two passes.

    A pass runs all encoders, then the transformer on what it is to look at.
    """
    module = clf.net_.module_.eval()
    score = scorer(clf, policy)
    mask, bad = present.copy(), ~candidates
    passes, scored = np.zeros((2, len(mask)), dtype=int)

    def forward(rows, masks):
        passes[rows] += 1
        batch = store.batch(torch.from_numpy(rows))
        out = module.fuse(module.tokens(batch), torch.from_numpy(masks))
        logits, z = (part.double().numpy() for part in out)
        return logits, *score(logits, unit_length(z), masks)

    unfinished = np.ones(len(mask), dtype=bool)
    with torch.inference_mode():
        while True:
            reward = np.full(mask.shape, -np.inf)
            for u in range(mask.shape[1]):
                rows = np.flatnonzero(unfinished & ~mask[:, u] & ~bad[:, u])
                if not len(rows):
                    continue
                scored[rows] += 1
                after = mask[rows]
                after[:, u] = True
                (_, l0, p0), (_, l1, p1) = (
                    forward(rows, mask[rows]),
                    forward(rows, after),
                )
                alpha = alphas(p0, p1, policy.calibration)
                reward[rows, u] = rewards(l0, l1, alpha, policy.reward)
            bad |= ~(reward > 0)
            unfinished = reward.max(axis=1) > 0
            if not unfinished.any():
                break
            mask[unfinished, reward[unfinished].argmax(axis=1)] = True
        logits = forward(np.arange(len(mask)), mask)[0]
    assert (passes == 2 * scored + 1).all()
    return logits, passes.mean()


def speed(args, _):
    bunch = build_polymnist(args.data_home, n_samples=10_000)
    X, y = bunch.X_train[:2000], bunch.y_train[:2000]
    common = {
        "encoders": polymnist_encoders(X), "n_threads": 1, "random_state": 0
    }  # fmt: skip
    clf = DyMoSelector(
        **common, net=TokenTransformer(token_dim=128, mlp_ratio=4, feature_dim=64),
        max_epochs=2, batch_size=256, recovery=RegressionRecovery(),
    ).fit(X, y)  # fmt: skip
    print("\nselection with 4 of 5 missing, recovery not counted, 1 thread")
    policy = policy_of(clf, min_reward=0.0)
    table = []
    for n, target in ((256, "2.5"), (1, "4")):
        rows = hide_all_but(bunch.X_test[:n], 1, np.random.default_rng(0))
        present = rows.present
        filled, candidates = clf.fusion_.recoverer.fill(rows)
        counted = []

        def ours(
            filled=filled, present=present, candidates=candidates, counted=counted
        ):
            fuse = clf.fusion_.model.encode(filled).fuse

            def counting(index, masks):
                counted.append(len(index))
                return fuse(index, masks)

            score = scorer(clf, policy)
            return select(counting, score, present, candidates, policy).logits

        def theirs(filled=filled, present=present, candidates=candidates):
            # Both scale the rows, once.
            store = clf.fusion_.model.fitted.store(filled)
            return published_loop(clf, policy, store, present, candidates)

        with torch_threads(1):
            theirs_logits, passes = theirs()
            gap = np.abs(ours() - theirs_logits).max()
            own_passes = sum(counted) / n
            times = {f.__name__: [] for f in (ours, theirs)}
            for _ in range(args.repeats):
                for f in (ours, theirs):
                    start = time.perf_counter()
                    f()
                    times[f.__name__].append(time.perf_counter() - start)
        ratio = statistics.median(b / a for a, b in zip(times["ours"], times["theirs"]))
        ms = {k: 1e3 * statistics.median(v) / n for k, v in times.items()}
        print(
            f"  batch {n}: {ms['ours']:.2f} ms and {own_passes:.1f} passes a row, "
            f"published loop {ms['theirs']:.2f} and {passes:.1f}, {ratio:.1f} times as "
            f"long; largest difference of logits {gap:.1g}"
        )
        own, other = (f"{v:.{decimals(v)}f}" for v in (ms["ours"], ms["theirs"]))
        table.append(
            [
                n,
                own,
                f"{own_passes:.1f}",
                other,
                f"{passes:.1f}",
                f"{ratio:.1f}",
                target,
            ]
        )
    header = ["Rows at once", "Ours (ms a row)", "Passes a row",
              "Published loop (ms a row)", "Passes a row", "Ratio",
              "Target"]  # fmt: skip
    write_table(args.tables, "dymo_speed", header, table)
    vae = MultimodalVAE(
        **common, latent_dim=128, hidden=(64,), max_epochs=1, batch_size=256
    ).fit(X)
    rows = hide_all_but(bunch.X_train, 1, np.random.default_rng(0))
    print("recovery with 4 of 5 missing, 1 thread")
    # Half a minute a turn for decoding every set, then some five minutes.
    for n, turns in ((1000, min(args.repeats, 3)), (len(rows), 1)):
        times = {"own": [], "every": []}
        with torch_threads(1):
            for _ in range(turns):
                for name, run in (
                    ("own", vae.recover),
                    ("every", partial(decode_every_set, vae)),
                ):
                    start = time.perf_counter()
                    run(rows[:n])
                    times[name].append(time.perf_counter() - start)
        ratio = statistics.median(b / a for a, b in zip(times["own"], times["every"]))
        own, every = (statistics.median(v) for v in times.values())
        print(
            f"  {n} rows, {turns} turns: {own:.2f} s, decoding every view from every "
            f"set {every:.2f} s, {ratio:.0f} times as long"
        )


def decode_every_set(vae, rows):
    """All 31 sets of five views, each decoded into all views; encoded once."""
    n_views = rows.shape[1]
    # As published, hidden views are encoded too: what stands behind the mask is there.
    whole = type(rows)({k: np.asarray(v) for k, v in rows.blocks.items()})
    module = vae.net_.module_
    # It scales the rows as the recovery does.
    fitted = vae._fitted  # noqa: SLF001
    both = fitted.apply(
        whole, lambda net, batch: torch.cat(net.expert_outputs(batch), dim=2)
    )
    means, logs = torch.from_numpy(both).chunk(2, dim=2)
    out = []
    with torch.inference_mode():
        for size in range(1, n_views + 1):
            for kept in itertools.combinations(range(n_views), size):
                mask = torch.zeros(rows.shape, dtype=torch.bool)
                mask[:, list(kept)] = True
                z = module.combine(means, logs, mask)[0]
                out.append(
                    [d(part) for part in z.split(256) for d in module.decoders][-1]
                )
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "parts", nargs="*", default=["mfeat"],
        choices=["mfeat", "saturation", "polymnist", "speed"],
    )  # fmt: skip
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rows", type=int, default=7000, help="tested at most")
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=20, help="of PolyMNIST")
    parser.add_argument("--vae-epochs", type=int, default=30)
    parser.add_argument("--data-home", default=None)
    parser.add_argument("--out", default=None)
    parser.add_argument(
        "--recoveries", nargs="*", choices=FIXTURES, default=list(FIXTURES),
        help="for mfeat; tables of accuracies are written with all of them only",
    )  # fmt: skip
    add_tables_option(parser)
    parser.add_argument(
        "--settings", nargs="*",
        default=["cosine/empirical/auto", "cosine/halfnormal/auto",
                 "euclidean/empirical/auto"],
        help=f"distance/ics/statistics, and one of {NETS} after another slash; mfeat",
    )  # fmt: skip
    args = parser.parse_args()
    args.settings = [tuple([*s.split("/"), NETS[0]][:4]) for s in args.settings]
    if unknown := {setting[-1] for setting in args.settings} - set(NETS):
        parser.error(f"nets are {NETS}, got {unknown}")
    if args.data_home is None and set(args.parts) - {"mfeat", "saturation"}:
        parser.error("--data-home is needed, with mnist.npz and textures.npz")
    print(
        f"skmissing {skmissing.__version__}, torch {torch.__version__}, Python "
        f"{platform.python_version()}, 1 thread"
    )
    results = Results(args.out)
    for part in args.parts:
        {
            "mfeat": mfeat, "saturation": saturation, "polymnist": polymnist,
            "speed": speed,
        }[part](args, results)  # fmt: skip


if __name__ == "__main__":
    main()
