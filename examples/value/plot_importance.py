"""
==========================================================
Which modalities a model uses, and which ones are worth it
==========================================================

Patients with chest pain, and a net for any pattern of history, resting measurements,
exercise test and imaging. How much does it lean on each of them, over all patients and
for a single one? And why is that not what imaging is worth?
"""

# %%
# A model and held-out patients
# -----------------------------
# About half of the patients were imaged. The net sees the gaps in training.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmissing import PropensityWeighter
from skmissing.baselines import FusionClassifier
from skmissing.datasets import load_heart
from skmissing.inspection import (
    AttributionDisplay,
    ImportanceDisplay,
    modality_attribution,
    modality_importance,
)
from skmissing.ipw import modality_utility

bunch = load_heart()
X, y = bunch.data, bunch.target
train, test = train_test_split(
    np.arange(len(y)), test_size=0.5, stratify=y, random_state=0
)
net = FusionClassifier(
    max_epochs=40, lr=3e-3, modality_dropout=0.3, n_threads=1, random_state=0
)
net.fit(X[train], y[train])
pd.Series(X[test].present.mean(axis=0), X.names, name="share of patients").round(2)

# %%
# Importance over all patients
# ----------------------------
# Three questions to the same model about the same rows. *Leave one out*: what does the
# score lose without the modality? What others know as well is not lost. *Permutation*:
# what does it lose if patients swap theirs? *Shapley*: what does it gain, on average
# over all orders in which modalities are shown? Shapley values share out what several
# know, and add up to the whole score above that of a model that sees nothing.

tables = [
    modality_importance(
        net, X[test], y[test], method=method, scoring="roc_auc", n_repeats=5,
        n_bootstraps=40, random_state=0,
    )
    for method in ("shapley", "permutation", "leave_one_out")
]  # fmt: skip
importance = pd.concat(tables, ignore_index=True)
ImportanceDisplay.from_predictions(importance)
importance.pivot(index="modality", columns="method", values="value").round(3)

# %%
# Is one modality more important than another? Their intervals overlap, but they come
# from the same patients: resamples of the difference say how sure it is.

shapley = tables[0]
drawn = pd.DataFrame(shapley.attrs["resamples"], columns=shapley["modality"])
difference = drawn["history"] - drawn["resting"]
difference.quantile([0.05, 0.5, 0.95]).round(3)

# %%
# One patient
# -----------
# The same for a prediction: from the risk that the net gives to a patient of whom it
# knows nothing to the one that it gives to this patient. A modality that the patient
# does not have contributes nothing. Left: the patient with all modalities whose
# contributions disagree most; right: one without imaging.

parts = modality_attribution(net, X[test])
up = parts[X.names].clip(lower=0).sum(axis=1)
down = -parts[X.names].clip(upper=0).sum(axis=1)
conflict = np.minimum(up, down)
complete = X[test].present.all(axis=1)
imaged = X[test].present[:, X.names.index("imaging")]
fig, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
for ax, rows, title in zip(axes, (complete, ~imaged), ("imaged", "not imaged")):
    row = int(conflict[rows].idxmax())
    AttributionDisplay.from_predictions(parts, row=row, name=title, ax=ax)

# %%
# Use is not value
# ----------------
# Importance is about *this model* and *these rows*: the half without imaging counts as
# patients to whom it made no difference, and a net that learned little from few images
# makes little of them. What imaging is worth is a question to models made with and
# without it, on patients who have it, weighted so that they stand for all.

before = ["history", "resting", "exercise"]
utility = modality_utility(
    make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(C=0.1)), X, y,
    propensity=PropensityWeighter(covariates=["history", "resting"], random_state=0),
    subsets=[before, [*before, "imaging"]], scoring="roc_auc", cv=3, n_bootstraps=50,
    doubly_robust=False, random_state=0,
)  # fmt: skip
gain = utility[utility["quantity"] == "gain"].iloc[0]
of_net = importance[importance["modality"] == "imaging"].set_index("method")
summary = {
    "importance to the net, Shapley": of_net.loc["shapley"],
    "importance to the net, left out": of_net.loc["leave_one_out"],
    "value beyond the others, for all": gain,
}
pd.DataFrame(summary).T[["value", "low", "high"]].astype(float).round(3)
