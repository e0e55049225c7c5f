"""Data and reports that the tests share."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import skmissing
from skmissing import PRIMOClassifier
from skmissing.baselines import PatternClassifier
from skmissing.reporting._judged import Judged

MODALITIES = {"age <b>": ["age"], "labs": ["na", "<script>"], "scan": ["size & form"]}


def make_table(n=240, seed=0):
    """A hospital's table whose names would break a page that does not escape them."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    signal = y[:, None] + rng.normal(size=(n, 4))
    X = pd.DataFrame(signal, columns=["age", "na", "<script>", "size & form"])
    chance = 1 / (1 + np.exp(-0.6 * signal[:, 0]))
    X.loc[rng.random(n) < chance, ["na", "<script>"]] = np.nan
    X.loc[rng.random(n) < 0.3, "size & form"] = np.nan
    X.index = [f"<i>{i}</i>" for i in range(n)]
    return X, np.array(["alive", "<dead>"])[y], np.arange(n) // 2


NET = PRIMOClassifier(
    modalities=MODALITIES, max_epochs=2, n_draws=10, n_threads=1, random_state=0
)
LEARNER = LogisticRegression()
# Patients with two rows each, and a net that knows whom to measure next.
SETTINGS = {
    "modalities": MODALITIES,
    "learner": LEARNER,
    "n_bootstraps": 5,
    "cv": 2,
    "random_state": 3,
}


@pytest.fixture(scope="session")
def table():
    return make_table()


@pytest.fixture(scope="session")
def page(table):
    X, y, groups = table
    return skmissing.report(NET, X, y, groups=groups, title="<b>Us & them", **SETTINGS)


@pytest.fixture(scope="session")
def fitted_page(table):
    X, y, _ = table
    model = PatternClassifier(modalities=MODALITIES).fit(X[:120], y[:120])
    with pytest.MonkeyPatch.context() as patch:
        # The default net, but brief.
        patch.setattr(Judged, "make_default", lambda self: NET)
        page = skmissing.report(
            model, X[120:], y[120:], n_bootstraps=2, cv=2, scoring="accuracy",
            learner=LEARNER,
        )  # fmt: skip
    return model, page
