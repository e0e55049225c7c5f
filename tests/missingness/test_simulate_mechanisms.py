"""What missingness depends on, and what it does not."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from skmissing import Modality, MultimodalData
from skmissing.missingness import simulate_missing

N = 4000


def make_frame(seed=0):
    rng = np.random.RandomState(seed)
    frame = pd.DataFrame(rng.randn(N, 5), columns=["na", "k", "e0", "e1", "e2"]).assign(
        age=rng.uniform(20, 90, size=N),
        site=rng.choice(["north", "south", "west"], size=N),
        day=pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.randint(900, size=N), "D"),
        urgent=rng.uniform(size=N) < 0.3,
    )
    modalities = {"labs": ["na", "k"], "ecg": ["e0", "e1", "e2"]}
    return frame, modalities, rng.choice(["ill", "well"], size=N)


def hidden_logit(result, m):
    return -logit(result.propensity[:, m])


def correlation(a, b):
    return float(np.corrcoef(a, b)[0, 1])


@pytest.mark.parametrize("seed", range(3))
def test_mar_on_y_is_a_function_of_y_alone(seed):
    frame, modalities, y = make_frame(seed)
    result = simulate_missing(
        frame,
        y,
        mechanism="mar",
        rate={"ecg": 0.4},
        modalities=modalities,
        depends_on="y",
        random_state=seed,
    )
    by_class = [np.unique(result.propensity[y == k, 1]) for k in ("ill", "well")]
    assert [len(values) for values in by_class] == [1, 1]
    assert by_class[0] != by_class[1]
    # A unit of score is one standard deviation: two even classes lie 2 apart.
    gap = abs(float(logit(by_class[0])[0] - logit(by_class[1])[0]))
    assert 1.9 < gap < 2.1
    # Given y, what the hidden block holds is independent of which rows miss it.
    for k in ("ill", "well"):
        rows = y == k
        for column in ("e0", "e1", "e2"):
            r = correlation(result.mask[rows, 1], frame[column][rows])
            assert abs(r) < 5 / np.sqrt(rows.sum())


@pytest.mark.parametrize("seed", range(3))
def test_mar_on_a_block_ignores_the_hidden_one(seed):
    frame, modalities, _ = make_frame(seed)
    one = simulate_missing(
        frame,
        mechanism="mar",
        modalities=modalities,
        depends_on="labs",
        random_state=seed,
    )
    assert not one.mask[:, 0].any()
    np.testing.assert_allclose(1 - one.propensity[:, 1].mean(), 0.3, atol=1e-8)
    changed = frame.assign(e0=frame["e0"] * -7, e1=0.5)
    two = simulate_missing(
        changed,
        mechanism="mar",
        modalities=modalities,
        depends_on="labs",
        random_state=seed,
    )
    np.testing.assert_array_equal(one.mask, two.mask)
    fit = np.linalg.lstsq(
        np.c_[np.ones(N), frame[["na", "k"]]], hidden_logit(one, 1), rcond=None
    )
    assert fit[1][0] < 1e-16 * N**2
    assert correlation(one.mask[:, 1], one.scores[:, 1]) > 0.3


@pytest.mark.parametrize("seed", range(3))
def test_mnar_depends_on_the_own_block_alone(seed):
    frame, modalities, _ = make_frame(seed)
    options = {"mechanism": "mnar", "modalities": modalities, "random_state": seed}
    one = simulate_missing(frame, strength=2.0, **options)
    for m in range(2):
        assert correlation(one.mask[:, m], one.scores[:, m]) > 0.5
        np.testing.assert_allclose(one.scores[:, m].mean(), 0, atol=1e-12)
        np.testing.assert_allclose(one.scores[:, m].std(), 1, atol=1e-12)
    two = simulate_missing(frame.assign(na=0.0), strength=2.0, **options)
    assert (one.propensity[:, 0] != two.propensity[:, 0]).any()
    np.testing.assert_array_equal(one.propensity[:, 1], two.propensity[:, 1])


def test_numeric_covariate_and_strength():
    frame, modalities, _ = make_frame()
    age = ((frame["age"] - frame["age"].mean()) / frame["age"].std(ddof=0)).to_numpy()
    for strength in (1.0, -0.5, 0.0):
        result = simulate_missing(
            frame,
            mechanism="mar",
            modalities=modalities,
            depends_on="age",
            strength=strength,
            random_state=0,
        )
        slope = np.polyfit(age, hidden_logit(result, 0), 1)[0]
        np.testing.assert_allclose(slope, strength, atol=1e-6)


@pytest.mark.parametrize(
    "driver", ["site", "urgent", "day", "age", ["site", "age", "y"]]
)
def test_every_kind_of_driver(driver):
    frame, modalities, y = make_frame()
    result = simulate_missing(
        frame,
        y,
        mechanism="mar",
        rate=0.35,
        modalities=modalities,
        depends_on=driver,
        random_state=0,
    )
    np.testing.assert_allclose(1 - result.propensity.mean(axis=0), 0.35, atol=1e-8)
    np.testing.assert_allclose(result.scores.std(axis=0), 1.0)
    if driver in ("site", "urgent"):
        levels = frame.assign(p=result.propensity[:, 0]).groupby(driver)["p"].nunique()
        assert (levels == 1).all()


def test_given_scores_are_used_as_they_are():
    frame, modalities, y = make_frame()
    table = {
        "y": {"ill": 2.0, "well": -1.0},
        "site": {"north": 0.5, "south": 0, "west": 0},
    }
    result = simulate_missing(
        frame,
        y,
        mechanism="mar",
        modalities=modalities,
        depends_on=table,
        strength=0.5,
        random_state=0,
    )
    expected = np.where(y == "ill", 2.0, -1.0) + 0.5 * (frame["site"] == "north")
    np.testing.assert_allclose(result.scores[:, 0], expected)
    difference = hidden_logit(result, 0) - 0.5 * expected
    np.testing.assert_allclose(difference, result.intercept[0], atol=1e-9)


def test_given_weights_of_numbers_and_blocks():
    frame, modalities, _ = make_frame()

    def z(name):
        return ((frame[name] - frame[name].mean()) / frame[name].std(ddof=0)).to_numpy()

    result = simulate_missing(
        frame,
        mechanism="mar",
        modalities=modalities,
        depends_on={"labs": [1.0, -2.0], "age": -0.5},
        random_state=0,
    )
    np.testing.assert_allclose(
        result.scores[:, 1], z("na") - 2 * z("k") - 0.5 * z("age"), atol=1e-9
    )


@pytest.mark.parametrize("mechanism", ["mar", "mnar"])
def test_scores_of_the_user(mechanism):
    frame, modalities, _ = make_frame()
    own = np.random.RandomState(1).randn(N, 2) * 3
    result = simulate_missing(
        frame, mechanism=mechanism, modalities=modalities, scores=own, random_state=0
    )
    np.testing.assert_array_equal(result.scores, own)
    same = simulate_missing(
        frame, mechanism=mechanism, modalities=modalities, scores=own[:, 0]
    )
    np.testing.assert_array_equal(same.scores[:, 1], own[:, 0])


def test_scores_may_be_nan_where_the_block_is_missing():
    X = MultimodalData({"a": [1.0, np.nan, 3.0, 4.0], "b": np.arange(4.0)})
    own = np.array([[1, 0], [np.nan, 0], [2, 1], [0, 1]])
    result = simulate_missing(X, mechanism="mnar", scores=own, random_state=0)
    assert result.propensity[1, 0] == 0
    assert np.isfinite(result.propensity).all()


def test_numeric_labels_are_classes_and_continuous_ones_numbers():
    frame, modalities, _ = make_frame()
    y = np.random.RandomState(0).randint(3, size=N)
    options = {
        "mechanism": "mar",
        "modalities": modalities,
        "depends_on": "y",
        "random_state": 0,
    }
    classes = simulate_missing(frame, y, **options)
    assert len(np.unique(classes.propensity[:, 0])) == 3
    # A level's score does not hang on the order of the rows.
    order = np.random.RandomState(1).permutation(N)
    moved = simulate_missing(frame.iloc[order], y[order], **options)
    np.testing.assert_allclose(moved.scores, classes.scores[order], atol=1e-12)
    target = np.random.RandomState(0).randn(N)
    numbers = simulate_missing(frame, target, **options)
    np.testing.assert_allclose(
        numbers.scores[:, 0], (target - target.mean()) / target.std(), atol=1e-9
    )


def test_text_blocks_and_partly_missing_features_drive_too():
    rng = np.random.RandomState(0)
    frame = pd.DataFrame(
        {
            "note__word": rng.choice(["a", "b", None], size=400),
            "note__length": np.where(
                rng.uniform(size=400) < 0.1, np.nan, rng.randn(400)
            ),
            "lab__x": rng.randn(400),
        }
    )
    result = simulate_missing(frame, mechanism="mnar", rate=0.3, random_state=0)
    have = frame[["note__word", "note__length"]].notna().any(axis=1).to_numpy()
    np.testing.assert_allclose(1 - result.propensity[have, 0].mean(), 0.3, atol=1e-8)
    assert result.mask[~have, 0].all()


def test_memory_map_gives_the_same_as_memory(tmp_path):
    rng = np.random.RandomState(0)
    values = rng.randn(5000, 3, 4).astype(np.float32)
    np.save(tmp_path / "a.npy", values)
    other = rng.randn(5000, 2)
    in_memory = MultimodalData({"a": values, "b": other})
    on_disk = MultimodalData(
        {"a": np.load(tmp_path / "a.npy", mmap_mode="r"), "b": other}
    )
    results = [
        simulate_missing(X, mechanism="mnar", random_state=0)
        for X in (in_memory, on_disk)
    ]
    np.testing.assert_array_equal(results[0].propensity, results[1].propensity)


def test_three_forms_agree_and_apply_returns_the_same_kind():
    rng = np.random.RandomState(0)
    array = rng.randn(200, 6)
    modalities = {"labs": slice(0, 2), "image": Modality(slice(2, 6), shape=(1, 2, 2))}
    frame = pd.DataFrame(
        array, columns=["labs__0", "labs__1"] + [f"image__{i}" for i in range(4)]
    )
    data = MultimodalData.from_frame(array, modalities)
    forms = [(array, modalities), (frame, None), (data, None)]
    results = [
        simulate_missing(X, mechanism="mnar", modalities=m, random_state=0)
        for X, m in forms
    ]
    for result in results[1:]:
        np.testing.assert_array_equal(result.mask, results[0].mask)
    tables = [r.apply(X) for r, (X, _) in zip(results, forms)]
    assert [type(t) for t in tables] == [np.ndarray, pd.DataFrame, MultimodalData]
    np.testing.assert_array_equal(tables[0], tables[1].to_numpy())
    np.testing.assert_array_equal(tables[0], tables[2].to_frame().to_numpy())
    np.testing.assert_array_equal(tables[2].present, ~results[2].mask)
    assert not np.isnan(array).any()
    assert not frame.isna().any().any()
    # A result of one form applies to another.
    np.testing.assert_array_equal(results[0].apply(data).present, tables[2].present)
