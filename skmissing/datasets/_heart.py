"""Heart disease in four hospitals, with blocks that are really missing."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .._utils._sklearn_compat import validate_params
from ..modalities import MultimodalData
from ._base import load_arrays, load_descr, pack


@validate_params(
    {"return_X_y": ["boolean"], "as_frame": ["boolean"]},
    prefer_skip_nested_validation=True,
)
def load_heart(*, return_X_y: bool = False, as_frame: bool = False):
    """Load heart disease data of four hospitals, with whole blocks missing.

    ========== ===========================================
    Rows       920, sorted by hospital
    Classes    2 (411 without, 509 with disease)
    Modalities 4: history, resting, exercise and imaging
    Missing    imaging in 51.6%, exercise in 5.9% of rows
    Covariate  site, the hospital
    ========== ===========================================

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Data as a DataFrame with the columns ``history__age``, ..., ``imaging__thal``
        and the covariate column ``site``, target as a Series.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the fields

        data : MultimodalData or DataFrame, 920 rows
            Modalities ``history`` (3 columns), ``resting`` (4), ``exercise`` (4) and
            ``imaging`` (2), float32 with NaN. The frame has the column ``site`` too.
        target : ndarray or Series of shape (920,)
            1 where ``num > 0``, else 0.
        frame : DataFrame or None
            Data and target, only with ``as_frame=True``.
        num : ndarray of int of shape (920,)
            Grade of disease, 0 to 4.
        site : ndarray of str of shape (920,)
            cleveland, hungarian, switzerland or va.
        modalities : list of str, or dict of str to list of str
            Names of the modalities; with ``as_frame=True`` their columns, to be passed
            to an estimator. ``site`` is in none of them and so a covariate.
        feature_names : dict of str to list of str
            Attributes of each modality.
        target_names : ndarray of shape (2,)
            ``"healthy"`` and ``"diseased"``.
        DESCR : str
            Description, with licence and attribution.
    (data, target) : tuple if ``return_X_y`` is True
        The first two fields alone.

    Notes
    -----
    Licence CC BY 4.0: Heart Disease, UCI Machine Learning Repository [1]_. Principal
    investigators: A. Janosi (Budapest), W. Steinbrunn (Zurich), M. Pfisterer (Basel),
    R. Detrano (Long Beach and Cleveland).

    References
    ----------
    .. [1] https://doi.org/10.24432/C52P4X

    Examples
    --------
    >>> from skmissing.datasets import load_heart
    >>> bunch = load_heart(as_frame=True)
    >>> bunch.data.shape
    (920, 14)
    >>> bunch.modalities["imaging"]
    ['imaging__ca', 'imaging__thal']
    >>> missing = bunch.data[bunch.modalities["imaging"]].isna().all(axis=1)
    >>> missing.groupby(bunch.site).mean().round(3).to_dict()
    {'cleveland': 0.0, 'hungarian': 0.895, 'switzerland': 0.382, 'va': 0.825}
    """
    arrays = load_arrays("heart.npz")
    feature_names: dict[str, list[str]] = {}
    for block, name in zip(arrays["block"].tolist(), arrays["names"].tolist()):
        feature_names.setdefault(block, []).append(name)
    # Through a frame, so that the container keeps the attributes' names.
    table = pd.DataFrame(
        arrays["x"],
        columns=[
            f"{block}__{name}"
            for block in feature_names
            for name in feature_names[block]
        ],
    )
    site = arrays["site"].astype(str)
    return pack(
        MultimodalData.from_frame(table),
        arrays["target"].astype(np.int64),
        return_X_y=return_X_y,
        as_frame=as_frame,
        covariates={"site": site},
        num=arrays["num"].astype(np.int64),
        site=site,
        feature_names=feature_names,
        target_names=np.array(["healthy", "diseased"]),
        DESCR=load_descr("heart"),
    )
