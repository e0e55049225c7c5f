"""Command line: ``python -m skmissing.benchmark run my_estimator.py``."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from ._leaderboard import CELL, leaderboard
from ._run import (
    CACHE,
    DEFAULT_MECHANISMS,
    DEFAULT_SEEDS,
    SCORES,
    list_entries,
    load_scores,
    run,
)
from ._scores import METRICS

try:
    from cloudpickle import register_pickle_by_value
except ImportError:
    # joblib below 1.6 brings its own.
    from joblib.externals.cloudpickle import register_pickle_by_value

SHOWN = 4
# Behind the label of a row that is compared with those of the package.
OURS = " *"


def main(arguments: list[str] | None = None) -> int:
    """Run estimators, or show what is known of those of the package."""
    options = _read_options(arguments)
    if options.command == "leaderboard":
        scores = load_scores() if options.scores is None else _read_scores(options)
        shown = scores
    else:
        shown = ours = _run(options)
        if options.command == "publish":
            _publish(ours, Path(__file__).with_name(SCORES), options.add)
        if options.save is not None:
            ours.to_csv(options.save, index=False)
        scores = ours if options.alone else _beside(ours)
    if scores["estimator"].nunique() < 2:
        columns = [*CELL, *METRICS]
        sys.stdout.write(f"{scores[columns].round(SHOWN).to_string(index=False)}\n")
        return 0
    table = leaderboard(scores, metric=options.metric)
    sys.stdout.write(f"{table.round(SHOWN).to_string(index=False)}\n")
    attrs = table.attrs
    sys.stdout.write(
        f"{attrs['n_datasets']} data sets, {attrs['metric']}; mean ranks differ by "
        f"{attrs['critical_difference']:.2f} or more at level {attrs['alpha']}\n"
    )
    if table["estimator"].str.endswith(OURS).any():
        sys.stdout.write(f"{OURS.strip()} from {options.file}\n")
    if shown["seed"].nunique() == shown["mechanism"].nunique() == 1:
        sys.stdout.write(
            "one mechanism and seed: no standard error within a data set, so that "
            "wins and losses are counted as ties\n"
        )
    return 0


def _read_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m skmissing.benchmark", description=__doc__
    )
    commands = parser.add_subparsers(dest="command", required=True)
    board = commands.add_parser("leaderboard", help="show the table")
    board.add_argument("scores", nargs="*", help="CSV files of run --save")
    run_ = commands.add_parser("run", help="fit the estimators of a file")
    run_.add_argument("file", help="Python file with ESTIMATORS, a dict")
    run_.add_argument(
        "--alone", action="store_true", help="compare without the package's rows"
    )
    publish = commands.add_parser("publish", help="renew the scores of the package")
    for sub in (run_, publish):
        sub.add_argument("--datasets", nargs="+")
        sub.add_argument("--mechanisms", nargs="+", default=list(DEFAULT_MECHANISMS))
        sub.add_argument("--seeds", type=int, help="number of seeds")
        sub.add_argument("--first-seed", type=int, default=0)
        sub.add_argument("--n-trials", type=int, default=0)
        sub.add_argument("--n-jobs", type=int, default=2)
        sub.add_argument("--cache", default=CACHE)
        sub.add_argument("--save", help="CSV file for the scores")
    for sub in (board, run_, publish):
        sub.add_argument("--metric", choices=list(METRICS), default="accuracy")
    publish.add_argument(
        "--add", action="store_true", help="keep the scores of cells that are not run"
    )
    publish.set_defaults(file=None, alone=True)
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace) -> pd.DataFrame:
    """Scores of the estimators of a file; of the package's without one."""
    brought = ModuleType("none") if options.file is None else _load(Path(options.file))
    estimators = getattr(brought, "ESTIMATORS", None)
    if estimators is not None:
        source = Path(options.file).read_text(encoding="utf-8")
        entries = list_entries(estimators, getattr(brought, "SPACES", {}))
        estimators = {k: replace(entry, source=source) for k, entry in entries.items()}
    n_seeds = options.seeds
    if n_seeds is None:
        # Others could not be compared.
        known = load_scores()["seed"].nunique()
        n_seeds = DEFAULT_SEEDS if options.file is None else known
    return run(
        estimators,
        _extend("datasets", options.datasets, brought),
        _extend("mechanisms", options.mechanisms, brought),
        range(options.first_seed, options.first_seed + n_seeds),
        n_trials=options.n_trials,
        cache=options.cache,
        n_jobs=options.n_jobs,
    )


def _extend(what: str, names: list[str] | None, brought: ModuleType) -> Any:
    """The names asked for; those that the file brings by their objects."""
    from . import _datasets, _mechanisms

    known: dict[str, dict[str, Any]] = {
        "datasets": _datasets.DATASETS,
        "mechanisms": _mechanisms.MECHANISMS,
    }
    own = getattr(brought, what.upper(), {})
    if not own:
        return names
    every = known[what] | own
    return {n: every[n] for n in names} if names else every


def _load(path: Path) -> ModuleType:
    """Import a file, so that worker processes get what it defines."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.exists():
        raise SystemExit(f"Got the file {path}, expected a Python file that exists.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    if not getattr(module, "ESTIMATORS", None):
        raise SystemExit(
            f"Got no estimators in {path}, expected ESTIMATORS = {{label: estimator}}."
        )
    register_pickle_by_value(module)
    return module


def _beside(ours: pd.DataFrame) -> pd.DataFrame:
    """With the package's scores; just ours where these have no such cells."""
    theirs = load_scores()
    known = pd.MultiIndex.from_frame(theirs[CELL])
    if not pd.MultiIndex.from_frame(ours[CELL]).isin(known).any():
        return ours
    ours = ours.assign(estimator=ours["estimator"] + OURS)
    return pd.concat([theirs, ours], ignore_index=True)


def _read_scores(options: argparse.Namespace) -> pd.DataFrame:
    given = [pd.read_csv(path) for path in options.scores]
    return pd.concat([load_scores(), *given], ignore_index=True)


def _publish(scores: pd.DataFrame, path: Path, add: bool) -> None:
    """Write the file of the package's scores."""
    new = scores.drop(columns="error").round(SHOWN)
    if add:
        every = pd.concat([load_scores(), new], ignore_index=True)
        new = every.drop_duplicates([*CELL, "estimator"], keep="last")
    # Without a time, the same scores are the same bytes.
    new.to_csv(path, index=False, compression={"method": "gzip", "mtime": 0})


if __name__ == "__main__":
    raise SystemExit(main())
