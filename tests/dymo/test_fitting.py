"""What a selector learns beside its net, and from which rows."""

from __future__ import annotations

import warnings
from typing import ClassVar

import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.ensemble import VotingClassifier
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.feature_selection import (
    RFE,
    RFECV,
    SelectFromModel,
    SequentialFeatureSelector,
)
from sklearn.frozen import FrozenEstimator
from sklearn.impute import IterativeImputer
from sklearn.linear_model import BayesianRidge, LogisticRegression
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV
from sklearn.pipeline import Pipeline, make_pipeline

from skmissing import DyMoSelector, MultimodalData
from skmissing._estimation._inner_estimators import takes_sample_weight
from skmissing.baselines import PatternClassifier
from skmissing.dymo import Typicality, _fusion, _policy_search
from skmissing.dymo._policy_search import MaskedRows
from skmissing.dymo._statistics_table import overall_subsets
from skmissing.dymo._subset_statistics import N_STEPS, FeatureRows, Survival
from skmissing.modalities import ModalityTransformer
from skmissing.recovery import BaseRecovery, MeanRecovery

from ..conftest import make_blocks
from .test_scores import random_rows, table_of, table_rows
from .test_selector import SMALL, Noise, Truth, small_net

DRAWS = np.random.RandomState
HELD_OUT = Typicality(statistics="held_out")


# -- few rows -------------------------------------------------------------------------


def pairs_of_modalities(n=300, m=12, seed=0):
    """Rows with two of many modalities each."""
    rng = np.random.default_rng(seed)
    return rng.random((n, m)).argsort(axis=1) < 2


def test_sets_drawn_are_parts_of_what_rows_have():
    present = pairs_of_modalities()
    y = np.repeat([0, 1, 2], [290, 9, 1])
    sets = overall_subsets(12, DRAWS(0), present, y)
    assert 40 <= len(sets) <= 64
    assert len(np.unique(sets, axis=0)) == len(sets)
    has = (present[None] >= sets[:, None]).all(axis=2)
    assert has.any(axis=1).all()
    # Every class has a part in some set, the one with a single row too.
    assert all((has & (y == k)).any() for k in range(3))


def test_many_modalities_with_few_in_each_row():
    rows = random_rows(0, n=300, m=12, present=pairs_of_modalities())
    table = table_of(rows, 3, "euclidean", 0.1, 10)
    overall = table.pooled.prototypes
    assert np.isfinite(overall).all()
    three = np.arange(12) < 3
    loss, log_p = table.score(
        np.eye(3), overall, np.tile(three, (3, 1)), 0.1, "empirical"
    )
    assert np.isfinite(loss).all()
    assert (log_p > np.log(0.05)).all()


@pytest.mark.parametrize("n_both", [0, 1, 3, 40])
def test_a_set_with_few_rows_finds_others_possible(n_both):
    # Two blocks with the same information: with both, features are about as with one.
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    z = 3.0 * y[:, None] + rng.normal(size=(200, 2))
    present = np.stack([np.arange(200) < 100, np.arange(200) >= 100], axis=1)
    present[:n_both] = True

    rows = table_rows(z, y, present=present)
    table = table_of(rows, 2, "euclidean", 0.1, 10)
    both = table[np.array([True, True])]
    assert (both.sigma > 0.8).all()
    assert (both.sigma < 1.8).all()
    np.testing.assert_allclose(both.prototypes, [[0, 0], [3, 3]], atol=0.6)
    new = 3.0 * y[:, None] + rng.normal(size=(200, 2))
    for ics in ("empirical", "halfnormal"):
        p = np.exp(both.log_plausibility(new, y, "euclidean", ics))
        assert 0.15 < np.median(p) < 0.75
        assert np.quantile(p, 0.05) > 1e-4
    # From as many rows on they speak for themselves.
    strict = table_of(rows, 2, "euclidean", 0.0, 1)
    if n_both == 1:
        assert strict[np.array([True, True])].sigma[0] < 0.01
    if n_both == 40:
        exact = [z[:40][y[:40] == k].mean(axis=0) for k in (0, 1)]
        np.testing.assert_allclose(both.prototypes, exact)


# -- ranks ----------------------------------------------------------------------------


def test_shares_by_hand():
    found = Survival.of(
        np.array([1.0, 2.0, 3.0, 4.0]), np.array([0, 0, 1, 0]),
        np.array([1.0, 2.0, 9.0, 1.0]), 3,
    )  # fmt: skip
    assert len(found.at) == N_STEPS + 1
    assert found.at[-1] == 4.0
    zero = np.zeros(5, dtype=int)
    shares = found(np.array([0.0, 1.5, 3.0, 4.0, 99.0]), zero)
    np.testing.assert_allclose(shares, [1.0, 0.75, 0.25, 0.0, 0.0])
    assert found(np.array([2.9]), zero[:1] + 1) == 1.0
    assert np.isnan(found.shares[2]).all()


def test_rounding_never_moves_a_training_row():
    rng = np.random.default_rng(0)
    ratio = np.abs(rng.normal(size=50))
    found = Survival.of(ratio, np.zeros(50, dtype=int), np.ones(50), 1)
    label = np.zeros(50, dtype=int)
    for nudge in (1 - 1e-6, 1 + 1e-6):
        np.testing.assert_allclose(
            found(ratio * nudge, label), found(ratio, label), atol=1e-5
        )


def test_training_rows_are_judged_on_their_own():
    X, y = make_blocks(n=150, n_modalities=4, missing=0.5)
    clf = DyMoSelector(**SMALL).fit(X, y)
    whole = clf.selection_report(X)
    whole = whole[whole.step == 0].set_index(["row", "modality"]).reward
    for start in range(0, 150, 25):
        part = clf.selection_report(X[start : start + 25])
        part = part[part.step == 0].assign(row=lambda t: t.row + start)  # noqa: B023
        part = part.set_index(["row", "modality"]).reward
        np.testing.assert_allclose(part, whole[part.index], atol=1e-4)


# -- which rows -----------------------------------------------------------------------


class Spy(BaseRecovery):
    """The mean, and a note of what was seen in fit."""

    seen: ClassVar[list] = []

    def __init__(self, modalities=None):
        self.modalities = modalities

    def _fit_rows(self, rows):
        self.seen.append((len(rows), rows.weight, torch.get_num_threads(), rows.groups))

    def _recover(self, data):
        n_missing = (~data.present).sum(axis=0)
        return {n: self._mean_rows(n, g) for n, g in zip(data.names, n_missing)}


def test_rows_held_out_are_not_trained_on(monkeypatch):
    X, y = make_blocks(n=400, n_modalities=3)
    taken = []

    class Taken(FeatureRows):
        @classmethod
        def of(cls, model, rows):
            taken.append((len(rows), rows.weight))
            return super().of(model, rows)

    class Masked(MaskedRows):
        def __init__(self, rows, rng):
            chosen.append((len(rows.data), rows.y, rows.weight))
            super().__init__(rows, rng)

        def choose(self, options, logits):
            return options[1], {}

    chosen = []
    monkeypatch.setattr(_fusion, "FeatureRows", Taken)
    monkeypatch.setattr(_policy_search, "MaskedRows", Masked)
    monkeypatch.setattr(Spy, "seen", [])
    weight = 1.0 + np.arange(400) % 2
    clf = DyMoSelector(**SMALL, recovery=Spy(), typicality=HELD_OUT)
    clf.fit(X, y, sample_weight=weight)
    n_out = chosen[0][0]
    assert 36 <= n_out <= 44
    assert len(chosen[0][1]) == n_out
    assert Spy.seen[0][0] == taken[0][0] == 400 - n_out
    # Weights go along, with the threads that were asked for.
    assert len(np.unique(Spy.seen[0][1])) == 2
    assert Spy.seen[0][2] == 1
    for _, found in taken:
        np.testing.assert_allclose(np.ptp(found), 1 / weight.mean())
    assert taken[1][0] == n_out
    assert np.ptp(chosen[0][2]) > 0
    assert len(chosen) == 1
    assert clf.calibration_ == "log"
    assert clf.min_reward_ == 0.1


def test_groups_reach_a_recovery_in_a_pipeline(monkeypatch):
    X, y = make_blocks(n=60, n_modalities=3)
    monkeypatch.setattr(Spy, "seen", [])
    recovery = make_pipeline(ModalityTransformer(), Spy())
    groups = np.arange(60) // 3
    DyMoSelector(**SMALL, recovery=recovery).fit(X, y, groups=groups)
    assert len(np.unique(Spy.seen[0][3])) == 20


def test_weights_reach_only_what_passes_them_on():
    """Without metadata routing most of scikit-learn's meta-estimators refuse them."""
    X, y = make_blocks(n=60, n_modalities=3)
    recovery = IterativeImputer(estimator=BayesianRidge(), max_iter=2)
    weight = np.linspace(1, 2, 60)
    clf = DyMoSelector(**SMALL, recovery=recovery).fit(X, y, sample_weight=weight)
    assert len(clf.recoveries_) == 1
    refusing = [
        recovery, RFECV(BayesianRidge()), SequentialFeatureSelector(BayesianRidge()),
        TunedThresholdClassifierCV(LogisticRegression()),
    ]  # fmt: skip
    passing = [
        RFE(BayesianRidge()), SelectFromModel(BayesianRidge()),
        GridSearchCV(BayesianRidge(), {}),
        VotingClassifier([("a", LogisticRegression())]),
        Pipeline([("a", LogisticRegression()), ("b", "passthrough")]),
    ]  # fmt: skip
    assert [takes_sample_weight(e) for e in refusing] == [False] * len(refusing)
    assert [takes_sample_weight(e) for e in passing] == [True] * len(passing)
    with config_context(enable_metadata_routing=True):
        assert takes_sample_weight(passing[-1])


@pytest.mark.parametrize(
    ("statistics", "stopping", "n", "expected"),
    [
        ("auto", False, 999, False),
        ("auto", False, 1000, True),
        ("auto", "auto", 1000, True),
        ("auto", True, 100, True),
        ("held_out", False, 100, True),
        ("training", False, 1000, False),
        ("training", "auto", 1000, True),
    ],
)
def test_when_rows_are_held_out(statistics, stopping, n, expected, monkeypatch):
    X, y = make_blocks(n=n + 50, missing=0.0)
    # Rows without anything do not count.
    X = X.hide(np.repeat([[False] * 2, [True] * 2], [n, 50], axis=0))
    seen = []

    def spy(self, task, held_out):
        seen.append(held_out)
        raise InterruptedError

    monkeypatch.setattr(DyMoSelector, "_train_net", spy)
    rule = Typicality(statistics=statistics)
    clf = DyMoSelector(**SMALL, typicality=rule, early_stopping=stopping)
    for groups in (None, np.arange(n + 50) // 5):
        with pytest.raises(InterruptedError):
            clf.fit(X, y, groups=groups)
    for held_out in seen:
        assert abs(held_out.sum() - 0.1 * n * expected) <= 5 * expected
        assert not held_out[n:].any()
    if statistics == "auto" and not stopping:
        # Few groups are not split unless that is asked for.
        with pytest.raises(InterruptedError):
            clf.fit(X, y, groups=np.arange(n + 50) % 9)
        assert not seen[-1].any()


def test_rows_held_out_without_stopping_do_not_train_the_net():
    X, y = make_blocks(n=200, n_modalities=3, missing=0.2)
    seen = []

    class Net(DyMoSelector):
        def _fit_selection(self, rows, held_out, *others):
            seen.append(held_out)

    settings = {**SMALL, "early_stopping": False, "typicality": HELD_OUT}
    first = Net(**settings).fit(X, y)
    (out,) = seen
    for where, same in ((out, True), (~out, False)):
        # Not a multiple of it, which scaling would undo.
        blocks = {k: np.where(where[:, None], v**3, v) for k, v in X.blocks.items()}
        again = Net(**settings).fit(MultimodalData(blocks, X.present), y)
        pairs = zip(first.net_.module_.parameters(), again.net_.module_.parameters())
        assert all(torch.equal(a, b) for a, b in pairs) == same


def test_all_epochs_are_run_where_rows_are_held_out_without_stopping():
    X, y = make_blocks(n=1000, missing=0.0)
    outs = []

    class Net(DyMoSelector):
        def _fit_selection(self, rows, held_out, *others):
            outs.append(held_out)
            super()._fit_selection(rows, held_out, *others)

    brief = {**SMALL, "max_epochs": 3, "early_stopping": False}
    clf = Net(**brief, n_iter_no_change=1).fit(X, y)
    assert clf.n_iter_ == 3
    assert "valid_loss" not in clf.net_.history[-1]
    assert clf.calibration_scores_
    frozen = FrozenEstimator(clf)
    other = Net(**brief, estimator=frozen, recovery=MeanRecovery()).fit(X, y)
    assert other.calibration_scores_
    np.testing.assert_array_equal(*outs)


def test_a_group_is_held_out_whole(monkeypatch):
    X, y = make_blocks(n=120)
    groups = np.arange(120) // 4
    seen = []

    class Net(DyMoSelector):
        def _fit_selection(self, rows, held_out, *others):
            seen.append((rows.groups, held_out))
            super()._fit_selection(rows, held_out, *others)

    monkeypatch.setattr(Spy, "seen", [])
    clf = Net(**SMALL, typicality=HELD_OUT, recovery=Spy())
    clf.fit(X, y, groups=groups)
    rows, out = seen[0]
    # The recovery may hold groups out, too.
    np.testing.assert_array_equal(Spy.seen[0][3], rows[~out])
    assert out.any()
    assert not set(rows[out]) & set(rows[~out])


# -- what does not fit ----------------------------------------------------------------


def test_models_and_recoveries_may_know_more_than_a_fold():
    X, y = make_blocks(n=90, n_modalities=3)
    model = PatternClassifier().fit(X, y)
    fewer = X.hide("m2")[y < 2]
    some = fewer.present.any(axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        clf = DyMoSelector(estimator=FrozenEstimator(model)).fit(fewer, y[y < 2])
        frozen = FrozenEstimator(MeanRecovery().fit(X))
        for recovery in (frozen, MeanRecovery(modalities=["m0", "m1", "m2"])):
            other = DyMoSelector(**SMALL, recovery=recovery).fit(fewer, y[y < 2])
            masks = other.select(fewer, selection="all")
            assert masks[some][:, :2].all()
            assert not masks[:, 2].any()
        proba = model.predict_proba(fewer)[:, :2]
        np.testing.assert_allclose(
            clf.predict_proba(fewer, selection="none")[some],
            (proba / proba.sum(axis=1, keepdims=True))[some],
            atol=1e-7,
        )


def test_a_class_of_weight_zero_is_left_out():
    X, y = make_blocks(n=90)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf = DyMoSelector(**SMALL, class_weight={0: 0.0, 1: 1.0, 2: 1.0}).fit(X, y)
        proba = clf.predict_proba(X)
    assert np.isfinite(proba).all()
    assert np.isnan(clf.prototypes_[0]).all()


def test_a_warm_start_may_change_how_it_trains():
    X, y = make_blocks(n=60)
    clf = DyMoSelector(**SMALL, warm_start=True).fit(X, y)
    other = small_net(
        n_subsets=2,
        subsets_per_row=None,
        contrastive_weight=0.5,
        contrastive_start=9,
        temperature=0.3,
    )
    clf.set_params(net=other, typicality__min_rows=3).fit(X, y)
    module = clf._fitted.module
    assert (module.n_subsets, module.contrastive_weight) == (2, 0.5)
    assert (module.contrastive_start, module.temperature) == (9, 0.3)
    module.counts += 1
    module.begin_training(
        n_subsets=1,
        subsets_per_row=None,
        contrastive_weight=1.0,
        contrastive_start=3,
        temperature=0.1,
    )
    assert not module.counts.any()
    # To another model and back.
    model = PatternClassifier().fit(X, y)
    clf.set_params(estimator=FrozenEstimator(model))
    assert not hasattr(clf.fit(X, y), "net_")
    assert hasattr(clf.set_params(estimator=None).fit(X, y), "net_")


def test_a_recovery_has_to_be_one():
    X, y = make_blocks(n=30)
    for bad in (None, "mean"):
        with pytest.raises(ValueError, match=r"recovery .* for the modality 'm0'"):
            DyMoSelector(**SMALL, recovery={"m0": bad}).fit(X, y)


# -- the settings of the selection ----------------------------------------------------


def test_settings_of_the_selection_arrive():
    X, y = make_blocks(n=120, n_modalities=3, missing=0.4)
    settings = {**SMALL, "net": small_net(), "typicality": Typicality()}
    clf = DyMoSelector(**settings, recovery=Truth(), min_reward=9.0).fit(X, y)
    np.testing.assert_array_equal(clf.select(X), X.present)
    base = clf.set_params(min_reward=0.0).selection_report(X)
    assert base.accepted.any()
    first = base.step == 0
    for change in ({"typicality__ics": "halfnormal"}, {"net__temperature": 0.4}):
        before = {name: clf.get_params()[name] for name in change}
        other = clf.set_params(**change).selection_report(X)
        gap = other[other.step == 0].reward.values - base[first].reward.values
        assert np.abs(gap).max() > 1e-3
        clf.set_params(**before)
    logs = clf.set_params(typicality__reward="logprob").selection_report(X)
    logs = logs[logs.step == 0].reward.to_numpy()
    np.testing.assert_array_equal(logs > 0, base[first].reward.to_numpy() > 0)
    assert np.abs(logs - base[first].reward.to_numpy()).max() > 1e-3
    strict, loose = (
        DyMoSelector(**SMALL, typicality=Typicality(shrinkage=s))
        .fit(X, y)
        .fusion_.table
        for s in (0.0, 5.0)
    )
    key = np.array([True, False, False])
    assert np.ptp(loose[key].sigma) < 0.8 * np.ptp(strict[key].sigma)
    assert strict.shrinkage.min_rows == 10


def test_chunks_make_no_difference(monkeypatch):
    X, y = make_blocks(n=50, n_modalities=3, missing=0.5)
    clf = DyMoSelector(**SMALL).fit(X, y)
    report, masks = clf.selection_report(X), clf.select(X)
    monkeypatch.setattr(_fusion, "SELECT_ROWS", 7)
    again = clf.selection_report(X)
    assert again[["row", "step", "modality"]].equals(
        report[["row", "step", "modality"]]
    )
    np.testing.assert_allclose(again.reward, report.reward, atol=1e-5)
    np.testing.assert_array_equal(clf.select(X), masks)


def test_a_report_of_nothing_is_a_report():
    X, y = make_blocks(n=60, missing=0.0)
    clf = DyMoSelector(**SMALL).fit(X, y)
    report = clf.selection_report(X)
    assert len(report) == 0
    assert report.accepted.dtype == bool
    assert len(report[report.accepted].reward) == 0
    some = clf.selection_report(X.hide({"m0": np.arange(60) < 5}))
    assert list(some.columns) == list(report.columns)
    for name in ("row", "step", "reward", "alpha", "accepted"):
        assert some[name].dtype == report[name].dtype


def test_a_recovery_with_a_missing_feature_is_a_candidate():
    X, y = make_blocks(n=60)

    class Hole(Noise):
        def _recover(self, data):
            out = super()._recover(data)
            for values in out.values():
                values[:, 0] = np.nan
            return out

    clf = DyMoSelector(**SMALL, recovery=Hole()).fit(X, y)
    assert clf.select(X, selection="all").all()
    assert np.isfinite(clf.predict_proba(X, selection="all")).all()
