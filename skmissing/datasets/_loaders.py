"""Three small real data sets that ship inside the package."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .._utils._sklearn_compat import StrOptions
from ..modalities import MultimodalData
from ._base import check_parameters, load_arrays, load_descr, pack

_VIEWS = ("fou", "fac", "kar", "pix", "zer", "mor")


@check_parameters(subset=[StrOptions({"all", "train", "test"})])
def load_av_digits(
    *, subset: str = "all", return_X_y: bool = False, as_frame: bool = False
):
    """Load 3,000 digits, each as a degraded image and a degraded recording.

    ========== ==========================================
    Rows       3000 (2700 for training, 300 for the test)
    Classes    10, 300 rows each
    Modalities 2, image and speech, nothing missing
    Row shape  (1, 28, 28) each, uint8
    ========== ==========================================

    Parameters
    ----------
    subset : {"all", "train", "test"}, default="all"
        All rows, or one side of the official split by clip.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Data as a DataFrame with the columns ``image__0``, ..., ``speech__783``, target
        as a Series.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the fields

        data : MultimodalData or DataFrame, n_samples rows
            Modalities ``"image"`` and ``"speech"``.
        target : ndarray or Series of shape (n_samples,)
            The digit.
        frame : DataFrame or None
            Data and target, only with ``as_frame=True``.
        speaker : ndarray of str of shape (n_samples,)
            Who speaks, one of six.
        recording : ndarray of int of shape (n_samples,)
            Number of the recording of this digit by this speaker, 0 to 49.
        is_test : ndarray of bool of shape (n_samples,)
            Whether the row is in the official test set.
        train, test : ndarray of int
            Numbers of the training and test rows among those returned.
        target_names : ndarray of shape (10,)
            Names of the digits.
        modalities : list of str, or dict of str to Modality
            Names of the modalities; with ``as_frame=True`` their columns and shape, to
            be passed to an estimator that shall see images.
        DESCR : str
            Description, with licence and attribution.
    (data, target) : tuple if ``return_X_y`` is True
        The first two fields alone.

    Notes
    -----
    Licence CC BY-SA 4.0, adapted from MNIST (Y. LeCun and C. Cortes, derived from NIST
    data, CC BY-SA 3.0) and the Free Spoken Digit Dataset (Z. Jackson and contributors,
    CC BY-SA 4.0) [1]_.

    With default settings :class:`~skmissing.baselines.FusionClassifier` reaches 68
    to 71% on the test clips from the image alone, 81 to 85% from the speech alone and
    91 to 93% from both (three seeds).

    References
    ----------
    .. [1] https://github.com/Jakobovski/free-spoken-digit-dataset

    Examples
    --------
    >>> from skmissing.datasets import load_av_digits
    >>> bunch = load_av_digits(subset="test")
    >>> bunch.data
    MultimodalData of 300 rows, 2 modalities
      image   (1, 28, 28)  uint8   0.0% missing
      speech  (1, 28, 28)  uint8   0.0% missing
    >>> sorted(set(bunch.speaker.tolist()))
    ['george', 'jackson', 'lucas', 'nicolas', 'theo', 'yweweler']
    """
    arrays = load_arrays("av_digits.npz")
    if subset != "all":
        rows = arrays["is_test"] == (subset == "test")
        arrays = {name: array[rows] for name, array in arrays.items()}
    is_test = arrays["is_test"]
    return pack(
        MultimodalData({name: arrays[name] for name in ("image", "speech")}),
        arrays["target"].astype(np.int64),
        return_X_y=return_X_y,
        as_frame=as_frame,
        speaker=arrays["speaker"],
        recording=arrays["recording"].astype(np.int64),
        is_test=is_test,
        train=np.flatnonzero(~is_test),
        test=np.flatnonzero(is_test),
        target_names=np.array([str(digit) for digit in range(10)]),
        DESCR=load_descr("av_digits"),
    )


@check_parameters()
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
    columns = [f"{b}__{name}" for b, names in feature_names.items() for name in names]
    table = pd.DataFrame(arrays["x"], columns=columns)
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


@check_parameters()
def load_mfeat(*, return_X_y: bool = False, as_frame: bool = False):
    """Load six feature views of 2,000 handwritten digits.

    ========== =====================================
    Rows       2000, shuffled once with a fixed seed
    Classes    10, 200 rows each
    Modalities 6, nothing missing
    ========== =====================================

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Data as a DataFrame with the columns ``fou__0``, ..., ``mor__5``, target as a
        Series.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the fields

        data : MultimodalData or DataFrame, 2000 rows
            Modalities ``fou`` (76 columns), ``fac`` (216), ``kar`` (64), ``pix``
            (240), ``zer`` (47) and ``mor`` (6). ``fac`` and ``pix`` are integers.
        target : ndarray or Series of shape (2000,)
            The digit.
        frame : DataFrame or None
            Data and target, only with ``as_frame=True``.
        target_names : ndarray of shape (10,)
            Names of the digits.
        modalities : list of str, or dict of str to list of str
            Names of the modalities; with ``as_frame=True`` their columns.
        DESCR : str
            Description, with licence and attribution.
    (data, target) : tuple if ``return_X_y`` is True
        The first two fields alone.

    Notes
    -----
    Licence CC BY 4.0: R. Duin, Multiple Features, UCI Machine Learning Repository [1]_.
    The views differ in strength: five nearest neighbours on standardised features
    reach, in ten-fold cross-validation, 80.3% (fou), 97.0% (fac), 95.4% (kar), 97.7%
    (pix), 80.5% (zer), 71.2% (mor) and 98.2% with all of them.

    References
    ----------
    .. [1] https://doi.org/10.24432/C5HC70

    Examples
    --------
    >>> from skmissing.datasets import load_mfeat
    >>> load_mfeat().data
    MultimodalData of 2000 rows, 6 modalities
      fou  (76,)   float32   0.0% missing
      fac  (216,)  uint16    0.0% missing
      kar  (64,)   float32   0.0% missing
      pix  (240,)  uint8     0.0% missing
      zer  (47,)   float32   0.0% missing
      mor  (6,)    float32   0.0% missing
    """
    arrays = load_arrays("mfeat.npz")
    return pack(
        MultimodalData({name: arrays[name] for name in _VIEWS}),
        arrays["target"].astype(np.int64),
        return_X_y=return_X_y,
        as_frame=as_frame,
        target_names=np.array([str(digit) for digit in range(10)]),
        DESCR=load_descr("mfeat"),
    )
