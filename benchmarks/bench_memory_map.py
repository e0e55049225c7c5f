"""Resident memory of a training on images that do not fit in memory.

Makes a sparse file of float32 images, 20 GB by default, so that no disk of that size is
needed: pages that nobody wrote are zeros. One epoch over memory-mapped rows runs in a
process of its own, which reports the largest resident memory (VmHWM of Linux: mapped
pages of the file count as well) and that without data, after all imports. Run with

    python benchmarks/bench_memory_map.py

The table is ``memory_map.csv``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _tables import add_tables_option, write_table

from skmissing import MultimodalData
from skmissing.baselines import FusionClassifier
from skmissing.nn import ConvEncoder

SHAPE = (3, 128, 128)


def make_map(path, gigabytes, dtype):
    """A sparse file in which the label shows in a few rows of pixels of some images."""
    n = int(gigabytes * 1e9 / (np.prod(SHAPE) * np.dtype(dtype).itemsize))
    images = np.memmap(path, dtype=dtype, mode="w+", shape=(n, *SHAPE))
    y = np.arange(n) % 2
    for i in range(0, n, 100):
        images[i, 0, :4] = 1 + y[i]
    images.flush()
    return n


def peak():
    """GiB; not ``ru_maxrss``, which starts at that of the process that starts this."""
    text = Path("/proc/self/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) / 2**20


def run_one(path, n, dtype):
    """Train on the file, and print what the process that started this one reads."""
    y = np.arange(n) % 2
    labs = np.random.default_rng(0).normal(size=(n, 3)) + y[:, None]
    # Imports and first steps of torch, which need no data.
    few = MultimodalData({"image": np.ones((64, *SHAPE), dtype), "labs": labs[:64]})
    clf = FusionClassifier(
        encoders={"image": ConvEncoder(channels=(2,), dropout=0.0)},
        max_epochs=1, random_state=0,
    )  # fmt: skip
    clf.fit(few, y[:64])
    before, start = peak(), time.perf_counter()
    images = np.memmap(path, dtype=dtype, mode="r", shape=(n, *SHAPE))
    X = MultimodalData({"image": images, "labs": labs})
    clf.fit(X, y)
    fitted = time.perf_counter()
    accuracy = clf.score(X[-2000:], y[-2000:])
    print(json.dumps([fitted - start, accuracy, peak(), before]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", nargs="+", type=float, default=[2, 20])
    parser.add_argument("--dtype", default="float32", choices=["float32", "uint8"])
    parser.add_argument("--folder", help="where the sparse file is made")
    parser.add_argument("--one", nargs=2, help="used by the program itself")
    add_tables_option(parser)
    args = parser.parse_args()
    if args.one:
        run_one(args.one[0], int(args.one[1]), args.dtype)
        return
    rows = []
    for gigabytes in args.gigabytes:
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            path = str(Path(folder) / "images")
            n = make_map(path, gigabytes, args.dtype)
            command = [sys.executable, __file__, "--one", path, str(n)]
            command += ["--dtype", args.dtype]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        seconds, accuracy, highest, before = json.loads(done.stdout)
        print(
            f"{gigabytes:g} GB, {n:,} images of {SHAPE} {args.dtype}: {seconds:.0f} s, "
            f"accuracy {accuracy:.2f}, peak {highest:.2f} GiB, before the data "
            f"{before:.2f} GiB",
            flush=True,
        )
        rows.append([f"{gigabytes:g}", f"{n:,}", f"{seconds:.0f}", f"{highest:.2f}",
                     f"{before:.2f}"])  # fmt: skip
    header = ["File (GB)", "Images", "One epoch (s)", "Peak resident (GiB)",
              "of which without data (GiB)"]  # fmt: skip
    write_table(args.tables, "memory_map", header, rows)


if __name__ == "__main__":
    main()
