"""The stack on data with a known best member."""

import io
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, GroupKFold, ShuffleSplit
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from skmissing import IPWMultimodalClassifier, MultimodalData, PatternStackingClassifier
from skmissing.baselines import FusionClassifier, PatternClassifier, UnimodalEnsemble
from skmissing.datasets import make_xor
from skmissing.exceptions import UnobservedModalityWarning
from skmissing.modalities import ModalityTransformer

from ..conftest import make_blocks

NB = GaussianNB()
BRIEF = {"max_epochs": 30, "lr": 1e-2, "n_threads": 1}


def members(*names):
    """Some cheap members."""
    every = {
        "pattern": PatternClassifier(),
        "forest": RandomForestClassifier(30, min_samples_leaf=5),
        "boosting": HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=8),
        "logistic": LogisticRegression(),
    }
    return [(name, every[name]) for name in names]


def draw(seed, n=500, lost=0.4):
    """Additive in one modality, an interaction in two others."""
    rng = np.random.default_rng(seed)
    a, b, c = rng.normal(size=(3, n, 3))
    score = 2.5 * np.sign(a[:, 0] * b[:, 0]) + 1.5 * c[:, 0] + c[:, 1]
    y = np.where(rng.random(n) < 1 / (1 + np.exp(-score)), "yes", "no")
    X = MultimodalData({"a": a, "b": b, "c": c})
    gone = rng.random((n, 3)) < lost
    gone[gone.all(axis=1), 2] = False
    return X.hide(gone), y


@pytest.mark.parametrize("seed", range(3))
def test_it_predicts_no_worse_than_its_best_member(seed):
    X, y = draw(seed, 1200)
    train, test = np.arange(700), np.arange(700, 1200)
    named = members("pattern", "boosting")
    stack = PatternStackingClassifier(named, random_state=seed).fit(X[train], y[train])
    loss = log_loss(y[test], stack.predict_proba(X[test]))
    alone = []
    for pair in named:
        one = clone(stack).set_params(estimators=[pair]).fit(X[train], y[train])
        alone.append(log_loss(y[test], one.predict_proba(X[test])))
    # Standard error of a paired difference of such losses: about .01.
    assert loss < min(alone) + 0.01
    assert loss < np.mean(alone) - 0.005


def test_an_interaction_of_modalities_is_seen_beside_additive_members():
    rng = np.random.default_rng(0)
    X = MultimodalData(dict(zip("ab", rng.normal(size=(2, 900, 1)))))
    y = (X["a"] * X["b"] > 0).ravel()
    nets = [
        ("fusion", FusionClassifier(modality_dropout=0.0, **BRIEF)),
        ("unimodal", UnimodalEnsemble(**BRIEF)),
    ]
    stack = PatternStackingClassifier(nets, cv=2, random_state=0)
    stack.fit(X[:600], y[:600])
    assert stack.score(X[600:], y[600:]) >= 0.9
    additive = UnimodalEnsemble(**BRIEF, random_state=0).fit(X[:600], y[:600])
    assert additive.score(X[600:], y[600:]) < 0.65


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in (1, 2))]
)
def test_the_default_stack_learns_an_xor_of_modalities(seed):
    X, y = make_xor(900, four_quadrants=True, return_X_y=True, random_state=seed)
    stack = PatternStackingClassifier(random_state=seed).fit(X[:500], y[:500])
    assert stack.score(X[500:], y[500:]) >= 0.9
    additive = UnimodalEnsemble(**BRIEF, random_state=seed).fit(X[:500], y[:500])
    assert additive.score(X[500:], y[500:]) < 0.6


def test_trust_depends_on_what_is_present():
    """A member that is good with one modality is trusted where the other is missing."""
    rng = np.random.default_rng(0)
    n = 2000
    y = rng.integers(2, size=n)
    a, b = y[:, None] + 1.2 * rng.normal(size=(2, n, 2))
    here = rng.random((n, 2)) < 0.6
    here[~here.any(axis=1), 0] = True
    X = MultimodalData({"a": a, "b": b}, present=here)
    knows = [("a", OneBlock("a")), ("b", OneBlock("b"))]
    stack = PatternStackingClassifier(knows, random_state=0).fit(X, y)
    table = stack.weights_
    assert list(table.index) == ["a", "b", "a, b"]
    assert table["n_rows"].sum() == n
    # Of independent modalities, each says all it knows.
    np.testing.assert_allclose(table.loc["a, b", ["a", "b"]], 1.0, atol=0.2)
    assert table.loc["a", "a"] > 0.8
    assert table.loc["b", "b"] > 0.8
    mean = (table[["a", "b"]].T @ table["n_rows"]) / n
    np.testing.assert_allclose(stack.common_weights_, mean)


class OneBlock(PatternClassifier):
    """The rows that have one modality, by it alone; the prior for the others."""

    def __init__(self, name):
        super().__init__()
        self.name = name

    def fit(self, X, y, sample_weight=None):
        super().fit(X.select([self.name]), y, sample_weight)
        return self

    def predict_log_proba(self, X):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return super().predict_log_proba(X.select([self.name]))

    def can_predict(self, X):
        return super().can_predict(X.select([self.name]))


def test_patterns_that_training_rows_never_show_are_answered():
    X, y = draw(0, 500, lost=0.0)
    stack = PatternStackingClassifier(members("boosting", "pattern"), random_state=0)
    stack.fit(X[:300], y[:300])
    assert list(stack.weights_.index) == ["a, b, c"]
    one = X[300:].select(["c"])
    with pytest.warns(UserWarning, match="'a', 'b'|modalit"):
        found = stack.predict_proba(one)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert (stack.classes_[found.argmax(axis=1)] == y[300:]).mean() > 0.6


def test_copies_that_lack_something_make_it_cautious():
    """Trained on complete rows, trees are no judge of rows with a modality only."""
    X, y = draw(0, 1000, lost=0.0)
    train, test = slice(0, 600), slice(600, 1000)
    alone = X[test].hide(np.tile([True, True, False], (400, 1)))
    loss = []
    for weight in (0.0, 0.2):
        stack = PatternStackingClassifier(
            members("boosting", "pattern"), hidden_weight=weight, random_state=0
        ).fit(X[train], y[train])
        loss.append(log_loss(y[test], stack.predict_proba(alone)))
    assert loss[1] < loss[0]


def test_columns_of_text_categories_and_dates_need_no_encoder():
    rng = np.random.default_rng(0)
    n = 400
    y = rng.integers(2, size=n)
    town = np.where(rng.random(n) < 0.8, np.where(y, "Bern", "Basel"), "Chur")
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(900, size=n), "D")
    X = pd.DataFrame(
        {
            "home__town": pd.Categorical(town),
            "home__since": day,
            "lab__x": rng.normal(size=n) + 0.3 * y,
        }
    )
    X.loc[rng.random(n) < 0.3, ["home__town", "home__since"]] = None
    stack = PatternStackingClassifier(
        members("boosting", "pattern", "logistic"), random_state=0
    )
    stack.fit(X[:250], y[:250])
    assert stack.score(X[250:], y[250:]) > 0.75
    # A town that fit has not seen is none of those it knows.
    other = X[250:260].assign(home__town="Genf")
    assert np.isfinite(stack.predict_log_proba(other)).all()


def test_groups_stay_together_everywhere():
    X, y = draw(0, 300)
    groups = np.arange(300) // 5
    seen = []

    class Spy(PatternClassifier):
        def fit(self, X, y, sample_weight=None, groups=None):
            seen.append(set(groups))
            return super().fit(X, y, sample_weight)

    stack = PatternStackingClassifier([("spy", Spy())], cv=3, random_state=0)
    stack.fit(X, y, groups=groups)
    held = [set(groups) - used for used in seen]
    assert len(held) == 3
    assert sum(len(h) for h in held) == 60
    assert set().union(*held) == set(groups)
    by_splitter = clone(stack).set_params(cv=GroupKFold(3)).fit(X, y, groups=groups)
    assert len(by_splitter.estimators_["spy"]) == 3


@pytest.mark.filterwarnings("ignore::skmissing.exceptions.NoCovariateWarning")
@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_groups_and_weights_reach_the_steps_of_a_pipeline(routing, weighted):
    """Also of one inside of another, in a stack and around an inner estimator."""
    X, y = draw(0, 120, lost=0.2)
    groups, seen = np.random.default_rng(0).permutation(120) // 5, []
    # A column says of each row to which group it belongs.
    blocks = X.blocks
    blocks["c"] = np.column_stack([X["c"][:, :2], groups])
    X = MultimodalData(blocks, X.present)
    weight = 1.0 + np.arange(120) % 2 if weighted else None

    class Spy(PatternClassifier):
        def fit(self, X, y, sample_weight=None, groups=None):
            have = np.asarray(X.present)[:, X.names.index("c")]
            own = np.asarray(X["c"])[have, 2]
            seen.append((sample_weight is not None, own, np.asarray(groups)[have]))
            return super().fit(X, y, sample_weight)

    with sklearn.config_context(enable_metadata_routing=routing):
        spy = Spy()
        if routing:
            spy.set_fit_request(groups=True)
        inner = make_pipeline(ModalityTransformer(), spy)
        nested = make_pipeline("passthrough", make_pipeline(ModalityTransformer(), spy))
        for outer in (
            PatternStackingClassifier([("one", inner), ("two", nested)], cv=2),
            IPWMultimodalClassifier(nested, use=["c"]),
        ):
            seen.clear()
            outer.fit(X, y, weight, groups)
            assert seen
            for _, own, given in seen:
                np.testing.assert_array_equal(given, own)
            assert all(used == weighted for used, _, _ in seen) or weight is None


def test_members_can_be_tuned_dropped_and_given_as_a_dict():
    X, y = draw(0, 200)
    stack = PatternStackingClassifier(
        dict(members("logistic", "forest")), cv=2, random_state=0
    )
    search = GridSearchCV(
        stack, {"logistic__C": [0.01, 1.0], "forest": ["drop"]}, cv=2
    ).fit(X, y)
    assert list(search.best_estimator_.estimators_) == ["logistic"]
    assert {m.C for m in search.best_estimator_.estimators_["logistic"]} == {
        search.best_params_["logistic__C"]
    }


def test_jobs_and_seeds():
    X, y = draw(0, 200)
    stack = PatternStackingClassifier(members("forest"), cv=2, random_state=0)
    one = stack.fit(X, y).predict_proba(X)
    two = clone(stack).set_params(n_jobs=2).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(one, two)
    # A seed of a member is its own.
    forest = RandomForestClassifier(10, random_state=3)
    kept = PatternStackingClassifier([("forest", forest)], cv=2).fit(X, y)
    assert {m.random_state for m in kept.estimators_["forest"]} == {3}


def test_a_row_without_weight_leaves_no_trace():
    X, y = draw(0, 200)
    weight = np.ones(len(y))
    weight[:20] = 0.0
    stack = PatternStackingClassifier(members("pattern"), cv=2, random_state=0)
    first = stack.fit(X, y, weight).predict_proba(X)
    np.testing.assert_array_equal(
        clone(stack).fit(X[20:], y[20:]).predict_proba(X), first
    )


def test_a_class_of_one_row():
    X, y = draw(0, 100)
    y = y.astype(object)
    y[0] = "rare"
    stack = PatternStackingClassifier(members("pattern", "forest"), random_state=0)
    found = stack.fit(X, y).predict_proba(X)
    assert found.shape == (100, 3)
    assert (found > 0).all()


def test_the_default_members():
    X, y = make_blocks(n=60)
    stack = PatternStackingClassifier(cv=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnobservedModalityWarning)
        stack.fit(X, y)
    assert list(stack.estimators_) == list(stack.weights_.columns[1:])
    assert len(stack.estimators_) >= 3


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"estimators": []}, ValueError, "estimators=.*at least one classifier"),
        ({"estimators": [("a", "drop")]}, ValueError, "at least one classifier"),
        ({"estimators": [("a", LinearSVC())]}, TypeError, "LinearSVC as 'a'"),
        ({"estimators": [PatternClassifier()]}, ValueError, r"\(member, classifier\)"),
        (
            {"estimators": [("cv", PatternClassifier())]},
            ValueError,
            "rename the member",
        ),
        ({"cv": ShuffleSplit(1)}, ValueError, "cv=.*rows in none or several"),
        ({"cv": 1}, ValueError, "cv.*Got 1"),
        ({"hidden_weight": -1.0}, ValueError, "hidden_weight"),
    ],
)
def test_what_it_refuses(params, error, message):
    X, y = draw(0, 60)
    stack = PatternStackingClassifier(members("pattern")).set_params(**params)
    with pytest.raises(error, match=message):
        stack.fit(X, y)
    assert not hasattr(stack, "classes_")


def test_a_member_with_columns_of_its_own_is_named():
    X, y = draw(0, 60)
    columns = {name: [f"{name}__{i}" for i in range(3)] for name in X.names}
    for member in (
        PatternClassifier(modalities=columns),
        make_pipeline(ModalityTransformer(modalities=columns), PatternClassifier()),
    ):
        stack = PatternStackingClassifier([("own", member)], modalities=columns)
        message = "for the member 'own': .*modalities=.* gets blocks, not columns"
        with pytest.raises(ValueError, match=message):
            stack.fit(X.to_frame(), y)


def test_a_default_member_has_no_parameters():
    stack = PatternStackingClassifier()
    message = "Got 'fusion__lr', .* a member that estimators lists; list 'fusion'"
    with pytest.raises(ValueError, match=message):
        stack.set_params(fusion__lr=0.1)
    stack.set_params(estimators=members("logistic"), logistic__C=3.0)
    assert stack.estimators[0][1].C == 3.0


def test_a_bar_counts_the_fits(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    X, y = draw(0, 90)
    monkeypatch.setattr(sys, "stderr", Terminal())
    for verbose in (0, 1):
        stack = PatternStackingClassifier(
            members("pattern", "logistic"), cv=3, verbose=verbose, random_state=0
        )
        stack.fit(X, y)
        shown = sys.stderr.getvalue()
        assert ("fits:" in shown and "/6" in shown) == bool(verbose)


def test_a_member_that_takes_no_weights_is_named():
    X, y = draw(0, 60)
    stack = PatternStackingClassifier([("near", KNeighborsClassifier())])
    stack.fit(X, y)
    with pytest.raises(TypeError, match="KNeighborsClassifier for the member 'near'"):
        stack.fit(X, y, np.arange(60.0))
