"""Prediction on what users have: other columns, another order, fewer modalities."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmissing import (
    IPWMultimodalClassifier,
    MultimodalData,
    PIDEstimator,
    PropensityWeighter,
)
from skmissing.baselines import PatternClassifier
from skmissing.exceptions import (
    AbsentModalityWarning,
    IdentifierWarning,
    NamelessModalityWarning,
)
from skmissing.metrics import score_by_pattern
from skmissing.missingness import patterns
from skmissing.modalities import ModalityTransformer
from skmissing.recovery import MeanRecovery, RegressionRecovery

from .._instances import CLASSIFIERS, INIT_PARAMS

RECOVERIES = [name for name in INIT_PARAMS if name.endswith(("Recovery", "VAE"))]

MODALITIES = {"labs": ["sodium", "potassium"], "ecg": ["rate", "axis"]}
ABSENT = pytest.warns(AbsentModalityWarning, match=r"without the modalities \['ecg'\]")


@pytest.fixture(scope="module")
def table():
    """Ordinary column names, a covariate, gaps, and labels."""
    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    columns = [c for part in MODALITIES.values() for c in part]
    X = pd.DataFrame(rng.normal(size=(120, 4)) + y[:, None], columns=columns)
    X.loc[rng.random(120) < 0.3, MODALITIES["ecg"]] = np.nan
    return X.assign(age=rng.normal(size=120)), y


def without_ecg(X):
    """The same columns, those of one modality empty."""
    return X.assign(rate=np.nan, axis=np.nan)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_columns_are_found_by_name(table, name):
    X, y = table
    clf = CLASSIFIERS[name].make().set_params(modalities=MODALITIES)
    clf.fit(X, y)
    rows = X.head(20)
    expected = clf.predict_proba(rows)
    for other in (
        rows[rows.columns[::-1]],
        rows.assign(new=1.0, note="text"),
        rows.drop(columns="age"),
    ):
        np.testing.assert_array_equal(clf.predict_proba(other), expected)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_an_absent_modality_is_a_missing_one(table, name):
    X, y = table
    clf = CLASSIFIERS[name].make().set_params(modalities=MODALITIES)
    if name == "IPWMultimodalClassifier":
        clf.set_params(use=["labs"])
    clf.fit(X, y)
    rows = X.head(20)
    expected = clf.predict_proba(without_ecg(rows))
    with ABSENT:
        found = clf.predict_proba(rows[["potassium", "sodium"]])
    np.testing.assert_array_equal(found, expected)
    # Blocks and tables are alike, whichever was trained on.
    blocks = MultimodalData.from_frame(rows, MODALITIES)
    with ABSENT:
        found = clf.predict_proba(blocks.select("labs"))
    np.testing.assert_array_equal(found, expected)


def test_a_container_with_fewer_and_with_other_modalities(table):
    X, y = table
    data = MultimodalData.from_frame(X, MODALITIES)
    clf = PatternClassifier().fit(data, y)
    expected = clf.predict_proba(data.hide("ecg"))
    with ABSENT:
        np.testing.assert_array_equal(clf.predict_proba(data.select("labs")), expected)
    more = MultimodalData({"scan": np.ones((len(data), 1)), **data.blocks})
    np.testing.assert_array_equal(clf.predict_proba(more), clf.predict_proba(data))
    renamed = MultimodalData({"labs": data["labs"], "ekg": data["ecg"]})
    with pytest.warns(AbsentModalityWarning, match=r"\(\['ekg'\] are not used\)"):
        clf.predict(renamed)
    with pytest.raises(ValueError, match=r"modalities \['ekg'\], expected some of"):
        clf.predict(renamed.select("ekg"))
    frame = data.to_frame()
    with ABSENT:
        found = clf.predict_proba(frame[["labs__potassium", "labs__sodium"]])
    np.testing.assert_array_equal(found, expected)


def test_part_of_a_modality_and_nothing_of_any(table):
    X, y = table
    clf = PatternClassifier(modalities=MODALITIES)
    clf.fit(X, y)
    with pytest.raises(ValueError, match=r"columns \['axis'\] of the modality 'ecg'"):
        clf.predict(X.drop(columns="axis"))
    with pytest.raises(ValueError, match="expected some of"):
        clf.predict(X[["age"]])
    with pytest.raises(ValueError, match="two columns named 'age'"):
        clf.predict(pd.concat([X, X[["age"]]], axis=1))


def test_levels_of_columns_are_matched_too():
    columns = pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)])
    y = np.arange(30) % 2
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(30, 3)) + y[:, None], columns=columns)
    clf = PatternClassifier().fit(X, y)
    with pytest.warns(AbsentModalityWarning, match="'b'"):
        found = clf.predict_proba(X[[("a", 2), ("a", 1)]])
    expected = clf.predict_proba(MultimodalData.from_frame(X).hide("b"))
    np.testing.assert_array_equal(found, expected)


def test_columns_that_are_numbered_are_found_by_their_numbers(table):
    X, y = table
    numbered = X[["sodium", "rate"]].set_axis([5, 7], axis=1)
    clf = PatternClassifier(modalities={"labs": [0], "ecg": [1]}).fit(numbered, y)
    np.testing.assert_array_equal(
        clf.predict_proba(numbered[[7, 5]]), clf.predict_proba(numbered)
    )
    with pytest.warns(AbsentModalityWarning, match="'ecg'"):
        clf.predict(numbered[[5]])
    with pytest.raises(ValueError, match="columns of no modality of fit"):
        clf.predict(numbered.set_axis([1, 2], axis=1))


@pytest.mark.parametrize("recovery", [MeanRecovery(), RegressionRecovery()])
def test_recoveries_fill_what_is_absent(table, recovery):
    X, _ = table
    recovery.set_params(modalities=MODALITIES).fit(X)
    expected = recovery.transform(without_ecg(X))
    with ABSENT:
        found = recovery.transform(X[["age", "potassium", "sodium"]])
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    data = MultimodalData.from_frame(X, MODALITIES)
    recovery = recovery.set_params(modalities=None).fit(data)
    with ABSENT:
        found = recovery.transform(data.select("labs").to_frame().assign(age=1.0))
    assert list(found) == [
        "labs__sodium", "labs__potassium", "age", "ecg__rate", "ecg__axis"
    ]  # fmt: skip
    np.testing.assert_array_equal(found["ecg__axis"], expected["axis"])


def test_transformers_keep_their_columns(table):
    X, _ = table
    scale = ModalityTransformer(
        [("ecg", StandardScaler())], remainder="passthrough", modalities=MODALITIES
    )
    expected = scale.fit_transform(X)
    pd.testing.assert_frame_equal(scale.transform(X[X.columns[::-1]]), expected)
    with ABSENT:
        found = scale.transform(X[["sodium", "potassium"]])
    assert list(found) == list(expected) == list(scale.get_feature_names_out())
    assert found["age"].isna().all()


def test_covariates_that_a_model_needs_are_asked_for(table):
    X, y = table
    weighter = PropensityWeighter(modalities=MODALITIES, random_state=0).fit(X)
    with pytest.raises(ValueError, match=r"without the covariates \['age'\]"):
        weighter.predict_propensity(X.drop(columns="age"))
    # What the propensity left out is not asked for.
    named = X.assign(patient=[f"p{i}" for i in range(len(X))])
    with pytest.warns(IdentifierWarning, match="'patient'"):
        weighter.fit(named)
    np.testing.assert_array_equal(
        weighter.predict_propensity(X), weighter.predict_propensity(named)
    )
    chosen = PropensityWeighter(
        modalities=MODALITIES, covariates=["age"], random_state=0
    ).fit(X)
    with pytest.raises(ValueError, match=r"without the covariates \['age'\]"):
        chosen.predict_propensity(X.drop(columns="age"))
    np.testing.assert_array_equal(
        chosen.predict_propensity(X[X.columns[::-1]]), chosen.predict_propensity(X)
    )
    clf = IPWMultimodalClassifier(
        LogisticRegression(), modalities=MODALITIES, use=["labs"]
    )
    clf.fit(X, y)
    np.testing.assert_array_equal(clf.predict(X.drop(columns="age")), clf.predict(X))


def test_a_table_of_one_modality_is_checked_as_scikit_learn_checks_tables():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 3)), columns=list("abc"))
    with pytest.warns(NamelessModalityWarning):
        clf = PatternClassifier().fit(X, np.arange(20) % 2)
    with pytest.raises(ValueError, match="feature names"):
        clf.predict(X[["c", "b", "a"]])


def test_scores_of_a_model_by_other_columns(table):
    X, y = table
    clf = PatternClassifier(modalities=MODALITIES)
    clf.fit(X, y)
    scores = score_by_pattern(clf, X[X.columns[::-1]], y, modalities=MODALITIES)
    expected = score_by_pattern(clf, X, y, modalities=MODALITIES)
    assert sorted(scores["value"].dropna()) == sorted(expected["value"].dropna())


def test_decomposition_of_fewer_modalities(table):
    X, y = table
    pid = PIDEstimator(
        estimator=LogisticRegression(), modalities=MODALITIES, random_state=0
    )
    pid.fit(X, y)
    with ABSENT, pytest.raises(ValueError, match="Got"):
        pid.score(X[["sodium", "potassium"]], y)


# -- one modality that nobody named ----------------------------------------------------


def test_columns_without_a_prefix_are_named(table):
    X, y = table
    data = MultimodalData.from_frame(X, MODALITIES).to_frame()
    with pytest.warns(
        NamelessModalityWarning, match=r"prefix of a modality, \['age'\]"
    ):
        PatternClassifier().fit(data.assign(age=1.0), y)
    with pytest.warns(NamelessModalityWarning, match="whose columns have no names"):
        MeanRecovery().fit(data.to_numpy())


def test_column_transformers_name_modalities(table):
    X, y = table
    encode = ColumnTransformer(
        [("labs", StandardScaler(), MODALITIES["labs"]), ("age", PCA(1), ["age"])]
    )
    with pytest.warns(NamelessModalityWarning):
        make_pipeline(encode, PatternClassifier()).fit(X, y)
    pipeline = make_pipeline(
        encode.set_output(transform="pandas"), PatternClassifier()
    ).fit(X, y)
    assert pipeline[-1].modality_names_in_.tolist() == ["labs", "age"]


def test_columns_cannot_be_chosen_in_a_container(table):
    X, y = table
    data = MultimodalData.from_frame(X, MODALITIES)
    with pytest.raises(ValueError, match="expected None or a list of some"):
        PatternClassifier(modalities={"labs": [999]}).fit(data, y)
    with pytest.raises(ValueError, match="expected None or a list of some"):
        patterns(data, modalities={"labs": ["sodium"]})


# -- reindex ---------------------------------------------------------------------------


def test_reindex():
    X = MultimodalData({"a": np.ones((2, 3)), "b": np.zeros((2, 1, 4), np.float32)})
    assert X.reindex(X) is X
    same = X.select("b").reindex(X)
    assert same.names == ["a", "b"]
    assert same.block_shapes == X.block_shapes
    assert same.present.tolist() == [[False, True]] * 2
    assert same["b"] is X["b"]
    other = X.reindex({"c": (5,), "a": (3,)})
    assert other.present.tolist() == [[False, True]] * 2
    with pytest.raises(TypeError, match="Got like=list, expected a MultimodalData"):
        X.reindex(["a"])
    with pytest.raises(TypeError, match="Got like=dict"):
        X.reindex({})


@pytest.mark.parametrize("name", RECOVERIES)
def test_recoveries_take_fewer_modalities(name):
    rng = np.random.default_rng(0)
    X = MultimodalData({"a": rng.normal(size=(40, 2)), "b": rng.normal(size=(40, 3))})
    recovery = INIT_PARAMS[name].make().fit(X)
    with pytest.warns(AbsentModalityWarning, match="'b'"):
        found = recovery.transform(X.select("a"))
    expected = recovery.transform(X.hide("b"))
    np.testing.assert_allclose(found["b"], expected["b"])
