"""What the propensities and weights say about themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .._estimation._resampling import effective_sample_size
from .._estimation._rows import check_weights
from .._utils._warn import warn_user
from ..exceptions import OverlapWarning
from ._weighing import WeighingMixin

# Below this a weight is more than twenty times that of a row that was sure to be
# observed; the same bound is common for trimming in causal inference.
LOW_PROPENSITY = 0.05
LOW_SHARE = 0.05
# Weights that leave less than a quarter of the observed rows are decided by few.
LOW_EFFICIENCY = 0.25


def calibration_bins(
    propensity: np.ndarray,
    observed: np.ndarray,
    n_bins: int,
    weight: np.ndarray | None = None,
) -> pd.DataFrame:
    """Mean propensity and observed share in bins of equally many rows.

    Parameters
    ----------
    propensity : ndarray of shape (n,)
        Propensities.
    observed : ndarray of bool of shape (n,)
        What happened.
    n_bins : int
        Number of bins; fewer where propensities are tied.
    weight : ndarray of shape (n,), default=None
        Sample weights, positive.

    Returns
    -------
    DataFrame
        ``propensity``, ``observed``, ``std_error``, ``n_rows``.
    """
    edges = np.unique(np.quantile(propensity, np.linspace(0, 1, n_bins + 1)[1:-1]))
    # Tied propensities share a bin: there is nothing to tell their rows apart.
    label = np.searchsorted(edges, propensity, side="left")
    w = np.ones(len(propensity)) if weight is None else weight
    mass = np.bincount(label, w)
    kept = mass > 0
    means = [
        np.bincount(label, w * v)[kept] / mass[kept] for v in (propensity, observed)
    ]
    # As many equally weighted rows would be as uncertain.
    ess = mass[kept] ** 2 / np.bincount(label, w * w)[kept]
    out = pd.DataFrame({"propensity": means[0], "observed": means[1]})
    out["std_error"] = np.sqrt(means[1] * (1 - means[1]) / ess)
    out["n_rows"] = np.bincount(label)[kept]
    return out.rename_axis("bin").reset_index(drop=True).rename_axis("bin")


class PropensityDiagnostics(WeighingMixin):
    """Methods of :class:`PropensityWeighter` that look at propensities and weights."""

    # Set by the class that inherits.
    required_: list[list[str]]
    covariate_names_: list[str]
    _training: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
    _several: bool

    def _warn_poor_overlap(self, kept: np.ndarray) -> None:
        """Warn, with figures, where the weights of fit rest on little."""
        propensity, observed, weight, w = self._training
        for i, names in enumerate(self.required_):
            if observed[kept, i].all():
                continue
            p, here, total = propensity[kept, i], observed[kept, i], w[kept, i]
            troubles = []
            low = float((p < LOW_PROPENSITY).mean())
            if low > LOW_SHARE:
                troubles.append(
                    f"{low:.1%} of the rows have a propensity below {LOW_PROPENSITY} "
                    f"(the smallest is {p.min():.2g})"
                )
            elif (p <= 0).any():
                troubles.append(
                    f"{int((p <= 0).sum())} rows have a propensity of exactly 0"
                )
            sure = (p >= 1) & ~here
            if sure.any():
                troubles.append(
                    f"{int(sure.sum())} rows that are missing have a propensity of "
                    "exactly 1"
                )
            ess = effective_sample_size(total * weight[kept])
            whole = effective_sample_size(weight[kept][here])
            if ess < LOW_EFFICIENCY * whole:
                troubles.append(
                    f"the {int(here.sum())} observed rows count as {ess:.1f} equally "
                    "weighted ones"
                )
            if troubles:
                warn_user(
                    f"Poor overlap for {names}: {'; '.join(troubles)}. See overlap(X) "
                    "and balance(X).",
                    OverlapWarning,
                )

    def balance(self, X: Any, y: Any = None, sample_weight: Any = None) -> pd.DataFrame:
        """Compare covariates of the observed rows with those of all rows.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any rows.
        y : array of shape (n_samples,), default=None
            Labels; rows without one are not observed.
        sample_weight : array of shape (n_samples,), default=None
            Multiplies the weights.

        Returns
        -------
        DataFrame
            One row per covariate column: ``mean_all``, ``mean_observed``,
            ``mean_weighted``, in units of the covariate, and the standardised mean
            differences to all rows, ``smd_before`` and ``smd_after`` weighting. Beyond
            0.1 (in absolute value) after weighting, the propensity model misses
            something. With several required sets, the first index level names the set.
        """
        data, propensity, table = self._read_all(X, y, True, always=True)
        observed = self._observed(data, y)
        w = self._weights(propensity, observed)
        base = check_weights(sample_weight, len(data))
        scale, mean = self._table.scale_, self._table.mean_
        centre = base @ table / base.sum()
        spread = np.sqrt(base @ (table - centre) ** 2 / base.sum())
        # Covariates that do not vary here are compared on the scale of fit.
        spread = np.where(spread > 1e-12, spread, 1.0)
        parts = {}
        for i, names in enumerate(self.required_):
            before, after = base * observed[:, i], base * w[:, i]
            if before.sum() == 0:
                raise ValueError(
                    f"Got no row with all of the modalities {names}, expected at least "
                    "one."
                )
            seen, weighted = before @ table / before.sum(), after @ table / after.sum()
            parts["+".join(names)] = pd.DataFrame(
                {
                    "mean_all": centre * scale + mean,
                    "mean_observed": seen * scale + mean,
                    "mean_weighted": weighted * scale + mean,
                    "smd_before": (seen - centre) / spread,
                    "smd_after": (weighted - centre) / spread,
                },
                index=self.covariate_names_,
            )
        return self._stack(parts)

    def overlap(self, X: Any, y: Any = None, sample_weight: Any = None) -> pd.DataFrame:
        """Figures on propensities and weights.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any rows.
        y : array of shape (n_samples,), default=None
            Labels; rows without one are not observed.
        sample_weight : array of shape (n_samples,), default=None
            Not negative. Multiplies the weights in the effective sample size; rows of
            weight 0 are left out.

        Returns
        -------
        DataFrame
            One row per required set: numbers of rows and of observed ones, quantiles of
            the propensity, share of rows below 0.05, smallest and largest
            inverse-probability weight of the observed rows, effective sample size and
            its ratio to that of the observed rows without these weights, number of rows
            clipped.
        """
        data, propensity = self._read(X, y, held_out=True)
        base = check_weights(sample_weight, len(data))
        observed = self._observed(data, y)[base > 0]
        w = self._weights(propensity, self._observed(data, y))[base > 0]
        propensity, base = propensity[base > 0], base[base > 0]
        rows = {}
        for i, names in enumerate(self.required_):
            p, here = propensity[:, i], observed[:, i]
            low, high = self._bounds[i]
            ess = effective_sample_size(w[:, i] * base)
            whole = effective_sample_size(base[here])
            quantiles = np.quantile(p, [0.0, 0.01, 0.5, 0.99, 1.0])
            rows["+".join(names)] = {
                "n_rows": len(p),
                "n_observed": int(here.sum()),
                **dict(zip(["min", "q01", "median", "q99", "max"], quantiles)),
                f"share_below_{LOW_PROPENSITY}": float(
                    base @ (p < LOW_PROPENSITY) / base.sum()
                ),
                "smallest_weight": w[here, i].min() if here.any() else np.nan,
                "largest_weight": w[here, i].max() if here.any() else np.nan,
                "effective_sample_size": ess,
                "efficiency": ess / whole if here.any() else np.nan,
                "n_clipped": int(((p < low) | (p > high)).sum()),
            }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("required")

    def calibration(
        self, X: Any, y: Any = None, n_bins: int = 10, sample_weight: Any = None
    ) -> pd.DataFrame:
        """Compare propensities with the share of rows that are observed.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any rows.
        y : array of shape (n_samples,), default=None
            Labels; rows without one are not observed.
        n_bins : int, default=10
            Bins with equal numbers of rows, sorted by propensity.
        sample_weight : array of shape (n_samples,), default=None
            Not negative. Weights of the means and shares; rows of weight 0 are left
            out.

        Returns
        -------
        DataFrame
            ``propensity`` (mean), ``observed`` (share), ``std_error`` (of the share)
            and ``n_rows`` of each bin. With several required sets, the first index
            level names the set.
        """
        if not isinstance(n_bins, int | np.integer) or n_bins < 1:
            raise ValueError(f"Got n_bins={n_bins!r}, expected a positive integer.")
        data, propensity = self._read(X, y, held_out=True)
        base = check_weights(sample_weight, len(data))
        some = base > 0
        observed, propensity = self._observed(data, y)[some], propensity[some]
        parts = {
            "+".join(names): calibration_bins(
                propensity[:, i], observed[:, i], n_bins, base[some]
            )
            for i, names in enumerate(self.required_)
        }
        return self._stack(parts)

    def _stack(self, parts: dict[str, pd.DataFrame]) -> pd.DataFrame:
        if not self._several:
            return next(iter(parts.values()))
        return pd.concat(parts, names=["required"])
