"""
==========================================
Nets that are robust to a failing modality
==========================================

The data are digits that are seen and heard. All training rows are complete, but in use
one of the two modalities may be missing. A net that is trained jointly in the usual way
is then little better than chance. :class:`~skmissing.UMEMMAEnsemble` first trains every
modality alone and then adapts their average to missing modalities. We compare it with
four alternatives.
"""

# %%
# Data
# ----
# Image and spectrogram are shrunk to 14 by 14 and flattened, so that everything here
# runs in seconds. The test rows are those of the official split by clip.

import matplotlib.pyplot as plt
import numpy as np

from skmissing import MultimodalData, UMEMMAEnsemble
from skmissing.baselines import (
    MissingDetectionClassifier,
    MultitaskFusionClassifier,
    UnimodalEnsemble,
)
from skmissing.datasets import load_av_digits
from skmissing.inspection import PatternScoreDisplay
from skmissing.metrics import score_by_pattern, score_by_rate

bunch = load_av_digits()
y, train, test = bunch.target, bunch.train, bunch.test


def shrink(block):
    return block.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(len(block), -1)


X = MultimodalData({name: shrink(bunch.data[name]) for name in bunch.data.names})
X[train]

# %%
# Five ways to train two encoders
# -------------------------------
# All have the same encoders, one linear head per modality, and the same number of
# epochs. They take the same parameters, so a comparison is a loop.
#
# ``side_weight=0`` is plain joint training on complete rows. *Multi-task* adds the loss
# of each modality alone. *Missing detection* gives every head an additional class,
# "missing". The *mask-aware* ensemble multiplies the probabilities of one net per
# modality, and leaves out those that the mask excludes.

models = {
    "joint (naive)": MultitaskFusionClassifier(side_weight=0.0),
    "multi-task": MultitaskFusionClassifier(),
    "missing detection": MissingDetectionClassifier(),
    "mask-aware ensemble": UnimodalEnsemble(),
    "UME-MMA": UMEMMAEnsemble(),
}
for model in models.values():
    model.set_params(max_epochs=20, n_threads=1, random_state=0)
    model.fit(X[train], y[train])

# %%
# Accuracy if a modality is missing
# ---------------------------------
# :func:`~skmissing.metrics.score_by_pattern` hides modalities of the test rows, one
# pattern after the other.

table = score_by_pattern(models, X[test], y[test], scoring="accuracy")
wide = table.pivot(index="estimator", columns="pattern", values="value")
wide = wide.loc[list(models), ["speech", "image", "image + speech"]]
wide.assign(mean=wide.mean(axis=1)).mul(100).round(1)

# %%
PatternScoreDisplay.from_predictions(table)
plt.show()

# %%
# With 300 test rows an accuracy near 70% has a standard error of about 2.6 points, so
# the last three are about equal where one modality is missing. The first two are far
# below: their encoders are never trained to be useful alone. Complete test rows do not
# show this.
#
# Increasing rates of missing blocks
# ----------------------------------
# In most applications some rows have missing modalities and others have none.
# :func:`~skmissing.metrics.score_by_rate` hides each block with some probability, the
# same blocks for all models; a row that would lose all blocks keeps one.

rates = [0.0, 0.2, 0.4, 0.6, 0.8]
curve = score_by_rate(
    models, X[test], y[test], rates=rates, scoring="accuracy", random_state=0
)
PatternScoreDisplay.from_predictions(curve)
plt.show()

# %%
# An unreported fault
# -------------------
# So far all models were given the mask. A broken microphone may send zeros without
# being reported. The mask-aware ensemble then uses the zeros like a recording. The nets
# that were trained with zeros in place of missing blocks are not affected.

silent = MultimodalData({"image": X["image"][test], "speech": np.zeros((300, 196))})
reported = X[test].hide("speech")
for name, model in models.items():
    known, unknown = (model.score(rows, y[test]) for rows in (reported, silent))
    print(f"{name:20} reported {100 * known:3.0f}%   unreported {100 * unknown:3.0f}%")

# %%
# If you always know what is missing, the mask-aware ensemble is simpler and as good. If
# you do not, or if the encoders should be trained together, use substitutes. The
# substitute should then resemble the signal of a fault: ``substitute="noise"`` for a
# sensor that sends noise, "zero" for one that is silent.
