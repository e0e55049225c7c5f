"""
===============================================
What does speech add if only some rows have it?
===============================================

The data are digits that are seen and heard. The recordings of some speakers are mostly
lost, and recordings of these speakers help least. An analysis of the remaining rows
therefore overestimates the value of speech. Since nothing is missing in the original
data, we know the true value.
"""

# %%
# A table with a covariate
# ------------------------
# Image and spectrogram are shrunk to 7 by 7, so that a linear model is fast. The
# speaker is a column that belongs to no modality. It is a covariate, which may explain
# missingness and which no classifier sees.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmissing import PropensityWeighter
from skmissing.datasets import load_av_digits
from skmissing.inspection import BalanceDisplay, UtilityDisplay
from skmissing.ipw import modality_utility
from skmissing.missingness import simulate_missing

bunch = load_av_digits()
y = bunch.target


def shrink(images):
    pixels = images.reshape(-1, 7, 4, 7, 4).mean(axis=(2, 4))
    return pd.DataFrame(pixels.reshape(len(images), -1))


blocks = {name: shrink(bunch.data[name]) for name in ("image", "speech")}
X_full = pd.concat([b.add_prefix(f"{name}__") for name, b in blocks.items()], axis=1)
X_full["speaker"] = bunch.speaker
modalities = {name: [f"{name}__{i}" for i in b.columns] for name, b in blocks.items()}

# %%
# Half of the recordings are lost
# -------------------------------
# The probability of loss depends on the speaker, and on nothing else: missing at
# random. Recordings of Lucas are lost most often, those of Jackson and Theo least.

scores = {
    "lucas": 1.5,
    "george": 1.0,
    "nicolas": 1.0,
    "yweweler": -1.0,
    "jackson": -1.5,
    "theo": -1.5,
}


def lose_recordings(seed):
    return simulate_missing(
        X_full,
        mechanism="mar",
        rate={"speech": 0.5},
        modalities=modalities,
        depends_on={"speaker": scores},
        random_state=seed,
    )


missing = lose_recordings(0)
X = missing.apply(X_full)
chance = pd.Series(missing.propensity[:, 1]).groupby(bunch.speaker).mean()
kept = pd.Series(~missing.mask[:, 1]).groupby(bunch.speaker).mean()
pd.DataFrame({"chance to be kept": chance, "share kept": kept}).round(2)

# %% The propensity model uses the speaker alone. By default it would use everything
# that is always present, including the 49 pixels of the image, which are unrelated to
# missingness.

propensity = PropensityWeighter(
    modalities=modalities, covariates=["speaker"], random_state=0
)
weighter = propensity.fit(X)
BalanceDisplay.from_estimator(weighter, X)
plt.show()

# %%
# After weighting, the six speakers have equal shares in the remaining rows, as in all
# rows. The cost is a smaller effective sample size:

overlap = weighter.overlap(X)
overlap[["n_rows", "n_observed", "min", "max", "effective_sample_size"]].round(2)

# %%
# Biased, corrected and true gain
# -------------------------------
# One model uses the image, one uses both modalities. They are trained without weights
# (``correct_training=False``) on the rows that have the modalities, and only the
# evaluation is corrected, so that all estimates are about the same models.
# ``return_scores=True`` returns these models. Each of them predicts the rows it was not
# trained on, with no recording hidden: this gives the true gain.

model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01))
sets = [("image",), ("image", "speech")]


def measure(X, correct_training=False, n_bootstraps=0):
    table, scores = modality_utility(
        model,
        X,
        y,
        propensity=propensity,
        modalities=modalities,
        subsets=sets,
        scoring="accuracy",
        correct_training=correct_training,
        n_bootstraps=n_bootstraps,
        return_scores=True,
        n_jobs=2,
        random_state=0,
    )
    return table, scores


def find_truth(scores, weighting="none"):
    """Gain of speech on all rows, nothing missing, of the models behind the table."""
    right = np.zeros((2, len(y)))
    for i, names in enumerate(sets):
        for k, fitted in enumerate(scores.models[names, weighting]):
            held_out = scores.folds == k
            right[i, held_out] = fitted.predict(X_full[held_out]) == y[held_out]
    return right[1] - right[0]


table, row_scores = measure(X, n_bootstraps=100)
row_gain = find_truth(row_scores)
truth = row_gain.mean()

fig, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
ax.axvline(truth, color="k", label="truth")
UtilityDisplay.from_predictions(table, ax=ax)
plt.show()

# %%
# The biased value is too high, and its interval does not contain the true value. The
# interval of the corrected value does. The doubly robust value, which also models which
# rows are predicted correctly, is nearest.

prefixes = {"biased": "biased_", "corrected": "", "doubly robust": "doubly_robust_"}
estimates = list(prefixes)


def estimates_of(table, ends=("value", "low", "high")):
    """The gain, one row for each estimate."""
    gain = table[table["quantity"] == "gain"].iloc[0]
    found = {key: [gain[f"{p}{end}"] for end in ends] for key, p in prefixes.items()}
    return pd.DataFrame.from_dict(found, orient="index", columns=list(ends))


gain = estimates_of(table)
gain.assign(truth=truth).round(3)

# %%
# The bias arises because speech helps more for some speakers than for others, and the
# speakers for whom it helps most are over-represented in the remaining rows.

gain_by_speaker = pd.Series(row_gain).groupby(bunch.speaker).mean()
pd.DataFrame({"gain of speech": gain_by_speaker, "share kept": kept}).round(2)

# %%
# More draws of lost recordings
# -----------------------------
# The result may depend on the draw of lost recordings. Here are four more draws, each
# with its own models and therefore with its own true value.

draws = [[*gain["value"], truth]]
for seed in range(1, 5):
    drawn, drawn_scores = measure(lose_recordings(seed).apply(X_full))
    found = estimates_of(drawn)["value"]
    draws.append([*found, find_truth(drawn_scores).mean()])
draws = pd.DataFrame(draws, columns=[*estimates, "truth"]).rename_axis("draw")
draws.round(3)

# %%
# The errors of the estimates, on average (the bias) and as root mean square (the
# typical error of one estimate):

distance = draws[estimates].sub(draws["truth"], axis=0)
errors = pd.DataFrame(
    {"mean": distance.mean(), "root mean square": np.sqrt((distance**2).mean())}
)
errors.round(3)

# %%
# The biased value is too high in every draw, so an average over draws would be too high
# as well. The corrected values are on both sides of the true value.
#
# Should the models be trained with weights too?
# ----------------------------------------------
# This is the default, and fits a model to the population that it is meant for. But
# weights reduce the effective number of training rows. Here the true value is known, so
# we can compare.

_, trained_scores = measure(X, correct_training=True)
truth_trained = find_truth(trained_scores, "ipw").mean()
truths = {"as they are": truth, "with weights": truth_trained}
pd.Series(truths, name="true gain").rename_axis("trained on rows").round(3)

# %%
# Speech adds less to the models that are trained with weights. Whether weighted
# training helps depends on the model and on the overlap; use the corrected evaluation
# to find out.
#
# Summary
# -------

percent = 100 * gain["value"]
off = 100 * errors["root mean square"]
print(
    f"Speech adds {100 * truth:.0f} points of accuracy in all rows. The rows that are "
    f"left say {percent['biased']:.0f};\nweighted they say {percent['corrected']:.0f}, "
    f"or {percent['doubly robust']:.0f} by the doubly robust estimate.\n"
    f"Over {len(draws)} draws the biased value is off by {off['biased']:.1f} points, "
    f"the corrected one\nby {off['corrected']:.1f}, the doubly robust one by "
    f"{off['doubly robust']:.1f}."
)
