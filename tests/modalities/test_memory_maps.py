"""Blocks on disk are read row by row, and only the rows that are wanted."""

import os
import pickle
import tracemalloc

import numpy as np
import pytest
from joblib import Parallel, delayed
from sklearn.model_selection import train_test_split

from skmissing import MultimodalData
from skmissing.baselines import FusionClassifier
from skmissing.modalities import _row_view
from skmissing.modalities._row_view import RowView
from skmissing.nn import ConvEncoder

N = 10_000


@pytest.fixture
def on_disk(tmp_path):
    """A container of a block on disk and one in memory, and the block's values."""
    values = np.random.RandomState(0).randn(N, 2, 3).astype(np.float32)
    values[::7] = np.nan
    np.save(tmp_path / "block.npy", values)
    block = np.load(tmp_path / "block.npy", mmap_mode="r")
    return MultimodalData({"disk": block, "memory": np.arange(N)}), values


@pytest.fixture
def rows_read(monkeypatch):
    """Counts the rows that leave the disk."""
    read = []
    take = RowView.take

    def counting_take(self, rows):
        out = take(self, rows)
        read.append(len(out))
        return out

    monkeypatch.setattr(RowView, "take", counting_take)
    return read


def test_presence_is_found_chunk_by_chunk(on_disk):
    X, values = on_disk
    assert isinstance(X["disk"], RowView)
    np.testing.assert_array_equal(X.present[:, 0], ~np.isnan(values[:, 0, 0]))
    assert "on disk" in repr(X)


def test_construction_never_reads_the_whole_block(on_disk, rows_read):
    X, _ = on_disk
    MultimodalData(X.blocks)
    assert max(rows_read) <= _row_view.CHUNK_ROWS < N
    assert sum(rows_read) == N


def test_splits_and_masks_read_nothing(on_disk, rows_read):
    X, values = on_disk
    y = np.arange(N) % 2
    train, test, *_ = train_test_split(X, y, random_state=0, stratify=y)
    small = test.hide({"memory": np.ones(len(test), bool)}).select("disk")[::5][:20]
    assert isinstance(train["disk"], RowView)
    assert isinstance(small["disk"], RowView)
    assert train["disk"].base is X["disk"].base
    assert rows_read == []
    rows = test["memory"][::5][:20, 0]
    np.testing.assert_array_equal(small["disk"].take(slice(None)), values[rows])
    assert rows_read == [20]


@pytest.mark.parametrize("rows", [[5, 3, 3, 9], slice(2, 8, 2), np.arange(6) > 2])
def test_take_keeps_the_order_asked_for(on_disk, rows):
    X, values = on_disk
    view = X[100:106]["disk"] if isinstance(rows, np.ndarray) else X["disk"]
    expected = values[100:106] if isinstance(rows, np.ndarray) else values
    np.testing.assert_array_equal(view.take(rows), expected[rows])
    np.testing.assert_array_equal(np.asarray(view[rows]), expected[rows])


def test_single_rows_and_inner_axes(on_disk):
    X, values = on_disk
    np.testing.assert_array_equal(X["disk"][3], values[3])
    np.testing.assert_array_equal(X["disk"][-1], values[-1])
    np.testing.assert_array_equal(np.asarray(X[[4]]["disk"]), values[[4]])


def test_conversions_agree_with_memory(on_disk):
    X, values = on_disk
    part = X[10:20]
    in_memory = MultimodalData({"disk": values[10:20], "memory": np.arange(10, 20)})
    assert part.to_frame().equals(in_memory.to_frame())
    both = MultimodalData.concat([part, part])
    np.testing.assert_array_equal(both["disk"], np.r_[values[10:20], values[10:20]])
    np.testing.assert_array_equal(np.asarray(part["disk"], np.float64), values[10:20])


def test_one_dimensional_maps_become_a_column(tmp_path):
    np.save(tmp_path / "v.npy", np.arange(5.0))
    X = MultimodalData({"v": np.load(tmp_path / "v.npy", mmap_mode="r")})
    assert X.block_shapes == {"v": (1,)}


def test_pickle_of_a_few_rows(on_disk):
    X, values = on_disk
    part = X[[9, 2, 4]]
    text = pickle.dumps(part)
    np.testing.assert_array_equal(
        np.asarray(pickle.loads(text)["disk"]), values[[9, 2, 4]]
    )


def first_values(X):
    return type(X["disk"]).__name__, np.asarray(X["disk"])[:, 0, 0]


def test_workers_get_the_rows(on_disk):
    X, values = on_disk
    out = Parallel(n_jobs=2)(delayed(first_values)(X[a : a + 3]) for a in (1, 15))
    for (kind, found), a in zip(out, (1, 15)):
        assert kind == "RowView"
        np.testing.assert_array_equal(found, values[a : a + 3, 0, 0])


# -- data larger than memory -----------------------------------------------------------

IMAGES, SIDE = 1200, 64


def big_map(tmp_path, dtype, side=SIDE):
    """A container of images in a sparse file, and labels."""
    shape = (IMAGES, 1, side, side)
    images = np.memmap(tmp_path / "images", dtype=dtype, mode="w+", shape=shape)
    rng = np.random.RandomState(0)
    images[::4, 0, 5] = rng.randint(1, 9, size=(IMAGES // 4, side))
    images.flush()
    images = np.memmap(tmp_path / "images", dtype=dtype, mode="r", shape=shape)
    y = np.arange(IMAGES) % 2
    X = {"image": images, "labs": rng.randn(IMAGES, 2) + y[:, None]}
    return X, y, images.nbytes


def small_net(**other):
    encoder = ConvEncoder(channels=(1,), out_features=2, dropout=0.0)
    options = {"encoders": {"image": encoder}, "max_epochs": 1, "random_state": 0}
    return FusionClassifier(**options, batch_size=32, n_threads=1, **other)


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_training_copies_no_block(tmp_path, monkeypatch, dtype):
    monkeypatch.setattr(_row_view, "CHUNK_ROWS", 16)
    blocks, y, size = big_map(tmp_path, dtype)
    # What torch imports in its first training is no copy of the data.
    small_net().fit(MultimodalData(blocks)[:64], y[:64])
    tracemalloc.start()
    X = MultimodalData(blocks)
    train, test, y_train, _ = train_test_split(X, y, random_state=0, test_size=0.1)
    clf = small_net().fit(train, y_train)
    proba = clf.predict_proba(test)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.8 * size
    # Early stopping has held rows of the map out.
    assert "valid_loss" in clf.net_.history[-1]
    in_memory = MultimodalData({name: np.array(b) for name, b in blocks.items()})
    train, test, *_ = train_test_split(in_memory, random_state=0, test_size=0.1)
    same = small_net().fit(train, y_train).predict_proba(test)
    np.testing.assert_allclose(proba, same, atol=1e-6)


def resident_bytes(path):
    """Bytes of a mapped file that are in the memory of this process."""
    found, inside = 0, False
    with open("/proc/self/smaps") as file:
        for line in file:
            if "-" in line.split(" ", 1)[0]:
                inside = line.rstrip().endswith(str(path))
            elif inside and line.startswith("Rss:"):
                found += 1024 * int(line.split()[1])
    return found


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps"), reason="reads /proc")
def test_pages_that_were_read_are_let_go(tmp_path, monkeypatch):
    monkeypatch.setattr(_row_view, "CHUNK_ROWS", 16)
    monkeypatch.setattr(_row_view, "MAX_READ", 2**20)
    blocks, y, size = big_map(tmp_path, np.float32)
    path = tmp_path / "images"
    X = MultimodalData(blocks)
    assert resident_bytes(path) < size / 4
    small_net().fit(X, y)
    assert resident_bytes(path) < size / 4


def test_a_changed_copy_of_a_map_keeps_its_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(_row_view, "MAX_READ", 0)
    np.save(tmp_path / "v.npy", np.zeros((50, 4)))
    for mode, there in [("c", 0.0), ("r+", 7.0)]:
        changed = np.load(tmp_path / "v.npy", mmap_mode=mode)
        changed[3] = 7.0
        X = MultimodalData({"v": changed})
        for _ in range(3):
            assert X["v"].take([3, 1])[:, 0].tolist() == [7.0, 0.0]
        assert np.load(tmp_path / "v.npy")[3, 0] == there


def test_another_shape_of_a_map_reads_nothing(tmp_path, rows_read):
    blocks, y, _ = big_map(tmp_path, np.uint8, side=8)
    clf = small_net().fit(MultimodalData(blocks), y)
    flat = {**blocks, "image": blocks["image"].reshape(IMAGES, -1)}
    rows_read.clear()
    few = MultimodalData(flat)[:5]
    assert rows_read == []
    np.testing.assert_array_equal(
        clf.predict_proba(few), clf.predict_proba(MultimodalData(blocks)[:5])
    )
    assert sum(rows_read) == 10
