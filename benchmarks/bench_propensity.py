"""Time and memory of PropensityWeighter with many rows.

Fits the default model on 50 covariates (two of them categories) and weights the same
rows, each size in a process of its own, so that peak memory is that of the size. Run
with

    python benchmarks/bench_propensity.py --sizes 10000 100000 1000000

The table is ``propensity.csv``, with medians of the repeats.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import sklearn
from _tables import add_tables_option, write_table
from scipy.special import expit

from skmissing import PropensityWeighter


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


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def run_one(n, n_covariates):
    """Print what the process that started this one reads."""
    frame = make(n, n_covariates)
    before = peak()
    start = time.perf_counter()
    weighter = PropensityWeighter(modalities={"x": ["x"]}, random_state=0).fit(frame)
    fitted = time.perf_counter()
    weights = weighter.sample_weight(frame)
    done = time.perf_counter()
    assert np.isfinite(weights).all()
    print(json.dumps([fitted - start, done - fitted, peak(), before]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", type=int, default=[10**4, 10**5, 10**6])
    parser.add_argument("--covariates", type=int, default=50)
    parser.add_argument("--one", type=int, help="used by the program itself")
    parser.add_argument("--repeats", type=int, default=3)
    add_tables_option(parser)
    args = parser.parse_args()
    if args.one:
        run_one(args.one, args.covariates)
        return
    print(
        f"Python {platform.python_version()}, numpy {np.__version__}, "
        f"scikit-learn {sklearn.__version__}, {args.covariates} covariates"
    )
    rows = []
    for n in args.sizes:
        command = [sys.executable, __file__, "--one", str(n)]
        command += ["--covariates", str(args.covariates)]
        runs = []
        for _ in range(args.repeats):
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
            fit, weights, highest, data = json.loads(done.stdout)
            print(
                f"{n:>9,} rows: fit {fit:6.2f} s, weights {weights:5.2f} s, peak "
                f"{highest:.2f} GiB ({data:.2f} GiB with the data alone)",
                flush=True,
            )
            runs.append([fit, weights, highest, data])
        rows.append([f"{n:,}", *(f"{value:.2f}" for value in np.median(runs, axis=0))])
    header = ["Rows", "Fit (s)", "Weights (s)", "Peak memory (GiB)",
              "of which data (GiB)"]  # fmt: skip
    write_table(args.tables, "propensity", header, rows)


if __name__ == "__main__":
    main()
