"""Two bits, a gate, and missingness with known population values."""

from __future__ import annotations

from numbers import Integral

import numpy as np

from .._utils._random import local_random_state
from .._utils._sklearn_compat import Interval, StrOptions, validate_params
from ..modalities import MultimodalData
from ._base import load_descr, pack
from ._gate_oracle import GATES, MECHANISMS, gate_oracle


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "gate": [StrOptions(set(GATES))],
        "mechanism": [StrOptions(set(MECHANISMS))],
        "return_X_y": ["boolean"],
        "as_frame": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_bitwise(
    n_samples: int = 10000,
    *,
    gate: str = "and",
    mechanism: str = "none",
    return_X_y: bool = False,
    as_frame: bool = False,
    random_state=None,
):
    """Two modalities of one bit each, a gate as label, and x2 missing.

    Every population value is known exactly, for all rows and for the rows that are
    observed, so that a correction for missingness can be compared with the truth.

    Parameters
    ----------
    n_samples : int, default=10000
        Number of rows.
    gate : {"and", "or", "xor"}, default="and"
        The label is ``x1 AND x2``, ``x1 OR x2`` or ``x1 XOR x2``.
    mechanism : {"none", "mcar", "mar", "mnar"}, default="none"
        Probability that x2 is observed: 1; 0.5; ``0.2 + 0.6 * x1``;
        ``0.2 + 0.6 * x2``. The last three hide half of x2.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Data as a DataFrame with the columns ``x1__0`` and ``x2__0``, target as a
        Series.
    random_state : int, RandomState instance or None, default=None
        Seed.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the fields

        data : MultimodalData or DataFrame, n_samples rows
            Modalities ``"x1"`` and ``"x2"`` with one column of 0.0 and 1.0 each.
        target : ndarray or Series of shape (n_samples,)
            0 or 1.
        frame : DataFrame or None
            Data and target, only with ``as_frame=True``.
        complete_data : MultimodalData or DataFrame
            The data before x2 was hidden.
        mask : ndarray of bool of shape (n_samples, 2)
            True where a modality is missing.
        propensity : ndarray of shape (n_samples,)
            True probability that x2 is observed in the row.
        oracle : dict of str to dict of str to float
            Population values under ``"true"`` (all rows) and ``"observed"`` (rows
            with both bits): ``auc_x1``, ``auc_x2`` and ``auc_both`` of the Bayes
            score; ``mi_x1``, ``mi_x2``, ``mi_joint`` and the decomposition
            ``unique_x1``, ``unique_x2``, ``redundant``, ``synergistic`` in bits;
            ``best_log_loss_x1``, ``best_log_loss_x2``, ``best_log_loss_both`` in nats.
        modalities : list of str, or dict of str to list of str
            Names of the modalities; with ``as_frame=True`` their columns.
        DESCR : str
            Description.
    (data, target) : tuple if ``return_X_y`` is True
        The first two fields alone.

    See Also
    --------
    make_simulation : Continuous modalities with missingness learned from x1.

    Notes
    -----
    The decomposition is that of Bertschinger et al. [2]_, found by a search over the
    one free number that each label leaves.

    References
    ----------
    .. [1] Correcting for missingness in multimodal learning (ICYM2I), ICLR 2026,
       arXiv:2505.16953, bitwise experiment.
    .. [2] N. Bertschinger, J. Rauh, E. Olbrich, J. Jost and N. Ay, Quantifying unique
       information, Entropy 16 (2014), 2161-2183.

    Examples
    --------
    >>> from skmissing.datasets import make_bitwise
    >>> bunch = make_bitwise(1000, gate="xor", mechanism="mar", random_state=0)
    >>> bunch.data
    MultimodalData of 1000 rows, 2 modalities
      x1  (1,)  float64   0.0% missing
      x2  (1,)  float64  52.5% missing
    >>> bunch.oracle["true"]["auc_x2"], bunch.oracle["observed"]["auc_x2"]
    (0.5, 0.8)
    """
    rng = local_random_state(random_state)
    # The published draw order: both bits first, the mask last.
    x1 = rng.uniform(size=n_samples) > 0.5
    x2 = rng.uniform(size=n_samples) > 0.5
    low, gain, which = MECHANISMS[mechanism]
    propensity = low + gain * (x1, x2)[which]
    hidden = rng.uniform(size=n_samples) >= propensity
    mask = np.column_stack([np.zeros(n_samples, dtype=bool), hidden])
    complete = {
        "x1": x1.astype(np.float64)[:, None],
        "x2": x2.astype(np.float64)[:, None],
    }
    blocks = {
        "x1": complete["x1"],
        "x2": np.where(hidden[:, None], np.nan, complete["x2"]),
    }
    return pack(
        MultimodalData(blocks),
        GATES[gate](x1, x2).astype(np.int64),
        return_X_y=return_X_y,
        as_frame=as_frame,
        complete_data=MultimodalData(complete),
        mask=mask,
        propensity=propensity,
        oracle=gate_oracle(gate, mechanism),
        DESCR=load_descr("bitwise").format(gate=gate.upper(), mechanism=mechanism),
    )
