"""Propensities of many rows: the same numbers, without the table in memory."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest

from skmissing import MultimodalData, PropensityWeighter
from skmissing._estimation import _chunked_logistic, _tuned_logistic
from skmissing.exceptions import MissingCovariateWarning
from skmissing.ipw import _chunked_table

N = 3000


def frame_of(n, seed):
    """Numbers in several units, heavy tails, gaps, dates, categories, a constant."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "tiny": 1e-200 * rng.normal(size=n),
            "huge": 1e160 * rng.normal(1.0, 1.0, size=n),
            "heavy": rng.standard_cauchy(n),
            "gaps": np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n)),
            "day": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(rng.integers(999, size=n), unit="D"),
            "site": pd.Categorical(rng.choice(["a", "b"], size=n)),
            "ward": rng.choice(["u", "v"], size=n),
            "constant": 3.1,
        }
    )
    score = 0.8e200 * frame["tiny"] + np.tanh(frame["heavy"]) + (frame["site"] == "a")
    frame["x"] = np.where(rng.random(n) < 1 / (1 + np.exp(-score)), 1.0, np.nan)
    return frame


@pytest.fixture
def chunked(monkeypatch):
    """Switches chunks on, of few rows."""

    def switch():
        monkeypatch.setattr(_chunked_table, "CHUNK_ROWS", 700)
        monkeypatch.setattr(_chunked_table, "MANY_VALUES", 0)

    return switch


@pytest.mark.parametrize("cv", [None, 3])
@pytest.mark.parametrize("seed", [0, 1])
def test_as_in_memory(chunked, seed, cv):
    frame, new = frame_of(N, seed), frame_of(1000, seed + 10)
    weight = np.random.default_rng(seed).integers(3, size=N).astype(float)
    kept = weight > 0
    options = {"modalities": {"x": ["x"]}, "random_state": seed, "cv": cv}
    plain = PropensityWeighter(**options).fit(frame, sample_weight=weight)
    expected = [plain.predict_propensity(new)]
    expected.append(plain.predict_propensity(frame, out_of_fold=True)[kept])
    chunked()
    weighter = PropensityWeighter(**options).fit(frame, sample_weight=weight)
    assert weighter.covariate_names_ == plain.covariate_names_
    assert weighter.models_[0].alpha_ == plain.models_[0].alpha_
    np.testing.assert_allclose(
        weighter.propensity_[kept], plain.propensity_[kept], rtol=0, atol=1e-6
    )
    found = [weighter.predict_propensity(new)]
    found.append(weighter.predict_propensity(frame, out_of_fold=True)[kept])
    for a, b in zip(found, expected):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)


def test_newton_moves_the_first_coefficients_to_the_minimum(chunked, monkeypatch):
    frame = frame_of(N, 0)
    plain = PropensityWeighter(modalities={"x": ["x"]}, random_state=0).fit(frame)
    chunked()
    # Of so few rows the first coefficients are far away.
    monkeypatch.setattr(_chunked_logistic, "START_ROWS", 150)
    options = {"modalities": {"x": ["x"]}, "random_state": 0}
    passes = []
    monkeypatch.setattr(
        _chunked_table.ChunkedTable, "chunks",
        counting(_chunked_table.ChunkedTable.chunks, passes),
    )  # fmt: skip
    weighter = PropensityWeighter(**options).fit(frame)
    # The penalty was chosen on these few rows, too.
    model, reference = weighter.models_[0], plain.models_[0]
    reference.alpha = model.alpha_
    table = plain.frozen(frame).design
    observed = frame["x"].notna().to_numpy()
    reference.fit(table, observed)
    expected = reference.predict_proba(table)[:, 1]
    np.testing.assert_allclose(weighter.propensity_[:, 0], expected, rtol=0, atol=1e-6)
    # One more pass reads the propensities.
    assert 3 <= len(passes) <= 8


def counting(method, calls):
    """A method that notes each of its calls."""

    def counted(self):
        calls.append(1)
        return method(self)

    return counted


def test_both_classes_are_drawn_where_one_is_rare(chunked, monkeypatch):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"c": rng.normal(size=N), "x": np.nan})
    frame.loc[[5, 2000], "x"] = 1.0
    chunked()
    monkeypatch.setattr(_chunked_logistic, "START_ROWS", 2500)
    with pytest.warns(UserWarning, match="overlap"):
        weighter = PropensityWeighter(modalities={"x": ["x"]}, random_state=0).fit(
            frame
        )
    assert weighter.propensity_.mean() == pytest.approx(2 / N, rel=1e-3)


def test_columns_of_mixed_objects_stay_in_memory(chunked):
    frame = frame_of(N, 0)
    frame["mixed"] = np.array([1] * (N - 1500) + ["a"] * 1500, dtype=object)
    plain = PropensityWeighter(modalities={"x": ["x"]}, random_state=0).fit(frame)
    chunked()
    weighter = PropensityWeighter(modalities={"x": ["x"]}, random_state=0).fit(frame)
    np.testing.assert_array_equal(weighter.propensity_, plain.propensity_)


def test_gaps_at_prediction_warn_once_with_their_number(chunked):
    frame, new = frame_of(N, 0), frame_of(2000, 1)
    new.loc[::4, "tiny"] = np.nan
    chunked()
    weighter = PropensityWeighter(modalities={"x": ["x"]}, random_state=0).fit(frame)
    with pytest.warns(MissingCovariateWarning, match=r"'tiny' \(500\)") as record:
        weighter.predict_propensity(new)
    assert len(record) == 1


def test_the_label_as_a_covariate(chunked):
    frame = frame_of(N, 0)
    y = np.where(np.arange(N) < 1000, "first", "then")
    options = {"modalities": {"x": ["x"]}, "random_state": 0, "use_target": True}
    plain = PropensityWeighter(**options).fit(frame, y)
    chunked()
    weighter = PropensityWeighter(**options).fit(frame, y)
    assert weighter.covariate_names_ == plain.covariate_names_
    np.testing.assert_allclose(
        weighter.propensity_, plain.propensity_, rtol=0, atol=1e-6
    )


@pytest.mark.parametrize(
    "container", [True, pytest.param(False, marks=pytest.mark.slow)]
)
def test_a_memory_map_is_not_copied(chunked, monkeypatch, tmp_path, container):
    n, shape = 10_000, (10_000, 200)
    rng = np.random.default_rng(0)
    table = np.memmap(tmp_path / "table", np.float32, mode="w+", shape=shape)
    table[:] = rng.standard_normal(shape)
    present = np.column_stack([np.ones(n, bool), rng.random(n) < 0.5])
    table[~present[:, 1], -1] = np.nan
    table = np.memmap(tmp_path / "table", np.float32, mode="r", shape=shape)
    X, options = table, {"modalities": {"x": [199]}}
    if container:
        blocks = {"c": table[:, :199], "x": np.zeros((n, 1), np.uint8)}
        X, options = MultimodalData(blocks, present), {"required": ["x"]}
    chunked()
    monkeypatch.setattr(_chunked_table, "MAX_ROWS", 500)
    monkeypatch.setattr(_chunked_logistic, "START_ROWS", 800)
    monkeypatch.setattr(_tuned_logistic, "PROPENSITY_ALPHAS", (1e-2,))
    tracemalloc.start()
    weighter = PropensityWeighter(random_state=0, **options).fit(X)
    weighter.predict_propensity(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # One copy alone would be as large.
    assert peak < table.nbytes
