"""
==================================================
Would the missing modality change this prediction?
==================================================

A modality with little value on average may determine the label of single rows. Here the
label is whether the signs of ``x_o`` and ``x_m`` differ. ``x_o`` is always present,
``x_m`` is missing in half of the training rows. Where ``x_o`` is negative, ``x_m`` is
as often positive as negative and determines the label; where ``x_o`` is positive,
``x_m`` is nearly always negative, and adds little. :class:`~skmissing.PRIMOClassifier`
reports this difference row by row.
"""

# %%
# One model for both kinds of rows
# --------------------------------

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import norm

from skmissing import PRIMOClassifier
from skmissing.datasets import make_xor
from skmissing.inspection import ImpactDisplay, PlausibleLabelsDisplay

X, y = make_xor(8000, return_X_y=True, random_state=0)
lost = np.random.default_rng(0).random(5600) < 0.5
X_train, y_train = X[:5600].hide({"x_m": lost}), y[:5600]
X_test, y_test = X[5600:], y[5600:]

# With two numbers in a row and thousands of rows the net does not overfit, so that no
# dropout is needed on the codes that the classifier reads.
clf = PRIMOClassifier(
    latent_dim=2, classifier_dropout=0.0, max_epochs=12, lr=3e-3, random_state=0
)
clf.fit(X_train, y_train)
print(f"without x_m: {clf.score(X_test.hide('x_m'), y_test):.3f} (best possible 0.659)")
print(f"with x_m:    {clf.score(X_test, y_test):.3f} (best possible 1)")

# %%
# V without and with the modality
# -------------------------------
# V is how far the prediction could move, given what is known: the mean distance between
# the predictions of single draws of the latent vector and their average. The exact
# value with ``x_m`` hidden is up to one half, the maximum for two classes; with ``x_m``
# it is nearly 0. The model reaches nearly 0.4: its draws come from one normal
# distribution, and some of them fall between the two labels.

impact = clf.predictive_impact(X_test, modality="x_m")
impact.head()

# %%
# The gap between the two, on the right, is the part that ``x_m`` resolves. The black
# line is what a model that knows the distribution of the data would report.

fig, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
ImpactDisplay.from_predictions(impact, ax=axes[0])
x_o = X_test["x_o"][:, 0]
ImpactDisplay.from_predictions(impact, covariate=x_o, covariate_name="x_o", ax=axes[1])
grid = np.linspace(x_o.min(), x_o.max(), 200)
near, far = 2 * norm.pdf(grid, -1, 0.5), norm.pdf(grid, 1, 0.5)
positive = (near / 2 + far * norm.cdf(-2)) / (near + far)
axes[1].plot(grid, 2 * positive * (1 - positive), "k", label="exact")
_ = axes[1].legend(frameon=False)

# %%
# Labels that remain plausible
# ----------------------------
# The figure shows, for four rows without ``x_m``, the share of draws that predict each
# label. The true label has a frame.

rows = [int(np.abs(x_o - v).argmin()) for v in (-1.5, -0.5, 0.5, 1.5)]
PlausibleLabelsDisplay.from_estimator(
    clf,
    X_test[rows].hide("x_m"),
    names=[f"x_o = {x_o[row]:.1f}" for row in rows],
    truth=y_test[rows],
)

# %%
# Accuracy does not show whether these values are right. The published classifier gets
# ``x_m`` through the latent vector alone, and with the published weights of its loss,
# all of them 1, the latent vector carries little information. Accuracy is nearly the
# same, but where ``x_m`` is present and determines the label, the prediction is
# underconfident, and V hardly decreases.

hedged = PRIMOClassifier(
    latent_dim=2, classifier_dropout=0.0, anchor_weight=1, tie_weight=1,
    classifier_input="core", max_epochs=12, lr=3e-3, random_state=0,
).fit(X_train, y_train)  # fmt: skip
left = x_o < 0
for name, model in {"default": clf, "published": hedged}.items():
    sure = model.predict_proba(X_test)[left].max(axis=1).mean()
    table = model.predictive_impact(X_test, modality="x_m")[left]
    print(
        f"{name:9} accuracy {model.score(X_test, y_test):.3f}; where x_o < 0: mean "
        f"confidence {sure:.2f}, V {table.v_missing.mean():.2f} without x_m and "
        f"{table.v_complete.mean():.2f} with it"
    )
