"""Encoders: shapes, scaling, missing features, modules of one's own."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import nn

from skmissing import Modality, MultimodalData
from skmissing.baselines import FusionClassifier
from skmissing.modalities._scaling import fit_scaler, series_lengths
from skmissing.nn import ConvEncoder, MLPEncoder, ModuleEncoder, SequenceEncoder
from skmissing.nn.encoders._default import default_encoder

from .._instances import NET
from ..conftest import make_blocks


def small(**params):
    return FusionClassifier(**{**NET, **params})


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ((5,), MLPEncoder),
        ((3, 8, 9), ConvEncoder),
        ((7, 2), SequenceEncoder),
        ((2, 2, 2, 2), MLPEncoder),
    ],
)
def test_default_encoder_by_shape(shape, kind):
    encoder = default_encoder(shape)
    assert type(encoder) is kind
    module = encoder.build(shape)
    assert module(torch.randn(4, *shape)).shape == (4, module.out_features)


@pytest.mark.parametrize("size", [1, 2, 5, 28, 64, 225])
def test_conv_encoder_takes_any_size(size):
    module = ConvEncoder(channels=(2, 3, 4), out_features=8).build((2, size, size))
    assert module(torch.randn(2, 2, size, size)).shape == (2, 8)
    # The last layer does not grow with the picture.
    assert sum(p.numel() for p in module.parameters()) < 3000


# -- statistics -----------------------------------------------------------------------


def test_statistics_are_weighted_and_see_only_present_rows():
    rng = np.random.default_rng(0)
    block = rng.normal(3, 5, size=(9000, 4))
    block[::7, 1] = np.nan
    rows = rng.random(9000) < 0.7
    weight = rng.integers(1, 4, size=9000).astype(float)
    block[~rows] = np.inf
    scaler = fit_scaler(block, rows, weight, (), True)
    again = np.repeat(block[rows], weight[rows].astype(int), axis=0)
    np.testing.assert_allclose(scaler.center, np.nanmean(again, axis=0))
    np.testing.assert_allclose(1 / scaler.factor, np.nanstd(again, axis=0))
    out = scaler.transform("m", block[rows], np.float32)
    assert out.dtype == np.float32
    assert (out[np.isnan(block[rows])] == 0).all()


def test_statistics_per_channel_and_per_series():
    rng = np.random.default_rng(0)
    image = rng.normal(size=(50, 2, 4, 4)) * np.array([1, 9])[:, None, None]
    ones, everything = np.ones(50), np.ones(50, dtype=bool)
    scaler = fit_scaler(image, everything, ones, (1, 2), True)
    np.testing.assert_allclose(scaler.center[:, 0, 0], image.mean(axis=(0, 2, 3)))
    np.testing.assert_allclose(1 / scaler.factor[:, 0, 0], image.std(axis=(0, 2, 3)))
    series = rng.normal(size=(50, 6, 3))
    series[::2, 4:] = np.nan
    scaler = fit_scaler(series, everything, ones, (0,), True)
    np.testing.assert_allclose(scaler.center[0], np.nanmean(series, axis=(0, 1)))


def test_constant_unseen_and_large_features():
    block = np.column_stack(
        [np.full(100, 0.1), np.full(100, np.nan), 1.7e9 + np.arange(100) / 1e3]
    )
    scaler = fit_scaler(block, np.ones(100, dtype=bool), np.ones(100), (), True)
    out = scaler.transform("m", block, np.float32)
    np.testing.assert_allclose(out[:, 0], 0, atol=1e-6)
    later = scaler.transform("m", np.array([[0.1, 55.0, 1.7e9]]), np.float32)
    assert later[0, 1] == 0.0  # never observed in training
    # A time stamp keeps its digits: the subtraction is made in float64.
    np.testing.assert_allclose(
        out[:, 2], (np.arange(100) - 49.5) / np.std(np.arange(100)), atol=1e-4
    )


def test_missing_features_are_filled_and_never_make_a_modality_missing():
    X, y = make_blocks(n=80, missing=0.0)
    blocks = {k: v.copy() for k, v in X.blocks.items()}
    blocks["m0"][::2, 0] = np.nan
    with_gaps = MultimodalData(blocks)
    assert with_gaps.present.all()
    means = {"m0": MLPEncoder(missing_features="mean")}
    clf = small(encoders=means).fit(with_gaps, y)
    filled = {k: v.copy() for k, v in blocks.items()}
    filled["m0"][::2, 0] = np.nanmean(blocks["m0"][:, 0])
    np.testing.assert_allclose(
        clf.predict_proba(MultimodalData(filled)),
        clf.predict_proba(with_gaps),
        atol=1e-6,
    )


# -- series ---------------------------------------------------------------------------


def test_lengths():
    values = np.zeros((4, 5, 2))
    values[0, 3:] = np.nan
    values[1, 1] = np.nan  # a gap inside is no padding
    values[2, 4, 0] = np.nan  # nor is a step with one channel left
    values[3, 1:] = np.nan
    assert series_lengths(values).tolist() == [3, 5, 5, 1]
    assert series_lengths(np.zeros((4, 5, 2), dtype=int)).tolist() == [5, 5, 5, 5]


@pytest.mark.parametrize("kind", ["gru", "conv"])
@pytest.mark.parametrize("n_layers", [1, 2])
def test_padding_changes_nothing(kind, n_layers):
    encoder = SequenceEncoder(kind=kind, hidden_size=6, n_layers=n_layers)
    module = encoder.build((9, 2)).eval()
    x = torch.randn(3, 9, 2)
    lengths = torch.tensor([4, 9, 1])
    junk = x.clone()
    for i, length in enumerate(lengths):
        junk[i, length:] = 1e3
    torch.testing.assert_close(module(x, lengths), module(junk, lengths))
    if kind == "gru":
        torch.testing.assert_close(module(x, lengths)[:1], module(x[:1, :4]))
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    series = rng.normal(size=(80, 9, 2)) + y[:, None, None]
    for i, length in enumerate(rng.integers(3, 9, size=80)):
        series[i, length:] = np.nan
    longer = np.concatenate([series, np.full((80, 3, 2), np.nan)], axis=1)
    a, b = (
        small(encoders=[("s", encoder)]).fit(MultimodalData({"s": s}), y)
        for s in (series, longer)
    )
    np.testing.assert_allclose(
        a.predict_proba(MultimodalData({"s": series})),
        b.predict_proba(MultimodalData({"s": longer})),
        atol=1e-4,
    )
    assert a.score(MultimodalData({"s": series}), y) > 0.8


# -- modules of one's own -------------------------------------------------------------


def test_module_encoder_leaves_the_users_module_alone():
    X, y = make_blocks(n=60)
    module = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.ReLU())
    before = copy.deepcopy(module.state_dict())
    clf = small(encoders=[("m0", ModuleEncoder(module, 5))]).fit(X, y)
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])
    trained = clf.net_.module_.bank.encoders[0].module
    assert not torch.equal(trained[0].weight, module[0].weight)
    assert clf.score(X, y) > 0.7
    clone(clf).fit(X, y)


def test_frozen_module_is_run_once_and_never_changes():
    X, y = make_blocks(n=60)
    calls = []

    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 5)
            self.norm = nn.BatchNorm1d(5)

        def forward(self, x):
            assert not self.training
            calls.append(len(x))
            return self.norm(self.layer(x))

    module = Counting()
    before = copy.deepcopy(module.state_dict())
    clf = small(encoders=[("m0", ModuleEncoder(module, 5, frozen=True))]).fit(X, y)
    assert sum(calls) == X.present[:, 0].sum()
    inside = clf.net_.module_.bank.encoders[0].module.state_dict()
    assert all(torch.equal(inside[k], before[k]) for k in before)
    first = clf.predict_proba(X)
    np.testing.assert_allclose(clf.predict_proba(X[:7]), first[:7], atol=1e-6)
    stopped = small(
        encoders=[("m0", ModuleEncoder(module, 5, frozen=True))], early_stopping=True
    ).fit(X, y)
    assert stopped.predict_proba(X).shape == (60, 3)


def test_tokens_reach_the_module_as_integers():
    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    tokens = rng.integers(1, 20, size=(120, 6))
    tokens[y == 1, 0] = 25

    def factory():
        return nn.EmbeddingBag(30, 8, mode="max")

    X = MultimodalData({"text": tokens, "labs": rng.normal(size=(120, 2))})
    X = X.hide({"text": np.arange(120) % 5 == 0})
    clf = small(encoders=[("text", ModuleEncoder(factory, 8))], max_epochs=30).fit(X, y)
    assert clf.score(X[X.present[:, 0]], y[X.present[:, 0]]) > 0.95


def test_batch_norm_survives_a_batch_with_one_present_row():
    X, y = make_blocks(n=17, missing=0.0)
    X = X.hide({"m0": np.arange(17) > 0})
    clf = small(
        encoders=[
            (
                "m0",
                ModuleEncoder(
                    lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), 4
                ),
            )
        ],
        batch_size=8,
    ).fit(X, y)
    assert np.isfinite(clf.predict_proba(X)).all()


# -- bad input ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoders", "message"),
    [
        (
            [("lr", MLPEncoder())],
            "the name 'lr' in encoders, expected .* none of the parameters",
        ),
        ([("m0__x", MLPEncoder())], "the name 'm0__x' in encoders"),
        ([("other", MLPEncoder())], "unknown modality 'other'"),
        (
            [("m0", MLPEncoder()), ("m0", MLPEncoder())],
            "modality 'm0' twice in encoders",
        ),
        ([("m0", "mlp")], "Got a str as encoder of 'm0'"),
        ({"m0": MLPEncoder}, r"the class MLPEncoder .*, such as MLPEncoder\(\.\."),
        (["m0"], "expected \\(modality, encoder\\) pairs"),
        ([("m0", ConvEncoder())], r"Got shape \(3,\) .* 'm0' with ConvEncoder"),
        ([("m0", SequenceEncoder())], r"'m0' with SequenceEncoder"),
        ([("m0", MLPEncoder(hidden=()))], "hidden"),
        ([("m0", MLPEncoder(hidden=(3, -1)))], "hidden"),
        ([("m0", MLPEncoder(dropout=1.5))], "dropout"),
        ([("m0", ModuleEncoder(nn.Linear(3, 4), 9))], r"expected \(n, 9\)"),
        ([("m0", ModuleEncoder(lambda: 3, 9))], "expected a torch.nn.Module"),
    ],
)
def test_bad_encoders(encoders, message):
    X, y = make_blocks(n=30)
    clf = small(encoders=encoders)
    with pytest.raises((ValueError, TypeError), match=message):
        clf.fit(X, y)
    assert not hasattr(clf, "n_features_in_")


@pytest.mark.parametrize("kind", [dict, list])
def test_none_is_the_default_encoder(kind):
    """So a search may compare it with others."""
    X, y = make_blocks(n=40)
    clf, plain = small(encoders=kind({"m0": None}.items())), small()
    for each in (clf, plain):
        each.set_params(max_epochs=2).fit(X, y)
    np.testing.assert_array_equal(clf.predict_proba(X), plain.predict_proba(X))
    assert "MLPEncoder" in clf._repr_html_()
    assert "FusionClassifier" in clone(clf)._repr_html_()
    grid = [{"m0": [None, MLPEncoder()]}, {"m0": [MLPEncoder()], "m0__hidden": [(3,)]}]
    search = GridSearchCV(clf, grid, cv=2, error_score="raise").fit(X, y)
    assert len(search.cv_results_["params"]) == 3
    with pytest.raises(ValueError, match=r"Got 'm0__hidden', .* list 'm0'"):
        clf.set_params(m0__hidden=(3,))


def test_shape_that_does_not_fit_the_columns():
    with pytest.raises(ValueError, match=r"Got shape=\(1, 5, 5\) for the modality 'a'"):
        small(modalities={"a": Modality(slice(0, 9), shape=(1, 5, 5))}).fit(
            np.zeros((30, 9)), np.arange(30) % 2
        )


# -- names -----------------------------------------------------------------------------


@pytest.mark.parametrize("sequence", [list, tuple])
def test_a_dict_of_encoders_is_as_good_as_pairs(sequence):
    X, y = make_blocks()
    parts = {"m0": MLPEncoder(hidden=(5,)), "m1": MLPEncoder(hidden=(6,))}
    a, b = small(encoders=parts), small(encoders=sequence(parts.items()))
    assert a.get_params()["m0__hidden"] == b.get_params()["m0__hidden"] == (5,)
    assert a.get_params().keys() == b.get_params().keys()
    assert a.get_params(deep=False).keys() == b.get_params(deep=False).keys()
    for change in ({"m0__hidden": (4,)}, {"m1": MLPEncoder(hidden=(3,))}):
        a.set_params(**change)
        b.set_params(**change)
        fits = [clone(clf).fit(X, y).predict_proba(X) for clf in (a, b)]
        np.testing.assert_array_equal(*fits)
    # The user's own dict stays as it is.
    assert parts["m1"].hidden == (6,)
    search = GridSearchCV(a, {"m0__hidden": [(2,), (3,)]}, cv=2).fit(X, y)
    assert search.best_estimator_.encoders["m0"].hidden in [(2,), (3,)]
    message = "Invalid parameter 'm7' .*Got 'm7__hidden', .* encoders lists; list 'm7'"
    for clf in (a, b, small()):
        with pytest.raises(ValueError, match=message):
            clf.set_params(m7__hidden=(3,))
        with pytest.raises(ValueError, match="Invalid parameter 'learning_rate'"):
            clf.set_params(learning_rate=3)
    # What a list is replaced with counts, as for the search of both.
    small().set_params(encoders={"m7": MLPEncoder()}, m7__hidden=(3,))
