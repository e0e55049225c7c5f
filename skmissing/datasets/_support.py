"""A hospital's table with ordinary column names."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from ..modalities import MultimodalData
from ._base import check_parameters, load_descr

MODALITIES = {
    "demographics": ["age", "sex", "race", "education_years", "income"],
    "history": ["disease_group", "disease_class", "comorbidities", "diabetes",
                "dementia", "cancer", "hospital_day", "coma_score"],
    "vitals": ["mean_bp", "heart_rate", "resp_rate", "temperature"],
    "blood": ["wbc", "creatinine", "sodium"],
    "liver": ["albumin", "bilirubin"],
    "blood_gas": ["pao2_fio2", "arterial_ph"],
    "renal": ["glucose", "bun", "urine_output"],
    "function": ["adl_patient", "adl_surrogate"],
    "physician": ["physician_2m", "physician_6m"],
}  # fmt: skip


@check_parameters()
def load_support(*, return_X_y: bool = False, as_frame: bool = False):
    """Load data of seriously ill patients of five hospitals, with whole blocks missing.

    ========== ======================================================
    Rows       9105
    Classes    2 (6745 survived, 2360 died in hospital)
    Modalities 9, two of them with text
    Missing    renal in 47.4%, blood_gas in 25.1%, function in 22.7%,
               liver in 22.5%, physician in 17.9% of rows
    ========== ======================================================

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Data as a DataFrame with the column names of the file, such as ``age``, target
        as a Series.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the fields

        data : MultimodalData or DataFrame, 9105 rows
            The blocks ``demographics`` and ``history`` hold text: encode them, for
            example with a :class:`~skmissing.modalities.ModalityTransformer`.
        target : ndarray or Series of shape (9105,)
            1 for patients who died in hospital.
        frame : DataFrame or None
            Data and target, only with ``as_frame=True``.
        patient_id : ndarray of str of shape (9105,)
            An identifier, one for each row.
        died : ndarray of int of shape (9105,)
            1 for death at any time of follow-up.
        days_followed : ndarray of int of shape (9105,)
            Days to death, or to the end of follow-up.
        modalities : list of str, or dict of str to list of str
            Names of the modalities; with ``as_frame=True`` their columns, to be passed
            to an estimator.
        target_names : ndarray of shape (2,)
            ``"survived"`` and ``"died"``.
        filename : str
            Path of the compressed CSV file, which ``pandas.read_csv`` reads.
        DESCR : str
            Description, with licence and attribution.
    (data, target) : tuple if ``return_X_y`` is True
        The first two fields alone.

    Notes
    -----
    Licence CC BY 4.0: SUPPORT2, UCI Machine Learning Repository [1]_; F. Harrell,
    Vanderbilt University; Knaus et al. (1995).

    References
    ----------
    .. [1] https://doi.org/10.3886/ICPSR02957.v2

    Examples
    --------
    >>> from skmissing.datasets import load_support
    >>> bunch = load_support(as_frame=True)
    >>> bunch.data.shape
    (9105, 31)
    >>> bunch.modalities["blood_gas"]
    ['pao2_fio2', 'arterial_ph']
    >>> gas = bunch.data[bunch.modalities["blood_gas"]].isna().all(axis=1)
    >>> round(float(gas.mean()), 3)
    0.251
    """
    file = resources.files("skmissing.datasets") / "data" / "support2.csv.gz"
    with resources.as_file(file) as path:
        frame, filename = pd.read_csv(path), str(path)
    target = frame["died_in_hospital"].rename("target")
    table = frame[[c for columns in MODALITIES.values() for c in columns]]
    X = table if as_frame else MultimodalData.from_frame(table, MODALITIES)
    y = target if as_frame else target.to_numpy()
    if return_X_y:
        return X, y
    modalities = {name: list(columns) for name, columns in MODALITIES.items()}
    return Bunch(
        data=X,
        target=y,
        frame=pd.concat([table, target], axis=1) if as_frame else None,
        modalities=modalities if as_frame else list(modalities),
        patient_id=frame["patient_id"].to_numpy(dtype=str),
        died=frame["died"].to_numpy(),
        days_followed=frame["days_followed"].to_numpy(),
        target_names=np.array(["survived", "died"]),
        filename=filename,
        DESCR=load_descr("support"),
    )
