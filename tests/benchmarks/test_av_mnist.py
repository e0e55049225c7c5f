"""build_av_mnist, on small files of the same form as the real ones."""

import _spoken as spoken
import numpy as np
import pytest
from _av_mnist import build_av_mnist
from scipy import signal

N_IMAGES = {"train": 300, "test": 120}
RAW = {"n_components": None, "snr_db": None, "n_pairs": 100}


def make_files(folder):
    """Images of rank 12 and clips that tell their row: a tone of a frequency each."""
    rng = np.random.default_rng(0)
    patterns = rng.normal(size=(12, 784)) * np.linspace(8, 1, 12)[:, None]
    mnist = {}
    for part, n in N_IMAGES.items():
        codes = rng.normal(size=(n, 12)) + (part == "test")
        images = np.clip(128 + codes @ patterns, 0, 255).astype(np.uint8)
        mnist[f"x_{part}"] = images.reshape(n, 28, 28)
        mnist[f"y_{part}"] = rng.permutation(np.arange(n) % 10).astype(np.uint8)
    # Two speakers, ten digits, four takes.
    row = np.arange(80)
    y, speaker, take = row % 10, row // 10 % 2, row // 20
    time = np.arange(8000) / 8000
    tone = np.sin(2 * np.pi * (200 + 40 * row[:, None]) * time)
    length = np.where(row % 3 == 0, 4000, 8000)
    waveform = (3000 * tone * (np.arange(8000) < length[:, None])).astype(np.int16)
    fsdd = {
        "waveform": waveform, "length": length, "y": y.astype(np.uint8),
        "speaker": speaker.astype(np.uint8), "is_test": take == 0,
        "speaker_names": np.array(["ada", "bob"]),
    }  # fmt: skip
    np.savez(folder / "mnist.npz", **mnist)
    np.savez(folder / "fsdd.npz", **fsdd)
    return mnist, fsdd


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    return folder, *make_files(folder)


def test_pairs_share_their_digit_and_stay_on_their_side(files):
    folder, mnist, fsdd = files
    bunch = build_av_mnist(folder, **RAW)
    for part, n in (("train", 100), ("test", 120)):
        X, y = bunch[f"X_{part}"], bunch[f"y_{part}"]
        image, clip = bunch[f"image_{part}"], bunch[f"clip_{part}"]
        assert X.names == ["image", "speech"]
        assert X.present.all()
        assert {len(X), len(y), len(image), len(clip)} == {n}
        np.testing.assert_array_equal(y, mnist[f"y_{part}"][image])
        np.testing.assert_array_equal(y, fsdd["y"][clip])
        np.testing.assert_array_equal(fsdd["is_test"][clip], part == "test")
        assert len(set(image.tolist())) == n
        assert y.dtype.kind == "i"
        names = fsdd["speaker_names"][fsdd["speaker"][clip]]
        np.testing.assert_array_equal(bunch[f"speaker_{part}"], names)
        # All clips of a digit serve in turn.
        uses = np.bincount(clip, minlength=80)[np.unique(clip)]
        for digit in range(10):
            pool = uses[fsdd["y"][np.unique(clip)] == digit]
            assert np.ptp(pool) <= 1
        assert not np.array_equal(y, np.sort(y))
    assert X["image"].dtype == X["speech"].dtype == np.float32
    assert X["image"].shape == (120, 1, 28, 28) == X["speech"].shape


def test_images_are_those_of_their_rows_centred_on_training_images(files):
    folder, mnist, _ = files
    bunch = build_av_mnist(folder, **RAW)
    centre = mnist["x_train"].mean(axis=0) / 255
    for part in ("train", "test"):
        expected = mnist[f"x_{part}"][bunch[f"image_{part}"]] / 255 - centre
        block = bunch[f"X_{part}"]["image"][:, 0]
        np.testing.assert_allclose(block, expected, atol=1e-6)
    assert (bunch.n_components, bunch.variance_kept) == (784, pytest.approx(1.0))


@pytest.mark.slow
def test_components_are_those_of_training_images(files):
    folder, mnist, _ = files
    bunch = build_av_mnist(folder, **{**RAW, "n_components": 3})
    pixels = mnist["x_train"].reshape(300, -1) / 255
    centred = pixels - pixels.mean(axis=0)
    values, basis = np.linalg.svd(centred, full_matrices=False)[1:]
    test = mnist["x_test"][bunch.image_test].reshape(120, -1) / 255
    expected = (test - pixels.mean(axis=0)) @ basis[:3].T @ basis[:3]
    block = bunch.X_test["image"].reshape(120, -1)
    np.testing.assert_allclose(block, expected, atol=1e-5)
    assert np.linalg.matrix_rank(block.astype(float), tol=1e-2) == 3
    kept = (values**2).cumsum() / (values**2).sum()
    assert bunch.variance_kept == pytest.approx(kept[2])
    # As few as keep the share asked for.
    for share in (kept[1] - 1e-6, kept[1] + 1e-6, 0.99):
        asked = build_av_mnist(
            folder, variance_kept=share, snr_db=None, n_pairs=20
        )  # fmt: skip
        assert asked.variance_kept >= share - 1e-9
        assert asked.n_components == np.searchsorted(kept, share) + 1


def test_spectrograms_are_those_of_their_clips(files):
    folder, _, fsdd = files
    large = build_av_mnist(folder, **RAW, spectrogram_shape=(112, 112))
    small = build_av_mnist(folder, **RAW)
    wave = fsdd["waveform"][large.clip_test[:5]].astype(float)
    _, _, spectrum = signal.stft(
        wave, window="hann", nperseg=224, noverlap=154, boundary=None, padded=False
    )
    power = np.abs(spectrum[:, :112]) ** 2
    decibels = 10 * np.log10(power / power.max(axis=(1, 2), keepdims=True) + 1e-30)
    expected = 1 + np.maximum(decibels, -80) / 80
    block = large.X_test["speech"][:5, 0].astype(float)
    # Up to the scale of the training set, which is a line.
    slope, start = np.polyfit(expected.ravel(), block.ravel(), 1)
    np.testing.assert_allclose(block, slope * expected + start, atol=1e-4)
    # The tone of each clip: bands of 35.7 Hz.
    band = block[:, :, :50].mean(axis=2).argmax(axis=1)
    tone = 200 + 40 * large.clip_test[:5]
    np.testing.assert_allclose(band * 8000 / 224, tone, atol=30)
    squares = expected.reshape(5, 28, 4, 28, 4).mean(axis=(2, 4))
    block = small.X_test["speech"][:5, 0].astype(float)
    slope, start = np.polyfit(squares.ravel(), block.ravel(), 1)
    np.testing.assert_allclose(block, slope * squares + start, atol=1e-4)


def test_the_scale_is_that_of_clean_training_clips(files):
    folder, _, fsdd = files
    bunch = build_av_mnist(folder, **{**RAW, "n_pairs": 300})
    clean = spoken.log_spectrogram(fsdd["waveform"], (28, 28))
    train = clean[~fsdd["is_test"]].astype(float)
    expected = (clean[bunch.clip_test] - train.mean()) / train.std()
    np.testing.assert_allclose(bunch.X_test["speech"][:, 0], expected, atol=1e-5)
    few = build_av_mnist(folder, **{**RAW, "n_pairs": 10})
    np.testing.assert_array_equal(few.X_test["speech"], bunch.X_test["speech"])


def test_a_silent_clip_is_zero():
    silent = spoken.log_spectrogram(np.zeros((1, 8000)), (28, 28))
    assert (silent == 0).all()


@pytest.mark.parametrize("kind", ["white", "pink", "babble"])
@pytest.mark.parametrize("snr_db", [10.0, 0.0])
def test_noise_is_as_loud_as_asked_and_drawn_for_every_pair(files, kind, snr_db):
    _, _, fsdd = files
    clips = np.array([6, 6, 9, 20, 20])
    voices = np.flatnonzero(~fsdd["is_test"])
    args = (fsdd["waveform"], fsdd["length"])
    options = {"snr_db": snr_db, "kind": kind, "voices": voices}
    noisy = spoken.add_noise(*args, clips, **options, rng=np.random.RandomState(0))
    noise = noisy - fsdd["waveform"][clips]
    for i, clip in enumerate(clips):
        used = fsdd["length"][clip]
        power = np.mean(fsdd["waveform"][clip][:used].astype(float) ** 2)
        ratio = 10 * np.log10(power / np.mean(noise[i] ** 2))
        assert ratio == pytest.approx(snr_db)
    assert abs(np.corrcoef(noise[0], noise[1])[0, 1]) < 0.9
    assert abs(np.corrcoef(noise[3], noise[4])[0, 1]) < 0.9
    # The first rows do not depend on how many follow.
    head = spoken.add_noise(*args, clips[:2], **options, rng=np.random.RandomState(0))
    np.testing.assert_array_equal(head, noisy[:2])


def test_colours_of_noise(files):
    _, _, fsdd = files
    slopes = {}
    for kind in ("white", "pink"):
        noise = spoken.add_noise(
            fsdd["waveform"], fsdd["length"], np.zeros(40, dtype=int), snr_db=0.0,
            kind=kind, voices=np.arange(80), rng=np.random.RandomState(0),
        ) - fsdd["waveform"][0]  # fmt: skip
        power = (np.abs(np.fft.rfft(noise, axis=1)) ** 2).mean(axis=0)[1:]
        frequency = np.arange(1, len(power) + 1)
        slopes[kind] = np.polyfit(np.log(frequency), np.log(power), 1)[0]
    assert slopes["white"] == pytest.approx(0, abs=0.1)
    assert slopes["pink"] == pytest.approx(-1, abs=0.1)


def test_babble_is_made_of_other_training_clips(files):
    _, _, fsdd = files
    voices = np.flatnonzero(~fsdd["is_test"])
    noise = spoken.add_noise(
        fsdd["waveform"], fsdd["length"], np.repeat(voices[:1], 30), snr_db=0.0,
        kind="babble", voices=voices, rng=np.random.RandomState(0),
    ) - fsdd["waveform"][voices[0]]  # fmt: skip
    power = (np.abs(np.fft.rfft(noise, axis=1)) ** 2).mean(axis=0)
    # Clip i is a tone of 200 + 40 i Hz, one bin a Hz.
    heard = [i for i in range(80) if power[200 + 40 * i] > 1e-2 * power.max()]
    assert set(heard) <= set(voices[1:].tolist())
    assert len(heard) > 40


def test_the_hard_variant_keeps_the_test_speaker_out(files):
    folder, *_ = files
    bunch = build_av_mnist(folder, variant="hard", test_speaker="bob", n_pairs=100)
    assert set(bunch.speaker_train) == {"ada"}
    assert set(bunch.speaker_test) == {"bob"}
    assert bunch.n_components == 4
    assert "babble noise at 3 dB; the test clips are those of bob" in bunch.DESCR
    clean = build_av_mnist(
        folder, variant="hard", test_speaker="bob", n_pairs=100, snr_db=None
    )
    np.testing.assert_array_equal(clean.clip_train, bunch.clip_train)
    assert not np.allclose(clean.X_test["speech"], bunch.X_test["speech"])
    first, second = (np.flatnonzero(bunch.clip_train == bunch.clip_train[0]))[:2]
    block = bunch.X_train["speech"]
    assert not np.allclose(block[first], block[second])
    easy = build_av_mnist(folder, n_pairs=100)
    assert easy.n_components == 196
    assert "as they are" in easy.DESCR


def test_seeds_and_prefixes(files):
    folder, *_ = files
    options = {"variant": "hard", "test_speaker": "ada", "n_test_pairs": 15}
    one, again, longer, other = (
        build_av_mnist(folder, n_pairs=n, random_state=seed, **options)
        for n, seed in ((20, 3), (20, 3), (60, 3), (20, 4))
    )
    state = np.random.get_state()[1].copy()
    for name in ("image", "speech"):
        np.testing.assert_array_equal(one.X_train[name], again.X_train[name])
        np.testing.assert_array_equal(one.X_test[name], longer.X_test[name])
        np.testing.assert_array_equal(one.X_train[name], longer.X_train[name][:20])
        assert not np.array_equal(one.X_train[name], other.X_train[name])
    np.testing.assert_array_equal(one.y_train, longer.y_train[:20])
    np.testing.assert_array_equal(state, np.random.get_state()[1])


def test_tuple_and_defaults(files):
    folder, *_ = files
    parts = build_av_mnist(str(folder), n_pairs=None, return_X_y=True)
    assert [len(p) for p in parts] == [300, 120, 300, 120]


# -- errors ----------------------------------------------------------------------------


def test_missing_files_and_arrays(tmp_path):
    _, fsdd = make_files(tmp_path)
    (tmp_path / "fsdd.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"Got no file fsdd.npz in .*waveform"):
        build_av_mnist(tmp_path)
    np.savez(tmp_path / "fsdd.npz", **{k: v for k, v in fsdd.items() if k != "length"})
    with pytest.raises(ValueError, match="expected 'length' among them; all of"):
        build_av_mnist(tmp_path)
    np.savez(tmp_path / "fsdd.npz", **{**fsdd, "waveform": fsdd["waveform"][:, :500]})
    with pytest.raises(ValueError, match=r"Got waveform of shape \(80, 500\)"):
        build_av_mnist(tmp_path)
    np.savez(tmp_path / "fsdd.npz", **{**fsdd, "is_test": np.ones(80, dtype=bool)})
    with pytest.raises(ValueError, match="Got 80 test clips of 80"):
        build_av_mnist(tmp_path)
    is_test = fsdd["is_test"] | (fsdd["y"] == 7)
    np.savez(tmp_path / "fsdd.npz", **{**fsdd, "is_test": is_test})
    with pytest.raises(ValueError, match="Got no train clip of the digit 7"):
        build_av_mnist(tmp_path, n_pairs=100)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"n_pairs": 301}, "Got n_pairs=301, expected at most 300"),
        ({"n_test_pairs": 121, "n_pairs": 9}, "Got n_test_pairs=121, expected at most"),
        ({"spectrogram_shape": (56, 56)}, "Got spectrogram_shape="),
        ({"n_components": 3, "variance_kept": 0.5}, "expected one of them"),
        ({"split": "speaker", "test_speaker": "eve"}, "Got test_speaker='eve'"),
        ({"variant": "medium"}, "variant"),
        ({"noise": "brown"}, "noise"),
        ({"variance_kept": 1.5}, "variance_kept"),
    ],
)
def test_bad_parameters(files, params, match):
    folder, *_ = files
    with pytest.raises(ValueError, match=match):
        build_av_mnist(folder, **params)
