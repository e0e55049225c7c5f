"""Accuracy and speed of the exact partial information decomposition.

Three parts: certified gaps of 300 tables; speed, interleaved with cvxpy with Clarabel
and with dit where they are installed (``pip install skmissing[bench]``); 500 bootstrap
tables. Run with

    python benchmarks/bench_pid.py

and quote medians and ratios, not single runs. dit takes seconds a run: ``--repeats 3``
is quicker. The table is ``pid_speed.csv``.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import math
import os
import platform
import statistics
import time
import warnings

import numpy as np
import scipy
from _tables import add_tables_option, decimals, median_range, write_table

import skmissing
from skmissing.pid import broja

# Wall time says what a user waits; on a machine that others use, processor time says
# what the work is. Everything here runs in one thread.
CLOCKS = {"wall": time.perf_counter, "process": time.process_time}
CLOCKS["now"] = CLOCKS["wall"]
SHAPES = [
    (2, 2, 2),
    (2, 5, 5),
    (3, 9, 4),
    (5, 10, 10),
    (5, 20, 20),
    (2, 40, 40),
    (10, 20, 30),
    (10, 50, 50),
    (2, 200, 200),
]


def optional(name):
    """The module, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def dirichlet(shape, concentration=1.0, seed=0):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(math.prod(shape), concentration)).reshape(shape)


def counts(shape, rows, seed):
    rng = np.random.default_rng(seed)
    P = np.zeros(shape)
    np.add.at(P, tuple(rng.integers(n, size=rows) for n in shape), 1.0)
    return P


def and_gate():
    P = np.zeros((2, 2, 2))
    for a in (0, 1):
        for b in (0, 1):
            P[a & b, a, b] = 0.25
    return P


def certificates():
    groups = {
        f"{shape}, concentration {c:g}": [dirichlet(shape, c, s) for s in range(10)]
        for shape in SHAPES
        for c in (0.1, 1.0, 10.0)
    }
    groups["(6, 5, 3), 60 rows"] = [counts((6, 5, 3), 60, s) for s in range(15)]
    groups["(2, 20, 20), 60 rows"] = [counts((2, 20, 20), 60, s) for s in range(15)]
    print(f"\nCertificates of {sum(map(len, groups.values()))} tables (K, n1, n2)")
    worst_gap = worst_violation = failed = 0
    for title, tables in groups.items():
        start = CLOCKS["now"]()
        results = [broja(P) for P in tables]
        seconds = (CLOCKS["now"]() - start) / len(tables)
        gap = max(r.duality_gap for r in results)
        violation = max(r.marginal_violation for r in results)
        failed += sum(
            r.duality_gap > 1e-8 or r.marginal_violation > 1e-9 for r in results
        )
        worst_gap, worst_violation = (
            max(worst_gap, gap),
            max(worst_violation, violation),
        )
        print(
            f"  {title:<32} gap {gap:.1e} bit, violation {violation:.0e}, up to "
            f"{max(r.n_iter for r in results)} iterations, {seconds * 1e3:.1f} ms each"
        )
    print(
        f"  worst gap {worst_gap:.1e} bit, worst violation {worst_violation:.1e}, "
        f"{failed} beyond 1e-8 bit or 1e-9"
    )


def run_broja(P):
    """One call, with caches that the peer before has just filled."""
    start = CLOCKS["now"]()
    result = broja(P)
    seconds = CLOCKS["now"]() - start
    return seconds, result.unique[0] + result.mutual_information.second, None


def run_broja_again(P):
    """Mean of as many calls in a row as make up 20 ms."""
    calls, start = 0, CLOCKS["now"]()
    while calls == 0 or CLOCKS["now"]() - start < 0.02:
        result = broja(P)
        calls += 1
    seconds = (CLOCKS["now"]() - start) / calls
    return seconds, result.unique[0] + result.mutual_information.second, None


def run_cvxpy(P, one_by_one=False):
    """K non-negative matrices with fixed marginals.

    With ``one_by_one``, the marginals are sums of single entries in scalar constraints
    and the mean over classes a variable of its own, as in the published code of the
    usual estimator.
    """
    import cvxpy as cp

    P = P / P.sum()
    K, n1, n2 = P.shape
    start = CLOCKS["now"]()
    Q = [cp.Variable((n1, n2), nonneg=True) for _ in range(K)]
    constraints = []
    if one_by_one:
        means = [cp.Variable((n1, n2), nonneg=True) for _ in range(K)]
        constraints += [mean == sum(Q) / K for mean in means]
        constraints += [sum(cp.sum(q) for q in Q) == 1]
        for y in range(K):
            for i in range(n1):
                entries = [Q[y][i, j] for j in range(n2)]
                constraints.append(cp.sum(entries) == P[y, i].sum())
            for j in range(n2):
                entries = [Q[y][i, j] for i in range(n1)]
                constraints.append(cp.sum(entries) == P[y, :, j].sum())
        shift = -math.log(K)
    else:
        means = [sum(Q)] * K
        for y in range(K):
            constraints.append(cp.sum(Q[y], axis=1) == P[y].sum(axis=1))
            constraints.append(cp.sum(Q[y], axis=0) == P[y].sum(axis=0))
        shift = 0.0
    objective = sum(cp.sum(cp.rel_entr(q, mean)) for q, mean in zip(Q, means))
    problem = cp.Problem(cp.Minimize(objective), constraints)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        problem.solve(solver=cp.CLARABEL)
    seconds = CLOCKS["now"]() - start
    p = P.sum(axis=(1, 2))
    value = (problem.value + shift - (p * np.log(p)).sum()) / math.log(2)
    return seconds, value, problem.solver_stats.solve_time


def run_cvxpy_published(P):
    return run_cvxpy(P, one_by_one=True)


def run_dit(P):
    import dit

    P = P / P.sum()
    outcomes = [tuple(map(str, index)) for index in np.ndindex(P.shape)]
    d = dit.Distribution(outcomes, P.ravel())
    start = CLOCKS["now"]()
    # dit prints the progress of its optimiser on some versions.
    with open(os.devnull, "w") as sink, contextlib.redirect_stdout(sink):
        pid = dit.pid.PID_BROJA(d, ((1,), (2,)), (0,))
        parts = [pid.get_pi(node) for node in (((1,),), ((2,),), ((1,), (2,)))]
    seconds = CLOCKS["now"]() - start
    return seconds, float(sum(parts)), None


# Columns of the table, by the names under which they are timed.
PEERS = {
    "Clarabel": "cvxpy, Clarabel (ms)",
    "same, published": "same, as published (ms)",
    "dit": "dit (ms)",
}


def compare(title, P, peers, repeats, shown=None):
    """A row of the table; the ratios are those of the peers in their order."""
    runs = {"skmissing": run_broja, "in a row": run_broja_again, **peers}
    times = {name: [] for name in runs}
    values, inner = {}, {}
    # First calls load libraries; one of dit would cost as much as a measured one.
    run_broja(P)
    for _ in range(repeats):
        for name, run in runs.items():
            # Nobody pays for the garbage of the one before.
            gc.collect()
            seconds, values[name], own = run(P)
            times[name].append(seconds)
            if own is not None:
                inner.setdefault(name, []).append(own)
    print(f"\n{title}, median of {repeats}")
    ms = {name: [1e3 * seconds for seconds in t] for name, t in times.items()}
    own, again = (statistics.median(ms[name]) for name in ("skmissing", "in a row"))
    cells = [median_range(ms["skmissing"], decimals(own))]
    cells += [f"{again:.{decimals(again)}f}"]
    cells += [median_range(ms[k], 0) if k in peers else "" for k in PEERS]
    ratios = []
    for name, t in times.items():
        line = (
            f"  {name:<16} {statistics.median(t) * 1e3:9.2f} ms "
            f"({min(t) * 1e3:.2f} to {max(t) * 1e3:.2f})"
        )
        if name in peers:
            ratio = statistics.median(
                a / b for a, b in zip(t, times["skmissing"], strict=True)
            )
            ratios.append(f"{ratio:.0f}")
            line += (
                f", {ratio:.0f} times as long, minimum differs by "
                f"{values[name] - values['skmissing']:+.1e} bit"
            )
        if name in inner:
            line += f"; its solver alone {statistics.median(inner[name]) * 1e3:.0f} ms"
        print(line)
    return [shown or title, *cells, ", ".join(ratios)]


def bootstrap(repeats):
    rng = np.random.default_rng(0)
    P = dirichlet((2, 20, 20))
    tables = rng.multinomial(1000, P.ravel(), size=500).reshape(500, *P.shape)
    times, gaps = [], []
    for _ in range(repeats):
        start = CLOCKS["now"]()
        gaps = [broja(table).duality_gap for table in tables]
        times.append(CLOCKS["now"]() - start)
    print(
        f"\n500 bootstrap tables of 1000 rows, (2, 20, 20), median of {repeats}\n"
        f"  {statistics.median(times):.2f} s ({min(times):.2f} to {max(times):.2f}), "
        f"worst gap {max(gaps):.1e} bit"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--clock", choices=["wall", "process"], default="wall")
    add_tables_option(parser)
    args = parser.parse_args()
    CLOCKS["now"] = CLOCKS[args.clock]
    versions = [f"numpy {np.__version__}", f"scipy {scipy.__version__}"]
    found = {name: optional(name) for name in ("cvxpy", "clarabel", "dit")}
    for name, module in found.items():
        version = "not installed" if module is None else module.__version__
        versions.append(f"{name} {version}")
    threads = os.environ.get("OMP_NUM_THREADS", "not set")
    print(
        f"skmissing {skmissing.__version__}, {', '.join(versions)}, Python "
        f"{platform.python_version()}; {os.cpu_count()} cores, OMP_NUM_THREADS "
        f"{threads}, load {os.getloadavg()[0]:.1f}, {args.clock} time"
    )
    certificates()
    cvx = {}
    if found["cvxpy"] and found["clarabel"]:
        cvx = {"Clarabel": run_cvxpy, "same, published": run_cvxpy_published}
    dit = {"dit": run_dit} if found["dit"] else {}
    rows = [
        compare("AND gate", and_gate(), {**cvx, **dit}, args.repeats),
        compare("(2, 5, 5)", dirichlet((2, 5, 5)), {**cvx, **dit}, args.repeats),
        compare("(5, 10, 10)", dirichlet((5, 10, 10)), cvx, args.repeats),
        compare("(5, 20, 20)", dirichlet((5, 20, 20)), cvx, args.repeats),
        compare("(10, 50, 50)", dirichlet((10, 50, 50)), {}, args.repeats),
        compare("(2, 200, 200)", dirichlet((2, 200, 200)), {}, args.repeats),
        compare(
            "(2, 200, 200), concentration 0.1", dirichlet((2, 200, 200), 0.1), {},
            args.repeats, "same, concentration 0.1",
        ),
    ]  # fmt: skip
    header = ["Table (K, n1, n2)", "``broja`` (ms)", "in a row (ms)", *PEERS.values(),
              "Ratios"]  # fmt: skip
    write_table(args.tables, "pid_speed", header, rows)
    bootstrap(min(args.repeats, 3))


if __name__ == "__main__":
    main()
