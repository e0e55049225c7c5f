"""How calibration and the least reward are chosen."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from skmissing import DyMoSelector
from skmissing.dymo import _prediction
from skmissing.dymo._choice import (
    CALIBRATIONS,
    MIN_REWARDS,
    TRAINING_ROWS,
    MaskedRows,
    brier_losses,
    hide_some,
)
from skmissing.recovery import BaseRecovery, MeanRecovery, NeighborRecovery

from .._instances import make_blocks
from .test_selector import SMALL, Truth

DRAWS = np.random.RandomState
LONGER = {**SMALL, "max_epochs": 20}


# -- what is hidden -------------------------------------------------------------------


@pytest.mark.parametrize("n_modalities", [1, 2, 4, 9])
def test_each_row_is_left_with_every_number_of_modalities(n_modalities):
    X, _ = make_blocks(n=60, n_modalities=n_modalities, missing=0.4)
    X = X[X.present.any(axis=1)]
    hidden, rows = hide_some(X, DRAWS(0))
    assert not (hidden.present & ~X.present[rows]).any()
    left = hidden.present.sum(axis=1)
    for row, count in enumerate(X.present.sum(axis=1)):
        # A complete row has nothing to be recovered, another one has as it is.
        most = count - (count == n_modalities)
        expected = np.arange(1, most + 1)
        if most > 6:
            assert most in (7, 8)
            expected = {7: [1, 2, 3, 5, 6, 7], 8: [1, 2, 4, 5, 7, 8]}[int(most)]
        np.testing.assert_array_equal(left[rows == row], expected)


def test_what_is_hidden_is_drawn():
    X, _ = make_blocks(n=600, n_modalities=3, missing=0.0)
    hidden, _ = hide_some(X, DRAWS(0))
    one = hidden.present.sum(axis=1) == 1
    np.testing.assert_allclose(hidden.present[one].mean(axis=0), 1 / 3, atol=0.06)
    np.testing.assert_allclose(hidden.present[~one].mean(axis=0), 2 / 3, atol=0.06)


# -- the rule -------------------------------------------------------------------------


def logits_of(loss):
    """Scores of two classes, the first of which is true, with these Brier losses."""
    p = 1.0 - np.sqrt(np.asarray(loss) / 2.0)
    return np.stack([np.log(p), np.log1p(-p)], axis=1)


def masked(n=50, n_modalities=2, n_errors=1.0, weight=None, missing=0.0):
    X, _ = make_blocks(n=n, n_modalities=n_modalities, missing=missing)
    weight = np.ones(n) if weight is None else weight
    return MaskedRows(X, np.zeros(n, dtype=int), weight, n_errors, DRAWS(0))


def noise_of(n=50):
    """Deviation 0.02, mean 0: differences of means have an error of 0.02 / sqrt(n)."""
    noise = np.random.default_rng(0).normal(size=n)
    return (noise - noise.mean()) / noise.std(ddof=1) * 0.02


def test_losses_are_brier_scores():
    rng = np.random.default_rng(0)
    logits, y = rng.normal(size=(40, 3)) * 3, rng.integers(3, size=40)
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = brier_score_loss(y, proba, labels=[0, 1, 2], scale_by_half=False)
    assert brier_losses(logits, y).mean() == pytest.approx(expected)
    np.testing.assert_allclose(brier_losses(logits_of([0.3, 1.2]), [0, 0]), [0.3, 1.2])


@pytest.mark.parametrize("n_errors", [1.0, 2.0])
def test_a_later_option_has_to_be_better_by_standard_errors(n_errors):
    rows, noise = masked(n_errors=n_errors), noise_of()
    bound = n_errors * 0.02 / np.sqrt(50)
    for gain, expected in ((1.01 * bound, "b"), (0.99 * bound, "a"), (-0.2, "a")):
        option, scores = rows.choose(
            "ab", [logits_of(np.full(50, 0.5)), logits_of(0.5 - gain - noise)]
        )
        assert option == expected
        assert scores["a"] - scores["b"] == pytest.approx(gain)
        weighted = masked(n_errors=n_errors, weight=np.full(50, 7.0))
        again = weighted.choose(
            "ab", [logits_of(np.full(50, 0.5)), logits_of(0.5 - gain - noise)]
        )
        assert again == (option, pytest.approx(scores))


def test_options_are_compared_with_the_last_one_chosen():
    rows, noise = masked(), noise_of()

    def chosen(*gains):
        losses = [0.5 - gain - (noise if gain else 0.0 * noise) for gain in gains]
        return rows.choose("abc", [logits_of(loss) for loss in losses])[0]

    error = 0.02 / np.sqrt(50)
    # The third is better than the first by more than an error, not than the second.
    assert chosen(0.0, 2 * error, 1.5 * error) == "b"
    assert chosen(0.0, 0.5 * error, 1.5 * error) == "c"


def test_a_row_counts_once_however_many_copies_there_are():
    noise = noise_of()
    gain = 0.99 * 0.02 / np.sqrt(50)
    rows = masked(n_modalities=4)
    copies = [np.repeat(v, 3) for v in (np.full(50, 0.5), 0.5 - gain - noise)]
    assert rows.choose("ab", [logits_of(v) for v in copies])[0] == "a"
    rows = masked(n=60, n_modalities=3, missing=0.4)
    X, _ = make_blocks(n=60, n_modalities=3, missing=0.4)
    count = X.present.sum(axis=1)
    most = count - (count == 3)
    loss = rows.data.present.sum(axis=1) / 10
    _, scores = rows.choose("a", [logits_of(loss)])
    assert scores["a"] == pytest.approx(np.mean((1 + most) / 20))


def test_weights_and_a_single_row():
    # The second option is better for the rows of some weight alone.
    weight = np.repeat([1.0, 0.01], 25)
    losses = np.full(50, 0.5), np.repeat([0.4, 1.0], 25)
    option, scores = masked(weight=weight).choose("ab", list(map(logits_of, losses)))
    assert option == "b"
    assert scores["b"] == pytest.approx((25 * 0.4 + 0.25 * 1.0) / 25.25)
    # One row says nothing.
    one = masked(n=1)
    option, scores = one.choose("ab", [logits_of([0.9]), logits_of([0.1])])
    assert option == "a" and scores["b"] < scores["a"]


# -- the estimator --------------------------------------------------------------------


def test_calibration_is_chosen_on_rows_held_out():
    X, y = make_blocks(n=120, n_modalities=3, missing=0.2)
    clf = DyMoSelector(**SMALL, statistics="held_out").fit(X, y)
    assert set(clf.calibration_scores_) == {"log", "ratio", None}
    assert set(clf.min_reward_scores_) == set(MIN_REWARDS)
    scores = clf.calibration_scores_
    assert scores[clf.calibration_] <= scores["ratio"]
    # Not on training rows, which the recovery may know by heart.
    plain = DyMoSelector(**SMALL).fit(X, y)
    assert plain.calibration_ == "ratio" and plain.calibration_scores_ == {}
    assert set(plain.min_reward_scores_) == set(MIN_REWARDS)
    fixed = DyMoSelector(**SMALL, calibration=None, statistics="held_out").fit(X, y)
    assert fixed.calibration_ is None and fixed.calibration_scores_ == {}
    np.testing.assert_array_equal(
        clf.predict_proba(X), clf.predict_proba(X, calibration=clf.calibration_)
    )


def test_nothing_is_chosen_where_nothing_is_judged():
    X, y = make_blocks(n=120)
    for selection in ("all", "none"):
        clf = DyMoSelector(**SMALL, statistics="held_out", selection=selection)
        assert clf.fit(X, y).calibration_scores_ == clf.min_reward_scores_ == {}
        assert clf.calibration_ == "ratio" and clf.min_reward_ == 0.0
    fixed = DyMoSelector(**SMALL, statistics="held_out", min_reward=0.2).fit(X, y)
    assert fixed.min_reward_ == 0.2 and fixed.min_reward_scores_ == {}
    # Its calibration is the best for rewards above 0.2.
    assert len(fixed.calibration_scores_) == 3
    alone = X.select(["m0"])[X.present[:, 0]]
    clf = DyMoSelector(**SMALL).fit(alone, y[X.present[:, 0]])
    assert clf.min_reward_ == 0.0 and clf.min_reward_scores_ == {}


def test_which_rows_the_least_reward_is_chosen_on(monkeypatch):
    seen = []

    class Masked(MaskedRows):
        def __init__(self, data, y, weight, n_errors, rng):
            seen.append((len(data), n_errors))
            super().__init__(data, y, weight, n_errors, rng)

    monkeypatch.setattr(_prediction, "MaskedRows", Masked)
    X, y = make_blocks(n=400, n_modalities=2, missing=0.0)
    few = {**SMALL, "max_epochs": 1}
    DyMoSelector(**few).fit(X, y)
    DyMoSelector(**few, statistics="held_out").fit(X, y)
    assert seen == [(TRAINING_ROWS, 2.0), (40, 1.0)] and TRAINING_ROWS == 300
    assert CALIBRATIONS == ("ratio", "log", None)
    np.testing.assert_array_equal(MIN_REWARDS, [0.0, 0.1, 0.3, np.inf])


class Normal(BaseRecovery):
    """Noise with the mean and deviation of every feature."""

    def __init__(self, modalities=None):
        self.modalities = modalities

    def _recover(self, data):
        rng = np.random.default_rng(len(data))
        gone = (~data.present).sum(axis=0)
        return {
            name: self.means_[name]
            + self._deviations[name] * rng.normal(size=(n, *data.block_shapes[name]))
            for name, n in zip(data.names, gone)
        }


def one_left(X, seed=0):
    rank = np.random.default_rng(seed).random(X.shape).argsort(axis=1)
    return X.hide(rank.argsort(axis=1) > 0)


@pytest.mark.parametrize("seed", range(4))
def test_noise_is_left_alone_and_what_helps_is_fused(seed):
    X, y = make_blocks(n=700, n_modalities=6, missing=0.0, seed=seed)
    train, rows = slice(0, 300), one_left(X[300:], seed)
    settings = {**LONGER, "random_state": seed}
    first = DyMoSelector(**settings, recovery=Truth()).fit(X[train], y[train])
    assert first.min_reward_ == 0.0

    def accuracy(clf, **policy):
        labels = clf.classes_[clf.predict_proba(rows, **policy).argmax(axis=1)]
        return np.mean(labels == y[300:])

    none = accuracy(first, selection="none")
    assert accuracy(first) > none + 0.05
    lent = {**settings, "estimator": first}
    noise = DyMoSelector(**lent, recovery=Normal()).fit(X[train], y[train])
    # As in the paper noise is fused, since it is as likely as what it stands for.
    assert accuracy(noise, min_reward=0.0) < none - 0.02
    assert noise.min_reward_ >= 0.3 and accuracy(noise) > none - 0.015
    mean = DyMoSelector(**lent, recovery=MeanRecovery()).fit(X[train], y[train])
    assert accuracy(mean) > none - 0.015
    # A donor of a training row is the row itself: that must not make it less strict
    # than the paper.
    near = NeighborRecovery(n_neighbors=1)
    near = DyMoSelector(**lent, recovery=near).fit(X[train], y[train])
    assert near.calibration_ == "ratio" and near.min_reward_ >= 0.0


def test_the_least_reward_of_a_prediction():
    X, y = make_blocks(n=150, n_modalities=3, missing=0.4)
    clf = DyMoSelector(**SMALL, recovery=Truth(), min_reward=0.0).fit(X, y)
    assert clf.select(X).sum() > X.present.sum()
    for method in (clf.predict_proba, clf.predict_log_proba):
        np.testing.assert_array_equal(
            method(X, min_reward=np.inf), method(X, selection="none")
        )
    np.testing.assert_array_equal(clf.select(X, min_reward=np.inf), X.present)
    report = clf.selection_report(X, min_reward=0.05)
    assert (report.accepted & (report.reward <= 0.05)).sum() == 0
    later = clf.set_params(min_reward=0.05).selection_report(X)
    assert later.equals(report)
    for bad in (np.nan, "much"):
        with pytest.raises(ValueError, match="Got min_reward=.*, expected a number"):
            clf.predict_proba(X, min_reward=bad)
