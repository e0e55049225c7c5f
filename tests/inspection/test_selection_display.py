"""SelectionDisplay: bars and dots are the values of the report."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError

from skmissing import DyMoSelector
from skmissing.dymo import TokenTransformer
from skmissing.inspection import SelectionDisplay
from skmissing.recovery import MeanRecovery

from ..conftest import make_blocks

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

REPORT = pd.DataFrame(
    [
        # Row 0 takes b, then judges c again and rejects it.
        (0, 0, "b", 0.2, 1.0, True, "x", "y"),
        (0, 0, "c", 0.1, 0.9, False, "x", "x"),
        (0, 1, "c", -0.4, 0.8, False, "y", "x"),
        (1, 0, "b", -0.1, 0.5, False, "x", "y"),
        (2, 0, "b", 0.3, 1.0, True, "y", "x"),
        (3, 0, "b", 0.1, 1.0, True, "x", "x"),
        (3, 0, "c", 0.4, 1.0, True, "y", "z"),
    ],
    columns=["row", "step", "modality", "reward", "alpha", "accepted", "label_before",
             "label_after"],
)  # fmt: skip
Y = ["y", "x", "y", "x"]


def widths(bars):
    return [bar.get_width() for bar in bars]


def test_rates_count_every_candidate_once():
    display = SelectionDisplay.from_predictions(REPORT)
    assert display.modalities_ == ["b", "c"]
    assert display.table_.n_candidates.tolist() == [4, 2]
    assert_allclose(widths(display.bars_["fused"]), [3 / 4, 1 / 2])
    assert display.ax_.get_xlim() == (0, 1)
    labels = [t.get_text() for t in display.ax_.get_yticklabels()]
    assert labels == ["b", "c"]
    assert display.ax_.yaxis_inverted()
    assert display.ax_.get_legend() is None


def test_flips_are_told_apart_by_the_truth():
    display = SelectionDisplay.from_predictions(REPORT, Y, kind="flips", name="Label")
    table = display.table_.set_index("modality")
    assert table.loc["b", ["to_right", "to_wrong", "other"]].tolist() == [1, 1, 0]
    assert table.loc["c", ["to_right", "to_wrong", "other"]].tolist() == [0, 0, 1]
    assert_allclose(widths(display.bars_["wrong to right"]), [1 / 3, 0])
    assert_allclose(widths(display.bars_["right to wrong"]), [1 / 3, 0])
    assert_allclose(widths(display.bars_["wrong to wrong"]), [0, 1])
    legend = display.ax_.get_legend()
    assert legend.get_title().get_text() == "Label"
    assert len(legend.get_texts()) == 3
    without = SelectionDisplay.from_predictions(REPORT, kind="flips")
    assert without.table_.changed.tolist() == [2, 1]
    assert_allclose(widths(without.bars_["changed"]), [2 / 3, 1])


def test_rewards_are_those_of_the_round_that_decided():
    display = SelectionDisplay.from_predictions(REPORT, kind="reward")
    fused = display.points_["fused"].get_offsets()
    rejected = display.points_["rejected"].get_offsets()
    assert_allclose(sorted(fused[:, 0]), [0.1, 0.2, 0.3, 0.4])
    assert_allclose(sorted(rejected[:, 0]), [-0.4, -0.1])
    assert set(np.round(fused[:, 1])) == {0, 1}
    # Drawn again as something else, elsewhere.
    _, ax = plt.subplots()
    assert display.plot(ax, kind="rate").ax_ is ax


def test_from_estimator_is_the_report_of_the_estimator():
    X, y = make_blocks(n=60, n_modalities=3, missing=0.5)
    clf = DyMoSelector(
        max_epochs=3, recovery=MeanRecovery(), n_threads=1, random_state=0,
        net=TokenTransformer(token_dim=8, n_heads=1),
    ).fit(X, y)  # fmt: skip
    before = pickle.dumps(clf)
    display = SelectionDisplay.from_estimator(clf, X, y, calibration=None, alpha=0.2)
    assert pickle.dumps(clf) == before
    assert {bar.get_alpha() for bar in display.bars_["fused"]} == {0.2}
    report = clf.selection_report(X, calibration=None)
    pd.testing.assert_frame_equal(display.report, report)
    counts = (~X.present).sum(axis=0)
    assert display.table_.n_candidates.tolist() == counts.tolist()
    fused = (clf.select(X, calibration=None) & ~X.present).sum(axis=0)
    assert display.table_.n_accepted.tolist() == fused.tolist()


def test_keywords_reach_matplotlib():
    display = SelectionDisplay.from_predictions(REPORT, Y, kind="flips", hatch="/")
    assert len(display.bars_) == 3
    for bars in display.bars_.values():
        assert {bar.get_hatch() for bar in bars} == {"/"}
    # In place of what is drawn without them.
    display.plot(kind="reward", s=30, alpha=0.9)
    for points in display.points_.values():
        assert points.get_sizes().tolist() == [30]
        assert points.get_alpha() == 0.9
    display.plot(kind="rate", color="red")
    assert display.bars_["fused"][0].get_facecolor() == (1.0, 0.0, 0.0, 1.0)


def test_an_estimator_is_never_fitted():
    with pytest.raises(NotFittedError):
        SelectionDisplay.from_estimator(DyMoSelector(), make_blocks()[0])


def test_bad_input_raises():
    with pytest.raises(TypeError, match="Got a list, expected the DataFrame"):
        SelectionDisplay.from_predictions([1])
    with pytest.raises(ValueError, match="expected 'reward' among them"):
        SelectionDisplay.from_predictions(REPORT.drop(columns="reward"))
    with pytest.raises(ValueError, match="Got a table without rows"):
        SelectionDisplay.from_predictions(REPORT[:0])
    with pytest.raises(ValueError, match="Got kind='pie', expected one of"):
        SelectionDisplay.from_predictions(REPORT, kind="pie")
    with pytest.raises(ValueError, match=r"Got y of shape \(2,\), expected a label"):
        SelectionDisplay.from_predictions(REPORT, Y[:2])
    with pytest.raises(TypeError, match="Got a MeanRecovery, expected an estimator"):
        SelectionDisplay.from_estimator(MeanRecovery(), None)
