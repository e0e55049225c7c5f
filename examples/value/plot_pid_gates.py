"""
=====================================================
What only one modality knows, what both, what neither
=====================================================

How much a modality adds to a score depends on what stands beside it. A *partial
information decomposition* splits what two modalities say about a label into four parts:
what only the first says (unique), what only the second says (unique), what both say
(redundant), and what only both together say (synergistic). Here the modalities are two
bits and the label is made of them by a gate, so that every part is known exactly. Then
one bit goes missing, and the parts of complete rows turn out to be those of another
gate.
"""

# %%
# Three gates
# -----------
# :func:`~skmissing.pid.broja` takes the table of probabilities of label and sources,
# ``P[y, x1, x2]``, and solves for the parts. Two fair, independent bits give four cells
# of probability one quarter each.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skmissing import MultimodalData, PIDEstimator, PropensityWeighter
from skmissing.datasets import make_bitwise
from skmissing.inspection import PIDDisplay
from skmissing.pid import broja

GATES = {
    "and": lambda x1, x2: x1 & x2,
    "or": lambda x1, x2: x1 | x2,
    "xor": lambda x1, x2: x1 ^ x2,
}
exact = {}
for gate, function in GATES.items():
    P = np.zeros((2, 2, 2))
    for x1 in (0, 1):
        for x2 in (0, 1):
            P[function(x1, x2), x1, x2] = 1 / 4
    result = broja(P)
    exact[gate] = {
        "unique to x1": result.unique[0],
        "unique to x2": result.unique[1],
        "redundant": result.redundant,
        "synergistic": result.synergistic,
        "total": result.mutual_information.joint,
        "error at most": result.duality_gap,
    }
pd.DataFrame(exact).T.round(3)

# %%
# All values are in bits. Under XOR one bit alone says nothing about the label and both
# say everything: one bit, all of it synergistic. Under AND and OR each bit says 0.311
# bit, and *both say the same*: neither has anything unique, though the bits themselves
# are independent. A part is about what is said of the label, not about the modality.
# The last column is a certificate: the solver proves that it is no further than that
# from the exact answer.
#
# One bit goes missing
# --------------------
# Now ``x2`` is seen in 80% of the rows with ``x1 = 1``, and in 20% of the others
# (missing at random: what decides is ``x1``, which is always there).
# :class:`~skmissing.PIDEstimator` uses the rows that have both bits. With a
# :class:`~skmissing.PropensityWeighter` these rows are weighted so that they stand for
# all rows. The truth is drawn by the same class: it is fitted on the four rows of the
# gate, many times each.

X_all = MultimodalData({"x1": np.repeat([0, 1], 10000), "x2": np.arange(20000) % 2})
settings = {"method": "exact", "random_state": 0}


def decompose(gate, mechanism):
    """The truth, what complete rows say, and what weighted rows say."""
    X, y = make_bitwise(
        4000, gate=gate, mechanism=mechanism, return_X_y=True, random_state=0
    )
    y_all = GATES[gate](X_all["x1"], X_all["x2"]).ravel()
    propensity = PropensityWeighter(random_state=0)
    return {
        "truth": PIDEstimator(**settings).fit(X_all, y_all),
        "observed": PIDEstimator(n_bootstraps=60, **settings).fit(X, y),
        "weighted": PIDEstimator(
            n_bootstraps=60, propensity=propensity, **settings
        ).fit(X, y),
    }


results = {gate: decompose(gate, "mar") for gate in GATES}
fig, axes = plt.subplots(3, 1, figsize=(7.5, 6.5), sharex=True, layout="constrained")
for ax, (gate, estimators) in zip(axes, results.items()):
    PIDDisplay.from_estimator(estimators, target=f"x1 {gate.upper()} x2", ax=ax)
    if gate != "and":
        ax.get_legend().remove()
plt.show()

# %%
# Each bar reads from the left; its length is what both bits together say. Lines are 90%
# intervals of the parts, and the dot is the end of its stretch. In complete rows a
# large part becomes *unique to x2* that is not: under AND and XOR it is ``x2`` that
# looks special, under OR it is ``x1``. With the weights the parts are close to the
# truth, which lies in every one of their twelve intervals. The values:

frames = {
    (gate, label): pid.to_frame().set_index(["term", "source"])["value"][:4]
    for gate, estimators in results.items()
    for label, pid in estimators.items()
}
pd.DataFrame(frames).T.round(3)

# %%
# When the bit itself decides
# ---------------------------
# Weights repair only what known variables explain. If ``x2`` itself decides whether it
# is seen, which is *missing not at random*, the rows with ``x2 = 1`` are overcounted,
# ``x1`` does not tell, and the weighted parts are as wrong as the others. Nothing in
# the data gives a warning, and the intervals are as narrow as before.

display = PIDDisplay.from_estimator(decompose("and", "mnar"), target="x1 AND x2")
plt.show()

# %%
# Noise
# -----
# Two modalities that have nothing to do with the label, in 300 rows. First as
# categories of six levels each: shares of a sample always say something about its
# labels, and the more cells there are, the more.

rng = np.random.default_rng(0)
y = rng.integers(2, size=300)
levels = MultimodalData({k: rng.integers(3, size=300) for k in ("blood", "urine")})
noise = PIDEstimator(method="exact", n_permutations=99, random_state=0).fit(levels, y)
columns = ["term", "source", "value", "plain", "null_mean", "p_value"]
noise.to_frame()[columns].round(3)

# %%
# The column ``plain`` holds what was counted, and none of it is there. Three columns
# say so. ``null_mean`` is what one finds after shuffling the labels: in total, as much.
# ``p_value`` is the share of shuffles that find as much as the data. Read the last row
# first, the one of both modalities together; among seven values a single small p-value
# means little. ``value`` has the bias of such counts subtracted: from the informations
# by a formula, from what they share by what half of the rows find in excess; the parts
# follow from these, so that they add up.
#
# With measurements in place of categories (five per modality) the method is
# "posterior": a classifier for each modality, judged on rows that it has not seen. On
# such rows noise is worth nothing, and the estimate of the total can be negative.
# ``raw`` keeps it; ``value`` is what is reported.

measured = MultimodalData({k: rng.normal(size=(300, 5)) for k in ("blood", "urine")})
posterior = PIDEstimator(method="posterior", n_permutations=99, random_state=0).fit(
    measured, y
)
columns = ["term", "source", "value", "raw", "null_mean", "p_value"]
posterior.to_frame()[columns].round(3)

# %%
# In plain words
# --------------

parts = pd.DataFrame(frames)
unique = parts.loc[("unique", "x2"), "and"]
total = noise.to_frame().iloc[-1]
print(
    f"Under AND, complete rows say that {unique['observed']:.2f} bit is known to x2 "
    f"alone. Weighted rows say\n{unique['weighted']:.2f}, and the truth is "
    f"{unique['truth']:.2f}. If x2 itself decides whether it is seen, weights do not "
    "help.\n"
    f"Two useless modalities seem to say {total['plain']:.2f} bit in 300 rows. With "
    f"shuffled labels it is {total['null_mean']:.2f} on\naverage "
    f"(p = {total['p_value']:.2f}): there is no reason to believe any of it."
)
