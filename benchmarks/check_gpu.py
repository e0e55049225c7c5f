"""One command for whoever has a CUDA device: does everything work there, and how fast.

    python benchmarks/check_gpu.py

takes at most 8 minutes. It compares predictions of one net on both devices, loads in a
process without the device what was fitted on it, and measures epochs per second. With
``--data`` (a folder as of ``_polymnist.py``) PolyMNIST's selector runs on both devices,
else one on pictures of noise. Without a device

    python benchmarks/check_gpu.py --device cpu --dry-run

runs the same code on small data, on a CPU both times; it writes no table. The table is
``gpu.csv``.
"""

from __future__ import annotations

import argparse
import os
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from _polymnist import build_polymnist
from _tables import add_tables_option, write_table
from bench_dymo import polymnist_encoders

from skmissing import DyMoSelector, MultimodalData, PRIMOClassifier, UMEMMAEnsemble
from skmissing.baselines import FusionClassifier
from skmissing.dymo import TokenTransformer
from skmissing.nn import ConvEncoder, MLPEncoder
from skmissing.recovery import MeanRecovery

TOLERANCE = 1e-4
# No new part starts after that, so that all are over in 8 minutes.
LAST_START_S = 300.0


def clinical(n, seed=0):
    """A table, and an image and a series that are missing in a third of the rows."""
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=n)
    blocks = {
        "labs": rng.normal(size=(n, 8)) + y[:, None],
        "image": rng.integers(200, size=(n, 1, 28, 28), dtype=np.uint8),
        "series": rng.normal(size=(n, 12, 3)) + 0.3 * y[:, None, None],
    }
    blocks["image"][:, 0, :4] += (15 * y[:, None, None]).astype(np.uint8)
    hidden = rng.random((n, 3)) < [0, 1 / 3, 1 / 3]
    return MultimodalData(blocks).hide(hidden), y


def classifiers(device):
    """One classifier of each kind, with few epochs."""
    common = {"device": device, "max_epochs": 3, "random_state": 0}
    return {
        "FusionClassifier": FusionClassifier(**common),
        "PRIMOClassifier": PRIMOClassifier(**common),
        "DyMoSelector": DyMoSelector(**common),
        "UMEMMAEnsemble": UMEMMAEnsemble(**common),
    }


# Run by a process that sees no device.
LOAD = """
import pickle, sys
clf, X = pickle.load(open(sys.argv[1], "rb"))
pickle.dump(clf.predict_proba(X), open(sys.argv[2], "wb"))
"""


def predict_without_device(clf, X):
    """Probabilities in a process that sees no CUDA device."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / name) for name in ("model", "proba")]
        with open(paths[0], "wb") as file:
            pickle.dump((clf, X), file)
        hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
        command = [sys.executable, "-c", LOAD, *paths]
        subprocess.run(command, check=True, env=hidden)
        with open(paths[1], "rb") as file:
            return pickle.load(file)


def check_predictions(device, n, rows):
    """Fit on the device; predict there, and on a CPU in another process."""
    X, y = clinical(n)
    for name, clf in classifiers(device).items():
        clf.fit(X, y)
        there, here = clf.predict_proba(X), predict_without_device(clf, X)
        gap = float(np.abs(there - here).max())
        print(f"{name}: fitted on {device}, largest difference {gap:.1e}", flush=True)
        if not gap <= TOLERANCE:
            raise SystemExit(
                f"Got predictions of {name} that differ by {gap:.1e} between {device} "
                f"and CPU, expected at most {TOLERANCE:.0e}."
            )
        rows.append([f"{name}, largest difference to CPU", f"{gap:.1e}", ""])


def epochs_per_second(clf, X, y):
    """By the clock of all epochs but the first, which waits for the device."""
    clf.fit(X, y)
    durations = clf.net_.history[:, "dur"][1:]
    return len(durations) / sum(durations)


def check_speed(device, n, epochs, rows):
    """Nets on tables and on pictures, on the device and on a CPU."""
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=n)
    table = (rng.normal(size=(n, 64)) + 0.2 * y[:, None]).astype(np.float32)
    pictures = rng.integers(256, size=(n // 4, 3, 32, 32), dtype=np.uint8)
    cases = {
        "tables": (MultimodalData({"x": table}), y, MLPEncoder(hidden=(256, 256))),
        "pictures": (
            MultimodalData({"x": pictures}), y[: n // 4],
            ConvEncoder(channels=(32, 64)),
        ),
    }  # fmt: skip
    for name, (X, labels, encoder) in cases.items():
        speed = [
            epochs_per_second(
                FusionClassifier(
                    encoders={"x": encoder}, device=where, max_epochs=epochs,
                    batch_size=256, early_stopping=False, random_state=0,
                ), X, labels,
            )
            for where in (device, "cpu")
        ]  # fmt: skip
        ratio = f"{speed[0] / speed[1]:.1f}"
        print(f"{name}: {speed[0]:.2f} epochs per second, {ratio} times CPU's")
        rows.append([f"Epochs per second, {name}", f"{speed[0]:.2f}", ratio])


def polymnist(data, n, seed=0):
    """PolyMNIST from files, or pictures of noise with the class in their brightness."""
    if data:
        X, y = build_polymnist(data, n_samples=n, return_X_y=True, random_state=seed)
        return X, y
    rng = np.random.default_rng(seed)
    y = rng.integers(10, size=n)
    blocks = {
        f"m{m}": rng.integers(150, size=(n, 3, 28, 28), dtype=np.uint8)
        + (10 * y).astype(np.uint8)[:, None, None, None]
        for m in range(5)
    }
    return MultimodalData(blocks), y


def check_selector(device, data, n, epochs, rows):
    """PolyMNIST's selector: seconds of fit and prediction, and accuracy."""
    X, y = polymnist(data, n)
    half = len(y) // 2
    rng = np.random.default_rng(1)
    hidden = rng.random((len(y) - half, 5)) < 0.5
    test = X[half:].hide(hidden)
    for where in dict.fromkeys([device, "cpu"]):
        clf = DyMoSelector(
            encoders=polymnist_encoders(X), device=where, random_state=0,
            recovery=MeanRecovery(), max_epochs=epochs, batch_size=256,
            net=TokenTransformer(
                token_dim=128, mlp_ratio=4, feature_dim=64, n_subsets=5,
            subsets_per_row=None,
            ),
            early_stopping=True, calibration=None, min_reward=0.0,
        )  # fmt: skip
        start = time.perf_counter()
        clf.fit(X[:half], y[:half])
        fitted = time.perf_counter()
        accuracy = clf.score(test, y[half:])
        seconds = fitted - start, time.perf_counter() - fitted
        print(
            f"Selector on {where}: fit {seconds[0]:.1f} s, prediction "
            f"{seconds[1]:.1f} s, accuracy {accuracy:.3f}",
            flush=True,
        )
        rows += [
            [f"PolyMNIST's selector on {where}, fit (s)", f"{seconds[0]:.1f}", ""],
            [f"PolyMNIST's selector on {where}, accuracy", f"{accuracy:.3f}", ""],
        ]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dry-run", action="store_true", help="small data, no table")
    parser.add_argument("--data", help="folder with mnist.npz and textures.npz")
    add_tables_option(parser)
    args = parser.parse_args()
    if args.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error("there is no CUDA device; --device cpu --dry-run runs the code")
    start, rows = time.perf_counter(), []
    small = args.dry_run
    parts = [
        lambda: check_predictions(args.device, 200 if small else 2000, rows),
        lambda: check_speed(
            args.device, 800 if small else 20_000, 2 if small else 6, rows
        ),
        lambda: check_selector(
            args.device, args.data, 200 if small else 8000, 1 if small else 8, rows
        ),
    ]
    for part in parts:
        if time.perf_counter() - start > LAST_START_S:
            print("No time is left for the other parts.")
            break
        part()
    print(f"{time.perf_counter() - start:.0f} s in all")
    if not small:
        name = torch.cuda.get_device_name() if args.device == "cuda" else args.device
        rows.insert(0, ["Device", name, ""])
        header = ["What", "Value", "Times the CPU's"]
        write_table(args.tables, "gpu", header, rows)


if __name__ == "__main__":
    main()
