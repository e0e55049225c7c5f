"""The estimator: against the method written plainly, and with any recovery."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import Callback

from skmissing import DyMoSelector, MultimodalData
from skmissing.baselines import FusionClassifier, PatternClassifier
from skmissing.dymo import TokenTransformer, Typicality
from skmissing.dymo._held_out_rows import enough_held_out
from skmissing.dymo._scores import log_softmax
from skmissing.dymo._selection import Policy
from skmissing.exceptions import UnobservedModalityWarning
from skmissing.modalities import ModalityTransformer
from skmissing.nn import MLPEncoder, ModuleEncoder
from skmissing.recovery import (
    BaseRecovery,
    GaussianRecovery,
    MeanRecovery,
    MultimodalVAE,
    NeighborRecovery,
    RegressionRecovery,
)

from ..conftest import make_blocks
from ._literal import Literal, statistics


def small_net(**params):
    return TokenTransformer(
        **{"token_dim": 16, "n_heads": 2, "feature_dim": 6, **params}
    )


SMALL = {
    "max_epochs": 6,
    "lr": 5e-3,
    "net": small_net(),
    "n_threads": 1,
    "random_state": 0,
}
SELECTIONS = ("iterative", "simultaneous", "all", "none")
SEEDS = [0, *(pytest.param(s, marks=pytest.mark.slow) for s in (1, 2))]
DISTANCES = ("cosine", "euclidean")


class Truth(BaseRecovery):
    """Uncovers what stands behind the mask."""

    def __init__(self, modalities=None):
        self.modalities = modalities

    def _recover(self, data):
        missing = ~data.present
        return {
            n: np.asarray(data[n])[missing[:, m]].astype(float)
            for m, n in enumerate(data.names)
        }


class Noise(BaseRecovery):
    """Fills in a constant."""

    def __init__(self, value=0.0, modalities=None):
        self.value = value
        self.modalities = modalities

    def _recover(self, data):
        n_missing = (~data.present).sum(axis=0)
        return {
            name: np.full((n, *data.block_shapes[name]), self.value)
            for name, n in zip(data.names, n_missing)
        }


# -- the method -----------------------------------------------------------------------


@pytest.fixture(params=DISTANCES, scope="module")
def fitted(request):
    X, y = make_blocks(n=120, n_modalities=4, missing=0.2)
    return DyMoSelector(
        **SMALL,
        distance=request.param,
        typicality=Typicality(ics="halfnormal"),
        dtype="float64",
        min_reward=0.0,
    ).fit(X, y)


@pytest.mark.parametrize(
    "distance", ["cosine", pytest.param("euclidean", marks=pytest.mark.slow)]
)
def test_statistics_are_those_of_the_method_written_plainly(distance):
    X, y = make_blocks(n=60, n_modalities=3, missing=0.0)
    clf = DyMoSelector(
        **SMALL, distance=distance, dtype="float64", early_stopping=False,
        typicality=Typicality(statistics="training", shrinkage=0.0, min_rows=1),
    ).fit(X, y)  # fmt: skip
    overall, prototypes, sigmas = statistics(passes(clf, X), y, 3, 3, distance)
    np.testing.assert_allclose(clf.prototypes_, overall, atol=1e-12)
    assert len(prototypes) == 7
    for chosen in prototypes:
        own = clf.fusion_.table[np.isin(np.arange(3), chosen)]
        np.testing.assert_allclose(own.prototypes, prototypes[chosen], atol=1e-12)
        np.testing.assert_allclose(own.sigma, sigmas[chosen], atol=1e-12)


def passes(clf, data):
    """Takes a row and a mask: what is not used is hidden, and encoders run anew."""
    module = clf._fitted.module

    def forward(row, mask):
        store = clf._fitted.store(data[row].hide(~mask[None]))
        kept = torch.from_numpy(mask[None])
        with torch.inference_mode():
            logits, z = module.fuse(module.tokens(store.batch(torch.arange(1))), kept)
        z = z[0].double().numpy()
        z = z / np.linalg.norm(z) if clf.distance == "cosine" else z
        return logits[0].double().numpy(), z

    return forward


@pytest.mark.parametrize(
    ("seed", "reward"),
    [
        (0, "prob"),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in ((0, "logprob"), (1, "prob"), (1, "logprob"))
        ),
    ],
)
def test_predictions_are_those_of_the_method_written_plainly(fitted, seed, reward):
    X, _ = make_blocks(n=12, n_modalities=4, missing=0.6, seed=seed)
    filled, candidates = fitted.fusion_.recoverer.fill(X)
    fitted.set_params(typicality__reward=reward)

    def tables(mask):
        stats = fitted.fusion_.table[mask]
        return stats.prototypes, stats.sigma

    literal = Literal(
        passes(fitted, filled), fitted.prototypes_, tables, fitted.distance, 0.1,
        log=reward == "logprob", eps=0.0,
    )  # fmt: skip
    for selection in SELECTIONS:
        for calibration in ("log", "ratio", None):
            choice = {"selection": selection, "calibration": calibration}
            proba = fitted.predict_proba(X, **choice)
            masks = fitted.select(X, **choice)
            report = fitted.selection_report(X, **choice)
            n_scored = 0
            for row in range(len(X)):
                logits, mask, history = literal.select(
                    row, X.present[row], candidates[row], selection, calibration
                )
                np.testing.assert_array_equal(masks[row], mask)
                expected = np.exp(logits - logits.max())
                np.testing.assert_allclose(
                    proba[row], expected / expected.sum(), atol=1e-6
                )
                mine = report[report.row == row].set_index(["step", "modality"])
                for step, u, reward in history:
                    # Without the published 1e-9: p may be as small.
                    assert mine.reward[step, X.names[u]] == pytest.approx(
                        reward, abs=1e-5
                    )
                n_scored += len(history)
            assert len(report) == n_scored


def test_the_report_and_the_choice_agree(fitted):
    X, _ = make_blocks(n=60, n_modalities=4, missing=0.6, seed=3)
    report, masks = fitted.selection_report(X), fitted.select(X)
    accepted = report[report.accepted]
    fused = {
        (int(r), int(m)) for r, m in np.argwhere(masks & ~X.present)
    }  # fmt: skip
    assert {(r, X.names.index(m)) for r, m in zip(accepted.row, accepted.modality)} == (
        fused
    )
    assert fused
    assert (accepted.reward > 0).all()
    assert (accepted.alpha <= 1).all()
    # The last label of a row is its prediction.
    last = accepted.groupby("row").label_after.last()
    np.testing.assert_array_equal(last, fitted.predict(X)[last.index])
    first = report[report.step == 0].groupby("row").label_before.first()
    none = fitted.classes_[fitted.predict_proba(X, selection="none").argmax(axis=1)]
    np.testing.assert_array_equal(first, none[first.index])
    assert not (masks < X.present).any()
    assert len(fitted.selection_report(X, selection="all")) == 0
    one = fitted.select(X, selection="none")
    np.testing.assert_array_equal(one, X.present)
    assert fitted.select(X, selection="all").all()


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("model", ["net", "of fewer modalities", "estimator"])
def test_rows_that_no_reward_can_change_are_not_recovered(model, selection, fitted):
    X, y = make_blocks(n=90, n_modalities=4, missing=0.5, seed=4)
    clf = fitted
    if model != "net":
        template = FrozenEstimator(fitted) if model.startswith("of") else None
        template = template or PatternClassifier()
        rows = X.hide("m2") if model.startswith("of") else X
        clf = DyMoSelector(estimator=template, distance=fitted.distance)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnobservedModalityWarning)
            clf.fit(rows, y)
    filled = []

    class Counted(type(clf.fusion_.recoverer)):
        def fill(self, data):
            filled.append(len(data))
            return super().fill(data)

    recoverer = Counted(**vars(clf.fusion_.recoverer))
    fusion = replace(clf.fusion_, recoverer=recoverer)
    used = X.select(fusion.model.names)
    used = used[used.present.any(axis=1)]
    for min_reward in (0.0, 0.2):
        policy = Policy(selection, "ratio", "prob", min_reward, ics="halfnormal")
        found = fusion.run(used, policy)
        n_filled = sum(filled)
        whole = fusion.run(used, policy, reports=True)
        np.testing.assert_allclose(found.logits, whole.logits, atol=1e-9)
        np.testing.assert_array_equal(found.fused, whole.fused)
        filled.clear()
    incomplete = (~used.present.all(axis=1)).sum()
    if selection in ("iterative", "simultaneous"):
        assert n_filled < incomplete


def test_perfect_recovery_of_everything_predicts_as_complete_data_do():
    X, y = make_blocks(n=150, n_modalities=4, missing=0.0, shaped=True)
    clf = DyMoSelector(**SMALL, recovery=Truth()).fit(X[:100], y[:100])
    rng = np.random.default_rng(0)
    mask = rng.random((50, 4)) < 0.7
    mask[np.arange(50), rng.integers(4, size=50)] = False
    test = X[100:]
    np.testing.assert_array_equal(
        clf.predict_proba(test.hide(mask), selection="all"), clf.predict_proba(test)
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_the_default_gains_from_the_truth(seed):
    """Five of six views missing, and known to the recovery."""
    X, y = make_blocks(n=900, n_modalities=6, missing=0.0, seed=seed)
    settings = {**SMALL, "random_state": seed, "max_epochs": 20}
    clf = DyMoSelector(**settings, recovery=Truth()).fit(X[:500], y[:500])
    rank = np.random.default_rng(seed).random((400, 6)).argsort(axis=1)
    rows = X[500:].hide(rank < 5)
    right = {}
    for selection in ("none", "iterative"):
        proba = clf.predict_proba(rows, selection=selection)
        right[selection] = np.mean(clf.classes_[proba.argmax(axis=1)] == y[500:])
    assert right["iterative"] > right["none"] + 0.05


def test_a_recovery_that_is_no_number_is_rejected():
    X, y = make_blocks(n=80, n_modalities=3)
    for value in (np.nan, np.inf):
        clf = DyMoSelector(**SMALL, recovery=Noise(value)).fit(X, y)
        for selection in SELECTIONS:
            np.testing.assert_array_equal(clf.select(X, selection=selection), X.present)
            np.testing.assert_array_equal(
                clf.predict_proba(X, selection=selection),
                clf.predict_proba(X, selection="none"),
            )


def test_absurd_recoveries_are_rejected():
    X, y = make_blocks(n=200, n_modalities=3, missing=0.4)
    clf = DyMoSelector(**{**SMALL, "max_epochs": 25}, recovery=Noise(1e4)).fit(X, y)
    alone = clf.predict_proba(X, selection="none")
    n_missing = (~X.present).sum()
    rate = (clf.select(X) & ~X.present).sum() / n_missing
    assert rate < 0.5
    correct = {
        s: np.mean(clf.classes_[clf.predict_proba(X, selection=s).argmax(axis=1)] == y)
        for s in ("iterative", "all", "none")
    }
    assert correct["iterative"] > correct["none"] - 0.03
    assert alone.shape == (200, 3)


# -- the net --------------------------------------------------------------------------


def module_of(n_modalities=3, **params):
    X, y = make_blocks(n=40, n_modalities=n_modalities)
    clf = DyMoSelector(**{**SMALL, "max_epochs": 1, **params}).fit(X, y)
    return clf._fitted.module.double().eval(), X, y


def test_every_modality_has_an_embedding_of_its_own():
    module, _, _ = module_of()
    assert module.kind.shape == (3, 16)
    assert len(torch.unique(module.kind, dim=0)) == 3
    tokens = torch.zeros(3, 3, 16, dtype=torch.float64) + module.kind
    out = module.fuse(tokens, torch.eye(3).bool())[1]
    gaps = torch.cdist(out, out)[~torch.eye(3).bool()]
    assert (gaps > 1e-6).all()


def test_tokens_carry_the_embedding_of_their_modality():
    X, y = make_blocks(n=40, n_modalities=3)
    clf = DyMoSelector(**{**SMALL, "max_epochs": 1}).fit(X, y)
    module = clf._fitted.module
    with torch.no_grad():
        for layer in module.norms:
            layer.weight.zero_()
            layer.bias.zero_()
    tokens = clf._fitted.apply(X, lambda net, batch: net.tokens(batch))
    expected = X.present[:, :, None] * module.kind.detach().numpy()
    np.testing.assert_array_equal(tokens, expected)


@pytest.mark.parametrize("distance", DISTANCES)
def test_losses_are_cross_entropies_of_head_and_prototypes(distance):
    X, y = make_blocks(n=20, n_modalities=2, missing=0.0)
    clf = DyMoSelector(**{**SMALL, "dtype": "float64"}, distance=distance).fit(X, y)
    module = clf._fitted.module
    store = clf._fitted.store(X, y, np.ones(20))
    batch = store.batch(torch.arange(20))
    # All three sets in every batch, so that nothing is left to chance.
    module.begin_training(
        n_subsets=3,
        subsets_per_row=None,
        contrastive_weight=0.7,
        contrastive_start=0,
        temperature=0.3,
    )
    generator = torch.Generator().manual_seed(0)
    module.prototypes.copy_(
        torch.randn(module.prototypes.shape, generator=generator, dtype=torch.float64)
    )
    c = module.prototypes.numpy()
    expected, plain = np.zeros((2, 20))
    with torch.no_grad(), torch.random.fork_rng():
        found = module.train().row_losses(batch).numpy()
        held = module.eval().row_losses(batch).numpy()
        for mask in ([1, 0], [0, 1], [1, 1]):
            kept = torch.tensor(mask).bool().expand(20, 2)
            logits, z = (a.numpy() for a in module.fuse(module.tokens(batch), kept))
            if distance == "cosine":
                z = z / np.linalg.norm(z, axis=1, keepdims=True)
                s = z @ c.T
            else:
                s = -((z[:, None] - c[None]) ** 2).sum(axis=2)
            rows = np.arange(20)
            plain -= log_softmax(logits)[rows, y] / 3
            expected -= 0.7 * log_softmax(s / 0.3)[rows, y] / 3
    np.testing.assert_allclose(found, plain + expected)
    # On rows held out the mean over sets, without prototypes.
    assert module.validation.shape == (3, 2)
    np.testing.assert_allclose(held, plain)


def test_masked_tokens_are_never_looked_at():
    module, _, _ = module_of()
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(5, 3, 16, dtype=torch.float64, generator=generator)
    kept = torch.tensor([[True, False, True]] * 5)
    other = tokens.clone()
    other[:, 1] = 1e6
    for a, b in zip(module.fuse(tokens, kept), module.fuse(other, kept)):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    # Which is the same as not being there at all.
    h = torch.cat([module.cls.expand(5, 1, -1), tokens[:, [0, 2]]], dim=1)
    for block in module.blocks:
        h = block(h, torch.ones(5, 3).bool(), only_first=False)
    torch.testing.assert_close(module.head(h[:, 0]), module.fuse(tokens, kept)[0])


@pytest.mark.parametrize("n_modalities", [1, 2, 5, 14])
def test_sets_for_a_batch_are_shared_and_never_empty(n_modalities):
    module, _, _ = module_of(n_modalities)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sets = module._draw_subsets(4)
        assert sets.any(dim=1).all()
        assert len(sets.unique(dim=0)) == len(sets) == min(4, 2**n_modalities - 1)
        present = torch.rand(30, n_modalities) < 0.5
        present[:, 0] |= ~present.any(dim=1)
        for per_row in (None, 2):
            parts = module._parts(sets, present, per_row).view(-1, 30, n_modalities)
            assert parts.any(dim=2).all()
            assert not (parts & ~present).any()
            n_given = min(per_row or 4, len(sets))
            assert len(parts) == n_given
            turn = torch.arange(30) + torch.arange(n_given)[:, None]
            if n_given < len(sets):
                turn[1] += len(sets) // 2 - 1
            own = sets[turn % len(sets)] & present
            whole = own.any(dim=2)
            torch.testing.assert_close(parts[whole], own[whole])
            # Every row is given different sets, and every set to as many rows.
            counts = (turn % len(sets)).flatten().bincount()
            assert counts.max() - counts.min() <= n_given
            assert all(
                len(column.unique()) == n_given for column in (turn % len(sets)).T
            )


def test_a_net_of_the_faster_setting_learns():
    X, y = make_blocks(n=240, n_modalities=3)
    net = small_net(subsets_per_row=1, mlp_ratio=2)
    clf = DyMoSelector(**{**SMALL, "net": net, "max_epochs": 15}).fit(X, y)
    module = clf._fitted.module
    assert module.subsets_per_row == 1
    assert {block.mlp[0].out_features for block in module.blocks} == {2 * 16}
    assert clf.score(X, y) > 0.7


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("distance", DISTANCES)
def test_prototypes_are_the_class_means_of_the_epoch_before(distance, weighted):
    X, y = make_blocks(n=60, n_modalities=2, missing=0.0)
    weight = np.random.default_rng(0).exponential(size=60) if weighted else None
    seen = []

    class Watch(Callback):
        def on_epoch_end(self, net, **kwargs):
            seen.append((net.module_.epoch, net.module_.prototypes.clone()))

    clf = DyMoSelector(
        **{**SMALL, "lr": 1e-9, "dtype": "float64",
           "net": small_net(n_subsets=3, subsets_per_row=None)},
        distance=distance, callbacks=[Watch()],
    ).fit(X, y, weight)  # fmt: skip
    assert [epoch for epoch, _ in seen] == [1, 2, 3, 4, 5, 6]
    # Nearly no learning and all three sets in each batch: the mean over sets.
    overall = clf.fusion_.table.pooled.prototypes
    np.testing.assert_allclose(seen[-1][1].numpy(), overall, atol=1e-5)
    module = clf._fitted.module
    module.sums[0], module.counts[0] = 4.0, 2.0
    module.end_epoch()
    assert (module.prototypes[0] == 2.0).all()
    # A class without rows keeps its prototype.
    np.testing.assert_array_equal(module.prototypes[1], seen[-1][1][1])


def test_the_prototype_loss_starts_when_it_should():
    X, y = make_blocks(n=60)
    common = {**SMALL, "lr": 1e-6, "dtype": "float64", "batch_size": None}
    with_it, without = (
        DyMoSelector(**{**common, "net": net}).fit(X, y).net_.history
        for net in (small_net(contrastive_start=2), small_net(contrastive_weight=0.0))
    )
    gap = np.array(with_it[:, "train_loss"]) - np.array(without[:, "train_loss"])
    np.testing.assert_allclose(gap[:2], 0, atol=1e-4)
    assert (gap[2:] > 0.1).all()


def test_the_learning_rate_falls_along_a_cosine():
    X, y = make_blocks(n=60, n_modalities=2)
    encoders = [("m0", MLPEncoder(lr_factor=0.1))]
    rates = {"cosine": [], "constant": []}

    class Watch(Callback):
        def __init__(self, seen):
            self.seen = seen

        def on_epoch_end(self, net, **kwargs):
            self.seen.append([group["lr"] for group in net.optimizer_.param_groups])

    for schedule, seen in rates.items():
        clf = DyMoSelector(
            **{**SMALL, "max_epochs": 4, "net": small_net(lr_schedule=schedule)},
            encoders=encoders, warm_start=True, callbacks=[Watch(seen)],
        ).fit(X, y)  # fmt: skip
        # A second fit starts from lr again.
        clf.fit(X, y)
    first = np.array([5e-4, 5e-3])
    factors = np.tile([1, (1 + np.sqrt(0.5)) / 2, 0.5, (1 - np.sqrt(0.5)) / 2], 2)
    np.testing.assert_allclose(rates["cosine"], factors[:, None] * first)
    np.testing.assert_allclose(rates["constant"], np.tile(first, (8, 1)))


# -- recoveries -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "recovery",
    [
        MeanRecovery(),
        NeighborRecovery(),
        RegressionRecovery(),
        SimpleImputer(),
        KNNImputer(),
        make_pipeline(SimpleImputer(), FunctionTransformer()),
        {"m0": MeanRecovery(), "m1": KNNImputer()},
        MultimodalVAE(max_epochs=1, latent_dim=2, n_threads=1),
        make_pipeline(MeanRecovery()),
    ],
    ids=lambda r: type(r).__name__,
)
def test_any_recovery_works(recovery):
    X, y = make_blocks(n=60, n_modalities=3, shaped=True)
    clf = DyMoSelector(**SMALL, recovery=recovery).fit(X, y)
    assert clf.select(X, selection="all").all()
    whole = clf.predict_proba(X)
    np.testing.assert_allclose(clf.predict_proba(X[:7]), whole[:7], atol=1e-6)
    again = clone(clf).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), whole)


def test_imputers_and_recoveries_of_means_agree():
    X, y = make_blocks(n=60, n_modalities=3, shaped=True)
    X = MultimodalData({k: np.nan_to_num(v) for k, v in X.blocks.items()}, X.present)
    first, second = (
        DyMoSelector(**SMALL, recovery=recovery).fit(X, y).predict_proba(X)
        for recovery in (MeanRecovery(), SimpleImputer())
    )
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_a_dict_has_one_recovery_for_each():
    X, y = make_blocks(n=60, n_modalities=3)
    clf = DyMoSelector(**SMALL, recovery={"m1": Noise(7.0), "m2": Noise(8.0)}).fit(X, y)
    filled, _ = clf.fusion_.recoverer.fill(X)
    assert (filled["m1"][~X.present[:, 1]] == 7.0).all()
    assert (filled["m2"][~X.present[:, 2]] == 8.0).all()
    default = GaussianRecovery().fit(X).recover(X)["m0"]
    np.testing.assert_allclose(filled["m0"][~X.present[:, 0]], default)
    assert len(clf.recoveries_) == 3


def test_a_frozen_recovery_is_kept():
    X, y = make_blocks(n=60)
    vae = MultimodalVAE(max_epochs=1, latent_dim=2, n_threads=1, random_state=5)
    expected = vae.fit(X).recover(X)
    clf = DyMoSelector(**SMALL, recovery=FrozenEstimator(vae)).fit(X[:30], y[:30])
    filled, _ = clf.fusion_.recoverer.fill(X)
    for m, name in enumerate(X.names):
        np.testing.assert_allclose(
            filled[name][~X.present[:, m]], expected[name], atol=1e-5
        )


def test_recovered_tokens_are_tokens():
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    words = np.where(y[:, None] == 1, 3, 1) + rng.integers(2, size=(80, 4))
    X = MultimodalData({"text": words, "x": rng.normal(size=(80, 2)) + y[:, None]})
    X = X.hide({"text": np.arange(80) % 3 == 0})
    embed = ModuleEncoder(torch.nn.EmbeddingBag(5, 8), out_features=8)
    clf = DyMoSelector(**SMALL, encoders=[("text", embed)], recovery=Noise(99.0))
    clf.fit(X, y)
    filled, _ = clf.fusion_.recoverer.fill(X)
    assert filled["text"].dtype == words.dtype
    near = Noise(2.6).fit(X)
    clf.fusion_.recoverer.fitted = [near]
    clf.fusion_.recoverer.owner = dict.fromkeys(X.names, 0)
    rounded, _ = clf.fusion_.recoverer.fill(X)
    assert (rounded["text"][::3] == 3).all()
    assert (filled["text"][::3] == words[X.present[:, 0]].max(axis=0)).all()
    assert np.isfinite(clf.predict_proba(X, selection="all")).all()


# -- the estimator --------------------------------------------------------------------


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize(
    "model",
    [
        FusionClassifier(max_epochs=8, lr=1e-2, n_threads=1, random_state=0),
        PatternClassifier(),
    ],
    ids=lambda m: type(m).__name__,
)
def test_it_wraps_a_fitted_classifier(model, distance):
    X, y = make_blocks(n=90, n_modalities=3)
    model = clone(model).fit(X, y)
    frozen = FrozenEstimator(model)
    clf = DyMoSelector(estimator=frozen, distance=distance, random_state=0).fit(X, y)
    np.testing.assert_allclose(
        clf.predict_proba(X, selection="none"), model.predict_proba(X), atol=1e-7
    )
    complete = clf.fusion_.recoverer.fill(X)[0]
    np.testing.assert_allclose(
        clf.predict_proba(X, selection="all"), model.predict_proba(complete), atol=1e-7
    )
    assert clf.score(X, y) > 0.6
    assert clone(clf).estimator.estimator is model
    assert clf.estimator_ is frozen
    z = clf.fusion_.model.encode(X).fuse(np.arange(90), X.present).z
    np.testing.assert_allclose(z.mean(axis=1), 0, atol=1e-12)
    assert not hasattr(clf, "net_")
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(clf)).predict_proba(X), clf.predict_proba(X)
    )


@pytest.mark.parametrize(
    "model",
    [
        FusionClassifier(max_epochs=4, lr=1e-2, n_threads=1),
        PatternClassifier(),
        DyMoSelector(**SMALL),
        make_pipeline(ModalityTransformer(), PatternClassifier()),
    ],
    ids=lambda m: type(m).__name__,
)
def test_a_template_is_cloned_and_fitted(model):
    X, y = make_blocks(n=90, n_modalities=3)
    # Every class is a group, which would be held out as a whole.
    weight, groups = 1.0 + np.arange(90) % 5, y
    settings = {**SMALL, "max_epochs": 2, "early_stopping": True}
    for seed in range(2):
        clf = DyMoSelector(**{**settings, "random_state": seed}, estimator=model)
        clf.fit(X, y, sample_weight=weight, groups=groups)
        np.testing.assert_array_equal(clf.estimator_.classes_, clf.classes_)
        assert clf.estimator is model
    assert not hasattr(model, "classes_")
    np.testing.assert_array_equal(
        clone(clf).fit(X, y, weight, groups).predict_proba(X), clf.predict_proba(X)
    )
    assert clf.score(X, y) > 0.6
    # One that is fitted is a template like any other.
    other = clone(model).fit(X.select(["m0", "m1"]), y)
    again = clone(clf).set_params(estimator=other).fit(X, y, weight, groups)
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    assert again.estimator_ is not other
    assert not hasattr(clf.set_params(estimator=None).fit(X, y), "estimator_")


def test_a_template_does_not_see_rows_held_out():
    X, y = make_blocks(n=200, n_modalities=3, missing=0.2)
    held_out = Typicality(statistics="held_out")
    settings = {"typicality": held_out, "random_state": 0, "n_threads": 1}
    clf = DyMoSelector(estimator=PatternClassifier(), **settings).fit(X, y)
    seen = []

    class Net(DyMoSelector):
        def _fit_selection(self, rows, held_out, model, *others):
            seen.append(held_out)
            super()._fit_selection(rows, held_out, model, *others)

    Net(estimator=PatternClassifier(), **settings).fit(X, y)
    alone = PatternClassifier().fit(X[~seen[0]], y[~seen[0]])
    assert 0 < seen[0].sum() < 30
    np.testing.assert_allclose(
        clf.predict_proba(X, selection="none"), alone.predict_proba(X), atol=1e-7
    )
    with pytest.raises(TypeError, match="Got estimator=LogisticRegression"):
        DyMoSelector(estimator=LogisticRegression()).fit(X, y)
    with pytest.raises(NotFittedError):
        DyMoSelector(estimator=FrozenEstimator(PatternClassifier())).fit(X, y)


@pytest.mark.parametrize("distance", DISTANCES)
def test_the_net_of_a_frozen_selector_is_used(distance):
    X, y = make_blocks(n=120, n_modalities=3, missing=0.2)
    # All rows train the recovery.
    settings = {**SMALL, "distance": distance, "early_stopping": False}
    first = DyMoSelector(**settings).fit(X, y)
    # The same recovery: nothing is different, what is held out included.
    for model in (FrozenEstimator(first), FrozenEstimator(FrozenEstimator(first))):
        again = DyMoSelector(**settings, estimator=model).fit(X, y)
        np.testing.assert_array_equal(again.predict_proba(X), first.predict_proba(X))
        np.testing.assert_array_equal(again.prototypes_, first.prototypes_)
        assert not hasattr(again, "net_")
    # Another one, and the net of a selector that has it from a third.
    second = DyMoSelector(
        **settings, estimator=FrozenEstimator(again), recovery=MeanRecovery()
    )
    second = pickle.loads(pickle.dumps(second.fit(X, y)))
    alone = [clf.predict_proba(X, selection="none") for clf in (first, second)]
    np.testing.assert_array_equal(*alone)
    complete = MeanRecovery().fit(X).transform(X)
    np.testing.assert_allclose(
        second.predict_proba(X, selection="all"),
        first.predict_proba(complete),
        atol=1e-6,
    )
    other = DISTANCES[distance == DISTANCES[0]]
    with pytest.raises(ValueError, match=r"distance='.*', expected the same"):
        DyMoSelector(distance=other, estimator=FrozenEstimator(first)).fit(X, y)


def test_a_frozen_net_is_used_for_fewer_classes_and_modalities():
    X, y = make_blocks(n=150, n_modalities=3, missing=0.0)
    first = DyMoSelector(**SMALL).fit(X, y)
    some = y != 1
    rows, labels = X[some].hide("m1"), y[some]
    second = DyMoSelector(**SMALL, estimator=FrozenEstimator(first))
    with pytest.warns(UnobservedModalityWarning, match="m1"):
        second.fit(rows, labels)
    # The next selector counts classes and modalities of the first.
    third = DyMoSelector(**SMALL, estimator=FrozenEstimator(second))
    with pytest.warns(UnobservedModalityWarning, match="m1"):
        third.fit(rows, labels)
    whole = first.predict_proba(rows, selection="none")[:, [0, 2]]
    whole /= whole.sum(axis=1, keepdims=True)
    for clf in (second, third):
        np.testing.assert_allclose(
            clf.predict_proba(rows, selection="none"), whole, atol=1e-6
        )
        assert clf.select(rows)[:, [0, 2]].all()
        assert not clf.select(rows)[:, 1].any()


def test_frozen_nets_keep_tokens_and_refuse_other_shapes():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=80)
    words = rng.integers(1, 4, size=(80, 5)) + y[:, None]
    X = MultimodalData({"text": words, "a": rng.normal(size=(80, 2)) + y[:, None]})
    tokens = ModuleEncoder(
        lambda: torch.nn.Sequential(
            torch.nn.Embedding(9, 4), torch.nn.Flatten(), torch.nn.Linear(20, 4)
        ),
        4,
    )
    first = DyMoSelector(**SMALL, encoders=[("text", tokens)]).fit(X, y)
    hidden = X.hide({"text": np.arange(80) % 2 == 0})
    # From one whose rows have no tokens to one whose rows have them.
    second = DyMoSelector(**SMALL, estimator=FrozenEstimator(first))
    with pytest.warns(UnobservedModalityWarning, match="text"):
        second.fit(X.hide("text"), y)
    third = DyMoSelector(**SMALL, estimator=FrozenEstimator(second)).fit(hidden, y)
    assert third.fusion_.model.integers == first.fusion_.model.integers == {"text"}
    filled, _ = third.fusion_.recoverer.fill(hidden)
    np.testing.assert_array_equal(filled["text"], np.rint(filled["text"]))
    assert np.isfinite(third.predict_proba(hidden, selection="all")).all()
    wide = MultimodalData({"text": words, "a": rng.normal(size=(80, 3))})
    with pytest.raises(ValueError, match="Got rows of the shapes"):
        DyMoSelector(**SMALL, estimator=FrozenEstimator(first)).fit(wide, y)
    alone = DyMoSelector(**SMALL, encoders=[("text", tokens)])
    with pytest.warns(UnobservedModalityWarning, match="'a'"):
        alone.fit(X.hide("a"), y)
    with pytest.raises(ValueError, match=r"any of the modalities \['text'\]"):
        DyMoSelector(**SMALL, estimator=FrozenEstimator(alone)).fit(X.hide("text"), y)


def test_a_net_that_was_left_training_still_predicts():
    X, y = make_blocks(n=60, n_modalities=3)
    encoder = MLPEncoder(hidden=(8,), dropout=0.5)
    clf = DyMoSelector(**SMALL, encoders=[("m0", encoder)]).fit(X, y)
    before = clf.predict_proba(X)
    clf.net_.module_.train()
    np.testing.assert_array_equal(clf.predict_proba(X), before)


def test_distances_are_those_of_rows_held_out_if_they_are_many():
    assert enough_held_out("auto", 150, 3)
    assert not enough_held_out("auto", 149, 3)
    assert enough_held_out("held_out", 1, 3)
    assert not enough_held_out("held_out", 0, 3)
    assert not enough_held_out("training", 1000, 3)
    X, y = make_blocks(n=120, n_modalities=2)
    held, own = (
        DyMoSelector(**SMALL, early_stopping=True, typicality=Typicality(statistics=s))
        .fit(X, y)
        .fusion_.table.pooled
        for s in ("held_out", "training")
    )
    np.testing.assert_array_equal(held.prototypes, own.prototypes)
    assert held.variance.whole != own.variance.whole


def test_more_than_six_modalities_pickle_and_repeat():
    X, y = make_blocks(n=90, n_modalities=8, missing=0.5)
    clf = DyMoSelector(**SMALL).fit(X, y)
    other = pickle.loads(pickle.dumps(clf))
    expected = clf.predict_proba(X)
    np.testing.assert_array_equal(other.predict_proba(X), expected)
    np.testing.assert_allclose(other.predict_proba(X[::-1])[::-1], expected, atol=1e-6)


def test_a_modality_never_seen_is_never_fused():
    X, y = make_blocks(n=60, n_modalities=3)
    with pytest.warns(UnobservedModalityWarning, match="'m1'"):
        clf = DyMoSelector(**SMALL).fit(X.hide("m1"), y)
    masks = clf.select(X, selection="all")
    # Rows with nothing else have nothing to be recovered from.
    some = X.present[:, [0, 2]].any(axis=1)
    assert masks[some][:, [0, 2]].all()
    assert not masks[~some].any()
    assert not masks[:, 1].any()


def test_warm_start_goes_on():
    X, y = make_blocks(n=60)
    clf = DyMoSelector(**SMALL, warm_start=True).fit(X, y)
    first = clf.net_.history[-1, "train_loss"]
    clf.set_params(selection="simultaneous", recovery=MeanRecovery())
    clf.fit(X, y)
    assert clf._fitted.module.epoch == 12
    assert clf.net_.history[-1, "train_loss"] < first
    with pytest.raises(
        ValueError, match="Got distance='euclidean' with warm_start=True"
    ):
        clf.set_params(distance="euclidean").fit(X, y)
    with pytest.raises(ValueError, match="Got net__token_dim=8 with warm_start=True"):
        clf.set_params(distance="cosine", net=small_net(token_dim=8)).fit(X, y)


def test_bad_parameters_raise():
    X, y = make_blocks(n=40)

    def fit(**params):
        return DyMoSelector(**{**SMALL, "max_epochs": 1, **params}).fit(X, y)

    with pytest.raises(ValueError, match="Got token_dim=16 with n_heads=3"):
        fit(net=small_net(n_heads=3))
    with pytest.raises(ValueError, match="'n_layers' parameter of TokenTransformer"):
        fit(net=small_net(n_layers=0))
    with pytest.raises(ValueError, match="'shrinkage' parameter of Typicality"):
        fit(typicality=Typicality(shrinkage=-1.0))
    with pytest.raises(ValueError, match="'net' parameter of DyMoSelector"):
        fit(net={"token_dim": 16})
    with pytest.raises(ValueError, match="recovery for the unknown modality 'other'"):
        fit(recovery={"other": MeanRecovery()})
    with pytest.raises(ValueError, match="'distance' parameter"):
        fit(distance="angle")
    model = FrozenEstimator(PatternClassifier().fit(X, y))
    with pytest.raises(ValueError, match=r"modalities \['m0', 'm1'\], expected \['m0'"):
        DyMoSelector(estimator=model).fit(X.select("m0"), y)
    with pytest.raises(ValueError, match=r"classes \[0, 1, 2\], expected \[1, 2, 3\]"):
        DyMoSelector(estimator=model).fit(X, y + 1)
    dropping = make_pipeline(SimpleImputer(), FunctionTransformer(lambda t: t[:, 1:]))
    with pytest.raises(ValueError, match="Got 6 columns from Pipeline, expected the 7"):
        fit(recovery=dropping).predict_proba(X, selection="all")
    clf = fit()
    with pytest.raises(ValueError, match="Got selection='some', expected one of"):
        clf.predict_proba(X, selection="some")
    with pytest.raises(ValueError, match="Got calibration='auto', expected 'fitted'"):
        clf.select(X, calibration="auto")


def test_parameter_objects_are_searched_as_parts():
    X, y = make_blocks(n=60)
    clf = DyMoSelector(**{**SMALL, "max_epochs": 1, "net": None})
    assert clf.get_params()["net"] is None
    grid = {"net__token_dim": [8, 12], "typicality__shrinkage": [0.0, 2.0]}
    search = GridSearchCV(clf, grid, cv=2).fit(X, y)
    best = search.best_estimator_
    assert search.best_params_["net__token_dim"] == best.net.token_dim
    assert best.fusion_.model.fitted.module.head.in_features == best.net.token_dim
    assert best.fusion_.table.shrinkage.shrinkage == best.typicality.shrinkage
    # The template is as it was, and so are defaults and clones.
    assert clf.net is None
    assert clf.typicality is None
    assert clone(clf).set_params(net__n_heads=2).net.n_heads == 2
    given = small_net()
    copy = clone(DyMoSelector(net=given)).set_params(net__n_subsets=9)
    assert copy.get_params()["net__n_subsets"] == 9
    assert given.n_subsets == TokenTransformer().n_subsets == 4
    assert clone(clf).set_params(net__n_heads=2, net=given).net is given
    with pytest.raises(ValueError, match="Invalid parameter 'width'"):
        clf.set_params(net__width=3)


def test_policies_are_not_routed():
    assert not hasattr(DyMoSelector, "set_predict_proba_request")
    assert not hasattr(DyMoSelector, "set_predict_log_proba_request")
    assert hasattr(DyMoSelector, "set_fit_request")
