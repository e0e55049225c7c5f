"""PatternScoreDisplay: dots and curves are the figures of the tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from skmissing import MultimodalData
from skmissing.baselines import PatternClassifier
from skmissing.inspection import PatternScoreDisplay
from skmissing.metrics import score_by_pattern, score_by_rate

from ..conftest import labels_of, legend_of

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=300)
    X = MultimodalData({
        "image": 2 * y[:, None] + rng.normal(size=(300, 2)),
        "speech": y[:, None] + rng.normal(size=(300, 2)),
    })  # fmt: skip
    models = {
        "all rows": PatternClassifier().fit(X[:150], y[:150]),
        "few rows": PatternClassifier().fit(X[:20], y[:20]),
    }
    return models, X[150:], y[150:]


def test_dots_are_the_scores_of_the_table(fitted):
    models, X, y = fitted
    table = score_by_pattern(models, X, y)
    display = PatternScoreDisplay.from_predictions(table)
    assert labels_of(display) == ["image + speech", "image", "speech"]
    assert legend_of(display) == display.estimators_ == ["all rows", "few rows"]
    for name, points in display.points_.items():
        expected = table[table.estimator == name].value
        at = points.get_offsets()
        assert_allclose(at[:, 0], expected)
        # Each pattern has a stripe, from the top.
        assert (np.abs(at[:, 1] - [0, 1, 2]) < 0.5).all()
    first, second = (p.get_offsets()[:, 1] for p in display.points_.values())
    assert (first < second).all()
    assert display.ax_.get_xlabel() == "Score"
    bottom, top = display.ax_.get_ylim()
    assert top < bottom
    assert not display.bands_
    assert not display.lines_
    assert display.figure_ is display.ax_.figure


def test_from_estimator_scores_first(fitted):
    models, X, y = fitted
    options = {"scoring": ["accuracy", "neg_log_loss"], "patterns": ["speech"]}
    table = score_by_pattern(models, X, y, **options)
    for metric, label in ((None, "Accuracy"), ("neg_log_loss", "Log-likelihood")):
        display = PatternScoreDisplay.from_estimator(
            models, X, y, metric=metric, name="models", **options
        )
        rows = table[table.metric == (metric or "accuracy")]
        assert_allclose(display.scores_[:, :, 0], [rows.value])
        assert display.ax_.get_xlabel() == label
        assert display.ax_.get_legend().get_title().get_text() == "models"
    single = PatternScoreDisplay.from_estimator(models["all rows"], X, y)
    assert single.estimators_ == ["PatternClassifier"]


def test_numbers_of_rows_are_shown_where_they_differ(fitted):
    models, X, y = fitted
    X = X.hide({"speech": np.arange(150) < 50})
    display = PatternScoreDisplay.from_estimator(models, X, y)
    assert labels_of(display) == [
        "image + speech\n100 rows",
        "image\n150 rows",
        "speech\n100 rows",
    ]


def test_curves_are_means_with_a_band(fitted):
    models, X, y = fitted
    options = {"rates": [0.8, 0.0, 0.4], "n_repeats": 4, "random_state": 0}
    table = score_by_rate(models, X, y, **options)
    display = PatternScoreDisplay.from_estimator(models, X, y, kind="rate", **options)
    assert display.scores_.shape == (3, 2, 4)
    assert display.ax_.get_xlabel() == "Probability that a block is hidden"
    assert legend_of(display) == ["all rows", "few rows"]
    for name, line in display.lines_.items():
        by_rate = table[table.estimator == name].groupby("rate").value
        assert_allclose(line.get_xdata(), [0.0, 0.4, 0.8])
        assert_allclose(line.get_ydata(), by_rate.mean())
        corners = display.bands_[name].get_paths()[0].vertices
        for rate, mean, sd in zip([0, 0.4, 0.8], by_rate.mean(), by_rate.std()):
            ends = corners[corners[:, 0] == rate, 1]
            assert_allclose([ends.min(), ends.max()], [mean - sd, mean + sd])
    assert not display.points_


def test_one_repeat_has_no_band(fitted):
    models, X, y = fitted
    display = PatternScoreDisplay.from_estimator(
        models, X, y, kind="rate", n_repeats=1, random_state=0
    )
    assert not display.bands_
    assert len(display.lines_) == 2


def test_tables_of_several_seeds_are_repeats(fitted):
    models, X, y = fitted
    halves = [score_by_pattern(models, X[s], y[s]) for s in np.split(np.arange(150), 3)]
    display = PatternScoreDisplay.from_predictions(pd.concat(halves))
    scores = np.stack([h.value.to_numpy().reshape(3, 2) for h in halves], axis=-1)
    assert_allclose(display.scores_, scores)
    for j, name in enumerate(models):
        at = display.points_[name].get_offsets()[:, 0]
        assert_allclose(at, scores[:, j].mean(axis=1))
        ends = np.array([s[:, 0] for s in display.bands_[name].get_segments()])
        sd = scores[:, j].std(axis=1, ddof=1)
        assert_allclose(ends, np.column_stack([at - sd, at + sd]))


def test_estimators_and_patterns_that_lack_scores(fitted):
    models, X, y = fitted
    table = score_by_pattern(models, X, y)
    table.loc[table.pattern == "image", "value"] = np.nan
    table = table.drop(index=table.index[-1])
    display = PatternScoreDisplay.from_predictions(table)
    assert np.isnan(display.scores_[:, :, 0]).tolist() == [
        [False, False],
        [True, True],
        [False, True],
    ]
    assert labels_of(display) == ["image + speech", "image", "speech"]


def test_many_estimators_look_different():
    names = [f"model {i}" for i in range(16)]
    table = pd.DataFrame({
        "estimator": names, "pattern": "a", "n_rows": 5, "metric": "accuracy",
        "value": np.linspace(0, 1, 16),
    })  # fmt: skip
    display = PatternScoreDisplay.from_predictions(table)
    looks = {
        (tuple(p.get_facecolor()[0]), p.get_paths()[0].vertices.tobytes())
        for p in display.points_.values()
    }
    assert len(looks) == 16


def test_axes_of_ones_own_and_drawing_again(fitted):
    models, X, y = fitted
    _, ax = plt.subplots()
    display = PatternScoreDisplay.from_estimator(models, X, y, ax=ax)
    assert display.ax_ is ax
    again = display.plot(name="twice")
    assert again is display
    assert display.ax_ is not ax
    assert display.ax_.get_legend().get_title().get_text() == "twice"


def test_errors(fitted):
    models, X, y = fitted
    table = score_by_pattern(models, X, y)
    with pytest.raises(ValueError, match="Got kind='curve', expected one of"):
        PatternScoreDisplay.from_estimator(models, X, y, kind="curve")
    with pytest.raises(TypeError, match="Got a list, expected the DataFrame"):
        PatternScoreDisplay.from_predictions([1])
    with pytest.raises(ValueError, match="expected 'value' among"):
        PatternScoreDisplay.from_predictions(table.drop(columns="value"))
    with pytest.raises(ValueError, match="expected 'pattern' among"):
        PatternScoreDisplay.from_predictions(table.drop(columns="pattern"))
    with pytest.raises(ValueError, match="Got a table without rows"):
        PatternScoreDisplay.from_predictions(table[:0])
    with pytest.raises(ValueError, match=r"Got metric='auc', expected one of \['sco"):
        PatternScoreDisplay.from_predictions(table, "auc")
    with pytest.raises(
        ValueError, match="Got rates with kind='pattern', expected None"
    ):
        PatternScoreDisplay.from_estimator(models, X, y, rates=[0.5])
    with pytest.raises(
        ValueError, match="Got patterns with kind='rate', expected None"
    ):
        PatternScoreDisplay.from_estimator(
            models, X, y, kind="rate", patterns=["image"]
        )


def test_keywords_reach_matplotlib(fitted):
    models, X, y = fitted
    table = score_by_pattern(models, X, y)
    display = PatternScoreDisplay.from_estimator(models, X, y, alpha=0.5, marker="x")
    assert {points.get_alpha() for points in display.points_.values()} == {0.5}
    again = PatternScoreDisplay(table).plot(s=9)
    assert {points.get_sizes()[0] for points in again.points_.values()} == {9}
    assert_allclose(again.scores_, display.scores_)
    curves = PatternScoreDisplay.from_estimator(
        models, X, y, kind="rate", n_repeats=1, random_state=0, linestyle=":"
    )
    assert {line.get_linestyle() for line in curves.lines_.values()} == {":"}
