"""
=============================================
Unique, redundant and synergistic information
=============================================

How much a modality adds to a score depends on the other modalities. A *partial
information decomposition* splits the information of two modalities about a label into
four parts: information that only the first has (unique), that only the second has
(unique), that both have (redundant), and that only both together have (synergistic).
Here the modalities are two bits and the label is a gate of them, so every part is known
exactly. Then one bit is missing in some rows, and the parts in complete rows are wrong.
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
# All values are in bits. Under XOR one bit alone has no information about the label and
# both determine it: one bit, all of it synergistic. Under AND and OR each bit has 0.311
# bit of information, and *it is the same information*: neither has a unique part,
# though the bits themselves are independent. Parts describe information about the
# label, not the modalities themselves. The last column is a certificate: the solver
# proves that its error is not larger than this.
#
# A missing bit
# -------------
# Now ``x2`` is observed in 80% of the rows with ``x1 = 1``, and in 20% of the others
# (missing at random, since it depends on ``x1``, which is always present).
# :class:`~skmissing.PIDEstimator` uses the rows that have both bits. With a
# :class:`~skmissing.PropensityWeighter` these rows are weighted so that they represent
# all rows. For the true parts, the same class is fitted on the four rows of the
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
# The length of each bar is the information of both bits together. Lines are 90%
# intervals of the parts; the dot is the right end of the part. In complete rows a large
# part seems to be unique that is not: under AND and XOR it is unique to ``x2``, under
# OR to ``x1``. With the weights the parts are close to the true values, which are
# within all twelve intervals. The values:

frames = {
    (gate, label): pid.to_frame().set_index(["term", "source"])["value"][:4]
    for gate, estimators in results.items()
    for label, pid in estimators.items()
}
pd.DataFrame(frames).T.round(3)

# %%
# Missingness that depends on the bit itself
# ------------------------------------------
# Weights correct only what known variables explain. If the value of ``x2`` decides
# whether it is observed, which is *missing not at random*, rows with ``x2 = 1`` are
# over-represented, ``x1`` does not show this, and the weighted parts are as wrong as
# the others. Nothing in the data indicates it, and the intervals are as narrow as
# before.

display = PIDDisplay.from_estimator(decompose("and", "mnar"), target="x1 AND x2")
plt.show()

# %%
# Noise
# -----
# Here are two modalities that are unrelated to the label, in 300 rows, first as
# categories. In a sample, categories always seem to have some information about the
# label; the more cells there are, the more.

rng = np.random.default_rng(0)
y = rng.integers(2, size=300)
levels = MultimodalData({k: rng.integers(3, size=300) for k in ("blood", "urine")})
noise = PIDEstimator(method="exact", n_permutations=99, random_state=0).fit(levels, y)
columns = ["term", "source", "value", "plain", "null_mean", "p_value"]
noise.to_frame()[columns].round(3)

# %%
# The column ``plain`` has the uncorrected estimates, although the true values are 0.
# Three columns show this. ``null_mean`` is the mean after shuffling the labels, and as
# large in total. ``p_value`` is the share of shuffles with a value as large as that of
# the data. Read the last row first, the one of both modalities together; among seven
# values a single small p-value means little. ``value`` is corrected for bias: mutual
# information by a formula, the minimum in the definition by its excess in halves of the
# rows. The parts follow from these, so that they add up.
#
# With measurements instead of categories (five per modality) the method is
# "posterior": a classifier for each modality, evaluated on held-out rows. On
# such rows noise has no value, and the estimate of the total can be negative.
# ``raw`` keeps it; ``value`` is moved into the possible range.

measured = MultimodalData({k: rng.normal(size=(300, 5)) for k in ("blood", "urine")})
posterior = PIDEstimator(method="posterior", n_permutations=99, random_state=0).fit(
    measured, y
)
columns = ["term", "source", "value", "raw", "null_mean", "p_value"]
posterior.to_frame()[columns].round(3)

# %%
# Summary
# -------

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
