import pickle
from importlib import resources

import numpy as np
import pandas as pd
import pytest

from skmissing import Modality, MultimodalData
from skmissing.datasets import load_av_digits, load_heart, load_mfeat, load_support

LOADERS = [load_av_digits, load_heart, load_mfeat, load_support]
DATA = resources.files("skmissing.datasets") / "data"


@pytest.mark.parametrize("loader", LOADERS)
def test_forms_agree(loader):
    bunch, framed = loader(), loader(as_frame=True)
    X, y = loader(return_X_y=True)
    F, z = loader(return_X_y=True, as_frame=True)
    assert isinstance(bunch.data, MultimodalData)
    assert bunch.modalities == bunch.data.names
    assert bunch.frame is None
    pd.testing.assert_frame_equal(X.to_frame(), bunch.data.to_frame())
    pd.testing.assert_frame_equal(F, framed.data)
    pd.testing.assert_series_equal(z, framed.target)
    np.testing.assert_array_equal(y, bunch.target)
    np.testing.assert_array_equal(z, bunch.target)
    assert y.dtype == np.int64
    assert z.name == "target"
    assert list(framed.frame) == [*F, "target"]
    # The frame and its modalities give the container back, bit for bit.
    again = MultimodalData.from_frame(F, framed.modalities)
    assert again.names == X.names
    np.testing.assert_array_equal(again.present, X.present)
    for name in X.names:
        assert again[name].dtype == X[name].dtype
        if X[name].dtype != object:
            np.testing.assert_array_equal(again[name], X[name])
    pd.testing.assert_frame_equal(again.to_frame(), X.to_frame())
    pickle.loads(pickle.dumps(bunch))


@pytest.mark.parametrize("loader", LOADERS)
def test_licence_stands_in_the_description(loader):
    assert "Licence: CC BY" in loader().DESCR
    assert "Licence CC BY" in loader.__doc__


def test_files():
    files = {path.name: path for path in DATA.iterdir()}
    assert set(files) == {
        "LICENCES.md", "av_digits.npz", "heart.npz", "mfeat.npz", "support2.csv.gz"
    }  # fmt: skip
    sizes = {name: len(path.read_bytes()) for name, path in files.items()}
    assert sum(sizes.values()) < 5_000_000
    assert sizes["av_digits.npz"] < 2_900_000
    licences = files["LICENCES.md"].read_text(encoding="utf-8")
    for name in files:
        if name != "LICENCES.md":
            assert f"## {name}: CC BY" in licences
    for who in [
        "LeCun",
        "Cortes",
        "Jackson",
        "Duin",
        "Janosi",
        "Steinbrunn",
        "Pfisterer",
        "Detrano",
        "Harrell",
    ]:
        assert who in licences


@pytest.mark.parametrize("loader", LOADERS)
def test_bad_input(loader):
    with pytest.raises(ValueError, match="as_frame"):
        loader(as_frame="yes")


def test_av_digits():
    bunch = load_av_digits()
    assert bunch.data.block_shapes == {"image": (1, 28, 28), "speech": (1, 28, 28)}
    for name in bunch.data.names:
        assert bunch.data[name].dtype == np.uint8
    assert bunch.data.present.all()
    np.testing.assert_array_equal(np.bincount(bunch.target), [300] * 10)
    assert len(set(bunch.speaker)) == 6
    assert bunch.is_test.dtype == bool
    np.testing.assert_array_equal(bunch.is_test, bunch.recording < 5)
    assert (len(bunch.train), len(bunch.test)) == (2700, 300)
    assert not set(bunch.train) & set(bunch.test)
    # Each clip once; each image once, so that none stands on both sides of the split.
    clips = set(zip(bunch.target, bunch.speaker, bunch.recording))
    assert len(clips) == 3000
    assert len(np.unique(bunch.data["image"].reshape(3000, -1), axis=0)) == 3000
    # Shuffled: the source is sorted by digit.
    assert len(set(bunch.target[:50])) == 10


def test_av_digits_subsets():
    bunch = load_av_digits()
    for subset in ("train", "test"):
        part = load_av_digits(subset=subset)
        rows = bunch[subset]
        np.testing.assert_array_equal(part.target, bunch.target[rows])
        np.testing.assert_array_equal(part.speaker, bunch.speaker[rows])
        np.testing.assert_array_equal(part.data["image"], bunch.data["image"][rows])
        assert (part.is_test == (subset == "test")).all()
        assert len(part[subset]) == len(rows)
        assert len(part.train) + len(part.test) == len(rows)
    with pytest.raises(ValueError, match="subset"):
        load_av_digits(subset="validation")


def test_av_digits_frame():
    framed = load_av_digits(as_frame=True)
    assert framed.data.shape == (3000, 2 * 784)
    assert (framed.data.dtypes == np.uint8).all()
    assert framed.data.columns[0] == "image__0"
    assert framed.data.columns[-1] == "speech__783"
    for name in ("image", "speech"):
        modality = framed.modalities[name]
        assert isinstance(modality, Modality)
        assert modality.shape == (1, 28, 28)
        assert modality.columns == [f"{name}__{i}" for i in range(784)]


def test_mfeat():
    bunch = load_mfeat()
    shapes = {"fou": 76, "fac": 216, "kar": 64, "pix": 240, "zer": 47, "mor": 6}
    assert bunch.data.block_shapes == {name: (d,) for name, d in shapes.items()}
    dtypes = {"fac": np.uint16, "pix": np.uint8}
    for name in shapes:
        assert bunch.data[name].dtype == dtypes.get(name, np.float32)
    np.testing.assert_array_equal(np.bincount(bunch.target), [200] * 10)
    assert len(set(bunch.target[:50])) == 10
    assert bunch.data["pix"].max() == 6


def test_heart():
    bunch = load_heart()
    assert bunch.data.block_shapes == {
        "history": (3,),
        "resting": (4,),
        "exercise": (4,),
        "imaging": (2,),
    }
    np.testing.assert_array_equal(np.bincount(bunch.target), [411, 509])
    np.testing.assert_array_equal(bunch.target, bunch.num > 0)
    sites = ["cleveland", "hungarian", "switzerland", "va"]
    missing = pd.DataFrame(~bunch.data.present, columns=bunch.data.names)
    shares = 100 * missing.groupby(bunch.site).mean().loc[sites]
    np.testing.assert_allclose(shares["imaging"], [0, 89.5, 38.2, 82.5], atol=0.05)
    np.testing.assert_allclose(shares["exercise"], [0, 0, 0.8, 26.5], atol=0.05)
    assert not missing[["history", "resting"]].any().any()
    diseased = 100 * pd.Series(bunch.target).groupby(bunch.site).mean().loc[sites]
    np.testing.assert_allclose(diseased, [45.9, 36.1, 93.5, 74.5], atol=0.05)


def test_heart_frame():
    framed = load_heart(as_frame=True)
    assert framed.data.columns[0] == "history__age"
    assert framed.data.columns[-1] == "site"
    assert set(framed.modalities) == {"history", "resting", "exercise", "imaging"}
    named = [c for columns in framed.modalities.values() for c in columns]
    assert [c for c in framed.data if c not in named] == ["site"]
    np.testing.assert_array_equal(framed.data["site"], framed.site)
    assert framed.feature_names["imaging"] == ["ca", "thal"]
    assert framed.data["history__sex"].isin([0, 1]).all()


def test_support():
    bunch = load_support()
    missing = pd.DataFrame(~bunch.data.present, columns=bunch.data.names).mean()
    shares = {"renal": 47.4, "blood_gas": 25.1, "function": 22.7, "liver": 22.5}
    for name, share in {**shares, "physician": 17.9}.items():
        assert 100 * missing[name] == pytest.approx(share, abs=0.05)
    assert (missing[["demographics", "history"]] == 0).all()
    assert (missing[["vitals", "blood"]] < 2 / 9105).all()
    np.testing.assert_array_equal(np.bincount(bunch.target), [6745, 2360])
    # Whoever died in hospital died.
    assert (bunch.died >= bunch.target).all()
    assert len(set(bunch.patient_id)) == len(bunch.patient_id) == 9105
    table = pd.read_csv(bunch.filename)
    framed = load_support(as_frame=True)
    pd.testing.assert_frame_equal(framed.data, table[list(framed.data)])
    np.testing.assert_array_equal(table["died_in_hospital"], bunch.target)
    np.testing.assert_array_equal(table["days_followed"], bunch.days_followed)
