"""States made from edges of a hull, for many segments of one size."""

from __future__ import annotations

import numpy as np

from ._binary import ROUNDING


def split_segments(edges: np.ndarray, atoms: np.ndarray) -> np.ndarray:
    """Shares (B, E, S) of edges (B, E, 2) that go to states (B, S, 2).

    As ``split_segment`` does for one, to the last place: from either end, and the mean.
    """
    back = _left_curtains(edges[:, ::-1, ::-1], atoms[:, ::-1, ::-1])
    return 0.5 * (_left_curtains(edges, atoms) + back[:, ::-1, ::-1])


def _left_curtains(edges: np.ndarray, atoms: np.ndarray) -> np.ndarray:
    """Left-curtain kernels; edges that are used up stay in the arrays without mass."""
    total = edges[:, :, 0] + edges[:, :, 1]
    share, left = edges[:, :, 1] / total, total.copy()
    mass = atoms[:, :, 0] + atoms[:, :, 1]
    kernel = np.empty((len(edges), edges.shape[1], atoms.shape[1]))
    for i in range(atoms.shape[1] - 1):
        taken = _take(left, share, mass[:, i], atoms[:, i, 1])
        kernel[:, :, i] = taken / total
    kernel[:, :, -1] = left / total
    return kernel


def _take(
    left: np.ndarray, share: np.ndarray, mass: np.ndarray, second: np.ndarray
) -> np.ndarray:
    """Mass of each edge in the interval that a state takes; ``left`` loses it."""
    table, last = np.arange(len(left)), left.shape[1] - 1
    # The interval from the left end on.
    sums, seconds = left.cumsum(axis=1), (left * share).cumsum(axis=1)
    stop = (sums[:, :-1] < mass[:, None]).sum(axis=1)
    before = np.maximum(stop - 1, 0)
    got = np.where(stop > 0, sums[table, before], 0.0)
    have = np.where(stop > 0, seconds[table, before], 0.0)
    used = np.minimum(mass - got, left[table, stop])
    have += used * share[table, stop]
    start, skipped = np.zeros_like(stop), np.zeros_like(mass)
    enough = second + ROUNDING * mass
    going = have > enough
    while going.any():
        # Both ends move on by the same mass.
        rest_start = left[table, start] - skipped
        rest_stop = left[table, stop] - used
        fall = share[table, start] - share[table, stop]
        room = np.where(start == stop, rest_stop, np.minimum(rest_start, rest_stop))
        final = (fall > 0) & (have - second <= room * fall)
        step = np.where(final, (have - second) / fall, room)
        moved = np.where(going, step, 0.0)
        skipped, used = skipped + moved, used + moved
        going &= ~final
        have = np.where(going, have - room * fall, have)
        from_start = going & (start < stop) & (rest_start <= rest_stop)
        to_stop = going & ~from_start & (stop < last)
        going = (from_start | to_stop) & (have > enough)
        start, stop = start + from_start, stop + to_stop
        skipped, used = np.where(from_start, 0.0, skipped), np.where(to_stop, 0.0, used)
    return _remove(left, (start, stop), (skipped, used))


def _remove(
    left: np.ndarray,
    ends: tuple[np.ndarray, np.ndarray],
    masses: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Take what is between ``skipped`` of the first edge and ``used`` of the last."""
    (start, stop), (skipped, used) = ends, masses
    table, edge = np.arange(len(left)), np.arange(left.shape[1])
    between = (edge > start[:, None]) & (edge < stop[:, None])
    taken = np.where(between, left, 0.0)
    same = start == stop
    taken[table, stop] = used
    taken[table, start] = np.where(same, used, left[table, start]) - skipped
    left[between] = 0.0
    left[table, stop] -= np.where(same, used - skipped, used)
    left[table, start] = np.where(same, left[table, start], skipped)
    return taken
