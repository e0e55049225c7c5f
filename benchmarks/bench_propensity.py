"""Time and memory of PropensityWeighter with many rows.

Fits the default model on 50 covariates and weights the same rows, each size in a
process of its own, so that peak memory is that of the size. A data frame has two
categories among them; ``--form map`` has 50 numbers in float32 in a memory-mapped file.
Run with

    python benchmarks/bench_propensity.py --sizes 10000 100000 1000000
    python benchmarks/bench_propensity.py --form map --sizes 1000000 10000000

Tables are ``propensity.csv`` and ``propensity_map.csv``, with medians of the repeats.
Peak memory is what the process holds at most (``ru_maxrss``), the data included where
they are a frame; pages of a map count as far as they are mapped at that time.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
from _tables import add_tables_option, write_table
from scipy.special import expit

from skmissing import MultimodalData, PropensityWeighter


def make(n, n_covariates, seed=0):
    """Covariates, half of which drive who has the block x."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {f"c{j}": rng.normal(size=n) for j in range(n_covariates - 2)}, copy=False
    )
    slope = np.where(np.arange(n_covariates - 2) % 2, 0.15, 0.0)
    score = frame.to_numpy() @ slope
    frame["site"] = pd.Categorical(rng.choice(list("abcdef"), size=n))
    frame["ward"] = rng.integers(8, size=n).astype(str)
    frame["x"] = np.where(rng.random(n) < expit(score), 1.0, np.nan)
    return frame


def write_map(path, n, n_covariates, seed=0):
    """The covariates in a file of float32; who has the block x in another."""
    rng = np.random.default_rng(seed)
    slope = np.where(np.arange(n_covariates) % 2, 0.15, 0.0)
    shape = (n, n_covariates)
    table = np.memmap(path, dtype=np.float32, mode="w+", shape=shape)
    observed = np.empty(n, dtype=bool)
    for start in range(0, n, 100_000):
        part = rng.standard_normal((min(100_000, n - start), n_covariates))
        table[start : start + len(part)] = part
        chance = expit(part @ slope)
        observed[start : start + len(part)] = rng.random(len(part)) < chance
    table.flush()
    np.save(f"{path}.npy", observed)


def read_map(path, n, n_covariates):
    """The same as blocks, of which the covariates stay on disk."""
    table = np.memmap(path, dtype=np.float32, mode="r", shape=(n, n_covariates))
    observed = np.load(f"{path}.npy")
    present = np.column_stack([np.ones(n, dtype=bool), observed])
    x = np.zeros((n, 1), dtype=np.uint8)
    return MultimodalData({"covariates": table, "x": x}, present)


def peak():
    """GiB; not ``ru_maxrss``, which starts at that of the process that starts this."""
    text = Path("/proc/self/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) / 2**20


def run_one(n, n_covariates, path):
    """Print what the process that started this one reads."""
    # Imports that wait for a first fit.
    PropensityWeighter(modalities={"x": ["x"]}).fit(make(200, 4))
    before = peak()
    if path:
        X, options = read_map(path, n, n_covariates), {"required": ["x"]}
    else:
        X, options = make(n, n_covariates), {"modalities": {"x": ["x"]}}
        before = peak()
    start = time.perf_counter()
    weighter = PropensityWeighter(random_state=0, **options).fit(X)
    fitted = time.perf_counter()
    weights = weighter.sample_weight(X)
    done = time.perf_counter()
    assert np.isfinite(weights).all()
    print(json.dumps([fitted - start, done - fitted, peak(), before]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", type=int, default=[10**4, 10**5, 10**6])
    parser.add_argument("--covariates", type=int, default=50)
    parser.add_argument("--form", default="frame", choices=["frame", "map"])
    parser.add_argument("--folder", help="where the file of --form map is made")
    parser.add_argument("--one", nargs=2, help="used by the program itself")
    parser.add_argument("--repeats", type=int, default=3)
    add_tables_option(parser)
    args = parser.parse_args()
    if args.one:
        run_one(int(args.one[0]), args.covariates, args.one[1])
        return
    print(
        f"Python {platform.python_version()}, numpy {np.__version__}, "
        f"scikit-learn {sklearn.__version__}, {args.covariates} covariates"
    )
    rows = []
    for n in args.sizes:
        runs = measure(n, args)
        rows.append([f"{n:,}", *(f"{value:.2f}" for value in np.median(runs, axis=0))])
    header = ["Rows", "Fit (s)", "Weights (s)", "Peak memory (GiB)",
              "of which before the fit (GiB)"]  # fmt: skip
    name = "propensity" if args.form == "frame" else "propensity_map"
    write_table(args.tables, name, header, rows)


def measure(n, args):
    """Times and peaks of all repeats of one size."""
    runs = []
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        path = ""
        if args.form == "map":
            path = str(Path(folder) / "covariates")
            write_map(path, n, args.covariates)
        command = [sys.executable, __file__, "--one", str(n), path]
        command += ["--covariates", str(args.covariates)]
        for _ in range(args.repeats):
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
            fit, weights, highest, data = json.loads(done.stdout)
            print(
                f"{n:>9,} rows: fit {fit:6.2f} s, weights {weights:5.2f} s, peak "
                f"{highest:.2f} GiB ({data:.2f} GiB before the fit)",
                flush=True,
            )
            runs.append([fit, weights, highest, data])
    return runs


if __name__ == "__main__":
    main()
