"""Six feature views of handwritten digits."""

from __future__ import annotations

import numpy as np

from .._utils._sklearn_compat import validate_params
from ..modalities import MultimodalData
from ._base import load_arrays, load_descr, pack

_NAMES = ("fou", "fac", "kar", "pix", "zer", "mor")


@validate_params(
    {"return_X_y": ["boolean"], "as_frame": ["boolean"]},
    prefer_skip_nested_validation=True,
)
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
        MultimodalData({name: arrays[name] for name in _NAMES}),
        arrays["target"].astype(np.int64),
        return_X_y=return_X_y,
        as_frame=as_frame,
        target_names=np.array([str(digit) for digit in range(10)]),
        DESCR=load_descr("mfeat"),
    )
