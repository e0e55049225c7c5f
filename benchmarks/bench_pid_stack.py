"""Speed of ``broja`` against the exponential-cone program of BROJA_2PID, and in stacks.

BROJA_2PID (A. Makkeh, D. O. Theis and R. Vicente, "BROJA-2PID: a robust estimator for
bivariate partial information decomposition", Entropy 20 (2018), 271) is not on a
registry. Here is its program, with variables r, p, q for every combination of class
and states, ``r <= q log(p / q)`` as an exponential cone and p the sum of q over the
classes, built by arrays and solved by ECOS (``pip install skmissing[bench]``). Run with

    OMP_NUM_THREADS=1 python benchmarks/bench_pid_stack.py

Runs are interleaved, times those of the processor; medians, and ratios of medians. The
table is ``pid_stack.csv``.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time

import numpy as np
from _tables import add_tables_option, decimals, write_table
from scipy import sparse

from skmissing.pid import broja

SHAPES = [
    (2, 2, 2),
    (2, 5, 5),
    (3, 2, 2),
    (3, 3, 3),
    (4, 2, 9),
    (4, 4, 4),
    (3, 6, 5),
    (5, 5, 5),
    (5, 10, 10),
    (10, 6, 6),
    (5, 20, 20),
]
# On a machine that others use, time of the processor says what the work is.
CLOCK = time.process_time
# Tables in a stack.
N_TABLES = 200


def dirichlet(shape, n, seed=1000):
    """Draws on which no constant of the method was chosen."""
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(math.prod(shape)), size=n).reshape(n, *shape)


def run_ecos(P):
    """Union information (bits) and seconds, building the program included."""
    import ecos

    start = CLOCK()
    A, B = P.sum(axis=2), P.sum(axis=1)
    y, i, j = np.nonzero((A[:, :, None] > 0) & (B[:, None] > 0))
    n = len(y)
    number_a, number_b = (np.cumsum(t > 0).reshape(t.shape) - 1 for t in (A, B))
    cell, member = np.nonzero((i[:, None] == i) & (j[:, None] == j))
    # Variables of combination t: r, p and q at 3 t and the next two.
    t = np.arange(n)
    n_a = int((A > 0).sum())
    rows = [t, cell, n + number_a[y, i], n + n_a + number_b[y, j]]
    columns = [3 * t + 1, 3 * member + 2, 3 * t + 2, 3 * t + 2]
    values = np.concatenate([-np.ones(n), np.ones(len(cell) + 2 * n)])
    right = np.concatenate([np.zeros(n), A[A > 0], B[B > 0]])
    equal = sparse.csc_matrix(
        (values, (np.concatenate(rows), np.concatenate(columns))),
        shape=(len(right), 3 * n),
    )
    cost = np.zeros(3 * n)
    cost[::3] = -1.0
    cones = -sparse.identity(3 * n, format="csc")
    found = ecos.solve(
        cost, cones, np.zeros(3 * n), {"e": n}, equal, right, verbose=False
    )
    p = A.sum(axis=1)
    entropy = -float((p * np.log(p)).sum())
    value = (entropy - float(found["x"][::3].sum())) / math.log(2)
    return value, CLOCK() - start


def run_broja(P):
    start = CLOCK()
    result = broja(P)
    seconds = CLOCK() - start
    return result, seconds


def compare(shape, repeats, with_ecos):
    """A row of the table: milliseconds a table, ratios, and what certifies them."""
    n_tables = N_TABLES if math.prod(shape) < 1000 else 10
    tables = dirichlet(shape, n_tables)
    broja(tables[:2])
    broja(tables[0])
    ecos_s, own, stacked, gaps, differences = [], [], [], [], []
    for k in range(repeats):
        P = tables[k % n_tables]
        if with_ecos:
            value, seconds = run_ecos(P)
            ecos_s.append(1e3 * seconds)
        result, seconds = run_broja(P)
        own.append(1e3 * seconds)
        if with_ecos:
            least = result.unique[0] + result.mutual_information.second
            differences.append(abs(value - least))
        if k % 3 == 0:
            many, seconds = run_broja(tables)
            stacked.append(1e3 * seconds / n_tables)
            gaps.append(float(many.duality_gap.max()))
    one, each = statistics.median(own), statistics.median(stacked)
    cells = [str(shape), "", f"{one:.{decimals(one)}f}", f"{each:.3f}", "", ""]
    if with_ecos:
        peer = statistics.median(ecos_s)
        cells[1] = f"{peer:.{decimals(peer)}f}"
        cells[4:] = f"{peer / one:.1f}", f"{peer / each:.1f}"
        worst = f", differs from ECOS by up to {max(differences):.0e} bit"
    print(*cells, f"gap {max(gaps):.0e}" + (worst if with_ecos else ""), flush=True)
    return [*cells, f"{max(gaps):.0e}"]


def bootstrap(shape, repeats):
    rng = np.random.default_rng(0)
    P = dirichlet(shape, 1)[0]
    tables = rng.multinomial(1000, P.ravel(), size=1000).reshape(1000, *shape)
    times, gap = [], 0.0
    for _ in range(repeats):
        result, seconds = run_broja(tables)
        times.append(1e3 * seconds)
        gap = max(gap, float(result.duality_gap.max()))
    print(
        f"1,000 bootstrap tables of {shape}, 1,000 rows: "
        f"{statistics.median(times):.0f} ms ({min(times):.0f} to "
        f"{max(times):.0f}), largest gap {gap:.0e} bit",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=9)
    add_tables_option(parser)
    args = parser.parse_args()
    try:
        import ecos  # noqa: F401

        with_ecos = True
    except ImportError:
        with_ecos = False
    rows = [compare(shape, args.repeats, with_ecos) for shape in SHAPES]
    header = ["Table (K, n1, n2)", "ECOS (ms)", "``broja`` (ms)", "in a stack (ms)",
              "Ratio", "Ratio in a stack", "Largest gap (bit)"]  # fmt: skip
    write_table(args.tables, "pid_stack", header, rows)
    bootstrap((2, 5, 5), 5)
    bootstrap((5, 10, 10), 1)


if __name__ == "__main__":
    main()
