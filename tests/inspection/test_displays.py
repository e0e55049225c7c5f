"""Displays: what they store, what they draw, and what they refuse."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from skmissing import IPWMultimodalClassifier, MultimodalData, PropensityWeighter
from skmissing.datasets import load_heart, make_bitwise
from skmissing.exceptions import OverlapWarning
from skmissing.inspection import (
    BalanceDisplay,
    PropensityDisplay,
    SensitivityDisplay,
    UtilityDisplay,
)
from skmissing.ipw import modality_utility, sensitivity_bounds

from ..conftest import legend_of

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(scope="module")
def heart():
    bunch = load_heart(as_frame=True)
    weighter = PropensityWeighter(
        modalities=bunch.modalities,
        covariates=["site", "history"],
        required=[["imaging"], ["exercise", "resting"]],
        random_state=0,
    )
    return weighter.fit(bunch.data), bunch.data


@pytest.fixture(scope="module")
def bits():
    X, y = make_bitwise(1500, mechanism="mar", return_X_y=True, random_state=0)
    return X, y, PropensityWeighter(random_state=0).fit(X)


@pytest.fixture(scope="module")
def utilities(bits):
    X, y, _ = bits
    return modality_utility(
        LogisticRegression(),
        X,
        y,
        propensity=PropensityWeighter(random_state=0),
        scoring=["roc_auc", "accuracy", "neg_log_loss"],
        n_bootstraps=8,
        random_state=0,
    )


def heights(bars):
    return np.array([bar.get_height() for bar in bars])


def rows_on_axis(display):
    return [label.get_text() for label in display.ax_.get_yticklabels()]


# -- propensities --------------------------------------------------------------------

OBSERVED = np.array([True, True, True, False, False])
PROPENSITY = np.array([0.9, 1.0, 0.3, 0.04, 0.3])


def test_overlap_is_shares_of_each_group_in_common_bins():
    display = PropensityDisplay.from_predictions(OBSERVED, PROPENSITY, n_bins=4)
    assert_array_equal(display.propensity, PROPENSITY)
    assert_array_equal(display.observed, OBSERVED)
    # The propensity of 1 belongs to the last bin.
    assert_allclose(heights(display.bars_observed_), [0, 1 / 3, 0, 2 / 3])
    assert_allclose(heights(display.bars_missing_), [-0.5, -0.5, 0, 0])
    assert_allclose(
        [bar.get_x() for bar in display.bars_missing_], [0, 0.25, 0.5, 0.75]
    )
    assert_allclose([bar.get_width() for bar in display.bars_observed_], 0.25)
    region = display.low_region_
    assert_allclose([region.get_x(), region.get_width()], [0, 0.05])
    assert legend_of(display) == [
        "below 0.05 (20.0% of rows)",
        "observed (3 rows)",
        "missing (2 rows)",
    ]
    assert display.errorbar_ is None
    assert display.diagonal_ is None
    assert display.figure_ is display.ax_.figure


def test_overlap_with_weights_is_that_of_repeated_rows():
    weight = np.array([2, 1, 0, 1, 3])
    weighted = PropensityDisplay.from_predictions(
        OBSERVED, PROPENSITY, sample_weight=weight
    )
    repeated = PropensityDisplay.from_predictions(
        np.repeat(OBSERVED, weight), np.repeat(PROPENSITY, weight)
    )
    for name in ("bars_observed_", "bars_missing_"):
        one, other = getattr(weighted, name), getattr(repeated, name)
        assert_allclose(heights(one), heights(other))
    # The legend counts rows, of which one has no weight.
    assert "observed (2 rows)" in legend_of(weighted)


@pytest.mark.parametrize("everything", [True, False])
def test_overlap_of_one_group_alone(everything):
    display = PropensityDisplay.from_predictions(np.full(5, everything), PROPENSITY)
    bars = [display.bars_missing_, display.bars_observed_]
    assert np.abs(heights(bars[everything])).sum() == pytest.approx(1)
    assert_array_equal(heights(bars[not everything]), 0)


def test_calibration_by_hand():
    propensity = np.repeat([0.2, 0.8], 10)
    observed = np.r_[np.arange(10) < 3, np.arange(10) < 8]
    display = PropensityDisplay.from_predictions(
        observed, propensity, kind="calibration", n_bins=2, name="mine"
    )
    line, _caps, (bars,) = display.errorbar_.lines
    assert_allclose(line.get_xdata(), [0.2, 0.8])
    assert_allclose(line.get_ydata(), [0.3, 0.8])
    error = np.sqrt([0.3 * 0.7 / 10, 0.8 * 0.2 / 10])
    ends = np.array([segment[:, 1] for segment in bars.get_segments()])
    assert_allclose(ends, np.c_[[0.3, 0.8] - error, np.add([0.3, 0.8], error)])
    assert_array_equal(display.diagonal_.get_xydata(), [[0, 0], [1, 1]])
    assert display.bars_observed_ is None
    assert display.low_region_ is None
    assert legend_of(display) == ["perfectly calibrated", "mine"]


@pytest.mark.parametrize(
    ("required", "column"), [("imaging", 0), (["imaging"], 0), ("resting+exercise", 1)]
)
def test_propensity_from_estimator_and_from_predictions_agree(heart, required, column):
    weighter, X = heart
    one = PropensityDisplay.from_estimator(weighter, X, required=required)
    assert_array_equal(one.propensity, weighter.predict_propensity(X)[:, column])
    assert_array_equal(one.observed, weighter.observed_[:, column])
    other = PropensityDisplay.from_predictions(one.observed, one.propensity)
    assert_array_equal(heights(one.bars_observed_), heights(other.bars_observed_))
    assert_array_equal(heights(one.bars_missing_), heights(other.bars_missing_))
    assert one.name == "+".join(weighter.required_[column])


def test_calibration_is_that_of_the_weighter(heart):
    weighter, X = heart
    display = PropensityDisplay.from_estimator(
        weighter, X, required="imaging", kind="calibration"
    )
    table = weighter.calibration(X).loc["imaging"]
    line = display.errorbar_.lines[0]
    assert_allclose(line.get_xydata(), table[["propensity", "observed"]])
    # Weights of 0 and 2 leave out and repeat rows.
    twice = np.arange(len(X)) % 2 * 2
    weighted = PropensityDisplay.from_estimator(
        weighter, X, required="imaging", kind="calibration", sample_weight=twice
    )
    half = weighter.calibration(X[twice > 0]).loc["imaging"]
    line = weighted.errorbar_.lines[0]
    assert_allclose(line.get_xydata(), half[["propensity", "observed"]])
    some = np.random.default_rng(0).uniform(size=len(X))
    weighted = PropensityDisplay.from_estimator(
        weighter, X, required="imaging", kind="calibration", sample_weight=some
    )
    table = weighter.calibration(X, sample_weight=some).loc["imaging"]
    line = weighted.errorbar_.lines[0]
    assert_allclose(line.get_xydata(), table[["propensity", "observed"]])


@pytest.mark.parametrize("kind", ["overlap", "calibration"])
def test_displays_of_rows_of_fit_are_out_of_fold(kind):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2))
    X = MultimodalData({"x1": x[:, :1], "x2": x[:, 1:]})
    X, y = X.hide({"x2": rng.random(400) < 0.5}), (x.sum(axis=1) > 0) * 1
    weighter = PropensityWeighter(
        KNeighborsClassifier(1), cv=4, clip=(0.01, 1.0), random_state=0
    )
    clf = IPWMultimodalClassifier(LogisticRegression(), use=["x2"], propensity=weighter)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OverlapWarning)
        clf.fit(X, y)
    fitted = clf.propensity_
    display = PropensityDisplay.from_estimator(fitted, X, kind=kind)
    assert_array_equal(display.propensity, fitted.propensity_[:, 0])
    if kind == "calibration":
        table = fitted.calibration(X)
        line = display.errorbar_.lines[0]
        assert_allclose(line.get_xydata(), table[["propensity", "observed"]])
    bounds = SensitivityDisplay.from_estimator(clf, X, y)
    assert bounds.value == pytest.approx(clf.score(X, y))


def test_rows_without_a_label_are_missing(bits):
    X, y, weighter = bits
    target = y.astype(float)
    target[:100] = np.nan
    display = PropensityDisplay.from_estimator(weighter, X, target)
    assert not display.observed[:100].any()
    assert_array_equal(display.observed[100:], weighter.observed_[100:, 0])


def test_an_observed_row_of_propensity_0_shows():
    # Its weight would be infinite, and this plot is where one looks for the cause.
    display = PropensityDisplay.from_predictions([True, True, False], [0.0, 1.0, 0.0])
    assert heights(display.bars_observed_)[0] == pytest.approx(0.5)


# -- balance -------------------------------------------------------------------------


def test_balance_is_sorted_and_drawn_from_the_top(heart):
    weighter, X = heart
    table = weighter.balance(X).loc["imaging"]
    one = BalanceDisplay.from_estimator(weighter, X, required="imaging")
    size = table["smd_before"].abs().sort_values(ascending=False, kind="stable")
    assert one.feature_names.tolist() == size.index.tolist()
    assert_array_equal(one.smd_before, table.loc[size.index, "smd_before"])
    assert_array_equal(one.smd_after, table.loc[size.index, "smd_after"])
    at = np.arange(len(table))
    assert_array_equal(one.before_.get_offsets(), np.c_[one.smd_before, at])
    assert_array_equal(one.after_.get_offsets(), np.c_[one.smd_after, at])
    joints = np.array([s[:, 0] for s in one.joints_.get_segments()])
    assert_array_equal(joints, np.c_[one.smd_before, one.smd_after])
    assert [line.get_xdata()[0] for line in one.bounds_] == [-0.1, 0.1]
    # Hollow before, filled after, the first row on top.
    assert not len(one.before_.get_facecolor())
    assert len(one.after_.get_facecolor())
    bottom, top = one.ax_.get_ylim()
    assert top < bottom
    other = BalanceDisplay.from_predictions(weighter.balance(X), required="imaging")
    assert_array_equal(one.smd_after, other.smd_after)
    plain = BalanceDisplay.from_predictions(table)
    assert_array_equal(one.feature_names, plain.feature_names)


def test_what_the_balance_plot_leaves_out_is_told():
    table = pd.DataFrame(
        {"smd_before": [0.1, -0.9, 0.3], "smd_after": [-0.25, 0.0, 0.02]},
        index=["a", "b" * 60, "c"],
    )
    display = BalanceDisplay.from_predictions(table, max_features=2)
    assert display.feature_names.tolist() == ["b" * 60, "c"]
    assert_allclose(display.hidden, [[0.1, -0.25]])
    text = display.ax_.get_xlabel()
    assert "(1 more: up to 0.10 before, 0.25 after weighting)" in text
    label, short = rows_on_axis(display)
    assert len(label) == 40
    assert "…" in label
    assert short == "c"
    whole = BalanceDisplay.from_predictions(table, max_features=None)
    assert len(whole.feature_names) == 3
    assert "more" not in whole.ax_.get_xlabel()


def test_balance_of_one_set_and_with_weights(bits):
    X, y, weighter = bits
    weight = np.random.default_rng(0).integers(0, 3, len(y))
    display = BalanceDisplay.from_estimator(weighter, X, sample_weight=weight)
    expected = weighter.balance(X, sample_weight=weight)
    assert_array_equal(display.smd_before, expected["smd_before"])
    assert display.name is None
    same = BalanceDisplay.from_estimator(weighter, X, required=["x2", "x1"])
    assert same.feature_names.tolist() == ["x1__0"]


def test_a_list_of_one_required_set_needs_no_choice(bits):
    X, _, weighter = bits
    one = PropensityWeighter(required=[["x1", "x2"]], random_state=0).fit(X)
    for required in (None, "x1+x2"):
        display = BalanceDisplay.from_estimator(one, X, required=required)
        assert_allclose(display.smd_after, weighter.balance(X)["smd_after"])
        display = PropensityDisplay.from_estimator(one, X, required=required)
        assert_allclose(display.propensity, weighter.predict_propensity(X))


# -- utility -------------------------------------------------------------------------

ESTIMATES = ["biased", "corrected", "doubly_robust"]
COLUMNS = ["biased_value", "value", "doubly_robust_value"]


@pytest.mark.parametrize("quantity", ["gain", "value"])
def test_utilities_are_those_of_the_table(utilities, quantity):
    display = UtilityDisplay.from_predictions(utilities, "accuracy", quantity)
    rows = utilities.query("metric == 'accuracy' and quantity == @quantity")
    assert_array_equal(display.estimates, rows[COLUMNS])
    assert_array_equal(display.intervals[:, 0], rows[["biased_low", "biased_high"]])
    assert_array_equal(display.intervals[:, 1], rows[["low", "high"]])
    assert_array_equal(
        display.intervals[:, 2], rows[["doubly_robust_low", "doubly_robust_high"]]
    )
    expected = ["x2 over x1", "x1+x2 over x1", "x1+x2 over x2"]
    if quantity == "value":
        expected = ["x1", "x2", "x1+x2"]
    assert display.labels.tolist() == rows_on_axis(display) == expected
    for i, (name, column) in enumerate(zip(ESTIMATES, COLUMNS)):
        points = display.points_[name].get_offsets()
        assert_array_equal(points[:, 0], rows[column])
        assert_array_equal(np.round(points[:, 1]), np.arange(3))
        ends = [s[:, 0] for s in display.intervals_[name].get_segments()]
        assert_array_equal(ends, display.intervals[:, i])
        heights_of = [s[0, 1] for s in display.intervals_[name].get_segments()]
        assert_array_equal(points[:, 1], heights_of)
    assert (display.zero_line_ is not None) == (quantity == "gain")


def test_areas_have_no_doubly_robust_estimate(utilities):
    display = UtilityDisplay.from_predictions(utilities)
    assert display.metric == "roc_auc"
    assert display.ax_.get_xlabel() == "Gain in ROC AUC"
    assert list(display.points_) == legend_of(display) == ["biased", "corrected"]
    assert np.isnan(display.estimates[:, 2]).all()


def test_doubly_robust_can_be_left_out(utilities):
    display = UtilityDisplay.from_predictions(
        utilities, "neg_log_loss", doubly_robust=False
    )
    assert list(display.points_) == ["biased", "corrected"]
    assert display.ax_.get_xlabel() == "Gain in log-likelihood"


def test_without_resamples_there_are_points_alone(utilities):
    ends = [c for c in utilities if c.endswith(("low", "high"))]
    display = UtilityDisplay.from_predictions(utilities.assign(**dict.fromkeys(ends)))
    assert display.intervals_ == {}
    assert list(display.points_) == ESTIMATES[:2]


def test_an_interval_need_not_hold_its_estimate(utilities):
    table = utilities.assign(biased_low=0.7, biased_high=0.8, biased_value=0.1)
    display = UtilityDisplay.from_predictions(table)
    assert_allclose(display.intervals_["biased"].get_segments()[0][:, 0], [0.7, 0.8])
    assert display.points_["biased"].get_offsets()[0, 0] == pytest.approx(0.1)


def test_long_names_of_sets_take_two_lines(utilities):
    long = "electrocardiogram+history"
    table = utilities.assign(subset=long).query("quantity == 'gain'")
    display = UtilityDisplay.from_predictions(table)
    assert rows_on_axis(display)[0] == f"{long}\nover x1"


# -- sensitivity ---------------------------------------------------------------------

VALUES = np.array([1, 1, 0, -1, 1, 0, 0, 1.0])


def test_bounds_are_drawn_against_the_odds_ratio():
    propensity, weight = np.linspace(0.2, 0.9, 8), np.arange(1.0, 9.0)
    display = SensitivityDisplay.from_predictions(
        VALUES, propensity, odds_ratios=[3, 1.5, 1], sample_weight=weight
    )
    expected = sensitivity_bounds(
        VALUES, propensity, odds_ratios=[1, 1.5, 3], sample_weight=weight
    )
    assert display.odds_ratios.tolist() == [1, 1.5, 3]
    assert_array_equal(display.lower_bound, expected["lower_bound"])
    assert_array_equal(display.upper_bound, expected["upper_bound"])
    mean = np.average(VALUES, weights=weight / propensity)
    assert display.value == pytest.approx(mean)
    assert_allclose(display.line_.get_ydata(), mean)
    corners = display.band_.get_paths()[0].vertices
    for ratio, low, high in zip(
        display.odds_ratios, display.lower_bound, display.upper_bound
    ):
        here = corners[corners[:, 0] == ratio, 1]
        assert_allclose([here.min(), here.max()], [low, high])
    assert display.ax_.get_xscale() == "log"
    assert display.threshold_line_ is None
    assert display.tipping_point_ is None


def test_grid_without_1_keeps_the_estimate():
    display = SensitivityDisplay.from_predictions(VALUES, [0.5] * 8, odds_ratios=[2])
    assert display.value == pytest.approx(VALUES.mean())
    assert display.lower_bound[0] < display.value < display.upper_bound[0]


def test_tipping_point_is_marked_where_the_lower_bound_meets_the_threshold():
    # By hand: (4 + 4 / L - 1 - L) = 0 with all odds 1, so that L = 4.
    display = SensitivityDisplay.from_predictions(VALUES, [0.5] * 8, threshold=0)
    assert display.tipping_odds_ratio == pytest.approx(4)
    assert_allclose(display.tipping_point_.get_offsets(), [[4, 0]])
    assert_allclose(display.threshold_line_.get_ydata(), 0)
    assert np.interp(4, display.odds_ratios, display.lower_bound) == pytest.approx(
        0, abs=1e-3
    )
    assert "reached at an odds ratio of 4" in legend_of(display)


@pytest.mark.parametrize(
    ("threshold", "text", "marked"),
    [
        # By hand: 7 + 7.5 / L - 0.5 L = 0.
        (-0.5, "threshold -0.5, reached at an odds ratio of 15", False),
        (-2, "threshold -2, reached never", False),
        (0.9, "estimate is not above it", True),
    ],
)
def test_a_tipping_point_out_of_sight_is_told(threshold, text, marked):
    display = SensitivityDisplay.from_predictions(
        VALUES, [0.5] * 8, threshold=threshold
    )
    assert text in legend_of(display)
    assert (display.tipping_point_ is not None) == marked


@pytest.mark.parametrize("clip", [None, (0.3, 1.0)])
@pytest.mark.parametrize("weighted", [False, True])
def test_sensitivity_of_a_classifier_is_about_its_score(bits, clip, weighted):
    X, y, _ = bits
    weight = np.random.default_rng(0).integers(0, 3, len(y)) if weighted else None
    target = y.astype(float)
    target[::7] = np.nan
    clf = IPWMultimodalClassifier(
        LogisticRegression(),
        use=["x2"],
        propensity=PropensityWeighter(clip=clip, random_state=0),
    ).fit(X, target)
    display = SensitivityDisplay.from_estimator(clf, X, target, sample_weight=weight)
    assert display.value == pytest.approx(clf.score(X, target, weight))
    assert display.lower_bound[0] == pytest.approx(display.value)
    assert display.ax_.get_ylabel() == "Accuracy"
    rows = X.present[:, 1] & ~np.isnan(target)
    propensity = np.clip(
        clf.propensity_.predict_propensity(X), *clf.propensity_.clip_bounds_[0]
    )
    with warnings.catch_warnings():
        # Rows that lack x2 are answered too, and left out below.
        warnings.simplefilter("ignore")
        right = clf.predict(X) == target
    other = SensitivityDisplay.from_predictions(
        right[rows] * 1.0,
        propensity[rows],
        sample_weight=None if weight is None else weight[rows],
    )
    assert_allclose(display.lower_bound, other.lower_bound)
    assert_allclose(display.upper_bound, other.upper_bound)


def test_a_propensity_that_requires_more_than_the_classifier_uses(bits):
    X, y, _ = bits
    clf = IPWMultimodalClassifier(
        LogisticRegression(), use=["x1"], propensity=PropensityWeighter(required=["x2"])
    )
    clf.set_params(propensity__required=["x1", "x2"]).fit(X, y)
    display = SensitivityDisplay.from_estimator(clf, X, y)
    assert display.value == pytest.approx(clf.score(X, y))


# -- all -----------------------------------------------------------------------------


def make_all(bits, utilities):
    X, y, weighter = bits
    clf = IPWMultimodalClassifier(LogisticRegression(), use=["x2"]).fit(X, y)
    return [
        PropensityDisplay.from_estimator(weighter, X),
        BalanceDisplay.from_estimator(weighter, X),
        UtilityDisplay.from_predictions(utilities, "accuracy"),
        SensitivityDisplay.from_estimator(clf, X, y, threshold=0.6),
    ]


@pytest.mark.parametrize("layout", [None, "constrained", "tight"])
def test_plotting_twice_on_given_axes(bits, utilities, layout):
    for display in make_all(bits, utilities):
        figure, ax = plt.subplots(layout=layout)
        first = display.ax_
        assert display.plot(ax) is display
        once = legend_of(display)
        assert display.plot(ax=ax, name=None) is display
        assert display.ax_ is ax is not first
        assert display.figure_ is figure
        # What is drawn twice is listed once.
        assert legend_of(display) == once
        figure.canvas.draw()


def test_names_show_in_the_legend(bits, utilities):
    for display in make_all(bits, utilities):
        display.plot(name="first try")
        legend = display.ax_.get_legend()
        assert "first try" in legend.get_title().get_text() + legend_of(display)[0]
    calibration = PropensityDisplay.from_estimator(
        bits[2], bits[0], kind="calibration", name="first try"
    )
    assert legend_of(calibration)[-1] == "first try"


def test_nothing_is_cut_off_or_covers_the_axes(utilities):
    rng = np.random.default_rng(0)
    names = [f"laboratory__a_long_name_of_a_covariate_{i}" for i in range(30)]
    table = pd.DataFrame(rng.normal(size=(30, 2)), names, ["smd_before", "smd_after"])
    displays = [
        BalanceDisplay.from_predictions(table, name="imaging"),
        BalanceDisplay.from_predictions(table, max_features=None),
        UtilityDisplay.from_predictions(
            utilities.assign(subset="electrocardiogram+laboratory"), "accuracy"
        ),
        PropensityDisplay.from_predictions(OBSERVED, PROPENSITY),
        PropensityDisplay.from_predictions(OBSERVED, PROPENSITY, kind="calibration"),
        SensitivityDisplay.from_predictions(VALUES, [0.5] * 8, threshold=0),
    ]
    for display in displays:
        display.figure_.canvas.draw()
        page = display.figure_.bbox
        axes, legend = display.ax_.bbox, display.ax_.get_legend()
        low, high = sorted(display.ax_.get_ylim())
        # Ticks outside the limits have labels too, but are not drawn.
        ticks = [t.label1 for t in display.ax_.yaxis.get_major_ticks()
                 if low <= t.get_loc() <= high]  # fmt: skip
        parts = [legend, display.ax_.xaxis.label, *ticks]
        for part in parts:
            box = part.get_window_extent()
            assert box.x0 >= page.x0 - 1, part
            assert box.x1 <= page.x1 + 1, part
            assert box.y0 >= page.y0 - 1, part
            assert box.y1 <= page.y1 + 1, part
        assert legend.get_window_extent().y0 >= axes.y1 - 1
        assert axes.width > 3.5 * display.figure_.dpi


def test_in_figures_without_a_layout_the_legend_leaves_the_rows_free(utilities):
    _, ax = plt.subplots()
    display = UtilityDisplay.from_predictions(utilities, "accuracy", ax=ax)
    ax.figure.canvas.draw()
    below = ax.get_legend().get_window_extent().y0
    for points in display.points_.values():
        assert (ax.transData.transform(points.get_offsets())[:, 1] < below).all()


def test_matplotlib_is_asked_for_only_by_a_plot():
    code = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
sys.meta_path.insert(0, Block())
from skmissing.inspection import *
import numpy as np
display = PropensityDisplay(np.array([0.5]), np.array([True]))
for call in [
    display.plot,
    lambda: PropensityDisplay.from_predictions([True], [0.5]),
    lambda: BalanceDisplay.from_predictions(None),
    lambda: UtilityDisplay.from_predictions(None),
    lambda: SensitivityDisplay.from_predictions([1], [0.5]),
]:
    try:
        call()
    except ImportError as error:
        assert "requires matplotlib" in str(error), error
    else:
        raise AssertionError(call)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# -- errors --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("observed", "propensity", "options", "message"),
    [
        ([True], [0.5, 0.5], {}, r"observed of shape \(1,\) and propensity of shape"),
        ([], [], {}, "expected two vectors"),
        ([2, 1], [0.5, 0.5], {}, "Got .*2.* in observed, expected booleans"),
        ([True, True], [0.5, 1.5], {}, "propensity of 1.5, expected numbers from 0 to"),
        ([True, True], [0.5, np.nan], {}, "Got a propensity of nan"),
        ([True], [0.5], {"kind": "pie"}, "Got kind='pie', expected one of"),
        ([True], [0.5], {"n_bins": 0}, "Got n_bins=0, expected a positive integer"),
        ([True], [0.5], {"sample_weight": [-1]}, "Negative values"),
    ],
)
def test_errors_of_propensities(observed, propensity, options, message):
    with pytest.raises(ValueError, match=message):
        PropensityDisplay.from_predictions(observed, propensity, **options)
    assert not plt.get_fignums()


@pytest.mark.parametrize("display", [PropensityDisplay, BalanceDisplay])
def test_errors_of_weighters(heart, bits, display):
    weighter, X = heart
    for required in (None, "imagining", ["imaging", "exercise"]):
        with pytest.raises(ValueError, match=r"Got required=.*, expected one of"):
            display.from_estimator(weighter, X, required=required)
    with pytest.raises(ValueError, match="Got required='x1', expected one of"):
        display.from_estimator(bits[2], bits[0], required="x1")
    with pytest.raises(TypeError, match="Got a DummyClassifier, expected a fitted"):
        display.from_estimator(DummyClassifier(), X)
    with pytest.raises(ValueError, match="not fitted yet"):
        display.from_estimator(PropensityWeighter(), X)


def test_errors_of_balance_tables(heart):
    weighter, X = heart
    table = weighter.balance(X)
    with pytest.raises(ValueError, match="Got required=None, expected one of"):
        BalanceDisplay.from_predictions(table)
    with pytest.raises(ValueError, match="expected 'smd_after' among them"):
        BalanceDisplay.from_predictions(table[["smd_before"]])
    with pytest.raises(TypeError, match="Got a list, expected the DataFrame of"):
        BalanceDisplay.from_predictions([1])
    one = table.loc["imaging"]
    with pytest.raises(ValueError, match="with the table of one set, expected None"):
        BalanceDisplay.from_predictions(one, required="imaging")
    with pytest.raises(ValueError, match="Got a table without rows"):
        BalanceDisplay.from_predictions(one.iloc[:0])
    for wrong in (0, 1.5):
        with pytest.raises(ValueError, match=f"Got max_features={wrong}, expected"):
            BalanceDisplay.from_predictions(one, max_features=wrong)


def test_errors_of_utilities(utilities):
    with pytest.raises(
        ValueError, match=r"Got metric='f1', expected one of .*accuracy"
    ):
        UtilityDisplay.from_predictions(utilities, "f1")
    with pytest.raises(ValueError, match="Got quantity='loss', expected one of"):
        UtilityDisplay.from_predictions(utilities, quantity="loss")
    values = utilities.query("quantity == 'value'")
    with pytest.raises(
        ValueError, match=r"Got quantity='gain', expected .*\['value'\]"
    ):
        UtilityDisplay.from_predictions(values)
    with pytest.raises(ValueError, match="Got a table without rows"):
        UtilityDisplay.from_predictions(values.iloc[:0])
    with pytest.raises(ValueError, match="expected 'doubly_robust_low' among them"):
        UtilityDisplay.from_predictions(utilities.drop(columns="doubly_robust_low"))
    with pytest.raises(TypeError, match="Got a tuple, expected the DataFrame of"):
        UtilityDisplay.from_predictions((utilities, None))


def test_errors_of_sensitivity(bits):
    X, y, _ = bits
    clf = IPWMultimodalClassifier(LogisticRegression(), weighting="none")
    with pytest.raises(ValueError, match="not fitted yet"):
        SensitivityDisplay.from_estimator(clf, X, y)
    with pytest.raises(ValueError, match="weighting='none', expected 'ipw'"):
        SensitivityDisplay.from_estimator(clf.fit(X, y), X, y)
    with pytest.raises(TypeError, match="Got a DummyClassifier, expected a fitted"):
        SensitivityDisplay.from_estimator(DummyClassifier(), X, y)
    clf.set_params(weighting="ipw").fit(X, y)
    nothing = MultimodalData({"x1": X["x1"][:3], "x2": np.full((3, 1), np.nan)})
    with pytest.raises(ValueError, match="Got no row with a label and all of"):
        SensitivityDisplay.from_estimator(clf, nothing, y[:3])
    with pytest.raises(ValueError, match="expected finite numbers of at least 1"):
        SensitivityDisplay.from_predictions([1, 0], [0.5, 0.5], odds_ratios=[0.5])
    with pytest.raises(ValueError, match="Got threshold=nan, expected a finite number"):
        SensitivityDisplay.from_predictions([1, 0], [0.5, 0.5], threshold=np.nan)
    assert not plt.get_fignums()


# -- keyword arguments ---------------------------------------------------------------


def test_keyword_arguments_reach_matplotlib(bits, utilities):
    X, y, weighter = bits
    overlap = PropensityDisplay.from_estimator(weighter, X, edgecolor="red", alpha=0.5)
    for bar in (overlap.bars_observed_[0], overlap.bars_missing_[0]):
        assert bar.get_edgecolor() == matplotlib.colors.to_rgba("red", 0.5)
    curve = PropensityDisplay.from_estimator(weighter, X, kind="calibration")
    assert curve.plot(kind="calibration", color="red").errorbar_[0].get_color() == "red"
    balance = BalanceDisplay.from_estimator(weighter, X, marker="s", zorder=7)
    assert balance.before_.get_zorder() == balance.after_.get_zorder() == 7
    clf = IPWMultimodalClassifier(LogisticRegression(), use=["x2"]).fit(X, y)
    bounds = SensitivityDisplay.from_estimator(clf, X, y, alpha=0.9)
    assert bounds.band_.get_alpha() == 0.9
    utility = UtilityDisplay.from_predictions(utilities, s=99)
    assert [p.get_sizes().tolist() for p in utility.points_.values()] == [[99]] * 2
