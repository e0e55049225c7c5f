"""Fusions that generate, reconstruct or remember: what each is known for."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from skmissing import MultimodalData
from skmissing.baselines import FusionClassifier
from skmissing.nn import (
    CMMDFusion,
    Fusion,
    M3CareFusion,
    MUSEFusion,
    OnlineMAEFusion,
    PDFFusion,
    PromptFusion,
)
from skmissing.nn.fusion._cmmd_fusion import discrepancy
from tests.conftest import make_blocks
from tests.nn.test_fusion import NET, built, codes_of, cross_entropy

TOKENS = {"token_dim": 8, "n_heads": 2}

# One in every run, the others among the slow tests.
SEEDS = pytest.mark.parametrize(
    "seed", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in (1, 2))]
)


def alike(seed, n=400, n_kinds=6):
    """Two modalities that show which of some kinds a row is of; classes of kinds."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(n_kinds, size=n)
    blocks = {
        name: rng.normal(size=(n_kinds, 5))[kind] + 0.3 * rng.normal(size=(n, 5))
        for name in ("a", "b")
    }
    return MultimodalData(blocks), kind % 2


def net_codes(clf, X):
    """The fuser of a classifier, and codes and presence of rows."""
    module = clf.net_.module_
    with torch.no_grad():
        codes = module.codes(clf._fitted.store(X).batch(torch.arange(len(X))))
    return module.fuser, *codes


# -- memories of training rows ---------------------------------------------------------


class RememberFusion(Fusion):
    """Remembers which labels it was shown, and how often."""

    def __init__(self, memory_rows=16):
        self.memory_rows = memory_rows

    def build(self, widths, n_classes, make_head):
        return RememberNet(widths, self.memory_rows)


class RememberNet(nn.Module):
    def __init__(self, widths, memory_rows):
        super().__init__()
        self.memory_rows = memory_rows
        self.layer = nn.Linear(sum(widths), 8)
        self.out_features = 8
        self.shown = []
        self.register_buffer("count", torch.zeros(()))
        self.held_out = []

    def remember(self, codes, present, y, weight):
        assert not self.training
        assert not any(code.requires_grad for code in codes)
        assert all((c[~present[:, m]] == 0).all() for m, c in enumerate(codes))
        self.shown.append((y.tolist(), weight.tolist(), present.tolist()))
        self.count += 1

    def forward(self, codes, present):
        if not self.training:
            self.held_out.append(float(self.count))
        return self.layer(torch.cat(codes, dim=1))


@pytest.mark.parametrize("batch_hook", [False, True])
def test_rows_are_remembered_after_each_epoch(batch_hook):
    X, y = make_blocks(n=60)
    w = np.random.default_rng(0).uniform(0.5, 2.0, size=60)

    class Hook(Callback):
        def on_batch_end(self, net, **kwargs):
            pass

    for rows in (16, 100):
        clf = FusionClassifier(
            fusion=RememberFusion(rows),
            callbacks=[Hook()] if batch_hook else None,
            **{**NET, "max_epochs": 3},
        ).fit(X, y, sample_weight=w)
        shown = clf.net_.module_.fuser.shown
        assert len(shown) == 3
        # The same rows each time, as they are: no modality is hidden.
        assert shown[0] == shown[1] == shown[2]
        labels, weights, present = shown[0]
        assert len(labels) == min(rows, 60)
        if rows > 60:
            np.testing.assert_array_equal(labels, y)
            np.testing.assert_allclose(weights, w / w.mean(), rtol=1e-6)
            np.testing.assert_array_equal(present, X.present)


def test_many_rows_are_remembered_in_their_order():
    X, y = make_blocks(n=600)
    clf = FusionClassifier(
        fusion=RememberFusion(1000), early_stopping=False, **{**NET, "max_epochs": 1}
    )
    labels, _, present = clf.fit(X, y).net_.module_.fuser.shown[0]
    np.testing.assert_array_equal(labels, y)
    np.testing.assert_array_equal(present, X.present)


def test_a_memory_is_that_of_the_best_epoch():
    X, y = make_blocks(n=60)
    clf = FusionClassifier(
        fusion=RememberFusion(), early_stopping=True, n_iter_no_change=3,
        **{**NET, "max_epochs": 30, "lr": 0.1},
    ).fit(X, y)  # fmt: skip
    fuser = clf.net_.module_.fuser
    best = int(np.argmin(clf.net_.history[:, "valid_loss"])) + 1
    assert best < len(clf.net_.history)
    assert float(fuser.count) == best
    # Rows that are held out are looked at after the memory is filled.
    assert fuser.held_out[0] == 1.0


@pytest.mark.parametrize("fusion", [M3CareFusion(**TOKENS), MUSEFusion(width=8)])
def test_predictions_rest_on_the_memory_and_leave_it(fusion):
    X, y = make_blocks(n=60)
    clf = FusionClassifier(fusion=fusion, dtype="float64", **NET).fit(X, y)
    fuser = clf.net_.module_.fuser
    before, proba = fuser.memory.clone(), clf.predict_proba(X)
    for i in range(8):
        np.testing.assert_allclose(clf.predict_proba(X[i])[0], proba[i], atol=1e-12)
    assert torch.equal(fuser.memory, before)
    fuser.memory.mul_(-1.0)
    assert np.abs(clf.predict_proba(X) - proba).max() > 1e-4


def test_a_net_with_a_memory_goes_on():
    X, y = make_blocks(n=60)
    clf = FusionClassifier(fusion=M3CareFusion(**TOKENS), warm_start=True, **NET)
    first = clf.fit(X, y).net_.module_.fuser.memory.clone()
    second = clf.fit(X, y).net_.module_.fuser.memory
    assert (first[:60] != second[:60]).any(dim=2).all()
    assert (second[60:] == 0).all()


# -- M3Care ----------------------------------------------------------------------------


@SEEDS
def test_similar_rows_impute_nearer_than_the_mean(seed):
    X, y = alike(seed)
    hidden = np.random.default_rng(seed).random((300, 2)) < 0.3
    hidden[hidden.all(axis=1)] = False
    clf = FusionClassifier(
        fusion=M3CareFusion(),
        **{**NET, "lr": 1e-3, "batch_size": 30, "random_state": seed},
    ).fit(X[:300].hide(hidden), y[:300])
    fuser, codes, present = net_codes(clf, X[300:])
    with torch.no_grad():
        truth = fuser.projected(codes)[:, 1]
        left = present.clone()
        left[:, 1] = False
        only = [codes[0], torch.zeros_like(codes[1])]
        found = fuser.imputed(
            fuser.projected(only), left, fuser.memory, fuser.memory_share
        )[:, 1]
        share = fuser.memory_share[:, 1:]
        mean = (share * fuser.memory[:, 1]).sum(dim=0) / share.sum()
    error, from_mean = ((truth - part).square().mean() for part in (found, mean))
    assert error < 0.5 * from_mean


def test_imputed_tokens_by_hand():
    module = built(M3CareFusion(memory_rows=12, **TOKENS))
    codes, present = codes_of(n=9, seed=1)
    w = torch.linspace(0.5, 2.0, 9, dtype=torch.float64)
    with torch.no_grad():
        module.threshold.fill_(-1.0)
        module.remember(codes, present, None, w)
        projected = module.projected(codes)
        share = module.memory_share
        # Room that is left has no weight.
        assert (share[9:] == 0).all()
        torch.testing.assert_close(share[:9], present * (w / w.sum())[:, None])
        got = module.imputed(projected, present, module.memory, share)
        plain = torch.sigmoid(module.plain_share)
        for i in range(9):
            alike = torch.zeros(9, dtype=torch.float64)
            for j in range(9):
                own = []
                for m in range(3):
                    if present[i, m] and present[j, m]:
                        pair = projected[[i, j], m]
                        parts = []
                        for a, b in (pair, module.compared[m](pair)):
                            angle = nn.functional.cosine_similarity(a, b, dim=0)
                            width = torch.exp(module.log_width[m])
                            parts.append(torch.exp(-2 * (1 - angle) / width))
                        own.append(plain[m] * parts[0] + (1 - plain[m]) * parts[1])
                if own:
                    mean = torch.stack(own).mean()
                    alike[j] = torch.relu(mean - torch.sigmoid(module.threshold))
            for m in range(3):
                weight = alike * w * present[:, m]
                # Zero where no row that has it is similar.
                expected = weight @ projected[:, m] / weight.sum().clamp(min=1e-9)
                torch.testing.assert_close(got[i, m], expected, rtol=1e-3, atol=1e-3)


def test_rows_that_are_not_similar_impute_nothing():
    module = built(M3CareFusion(memory_rows=12, **TOKENS))
    codes, present = codes_of(n=9)
    with torch.no_grad():
        module.threshold.fill_(50.0)
        module.remember(codes, present, None, torch.ones(9, dtype=torch.float64))
        projected = module.projected(codes)
        found = module.imputed(projected, present, module.memory, module.memory_share)
    assert found.abs().max() < 1e-6


# -- MUSE ------------------------------------------------------------------------------


def test_messages_to_modalities_are_weighted_means():
    module = built(MUSEFusion(width=4))
    codes, present = codes_of(n=10)
    w = torch.tensor([1.0, 2.0] * 5, dtype=torch.float64)
    with torch.no_grad():
        module.remember(codes, present, None, w)
        for m in range(3):
            have = present[:, m]
            edges = module.edges[m](codes[m][have])
            sent = module.message[0](torch.cat([torch.ones_like(edges), edges], dim=1))
            mean = (w[have, None] * sent).sum(dim=0) / w[have].sum()
            torch.testing.assert_close(module.memory[0, m], mean)


def test_contrasts_count_weights_as_rows():
    module = built(MUSEFusion(width=4))
    rng = np.random.default_rng(0)
    rows, parts = (torch.from_numpy(rng.normal(size=(5, 4))) for _ in range(2))
    y = torch.tensor([0, 1, 1, 0, 2])
    w = torch.tensor([1, 3, 2, 1, 1])
    weighted = module._contrasts(rows, parts, y, w.double())
    twice = torch.repeat_interleave(torch.arange(5), w)
    repeated = module._contrasts(
        rows[twice], parts[twice], y[twice], torch.ones(8, dtype=torch.float64)
    )
    torch.testing.assert_close(weighted[twice], repeated)
    # By hand, without weights.
    one = torch.ones(5, dtype=torch.float64)
    got = module._contrasts(rows, parts, y, one)
    a, b = (nn.functional.normalize(module.contrast(v), dim=1) for v in (rows, parts))
    within, between = a @ a.T / 0.07, a @ b.T / 0.07
    index = torch.arange(5)
    told = [cross_entropy(s, index) - np.log(5) for s in (between, between.T)]
    same = (y[:, None] == y).double()
    binary = nn.functional.binary_cross_entropy_with_logits
    pairs = sum(
        share * binary(s, same, reduction="none").mean(dim=1)
        for share, s in ((0.5, within), (0.25, between), (0.25, between.T))
    )
    torch.testing.assert_close(got, (told[0] + told[1]) / 2 + pairs)


@SEEDS
def test_contrast_tells_a_row_by_a_part_of_it(seed):
    X, y = alike(seed, n=300)
    ranks = []
    for weight in (0.0, 0.5):
        clf = FusionClassifier(
            fusion=MUSEFusion(width=16, contrastive_weight=weight),
            **{**NET, "max_epochs": 20, "batch_size": 50, "random_state": seed},
        ).fit(X, y)
        codes = []
        for part in (X, X.hide("b")):
            fuser, *given = net_codes(clf, part)
            with torch.no_grad():
                code = fuser.contrast(fuser._rows(*given))
            codes.append(nn.functional.normalize(code, dim=1))
        near = codes[0] @ codes[1].T
        # Share of other rows' parts that are nearer than a row's own.
        ranks.append(float((near > near.diagonal()[:, None]).double().mean()))
    assert ranks[1] < 0.75 * ranks[0]
    assert clf.score(X.hide("b"), y) > 0.9


# -- CMMD ------------------------------------------------------------------------------


def test_the_bound_by_hand():
    module = built(CMMDFusion(latent_dim=2, hidden=6))
    codes, present = codes_of(n=8)
    y = torch.arange(8) % 3
    given = present.clone()
    given[:, 1] = False
    torch.manual_seed(0)
    made = module.generate(codes, present, given, y)
    mean_0, log_0 = module.prior(codes, given)
    label = nn.functional.one_hot(y, 3).double()
    bits = present.double()
    mean, log = module.posterior_net(torch.cat([*codes, bits, label], 1)).chunk(2, 1)
    q, p = (
        torch.distributions.Normal(m, torch.exp(s / 2))
        for m, s in ((mean, log), (mean_0, log_0))
    )
    kl = torch.distributions.kl_divergence(q, p).sum(dim=1)
    torch.testing.assert_close(2 * made.divergence, kl)
    kept = [codes[0], 0 * codes[1], codes[2]]
    inputs = torch.cat([*kept, given.double(), made.posterior], dim=1)
    guess = module.generator(inputs)[:, 3:7]
    truth = codes[1] - codes[1].mean(dim=1, keepdim=True)
    truth = truth / torch.sqrt(truth.square().mean(dim=1, keepdim=True) + 1e-5)
    error = 0.5 * (truth - guess).square().mean(dim=1)
    torch.testing.assert_close(made.misfit, error * present[:, 1])


def test_discrepancy_is_that_of_weighted_sets():
    rng = np.random.default_rng(0)
    a, b = (torch.from_numpy(rng.normal(size=(6, 3))) for _ in range(2))
    one = torch.ones(6, dtype=torch.float64)
    assert abs(float(discrepancy(a, a, one))) < 1e-12
    assert float(discrepancy(a, a + 3.0, one)) > float(discrepancy(a, b, one)) > 0
    w = torch.tensor([1, 2, 3, 1, 1, 2])
    again = torch.repeat_interleave(torch.arange(6), w)
    repeated = discrepancy(a[again], b[again], torch.ones(10, dtype=torch.float64))
    torch.testing.assert_close(discrepancy(a, b, w.double()), repeated)


@SEEDS
def test_the_bound_falls_and_what_is_missing_only_in_tests_is_no_harm(seed):
    X, y = alike(seed)
    bounds = []
    for epochs in (1, 25):
        clf = FusionClassifier(
            fusion=CMMDFusion(generative_weight=1.0, omega=1.0), modality_dropout=0.0,
            **{**NET, "max_epochs": epochs, "batch_size": 30, "random_state": seed},
        ).fit(X[:300], y[:300])  # fmt: skip
        fuser, codes, present = net_codes(clf, X[300:])
        given = present.clone()
        given[:, 1] = False
        with torch.no_grad():
            torch.manual_seed(0)
            made = fuser.generate(codes, present, given, torch.from_numpy(y[300:]))
        bounds.append(float((made.misfit + made.divergence).mean()))
    # Normalised codes have half a unit of misfit where nothing is known of them.
    assert bounds[1] < 0.8 * bounds[0]
    assert bounds[1] < 0.4
    assert clf.score(X[300:].hide("b"), y[300:]) > 0.9


# -- PDF -------------------------------------------------------------------------------


def test_beliefs_and_calibration_by_hand():
    module = built(PDFFusion())
    confidence = torch.tensor([[0.9, 0.5, 0.2], [0.9, 0.5, 0.2]], dtype=torch.float64)
    present = torch.tensor([[True, True, True], [True, False, True]])
    logs = np.log([0.9, 0.5, 0.2])
    got = module.belief(confidence, present)
    first = [0.9, 0.5, 0.2] + (logs.sum() - logs) / logs.sum()
    np.testing.assert_allclose(got[0], first)
    second = 0.9 + logs[2] / (logs[0] + logs[2]), 0.2 + logs[0] / (logs[0] + logs[2])
    np.testing.assert_allclose(got[1, [0, 2]], second)
    shares = torch.tensor([[[0.8, 0.1, 0.1], [1 / 3] * 3, [0.5, 0.25, 0.25]]] * 2)
    sure = np.abs(shares[0].numpy() - 1 / 3).mean(axis=1)
    got = module.calibration(shares.double().log(), present)
    np.testing.assert_allclose(
        got[0], np.minimum(1, sure / ((sure.sum() - sure) / 2)), atol=1e-6
    )
    np.testing.assert_allclose(got[1, [0, 2]], [1.0, sure[2] / sure[0]], atol=1e-6)
    # Weights of training leave it out.
    codes, present = codes_of()
    scores = module.scores(codes, present)
    belief = module.belief(module.confidence(codes), present)
    for training in (True, False):
        module.train(training)
        raw = belief if training else belief * module.calibration(scores, present)
        expected = torch.where(present, raw.exp(), 0.0)
        torch.testing.assert_close(
            module._weights(codes, scores, present),
            expected / expected.sum(dim=1, keepdim=True),
        )


@SEEDS
def test_confidence_predicts_the_probability_of_the_true_class(seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=600)
    sign = 2.0 * y[:, None] - 1.0
    # The first column of "a" is how much its others know.
    known = rng.random((600, 1)) < 0.5
    a = np.hstack([known, known * sign + 0.5 * rng.normal(size=(600, 1))])
    X = MultimodalData({"a": a, "b": 0.5 * sign + rng.normal(size=(600, 1))})
    clf = FusionClassifier(
        fusion="pdf", batch_size=40, **{**NET, "max_epochs": 20, "random_state": seed}
    ).fit(X[:400], y[:400])
    fuser, codes, present = net_codes(clf, X[400:])
    with torch.no_grad():
        shares = fuser.scores(codes, present).softmax(dim=2).numpy()
        guess = fuser.confidence(codes)[:, 0].numpy()
    truth = shares[np.arange(200), 0, y[400:]]
    assert np.corrcoef(guess, truth)[0, 1] > 0.6
    gaps = np.abs(guess - truth).mean(), np.abs(truth - np.median(truth)).mean()
    assert gaps[0] < gaps[1]


# -- OnlineMAE -------------------------------------------------------------------------


@SEEDS
def test_hidden_tokens_are_reconstructed_better_than_by_their_mean(seed):
    X, y = alike(seed)
    clf = FusionClassifier(
        fusion=OnlineMAEFusion(token_dim=16, n_heads=2), modality_dropout=0.0,
        early_stopping=False,
        **{**NET, "max_epochs": 20, "batch_size": 50, "random_state": seed},
    ).fit(X[:300], y[:300])  # fmt: skip
    fuser, codes, present = net_codes(clf, X[300:])
    left = present.clone()
    left[:, 1] = False
    with torch.no_grad():
        projected = fuser.projected(codes)
        truth = nn.functional.layer_norm(projected, (16,))[:, 1]
        guess = fuser.recovered(projected * left[:, :, None], left)[:, 1]
    from_mean = (truth - truth.mean(dim=0)).square().mean()
    assert (guess - truth).square().mean() < 0.5 * from_mean


def test_tokens_are_reconstructed_from_present_ones_alone():
    module = built(OnlineMAEFusion(**TOKENS))
    codes, present = codes_of(n=20)
    projected = module.projected(codes)
    other = torch.where(present[:, :, None], projected, projected + 9.0)
    torch.testing.assert_close(
        module.recovered(projected, present), module.recovered(other, present)
    )


def test_the_loss_of_reconstruction_by_hand():
    module = built(OnlineMAEFusion(recovery_weight=0.7, **TOKENS))
    codes, present = codes_of(n=12, missing=0.2)
    y = torch.arange(12) % 3
    projected = module.projected(codes)
    torch.manual_seed(1)
    tries = torch.rand((1, 8, 3)) < 0.5
    parts = present[:, None] & tries
    first = parts.any(dim=2).int().argmax(dim=1)
    kept = parts[torch.arange(12), first]
    assert (kept.sum(dim=1) < present.sum(dim=1)).any()
    some = [c * kept[:, m, None] for m, c in enumerate(codes)]
    expected = 0.5 * cross_entropy(module(codes, present), y)
    expected = expected + 0.5 * cross_entropy(module(some, kept), y)
    truth = nn.functional.layer_norm(projected, (8,))
    error = (module.recovered(projected, kept) - truth).square().mean(dim=2)
    for i in range(12):
        hidden = present[i] & ~kept[i]
        if hidden.any():
            expected[i] = expected[i] + 0.7 * error[i, hidden].mean()
    module.train()
    torch.manual_seed(1)
    loss = module.row_losses(codes, present, y, torch.ones(12), cross_entropy)
    torch.testing.assert_close(loss, expected)


# -- prompts ---------------------------------------------------------------------------


def test_patterns_of_training_have_prompts_and_others_are_composed():
    X, y = make_blocks(n=90, n_modalities=3, missing=0.0)
    # Complete, or without the last, or without the one in the middle.
    X = X.hide({"m1": np.arange(90) % 3 == 0, "m2": np.arange(90) % 3 == 1})
    clf = FusionClassifier(
        fusion=PromptFusion(n_prompts=2, **TOKENS), modality_dropout=0.0, **NET
    ).fit(X, y)
    fuser = clf.net_.module_.fuser
    learned = (fuser.own != 0).flatten(1).any(dim=1)
    seen = {0b111, 0b101, 0b011}
    assert set(np.flatnonzero(learned).tolist()) == seen
    both = torch.tensor([[True, False, False]])
    with torch.no_grad():
        expected = fuser.complete + fuser.missing[1] + fuser.missing[2]
        torch.testing.assert_close(fuser.prompts(both)[0], expected)
        one = torch.tensor([[True, True, False]])
        expected = fuser.complete + fuser.missing[2] + fuser.own[0b011]
        torch.testing.assert_close(fuser.prompts(one)[0], expected)
    proba = clf.predict_proba(X.hide(["m1", "m2"]))
    assert np.isfinite(proba).all()


def test_prompts_are_read_and_many_modalities_have_no_list():
    module = built(PromptFusion(**TOKENS))
    codes, present = codes_of(n=10)
    before = module(codes, present)
    with torch.no_grad():
        module.own.normal_()
    assert ((module(codes, present) - before).abs().amax(dim=1) > 1e-6).all()
    many = built(PromptFusion(**TOKENS), widths=(2,) * 9)
    assert len(many.own) == 0
    codes, present = codes_of(n=4, widths=(2,) * 9)
    assert many(codes, present).shape == (4, 8)
