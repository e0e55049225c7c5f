"""What every recovery promises, and the three without a net."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.neighbors import KNeighborsRegressor
from sklearn.svm import SVR

from skmissing import Modality, MultimodalData
from skmissing.exceptions import EmptyRowWarning, UnobservedModalityWarning
from skmissing.recovery import (
    BaseRecovery,
    GaussianRecovery,
    MeanRecovery,
    NeighborRecovery,
    RegressionRecovery,
    _donor_index,
)
from skmissing.recovery._donor_index import first_nearest

from ..conftest import make_blocks

RECOVERIES = {
    "mean": MeanRecovery(),
    "gaussian": GaussianRecovery(),
    "neighbor": NeighborRecovery(),
    "nearest": NeighborRecovery(n_neighbors=1),
    "distance": NeighborRecovery(weights="distance"),
    "regression": RegressionRecovery(),
    "knn": RegressionRecovery(KNeighborsRegressor(3)),
    "forest": RegressionRecovery(RandomForestRegressor(3), random_state=0),
}


@pytest.fixture(params=RECOVERIES)
def recovery(request):
    return clone(RECOVERIES[request.param])


def linear_blocks(n=300, seed=0, noise=0.1):
    """Blocks that are linear in three hidden numbers."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(99)
    z = rng.normal(size=(n, 3))
    return MultimodalData(
        {
            name: z @ mix.normal(size=(3, width))
            + noise * rng.normal(size=(n, width))
            + 5.0
            for name, width in {"a": 4, "b": 6, "c": 3}.items()
        }
    )


def quiet(function, *args):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EmptyRowWarning)
        return function(*args)


# -- all of them ----------------------------------------------------------------------


def test_present_blocks_stay_and_missing_ones_are_filled(recovery):
    X, _ = make_blocks(n=50, n_modalities=3, shaped=True)
    out = recovery.fit(X).transform(X)
    assert isinstance(out, MultimodalData)
    assert out.names == X.names
    assert out.block_shapes == X.block_shapes
    assert out.present.all()
    for m, name in enumerate(X.names):
        here = X.present[:, m]
        np.testing.assert_array_equal(out[name][here], X[name][here])
        assert np.isfinite(out[name][~here]).all()
    assert not X.present.all()


def test_content_of_missing_blocks_never_matters(recovery):
    X, _ = make_blocks(n=50, n_modalities=3)
    expected = clone(recovery).fit_transform(X)
    for garbage in (0.0, 1e30, np.inf, np.nan):
        blocks = {}
        for m, name in enumerate(X.names):
            block = X[name].copy()
            block[~X.present[:, m]] = garbage
            blocks[name] = block
        dirty = MultimodalData(blocks, present=X.present)
        out = clone(recovery).fit(dirty).transform(dirty)
        for name in X.names:
            np.testing.assert_array_equal(out[name], expected[name])


def test_rows_are_filled_on_their_own(recovery):
    X, _ = make_blocks(n=80, n_modalities=4, shaped=True)
    fitted = recovery.fit(X[:50])
    whole = fitted.transform(X)
    order = np.random.default_rng(0).permutation(80)
    shuffled = fitted.transform(X[order])
    for name in X.names:
        single = np.concatenate([fitted.transform(X[i])[name] for i in range(20)])
        np.testing.assert_allclose(single, whole[name][:20], rtol=0, atol=1e-10)
        np.testing.assert_allclose(
            shuffled[name], whole[name][order], rtol=0, atol=1e-10
        )


def test_any_pattern_in_any_order_gives_the_same(recovery):
    X, _ = make_blocks(n=60, n_modalities=3)
    patterns = np.array([[i >> m & 1 for m in range(3)] for i in range(8)], dtype=bool)
    full, _ = make_blocks(n=8, n_modalities=3, missing=0.0, seed=3)
    test = full.hide(~patterns)
    one, other = clone(recovery).fit(X), clone(recovery).fit(X)
    with pytest.warns(EmptyRowWarning, match="1 of 8 rows") as caught:
        first = one.transform(test)
    assert len(caught) == 1
    second = quiet(other.transform, test[np.arange(8)[::-1]])
    for name in X.names:
        np.testing.assert_allclose(first[name], second[name][::-1], atol=1e-12)
        np.testing.assert_allclose(first[name][0], one.means_[name])


def test_three_kinds_of_data_give_the_same(recovery):
    X, _ = make_blocks(n=50, n_modalities=3, shaped=True)
    frame = X.to_frame()
    slices, start = {}, 0
    for name, shape in X.block_shapes.items():
        size = int(np.prod(shape))
        slices[name] = Modality(slice(start, start + size), shape=shape)
        start += size
    expected = clone(recovery).fit_transform(X).to_frame()
    tabular = clone(recovery).set_params(modalities=slices)
    out = tabular.fit(frame).transform(frame)
    pd.testing.assert_frame_equal(out, expected)
    array = clone(tabular).fit_transform(frame.to_numpy())
    assert type(array) is np.ndarray
    np.testing.assert_array_equal(array, expected.to_numpy())
    # Fitted on one, used on another.
    fitted = clone(recovery).fit(X)
    pd.testing.assert_frame_equal(fitted.transform(frame), expected)
    np.testing.assert_array_equal(
        fitted.transform(frame.to_numpy()), expected.to_numpy()
    )
    np.testing.assert_array_equal(
        tabular.transform(X).to_frame().to_numpy(), expected.to_numpy()
    )


def test_frames_keep_their_other_columns_index_and_types(recovery):
    X, _ = make_blocks(n=30, n_modalities=2)
    frame = X.to_frame().astype({"m0__0": "float32"})
    frame.insert(1, "site", ["north", "south"] * 15)
    frame.index = pd.Index(range(100, 130), name="patient")
    columns = {m: [c for c in frame if c.startswith(f"{m}__")] for m in X.names}
    out = recovery.set_params(modalities=columns).fit_transform(frame)
    assert list(out.columns) == list(frame.columns)
    assert out.index.equals(frame.index)
    assert out["site"].equals(frame["site"])
    assert out["m0__0"].dtype == np.float32
    assert out["m1__0"].dtype == np.float64
    assert not out.isna().any().any()
    assert list(recovery.get_feature_names_out()) == list(frame.columns)
    # Levels of a MultiIndex are matched by label, in any order.
    multi = X.to_frame()
    multi.columns = pd.MultiIndex.from_tuples(
        [tuple(c.split("__")) for c in multi.columns]
    )
    again = clone(recovery).set_params(modalities=None).fit(multi)
    turned = multi[multi.columns[::-1]]
    back = again.transform(turned)
    # By name, as those of fit.
    assert back.columns.equals(multi.columns)
    pd.testing.assert_frame_equal(back[multi.columns], again.transform(multi))


def test_integers_become_floats_only_where_something_is_missing(recovery):
    rng = np.random.default_rng(0)
    X = MultimodalData(
        {
            "a": rng.integers(9, size=(40, 3)),
            "b": rng.integers(9, size=(40, 2)).astype(np.uint8),
        }
    )
    half = X.hide({"b": np.arange(40) % 2 == 0})
    out = recovery.fit(half).transform(half)
    assert out["a"].dtype == X["a"].dtype
    assert out["b"].dtype == np.float64
    np.testing.assert_array_equal(out["b"][1::2], X["b"][1::2])
    assert recovery.transform(X)["b"].dtype == np.uint8


def test_a_modality_never_seen_stays_missing(recovery):
    X, _ = make_blocks(n=40, n_modalities=3)
    with pytest.warns(UnobservedModalityWarning, match="'m2'"):
        recovery.fit(X.hide("m2"))
    out = quiet(recovery.transform, X.hide("m2"))
    assert out.present[:, :2].all()
    assert not out.present[:, 2].any()


def test_weight_zero_is_absent_and_pickles_agree(recovery):
    X, _ = make_blocks(n=50, n_modalities=3)
    extra, _ = make_blocks(n=10, n_modalities=3, seed=7)
    both = MultimodalData.concat([X, extra])
    if isinstance(recovery, RegressionRecovery) and isinstance(
        recovery.estimator, KNeighborsRegressor
    ):
        with pytest.raises(TypeError, match="Got weights for KNeighborsRegressor"):
            recovery.fit(both, sample_weight=np.arange(60.0))
    a = clone(recovery).fit(X)
    b = clone(recovery).fit(both, sample_weight=np.repeat([2.0, 0.0], [50, 10]))
    c = pickle.loads(pickle.dumps(a))
    expected = a.transform(X)
    for other in (b.transform(X), c.transform(X)):
        for name in X.names:
            np.testing.assert_allclose(other[name], expected[name], atol=1e-10)


@pytest.mark.parametrize("kind", ["mean", "regression"])
def test_integer_weights_are_repeated_rows(kind):
    X, _ = make_blocks(n=60, n_modalities=3, shaped=True)
    weight = np.random.default_rng(0).integers(0, 4, size=60)
    a = clone(RECOVERIES[kind]).fit(X, sample_weight=weight.astype(float))
    b = clone(RECOVERIES[kind]).fit(X[np.repeat(np.arange(60), weight)])
    one, other = a.transform(X), b.transform(X)
    for name in X.names:
        np.testing.assert_allclose(one[name], other[name], rtol=0, atol=1e-8)


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_shares_of_variance(seed):
    X, new = linear_blocks(seed=seed), linear_blocks(seed=seed + 50)
    assert MeanRecovery().fit(X).score(X) == pytest.approx(0.0, abs=1e-12)
    half = X.hide({"b": np.arange(300) % 2 == 0, "c": np.arange(300) % 3 == 0})
    regression = RegressionRecovery(alpha=1e-3).fit(half).score(new)
    neighbor = NeighborRecovery().fit(half).score(new)
    # The noise has a variance of 0.01 beside one of about 3 (0.3 in some feature).
    assert 0.96 < regression < 1.0
    assert 0.6 < neighbor < regression


def test_a_recovery_that_knows_the_truth_scores_one():
    class Truth(BaseRecovery):
        def __init__(self, modalities=None):
            self.modalities = modalities

        def _recover(self, data):
            gone = ~data.present
            return {n: data[n][gone[:, m]] for m, n in enumerate(data.names)}

    X = linear_blocks(40)
    assert Truth().fit(X).score(X) == 1.0


def test_searches_tune_a_recovery():
    X = linear_blocks(200, noise=1.0)
    search = GridSearchCV(RegressionRecovery(), {"alpha": [1e-2, 1e4]}, cv=3).fit(X)
    assert search.best_params_ == {"alpha": 1e-2}


def test_groups_reach_the_folds_of_a_regressor():
    X = linear_blocks(120)
    groups = np.arange(120) // 4
    search = GridSearchCV(Ridge(), {"alpha": [0.1, 10.0]}, cv=GroupKFold(3))
    fitted = RegressionRecovery(search).fit(X, groups=groups)
    assert fitted.score(X) > 0.9
    with pytest.raises(ValueError, match="groups"):
        RegressionRecovery(search).fit(X).transform(X.hide(X.names[0]))
    with pytest.raises(ValueError, match="Got groups of length 119, expected 120"):
        MeanRecovery().fit(X, groups=groups[:-1])


def test_bad_input_raises():
    X, _ = make_blocks(n=20)
    with pytest.raises(ValueError, match="Got only rows without any modality in fit"):
        MeanRecovery().fit(X.hide(["m0", "m1"]))
    with pytest.raises(ValueError, match="n_neighbors"):
        NeighborRecovery(n_neighbors=0).fit(X)
    fitted = MeanRecovery().fit(X)
    with pytest.raises(ValueError, match="Got no row with a modality"):
        fitted.score(X.hide(["m0", "m1"]))
    with pytest.raises(ValueError, match=r"expected some of \['m0', 'm1'\]"):
        fitted.transform(MultimodalData({"other": np.ones((20, 1))}))


# -- each of them ---------------------------------------------------------------------


def test_neighbors_by_hand():
    X = MultimodalData(
        {
            "a": [[0.0], [1.0], [2.0], [3.0], [np.nan]],
            "b": [[10.0], [np.nan], [30.0], [np.nan], [50.0]],
            "c": [[np.nan], [5.0], [6.0], [7.0], [8.0]],
        }
    )
    one = NeighborRecovery(n_neighbors=1).fit(X)
    # Row 1 has no b; of the donors 0, 2 and 4 it shares a with 0 (distance 1 in a, in
    # units of var(a) = 1.25) and 2 (1 in a and in c), and c with 4 (3 in c).
    a, c = 1 / 1.25, 1 / 1.25
    distances = {0: a, 2: (a + c) / 2, 4: 9 / 1.25}
    assert distances[0] == distances[2] < distances[4]
    assert one.recover(X)["b"].tolist() == [[10.0], [30.0]]
    two = NeighborRecovery(n_neighbors=2).fit(X)
    assert two.recover(X[1])["b"].tolist() == [[20.0]]
    by_distance = NeighborRecovery(n_neighbors=3, weights="distance").fit(X)
    share = 1 / np.sqrt([distances[0], distances[2], distances[4]])
    expected = share @ [10.0, 30.0, 50.0] / share.sum()
    assert by_distance.recover(X[1])["b"][0, 0] == pytest.approx(expected)
    # An exact match counts alone.
    assert by_distance.recover(X[0].hide("b"))["b"][0, 0] == pytest.approx(10.0)


@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize(("seed", "digits"), [(0, 9), (1, 1), (2, 0)])
def test_trees_find_the_donors_that_all_distances_do(
    weights, seed, digits, monkeypatch
):
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(400, 2))
    blocks = {
        # Of rounded values many distances are the same.
        name: np.round(
            hidden @ rng.normal(size=(2, p)) + 0.3 * rng.normal(size=(400, p)), digits
        )
        for name, p in zip("abc", (1, 2, 3))
    }
    X = MultimodalData(blocks).hide(rng.random((400, 3)) < 0.4)
    new = X[300:][X[300:].present.any(axis=1)]
    found = {}
    for least in (10**9, 1):
        monkeypatch.setattr(_donor_index, "LEAST_DONORS", least)
        recovery = NeighborRecovery(weights=weights).fit(X[:300])
        found[least] = recovery.recover(new)
        again = pickle.loads(pickle.dumps(recovery)).recover(new[::-1])
        for name, values in found[least].items():
            np.testing.assert_array_equal(values, again[name][::-1])
    for name in "abc":
        np.testing.assert_array_equal(found[1][name], found[10**9][name])


@pytest.mark.parametrize("seed", range(3))
def test_the_first_of_the_nearest(seed):
    rng = np.random.default_rng(seed)
    distance = np.round(rng.random((50, 30)), 1)
    distance[rng.random(distance.shape) < 0.3] = np.inf
    for k in (1, 4, 30):
        index, near = first_nearest(distance, k)
        expected = np.argsort(distance, axis=1, kind="stable")[:, :k]
        np.testing.assert_array_equal(index, expected)
        np.testing.assert_array_equal(
            near, np.take_along_axis(distance, expected, axis=1)
        )


def test_modalities_count_the_same_whatever_their_width():
    X = MultimodalData(
        {
            "wide": np.repeat([[0.0], [1.0], [0.4]], 50, axis=1),
            "thin": [[0.0], [1.0], [1.0]],
            "gone": [[1.0], [2.0], [np.nan]],
        }
    )
    # Far more features speak for row 0, but by less than the one that speaks for 1.
    assert NeighborRecovery(n_neighbors=1).fit_transform(X)["gone"][2] == [2.0]


def test_regression_is_ridge_on_all_features():
    X = linear_blocks(80, noise=0.5).hide({"c": np.arange(80) % 2 == 0})
    ours = RegressionRecovery(alpha=0.1).fit(X)
    b, c = (X[name][1::2] for name in ("b", "c"))
    a = X["a"][1::2]
    scaled = [
        (v - X[n].mean(axis=0)) / X[n].std(axis=0) / np.sqrt(v.shape[1])
        for n, v in (("a", a), ("b", b))
    ]
    x = np.hstack(scaled)
    penalty = 0.1 * np.trace(np.cov(x.T, bias=True)) / x.shape[1] * len(x)
    ridge = Ridge(alpha=penalty).fit(x, c)
    new = linear_blocks(5, seed=5)
    x_new = np.hstack(
        [
            (new[n] - X[n].mean(axis=0)) / X[n].std(axis=0) / np.sqrt(new[n].shape[1])
            for n in ("a", "b")
        ]
    )
    np.testing.assert_allclose(
        ours.recover(new.hide("c"))["c"], ridge.predict(x_new), atol=1e-10
    )


def test_too_few_rows_leave_modalities_out():
    X = linear_blocks(100)
    # Five rows have a and b and c together, fifty have b and c.
    rows = np.arange(100)
    X = X.hide({"a": (rows >= 5) & (rows < 50), "c": rows >= 50})
    fitted = RegressionRecovery(min_rows=10).fit(X)
    new = linear_blocks(4, seed=1)
    np.testing.assert_allclose(
        fitted.recover(new.hide("c"))["c"], fitted.recover(new.hide(["a", "c"]))["c"]
    )
    wider = RegressionRecovery(min_rows=5).fit(X)
    assert (
        wider.recover(new.hide("c"))["c"] != fitted.recover(new.hide("c"))["c"]
    ).any()
    # Nothing to learn from: the mean.
    none = RegressionRecovery(min_rows=60).fit(X)
    np.testing.assert_allclose(
        none.recover(new.hide("c"))["c"], np.tile(none.means_["c"], (4, 1))
    )


def test_regressors_of_a_single_target():
    X = linear_blocks(60)
    out = RegressionRecovery(SVR(kernel="linear")).fit(X).recover(X.hide("c"))["c"]
    assert np.corrcoef(out[:, 0], X["c"][:, 0])[0, 1] > 0.9


@pytest.mark.parametrize(("n", "p"), [(30, 80), (80, 30), (40, 40)])
def test_components_are_those_of_the_decomposition(n, p):
    from skmissing.recovery._regression import fit_components

    rng = np.random.default_rng(n)
    table, weight = rng.normal(size=(n, p)), rng.uniform(0.5, 2.0, size=n)
    vectors = fit_components(table, weight, 5).vectors
    expected = np.linalg.svd(np.sqrt(weight)[:, None] * table)[2][:5].T
    np.testing.assert_allclose(
        np.abs(vectors.T @ expected), np.eye(5), rtol=0, atol=1e-8
    )


def test_large_blocks_have_the_same_components(monkeypatch):
    from skmissing.recovery import _regression

    rng = np.random.default_rng(0)
    table = rng.normal(size=(60, 3)) @ rng.normal(size=(3, 90))
    table += 1e-3 * rng.normal(size=table.shape)
    exact = _regression.fit_components(table, np.ones(60), 3).vectors
    monkeypatch.setattr(_regression, "EXACT_SIZE", 10)
    found = _regression.fit_components(table, np.ones(60), 3).vectors
    np.testing.assert_allclose(np.abs(found.T @ exact), np.eye(3), atol=1e-4)


def test_a_constant_wide_block_predicts_the_mean():
    rng = np.random.default_rng(0)
    X = MultimodalData({"a": np.full((20, 60), 4.0), "b": rng.normal(size=(20, 2))})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = RegressionRecovery().fit(X).recover(X.hide("b"))["b"]
    np.testing.assert_allclose(out, np.tile(X["b"].mean(axis=0), (20, 1)), atol=1e-9)


def test_a_regressor_keeps_its_own_seed():
    X = linear_blocks(60)
    forest = RandomForestRegressor(3, random_state=7)
    out = [
        RegressionRecovery(forest, random_state=seed).fit(X).recover(X.hide("c"))["c"]
        for seed in (0, 1)
    ]
    np.testing.assert_array_equal(*out)
    forest = RandomForestRegressor(3)
    out = [
        RegressionRecovery(forest, random_state=seed).fit(X).recover(X.hide("c"))["c"]
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(out[0], out[1])
    assert np.abs(out[0] - out[2]).max() > 1e-6


@pytest.mark.parametrize(
    "recovery", [MeanRecovery(), NeighborRecovery(), RegressionRecovery()]
)
def test_steps_that_no_row_has_stay_padding(recovery):
    rng = np.random.default_rng(0)
    series = 100 + rng.normal(size=(40, 6, 2))
    series[:, 4:] = np.nan
    X = MultimodalData({"series": series, "b": rng.normal(size=(40, 2))})
    out = recovery.fit(X).transform(X.hide({"series": np.arange(40) < 9}))["series"]
    assert np.isnan(out[:, 4:]).all()
    np.testing.assert_allclose(out[:9, :4], 100, atol=5)


def test_scores_are_the_same_in_chunks(monkeypatch):
    from skmissing.recovery import _base

    X = linear_blocks(60)
    fitted = RegressionRecovery().fit(X)
    whole = fitted.score(X)
    monkeypatch.setattr(_base, "RECOVER_ROWS", 7)
    assert fitted.score(X) == pytest.approx(whole, abs=1e-9)
