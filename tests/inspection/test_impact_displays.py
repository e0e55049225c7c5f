"""ImpactDisplay and PlausibleLabelsDisplay draw the figures of their tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmissing import PRIMOClassifier
from skmissing.baselines import FusionClassifier
from skmissing.datasets import make_xor
from skmissing.inspection import ImpactDisplay, PlausibleLabelsDisplay

from ..conftest import legend_of

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(scope="module")
def fitted():
    X, y = make_xor(200, return_X_y=True, random_state=0)
    clf = PRIMOClassifier(max_epochs=2, n_draws=20, random_state=0, n_threads=1)
    return clf.fit(X, y), X[:40].hide({"x_m": np.arange(40) < 10}), y[:40]


def test_lines_are_shares_of_rows(fitted):
    clf, X, _ = fitted
    table = clf.predictive_impact(X)
    display = ImpactDisplay.from_predictions(table)
    assert legend_of(display) == [
        "x_o hidden", "x_o present", "x_m hidden", "x_m present",
    ]  # fmt: skip
    part = table[table.modality == "x_m"]
    hidden, there = display.lines_["x_m"]
    for line, v in ((hidden, part.v_missing), (there, part.v_complete.dropna())):
        at, share = line.get_data()
        assert line.get_drawstyle() == "steps-post"
        assert share[0] == 0
        assert share[-1] == share[-2] == 1
        for value in (0.0, v.median(), v.max()):
            # What the step line shows at a value is the share up to it.
            shown = share[np.searchsorted(at, value, side="right") - 1]
            assert shown == pytest.approx((v <= value).mean())
    assert len(there.get_xdata()) == 30 + 2
    assert display.ax_.get_xlim()[1] >= part.v_missing.max()
    # Rows in which only x_m is present have no V without it.
    assert not np.isnan(hidden.get_xdata()).any()


def test_nothing_there_is_left_out(fitted):
    clf, X, _ = fitted
    display = ImpactDisplay.from_estimator(clf, X[:10], modality="x_m", n_draws=5)
    assert len(display.lines_["x_m"]) == 1
    assert legend_of(display) == ["x_m hidden"]


def test_points_and_means_against_numbers(fitted):
    clf, X, _ = fitted
    age = pd.Series(np.arange(40)[::-1] / 2, name="age")
    table = clf.predictive_impact(X, modality="x_m")
    display = ImpactDisplay.from_predictions(table, covariate=age)
    at = display.points_["x_m"].get_offsets()
    # Rows without x_m have no gap.
    assert_allclose(at[:, 0], age[10:])
    assert_allclose(at[:, 1], table.gap[10:])
    means = display.lines_["x_m"][0]
    assert len(means.get_xdata()) == 10
    assert_allclose(means.get_ydata()[0], table.gap[-3:].mean())
    assert_allclose(means.get_xdata()[0], age[-3:].mean())
    assert display.ax_.get_xlabel() == "age"
    assert display.ax_.get_legend() is None
    everyone = ImpactDisplay.from_predictions(
        table, covariate=age, quantity="v_relative", covariate_name="years"
    )
    assert len(everyone.points_["x_m"].get_offsets()) == 40
    assert everyone.ax_.get_xlabel() == "years"
    assert "share of its bound" in everyone.ax_.get_ylabel()


def test_points_against_names(fitted):
    clf, X, _ = fitted
    site = np.array(["north", "east"])[np.arange(40) % 2]
    table = clf.predictive_impact(X, modality="x_m")
    display = ImpactDisplay.from_predictions(table, covariate=site)
    labels = [t.get_text() for t in display.ax_.get_xticklabels()]
    assert labels == ["east", "north"]
    at = display.points_["x_m"].get_offsets()
    place = np.where(site[10:] == "east", 0, 1)
    assert (np.abs(at[:, 0] - place) < 0.5).all()
    (means,) = display.lines_["x_m"]
    gap = table.gap.to_numpy()[10:]
    expected = [gap[place == k].mean() for k in (0, 1)]
    assert_allclose(means.get_ydata(), expected)
    assert means.get_linestyle() == "None"


def test_equal_values_have_one_mean(fitted):
    clf, X, _ = fitted
    table = clf.predictive_impact(X, modality="x_m")
    sex = np.arange(40) % 2
    for covariate in (sex, sex.astype(float), sex == 1, pd.array(sex, dtype="Int8")):
        display = ImpactDisplay.from_predictions(table, covariate=covariate)
        (means,) = display.lines_["x_m"]
        assert_allclose(means.get_xdata(), [0, 1])
        expected = [table.gap[10:][sex[10:] == k].mean() for k in (0, 1)]
        assert_allclose(means.get_ydata(), expected)
    # Many values, some of them often: the order of rows does not matter.
    doses = np.repeat(np.arange(13), [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 28])
    lines = []
    for order in (np.arange(40), np.random.default_rng(0).permutation(40)):
        display = ImpactDisplay.from_predictions(
            table.iloc[order], covariate=doses, quantity="v_missing"
        )
        lines.append(display.lines_["x_m"][0].get_xydata())
    assert_allclose(*lines)


def test_categories_keep_their_order(fitted):
    clf, X, _ = fitted
    table = clf.predictive_impact(X, modality="x_m")
    levels = ["low", "medium", "high"]
    dose = pd.Categorical(np.resize(levels, 40), categories=levels, ordered=True)
    number = pd.Series(np.arange(40) % 12)
    for covariate, expected in (
        (dose, levels),
        (pd.Series(dose, name="dose"), levels),
        (number > 5, ["False", "True"]),
        ((number > 5).astype("boolean").where(number > 1), ["False", "True"]),
        (np.array(["b", None, "a", "b"] * 10, dtype=object), ["a", "b"]),
    ):
        display = ImpactDisplay.from_predictions(
            table, covariate=covariate, quantity="v_missing"
        )
        labels = [t.get_text() for t in display.ax_.get_xticklabels()]
        assert labels == expected
        n_known = 40 - int(pd.isna(pd.Series(covariate)).sum())
        assert len(display.points_["x_m"].get_offsets()) == n_known


def test_a_row_without_a_covariate_has_no_point(fitted):
    clf, X, _ = fitted
    age = np.arange(40.0)
    age[[20, 30]] = np.nan
    display = ImpactDisplay.from_estimator(clf, X, modality="x_m", covariate=age)
    assert len(display.points_["x_m"].get_offsets()) == 28


@pytest.mark.parametrize(("change", "match"), [
    ({"quantity": "mean"}, "Got quantity='mean', expected one of"),
    ({"covariate": np.arange(39)}, r"shape \(39,\), expected a value for each of 40"),
    ({"covariate": np.arange(80).reshape(40, 2)}, r"Got a covariate of shape \(40, 2"),
])  # fmt: skip
def test_impact_refuses(fitted, change, match):
    clf, X, _ = fitted
    before = plt.get_fignums()
    with pytest.raises(ValueError, match=match):
        ImpactDisplay.from_estimator(clf, X, **change)
    assert plt.get_fignums() == before


def test_impact_refuses_other_tables_and_estimators(fitted):
    clf, X, _ = fitted
    table = clf.predictive_impact(X)
    with pytest.raises(TypeError, match="expected the DataFrame of predictive_impact"):
        ImpactDisplay.from_predictions(table.to_numpy())
    with pytest.raises(ValueError, match="expected 'v_missing' among them"):
        ImpactDisplay.from_predictions(table.drop(columns="v_missing"))
    with pytest.raises(ValueError, match="without any value of gap"):
        ImpactDisplay.from_predictions(table[:10].assign(gap=np.nan), covariate=[0])
    with pytest.raises(TypeError, match="Got a FusionClassifier, expected"):
        ImpactDisplay.from_estimator(FusionClassifier(), X)
    days = pd.date_range("2020-01-01", periods=40)
    with pytest.raises(ValueError, match="Got a covariate of type datetime64"):
        ImpactDisplay.from_predictions(table, covariate=days)
    with pytest.raises(ValueError, match="Got a column 'row' of type float64"):
        ImpactDisplay.from_predictions(table.astype({"row": float}), covariate=days)


def test_bars_are_the_weights(fitted):
    clf, X, y = fitted
    table = clf.plausible_labels(X[:6], method="argmax")
    display = PlausibleLabelsDisplay.from_estimator(
        clf, X[:6], method="argmax", truth=y, names=list("abcdef")
    )
    assert [t.get_text() for t in display.ax_.get_yticklabels()] == list("abcdef")
    total = np.zeros(6)
    for label, bars in display.bars_.items():
        rows = table[table.label == label].sort_values("row")
        assert_allclose([b.get_width() for b in bars], rows.weight)
        at = [round(b.get_y() + b.get_height() / 2) for b in bars]
        assert_array_equal(at, rows.row)
        # Parts of a bar follow one another.
        assert_allclose([b.get_x() for b in bars], total[at], atol=1e-12)
        total[at] += rows.weight
        framed = [b.get_linewidth() == 2 for b in bars]
        assert_array_equal(framed, y[at] == label)
    assert_allclose(total, 1)
    bottom, top = display.ax_.get_ylim()
    assert top < bottom


def test_bars_of_some_rows_keep_names_and_truth():
    table = pd.DataFrame({
        "row": [2, 2, 0], "label": ["b", "a", "b"], "weight": [0.98, 0.02, 1.0],
    })  # fmt: skip
    display = PlausibleLabelsDisplay.from_predictions(
        table, labels=["a", "b", "c"], names=["x", "y", "z"], truth=["b", "b", "a"]
    )
    assert [t.get_text() for t in display.ax_.get_yticklabels()] == ["z", "x"]
    assert list(display.bars_) == ["a", "b"]
    assert display.bars_["a"][0].get_linewidth() == 2
    # No room for the label of a part of 2%.
    assert [t.get_text() for t in display.ax_.texts] == ["b", "b"]


def test_bars_refuse(fitted):
    clf, X, y = fitted
    table = clf.plausible_labels(X[:3], method="argmax")
    make = PlausibleLabelsDisplay.from_predictions
    with pytest.raises(TypeError, match="expected the DataFrame of plausible_labels"):
        make(table.to_numpy())
    with pytest.raises(ValueError, match="expected 'weight' among them"):
        make(table.drop(columns="weight"))
    with pytest.raises(ValueError, match="without rows"):
        make(table[:0])
    with pytest.raises(
        ValueError, match=r"Got the label .* in the table, expected one"
    ):
        make(table, labels=["none of these"])
    with pytest.raises(ValueError, match="Got a row with a label twice"):
        make(pd.concat([table, table]))
    with pytest.raises(
        ValueError, match="Got names of length 2, expected one for each of 3"
    ):
        make(table, names=["a", "b"])
    with pytest.raises(
        ValueError, match="Got truth of length 1, expected one for each of 3"
    ):
        make(table, truth=y[:1])
    with pytest.raises(TypeError, match="Got a FusionClassifier, expected"):
        PlausibleLabelsDisplay.from_estimator(FusionClassifier(), X)


def test_own_axes(fitted):
    clf, X, _ = fitted
    _, axes = plt.subplots(1, 2)
    a = ImpactDisplay.from_estimator(clf, X, modality="x_m", ax=axes[0])
    b = PlausibleLabelsDisplay.from_estimator(clf, X[:2], method="argmax", ax=axes[1])
    assert a.ax_ is axes[0]
    assert b.ax_ is axes[1]
    assert a.figure_ is b.figure_ is axes[0].figure


def test_keywords_reach_matplotlib(fitted):
    clf, X, _ = fitted
    table = clf.predictive_impact(X, modality="x_m")
    display = ImpactDisplay.from_estimator(clf, X, modality="x_m", linewidth=3)
    assert [line.get_linewidth() for line in display.lines_["x_m"]] == [3, 3]
    points = ImpactDisplay.from_predictions(table, covariate=np.arange(40), s=20)
    assert points.points_["x_m"].get_sizes().tolist() == [20]
    bars = PlausibleLabelsDisplay.from_estimator(
        clf, X[:2], method="argmax", height=0.4
    )
    heights = {bar.get_height() for parts in bars.bars_.values() for bar in parts}
    assert {round(h, 6) for h in heights} == {0.4}
    again = PlausibleLabelsDisplay(bars.table).plot(alpha=0.1)
    assert_allclose(again.weights_.sum(axis=1), 1)
