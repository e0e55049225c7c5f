"""Names of the settings of :func:`make_simulation`."""

from __future__ import annotations

from typing import Any

from .._utils._sklearn_compat import validate_params

# The loop of the published experiment compares sums of floating point numbers and so
# loses these six points of the grid, (first, second) share in tenths.
_LOST = {(3, 7), (4, 6), (6, 4), (7, 3), (8, 2), (9, 1)}


@validate_params({"full": ["boolean"]}, prefer_skip_nested_validation=True)
def simulation_settings(full: bool = False) -> list[str]:
    """List the settings that :func:`make_simulation` offers.

    A setting ``causal_{r1}_{r2}_{rc}`` says which share of the label's causes stands
    in the part that only x1 has, that only x2 has, and that both have.

    Parameters
    ----------
    full : bool, default=False
        All 66 points of the grid, not only the 60 of the published experiment.

    Returns
    -------
    list of str
        Names, in the order of the grid.

    See Also
    --------
    make_simulation : Generates the data of one setting.

    Examples
    --------
    >>> from skmissing.datasets import simulation_settings
    >>> names = simulation_settings()
    >>> len(names), names[0], names[-1]
    (60, 'causal_0.0_0.0_1.0', 'causal_1.0_0.0_0.0')
    """
    return [
        setting_name(a, b)
        for a in range(11)
        for b in range(11 - a)
        if full or (a, b) not in _LOST
    ]


def setting_name(a: int, b: int) -> str:
    """Name of the setting with shares of a and b tenths."""
    return f"causal_{a / 10:.1f}_{b / 10:.1f}_{(10 - a - b) / 10:.1f}"


def parse_setting(setting: Any) -> tuple[int, int]:
    """Shares of a setting in tenths."""
    if isinstance(setting, str):
        for a in range(11):
            for b in range(11 - a):
                if setting == setting_name(a, b):
                    return a, b
    elif len(setting) == 3:
        try:
            tenths = [10.0 * float(ratio) for ratio in setting]
        except (TypeError, ValueError):
            tenths = [-1.0]
        whole = [round(ratio) for ratio in tenths]
        close = all(abs(t - w) < 1e-6 for t, w in zip(tenths, whole))
        if close and min(whole) >= 0 and sum(whole) == 10:
            return whole[0], whole[1]
    raise ValueError(
        f"Got setting={setting!r}, expected a name from simulation_settings(full=True) "
        "or three non-negative multiples of 0.1 that sum to 1."
    )
