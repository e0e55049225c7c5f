"""
================================================
What does speech add, if only some are recorded?
================================================

Digits that are seen and heard. The recordings of some speakers are mostly lost, and
these are the speakers whose recordings help least. An analysis of the rows that are
left says that speech adds more than it does. Since nothing is missing in the file, we
know what it should have said.
"""

# %%
# A table with a covariate
# ------------------------
# Image and spectrogram are shrunk to 7 by 7, so that a linear model is quick. The
# speaker is a column that belongs to no modality: a covariate, which may explain
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
# How likely that is depends on the speaker, and on nothing else: missing at random.
# Recordings of Lucas are lost most often, those of Jackson and Theo least.

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

# %% The propensity model is given the instruction to look at the speaker alone. Left to
# itself it would use everything that is always there, and so the 49 pixels of the image
# too, which have nothing to do with it.

propensity = PropensityWeighter(
    modalities=modalities, covariates=["speaker"], random_state=0
)
weighter = propensity.fit(X)
BalanceDisplay.from_estimator(weighter, X)
plt.show()

# %%
# Weighted, the rows that are left have the six speakers in equal shares, as all rows
# have. The price is in the effective sample size:

overlap = weighter.overlap(X)
overlap[["n_rows", "n_observed", "min", "max", "effective_sample_size"]].round(2)

# %%
# Biased, corrected, and the truth
# --------------------------------
# One model sees the image, one sees both. They are trained on the rows that have what
# they need, as they are (``correct_training=False``), and only the evaluation is
# corrected, so that all estimates are about the same models. ``return_scores=True``
# hands these models out. We ask each of them about the rows it was not trained on, with
# no recording hidden: that is the truth that an estimate should hit.

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
# The biased value is too high, and its interval does not reach the truth. That of the
# corrected one does. The doubly robust one, which also models who is answered rightly,
# is nearest.

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
# The reason for the bias is that speech helps with some speakers more than with others,
# and that those with whom it helps most are over-represented in the rows that are left.

gain_by_speaker = pd.Series(row_gain).groupby(bunch.speaker).mean()
pd.DataFrame({"gain of speech": gain_by_speaker, "share kept": kept}).round(2)

# %%
# Was this luck?
# --------------
# One draw of lost recordings is one draw. Here are four more, each with models of its
# own and therefore with a truth of its own.

draws = [[*gain["value"], truth]]
for seed in range(1, 5):
    drawn, drawn_scores = measure(lose_recordings(seed).apply(X_full))
    found = estimates_of(drawn)["value"]
    draws.append([*found, find_truth(drawn_scores).mean()])
draws = pd.DataFrame(draws, columns=[*estimates, "truth"]).rename_axis("draw")
draws.round(3)

# %%
# Distances of the estimates to the truth, on average (do they err in one direction?)
# and squared (how far off is one of them?):

distance = draws[estimates].sub(draws["truth"], axis=0)
errors = pd.DataFrame(
    {"mean": distance.mean(), "root mean square": np.sqrt((distance**2).mean())}
)
errors.round(3)

# %%
# The biased value is too high in every draw, so that an average over draws would be too
# high as well. The corrected ones lie on either side of the truth.
#
# Should the models be trained with weights too?
# ----------------------------------------------
# That is the default, and it fits a model to the population that it is meant for. But
# weights leave fewer effective rows to learn from. Here the truth is known, so we can
# look.

_, trained_scores = measure(X, correct_training=True)
truth_trained = find_truth(trained_scores, "ipw").mean()
truths = {"as they are": truth, "with weights": truth_trained}
pd.Series(truths, name="true gain").rename_axis("trained on rows").round(3)

# %%
# Speech adds less to the models that are trained with weights. Whether weighted
# training pays depends on the model and on the overlap; the corrected evaluation is
# the way to find out.
#
# In plain words
# --------------

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
