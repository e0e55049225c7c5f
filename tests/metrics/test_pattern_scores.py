"""Scores by pattern and by rate: right rows, right gaps, the same in every form."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, make_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skmissing import MultimodalData
from skmissing.baselines import PatternClassifier, UnimodalEnsemble
from skmissing.exceptions import UndefinedScoreWarning
from skmissing.metrics import score_by_pattern, score_by_rate
from skmissing.missingness import patterns
from skmissing.modalities import ModalityTransformer

COLUMNS = ["estimator", "pattern", "n_missing", "n_rows", "metric", "value"]


class Recorder:
    """Keeps what it is asked about; its score is the share of blocks present."""

    modalities = None

    def __init__(self):
        self.asked = []

    def fit(self, X, y):
        return self

    def score(self, X, y, sample_weight=None):
        self.asked.append((X, np.asarray(y), sample_weight))
        return X.present.mean()


def data(n=240, seed=0, missing=0.0):
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=n)
    X = MultimodalData({
        "a": y[:, None] + 0.5 * rng.normal(size=(n, 2)),
        "b": y[:, None] + rng.normal(size=(n, 1)),
        "c": rng.normal(size=(n, 3)),
    })  # fmt: skip
    mask = rng.random((n, 3)) < missing
    mask[np.arange(n), rng.integers(3, size=n)] = False
    return X.hide(mask), y


def forms(X):
    frame = X.to_frame()
    columns = {"a": [0, 1], "b": [2], "c": [3, 4, 5]}
    return {"blocks": (X, None), "frame": (frame, None),
            "array": (frame.to_numpy(), columns)}  # fmt: skip


# -- patterns --------------------------------------------------------------------------


def test_the_rows_of_a_pattern_and_what_is_hidden_from_them():
    X, y = data(missing=0.4)
    weight = np.arange(240.0)
    model = Recorder()
    table = score_by_pattern(model, X, y, sample_weight=weight)
    assert table.columns.tolist() == COLUMNS
    expected = ["a + b + c", "a + b", "a + c", "b + c", "a", "b", "c"]
    assert table.pattern.tolist() == expected
    assert table.n_missing.tolist() == [0, 1, 1, 1, 2, 2, 2]
    assert set(table.estimator) == {"Recorder"}
    assert set(table.metric) == {"score"}
    for line, (asked, labels, weights) in zip(table.itertuples(), model.asked):
        names = line.pattern.split(" + ")
        kept = np.array([name in names for name in X.names])
        rows = np.flatnonzero(X.present[:, kept].all(axis=1))
        assert line.n_rows == len(rows) == len(asked)
        np.testing.assert_array_equal(labels, y[rows])
        np.testing.assert_array_equal(weights, weight[rows])
        np.testing.assert_array_equal(asked.present, np.tile(kept, (len(rows), 1)))
        for name in names:
            np.testing.assert_array_equal(asked[name], X[name][rows])
        assert line.value == pytest.approx(kept.mean())


def test_scores_are_those_of_the_estimator_on_hidden_rows():
    X, y = data(missing=0.2)
    clf = PatternClassifier().fit(X[:120], y[:120])
    X, y = X[120:], y[120:]
    table = score_by_pattern(clf, X, y).set_index("pattern")
    for pattern, hidden in (("a + b", ["c"]), ("b", ["a", "c"])):
        kept = [X.names.index(name) for name in pattern.split(" + ")]
        rows = X.present[:, kept].all(axis=1)
        expected = clf.score(X[rows].hide(hidden), y[rows])
        assert table.value[pattern] == expected


def test_X_is_left_as_it_was():
    X, y = data()
    clf = PatternClassifier().fit(X, y)
    for form, modalities in forms(X).values():
        before = form.copy() if not isinstance(form, MultimodalData) else form[:]
        score_by_pattern(clf, form, y, modalities=modalities)
        if isinstance(form, MultimodalData):
            np.testing.assert_array_equal(form.present, before.present)
        else:
            np.testing.assert_array_equal(np.asarray(form), np.asarray(before))


@pytest.mark.parametrize("score", [score_by_pattern, score_by_rate])
def test_the_three_forms_give_one_table(score):
    X, y = data(missing=0.3)
    tables = []
    for form, modalities in forms(X).values():
        clf = PatternClassifier(modalities=modalities).fit(form, y)
        options = {"random_state": 0} if score is score_by_rate else {}
        tables.append(score(clf, form, y, **options))
    for other in tables[1:]:
        pd.testing.assert_frame_equal(tables[0], other)
    assert tables[0].value.nunique() > 3


def test_estimators_of_scikit_learn_on_frames_with_nan():
    X, y = data(n=400)
    frame = X.to_frame()
    frame["site"] = np.where(np.arange(400) % 2 == 0, 1.0, 2.0)
    trees = HistGradientBoostingClassifier(max_iter=15, random_state=0)
    trees.fit(frame[:200], y[:200])
    table = score_by_pattern(
        trees, frame[200:], y[200:], modalities={
            name: [c for c in frame if c.startswith(f"{name}__")] for name in "abc"
        },
    ).set_index("pattern")  # fmt: skip
    for pattern, hidden in (("a", "bc"), ("a + c", "b")):
        gone = [c for c in frame if c.split("__")[0] in hidden and "__" in c]
        expected = frame[200:].copy()
        expected[gone] = np.nan
        # Covariates, which belong to no modality, are never hidden.
        assert table.value[pattern] == trees.score(expected, y[200:])
    assert table.value["a"] > table.value["c"]


def test_several_estimators_and_several_metrics():
    X, y = data()
    models = {
        "by pattern": PatternClassifier().fit(X, y),
        "prior": PatternClassifier(DummyClassifier(strategy="prior")).fit(X, y),
    }
    scoring = ["accuracy", "neg_log_loss"]
    table = score_by_pattern(models, X, y, scoring=scoring, patterns=["a", "b"])
    assert len(table) == 8
    wide = table.pivot(index=["pattern", "metric"], columns="estimator", values="value")
    shares = np.bincount(y) / len(y)
    assert wide.loc[("a", "accuracy"), "prior"] == pytest.approx(shares.max())
    proba = models["by pattern"].predict_proba(X.hide(["b", "c"]))
    expected = -log_loss(y, proba)
    assert wide.loc[("a", "neg_log_loss"), "by pattern"] == pytest.approx(expected)
    named = score_by_pattern(
        models, X, y, patterns=["a"],
        scoring={"ours": make_scorer(accuracy_score), "loss": "neg_log_loss"},
    )  # fmt: skip
    assert named.metric.tolist() == ["ours", "loss"] * 2
    assert named.value[0] == wide.loc[("a", "accuracy"), "by pattern"]
    single = score_by_pattern(models, X, y, scoring="accuracy", patterns=["a"])
    assert single.metric.unique().tolist() == ["accuracy"]

    def of_my_own(estimator, X, y):
        return 0.25

    own = score_by_pattern(models, X, y, scoring=of_my_own, patterns=["a"])
    assert (own.metric.unique().tolist(), set(own.value)) == (["of_my_own"], {0.25})


def test_weights_enter_the_scores():
    X, y = data()
    clf = PatternClassifier().fit(X, y)
    weight = np.random.default_rng(0).random(240)
    table = score_by_pattern(
        clf, X, y, patterns=["b"], scoring=[None, "accuracy"][1:], sample_weight=weight
    )
    right = clf.predict(X.hide(["a", "c"])) == y
    assert table.value[0] == pytest.approx(np.average(right, weights=weight))
    double = score_by_pattern(
        clf, X, y, patterns=["b"], scoring="accuracy", sample_weight=2 * weight
    )
    assert double.value[0] == pytest.approx(table.value[0])


def test_patterns_that_no_row_has():
    X, y = data()
    X = X.hide({"a": np.arange(240) % 2 == 0, "b": np.arange(240) % 2 == 1})
    clf = PatternClassifier().fit(X, y)
    table = score_by_pattern(clf, X, y, scoring=["accuracy", "f1_macro"])
    table = table[table.metric == "f1_macro"].set_index("pattern")
    assert table.n_rows.to_dict() == {
        "a + b + c": 0, "a + b": 0, "a + c": 120, "b + c": 120,
        "a": 120, "b": 120, "c": 240,
    }  # fmt: skip
    assert np.isnan(table.value[["a + b + c", "a + b"]]).all()
    assert not np.isnan(table.value[["a", "c"]]).any()
    # No row that counts is no row.
    weight = (np.arange(240) % 2 == 0) * 1.0
    table = score_by_pattern(clf, X, y, patterns=["a", "b"], sample_weight=weight)
    assert np.isnan(table.value).tolist() == [True, False]


def test_patterns_are_given_in_any_order_and_once():
    X, y = data()
    table = score_by_pattern(
        Recorder(), X, y, patterns=[("c", "a"), "b", ["a", "c"], ("b",)]
    )
    assert table.pattern.tolist() == ["a + c", "b"]


def test_one_modality_has_one_pattern():
    X, y = data()
    table = score_by_pattern(Recorder(), X.select(["a"]), y)
    assert table.pattern.tolist() == ["a"]


def test_modalities_come_from_the_first_estimator_that_has_any():
    X, y = data()
    array = X.to_frame().to_numpy()
    columns = {"a": [0, 1], "b": [2], "c": [3, 4, 5]}
    models = {
        "trees": HistGradientBoostingClassifier(max_iter=2).fit(array, y),
        "patterns": PatternClassifier(modalities=columns).fit(array, y),
    }
    assert len(score_by_pattern(models, array, y)) == 14


# -- rates -----------------------------------------------------------------------------


def asked_of(rates, X, y, **options):
    model = Recorder()
    table = score_by_rate(model, X, y, rates=rates, random_state=0, **options)
    return table, [X.present for X, _, _ in model.asked]


def test_gaps_of_a_higher_rate_contain_those_of_a_lower_one():
    X, y = data(missing=0.2)
    rates = [0.0, 0.1, 0.4, 0.7, 1.0]
    table, present = asked_of(rates, X, y, n_repeats=3)
    assert len(table) == 15
    assert table.rate.tolist() == rates * 3
    assert table.repeat.tolist() == sorted([0, 1, 2] * 5)
    for repeat in range(3):
        drawn = present[5 * repeat : 5 * repeat + 5]
        np.testing.assert_array_equal(drawn[0], X.present)
        for less, more in zip(drawn[1:], drawn[:-1]):
            assert (less <= more).all()
            assert (less < more).any()
        # Never all of it, and at a rate of 1 nothing but one block.
        assert all(mask.any(axis=1).all() for mask in drawn)
        assert (drawn[-1].sum(axis=1) == 1).all()
    assert not np.array_equal(present[2], present[7])
    shares = [1 - mask.mean() for mask in present]
    np.testing.assert_allclose(table.share_missing, shares)


def test_gaps_do_not_depend_on_which_rates_are_asked_for():
    X, y = data()
    _, one = asked_of([0.5], X, y, n_repeats=2)
    _, several = asked_of([0.9, 0.5, 0.1], X, y, n_repeats=2)
    np.testing.assert_array_equal(one[0], several[1])
    np.testing.assert_array_equal(one[1], several[4])


def test_blocks_are_hidden_as_often_as_asked():
    X, y = data(n=6000)
    _, (present,) = asked_of([0.3], X, y, n_repeats=1)
    # One block of the rows that would lose all three stays, each as often.
    expected = 1 - 0.3 + 0.3**3 / 3
    np.testing.assert_allclose(present.mean(axis=0), expected, atol=0.02)
    last = present[present.sum(axis=1) == 1].mean(axis=0)
    np.testing.assert_allclose(last, 1 / 3, atol=0.06)


def test_only_what_may_be_hidden_is_hidden():
    X, y = data(missing=0.2)
    table, (present,) = asked_of([1.0], X, y, n_repeats=1, hide="b")
    alone = X.present[:, 1] & (X.present.sum(axis=1) == 1)
    np.testing.assert_array_equal(present[:, [0, 2]], X.present[:, [0, 2]])
    np.testing.assert_array_equal(present[:, 1], alone)
    assert table.share_missing[0] == pytest.approx(1 - alone.mean())


def test_rows_that_lack_everything_stay_as_they_are():
    X, y = data()
    X = X.hide(np.tile((np.arange(240) < 5)[:, None], 3))
    clf = PatternClassifier()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        clf.fit(X, y)
    table, (present,) = asked_of([0.5], X, y, n_repeats=1)
    assert not present[:5].any()
    assert present[5:].any(axis=1).all()
    # Without a warning each: these rows are part of the question.
    score_by_rate(clf, X, y, rates=[0.5], n_repeats=1, random_state=0)
    assert table.n_rows[0] == 240


def test_a_real_model_falls_with_the_rate():
    X, y = data(n=600)
    models = {
        "patterns": PatternClassifier().fit(X[:300], y[:300]),
        "net": UnimodalEnsemble(max_epochs=5, n_threads=1, random_state=0, lr=1e-2)
        .fit(X[:300], y[:300]),
    }  # fmt: skip
    table = score_by_rate(
        models, X[300:], y[300:], rates=[0.0, 0.4, 0.8], n_repeats=3, random_state=0
    )
    curve = table.groupby(["estimator", "rate"]).value.mean().unstack()
    assert (np.diff(curve, axis=1) < 0).all()
    # All estimators meet the same gaps.
    shares = table.groupby(["rate", "repeat"]).share_missing.nunique()
    assert (shares == 1).all()


# -- errors ----------------------------------------------------------------------------


@pytest.mark.parametrize("score", [score_by_pattern, score_by_rate])
def test_errors_of_both(score):
    X, y = data()
    clf = PatternClassifier().fit(X, y)
    with pytest.raises(ValueError, match="Got no estimator, expected at least one"):
        score({}, X, y)
    with pytest.raises(ValueError, match="Got y of length 239, expected 240"):
        score(clf, X, y[:-1])
    with pytest.raises(ValueError, match="sample_weight"):
        score(clf, X, y, sample_weight=np.ones(3))
    with pytest.raises(ValueError, match="precise"):
        score(clf, X, y, scoring="precise")
    for empty in ([], {}):
        with pytest.raises(ValueError, match="Got no metric, expected at least one"):
            score(clf, X, y, scoring=empty)
    with pytest.raises(ValueError, match="expected"):
        score(clf, X, y, modalities=["z"])


def test_errors_of_patterns():
    X, y = data()
    for bad in (["z"], [()], [("a", "z")]):
        with pytest.raises(
            ValueError, match=r"Got .* in patterns, expected names of some"
        ):
            score_by_pattern(Recorder(), X, y, patterns=bad)
    with pytest.raises(ValueError, match="Got no pattern, expected at least one"):
        score_by_pattern(Recorder(), X, y, patterns=[])
    with pytest.raises(TypeError, match="Got patterns='a', expected"):
        score_by_pattern(Recorder(), X, y, patterns="a")


def test_errors_of_rates():
    X, y = data()
    for bad in (-0.1, 1.1, np.nan, "0.5"):
        with pytest.raises(ValueError, match=r"Got the rate .*expected numbers from 0"):
            score_by_rate(Recorder(), X, y, rates=[0.0, bad])
    with pytest.raises(ValueError, match="Got no rate, expected at least one"):
        score_by_rate(Recorder(), X, y, rates=[])
    for bad in (0, 1.5):
        with pytest.raises(ValueError, match="Got n_repeats="):
            score_by_rate(Recorder(), X, y, n_repeats=bad)
    for bad in ("z", [], ["a", "z"]):
        with pytest.raises(ValueError, match=r"Got .* in hide, expected names of some"):
            score_by_rate(Recorder(), X, y, hide=bad)


# -- what is hidden does not depend on who is asked first ------------------------------


def two_column_frame(n=300):
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=n)
    names = ["a1", "a2", "b1", "b2"]
    values = y[:, None] + rng.normal(scale=[0.2, 0.2, 3.0, 3.0], size=(n, 4))
    return pd.DataFrame(values, columns=names), y


MODALITIES = {"a": ["a1", "a2"], "b": ["b1", "b2"]}


def test_order_of_the_estimators_does_not_matter():
    X, y = two_column_frame()
    both = PatternClassifier(modalities=MODALITIES).fit(X, y)
    alone = PatternClassifier(modalities={"a": MODALITIES["a"]}).fit(X, y)
    tables = [
        score_by_pattern(each, X, y).pivot(
            index="pattern", columns="estimator", values="value"
        )
        for each in ({"alone": alone, "both": both}, {"both": both, "alone": alone})
    ]
    assert sorted(tables[0].index) == ["a", "a + b", "b"]
    pd.testing.assert_frame_equal(
        tables[0].sort_index(), tables[1].sort_index()[tables[0].columns]
    )
    assert tables[0].both["b"] < 0.6 < tables[0].both["a"]
    other = PatternClassifier(modalities={"a": ["a1"], "b": MODALITIES["b"]}).fit(X, y)
    with pytest.raises(ValueError, match="of the modality 'a', expected the same"):
        score_by_pattern({"both": both, "other": other}, X, y)


def test_searches_and_pipelines_are_asked_for_what_they_hold():
    X, y = two_column_frame()
    clf = PatternClassifier(modalities=MODALITIES, training_rows="exact")
    direct = score_by_pattern(clone(clf).fit(X, y), X, y)
    search = GridSearchCV(clf, {"training_rows": ["exact"]}, cv=2).fit(X, y)
    pipeline = make_pipeline("passthrough", clf).fit(X, y)
    for each in (search, pipeline):
        table = score_by_pattern(each, X, y)
        np.testing.assert_array_equal(table.value, direct.value)
        rates = score_by_rate(each, X, y, rates=[0.8], n_repeats=1, random_state=0)
        assert rates.share_missing[0] > 0.3


def test_the_first_step_of_a_pipeline_knows_the_columns_of_the_modalities():
    """The names of later steps are those of the output of the first."""
    X, y = two_column_frame()
    X["a2"] = np.where(X["a2"] > 0, "yes", "no")
    onehot = make_pipeline(OneHotEncoder(sparse_output=False, handle_unknown="ignore"))
    encode = ModalityTransformer({"a": onehot}, modalities=MODALITIES)
    pipe = make_pipeline(encode, PatternClassifier()).fit(X, y)
    expected = score_by_pattern(pipe, X, y, modalities=MODALITIES)
    assert expected.pattern.tolist() == ["a + b", "a", "b"]
    nested = make_pipeline(pipe[:-1], pipe[-1])
    search = GridSearchCV(make_pipeline(encode, PatternClassifier()), {}, cv=2)
    voters = VotingClassifier([("one", pipe), ("two", pipe)], voting="soft")
    for each in (pipe, nested, search.fit(X, y), voters.fit(X, y)):
        found = score_by_pattern(each, X, y)
        assert found.pattern.tolist() == expected.pattern.tolist()
    np.testing.assert_array_equal(score_by_pattern(nested, X, y).value, expected.value)
    # A first step that goes by the prefixes of X has no columns to name.
    renamed = X.rename(columns=lambda c: f"{c[0]}__{c}")
    columns = {"all": ["a__a1", "b__b1"]}
    later = make_pipeline(ModalityTransformer(), PatternClassifier(modalities=columns))
    numbers = renamed[["a__a1", "b__b1", "b__b2"]]
    table = score_by_pattern(later.fit(numbers, y), numbers, y)
    assert table.pattern.tolist() == ["a + b", "a", "b"]


def test_labels_of_tables_are_patterns():
    X, y = two_column_frame()
    clf = PatternClassifier(modalities=MODALITIES).fit(X, y)
    labels = [*score_by_pattern(clf, X, y).pattern, "none"]
    table = score_by_pattern(clf, X, y, patterns=labels)
    assert table.pattern.tolist() == ["a + b", "a", "b", "none"]
    assert table.n_missing.tolist() == [0, 1, 1, 2]
    X.loc[::2, ["a1", "a2"]] = np.nan
    counted = patterns(X, MODALITIES).index
    assert score_by_pattern(clf, X, y, patterns=counted).pattern.tolist() == [*counted]
    with pytest.raises(ValueError, match=r"Got 'a \+ z' in patterns"):
        score_by_pattern(clf, X, y, patterns=["a + z"])
    # A name goes before a label.
    sums = {"a+b": ["a1"], "a": ["a2"], "b": ["b1"], "none": ["b2"]}
    clf = PatternClassifier(modalities=sums).fit(X, y)
    table = score_by_pattern(clf, X, y, patterns=["a+b", "none"])
    assert table.n_missing.tolist() == [3, 3]


def test_a_table_of_one_modality_is_refused():
    """Nothing would be hidden, and every pattern look as good as complete rows."""
    X, y = two_column_frame()
    forest = LogisticRegression().fit(X, y)
    for score in (score_by_pattern, score_by_rate):
        with pytest.raises(ValueError, match=r"single modality 'x' in score_by_.*pass"):
            score(forest, X, y)
    with pytest.raises(TypeError, match="Got a list of estimators, expected one, or"):
        score_by_pattern([forest], X, y, modalities=MODALITIES)


def test_an_estimator_that_is_not_fitted_is_an_error_without_warnings():
    X, y = two_column_frame()
    X.loc[::2, ["b1", "b2"]] = np.nan
    clf = PatternClassifier(modalities=MODALITIES)
    for score in (score_by_pattern, score_by_rate):
        with pytest.raises(NotFittedError):
            score(clf, X, y)


def test_a_metric_that_one_pattern_does_not_define():
    X, y = two_column_frame()
    clf = PatternClassifier(modalities=MODALITIES).fit(X, y)
    X.loc[y == 2, ["b1", "b2"]] = np.nan
    with pytest.warns(UndefinedScoreWarning, match="'roc_auc_ovr' of Pattern"):
        table = score_by_pattern(clf, X, y, scoring=["roc_auc_ovr", "accuracy"])
    undefined = table[table.value.isna()]
    assert set(undefined.pattern) == {"a + b", "b"}
    assert set(undefined.metric) == {"roc_auc_ovr"}
    with pytest.raises(TypeError, match="Got a dict from the metric"):
        score_by_pattern(clf, X, y, scoring=lambda e, X, y: {"accuracy": 1.0})
