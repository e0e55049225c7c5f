"""Corners of the nets that once went wrong."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator
from skorch.callbacks import Checkpoint, EpochScoring
from torch import nn

from skmissing import MultimodalData
from skmissing._utils._parameters import stores_parameters
from skmissing.baselines import (
    FusionClassifier,
    MultitaskFusionClassifier,
    UnimodalEnsemble,
)
from skmissing.nn import ConvEncoder, MLPEncoder, ModuleEncoder, SequenceEncoder

from .._instances import NET
from ..conftest import make_blocks


def small(**params):
    return FusionClassifier(**{**NET, **params})


@pytest.mark.parametrize(
    ("encoder", "shape"),
    [(MLPEncoder, (4,)), (ConvEncoder, (1, 6, 6)), (SequenceEncoder, (5, 2))],
)
def test_unscaled_integers(encoder, shape):
    rng = np.random.default_rng(0)
    block = rng.integers(5, size=(40, *shape), dtype=np.uint8)
    y = np.arange(40) % 2
    X, as_float = (MultimodalData({"m": b}) for b in (block, block.astype(float)))
    clf = small(encoders=[("m", encoder(scale_inputs=False))])
    np.testing.assert_array_equal(
        clf.fit(X, y).predict_proba(X), clf.fit(as_float, y).predict_proba(as_float)
    )


def test_errors_of_a_users_module_name_the_modality():
    X, y = make_blocks(n=30)
    clf = small(encoders=[("m0", ModuleEncoder(nn.Linear(9, 4), 4))])
    with pytest.raises(RuntimeError, match=r"encoder of the modality 'm0' for .*mat1"):
        clf.fit(X, y)


@pytest.mark.parametrize("fusion", ["early", "late"])
def test_warm_start_matches_modalities_by_name(fusion):
    rng = np.random.default_rng(1)
    y = np.arange(60) % 2
    X = MultimodalData(
        {"a": 4 * y[:, None] + rng.normal(size=(60, 3)), "b": rng.normal(size=(60, 3))}
    )
    # The other blocks have the same shape, so only the names can tell them apart.
    same, swapped = (
        small(fusion=fusion, warm_start=True).fit(X, y).fit(again, y)
        for again in (X, X.select(["b", "a"]))
    )
    np.testing.assert_array_equal(same.predict_proba(X), swapped.predict_proba(X))
    assert swapped.score(X.hide("b"), y) > 0.9


@pytest.mark.parametrize(
    "change",
    [
        {"fusion": "late"},
        {"head_hidden": (3,)},
        {"use_mask": True},
        {"encoders": [("m0", MLPEncoder(hidden=(3,)))]},
    ],
)
def test_warm_start_with_another_net_is_refused(change):
    X, y = make_blocks(n=30)
    clf = small(warm_start=True).fit(X, y)
    with pytest.raises(
        ValueError, match=r"with warm_start=True, expected .* former fit"
    ):
        clf.set_params(**change).fit(X, y)


def test_warm_start_without_a_usable_row_is_refused():
    X, y = make_blocks(n=30, missing=0.0)
    with pytest.warns(UserWarning, match="'m1'"):
        clf = small(warm_start=True).fit(X.hide("m1"), y)
    with pytest.raises(ValueError, match="Got only rows without any modality"):
        clf.fit(X.hide("m0"), y)


@pytest.mark.parametrize("kind", [FusionClassifier, UnimodalEnsemble])
def test_values_beyond_float32_raise_and_float64_takes_them(kind):
    X, y = make_blocks(n=30, missing=0.0)
    huge = MultimodalData({**X.blocks, "m0": np.full((30, 3), 1e39)})
    with pytest.raises(ValueError, match=r"'m0', expected less than 3.4e.38"):
        kind(**NET).fit(X, y).predict_proba(huge)
    out = kind(**NET, dtype="float64").fit(X, y).predict_proba(huge)
    assert np.isfinite(out).all()


def test_common_callbacks_of_skorch(tmp_path):
    X, y = make_blocks(n=60)
    clf = small(
        callbacks=[EpochScoring("accuracy", on_train=False, name="valid_acc")],
        early_stopping=True,
    ).fit(X, y)
    scores = clf.net_.history[:, "valid_acc"]
    assert all(0 <= s <= 1 for s in scores)
    assert max(scores) > 0.5
    small(callbacks=[Checkpoint(monitor=None, dirname=str(tmp_path))]).fit(X, y)
    assert (tmp_path / "params.pt").exists()


@pytest.mark.parametrize("factor", [-1.0, np.inf, np.nan, "many"])
def test_bad_class_weights_raise(factor):
    X, y = make_blocks(n=30)
    with pytest.raises(ValueError, match=r"Got class_weight=.* for 0, expected"):
        small(class_weight={0: factor}).fit(X, y)


def test_class_weight_may_list_classes_that_a_fold_lacks():
    X, y = make_blocks(n=30)
    full = {0: 1.0, 1: 2.0, 2: 1.0}
    a = small(class_weight=full).fit(X, y).predict_proba(X)
    b = small(class_weight={**full, 7: 3.0}).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="Got class_weight for 'x'"):
        small(class_weight={0: 1.0, "x": 3.0}).fit(X, y)


def test_groups_of_mixed_type():
    X, y = make_blocks(n=40)
    groups = np.array([1, "a", 2.5, "b"] * 10, dtype=object)
    clf = small(early_stopping=True, validation_fraction=0.3)
    with pytest.raises(ValueError, match="Got text and other values in groups"):
        clf.fit(X, y, groups=groups)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_subclass_with_a_constructor_of_its_own():
    class Wide(FusionClassifier):
        def __init__(self, width=4, **params):
            super().__init__(**params)
            self.width = width

        @classmethod
        def _get_param_names(cls):
            return sorted([*FusionClassifier._get_param_names(), "width"])

    X, y = make_blocks(n=30)
    clf = Wide(**NET, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match=r"Got width=5 with warm_start=True"):
        clf.set_params(width=5).fit(X, y)


def test_parameters_of_two_parents():
    @stores_parameters
    class Root(BaseEstimator):
        """Root."""

        a: int = 1
        _parameter_constraints = {"a": [int]}  # noqa: RUF012

    @stores_parameters
    class Left(Root):
        """Left."""

        b: int = 2
        _parameter_constraints = {"b": [int]}  # noqa: RUF012

    @stores_parameters
    class Right(Root):
        """Right: the same parameter may be None."""

        _parameter_constraints = {"a": [int, None]}  # noqa: RUF012

    @stores_parameters
    class Both(Left, Right):
        """Both."""

    assert Both._parameter_constraints == {"a": [int, None], "b": [int]}
    assert Both(a=None).get_params() == {"a": None, "b": 2}


def test_a_net_that_goes_on_drops_out_of_all_modalities_that_it_knows(monkeypatch):
    counts = []
    original = MultitaskFusionClassifier._augmentation

    def spy(self, n_modalities):
        counts.append(n_modalities)
        return original(self, n_modalities)

    monkeypatch.setattr(MultitaskFusionClassifier, "_augmentation", spy)
    X, y = make_blocks(n=40, n_modalities=3)
    clf = MultitaskFusionClassifier(**NET, warm_start=True).fit(X, y)
    some = X.select(["m0", "m1"]).present.any(axis=1)
    clf.fit(X[some].hide("m2"), y[some])
    assert counts == [3, 3]


def test_first_frozen_then_fine_tuned():
    X, y = make_blocks(n=60)
    module = nn.Sequential(nn.Linear(X.block_shapes["m0"][0], 4))
    clf = small(
        warm_start=True, encoders=[("m0", ModuleEncoder(module, 4, frozen=True))]
    ).fit(X, y)

    def weights():
        return clf.net_.module_.bank.encoders[0].module[0].weight.detach().clone()

    first = weights()
    assert torch.equal(first, module[0].weight)
    clf.set_params(m0__frozen=False, m0__lr_factor=0.1).fit(X, y)
    moved = (weights() - first).abs().max()
    assert moved > 0
    # And frozen again, where it then is.
    second = weights()
    clf.set_params(m0__frozen=True).fit(X, y)
    assert torch.equal(weights(), second)


@pytest.mark.parametrize("change", [{}, {"m0__lr_factor": 0.5}, {"m0__frozen": True}])
def test_layers_that_the_user_froze_stay(change):
    """Also where the whole encoder is frozen and not frozen again."""
    X, y = make_blocks(n=60)
    width = X.block_shapes["m0"][0]
    module = nn.Sequential(nn.Linear(width, 4), nn.ReLU(), nn.Linear(4, 4))
    module[0].requires_grad_(requires_grad=False)
    clf = small(warm_start=True, encoders=[("m0", ModuleEncoder(module, 4))]).fit(X, y)
    clf.set_params(**change).fit(X, y)
    clf.set_params(m0__frozen=False).fit(X, y)
    fitted = clf.net_.module_.bank.encoders[0].module
    assert torch.equal(fitted[0].weight, module[0].weight)
    assert not torch.equal(fitted[2].weight, module[2].weight)


def test_what_a_warm_start_refuses_is_named_in_a_line():
    X, y = make_blocks(n=30)
    wide = [("m0", ModuleEncoder(nn.LazyLinear(4), 4))]
    clf = small(warm_start=True, encoders=wide).fit(X, y)
    deep = nn.Sequential(*(nn.LazyLinear(4) for _ in range(40)))
    with pytest.raises(ValueError, match="Got module of the encoder of m0=") as caught:
        clf.set_params(m0__module=deep).fit(X, y)
    assert len(str(caught.value)) < 320
    last = nn.Sequential(*(nn.LazyLinear(4) for _ in range(40)), nn.Tanh())
    clf = small(warm_start=True, encoders=[("m0", ModuleEncoder(deep, 4))]).fit(X, y)
    with pytest.raises(ValueError, match="expected another one as in"):
        clf.set_params(m0__module=last).fit(X, y)
