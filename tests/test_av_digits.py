"""Half of the recordings lost: what that costs, on real data."""

from __future__ import annotations

import numpy as np
import pytest

from skmissing.baselines import FusionClassifier
from skmissing.datasets import load_av_digits
from skmissing.missingness import simulate_missing
from skmissing.nn import ConvEncoder


@pytest.mark.parametrize("n_seeds", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_training_with_half_of_the_speech_missing(n_seeds):
    # Narrower nets and fewer epochs than the defaults, to be quick;
    # benchmarks/bench_av_digits.py has the default nets.
    bunch = load_av_digits()
    X, y, train, test = bunch.data, bunch.target, bunch.train, bunch.test
    scores = []
    for seed in range(n_seeds):
        half = simulate_missing(X[train], rate={"speech": 0.5}, random_state=seed)
        fits = {"image": X[train].select("image"), "all": X[train]}
        fits["half"] = half.apply(X[train])
        row = []
        for X_train in fits.values():
            clf = FusionClassifier(
                encoders=[
                    (n, ConvEncoder(channels=(8, 16), dropout=0.3))
                    for n in X_train.names
                ],
                max_epochs=15,
                early_stopping=False,
                lr=2e-3,
                n_threads=1,
                random_state=seed,
            ).fit(X_train, y[train])
            row.append(clf.score(X[test].select(X_train.names), y[test]))
        scores.append(row)
    image, complete, half = np.mean(scores, axis=0)
    assert half >= image + 0.08
    assert half >= complete - 0.04
    assert complete > 0.8
