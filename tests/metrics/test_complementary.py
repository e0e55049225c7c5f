"""complementary_information: exact on models whose information is known."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from skmissing import MultimodalData, PropensityWeighter
from skmissing.baselines import PatternClassifier
from skmissing.metrics import complementary_information

FLIP_A, FLIP_B = 0.3, 0.2


class Exact:
    """Posterior of a fair bit given noisy copies of it, whichever are present."""

    classes_ = np.array([0, 1])

    def predict_proba(self, X):
        odds = np.zeros(len(X))
        for name, flip in (("a", FLIP_A), ("b", FLIP_B)):
            here = X.present[:, X.names.index(name)]
            says = np.where(np.nan_to_num(X[name][:, 0]) > 0.5, 1, -1)
            odds += np.where(here, says, 0) * np.log((1 - flip) / flip)
        p = 1 / (1 + np.exp(-odds))
        return np.column_stack([1 - p, p])


def draw(n, rng):
    y = rng.integers(2, size=n)
    flips = rng.random((n, 2)) < [FLIP_A, FLIP_B]
    a, b = (np.where(flips[:, m], 1 - y, y).astype(float)[:, None] for m in (0, 1))
    return MultimodalData({"a": a, "b": b}), y


def expected_information():
    """I(b; y | a) in nats, from the table of all eight cases."""
    total = 0.0
    for y, a, b in np.ndindex(2, 2, 2):
        like_a = {k: FLIP_A if k != a else 1 - FLIP_A for k in (0, 1)}
        like_b = {k: FLIP_B if k != b else 1 - FLIP_B for k in (0, 1)}
        joint = {k: 0.5 * like_a[k] * like_b[k] for k in (0, 1)}
        full = joint[y] / sum(joint.values())
        total += joint[y] * np.log(full / like_a[y])
    return total


def test_contributions_are_differences_of_log_probabilities():
    X, y = draw(400, np.random.default_rng(0))
    X = X.hide({"b": np.arange(400) % 4 == 0})
    weight = np.random.default_rng(1).random(400)
    weight[1] = 0.0
    result = complementary_information(
        Exact(), Exact(), X, y, hide="b", sample_weight=weight, random_state=0
    )
    rows = [i for i in range(2, 400) if i % 4]
    np.testing.assert_array_equal(result.rows, rows)
    part, label = X[rows], y[rows]
    here = np.arange(len(rows)), label
    full = np.log(Exact().predict_proba(part)[here])
    without = np.log(Exact().predict_proba(part.hide("b"))[here])
    np.testing.assert_allclose(result.contributions, full - without)
    w = weight[rows]
    assert result.log_loss_full == pytest.approx(-np.average(full, weights=w))
    assert result.log_loss_without == pytest.approx(-np.average(without, weights=w))
    gap = result.log_loss_without - result.log_loss_full
    assert result.value == pytest.approx(gap)
    again = complementary_information(
        Exact(), Exact(), X, y, hide="b", sample_weight=7 * weight, random_state=0
    )
    assert again.value == pytest.approx(result.value)
    assert (again.low, again.high) == pytest.approx((result.low, result.high))


def test_the_information_of_exact_models():
    X, y = draw(200_000, np.random.default_rng(0))
    truth = expected_information()
    result = complementary_information(
        Exact(), Exact(), X, y, hide="b", n_bootstraps=0, random_state=0
    )
    assert result.value == pytest.approx(truth, abs=0.006)
    assert 0.1 < truth < np.log(2)
    assert np.isnan([result.low, result.high, result.std_error]).all()
    # Nothing is left to tell for a copy of what is there.
    twice = MultimodalData({"a": X["a"], "b": X["b"], "c": X["a"]})
    copied = complementary_information(
        Exact(), Exact(), twice, y, hide=["c"], n_bootstraps=0
    )
    assert copied.value == 0.0


def test_intervals_hold_the_truth_as_often_as_they_say():
    truth, hit, errors, estimates = expected_information(), 0, [], []
    for seed in range(200):
        X, y = draw(150, np.random.default_rng(seed))
        result = complementary_information(
            Exact(), Exact(), X, y, hide="b", n_bootstraps=300, random_state=seed
        )
        assert result.low < result.value < result.high
        hit += result.low <= truth <= result.high
        errors.append(result.std_error)
        estimates.append(result.value)
    # 0.9 within three standard errors of 200 draws.
    assert 0.83 <= hit / 200 <= 0.965
    assert np.mean(errors) == pytest.approx(np.std(estimates), rel=0.15)


def test_rows_of_a_group_are_drawn_together():
    X, y = draw(120, np.random.default_rng(0))
    rows = np.repeat(np.arange(120), 6)
    options = {"hide": "b", "n_bootstraps": 2000, "random_state": 0}
    once = complementary_information(Exact(), Exact(), X, y, **options)
    copied = complementary_information(Exact(), Exact(), X[rows], y[rows], **options)
    grouped = complementary_information(
        Exact(), Exact(), X[rows], y[rows], groups=rows.astype(str), **options
    )
    # Copies of rows are no new rows.
    ratio = once.std_error / copied.std_error
    assert ratio == pytest.approx(np.sqrt(6), rel=0.1)
    assert grouped.std_error == pytest.approx(once.std_error, rel=0.07)
    assert grouped.value == pytest.approx(once.value)


def test_wider_intervals_for_more_confidence():
    X, y = draw(100, np.random.default_rng(0))
    options = {"hide": "b", "random_state": 0}
    ends = [
        complementary_information(Exact(), Exact(), X, y, confidence_level=c, **options)
        for c in (0.5, 0.9, 0.99)
    ]
    widths = [r.high - r.low for r in ends]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]
    assert [r.confidence_level for r in ends] == [0.5, 0.9, 0.99]


def test_weights_correct_for_who_has_the_modality():
    """Rows where b is wrong lose it more often."""
    rng = np.random.default_rng(0)
    X, y = draw(40_000, rng)
    wrong = X["b"][:, 0] != y
    kept = rng.random(len(y)) < np.where(wrong, 0.2, 0.8)
    seen = X.hide({"b": ~kept})
    weight = np.where(kept, 1 / np.where(wrong, 0.2, 0.8), 0.0)
    options = {"hide": "b", "n_bootstraps": 0}
    plain = complementary_information(Exact(), Exact(), seen, y, **options)
    fixed = complementary_information(
        Exact(), Exact(), seen, y, sample_weight=weight, **options
    )
    truth = expected_information()
    assert plain.value > truth + 0.1
    assert fixed.value == pytest.approx(truth, abs=0.03)


def test_weights_of_a_weighter_fit():
    X, y = draw(300, np.random.default_rng(0))
    seen = X.hide({"b": np.arange(300) % 3 == 0})
    weight = PropensityWeighter(random_state=0).fit(seen).sample_weight(seen)
    result = complementary_information(
        Exact(), Exact(), seen, y, hide="b", sample_weight=weight, n_bootstraps=10
    )
    assert len(result.rows) == 200


@pytest.mark.parametrize("form", ["array", "frame", "multimodal"])
def test_every_form_of_X(form):
    rng = np.random.default_rng(0)
    y = np.array(["no", "yes"])[rng.integers(2, size=300)]
    values = (y == "yes")[:, None] + rng.normal(size=(300, 3))
    values[:60, 2] = np.nan
    frame = pd.DataFrame(values, columns=["a__0", "a__1", "b__0"])
    columns = {"a": [0, 1], "b": [2]}
    if form == "array":
        X, clf = values, PatternClassifier(modalities=columns)
    elif form == "frame":
        X, clf = frame, PatternClassifier()
    else:
        X = MultimodalData({"a": values[:, :2], "b": values[:, 2:]})
        clf = PatternClassifier()
    clf.fit(X, y)
    result = complementary_information(clf, clf, X, y, hide="b", random_state=0)
    assert len(result.rows) == 240
    reference = PatternClassifier(modalities=columns).fit(values, y)
    expected = complementary_information(
        reference, reference, values, y, hide="b", random_state=0
    )
    assert result.value == pytest.approx(expected.value, abs=1e-12)
    assert result.high == pytest.approx(expected.high, abs=1e-12)


def test_two_models_of_scikit_learn():
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=600)
    X = pd.DataFrame(rng.normal(size=(600, 2)) + y[:, None], columns=["a__0", "b__0"])
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    only_a = make_pipeline(FunctionTransformer(first_column), LogisticRegression())
    only_a.fit(X[:300], y[:300])
    full = LogisticRegression().fit(X[:300], y[:300])
    result = complementary_information(only_a, full, X[300:], y[300:], random_state=0)
    assert 0 < result.low < result.value


def first_column(X):
    return X[["a__0"]]


def test_a_modality_of_noise_may_seem_to_cost_something():
    rng = np.random.default_rng(3)
    y = rng.integers(2, size=90)
    X = MultimodalData({"a": y[:, None] + rng.normal(size=(90, 1)),
                        "b": rng.normal(size=(90, 12))})  # fmt: skip
    clf = PatternClassifier().fit(X[:45], y[:45])
    result = complementary_information(clf, clf, X[45:], y[45:], hide="b")
    assert result.value < 0


def test_the_seed_decides():
    X, y = draw(80, np.random.default_rng(0))
    results = [
        complementary_information(
            Exact(), Exact(), X, y, hide="b", n_bootstraps=20, random_state=seed
        )
        for seed in (0, 0, 1)
    ]
    assert results[0].low == results[1].low != results[2].low


# -- errors ----------------------------------------------------------------------------


def test_errors():
    X, y = draw(40, np.random.default_rng(0))
    model = Exact()

    def ask(X=X, y=y, hide="b", **options):
        return complementary_information(model, model, X, y, hide=hide, **options)

    with pytest.raises(ValueError, match="Got 'c' in hide, expected names of some"):
        ask(hide="c")
    with pytest.raises(ValueError, match="expected some but not all"):
        ask(hide=["a", "b"])
    with pytest.raises(ValueError, match=r"Got \[\] in hide, expected names of some"):
        ask(hide=[])
    with pytest.raises(ValueError, match="Got no row with all of the modalities"):
        ask(X.hide("a"))
    with pytest.raises(ValueError, match="Got no row with all of the modalities"):
        ask(
            sample_weight=(np.arange(40) < 20) * 1.0,
            X=X.hide({"a": np.arange(40) < 20}),
        )
    with pytest.raises(ValueError, match="Got y of length 39, expected 40"):
        ask(y=y[:-1])
    with pytest.raises(ValueError, match="Got groups of length 3, expected 40"):
        ask(groups=[1, 2, 3])
    with pytest.raises(ValueError, match="Got the label 2 in y, expected those that"):
        ask(y=np.where(np.arange(40) == 7, 2, y))
    with pytest.raises(ValueError, match=r"'n_bootstraps' parameter .* Got -1"):
        ask(n_bootstraps=-1)
    for level in (0, 1, "high"):
        with pytest.raises(ValueError, match=r"'confidence_level' parameter .* Got"):
            ask(confidence_level=level)
    with pytest.raises(ValueError, match="sample_weight"):
        ask(sample_weight=-np.ones(40))


def test_a_probability_of_zero_is_named():
    X, y = draw(200, np.random.default_rng(0))
    flat = np.column_stack([X["a"], X["b"]])
    columns = {"a": [0], "b": [1]}
    # The other label is always that of the training rows: pure leaves.
    tree = DecisionTreeClassifier().fit(flat, flat[:, 0].astype(int))
    with pytest.raises(ValueError, match="probability 0 from est_full for the labels"):
        complementary_information(tree, tree, flat, y, modalities=columns)
