"""Accuracy on AV-MNIST by missing modality, for nets trained on complete rows.

Pairs are built from ``mnist.npz`` and ``fsdd.npz`` in ``--data-home``, see
``_av_mnist.py`` beside this file. All methods have the same encoders, heads and
epochs. Results are kept in a file and not computed twice. Run with

    python benchmarks/bench_av_mnist.py --data-home FOLDER --pairs 20000 --seeds 5

A result file is for one set of options (``--out``). The table is
``av_mnist_VARIANT_PAIRS.csv``, as in ``av_mnist_easy_20000.csv``.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import platform
import time

import numpy as np
import pandas as pd
import sklearn
import torch
from _av_mnist import build_av_mnist
from _tables import add_tables_option, mean_sd, write_table
from sklearn.frozen import FrozenEstimator

import skmissing
from skmissing import UMEMMAEnsemble
from skmissing.baselines import (
    MissingDetectionClassifier,
    MultitaskFusionClassifier,
    UnimodalEnsemble,
)
from skmissing.metrics import score_by_pattern

COLUMNS = {
    "speech": "vision missing",
    "image": "audio missing",
    "image + speech": "complete",
}
METHODS = {
    "mask-aware ensemble": (UnimodalEnsemble, {}),
    "naive": (MultitaskFusionClassifier, {"side_weight": 0.0}),
    "only augmentation": (
        MultitaskFusionClassifier,
        {"side_weight": 0.0, "modality_dropout": 0.3},
    ),
    "multi-task": (MultitaskFusionClassifier, {}),
    "missing detection": (MissingDetectionClassifier, {}),
    # Phase 2 at a hundredth of the rate, as in the paper.
    "UME-MMA, short phase 2": (UMEMMAEnsemble, {"finetune_lr": 1e-5}),
    "UME-MMA": (UMEMMAEnsemble, {}),
}
SHOWN = {"UME-MMA, short phase 2": "UME-MMA, phase 2 at 1e-5"}


def build(seed, args):
    return build_av_mnist(
        args.data_home,
        variant=args.variant,
        n_pairs=args.pairs,
        n_test_pairs=args.test_pairs,
        spectrogram_shape=(args.spectrogram, args.spectrogram),
        random_state=seed,
    )


def one_seed(seed, args, done, keep):
    """Scores of the methods that are not in ``done`` yet; phase 1 is trained once."""
    missing = [m for m in args.methods if f"{seed}/{m}" not in done]
    if not missing:
        return
    bunch = build(seed, args)
    common = {
        "max_epochs": args.epochs, "device": args.device, "n_threads": args.threads,
        "random_state": seed,
    }  # fmt: skip
    first, first_seconds = None, 0.0
    for name in missing:
        kind, params = METHODS[name]
        if kind is UMEMMAEnsemble:
            if first is None:
                start = time.perf_counter()
                first = UMEMMAEnsemble(**common, finetune_epochs=0)
                first.fit(bunch.X_train, bunch.y_train)
                first_seconds = time.perf_counter() - start
            unimodal = dict.fromkeys(bunch.X_train.names, FrozenEstimator(first))
            params = {**params, "unimodal": unimodal}
        start = time.perf_counter()
        clf = kind(**common, **params).fit(bunch.X_train, bunch.y_train)
        seconds = time.perf_counter() - start
        if kind is UMEMMAEnsemble:
            seconds += first_seconds
        table = score_by_pattern({name: clf}, bunch.X_test, bunch.y_test)
        if name == "mask-aware ensemble":
            # Its prediction from a lone modality is that modality's own net.
            alone = table[table.n_missing == 1].assign(estimator="uni-modal nets")
            table = pd.concat([table, alone])
        table = table[["estimator", "pattern", "value"]].assign(
            seed=seed, seconds=seconds
        )
        done[f"{seed}/{name}"] = table.to_dict("records")
        keep()
        print(f"seed {seed}, {name}: {seconds:.0f} s", flush=True)


def write(wide, labels, name, folder):
    """Accuracies by missing modality, two decimals if there are several seeds."""
    digits = 2 if len(wide) > 1 else 1
    rows = []
    # Predictions of single modalities come first.
    for label in sorted(labels, key=lambda label: label != "uni-modal nets"):
        part = wide[label]
        there = [c for c in COLUMNS.values() if c in part]
        row = [mean_sd(part[c], digits) if c in part else "" for c in COLUMNS.values()]
        whole = len(there) == len(COLUMNS)
        row.append(mean_sd(part[there].mean(axis=1), digits) if whole else "")
        rows.append([SHOWN.get(label, label), *row])
    header = ["Method", *(column.capitalize() for column in COLUMNS.values()), "Mean"]
    write_table(folder, name, header, rows)


def compare(wide, first, second):
    """Paired differences over the seeds, with standard errors."""
    for column in wide.columns.get_level_values(1).unique():
        if (first, column) not in wide or (second, column) not in wide:
            continue
        gap = (wide[first, column] - wide[second, column]).dropna()
        if not len(gap):
            continue
        error = gap.std() / np.sqrt(len(gap))
        print(
            f"{first} minus {second}, {column}: {gap.mean():+.2f} (standard error "
            f"{error:.2f})"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data-home", required=True)
    parser.add_argument("--variant", choices=["easy", "hard"], default="easy")
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--test-pairs", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--spectrogram", type=int, choices=[28, 112], default=28)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--out", default="av_mnist.json", help="results so far")
    add_tables_option(parser)
    args = parser.parse_args()
    print(
        f"skmissing {skmissing.__version__}, torch {torch.__version__}, scikit-learn "
        f"{sklearn.__version__}, Python {platform.python_version()}, device "
        f"{args.device}, {args.threads} threads, seeds 0 to {args.seeds - 1}"
    )
    print(
        f"{args.variant} variant, {args.pairs} training pairs, {args.spectrogram} x "
        f"{args.spectrogram} spectrograms, at most {args.epochs} epochs a phase"
    )
    path = pathlib.Path(args.out)
    done = json.loads(path.read_text()) if path.exists() else {}
    for seed in range(args.seeds):
        one_seed(seed, args, done, lambda: path.write_text(json.dumps(done)))
    table = pd.DataFrame(
        [
            row
            for seed in range(args.seeds)
            for name in args.methods
            for row in done[f"{seed}/{name}"]
        ]
    )
    table["rows"] = table["pattern"].map(COLUMNS)
    table["accuracy"] = 100 * table["value"]
    wide = table.pivot(index="seed", columns=["estimator", "rows"], values="accuracy")
    order = list(COLUMNS.values())
    for statistic in ("mean", "std"):
        shown = getattr(wide, statistic)().unstack("rows")[order]
        shown = shown.reindex(table["estimator"].drop_duplicates())
        shown["average"] = shown.mean(axis=1, skipna=False)
        if statistic == "std":
            by_seed = wide.T.groupby(level="estimator").mean().T
            shown["average"] = by_seed.std().where(~shown["average"].isna())
        print(f"\n{statistic} of the accuracy, %\n{shown.round(2).to_string()}")
    print()
    for other in ("uni-modal nets", "mask-aware ensemble", "naive", "multi-task",
                  "only augmentation", "missing detection",
                  "UME-MMA, short phase 2"):  # fmt: skip
        compare(wide, "UME-MMA", other)
    write(
        wide, table["estimator"].unique(),
        f"av_mnist_{args.variant}_{args.pairs}", args.tables,
    )  # fmt: skip
    seconds = table.groupby("estimator", sort=False)["seconds"].median()
    print(f"\nseconds to fit (median)\n{seconds.dropna().round(0).to_string()}")


if __name__ == "__main__":
    main()
