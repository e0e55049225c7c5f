"""Mechanisms: functions of data, labels and a seed to the blocks that are hidden."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy.special import logit
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from ..datasets import load_support
from ..ipw import PropensityWeighter
from ..missingness import simulate_missing
from ..modalities import MultimodalData

RATE = 0.4
# Lowest and highest rate of a modality where rates differ.
UNBALANCED = (0.1, 0.7)
STRENGTH = 1.5
# Every how many rows of the source the transplanted propensities are fitted on.
SOURCE_STEP = 2
# Largest share of rows that have a test whose missingness is worth a model.
COMMON = 0.95

Mechanism = Callable[[MultimodalData, np.ndarray, int], np.ndarray]


def none(data: MultimodalData, y: np.ndarray, seed: int) -> np.ndarray:
    """Hide nothing; what is missing in the data stays missing."""
    return np.zeros(data.shape, dtype=bool)


def mcar(data: MultimodalData, y: np.ndarray, seed: int) -> np.ndarray:
    """Completely at random, each modality at the same rate."""
    return simulate_missing(data, rate=RATE, keep_one=True, random_state=seed).mask


def unbalanced(data: MultimodalData, y: np.ndarray, seed: int) -> np.ndarray:
    """Completely at random, each modality at a rate of its own."""
    order = np.random.default_rng(seed).permutation(data.shape[1])
    rates = np.linspace(*UNBALANCED, data.shape[1])[order]
    given = dict(zip(data.names, rates.tolist()))
    return simulate_missing(data, rate=given, keep_one=True, random_state=seed).mask


def mar(data: MultimodalData, y: np.ndarray, seed: int) -> np.ndarray:
    """At random: depends on a modality that is always there."""
    name = choose_driver(data, seed)
    return simulate_missing(
        data, mechanism="mar", depends_on=name, rate=RATE, strength=STRENGTH,
        random_state=seed,
    ).mask  # fmt: skip


def mar_label(data: MultimodalData, y: np.ndarray, seed: int) -> np.ndarray:
    """At random given the label."""
    return simulate_missing(
        data, y, mechanism="mar", depends_on="y", rate=RATE, strength=STRENGTH,
        keep_one=True, random_state=seed,
    ).mask  # fmt: skip


def mnar(data: MultimodalData, y: np.ndarray, seed: int) -> np.ndarray:
    """Not at random: depends on the values that are hidden."""
    return simulate_missing(
        data, mechanism="mnar", rate=RATE, strength=STRENGTH, keep_one=True,
        random_state=seed,
    ).mask  # fmt: skip


def transplanted(data: MultimodalData, y: np.ndarray, seed: int) -> np.ndarray:
    """As tests are missing from patients, :func:`~skmissing.datasets.load_support`.

    Each patient has a propensity for each test, given what is always known of patients.
    Patients and rows are ranked, by the main direction of these propensities and by
    that of a modality that stays complete, and a row gets the propensities of the
    patient of its rank. Modalities take the place of tests in random order.
    """
    severity, propensity = source_propensities()
    rng = np.random.default_rng(seed)
    driver = choose_driver(data, seed)
    others = [name for name in data.names if name != driver]
    score = main_direction(np.asarray(data[driver]).reshape(len(data), -1))
    rank = score.argsort(kind="stable").argsort(kind="stable")
    quantile = (rank + 0.5) / len(data)
    patient = severity.argsort(kind="stable")[(quantile * len(severity)).astype(int)]
    tests = rng.permutation(propensity.shape[1])
    scores = np.zeros(data.shape)
    rates = dict.fromkeys(data.names, 0.0)
    for k, name in enumerate(others):
        hidden = 1.0 - propensity[patient, tests[k % len(tests)]]
        scores[:, data.names.index(name)] = logit(hidden)
        rates[name] = float(hidden.mean())
    return simulate_missing(
        data, mechanism="mar", scores=scores, rate=rates, random_state=seed
    ).mask


@lru_cache(maxsize=1)
def source_propensities() -> tuple[np.ndarray, np.ndarray]:
    """Main direction and propensities of the tests that patients have or not."""
    data = load_support().data[::SOURCE_STEP]
    rare = np.asarray(data.present).mean(axis=0) < COMMON
    tests = np.array(data.names)[rare].tolist()
    model = LogisticRegression(C=0.1, max_iter=200)
    weighter = PropensityWeighter(model, required=[[name] for name in tests])
    propensity = weighter.fit(data).propensity_
    propensity = np.clip(propensity, 1e-3, 1 - 1e-3)
    return main_direction(logit(propensity)), propensity


def choose_driver(data: MultimodalData, seed: int) -> str:
    """A modality that every row has."""
    full = np.array(data.names)[np.asarray(data.present).all(axis=0)].tolist()
    if not full:
        raise ValueError("Got no modality that all rows have, expected at least one.")
    return full[np.random.default_rng(seed).integers(len(full))]


def main_direction(table: np.ndarray) -> np.ndarray:
    """First principal component of standardised columns, of standard deviation 1."""
    z = np.nan_to_num(StandardScaler().fit_transform(np.asarray(table, dtype=float)))
    pca = PCA(1, svd_solver="randomized", random_state=0).fit(z)
    out = pca.transform(z)[:, 0] * np.sign(pca.components_[0].sum() or 1.0)
    return out / out.std()


MECHANISMS: dict[str, Mechanism] = {
    function.__name__: function
    for function in (none, mcar, unbalanced, mar, mar_label, mnar, transplanted)
}
