"""Answers of a fitted selector."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted

from .._estimation._classifier_mixin import MultimodalClassifierMixin
from .._estimation._rows import LabelledRows
from ..modalities._multimodal_data import MultimodalData
from ._held_out_rows import enough_held_out, feature_rows
from ._policy_search import (
    CALIBRATIONS,
    LEAST_HELD_OUT,
    MIN_REWARDS,
    MOST_HELD_OUT,
    MaskedRows,
)
from ._recoverer import Recoverer
from ._scores import log_softmax
from ._selection import Outcome, Policy, select
from ._statistics import StatisticsTable
from ._subset_model import Fuser

SELECTIONS = ("iterative", "simultaneous", "all", "none")
# Rows recovered and judged at once.
SELECT_ROWS = 1024


class SelectionMixin(MultimodalClassifierMixin):
    """Selection, with the policies of the estimator or others, and what it predicts."""

    # Policies are no data about rows: nothing routes them.
    __metadata_request__predict_proba = {
        "selection": UNUSED,
        "calibration": UNUSED,
        "min_reward": UNUSED,
    }
    __metadata_request__predict_log_proba = __metadata_request__predict_proba

    recovery: Any
    metric: str
    selection: str
    calibration: str | None
    calibration_: str | None
    statistics: str
    shrinkage: float
    min_rows: int
    reward: str
    min_reward: float | str
    min_reward_: float
    temperature: float
    ics: str
    classes_: np.ndarray
    modality_names_in_: np.ndarray
    _used: list[str]
    _fuser: Fuser
    _integers: frozenset[str]
    _recoverer: Recoverer
    _table: StatisticsTable

    def _policy(
        self,
        selection: str | None,
        calibration: str | None,
        min_reward: float | str = "fitted",
    ) -> Policy:
        selection = self.selection if selection is None else selection
        if selection not in SELECTIONS:
            raise ValueError(
                f"Got selection={selection!r}, expected one of {list(SELECTIONS)}."
            )
        if calibration == "fitted":
            calibration = self.calibration_
        if calibration not in CALIBRATIONS:
            raise ValueError(
                f"Got calibration={calibration!r}, expected 'fitted' or one of "
                f"{list(CALIBRATIONS)}."
            )
        if min_reward == "fitted":
            # A number that was set after fit is obeyed, as other settings are.
            auto = self.min_reward == "auto"
            min_reward = self.min_reward_ if auto else self.min_reward
        if not isinstance(min_reward, Real) or np.isnan(min_reward):
            raise ValueError(
                f"Got min_reward={min_reward!r}, expected 'fitted' or a number."
            )
        return Policy(selection, calibration, self.reward, float(min_reward))

    # -- fit ---------------------------------------------------------------------------

    def _fit_selection(
        self,
        rows: LabelledRows,
        held_out: np.ndarray,
        recovering: np.random.RandomState,
        drawing: np.random.RandomState,
        hiding: np.random.RandomState,
    ) -> None:
        """Recoveries, statistics and calibration of a net that is trained."""
        data = rows.data.select(self._used)
        # A class of weight 0 has no mean.
        something = data.present.any(axis=1) & (rows.weight > 0)
        training = np.flatnonzero(something & ~held_out)
        apart = np.flatnonzero(something & held_out)
        self._recoverer = Recoverer(self.recovery).fit(
            rows.data[training],
            self._used,
            self._integers,
            rows.weight[training],
            recovering,
        )
        self.recoveries_ = list(self._recoverer.fitted)
        centers = feature_rows(
            self._fuser, data[training], rows.y[training], rows.weight[training]
        )
        spreads = centers
        if enough_held_out(self.statistics, len(apart), len(rows.classes)):
            spreads = feature_rows(
                self._fuser, data[apart], rows.y[apart], rows.weight[apart]
            )
        self._table = StatisticsTable(
            len(self._used),
            len(rows.classes),
            self.metric,
            float(self.shrinkage),
            int(self.min_rows),
        ).fit(centers, spreads, drawing)
        self.prototypes_ = self._table.overall
        self._choose_policy(rows, data, apart, hiding)

    def _choose_policy(
        self,
        rows: LabelledRows,
        data: MultimodalData,
        apart: np.ndarray,
        rng: np.random.RandomState,
    ) -> None:
        """Calibration and least reward that rows held out ask for."""
        calibrate, bound = self.calibration == "auto", self.min_reward == "auto"
        self.calibration_ = CALIBRATIONS[0] if calibrate else self.calibration
        self.min_reward_ = MIN_REWARDS[0] if bound else float(self.min_reward)
        self.calibration_scores_: dict[str | None, float] = {}
        self.min_reward_scores_: dict[float, float] = {}
        # "all" and "none" judge nothing.
        judged = self.selection in ("iterative", "simultaneous")
        if len(apart) < LEAST_HELD_OUT or not judged or not (calibrate or bound):
            return
        index = rng.permutation(apart)[:MOST_HELD_OUT]
        masked = MaskedRows(
            data[index], rows.y[index], rows.weight[index],
            None if rows.groups is None else rows.groups[index], rng,
        )  # fmt: skip
        if not len(masked.data):
            return

        def logits(*policies: Policy) -> list[np.ndarray]:
            return [outcome.logits for outcome in self._run(masked.data, *policies)]

        if calibrate:
            policies = [self._policy(None, c) for c in CALIBRATIONS]
            self.calibration_, self.calibration_scores_ = masked.choose(
                CALIBRATIONS, logits(*policies)
            )
        if bound:
            policies = [self._policy(None, "fitted", r) for r in MIN_REWARDS]
            self.min_reward_, self.min_reward_scores_ = masked.choose(
                MIN_REWARDS, logits(*map(_in_short, policies))
            )

    # -- predict -----------------------------------------------------------------------

    def _run(self, data: MultimodalData, *policies: Policy) -> list[Outcome]:
        """Select for rows that have something, with the modalities in use.

        Rows are recovered and encoded once for all policies.
        """
        parts = [
            self._run_part(data[start : start + SELECT_ROWS], policies)
            for start in range(0, len(data), SELECT_ROWS)
        ]
        return [_joined(list(outcomes)) for outcomes in zip(*parts)]

    def _run_part(
        self, data: MultimodalData, policies: tuple[Policy, ...]
    ) -> list[Outcome]:
        present = data.present
        candidates = np.zeros_like(present)
        if any(policy.selection != "none" for policy in policies):
            data, candidates = self._recoverer.fill(data, self._integers)
        encoded = self._fuser.encode(data)

        def score(
            logits: np.ndarray, z: np.ndarray, masks: np.ndarray
        ) -> tuple[np.ndarray, np.ndarray]:
            return self._table.score(
                logits, z, masks, float(self.temperature), self.ics
            )

        return [select(encoded.fuse, score, present, candidates, p) for p in policies]

    def _usable(self, data: MultimodalData) -> np.ndarray:
        return data.present & np.array([name in self._used for name in data.names])

    def _log_proba(self, data: MultimodalData) -> np.ndarray:
        return self._log_proba_of(data, self._policy(None, "fitted"))

    def _log_proba_of(self, data: MultimodalData, policy: Policy) -> np.ndarray:
        return log_softmax(
            self._run(data.select(self._used), _in_short(policy))[0].logits
        )

    def predict_log_proba(
        self,
        X: Any,
        *,
        selection: str | None = None,
        calibration: str | None = "fitted",
        min_reward: float | str = "fitted",
    ) -> np.ndarray:
        """Log-probabilities of the classes.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any pattern of missing modalities. Rows without a usable modality get the
            class prior, with one warning.
        selection : {"iterative", "simultaneous", "all", "none"}, default=None
            In place of that of the estimator.
        calibration : {"fitted", "log", "ratio"} or None, default="fitted"
            In place of ``calibration_``, which is "fitted".
        min_reward : float or "fitted", default="fitted"
            In place of the parameter, or of ``min_reward_`` where that is "auto".

        Returns
        -------
        ndarray of float64 of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        check_is_fitted(self)
        policy = self._policy(selection, calibration, min_reward)
        return self._answer(X, lambda data: self._log_proba_of(data, policy))

    def predict_proba(
        self,
        X: Any,
        *,
        selection: str | None = None,
        calibration: str | None = "fitted",
        min_reward: float | str = "fitted",
    ) -> np.ndarray:
        """Probabilities of the classes.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any pattern of missing modalities. Rows without a usable modality get the
            class prior, with one warning.
        selection : {"iterative", "simultaneous", "all", "none"}, default=None
            In place of that of the estimator, to compare them on the same model.
        calibration : {"fitted", "log", "ratio"} or None, default="fitted"
            In place of ``calibration_``, which is "fitted".
        min_reward : float or "fitted", default="fitted"
            In place of the parameter, or of ``min_reward_`` where that is "auto".

        Returns
        -------
        ndarray of float64 of shape (n_samples, n_classes)
            Rows sum to 1; columns in the order of ``classes_``.
        """
        logs = self.predict_log_proba(
            X, selection=selection, calibration=calibration, min_reward=min_reward
        )
        proba = np.exp(logs)
        return proba / proba.sum(axis=1, keepdims=True)

    def select(
        self,
        X: Any,
        *,
        selection: str | None = None,
        calibration: str | None = "fitted",
        min_reward: float | str = "fitted",
    ) -> np.ndarray:
        """Which modalities each prediction is made from.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any pattern of missing modalities.
        selection : {"iterative", "simultaneous", "all", "none"}, default=None
            In place of that of the estimator.
        calibration : {"fitted", "log", "ratio"} or None, default="fitted"
            In place of ``calibration_``, which is "fitted".
        min_reward : float or "fitted", default="fitted"
            In place of the parameter, or of ``min_reward_`` where that is "auto".

        Returns
        -------
        ndarray of bool of shape (n_samples, n_modalities)
            Those that were there, if training rows had them, and those that were
            recovered and fused. Columns in the order of ``modality_names_in_``.
        """
        check_is_fitted(self)
        policy = _in_short(self._policy(selection, calibration, min_reward))
        out, outcome, rows = self._select_rows(X, policy)
        columns = [list(self.modality_names_in_).index(name) for name in self._used]
        if len(rows):
            out[np.ix_(rows, np.array(columns))] = outcome.fused
        return out

    def selection_report(
        self,
        X: Any,
        *,
        selection: str | None = None,
        calibration: str | None = "fitted",
        min_reward: float | str = "fitted",
    ) -> pd.DataFrame:
        """How every recovered modality was judged.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any pattern of missing modalities.
        selection : {"iterative", "simultaneous"}, default=None
            In place of that of the estimator. "all" and "none" judge nothing.
        calibration : {"fitted", "log", "ratio"} or None, default="fitted"
            In place of ``calibration_``, which is "fitted".
        min_reward : float or "fitted", default="fitted"
            In place of the parameter, or of ``min_reward_`` where that is "auto".

        Returns
        -------
        pandas.DataFrame
            One row for each candidate and round, with the columns

            row, step, modality
                Number of the row, of the round from 0, name of the candidate.
            reward, alpha
                R and the factor on the confidence.
            accepted
                Whether it was fused in this round.
            label_before, label_after
                Predicted label without and with it.
        """
        check_is_fitted(self)
        policy = self._policy(selection, calibration, min_reward)
        _, outcome, rows = self._select_rows(X, policy)
        columns = ["row", "step", "modality", "reward", "alpha", "accepted",
                   "label_before", "label_after"]  # fmt: skip
        if not len(rows) or not outcome.history:
            # Of the same types, so that the table can be filtered as any other.
            label = self.classes_[:0]
            empty: list[Any] = [int, int, object, float, float, bool]
            return pd.DataFrame(
                dict(zip(columns, [*(np.empty(0, t) for t in empty), label, label]))
            )
        parts = [np.concatenate(part) for part in zip(*outcome.history)]
        table = pd.DataFrame(dict(zip(columns, parts)))
        table["row"] = rows[table["row"]]
        table["modality"] = np.asarray(self._used, dtype=object)[parts[2]]
        for name in ("label_before", "label_after"):
            table[name] = self.classes_[table[name]]
        return table.sort_values(["row", "step"], kind="stable", ignore_index=True)

    def _select_rows(
        self, X: Any, policy: Policy
    ) -> tuple[np.ndarray, Outcome, np.ndarray]:
        """An empty answer, the outcome, and the rows that it is of."""
        data = self._check_rows(X)
        rows = np.flatnonzero(self._answerable(data))
        outcome = Outcome(np.empty((0, 0)), np.empty((0, 0), dtype=bool))
        if len(rows):
            with self._while_predicting():
                outcome = self._run(data[rows].select(self._used), policy)[0]
        return np.zeros(data.present.shape, dtype=bool), outcome, rows


def _in_short(policy: Policy) -> Policy:
    """The policy; if no reward is enough, one that does not ask for them."""
    if policy.min_reward == np.inf and policy.selection != "all":
        return replace(policy, selection="none")
    return policy


def _joined(parts: list[Outcome]) -> Outcome:
    """The outcome of all rows from those of equal parts of them."""
    history = []
    for i, part in enumerate(parts):
        for rows, *rest in part.history:
            history.append((rows + i * SELECT_ROWS, *rest))
    return Outcome(
        np.concatenate([p.logits for p in parts]),
        np.concatenate([p.fused for p in parts]),
        history,
    )
