"""
=======================================
Should a recovered modality be trusted?
=======================================

The data are six views of handwritten digits; five are missing in every test row.
Missing views can be recovered from the remaining one. Recoveries may be wrong, and a
classifier that treats all of them as measurements may be worse than one that uses none.
:class:`~skmissing.DyMoSelector` fuses a recovered view only if it makes the prediction
more confident and the features no less typical of the predicted digit.
"""

# %%
# Data and two recoveries
# -----------------------
# One recovery is a real one, :class:`~skmissing.recovery.RegressionRecovery`. The other
# simulates wrongly matched records: half of the views are true, and half belong to
# another row.

import zlib

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator

from skmissing import DyMoSelector
from skmissing.datasets import load_mfeat
from skmissing.inspection import SelectionDisplay
from skmissing.recovery import BaseRecovery, RegressionRecovery


class SwappedRecovery(BaseRecovery):
    """The true view, or that of a random training row. For experiments only."""

    def __init__(self, *, share=0.5, modalities=None):
        self.share = share
        self.modalities = modalities

    def _fit_rows(self, rows):
        self.pool_ = rows.data

    def _recover(self, data):
        out = {}
        for m, name in enumerate(data.names):
            rows = np.flatnonzero(~data.present[:, m])
            # The views are still there, behind the mask.
            values = data[name][rows].astype(float)
            for value in values:
                # Drawn from the row itself, so that it is the same in any batch.
                rng = np.random.RandomState(zlib.crc32(value.tobytes()))
                if rng.uniform() < self.share:
                    value[:] = self.pool_[name][rng.randint(len(self.pool_))]
            out[name] = values
        return out


X, y = load_mfeat(return_X_y=True)
X_train, y_train, X_test, y_test = X[:1000], y[:1000], X[1000:], y[1000:]
rank = np.random.RandomState(0).uniform(size=(1000, 6)).argsort(axis=1).argsort(axis=1)
X_poor = X_test.hide(rank < 5)
X_poor

# %%
# Recovered pictures
# ------------------
# The view ``pix`` is a picture of 16 by 15 pixels. Recovered from one other view it is
# a blurred digit, the mean of the possible ones.

regression = RegressionRecovery().fit(X_train)
shown = np.flatnonzero(~X_poor.present[:, X.names.index("pix")])[:8]
pictures = {
    "true": X_test["pix"][shown],
    "recovered": regression.transform(X_poor[shown])["pix"],
    "swapped": SwappedRecovery().fit(X_train).transform(X_poor[shown])["pix"],
}
figure, axes = plt.subplots(3, 8, figsize=(7, 3.2), layout="constrained")
for line, (title, block) in zip(axes, pictures.items()):
    for ax, picture in zip(line, block):
        ax.imshow(picture.reshape(16, 15), cmap="gray_r", vmin=0, vmax=6)
        ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(title)
plt.show()

# %%
# One model, several policies
# ---------------------------
# The net does not depend on the recovery, so the second selector uses the net of the
# first, as a :class:`~sklearn.frozen.FrozenEstimator`. The policy is a parameter of
# ``predict_proba``. "none" uses only measured views, "all" fuses everything. The
# selection without calibration uses confidence only. The default has chosen on held-out
# rows by how much confidence has to increase.

policies = {
    "none": {"selection": "none"},
    "all": {"selection": "all"},
    "confidence only": {
        "selection": "iterative",
        "calibration": None,
        "min_reward": 0.0,
    },
    "DyMo": {"selection": "iterative"},
}
first = DyMoSelector(
    max_epochs=15, lr=2e-3, batch_size=64, n_threads=1, random_state=0
).fit(X_train, y_train)
second = DyMoSelector(
    estimator=FrozenEstimator(first),
    recovery=SwappedRecovery(),
    n_threads=1,
    random_state=0,
).fit(X_train, y_train)
models = {"regression": first, "half swapped": second}
accuracy = {}
for name, clf in models.items():
    predicted = {
        policy: clf.classes_[clf.predict_proba(X_poor, **how).argmax(axis=1)]
        for policy, how in policies.items()
    }
    accuracy[name] = {
        "complete rows": clf.score(X_test, y_test),
        **{policy: np.mean(labels == y_test) for policy, labels in predicted.items()},
    }
pd.DataFrame(accuracy).T.mul(100).round(1)

# %%
# With 1,000 test rows, differences of two points are about twice their standard error.
# Fusing everything gains nothing even with the real recovery, and costs several points
# if half of it is wrong. The selection gains in both cases, without knowing which
# recovery is wrong.
#
# Which views were fused
# ----------------------
# In both cases few views are fused: if the prediction of a row is already confident,
# there is nothing to gain.

figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for ax, (name, clf) in zip(axes, models.items()):
    SelectionDisplay.from_estimator(clf, X_poor, y_test, ax=ax)
    ax.set_title(name)
plt.show()

# %%
# ``kind="flips"`` draws how many of the fused views changed the predicted digit, and
# whether the change was correct.

SelectionDisplay.from_estimator(models["half swapped"], X_poor, y_test, kind="flips")
plt.show()

# %%
# A recovery has no information beyond that of the row. It can only help a net to
# predict as it does for complete rows, on which it was trained. It cannot replace a
# measurement.
