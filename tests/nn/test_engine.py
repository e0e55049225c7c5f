"""What the engine does with rows, weights, threads, callbacks and devices."""

from __future__ import annotations

import copy
import sys

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback, GradientNormClipping
from torch import nn

from skmissing import MultimodalData
from skmissing._estimation._folds import split_validation
from skmissing.baselines import FusionClassifier, UnimodalEnsemble
from skmissing.nn import ConvEncoder, MLPEncoder, ModuleEncoder
from skmissing.nn._engine import _WeightedMean
from skmissing.nn._modality_dropout import ModalityDropout
from skmissing.nn._runtime import torch_threads
from skmissing.nn._store import Batches, TensorStore
from skmissing.nn._training import resolve_batch_size

from .._instances import NET, QUIET
from ..conftest import make_blocks


def small(**params):
    return FusionClassifier(**{**NET, **params})


# -- weights --------------------------------------------------------------------------


def test_batch_loss_is_an_unbiased_estimate_of_the_weighted_risk():
    rng = np.random.default_rng(0)
    losses = torch.from_numpy(rng.normal(size=1000) ** 2)
    weight = torch.from_numpy(rng.pareto(1.5, size=1000))
    weight = weight / weight.mean()
    loss = _WeightedMean()
    whole = loss(losses, weight)
    torch.testing.assert_close(whole, (losses * weight).sum() / weight.sum())
    parts = [loss(losses[rows], weight[rows]) for rows in torch.arange(1000).split(10)]
    # The mean over batches is the whole: false for batches divided by their own sum.
    torch.testing.assert_close(torch.stack(parts).mean(), whole)
    own = [
        (losses[r] * weight[r]).sum() / weight[r].sum()
        for r in torch.arange(1000).split(10)
    ]
    assert abs(torch.stack(own).mean() - whole) > 1e-2


def test_validation_loss_uses_the_weights():
    X, y = make_blocks(n=200, missing=0.0)
    w = np.where(y == 0, 10.0, 0.1)
    clf = small(early_stopping=True, validation_fraction=0.3).fit(X, y, sample_weight=w)
    recorded = clf.net_.history[:, "valid_loss"]
    net, store = clf.net_, clf._fitted.store(X, y.astype(np.int64), 7 * w)
    net.history.new_epoch()
    net.run_single_epoch(net.get_iterator(store), False, "valid", None)
    losses = -np.log(clf.predict_proba(X)[np.arange(200), y])
    np.testing.assert_allclose(
        net.history[-1, "valid_loss"], np.average(losses, weights=w), rtol=1e-5
    )
    assert all(np.isfinite(recorded))
    # Almost all the weight is on one class: its loss alone must come out small.
    plain = small(early_stopping=True, validation_fraction=0.3).fit(X, y)
    assert min(recorded) < 0.5 * min(plain.net_.history[:, "valid_loss"])


# -- early stopping -------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::skmissing.exceptions.NamelessModalityWarning")
def test_early_stopping_restores_the_best_weights():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(120, 20)), rng.integers(2, size=120)
    kept = {}

    class Keep(Callback):
        def on_epoch_end(self, net, **kwargs):
            kept[net.history[-1, "epoch"]] = copy.deepcopy(net.module_.state_dict())

    clf = small(
        early_stopping=True,
        validation_fraction=0.3,
        max_epochs=100,
        n_iter_no_change=3,
        callbacks=[Keep()],
    ).fit(X, y)
    losses = clf.net_.history[:, "valid_loss"]
    assert clf.n_iter_ == len(losses) < 100
    best = int(np.argmin(losses)) + 1
    assert best < clf.n_iter_
    for name, value in clf.net_.module_.state_dict().items():
        assert torch.equal(value, kept[best][name])


@pytest.mark.parametrize(("n", "expected"), [(99, False), (100, True)])
def test_early_stopping_auto_needs_a_hundred_rows(n, expected):
    X, y = make_blocks(n=n)
    clf = small(max_epochs=1).fit(X, y)
    assert ("valid_loss" in clf.net_.history[-1]) is expected


def test_groups_stay_together_and_classes_are_spread():
    rng = np.random.RandomState(0)
    groups = np.repeat(np.arange(20), 5)
    y = np.arange(100) % 3
    train, valid = split_validation(y, groups, 0.2, rng)
    assert not set(groups[train]) & set(groups[valid])
    assert sorted([*train, *valid]) == list(range(100))
    y = np.repeat([0, 1, 2], [70, 29, 1])
    for seed in range(5):
        train, valid = split_validation(y, None, 0.1, np.random.RandomState(seed))
        counts = np.bincount(y[valid], minlength=3)
        assert len(valid) == 10
        assert counts[0] in (6, 7, 8)
        assert counts[1] in (2, 3, 4)
    X, y = make_blocks(n=40)
    with pytest.raises(ValueError, match="Got a single group"):
        small(early_stopping=True).fit(X, y, groups=np.zeros(40))
    with pytest.raises(ValueError, match="Got groups of length 39, expected 40"):
        small().fit(X, y, groups=np.zeros(39))


def test_batch_size():
    assert [resolve_batch_size("auto", n) for n in (4, 100, 300, 3000, 10**6)] == [
        4,
        8,
        16,
        128,
        128,
    ]
    assert resolve_batch_size(None, 77) == 77
    assert resolve_batch_size(64, 10) == 10
    X, y = make_blocks(n=5, missing=0.0, n_classes=2)
    small(batch_size=1024).fit(X, y)  # far fewer rows than a batch still train


# -- callbacks ------------------------------------------------------------------------


class Counter(Callback):
    def __init__(self):
        self.epochs = 0

    def on_epoch_end(self, net, **kwargs):
        self.epochs += 1


class BatchCounter(Counter):
    def on_train_begin(self, net, **kwargs):
        self.batches = self.grads = 0

    def on_batch_end(self, net, training=False, **kwargs):
        self.batches += training

    def on_grad_computed(self, net, named_parameters, **kwargs):
        self.grads += 1
        assert all(p.grad is not None for _, p in named_parameters)


def test_epoch_hooks_always_fire_and_batch_hooks_change_nothing():
    X, y = make_blocks(n=64)
    counter, batches = Counter(), BatchCounter()
    fast = small(callbacks=[counter], batch_size=16).fit(X, y)
    slow = small(callbacks=[batches], batch_size=16).fit(X, y)
    assert counter.epochs == batches.epochs == NET["max_epochs"]
    assert batches.batches == batches.grads == NET["max_epochs"] * 4
    np.testing.assert_array_equal(fast.predict_proba(X), slow.predict_proba(X))
    np.testing.assert_allclose(
        fast.net_.history[:, "train_loss"],
        slow.net_.history[:, "train_loss"],
        rtol=1e-5,
    )
    small(callbacks=[("clip", GradientNormClipping(1.0))], early_stopping=True).fit(
        X, y
    )


def test_callbacks_may_stop_training_but_an_interrupt_gets_through():
    X, y = make_blocks(n=40)

    class Stop(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 3:
                raise KeyboardInterrupt

    assert small(callbacks=[Stop()]).fit(X, y).n_iter_ == 3

    class Impatient(nn.Linear):
        def forward(self, x):
            raise KeyboardInterrupt

    clf = small(encoders=[("m0", ModuleEncoder(Impatient(3, 4), 4))])
    with pytest.raises(KeyboardInterrupt):
        clf.fit(X, y)
    assert not hasattr(clf, "classes_")


def test_progress_bar_only_on_request(capsys, monkeypatch):
    X, y = make_blocks(n=40)
    small().fit(X, y)
    out = capsys.readouterr()
    assert out.out == ""
    assert out.err == ""
    # A bar needs a terminal.
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    small(verbose=1).fit(X, y)
    out = capsys.readouterr()
    assert out.out == ""
    assert "FusionClassifier: 100%" in out.err


# -- threads and devices --------------------------------------------------------------


def test_threads_are_set_inside_and_restored():
    before = torch.get_num_threads()
    seen = []

    class Look(Callback):
        def on_epoch_begin(self, net, **kwargs):
            seen.append(torch.get_num_threads())

    X, y = make_blocks(n=30)
    small(n_threads=1, callbacks=[Look()], max_epochs=1).fit(X, y)
    assert seen == [1]
    assert torch.get_num_threads() == before
    with pytest.raises(RuntimeError, match="inside"), torch_threads(before + 1):
        raise RuntimeError("inside")
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("device", ["cuda:99", "nonsense", "meta"])
def test_a_device_that_is_not_there_raises(device):
    X, y = make_blocks(n=30)
    clf = small(device=device)
    with pytest.raises(ValueError, match=f"Got device='{device}', expected"):
        clf.fit(X, y)
    assert not hasattr(clf, "classes_")


# -- the rows -------------------------------------------------------------------------


def test_batches_cover_every_row_once_and_leave_no_single_row():
    X, y = make_blocks(n=33)
    clf = small(max_epochs=1).fit(X, y)
    store = clf._fitted.store(X, y.astype(np.int64), np.ones(33))
    sizes, rows = [], []
    for batch in Batches(store, 16, torch.Generator().manual_seed(0)):
        sizes.append(len(batch))
        rows.extend(batch.rows.tolist())
        for m, name in enumerate(store.names):
            here = store.present[batch.rows, m]
            index = batch.index[name]
            got = torch.arange(len(batch)) if index is None else index
            assert got.tolist() == here.nonzero().squeeze(1).tolist()
            want = store._tensors[name][batch.rows[here]]
            assert torch.equal(batch.x[name], want)
    assert sorted(rows) == list(range(33))
    assert sizes == [16, 17]


def test_memory_maps_are_read_batch_by_batch(tmp_path, monkeypatch):
    from skmissing.modalities._row_view import RowView

    X, y = make_blocks(n=200, shaped=True)
    blocks = {}
    for name, block in X.blocks.items():
        path = tmp_path / f"{name}.npy"
        np.save(path, block)
        blocks[name] = np.load(path, mmap_mode="r")
    on_disk = MultimodalData(blocks, X.present)
    largest = []
    take = RowView.take

    def watch(self, rows):
        out = take(self, rows)
        largest.append(len(out))
        return out

    monkeypatch.setattr("skmissing.modalities._row_view.CHUNK_ROWS", 50)
    reference = small().fit(X, y)
    monkeypatch.setattr(RowView, "take", watch)
    mapped = small().fit(on_disk[np.arange(200)], y)
    in_training = [n for n in largest if n != 200]
    assert in_training
    assert max(in_training) <= 50
    np.testing.assert_allclose(
        reference.predict_proba(X), mapped.predict_proba(on_disk), atol=1e-6
    )


def test_integer_blocks_stay_integers_until_their_batch():
    rng = np.random.default_rng(0)
    image = rng.integers(256, size=(80, 1, 8, 8), dtype=np.uint8)
    y = np.arange(80) % 2
    X = MultimodalData({"image": image})
    clf = small().fit(X, y)
    store = clf._fitted.store(X)
    assert store._tensors["image"].dtype == torch.uint8
    batch = store.batch(torch.arange(4))
    expected = (image[:4] - image.mean()) / image.std()
    torch.testing.assert_close(
        batch.x["image"], torch.from_numpy(expected.astype(np.float32))
    )
    as_float = MultimodalData({"image": image.astype(np.float64)})
    np.testing.assert_array_equal(
        small().fit(as_float, y).predict_proba(as_float), clf.predict_proba(X)
    )
    for dtype in (np.uint16, np.uint32, np.int64, bool):
        other = MultimodalData({"image": (image > 100).astype(dtype)})
        assert np.isfinite(small(max_epochs=2).fit(other, y).predict_proba(other)).all()


def test_a_row_is_encoded_only_for_the_modalities_it_has():
    X, y = make_blocks(n=50, missing=0.5)
    seen = []

    class Spy(nn.Module):
        def forward(self, x):
            seen.append(len(x))
            return x

    encoders = [("m0", ModuleEncoder(Spy, 3))]
    small(encoders=encoders, max_epochs=1, modality_dropout=0.0).fit(X, y)
    assert sum(seen) == X.present[:, 0].sum()


def test_modality_dropout_rates():
    generator = torch.Generator().manual_seed(0)
    present = torch.ones((40_000, 2), dtype=torch.bool)
    hidden = ModalityDropout(0.3, "exclusive")(present, generator)
    assert abs(hidden.float().mean(dim=0) - 0.3).max() < 0.01
    assert abs((~hidden).all(dim=1).float().mean() - 0.4) < 0.01
    assert not hidden.all(dim=1).any()
    hidden = ModalityDropout(0.3, "independent")(present, generator)
    assert abs((~hidden).all(dim=1).float().mean() - (0.49 + 0.09)) < 0.01
    assert not hidden.all(dim=1).any()
    part = present.clone()
    part[:, 1] = False
    for scheme in ("exclusive", "independent"):
        assert not ModalityDropout(0.9, scheme)(part, generator).any()
    wide = torch.ones((40_000, 6), dtype=torch.bool)
    hidden = ModalityDropout(0.3, "exclusive")(wide, generator)
    assert (hidden.sum(dim=1) == 1).all()
    assert abs(hidden.float().mean(dim=0) - 1 / 6).max() < 0.01


def test_subsets_are_drawn_evenly_and_never_hide_a_whole_row():
    generator = torch.Generator().manual_seed(0)
    present = torch.ones((40_000, 3), dtype=torch.bool)
    hidden = ModalityDropout(0.4, "subset")(present, generator)
    codes = (hidden * torch.tensor([1, 2, 4])).sum(dim=1)
    share = torch.bincount(codes, minlength=8) / len(codes)
    # A standard error is at most 0.0025.
    expected = torch.tensor([0.6, *[0.4 / 6] * 6, 0.0])
    torch.testing.assert_close(share, expected, rtol=0.0, atol=0.01)
    assert share[7] == 0
    present[:, 0] = False
    assert not ModalityDropout(0.4, "subset")(present, generator).any()


def test_warm_start_continues():
    X, y = make_blocks(n=60)
    clf = small(warm_start=True, max_epochs=5).fit(X, y)
    first = clf.net_.history[0, "train_loss"]
    clf.fit(X, y)
    assert clf.net_.history[0, "train_loss"] < first
    with pytest.raises(
        ValueError, match="warm_start=True, expected those of the former"
    ):
        clf.fit(X, np.where(y == 0, 7, y))
    ensemble = UnimodalEnsemble(**NET, warm_start=True).fit(X, y)
    before = ensemble.nets_["m0"].history[0, "train_loss"]
    assert ensemble.fit(X, y).nets_["m0"].history[0, "train_loss"] < before


def test_diverging_training_raises():
    X, y = make_blocks(n=60)
    clf = small(lr=1e30, optimizer="sgd")
    with pytest.raises(ValueError, match=r"not finite .* lr=1e\+30"):
        clf.fit(X, y)
    assert not hasattr(clf, "net_")


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", torch.optim.RMSprop])
def test_optimizers(optimizer):
    X, y = make_blocks(n=90)
    clf = small(optimizer=optimizer, weight_decay=1e-3, max_epochs=30).fit(X, y)
    assert clf.score(X, y) > 0.7


# -- searches -------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["frame", "container"])
def test_grid_search_reaches_encoders_with_any_number_of_jobs(form):
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = MultimodalData(
        {
            "image": rng.normal(size=(60, 1, 6, 6)) + y[:, None, None, None],
            "labs": rng.normal(size=(60, 3)),
        }
    ).hide({"labs": rng.random(60) < 0.4})
    modalities = None
    if form == "frame":
        from skmissing import Modality

        X = X.to_frame()
        modalities = {
            "image": Modality([c for c in X if c.startswith("image")], shape=(1, 6, 6)),
            "labs": [c for c in X if c.startswith("labs")],
        }
    grid = {"image__channels": [(2,), (4, 4)], "lr": [1e-3, 1e-2]}
    tables = []
    for n_jobs in (1, 2):
        search = GridSearchCV(
            small(
                modalities=modalities, encoders=[("image", ConvEncoder())], max_epochs=5
            ),
            grid,
            cv=3,
            n_jobs=n_jobs,
        ).fit(X, y)
        tables.append(search.cv_results_["mean_test_score"])
        assert search.best_estimator_.get_params()["image__channels"] in [(2,), (4, 4)]
    np.testing.assert_array_equal(*tables)


def test_deterministic_settings_repeat_to_the_last_bit():
    X, y = make_blocks(n=60)
    a, b = (FusionClassifier(**QUIET).fit(X, y).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    store = FusionClassifier(**QUIET, encoders=[("m0", MLPEncoder(hidden=(4,)))])
    assert isinstance(store.fit(X, y)._fitted.store(X), TensorStore)
