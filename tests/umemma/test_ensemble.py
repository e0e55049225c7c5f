"""UMEMMAEnsemble: what each phase does, and what a user can plug in."""

import copy
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, logsumexp
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback
from torch import nn

from skmissing import MultimodalData, UMEMMAEnsemble
from skmissing._estimation._rows import LabelledRows
from skmissing.baselines import FusionClassifier, UnimodalEnsemble
from skmissing.exceptions import UnobservedModalityWarning
from skmissing.nn import MLPEncoder, ModuleEncoder
from skmissing.umemma import _ensemble

from ..conftest import make_blocks

SMALL = {"max_epochs": 3, "lr": 1e-2, "n_threads": 1, "random_state": 0}
EXACT = {**SMALL, "dtype": "float64", "batch_size": None, "optimizer": "adam"}


def weights(module):
    return [p.detach().numpy().copy() for p in module.parameters()]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def outputs(clf, X):
    """What each head of phase 1 says of rows that have everything."""
    return np.stack(
        [
            part.apply(X.select(name), lambda m, b: m.logits(b))
            for name, part in clf._nets.items()
        ]
    )


# -- fusion and phases -----------------------------------------------------------------


def test_fusion_of_the_nets_of_phase_one():
    X, y = make_blocks(missing=0.0)
    expected = {
        "mean_logits": lambda z: log_softmax(z.mean(axis=0), axis=1),
        "sum_logits": lambda z: log_softmax(z.sum(axis=0), axis=1),
        "mean_proba": lambda z: (
            logsumexp(log_softmax(z, axis=2), axis=0) - np.log(len(z))
        ),
    }
    for fusion, formula in expected.items():
        clf = UMEMMAEnsemble(**EXACT, fusion=fusion, finetune_epochs=0).fit(X, y)
        np.testing.assert_allclose(
            clf.predict_log_proba(X), formula(outputs(clf, X)), atol=1e-12
        )
        z = outputs(clf, X)
        for m, (name, proba) in enumerate(clf.unimodal_proba(X).items()):
            assert name == X.names[m]
            np.testing.assert_allclose(np.log(proba), log_softmax(z[m], axis=1))


def test_without_drops_phase_two_is_plain_fine_tuning():
    X, y = make_blocks(missing=0.0)
    clf = UMEMMAEnsemble(
        **EXACT, modality_dropout=0.0, finetune_epochs=4, finetune_lr=3e-3
    ).fit(X, y)
    # By hand: the nets of phase 1, the mean of their outputs, four steps of Adam.
    nets = {k: copy.deepcopy(part.module) for k, part in clf._nets.items()}
    blocks = {
        name: torch.from_numpy(
            part.scalers[name].transform(name, X[name], np.dtype("float64"))
        )
        for name, part in clf._nets.items()
    }
    target = torch.from_numpy(y)
    optimizer = torch.optim.Adam(
        [p for net in nets.values() for p in net.parameters()], lr=3e-3
    )
    for _ in range(4):
        scores = [net.head(net.bank.encoders[0](blocks[k])) for k, net in nets.items()]
        loss = nn.functional.cross_entropy(torch.stack(scores).mean(dim=0), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        scores = [net.head(net.bank.encoders[0](blocks[k])) for k, net in nets.items()]
        expected = torch.log_softmax(torch.stack(scores).mean(dim=0), dim=1)
    np.testing.assert_allclose(clf.predict_log_proba(X), expected, atol=1e-9)


def test_phase_two_starts_from_phase_one_and_leaves_it_as_it_was():
    X, y = make_blocks()
    alone = UMEMMAEnsemble(**SMALL, finetune_epochs=0).fit(X, y)
    clf = UMEMMAEnsemble(**SMALL).fit(X, y)
    for name in X.names:
        before = weights(alone.nets_[name].module_)
        assert same(before, weights(clf.nets_[name].module_))
    joint = clf.net_.module_
    for m, name in enumerate(X.names):
        tuned = weights(joint.bank.encoders[m])
        assert not same(tuned, weights(clf.nets_[name].module_.bank))
    assert clf.n_iter_ == 3
    assert clf.finetune_budget_ == pytest.approx(
        3 * clf.net_.history[0]["train_batch_count"] * 1e-2
    )


def test_frozen_encoders_stay_and_heads_move():
    X, y = make_blocks()
    clf = UMEMMAEnsemble(**SMALL, freeze_encoders=True).fit(X, y)
    joint = clf.net_.module_
    for m, name in enumerate(X.names):
        first = clf.nets_[name].module_
        assert same(weights(joint.bank.encoders[m]), weights(first.bank))
        assert not same(weights(joint.heads[m]), weights(first.head))


def test_caching_the_codes_of_frozen_encoders_changes_nothing(monkeypatch):
    X, y = make_blocks()
    settings = {**EXACT, "freeze_encoders": True, "finetune_epochs": 5}
    cached = UMEMMAEnsemble(**settings).fit(X, y)
    original = _ensemble.train_net

    def uncached(*args, warm):
        for p in warm.module.bank.parameters():
            p.requires_grad_(False)
        return original(*args[:-1], replace(args[-1], frozen=()), warm=warm)

    monkeypatch.setattr(_ensemble, "train_net", uncached)
    plain = UMEMMAEnsemble(**settings).fit(X, y)
    np.testing.assert_allclose(
        cached.predict_log_proba(X), plain.predict_log_proba(X), atol=1e-10
    )


def test_a_last_phase_on_complete_rows():
    X, y = make_blocks()
    two = UMEMMAEnsemble(**SMALL).fit(X, y)
    three = UMEMMAEnsemble(**SMALL, final_complete_finetune=True).fit(X, y)
    assert not np.allclose(two.predict_proba(X), three.predict_proba(X))
    rows = X.present.all(axis=1)
    log_loss = [
        -clf.predict_log_proba(X[rows])[np.arange(rows.sum()), y[rows]].mean()
        for clf in (two, three)
    ]
    assert log_loss[1] < log_loss[0]
    holes = X.hide({"m0": np.arange(60) % 2 == 0, "m1": np.arange(60) % 2 == 1})
    with pytest.raises(ValueError, match="without a complete row, expected at least"):
        three.fit(holes[holes.present.any(axis=1)], y[holes.present.any(axis=1)])
    assert three.predict(X).shape == (60,)


def test_rows_held_out_for_stopping_are_the_same_in_every_phase(monkeypatch):
    X, y = make_blocks(n=300)
    seen, started, ended = [], [], []
    for module in ("skmissing.umemma._ensemble", "skmissing.nn.substitution._unimodal"):
        original = __import__(module, fromlist=["train_net"]).train_net

        def spy(params, rows, *args, warm, original=original):
            seen.append((len(rows), args[-1].held_out))
            started.append(warm)
            ended.append(original(params, rows, *args, warm=warm))
            return ended[-1]

        monkeypatch.setattr(f"{module}.train_net", spy)
    clf = UMEMMAEnsemble(**SMALL, early_stopping=True, final_complete_finetune=True)
    clf.fit(X, y)
    assert [n for n, _ in seen] == [300, 300, 300, X.present.all(axis=1).sum()]
    first = seen[0][1]
    assert first.sum() == 30
    assert all(np.array_equal(first, mask) for _, mask in seen[:3])
    np.testing.assert_array_equal(seen[3][1], first[X.present.all(axis=1)])
    assert "valid_loss" in clf.nets_["m0"].history[0]
    assert "valid_loss" in clf.net_.history[0]
    # Each phase goes on where the one before has stopped.
    assert started[3] is ended[2]


def test_phase_two_is_stopped_by_the_loss_that_it_lowers():
    """The validation rows are hidden as often as training rows are."""
    X, y = make_blocks(missing=0.0, n=200)
    rows = np.arange(200)
    augment = UMEMMAEnsemble()._augmentation(2)
    expand = _ensemble.hide_some(augment, np.random.RandomState(0))
    copies = expand(LabelledRows(X, y, np.arange(3), np.ones(200)))
    data = copies.data
    assert len(data) == len(copies.y) == len(copies.weight) == 800
    np.testing.assert_array_equal(copies.y, np.tile(y, 4))
    assert abs(data.present.all(axis=1).mean() - 0.4) < 0.06
    assert data.present.any(axis=1).all()
    np.testing.assert_array_equal(data["m0"][600:], X["m0"][rows])


def test_the_rows_that_stop_phase_two_are_expanded(monkeypatch):
    X, y = make_blocks(n=300)
    sizes = []

    def spy(augment, rng):
        def expand(rows):
            sizes.append(len(rows))
            return rows

        return expand

    monkeypatch.setattr(_ensemble, "hide_some", spy)
    UMEMMAEnsemble(**SMALL, early_stopping=True).fit(X, y)
    assert sizes == [30]


# -- drops -----------------------------------------------------------------------------


@pytest.mark.parametrize("n_modalities", [2, 3, 6])
@pytest.mark.parametrize("scheme", ["one", "subset"])
def test_forty_percent_of_complete_rows_stay_complete(n_modalities, scheme):
    clf = UMEMMAEnsemble(dropout_scheme=scheme)
    augment = clf._augmentation(n_modalities)
    present = torch.ones((40_000, n_modalities), dtype=torch.bool)
    present[:1000, 0] = False
    hidden = augment(present, torch.Generator().manual_seed(0))
    # A row with a missing block already counts as augmented.
    assert not hidden[:1000].any()
    hidden = hidden[1000:].numpy()
    assert abs(1 - hidden.any(axis=1).mean() - 0.4) < 0.02
    lost = hidden.sum(axis=1)
    assert lost.max() == (1 if scheme == "one" else n_modalities - 1)
    shares = hidden.mean(axis=0)
    expected = 0.6 / n_modalities
    if scheme == "subset":
        # Half of the sets hold a modality, none and all apart.
        expected = 0.6 * (2 ** (n_modalities - 1) - 1) / (2**n_modalities - 2)
    np.testing.assert_allclose(shares, expected, atol=0.012)


def test_drops_do_not_stop_where_a_modality_was_never_seen():
    X, y = make_blocks(n_modalities=3, missing=0.0)
    X = X.hide("m2")
    kinds = [
        (UMEMMAEnsemble, "modality_dropout", {}),
        (FusionClassifier, "modality_dropout", {"dropout_scheme": "exclusive"}),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for kind, name, extra in kinds:
            # In one batch, so that nothing but the drops can make a difference.
            with_drops, without = (
                kind(**EXACT, **{name: p}, **extra).fit(X, y).predict_proba(X)
                for p in (0.3, 0.0)
            )
            assert not np.allclose(with_drops, without)


def test_one_modality_is_never_dropped():
    X, y = make_blocks(n_modalities=1, missing=0.0)
    a, b = (
        UMEMMAEnsemble(**SMALL, modality_dropout=p).fit(X, y).predict_proba(X)
        for p in (0.0, 0.5)
    )
    np.testing.assert_array_equal(a, b)


# -- plugging in -----------------------------------------------------------------------


def test_fitted_unimodal_estimators_are_not_trained_again():
    X, y = make_blocks()
    ensemble = UnimodalEnsemble(**SMALL).fit(X, y)
    before = weights(ensemble.nets_["m0"].module_)
    single = FusionClassifier(**SMALL).fit(X.select("m1"), y)
    fitted = {"m0": FrozenEstimator(ensemble), "m1": FrozenEstimator(single)}
    clf = UMEMMAEnsemble(**SMALL, unimodal=fitted)
    # A clone, as a search makes it, keeps frozen estimators fitted.
    clf = clone(clf).fit(X, y)
    assert same(before, weights(clf.nets_["m0"].module_))
    assert same(weights(single.net_.module_), weights(clf.nets_["m1"].module_))
    assert same(before, weights(ensemble.nets_["m0"].module_))
    proba = clf.unimodal_proba(X)
    np.testing.assert_array_equal(proba["m0"], ensemble.unimodal_proba(X)["m0"])
    rows = X.present[:, 1]
    np.testing.assert_allclose(
        proba["m1"][rows], single.predict_proba(X.select("m1")[rows]), atol=1e-12
    )
    # One of them: the other is trained as ever.
    mixed = UMEMMAEnsemble(**SMALL, unimodal={"m0": FrozenEstimator(ensemble)}).fit(
        X, y
    )
    assert same(before, weights(mixed.nets_["m0"].module_))
    plain = UMEMMAEnsemble(**SMALL).fit(X, y)
    assert same(weights(mixed.nets_["m1"].module_), weights(plain.nets_["m1"].module_))
    frozen = dict.fromkeys(["m0", "m1"], FrozenEstimator(plain))
    again = UMEMMAEnsemble(**SMALL, unimodal=frozen).fit(X, y)
    assert same(weights(again.nets_["m1"].module_), weights(plain.nets_["m1"].module_))


def test_a_fitted_net_keeps_the_settings_of_its_encoder():
    X, y = make_blocks()

    def moved(factor):
        encoders = [("m0", MLPEncoder(lr_factor=factor))]
        ensemble = UnimodalEnsemble(**SMALL, encoders=encoders).fit(X, y)
        clf = UMEMMAEnsemble(**SMALL, unimodal={"m0": FrozenEstimator(ensemble)}).fit(
            X, y
        )
        before = weights(ensemble.nets_["m0"].module_.bank)
        after = weights(clf.net_.module_.bank.encoders[0])
        return sum(np.abs(a - b).sum() for a, b in zip(before, after, strict=True))

    assert 0 < moved(0.01) < 0.05 * moved(1.0)


def test_an_encoder_listed_for_a_fitted_net():
    X, y = make_blocks()
    frozen = [("m0", ModuleEncoder(nn.Linear(3, 8), 8, frozen=True))]
    single = FusionClassifier(**SMALL, encoders=frozen).fit(X.select("m0"), y)
    before = weights(single.net_.module_.bank)

    fitted = {"m0": FrozenEstimator(single)}

    def moved(**options):
        clf = UMEMMAEnsemble(**SMALL, unimodal=fitted, **options).fit(X, y)
        assert clf.nets_["m0"] is not single.net_
        assert same(before, weights(single.net_.module_.bank))
        after = weights(clf.net_.module_.bank.encoders[0])
        return sum(np.abs(a - b).sum() for a, b in zip(before, after, strict=True))

    free = ModuleEncoder(nn.Linear(3, 8), 8)
    slow = ModuleEncoder(nn.Linear(3, 8), 8, lr_factor=0.01)
    assert moved() == 0.0
    assert 0 < moved(encoders=[("m0", slow)]) < 0.05 * moved(encoders=[("m0", free)])
    with pytest.raises(ValueError, match=r"(?s)Got the encoder MLP.* expected the s"):
        moved(encoders=[("m0", MLPEncoder(hidden=(7,)))])


def test_a_warm_start_does_not_know_what_it_has_never_seen():
    X, y = make_blocks(n_modalities=3)
    clf = UMEMMAEnsemble(**SMALL, warm_start=True)
    for fed in (X.hide("m2"), X):
        with pytest.warns(UnobservedModalityWarning, match="'m2'"):
            clf.fit(fed, y)
    assert list(clf.nets_) == ["m0", "m1"]
    rows = X.present[:, :2].any(axis=1)
    np.testing.assert_array_equal(
        clf.predict_proba(X[rows]), clf.predict_proba(X[rows].hide("m2"))
    )


def test_a_rare_modality_is_not_stopped_by_a_handful_of_rows():
    """ "auto" counts the rows that have the modality, and leaves out the same ones."""
    rng = np.random.default_rng(0)
    n = 1200
    y = rng.integers(2, size=n)
    X = MultimodalData({
        "a": y[:, None] + rng.normal(size=(n, 3)),
        "b": y[:, None] + rng.normal(size=(n, 3)),
    }).hide({"b": rng.random(n) > 0.05})  # fmt: skip
    sizes = []

    class Size(Callback):
        def on_train_begin(self, net, X=None, **kwargs):
            sizes.append(len(X))

    clf = UMEMMAEnsemble(**{**SMALL, "max_epochs": 2}, callbacks=[Size()]).fit(X, y)
    # A tenth of all rows is held out, of the rare ones about a tenth.
    assert sizes[0] == sizes[2] == 1080
    assert 0.7 * X.present[:, 1].sum() < sizes[1] < X.present[:, 1].sum()
    assert "valid_loss" in clf.nets_["a"].history[0]
    assert "valid_loss" not in clf.nets_["b"].history[0]
    assert "valid_loss" in clf.net_.history[0]
    asked = UMEMMAEnsemble(**{**SMALL, "max_epochs": 2}, early_stopping=True).fit(X, y)
    assert "valid_loss" in asked.nets_["b"].history[0]


def test_estimators_that_unimodal_does_not_take():
    X, y = make_blocks()
    ensemble = UnimodalEnsemble(**SMALL).fit(X, y)

    def error(unimodal, kind, text, X=X, y=y):
        clf = UMEMMAEnsemble(**SMALL, unimodal=unimodal)
        with pytest.raises(kind, match=text):
            clf.fit(X, y)
        assert not hasattr(clf, "net_")

    frozen = FrozenEstimator(ensemble)
    error({"m7": frozen}, ValueError, "unknown modality 'm7', expected some of")
    error({"m0": 3}, TypeError, "Got a int in unimodal for the modality 'm0'")
    bare = FrozenEstimator(UnimodalEnsemble())
    error({"m0": bare}, ValueError, "'m0' around a UnimodalEnsemble that is not fitted")
    both = FrozenEstimator(FusionClassifier(**SMALL).fit(X, y))
    error({"m0": both}, ValueError, "no net of the modality 'm0' alone, expected")
    mask = FusionClassifier(**SMALL, use_mask=True)
    fitted = FrozenEstimator(clone(mask).fit(X.select("m0"), y))
    error({"m0": fitted}, ValueError, "no net of the modality 'm0' alone")
    error({"m0": mask}, ValueError, "no net of the modality 'm0' alone")
    error({"m0": frozen}, ValueError, "fitted on the classes .0, 1, 2.", y=y + 1)
    other = MultimodalData({"m0": np.zeros((60, 9)), "m1": X["m1"]})
    error({"m0": frozen}, ValueError, r"fitted on shape \(3,\) per row, ex", X=other)


def test_a_template_is_cloned_and_fitted():
    X, y = make_blocks(n=120)
    weight = np.random.default_rng(0).uniform(0.5, 2.0, size=120)
    template = FusionClassifier(**{**SMALL, "max_epochs": 2, "early_stopping": False})
    clf = UMEMMAEnsemble(**SMALL, early_stopping=False, unimodal={"m0": template}).fit(
        X, y, weight
    )
    assert not hasattr(template, "net_")
    rows = X.present[:, 0]
    alone = clone(template).fit(X.select("m0")[rows], y[rows], weight[rows])
    assert same(weights(clf.nets_["m0"].module_), weights(alone.net_.module_))
    # The other modality is trained as without it.
    plain = UMEMMAEnsemble(**SMALL, early_stopping=False).fit(X, y, weight)
    assert same(weights(clf.nets_["m1"].module_), weights(plain.nets_["m1"].module_))
    # A fitted estimator that is not frozen is a template, too.
    again = UMEMMAEnsemble(**SMALL, early_stopping=False, unimodal={"m0": alone}).fit(
        X, y, weight
    )
    assert same(weights(again.nets_["m0"].module_), weights(clf.nets_["m0"].module_))
    # Without a seed of its own it gets one from the ensemble.
    seedless = clone(template).set_params(random_state=None)
    one, two = (
        UMEMMAEnsemble(**SMALL, early_stopping=False, unimodal={"m0": seedless}).fit(
            X, y
        )
        for _ in range(2)
    )
    assert same(weights(one.nets_["m0"].module_), weights(two.nets_["m0"].module_))


def test_a_template_does_not_see_the_rows_held_out(monkeypatch):
    X, y = make_blocks(n=300)
    groups, fits = np.arange(300) // 3, []
    original = FusionClassifier.fit

    def spy(self, X, y, sample_weight=None, groups=None):
        fits.append(groups)
        return original(self, X, y, sample_weight, groups)

    monkeypatch.setattr(FusionClassifier, "fit", spy)
    clf = UMEMMAEnsemble(
        **SMALL, early_stopping=True, unimodal={"m0": FusionClassifier(**SMALL)}
    ).fit(X, y, groups=groups)
    # A tenth of the groups is held out, whole.
    assert len(np.unique(fits[0])) <= 90
    left_out = np.setdiff1d(groups, fits[0])
    assert 10 <= len(left_out) < 20
    assert "valid_loss" in clf.net_.history[0]
    # A warm start continues phase 2 alone.
    clf.set_params(warm_start=True).fit(X, y, groups=groups)
    assert len(fits) == 1


def test_layers_that_the_user_froze_stay_in_both_phases():
    X, y = make_blocks(n=60)
    module = nn.Sequential(nn.Linear(X.block_shapes["m0"][0], 8), nn.Linear(8, 8))
    module[0].requires_grad_(requires_grad=False)
    encoders = [("m0", ModuleEncoder(module, 8))]
    clf = UMEMMAEnsemble(**SMALL, encoders=encoders).fit(X, y)
    fitted = clf.net_.module_.bank.encoders[0].module
    assert torch.equal(fitted[0].weight, module[0].weight)
    assert not torch.equal(fitted[1].weight, module[1].weight)


def test_a_pretrained_encoder_keeps_or_learns_at_its_own_rate():
    X, y = make_blocks()
    torch_module = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU())
    before = weights(torch_module)

    def moved(**options):
        encoders = [("m0", ModuleEncoder(torch_module, 8, **options))]
        clf = UMEMMAEnsemble(**SMALL, encoders=encoders).fit(X, y)
        assert same(before, weights(torch_module))
        after = weights(clf.net_.module_.bank.encoders[0])
        return sum(np.abs(a - b).sum() for a, b in zip(after, before, strict=True))

    assert moved(frozen=True) == 0.0
    full, tenth, most = moved(), moved(lr_factor=0.1), moved(lr_factor=2.0)
    assert 0 < tenth < 0.25 * full < full < most


def test_rate_of_an_encoder_is_reached_by_a_search():
    X, y = make_blocks()
    clf = UMEMMAEnsemble(**SMALL, encoders=[("m0", MLPEncoder(hidden=(4,)))])
    search = GridSearchCV(
        clf, {"m0__lr_factor": [0.1, 1.0], "modality_dropout": [0.1, 0.3]}, cv=2
    ).fit(X, y)
    assert set(search.best_params_) == {"m0__lr_factor", "modality_dropout"}
    with pytest.raises(ValueError, match="lr_factor"):
        clone(clf).set_params(m0__lr_factor=0.0).fit(X, y)


def test_warm_start_goes_on_with_phase_two():
    X, y = make_blocks()
    clf = UMEMMAEnsemble(**SMALL, warm_start=True).fit(X, y)
    first = {k: weights(net.module_) for k, net in clf.nets_.items()}
    joint = weights(clf.net_.module_)
    clf.set_params(modality_dropout=0.1, finetune_lr=1e-3).fit(X, y)
    assert all(same(first[k], weights(net.module_)) for k, net in clf.nets_.items())
    assert not same(joint, weights(clf.net_.module_))
    after = weights(clf.net_.module_)
    moved = [np.abs(a - b).max() for a, b in zip(joint, after, strict=True)]
    assert max(moved) < 0.05


def test_batch_norm_sees_what_the_net_is_fed():
    """Rows and substitutes of a batch are normalised together while training."""
    X, y = make_blocks(n_modalities=2)
    encoder = ModuleEncoder(
        lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), 4
    )
    clf = UMEMMAEnsemble(**SMALL, encoders=[("m0", encoder)]).fit(X, y)
    whole = clf.predict_proba(X)
    parts = np.concatenate([clf.predict_proba(X[i : i + 1]) for i in range(60)])
    np.testing.assert_allclose(whole, parts, atol=1e-6)
