"""Integer tokens, modules of a user, and what pictures of estimators show."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import StandardScaler
from torch import nn

from skmissing import DyMoSelector, MultimodalData, PRIMOClassifier, UMEMMAEnsemble
from skmissing.baselines import (
    FusionClassifier,
    MissingDetectionClassifier,
    MultitaskFusionClassifier,
    UnimodalEnsemble,
)
from skmissing.exceptions import AmbiguousIntegerWarning
from skmissing.modalities import ModalityTransformer
from skmissing.nn import ConvEncoder, EmbeddingEncoder, MLPEncoder, ModuleEncoder
from skmissing.recovery import MultimodalVAE

from .._instances import NET, QUIET, SELECTOR, public_estimators
from ..conftest import make_blocks

NETS = (
    FusionClassifier, MissingDetectionClassifier, MultitaskFusionClassifier,
    PRIMOClassifier, UMEMMAEnsemble, UnimodalEnsemble,
)  # fmt: skip


def make_tokens(n=200, seed=0, vocabulary=40, n_tokens=8):
    """One token among others decides; the last rows are padded; a second block."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    tokens = rng.integers(1, vocabulary, size=(n, n_tokens))
    tokens[np.arange(n), rng.integers(3, size=n)] = vocabulary + y
    tokens[n // 2 :, n_tokens - 2 :] = 0
    X = MultimodalData({"note": tokens, "lab": rng.normal(size=(n, 2))})
    return X.hide({"note": np.arange(n) % 5 == 0}), y


def small(kind=FusionClassifier, **params):
    return kind(**{**NET, "max_epochs": 15, **params})


# -- tokens


@pytest.mark.parametrize("kind", NETS, ids=lambda kind: kind.__name__)
def test_tokens_are_embedded_in_every_net(kind):
    X, y = make_tokens()
    clf = small(kind).fit(X, y)
    assert isinstance(clf.encoders_["note"], EmbeddingEncoder)
    assert isinstance(clf.encoders_["lab"], MLPEncoder)
    X, y = make_tokens(seed=1)
    some = X.present[:, 0]
    assert clf.score(X[some], y[some]) > 0.95
    # As numbers they say nothing.
    numbers = small(kind, encoders={"note": MLPEncoder()}).fit(*make_tokens())
    assert numbers.score(X[some], y[some]) < 0.7


def test_tokens_are_embedded_in_the_selector():
    X, y = make_tokens()
    clf = DyMoSelector(**{**SELECTOR, "max_epochs": 15}).fit(X, y)
    some = X.present[:, 0]
    assert clf.score(X[some], y[some]) > 0.95
    assert np.isfinite(clf.predict_proba(X)).all()


@pytest.mark.parametrize("pooling", ["mean", "gru"])
def test_tokens_behind_the_end_and_new_ones(pooling):
    X, y = make_tokens()
    encoder = EmbeddingEncoder(pooling=pooling)
    clf = small(encoders={"note": encoder}).fit(X, y)
    some = X.present[:, 0]
    assert clf.score(X[some], y[some]) > 0.95
    tokens = X["note"].copy()

    def proba(tokens):
        return clf.predict_proba(MultimodalData({"note": tokens, "lab": X["lab"]}))

    tokens[:, 5:] = 0
    shorter = proba(tokens)
    # More padding, and NaN for it, change nothing.
    nan_padded = np.where(tokens == 0, np.nan, tokens)
    np.testing.assert_allclose(proba(nan_padded), shorter, atol=1e-6)
    # All unknown tokens are one.
    tokens[:, 4] = 999
    other = tokens.copy()
    other[:, 4] = -7
    np.testing.assert_array_equal(proba(tokens), proba(other))
    assert np.isfinite(proba(np.zeros_like(tokens))).all()
    # The copy that a user keeps on disk predicts the same.
    again = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))


def test_tokens_have_the_mean_of_their_vectors():
    clf = small(encoders={"note": EmbeddingEncoder(hidden=(4,))}).fit(*make_tokens())
    module = clf.net_.module_.bank.encoders[0]
    codes = torch.tensor([[5, 7, 5, 0], [0, 0, 0, 0], [1, 1, 0, 0]])
    table = module.embedding.weight
    assert not table[0].any()
    expected = torch.stack([(2 * table[5] + table[7]) / 3, table[0], table[1]])
    torch.testing.assert_close(module(codes), module.body(expected))


def test_tokens_of_a_recurrent_net_see_no_padding():
    module = EmbeddingEncoder(n_tokens=9, pooling="gru").build((5,))
    codes = torch.tensor([[3, 4, 0, 0, 0], [0, 0, 0, 3, 4], [0, 3, 0, 4, 0]])
    expected = module(codes[:1, :2])
    for row in codes:
        torch.testing.assert_close(module(row[None]), expected)


def test_tokens_as_they_come_in_a_table_need_an_encoder():
    X, y = make_tokens()
    frame = X.to_frame()
    listed = small(encoders={"note": EmbeddingEncoder()})
    expected = clone(listed).fit(X, y).predict_proba(X)
    got = clone(listed).fit(frame, y).predict_proba(frame)
    np.testing.assert_allclose(got, expected, atol=1e-6)
    assert isinstance(small().fit(frame, y).encoders_["note"], MLPEncoder)


def test_tokens_and_weights():
    X, y = make_tokens(n=60)
    quiet = FusionClassifier(**QUIET, modality_dropout=0.0)
    weight = np.random.default_rng(0).integers(1, 4, size=60)
    again = np.repeat(np.arange(60), weight)
    weighted = clone(quiet).fit(X, y, sample_weight=weight).predict_proba(X)
    repeated = clone(quiet).fit(X[again], y[again]).predict_proba(X)
    np.testing.assert_allclose(weighted, repeated, atol=1e-6)
    # A row of weight 0 has no vocabulary.
    weight[0], new = 0, X["note"].copy()
    new[0] = 1000
    fits = [
        clone(quiet).fit(MultimodalData({"note": b}), y, sample_weight=weight)
        for b in (X["note"], new)
    ]
    rows = MultimodalData({"note": X["note"]})
    np.testing.assert_array_equal(*[clf.predict_proba(rows) for clf in fits])


def test_tokens_on_disk_are_those_in_memory(tmp_path):
    X, y = make_tokens()
    np.save(tmp_path / "tokens.npy", X["note"])
    lazy = np.load(tmp_path / "tokens.npy", mmap_mode="r")
    on_disk = MultimodalData({"note": lazy, "lab": X["lab"]}, present=X.present)
    a, b = (small().fit(data, y).predict_proba(data) for data in (X, on_disk))
    np.testing.assert_array_equal(a, b)


def test_token_numbers_that_are_known_before():
    X, y = make_tokens()
    clf = small(encoders={"note": EmbeddingEncoder(n_tokens=30)}).fit(X, y)
    table = clf.net_.module_.bank.encoders[0].embedding.weight
    # Padding, unknown (the tokens from 30 on were) and the thirty.
    assert len(table) == 32
    assert table[1].any()


@pytest.mark.parametrize(
    ("block", "kind"),
    [
        (lambda r: r.integers(100, size=(300, 12)), EmbeddingEncoder),
        (lambda r: np.minimum(r.zipf(1.3, (300, 20)), 900), EmbeddingEncoder),
        (lambda r: r.integers(1, 21, size=(300, 50)), EmbeddingEncoder),
        # Table, scores, pixels, flags, negative numbers, one column, floats.
        (lambda r: r.poisson([60, 140, 3, 999], (300, 4)), MLPEncoder),
        (lambda r: r.integers(1, 6, size=(300, 9)), MLPEncoder),
        (lambda r: r.integers(200, size=(300, 12), dtype=np.uint8), MLPEncoder),
        (lambda r: r.integers(2, size=(300, 12)), MLPEncoder),
        (lambda r: r.integers(-50, 50, size=(300, 12)), MLPEncoder),
        (lambda r: r.integers(100, size=(300, 1)), MLPEncoder),
        (lambda r: r.integers(100, size=(300, 12)).astype(float), MLPEncoder),
    ],
)
def test_integers_that_are_tokens_or_numbers_without_a_doubt(block, kind):
    X = MultimodalData({"b": block(np.random.default_rng(0))})
    clf = small(max_epochs=1).fit(X, np.arange(300) % 2)
    assert type(clf.encoders_["b"]) is kind


@pytest.mark.parametrize(
    ("block", "trait"),
    [
        (lambda r: r.normal(50, 15, (300, 4)).clip(0, 99).astype(int), "middle values"),
        (lambda r: r.poisson(8, (300, 6)), "middle values"),
        (lambda r: r.negative_binomial(0.3, 0.01, (300, 50)), "zeros between"),
        (lambda r: r.integers(10**6, size=(300, 3)), "distinct values in 900 places"),
    ],
    ids=["ages", "counts", "genes", "numbers"],
)
def test_integers_that_look_like_numbers_are_numbers_with_a_warning(block, trait):
    X = MultimodalData({"b": block(np.random.default_rng(0))})
    y = np.arange(300) % 2
    with pytest.warns(AmbiguousIntegerWarning, match=f"'b'.*{trait}.*EmbeddingEncod"):
        clf = small(max_epochs=1).fit(X, y)
    assert isinstance(clf.encoders_["b"], MLPEncoder)
    for encoder in (MLPEncoder(), EmbeddingEncoder()):
        small(max_epochs=1, encoders={"b": encoder}).fit(X, y)


@pytest.mark.filterwarnings("ignore::skmissing.exceptions.NamelessModalityWarning")
def test_integers_of_a_table_are_numbers_without_a_warning():
    tokens = make_tokens()[0]["note"]
    y = np.arange(200) % 2
    frame = pd.DataFrame(tokens, columns=[f"note__{i}" for i in range(8)])
    for X in (frame, tokens, MultimodalData.from_frame(frame)):
        clf = small(max_epochs=1).fit(X, y)
        assert all(isinstance(e, MLPEncoder) for e in clf.encoders_.values())


def test_encoders_of_a_former_fit_stay():
    X, y = make_tokens()
    clf = small(warm_start=True, max_epochs=1).fit(X, y)
    counts = np.random.default_rng(0).poisson(8, (200, 8))
    clf.fit(MultimodalData({"note": counts, "lab": X["lab"]}), y)
    assert isinstance(clf.encoders_["note"], EmbeddingEncoder)
    fitted = small(UnimodalEnsemble).fit(X, y)
    ensemble = small(UMEMMAEnsemble, unimodal={"note": FrozenEstimator(fitted)})
    assert isinstance(ensemble.fit(X, y).encoders_["note"], EmbeddingEncoder)


def test_tokens_have_no_mean_and_are_not_recovered():
    X, y = make_tokens()
    with pytest.raises(ValueError, match="'note' of integers that its encoder"):
        small(MultitaskFusionClassifier, substitute="mean").fit(X, y)
    MultimodalVAE(**{**NET, "max_epochs": 1}).fit(X)
    vae = MultimodalVAE(**NET, encoders={"note": EmbeddingEncoder()})
    with pytest.raises(ValueError, match="'note', expected an encoder of numbers"):
        vae.fit(X)


@pytest.mark.parametrize(
    ("encoder", "block", "message"),
    [
        (EmbeddingEncoder(), np.full((60, 3), 0.5), "no whole numbers in the modality"),
        (EmbeddingEncoder(), np.ones((60, 3, 2), int), "EmbeddingEncoder, expected"),
        (EmbeddingEncoder(hidden=()), np.ones((60, 3), int), "hidden"),
        (EmbeddingEncoder(pooling="max"), np.ones((60, 3), int), "pooling"),
        (EmbeddingEncoder(n_tokens=0), np.ones((60, 3), int), "n_tokens"),
    ],
)
def test_bad_embedding_encoders(encoder, block, message):
    with pytest.raises(ValueError, match=message):
        small(encoders={"b": encoder}).fit(MultimodalData({"b": block}), [0, 1] * 30)


# -- modules of a user


class Part(nn.Module):
    """A linear layer that does something to its output."""

    def __init__(self, change):
        super().__init__()
        self.layer, self.change = nn.Linear(3, 5), change

    def forward(self, x):
        return self.change(self.layer(x))


def fail_with(error):
    def change(out):
        raise error

    return change


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda out: [out], ValueError, r"list from the encoder of the modality 'm0'"),
        (lambda out: out[1:], ValueError, r"\(\d+, 5\) from .* 'm0' for \d+ rows"),
        (lambda out: out[:, 1:], ValueError, r"'m0' for \d+ rows, expected \(n, 5\)"),
        (lambda out: out.detach().numpy(), ValueError, "ndarray from .* 'm0'"),
        (lambda out: out @ out, RuntimeError, r"RuntimeError from .* 'm0' for .*: mat"),
        (
            fail_with(torch.OutOfMemoryError("CUDA out of memory")),
            torch.OutOfMemoryError,
            "OutOfMemoryError from the encoder of the modality 'm0' .*: CUDA out of",
        ),
        (fail_with(KeyError("k")), LookupError, "KeyError from .* 'm0'"),
    ],
    ids=["list", "rows", "width", "array", "shapes", "memory", "key"],
)
def test_modules_of_a_user_fail_by_the_name_of_their_modality(
    change, error, message, frozen
):
    X, y = make_blocks(n=40)
    clf = small(encoders={"m0": ModuleEncoder(Part(change), 5, frozen=frozen)})
    with pytest.raises(error, match=message) as caught:
        clf.fit(X, y)
    assert "its encoder takes" not in str(caught.value)
    assert not hasattr(clf, "classes_")


@pytest.mark.parametrize("batch_size", [1, 8, None])
def test_batch_norm_of_posteriors_with_one_row(batch_size):
    X, y = make_blocks(n=25)
    clf = small(PRIMOClassifier, posterior_norm=0.5, batch_size=batch_size, n_draws=5)
    assert np.isfinite(clf.fit(X, y).predict_proba(X)).all()


# -- pictures


def test_pictures_show_what_is_inside():
    picture = ModalityTransformer({"lab": StandardScaler(), "ecg": "drop"})
    html = picture._repr_html_()
    assert "StandardScaler" in html
    assert "ecg" in html
    X, y = make_blocks(n=40)
    clf = small(encoders={"m0": MLPEncoder(hidden=(77,))}, max_epochs=1)
    assert "77" in clf._repr_html_()
    assert "m1" in clf.fit(X, y)._repr_html_()
    for empty in (
        FusionClassifier(),
        ModalityTransformer(),
        ModalityTransformer("auto"),
    ):
        assert type(empty).__name__ in empty._repr_html_()
    # Inner estimators beside the encoders are still there.
    selector = DyMoSelector(encoders={"a": ConvEncoder()}, recovery=MultimodalVAE())
    assert "MultimodalVAE" in selector._repr_html_()


@pytest.mark.parametrize("name", public_estimators())
def test_pictures_link_the_reference(name):
    kind = public_estimators()[name]
    link = kind.__new__(kind)._get_doc_link()
    assert link.startswith("https://skmissing.readthedocs.io/")
    assert link.endswith(f"{name}.html")


def test_pictures_link_the_reference_by_public_names():
    for thing, page in (
        (DyMoSelector(), "skmissing.DyMoSelector"),
        (FusionClassifier(), "skmissing.baselines.FusionClassifier"),
        (ConvEncoder(), "skmissing.nn.ConvEncoder"),
    ):
        assert thing._get_doc_link().endswith(f"/generated/{page}.html")

    class Mine(FusionClassifier):
        """Of a user; no page of ours is about it."""

    assert copy.copy(Mine())._get_doc_link() == ""
