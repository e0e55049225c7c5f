"""Calibration by pattern, by hand."""

import numpy as np
import pytest

from skmissing import MultimodalData
from skmissing.baselines import PatternClassifier
from skmissing.metrics import calibration_by_pattern, score_by_pattern

NAN = np.nan
X = MultimodalData({"a": np.ones(6), "b": [1.0, 1.0, NAN, NAN, NAN, NAN]})


def test_two_classes_by_hand():
    second = np.array([0.95, 0.3, 0.2, 0.6, 0.02, 0.5])
    table = calibration_by_pattern(
        [1, 0, 0, 1, 1, 0], np.c_[1 - second, second], X, sample_weight=[1] * 5 + [2]
    ).set_index("pattern")
    assert table.index.tolist() == ["all rows", "a", "a + b"]
    alone = table.loc["a"]
    np.testing.assert_allclose(alone["predicted"], (0.2 + 0.6 + 0.02 + 1.0) / 5)
    np.testing.assert_allclose(alone["observed"], 2 / 5)
    # Sets: both labels for 0.2, 0.6 and 0.5; class 0 alone, and wrong, for 0.02.
    np.testing.assert_allclose(alone["coverage"], 4 / 5)
    np.testing.assert_allclose(alone["set_size"], (2 + 2 + 1 + 4) / 5)
    # Wilson's interval with 25 / 7 effective rows.
    n, p, z = 25 / 7, 2 / 5, 1.6448536269514722
    roots = np.roots([1 + z**2 / n, -(2 * p + z**2 / n), p**2])
    np.testing.assert_allclose(sorted(alone[["low", "high"]]), sorted(roots))


def test_more_classes():
    proba = np.tile([0.5, 0.45, 0.05], (6, 1))
    table = calibration_by_pattern(list("abccab"), proba, X)
    whole = table.iloc[0]
    np.testing.assert_allclose(whole[["predicted", "observed"]].tolist(), [0.5, 1 / 3])
    np.testing.assert_allclose(whole[["coverage", "set_size"]].tolist(), [2 / 3, 2])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_proba": np.ones((5, 2))}, "Got y_proba of shape"),
        ({"level": 1.0}, "Got level=1.0"),
        ({"classes": [0, 2]}, "labels in y_true that are no class"),
        ({"y_true": [0, 1]}, "length 2"),
    ],
)
def test_bad_input(change, message):
    given = {"y_true": [0, 1] * 3, "y_proba": np.full((6, 2), 0.5), "X": X}
    with pytest.raises(ValueError, match=message):
        calibration_by_pattern(**{**given, **change})


class Coin:
    """Probabilities that stand in the first modality."""

    _estimator_type = "classifier"
    classes_ = np.array([0, 1])

    def __sklearn_tags__(self):
        from sklearn.dummy import DummyClassifier

        return DummyClassifier().__sklearn_tags__()

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        p = np.where(X.present[:, 0], np.asarray(X["a"])[:, 0], 0.5)
        return np.c_[1 - p, p]

    def predict(self, X):
        return (self.predict_proba(X)[:, 1] > 0.5).astype(int)

    def score(self, X, y):
        return float((self.predict(X) == y).mean())


def test_an_estimator_in_place_of_labels():
    """As score_by_pattern takes it."""
    clf = PatternClassifier().fit(X, [0, 1, 0, 1, 0, 1])
    message = "Got y_true of type PatternClassifier, expected labels"
    with pytest.raises(TypeError, match=message):
        calibration_by_pattern(clf, X, [0, 1, 0, 1, 0, 1])


def test_intervals_of_scores():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=400)
    right = rng.random(400) < 0.8
    data = MultimodalData({"a": np.where(right == y, 0.9, 0.1), "b": np.ones(400)})
    plain = score_by_pattern(Coin(), data, y, scoring="accuracy")
    table = score_by_pattern(
        Coin(), data, y, scoring="accuracy", n_bootstraps=400, random_state=0
    )
    np.testing.assert_array_equal(table["value"], plain["value"])
    first = table.iloc[0]
    error = np.sqrt(first["value"] * (1 - first["value"]) / 400)
    np.testing.assert_allclose(first["std_error"], error, rtol=0.15)
    np.testing.assert_allclose(first["high"] - first["low"], 3.29 * error, rtol=0.15)
    # Each row twice is not more certain than once, in groups.
    twice = np.repeat(np.arange(400), 2)
    grouped = score_by_pattern(
        Coin(), data[twice], y[twice], scoring="accuracy", n_bootstraps=400,
        groups=twice, random_state=0,
    ).iloc[0]  # fmt: skip
    np.testing.assert_allclose(grouped["std_error"], error, rtol=0.15)
    with pytest.raises(ValueError, match="with scoring=None"):
        score_by_pattern(Coin(), data, y, n_bootstraps=5)


def test_a_table_of_one_modality_is_refused():
    with pytest.raises(ValueError, match=r"modality 'x' in calibration_by_.*pass"):
        calibration_by_pattern([0, 1], np.eye(2), np.ones((2, 3)))
