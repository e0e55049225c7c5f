"""Two continuous modalities that share a part, with missingness learned from x1."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from .._utils._checks import N_JOBS
from .._utils._random import local_random_state
from .._utils._sklearn_compat import Interval
from ..modalities import MultimodalData
from ._base import check_parameters, load_descr, pack

# Missing probabilities stay inside these bounds, so that every row can be observed.
_BOUNDS = (0.05, 0.95)
_STEEPNESS = 5.0


@check_parameters(
    setting=[str, tuple, list],
    n_samples=[Interval(Integral, 10, None, closed="left")],
    n_clusters=[Interval(Integral, 1, None, closed="left")],
    n_features=[Interval(Integral, 1, None, closed="left")],
    flip_probability=[Interval(Real, 0, 1, closed="both")],
    missing_rate=[Interval(Real, *_BOUNDS, closed="neither")],
    n_missing_clusters=[Interval(Integral, 1, None, closed="left")],
    n_trees=[Interval(Integral, 1, None, closed="left")],
    max_depth=[Interval(Integral, 1, None, closed="left"), None],
    n_jobs=N_JOBS,
    random_state=["random_state"],
)
def make_simulation(
    setting: str | tuple[float, float, float] = (0.3, 0.3, 0.4),
    *,
    n_samples: int = 10000,
    n_clusters: int = 10,
    n_features: int = 10,
    flip_probability: float = 0.2,
    missing_rate: float = 0.5,
    n_missing_clusters: int = 100,
    n_trees: int = 100,
    max_depth: int | None = 10,
    return_X_y: bool = False,
    as_frame: bool = False,
    n_jobs: int | None = None,
    random_state=None,
):
    """Generate one setting of the simulation with known propensities.

    Three blocks of latent Gaussian clusters are standardised; modality x1 holds the
    first and the third, x2 the second and the third. The label is a linear rule on
    ``n_features`` of the latent columns, with coefficients of its own in each cluster,
    and some labels are flipped. x2 is missing with a probability that a random forest
    derives from x1.

    Parameters
    ----------
    setting : str or tuple of three floats, default=(0.3, 0.3, 0.4)
        Shares of the label's causes that only x1 has, that only x2 has and that both
        have: multiples of 0.1 that sum to 1, or a name such as
        ``"causal_0.3_0.3_0.4"``.
    n_samples : int, default=10000
        Number of rows.
    n_clusters : int, default=10
        Number of latent clusters.
    n_features : int, default=10
        Columns of each of the three latent blocks; a modality has twice as many.
    flip_probability : float, default=0.2
        Probability that a label is flipped.
    missing_rate : float, default=0.5
        Mean probability that x2 is missing, between 0.05 and 0.95.
    n_missing_clusters : int, default=100
        Number of k-means clusters of x2 that the forest predicts, at most n_samples.
    n_trees : int, default=100
        Trees of the forest. Fewer trees are faster: the forest takes nearly all the
        time.
    max_depth : int or None, default=10
        Depth of the trees.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Data as a DataFrame with the columns ``x1__0``, ``x1__1``, ..., target as a
        Series.
    n_jobs : int or None, default=None
        Jobs that fit the trees. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Seed.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the fields

        data : MultimodalData or DataFrame, n_samples rows
            Modalities ``"x1"`` and ``"x2"``.
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
        train, validation, test : ndarray of int
            Row numbers of the splits: 20% test, 10% of the rest validation.
        clusters : ndarray of shape (n_samples,)
            Latent cluster of each row.
        coefficients : ndarray of shape (n_clusters, n_features)
            Coefficients of the label's rule.
        name : str
            Name of the setting.
        modalities : list of str, or dict of str to list of str
            Names of the modalities; with ``as_frame=True`` their columns.
        DESCR : str
            Description.
    (data, target) : tuple if ``return_X_y`` is True
        The first two fields alone.

    See Also
    --------
    make_bitwise : Discrete modalities with exact population values.

    Notes
    -----
    With k the k-means cluster of x2 and y the label, the forest learns t = k y from
    x1. The missing probability is q = clip(expit(5 (t' + p) + b), 0.05, 0.95), where
    t' is the predicted class, p its predicted probability and b such that q has the
    wanted mean. Given x1 the mask depends neither on x2 nor on y, but the forest has
    been fitted to both.

    The published code draws the coefficients and flips of all settings one after the
    other from one generator, then the split, then the masks from seed 0. Here the
    latent blocks and the split belong to ``random_state`` and are the same in every
    setting, while coefficients, flips and mask have a stream of their own in each
    setting. So a setting is the same whichever others are generated, and its numbers
    are not the published ones. Further, b is found by bracketing its root.

    For a number of features other than 10 the shares are rounded to whole columns.

    References
    ----------
    .. [1] Correcting for missingness in multimodal learning (ICYM2I), ICLR 2026,
       arXiv:2505.16953, simulation.

    Examples
    --------
    >>> from skmissing.datasets import make_simulation
    >>> bunch = make_simulation(n_samples=500, n_trees=5, random_state=0)
    >>> bunch.name, bunch.data.block_shapes
    ('causal_0.3_0.3_0.4', {'x1': (20,), 'x2': (20,)})
    >>> len(bunch.train), len(bunch.validation), len(bunch.test)
    (360, 40, 100)
    >>> round(float(bunch.propensity.mean()), 6)
    0.5
    """
    tenths = parse_setting(setting)
    if n_missing_clusters > n_samples:
        raise ValueError(
            f"Got n_missing_clusters={n_missing_clusters} with n_samples={n_samples}, "
            "expected at most as many clusters as rows."
        )
    if isinstance(random_state, Integral):
        seed = int(random_state)
    else:
        seed = int(local_random_state(random_state).randint(2**31 - 1))

    x, clusters = make_blobs(
        n_samples, 3 * n_features, centers=n_clusters, center_box=(-1.0, 1.0),
        random_state=seed,
    )  # fmt: skip
    z1, z2, shared = np.split(StandardScaler().fit_transform(x), 3, axis=1)
    x1, x2 = np.hstack([z1, shared]), np.hstack([z2, shared])
    splits: dict[str, Any] = dict(_split(n_samples, np.random.default_rng([seed, 0])))

    # One stream per setting: its numbers do not depend on which others are drawn.
    rng = np.random.default_rng([seed, 1, *tenths])
    first = round(n_features * tenths[0] / 10)
    second = round(n_features * sum(tenths) / 10) - first
    counts = (first, second, n_features - first - second)
    # The shared part starts where the two others end, as in the published code.
    causes = np.hstack([z1[:, :first], z2[:, :second], shared[:, first + second :]])
    coefficients = rng.uniform(size=(n_clusters, n_features))
    label = (causes * coefficients[clusters]).sum(axis=1) >= 0.0
    label ^= rng.uniform(size=n_samples) < flip_probability
    y = label.astype(np.int64)

    forest = RandomForestClassifier(
        n_trees, max_depth=max_depth, n_jobs=n_jobs, random_state=seed
    )
    kmeans = KMeans(n_missing_clusters, n_init=1, random_state=seed)
    # Several threads add up in any order, which could move a row to another cluster.
    with threadpool_limits(limits=1):
        k = kmeans.fit_predict(x2)
    q = _missing_probability(forest.fit(x1, k * y), x1, missing_rate)
    hidden = rng.uniform(size=n_samples) < q
    name = setting_name(*tenths)
    return pack(
        MultimodalData({"x1": x1, "x2": np.where(hidden[:, None], np.nan, x2)}),
        y,
        return_X_y=return_X_y,
        as_frame=as_frame,
        complete_data=MultimodalData({"x1": x1, "x2": x2}),
        mask=np.column_stack([np.zeros(n_samples, dtype=bool), hidden]),
        propensity=1.0 - q,
        **splits,
        clusters=clusters,
        coefficients=coefficients,
        name=name,
        DESCR=load_descr("simulation").format(
            name=name, n_features=n_features, counts=counts, rate=missing_rate
        ),
    )


def setting_name(a: int, b: int) -> str:
    """Name of the setting with shares of a and b tenths."""
    return f"causal_{a / 10:.1f}_{b / 10:.1f}_{(10 - a - b) / 10:.1f}"


def parse_setting(setting) -> tuple[int, int]:
    """Shares of a setting in tenths."""
    named = isinstance(setting, str)
    try:
        shares = setting.split("_")[1:] if named else setting
        tenths = [10.0 * float(share) for share in shares]
        whole = [round(share) for share in tenths]
    except (TypeError, ValueError, OverflowError):
        tenths, whole = [], []
    close = all(abs(t - w) < 1e-6 for t, w in zip(tenths, whole))
    if len(whole) == 3 and close and min(whole) >= 0 and sum(whole) == 10:
        a, b, _ = whole
        if not named or setting == setting_name(a, b):
            return a, b
    raise ValueError(
        f"Got setting={setting!r}, expected three non-negative multiples of 0.1 that "
        "sum to 1, or a name such as 'causal_0.3_0.3_0.4'."
    )


def _split(n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """20% test, then 10% of the rest for validation."""
    order = rng.permutation(n)
    n_test = n // 5
    n_validation = (n - n_test) // 10
    parts = np.split(order, [n_test, n_test + n_validation])
    return dict(zip(("test", "validation", "train"), map(np.sort, parts)))


def _missing_probability(
    forest: RandomForestClassifier, x1: np.ndarray, rate: float
) -> np.ndarray:
    """Probability that x2 is missing, a function of x1."""
    # The trees vote in one thread for the same reason as the clusters are found in one.
    votes = forest.set_params(n_jobs=1).predict_proba(x1)
    score = _STEEPNESS * (forest.classes_[votes.argmax(axis=1)] + votes.max(axis=1))

    def excess(intercept: float) -> float:
        return float(np.clip(expit(score + intercept), *_BOUNDS).mean()) - rate

    # At the ends of this bracket every row stands at the lower, at the upper bound.
    low, high = logit(_BOUNDS)
    intercept = brentq(excess, low - score.max(), high - score.min(), xtol=1e-12)
    return np.clip(expit(score + intercept), *_BOUNDS)
