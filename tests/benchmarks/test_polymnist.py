"""build_polymnist, on small files of the same form as the real ones."""

import numpy as np
import pytest
from _polymnist import build_polymnist

NAMES = ["wood", "sand", "sea"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    mnist = {}
    for part, n in (("train", 300), ("test", 200)):
        # The digit is written into the image, so that each tells its row.
        digits = rng.permutation(np.arange(n) % 10)
        images = np.where(rng.random((n, 28, 28)) < 0.3, 200, 20).astype(np.uint8)
        images[:, 0] = 0
        images[np.arange(n), 0, digits] = 255
        mnist |= {f"x_{part}": images, f"y_{part}": digits.astype(np.uint8)}
    pictures = rng.integers(60, 100, size=(3, 40, 50, 3)).astype(np.uint8)
    np.savez(folder / "mnist.npz", **mnist)
    np.savez(folder / "textures.npz", images=pictures, names=np.array(NAMES))
    return folder, mnist, pictures


def test_views_are_digits_on_parts_of_their_pictures(files):
    folder, mnist, pictures = files
    bunch = build_polymnist(folder, backgrounds=NAMES, n_samples=120)
    sizes = {"train": 120, "valid": 60, "test": 140}
    for part, n in sizes.items():
        X, y = bunch[f"X_{part}"], bunch[f"y_{part}"]
        assert X.names == NAMES
        assert X.present.all()
        assert len(X) == len(y) == n
        source = "train" if part == "train" else "test"
        known = mnist[f"x_{source}"] > 128
        rows = []
        for name, picture in zip(NAMES, pictures):
            block = X[name]
            assert block.dtype == np.uint8
            assert block.shape == (n, 3, 28, 28)
            # Dark backgrounds: what is bright is under the digit.
            mask = (block > 128).all(axis=1)
            match = (mask[:, None] == known[None]).all(axis=(2, 3))
            assert (match.sum(axis=1) == 1).all()
            image = match.argmax(axis=1)
            rows.append(image)
            np.testing.assert_array_equal(mnist[f"y_{source}"][image], y)
            back = np.where(mask[:, None], 255 - block, block).transpose(0, 2, 3, 1)
            windows = np.lib.stride_tricks.sliding_window_view(picture, (28, 28, 3))
            windows = windows.reshape(-1, 28, 28, 3)
            for crop in back[:5]:
                assert (windows == crop).all(axis=(1, 2, 3)).sum() == 1
        # Another handwriting in every view.
        assert np.mean(rows[0] == rows[1]) < 0.2
        assert len(set(rows[0].tolist())) == n
    counts = np.bincount(bunch.y_valid)
    assert (counts == 6).all()
    assert (np.bincount(bunch.y_test) == 14).all()
    assert "120 training, 60 validation and 140 test rows" in bunch.DESCR


def test_rows_repeat_and_begin_alike(files):
    folder, _, _ = files
    few = build_polymnist(folder, backgrounds=NAMES, n_samples=50)
    all_rows = build_polymnist(folder, backgrounds=NAMES, n_samples=None)
    np.testing.assert_array_equal(few.y_train, all_rows.y_train[:50])
    assert len(all_rows.y_train) == 300
    for name in NAMES:
        np.testing.assert_array_equal(few.X_test[name], all_rows.X_test[name])
    again = build_polymnist(folder, backgrounds=NAMES, n_samples=50, return_X_y=True)
    np.testing.assert_array_equal(again[0]["sea"], few.X_train["sea"])
    np.testing.assert_array_equal(again[3], few.y_test)
    other = build_polymnist(folder, backgrounds=NAMES, n_samples=50, random_state=1)
    assert (other.X_train["sea"] != few.X_train["sea"]).any()
    before = np.random.get_state()[1].copy()
    build_polymnist(folder, backgrounds=["sea"], random_state=None, n_samples=5)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_bad_input_raises(files, tmp_path):
    folder, mnist, pictures = files
    with pytest.raises(FileNotFoundError, match=r"Got no file mnist.npz"):
        build_polymnist(tmp_path)
    with pytest.raises(
        ValueError, match="unknown background 'brick', expected some of"
    ):
        build_polymnist(folder)
    with pytest.raises(ValueError, match="expected different names"):
        build_polymnist(folder, backgrounds=["sea", "sea"])
    with pytest.raises(ValueError, match="Got n_samples=301, expected at most 300"):
        build_polymnist(folder, backgrounds=NAMES, n_samples=301)
    np.savez(tmp_path / "mnist.npz", **mnist)
    np.savez(tmp_path / "textures.npz", images=pictures[:, :20], names=np.array(NAMES))
    with pytest.raises(ValueError, match=r"Got images of shape \(3, 20, 50, 3\)"):
        build_polymnist(tmp_path, backgrounds=NAMES)
