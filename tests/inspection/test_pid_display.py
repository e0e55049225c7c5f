"""PIDDisplay: bars are the values of the tables, and nothing is hidden."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from skmissing import MultimodalData, PIDEstimator, PropensityWeighter
from skmissing.datasets import make_bitwise
from skmissing.inspection import PIDDisplay

from ..conftest import labels_of, legend_of

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

PARTS = ["unique_first", "unique_second", "redundant", "synergistic"]
STACKED = ["unique_first", "redundant", "unique_second", "synergistic"]


@pytest.fixture(scope="module")
def bits():
    X, y = make_bitwise(1500, mechanism="mar", return_X_y=True, random_state=0)
    settings = {"n_bootstraps": 12, "random_state": 0}
    plain = PIDEstimator(**settings).fit(X, y)
    weighter = PropensityWeighter(random_state=0)
    weighted = PIDEstimator(propensity=weighter, **settings).fit(X, y)
    return X, y, plain, weighted


@pytest.fixture(scope="module")
def noise():
    """Three sources, one of which says something, with negative raw synergies."""
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=300)
    blocks = {k: rng.normal(size=(300, 2)) for k in ("labs", "ecg", "text")}
    blocks["text"] = blocks["text"] + y[:, None]
    pid = PIDEstimator(
        method="posterior", estimator=LogisticRegression(), random_state=0
    )
    return pid.fit(MultimodalData(blocks), y)


def widths(bars):
    return np.array([bar.get_width() for bar in bars])


def starts(bars):
    return np.array([bar.get_x() for bar in bars])


def drawn(display):
    return np.column_stack([widths(display.bars_[part]) for part in PARTS])


def of_parts(pid, column="value"):
    frame = pid.to_frame().query("term != 'mutual_information'")
    return frame[column].to_numpy().reshape(-1, 4)


# -- what is drawn -------------------------------------------------------------------


def test_bars_are_the_figures_of_the_estimators(bits):
    _, _, plain, weighted = bits
    display = PIDDisplay.from_estimator({"observed": plain, "weighted": weighted})
    expected = np.r_[of_parts(plain), of_parts(weighted)]
    assert_array_equal(display.parts, expected)
    assert_allclose(drawn(display), expected, atol=1e-15)
    assert list(display.bars_) == STACKED
    # Each stretch begins where the one before ends, and the bar is all there is.
    at = np.zeros(2)
    for part in STACKED:
        assert_allclose(starts(display.bars_[part]), at)
        at = at + widths(display.bars_[part])
    joint = [p.mutual_information_["joint"] for p in (plain, weighted)]
    assert_allclose(at, joint, atol=1e-8)
    # The first two stretches are what the first source has.
    own = [p.mutual_information_["x1"] for p in (plain, weighted)]
    assert_allclose(starts(display.bars_["unique_second"]), own, atol=1e-8)
    assert labels_of(display) == ["observed", "weighted"]
    assert legend_of(display) == [
        "unique to x1",
        "redundant",
        "unique to x2",
        "synergistic",
    ]
    label = display.ax_.get_xlabel().splitlines()[0]
    assert label == "Information about the label y (bits)"
    bottom, top = display.ax_.get_ylim()
    assert top < bottom
    assert display.figure_ is display.ax_.figure


def test_intervals_are_counted_from_where_the_stretch_begins(bits):
    _, _, plain, weighted = bits
    display = PIDDisplay.from_estimator({"a": plain, "b": weighted})
    heights = set()
    for i, part in enumerate(PARTS):
        bars = display.bars_[part]
        segments = display.intervals_[part].get_segments()
        ends = np.array([s[:, 0] for s in segments]) - starts(bars)[:, None]
        for row, pid in zip(ends, (plain, weighted)):
            expected = pid.to_frame()[["low", "high"]].iloc[i]
            assert_allclose(row, expected, atol=1e-15)
        points = display.points_[part].get_offsets()
        assert_allclose(points[:, 0], starts(bars) + widths(bars))
        for point, segment, bar in zip(points, segments, bars):
            assert_array_equal(segment[:, 1], point[1])
            assert bar.get_y() < point[1] < bar.get_y() + bar.get_height()
            heights.add(point[1])
    assert len(heights) == 8


def test_only_what_was_resampled_has_intervals(bits, noise):
    X, y, plain, _ = bits
    assert not PIDDisplay.from_estimator(noise).intervals_
    quick = PIDEstimator().fit(X, y)
    display = PIDDisplay.from_estimator({"quick": quick, "resampled": plain})
    assert np.isnan(display.intervals[0]).all()
    assert not np.isnan(display.intervals[1]).any()
    assert all(len(points.get_offsets()) == 1 for points in display.points_.values())


def test_more_than_two_sources_stand_one_against_the_rest(noise):
    display = PIDDisplay.from_estimator(noise)
    assert labels_of(display) == ["labs", "ecg", "text"]
    assert display.pairs.tolist()[0] == ["labs", "ecg+text"]
    assert_allclose(drawn(display), of_parts(noise), atol=1e-15)
    assert_allclose(widths(display.bars_["unique_first"]), [*noise.unique_.values()])
    assert "unique to the one named" in legend_of(display)
    assert "unique to the others" in legend_of(display)
    twice = PIDDisplay.from_estimator({"A": noise, "B": noise})
    assert labels_of(twice) == [f"{s}: {n}" for s in noise.unique_ for n in "AB"]
    # Bars of one source stand together.
    bottoms = [bar.get_y() for bar in twice.bars_["redundant"]]
    assert np.diff(bottoms).round(2).tolist() == [1.0, 1.4, 1.0, 1.4, 1.0]


def test_nothing_is_raised_in_silence(noise):
    raw = of_parts(noise, "raw")
    assert raw.min() < 0 <= of_parts(noise).min()
    display = PIDDisplay.from_estimator(noise)
    n = (raw < of_parts(noise) - 1e-9).sum()
    text = f"(negative and drawn as 0: {n} of 12 parts, down to "
    assert f"{text}{raw.min():.2g})" in display.ax_.get_xlabel()
    display = PIDDisplay.from_estimator(noise, column="raw")
    assert "negative" not in display.ax_.get_xlabel()
    assert_allclose(drawn(display), raw, atol=1e-15)
    # Negative ones to the left of zero, the others where they would be without them.
    below = widths(display.bars_["synergistic"]) < 0
    assert below.any()
    # Other negative parts of the bar come before it.
    assert (starts(display.bars_["synergistic"])[below] <= 0).all()
    assert display.ax_.get_xlim()[0] < raw.min()


def test_tables_of_different_pairs(bits, noise):
    frame = noise.to_frame()
    display = PIDDisplay.from_predictions(
        {"all": frame, "bits": bits[2].to_frame(), "ecg": frame.iloc[7:14]},
        unit="nats",
        target="death within a year",
    )
    assert labels_of(display) == [
        "labs and ecg+text: all",
        "ecg and labs+text: all",
        "ecg and labs+text: ecg",
        "text and labs+ecg: all",
        "x1 and x2: bits",
    ]
    assert "Information about death within a year (nats)" in display.ax_.get_xlabel()
    assert "unique to the one after" in legend_of(display)
    assert_array_equal(display.parts[1], display.parts[2])
    one = PIDDisplay.from_predictions(frame.iloc[7:14])
    assert labels_of(one) == ["ecg and labs+text"]
    assert legend_of(one)[0] == "unique to ecg"


def test_order_of_rows_does_not_matter(bits):
    frame = bits[2].to_frame()
    one = PIDDisplay.from_predictions(frame)
    other = PIDDisplay.from_predictions(frame.iloc[::-1])
    assert_array_equal(one.parts, other.parts)
    assert_array_equal(one.intervals, other.intervals)


def test_a_single_source_has_one_part(bits):
    X, y, _, _ = bits
    pid = PIDEstimator(sources=["x1"], n_bootstraps=3, random_state=0).fit(X, y)
    display = PIDDisplay.from_estimator(pid)
    assert list(display.bars_) == ["unique_first"]
    assert legend_of(display) == ["unique to x1"]
    assert labels_of(display) == ["x1"]
    assert_allclose(widths(display.bars_["unique_first"]), pid.unique_["x1"])
    assert np.isnan(display.parts[0, 1:]).all()


def test_the_table_is_what_is_drawn(bits, noise):
    _, _, plain, weighted = bits
    display = PIDDisplay.from_estimator({"biased": plain, "corrected": weighted})
    assert_array_equal(display.parts, np.r_[of_parts(plain), of_parts(weighted)])
    table = display.table
    assert list(table.columns) == [
        "name", "first", "second", "part", "value", "raw", "low", "high",
    ]  # fmt: skip
    assert table["name"].tolist() == ["biased"] * 4 + ["corrected"] * 4
    assert table["part"].tolist() == PARTS * 2
    for name, pid in (("biased", plain), ("corrected", weighted)):
        expected = pid.to_frame().query("term != 'mutual_information'")
        for column in ("value", "raw", "low", "high"):
            shown = table.loc[table["name"] == name, column]
            assert_array_equal(shown, expected[column])
    # It can be drawn again.
    again = PIDDisplay(table).plot()
    assert_array_equal(drawn(again), drawn(display))
    assert PIDDisplay.from_estimator(noise).table["low"].isna().all()


def test_nothing_is_fitted(bits):
    X, y, plain, _ = bits
    with pytest.raises(TypeError, match="positional argument"):
        PIDDisplay.from_estimator(PIDEstimator(), X, y)
    with pytest.raises(NotFittedError):
        PIDDisplay.from_estimator(PIDEstimator())
    before = plain.to_frame()
    PIDDisplay.from_estimator(plain)
    assert_frame_equal(plain.to_frame(), before)


def test_bars_take_what_matplotlib_takes(bits):
    _, _, plain, _ = bits
    for display in (
        PIDDisplay.from_estimator(plain, height=0.5, alpha=0.3),
        PIDDisplay.from_predictions(plain.to_frame(), height=0.5, alpha=0.3),
        PIDDisplay.from_estimator(plain).plot(height=0.5, alpha=0.3),
    ):
        for bars in display.bars_.values():
            assert [bar.get_height() for bar in bars] == [0.5]
            assert [bar.get_alpha() for bar in bars] == [0.3]


def test_unit_is_that_of_the_table(bits):
    X, y, _, _ = bits
    table = PIDEstimator(unit="nats").fit(X, y).to_frame()
    from_predictions = PIDDisplay.from_predictions
    assert from_predictions(table).unit == "nats"
    assert from_predictions({"a": table, "b": table}).unit == "nats"
    assert "(nats)" in from_predictions(table).ax_.get_xlabel()
    assert from_predictions(table, unit="bits").unit == "bits"
    other = PIDEstimator().fit(X, y).to_frame()
    with pytest.raises(ValueError, match=r"Got tables with the units \['nats', 'bits'"):
        from_predictions({"a": table, "b": other})
    # A table that has lost its attributes.
    table.attrs = {}
    assert from_predictions({"a": table, "b": other}).unit == "bits"
    assert from_predictions(table).unit == "bits"


def test_unit_is_that_of_the_estimator(bits):
    X, y, plain, _ = bits
    nats = PIDEstimator(unit="nats").fit(X, y)
    display = PIDDisplay.from_estimator(nats, target="the gate")
    assert display.ax_.get_xlabel() == "Information about the gate (nats)"
    assert_allclose(display.parts, of_parts(plain) * np.log(2))


# -- where it is drawn ---------------------------------------------------------------


@pytest.mark.parametrize("layout", [None, "constrained", "tight"])
def test_plotting_twice_on_given_axes(bits, noise, layout):
    displays = [
        PIDDisplay.from_estimator(bits[2]),
        PIDDisplay.from_estimator(noise, name="first try"),
    ]
    for display in displays:
        figure, ax = plt.subplots(layout=layout)
        first = display.ax_
        assert display.plot(ax) is display
        once = legend_of(display)
        assert display.plot(ax=ax) is display
        assert display.ax_ is ax is not first
        assert display.figure_ is figure
        assert legend_of(display) == once
        figure.canvas.draw()
    assert display.ax_.get_legend().get_title().get_text() == "first try"
    display.plot(name="second")
    assert display.ax_.get_legend().get_title().get_text() == "second"


def test_given_axes_make_no_figure(bits):
    _, axes = plt.subplots(1, 2)
    before = plt.get_fignums()
    PIDDisplay.from_estimator(bits[2], ax=axes[0])
    PIDDisplay.from_predictions(bits[2].to_frame(), ax=axes[1])
    assert plt.get_fignums() == before


def test_nothing_is_cut_off(noise):
    frame = noise.to_frame().replace("text", "a_very_long_name_of_a_modality" * 2)
    pairs = frame.iloc[:14]
    for display in [
        PIDDisplay.from_predictions(frame),
        PIDDisplay.from_predictions({"observed": frame, "weighted": pairs}),
        PIDDisplay.from_predictions(pairs.iloc[:7]),
    ]:
        display.figure_.canvas.draw()
        page, axes = display.figure_.bbox, display.ax_.bbox
        ticks = display.ax_.get_yticklabels()
        for part in [display.ax_.get_legend(), display.ax_.xaxis.label, *ticks]:
            box = part.get_window_extent()
            assert box.x0 >= page.x0 - 1, part
            assert box.x1 <= page.x1 + 1, part
            assert box.y0 >= page.y0 - 1, part
            assert box.y1 <= page.y1 + 1, part
        assert axes.width > 3.5 * display.figure_.dpi


def test_matplotlib_is_asked_for_only_by_a_plot():
    code = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
sys.meta_path.insert(0, Block())
from skmissing.inspection import PIDDisplay
display = PIDDisplay(None)
for call in [
    display.plot,
    lambda: PIDDisplay.from_estimator(None),
    lambda: PIDDisplay.from_predictions(None),
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


def test_errors_of_estimators(bits):
    X, y, plain, _ = bits
    from_estimator = PIDDisplay.from_estimator
    with pytest.raises(ValueError, match="not fitted yet"):
        from_estimator({"a": plain, "b": PIDEstimator()})
    for wrong in (DummyClassifier(), {"a": plain, "b": DummyClassifier()}):
        with pytest.raises(TypeError, match="Got a DummyClassifier, expected a PIDEst"):
            from_estimator(wrong)
    with pytest.raises(ValueError, match="Got an empty dict, expected at least one"):
        from_estimator({})
    nats = PIDEstimator(unit="nats").fit(X, y)
    with pytest.raises(ValueError, match=r"the units \['bits', 'nats'\], expected one"):
        from_estimator({"a": plain, "b": nats})
    with pytest.raises(ValueError, match="Got column='corrected', expected one of"):
        from_estimator(plain, column="corrected")
    assert not plt.get_fignums()


def test_errors_of_tables(bits):
    frame = bits[2].to_frame()
    from_predictions = PIDDisplay.from_predictions
    for wrong in ([1], {"a": frame, "b": [1]}):
        with pytest.raises(TypeError, match="Got a list, expected the DataFrame of"):
            from_predictions(wrong)
    with pytest.raises(ValueError, match="expected 'raw' among them"):
        from_predictions(frame.drop(columns="raw"))
    with pytest.raises(ValueError, match="Got a table without rows, expected"):
        from_predictions(frame.iloc[:0])
    for wrong in (frame.iloc[1:], frame.iloc[[0, *range(7)]], frame.iloc[4:]):
        with pytest.raises(ValueError, match=r"Got the parts \[.*of the pair.*once"):
            from_predictions(wrong)
    with pytest.raises(ValueError, match="Got unit='bans', expected one of"):
        from_predictions(frame, unit="bans")
    with pytest.raises(ValueError, match="Got column='std_error', expected one of"):
        from_predictions(frame, column="std_error")
    assert not plt.get_fignums()
