"""Information that a decomposition must not miss, and must not invent."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from skmissing import MultimodalData, PIDEstimator
from skmissing.exceptions import SparseStatesWarning
from skmissing.pid._decomposition import Terms, settle

from ..conftest import LINEAR, draw_mixture, terms_of


def draw_signs(seed, n):
    a, b = np.random.default_rng(seed).normal(size=(2, n, 1))
    return MultimodalData({"a": a, "b": b}), (a * b > 0).ravel().astype(int)


def draw_noise(kind, seed, n):
    """Two sources that have nothing to do with the label."""
    rng = np.random.default_rng(seed)
    days = pd.to_timedelta(rng.integers(3000, size=n), unit="D")
    blocks = {
        "text": rng.choice([f"level {i}" for i in range(30)], n),
        "numbers": rng.normal(size=n),
        "dates": pd.Timestamp("2015-01-01") + days,
        "categories": pd.Categorical(rng.choice(list("abc"), n)),
    }
    first, second = kind
    frame = pd.DataFrame({"a__x": blocks[first], "b__x": blocks[second]})
    return frame, rng.integers(2, size=n)


def test_interactions_are_seen_by_default():
    pid = PIDEstimator(cv=3, random_state=0).fit(*draw_signs(0, 1500))
    assert pid.synergistic > 0.9
    assert max(*pid.unique_.values(), pid.redundant) < 0.03
    best = pid.learners_.groupby("source", sort=False).first()
    assert best.loc["joint", "learner"] in ("boosted trees", "kernel")
    assert best.loc["joint", "margin"] > 0
    assert best.loc["joint", "std_error"] > 0
    joint = pid.learners_.query("source == 'joint'")
    assert joint["log_loss"].is_monotonic_increasing
    assert {"class prior", "a alone", "b alone"} <= set(joint["learner"])


@pytest.mark.slow
def test_interactions_are_seen_in_every_sample():
    for seed in range(5):
        pid = PIDEstimator(random_state=0).fit(*draw_signs(seed, 4000))
        assert pid.synergistic >= 0.9
        assert max(*pid.unique_.values(), pid.redundant) < 0.03


@pytest.mark.slow
def test_curves_are_seen_by_default():
    truth = [0.0385, 0.0832, 0.1546, 0.1024]
    rows = [
        terms_of(PIDEstimator(random_state=0).fit(*draw_mixture(seed, 4000)), "value")
        for seed in range(5)
    ]
    np.testing.assert_allclose(np.mean(rows, axis=0)[:4], truth, atol=0.015)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [("numbers", "numbers"), ("text", "dates")])
def test_noise_is_no_information_by_default(kind):
    rows = []
    for seed in range(20):
        pid = PIDEstimator(n_bootstraps=20, random_state=0)
        rows.append(terms_of(pid.fit(*draw_noise(kind, seed, 300)), "value"))
    assert np.mean(rows, axis=0).max() < 0.02


@pytest.mark.parametrize(
    "kind", [("text", "numbers"), ("categories", "numbers"), ("dates", "numbers")]
)
def test_a_number_beside_text_is_not_counted_by_its_values(kind):
    X, y = draw_noise(kind, 0, 600)
    pid = PIDEstimator(estimator=LINEAR, n_bootstraps=10, random_state=0).fit(X, y)
    assert pid.method_ == "posterior"
    assert terms_of(pid, "value").max() < 0.02
    assert terms_of(pid, "low").max() < 1e-9


def test_text_is_encoded_for_learners():
    rng = np.random.default_rng(0)
    ward, x = rng.choice(["north", "south", "west"], 900), rng.normal(size=900)
    y = (ward == "north") ^ (rng.random(900) < 0.1)
    X = pd.DataFrame({"place__ward": ward, "lab__x": x})
    pid = PIDEstimator(estimator=LINEAR, random_state=0).fit(X, y)
    assert pid.unique_["place"] > 0.4
    assert pid.unique_["lab"] < 0.02
    assert pid.score(X, y) > 0.4
    # A level that fit has not seen predicts as the common ones together do.
    assert np.isfinite(pid.score(X.assign(place__ward="east"), y))


def test_three_sources_with_text_are_not_all_redundant():
    X, y = draw_noise(("text", "numbers"), 0, 400)
    X["c__x"] = np.random.default_rng(1).normal(size=400)
    pid = PIDEstimator(estimator=LINEAR, random_state=0).fit(X, y)
    assert terms_of(pid, "value").max() < 0.02


def test_states_of_single_rows_are_refused():
    X, y = draw_signs(0, 300)
    with pytest.raises(ValueError, match="Got 300 states of the source 'a' in 300"):
        PIDEstimator(method="exact").fit(X, y)


def test_counts_of_few_rows_are_warned_of():
    rng = np.random.default_rng(0)
    X = MultimodalData({k: rng.integers(6, size=300) for k in "ab"})
    y = rng.integers(2, size=300)
    with pytest.warns(SparseStatesWarning, match=r"Got 36 joint .* in 300 rows .*360"):
        PIDEstimator(method="exact").fit(X, y)
    # Weights count by what they are worth.
    X = MultimodalData({k: rng.integers(2, size=300) for k in "ab"})
    PIDEstimator(method="exact").fit(X, y)
    weight = np.where(np.arange(300) < 30, 1.0, 1e-9)
    with pytest.warns(SparseStatesWarning, match=r"effectively 30\)"):
        PIDEstimator(method="exact").fit(X, y, sample_weight=weight)


def test_text_that_names_rows_is_no_information():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {"id__n": [f"patient {i}" for i in range(200)], "lab__x": rng.normal(size=200)}
    )
    pid = PIDEstimator(estimator=LINEAR, random_state=0)
    with pytest.warns(SparseStatesWarning, match="Got 200 levels in 200 .*'id__n'"):
        pid.fit(X, rng.integers(2, size=200))
    assert pid.mutual_information_["id"] == 0


def test_parts_are_no_more_than_the_joint_model_finds():
    """Two bins of a slope that is noise hold what the classifier does not see."""
    X, y = draw_mixture(0, 2000)
    for n_bins in ("auto", 12):
        pid = PIDEstimator(
            method="posterior", estimator=LINEAR, n_bins=n_bins, random_state=0
        ).fit(X, y)
        parts = terms_of(pid, "value")[:4].sum()
        assert parts <= max(pid.held_out_information_["joint"], 0) + 0.01


def test_parts_are_scaled_to_the_joint_information():
    raw = Terms.split(0.3, 0.2, 0.4, 0.1)
    (value,) = settle([raw], 0.1, 1.0)
    np.testing.assert_allclose(value, [0.1, 0.05, 0.05, 0, 0.15, 0.1, 0.2])
    (value,) = settle([raw], np.inf, 1.0)
    np.testing.assert_allclose(value, [0.2, 0.1, 0.1, 0, 0.3, 0.2, 0.4])
    (value,) = settle([Terms.split(-0.1, 0.02, -0.1, -0.2)], 0.0, 1.0)
    np.testing.assert_array_equal(value, np.zeros(7))


@pytest.mark.parametrize("method", ["exact", "posterior"])
def test_values_lie_in_their_intervals(method):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        X = MultimodalData({k: rng.integers(3, size=400) for k in "ab"})
        y = ((X["a"] + X["b"]).ravel() > 2) ^ (rng.random(400) < 0.2)
        settings = {"method": method, "estimator": LINEAR, "random_state": 0}
        frame = PIDEstimator(**settings, n_bootstraps=12).fit(X, y).to_frame()
        assert (frame["low"] <= frame["value"]).all()
        assert (frame["value"] <= frame["high"]).all()
        # The value is the corrected one.
        assert frame["value"].iloc[-2] == pytest.approx(frame["raw"].iloc[-2])
        assert frame["value"].iloc[-2] < frame["plain"].iloc[-2]


@pytest.mark.parametrize("n_sources", [1, 2, 3])
@pytest.mark.parametrize("method", ["exact", "posterior"])
def test_results_keep_their_shape(n_sources, method):
    rng = np.random.default_rng(0)
    X = MultimodalData({k: rng.integers(2, size=400) for k in "abc"[:n_sources]})
    y = X["a"].ravel() ^ (rng.random(400) < 0.1)
    settings = {"method": method, "estimator": LINEAR, "random_state": 0}
    bits = PIDEstimator(**settings).fit(X, y)
    assert all(isinstance(name, tuple) for name in bits.redundant_)
    assert all(isinstance(name, tuple) for name in bits.synergistic_)
    columns = ["source", "learner", "log_loss", "weight", "margin", "std_error"]
    assert list(bits.learners_.columns) == columns
    nats = PIDEstimator(**settings, unit="nats").fit(X, y)
    assert nats.score(X, y) == pytest.approx(np.log(2) * bits.score(X, y))
    np.testing.assert_allclose(
        terms_of(nats, "value"), np.log(2) * terms_of(bits, "value"), atol=1e-12
    )
    np.testing.assert_allclose(
        nats.learners_["log_loss"], np.log(2) * bits.learners_["log_loss"]
    )


def test_a_column_that_is_missing_in_scored_rows():
    rng = np.random.default_rng(0)
    y = np.arange(300) % 2
    X = pd.DataFrame(
        {
            "a__word": np.where(y + rng.normal(size=300) > 0.5, "high", "low"),
            "a__number": y + rng.normal(size=300),
            "b__x": y + rng.normal(size=300),
        }
    ).astype({"a__word": object})
    pid = PIDEstimator(method="posterior", estimator=LogisticRegression())
    pid.fit(X, y)
    for column in ("a__word", "a__number"):
        assert np.isfinite(pid.score(X.assign(**{column: None}), y))


def test_dates_of_any_year_are_a_source():
    rng = np.random.default_rng(0)
    y = np.arange(300) % 2
    when = [date(1000 + 3000 * int(label) + k, 1, 1) for k, label in enumerate(y)]
    X = MultimodalData(
        {"when": np.array(when, dtype=object), "b": rng.normal(size=(300, 1))}
    )
    pid = PIDEstimator(estimator=LogisticRegression(), random_state=0).fit(X, y)
    assert pid.unique_["when"] > 0.5


def test_words_of_free_text_are_seen():
    """Each row is its own text; what decides is a word of it."""
    rng = np.random.default_rng(0)
    n = 600
    y = rng.integers(2, size=n)
    told = np.where(y == 1, "fever", "cough")
    told = np.where(rng.random(n) < 0.1, "nothing", told)
    notes = [f"case {i}: room {rng.integers(99)}, {t}" for i, t in enumerate(told)]
    X = pd.DataFrame({"note__text": notes, "lab__x": rng.normal(size=n)})
    pid = PIDEstimator(random_state=0).fit(X, y)
    # 90% of the rows say it: .9 bit.
    assert pid.unique_["note"] == pytest.approx(0.9, abs=0.06)


def test_free_text_that_is_noise_is_no_information():
    rng = np.random.default_rng(1)
    n = 400
    words = np.array(["fever", "cough", "pain", "rash", "none", "tired", "cold"])
    notes = [f"case {i}: " + " ".join(rng.choice(words, 4)) for i in range(n)]
    X = pd.DataFrame({"note__text": notes, "lab__x": rng.normal(size=n)})
    pid = PIDEstimator(random_state=0).fit(X, rng.integers(2, size=n))
    assert pid.to_frame()["value"].max() < 0.02
