"""
==========================================
Pre-trained encoders: frozen or fine-tuned
==========================================

This example uses a residual network of the transformers library as the encoder of one
modality in three ways: frozen, fine-tuned with its own learning rate, and as
embeddings that are computed once. This page is built without access to the internet, so
a small network is first trained on other pictures. The text has the line that loads
published weights. See :ref:`pretrained` for timm and for language models.
"""

# %%
# A module around the network
# ---------------------------
# The module maps a block to features: it scales bytes to the range that the network
# expects, and returns one vector per picture. With access to the internet, use
# ``ResNetModel.from_pretrained("microsoft/resnet-18")`` instead of the configuration,
# for pictures with the same number of channels.

import copy
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from torch import nn
from transformers import ResNetConfig, ResNetModel

from skmissing import MultimodalData
from skmissing.baselines import FusionClassifier
from skmissing.datasets import load_av_digits
from skmissing.nn import MLPEncoder, ModuleEncoder


class PictureFeatures(nn.Module):
    """Mean of the last maps."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(x.float() / 255).pooler_output.flatten(1)


torch.manual_seed(0)
config = ResNetConfig(
    num_channels=1,
    embedding_size=16,
    hidden_sizes=[16, 32],
    depths=[1, 1],
    layer_type="basic",
)
untrained = PictureFeatures(ResNetModel(config))

# %%
# The network is pre-trained on 1,800 other pictures of digits.

bunch = load_av_digits()
elsewhere, train, test = bunch.train[900:], bunch.train[:900], bunch.test
pixels = torch.as_tensor(bunch.data[elsewhere]["image"])
labels = torch.as_tensor(bunch.target[elsewhere])
net, head = copy.deepcopy(untrained), nn.Linear(32, 10)
optimizer = torch.optim.Adam([*net.parameters(), *head.parameters()], lr=5e-3)
for _ in range(8):
    for batch in torch.randperm(len(labels)).split(64):
        logits = head(net(pixels[batch]))
        loss = nn.functional.cross_entropy(logits, labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# %%
# Our data are digits that are seen and heard, with a third of the recordings lost.

y_train, y_test = bunch.target[train], bunch.target[test]
lost = np.random.default_rng(0).random(len(train)) < 1 / 3
X_train = bunch.data[train].hide({"speech": lost})
X_test = bunch.data[test]

# %%
# Frozen, fine-tuned and cached
# -----------------------------
# *Frozen*: the module does not change; its outputs are computed once for each training.
# *Fine-tuned*: it is trained too, here with a tenth of the learning rate of the rest.
# *Cached*: the features are computed before and are a block of their own; the module is
# not needed in training. With the same features, frozen and cached are the same.


def cache(X):
    with torch.inference_mode():
        features = net.eval()(torch.as_tensor(X["image"])).numpy()
    blocks = {"image": features, "speech": X["speech"]}
    return MultimodalData(blocks, present=X.present)


encoders = {
    "random, frozen": ModuleEncoder(untrained, out_features=32, frozen=True),
    "frozen": ModuleEncoder(net, out_features=32, frozen=True),
    "fine-tuned": ModuleEncoder(net, out_features=32, lr_factor=0.1),
    "cached": ModuleEncoder(nn.Identity(), out_features=32),
}
rows, answers = [], {}
for name, encoder in encoders.items():
    X_fit, X_new = X_train, X_test
    if name == "cached":
        X_fit, X_new = cache(X_train), cache(X_test)
    clf = FusionClassifier(
        encoders=[("image", encoder), ("speech", MLPEncoder())],
        max_epochs=20,
        batch_size=64,
        early_stopping=False,
        random_state=0,
    )
    start = time.perf_counter()
    clf.fit(X_fit, y_train)
    seconds = time.perf_counter() - start
    answers[name] = clf.predict_proba(X_new)
    both, alone = clf.score(X_new, y_test), clf.score(X_new.hide("speech"), y_test)
    rows.append([name, both, alone, seconds])
table = pd.DataFrame(rows, columns=["encoder", "both", "image alone", "seconds"])
table.set_index("encoder").round(2)

# %%
# Frozen and cached agree. Pre-trained weights are much better than random ones.
# Fine-tuning adds nothing that 300 test rows could show, at the cost of a gradient
# through the network in every step; 900 training rows are few.

print("largest difference:", np.abs(answers["frozen"] - answers["cached"]).max())
ax = table.plot.bar(x="encoder", y=["both", "image alone"], rot=0, figsize=(7, 3.2))
ax.set(ylabel="accuracy on test rows", xlabel="", ylim=(0, 1))
ax.legend(title="test rows have")
plt.tight_layout()
