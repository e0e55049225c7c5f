"""Frames of any library: the same results as with pandas, to the last bit."""

from __future__ import annotations

import datetime as dt
import inspect
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skmissing import IPWMultimodalClassifier, MultimodalData, PropensityWeighter
from skmissing._estimation._vectors import read_vector
from skmissing.baselines import FusionClassifier, PatternClassifier
from skmissing.ipw import modality_utility
from skmissing.metrics import score_by_pattern
from skmissing.missingness import simulate_missing
from skmissing.modalities import ModalityTransformer
from skmissing.recovery import MeanRecovery, RegressionRecovery

from .._instances import INIT_PARAMS, NET
from ..conftest import LINEAR

pytestmark = [
    pytest.mark.filterwarnings("ignore::skmissing.exceptions.NoCovariateWarning"),
    pytest.mark.filterwarnings("ignore::skmissing.exceptions.OverlapWarning"),
    pytest.mark.filterwarnings("ignore::skmissing.exceptions.EmptyRowWarning"),
]
CHEAP = {"PIDEstimator": {"estimator": LINEAR}}


def make_columns(n: int = 60, seed: int = 0) -> dict[str, list]:
    """Columns of a hospital's table as plain lists, None where a value is missing."""
    rng = np.random.default_rng(seed)
    label = rng.permutation(np.arange(n) % 3)
    value = rng.normal(size=(n, 4)) + label[:, None]
    lab, ecg = rng.random(n) < 0.3, rng.random(n) < 0.3
    ecg &= ~lab

    def column(values, missing):
        return [None if m else v for v, m in zip(values.tolist(), missing)]

    return {
        "lab__na": column(value[:, 0], lab),
        "lab__k": column((10 * value[:, 1]).astype(int), lab),
        "ecg__rate": column(value[:, 2], ecg),
        "ecg__paced": column(value[:, 3] > 1, ecg),
    }


def make_labels(n: int = 60) -> dict[str, list]:
    rng = np.random.default_rng(0)
    label = rng.permutation(np.arange(n) % 3)
    return {
        "label": [["a", "b", "c"][i] for i in label],
        "weight": rng.uniform(0.5, 2.0, n).tolist(),
        "group": [f"p{i}" for i in rng.integers(20, size=n)],
    }


def make_polars(columns):
    return pytest.importorskip("polars").DataFrame(columns)


def make_arrow(columns):
    return pytest.importorskip("pyarrow").table(columns)


def make_arrow_pandas(columns):
    pytest.importorskip("pyarrow")
    return make_arrow(columns).to_pandas(types_mapper=pd.ArrowDtype)


def make_nullable(columns):
    return pd.DataFrame(columns).convert_dtypes(dtype_backend="numpy_nullable")


LIBRARIES = {
    "polars": make_polars,
    "pyarrow": make_arrow,
    "pandas of pyarrow": make_arrow_pandas,
    "pandas, nullable": make_nullable,
}


@pytest.fixture(params=list(LIBRARIES))
def make(request):
    LIBRARIES[request.param]({"a": [1.0]})
    return LIBRARIES[request.param]


def vectors(make):
    """Labels, weights and groups, as columns of a library."""
    table = make(make_labels())
    return [table["label"], table["weight"], table["group"]]


def outputs(estimator, X) -> list[np.ndarray]:
    out = []
    for method in ("predict", "predict_proba", "transform", "predict_propensity"):
        if hasattr(estimator, method):
            out.append(np.asarray(getattr(estimator, method)(X)))
    return out


@pytest.mark.parametrize("name", list(INIT_PARAMS))
def test_every_estimator_takes_polars_and_arrow(name):
    """Fit and predict, with X, labels, weights and groups of one library."""
    estimator = INIT_PARAMS[name].make_brief(**CHEAP.get(name, {}))
    accepted = inspect.signature(estimator.fit).parameters
    A = pd.DataFrame(make_columns())

    def fit(make):
        y, w, groups = vectors(make)
        extra = {"sample_weight": w, "groups": groups}
        extra = {k: v for k, v in extra.items() if k in accepted}
        return clone(estimator).fit(make(make_columns()), y, **extra)

    first = fit(pd.DataFrame)
    for make in (make_polars, make_arrow):
        second, B = fit(make), make(make_columns())
        assert first.n_features_in_ == second.n_features_in_
        np.testing.assert_array_equal(first.feature_names_in_, second.feature_names_in_)
        if name == "PIDEstimator":
            pd.testing.assert_frame_equal(first.to_frame(), second.to_frame())
            continue
        # Fitted on either, asked with the other library.
        for model in (first, second):
            pairs = list(zip(outputs(first, A), outputs(model, B), strict=True))
            assert pairs
            for a, b in pairs:
                np.testing.assert_array_equal(a, np.asarray(b, dtype=a.dtype))


def test_every_library_gives_the_same_fit(make):
    expected = FusionClassifier(**NET).fit(
        pd.DataFrame(make_columns()), *map(np.asarray, make_labels().values())
    )
    X = make(make_columns())
    y, weight, groups = vectors(make)
    found = FusionClassifier(**NET).fit(X, y, weight, groups)
    assert found.classes_.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(
        found.predict_proba(X), expected.predict_proba(pd.DataFrame(make_columns()))
    )


def test_tools_of_scikit_learn_split_any_frame(make):
    X, (y, _, groups) = make(make_columns()), vectors(make)
    plain = pd.DataFrame(make_columns()), make_labels()
    found = cross_val_predict(
        PatternClassifier(), X, np.asarray(y), groups=np.asarray(groups),
        cv=GroupKFold(3), method="predict_proba",
    )  # fmt: skip
    expected = cross_val_predict(
        PatternClassifier(), plain[0], np.asarray(plain[1]["label"]),
        groups=np.asarray(plain[1]["group"]), cv=GroupKFold(3), method="predict_proba",
    )  # fmt: skip
    np.testing.assert_array_equal(found, expected)
    search = GridSearchCV(PatternClassifier(), {"training_rows": ["exact"]}, cv=2)
    assert 0 <= search.fit(X, y).best_score_ <= 1


def make_covariates(n: int = 120) -> dict[str, list]:
    """Covariates of many types: text, categories, dates with and without a zone."""
    rng = np.random.default_rng(1)
    start = dt.datetime(2020, 1, 1)
    hours = rng.uniform(0, 9000, n)
    gone = rng.random(n) < 1 / (1 + np.exp(hours / 3000 - 1))
    values = rng.normal(size=n).tolist()
    return {
        "site": rng.choice(["north", "south", "west"], n).tolist(),
        "seen": [start + dt.timedelta(hours=h) for h in hours],
        "born": [dt.date(1950, 1, 1) + dt.timedelta(days=int(h)) for h in hours],
        "lab__0": [None if g else v for g, v in zip(gone, values)],
        "ecg__0": rng.normal(size=n).tolist(),
    }


def zoned(frame, make):
    """The dates of a table in a zone, as each library has them."""
    if make is make_polars:
        pl = pytest.importorskip("polars")
        return frame.with_columns(
            pl.col("seen")
            .dt.replace_time_zone("UTC")
            .dt.convert_time_zone("Asia/Tokyo"),
            pl.col("site").cast(pl.Categorical),
        )
    seen = frame["seen"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")
    return frame.assign(seen=seen, site=frame["site"].astype("category"))


def test_covariates_keep_their_meaning():
    columns = make_covariates()
    y = np.arange(120) % 2
    out = []
    for make in (pd.DataFrame, make_polars):
        for change in (lambda frame, make: frame, zoned):
            X = change(make(columns), make)
            modalities = {"lab": ["lab__0"], "ecg": ["ecg__0"]}
            weighter = PropensityWeighter(modalities=modalities, random_state=0)
            weighter.fit(X, y)
            seen = {name.partition("=")[0] for name in weighter.covariate_names_}
            assert seen >= {"site", "seen", "born"}
            out.append(weighter.predict_propensity(X))
            model = IPWMultimodalClassifier(
                PatternClassifier(), use=["lab"], modalities=modalities, random_state=0
            )
            out.append(model.fit(X, y).predict_proba(X))
            utility = modality_utility(
                PatternClassifier(), X, y, modalities=modalities,
                cv=2, n_bootstraps=3, random_state=0,
            )  # fmt: skip
            out.append(utility.select_dtypes("number").to_numpy())
    for k in range(3):
        for again in out[k + 3 :: 3]:
            # pandas 2 counts nanoseconds, whose mean has another last digit.
            np.testing.assert_allclose(again, out[k], rtol=1e-12, atol=1e-12)


def test_results_have_the_library_of_x(make):
    X = make(make_columns())
    plain = pd.DataFrame(make_columns())
    filled = RegressionRecovery(random_state=0).fit(X).transform(X)
    scaled = ModalityTransformer({"lab": StandardScaler()}).fit_transform(X)
    simulated = simulate_missing(X, rate=0.2, random_state=0)
    hidden = simulated.apply(X)
    for table in (filled, scaled, hidden):
        assert type(table) is type(X)
    expected = RegressionRecovery(random_state=0).fit(plain).transform(plain)
    np.testing.assert_array_equal(
        np.asarray(filled, dtype=np.float64), expected.to_numpy(dtype=np.float64)
    )
    expected = simulate_missing(plain, rate=0.2, random_state=0)
    np.testing.assert_array_equal(simulated.mask, expected.mask)
    one = MultimodalData.from_frame(hidden)
    two = MultimodalData.from_frame(expected.apply(plain))
    np.testing.assert_array_equal(one.present, two.present)


@pytest.mark.parametrize("kind", [ModalityTransformer, MeanRecovery])
def test_polars_as_the_output(kind):
    pl = pytest.importorskip("polars")
    for X in (pd.DataFrame(make_columns()), make_polars(make_columns())):
        transformer = kind()
        out = transformer.set_output(transform="polars").fit(X).transform(X)
        assert isinstance(out, pl.DataFrame)
        assert out.columns == list(make_columns())
        plain = kind().set_output(transform="pandas").fit(X).transform(X)
        assert isinstance(plain, pd.DataFrame)
        np.testing.assert_array_equal(
            np.asarray(out, dtype=float), np.asarray(plain, dtype=float)
        )
    weights = PropensityWeighter().set_output(transform="polars").fit(X).transform(X)
    assert isinstance(weights, pl.DataFrame)


def test_text_and_categories_reach_inner_transformers():
    pl = pytest.importorskip("polars")
    words = ["low", "high", None, "low", "mid", "high"]
    levels = pl.Enum(["low", "mid", "high"])
    X = pl.DataFrame({"a__w": words, "b__x": [1.0, 2, 3, 4, 5, 6]})
    for frame in (X, X.with_columns(pl.col("a__w").cast(levels))):
        encoder = OneHotEncoder(sparse_output=False)
        out = ModalityTransformer({"a": encoder}).fit_transform(frame)
        assert isinstance(out, pl.DataFrame)
        assert out.columns == ["a__w_high", "a__w_low", "a__w_mid", "b__x"]
        assert out["a__w_low"].to_list()[:2] == [0.0, 1.0][::-1]
        assert MultimodalData.from_frame(out).present[:, 0].tolist() == [
            True, True, False, True, True, True,
        ]  # fmt: skip


def test_blocks_and_masks_of_a_container():
    pl = pytest.importorskip("polars")
    block = pl.DataFrame({"u": [1.0, None, 3.0], "v": [1, 2, None]})
    X = MultimodalData({"a": block, "b": pl.Series([1, 2, 3])})
    np.testing.assert_array_equal(X["a"], [[1, 1], [np.nan, 2], [3, np.nan]])
    np.testing.assert_array_equal(X["b"], [[1], [2], [3]])
    mask = pl.DataFrame({"b": [True, False, True], "a": [True, True, True]})
    X = MultimodalData({"a": block, "b": pl.Series([1, 2, 3])}, present=mask)
    assert X.present.tolist() == [[True, True], [True, False], [True, True]]


def test_vectors_of_any_library(make):
    table = make({"i": [1, 2, None], "t": ["1", None, "x"], "b": [True, False, True]})
    plain = pd.DataFrame(
        {"i": [1, 2, None], "t": ["1", None, "x"], "b": [True, False, True]}
    )
    for name in "itb":
        found, expected = read_vector(name, table[name]), read_vector(name, plain[name])
        assert pd.isna(found).tolist() == pd.isna(expected).tolist()
        known = ~pd.isna(found)
        assert found[known].tolist() == expected[known].tolist()


def test_scores_by_pattern_take_any_frame():
    X, (y, w, _) = make_polars(make_columns()), vectors(make_polars)
    plain = pd.DataFrame(make_columns())
    model = PatternClassifier().fit(plain, make_labels()["label"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = score_by_pattern(model, X, y, sample_weight=w)
        expected = score_by_pattern(
            model, plain, make_labels()["label"], sample_weight=make_labels()["weight"]
        )
    pd.testing.assert_frame_equal(found, expected)


def test_frames_that_nobody_reads():
    pl = pytest.importorskip("polars")
    with pytest.raises(TypeError, match="LazyFrame, expected a 2-D array, a pandas"):
        MeanRecovery().fit(make_polars(make_columns()).lazy())
    nested = pl.DataFrame({"a__x": [[1.0], [2.0]], "b__x": [1.0, 2.0]})
    with pytest.raises(ValueError, match="non-numeric column 'a__x'"):
        MeanRecovery().fit(nested)
