"""Corners of the data model that once went wrong."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.feature_selection import SelectKBest
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler, TargetEncoder

from skmissing import Modality, MultimodalData
from skmissing.baselines import PatternClassifier
from skmissing.modalities import ModalityTransformer


def two_blocks(n=30):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    blocks = {k: rng.normal(size=(n, 3)) + y[:, None] for k in ("a", "b")}
    return MultimodalData(blocks), y


@pytest.mark.parametrize("shapes", [((2, 6, 5), (6, 5, 2)), ((7, 3), (3, 7))])
def test_another_layout_of_the_same_size_is_refused(shapes):
    y = np.arange(20) % 2
    rng = np.random.default_rng(0)
    fit, new = (MultimodalData({"m": rng.normal(size=(20, *s))}) for s in shapes)
    clf = PatternClassifier().fit(fit, y)
    with pytest.raises(ValueError, match=r"Got shape .* 'm', expected .* as in fit"):
        clf.predict(new)
    assert clf.predict(fit.to_frame()).shape == (20,)


def test_reordered_features_are_matched_where_names_are_known():
    X, y = two_blocks()
    frame = X.to_frame()
    other = frame[frame.columns[::-1]]
    on_container = PatternClassifier().fit(X, y)
    on_frame = PatternClassifier().fit(frame, y)
    expected = on_container.predict_proba(X)
    np.testing.assert_array_equal(on_container.predict_proba(other), expected)
    moved = MultimodalData.from_frame(other)
    np.testing.assert_array_equal(on_frame.predict_proba(moved), expected)
    unknown = frame.rename(columns={"a__0": "a__z"})
    with pytest.raises(ValueError, match=r"of the modality 'a' as \['a__z'"):
        on_frame.predict(MultimodalData.from_frame(unknown))
    np.testing.assert_array_equal(on_container.predict(frame), on_frame.predict(X))


def test_covariates_in_a_frame_after_a_fit_on_a_container():
    X, y = two_blocks()
    clf = PatternClassifier().fit(X, y)
    frame = X.to_frame().assign(site="north")
    np.testing.assert_array_equal(clf.predict(frame), clf.predict(X))


def test_a_few_rows_of_a_memory_map_pickle_small(tmp_path):
    path = tmp_path / "block.npy"
    np.save(path, np.random.default_rng(0).normal(size=(2000, 50)))
    X = MultimodalData({"a": np.load(path, mmap_mode="r")})
    few = X[[3, 1]]
    assert len(pickle.dumps(few)) < 5000
    again = pickle.loads(pickle.dumps(few))
    np.testing.assert_array_equal(np.asarray(again["a"]), np.asarray(few["a"]))
    # Most of the rows keep the file, which joblib hands to its workers.
    assert X["a"].__reduce__()[1][0] is X["a"].base


def test_text_in_a_missing_row_of_an_object_block_does_not_matter():
    block = np.arange(12.0).reshape(4, 3).astype(object)
    block[0, 0] = "garbage"
    present = np.array([[False], [True], [True], [True]])
    X = MultimodalData({"a": block}, present)
    assert X["a"].dtype == np.float64
    assert MultimodalData({"a": block})["a"].dtype == object


@pytest.mark.parametrize("name", ["a_", "", "a__b", 3])
def test_names_that_columns_could_not_give_back(name):
    with pytest.raises(ValueError, match="Got the modality name"):
        MultimodalData({name: np.zeros((2, 2))})


@pytest.mark.parametrize("shape", [4, (2.7, 2), (-2, -2), (), "ab"])
def test_bad_shapes_of_a_modality(shape):
    with pytest.raises(ValueError, match=r"Got shape=.* for a Modality, expected"):
        Modality([0, 1, 2, 3], shape=shape)


def test_duplicate_columns_and_ragged_blocks():
    frame = pd.DataFrame(np.zeros((4, 2)), columns=["a__x", "a__x"])
    with pytest.raises(ValueError, match="Got two columns named 'a__x' in X"):
        PatternClassifier().fit(frame, [0, 1, 0, 1])
    with pytest.raises(ValueError, match="Got rows of different shape in block 'a'"):
        MultimodalData({"a": [[1.0], [2.0, 3.0]]})


def test_blocks_of_unusual_types():
    values = np.arange(8.0).reshape(4, 2)
    masked = np.ma.masked_array(values, mask=values == 3)
    X = MultimodalData(
        {
            "big": values.astype(">i4"),
            "masked": masked,
            "half": torch.from_numpy(values).to(torch.bfloat16),
            "large": np.full((4, 1), 2**63 + 5, dtype=np.uint64),
        }
    )
    assert X["big"].dtype.isnative
    assert (X["big"] == values).all()
    assert np.isnan(X["masked"][1, 1])
    assert X.present.all()
    assert (X["half"] == values).all()
    assert X["large"].dtype == np.float64
    mask = pd.DataFrame({"b": [True, False], "a": [True, True]})
    Z = MultimodalData({"a": np.zeros((2, 1)), "b": np.ones((2, 1))}, mask)
    assert Z.present.tolist() == [[True, True], [True, False]]


# -- ModalityTransformer --------------------------------------------------------------


def test_fit_transform_is_that_of_the_inner_transformer():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"w__id": rng.integers(0, 100, size=300).astype(str)})
    y = rng.integers(2, size=300)
    encoder = TargetEncoder(cv=StratifiedKFold(5, shuffle=True, random_state=0))
    ours = ModalityTransformer([("w", encoder)]).fit_transform(frame, y)
    inner = encoder.fit_transform(frame, y)
    np.testing.assert_allclose(ours.to_numpy(), inner)
    # Fitting and transforming the same rows would leak the label.
    leaky = ModalityTransformer([("w", encoder)]).fit(frame, y).transform(frame)
    assert abs(np.corrcoef(ours.iloc[:, 0], y)[0, 1]) < 0.3
    assert np.corrcoef(leaky.iloc[:, 0], y)[0, 1] > 0.4


def test_transformer_refuses_bad_y_and_names():
    X, y = two_blocks()
    with pytest.raises(ValueError, match=r"Got y of shape \(27,\), expected 30 rows"):
        ModalityTransformer([("a", SelectKBest(k=1))]).fit(X, y[:-3])
    for name in ("remainder", "a__b"):
        with pytest.raises(ValueError, match=f"Got the name '{name}' in transformers"):
            ModalityTransformer([(name, StandardScaler())]).fit(X)


def test_multiindex_frames_keep_names_and_covariates():
    columns = pd.MultiIndex.from_tuples([("a", "x"), ("a", "y"), ("site", "n")])
    frame = pd.DataFrame(np.arange(12.0).reshape(4, 3), columns=columns)
    out = ModalityTransformer(
        [("a", StandardScaler())], modalities={"a": "a"}, remainder="passthrough"
    ).fit_transform(frame)
    assert out.columns.tolist() == ["a__x", "a__y", "site__n"]
