"""Text, categories, dates and tokens inside a modality."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfVectorizer,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from skmissing import IPWMultimodalClassifier, MultimodalData
from skmissing.baselines import PatternClassifier
from skmissing.modalities import ModalityTransformer
from skmissing.recovery import BaseRecovery

from ..conftest import make_blocks

nan = np.nan
NOTES = pd.DataFrame(
    {
        "lab__x": [1.0, 2.0, 3.0, 4.0],
        "note__text": ["fever cough", None, "fine", "cough"],
    }
)
BY_POSITION = {"lab": [0], "note": [1]}


def in_three_forms(frame, modalities):
    return [
        (frame, None),
        (frame.to_numpy(), modalities),
        (MultimodalData.from_frame(frame), None),
    ]


FORMS = pytest.mark.parametrize(
    ("X", "modalities"),
    in_three_forms(NOTES, BY_POSITION),
    ids=["frame", "array", "container"],
)


def values_of(out):
    return np.asarray(out.to_frame() if isinstance(out, MultimodalData) else out)


# -- text vectorizers


@FORMS
@pytest.mark.parametrize(
    "vectorizer",
    [
        CountVectorizer(),
        TfidfVectorizer(),
        HashingVectorizer(n_features=8),
        make_pipeline(TfidfVectorizer(), TruncatedSVD(2, random_state=0)),
        make_pipeline("passthrough", CountVectorizer()),
        make_union(CountVectorizer(), TfidfVectorizer(analyzer="char")),
    ],
    ids=["count", "tfidf", "hash", "pipeline", "passthrough", "union"],
)
def test_vectorizers_get_one_dimension(X, modalities, vectorizer):
    here = [0, 2, 3]
    notes = NOTES["note__text"].iloc[here]
    expected = clone(vectorizer).fit_transform(notes)
    expected = np.asarray(getattr(expected, "toarray", lambda: expected)())
    transformer = ModalityTransformer({"note": vectorizer}, modalities=modalities)
    for out in (transformer.fit_transform(X), transformer.fit(X).transform(X)):
        values = values_of(out).astype(float)
        np.testing.assert_allclose(values[here, 1:], expected, atol=1e-12)
        assert np.isnan(values[1, 1:]).all()
        np.testing.assert_array_equal(values[:, 0], [1, 2, 3, 4])


def test_vectorizers_name_the_words():
    out = ModalityTransformer({"note": CountVectorizer()}).fit_transform(NOTES)
    assert out.columns.tolist() == [
        "lab__x", "note__cough", "note__fever", "note__fine",
    ]  # fmt: skip


def test_vectorizers_of_dicts_get_one_dimension_too():
    pills = np.array([{"a": 1}, None, {"b": 2}], dtype=object)
    X = MultimodalData({"pill": pills, "x": np.zeros((3, 1))})
    out = ModalityTransformer({"pill": DictVectorizer()}).fit_transform(X)
    assert out.present[:, 0].tolist() == [True, False, True]
    np.testing.assert_array_equal(out["pill"][[0, 2]], [[1, 0], [0, 2]])


def test_vectorizers_of_several_columns_are_refused_by_name():
    frame = NOTES.assign(note__more="word")
    with pytest.raises(ValueError, match="2 columns in the modality 'note' for Tfidf"):
        ModalityTransformer({"note": TfidfVectorizer()}).fit(frame)


# -- rows that a transformer returns


def mean_of_all(values):
    return np.asarray(values).mean(axis=0, keepdims=True)


@pytest.mark.parametrize("method", ["fit", "fit_transform"])
@pytest.mark.parametrize(
    "function",
    [mean_of_all, lambda v: np.asarray(v)[:, 0], lambda v: np.asarray(v)[:-1]],
    ids=["one row", "one dimension", "a row less"],
)
@pytest.mark.parametrize("x", [[1.0, nan, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]])
def test_every_row_gets_a_row_of_its_own(function, method, x):
    transformer = ModalityTransformer({"lab": FunctionTransformer(function)})
    with pytest.raises(ValueError, match=r"'lab', expected 2 dimensions with \d rows"):
        getattr(transformer, method)(NOTES.assign(lab__x=x))


def test_every_row_gets_a_row_of_its_own_in_transform():
    class Last(TransformerMixin, BaseEstimator):
        def fit(self, X, y=None):
            return self

        def transform(self, X):
            return np.asarray(X)[-2:]

    transformer = ModalityTransformer({"lab": Last()}).fit(NOTES)
    with pytest.raises(ValueError, match=r"shape \(2, 1\) from Last for the modality"):
        transformer.transform(NOTES)


class OneForAll(LogisticRegression):
    """A model that predicts a single row."""

    def predict_proba(self, X):
        return super().predict_proba(X)[:1]

    def predict_log_proba(self, X):
        return np.log(self.predict_proba(X))


class FillOnce(BaseRecovery):
    """A recovery that returns a single row."""

    def _recover(self, data):
        return {n: np.zeros((1, *s)) for n, s in data.block_shapes.items()}


@pytest.mark.filterwarnings("ignore::skmissing.exceptions.SkmissingWarning")
def test_every_row_gets_a_row_of_its_own_from_inner_models():
    X, y = make_blocks(n=40)
    for clf in (PatternClassifier(OneForAll()), IPWMultimodalClassifier(OneForAll())):
        with pytest.raises(ValueError, match=r"\(1, 3\) from OneForAll in estimator"):
            clf.fit(X, y).predict_proba(X)
    with pytest.raises(ValueError, match="of FillOnce for the modality 'm0', expected"):
        FillOnce().fit_transform(X)


# -- names of features


@FORMS
def test_pipelines_without_names_are_numbered(X, modalities):
    pipe = make_pipeline(FunctionTransformer(lambda v: np.asarray(v, float)), PCA(1))
    transformer = ModalityTransformer({"lab": pipe}, modalities=modalities)
    out = transformer.fit_transform(X)
    assert transformer.get_feature_names_out()[0] == "lab__0"
    assert np.isfinite(values_of(out)[:, 0].astype(float)).all()


def test_unions_and_wrong_numbers_of_names_are_numbered_too():
    class TwoNames(FunctionTransformer):
        def get_feature_names_out(self, input_features=None):
            return ["a", "b"]

    for part in (
        TwoNames(),
        make_union(FunctionTransformer(), FunctionTransformer(np.log1p)),
    ):
        out = ModalityTransformer({"lab": part}).fit_transform(NOTES)
        width = out.shape[1] - 1
        assert out.columns.tolist()[:width] == [f"lab__{i}" for i in range(width)]


def test_raveling_by_hand_still_works():
    pipe = make_pipeline(FunctionTransformer(np.ravel), TfidfVectorizer())
    out = ModalityTransformer({"note": pipe}).fit_transform(NOTES)
    assert out["note__0"].isna().tolist() == [False, True, False, False]


# -- errors of transformers


@pytest.mark.parametrize("method", ["fit", "fit_transform"])
def test_errors_of_transformers_name_the_modality(method):
    numbers = ModalityTransformer({"lab": TfidfVectorizer()})
    with pytest.raises(AttributeError, match=r"Tfidf.* modality 'lab': 'float'"):
        getattr(numbers, method)(NOTES)
    text = ModalityTransformer({"note": StandardScaler()})
    with pytest.raises(ValueError, match="from StandardScaler for the modality 'note'"):
        getattr(text, method)(NOTES)
    assert not hasattr(text, "transformers_")


def test_errors_of_transformers_name_the_modality_in_transform():
    onehot = ModalityTransformer({"note": OneHotEncoder()}).fit(NOTES)
    with pytest.raises(ValueError, match="modality 'note': Found unknown categories"):
        onehot.transform(NOTES.assign(note__text="new"))


def test_errors_keep_their_kind_whatever_their_constructor_wants():
    class Odd(Exception):
        def __init__(self, a, b):
            super().__init__(a, b)

    for error, kind in (
        (Odd(1, 2), Exception),
        (KeyError("k"), LookupError),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"), UnicodeError),
        (MemoryError("much"), MemoryError),
    ):

        def fail(values, error=error):
            raise error

        with pytest.raises(kind, match="for the modality 'lab'"):
            ModalityTransformer({"lab": FunctionTransformer(fail)}).fit(NOTES)


# -- columns encoded by their kind


def make_mixed(n=60):
    rng = np.random.default_rng(0)
    here = np.arange(n) % 3 > 0
    return pd.DataFrame(
        {
            "lab__na": np.where(here, rng.normal(140, 5, n), nan),
            "stay__ward": np.where(here[::-1], rng.choice(["a", "b", "c"], n), None),
            "stay__since": pd.Series(pd.date_range("2020-01-01", periods=n)).where(
                here[::-1]
            ),
            "stay__age": np.where(here[::-1], rng.normal(60, 9, n), nan),
            "note__text": [f"fever for {i} days" for i in range(n)],
        }
    ).assign(note__text=lambda f: f["note__text"].where(here))


def test_auto_leaves_numbers_alone_and_needs_nothing_for_them():
    numbers = make_mixed()[["lab__na", "stay__age"]]
    out = ModalityTransformer("auto").fit_transform(numbers)
    pd.testing.assert_frame_equal(out, numbers)


def test_auto_without_skrub_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skrub", None)
    with pytest.raises(ImportError, match=r"modality 'stay'.*skmissing\[skrub\]"):
        ModalityTransformer("auto").fit(make_mixed())


def test_auto_encodes_columns_by_kind_and_missing_rows_stay_missing():
    pytest.importorskip("skrub")
    frame = make_mixed()
    transformer = ModalityTransformer("auto")
    out = transformer.fit_transform(frame)
    before, after = (MultimodalData.from_frame(f) for f in (frame, out))
    np.testing.assert_array_equal(after.present, before.present)
    assert all(block.dtype.kind == "f" for block in after.blocks.values())
    assert {"stay__ward_a", "stay__since_year", "stay__age"} <= set(out.columns)
    # Numbers keep all their digits.
    np.testing.assert_array_equal(out["stay__age"], frame["stay__age"])
    assert out.columns.tolist() == transformer.get_feature_names_out().tolist()
    again = clone(transformer).fit(frame).transform(frame)
    pd.testing.assert_frame_equal(again, out, atol=1e-5)
    # Words that were not in fit are no error.
    with pytest.warns(UserWarning, match="unknown categories"):
        transformer.transform(frame.assign(stay__ward="new", note__text="other words"))


def test_auto_gives_the_same_for_every_form():
    pytest.importorskip("skrub")
    frame = make_mixed()
    positions = {"lab": [0], "stay": [1, 2, 3], "note": [4]}
    outs = [
        values_of(ModalityTransformer("auto", modalities=m).fit_transform(X))
        for X, m in in_three_forms(frame, positions)
    ]
    for out in outs[1:]:
        np.testing.assert_allclose(out.astype(float), outs[0], atol=1e-5)


def test_auto_for_some_modalities():
    pytest.importorskip("skrub")
    frame = make_mixed()
    parts = {"stay": "auto", "lab": StandardScaler(), "note": "drop"}
    out = ModalityTransformer(parts).fit_transform(frame)
    assert "stay__ward_a" in out.columns
    assert not [c for c in out.columns if c.startswith("note")]
    assert abs(out["lab__na"].mean()) < 1e-12


# -- frames of other libraries


def test_polars_in_and_out():
    pl = pytest.importorskip("polars")
    table = {"labs__na": [140.0, None, 138.0], "ecg__0": [None, 0.1, 0.2],
             "ecg__1": [None, 3, None], "ward__name": ["a", None, "b"]}  # fmt: skip
    X = MultimodalData.from_frame(pl.DataFrame(table))
    expected = MultimodalData.from_frame(pd.DataFrame(table))
    assert X.names == expected.names
    np.testing.assert_array_equal(X.present, expected.present)
    pd.testing.assert_frame_equal(X.to_frame(), expected.to_frame())
    with pytest.raises(TypeError, match="LazyFrame, expected a pandas DataFrame"):
        MultimodalData.from_frame(pl.DataFrame(table).lazy())
    with pytest.raises(TypeError, match="LazyFrame, expected a 2-D array, a pandas"):
        ModalityTransformer().fit(pl.DataFrame(table).lazy())
    transformer = ModalityTransformer({"ecg": StandardScaler()})
    out = transformer.set_output(transform="polars").fit_transform(pd.DataFrame(table))
    assert isinstance(out, pl.DataFrame)
    assert out.columns == transformer.get_feature_names_out().tolist()
    assert out["ward__name"].to_list() == ["a", None, "b"]


class Frame:
    """A frame of a library that narwhals does not know."""

    columns = ("a", "b")
    shape = (3, 2)


def test_frames_nobody_knows_are_refused():
    for X in (Frame(),):
        with pytest.raises(TypeError, match="Frame, expected a pandas DataFrame"):
            MultimodalData.from_frame(X)


# -- rows of a container that are missing


def rows_with_none(make, n=6):
    """A list of rows; every third is None."""
    return [None if i % 3 == 1 else make(i) for i in range(n)]


HERE = [True, False, True, True, False, True]


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int64", "bool", "float64"])
@pytest.mark.parametrize("kind", ["list", "tuple", "object array", "series", "lists"])
def test_none_for_a_row_means_missing(dtype, kind):
    rows = rows_with_none(lambda i: np.full((1, 2, 2), i, dtype=dtype))
    block = rows if kind != "tuple" else tuple(rows)
    if kind in ("object array", "series"):
        block = np.empty(len(rows), dtype=object)
        block[:] = rows
        block = pd.Series(block) if kind == "series" else block
    if kind == "lists":
        block = [None if row is None else row.tolist() for row in rows]
    X = MultimodalData({"img": block, "x": np.arange(6.0)})
    assert X.present[:, 0].tolist() == HERE
    assert X.block_shapes["img"] == (1, 2, 2)
    assert kind == "lists" or X["img"].dtype == dtype
    np.testing.assert_array_equal(X["img"][3], np.ones((1, 2, 2)) * rows[3])


def test_none_for_a_row_of_tensors_text_and_dates():
    X = MultimodalData(
        {
            "tensor": rows_with_none(lambda i: torch.ones(3, requires_grad=True)),
            "words": rows_with_none(lambda i: ["a", "b"]),
            "days": rows_with_none(lambda i: np.full(2, "2020-01-01", "datetime64[D]")),
            "nan": [nan if i % 3 == 1 else np.ones(2) for i in range(6)],
        }
    )
    for m in range(4):
        assert X.present[:, m].tolist() == HERE
    assert X["words"][0].tolist() == ["a", "b"]


def test_none_for_a_row_and_a_mask_that_says_otherwise():
    rows = rows_with_none(lambda i: np.ones(3, dtype=int))
    with pytest.raises(ValueError, match="present=True for row 1 of block 'b' that is"):
        MultimodalData({"b": rows}, present=np.ones((6, 1), dtype=bool))
    present = np.array(HERE)[:, None]
    present[0] = False
    X = MultimodalData({"b": rows}, present=present)
    assert X.present[:, 0].tolist() == [False, *HERE[1:]]
    ragged = [np.ones(2), None, np.ones(3)]
    with pytest.raises(ValueError, match=r"shape in block 'b'.*None for a row"):
        MultimodalData({"b": ragged})


@pytest.mark.parametrize("dtype", ["datetime64[ns]", "timedelta64[s]"])
def test_dates_that_are_nat_are_missing(dtype):
    when = np.array([1, "NaT", 3], dtype=dtype)
    X = MultimodalData({"when": when, "two": np.stack([when, when[::-1]], axis=1)})
    assert X.present.tolist() == [[True, True], [False, False], [True, True]]
    # They are dates still when some of them are hidden.
    frame = X.hide({"two": np.array([True, False, False])}).to_frame()
    assert frame["two__0"].isna().tolist() == [True, True, False]
    assert frame["two__0"].dtype.kind == np.dtype(dtype).kind
    days = FunctionTransformer(lambda v: np.asarray(v).astype("int64") / 2)
    out = ModalityTransformer({"when": days}).fit_transform(X)
    assert out.present[:, 0].tolist() == [True, False, True]
    same = ModalityTransformer({"when": FunctionTransformer()}).fit_transform(X)
    assert same["when"].dtype == when.dtype
    assert same.present[:, 0].tolist() == [True, False, True]
