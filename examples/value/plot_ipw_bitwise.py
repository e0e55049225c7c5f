"""
=========================================
Biased and corrected values of a modality
=========================================

The label is a function of two bits, and one bit is often missing. What does the second
bit add to the first? Complete rows alone give a wrong answer. All true values are known
exactly here, so we can compare them with the wrong and the corrected values. The page
ends with a case in which no correction is possible, and shows a sensitivity analysis
for it.
"""

# %%
# The data and the true values
# ----------------------------
# The bits ``x1`` and ``x2`` are fair and independent, and the label is ``x1 AND x2``.
# ``x1`` is always present. ``x2`` is observed in 80% of the rows with ``x1 = 1``, and
# in 20% of the others. It is missing at random, since missingness depends only on
# ``x1``, which is known. The field ``oracle`` has the exact area under the ROC curve of
# the best possible score, in all rows and in the rows that have both bits.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from skmissing import PropensityWeighter
from skmissing.datasets import make_bitwise
from skmissing.inspection import SensitivityDisplay, UtilityDisplay
from skmissing.ipw import modality_utility, sensitivity_bounds

bunch = make_bitwise(4000, gate="and", mechanism="mar", random_state=0)
oracle = pd.DataFrame(bunch.oracle).T
oracle[["auc_x1", "auc_x2", "auc_both"]].round(3)

# %%
# Both bits have the same value, but among complete rows ``x2`` seems to be better: four
# in five of these rows have ``x1 = 1``, and there ``x2`` alone determines the label.
#
# The propensity model
# --------------------
# :class:`~skmissing.PropensityWeighter` models the probability of each row to be
# complete, given what is always observed. A row that was unlikely to be complete gets a
# large weight, and represents similar rows that are not complete.

weighter = PropensityWeighter(random_state=0).fit(bunch.data)
weighter.balance(bunch.data).round(3)

# %%
# Before weighting, the complete rows have too many ones in ``x1``; the difference of
# means, in standard deviations, is ``smd_before``. After weighting it is gone. No
# propensity is close to 0, and the effective sample size shows what the weights cost:

overlap = weighter.overlap(bunch.data)
overlap[["n_observed", "min", "max", "largest_weight", "effective_sample_size"]].round(
    2
)

# %%
# What does x2 add?
# -----------------
# :func:`~skmissing.ipw.modality_utility` trains a model per set of modalities, and
# compares them with and without weights. We use two gates. Under XOR neither bit has
# any information alone; together they determine the label.

model = make_pipeline(
    PolynomialFeatures(interaction_only=True, include_bias=False),
    LogisticRegression(C=1000),
)


def measure(gate, mechanism):
    """Table of utilities, scores behind it, and the exact population values."""
    bunch = make_bitwise(4000, gate=gate, mechanism=mechanism, random_state=0)
    table, scores = modality_utility(
        model,
        bunch.data,
        bunch.target,
        propensity=PropensityWeighter(random_state=0),
        scoring=["roc_auc", "neg_log_loss"],
        n_bootstraps=100,
        return_scores=True,
        random_state=0,
    )
    return table, scores, bunch.oracle["true"]


def true_gains(truth, metric):
    """Exact gains, in the order in which the display draws them."""
    name, sign = ("auc", 1) if metric == "roc_auc" else ("best_log_loss", -1)
    x1, x2, both = (sign * truth[f"{name}_{s}"] for s in ("x1", "x2", "both"))
    return [x2 - x1, both - x1, both - x2]


def draw(ax, table, truth, metric, name):
    at = np.arange(3)
    ax.vlines(true_gains(truth, metric), at - 0.35, at + 0.35, color="k", label="truth")
    UtilityDisplay.from_predictions(table, metric, name=name, ax=ax)


results = {gate: measure(gate, "mar") for gate in ("and", "xor")}
fig, axes = plt.subplots(1, 2, figsize=(11, 3.8), layout="constrained")
for ax, (gate, (table, _, truth)) in zip(axes, results.items()):
    draw(ax, table, truth, "roc_auc", f"x1 {gate.upper()} x2, missing at random")
plt.show()

# %%
# Lines are 90% intervals. The biased analysis doubles the gain of ``x1+x2`` over ``x1``
# under AND, and makes ``x2`` look far better than ``x1`` under both gates, although
# both have the same value (the first line of each panel). The corrected estimates are
# close to the true values.
#
# Why gains are not differences of values
# ---------------------------------------
# ``x1`` is present in all rows, so its value is estimated from all rows. The value of
# both bits is estimated from the complete rows. The gain must not mix the two: it
# compares the two models on the same rows, those that have both bits.

table, scores, truth = results["and"]
gains = table[(table["metric"] == "neg_log_loss") & (table["quantity"] == "gain")]
values = table[(table["metric"] == "neg_log_loss") & (table["quantity"] == "value")]
columns = ["subset", "baseline", "n_observed", "biased_value", "value"]
pd.concat([values, gains])[columns].round(2)

# %%
# In the column ``biased_value`` the gain of ``x1+x2`` over ``x1`` is not the difference
# of the values of the two sets, since these are computed on different rows. In the
# column ``value`` everything refers to the whole population, and differences of values
# are gains, up to the last digit.
#
# Missingness that depends on x2 itself
# -------------------------------------
# Now ``x2`` is observed in 80% of the rows with ``x2 = 1`` and in 20% of the others.
# This is *missing not at random*: missingness depends on the missing value. The
# propensity given ``x1`` is one half everywhere, so all weights are about 1 and change
# nothing.

mnar_table, mnar_scores, mnar_truth = measure("and", "mnar")
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
name = "x1 AND x2, missing not at random"
draw(ax, mnar_table, mnar_truth, "neg_log_loss", name)
plt.show()

# %%
# Biased and corrected values agree. Where the biased value is wrong, so is the
# corrected one, with a narrow interval. The line in the middle is right by chance: the
# model of ``x1`` alone is equally uncertain about all rows with ``x1 = 1``, whatever
# ``x2`` is. The doubly robust value corrects a part of the bias. It also uses the
# label, which is known in all rows and determines ``x2`` where ``x1 = 1``, but nowhere
# else. No diagnostic can detect the problem: ``x1`` was balanced from the start.

bunch = make_bitwise(4000, gate="and", mechanism="mnar", random_state=0)
weighter = PropensityWeighter(random_state=0).fit(bunch.data)
weighter.balance(bunch.data)[["smd_before", "smd_after"]].round(3)

# %%
# How wrong may the propensities be?
# ----------------------------------
# A sensitivity analysis shows how much the result depends on the assumption. If the
# odds of being observed differ from the modelled ones by a factor of up to L, in any
# row and in the worst possible way, the gain is within the band. We draw it for the
# estimate with the largest error, the gain of ``x1+x2`` over ``x2``, with the true
# value as threshold.

rows = mnar_scores.rows("neg_log_loss", "x1+x2", baseline="x2")
true_gain = true_gains(mnar_truth, "neg_log_loss")[2]
display = SensitivityDisplay.from_predictions(
    rows.score,
    rows.propensity,
    threshold=true_gain,
    quantity="gain of x1+x2 over x2 in log-likelihood",
)
plt.show()

# %% The model predicts one half where the true propensities are 0.8 and 0.2: odds of 1
# instead of odds of 4 and of 1/4. The true gain is indeed at the end of the band at an
# odds ratio of about 4. If you know how strongly missingness may depend on the missing
# values, the plot shows which gain remains.
#
# Summary
# -------


def gain(column):
    wanted = "subset == 'x1+x2' and baseline == 'x1' and metric == 'roc_auc'"
    return table.query(wanted)[column].item()


true_auc = true_gains(truth, "roc_auc")[1]
bounds = sensitivity_bounds(rows.score, rows.propensity, odds_ratios=[1, 4])
missed = mnar_table.iloc[-1]
print(
    f"Under AND complete rows say that x2 adds {gain('biased_value'):.2f} to the AUC "
    f"of x1.\nWeighted they say {gain('value'):.2f}; the truth is {true_auc:.2f}.\n"
    "If x2 itself decides whether it is seen, weights change nothing: complete rows\n"
    f"say that x1 adds {missed['biased_value']:.2f} to the log-likelihood of x2, "
    f"weighted ones {missed['value']:.2f}, and\nthe truth is {true_gain:.2f}. Who "
    f"allows for an odds ratio of 4 claims {bounds['lower_bound'][4]:.2f} or more."
)
