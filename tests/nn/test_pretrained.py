"""Architectures of timm and transformers as encoders: frozen, fine-tuned, cached."""

from __future__ import annotations

import copy
import importlib
from functools import cache, partial

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from skmissing import MultimodalData
from skmissing.baselines import FusionClassifier
from skmissing.modalities import ModalityTransformer
from skmissing.nn import ModuleEncoder

N, WIDTH = 120, 16
SETTINGS = {"max_epochs": 3, "batch_size": 32, "n_threads": 1, "random_state": 0}


class Pictures(nn.Module):
    """Bytes to what a model of pictures expects, and its features."""

    def __init__(self, model, features) -> None:
        super().__init__()
        self.model, self.features = model, features

    def forward(self, x):
        return self.features(self.model(x.float() / 255))


class Words(nn.Module):
    """Mean of the states of a language model over tokens that are no padding."""

    def __init__(self, model) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens):
        real = (tokens != 0).long()
        states = self.model(tokens, attention_mask=real).last_hidden_state
        return (states * real[..., None]).sum(1) / real.sum(1, keepdim=True)


def library(name):
    """A library that is installed and can be imported; vision models need more."""
    try:
        return importlib.import_module(name)
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"{name}: {error}")


@cache
def make_module(kind: str) -> nn.Module:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        if kind == "timm":
            model = library("timm").create_model(
                "test_vit", pretrained=False, num_classes=0, in_chans=1, img_size=16,
                patch_size=8, embed_dim=WIDTH, num_heads=2, depth=2,
            )  # fmt: skip
            return Pictures(model, nn.Identity())
        hf = library("transformers")
        shared = {
            "hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2,
            "intermediate_size": 32,
        }  # fmt: skip
        if kind == "vit":
            config = hf.ViTConfig(image_size=16, patch_size=8, num_channels=1, **shared)
            model = hf.ViTModel(config, add_pooling_layer=False)
            return Pictures(model, lambda out: out.last_hidden_state[:, 0])
        config = hf.BertConfig(vocab_size=30, max_position_embeddings=12, **shared)
        return Words(hf.BertModel(config, add_pooling_layer=False))


def make_rows(kind: str):
    """Labels that show in the block of the module; a second block has gaps."""
    rng = np.random.default_rng(1)
    y = rng.integers(2, size=N)
    if kind == "bert":
        block = np.where(rng.random((N, 8)) < 0.7, 1 + 10 * y[:, None], 0)
        block += rng.integers(1, 9, size=(N, 8))
        block[:, 6:] = np.where(rng.random((N, 1)) < 0.5, 0, block[:, 6:])
    else:
        block = rng.integers(100, size=(N, 1, 16, 16)) + 90 * y[:, None, None, None]
        block = block.astype(np.uint8)
    lab = y[:, None] + rng.normal(size=(N, 3))
    X = MultimodalData({"source": block, "lab": lab})
    return X.hide({"lab": rng.random(N) < 0.4}), y


def embed(kind: str, block: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return make_module(kind).eval()(torch.as_tensor(np.asarray(block))).numpy()


def count_and_embed(kind: str, path, block: np.ndarray) -> np.ndarray:
    path.write_text(path.read_text() + "x")
    # A transformer of scikit-learn gets a table: a picture is a row of its values.
    return embed(kind, block if kind == "bert" else block.reshape(-1, 1, 16, 16))


def fit_net(X, y, encoder):
    return FusionClassifier(encoders=[("source", encoder)], **SETTINGS).fit(X, y)


KINDS = ("timm", "vit", "bert")


@pytest.mark.parametrize("kind", KINDS)
def test_frozen_is_what_cached_embeddings_are(kind):
    module, (X, y) = make_module(kind), make_rows(kind)
    before = copy.deepcopy(module.state_dict())
    frozen = fit_net(X, y, ModuleEncoder(module, out_features=WIDTH, frozen=True))
    cached = {"source": embed(kind, X["source"]), "lab": X["lab"]}
    Z = MultimodalData(cached, present=X.present)
    same = fit_net(Z, y, ModuleEncoder(nn.Identity(), out_features=WIDTH))
    np.testing.assert_allclose(
        frozen.predict_proba(X), same.predict_proba(Z), atol=1e-6
    )
    # Neither the module that was passed nor the copy inside has moved.
    inside = frozen.net_.module_.state_dict()
    for name, value in before.items():
        assert torch.equal(module.state_dict()[name], value)
        assert any(
            key.endswith(name) and torch.equal(value, other)
            for key, other in inside.items()
        )


@pytest.mark.parametrize("kind", KINDS)
def test_fine_tuned_moves_by_its_own_learning_rate(kind):
    module, (X, y) = make_module(kind), make_rows(kind)
    names = [name for name, _ in module.named_parameters()]
    start = module.state_dict()
    moved = []
    for factor in (1.0, 0.01):
        encoder = ModuleEncoder(module, out_features=WIDTH, lr_factor=factor)
        clf = fit_net(X, y, encoder)
        now = clf.net_.module_.state_dict()
        steps = [
            (value - start[name]).abs().mean()
            for name in names
            for key, value in now.items()
            if key.endswith(f".{name}")
        ]
        assert len(steps) == len(names)
        moved.append(float(torch.stack(steps).mean()))
    # A step of Adam is the learning rate, whatever the size of the gradient. Small
    # steps cancel one another less often: the ratio is a little more than the factor.
    assert 0.008 < moved[1] / moved[0] < 0.03


@pytest.mark.parametrize("kind", ["timm", "bert"])
def test_embeddings_are_a_step_of_a_pipeline_that_caches(kind, tmp_path):
    module, (X, y) = make_module(kind), make_rows(kind)
    calls = tmp_path / "calls"
    calls.write_text("")

    counted = FunctionTransformer(partial(count_and_embed, kind, calls))
    step = ModalityTransformer([("source", counted)])
    net = FusionClassifier(
        encoders=[("source", ModuleEncoder(nn.Identity(), out_features=WIDTH))],
        **SETTINGS,
    )
    piped = make_pipeline(step, net, memory=str(tmp_path / "memory")).fit(X, y)
    n_calls = len(calls.read_text())
    again = make_pipeline(step, net, memory=str(tmp_path / "memory")).fit(X, y)
    assert len(calls.read_text()) == n_calls
    np.testing.assert_array_equal(piped.predict_proba(X), again.predict_proba(X))
    frozen = fit_net(X, y, ModuleEncoder(module, out_features=WIDTH, frozen=True))
    np.testing.assert_allclose(
        piped.predict_proba(X), frozen.predict_proba(X), atol=1e-6
    )
