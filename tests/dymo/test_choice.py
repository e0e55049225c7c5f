"""How calibration and the minimum reward are chosen."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import brier_score_loss

from skmissing import DyMoSelector
from skmissing._estimation._rows import LabelledRows
from skmissing.dymo import Typicality, _policy_search, _selector
from skmissing.dymo._fusion import PreparedRows
from skmissing.dymo._policy_search import (
    CALIBRATIONS,
    MIN_REWARDS,
    MaskedRows,
    brier_losses,
    hide_some,
)
from skmissing.dymo._recoverer import Recoverer
from skmissing.recovery import BaseRecovery, MeanRecovery

from ..conftest import make_blocks
from .test_selector import SMALL, Truth

DRAWS = np.random.RandomState
HELD_OUT = Typicality(statistics="held_out")
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


def masked(n=50, n_modalities=2, weight=None, groups=None, missing=0.0):
    X, _ = make_blocks(n=n, n_modalities=n_modalities, missing=missing)
    weight = np.ones(n) if weight is None else weight
    y = np.zeros(n, dtype=int)
    return MaskedRows(LabelledRows(X, y, np.arange(2), weight, groups), DRAWS(0))


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


def test_a_later_option_has_to_be_better_by_a_standard_error():
    noise, error = noise_of(), 0.02 / np.sqrt(50)
    for gain, expected in ((1.01 * error, "b"), (0.99 * error, "a"), (-0.2, "a")):
        logits = [logits_of(np.full(50, 0.5)), logits_of(0.5 - gain - noise)]
        option, scores = masked().choose("ab", logits)
        assert option == expected
        assert scores["a"] - scores["b"] == pytest.approx(gain)
        again = masked(weight=np.full(50, 7.0)).choose("ab", logits)
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


def test_a_group_counts_once():
    noise, groups = noise_of(), np.repeat(np.arange(50), 4)
    loss = [np.full(50, 0.5), 0.5 - 0.99 * 0.02 / np.sqrt(50) - noise]
    logits = [logits_of(np.repeat(part, 4)) for part in loss]
    assert masked(n=200).choose("ab", logits)[0] == "b"
    option, scores = masked(n=200, groups=groups).choose("ab", logits)
    assert option == "a"
    # A large group has the weight of its rows.
    uneven = np.repeat([0.2, 1.0], [150, 50])
    _, scores = masked(n=200, groups=uneven).choose("a", [logits_of(uneven)])
    assert scores["a"] == pytest.approx(0.4)


def test_weights_count_in_means_and_errors():
    # The second option is better for the rows of some weight.
    weight = np.repeat([1.0, 0.01], 25)
    losses = np.full(50, 0.5), np.repeat([0.4, 1.0], 25)
    option, scores = masked(weight=weight).choose("ab", list(map(logits_of, losses)))
    assert option == "b"
    assert scores["b"] == pytest.approx((25 * 0.4 + 0.25 * 1.0) / 25.25)
    # Few rows have nearly all of the weight: the error is theirs.
    weight = np.repeat([1.0, 1e-6], [4, 46])
    gain = np.concatenate([[0.3, 0.0, 0.0, -0.1], np.full(46, 0.05)])
    losses = np.full(50, 0.5), 0.5 - gain
    assert masked(weight=weight).choose("ab", list(map(logits_of, losses)))[0] == "a"
    assert masked().choose("ab", list(map(logits_of, losses)))[0] == "b"


@pytest.mark.parametrize("n", [1, 2, 7, 60])
def test_a_single_row_decides_nothing(n):
    for seed in range(30):
        losses = np.full((2, n), 0.5)
        losses[1, 0] -= np.random.default_rng(seed).uniform(0.01, 0.5)
        option, scores = masked(n=n).choose("ab", list(map(logits_of, losses)))
        assert option == "a"
        assert scores["b"] < scores["a"]


# -- the estimator --------------------------------------------------------------------


def test_calibration_is_chosen_on_rows_held_out():
    X, y = make_blocks(n=320, n_modalities=3, missing=0.2)
    clf = DyMoSelector(**SMALL, typicality=HELD_OUT).fit(X, y)
    assert set(clf.calibration_scores_) == {"log", "ratio", None}
    assert set(clf.min_reward_scores_) == set(MIN_REWARDS)
    scores = clf.calibration_scores_
    assert scores[clf.calibration_] <= scores["ratio"]
    # Neither on training rows, of which the net knows too much, nor on a few others.
    for few in (DyMoSelector(**SMALL), DyMoSelector(**SMALL, typicality=HELD_OUT)):
        few.fit(X[:200], y[:200])
        assert few.calibration_ == "ratio"
        assert few.calibration_scores_ == {}
        assert few.min_reward_ == 0.0
        assert few.min_reward_scores_ == {}
    fixed = DyMoSelector(**SMALL, calibration=None, typicality=HELD_OUT).fit(X, y)
    assert fixed.calibration_ is None
    assert fixed.calibration_scores_ == {}
    np.testing.assert_array_equal(
        clf.predict_proba(X), clf.predict_proba(X, calibration=clf.calibration_)
    )
    # Another selector with the same net and rows chooses alike.
    frozen = DyMoSelector(
        **SMALL, typicality=HELD_OUT, estimator=FrozenEstimator(clf)
    ).fit(X, y)
    assert frozen.calibration_scores_ == clf.calibration_scores_
    assert frozen.min_reward_scores_ == clf.min_reward_scores_


def test_nothing_is_chosen_where_nothing_is_judged():
    X, y = make_blocks(n=320)
    for selection in ("all", "none"):
        clf = DyMoSelector(**SMALL, typicality=HELD_OUT, selection=selection)
        assert clf.fit(X, y).calibration_scores_ == clf.min_reward_scores_ == {}
        assert clf.calibration_ == "ratio"
        assert clf.min_reward_ == 0.0
    alone = X.select(["m0"])[X.present[:, 0]]
    clf = DyMoSelector(**SMALL, typicality=HELD_OUT, validation_fraction=0.3)
    clf.fit(alone, y[X.present[:, 0]])
    assert clf.min_reward_ == 0.0
    assert clf.min_reward_scores_ == {}


def policies_of(clf, X, y, monkeypatch, take=0):
    """Which policies were compared in fit; the option that is taken each time."""
    asked = []
    monkeypatch.setattr(
        MaskedRows, "choose", lambda self, options, logits: (options[take], {"seen": 1})
    )
    select, filled = PreparedRows.select, []

    def spy(self, policy, **how):
        asked.append((policy.selection, policy.calibration, policy.min_reward))
        return select(self, policy, **how)

    class Counted(Recoverer):
        def fill(self, data):
            filled.append(len(data))
            return super().fill(data)

    monkeypatch.setattr(PreparedRows, "select", spy)
    monkeypatch.setattr(_selector, "Recoverer", Counted)
    clf.fit(X, y)
    # Rows are recovered once, however many policies there are.
    assert len(filled) == 1
    return asked


def test_the_minimum_reward_is_chosen_for_the_calibration_in_use(monkeypatch):
    X, y = make_blocks(n=320)
    clf = DyMoSelector(**SMALL, typicality=HELD_OUT, selection="simultaneous")
    asked = policies_of(clf, X, y, monkeypatch, take=1)
    how = "simultaneous"
    first = [(how, c, 0.0) for c in ("ratio", "log", None)]
    second = [(how, "log", r) for r in (0.0, 0.1, 0.3)]
    assert asked == [*first, *second, ("none", "log", np.inf)]
    assert clf.calibration_ == "log"
    assert clf.min_reward_ == 0.1


def test_the_calibration_is_chosen_for_the_minimum_reward_that_is_given(monkeypatch):
    X, y = make_blocks(n=320)
    clf = DyMoSelector(**SMALL, typicality=HELD_OUT, min_reward=0.2)
    asked = policies_of(clf, X, y, monkeypatch)
    assert asked == [("iterative", c, 0.2) for c in ("ratio", "log", None)]
    assert clf.min_reward_ == 0.2
    assert clf.min_reward_scores_ == {}


def test_which_rows_the_minimum_reward_is_chosen_on(monkeypatch):
    seen = []

    class Masked(MaskedRows):
        def __init__(self, rows, rng):
            seen.append((rows.y, rows.groups))
            super().__init__(rows, rng)

    monkeypatch.setattr(_policy_search, "MaskedRows", Masked)
    monkeypatch.setattr(_policy_search, "MAX_HELD_OUT", 35)
    X, y = make_blocks(n=500, n_modalities=2, missing=0.0)
    order = np.argsort(y, kind="stable")
    clf = DyMoSelector(**{**SMALL, "max_epochs": 1}, typicality=HELD_OUT)
    clf.fit(X[order], y[order], groups=np.arange(500) // 2)
    ((labels, groups),) = seen
    assert len(labels) == 35
    assert len(np.unique(groups)) < 35
    # Drawn: a file may be sorted by class.
    assert (np.diff(labels) < 0).any()
    assert CALIBRATIONS == ("ratio", "log", None)
    np.testing.assert_array_equal(MIN_REWARDS, [0.0, 0.1, 0.3, np.inf])


class Normal(BaseRecovery):
    """Noise with the mean and deviation of every feature."""

    def __init__(self, modalities=None):
        self.modalities = modalities

    def _recover(self, data):
        rng = np.random.default_rng(len(data))
        n_missing = (~data.present).sum(axis=0)
        return {
            name: self.means_[name]
            + self._deviations[name] * rng.normal(size=(n, *data.block_shapes[name]))
            for name, n in zip(data.names, n_missing)
        }


def one_left(X, seed=0):
    rank = np.random.default_rng(seed).random(X.shape).argsort(axis=1)
    return X.hide(rank.argsort(axis=1) > 0)


@pytest.mark.slow
def test_noise_is_left_alone_and_what_helps_is_fused():
    gains = []
    for seed in range(3):
        X, y = make_blocks(n=2400, n_modalities=6, missing=0.0, seed=seed)
        train, rows, labels = slice(0, 400), one_left(X[400:], seed), y[400:]
        settings = {**LONGER, "random_state": seed}
        settings |= {"typicality": HELD_OUT, "validation_fraction": 0.2}
        first = DyMoSelector(**settings, recovery=Truth()).fit(X[train], y[train])

        def accuracy(clf, rows=rows, labels=labels, **policy):
            proba = clf.predict_proba(rows, **policy)
            return np.mean(clf.classes_[proba.argmax(axis=1)] == labels)

        none = accuracy(first, selection="none")
        frozen = {**settings, "estimator": FrozenEstimator(first)}
        noise = DyMoSelector(**frozen, recovery=Normal()).fit(X[train], y[train])
        mean = DyMoSelector(**frozen, recovery=MeanRecovery()).fit(X[train], y[train])
        assert first.min_reward_ == 0.0
        assert noise.min_reward_ > 0.0
        values = [accuracy(first), accuracy(noise), accuracy(mean)]
        gains.append(np.array([*values, accuracy(noise, min_reward=0.0)]) - none)
    good, noise, mean, noise_as_published = np.mean(gains, axis=0)
    assert good > 0.06
    # Noise is as typical as what it stands for: fused, were it not for predictions.
    assert noise_as_published < -0.03
    assert noise > -0.01
    assert mean > -0.01


def test_the_minimum_reward_of_a_policy_search():
    X, y = make_blocks(n=150, n_modalities=3, missing=0.4)
    clf = DyMoSelector(**SMALL, recovery=Truth(), min_reward=0.0).fit(X, y)
    assert clf.select(X).sum() > X.present.sum()
    for method in (clf.predict_proba, clf.predict_log_proba):
        np.testing.assert_array_equal(
            method(X, min_reward=np.inf), method(X, selection="none")
        )
        np.testing.assert_array_equal(
            method(X, min_reward=np.inf, selection="all"), method(X, selection="all")
        )
    np.testing.assert_array_equal(clf.select(X, min_reward=np.inf), X.present)
    # What was judged can still be seen.
    judged = clf.selection_report(X, min_reward=np.inf)
    assert len(judged) == (~X.present).sum()
    assert not judged.accepted.any()
    bound = np.median(judged.reward[judged.reward > 0])
    report = clf.selection_report(X, min_reward=bound)
    assert report.reward[report.accepted].min() > bound
    assert ((report.reward > 0) & (report.reward <= bound)).any()
    later = clf.set_params(min_reward=bound).selection_report(X)
    assert later.equals(report)
    for bad in (np.nan, "much", None):
        with pytest.raises(ValueError, match=r"Got min_reward=.*, expected 'fitted'"):
            clf.predict_proba(X, min_reward=bad)
        with pytest.raises(ValueError, match="min_reward"):
            clf.set_params(min_reward=bad).predict_proba(X)
    clf.set_params(min_reward=np.inf).fit(X, y)
    assert clf.min_reward_ == np.inf
    np.testing.assert_array_equal(clf.select(X), X.present)
