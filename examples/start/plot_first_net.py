"""
=============================================
Quick start: training with missing recordings
=============================================

The data are digits that are seen and heard. Half of the recordings are lost, more often
for odd digits and for one speaker. One net is trained on the remaining data, and
predicts rows with a picture, with a recording, and with both. This is a short version
of ``examples/full_story.py``, with fewer rows and epochs.
"""

# %%
# The data
# --------
# Each row has two blocks, an image and a log-spectrogram. ``simulate_missing`` hides
# recordings at random given label and speaker, and stores the probability for each row.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

from skmissing import MultimodalData
from skmissing.baselines import FusionClassifier, UnimodalEnsemble
from skmissing.datasets import load_av_digits
from skmissing.missingness import patterns, simulate_missing

bunch = load_av_digits()
# At half their resolution, so that training takes seconds.
data = MultimodalData(
    {
        name: block.reshape(-1, 1, 14, 2, 14, 2).mean(axis=(3, 5))
        for name, block in bunch.data.blocks.items()
    }
)
train, test = bunch.train[:1400], bunch.test
X_train, y_train = data[train], bunch.target[train]
X_test, y_test = data[test], bunch.target[test]

missing = simulate_missing(
    X_train,
    mechanism="mar",
    rate={"speech": 0.5},
    scores=2.0 * (y_train % 2) + 2.0 * (bunch.speaker[train] == "theo"),
    random_state=0,
)
X_seen = missing.apply(X_train)
patterns(X_seen)

# %%
# Four training rows, two of them without a recording:

rows = [*np.flatnonzero(X_seen.present.all(axis=1))[:2]]
rows += [*np.flatnonzero(~X_seen.present[:, 1])[:2]]
fig, axes = plt.subplots(2, 4, figsize=(7, 3.6), layout="constrained")
for column, row in enumerate(rows):
    axes[0, column].imshow(X_seen["image"][row, 0], cmap="gray")
    axes[0, column].set_title(f"label {y_train[row]}")
    if X_seen.present[row, 1]:
        axes[1, column].imshow(X_seen["speech"][row, 0], origin="lower")
    else:
        axes[1, column].text(0.5, 0.5, "missing", ha="center", va="center")
for ax, label in zip(axes[:, 0], ["image", "speech"]):
    ax.set_ylabel(label)
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])

# %%
# Training and prediction
# -----------------------
# Every estimator accepts rows with any pattern, in ``fit`` and in ``predict``. For
# comparison, the first one is trained on all recordings, without loss.

settings = {"max_epochs": 15, "random_state": 0, "n_threads": 1}
models = {
    "trained on complete rows": FusionClassifier(**settings),
    "FusionClassifier": FusionClassifier(**settings),
    "UnimodalEnsemble": UnimodalEnsemble(**settings),
    "gradient boosting on NaN": HistGradientBoostingClassifier(
        max_iter=10, max_leaf_nodes=7, max_features=0.1, random_state=0
    ),
}
hidden = {"image + speech": [], "image": ["speech"], "speech": ["image"]}
table = pd.DataFrame(index=pd.Index(hidden, name="test rows have"))
for name, model in models.items():
    as_table = name.startswith("gradient")
    X_fit = X_train if name == "trained on complete rows" else X_seen
    model.fit(X_fit.to_frame() if as_table else X_fit, y_train)
    for pattern, names in hidden.items():
        X_pattern = X_test.hide(names)
        table.loc[pattern, name] = model.score(
            X_pattern.to_frame() if as_table else X_pattern, y_test
        )
(100 * table).round(1)

# %%
# Accuracy by pattern
# -------------------

fig, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
colors = ["0.75", "tab:blue", "tab:green", "tab:orange"]
(100 * table).plot.bar(ax=ax, rot=0, width=0.8, color=colors)
for bars in ax.containers:
    ax.bar_label(bars, fmt="%.0f", fontsize=8)
ax.set(ylim=(0, 125), ylabel="test accuracy (%)")
ax.legend(ncols=2, fontsize=8, loc="upper center", frameon=False)
ax.spines[["top", "right"]].set_visible(False)
plt.show()
