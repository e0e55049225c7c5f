"""What the method is for, on halves of handwritten digits.

Networks of 64-64 units, Adam at 1e-3 for 30 epochs in phase 1 and at 1e-4 for 10 in
phase 2, a 60/40 split, five seeds. The paper has other data and other settings. Values
are percentages, the mean of "B missing", "A missing" and "complete".
"""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split

from skmissing import MultimodalData, UMEMMAEnsemble
from skmissing.baselines import (
    MissingDetectionClassifier,
    MultitaskFusionClassifier,
    UnimodalEnsemble,
)
from skmissing.nn import MLPEncoder

COMMON = {
    "encoders": [("a", MLPEncoder(scale_inputs=False)),
                 ("b", MLPEncoder(scale_inputs=False))],
    "max_epochs": 30, "optimizer": "adam", "early_stopping": False,
    "n_threads": 1,
}  # fmt: skip
SHORT = {"finetune_lr": 1e-4, "finetune_epochs": 10}
METHODS = {
    "naive": (MultitaskFusionClassifier, {"side_weight": 0.0}),
    "only augmentation": (
        MultitaskFusionClassifier, {"side_weight": 0.0, "modality_dropout": 0.3}
    ),
    "multi-task": (MultitaskFusionClassifier, {}),
    "detection": (MissingDetectionClassifier, {}),
    "only pre-training": (UMEMMAEnsemble, {**SHORT, "modality_dropout": 0.0}),
    "short": (UMEMMAEnsemble, SHORT),
    "default": (UMEMMAEnsemble, {}),
    "mask-aware": (UnimodalEnsemble, {}),
}  # fmt: skip


def digits(columns_a, columns_b):
    data = load_digits()
    image = data.images / 16
    blocks = {
        "a": image[:, :, columns_a].reshape(len(image), -1),
        "b": image[:, :, columns_b].reshape(len(image), -1),
    }
    return MultimodalData(blocks), data.target


def means(names, X, y, keep=1.0, n_seeds=5):
    """Mean over the three conditions and the seeds, by method."""
    scores = {name: [] for name in names}
    for seed in range(n_seeds):
        train, test = train_test_split(
            np.arange(len(y)), test_size=0.4, random_state=seed, stratify=y
        )
        rng = np.random.default_rng(seed)
        fed = X[train].hide({"b": rng.random(len(train)) >= keep})
        # Phase 1 is the same for all that have one: trained once.
        first = UMEMMAEnsemble(**COMMON, finetune_epochs=0, random_state=seed)
        first = FrozenEstimator(first.fit(fed, y[train]))
        for name in names:
            kind, params = METHODS[name]
            if kind is UMEMMAEnsemble:
                params = {**params, "unimodal": {"a": first, "b": first}}
            clf = kind(**COMMON, **params, random_state=seed).fit(fed, y[train])
            Z = X[test]
            scores[name].append(
                [clf.score(part, y[test]) for part in (Z.hide("b"), Z.hide("a"), Z)]
            )
    return {name: 100 * np.mean(values) for name, values in scores.items()}


@pytest.mark.slow
def test_left_and_right_halves():
    mean = means(METHODS, *digits(slice(0, 4), slice(4, 8)))
    assert mean["short"] >= mean["only augmentation"] + 1.5
    assert mean["short"] >= mean["only pre-training"] + 1.5
    assert mean["short"] >= mean["naive"] + 20
    assert mean["multi-task"] > mean["naive"]
    assert abs(mean["short"] - mean["detection"]) < 1.5
    assert abs(mean["short"] - mean["mask-aware"]) < 1.5
    # The longer second phase is the default.
    assert mean["default"] >= 88.5


@pytest.mark.slow
def test_unbalanced_parts():
    names = ["naive", "only pre-training", "only augmentation", "short", "default"]
    mean = means(names, *digits(slice(0, 5), slice(6, 8)))
    assert mean["short"] >= mean["naive"] + 8
    assert mean["short"] > mean["only augmentation"]
    assert mean["short"] > mean["only pre-training"]
    assert mean["default"] >= 80.5


@pytest.mark.parametrize(
    ("n_seeds", "points"), [(1, 0.0), pytest.param(5, 4.0, marks=pytest.mark.slow)]
)
def test_a_modality_that_few_training_rows_have(n_seeds, points):
    names = ["short", "default", "only augmentation", "naive"]
    mean = means(names, *digits(slice(0, 4), slice(4, 8)), keep=0.1, n_seeds=n_seeds)
    for name in ("short", "default"):
        assert mean[name] > mean["only augmentation"] + points
        assert mean[name] >= mean["naive"] + 4


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_fault_that_nobody_reports(seed):
    """Blocks of zeros, or of noise, that pass for values."""
    X, y = digits(slice(0, 4), slice(4, 8))
    train, test = train_test_split(
        np.arange(len(y)), test_size=0.4, random_state=seed, stratify=y
    )
    rng = np.random.default_rng(seed)
    block = X["b"][test]
    noise = block.mean(axis=0) + block.std(axis=0) * rng.normal(size=block.shape)
    faults = {"zero": np.zeros_like(block), "noise": noise}
    accuracy = {}
    for substitute in faults:
        clf = UMEMMAEnsemble(**COMMON, substitute=substitute, random_state=seed)
        clf.fit(X[train], y[train])
        for fault, broken in faults.items():
            fed = MultimodalData({"a": X["a"][test], "b": broken})
            accuracy[substitute, fault] = 100 * clf.score(fed, y[test])
        accuracy[substitute, "reported"] = 100 * clf.score(X[test].hide("b"), y[test])
    # The substitute itself is answered as if it had been reported.
    assert accuracy["zero", "zero"] == accuracy["zero", "reported"] > 80
    # Noise is worse than that for any net, and far worse for one that never met it.
    assert accuracy["noise", "noise"] > accuracy["zero", "noise"] + 5
    assert accuracy["noise", "noise"] > 60
