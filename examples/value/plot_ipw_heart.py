"""
======================================================
What does imaging add if hospitals decide who gets it?
======================================================

The patients of four hospitals were referred because of chest pain. One hospital imaged
all of them, two imaged few. Does imaging help to predict who is ill, beyond history,
resting measurements and an exercise test? In complete rows it does. This page shows for
whom this result holds, and how to report results if weights cannot correct all of the
bias.
"""

# %%
# Who was imaged
# --------------
# With ``as_frame=True`` the hospital is a column, ``site``, that is in no modality: a
# covariate. Missingness depends strongly on it, and no classifier sees it.

import warnings

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmissing import PropensityWeighter
from skmissing.datasets import load_heart
from skmissing.exceptions import OverlapWarning
from skmissing.inspection import (
    BalanceDisplay,
    PropensityDisplay,
    SensitivityDisplay,
    UtilityDisplay,
)
from skmissing.ipw import modality_utility

bunch = load_heart(as_frame=True)
X, y = bunch.data, bunch.target
before = ["history", "resting", "exercise"]
everything = [*before, "imaging"]

imaged = X[bunch.modalities["imaging"]].notna().any(axis=1)
patients = pd.DataFrame({"site": X["site"], "imaged": imaged, "ill": y})
shares = patients.groupby("site").mean().round(2)
shares.assign(patients=patients["site"].value_counts())

# %%
# The propensity to be complete
# -----------------------------
# The model of missingness uses what every patient has: the hospital, the history and
# the resting measurements. Fitting it gives a warning, which we catch and print.

weighter = PropensityWeighter(
    modalities=bunch.modalities, required=everything, random_state=0
)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    weighter.fit(X)
print(*[f"{w.category.__name__}: {w.message}" for w in caught], sep="\n")

# %%
# These are the values behind the warning: the largest weight is that of some twenty
# average patients, and the effective sample size is about a quarter of the number of
# observed patients.

overlap = weighter.overlap(X).T
overlap.round(3)

# %%
# In the picture, observed patients are above the line and missing ones below. At the
# right end are the patients of Cleveland, who have no counterpart below. Most patients
# with missing modalities have a propensity below 0.3, where few patients are observed.

PropensityDisplay.from_estimator(weighter, X)
plt.show()

# %%
# A table by hospital shows where overlap is poor: in Budapest and in Long Beach.

hospitals = X[["site"]].assign(
    propensity=weighter.propensity_, observed=weighter.observed_
)
hospitals.groupby("site").agg(
    observed=("observed", "sum"),
    lowest=("propensity", "min"),
    median=("propensity", "median"),
    highest=("propensity", "max"),
).round(3)

# %%
# Covariates before and after weighting: filled markers should lie within the dashed
# lines. Weighting brings the hospitals much nearer to their true shares. Some
# differences remain and some grow, since few patients have most of the weight.

BalanceDisplay.from_estimator(weighter, X)
plt.show()

# %%
# The gain, biased and corrected
# ------------------------------
# The score is the negative Brier score, the mean squared error of the predicted
# probability with a minus sign, so that greater is better. We hide the warning shown
# above.

model = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(C=0.1))


def measure(rows=slice(None), propensity=None, **settings):
    """Gain of imaging, one line of the table, and what each row contributes."""
    if propensity is None:
        propensity = PropensityWeighter(random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OverlapWarning)
        table, scores = modality_utility(
            model,
            X[rows],
            y[rows],
            propensity=propensity,
            modalities=bunch.modalities,
            subsets=[before, everything],
            scoring="neg_brier_score",
            n_bootstraps=100,
            return_scores=True,
            random_state=0,
            **settings,
        )
    return table[table["quantity"] == "gain"], scores


gain, scores = measure()
UtilityDisplay.from_predictions(gain)
plt.show()

# %%
# The biased gain is well above 0, with a narrow interval. The corrected one and the
# doubly robust one are a little below 0, with wide intervals that contain it. This does
# not show that imaging is useless elsewhere, since the data have little information
# about it. (The doubly robust value adds a model of the scores. Where no patient was
# imaged, this model extrapolates too.)
#
# How much does the result depend on choices?
# -------------------------------------------
# If overlap is poor, the result depends on choices that the data cannot make. Here
# are a few reasonable ones. *Evaluation only* trains without weights and weights only
# the evaluation. *Site alone* assumes that missingness depends on the hospital
# and on nothing else. *Clipped* bounds propensities from below by 0.1. Patients who are
# hardly ever imaged then count for less than their share, so the estimate is the gain
# in a population with fewer of them. The last line leaves out the two hospitals that
# image few patients.

overlapping = X["site"].isin(["cleveland", "switzerland"])
site_alone = PropensityWeighter(covariates=["site"], random_state=0)
clipped = PropensityWeighter(clip=(0.1, 1.0), random_state=0)
results = {
    "all patients": (gain, scores),
    "evaluation only": measure(correct_training=False),
    "site alone": measure(propensity=site_alone),
    "clipped": measure(propensity=clipped),
    "two sites": measure(overlapping),
}
table = pd.concat([lines for lines, _ in results.values()])
table = table.assign(subset=list(results), baseline="")

display = UtilityDisplay.from_predictions(table)
display.ax_.set_xlabel("Gain of imaging in negative Brier score")
plt.show()

# %%
# The biased value is the same in the first four lines, since none of these choices
# affects it. The corrected value changes sign, and its first four intervals, as well as
# those of the doubly robust value, contain 0 or begin close to it. Only in the last
# line do the three estimates agree.

columns = ["biased_value", "value", "low", "high"]
columns += ["doubly_robust_low", "doubly_robust_high"]
columns += ["effective_sample_size", "tipping_odds_ratio"]
table.set_index("subset")[columns].round(3)

# %%
# The tipping odds ratio shows by how much propensities would have to be wrong, in the
# worst way, for the corrected gain to vanish. It is 1 if the gain is not above 0 in
# the first place. The bounds do not include the sampling error, so a value
# barely above 1 means nothing.
#
# What the data support
# ---------------------
# In Cleveland all patients were imaged, in Zurich and Basel more than half. Among the
# patients of these two sites alone the propensity model gives no warning, and
# everything is balanced:

X_sites = X[overlapping]
weighter_sites = PropensityWeighter(
    modalities=bunch.modalities, required=everything, random_state=0
).fit(X_sites)
BalanceDisplay.from_estimator(weighter_sites, X_sites)
plt.show()

# %%
# The gain also remains if propensities are far from right, mostly because few of these
# patients have missing modalities. The left panel shows the most favourable of the
# models for all patients, for comparison.

names = {"evaluation only": "all patients", "two sites": "two sites"}
fig, axes = plt.subplots(1, 2, figsize=(10, 4.2), sharey=True, layout="constrained")
for ax, (key, name) in zip(axes, names.items()):
    rows = results[key][1].rows("neg_brier_score", everything, baseline=before)
    SensitivityDisplay.from_predictions(
        rows.score,
        rows.propensity,
        threshold=0,
        quantity="gain of imaging",
        name=name,
        ax=ax,
    )
axes[1].set_ylabel("")
plt.show()

# %%
# Summary
# -------

everyone, two = (results[key][0].iloc[0] for key in ("all patients", "two sites"))
print(
    f"Patients who have everything: imaging adds {everyone['biased_value']:.3f} "
    f"(90% interval {everyone['biased_low']:.3f} to {everyone['biased_high']:.3f}).\n"
    f"All patients of four hospitals: {everyone['value']:.3f} "
    f"({everyone['low']:.3f} to {everyone['high']:.3f}). The data do not tell.\n"
    f"Patients of Cleveland, Zurich and Basel: {two['value']:.3f} "
    f"({two['low']:.3f} to {two['high']:.3f}).\n"
    "The last is what we would report, with the names of the hospitals."
)
