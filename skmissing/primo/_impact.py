"""How much a missing modality could change predictions."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import BayesianGaussianMixture
from sklearn.utils.validation import check_is_fitted

from .._utils._checks import is_count
from ..modalities._multimodal_data import MultimodalData
from ..modalities._validation import check_multimodal
from ..nn._base import BaseNetClassifier
from ._module import Summary, make_noise, summarise


class BaseImpactClassifier(BaseNetClassifier):
    """Classifier with draws of a latent vector, and what they indicate."""

    n_draws: int
    latent_dim: int
    _noise_seed: int

    def sample_proba(self, X, n_draws: int | None = None) -> np.ndarray:
        """Class probabilities for each draw of the latent vector.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n rows
            Any pattern of missing modalities.
        n_draws : int, default=None
            Number of draws. None: ``n_draws`` of the estimator. The first of more
            draws are those of fewer.

        Returns
        -------
        ndarray of float64 of shape (n, n_draws, n_classes)
            Draw k is the same for all rows. NaN in rows without a usable modality.
            Takes 8 bytes for each value; ``predict_proba`` needs none of it at once.
        """
        data, usable = self._read(X)
        noise = self._noise(self._check_n_draws(n_draws))
        out = np.full((len(data), len(noise), len(self.classes_)), np.nan)

        def every(module, batch):
            return torch.cat(list(module.samples(batch, noise))).exp()

        if usable.any():
            with self._while_predicting():
                out[usable] = self._fitted.apply(data[usable], every)
        return out

    def predictive_impact(
        self,
        X,
        *,
        modality: str | Sequence[str] | None = None,
        n_draws: int | None = None,
    ) -> pd.DataFrame:
        """How far predictions could move if a modality were available.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n rows
            Any pattern of missing modalities.
        modality : str or sequence of str, default=None
            Which ones. None: each in turn.
        n_draws : int, default=None
            Number of draws. None: ``n_draws`` of the estimator.

        Returns
        -------
        pandas.DataFrame
            One row for each row of X and modality, with the columns

            row, modality
                Number of the row, name of the modality.
            v_missing
                V with the modality hidden: the mean total variation distance between
                the prediction of a draw and their average, from 0 to 1. Of everything
                missing together: others that are missing count too. NaN where the row
                has no other modality.
            v_complete
                V with it, NaN where it is missing.
            gap
                ``v_missing - v_complete``: what the modality settles. What stays when
                it arrives is left out, but label noise makes the gap smaller than the
                move of the prediction. May be negative in single rows.
            v_relative
                ``v_missing`` as a share of its bound ``1 - sum(p ** 2)`` for the mean
                prediction p; 0 where the bound is.
            mutual_information
                Of label and latent vector with the modality hidden, in nats.
            mc_error
                Monte Carlo standard error of ``v_missing``.
        """
        data, _ = self._read(X)
        names = self._check_names(modality, data.names)
        n_draws = self._check_n_draws(n_draws)
        full = self._summaries(data, n_draws)
        tables = []
        for name in names:
            hidden = self._summaries(data.hide(name), n_draws)
            present = data.present[:, data.names.index(name)]
            bound = 1.0 - np.square(hidden.mean).sum(axis=1)
            # Rounding leaves a sure prediction a bound of 1e-16, not 0.
            sure = bound < 1e-12
            relative = np.where(sure, 0.0, hidden.v / np.where(sure, 1.0, bound))
            complete = np.where(present, full.v, np.nan)
            tables.append(
                pd.DataFrame(
                    {
                        "row": np.arange(len(data)),
                        "modality": name,
                        "v_missing": hidden.v,
                        "v_complete": complete,
                        "gap": hidden.v - complete,
                        "v_relative": np.where(np.isnan(hidden.v), np.nan, relative),
                        "mutual_information": hidden.information,
                        "mc_error": hidden.v_error,
                    }
                )
            )
        return pd.concat(tables, ignore_index=True)

    def acquisition_order(self, X, modality: str) -> np.ndarray:
        """Rows without a modality, by how much it could change their prediction.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n rows
            Any pattern of missing modalities.
        modality : str
            The modality that could be acquired.

        Returns
        -------
        ndarray of int of shape (n_missing,)
            Numbers of the rows without it, the largest V first. Rows without any
            modality come last.

        Notes
        -----
        V is that of everything which is missing from a row. Where other modalities are
        missing too, it is not what this one alone could change, and it is the same for
        each of them: to rank by one modality, pass the rows in which only that one is
        missing, ``X[X.present.sum(axis=1) == len(X.names) - 1]`` of a container.
        """
        data, _ = self._read(X)
        if not isinstance(modality, str):
            raise ValueError(
                f"Got modality={modality!r}, expected one of {data.names}."
            )
        (name,) = self._check_names(modality, data.names)
        missing = np.flatnonzero(~data.present[:, data.names.index(name)])
        if not len(missing):
            return missing
        v = self._summaries(data[missing], self.n_draws).v
        return missing[np.argsort(-np.nan_to_num(v, nan=-1.0), kind="stable")]

    def distance_to_references(
        self, X, *, modality: str | Sequence[str], unimodal, multimodal
    ) -> pd.DataFrame:
        """Distance of mean predictions from those of reference models.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n rows
            Complete rows; others get NaN.
        modality : str or sequence of str
            What is hidden for the comparison with ``unimodal``.
        unimodal, multimodal : classifier
            Fitted, for a :class:`~skmissing.MultimodalData`, with ``predict_proba`` and
            the same classes: trained without the modality, and with all.

        Returns
        -------
        pandas.DataFrame
            Columns ``row``, ``missing`` and ``complete``: total variation distance of
            the mean prediction from that of ``unimodal`` on X without the modality, and
            of ``multimodal`` on X. The distance between two models of the same kind
            with different seeds is the floor to compare with.
        """
        data, _ = self._read(X)
        names = self._check_names(modality, data.names)
        out: dict[str, np.ndarray] = {"row": np.arange(len(data))}
        rows = np.flatnonzero(data.present.all(axis=1))
        for column, reference, part in (
            ("missing", unimodal, data.hide(names)),
            ("complete", multimodal, data),
        ):
            if not np.array_equal(reference.classes_, self.classes_):
                raise ValueError(
                    f"Got a reference model with the classes "
                    f"{np.asarray(reference.classes_).tolist()}, expected "
                    f"{self.classes_.tolist()}."
                )
            own = self.predict_proba(part[rows])
            # A reference may know no more than the modalities that it was fitted on.
            known = getattr(reference, "modality_names_in_", data.names)
            seen = part.select([name for name in data.names if name in known])
            distance = np.abs(own - reference.predict_proba(seen[rows])).sum(axis=1)
            out[column] = np.full(len(data), np.nan)
            out[column][rows] = 0.5 * distance
        return pd.DataFrame(out)

    def plausible_labels(
        self, X, *, method: str = "mixture", n_draws: int | None = None
    ) -> pd.DataFrame:
        """Labels that remain plausible, and the share of the draws that predict each.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n rows
            Any pattern of missing modalities.
        method : {"mixture", "argmax"}, default="mixture"
            "mixture": the centred logits of the draws are clustered by a
            Dirichlet-process mixture, a cluster predicts its most probable label, and
            the weights of clusters are summed by label; about 0.05 s for each row.
            "argmax": the share of draws that predict each label; instant.
        n_draws : int, default=None
            Number of draws. None: ``n_draws`` of the estimator.

        Returns
        -------
        pandas.DataFrame
            Columns ``row``, ``label`` and ``weight``, one row for each row of X and
            label with a positive weight, the largest first. Weights of a row sum to 1.
            The number of clusters is not reported: it is 4 to 6 even where all of them
            predict the same. Rows without a usable modality have no entry.
        """
        if method not in ("mixture", "argmax"):
            raise ValueError(f"Got method={method!r}, expected 'mixture' or 'argmax'.")
        data, usable = self._read(X)
        records = []
        # One row at a time: all draws of all rows may not fit into memory.
        for row in np.flatnonzero(usable):
            logs = np.log(
                np.maximum(
                    self.sample_proba(data[row : row + 1], n_draws)[0],
                    np.finfo(np.float64).tiny,
                )
            )
            weight = label_weights(logs, method, self._noise_seed)
            order = np.argsort(-weight, kind="stable")
            records += [
                (row, self.classes_[c], weight[c]) for c in order if weight[c] > 0
            ]
        return pd.DataFrame(records, columns=["row", "label", "weight"])

    # -- helpers -----------------------------------------------------------------------

    def _read(self, X) -> tuple[MultimodalData, np.ndarray]:
        """X as in fit, and which of its rows can be predicted."""
        check_is_fitted(self)
        data = check_multimodal(self, X, self.modalities, reset=False)
        return data, self._answerable(data)

    def _noise(self, n_draws: int):
        return make_noise(self._noise_seed, int(n_draws), int(self.latent_dim))

    def _check_n_draws(self, n_draws: int | None) -> int:
        n = self.n_draws if n_draws is None else n_draws
        if not is_count(n):
            raise ValueError(f"Got n_draws={n!r}, expected a positive integer.")
        return int(n)

    def _check_names(self, modality, names: list[str]) -> list[str]:
        """The modalities asked for, each once, in the order given."""
        if modality is None:
            return names
        single = isinstance(modality, (str, Integral))
        chosen: list[Any] = list(dict.fromkeys([modality] if single else modality))
        if not chosen or not set(chosen) <= set(names):
            raise ValueError(
                f"Got modality={modality!r}, expected some of the modalities {names}."
            )
        return chosen

    def _summaries(self, data: MultimodalData, n_draws: int) -> Summary:
        """Summary of the draws of each row, NaN in rows without a usable modality."""
        usable = self._answerable(data)
        out = np.full((len(data), Summary.n_columns(len(self.classes_))), np.nan)
        if usable.any():
            noise = self._noise(n_draws)

            def summaries(module, batch):
                parts = [summarise(p) for p in module.samples(batch, noise)]
                return torch.cat([part.columns() for part in parts])

            with self._while_predicting():
                out[usable] = self._fitted.apply(
                    data if usable.all() else data[usable], summaries
                )
        return Summary.from_columns(out)


# Below this share a component of the mixture is one that the fit has emptied.
SMALLEST = 0.02


def label_weights(log_proba: np.ndarray, method: str, seed: int) -> np.ndarray:
    """Share of the draws that predict each label."""
    n_draws, n_classes = log_proba.shape
    predicted = log_proba.argmax(axis=1)
    if method == "argmax" or n_draws < 20:
        return np.bincount(predicted, minlength=n_classes) / n_draws
    # Logits are defined up to a shift.
    logits = log_proba - log_proba.mean(axis=1, keepdims=True)
    if np.ptp(logits, axis=0).max() < 1e-9:
        return np.bincount(predicted, minlength=n_classes) / n_draws
    # Centred logits lie in a plane, so that full covariances are singular.
    mixture = BayesianGaussianMixture(
        n_components=min(10, n_draws // 10),
        covariance_type="diag",
        weight_concentration_prior_type="dirichlet_process",
        weight_concentration_prior=1e-2,
        reg_covar=1e-2,
        max_iter=200,
        random_state=seed,
    )
    with warnings.catch_warnings():
        # What matters is which draws are together, not the last digits of the fit.
        warnings.simplefilter("ignore", ConvergenceWarning)
        cluster = mixture.fit_predict(logits)
    weight = np.zeros(n_classes)
    proba = np.exp(log_proba)
    for k, share in enumerate(mixture.weights_):
        members = cluster == k
        if share < SMALLEST or not members.any():
            continue
        weight[proba[members].mean(axis=0).argmax()] += share
    return weight / weight.sum()
