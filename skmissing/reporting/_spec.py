"""Which columns of a table are which modality, from a TOML file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

KEYS = ("modalities", "groups", "weights", "ignore", "index")


class Spec(NamedTuple):
    """Columns by their part."""

    modalities: dict[str, list[str]]
    groups: str | None
    weights: str | None
    ignore: list[str]
    row_names: str | None


def read_spec(path, columns: pd.Index, label: str) -> Spec:
    """Read and check a file against the columns of a table.

    ``[modalities]`` has a list for each, of columns and of prefixes that end in ``*``;
    above it may stand ``groups``, ``weights``, ``index`` (a column each) and ``ignore``
    (a list). Columns named nowhere are covariates.
    """
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"Got {path}, expected a TOML file: {error}.") from error
    for key in content:
        if key not in KEYS:
            raise ValueError(f"Got the key {key!r} in {path}, expected some of {KEYS}.")
    given = content.get("modalities")
    if not isinstance(given, dict) or len(given) < 2:
        raise ValueError(
            f"Got no two modalities in {path}, expected a table [modalities] with "
            'lines such as labs = ["sodium", "blood_*"].'
        )
    single = {key: content.get(key) for key in ("groups", "weights", "index")}
    for key, name in single.items():
        if name is not None:
            _check_column(key, name, columns)
    ignore = _expand("ignore", content.get("ignore", []), columns)
    taken = {label: "the label", **dict.fromkeys(ignore, "ignore")}
    taken |= {name: key for key, name in single.items() if name is not None}
    modalities = {}
    for modality, patterns in given.items():
        modalities[modality] = _expand(modality, patterns, columns, set(taken))
        for column in modalities[modality]:
            if column in taken:
                raise ValueError(
                    f"Got the column {column!r} in {modality!r} and in "
                    f"{taken[column]!r}, expected it once."
                )
            taken[column] = modality
    return Spec(
        modalities, single["groups"], single["weights"], ignore, single["index"]
    )


def _check_column(where: str, name: Any, columns: pd.Index) -> None:
    if not isinstance(name, str) or name not in columns:
        raise ValueError(
            f"Got the column {name!r} in {where!r}, expected one of {list(columns)}."
        )


def _expand(
    where: str, patterns: Any, columns: pd.Index, taken: set[str] | None = None
) -> list[str]:
    """Columns, and those that begin with a prefix and stand nowhere else."""
    if isinstance(patterns, str):
        patterns = [patterns]
    if not isinstance(patterns, list):
        raise ValueError(f"Got {patterns!r} in {where!r}, expected a list of columns.")
    out: dict[str, None] = {}
    for pattern in patterns:
        if (
            isinstance(pattern, str)
            and pattern.endswith("*")
            and pattern not in columns
        ):
            found = [c for c in columns if str(c).startswith(pattern[:-1])]
            found = [c for c in found if c not in (taken or ())]
            if not found:
                raise ValueError(
                    f"Got the prefix {pattern!r} in {where!r}, expected columns of the "
                    "table that begin with it."
                )
            out |= dict.fromkeys(found)
        else:
            _check_column(where, pattern, columns)
            out[pattern] = None
    return list(out)
