import numpy as np
import pandas as pd
import pytest
from _simulation_settings import simulation_settings

from skmissing.datasets import make_simulation

SMALL = {"n_samples": 600, "n_trees": 3, "n_missing_clusters": 20}


def test_names():
    names, full = simulation_settings(), simulation_settings(full=True)
    assert len(set(names)) == 60
    assert len(set(full)) == 66
    assert set(full) - set(names) == {
        "causal_0.3_0.7_0.0",
        "causal_0.4_0.6_0.0",
        "causal_0.6_0.4_0.0",
        "causal_0.7_0.3_0.0",
        "causal_0.8_0.2_0.0",
        "causal_0.9_0.1_0.0",
    }
    for name in full:
        ratios = [float(part) for part in name.split("_")[1:]]
        assert sum(ratios) == pytest.approx(1.0)


def test_published_size():
    bunch = make_simulation(n_trees=3, random_state=0)
    sizes = [len(bunch[part]) for part in ("train", "validation", "test")]
    assert sizes == [7200, 800, 2000]
    rows = np.concatenate([bunch[part] for part in ("train", "validation", "test")])
    np.testing.assert_array_equal(np.sort(rows), np.arange(10_000))
    assert bunch.data.block_shapes == {"x1": (20,), "x2": (20,)}
    assert bunch.name == "causal_0.3_0.3_0.4"
    # A linear rule through standardised columns; the published seed gave .481.
    assert 0.42 < bunch.target.mean() < 0.58
    assert bunch.propensity.mean() == pytest.approx(0.5, abs=1e-9)
    assert bunch.propensity.min() >= 0.05 - 1e-12
    assert bunch.propensity.max() <= 0.95 + 1e-12
    # Missingness follows the label, through x1.
    assert np.corrcoef(bunch.propensity, bunch.target)[0, 1] > 0.1


@pytest.mark.parametrize(
    "setting", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.5, 0.5, 0), (0.3, 0.3, 0.4)]
)
def test_prevalence(setting):
    rates = [
        make_simulation(
            setting, n_trees=1, n_missing_clusters=2, n_samples=3000, random_state=seed
        ).target.mean()
        for seed in range(4)
    ]
    assert 0.4 < min(rates) <= max(rates) < 0.6


@pytest.mark.parametrize("setting", [(1, 0, 0), (0, 0.7, 0.3), (0.3, 0.3, 0.4)])
def test_label_rule(setting):
    bunch = make_simulation(setting, flip_probability=0.0, random_state=0, **SMALL)
    a, b = round(10 * setting[0]), round(10 * setting[1])
    x1, x2 = bunch.complete_data["x1"], bunch.complete_data["x2"]
    np.testing.assert_array_equal(x1[:, 10:], x2[:, 10:])
    causes = np.hstack([x1[:, :a], x2[:, :b], x1[:, 10 + a + b :]])
    score = (causes * bunch.coefficients[bunch.clusters]).sum(axis=1)
    np.testing.assert_array_equal(bunch.target, score >= 0)
    for x in (x1, x2):
        np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(x.std(axis=0), 1)


def test_flips():
    clean = make_simulation(flip_probability=0.0, random_state=0, **SMALL)
    noisy = make_simulation(flip_probability=0.2, random_state=0, **SMALL)
    assert (clean.target != noisy.target).mean() == pytest.approx(0.2, abs=0.06)


@pytest.mark.parametrize("rate", [0.06, 0.3, 0.7, 0.94])
def test_rate(rate):
    bunch = make_simulation(missing_rate=rate, random_state=0, **SMALL)
    assert 1 - bunch.propensity.mean() == pytest.approx(rate, abs=1e-9)
    assert bunch.mask[:, 1].mean() == pytest.approx(rate, abs=0.08)
    assert not bunch.mask[:, 0].any()
    np.testing.assert_array_equal(bunch.data.present, ~bunch.mask)


def test_mask_depends_on_x1_alone():
    # Given the propensity, a function of x1, neither x2's own part nor the label
    # says anything about the mask: residuals are uncorrelated with them.
    bunch = make_simulation(
        (0, 1, 0), n_samples=8000, n_trees=3, n_missing_clusters=20, random_state=0
    )
    residual = bunch.mask[:, 1] - (1 - bunch.propensity)
    others = np.column_stack([bunch.complete_data["x2"][:, :10], bunch.target])
    for column in others.T:
        assert abs(np.corrcoef(residual, column)[0, 1]) < 4 / np.sqrt(8000)
    # And x1 alone determines it: rows of equal x1 features in the forest agree.
    order = np.argsort(bunch.propensity)
    for rows in np.array_split(order, 4):
        rate = bunch.mask[rows, 1].mean()
        expected = (1 - bunch.propensity[rows]).mean()
        assert rate == pytest.approx(expected, abs=4 * 0.5 / np.sqrt(len(rows)))


def test_settings_share_latents_but_not_draws():
    one = make_simulation("causal_0.3_0.3_0.4", random_state=5, **SMALL)
    same = make_simulation((0.3, 0.3, 0.4), random_state=5, n_jobs=2, **SMALL)
    other = make_simulation((0.2, 0.3, 0.5), random_state=5, **SMALL)
    pd.testing.assert_frame_equal(one.data.to_frame(), same.data.to_frame())
    np.testing.assert_array_equal(one.propensity, same.propensity)
    np.testing.assert_array_equal(one.target, same.target)
    np.testing.assert_array_equal(one.complete_data["x1"], other.complete_data["x1"])
    np.testing.assert_array_equal(one.test, other.test)
    assert not np.array_equal(one.coefficients, other.coefficients)
    different = make_simulation((0.3, 0.3, 0.4), random_state=6, **SMALL)
    assert not np.array_equal(one.complete_data["x1"], different.complete_data["x1"])


def test_other_sizes():
    bunch = make_simulation(
        (0.5, 0.5, 0.0),
        n_samples=200,
        n_features=5,
        n_clusters=3,
        n_missing_clusters=4,
        n_trees=2,
        max_depth=None,
        random_state=0,
    )
    assert bunch.data.block_shapes == {"x1": (10,), "x2": (10,)}
    assert bunch.coefficients.shape == (3, 5)
    assert set(bunch.clusters) == {0, 1, 2}


def test_forms():
    bunch = make_simulation(random_state=0, **SMALL)
    framed = make_simulation(random_state=0, as_frame=True, **SMALL)
    X, y = make_simulation(random_state=0, return_X_y=True, **SMALL)
    pd.testing.assert_frame_equal(framed.data, bunch.data.to_frame())
    pd.testing.assert_frame_equal(X.to_frame(), framed.data)
    np.testing.assert_array_equal(y, framed.target)
    assert framed.modalities["x2"] == [f"x2__{i}" for i in range(20)]


@pytest.mark.parametrize(
    "setting",
    ["causal_0.3_0.3", (0.5, 0.4, 0.2), (0.25, 0.25, 0.5), (1, -0.1, 0.1), ()],
)
def test_unknown_setting(setting):
    with pytest.raises(ValueError, match=r"Got setting=.*, expected"):
        make_simulation(setting)


def test_bad_input():
    with pytest.raises(ValueError, match="missing_rate"):
        make_simulation(missing_rate=0.05)
    with pytest.raises(ValueError, match="Got n_missing_clusters=100"):
        make_simulation(n_samples=50)
