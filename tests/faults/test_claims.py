"""Faults in what the documentation says of the papers, of defaults and of limits."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline

from skmissing import (
    IPWMultimodalClassifier,
    MultimodalData,
    PIDEstimator,
    PRIMOClassifier,
    PropensityWeighter,
    UMEMMAEnsemble,
)
from skmissing.baselines import (
    FusionClassifier,
    MissingDetectionClassifier,
    MultitaskFusionClassifier,
    UnimodalEnsemble,
)
from skmissing.datasets import make_bitwise, make_xor
from skmissing.dymo._judge import Judged
from skmissing.dymo._selection import Policy, select
from skmissing.ipw import modality_utility
from skmissing.modalities import ModalityTransformer

from .._instances import NET
from ..conftest import make_blocks

DOCS = Path(__file__).parents[2] / "docs"

# -- what the three data sets of UME-MMA share


def test_published_data_sets_share_the_first_three_methods_only():
    table = pd.read_csv(DOCS / "benchmarks/umemma_published.csv", index_col="Method")
    assert table.shape == (6, 3)
    ranks = table.rank(ascending=False)
    assert (ranks.loc["UME-MMA"] == 1).all()
    following = table.loc[["only augmentation", "missing detection"]]
    others = table.drop(index=["UME-MMA", *following.index])
    assert (following.min() >= others.max()).all()
    assert (following.diff().iloc[1].abs() < 1).all()
    assert ranks["Kinetics-Sound"].equals(ranks["AV-MNIST"])
    assert not ranks["AVE"].equals(ranks["AV-MNIST"])


# -- rewards that are no difference of probabilities


def judged(loss_before, loss_after, kind="prob", min_reward=0.0):
    """Whether a second modality is fused that changes the loss of the confidence."""

    class Fixed:
        def logits(self, rows, masks):
            return np.tile([1.0, 0.0], (len(rows), 1))

        def __call__(self, rows, masks):
            loss = np.where(masks.sum(axis=1) == 1, loss_before, loss_after)
            return Judged(self.logits(rows, masks), loss, np.zeros(len(rows)))

    present, candidates = np.array([[True, False]]), np.array([[False, True]])
    policy = Policy("iterative", None, kind, min_reward)
    outcome = select(Fixed(), present, candidates, policy, reports=True)
    return bool(outcome.fused[0, 1]), float(outcome.history[0].reward[0])


@pytest.mark.parametrize("kind", ["prob", "logprob"])
def test_rewards_below_the_resolution_of_probabilities_fuse_nothing(kind):
    fused, reward = judged(1e-30, 1e-54, kind)
    assert not fused
    # What was found stays in the report.
    assert reward == pytest.approx(1e-30)


@pytest.mark.parametrize("kind", ["prob", "logprob"])
def test_rewards_above_the_resolution_of_probabilities_fuse(kind):
    assert judged(1e-14, 1e-54, kind)[0]


def test_rewards_of_a_hair_less_count_as_no_loss_under_a_negative_minimum():
    assert judged(1e-54, 1e-30, min_reward=-1e-3)[0]
    assert not judged(1e-54, 1e-2, min_reward=-1e-3)[0]


# -- early stopping that splits patients


class Recording(FusionClassifier):
    """Keeps the groups of every fit."""

    seen: ClassVar[list] = []

    def fit(self, X, y, sample_weight=None, groups=None):
        self.seen.append(groups)
        return super().fit(X, y, sample_weight, groups)


def recorded(run, patient):
    """Whether each fit of a run got groups, and the folds held patients together."""
    Recording.seen.clear()
    run(Recording(**{**NET, "max_epochs": 1, "early_stopping": True}))
    assert Recording.seen
    return [
        groups is not None and set(np.bincount(groups)) <= {0, 3} and len(groups) <= 60
        for groups in Recording.seen
    ]


PATIENT = np.arange(60) // 3
FOLDS = GroupKFold(3)
WAYS = {
    "params": lambda clf, X, y: cross_val_score(
        clf, X, y, groups=PATIENT, cv=FOLDS, params={"groups": PATIENT}
    ),
    "step of a pipeline": lambda clf, X, y: cross_val_score(
        make_pipeline(ModalityTransformer([]), clf), X, y, groups=PATIENT, cv=FOLDS,
        params={"recording__groups": PATIENT},
    ),
    "step of a search": lambda clf, X, y: GridSearchCV(
        make_pipeline(ModalityTransformer([]), clf), {"recording__lr": [1e-3]},
        cv=FOLDS,
    ).fit(X, y, groups=PATIENT, recording__groups=PATIENT),
    "list of splits": lambda clf, X, y: CalibratedClassifierCV(
        clf, cv=list(FOLDS.split(X, y, PATIENT))
    ).fit(X, y, groups=PATIENT),
}  # fmt: skip
ROUTED = {
    "cross-validation": lambda clf, X, y: cross_val_score(
        clf, X, y, cv=FOLDS, params={"groups": PATIENT}
    ),
    "search": lambda clf, X, y: GridSearchCV(clf, {"lr": [1e-3]}, cv=FOLDS).fit(
        X, y, groups=PATIENT
    ),
    "calibration": lambda clf, X, y: CalibratedClassifierCV(clf, cv=FOLDS).fit(
        X, y, groups=PATIENT
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_patients_stay_together_where_groups_are_passed_to_fit(way):
    X, y = make_blocks(n=60, n_modalities=2)
    assert all(recorded(lambda clf: WAYS[way](clf, X, y), PATIENT))


@pytest.mark.parametrize("way", ROUTED)
def test_patients_stay_together_where_groups_are_routed(way):
    X, y = make_blocks(n=60, n_modalities=2)
    with sklearn.config_context(enable_metadata_routing=True):
        run = lambda clf: ROUTED[way](clf.set_fit_request(groups=True), X, y)  # noqa: E731
        assert all(recorded(run, PATIENT))


# -- limits that docstrings state

ADDITIVE = (
    UMEMMAEnsemble,
    UnimodalEnsemble,
    MultitaskFusionClassifier,
    MissingDetectionClassifier,
)


@pytest.mark.parametrize("kind", ADDITIVE)
def test_additive_nets_are_at_chance_where_modalities_interact(kind):
    X, y = make_xor(1200, four_quadrants=True, return_X_y=True, random_state=0)
    clf = kind(**NET).fit(X[:800], y[:800])
    assert clf.score(X[800:], y[800:]) < 0.65
    assert "XOR" in kind.__doc__


@pytest.mark.parametrize(
    "kind", [FusionClassifier, pytest.param(PRIMOClassifier, marks=pytest.mark.slow)]
)
def test_other_nets_are_not(kind):
    X, y = make_xor(1200, four_quadrants=True, return_X_y=True, random_state=0)
    clf = kind(n_threads=1, random_state=0).fit(X[:800], y[:800])
    assert clf.score(X[800:], y[800:]) > 0.85


def test_substitute_of_zero_is_in_the_unit_of_the_data():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=600)
    sodium = 140 + y[:, None] + rng.normal(size=(600, 2))
    ph = 7.4 + 0.1 * (y[:, None] + rng.normal(size=(600, 2)))
    X = MultimodalData({"sodium": sodium, "ph": ph})
    scores = {
        kind: MultitaskFusionClassifier(**NET, substitute=kind)
        .fit(X[:400], y[:400])
        .score(X[400:].hide("sodium"), y[400:])
        for kind in ("zero", "mean")
    }
    assert scores["zero"] < 0.6
    assert scores["mean"] > 0.65
    for kind in (MultitaskFusionClassifier, UMEMMAEnsemble, MissingDetectionClassifier):
        text = " ".join(kind.__doc__.split())
        assert "Zeros are those of the unit of the data" in text


# -- biased values that are not those of the paper


def test_a_modality_that_is_always_there_is_not_biased_unless_rows_are_left_out():
    bunch = make_bitwise(gate="and", mechanism="mar", random_state=0)
    X, y = bunch.data, bunch.target
    table = modality_utility(
        LogisticRegression(), X, y, propensity=PropensityWeighter(random_state=0),
        scoring="roc_auc", n_bootstraps=0, random_state=0,
    ).set_index(["subset", "baseline"])  # fmt: skip
    always, sometimes = table.loc["x1", ""], table.loc["x2", ""]
    assert always.biased_value == always.value
    assert always.value == pytest.approx(bunch.oracle["true"]["auc_x1"], abs=0.01)
    # Of the other one the bias is that of the paper.
    published = bunch.oracle["observed"]["auc_x2"]
    assert sometimes.biased_value == pytest.approx(published, abs=0.01)
    # As in the paper: rows without x2 are left out for x1 too.
    seen = np.asarray(X.present.all(axis=1))
    clf = IPWMultimodalClassifier(LogisticRegression(), use=["x1"], weighting="none")
    p = clf.fit(X[seen], y[seen]).predict_proba(X[seen])[:, 1]
    published = bunch.oracle["observed"]["auc_x1"]
    assert roc_auc_score(y[seen], p) == pytest.approx(published, abs=0.01)
    assert "by design not the published one" in " ".join(clf.__doc__.split())


def test_unique_information_of_complete_rows_belongs_to_the_bit_that_is_missing():
    bunch = make_bitwise(gate="and", mechanism="mar", random_state=0)
    pid = PIDEstimator(method="exact").fit(bunch.data, bunch.target)
    # Printed as unique to the first bit.
    assert pid.unique_["x2"] == pytest.approx(0.44, abs=0.02)
    assert pid.unique_["x1"] < 0.01
    assert "are swapped" in " ".join(PIDEstimator.__doc__.split())
