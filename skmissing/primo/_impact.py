"""How much a missing modality could change predictions."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.utils.validation import check_is_fitted

from ..modalities._multimodal_data import MultimodalData
from ..modalities._validation import check_multimodal
from ..nn._fitted_net import FittedNet
from ._module import summarise
from ._plausible import label_weights


class ImpactMixin:
    """What the draws of the latent vector say, beside their mean."""

    modalities: Any
    n_samples: int
    classes_: np.ndarray
    _fitted: FittedNet

    def sample_proba(self, X: Any, n_samples: int | None = None) -> np.ndarray:
        """Class probabilities for each draw of the latent vector.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n rows
            Any pattern of missing modalities.
        n_samples : int, default=None
            Number of draws. None: ``n_samples`` of the estimator. The first of more
            draws are those of fewer.

        Returns
        -------
        ndarray of float64 of shape (n, n_samples, n_classes)
            Draw k is the same for all rows. NaN in rows without a usable modality.
            Takes 8 bytes for each value; ``predict_proba`` needs none of it at once.
        """
        data, usable = self._read(X)
        noise = self._noise(self._check_n(n_samples))  # type: ignore[attr-defined]
        out = np.full((len(data), len(noise), len(self.classes_)), np.nan)

        def every(module: Any, batch: Any) -> Any:
            return torch.cat(list(module.samples(batch, noise))).exp()

        if usable.any():
            with self._while_predicting():  # type: ignore[attr-defined]
                out[usable] = self._fitted.apply(data[usable], every)
        return out

    def predictive_impact(
        self,
        X: Any,
        *,
        modality: str | Sequence[str] | None = None,
        n_samples: int | None = None,
    ) -> pd.DataFrame:
        """How far predictions could move if a modality were there.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n rows
            Any pattern of missing modalities.
        modality : str or sequence of str, default=None
            Which ones. None: each in turn.
        n_samples : int, default=None
            Number of draws. None: ``n_samples`` of the estimator.

        Returns
        -------
        pandas.DataFrame
            One row for each row of X and modality, with the columns

            row, modality
                Number of the row, name of the modality.
            v_missing
                V with the modality hidden: the mean total variation distance between
                the prediction of a draw and their average, from 0 to 1. NaN where the
                row has nothing else.
            v_complete
                V with it, NaN where the row lacks it.
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
        n_draws = self._check_n(n_samples)
        full = self._summaries(data, n_draws)
        tables = []
        for name in names:
            hidden = self._summaries(data.hide(name), n_draws)
            here = data.present[:, data.names.index(name)]
            bound = 1.0 - np.square(hidden[:, 3:]).sum(axis=1)
            # Rounding leaves a sure prediction a bound of 1e-16, not 0.
            sure = bound < 1e-12
            relative = np.where(sure, 0.0, hidden[:, 0] / np.where(sure, 1.0, bound))
            complete = np.where(here, full[:, 0], np.nan)
            tables.append(
                pd.DataFrame(
                    {
                        "row": np.arange(len(data)),
                        "modality": name,
                        "v_missing": hidden[:, 0],
                        "v_complete": complete,
                        "gap": hidden[:, 0] - complete,
                        "v_relative": np.where(
                            np.isnan(hidden[:, 0]), np.nan, relative
                        ),
                        "mutual_information": hidden[:, 2],
                        "mc_error": hidden[:, 1],
                    }
                )
            )
        return pd.concat(tables, ignore_index=True)

    def acquisition_order(self, X: Any, modality: str) -> np.ndarray:
        """Rows that lack a modality, by how much it could change their prediction.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n rows
            Any pattern of missing modalities.
        modality : str
            The modality that could be acquired.

        Returns
        -------
        ndarray of int of shape (n_lacking,)
            Numbers of the rows without it, the largest V first. Rows with nothing at
            all, of which nothing is known, come last.
        """
        data, _ = self._read(X)
        if not isinstance(modality, str):
            raise ValueError(
                f"Got modality={modality!r}, expected one of {data.names}."
            )
        (name,) = self._check_names(modality, data.names)
        lacking = np.flatnonzero(~data.present[:, data.names.index(name)])
        if not len(lacking):
            return lacking
        v = self._summaries(data[lacking], self.n_samples)[:, 0]
        return lacking[np.argsort(-np.nan_to_num(v, nan=-1.0), kind="stable")]

    def bias(
        self,
        X: Any,
        *,
        modality: str | Sequence[str],
        unimodal: Any,
        multimodal: Any,
    ) -> pd.DataFrame:
        """Distance of mean predictions from those of reference models.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n rows
            Rows that have everything; others get NaN.
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
        for column, oracle, part in (
            ("missing", unimodal, data.hide(names)),
            ("complete", multimodal, data),
        ):
            if not np.array_equal(oracle.classes_, self.classes_):
                raise ValueError(
                    f"Got a reference model with the classes "
                    f"{np.asarray(oracle.classes_).tolist()}, expected "
                    f"{self.classes_.tolist()}."
                )
            own = self.predict_proba(part[rows])  # type: ignore[attr-defined]
            # A reference may know no more than the modalities that it was made of.
            known = getattr(oracle, "modality_names_in_", data.names)
            seen = part.select([name for name in data.names if name in known])
            distance = np.abs(own - oracle.predict_proba(seen[rows])).sum(axis=1)
            out[column] = np.full(len(data), np.nan)
            out[column][rows] = 0.5 * distance
        return pd.DataFrame(out)

    def plausible_labels(
        self, X: Any, *, method: str = "mixture", n_samples: int | None = None
    ) -> pd.DataFrame:
        """Labels that remain plausible, and how much of the future says each.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n rows
            Any pattern of missing modalities.
        method : {"mixture", "argmax"}, default="mixture"
            "mixture": the centred logits of the draws are clustered by a
            Dirichlet-process mixture, a cluster says its most probable label, and the
            weights of clusters are summed by label; about 0.05 s for each row.
            "argmax": the share of draws that say each label; instant.
        n_samples : int, default=None
            Number of draws. None: ``n_samples`` of the estimator.

        Returns
        -------
        pandas.DataFrame
            Columns ``row``, ``label`` and ``weight``, one row for each row of X and
            label with a positive weight, the largest first. Weights of a row sum to 1.
            The number of clusters is not reported: it is 4 to 6 even where all of them
            say the same. Rows without a usable modality have no entry.
        """
        if method not in ("mixture", "argmax"):
            raise ValueError(f"Got method={method!r}, expected 'mixture' or 'argmax'.")
        data, usable = self._read(X)
        records = []
        # One row at a time: all draws of all rows may not fit into memory.
        for row in np.flatnonzero(usable):
            logs = np.log(
                np.maximum(
                    self.sample_proba(data[row : row + 1], n_samples)[0],
                    np.finfo(np.float64).tiny,
                )
            )
            weight = label_weights(logs, method, self._noise_seed)  # type: ignore[attr-defined]
            order = np.argsort(-weight, kind="stable")
            records += [
                (row, self.classes_[c], weight[c]) for c in order if weight[c] > 0
            ]
        return pd.DataFrame(records, columns=["row", "label", "weight"])

    # -- helpers -----------------------------------------------------------------------

    def _read(self, X: Any) -> tuple[MultimodalData, np.ndarray]:
        check_is_fitted(self)
        data = check_multimodal(self, X, self.modalities, reset=False)
        return data, self._answerable(data)  # type: ignore[attr-defined]

    def _check_n(self, n_samples: int | None) -> int:
        n = self.n_samples if n_samples is None else n_samples
        if not isinstance(n, Integral) or isinstance(n, bool) or n < 1:
            raise ValueError(f"Got n_samples={n!r}, expected a positive integer.")
        return int(n)

    def _check_names(self, modality: Any, names: list[str]) -> list[str]:
        if modality is None:
            return names
        single = isinstance(modality, (str, Integral))
        # Each once, in the order given.
        chosen: list[Any] = list(dict.fromkeys([modality] if single else modality))
        if not chosen or not set(chosen) <= set(names):
            raise ValueError(
                f"Got modality={modality!r}, expected some of the modalities {names}."
            )
        return chosen

    def _summaries(self, data: MultimodalData, n_samples: int) -> np.ndarray:
        """V, its error, mutual information and mean prediction; NaN for empty rows."""
        usable = self._answerable(data)  # type: ignore[attr-defined]
        out = np.full((len(data), 3 + len(self.classes_)), np.nan)
        if usable.any():
            noise = self._noise(n_samples)  # type: ignore[attr-defined]

            def summaries(module: Any, batch: Any) -> Any:
                return torch.cat([summarise(p) for p in module.samples(batch, noise)])

            with self._while_predicting():  # type: ignore[attr-defined]
                out[usable] = self._fitted.apply(
                    data if usable.all() else data[usable], summaries
                )
        return out
