"""Run estimators on the tasks of the benchmark."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from functools import partial
from importlib import resources
from numbers import Integral
from pathlib import Path
from typing import Any

import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import clone

from .._utils._tables import ResultTable
from .._utils._warn import warn_user
from ..exceptions import FailedCellWarning
from ._cells import Cell
from ._datasets import DATASETS
from ._estimators import ESTIMATORS, Entry
from ._mechanisms import MECHANISMS
from ._scores import score_files

DEFAULT_MECHANISMS = ("none", "mcar", "transplanted")
DEFAULT_SEEDS = 3
CACHE = "skmissing-benchmark"
SCORES = "scores.csv.gz"


def run(
    estimators=None,
    datasets=None,
    mechanisms=DEFAULT_MECHANISMS,
    seeds: int | Iterable[int] = DEFAULT_SEEDS,
    *,
    n_trials: int = 0,
    spaces: Mapping[str, Mapping[str, Any]] | None = None,
    by_pattern: bool = False,
    cache: str | Path = CACHE,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> pd.DataFrame:
    """Fit estimators on every data set, mechanism and seed, and score them.

    Each combination is a cell. Its predictions are stored in a file, so that finished
    fits, also those of an interrupted run, are not repeated.

    Parameters
    ----------
    estimators : dict of str to classifier, or list of str, default=None
        Classifiers by the label of their row. Those that know modalities get them,
        others the flat table, with NaN if their tags allow it and means else. Names
        stand for rows that the package has. None: all of these.
    datasets : dict of str to callable, or list of str, default=None
        Functions of a seed to blocks (a dict of arrays or a
        :class:`~skmissing.MultimodalData`), labels, and groups or None; names stand for
        those of the package. None: all of these.
    mechanisms : dict of str to callable, or list of str, \
default=("none", "mcar", "transplanted")
        Functions of the data, labels and a seed to a bool array of the blocks to hide.
        The package has these three, "unbalanced", "mar", "mar_label" and "mnar".
    seeds : int or iterable of int, default=3
        Seeds, or their number. A seed settles split, hidden blocks and estimators.
    n_trials : int, default=0
        0: default parameters. Else settings tried for each estimator on a fourth of
        its training rows, the default first and the others drawn from its space; the
        row is then labelled "(tuned)".
    spaces : dict of str to dict, default=None
        What to draw from for estimators of your own, as for
        :class:`~sklearn.model_selection.ParameterSampler`.
    by_pattern : bool, default=False
        Return a row for each pattern of present modalities.
    cache : str or Path, default="skmissing-benchmark"
        Folder of the files.
    n_jobs : int, default=None
        Cells at once, by joblib. Each uses one thread.
    verbose : int, default=0
        Passed to joblib.

    Returns
    -------
    pandas.DataFrame
        One row for each cell and test condition, with ``estimator``, ``dataset``,
        ``mechanism``, ``seed``, ``condition``, ``n_rows``, the metrics ``accuracy``,
        ``log_loss``, ``auc`` and ``brier``, ``worst_pattern`` with the least
        ``worst_accuracy`` of those with 30 rows, ``seconds`` of processor time, and
        ``error`` of an estimator that failed, whose scores are NaN.

    Raises
    ------
    ValueError
        For unknown names and numbers out of range.

    Warns
    -----
    FailedCellWarning
        For estimators that fail on some cells.

    See Also
    --------
    leaderboard : Compares the estimators.
    load_scores : Scores of the package's own rows.

    Examples
    --------
    >>> import tempfile
    >>> from skmissing.baselines import PatternClassifier
    >>> from skmissing.benchmark import run
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     scores = run(
    ...         {"mine": PatternClassifier()}, ["breast_cancer"], ["mcar"], 1,
    ...         cache=folder,
    ...     )
    >>> scores["condition"].tolist()
    ['as trained', 'complete', 'one left', 'unseen pattern']
    """
    if not isinstance(n_trials, Integral) or n_trials < 0:
        raise ValueError(f"Got n_trials={n_trials!r}, expected an integer from 0 on.")
    cells = [
        Cell(*row, *data, *hide, seed, int(n_trials))
        for data, hide, seed, row in itertools.product(
            _choose("datasets", datasets, DATASETS).items(),
            _choose("mechanisms", mechanisms, MECHANISMS).items(),
            _list_seeds(seeds),
            list_entries(estimators, spaces or {}).items(),
        )
    ]
    paths = Parallel(n_jobs, verbose=verbose)(
        delayed(cell.run)(Path(cache)) for cell in cells
    )
    scores = score_files(paths, by_pattern)
    if "error" in scores:
        _warn_failed(scores)
    return scores


def load_scores() -> pd.DataFrame:
    """Scores of the package's rows on the default selection, as ``run`` returns.

    Returns
    -------
    pandas.DataFrame
        Scores without ``error``; made by ``python -m skmissing.benchmark publish``.

    Examples
    --------
    >>> from skmissing.benchmark import load_scores
    >>> bool((load_scores()["estimator"] == "pattern models").any())
    True
    """
    file = resources.files("skmissing.benchmark") / SCORES
    with resources.as_file(file) as path:
        return ResultTable(pd.read_csv(path))


def _choose(parameter: str, given, known: Mapping[str, Any]) -> dict[str, Any]:
    """Objects by name."""
    if given is None:
        return dict(known)
    if isinstance(given, Mapping):
        return dict(given)
    names = [given] if isinstance(given, str) else list(given)
    if not names or not set(names) <= set(known):
        raise ValueError(
            f"Got {given!r} in {parameter}, expected some of {list(known)}, or a dict."
        )
    return {name: known[name] for name in names}


def list_entries(
    estimators, spaces: Mapping[str, Mapping[str, Any]]
) -> dict[str, Entry]:
    """Rows by label."""
    given = _choose("estimators", estimators, ESTIMATORS)
    return {
        label: thing
        if isinstance(thing, Entry)
        else Entry(partial(clone, thing), spaces.get(label, {}))
        for label, thing in given.items()
    }


def _list_seeds(seeds: int | Iterable[int]) -> list[int]:
    chosen: Any = range(int(seeds)) if isinstance(seeds, Integral) else seeds
    found = [int(seed) for seed in chosen]
    if not found:
        raise ValueError(f"Got seeds={seeds!r}, expected at least one seed.")
    return found


def _warn_failed(scores: pd.DataFrame) -> None:
    failed = scores[scores["error"].notna()]
    for label, rows in failed.groupby("estimator", sort=False):
        n = len(rows.drop_duplicates(["dataset", "mechanism", "seed"]))
        warn_user(
            f"Got errors from {label!r} in {n} cells, the first of them: "
            f"{rows['error'].iloc[0]}",
            FailedCellWarning,
        )
