"""apply, patterns, and bad input of the simulator."""

import pickle

import numpy as np
import pandas as pd
import pytest

from skmissing import MultimodalData
from skmissing.missingness import patterns, simulate_missing


def make_data(n=40):
    rng = np.random.RandomState(0)
    return MultimodalData(
        {"a": rng.randn(n, 2), "b": rng.randn(n, 3), "c": rng.randint(9, size=(n, 4))}
    )


def test_apply_keeps_dtypes_that_can_hold_a_gap_and_covariates():
    frame = pd.DataFrame(
        {
            "n": np.arange(6),
            "flag": [True, False] * 3,
            "f": np.arange(6, dtype=np.float32),
            "word": list("abcabc"),
            "kind": pd.Categorical(list("xyxyxy")),
            "opt": pd.array([1, 2, None, 4, 5, 6], dtype="Int64"),
            "site": list("uvwuvw"),
            "full": np.arange(6),
        },
        index=list("ghijkl"),
    )
    modalities = {"all": ["n", "flag", "f", "word", "kind", "opt"], "rest": ["full"]}
    result = simulate_missing(
        frame, rate={"all": 0.5}, modalities=modalities, random_state=0
    )
    out = result.apply(frame)
    gone = result.mask[:, 0]
    assert 0 < gone.sum() < 6
    assert out.index.equals(frame.index)
    assert out.columns.equals(frame.columns)
    assert out[gone].drop(columns=["site", "full"]).isna().all().all()
    assert out["n"].dtype == out["flag"].dtype == np.float64
    for name in ("f", "kind", "opt", "site", "full"):
        assert out[name].dtype == frame[name].dtype
    pd.testing.assert_frame_equal(
        out[~gone].drop(columns=["n", "flag"]), frame[~gone].drop(columns=["n", "flag"])
    )
    names = MultimodalData.from_frame(out, modalities)
    np.testing.assert_array_equal(names.present, ~result.mask)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [(np.float32, np.float32), (np.int64, np.float64), (bool, np.float64)],
)
def test_apply_to_arrays(dtype, expected):
    X = np.ones((20, 3), dtype=dtype)
    result = simulate_missing(X, rate=0.5, random_state=0)
    assert result.names == ["x"]
    out = result.apply(X)
    assert out.dtype == expected
    np.testing.assert_array_equal(np.isnan(out).all(axis=1), result.mask[:, 0])
    assert X.dtype == dtype


def test_apply_to_objects_multiindex_and_lists():
    X = np.array([[1, "a"], [2, "b"], [3, "c"]], dtype=object)
    modalities = {"n": [0], "t": [1]}
    out = simulate_missing(X, rate={"t": 1.0}, modalities=modalities).apply(X)
    assert out[:, 0].tolist() == [1, 2, 3]
    assert pd.isna(out[:, 1]).all()
    frame = pd.DataFrame(
        np.ones((3, 3)),
        columns=pd.MultiIndex.from_tuples([("p", 1), ("p", 2), ("q", 1)]),
    )
    out = simulate_missing(frame, rate={"p": 1.0}).apply(frame)
    assert out["p"].isna().all().all()
    assert out["q"].notna().all().all()
    assert isinstance(out.columns, pd.MultiIndex)
    rows = [[1.0], [3.0]]
    assert np.isnan(simulate_missing(rows, rate=1.0).apply(rows)).all()


def test_some_modalities_of_a_container():
    X = make_data()
    result = simulate_missing(X, modalities=["c", "a"], rate=1.0)
    assert result.names == ["c", "a"]
    np.testing.assert_array_equal(result.apply(X).present.mean(axis=0), [0, 1, 0])


def test_result_pickles_and_describes_itself():
    X = make_data()
    result = simulate_missing(X, rate={"b": 0.5}, random_state=0)
    copy = pickle.loads(pickle.dumps(result))
    np.testing.assert_array_equal(copy.mask, result.mask)
    np.testing.assert_array_equal(copy.prob(), result.prob())
    assert repr(result).startswith(
        "SimulatedMissingness of 40 rows (mcar), missing: a 0"
    )
    assert len(result) == 40


def test_apply_refuses_other_data():
    result = simulate_missing(make_data())
    with pytest.raises(ValueError, match="Got X with 10 rows, expected 40"):
        result.apply(make_data(10))
    with pytest.raises(ValueError, match=r"modalities \['x'\], expected \['a', 'b'"):
        result.apply(np.zeros((40, 9)))
    with pytest.raises(ValueError, match="expected names of some of the modalities"):
        result.prob(["a", "z"])
    with pytest.raises(ValueError, match=r"Got \[\] in required"):
        result.prob([])


NAN_AGE = pd.DataFrame({"age": [1.0, np.nan, 2.0], "x": [1.0, 2.0, 3.0]})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mechanism": "MAR"}, "Got mechanism='MAR', expected 'mcar'"),
        ({"rate": 1.5}, "Got rate=1.5 for the modality 'a', expected a number between"),
        ({"rate": "half"}, "Got rate='half'"),
        ({"rate": True}, "Got rate=True"),
        ({"rate": np.nan}, "Got rate=nan"),
        ({"rate": {"z": 0.1}}, "unknown modality 'z'"),
        ({"strength": np.inf}, "Got strength=inf, expected a finite number"),
        ({"keep_one": 1}, "Got keep_one=1, expected True or False"),
        ({"depends_on": "a"}, "depends_on='a' with mechanism='mcar'"),
        ({"scores": [1.0]}, "Got scores with mechanism='mcar'"),
        ({"mechanism": "mar"}, "Got neither of depends_on and scores"),
        ({"mechanism": "mar", "depends_on": "a", "scores": 1}, "Got both of"),
        ({"mechanism": "mar", "depends_on": "y"}, "depends_on='y' without y"),
        ({"mechanism": "mar", "depends_on": "zz"}, "unknown driver 'zz'"),
        ({"mechanism": "mar", "depends_on": []}, "empty depends_on"),
        (
            {"mechanism": "mar", "depends_on": "a", "rate": {"a": 0.2}},
            "'a' that drives missingness, expected 0",
        ),
        (
            {"mechanism": "mar", "depends_on": ["a", "b", "c"]},
            "expected one that is left to be hidden",
        ),
        (
            {"mechanism": "mar", "depends_on": {"a": [1.0]}},
            "Got 1 coefficients for the block 'a', expected 2",
        ),
        (
            {"mechanism": "mar", "depends_on": {"a": {"u": 1}}},
            "Got a mapping for the block 'a'",
        ),
        (
            {"mechanism": "mar", "depends_on": {"a": "big"}},
            "Got 'big' for 'a' in depends_on, expected a finite number",
        ),
        ({"mechanism": "mnar", "rate": 1.0}, "mechanism='mnar', expected less than 1"),
        ({"mechanism": "mnar", "scores": np.zeros(3)}, "Got scores of shape \\(3,\\)"),
        ({"mechanism": "mnar", "scores": np.full(40, np.nan)}, "NaN or infinite"),
        (
            {"rate": 0.7, "keep_one": True},
            "sum to 2.1 over 3 modalities, expected at m",
        ),
        ({"modalities": ["a", "q"]}, "unknown modality 'q'"),
    ],
)
def test_bad_parameters(options, message):
    with pytest.raises(ValueError, match=message):
        simulate_missing(make_data(), **options)


def test_bad_drivers():
    X = make_data()
    modalities = {"m": ["x"]}
    with pytest.raises(ValueError, match="driver 'age' missing in 1 rows"):
        simulate_missing(
            NAN_AGE, mechanism="mar", modalities=modalities, depends_on="age"
        )
    hidden = X.hide({"a": np.arange(40) < 5})
    with pytest.raises(ValueError, match="driver 'a' missing in 5 rows"):
        simulate_missing(hidden, mechanism="mar", depends_on="a")
    with pytest.raises(ValueError, match="driver 'y' with the same value in every row"):
        simulate_missing(X, np.zeros(40), mechanism="mar", depends_on="y")
    y = np.arange(40) % 3
    with pytest.raises(ValueError, match="no score for the level 2 of 'y'"):
        simulate_missing(X, y, mechanism="mar", depends_on={"y": {0: 1.0, 1: 0.0}})
    with pytest.raises(ValueError, match="an array for 'y' in depends_on"):
        simulate_missing(X, y, mechanism="mar", depends_on={"y": [1.0, 2.0]})
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        simulate_missing(X, y[:10], mechanism="mar", depends_on="y")
    constant = MultimodalData({"a": np.ones((9, 2))})
    with pytest.raises(ValueError, match="'a' with the same value in every row"):
        simulate_missing(constant, mechanism="mnar")


def test_infeasible_with_blocks_missing_before_names_the_set():
    X = make_data().hide({"b": np.arange(40) < 30, "c": np.arange(40) < 20})
    with pytest.raises(
        ValueError, match=r"keep 16.0 blocks of \['a'\], expected at le"
    ):
        simulate_missing(X, rate={"a": 0.6}, keep_one=True)
    message = r"keep 22.0 blocks of \['a', 'c'\], expected at least 30"
    with pytest.raises(ValueError, match=message):
        simulate_missing(X, rate={"a": 0.5, "c": 0.9}, keep_one=True)
    # The same rates are fine for rows that may lose everything.
    simulate_missing(X, rate={"a": 0.6, "c": 0.9})


def test_patterns_counts_and_order():
    present = np.array([[1, 1], [0, 1], [1, 1], [0, 0], [1, 0]], dtype=bool)
    X = MultimodalData({"u": np.zeros(5), "v": np.zeros((5, 2))}, present)
    table = patterns(X)
    assert table.index.tolist() == ["u + v", "u", "v", "none"]
    assert table["count"].tolist() == [2, 1, 1, 1]
    np.testing.assert_allclose(table["share"], [0.4, 0.2, 0.2, 0.2])
    assert table.loc["v", ["u", "v"]].tolist() == [False, True]
    pd.testing.assert_frame_equal(patterns(X.to_frame()), table)
    assert patterns(X, modalities=["v"]).index.tolist() == ["v", "none"]


def test_patterns_bad_input():
    with pytest.raises(ValueError, match="modality named 'count'"):
        patterns(MultimodalData({"count": np.zeros(3)}))
    with pytest.raises(ValueError, match="unknown columns 'q'"):
        patterns(pd.DataFrame({"a": [1.0]}), modalities={"m": "q"})
