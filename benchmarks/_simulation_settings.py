"""Settings of ``skmissing.datasets.make_simulation`` in the published experiment."""

from __future__ import annotations

from skmissing.datasets._simulation import setting_name

# The loop of the published experiment compares sums of floating point numbers and so
# loses these six points of the grid, (first, second) share in tenths.
LOST = {(3, 7), (4, 6), (6, 4), (7, 3), (8, 2), (9, 1)}


def simulation_settings(full: bool = False) -> list[str]:
    """The 60 settings of the experiment, or all 66, in the order of the grid."""
    return [
        setting_name(a, b)
        for a in range(11)
        for b in range(11 - a)
        if full or (a, b) not in LOST
    ]
