"""
=====================================
Information in six views of one digit
=====================================

Two thousand handwritten digits, each described by six sets of features: Fourier
coefficients (``fou``), profile correlations (``fac``), Karhunen-Loeve coefficients
(``kar``), pixel averages (``pix``), Zernike moments (``zer``) and morphological
features (``mor``). How much of what a view says about the digit do the other five say
as well?
"""

# %%
# One against the rest
# --------------------
# With more than two modalities :class:`~skmissing.PIDEstimator` holds each of them
# against all the others together. The blocks are continuous, so the method is
# "posterior": a classifier learns each source and each rest, and only its predictions
# for held-out rows count. The default compares several learners for each of the
# thirteen models, which takes minutes here; one with a fixed penalty takes seconds.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmissing import PIDEstimator
from skmissing.datasets import load_mfeat
from skmissing.inspection import PIDDisplay

X, y = load_mfeat(return_X_y=True)
model = make_pipeline(StandardScaler(), LogisticRegression(C=0.02, tol=1e-2))
pid = PIDEstimator(method="posterior", estimator=model, random_state=0).fit(X, y)

display = PIDDisplay.from_estimator(pid, target="the digit")
plt.show()

# %%
# Ten digits, equally frequent, are log2(10) = 3.32 bits. A bar is what all six views
# say, the same for each row of the picture but for the error of estimation. Nearly all
# of it is grey: whatever one view says, the other five say too. What is unique to the
# view named is the thin stretch at the left.

table = pd.DataFrame(
    {
        "alone": {name: pid.mutual_information_[name] for name in X.names},
        "unique": pid.unique_,
        "redundant": {first: x for (first, _), x in pid.redundant_.items()},
        "synergistic": {first: x for (first, _), x in pid.synergistic_.items()},
    }
)
table.round(3)

# %%
# So the information of a view alone says little about whether it can be spared. ``pix``
# alone says three bits, and without it the other five lose almost nothing. What a view
# would be missed for is its unique and its synergistic part together, which is what it
# says of the digit to somebody who has the others. Differences of some hundredths of a
# bit between views are not to be read: without intervals nothing says that they are
# more than chance.

missed = table["unique"] + table["synergistic"]
missed.sort_values(ascending=False).round(3).to_frame("missed, bits")

# %%
# A question that three views cannot answer
# -----------------------------------------
# Features that do not change when an image is turned cannot tell a 6 from a 9. In the
# rows that show one or the other, this distinction is one bit:

rows = np.isin(y, [6, 9])
settings = {"method": "posterior", "estimator": model, "random_state": 0}
told = PIDEstimator(**settings).fit(X[rows], y[rows])
pd.Series(told.mutual_information_, name="6 or 9, bits").round(2).to_frame()

# %%
# Three views tell nearly all of it, ``fou``, ``zer`` and ``mor`` next to nothing. Now
# all ten digits again. ``sources`` names what is decomposed, and a source may be
# several modalities: the three views that cannot tell 6 from 9 are held against
# ``pix``, and ``fac`` against ``pix``.

turned = ("fou", "zer", "mor")
pairs = {
    sources: PIDEstimator(sources=sources, n_bootstraps=20, **settings).fit(X, y)
    for sources in ((turned, "pix"), ("fac", "pix"))
}
display = PIDDisplay.from_predictions(
    pd.concat([pair.to_frame() for pair in pairs.values()]), target="the digit"
)
plt.show()

# %%
# A fifth of the rows show a 6 or a 9, and one bit in a fifth of the rows is 0.2 bit on
# average: most of what is unique to ``pix`` in the first bar. ``fac`` and ``pix`` have
# nearly everything in common. Lines are 90% intervals of the parts.
#
# In plain words
# --------------

against = pairs[turned, "pix"]
low, high = table["alone"].min(), table["alone"].max()
print(
    f"Alone, a view says {low:.1f} to {high:.1f} of the {np.log2(10):.1f} bits that "
    "make a digit. Any one of the\n"
    f"six can go: by these estimates {missed.max():.2f} bit at most would be missed. "
    "But if only the\nthree are left that cannot tell 6 from 9, "
    f"{against.unique_['pix']:.2f} bit that pix knows is gone."
)
