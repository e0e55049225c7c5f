"""Bias of plug-in decompositions, and what corrections make of it.

Draws rows from known tables (gates, complete and weighted for values missing at
random; Dirichlet tables; noise), decomposes the shares of the sample and compares each
estimate with the population's parts. Run with

    python benchmarks/bench_pid_bias.py --draws 60

What is printed are absolute bias and root mean square error in thousandths of a bit,
each averaged over the four parts, by way of correction:

* raw: none; mm: Miller and Madow's for the informations, none for their minimum;
* half, boot: extrapolated from half samples, or from bootstrap samples, throughout;
* mm_half, mm_boot: the informations by Miller and Madow, the minimum so extrapolated
  (``PIDEstimator`` takes mm_half); mm_max: the minimum as the more biased source;
* mm_half_clip: moved into the interval that holds the minimum in theory.

The table ``pid_bias.csv`` has the averages over all settings of five of them, in bits.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from _tables import add_tables_option, write_table

from skmissing.datasets import make_bitwise
from skmissing.pid import broja
from skmissing.pid._broja import table_information
from skmissing.pid._decomposition import count_table, first_order_bias
from skmissing.pid.solver import union_information


def informations(y, i, j, w, shape):
    """Informations of both sources, of both together, and the least joint one."""
    K, _, n2 = shape
    first, second = (count_table(y, s, w, K) for s in (i, j))
    joint = count_table(y, i * n2 + j, w, K)
    least = union_information(first, second).value
    one, two, both = map(table_information, (first, second, joint))
    least = max(min(least, one + two, both), one, two)
    n = w.sum() ** 2 / (w @ w)
    bias = [first_order_bias(t, n) for t in (first, second, joint)]
    return np.array([one, two, both, least]), np.array([*bias, 0.0])


def parts(infos):
    one, two, both, least = infos
    return np.array([least - two, least - one, one + two - least, both - least])


def clip(infos):
    """Move the least information into the interval that holds it in theory."""
    one, two, both, least = infos
    one, two = max(one, 0.0), max(two, 0.0)
    both = max(both, one, two)
    return np.array([one, two, both, max(min(least, one + two, both), one, two)])


def estimates(y, i, j, w, shape, *, repeats, rng):
    """Parts by each way to correct them."""
    raw, first_order = informations(y, i, j, w, shape)
    halves, drawn = [], []
    for _ in range(repeats):
        order = rng.permutation(len(y))
        for half in (order[: len(y) // 2], order[len(y) // 2 :]):
            v = np.zeros(len(y))
            v[half] = w[half]
            halves.append(informations(y, i, j, v, shape)[0])
        v = w * rng.multinomial(len(y), np.full(len(y), 1 / len(y)))
        drawn.append(informations(y, i, j, v, shape)[0])
    extrapolated = np.mean(halves, axis=0) - raw
    bootstrapped = np.mean(drawn, axis=0) - raw
    least = np.array([0, 0, 0, 1.0])
    out = {
        "raw": raw,
        "mm": raw - first_order,
        "half": raw - extrapolated,
        "boot": raw - bootstrapped,
        "mm_half": raw - first_order - least * extrapolated,
        "mm_boot": raw - first_order - least * bootstrapped,
        "mm_max": raw - first_order - least * first_order[:2].max(),
    }
    out["mm_half_clip"] = clip(out["mm_half"])
    return {k: parts(v) for k, v in out.items()}


def settings():
    """Name, shape, truth, and a function from a generator to rows and weights."""
    for gate in ("and", "or", "xor"):
        for n in (500, 2000, 10000):
            for weighted in (False, True):

                def draw(rng, gate=gate, n=n, weighted=weighted):
                    seed = int(rng.integers(2**31))
                    if weighted:
                        b = make_bitwise(
                            n, gate=gate, mechanism="mar", random_state=seed
                        )
                        seen = b.data.present.all(axis=1)
                        x = [b.data[k].ravel()[seen].astype(int) for k in ("x1", "x2")]
                        return np.asarray(b.target)[seen], *x, 1 / b.propensity[seen]
                    x1, x2 = rng.integers(2, size=(2, n))
                    y = {"and": x1 & x2, "or": x1 | x2, "xor": x1 ^ x2}[gate]
                    return y, x1, x2, np.ones(n)

                truth = {"xor": [0, 0, 0, 1.0]}.get(gate, [0, 0, 0.311278, 0.5])
                kind = "mar" if weighted else "full"
                yield f"{gate} {kind}", n, (2, 2, 2), np.array(truth), draw
    for seed in range(4):
        shape = (2, 5, 5)
        if seed < 3:
            P = np.random.default_rng(seed).dirichlet(np.ones(50)).reshape(shape)
        else:
            P = np.full(shape, 0.02)
        found = broja(P)
        truth = [*found.unique, found.redundant, found.synergistic]
        for n in (300, 1000, 3000):

            def draw(rng, P=P, n=n):
                cell = rng.choice(50, size=n, p=P.ravel())
                return *np.unravel_index(cell, (2, 5, 5)), np.ones(n)

            name = "noise 5x5" if seed == 3 else f"dirichlet {seed}"
            yield name, n, shape, np.array(truth), draw


# Rows of the table.
SHOWN = {
    "raw": "none",
    "mm": "Miller and Madow's, none of the minimum",
    "half": "halves throughout",
    "mm_half": "``PIDEstimator``: Miller and Madow's, halves for the minimum",
    "mm_half_clip": "the same, moved into the interval that holds the minimum",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=60, help="samples of each setting")
    parser.add_argument("--repeats", type=int, default=4, help="resamples of each kind")
    parser.add_argument("--detail", action="store_true", help="every part of some")
    add_tables_option(parser)
    args = parser.parse_args()
    rows, detail = [], []
    for name, n, shape, truth, draw in settings():
        rng = np.random.default_rng(0)
        errors = {}
        for _ in range(args.draws):
            found = estimates(*draw(rng), shape, repeats=args.repeats, rng=rng)
            for key, value in found.items():
                errors.setdefault(key, []).append(value - truth)
        for key, error in errors.items():
            bias = np.mean(error, axis=0)
            rmse = np.sqrt(np.mean(np.square(error), axis=0))
            rows.append((name, n, key, np.abs(bias).mean(), rmse.mean()))
            detail.append((name, n, key, *bias, *rmse))
    frame = pd.DataFrame(rows, columns=["table", "n", "how", "bias", "rmse"])
    frame[["bias", "rmse"]] *= 1000
    pd.set_option("display.width", 250, "display.max_rows", 1000)
    pd.set_option("display.max_columns", 50)
    for column in ("bias", "rmse"):
        print(f"\n{column}, thousandths of a bit")
        wide = frame.pivot(index=["table", "n"], columns="how", values=column)
        wide = wide[list(dict.fromkeys(frame["how"]))]
        print(wide.round(1).to_string())
        print(wide.mean().round(2).to_string())
    if args.detail:
        names = [f"{a} {b}" for a in ("bias", "rmse") for b in ("U1", "U2", "R", "S")]
        table = pd.DataFrame(detail, columns=["table", "n", "how", *names])
        table[names] *= 1000
        print(table.round(1).to_string())
    means = frame.groupby("how")[["bias", "rmse"]].mean() / 1000
    write_table(
        args.tables, "pid_bias",
        ["Correction", "Absolute bias", "Root mean square error"],
        [
            [label, *(f"{means.loc[how, column]:.5f}" for column in means)]
            for how, label in SHOWN.items()
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
