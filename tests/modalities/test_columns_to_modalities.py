"""From columns of a table to modalities, and what an estimator remembers of them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_selector

from skmissing import Modality, MultimodalData
from skmissing.exceptions import AbsentModalityWarning
from skmissing.modalities._validation import (
    check_multimodal,
    covariate_frame,
    flatten_blocks,
)

nan = np.nan


class Reader(BaseEstimator):
    """Reads X the way every estimator of the package does."""

    def __init__(self, modalities=None):
        self.modalities = modalities

    def fit(self, X):
        self.data_ = check_multimodal(self, X, self.modalities, reset=True)
        self.covariates_ = covariate_frame(self, X)
        return self

    def read(self, X):
        return check_multimodal(self, X, self.modalities, reset=False)


def make_frame(n=5):
    values = np.arange(n * 4, dtype=np.float64).reshape(n, 4)
    frame = pd.DataFrame(values, columns=["na", "k", "e0", "e1"])
    return frame.assign(site=list("nsnsn")[:n], n=np.arange(n, dtype=np.int32))


LABS = {"labs": ["na", "k"], "ecg": ["e0", "e1"]}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["na", "k"], ["na", "k"]),
        (["k", "na"], ["k", "na"]),
        ("k", ["k"]),
        (2, ["e0"]),
        ([0, -3], ["na", "e1"]),
        (slice(1, 3), ["k", "e0"]),
        (slice("k", "e1"), ["k", "e0", "e1"]),
        ([True, False, False, True, False, False], ["na", "e1"]),
        (np.array([True, False, False, True, False, False]), ["na", "e1"]),
        (pd.Index(["e0", "na"]), ["e0", "na"]),
        (make_column_selector(pattern="^e"), ["e0", "e1"]),
        (make_column_selector(dtype_include="float64"), ["na", "k", "e0", "e1"]),
        (lambda X: [c for c in X.columns if len(c) == 1 and c != "n"], ["k"]),
    ],
)
@pytest.mark.parametrize("wrap", [lambda c: c, Modality])
def test_selectors_of_a_frame(columns, expected, wrap):
    frame = make_frame()
    reader = Reader({"m": wrap(columns)}).fit(frame)
    np.testing.assert_array_equal(reader.data_["m"], frame[expected].to_numpy())
    rest = [c for c in frame.columns if c not in expected]
    assert reader.covariates_.columns.tolist() == rest
    assert reader.n_features_in_ == 6
    assert reader.feature_names_in_.tolist() == frame.columns.tolist()
    assert reader.modality_names_in_.tolist() == ["m"]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (0, [0]),
        ([3, 1], [3, 1]),
        (slice(1, 3), [1, 2]),
        ([False, True, False, True], [1, 3]),
        (np.array([2, 3]), [2, 3]),
        (lambda X: [X.shape[1] - 1], [3]),
    ],
)
def test_selectors_of_an_array(columns, expected):
    X = np.arange(12.0).reshape(3, 4)
    reader = Reader({"m": columns}).fit(X)
    np.testing.assert_array_equal(reader.data_["m"], X[:, expected])
    rest = [f"column{i}" for i in range(4) if i not in expected]
    if rest:
        assert reader.covariates_.columns.tolist() == rest
    else:
        assert reader.covariates_ is None


def test_shapes():
    X = np.arange(24.0).reshape(2, 12)
    image = Modality(slice(0, 12), shape=(3, 2, 2))
    reader = Reader({"image": image}).fit(X)
    np.testing.assert_array_equal(reader.data_["image"], X.reshape(2, 3, 2, 2))
    assert reader.modality_shapes_in_ == {"image": (3, 2, 2)}
    assert repr(image) == "Modality(slice(0, 12, None), shape=(3, 2, 2))"
    assert image == Modality(slice(0, 12), shape=[3, 2, 2])
    assert image != Modality(slice(0, 12))
    assert image != "image"


def test_pairs_in_place_of_a_mapping():
    data = Reader([("b", [1]), ("a", [0])]).fit(np.eye(2)).data_
    assert data.names == ["b", "a"]


@pytest.mark.filterwarnings("ignore::skmissing.exceptions.NamelessModalityWarning")
def test_default_is_prefix_then_one_modality():
    frame = pd.DataFrame([[1.0, 2.0, 3.0]], columns=["a__u", "b__u", "a__v__w"])
    data = Reader().fit(frame).data_
    assert data.names == ["a", "b"]
    np.testing.assert_array_equal(data["a"], [[1.0, 3.0]])
    assert Reader(["b"]).fit(frame).data_.names == ["b"]
    assert Reader().fit(frame.assign(site=1.0)).data_.names == ["x"]
    assert Reader().fit(frame.to_numpy()).data_.names == ["x"]


def test_multiindex_columns_are_matched_by_label():
    columns = pd.MultiIndex.from_tuples([("p", 1), ("q", 1), ("p", 2)])
    frame = pd.DataFrame(np.arange(6.0).reshape(2, 3), columns=columns)
    reader = Reader().fit(frame)
    assert reader.data_.names == ["p", "q"]
    np.testing.assert_array_equal(reader.data_["p"], frame["p"])
    assert not hasattr(reader, "feature_names_in_")
    moved = reader.read(frame[[("p", 2), ("q", 1), ("p", 1)]])
    np.testing.assert_array_equal(moved["p"], frame["p"])
    with pytest.raises(ValueError, match=r"without the columns \[\('p', 2\)\]"):
        reader.read(frame[[("p", 1), ("q", 1)]])
    for key in (["q"], [("q", 1)], 1, slice(1, 2)):
        picked = Reader({"m": key}).fit(frame)
        np.testing.assert_array_equal(picked.data_["m"], frame[["q"]])
        assert picked.covariates_.columns.tolist() == [("p", 1), ("p", 2)]
    with pytest.raises(ValueError, match="unknown columns 'z' for the modality 'm'"):
        Reader({"m": "z"}).fit(frame)


def test_covariates_may_be_anything():
    frame = make_frame().assign(day=pd.Timestamp("2020-01-01"), far=np.inf)
    reader = Reader(LABS).fit(frame)
    assert reader.covariates_.columns.tolist() == ["site", "n", "day", "far"]
    array = np.array([[1.0, "north"], [2.0, None]], dtype=object)
    reader = Reader({"m": [0]}).fit(array)
    assert reader.data_["m"].dtype == np.float64
    assert reader.covariates_["column1"].isna().tolist() == [False, True]
    assert Reader().fit(MultimodalData({"a": [1.0]})).covariates_ is None


def test_none_pandas_na_and_nullable_columns():
    frame = pd.DataFrame(
        {
            "m__a": pd.array([1, None, 3], dtype="Int64"),
            "m__b": pd.Series([None, pd.NA, 2.5], dtype=object),
            "f__a": pd.array([True, False, True], dtype="boolean"),
            "g__a": [None, None, None],
        }
    )
    data = Reader().fit(frame).data_
    np.testing.assert_array_equal(data["m"], [[1.0, nan], [nan, nan], [3.0, 2.5]])
    assert data["f"].dtype == bool
    assert data.present.tolist() == [
        [True, True, False],
        [False, True, False],
        [True, True, False],
    ]


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.uint8, bool])
def test_dtypes_are_kept(dtype):
    values = np.ones((3, 2), dtype=dtype)
    frame = pd.DataFrame(values, columns=["m__a", "m__b"]).assign(o__z=0.5)
    assert Reader().fit(frame).data_["m"].dtype == dtype


def test_fit_on_one_form_and_read_another():
    rng = np.random.RandomState(0)
    array = rng.randn(6, 5)
    frame = pd.DataFrame(array, columns=["a__0", "a__1", "b__0", "b__1", "b__2"])
    data = MultimodalData({"a": array[:, :2], "b": array[:, 2:]})
    by_position = {"a": slice(0, 2), "b": slice(2, 5)}
    forms = [(array, by_position), (frame, None), (data, None)]
    for X, modalities in forms:
        reader = Reader(modalities).fit(X)
        for other, _ in forms:
            if X is array and isinstance(other, pd.DataFrame):
                other = other.set_axis(range(5), axis=1)
            elif X is frame and isinstance(other, np.ndarray):
                continue
            np.testing.assert_array_equal(
                flatten_blocks(reader.read(other), ["a", "b"]), array
            )
    shaped = MultimodalData({"b": array[:, 2:].reshape(6, 3, 1), "a": array[:, :2]})
    assert Reader().fit(data).read(shaped).block_shapes == {"a": (2,), "b": (3,)}


def test_some_blocks_of_a_container():
    X = MultimodalData({"a": np.eye(3), "b": np.eye(3), "c": np.eye(3)})
    reader = Reader(["c", "a"]).fit(X)
    assert reader.data_.names == ["c", "a"]
    assert reader.n_features_in_ == 3
    assert reader.read(X).names == ["c", "a"]


@pytest.mark.parametrize(
    ("modalities", "message"),
    [
        ({"a": ["na", "k"], "b": ["k"]}, "column 'k' in the modalities 'a' and 'b'"),
        ({"a": ["na", "zz"]}, r"unknown columns \['zz'\] for the modality 'a'"),
        ({"a": 17}, "unknown columns 17 for the modality 'a'"),
        ({"a": []}, "no column for the modality 'a', expected at least one"),
        ({"a": ["k", "k"]}, "column twice in the modality 'a'"),
        ([("a", ["k"]), ("a", ["na"])], "modality 'a' twice in modalities"),
        ({"a__b": ["k"]}, "modality name 'a__b'"),
        ({1: ["k"]}, "modality name 1"),
        ({}, "Got modalities={}, expected None"),
        ("labs", "Got modalities='labs', expected None"),
        (["labs"], "modalities with the unknown modality 'labs'"),
        ([("a", 1, 2)], "expected None, a non-empty mapping"),
        (
            {"a": Modality(["na", "k"], shape=(3, 1))},
            r"shape=\(3, 1\) for the modality",
        ),
        ({"a": ["na", "site"]}, "non-numeric column 'site' .* in the modality 'a'"),
        ({"a": ["site"]}, "encode it with a ModalityTransformer"),
    ],
)
def test_bad_modalities(modalities, message):
    with pytest.raises(ValueError, match=message):
        Reader(modalities).fit(make_frame())


def test_columns_of_the_same_name():
    frame = pd.DataFrame(np.eye(2), columns=["a", "a"])
    with pytest.raises(ValueError, match="two columns named 'a' in X"):
        Reader({"m": ["a"]}).fit(frame)


@pytest.mark.parametrize(
    ("modalities", "message"),
    [
        (["a", "a"], "modality 'a' twice in modalities"),
        (["z"], "modalities with the unknown modality 'z', expected some of"),
        ([], r"Got modalities=\[\] with a MultimodalData, expected None or a list"),
        ([1], "with a MultimodalData"),
    ],
)
def test_bad_modalities_of_a_container(modalities, message):
    with pytest.raises(ValueError, match=message):
        Reader(modalities).fit(MultimodalData({"a": np.eye(3)}))


class OtherFrame:
    """What a data frame of another library looks like from outside."""

    shape = (2, 2)
    columns = ("a", "b")

    def __dataframe__(self):
        raise AssertionError("never asked for")


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (OtherFrame(), TypeError, "OtherFrame, expected a 2-D array, a pandas Data"),
        ({"a": np.eye(2)}, TypeError, r"make one with MultimodalData\(X\)"),
        (np.zeros((0, 2)), ValueError, "0 sample"),
        (np.zeros((2, 0)), ValueError, "0 feature"),
        (make_frame()[:0], ValueError, "0 sample"),
        (np.zeros(3), ValueError, "Expected 2D array, got 1D"),
        (np.zeros((2, 2, 2)), ValueError, "dim 3"),
        (np.array([[1.0, np.inf]]), ValueError, "infinity"),
        (pd.DataFrame({"a": [np.inf]}), ValueError, "infinite value in row 0 of blo"),
        (MultimodalData({"t": np.array(["a"])}), ValueError, "dtype <U1 in the modal"),
    ],
)
def test_bad_x(X, error, message):
    with pytest.raises(error, match=message):
        Reader().fit(X)


def test_from_frame_refuses_what_is_no_table():
    with pytest.raises(TypeError, match="OtherFrame, expected a pandas DataFrame"):
        MultimodalData.from_frame(OtherFrame())
    with pytest.raises(TypeError, match="expected a pandas DataFrame or a 2-D"):
        MultimodalData.from_frame(np.zeros(3))
    assert MultimodalData.from_frame([[1.0, 2.0]], {"a": [1]}).names == ["a"]


def test_text_among_numbers_is_not_to_be_encoded():
    frame = make_frame().astype({"na": object})
    way_out = r"to_numeric\(X\['na'\], errors='coerce'\) .* are codes, encode it"
    for values in (["?", "1", "2.5", "<3", "4"], ["1", "2", None, "4", "5"]):
        with pytest.raises(ValueError, match=way_out):
            Reader(LABS).fit(frame.assign(na=values))
    for values in (["?", "1", "b", "c", "d"], [None, "a", None, None, None]):
        with pytest.raises(ValueError, match="expected numbers; encode it with a"):
            Reader(LABS).fit(frame.assign(na=values))
    days = pd.date_range("2024-01-01", periods=5)
    for column in (days, pd.Categorical(["a", "b", "a", "b", "a"])):
        with pytest.raises(ValueError, match="expected numbers; encode it with a"):
            Reader(LABS).fit(frame.assign(na=column))


@pytest.mark.parametrize("columns", ["na", ["na", "k"]])
def test_names_of_columns_for_an_array(columns):
    """As scalers and some searches hand on what was a frame."""
    message = r"columns of X \(4\), an array without names.* set_output"
    with pytest.raises(ValueError, match=message):
        Reader({"labs": columns}).fit(np.eye(4))


def test_other_data_at_predict():
    frame = make_frame()
    X = MultimodalData({"a": np.eye(3), "b": np.ones((3, 2))})
    reader = Reader(LABS).fit(frame)
    with pytest.raises(ValueError, match=r"\['k'\] of the modality 'labs'"):
        reader.read(frame.drop(columns="k"))
    with pytest.raises(ValueError, match=r"modalities \['a', 'b'\], expected some of"):
        reader.read(X)
    reader = Reader().fit(X)
    with pytest.raises(ValueError, match=r"\['x'\].* prefix of a modality are one mod"):
        reader.read(frame[["na", "k"]])
    with pytest.warns(AbsentModalityWarning, match=r"without the modalities \['b'\]"):
        part = reader.read(X.select("a"))
    np.testing.assert_array_equal(part.present, [[True, False]] * 3)
    with pytest.raises(ValueError, match=r"shape \(5,\) per row for the modality 'b'"):
        reader.read(MultimodalData({"a": np.eye(3), "b": np.ones((3, 5))}))
    with pytest.raises(ValueError, match="X has 4 features, but Reader is expecting 5"):
        reader.read(np.ones((3, 4)))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ({"a": 1.0, "b": "no"}, r"X of type builtins.dict, .* pd.DataFrame\(\[row\]\)"),
        ({"a": np.ones(3)}, r"builtins.dict, .* make one with MultimodalData\(X\)"),
        ([{"a": 1.0}, {"a": 2.0}], r"a list of dicts as X, .* pd.DataFrame\(rows\)"),
        (
            [np.ones((3, 2)), np.ones((3, 1, 4))],
            r"a list of 2 arrays as X, .* modality",
        ),
        ((np.ones((3, 2)), np.ones((3, 2))), r"a tuple of 2 arrays as X, .* modality"),
    ],
)
def test_what_is_no_table_is_told_how_to_become_one(X, message):
    with pytest.raises(TypeError, match=message):
        check_multimodal(BaseEstimator(), X, reset=True)


def test_columns_that_were_numbers_in_fit():
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    modalities = {"m": ["a", "b"]}
    for fitted in (frame, MultimodalData.from_frame(frame, modalities)):
        reader = BaseEstimator()
        given = modalities if fitted is frame else None
        check_multimodal(reader, fitted, given, reset=True)
        for text in (["64", None], ["<1.5", 2.0]):
            new = frame.assign(b=pd.Series(text, dtype=object))
            if fitted is not frame:
                new = new.rename(columns=lambda c: f"m__{c}")
            label = new.columns[1]
            message = (
                rf"Got '.*' in the column '{label}' of .* pd.to_numeric\(X\['{label}'\]"
            )
            with pytest.raises(ValueError, match=message):
                check_multimodal(reader, new, given, reset=False)
            new[label] = pd.to_numeric(new[label], errors="coerce")
            check_multimodal(reader, new, given, reset=False)


def test_some_columns_of_a_modality_are_filled_by_name():
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0], "c": [0.0, 1.0]})
    reader = BaseEstimator()
    check_multimodal(reader, frame, {"m": ["a", "b"], "n": ["c"]}, reset=True)
    message = (
        r"without the columns \['b'\] .*; X.reindex\(columns=model.feature_names_in_"
    )
    with pytest.raises(ValueError, match=message):
        check_multimodal(reader, frame[["a"]], reset=False)
    filled = frame[["a"]].reindex(columns=reader.feature_names_in_)
    assert check_multimodal(reader, filled, reset=False).present.tolist() == [
        [True, False], [True, False],
    ]  # fmt: skip
