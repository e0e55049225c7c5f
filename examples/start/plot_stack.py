"""
==============================================
A stack whose weights depend on what a row has
==============================================

Which classifier is best depends on the data, and on what is missing in a row.
:class:`~skmissing.PatternStackingClassifier` fits several and weights their
predictions by the modalities that a row has. Here it predicts heart disease in four
hospitals, beside each of its members alone.
"""

# %%
# The data
# --------
# The 920 patients have up to four modalities; few have all of them.

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.model_selection import train_test_split

from skmissing import PatternStackingClassifier
from skmissing.baselines import FusionClassifier, PatternClassifier, UnimodalEnsemble
from skmissing.datasets import load_heart
from skmissing.metrics import score_by_pattern
from skmissing.missingness import patterns

X, y = load_heart(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.4, stratify=y, random_state=0
)
patterns(X_train)

# %%
# The stack
# ---------
# Without ``estimators`` it has four members: boosted trees, a logistic regression for
# each pattern, a fusion net and an ensemble of uni-modal nets. The weights are chosen
# by the log-loss of held-out rows.

stack = PatternStackingClassifier(cv=3, random_state=0).fit(X_train, y_train)
stack.weights_.round(2)

# %%
# Beside its members
# ------------------
# :func:`~skmissing.metrics.score_by_pattern` hides from the rows that have them all
# modalities that are not in a pattern. Higher is better: it is the log-loss with its
# sign changed.

settings = {"random_state": 0, "n_threads": 1}
models = {
    "stack": stack,
    "fusion": FusionClassifier(**settings).fit(X_train, y_train),
    "unimodal": UnimodalEnsemble(**settings).fit(X_train, y_train),
    "pattern": PatternClassifier().fit(X_train, y_train),
}
shown = {
    "all four": "history + resting + exercise + imaging",
    "no imaging": "history + resting + exercise",
    "first visit": "history + resting",
    "exercise alone": "exercise",
    "imaging alone": "imaging",
}
table = pd.DataFrame(index=list(shown))
for label, model in models.items():
    scores = score_by_pattern(
        model, X_test, y_test, patterns=list(shown.values()), scoring="neg_log_loss"
    )
    table[label] = scores.set_index("pattern")["value"][shown.values()].to_numpy()
table.round(3)

# %%
# No member is best for every pattern, and the stack is close to the best for each.

fig, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
for label, marker in zip(table, "Dosv"):
    axes[0].plot(-table[label], table.index, marker, label=label, alpha=0.8)
axes[0].invert_yaxis()
axes[0].grid(axis="y", color="0.9")
axes[0].set_xlabel("log-loss on test rows (lower is better)")
axes[0].legend(fontsize=8, loc="lower left")
members = stack.weights_.drop(columns="n_rows")
image = axes[1].imshow(members, cmap="Blues", aspect="auto", vmin=0)
axes[1].set_xticks(range(members.shape[1]), members.columns, fontsize=8)
axes[1].set_yticks(range(len(members)), members.index.str.replace(", ", ",\n"))
axes[1].tick_params(axis="y", labelsize=7)
axes[1].set_title("weight of each member, by pattern", fontsize=10)
fig.colorbar(image, ax=axes[1])
plt.show()
