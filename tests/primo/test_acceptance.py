"""XOR and halves of digits: does z carry what the missing modality would say?"""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from skmissing import MultimodalData, PRIMOClassifier
from skmissing.baselines import FusionClassifier
from skmissing.datasets import make_xor
from skmissing.nn import MLPEncoder


def raw(names, width):
    return [(k, MLPEncoder(hidden=(width,), scale_inputs=False)) for k in names]


def log_loss(clf, X, y):
    return -clf.predict_log_proba(X)[np.arange(len(y)), y].mean()


def fit_xor(seed, weight, classifier_input):
    X, y = make_xor(8000, return_X_y=True, random_state=seed)
    lost = np.random.default_rng(seed).random(5600) < 0.5
    clf = PRIMOClassifier(
        encoders=raw(["x_o", "x_m"], 128), hidden=(128,), latent_dim=2,
        anchor_weight=weight, tie_weight=weight, classifier_dropout=0.0,
        classifier_input=classifier_input,
        max_epochs=15, batch_size=64, weight_decay=1e-4, early_stopping=False,
        n_threads=1, random_state=seed,
    )  # fmt: skip
    return clf.fit(X[:5600].hide({"x_m": lost}), y[:5600]), X[5600:], y[5600:]


@pytest.mark.parametrize(
    ("seed", "classifier_input"),
    [(1, "present"), pytest.param(0, "core", marks=pytest.mark.slow)],
)
def test_xor(seed, classifier_input):
    clf, X, y = fit_xor(seed, 0.1, classifier_input)
    # The Bayes accuracies are 0.6591 and 1.
    assert abs(clf.score(X.hide("x_m"), y) - 0.659) < 0.03
    assert clf.score(X, y) > 0.97
    assert log_loss(clf, X, y) < 0.12
    impact = clf.predictive_impact(X, modality="x_m")
    left = X["x_o"][:, 0] < 0
    gap = impact.gap.to_numpy()
    assert gap[left].mean() > 0.15
    assert gap[left].mean() > 4 * gap[~left].mean()
    assert impact.v_relative.max() <= 1 + 1e-9


@pytest.mark.slow
def test_xor_with_the_weights_of_the_paper_is_hedged():
    clf, X, y = fit_xor(0, 1.0, "core")
    # Accuracy does not show it, the log-loss of complete rows does.
    assert clf.score(X, y) > 0.95
    assert log_loss(clf, X, y) > 0.15


@pytest.mark.slow
def test_the_weights_of_the_paper_leave_z_little_to_say():
    """With all codes in the classifier: the log-loss is fine, the gap is not."""
    gaps = {}
    for weight in (0.1, 1.0):
        clf, X, y = fit_xor(0, weight, "present")
        assert log_loss(clf, X, y) < 0.12
        gap = clf.predictive_impact(X, modality="x_m").gap
        gaps[weight] = gap[X["x_o"][:, 0] < 0].mean()
    assert gaps[1.0] < 0.5 * gaps[0.1]


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_impact_is_not_uncertainty(seed):
    """Left the sign of x_m is the label, right a coin is: both are unsure."""
    rng = np.random.default_rng(seed)
    x_o, x_m = rng.normal(size=(2, 3000, 1))
    left = x_o[:, 0] < 0
    y = np.where(left, x_m[:, 0] > 0, rng.random(3000) < 0.5)
    X = MultimodalData({"x_o": x_o, "x_m": x_m})
    lost = rng.random(2000) < 0.5
    clf = PRIMOClassifier(
        max_epochs=25, lr=3e-3, early_stopping=False, n_threads=1, random_state=seed
    ).fit(X[:2000].hide({"x_m": lost}), y[:2000])
    X, left = X[2000:], left[2000:]
    v = clf.predictive_impact(X, modality="x_m").v_missing
    assert roc_auc_score(left, v) > 0.9
    assert v[left].mean() > 3 * v[~left].mean()
    # Entropy is the same on either side: nearly that of a coin.
    logs = clf.predict_log_proba(X.hide("x_m"))
    entropy = -(np.exp(logs) * logs).sum(axis=1)
    assert abs(entropy[left].mean() - entropy[~left].mean()) < 0.03
    assert entropy.mean() > 0.65


@pytest.mark.slow
def test_halves_of_digits():
    data = load_digits()
    image, y = data.images / 16, data.target
    X = MultimodalData(
        {"a": image[:, :, :4].reshape(-1, 32), "b": image[:, :, 4:].reshape(-1, 32)}
    )
    common = {"batch_size": 64, "early_stopping": False, "n_threads": 1}
    figures = []
    for seed in range(2):
        train, test = train_test_split(
            np.arange(len(y)), test_size=0.4, random_state=seed, stratify=y
        )
        lost = np.random.default_rng(seed).random(len(train)) < 0.5
        plain = {**common, "modality_dropout": 0.0, "max_epochs": 100}
        one = FusionClassifier(**plain, encoders=raw("a", 64), random_state=seed)
        one.fit(X[train].select("a"), y[train])
        both = FusionClassifier(**plain, encoders=raw("ab", 64), random_state=seed)
        both.fit(X[train][~lost], y[train][~lost])
        clf = PRIMOClassifier(
            **common, encoders=raw("ab", 64), max_epochs=120, random_state=seed
        ).fit(X[train].hide({"b": lost}), y[train])
        X_test, y_test = X[test], y[test]
        hidden, alone = X_test.hide("b"), X_test.select("a")
        impact = clf.predictive_impact(X_test, modality="b")
        figures.append([
            clf.score(hidden, y_test) - one.score(alone, y_test),
            clf.score(X_test, y_test) - both.score(X_test, y_test),
            log_loss(clf, hidden, y_test) - log_loss(one, alone, y_test),
            log_loss(clf, X_test, y_test) - log_loss(both, X_test, y_test),
            impact.v_complete.mean() / impact.v_missing.mean(),
            log_loss(clf, hidden, y_test) - log_loss(clf, X_test, y_test),
        ])  # fmt: skip
    missing, complete, nll_missing, nll_complete, v, told = np.mean(figures, axis=0)
    assert missing > -0.02
    assert complete > -0.02
    assert nll_missing < 0.05
    assert nll_complete < 0.05
    assert v < 0.7
    assert told > 0.1
