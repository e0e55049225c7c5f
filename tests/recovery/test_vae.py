"""The variational auto-encoder: its parts, and what it recovers."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.base import clone

from skmissing import MultimodalData
from skmissing.exceptions import EmptyRowWarning
from skmissing.nn import ConvEncoder, MLPEncoder, ModuleEncoder, _training
from skmissing.nn._random_subsets import first_part, random_part
from skmissing.recovery import MeanRecovery, MultimodalVAE

from ..conftest import make_blocks

SMALL = {"max_epochs": 3, "latent_dim": 4, "n_threads": 1, "random_state": 0}
FUSIONS = ("mopoe", "poe", "moe")


def same(one, other, **kwargs):
    for name in one.names:
        np.testing.assert_allclose(one[name], other[name], **kwargs)


@pytest.fixture(params=FUSIONS)
def small(request):
    return MultimodalVAE(**SMALL, fusion=request.param)


def test_blocks_of_any_shape_are_filled_row_by_row(small):
    X, _ = make_blocks(n=60, n_modalities=3, shaped=True)
    fitted = small.fit(X[:40])
    out = fitted.transform(X)
    assert out.present.all()
    assert out.block_shapes == X.block_shapes
    for m, name in enumerate(X.names):
        here = X.present[:, m]
        np.testing.assert_array_equal(out[name][here], X[name][here])
        assert np.isfinite(out[name][~here]).all()
    single = MultimodalData.concat([fitted.transform(X[i]) for i in range(15)])
    same(single, out[:15], rtol=0, atol=1e-5)
    same(pickle.loads(pickle.dumps(fitted)).transform(X), out, rtol=0, atol=0)
    same(clone(small).fit(X[:40]).transform(X), out, rtol=0, atol=0)


def test_content_of_missing_blocks_never_matters(small):
    X, _ = make_blocks(n=40, n_modalities=3, shaped=True)
    expected = small.fit(X).transform(X)
    for garbage in (1e30, np.inf, np.nan):
        blocks = {}
        for m, name in enumerate(X.names):
            block = X[name].copy()
            block[~X.present[:, m]] = garbage
            blocks[name] = block
        dirty = MultimodalData(blocks, present=X.present)
        same(clone(small).fit(dirty).transform(dirty), expected, rtol=0, atol=0)


def test_empty_rows_are_filled_with_the_mean(small):
    X, _ = make_blocks(n=40)
    fitted = small.fit(X)
    with pytest.warns(EmptyRowWarning, match="1 of 40 rows"):
        out = fitted.transform(X.hide(np.arange(80).reshape(40, 2) < 2))
    for name in X.names:
        np.testing.assert_allclose(out[name][0], fitted.means_[name])


def test_draws_repeat_extend_and_average(small):
    X, _ = make_blocks(n=40, n_modalities=3)
    fitted = small.fit(X)
    three, five = fitted.sample(X, 3), fitted.sample(X, 5)
    for a, b in zip(three, five):
        same(a, b, rtol=0, atol=0)
    assert np.abs(three[0]["m0"] - three[1]["m0"]).max() > 1e-3
    fitted.set_params(n_draws=3)
    mean = fitted.transform(X)
    for name in X.names:
        np.testing.assert_allclose(
            mean[name], np.mean([d[name] for d in three], axis=0), atol=1e-6
        )
    # Every row on its own, draws included.
    alone = fitted.sample(X[7], 3)[2]
    same(alone, three[2][7], rtol=0, atol=1e-5)
    assert type(fitted.sample(X.to_frame(), 1)[0]) is type(X.to_frame())


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("fusion", FUSIONS)
def test_it_learns_from_incomplete_rows(fusion, seed):
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(0)
    z = rng.normal(size=(500, 2))
    X = MultimodalData(
        {
            "a": 10 + z @ mix.normal(size=(2, 3)),
            "b": 100 * z @ mix.normal(size=(2, 5)),
            "c": z @ mix.normal(size=(2, 4)),
        }
    )
    # No row has more than two of three.
    gone = rng.integers(3, size=400)
    train = X[:400].hide(gone[:, None] == np.arange(3))
    vae = MultimodalVAE(
        fusion=fusion, latent_dim=2, max_epochs=30, lr=1e-2, batch_size=50,
        n_threads=1, random_state=seed,
    ).fit(train)  # fmt: skip
    assert vae.score(X[400:]) > 0.85
    assert MeanRecovery().fit(train).score(X[400:]) == pytest.approx(0, abs=0.05)


def test_images_and_series_come_back():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(400, 1))
    step = np.linspace(-1, 1, 8)
    image = z[:, :, None, None] * step[None, None, :, None] * np.ones((1, 1, 1, 7))
    series = z[:, :, None] * step[None, :, None] + 1.0
    series[::3, 5:] = np.nan  # padding
    X = MultimodalData({"image": image, "series": series})
    vae = MultimodalVAE(
        latent_dim=2, max_epochs=25, lr=1e-2, batch_size=50, n_threads=1,
        random_state=0, encoders=[("image", ConvEncoder(dropout=0.0))],
    ).fit(X[:300])  # fmt: skip
    assert vae.score(X[300:]) > 0.8


@pytest.mark.parametrize("fusion", FUSIONS)
def test_integer_weights_are_repeated_rows(fusion):
    X, _ = make_blocks(n=40, n_modalities=3)
    weight = np.random.default_rng(0).integers(0, 4, size=40)
    vae = MultimodalVAE(
        **SMALL, fusion=fusion, dtype="float64", batch_size=None, shared_noise=True
    )
    a = clone(vae).fit(X, sample_weight=weight.astype(float))
    b = clone(vae).fit(X[np.repeat(np.arange(40), weight)])
    same(a.transform(X), b.transform(X), rtol=0, atol=1e-8)


def test_experts_are_combined_as_gaussians():
    X, _ = make_blocks(n=30, n_modalities=3)
    rng = np.random.default_rng(0)
    means, logs = (torch.from_numpy(rng.normal(size=(4, 3, 2))) for _ in range(2))
    kept = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 1]]).bool()
    module = MultimodalVAE(**SMALL).fit(X)._fitted.module
    mean, log = module.combine(means, logs, kept)
    for i in range(4):
        # With the standard normal expert.
        precision = [1.0, *np.exp(-logs.numpy()[i, kept[i], 0])]
        location = [0.0, *means.numpy()[i, kept[i], 0]]
        assert float(log[i, 0]) == pytest.approx(-np.log(np.sum(precision)))
        assert float(mean[i, 0]) == pytest.approx(
            np.dot(precision, location) / np.sum(precision)
        )
    for u, wanted in ((0.0, [0, 0, 1, 2]), (0.5, [1, 2, 1, 2]), (0.99, [2, 2, 1, 2])):
        picked = module.pick(means, logs, kept, torch.tensor(u))[0]
        np.testing.assert_array_equal(picked, means[torch.arange(4), wanted])


@pytest.mark.parametrize("likelihood", ["normal", "laplace"])
def test_losses_are_those_of_the_formula(likelihood):
    X, _ = make_blocks(n=12, n_modalities=2, missing=0.0)
    vae = MultimodalVAE(
        **{**SMALL, "dtype": "float64"}, beta=1.7, scale=0.4, likelihood=likelihood,
        shared_noise=True, fusion="moe",
    ).fit(X)  # fmt: skip
    module = vae._fitted.module.train()
    batch = vae._fitted.store(X).batch(torch.arange(12))
    losses = {}
    with torch.no_grad():
        for beta in (0.0, 1.7):
            module.settings = replace(module.settings, beta=beta)
            with torch.random.fork_rng():
                torch.manual_seed(0)
                losses[beta] = module.row_losses(batch).numpy()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            u = torch.rand((1, 1))
            noise = torch.randn((1, SMALL["latent_dim"]), dtype=torch.float64)
        mean, log = module.pick(*module.expert_outputs(batch), batch.present, u)
        z = mean + torch.exp(log / 2) * noise
        guess = [d(z).numpy() for d in module.decoders]
    mean, log = mean.numpy(), log.numpy()
    divergence = 0.5 * (np.exp(log) + mean**2 - 1 - log).sum(axis=1)
    np.testing.assert_allclose(losses[1.7] - losses[0.0], 1.7 * divergence)
    total = np.zeros(12)
    for m, name in enumerate(X.names):
        scaled = (X[name] - vae.means_[name]) / vae._deviations[name]
        gap = (scaled - guess[m]) / 0.4
        part = np.abs(gap) if likelihood == "laplace" else gap**2 / 2
        # Every block counts as many features as blocks have on average.
        total += 3.5 * part.mean(axis=1)
    np.testing.assert_allclose(losses[0.0], total, rtol=1e-6)


def test_padding_of_series_is_no_data():
    """The loss of a short series is the mean over its own steps."""
    rng = np.random.default_rng(0)
    series = rng.normal(size=(12, 6, 2))
    series[4:8, 3:] = np.nan
    X = MultimodalData({"s": series, "t": rng.normal(size=(12, 3))})
    vae = MultimodalVAE(
        **{**SMALL, "dtype": "float64"}, beta=0.0, shared_noise=True, fusion="moe"
    ).fit(X)
    module = vae._fitted.module.train()
    batch = vae._fitted.store(X).batch(torch.arange(12))
    z = torch.randn((12, SMALL["latent_dim"]), dtype=torch.float64)
    with torch.no_grad():
        misfit = module._misfit(batch, z, torch.tensor([[True, False]] * 12)).numpy()
        guess = module.decoders[0](z).reshape(12, 6, 2).numpy()
    gap = (series - vae.means_["s"]) / vae._deviations["s"] - guess
    expected = [np.nanmean(0.5 * (row / vae.scale) ** 2) for row in gap]
    np.testing.assert_allclose(misfit, expected, rtol=1e-6)


def test_a_product_learns_from_all_and_from_parts():
    X, _ = make_blocks(n=400, n_modalities=3, missing=0.0)
    vae = MultimodalVAE(**{**SMALL, "max_epochs": 1}, fusion="poe").fit(X)
    module, seen = vae._fitted.module.train(), []
    batch = vae._fitted.store(X).batch(torch.arange(400))
    combine = module.combine
    module.combine = lambda means, logs, kept: (
        seen.append(kept), combine(means, logs, kept)
    )[1]  # fmt: skip
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        module.row_losses(batch)
    # Half of the rows all, of the others a part, one in seven of them all.
    whole = seen[0].all(dim=1).double().mean()
    assert float(whole) == pytest.approx(0.5 + 0.5 / 7, abs=0.08)


def test_parts_are_drawn_evenly():
    present = torch.tensor([[True, True, True], [True, False, True]]).repeat(7000, 1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        part = random_part(present, shared=False)
        assert (random_part(present[::2], shared=True).unique(dim=0)).shape[0] == 1
    assert not (part & ~present).any()
    assert part.any(dim=1).all()
    code = (part * torch.tensor([1, 2, 4])).sum(dim=1)
    three = torch.bincount(code[::2], minlength=8)[1:] / 7000
    np.testing.assert_allclose(three, 1 / 7, atol=0.02)
    two = torch.bincount(code[1::2], minlength=8) / 7000
    np.testing.assert_allclose(two[[1, 4, 5]], 1 / 3, atol=0.025)
    # Nothing but failures: all that the row has.
    tries = torch.tensor([[[False, True, False]]])
    assert first_part(present[:2], tries).tolist() == [
        [False, True, False],
        [True, False, True],
    ]


def test_early_stopping_and_bad_parameters():
    X, _ = make_blocks(n=60)
    stopped = MultimodalVAE(
        **{**SMALL, "max_epochs": 200}, early_stopping=True, n_iter_no_change=2, lr=0.05
    ).fit(X)
    assert 2 < stopped.n_iter_ < 200
    with pytest.raises(ValueError, match="fusion"):
        MultimodalVAE(fusion="sum").fit(X)
    frozen = ModuleEncoder(torch.nn.Linear(3, 2), out_features=2, frozen=True)
    with pytest.raises(ValueError, match=r"Got a frozen encoder .* 'm0'"):
        MultimodalVAE(**SMALL, encoders=[("m0", frozen)]).fit(X)
    with pytest.raises(ValueError, match="Got n_draws=0, expected a positive integer"):
        MultimodalVAE(**SMALL).fit(X).sample(X, 0)
    with pytest.raises(ValueError, match="unknown modality 'other'"):
        MultimodalVAE(**SMALL, encoders=[("other", MLPEncoder())]).fit(X)


def test_groups_are_held_out_whole(monkeypatch):
    X, _ = make_blocks(n=120)
    groups, held_out = np.arange(120) // 4, []
    original = _training._run

    def spy(fitted, training, valid, *args):
        held_out.append((set(training.groups), set(valid.groups)))
        return original(fitted, training, valid, *args)

    monkeypatch.setattr(_training, "_run", spy)
    MultimodalVAE(**SMALL, early_stopping=True).fit(X, groups=groups)
    ((trained, left_out),) = held_out
    assert len(left_out) == 3
    assert not trained & left_out
    weight = (np.arange(120) >= 8) * 1.0
    MultimodalVAE(**SMALL, early_stopping=True).fit(X, None, weight, groups)
    assert held_out[1][0] | held_out[1][1] == set(groups[8:])


def test_nothing_global_moves():
    X, _ = make_blocks(n=30)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MultimodalVAE(**{**SMALL, "random_state": None}).fit(X).sample(X, 2)
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])
    assert torch.equal(torch.get_rng_state(), before[1])
