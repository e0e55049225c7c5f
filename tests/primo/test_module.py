"""The loss of PRIMO and its draws."""

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from torch.distributions import Normal, kl_divergence

from skmissing import MultimodalData, PRIMOClassifier
from skmissing._estimation._rows import LabelledRows
from skmissing.primo._classifier import N_HIDINGS, hide_parts
from skmissing.primo._module import (
    LOG_VARIANCE,
    Summary,
    _mean_log,
    divergence,
    make_noise,
    summarise,
)

from ..conftest import make_blocks

SMALL = {"max_epochs": 3, "lr": 1e-2, "n_threads": 1, "random_state": 0}


def test_divergence_is_summed_over_dimensions():
    rng = torch.Generator().manual_seed(0)
    m1, l1, m2, l2 = (torch.randn((5, 3), generator=rng).double() for _ in range(4))
    expected = kl_divergence(
        Normal(m1, torch.exp(l1 / 2)), Normal(m2, torch.exp(l2 / 2))
    ).sum(dim=1)
    torch.testing.assert_close(divergence((m1, l1), (m2, l2)), expected)


@pytest.mark.parametrize("posterior_norm", [None, 0.6])
def test_loss_of_a_row_by_hand(monkeypatch, posterior_norm):
    """Two modalities, the first always there: T is the first alone."""
    X, y = make_blocks()
    present = np.column_stack([np.ones(60, bool), X.present[:, 1]])
    X = MultimodalData({"m0": np.nan_to_num(X["m0"]), "m1": X["m1"]}, present=present)
    clf = PRIMOClassifier(
        **SMALL, dtype="float64", latent_dim=2, beta=0.7, anchor_weight=0.3,
        tie_weight=0.2, posterior_norm=posterior_norm,
        classifier_dropout=0.0, classifier_input="core",
    ).fit(X, y)  # fmt: skip
    assert clf.core_ == ["m0"]
    module = clf.net_.module_.train()
    batch = clf._fitted.store(X, y, np.ones(60)).batch(torch.arange(60))
    noise = torch.randn(60, 2, dtype=torch.float64)
    monkeypatch.setattr(module, "_noise", lambda like: noise)
    with torch.no_grad():
        loss = module.row_losses(batch).numpy()

        def net(layers, x):
            return layers(torch.from_numpy(x)).numpy()

        code = module.codes(batch).numpy()
        n0 = module.bank.widths[0]
        here = X.present[:, 1].astype(float)
        full = np.column_stack([code, np.ones(60), here])
        part = np.column_stack([code[:, :n0], 0 * code[:, n0:], np.ones(60), 0 * here])
        hot = np.eye(3)[y]

        def gaussian(layers, x):
            mean, log_var = np.split(net(layers, x), 2, axis=1)
            return mean, np.clip(log_var, *LOG_VARIANCE)

        prior, lower = gaussian(module.prior, full), gaussian(module.prior, part)
        mean, log_var = gaussian(module.posterior, np.column_stack([full, hot]))
        if posterior_norm is not None:
            norm = module.norm
            assert not norm.weight.requires_grad
            np.testing.assert_allclose(norm.weight, 0.6, rtol=1e-7)
            spread = np.sqrt(mean.var(axis=0) + norm.eps)
            mean = (
                mean - mean.mean(axis=0)
            ) / spread * norm.weight.numpy() + norm.bias.numpy()
        z = mean + np.exp(log_var / 2) * noise.numpy()
        first = net(module.from_codes, part) + net(module.from_latent, z)
        logits = net(module.rest, first)

    def kl(p, q):
        ratio = (np.exp(p[1]) + (p[0] - q[0]) ** 2) / np.exp(q[1])
        return 0.5 * (q[1] - p[1] + ratio - 1).sum(axis=1)

    standard = (np.zeros_like(mean), np.zeros_like(mean))
    expected = (
        -log_softmax(logits, axis=1)[np.arange(60), y]
        + 0.7 * kl((mean, log_var), prior)
        + 0.3 * kl(lower, standard)
        + 0.2 * kl(prior, lower) * here
    )
    np.testing.assert_allclose(loss, expected, atol=1e-9)


def test_parts_of_rows():
    X, y = make_blocks(n_modalities=4)
    module = PRIMOClassifier(**SMALL).fit(X, y).net_.module_
    torch.manual_seed(0)
    present = torch.tensor([[1, 1, 1, 1], [1, 0, 1, 0], [0, 1, 0, 0]]).bool()
    rows = torch.arange(30_000) % 3
    part = module._draw_part(present[rows])
    assert not (part & ~present[rows]).any()
    assert part.any(dim=1).all()
    # A single modality stays; of more something always goes.
    assert torch.equal(part[rows == 2], present[rows[rows == 2]])
    left = part[rows == 0].sum(dim=1).numpy()
    np.testing.assert_allclose(
        np.bincount(left, minlength=5)[1:4] / 1e4, 1 / 3, atol=0.02
    )
    assert left.max() == 3
    np.testing.assert_allclose(part[rows == 0].double().mean(dim=0), 0.5, atol=0.02)
    assert (part[rows == 1].sum(dim=1) == 1).all()
    # A core is never taken away, and may be all that is left.
    module.core = torch.tensor([True, False, False, False])
    part = module._draw_part(present[rows])
    assert part[rows != 2][:, 0].all()
    left = part[rows == 0].sum(dim=1).numpy()
    np.testing.assert_allclose(
        np.bincount(left, minlength=5)[1:4] / 1e4, 1 / 3, atol=0.02
    )


def test_copies_with_hidden_blocks_count_as_one_row():
    X, y = make_blocks(n=40, n_modalities=3, missing=0.2)
    weight = np.random.default_rng(0).uniform(0.5, 2.0, size=40)
    rows = LabelledRows(X, y, np.unique(y), weight, None)
    copies = hide_parts([False] * 3, 0)(rows)
    n_copies = N_HIDINGS + 1
    assert len(copies) == 40 * n_copies
    np.testing.assert_array_equal(copies.data.present[:40], X.present)
    np.testing.assert_array_equal(copies.weight[:40], weight)
    hidden = copies.weight[40:].reshape(N_HIDINGS, 40)
    np.testing.assert_allclose(hidden.sum(axis=0), weight)
    # Never more than what the row has, never all of it.
    part = copies.data.present.reshape(n_copies, 40, 3)
    assert not (part & ~X.present).any()
    assert (part.any(axis=2) == X.present.any(axis=1)).all()
    assert part[1:].sum() < N_HIDINGS * X.present.sum()


def test_prediction_is_the_mean_of_the_samples():
    X, y = make_blocks()
    clf = PRIMOClassifier(**SMALL, dtype="float64", n_draws=70).fit(X, y)
    samples = clf.sample_proba(X)
    assert samples.shape == (60, 70, 3)
    np.testing.assert_allclose(samples.sum(axis=2), 1.0)
    np.testing.assert_allclose(samples.mean(axis=1), clf.predict_proba(X), atol=1e-12)
    # Common random numbers: fewer draws are the first of more, for every row.
    np.testing.assert_allclose(
        clf.sample_proba(X[7:9], 20), samples[7:9, :20], atol=1e-9
    )
    assert torch.equal(make_noise(3, 5, 2), make_noise(3, 9, 2)[:5])


def test_samples_by_hand():
    """The prior of what a row has, and the classifier on its draws."""
    X, y = make_blocks(missing=0.0)
    clf = PRIMOClassifier(**SMALL, dtype="float64").fit(X, y)
    assert clf.core_ == []
    module = clf.net_.module_
    batch = clf._fitted.store(X).batch(torch.arange(60))
    noise = make_noise(clf._noise_seed, 30, 8)
    with torch.no_grad():
        codes = module.codes(batch)
        given = torch.cat([codes, torch.ones(60, 2)], dim=1)
        mean, log_var = module.prior(given).chunk(2, dim=1)
        out = []
        for k in range(30):
            z = mean + torch.exp(log_var.clamp(*LOG_VARIANCE) / 2) * noise[k]
            logits = module.rest(module.from_codes(given) + module.from_latent(z))
            out.append(torch.softmax(logits, dim=1))
    np.testing.assert_allclose(
        clf.sample_proba(X, 30), torch.stack(out, dim=1), atol=1e-10
    )


def test_chunks_of_rows_do_not_matter(monkeypatch):
    X, y = make_blocks()
    clf = PRIMOClassifier(**SMALL, dtype="float64").fit(X, y)
    whole = clf.predict_proba(X)
    monkeypatch.setattr("skmissing.primo._module.CHUNK", 1)
    np.testing.assert_allclose(clf.predict_proba(X), whole, atol=1e-12)


def test_summaries_by_hand():
    rng = np.random.default_rng(0)
    proba = rng.dirichlet([0.3, 0.3, 0.3], size=(4, 50))
    proba[3] = [1.0, 0.0, 0.0]
    with np.errstate(divide="ignore"):
        columns = summarise(torch.from_numpy(np.log(proba))).columns().numpy()
    assert columns.shape == (4, Summary.n_columns(3))
    out = Summary.from_columns(columns)
    mean = proba.mean(axis=1)
    distance = 0.5 * np.abs(proba - mean[:, None]).sum(axis=2)
    np.testing.assert_allclose(out.v, distance.mean(axis=1))
    np.testing.assert_allclose(out.v_error, distance.std(axis=1, ddof=1) / np.sqrt(50))

    def entropy(p):
        return -np.where(p > 0, p * np.log(np.maximum(p, 1e-300)), 0).sum(axis=-1)

    expected = entropy(mean) - entropy(proba).mean(axis=1)
    np.testing.assert_allclose(out.information, expected, atol=1e-12)
    np.testing.assert_allclose(out.mean, mean)
    assert out.v[3] == 0.0
    assert out.information[3] == 0.0
    # V never exceeds 1 - sum p^2.
    assert (out.v <= 1 - (mean**2).sum(axis=1) + 1e-12).all()


@pytest.mark.parametrize("classifier_input", ["present", "core"])
def test_what_the_classifier_sees(classifier_input):
    """The codes of the core alone, or those of all, of a part half of the time."""
    X, y = make_blocks()
    present = np.column_stack([np.ones(60, bool), X.present[:, 1]])
    X = MultimodalData({"m0": np.nan_to_num(X["m0"]), "m1": X["m1"]}, present=present)
    clf = PRIMOClassifier(**SMALL, classifier_input=classifier_input).fit(X, y)
    module = clf.net_.module_
    both = torch.tensor([[True, True]]).expand(20_000, 2)
    core = torch.tensor([[True, False]]).expand(20_000, 2)
    shown = module._draw_shown(both, core)
    assert shown[:, 0].all()
    share = 0.0 if classifier_input == "core" else 0.5
    np.testing.assert_allclose(shown[:, 1].double().mean(), share, atol=0.02)
    assert torch.equal(module._shown(both)[0], torch.tensor([True, share > 0]))
    # With the code of m1 out of the classifier, z alone can bring its news.
    with torch.no_grad():
        batch = clf._fitted.store(X, y, np.ones(60)).batch(torch.arange(60))
        codes = module.codes(batch)
        width = module.bank.widths[0]
        changed = codes.clone()
        changed[:, width:] += 1.0
        present = batch.present[:, module.columns]
        module.eval()
        one, other = (module._from_codes(c, module._shown(present))
                      for c in (codes, changed))  # fmt: skip
    same = torch.isclose(one, other).all(dim=1)
    assert same.all() if classifier_input == "core" else not same[present[:, 1]].any()


def test_the_mean_over_draws_of_many_classes(monkeypatch):
    rng = np.random.default_rng(0)
    scores = torch.from_numpy(rng.normal(size=(7, 40, 300)) * 30)
    expected = torch.logsumexp(torch.log_softmax(scores, dim=2), dim=1) - np.log(40)
    # Closer to 0 than a number can be is the smallest number.
    expected = expected.clamp(min=float(np.log(np.finfo(np.float64).tiny)))
    torch.testing.assert_close(_mean_log(scores), expected, rtol=1e-12, atol=1e-12)
    assert (expected < -50).any()

    y = np.array([f"class {k}" for k in np.arange(240) % 120])
    X = MultimodalData({"a": rng.normal(size=(240, 3)), "b": rng.normal(size=(240, 2))})
    clf = PRIMOClassifier(**{**SMALL, "max_epochs": 1}, n_draws=50).fit(X, y)
    rows = []

    def counted(scores):
        rows.append(scores.numel())
        return _mean_log(scores)

    monkeypatch.setattr("skmissing.primo._module.CHUNK", 2**15)
    monkeypatch.setattr("skmissing.primo._module._mean_log", counted)
    proba = clf.predict_proba(X)
    assert max(rows) <= 2**15
    np.testing.assert_allclose(proba, clf.sample_proba(X).mean(axis=1), atol=1e-6)
