"""Fits and resamples on a dask cluster: one line more, the same results."""

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from skmissing import MultimodalData, PIDEstimator, PropensityWeighter, UMEMMAEnsemble
from skmissing.baselines import PatternClassifier, UnimodalEnsemble
from skmissing.ipw import modality_utility

distributed = pytest.importorskip("distributed")
# A cluster beside the other workers of the tests: not in every run.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed"),
]


@pytest.fixture(scope="module")
def client():
    """A cluster of two workers in this process, which start at once."""
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
    )
    with cluster, distributed.Client(cluster) as client:
        yield client


@pytest.fixture
def tasks(client, monkeypatch):
    """Counts the tasks that reach the cluster."""
    sent = []
    submit = distributed.Client.submit

    def counting_submit(self, *args, **kwargs):
        sent.append(args)
        return submit(self, *args, **kwargs)

    monkeypatch.setattr(distributed.Client, "submit", counting_submit)
    return sent


@pytest.fixture(scope="module")
def data():
    rng = np.random.RandomState(0)
    y = rng.randint(2, size=150)
    X = MultimodalData(
        {"a": y[:, None] + rng.randn(150, 2), "b": y[:, None] + rng.randn(150, 2)}
    )
    chance = 1 / (1 + np.exp(-X["a"][:, 0]))
    return X.hide({"b": rng.rand(150) > chance}), y


NET = {"max_epochs": 2, "random_state": 0, "n_threads": 1}


def propensities(X, y, n_jobs):
    weighter = PropensityWeighter(
        LogisticRegression(), required=["b"], cv=3, n_jobs=n_jobs, random_state=0
    )
    return weighter.fit(X).propensity_


def required_sets(X, y, n_jobs):
    weighter = PropensityWeighter(
        required=[["b"], ["a", "b"]], n_jobs=n_jobs, random_state=0
    )
    return weighter.fit(X).propensity_


def utility(X, y, n_jobs):
    table = modality_utility(
        LogisticRegression(), X, y, cv=2, n_bootstraps=4, n_jobs=n_jobs, random_state=0
    )
    return table.select_dtypes(float).to_numpy()


def decomposition(X, y, n_jobs):
    pid = PIDEstimator(
        estimator=LogisticRegression(), method="posterior", cv=3, n_bootstraps=3,
        n_permutations=19, n_jobs=n_jobs, random_state=0,
    )  # fmt: skip
    return pid.fit(X, y).to_frame().select_dtypes(float).to_numpy()


def patterns(X, y, n_jobs):
    return PatternClassifier(n_jobs=n_jobs).fit(X, y).predict_proba(X)


def unimodals(X, y, n_jobs):
    return UnimodalEnsemble(n_jobs=n_jobs, **NET).fit(X, y).predict_proba(X)


def umemma(X, y, n_jobs):
    return UMEMMAEnsemble(n_jobs=n_jobs, **NET).fit(X, y).predict_proba(X)


def search(X, y, n_jobs):
    found = GridSearchCV(
        UnimodalEnsemble(**NET), {"lr": [1e-3, 1e-2]}, cv=2, n_jobs=n_jobs
    ).fit(X, y)
    return found.cv_results_["mean_test_score"]


RUNS = [
    propensities, required_sets, utility, decomposition, patterns, unimodals, umemma,
    search,
]  # fmt: skip


@pytest.mark.parametrize(
    ("run", "n_jobs"), [(propensities, 2), *((r, None) for r in RUNS)]
)
def test_same_result_on_a_cluster(tasks, data, run, n_jobs):
    X, y = data
    expected = run(X, y, None)
    assert not tasks
    with joblib.parallel_config(backend="dask"):
        found = run(X, y, n_jobs)
    assert len(tasks) > 1
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)
