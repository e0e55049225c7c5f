"""One test for each kind of fault that was found by using the package.

The names begin with what the fault was about; most tests also try a sibling, another
place where the same fault could be.
"""

from __future__ import annotations

import io
import multiprocessing
import signal
import sys
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Checkpoint

from skmissing import (
    DyMoSelector,
    IPWMultimodalClassifier,
    MultimodalData,
    PIDEstimator,
    PRIMOClassifier,
    UMEMMAEnsemble,
)
from skmissing.baselines import (
    FusionClassifier,
    MultitaskFusionClassifier,
    PatternClassifier,
    UnimodalEnsemble,
)
from skmissing.modalities import ModalityTransformer
from skmissing.nn import _runtime
from skmissing.recovery import MultimodalVAE

from .._instances import INIT_PARAMS, NET, SELECTOR
from ..conftest import LINEAR, make_blocks

NETS = (
    FusionClassifier,
    MultitaskFusionClassifier,
    PRIMOClassifier,
    DyMoSelector,
    UMEMMAEnsemble,
    UnimodalEnsemble,
)
FAST = {**NET, "max_epochs": 2}


# -- metadata routing


@pytest.mark.parametrize("name", INIT_PARAMS)
def test_routing_of_every_estimator_can_be_asked_for(name):
    routing = INIT_PARAMS[name].make().get_metadata_routing()
    assert hasattr(routing, "consumes")


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("routing")
def test_routing_works_through_every_meta_estimator():
    X, y = make_blocks(n=60)
    weight, groups = np.ones(60), np.arange(60) // 2
    clf = DyMoSelector(**{**SELECTOR, "max_epochs": 2})
    plain = clone(clf)
    clf.set_fit_request(sample_weight=True, groups=True).set_score_request(
        sample_weight=True
    )
    passed = {"sample_weight": weight, "groups": groups}
    pipe = make_pipeline(ModalityTransformer(), clf)
    pipe.fit(X, y, **passed)
    assert len(cross_val_score(pipe, X, y, params=passed, cv=2)) == 2
    grid = GridSearchCV(clf, {"lr": [1e-2, 2e-2]}, cv=2).fit(X, y, **passed)
    assert grid.best_estimator_.predict(X).shape == (60,)
    calibrated = CalibratedClassifierCV(plain, cv=2).fit(X, y)
    assert calibrated.predict_proba(X).shape == (60, 3)
    # Another router around it.
    outer = IPWMultimodalClassifier(clone(clf), use=["m0"], weighting="none")
    X = X.select("m0")[X.present[:, 0]]
    outer.fit(X, y[: len(X)], sample_weight=weight[: len(X)])
    assert outer.predict(X).shape == (len(X),)


def test_policies_of_predict_are_those_of_predict_proba():
    X, y = make_blocks(n=60)
    clf = DyMoSelector(**{**SELECTOR, "max_epochs": 2}).fit(X, y)
    for selection in ("all", "none", "simultaneous"):
        proba = clf.predict_proba(X, selection=selection)
        np.testing.assert_array_equal(
            clf.predict(X, selection=selection), clf.classes_[proba.argmax(axis=1)]
        )


# -- torch


@pytest.mark.parametrize("kind", NETS)
def test_optimizer_sgd_and_a_rare_modality(kind):
    """A weight may get its first gradient later than the others."""
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    X = MultimodalData(
        {"a": rng.normal(size=(200, 3)), "b": rng.normal(size=(200, 3))}
    ).hide({"b": np.arange(200) >= 10})
    for seed in range(4):
        clf = kind(**{**FAST, "optimizer": "sgd", "lr": 1e-2, "random_state": seed})
        assert np.isfinite(clf.fit(X, y).predict_proba(X)).all()


def test_optimizer_sgd_in_a_recovery():
    X, _ = make_blocks(n=40)
    vae = MultimodalVAE(**{**FAST, "optimizer": "sgd", "lr": 1e-4}).fit(X)
    assert np.isfinite(vae.transform(X)["m0"]).all()


@pytest.fixture
def default_dtype():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def default_device():
    torch.set_default_device("meta")
    yield
    torch.set_default_device(None)


@pytest.fixture
def no_grad():
    with torch.no_grad():
        yield


@pytest.fixture
def inference_mode():
    with torch.inference_mode():
        yield


@pytest.fixture
def autocast():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        yield


STATES = ["default_dtype", "default_device", "no_grad", "inference_mode", "autocast"]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("kind", [*NETS, MultimodalVAE])
def test_state_of_torch_changes_no_result(kind, state, request):
    X, y = make_blocks(n=60)

    def run():
        model = kind(**FAST, device="cpu").fit(X, y)
        if kind is MultimodalVAE:
            return model.transform(X)["m0"]
        return model.predict_proba(X)

    expected = run()
    request.getfixturevalue(state)
    before = torch.get_default_dtype(), torch.is_grad_enabled()
    np.testing.assert_array_equal(run(), expected)
    assert (torch.get_default_dtype(), torch.is_grad_enabled()) == before


@pytest.mark.parametrize(
    "state",
    [
        "autocast",
        *(
            pytest.param(s, marks=pytest.mark.slow)
            for s in ("no_grad", "inference_mode")
        ),
    ],
)
def test_state_of_torch_changes_no_coupling(state, request):
    first, second = np.random.default_rng(0).integers(2, size=(2, 300, 1))
    X, y = MultimodalData({"a": first, "b": second}), (first & second).ravel()
    pid = PIDEstimator(method="coupling", estimator=LINEAR, cv=2, random_state=0)
    expected = clone(pid).fit(X, y).to_frame()["value"].to_numpy()
    request.getfixturevalue(state)
    found = clone(pid).fit(X, y).to_frame()["value"].to_numpy()
    np.testing.assert_array_equal(found, expected)


def test_interrupts_wait_until_the_compiler_is_imported(monkeypatch):
    imported = []

    def half_way(name):
        signal.raise_signal(signal.SIGINT)
        imported.append(name)

    monkeypatch.delitem(sys.modules, "torch._dynamo", raising=False)
    monkeypatch.setattr(_runtime.importlib, "import_module", half_way)
    with pytest.raises(KeyboardInterrupt):
        _runtime.load_compiler()
    assert imported == ["torch._dynamo"]


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_forked_child_predicts_after_threads_of_the_parent():
    X, y = make_blocks(n=400)
    clf = FusionClassifier(**{**FAST, "n_threads": None}).fit(X, y)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        torch.randn(1000, 1000) @ torch.randn(1000, 1000)
        clf.predict_proba(X)
        child = multiprocessing.get_context("fork").Process(
            target=clf.predict_proba, args=(X,)
        )
        child.start()
        child.join(timeout=60)
        hangs = child.is_alive()
        child.kill()
    finally:
        torch.set_num_threads(before)
    assert not hangs
    assert child.exitcode == 0


# -- what comes out


@pytest.mark.parametrize("value", [1e30, -1e30])
@pytest.mark.parametrize("kind", NETS)
def test_output_is_finite_for_extreme_values(kind, value):
    X, y = make_blocks(n=60, missing=0.0)
    clf = kind(**FAST).fit(X, y)
    far = MultimodalData({n: np.full((2, *X[n].shape[1:]), value) for n in X.names})
    assert np.isfinite(clf.predict_proba(far)).all()


class Undefined(ClassifierMixin, BaseEstimator):
    """A classifier that predicts NaN."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), np.nan)

    def predict(self, X):
        return self.classes_[np.zeros(len(X), dtype=int)]


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("inner", [Undefined(), GaussianNB(var_smoothing=0)])
def test_output_that_is_no_number_is_refused(inner):
    X, y = make_blocks(n=60, missing=0.0)
    constant = MultimodalData({"a": np.zeros((60, 2)), "b": X["m0"] * 0})
    for clf in (PatternClassifier(inner), IPWMultimodalClassifier(inner)):
        clf.fit(constant, y)
        with pytest.raises(ValueError, match="Got NaN as the prediction for 60 of 60"):
            clf.predict_proba(constant)


def test_output_of_a_training_that_diverged():
    X, y = make_blocks(n=60)
    for kind in (FusionClassifier, DyMoSelector):
        with pytest.raises(ValueError, match=r"not finite after training with lr=1e\+"):
            kind(**{**FAST, "lr": 1e30, "optimizer": "sgd"}).fit(X, y)


# -- progress


def test_progress_stays_out_of_logs(monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    X, y = make_blocks(n=40)
    FusionClassifier(**FAST, verbose=1).fit(X, y)
    assert log.getvalue() == ""


# -- messages --------------------------------------------------------------------------


@pytest.mark.parametrize("callbacks", [["PrintLog"], [("log", 3)], [int]])
def test_callbacks_that_are_none_are_refused(callbacks):
    X, y = make_blocks(n=30)
    with pytest.raises(TypeError, match="in callbacks, expected callbacks of skorch"):
        FusionClassifier(**{**FAST, "callbacks": callbacks}).fit(X, y)


def test_checkpoint_finds_the_best_epoch(tmp_path):
    X, y = make_blocks(n=60)
    kept = Checkpoint(dirname=tmp_path)
    clf = FusionClassifier(**{**FAST, "callbacks": [kept], "early_stopping": True})
    epochs = clf.fit(X, y).net_.history
    first, second = epochs[:2, "valid_loss"]
    assert epochs[:2, "valid_loss_best"] == [True, second < first]
    assert (tmp_path / "params.pt").exists()


def test_checkpoint_needs_rows_to_validate_on(tmp_path):
    X, y = make_blocks(n=60)
    kept = Checkpoint(dirname=tmp_path)
    clf = FusionClassifier(**{**FAST, "callbacks": [kept], "early_stopping": False})
    with pytest.raises(ValueError, match=r"'Checkpoint' in callbacks.*early_stopping="):
        clf.fit(X, y)
    kept.monitor = "train_loss_best"
    clf.fit(X, y)
    assert (tmp_path / "params.pt").exists()


@pytest.mark.parametrize("kind", [PatternClassifier, UnimodalEnsemble, UMEMMAEnsemble])
def test_no_jobs_are_refused(kind):
    X, y = make_blocks(n=30)
    with pytest.raises(ValueError, match=r"'n_jobs' parameter of .* Got 0 instead"):
        kind(n_jobs=0).fit(X, y)


def test_more_threads_than_a_process_can_have_are_refused():
    X, y = make_blocks(n=30)
    with pytest.raises(ValueError, match="'n_threads' parameter"):
        FusionClassifier(n_threads=10**6).fit(X, y)


def test_tensors_of_any_kind_are_tables():
    X, y = torch.arange(60.0).reshape(30, 2), np.arange(30) % 2
    clf = PatternClassifier(modalities={"a": [0], "b": [1]})
    expected = clf.fit(X, y).predict_proba(X)
    for other in (X.to(torch.bfloat16), X.clone().requires_grad_()):
        np.testing.assert_array_equal(clf.fit(other, y).predict_proba(other), expected)


def test_only_the_unknown_columns_are_named():
    X = pd.DataFrame(np.zeros((4, 2)), columns=["p", "q"])
    with pytest.raises(ValueError, match=r"Got unknown columns \['z'\] for .* 'a'"):
        MultimodalData.from_frame(X, {"a": ["p", "z"]})
    mixed = X.set_axis([0, "q"], axis=1)
    with pytest.raises(ValueError, match=r"text and numbers in the columns \[7, 'q'\]"):
        MultimodalData.from_frame(mixed, {"a": [7, "q"]})


# -- warm start ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (PRIMOClassifier, {"beta": 20.0}),
        (PRIMOClassifier, {"anchor_weight": 5.0}),
        (PRIMOClassifier, {"tie_weight": 5.0}),
        (PRIMOClassifier, {"shared_noise": True}),
        (MultitaskFusionClassifier, {"side_weight": 30.0}),
        (FusionClassifier, {"modality_dropout": 0.5}),
        (DyMoSelector, {"net__contrastive_weight": 30.0}),
    ],
)
def test_weights_of_the_loss_hold_on_a_warm_start(kind, change):
    X, y = make_blocks(n=60)
    more = {"net": SELECTOR["net"]} if kind is DyMoSelector else {}
    first = kind(**FAST, **more, warm_start=True).fit(X, y)
    same = deepcopy(first).fit(X, y)
    other = deepcopy(first).set_params(**change).fit(X, y)
    found, expected = (clf.net_.history[-1]["train_loss"] for clf in (other, same))
    assert found != expected
