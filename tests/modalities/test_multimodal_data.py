"""The container: what it takes, what it says, how it is indexed."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest

from skmissing import MultimodalData

nan = np.nan


def make_data():
    return MultimodalData(
        {
            "labs": [[1.0, 2.0], [nan, nan], [3.0, nan], [4.0, 5.0]],
            "image": np.arange(64, dtype=np.uint8).reshape(4, 1, 4, 4),
            "text": np.array(["a", "b", "c", "d"]),
        }
    )


def test_presence_is_inferred_from_nan_for_floats_only():
    X = make_data()
    assert X.shape == (4, 3)
    assert len(X) == 4
    assert X.names == ["labs", "image", "text"]
    assert X.present[:, 0].tolist() == [True, False, True, True]
    assert X.present[:, 1:].all()
    assert X.block_shapes == {"labs": (2,), "image": (1, 4, 4), "text": (1,)}


def test_present_is_read_only_and_a_copy():
    given = np.ones((4, 1), dtype=bool)
    X = MultimodalData({"a": np.zeros(4)}, given)
    given[0] = False
    assert X.present.all()
    with pytest.raises(ValueError, match="read-only"):
        X.present[0, 0] = False


def test_present_wins_over_content():
    values = np.array([[np.inf], [nan], [1.0]])
    X = MultimodalData({"a": values}, np.array([[False], [False], [True]]))
    assert X.present[:, 0].tolist() == [False, False, True]


def test_torch_tensors_and_frames_are_blocks():
    torch = pytest.importorskip("torch")
    X = MultimodalData(
        {
            "t": torch.ones(3, 2, dtype=torch.float32, requires_grad=True),
            "f": pd.DataFrame({"u": [1, 2, 3], "v": [1.0, nan, 3.0]}),
            "s": pd.Series([1.0, nan, 2.0]),
        }
    )
    assert X["t"].dtype == np.float32
    assert X.block_shapes["s"] == (1,)
    assert X.present[:, 2].tolist() == [True, False, True]


@pytest.mark.parametrize(
    "block",
    [
        [1.0, None, 3.0],
        pd.Series([1, None, 3], dtype="Int64"),
        pd.DataFrame({"a": pd.array([1, pd.NA, 3], dtype="Int64")}),
        pd.DataFrame({"a": [1.0, pd.NA, 3.0]}, dtype=object),
        np.array([[1.0], [None], [3.0]], dtype=object),
    ],
)
def test_none_and_pandas_na_count_as_nan(block):
    X = MultimodalData({"a": block})
    assert X["a"].dtype == np.float64
    assert X.present[:, 0].tolist() == [True, False, True]


def test_nullable_columns_without_gaps_keep_their_kind():
    X = MultimodalData({"a": pd.DataFrame({"a": pd.array([1, 2], dtype="Int64")})})
    assert X["a"].dtype == np.int64


def test_repr_and_html():
    X = make_data()
    assert repr(X).splitlines()[0] == "MultimodalData of 4 rows, 3 modalities"
    assert "25.0% missing" in repr(X)
    assert "(1, 4, 4)" in repr(X)
    html = X._repr_html_()
    assert html.startswith("<table>")
    assert "uint8" in html
    assert "a&lt;b" in MultimodalData({"a<b": [1.0]})._repr_html_()
    empty = X[:0]
    assert len(empty) == 0
    assert "0 rows" in repr(empty)


@pytest.mark.parametrize(
    ("key", "rows"),
    [
        (2, [2]),
        (-1, [3]),
        (np.int64(1), [1]),
        (np.array(1), [1]),
        (slice(1, 3), [1, 2]),
        (slice(None, None, -1), [3, 2, 1, 0]),
        ([2, 0, 0, -1], [2, 0, 0, 3]),
        (np.array([3, 1], dtype=np.int32), [3, 1]),
        ([True, False, False, True], [0, 3]),
        (np.array([False] * 4), []),
        ([], []),
        (pd.Series([True, True, False, False]), [0, 1]),
        (pd.Index([1, 2]), [1, 2]),
        ((slice(0, 2), Ellipsis), [0, 1]),
        (([1, 3], slice(None)), [1, 3]),
        ((np.array([0, 2]), ...), [0, 2]),
    ],
)
def test_indexing_rows(key, rows):
    X = make_data()
    part = X[key]
    assert isinstance(part, MultimodalData)
    assert part.shape == (len(rows), 3)
    np.testing.assert_array_equal(part.present, X.present[rows])
    for name in X.names:
        np.testing.assert_array_equal(part[name], X[name][rows])
        assert part[name].ndim == X[name].ndim


@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        (4, IndexError, "row 4 is out of bounds for 4 rows"),
        (-5, IndexError, "row -5 is out of bounds"),
        ([7], IndexError, "out of bounds"),
        ([True, False], IndexError, r"boolean index of shape \(2,\), expected \(4,\)"),
        (True, IndexError, "boolean index"),
        ([0.5], TypeError, "index of dtype float64"),
        (None, TypeError, "index of dtype object"),
        ((slice(None), 1), TypeError, "use .select"),
        ((slice(None), [0, 1]), TypeError, "use .select"),
        ([[0, 1], [2, 3]], IndexError, "index of shape \\(2, 2\\)"),
        ("ecg", KeyError, "unknown modality 'ecg'"),
    ],
)
def test_bad_indices(key, error, message):
    with pytest.raises(error, match=message):
        make_data()[key]


def test_select_and_hide():
    X = make_data()
    part = X.select(["text", "labs"])
    assert part.names == ["text", "labs"]
    np.testing.assert_array_equal(part.present, X.present[:, [2, 0]])
    assert part["labs"] is X["labs"]
    assert X.select("image").names == ["image"]
    mask = np.zeros((4, 3), dtype=bool)
    mask[3] = True
    for given in (mask, {"labs": mask[:, 0], "image": mask[:, 0], "text": mask[:, 0]}):
        hidden = X.hide(given)
        np.testing.assert_array_equal(hidden.present, X.present & ~mask)
        assert hidden["image"] is X["image"]
    assert not X.hide("text").present[:, 2].any()
    assert not X.hide(["text", "image"]).present[:, 1:].any()
    assert X.present[3].all()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda X: X.select([]), ValueError, "distinct names of at least one"),
        (lambda X: X.select(["labs", "labs"]), ValueError, "distinct names"),
        (lambda X: X.select("ecg"), KeyError, "unknown modality 'ecg' in select"),
        (lambda X: X.hide("ecg"), KeyError, "unknown modality 'ecg' in hide"),
        (lambda X: X.hide(np.zeros((4, 2), bool)), ValueError, r"shape \(4, 2\)"),
        (lambda X: X.hide(np.zeros((4, 3))), ValueError, "dtype float64"),
        (lambda X: X.hide({"labs": [True]}), ValueError, r"of shape \(1,\)"),
        (lambda X: MultimodalData.concat([]), ValueError, "Got no parts"),
        (
            lambda X: MultimodalData.concat([X, X.select("labs")]),
            ValueError,
            "expected the same names",
        ),
        (
            lambda X: MultimodalData.concat(
                [X.select("labs"), MultimodalData({"labs": np.zeros((2, 5))})]
            ),
            ValueError,
            "expected the same shapes",
        ),
    ],
)
def test_bad_use_of_methods(call, error, message):
    with pytest.raises(error, match=message):
        call(make_data())


def test_concat_matches_blocks_by_name():
    X = make_data()
    both = MultimodalData.concat([X[:2], X[2:].select(["text", "labs", "image"])])
    assert both.names == X.names
    np.testing.assert_array_equal(both.present, X.present)
    np.testing.assert_array_equal(both["image"], X["image"])
    one = MultimodalData({"a": [[1.0], [np.nan]], "b": [[2.0], [3.0]]})
    two = MultimodalData({"b": [[np.nan], [5.0]], "a": [[6.0], [7.0]]})
    present = MultimodalData.concat([one, two]).present
    np.testing.assert_array_equal(present, [[1, 1], [0, 1], [1, 0], [1, 1]])


@pytest.mark.parametrize("roundtrip", ["pickle", "joblib"])
def test_pickles(roundtrip, tmp_path):
    X = make_data()[[0, 1, 3]]
    if roundtrip == "pickle":
        copy = pickle.loads(pickle.dumps(X))
    else:
        joblib.dump(X, tmp_path / "x.joblib")
        copy = joblib.load(tmp_path / "x.joblib")
    np.testing.assert_array_equal(copy.present, X.present)
    for name in X.names:
        np.testing.assert_array_equal(copy[name], X[name])
        assert copy[name].dtype == X[name].dtype


@pytest.mark.parametrize(
    ("blocks", "error", "message"),
    [
        ({}, TypeError, "expected a non-empty mapping"),
        ([np.zeros(3)], TypeError, "Got blocks=list"),
        (
            {"a": np.zeros(3), "b": np.zeros(4)},
            ValueError,
            r"different length \{'a': 3, 'b': 4\}",
        ),
        ({"": np.zeros(3)}, ValueError, "modality name ''"),
        ({3: np.zeros(3)}, ValueError, "modality name 3"),
        ({"a__b": np.zeros(3)}, ValueError, "modality name 'a__b'"),
        ({"a": 3.0}, TypeError, "Got a float as block 'a'"),
        ({"a": 3.0, "b": "no"}, TypeError, r"single values.*pd.DataFrame\(\[row\]\)"),
        ({"a": np.zeros((3, 0))}, ValueError, r"shape \(3, 0\) for block 'a'"),
        ({"a": np.zeros(3, complex)}, ValueError, "complex values in block 'a'"),
        ({"a": [1.0, np.inf]}, ValueError, "infinite value in row 1 of block 'a'"),
        ({"a": [[nan, -np.inf]]}, ValueError, "infinite value in row 0 of block 'a'"),
    ],
)
def test_bad_blocks(blocks, error, message):
    with pytest.raises(error, match=message):
        MultimodalData(blocks)


@pytest.mark.parametrize(
    ("present", "message"),
    [
        (np.ones((2, 1), bool), r"present of shape \(2, 1\) and dtype bool"),
        (np.ones(3, bool), r"expected a boolean mask of shape \(3, 1\)"),
        (np.ones((3, 1)), "dtype float64"),
        (np.ones((3, 1), bool), "present=True for row 1 of block 'a' whose values are"),
    ],
)
def test_bad_present(present, message):
    with pytest.raises(ValueError, match=message):
        MultimodalData({"a": [1.0, nan, 2.0]}, present)


def test_arrays_are_refused_with_a_way_out():
    X = make_data()
    for convert in (np.asarray, np.array, np.mean, lambda X: np.zeros(3) + X):
        with pytest.raises(TypeError, match=r"to_frame\(\) makes one"):
            convert(X)
