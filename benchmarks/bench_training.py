"""Cost of the training engine against a hand-written loop and plain skorch.

The same net is trained three ways in one process, interleaved: by the engine, by a
PyTorch loop written by hand with the same gathering of present rows, and by skorch
with its default data loading. Run with

    python benchmarks/bench_training.py --threads 1 2

and quote medians and ratios, not single runs. The tables are ``training.csv`` and
``prediction.csv``.
"""

from __future__ import annotations

import argparse
import gc
import platform
import resource
import statistics
import time

import numpy as np
import sklearn
import skorch
import torch
from _tables import add_tables_option, median_range, write_table
from torch import nn

import skmissing
from skmissing import MultimodalData
from skmissing.baselines import FusionClassifier
from skmissing.nn import ConvEncoder, MLPEncoder


def tabular(n=20_000, seed=0):
    """Two blocks of 16 columns, 30% of each missing, never both."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    blocks = {
        name: (rng.normal(size=(n, 16)) + 0.3 * y[:, None]).astype(np.float32)
        for name in "ab"
    }
    u = rng.random(n)
    mask = np.stack([u < 0.3, u >= 0.7], axis=1)
    return MultimodalData(blocks).hide(mask), y


def images(n=3_000, seed=0):
    """One block of 28 x 28 pictures, stored as bytes."""
    rng = np.random.default_rng(seed)
    y = rng.integers(10, size=n)
    x = rng.integers(256, size=(n, 1, 28, 28), dtype=np.uint8)
    return MultimodalData({"image": x}), y


def make_encoder(shape):
    return (MLPEncoder() if len(shape) == 1 else ConvEncoder()).build(shape)


class HandNet(nn.Module):
    """The net of FusionClassifier as one would write it for this purpose alone."""

    def __init__(self, shapes, n_classes):
        super().__init__()
        self.encoders = nn.ModuleList(make_encoder(s) for s in shapes)
        width = 64 * len(shapes)
        self.head = nn.Sequential(
            nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, n_classes)
        )

    def forward(self, xs, mask):
        codes = []
        for m, (encoder, x) in enumerate(zip(self.encoders, xs)):
            index = mask[:, m].nonzero().squeeze(1)
            if len(index) == len(x):
                codes.append(encoder(x))
            else:
                code = encoder(x.index_select(0, index))
                codes.append(code.new_zeros((len(x), 64)).index_copy(0, index, code))
        return self.head(torch.cat(codes, dim=1))


def scaled(X, name):
    """What the engine does to a block before training: float64, then float32."""
    here = X.present[:, X.names.index(name)]
    x = X[name].astype(np.float64)
    axes = (0,) if x.ndim == 2 else (0, 2, 3)
    mean, sd = (f(x[here], axis=axes, keepdims=True) for f in (np.mean, np.std))
    return ((x - mean) / sd).astype(np.float32)


def by_hand(X, y, epochs, batch_size):
    torch.manual_seed(0)
    xs = [torch.from_numpy(scaled(X, name)) for name in X.names]
    mask = torch.from_numpy(X.present.copy())
    target = torch.from_numpy(y)
    weight = torch.ones(len(y))
    net = HandNet(list(X.block_shapes.values()), len(np.unique(y)))
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0, fused=True)
    net.train()
    start = time.perf_counter()
    for _ in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(y)).split(batch_size):
            optimizer.zero_grad(set_to_none=True)
            scores = net([x.index_select(0, rows) for x in xs], mask[rows])
            losses = nn.functional.cross_entropy(scores, target[rows], reduction="none")
            loss = (losses * weight[rows]).mean()
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(rows)
        float(total)
    return time.perf_counter() - start


def by_engine(X, y, epochs, batch_size, threads):
    clf = FusionClassifier(
        max_epochs=epochs,
        batch_size=batch_size,
        early_stopping=False,
        modality_dropout=0.0,
        n_threads=threads,
        random_state=0,
    )
    start = time.perf_counter()
    clf.fit(X, y)
    whole = time.perf_counter() - start
    return sum(clf.net_.history[:, "dur"]), whole, clf


class SkorchNet(HandNet):
    """The same net with the keyword inputs that skorch hands over."""

    def forward(self, mask, **xs):
        return super().forward([xs[name] for name in sorted(xs)], mask)


def by_skorch(X, y, epochs, batch_size):
    torch.manual_seed(0)
    data = {name: scaled(X, name) for name in X.names}
    data["mask"] = X.present.copy()
    net = skorch.NeuralNetClassifier(
        SkorchNet,
        module__shapes=list(X.block_shapes.values()),
        module__n_classes=len(np.unique(y)),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW,
        optimizer__fused=True,
        optimizer__weight_decay=0,
        lr=1e-3,
        max_epochs=epochs,
        batch_size=batch_size,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )
    start = time.perf_counter()
    net.fit(data, y.astype(np.int64))
    return time.perf_counter() - start


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(title, X, y, epochs, batch_size, *, threads, repeats):
    """Cells of the table of training, and rows predicted per second."""
    torch.set_num_threads(threads)
    times = {"hand": [], "engine": [], "skorch": []}
    whole, memory = [], {}
    for _ in range(repeats):
        for name in times:
            gc.collect()
            before = peak()
            if name == "hand":
                times[name].append(by_hand(X, y, epochs, batch_size))
            elif name == "skorch":
                times[name].append(by_skorch(X, y, epochs, batch_size))
            else:
                loop, total, clf = by_engine(X, y, epochs, batch_size, threads)
                times[name].append(loop)
                whole.append(total)
            memory.setdefault(name, peak() - before)
    mid = {name: statistics.median(t) for name, t in times.items()}
    engine_hand = [e / h for e, h in zip(times["engine"], times["hand"])]
    skorch_engine = [s / e for s, e in zip(times["skorch"], times["engine"])]
    print(f"\n{title}, {threads} thread(s), {epochs} epochs, median of {repeats}")
    for name, t in mid.items():
        spread = f"{min(times[name]):.3f} to {max(times[name]):.3f}"
        grown = f"peak memory +{memory[name]:.0f} MiB in the first run"
        print(f"  {name:<7} {t:7.3f} s ({spread}); {grown}")
    print(
        f"  whole fit with validation and tensors: {statistics.median(whole):.3f} s\n"
        f"  engine / hand:   {statistics.median(engine_hand):.2f} "
        f"({min(engine_hand):.2f} to {max(engine_hand):.2f})\n"
        f"  skorch / engine: {statistics.median(skorch_engine):.2f} "
        f"({min(skorch_engine):.2f} to {max(skorch_engine):.2f})"
    )
    speeds = []
    for _ in range(repeats):
        start = time.perf_counter()
        clf.predict_proba(X)
        speeds.append(len(y) / (time.perf_counter() - start))
    print(f"  predict_proba: {statistics.median(speeds):,.0f} rows/s")
    cells = [median_range(t, 3) for t in times.values()]
    cells += [median_range(ratios, 2) for ratios in (engine_hand, skorch_engine)]
    return cells, statistics.median(speeds)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=7)
    add_tables_option(parser)
    args = parser.parse_args()
    print(
        f"skmissing {skmissing.__version__}, torch {torch.__version__}, skorch "
        f"{skorch.__version__}, scikit-learn {sklearn.__version__}, numpy "
        f"{np.__version__}, Python {platform.python_version()}"
    )
    data = {
        "Tabular": ("tabular 20,000 x 32", tabular, 4),
        "Images": ("images 3,000 x 28 x 28", images, 2),
    }
    training, prediction = [], {name: [name] for name in data}
    for threads in args.threads:
        for name, (title, make, epochs) in data.items():
            cells, speed = measure(
                title, *make(), epochs, 128, threads=threads, repeats=args.repeats
            )
            training.append([f"{name}, {threads}", *cells])
            prediction[name].append(f"{speed:,.0f}")
    write_table(
        args.tables, "training",
        ["Data, threads", "Hand-written (s)", "Engine (s)", "skorch (s)",
         "Engine / hand-written", "skorch / engine"],
        training,
    )  # fmt: skip
    speeds = [
        f"Rows per second, {n} thread" + ("" if n == 1 else "s") for n in args.threads
    ]
    write_table(args.tables, "prediction", ["Data", *speeds], prediction.values())


if __name__ == "__main__":
    main()
