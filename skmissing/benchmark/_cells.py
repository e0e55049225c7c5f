"""Cells: one estimator fitted on one task, with its predictions in a file."""

from __future__ import annotations

import inspect
import json
import os
import time
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.model_selection import ParameterSampler, train_test_split
from threadpoolctl import threadpool_limits

from .. import __version__
from .._estimation._inner_estimators import (
    FlatTable,
    accepts_nan,
    clone_seeded,
    fit_weighted,
    takes_multimodal,
)
from ..modalities import MultimodalData
from ._estimators import Entry
from ._scores import log_loss
from ._tasks import Task, make_task

# Raised when the protocol changes, so that no file of an older one is used.
PROTOCOL = 1
# Development versions of a release share files with it.
RELEASE = __version__.partition(".dev")[0]
VALIDATION = 0.25


@dataclass(frozen=True)
class Cell:
    """What to fit on what, and where its predictions are kept."""

    estimator: str
    entry: Entry
    dataset: str
    make_data: Any
    mechanism: str
    hide: Any
    seed: int
    n_trials: int

    @property
    def label(self) -> str:
        """Name of the row in tables."""
        return f"{self.estimator} (tuned)" if self.n_trials else self.estimator

    def path(self, cache: Path) -> Path:
        """File of the predictions; another setting has another name."""
        model = self.entry.make()
        tuned = (self.n_trials, self.entry.space) if self.n_trials else 0
        settings: tuple[Any, ...] = (
            PROTOCOL, RELEASE, type(model).__qualname__,
            model.get_params(deep=True), tuned, source_of(type(model)),
            source_of(self.make_data), source_of(self.hide),
        )  # fmt: skip
        if self.entry.source:
            settings = (*settings, self.entry.source)
        where = cache / self.dataset / self.mechanism / f"seed{self.seed}"
        return where / f"{slug(self.label)}-{joblib.hash(settings)[:12]}.npz"

    def run(self, cache: Path) -> Path:
        """Fit and predict, unless the file is there."""
        path = self.path(cache)
        if not path.exists():
            arrays = self._compute()
            path.parent.mkdir(parents=True, exist_ok=True)
            # Written whole or not at all, so that interrupted runs can go on.
            part = path.with_suffix(f".{os.getpid()}.part")
            with part.open("wb") as file:
                np.savez_compressed(file, **arrays)
            part.replace(path)
        return path

    def _compute(self) -> dict[str, Any]:
        """Predictions of each condition, and what they are of."""
        name = f"{self.dataset}/{self.mechanism}"
        task = make_task(
            cached_data(self.make_data, self.seed), self.hide, self.seed, name
        )
        meta: dict[str, Any] = {
            "estimator": self.label, "dataset": self.dataset,
            "mechanism": self.mechanism, "seed": self.seed,
            "modalities": task.X.names, "n_train": len(task.X), "error": None,
        }  # fmt: skip
        arrays: dict[str, Any] = {}
        start = time.process_time()
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore")
            try:
                model = self._fit(task)
                meta["fit_seconds"] = time.process_time() - start
                proba = {k: model.predict_proba(t.X) for k, t in task.tests.items()}
            except Exception as error:
                # An estimator that fails is a result like others.
                meta["error"] = f"{type(error).__name__}: {error}"
                meta.setdefault("fit_seconds", time.process_time() - start)
                blank = np.full(task.n_classes, np.nan)
                proba = {
                    k: np.tile(blank, (len(t.y), 1)) for k, t in task.tests.items()
                }
        meta["seconds"] = time.process_time() - start
        for condition, test in task.tests.items():
            arrays[f"{condition}/proba"] = proba[condition].astype(np.float32)
            arrays[f"{condition}/y"] = test.y.astype(np.int16)
            arrays[f"{condition}/present"] = np.asarray(test.X.present)
        return {"meta": json.dumps(meta), **arrays}

    def _fit(self, task: Task) -> FittedOnTask:
        """Fit with the defaults, or with the best of some settings drawn at random."""
        template = self.entry.make()
        best: dict[str, Any] = {}
        if self.n_trials and self.entry.space:
            best = self._search(template, task)
        template = template.set_params(**best)
        return FittedOnTask(template, task)

    def _search(self, template, task: Task) -> dict[str, Any]:
        """The settings with the least log-loss on a part of the training rows."""
        drawn = ParameterSampler(
            self.entry.space, self.n_trials - 1, random_state=task.seed
        )
        fit, held = train_test_split(
            np.arange(len(task.y)), test_size=VALIDATION, random_state=task.seed
        )
        losses = []
        # The defaults are the first trial.
        trials = [{}, *drawn]
        for params in trials:
            given = clone_seeded(template, task.seed).set_params(**params)
            model = FittedOnTask(given, task.take(fit))
            losses.append(log_loss(model.predict_proba(task.X[held]), task.y[held]))
        return trials[int(np.nanargmin(losses))]


class FittedOnTask:
    """An estimator fitted on blocks, or on the flat table if it knows of no blocks."""

    def __init__(self, template, task: Task) -> None:
        self.n_classes = task.n_classes
        self.model = clone_seeded(template, task.seed)
        threads = {k: 1 for k in self.model.get_params() if k.endswith("n_threads")}
        self.model.set_params(**threads)
        self.table = None
        if not takes_multimodal(self.model):
            table = FlatTable(task.X.names, accepts_nan(self.model))
            self.table = table.fit(task.X, np.ones(len(task.X)))
        every = np.ones(len(task.X))
        fit_weighted(self.model, self._read(task.X), task.y, every, task.groups)

    def _read(self, X: MultimodalData) -> Any:
        return X if self.table is None else self.table.transform(X)

    def predict_proba(self, X: MultimodalData) -> np.ndarray:
        """Probabilities of all classes of the task."""
        out = np.zeros((len(X), self.n_classes))
        out[:, self.model.classes_] = self.model.predict_proba(self._read(X))
        return out


@lru_cache(maxsize=2)
def cached_data(make_data, seed: int):
    """The data set, made once for the cells that follow each other."""
    return make_data(seed)


def slug(label: str) -> str:
    """A label as a part of file names."""
    return "".join(c if c.isalnum() else "_" for c in label)


def source_of(thing) -> str:
    """Code of what users bring, so that a change of it is a change of the method."""
    name = getattr(thing, "__qualname__", repr(thing))
    if (thing.__module__ or "").partition(".")[0] in ("skmissing", "sklearn"):
        return name
    try:
        return inspect.getsource(thing)
    except (OSError, TypeError):
        return name
