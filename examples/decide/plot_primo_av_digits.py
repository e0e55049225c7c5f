"""
====================================
Which rows should be measured first?
====================================

The data are digits that are seen and heard. All rows have a picture; recordings cost
time, and some pictures need none. :class:`~skmissing.PRIMOClassifier` ranks the rows by
how much a recording could change their prediction. Does this order help?
"""

# %%
# Half of the training rows have a recording
# ------------------------------------------
# Picture and spectrogram are shrunk to 14 by 14 and flattened, so that everything here
# runs in seconds.

import matplotlib.pyplot as plt
import numpy as np

from skmissing import MultimodalData, PRIMOClassifier
from skmissing.datasets import load_av_digits
from skmissing.inspection import ImpactDisplay, PlausibleLabelsDisplay

bunch = load_av_digits()
y, train, test = bunch.target, bunch.train, bunch.test


def shrink(block):
    return block.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(len(block), -1)


X = MultimodalData({name: shrink(bunch.data[name]) for name in bunch.data.names})
lost = np.random.default_rng(0).random(len(train)) < 0.5
clf = PRIMOClassifier(max_epochs=40, random_state=0)
clf.fit(X[train].hide({"speech": lost}), y[train])

X_test, y_test = X[test], y[test]
pictures = X_test.hide("speech")
print(f"picture alone:         {clf.score(pictures, y_test):.3f}")
print(f"picture and recording: {clf.score(X_test, y_test):.3f}")

# %%
# Digits whose label depends on the recording
# -------------------------------------------
# The figure shows rows without the recording, the largest impact first, and the labels
# that remain plausible. The true label has a frame; the last two rows have the smallest
# impact.

order = clf.acquisition_order(pictures, "speech")
rows = np.concatenate([order[:6], order[-2:]])
display = PlausibleLabelsDisplay.from_estimator(
    clf, pictures[rows], names=[" " * 12] * len(rows), truth=y_test[rows]
)
for at, row in enumerate(rows):
    # Beside its bar: x is a share of the axes' width, y the number of the bar.
    ax = display.ax_.inset_axes(
        [-0.12, at - 0.45, 0.1, 0.9], transform=display.ax_.get_yaxis_transform()
    )
    ax.imshow(bunch.data["image"][test[row], 0], cmap="gray_r")
    ax.axis("off")

# %%
# With the recordings, V decreases. The gap depends on the digit.

impact = clf.predictive_impact(X_test, modality="speech")
fig, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
ImpactDisplay.from_predictions(impact, ax=axes[0])
_ = ImpactDisplay.from_predictions(
    impact, covariate=y_test.astype(str), covariate_name="digit", ax=axes[1]
)

# %%
# The value of the order
# ----------------------
# The recordings exist here, so we can add them in any order and count. Entropy of
# the prediction is the usual criterion: it measures how uncertain a prediction is,
# whatever the reason; V measures how far a recording could move it.

before = clf.predict(pictures) == y_test
gain = (clf.predict(X_test) == y_test).astype(float) - before
proba = clf.predict_proba(pictures)
entropy = -(proba * np.log(np.maximum(proba, 1e-300))).sum(axis=1)
orders = {"impact": order, "entropy": np.argsort(-entropy, kind="stable")}
made = np.arange(len(gain) + 1)
_, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
for name, chosen in orders.items():
    accuracy = before.mean() + np.append(0, gain[chosen].cumsum()) / len(gain)
    ax.plot(100 * made / len(gain), 100 * accuracy, label=name)
    for share in (0.1, 0.2, 0.3):
        count = round(share * len(gain))
        per_recording = gain[chosen[:count]].mean()
        print(
            f"{name:8} {count} recordings: accuracy {accuracy[count]:.3f}, "
            f"{per_recording:.2f} more correct predictions for each"
        )
print(f"in random order {gain.mean():.2f} more correct predictions for each recording")
ax.plot([0, 100], 100 * np.array([before.mean(), before.mean() + gain.mean()]), "k:",
        label="random order, on average")  # fmt: skip
ax.set(xlabel="recordings made (% of rows)", ylabel="accuracy (%)")
_ = ax.legend(frameon=False)

# %%
# Both orders are much better than a random one. On these data entropy is as good, and
# over several seeds of bigger nets a little better: labels are correct here, and a
# recording removes much of the uncertainty about a picture. If labels are noisy,
# entropy selects recordings that cannot help and V does not; :ref:`the user guide
# <primo>` has an example.
