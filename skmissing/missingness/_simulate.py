"""Hide modalities completely at random, at random, or not at random."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.utils import check_consistent_length

from .._estimation._vectors import read_vector
from .._utils._checks import check_known
from .._utils._random import local_random_state
from ..modalities import MultimodalData
from ._drivers import check_scores, combine, find_drivers, own_score
from ._read import read_blocks
from ._simulated_missingness import SimulatedMissingness
from ._solve import check_feasible, solve_model

_NUMBER = (int, float, np.integer, np.floating)


def simulate_missing(
    X,
    y=None,
    *,
    mechanism: str = "mcar",
    rate: float | Mapping[str, float] = 0.3,
    modalities=None,
    depends_on=None,
    scores=None,
    strength: float = 1.0,
    keep_one: bool = False,
    random_state=None,
) -> SimulatedMissingness:
    """Simulate missing modalities.

    Parameters
    ----------
    X : {array, DataFrame, MultimodalData} with n_samples rows
        The data. Blocks that are already missing stay missing.
    y : array of shape (n_samples,), default=None
        Labels, only needed where missingness depends on them.
    mechanism : {"mcar", "mar", "mnar"}, default="mcar"
        Missing completely at random; at random, depending on complete variables named
        by ``depends_on`` (or on ``scores``); not at random, depending on the values
        of the missing block.
    rate : float or dict of str to float, default=0.3
        Missing rate, see Notes. A float holds for every modality but those that
        ``depends_on`` names; modalities that a dict does not name are never hidden.
    modalities : mapping or list, default=None
        Columns of each modality, see :class:`~skmissing.Modality`.
    depends_on : str, list or dict, default=None
        Under MAR, what drives missingness: ``"y"``, a modality that every row has, a
        covariate column, or a list of these. A driver must be complete and is never
        hidden. Classes and text get a random score per level, numbers their own
        standardised value, blocks a random projection of their standardised
        features, each modality to be hidden its own draw. A dict gives the scores:
        ``{"y": {"ill": 1.0, "well": -1.0}}`` by level, ``{"age": -0.5}`` as a factor,
        ``{"labs": [1.0, 0.0]}`` as a coefficient per standardised feature, None as
        without a dict.
    scores : array of shape (n_samples,) or (n_samples, n_modalities), default=None
        Driving scores of your own, under MAR or MNAR, in place of those above.
    strength : float, default=1.0
        Change of the log odds of being hidden per unit of score. A unit is one
        standard deviation of the score, unless you gave the scores. 0 is MCAR; a
        negative value hides the low scores.
    keep_one : bool, default=False
        Draw under the condition that every row keeps at least one of the modalities
        it has. Rates and propensities are those after conditioning.
    random_state : int, RandomState instance or None, default=None
        Seed. None draws a fresh one and leaves NumPy's global generator alone. For
        the same seed and without ``keep_one``, a higher rate hides the same blocks and
        more.

    Returns
    -------
    SimulatedMissingness
        With ``mask``, ``propensity``, ``prob(required)`` and ``apply(X)``.

    Raises
    ------
    ValueError
        For an unknown mechanism, modality or driver, a driver with gaps or one that is
        to be hidden, rates outside [0, 1], a rate of 1 that is to depend on something,
        and with ``keep_one`` rates that cannot be had.

    See Also
    --------
    patterns : Count the patterns that come out.
    skmissing.MultimodalData.hide : Applies the mask.

    Notes
    -----
    *What a rate means.* Per modality: the share of the rows having the block that are
    expected to lose it, given this X; the mean of ``1 - propensity`` over these rows
    equals the rate. The share drawn differs from it by chance, about
    ``sqrt(rate * (1 - rate) / n)``. Per sample: the probability of losing block ``m``
    is ``1 - propensity[i, m]``, and a row that has every block loses as many as the
    rates sum to, on average. How many a given row loses is random.

    *Model.* Given the row, block ``m`` is hidden with probability
    ``expit(a_m + strength * s_im)``, independently of the other blocks of the row;
    the intercept ``a_m`` is solved for. With ``keep_one`` the draws are conditioned on
    not hiding everything, and all intercepts are solved for together, by Newton's
    method on a convex function; rates are infeasible when they sum to more than the
    number of modalities minus 1 (or similarly for rows with missing blocks). The
    terms MCAR, MAR and MNAR follow :cite:t:`rubin1976inference`.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import MultimodalData
    >>> from skmissing.missingness import simulate_missing
    >>> rng = np.random.RandomState(0)
    >>> X = MultimodalData({"labs": rng.randn(1000, 3), "ecg": rng.randn(1000, 8)})
    >>> y = rng.randint(2, size=1000)
    >>> result = simulate_missing(
    ...     X, y, mechanism="mar", rate={"ecg": 0.4},
    ...     depends_on={"y": {0: 0.0, 1: 1.5}}, random_state=0,
    ... )
    >>> result
    SimulatedMissingness of 1000 rows (mar), missing: labs 0.0%, ecg 39.6%
    >>> [round(float(result.propensity[y == k, 1].mean()), 3) for k in (0, 1)]
    [0.762, 0.417]
    >>> print(f"{1 - result.propensity[:, 1].mean():.4f}")
    0.4000
    >>> result.apply(X)
    MultimodalData of 1000 rows, 2 modalities
      labs  (3,)  float64   0.0% missing
      ecg   (8,)  float64  39.6% missing
    """
    _check_choices(mechanism, depends_on, scores, strength, keep_one)
    data, covariates = read_blocks(X, modalities, "simulate_missing")
    if y is not None:
        y = read_vector("y", y)
        check_consistent_length(data, y)
    rng = local_random_state(random_state)
    present = data.present
    n, n_modalities = data.shape

    drivers = []
    if mechanism == "mar" and scores is None:
        drivers = find_drivers(depends_on, data, covariates, y)
    driving = [d.data.names[0] for d in drivers if isinstance(d.data, MultimodalData)]
    rates = _check_rates(rate, data.names, driving, mechanism)
    if keep_one:
        check_feasible(rates, present, data.names)

    uniform = rng.uniform(size=(n, n_modalities))
    # One generator per modality: its scores do not depend on those of the others.
    seeds = rng.randint(np.iinfo(np.int32).max, size=n_modalities)
    if scores is not None:
        driving_scores = check_scores(scores, present)
    else:
        driving_scores = np.zeros((n, n_modalities))
        for m in np.flatnonzero((rates > 0) & present.any(axis=0)).tolist():
            own = np.random.RandomState(seeds[m])
            if drivers:
                given = isinstance(depends_on, Mapping)
                driving_scores[:, m] = combine(drivers, given, own)
            elif mechanism == "mnar":
                driving_scores[:, m] = own_score(data, m, own)

    model = solve_model(strength * driving_scores, present, rates, keep_one)
    return SimulatedMissingness(
        names=data.names,
        mask=model.draw(uniform),
        scores=driving_scores,
        model=model,
        mechanism=mechanism,
        modalities=modalities,
    )


def _check_choices(mechanism, depends_on, scores, strength, keep_one) -> None:
    """Refuse values of the parameters that do not go together."""
    if mechanism not in ("mcar", "mar", "mnar"):
        raise ValueError(
            f"Got mechanism={mechanism!r}, expected 'mcar', 'mar' or 'mnar'."
        )
    if mechanism != "mar" and depends_on is not None:
        raise ValueError(
            f"Got depends_on={depends_on!r} with mechanism={mechanism!r}, expected "
            "None; only 'mar' depends on other variables."
        )
    if mechanism == "mcar" and scores is not None:
        raise ValueError("Got scores with mechanism='mcar', expected None.")
    if mechanism == "mar" and (depends_on is None) == (scores is None):
        got = "neither" if scores is None else "both"
        raise ValueError(
            f"Got {got} of depends_on and scores with mechanism='mar', expected one of "
            "them."
        )
    if not isinstance(strength, _NUMBER) or not np.isfinite(strength):
        raise ValueError(f"Got strength={strength!r}, expected a finite number.")
    if not isinstance(keep_one, bool | np.bool_):
        raise ValueError(f"Got keep_one={keep_one!r}, expected True or False.")


def _check_rates(
    rate, names: list[str], driving: list[str], mechanism: str
) -> np.ndarray:
    """Rate of each modality, 0 for those that are never hidden."""
    if isinstance(rate, Mapping):
        check_known("a rate for", rate, names)
        given = dict(rate)
    else:
        given = {name: rate for name in names if name not in driving}
        if not given:
            raise ValueError(
                f"Got depends_on with all modalities {names}, expected one that is "
                "left to be hidden."
            )
    for name, value in given.items():
        is_number = isinstance(value, _NUMBER) and not isinstance(value, bool)
        if not is_number or not 0.0 <= value <= 1.0:
            raise ValueError(
                f"Got rate={value!r} for the modality {name!r}, expected a number "
                "between 0 and 1."
            )
        if value > 0 and name in driving:
            raise ValueError(
                f"Got rate={value} for the modality {name!r} that drives missingness, "
                "expected 0: a driver must stay complete."
            )
        if value == 1 and mechanism != "mcar":
            raise ValueError(
                f"Got rate={value} for the modality {name!r} with "
                f"mechanism={mechanism!r}, expected less than 1, since a block that is "
                "always hidden has no driver."
            )
    return np.array([float(given.get(name, 0.0)) for name in names])
