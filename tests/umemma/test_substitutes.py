"""What stands in for a missing block, and faults that nobody reports."""

import numpy as np
import pytest
import torch
from torch import nn

from skmissing import MultimodalData, UMEMMAEnsemble
from skmissing.baselines import MissingDetectionClassifier, MultitaskFusionClassifier
from skmissing.nn import MLPEncoder, ModuleEncoder
from skmissing.nn.substitution._substitute_fusion import (
    DetectionFusion,
    MultitaskFusion,
)

from ..conftest import make_blocks

SMALL = {"max_epochs": 3, "lr": 1e-2, "n_threads": 1, "random_state": 0}
KINDS = [UMEMMAEnsemble, MultitaskFusionClassifier, MissingDetectionClassifier]


def replaced(X, name, block):
    blocks = {k: block if k == name else X[k] for k in X.names}
    present = X.present.copy()
    present[:, X.names.index(name)] = True
    return MultimodalData(blocks, present=present)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("substitute", ["zero", "mean"])
def test_a_block_of_substitutes_is_answered_like_a_missing_one(kind, scale, substitute):
    X, y = make_blocks(shaped=True, n_modalities=3)
    encoders = [("m2", MLPEncoder(scale_inputs=scale))]
    clf = kind(**SMALL, substitute=substitute, encoders=encoders, dtype="float64")
    clf.fit(X, y)
    here = X.present[:, 2]
    expected = 0.0 if substitute == "zero" else X["m2"][here].mean(axis=0)
    np.testing.assert_allclose(
        clf.substitutes_["m2"][0], np.broadcast_to(expected, 5), atol=1e-12
    )
    for name in X.names:
        rows = np.flatnonzero(X.present.sum(axis=1) > X.present[:, X.names.index(name)])
        part = X[rows]
        block = np.broadcast_to(clf.substitutes_[name][0], part[name].shape)
        np.testing.assert_allclose(
            clf.predict_log_proba(replaced(part, name, block)),
            clf.predict_log_proba(part.hide(name)),
            atol=1e-9,
        )


@pytest.mark.parametrize("fusion", ["mean_logits", "sum_logits", "mean_proba"])
def test_noise_is_answered_by_the_mean_over_the_draws_that_are_kept(fusion):
    X, y = make_blocks(missing=0.0)
    clf = UMEMMAEnsemble(
        **SMALL, substitute="noise", fusion=fusion, dtype="float64"
    ).fit(X, y)
    draws = clf.substitutes_["m1"]
    assert draws.shape == (16, 4)
    module = clf.net_.module_
    z = clf._fitted.apply(X.hide("m1"), lambda m, b: m.scores(b)[0])
    answers = []
    for draw in draws:
        fed = replaced(X, "m1", np.tile(draw, (60, 1)))
        answers.append(clf._fitted.apply(fed, lambda m, b: m.scores(b)[1]))
    answers = np.stack(answers)
    if fusion == "mean_proba":
        mean = np.log((np.exp(z) + np.exp(answers).mean(axis=0)) / 2)
    else:
        mean = (z + answers.mean(axis=0)) * (0.5 if fusion == "mean_logits" else 1)
    expected = mean - np.log(np.exp(mean).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(clf.predict_log_proba(X.hide("m1")), expected, atol=1e-9)
    assert not module.training


def test_noise_has_the_mean_and_deviation_of_what_it_stands_for():
    rng = np.random.default_rng(0)
    n = 4000
    block = rng.normal([1.0, -50.0, 3.0], [1.0, 20.0, 0.0], size=(n, 3))
    block[:, 2] = 3.0
    gone = rng.random(n) < 0.3
    image = (
        rng.normal(2.0, 3.0, size=(n, 2, 12, 12)) * np.array([1.0, 5.0])[:, None, None]
    )
    X = MultimodalData({"a": block, "b": image[:, :, :4, :4]}).hide({"a": gone})
    y = np.arange(n) % 2
    weight = np.where(block[:, 0] > 1, 2.0, 1.0)
    for scale in (True, False):
        encoders = [("a", MLPEncoder(scale_inputs=scale))]
        clf = UMEMMAEnsemble(
            **{**SMALL, "max_epochs": 1}, substitute="noise", encoders=encoders
        ).fit(X, y, sample_weight=weight)
        seen, w = block[~gone], weight[~gone]
        mean = np.average(seen, axis=0, weights=w)
        sd = np.sqrt(np.average((seen - mean) ** 2, axis=0, weights=w))
        module = clf.net_.module_
        # In training every missing block is drawn anew.
        module.train()
        scaler = clf._fitted.scalers["a"]
        drawn = module._fill(0, 20_000).numpy().astype(float)
        drawn = drawn / scaler.factor + scaler.center if scale else drawn
        assert (np.abs(drawn.mean(axis=0) - mean) < 0.03 * sd + 1e-4).all()
        np.testing.assert_allclose(drawn.std(axis=0), sd, rtol=0.03, atol=1e-5)
        kept = clf.substitutes_["a"]
        np.testing.assert_allclose(kept[:, 2], 3.0, rtol=1e-12)
        assert np.abs((kept - mean)[:, :2] / sd[:2]).max() < 5
        # Images: one mean and deviation per channel.
        spread = clf.substitutes_["b"].std(axis=(0, 2, 3))
        np.testing.assert_allclose(spread, [3.0, 15.0], rtol=0.15)


@pytest.mark.parametrize("kind", KINDS)
def test_noise_for_a_block_with_missing_features_has_no_gaps(kind):
    """The indicators of missing features, more inputs of the net, stay 0."""
    rng = np.random.default_rng(0)
    y = np.arange(90) % 2
    table = rng.normal(size=(90, 3))
    table[rng.random(90) < 0.3, 1] = np.nan
    series = rng.normal(size=(90, 5, 2))
    series[::3, 2, 0] = np.nan
    X = MultimodalData({"table": table, "series": series}).hide(
        {"table": rng.random(90) < 0.3, "series": rng.random(90) < 0.3}
    )
    clf = kind(**SMALL, substitute="noise").fit(X, y)
    module = clf.net_.module_
    for m, width in enumerate((3, 2)):
        assert getattr(module, f"substitute_{m}").shape[-1] == width + 1
        drawn = module.train()._fill(m, 50)
        assert (drawn[..., -1] == 0).all()
        assert (drawn[..., :width].std(axis=0) > 0.5).all()
    module.eval()


def test_a_series_of_substitutes_has_all_its_steps_in_training_too():
    """The loss in training, substitutes beside rows of different lengths, by hand."""
    X, y = make_blocks(shaped=True)
    clf = UMEMMAEnsemble(**SMALL, substitute="mean", dtype="float64").fit(X, y)
    module = clf.net_.module_
    batch = clf._fitted.store(X, y, np.ones(60)).batch(torch.arange(60))
    assert "m1" in batch.lengths
    assert len(batch.index["m1"]) < 60
    for encoder in module.bank.encoders:
        for part in encoder.modules():
            if isinstance(part, nn.Dropout):
                part.p = 0.0
    with torch.no_grad():
        alone = module.eval().row_losses(batch)
        together = module.train().row_losses(batch)
    module.eval()
    np.testing.assert_allclose(together, alone, atol=1e-10)


def test_integers_that_an_encoder_takes_as_they_are_are_replaced_by_zeros_only():
    X, y = make_blocks(missing=0.0)
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, 9, size=(60, 5))
    X = MultimodalData({"text": tokens, "m1": X["m1"]})
    encoders = [("text", ModuleEncoder(nn.EmbeddingBag(9, 4), 4))]
    clf = UMEMMAEnsemble(**SMALL, encoders=encoders).fit(X, y)
    assert clf.substitutes_["text"].dtype == tokens.dtype
    blank = MultimodalData({"text": np.zeros_like(tokens), "m1": X["m1"]})
    np.testing.assert_allclose(
        clf.predict_proba(blank), clf.predict_proba(X.hide("text")), atol=1e-6
    )
    for kind in ("mean", "noise"):
        with pytest.raises(
            ValueError, match=r"'text' of integers .*expected substitute"
        ):
            UMEMMAEnsemble(**SMALL, encoders=encoders, substitute=kind).fit(X, y)
    mixed = UMEMMAEnsemble(**SMALL, encoders=encoders, substitute={"m1": "mean"})
    assert set(mixed.fit(X, y).substitutes_) == {"text", "m1"}


def test_substitutes_for_unknown_modalities_or_of_unknown_kinds():
    X, y = make_blocks()
    with pytest.raises(ValueError, match="unknown modality 'lab', expected some of"):
        UMEMMAEnsemble(**SMALL, substitute={"lab": "zero"}).fit(X, y)
    with pytest.raises(ValueError, match="Got substitute='median' for the modality"):
        UMEMMAEnsemble(**SMALL, substitute={"m0": "median"}).fit(X, y)


def test_integer_pictures_have_a_mean_too():
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    image = rng.integers(0, 255, size=(40, 1, 6, 6), dtype=np.uint8)
    X = MultimodalData({"image": image, "b": rng.normal(size=(40, 3))})
    clf = UMEMMAEnsemble(**SMALL, substitute="mean").fit(X, y)
    np.testing.assert_allclose(clf.substitutes_["image"], image.mean())


# -- the comparators -------------------------------------------------------------------


class Rows:
    """As much of a batch as the losses need."""

    def __init__(self, x, present, y):
        self.present = torch.from_numpy(np.array(present))
        self.y = torch.from_numpy(y)
        self.x, self.index, self.lengths = {}, {}, {}
        self.encoded = frozenset()
        for m, (name, block) in enumerate(x.items()):
            rows = np.flatnonzero(present[:, m])
            if len(rows):
                self.x[name] = torch.from_numpy(block[rows])
                full = len(rows) == len(present)
                self.index[name] = None if full else torch.from_numpy(rows)

    def __len__(self):
        return len(self.present)


def as_rows(clf, X, y):
    x = {k: clf._fitted.scalers[k].transform(k, X[k], np.dtype("float64"))
         for k in X.names}  # fmt: skip
    return Rows(x, X.present, y)


def test_loss_of_the_multitask_net():
    X, y = make_blocks()
    clf = MultitaskFusionClassifier(**SMALL, dtype="float64", side_weight=0.7)
    clf.fit(X, y)
    module = clf.net_.module_.eval()
    assert isinstance(module, MultitaskFusion)
    rows = as_rows(clf, X, y)
    with torch.no_grad():
        loss = module.row_losses(rows).numpy()
        expected = -clf.predict_log_proba(X)[np.arange(60), y]
        for m, name in enumerate(X.names):
            here = X.present[:, m]
            code = module.bank.encoders[m](rows.x[name])
            logs = torch.log_softmax(module.side_heads[m](code), dim=1).numpy()
            expected[here] -= 0.7 * logs[np.arange(here.sum()), y[here]]
    np.testing.assert_allclose(loss, expected, atol=1e-9)


def test_loss_and_answer_of_the_detecting_net():
    X, y = make_blocks()
    for fusion in ("mean_logits", "sum_logits", "mean_proba"):
        clf = MissingDetectionClassifier(**SMALL, dtype="float64", fusion=fusion)
        clf.fit(X, y)
        module = clf.net_.module_.eval()
        assert isinstance(module, DetectionFusion)
        rows = as_rows(clf, X, y)
        with torch.no_grad():
            scores = np.stack([s.numpy() for s in module.scores(rows)])
            loss = module.row_losses(rows).numpy()
        logs = scores - np.log(np.exp(scores).sum(axis=2, keepdims=True))
        labels = np.where(X.present.T, y, 3)
        expected = -sum(logs[m, np.arange(60), labels[m]] for m in range(2))
        np.testing.assert_allclose(loss, expected, atol=1e-9)
        proba = clf.predict_proba(X)
        for i in range(60):
            says = [m for m in range(2) if scores[m, i].argmax() < 3] or [0, 1]
            z = scores[says, i, :3]
            if fusion == "mean_proba":
                p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
                p = p.mean(axis=0)
            else:
                total = z.mean(axis=0) if fusion == "mean_logits" else z.sum(axis=0)
                p = np.exp(total) / np.exp(total).sum()
            np.testing.assert_allclose(proba[i], p, atol=1e-9)


def test_where_all_heads_say_missing_all_are_asked():
    X, y = make_blocks(missing=0.0)
    clf = MissingDetectionClassifier(**SMALL, dtype="float64").fit(X, y)
    with torch.no_grad():
        for head in clf.net_.module_.heads:
            head[-1].bias[3] += 100.0
    proba = clf.predict_proba(X)
    assert np.isfinite(proba).all()
    assert np.ptp(proba) > 0.1
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
