"""Tables and warnings on propensities and weights: pure functions of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .._estimation._resampling import effective_sample_size

# Below this a weight is more than twenty times that of a row that was sure to be
# observed; the same bound is common for trimming in causal inference.
LOW_PROPENSITY = 0.05
LOW_SHARE = 0.05
# Weights that leave less than a quarter of the observed rows are decided by few.
LOW_EFFICIENCY = 0.25
# Other rows whose weight is so many times the largest in fit lie where the propensity
# model extrapolates; rows like those of fit stay within a small multiple of it.
FAR_WEIGHT = 10


def calibration_bins(
    propensity: np.ndarray,
    observed: np.ndarray,
    n_bins: int,
    weight: np.ndarray | None = None,
) -> pd.DataFrame:
    """Mean propensity and observed share in bins of equally many rows."""
    edges = np.unique(np.quantile(propensity, np.linspace(0, 1, n_bins + 1)[1:-1]))
    # Tied propensities share a bin: nothing distinguishes their rows.
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
    return out.rename_axis("bin")


def find_poor_overlap(
    propensity: np.ndarray, observed: np.ndarray, base: np.ndarray, weight: np.ndarray
) -> list[str]:
    """Reasons why the weights of the training rows rest on little."""
    found: list[str] = []
    if observed.all():
        return found
    low = float((propensity < LOW_PROPENSITY).mean())
    if low > LOW_SHARE:
        found.append(
            f"{low:.1%} of the rows have a propensity below {LOW_PROPENSITY} "
            f"(the smallest is {propensity.min():.2g})"
        )
    elif (propensity <= 0).any():
        found.append(
            f"{int((propensity <= 0).sum())} rows have a propensity of exactly 0"
        )
    sure = (propensity >= 1) & ~observed
    if sure.any():
        found.append(
            f"{int(sure.sum())} rows that are missing have a propensity of exactly 1"
        )
    ess = effective_sample_size(weight * base)
    if ess < LOW_EFFICIENCY * effective_sample_size(base[observed]):
        found.append(
            f"the {int(observed.sum())} observed rows count as {ess:.1f} equally "
            "weighted ones"
        )
    return found


def balance_table(
    design: np.ndarray,
    base: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    scale: np.ndarray,
    mean: np.ndarray,
) -> pd.DataFrame:
    """Means of standardised covariates under three weightings, and their distances."""
    centre = base @ design / base.sum()
    deviation = np.sqrt(base @ (design - centre) ** 2 / base.sum())
    # Covariates that do not vary here are compared on the scale of fit.
    deviation = np.where(deviation > 1e-12, deviation, 1.0)
    seen, weighted = before @ design / before.sum(), after @ design / after.sum()
    return pd.DataFrame(
        {
            "mean_all": centre * scale + mean,
            "mean_observed": seen * scale + mean,
            "mean_weighted": weighted * scale + mean,
            "smd_before": (seen - centre) / deviation,
            "smd_after": (weighted - centre) / deviation,
        }
    )


def overlap_record(
    propensity: np.ndarray,
    observed: np.ndarray,
    base: np.ndarray,
    weight: np.ndarray,
    bounds: np.ndarray,
) -> dict[str, Any]:
    """One row of the table of overlap."""
    low, high = bounds
    ess, whole = (effective_sample_size(w) for w in (weight * base, base[observed]))
    quantiles = np.quantile(propensity, [0.0, 0.01, 0.5, 0.99, 1.0])
    share = base @ (propensity < LOW_PROPENSITY) / base.sum()
    some = observed.any()
    return {
        "n_rows": len(propensity),
        "n_observed": int(observed.sum()),
        **dict(zip(["min", "q01", "median", "q99", "max"], quantiles)),
        f"share_below_{LOW_PROPENSITY}": float(share),
        "smallest_weight": weight[observed].min() if some else np.nan,
        "largest_weight": weight[observed].max() if some else np.nan,
        "effective_sample_size": ess,
        "efficiency": ess / whole if some else np.nan,
        "n_clipped": int(((propensity < low) | (propensity > high)).sum()),
    }
