"""Fusions: what each is known for, and fusions and losses of one's own."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from torch import nn

from skmissing import DyMoSelector, MultimodalData, PRIMOClassifier, UMEMMAEnsemble
from skmissing.baselines import (
    FusionClassifier,
    MultitaskFusionClassifier,
    UnimodalEnsemble,
)
from skmissing.exceptions import EmptyRowWarning
from skmissing.nn import (
    AttentionFusion,
    CMMDFusion,
    DynMMFusion,
    EarlyFusion,
    FocalLoss,
    Fusion,
    GatedFusion,
    I2M2Fusion,
    LateFusion,
    LatentFusion,
    M3CareFusion,
    MLPEncoder,
    MTLFusion,
    MUSEFusion,
    OnlineMAEFusion,
    PDFFusion,
    ProductOfExperts,
    PromptFusion,
    QMFFusion,
    ShaSpecFusion,
    TMCFusion,
)
from skmissing.recovery import MultimodalVAE
from tests.conftest import make_blocks

NET = {"max_epochs": 8, "lr": 5e-3, "n_threads": 1, "random_state": 0}
QUICK = {**NET, "max_epochs": 2}
SHORT = {
    "early": EarlyFusion, "late": LateFusion, "attention": AttentionFusion,
    "gated": GatedFusion, "product": ProductOfExperts, "mtl": MTLFusion,
    "i2m2": I2M2Fusion, "shaspec": ShaSpecFusion, "qmf": QMFFusion, "tmc": TMCFusion,
    "latent": LatentFusion, "dynmm": DynMMFusion, "m3care": M3CareFusion,
    "muse": MUSEFusion, "cmmd": CMMDFusion, "pdf": PDFFusion,
    "online_mae": OnlineMAEFusion, "prompts": PromptFusion,
}  # fmt: skip


def codes_of(n=6, widths=(3, 4, 5), seed=0, missing=0.4):
    """Codes, 0 where missing, and which are present; float64."""
    rng = np.random.default_rng(seed)
    present = torch.from_numpy(rng.random((n, len(widths))) > missing)
    present[:, 0] |= ~present.any(dim=1)
    codes = [torch.from_numpy(rng.normal(size=(n, w))) for w in widths]
    return [c * present[:, m, None] for m, c in enumerate(codes)], present


def built(fusion, widths=(3, 4, 5), n_classes=3, hidden=8):
    """The module of a fusion, in prediction, with weights of a seed."""
    torch.manual_seed(0)

    def make_head(width):
        return nn.Sequential(
            nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, n_classes)
        )

    return fusion.build(list(widths), n_classes, make_head).double().eval()


def without(codes, present, m):
    """The same rows without one modality."""
    left = present.clone()
    left[:, m] = False
    return [c * left[:, i, None] for i, c in enumerate(codes)], left


def cross_entropy(logits, y):
    return nn.functional.cross_entropy(logits, y, reduction="none")


# -- parameter objects -----------------------------------------------------------------


@pytest.mark.parametrize("name", SHORT)
def test_short_forms_are_the_objects(name):
    X, y = make_blocks(n=40)
    short = FusionClassifier(fusion=name, **QUICK).fit(X, y)
    whole = FusionClassifier(fusion=SHORT[name](), **QUICK).fit(X, y)
    np.testing.assert_array_equal(short.predict_proba(X), whole.predict_proba(X))


def test_parameters_are_reached_and_searched():
    X, y = make_blocks(n=60)
    clf = FusionClassifier(fusion=AttentionFusion(token_dim=8, n_heads=2), **QUICK)
    search = GridSearchCV(clf, {"fusion__n_layers": [1, 2]}, cv=2).fit(X, y)
    best = search.best_estimator_
    blocks = best.net_.module_.fuser.blocks
    assert len(blocks) == search.best_params_["fusion__n_layers"]
    assert clone(best).fusion.token_dim == 8
    # A short form gives way to its object.
    clf = FusionClassifier(fusion="attention").set_params(fusion__n_heads=2)
    assert clf.fusion.n_heads == 2
    assert clf.set_params(fusion="gated", fusion__width=8, lr=0.1).fusion.width == 8
    assert clf.lr == 0.1


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"fusion": "middle"}, "The 'fusion' parameter"),
        ({"fusion": AttentionFusion}, "The 'fusion' parameter"),
        (
            {"fusion": AttentionFusion(token_dim=10, n_heads=4)},
            "Got token_dim=10 with n_heads=4, expected a multiple",
        ),
        ({"fusion": GatedFusion(width=0)}, "The 'width' parameter of GatedFusion"),
        (
            {"fusion": "gated", "use_mask": True},
            "Got use_mask=True with fusion='gated', expected fusion='early'",
        ),
        (
            {"fusion": TMCFusion(), "criterion": "focal"},
            "Got criterion='focal' with fusion=TMCFusion.*has a loss of its own",
        ),
    ],
)
def test_bad_fusions_are_refused(params, message):
    X, y = make_blocks(n=30)
    with pytest.raises(ValueError, match=message):
        FusionClassifier(**{**QUICK, **params}).fit(X, y)


def test_mask_is_a_parameter_of_early_fusion_and_of_the_classifier():
    X, y = make_blocks(n=40)
    a = FusionClassifier(use_mask=True, **QUICK).fit(X, y)
    b = FusionClassifier(fusion=EarlyFusion(use_mask=True), **QUICK).fit(X, y)
    np.testing.assert_array_equal(a.predict_proba(X), b.predict_proba(X))
    assert b.unimodal_net("m0") is None


class MeanFusion(Fusion):
    """A fusion of a user; ``wrong`` breaks it in one way."""

    def __init__(self, width=4, wrong=None):
        self.width = width
        self.wrong = wrong

    def build(self, widths, n_classes, make_head):
        if self.wrong == "no module":
            return "mean"
        return MeanNet(widths, self.width, self.wrong)


class MeanNet(nn.Module):
    def __init__(self, widths, width, wrong):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(w, width) for w in widths)
        self.out_features = width
        self.wrong = wrong

    def forward(self, codes, present):
        stack = torch.stack([f(c) for f, c in zip(self.layers, codes)], dim=1)
        mean = (stack * present[:, :, None]).sum(dim=1) / present.sum(dim=1)[:, None]
        if self.wrong == "nothing":
            return None
        return mean[:1] if self.wrong == "one row" else mean


def test_a_fusion_of_a_user_trains_and_transforms():
    X, y = make_blocks(n=90, n_modalities=3)
    clf = FusionClassifier(fusion=MeanFusion(width=16), head_hidden=(), **NET)
    assert clf.fit(X, y).score(X, y) > 0.7
    # Without layers in the head the features are those of the fusion.
    assert clf.transform(X).shape == (90, 16)
    head = clf.net_.module_.head[0]
    logits = clf.transform(X) @ head.weight.detach().numpy().T
    proba = np.exp(logits + head.bias.detach().numpy())
    proba /= proba.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(proba, clf.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            "no module",
            "Got a str from the build of MeanFusion, expected a torch module",
        ),
        ("nothing", "Got NoneType from MeanFusion for .* rows, expected"),
        ("one row", r"Got output of shape \(1, 4\) from MeanFusion for 8 rows"),
    ],
)
def test_wrong_fusions_of_a_user_are_named(wrong, message):
    X, y = make_blocks(n=40)
    with pytest.raises((TypeError, ValueError), match=message):
        FusionClassifier(fusion=MeanFusion(wrong=wrong), **QUICK).fit(X, y)


# -- losses ----------------------------------------------------------------------------


def test_focal_loss_by_hand():
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    p = torch.softmax(logits, dim=1)[:, 0]
    y = torch.tensor([0, 0])
    torch.testing.assert_close(FocalLoss(2.0)(logits, y), -((1 - p) ** 2) * p.log())
    torch.testing.assert_close(FocalLoss(0.0)(logits, y), cross_entropy(logits, y))
    sure = torch.tensor([[800.0, 0.0]], requires_grad=True)
    FocalLoss(0.5)(sure, torch.tensor([0])).sum().backward()
    assert torch.isfinite(sure.grad).all()


def test_criterion_default_is_cross_entropy_in_any_form():
    X, y = make_blocks(n=50)
    expected = FusionClassifier(**QUICK).fit(X, y).predict_proba(X)
    given = nn.CrossEntropyLoss()
    for criterion in (nn.CrossEntropyLoss, given, cross_entropy, FocalLoss(0.0)):
        clf = FusionClassifier(criterion=criterion, **QUICK).fit(X, y)
        np.testing.assert_allclose(clf.predict_proba(X), expected, atol=1e-6)
    # The object given is copied.
    assert given.reduction == "mean"


def test_label_smoothing_and_focal_loss_make_predictions_less_extreme():
    X, y = make_blocks(n=120, missing=0.0)
    params = {**NET, "max_epochs": 30, "batch_size": 20}
    plain = FusionClassifier(**params).fit(X, y).predict_proba(X).max(axis=1)
    smooth = nn.CrossEntropyLoss(label_smoothing=0.3)
    for criterion in (smooth, "focal"):
        clf = FusionClassifier(criterion=criterion, **params).fit(X, y)
        assert clf.predict_proba(X).max(axis=1).mean() < plain.mean() - 0.05
        assert clf.score(X, y) > 0.8


@pytest.mark.parametrize(
    "estimator",
    [
        UnimodalEnsemble(**QUICK),
        MultitaskFusionClassifier(**QUICK),
        UMEMMAEnsemble(**QUICK, finetune_epochs=2),
        PRIMOClassifier(**QUICK, n_draws=5),
        DyMoSelector(**QUICK),
    ],
    ids=lambda e: type(e).__name__,
)
def test_every_net_takes_a_criterion_and_has_features_and_codes(estimator):
    X, y = make_blocks(n=50)
    clf = clone(estimator).fit(X, y)
    other = clone(estimator).set_params(criterion=FocalLoss(3.0)).fit(X, y)
    assert np.abs(clf.predict_proba(X) - other.predict_proba(X)).max() > 1e-4
    features = clf.transform(X)
    assert features.shape == (50, len(clf.get_feature_names_out()))
    assert np.ptp(features, axis=0).max() > 0
    codes = clf.embed(X)
    assert codes.names == X.names
    np.testing.assert_array_equal(codes.present, X.present)
    assert codes.block_shapes == {"m0": (64,), "m1": (64,)}


def test_a_selector_without_a_net_has_no_features():
    X, y = make_blocks(n=50)
    clf = DyMoSelector(estimator=FusionClassifier(**QUICK), **QUICK).fit(X, y)
    with pytest.raises(ValueError, match="Got a DyMoSelector without a net of its own"):
        clf.transform(X)


@pytest.mark.parametrize(
    ("criterion", "message"),
    [
        ("hinge", "The 'criterion' parameter"),
        (lambda s, y: cross_entropy(s, y).mean(), r"Got a loss of shape \(\)"),
        (lambda s, y: 0.0, "Got float from criterion for"),
    ],
)
def test_bad_criteria_are_refused(criterion, message):
    X, y = make_blocks(n=30)
    with pytest.raises(ValueError, match=message):
        FusionClassifier(criterion=criterion, **QUICK).fit(X, y)


# -- transform and embed ---------------------------------------------------------------


def test_features_are_what_the_last_layer_reads():
    X, y = make_blocks(n=50)
    clf = FusionClassifier(**QUICK).fit(X, y)
    last = clf.net_.module_.head[-1]
    scores = clf.transform(X) @ last.weight.detach().double().numpy().T
    scores += last.bias.detach().numpy()
    logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(logs, clf.predict_log_proba(X), atol=1e-5)


def test_codes_are_those_of_the_encoders():
    X, y = make_blocks(n=50)
    clf = FusionClassifier(encoders={"m0": MLPEncoder(hidden=(5,))}, **QUICK).fit(X, y)
    codes = clf.embed(X)
    assert codes.block_shapes == {"m0": (5,), "m1": (64,)}
    # A code does not depend on other modalities or rows.
    alone = clf.embed(X.hide("m1")[3:9])
    here = X.present[3:9, 0]
    np.testing.assert_allclose(alone["m0"][here], codes["m0"][3:9][here], atol=1e-6)
    assert np.isnan(codes["m0"][~X.present[:, 0]]).all()


def test_a_net_is_a_step_of_a_pipeline():
    X, y = make_blocks(n=90)
    frame = X.to_frame()
    net = FusionClassifier(**NET).set_output(transform="pandas")
    pipe = make_pipeline(net, LogisticRegression()).fit(frame, y)
    assert pipe.score(frame, y) > 0.8
    names = pipe[:-1].get_feature_names_out()
    assert list(names[:2]) == ["fusionclassifier0", "fusionclassifier1"]
    out = pipe[0].transform(frame)
    assert isinstance(out, pd.DataFrame)
    assert list(out.columns) == list(names)
    assert out.index.equals(frame.index)
    # A container has no index.
    assert list(pipe[0].transform(X).columns) == list(names)


def test_empty_rows_have_zeros_for_features_and_no_codes():
    X, y = make_blocks(n=30)
    clf = FusionClassifier(**QUICK).fit(X, y)
    empty = X[:4].hide(np.array([[True, True]] + 3 * [[False, False]]))
    with pytest.warns(EmptyRowWarning, match="1 of 4 rows .* features are zeros"):
        out = clf.transform(empty)
    assert (out[0] == 0).all()
    np.testing.assert_allclose(out[1:], clf.transform(X[1:4]), atol=1e-6)
    assert not clf.embed(empty).present[0].any()


def test_weights_exist_where_a_fusion_weights():
    X, y = make_blocks(n=40, n_modalities=3)
    for name in ("late", "gated", "qmf", "dynmm", "pdf"):
        weights = FusionClassifier(fusion=name, **QUICK).fit(X, y).modality_weights(X)
        np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-6)
        assert (weights[~X.present] == 0).all()
    with pytest.raises(AttributeError, match="Got fusion='early', expected one that"):
        FusionClassifier(**QUICK).fit(X, y).modality_weights(X)


# -- known properties ------------------------------------------------------------------


@pytest.mark.parametrize("name", SHORT)
@pytest.mark.parametrize("seed", range(2))
def test_what_stands_in_missing_codes_is_nothing_and_rows_stand_alone(name, seed):
    module = built(SHORT[name]())
    codes, present = codes_of(seed=seed)
    whole = module(codes, present)
    for i in range(len(present)):
        one = module([c[i : i + 1] for c in codes], present[i : i + 1])
        torch.testing.assert_close(one[0], whole[i])


@pytest.mark.parametrize("fusion", [ProductOfExperts(), I2M2Fusion()])
def test_leaving_out_a_modality_leaves_out_its_factors_exactly(fusion):
    X, y = make_blocks(n=60, n_modalities=3, missing=0.0)
    clf = FusionClassifier(fusion=fusion, dtype="float64", **NET).fit(X, y)
    module = clf.net_.module_
    store = clf._fitted.store(X)
    codes, present = module.codes(store.batch(torch.arange(60)))
    factors = module.fuser.factors(codes, present)
    sets = module.fuser.sets
    for m in range(3):
        left = [i for i, members in enumerate(sets) if m not in members]
        scores = (module.fuser.prior + factors[:, left].sum(dim=1)).detach().numpy()
        logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        got = clf.predict_log_proba(X.hide(f"m{m}"))
        np.testing.assert_allclose(got, logs, atol=1e-12)
    assert len(sets) == (6 if isinstance(fusion, I2M2Fusion) else 3)


def test_a_joint_factor_of_all_is_for_complete_rows():
    module = built(I2M2Fusion(joint="all"))
    codes, present = codes_of(n=30)
    factors = module.factors(codes, present)
    complete = present.all(dim=1)
    assert 0 < complete.sum() < 30
    assert (factors[~complete, 3] == 0).all()
    assert (factors[complete, 3] != 0).any()


def test_unimodal_losses_are_added():
    module = built(I2M2Fusion(unimodal_weight=0.5))
    codes, present = codes_of()
    y = torch.tensor([0, 1, 2, 0, 1, 2])
    loss = module.row_losses(codes, present, y, torch.ones(6), cross_entropy)
    expected = cross_entropy(module(codes, present), y)
    for m in range(3):
        own = module.prior + module.heads[m](codes[m])
        expected = expected + 0.5 * present[:, m] * cross_entropy(own, y)
    torch.testing.assert_close(loss, expected)


def xor_blocks(n=400):
    """Two modalities of which neither knows the label."""
    rng = np.random.default_rng(0)
    a, b = rng.choice([-1.0, 1.0], size=(2, n, 1))
    noise = 0.2 * rng.normal(size=(2, n, 1))
    return MultimodalData({"a": a + noise[0], "b": b + noise[1]}), (a * b > 0)[:, 0]


@pytest.mark.parametrize(
    "name",
    [
        *("early", "attention", "gated", "i2m2", "latent"),
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("m3care", "muse", "cmmd", "online_mae", "prompts")
        ),
    ],
)
def test_interactions_are_learned(name):
    X, y = xor_blocks()
    # Where tokens are mixed before the transformer, it wants smaller steps.
    lr = 2e-3 if name in ("m3care", "online_mae") else 5e-3
    clf = FusionClassifier(
        fusion=name, max_epochs=30, lr=lr, batch_size=30, modality_dropout=0.0,
        n_threads=1, random_state=0,
    )  # fmt: skip
    assert clf.fit(X[:300], y[:300]).score(X[300:], y[300:]) > 0.9


@pytest.mark.parametrize("name", ["late", "product", "qmf", "tmc", "pdf"])
def test_sums_over_modalities_learn_no_interaction(name):
    X, y = xor_blocks()
    # Three of the four quadrants are the most that a sum can have.
    clf = FusionClassifier(fusion=name, batch_size=30, **{**NET, "max_epochs": 20})
    assert clf.fit(X[:300], y[:300]).score(X[300:], y[300:]) < 0.8


def test_gates_are_sigmoids_for_two_modalities():
    module = built(GatedFusion(width=6), widths=(3, 4))
    codes, present = codes_of(widths=(3, 4), missing=0.0)
    gates = module.gates(codes, present)
    raw = module.gate(torch.cat(codes, dim=1)).view(6, 2, 6)
    first = torch.sigmoid(raw[:, 0] - raw[:, 1])
    torch.testing.assert_close(gates, torch.stack([first, 1 - first], dim=1))
    # One modality alone passes whole.
    only, left = without(codes, present, 1)
    torch.testing.assert_close(
        module(only, left), torch.tanh(module.values[0](codes[0]))
    )


def test_the_class_token_reads_what_is_present_alone():
    module = built(AttentionFusion(token_dim=8, n_heads=2))
    codes, present = codes_of(n=20)
    noisy = [c + 9.0 * ~present[:, m, None] for m, c in enumerate(codes)]
    torch.testing.assert_close(module(noisy, present), module(codes, present))
    # And each of it.
    for m in range(3):
        gap = (module(*without(codes, present, m)) - module(codes, present)).abs()
        other = present.sum(dim=1) > 1
        assert (gap[present[:, m] & other].amax(dim=1) > 1e-6).all()


def test_one_loss_for_each_subset_of_what_a_row_has():
    fusion = MTLFusion(token_dim=8, n_heads=2)
    module = built(fusion)
    codes, present = codes_of(n=12, missing=0.3)
    y = torch.arange(12) % 3
    module.train()
    loss = module.row_losses(codes, present, y, torch.ones(12), cross_entropy)
    module.eval()
    for i in range(12):
        have = [m for m in range(3) if present[i, m]]
        own = []
        for size in range(1, len(have) + 1):
            for members in combinations(have, size):
                kept = torch.tensor([[m in members for m in range(3)]])
                row = [c[i : i + 1] * kept[:, m, None] for m, c in enumerate(codes)]
                own.append(cross_entropy(module(row, kept), y[i : i + 1]))
        assert len(own) == 2 ** len(have) - 1
        torch.testing.assert_close(loss[i], torch.cat(own).mean())


def test_each_subset_has_a_class_token_of_its_own():
    module = built(MTLFusion(token_dim=8, n_heads=2))
    kept = torch.tensor([[True, False, True], [True, True, False]])
    a, b = module.class_token(kept)
    assert (a != b).any()
    torch.testing.assert_close(a, module.class_tokens[5])
    torch.testing.assert_close(b, module.class_tokens[3])
    # Above eight modalities the sum of those of the members.
    many = built(MTLFusion(token_dim=8, n_heads=2), widths=(2,) * 9)
    kept = torch.zeros((1, 9), dtype=torch.bool)
    kept[0, [1, 7]] = True
    expected = many.class_tokens[1] + many.class_tokens[7]
    torch.testing.assert_close(many.class_token(kept)[0], expected)


def test_rows_without_a_drawn_subset_are_trained_as_they_are():
    module = built(MTLFusion(token_dim=8, n_heads=2, n_subsets=1), widths=(2,) * 5)
    codes, present = codes_of(n=40, widths=(2,) * 5, missing=0.6)
    y = torch.arange(40) % 3
    module.train()
    torch.manual_seed(3)
    loss = module.row_losses(codes, present, y, torch.ones(40), cross_entropy)
    torch.manual_seed(3)
    drawn = module.subsets(5)
    assert drawn.shape == (1, 5)
    module.eval()
    none = ~(present | ~drawn[0]).all(dim=1)
    assert none.any()
    expected = cross_entropy(module(codes, present), y)
    torch.testing.assert_close(loss[none], expected[none])


def shared_gaps(clf, X):
    """Distance of the shared features within rows, and between rows; what is told."""
    module = clf.net_.module_
    with torch.no_grad():
        codes, _ = module.codes(clf._fitted.store(X).batch(torch.arange(len(X))))
        shared, specific = module.fuser.parts(codes)
        told = module.fuser.domain(specific).argmax(dim=2) == torch.arange(2)
    within = (shared[:, 0] - shared[:, 1]).abs().mean()
    between = (shared - shared.roll(1, 0)).abs().mean()
    return float(within), float(between), float(told.double().mean())


@pytest.mark.parametrize("seed", range(3))
def test_shared_features_agree_and_specific_ones_tell_modalities(seed):
    X, y = make_blocks(n=150, missing=0.0, seed=seed)
    gaps = [
        shared_gaps(
            FusionClassifier(
                fusion=ShaSpecFusion(alignment_weight=a, domain_weight=0.5),
                early_stopping=False,
                **{**NET, "max_epochs": 30, "batch_size": 30, "random_state": seed},
            ).fit(X, y),
            X,
        )
        for a in (0.0, 0.1)
    ]
    (apart, rows_apart, _), (alike, rows_alike, told) = gaps
    assert alike < 0.5 * apart
    # Not because they shrink alone: rows still differ.
    assert alike / rows_alike < 0.9 * apart / rows_apart
    assert told > 0.99


def test_a_missing_modality_has_the_mean_of_the_shared_features():
    module = built(ShaSpecFusion(width=4))
    codes, present = codes_of(n=10)
    shared, specific = module.parts(codes)
    fused = module._fused(shared, specific, present).view(10, 3, 4)
    for i in range(10):
        mean = shared[i][present[i]].mean(dim=0)
        for m in range(3):
            own = torch.cat([shared[i, m], specific[i, m]])
            here = shared[i, m] + module.compose(own)
            torch.testing.assert_close(fused[i, m], here if present[i, m] else mean)


def noisy_blocks(seed, n=600):
    """Two modalities, of which the first is noise in half of the rows."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    noisy = rng.random(n) < 0.5
    signs = 2.0 * y[:, None] - 1.0
    a = np.where(noisy[:, None], 0.3, 2.0) * np.where(
        noisy[:, None], rng.choice([-1, 1], size=(n, 4)), signs
    ) + 0.3 * rng.normal(size=(n, 4))
    b = 0.7 * signs + rng.normal(size=(n, 4))
    return MultimodalData({"a": a, "b": b}), y, noisy


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in (1, 2))]
)
@pytest.mark.parametrize("name", ["qmf", "tmc", "gated", "pdf"])
def test_weights_fall_with_noise(name, seed):
    X, y, noisy = noisy_blocks(seed)
    clf = FusionClassifier(
        fusion=name,
        batch_size=40,
        early_stopping=False,
        **{**NET, "max_epochs": 20, "random_state": seed},
    ).fit(X[:400], y[:400])
    weights = clf.modality_weights(X[400:])[:, 0]
    clean = weights[~noisy[400:]].mean()
    assert weights[noisy[400:]].mean() < clean - 0.05
    late = FusionClassifier(fusion="late", **QUICK).fit(X[:400], y[:400])
    np.testing.assert_allclose(late.modality_weights(X[400:]), 0.5)


def test_the_loss_of_confidences_is_their_correlation_with_losses():
    module = built(QMFFusion(confidence_weight=1.0), widths=(3,), n_classes=2)
    codes, present = codes_of(n=8, widths=(3,), missing=0.0)
    y = torch.arange(8) % 2
    w = torch.tensor([1.0, 2.0] * 4, dtype=torch.float64)
    module.eval()
    plain = module.row_losses(codes, present, y, w, cross_entropy)
    module.train()
    added = module.row_losses(codes, present, y, w, cross_entropy) - plain
    scores = module.scores(codes, present)
    conf = module.confidence(scores, present)[:, 0].detach().numpy()
    own = cross_entropy(scores[:, 0], y).detach().numpy()
    cov = np.cov(conf, own, aweights=w.numpy())
    expected = cov[0, 1] / np.sqrt(cov[0, 0] * cov[1, 1])
    np.testing.assert_allclose(added.detach().numpy(), expected, rtol=1e-4)


def dempster(one, two):
    """Dempster's rule for two opinions, as a sum over pairs of beliefs."""
    k = len(one)
    beliefs, unsure = zip(*((e / (e.sum() + k), k / (e.sum() + k)) for e in (one, two)))
    table = np.outer(*beliefs)
    conflict = table.sum() - np.trace(table)
    belief = (np.diag(table) + beliefs[0] * unsure[1] + beliefs[1] * unsure[0]) / (
        1 - conflict
    )
    u = unsure[0] * unsure[1] / (1 - conflict)
    return belief * k / u


def test_evidence_is_combined_by_dempsters_rule():
    module = built(TMCFusion(), n_classes=3)
    rng = np.random.default_rng(0)
    evidence = rng.exponential(3.0, size=(5, 3, 3))
    got = module.combine(torch.from_numpy(evidence)).numpy()
    for i in range(5):
        both = dempster(dempster(evidence[i, 0], evidence[i, 1]), evidence[i, 2])
        np.testing.assert_allclose(got[i], both, rtol=1e-10)
    # No evidence changes nothing.
    evidence[:, 1:] = 0
    got = module.combine(torch.from_numpy(evidence)).numpy()
    np.testing.assert_allclose(got, evidence[:, 0], rtol=1e-10)


def test_the_evidential_loss_by_hand():
    module = built(TMCFusion(annealing_epochs=4), widths=(3,), n_classes=3).train()
    evidence = torch.tensor([[4.0, 1.0, 0.0]], dtype=torch.float64)
    y = torch.tensor([0])
    start = module._loss(evidence, y)
    alpha = torch.distributions.Dirichlet(evidence + 1.0)
    torch.manual_seed(0)
    draws = alpha.sample((200_000,))[:, 0, 0]
    assert float(start) == pytest.approx(float(-draws.log().mean()), abs=5e-3)
    module.end_epoch()
    wrong = torch.distributions.Dirichlet(torch.tensor([1.0, 2.0, 1.0]).double())
    flat = torch.distributions.Dirichlet(torch.ones(3).double())
    kl = torch.distributions.kl_divergence(wrong, flat)
    torch.testing.assert_close(module._loss(evidence, y) - start, kl[None] / 4)


def test_the_epochs_of_the_evidential_loss_are_counted():
    X, y = make_blocks(n=40)
    clf = FusionClassifier(fusion=TMCFusion(), warm_start=True, **QUICK).fit(X, y)
    assert clf.net_.module_.fuser.epoch == 2
    assert clf.fit(X, y).net_.module_.fuser.epoch == 4


@pytest.mark.parametrize("experts", ["product", "mixture"])
def test_latent_experts_by_hand(experts):
    module = built(LatentFusion(latent_dim=2, experts=experts))
    codes, present = codes_of(n=8)
    mean, log = module.experts(codes)
    got = module.features(codes, present)
    for i in range(8):
        have = present[i]
        if experts == "mixture":
            expected = mean[i, have].mean(dim=0)
        else:
            precision = torch.exp(-log[i, have])
            expected = (precision * mean[i, have]).sum(0) / (1 + precision.sum(0))
        torch.testing.assert_close(got[i], expected)


def test_the_latent_vector_is_narrowed_by_beta():
    X, y = make_blocks(n=90)
    spread = []
    for beta in (1e-4, 1.0):
        clf = FusionClassifier(
            fusion=LatentFusion(beta=beta), batch_size=15, **{**NET, "max_epochs": 20}
        ).fit(X, y)
        spread.append(clf.transform(X).std())
        assert clf.transform(X).shape == (90, 16)
    assert spread[1] < 0.5 * spread[0]


def test_the_gate_picks_one_expert_that_a_row_may_use():
    module = built(DynMMFusion())
    codes, present = codes_of(n=30)
    picked = module.picked(codes, present)
    assert (picked.sum(dim=1) == 1).all()
    assert (picked[:, :3][~present] == 0).all()
    scores = module.experts(codes)
    best = picked.argmax(dim=1)
    torch.testing.assert_close(module(codes, present), scores[torch.arange(30), best])


@pytest.mark.parametrize("seed", range(2))
def test_cost_keeps_rows_from_the_joint_expert(seed):
    X, y = make_blocks(n=120, missing=0.0, seed=seed)
    joint = []
    for cost in (0.0, 5.0):
        clf = FusionClassifier(
            fusion=DynMMFusion(cost_weight=cost),
            **{**NET, "max_epochs": 20, "batch_size": 20, "random_state": seed},
        ).fit(X, y)
        module = clf.net_.module_
        codes, present = module.codes(clf._fitted.store(X).batch(torch.arange(120)))
        joint.append(float(module.fuser.picked(codes, present)[:, -1].mean()))
    assert joint[1] == 0.0
    assert joint[0] > 0.3


# -- latent vectors of a recovery ------------------------------------------------------


@pytest.mark.parametrize("fusion", ["poe", "moe", "mopoe"])
def test_an_autoencoder_hands_on_its_latent_vectors(fusion):
    X, y = make_blocks(n=120, seed=1)
    vae = MultimodalVAE(
        fusion=fusion,
        latent_dim=4,
        output="latent",
        batch_size=20,
        **{**NET, "max_epochs": 20},
    )
    pipe = make_pipeline(vae, LogisticRegression()).fit(X, y)
    assert pipe.score(X, y) > 0.6
    latent = pipe[0].transform(X)
    assert latent.shape == (120, 4)
    assert latent.dtype == np.float64
    assert list(pipe[0].get_feature_names_out()) == [
        f"multimodalvae{i}" for i in range(4)
    ]
    # The same net fills what is missing.
    filled = clone(vae).set_params(output="filled").fit(X).transform(X)
    assert filled.present.all()
    empty = X[:2].hide(np.array([[True, True], [False, False]]))
    with pytest.warns(EmptyRowWarning):
        out = pipe[0].transform(empty)
    assert (out[0] == 0).all()
    np.testing.assert_allclose(out[1], latent[1], atol=1e-5)


def test_annealing_does_not_change_the_loss_that_stops_the_training():
    module = built(TMCFusion(annealing_epochs=5))
    codes, present = codes_of(n=8)
    y, w = torch.arange(8) % 3, torch.ones(8, dtype=torch.float64)

    def losses(epoch):
        module.epoch = epoch
        return module.row_losses(codes, present, y, w, cross_entropy)

    module.eval()
    torch.testing.assert_close(losses(0), losses(9))
    module.train()
    torch.testing.assert_close(losses(5), losses(9))
    assert (losses(0) < losses(9)).all()
