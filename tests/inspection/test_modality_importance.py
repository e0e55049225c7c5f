"""Importance of modalities where it is known."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline

from skmissing import MultimodalData
from skmissing.baselines import PatternClassifier
from skmissing.inspection import (
    AttributionDisplay,
    ImportanceDisplay,
    modality_attribution,
    modality_importance,
)
from skmissing.modalities import ModalityTransformer

from ..conftest import make_blocks


class Known(ClassifierMixin, BaseEstimator):
    """A model whose log-odds are a function of the blocks, 0 where one is missing."""

    def __init__(self, function):
        self.function = function

    def fit(self, X=None, y=None):
        self.classes_ = np.array([0, 1])
        self.is_fitted_ = True
        return self

    def predict_proba(self, X):
        blocks = {
            name: np.where(X.present[:, m], X[name].reshape(len(X)), 0.0)
            for m, name in enumerate(X.names)
        }
        p = 1 / (1 + np.exp(-self.function(blocks)))
        return np.column_stack([1 - p, p])

    def predict(self, X):
        return (self.predict_proba(X)[:, 1] > 0.5).astype(int)


def additive(blocks):
    return sum(0.3 * (i + 1) * block for i, block in enumerate(blocks.values()))


def xor(blocks):
    a, b, *_ = blocks.values()
    return 5 * a * b


def draw(n=400, m=3, seed=0):
    rng = np.random.default_rng(seed)
    X = MultimodalData({f"m{i}": rng.normal(size=n) for i in range(m)})
    return X, rng


@pytest.mark.parametrize("m", [3, 8])
def test_attributions_of_an_additive_model_are_its_terms(m):
    X, rng = draw(m=m)
    gone = rng.random((400, m)) < 0.2
    X = X.hide(gone)
    model = Known(additive).fit()
    found = modality_attribution(model, X, output="log_odds", random_state=0)
    # Whatever the order, a term adds itself.
    for i in range(m):
        expected = np.where(gone[:, i], 0.0, 0.3 * (i + 1) * X[f"m{i}"].ravel())
        np.testing.assert_allclose(found[f"m{i}"], expected, atol=1e-9)
    total = found["baseline"] + found.iloc[:, 1:-1].sum(axis=1)
    np.testing.assert_allclose(total, found["prediction"])
    np.testing.assert_allclose(found["baseline"], 0.0)


def test_attributions_of_a_product_are_shared_equally():
    X, _ = draw()
    found = modality_attribution(Known(xor).fit(), X, output="log_odds")
    half = 2.5 * (X["m0"] * X["m1"]).ravel()
    np.testing.assert_allclose(found["m0"], half)
    np.testing.assert_allclose(found["m1"], half)
    np.testing.assert_allclose(found["m2"], 0.0, atol=1e-12)


def test_drawn_orders_say_how_wrong_they_may_be():
    X, _ = draw(n=200, m=8)

    def mixed(blocks):
        a, b, c, d, *_ = blocks.values()
        return a * b + b * c + 3 * np.tanh(a * c * d)

    model = Known(mixed).fit()
    many = modality_attribution(model, X, n_repeats=400, random_state=0)
    few = modality_attribution(model, X, n_repeats=20, random_state=1)
    error = few.attrs["sampling_error"]
    names = list(few.columns[1:-1])
    off = (few[names] - many[names]).abs().mean()
    for name in names[:4]:
        assert 0.3 * error[name] < off[name] < 2 * error[name]
    # The others have nothing to share.
    assert max(error[name] for name in names[4:]) < 1e-12


def test_importance_adds_up_and_knows_an_xor():
    X, rng = draw(n=3000)
    model = Known(xor).fit()
    y = (rng.random(3000) < model.predict_proba(X)[:, 1]).astype(int)
    table = modality_importance(
        model, X, y, scoring="neg_log_loss", n_bootstraps=50, random_state=0
    ).set_index("modality")
    score = table.attrs["score"]
    # Without any modality the model says one half.
    assert table["value"].sum() == pytest.approx(score + np.log(2))
    share = (score + np.log(2)) / 2
    assert table.loc["m0", "value"] == pytest.approx(share)
    assert table.loc["m1", "value"] == pytest.approx(share)
    assert table.loc["m2", "value"] == pytest.approx(0.0, abs=1e-12)
    # Of an XOR, each alone takes all of it away.
    one = modality_importance(
        model, X, y, method="leave_one_out", scoring="neg_log_loss", n_bootstraps=0
    ).set_index("modality")
    assert one.loc["m0", "value"] == pytest.approx(score + np.log(2))
    assert one.loc["m2", "value"] == 0.0


@pytest.mark.parametrize("seed", range(2))
def test_intervals_hold_the_value_of_the_population(seed):
    big, rng = draw(n=20_000, seed=99)
    model = Known(additive).fit()

    def label(X, rng):
        return (rng.random(len(X)) < model.predict_proba(X)[:, 1]).astype(int)

    options = {"scoring": "neg_log_loss", "random_state": 0}
    true = modality_importance(model, big, label(big, rng), n_bootstraps=0, **options)
    X, rng = draw(n=500, seed=seed)
    found = modality_importance(model, X, label(X, rng), n_bootstraps=100, **options)
    error = found["std_error"]
    assert ((found["value"] - true["value"]).abs() < 3 * error).all()
    assert (found["low"] < found["value"]).all()
    # About as wide as the deviation over samples of this size.
    repeats = []
    for k in range(20):
        X, rng = draw(n=500, seed=1000 * seed + k)
        repeats.append(
            modality_importance(model, X, label(X, rng), n_bootstraps=0, **options)
        )
    spread = np.std([r["value"] for r in repeats], axis=0)
    np.testing.assert_allclose(error / spread, 1.0, atol=0.5)


def test_permuted_blocks_are_those_that_are_there():
    X, rng = draw(n=600)
    gone = np.zeros((600, 3), dtype=bool)
    gone[:300, 1] = True
    X = X.hide(gone)
    model = Known(additive).fit()
    y = model.predict(X)
    table = modality_importance(
        model, X, y, method="permutation", n_repeats=20, n_bootstraps=0, random_state=0
    ).set_index("modality")
    assert table["n_present"].tolist() == [600, 300, 600]
    assert (table["value"] > 0).all()
    assert (table["sampling_error"] < 0.02).all()
    # By hand: what the rows that have it lose.
    rows = np.flatnonzero(~gone[:, 1])
    loss = []
    for _ in range(20):
        block = X["m1"].copy()
        block[rows] = block[rng.permutation(rows)]
        other = MultimodalData({**X.blocks, "m1": block}, present=X.present)
        loss.append((model.predict(other) != y).mean())
    assert table.loc["m1", "value"] == pytest.approx(np.mean(loss), abs=0.02)


@pytest.mark.parametrize("method", ["shapley", "permutation", "leave_one_out"])
def test_frames_arrays_and_containers_agree(method):
    X, y = make_blocks(n=80)
    frame = X.to_frame()
    columns = {"m0": [0, 1, 2], "m1": [3, 4, 5, 6]}
    tables = []
    for data, params in (
        (X, {}),
        (frame, {}),
        (frame.to_numpy(), {"modalities": columns}),
    ):
        model = PatternClassifier(**params).fit(data, y)
        tables.append(
            modality_importance(
                model, data, y, method=method, n_bootstraps=20, random_state=0
            )
        )
    for other in tables[1:]:
        pd.testing.assert_frame_equal(tables[0], other)


MODALITIES = {"m0": ["m0__0", "m0__1", "m0__2"], "m1": ["m1__0", "m1__1"]}


def test_flat_models_and_covariates():
    X, y = make_blocks(n=120)
    frame = X.to_frame().assign(age=np.arange(120.0))
    flat = HistGradientBoostingClassifier(max_iter=5).fit(frame, y)
    table = modality_importance(
        flat, frame, y, modalities=MODALITIES, n_bootstraps=0, scoring="accuracy"
    )
    assert table["modality"].tolist() == ["m0", "m1"]


def test_weights_and_groups_count():
    X, rng = draw(n=300)
    model = Known(additive).fit()
    y = (rng.random(300) < model.predict_proba(X)[:, 1]).astype(int)
    twice = np.arange(300) % 2 == 0
    index = np.concatenate([np.arange(300), np.flatnonzero(twice)])
    options = {"scoring": "neg_log_loss", "n_bootstraps": 0}
    a = modality_importance(model, X, y, sample_weight=1.0 + twice, **options)
    b = modality_importance(model, X[index], y[index], **options)
    np.testing.assert_allclose(a["value"], b["value"])
    # Rows that are all the same within a group are as many as there are groups.
    many = np.repeat(np.arange(300), 4)
    options["n_bootstraps"] = 40
    alone = modality_importance(model, X, y, random_state=0, **options)
    grouped = modality_importance(
        model, X[many], y[many], groups=many, random_state=0, **options
    )
    naive = modality_importance(model, X[many], y[many], random_state=0, **options)
    np.testing.assert_allclose(grouped["std_error"], alone["std_error"])
    np.testing.assert_allclose(naive["std_error"], alone["std_error"] / 2, rtol=0.4)


def test_differences_are_paired():
    X, rng = draw(n=300)
    model = Known(lambda b: 2 * (b["m0"] + b["m1"])).fit()
    y = (rng.random(300) < model.predict_proba(X)[:, 1]).astype(int)
    table = modality_importance(
        model, X, y, scoring="neg_log_loss", n_bootstraps=50, random_state=0
    )
    draws = np.array(table.attrs["resamples"])
    assert draws.shape == (50, 3)
    np.testing.assert_allclose(draws.std(axis=0, ddof=1), table["std_error"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "sage"}, "method='sage'"),
        ({"n_repeats": 0}, "n_repeats=0"),
        ({"n_bootstraps": 1}, "n_bootstraps=1"),
        ({"confidence_level": 1.0}, "confidence_level=1.0"),
        ({"groups": [1, 2]}, "groups"),
        ({"scoring": "f1"}, "scoring='f1'"),
    ],
)
def test_what_importance_refuses(options, message):
    X, y = make_blocks(n=30)
    model = PatternClassifier().fit(X, y)
    with pytest.raises(ValueError, match=message):
        modality_importance(model, X, y, **options)


def test_what_attribution_refuses():
    X, y = make_blocks(n=30)
    model = PatternClassifier().fit(X, y)
    with pytest.raises(ValueError, match="target=7"):
        modality_attribution(model, X, target=7)
    with pytest.raises(ValueError, match="output='bits'"):
        modality_attribution(model, X, output="bits")
    one = modality_attribution(model, X, target=1)
    np.testing.assert_allclose(one["prediction"], model.predict_proba(X)[:, 1])
    best = modality_attribution(model, X)
    np.testing.assert_allclose(best["prediction"], model.predict_proba(X).max(axis=1))


def test_displays_draw_what_the_tables_say():
    X, _ = draw(n=200)
    model = Known(additive).fit()
    y = model.predict(X)
    tables = [
        modality_importance(model, X, y, method=m, n_bootstraps=20, random_state=0)
        for m in ("shapley", "leave_one_out")
    ]
    display = ImportanceDisplay.from_predictions(pd.concat(tables))
    assert display.modalities_ == ["m2", "m1", "m0"]
    drawn = display.points_["shapley"].get_offsets()[:, 0]
    np.testing.assert_allclose(drawn, tables[0]["value"])
    assert set(display.intervals_) == {"shapley", "leave_one_out"}
    rows = modality_attribution(model, X, output="log_odds")
    steps = AttributionDisplay.from_predictions(rows, row=5)
    last = steps.bars_[-1]
    assert last.get_x() + last.get_width() == pytest.approx(rows["prediction"][5])
    # No end of a bar is hidden by the frame.
    ends = [[bar.get_x(), bar.get_x() + bar.get_width()] for bar in steps.bars_]
    low, high = steps.ax_.get_xlim()
    assert low + 0.01 < np.min(ends) < np.max(ends) < high - 0.01
    with pytest.raises(ValueError, match="row=200"):
        AttributionDisplay.from_predictions(rows, row=200)


def test_a_pipeline_knows_its_modalities():
    X, y = make_blocks(n=60, shaped=False, n_modalities=2)
    frame = X.to_frame().rename(columns=lambda c: c.replace("__", ""))
    columns = {name: [c for c in frame if c.startswith(name)] for name in X.names}
    pipe = make_pipeline(ModalityTransformer(modalities=columns), PatternClassifier())
    pipe.fit(frame, y)
    table = modality_importance(pipe, frame, y, n_bootstraps=0, scoring="accuracy")
    assert table.modality.tolist() == X.names
    assert [*modality_attribution(pipe, frame).columns[1:-1]] == X.names
    forest = HistGradientBoostingClassifier(max_iter=2).fit(frame, y)
    for function in (modality_importance, modality_attribution):
        with pytest.raises(ValueError, match=r"modality 'x' in modality_.*pass mod"):
            function(forest, frame, *([y] if function is modality_importance else []))
