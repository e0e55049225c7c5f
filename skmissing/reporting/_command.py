"""``python -m skmissing report``: from a file to a page."""

from __future__ import annotations

import argparse
import sys

import pandas as pd

from ._report import report
from ._spec import read_spec


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "table", help="a CSV file, compressed or not, or a Parquet file"
    )
    parser.add_argument("--label", required=True, help="column of the class labels")
    parser.add_argument(
        "--modalities", required=True, help="TOML file: the columns of each modality"
    )
    parser.add_argument("--out", required=True, help="HTML file to write")
    parser.add_argument("--title", default=None, help="title of the page")
    parser.add_argument("--seed", type=int, default=0, help="seed (default: 0)")
    parser.add_argument("--folds", type=int, default=3, help="folds (default: 3)")
    parser.add_argument(
        "--jobs", type=int, default=-1, help="fits at once (default: one per core)"
    )
    parser.add_argument(
        "--bootstraps", type=int, default=50, metavar="N",
        help="resamples for intervals; findings need 20 (default: 50)",
    )  # fmt: skip
    parser.add_argument(
        "--verbose", action="store_true", help="report each section when it begins"
    )


def run_command(options: argparse.Namespace) -> int:
    """Read, report and write; the exit code."""
    try:
        page = _write(options)
    except (ValueError, OSError, ImportError) as error:
        sys.stderr.write(f"skmissing report: {error}\n")
        return 2
    sys.stdout.write("".join(f"{sentence}\n" for sentence in page.findings))
    sys.stdout.write(f"Written to {options.out}\n")
    return 0


def _write(options: argparse.Namespace):
    table = _read(options.table)
    if options.label not in table:
        raise ValueError(
            f"Got label {options.label!r}, expected one of {list(table.columns)}."
        )
    spec = read_spec(options.modalities, table.columns, options.label)
    if spec.row_names is not None:
        table = table.set_index(spec.row_names, drop=False)
    elif spec.groups is not None:
        table = table.set_axis(_name_rows(table[spec.groups]), axis=0)
    left_out = [options.label, *spec.ignore, spec.groups, spec.weights, spec.row_names]
    X = table.drop(columns=[c for c in left_out if c is not None and c in table])
    page = report(
        None,
        X,
        table[options.label],
        modalities=spec.modalities,
        groups=None if spec.groups is None else table[spec.groups],
        sample_weight=None if spec.weights is None else table[spec.weights],
        cv=options.folds,
        n_bootstraps=options.bootstraps,
        verbose=int(options.verbose),
        title=options.title or f"{options.label} in {options.table}",
        n_jobs=options.jobs,
        random_state=options.seed,
    )
    page.to_html(options.out)
    return page


def _name_rows(groups: pd.Series) -> pd.Index:
    """The group of each row; rows of larger groups are numbered in it."""
    several = groups.map(groups.value_counts()) > 1
    number = (groups.groupby(groups).cumcount() + 1).astype(str)
    names = groups.astype(object)
    names = names.mask(several, groups.astype(str) + " (" + number + ")")
    return pd.Index(names, name=groups.name)


def _read(path: str) -> pd.DataFrame:
    if path.endswith((".parquet", ".pq")):
        return pd.read_parquet(path)
    return pd.read_csv(path)
