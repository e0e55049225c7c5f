"""
==============================
From a CSV file to an answer
==============================

A hospital's table, first to last: ordinary column names, text, categories, an
identifier, and whole groups of measurements that some patients do not have. To use your
own table, change the name of the file, the label and the lists of columns.
"""

# %%
# The table
# ---------
# Columns that are measured together are one modality. What is in none of them is a
# covariate: here nothing, as the identifier is left out.

import joblib
import matplotlib.pyplot as plt
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from skmissing import PIDEstimator, PRIMOClassifier
from skmissing.datasets import load_support
from skmissing.inspection import PatternScoreDisplay
from skmissing.ipw import modality_utility
from skmissing.metrics import score_by_pattern
from skmissing.modalities import ModalityTransformer

table = pd.read_csv(load_support().filename)  # the path of your own file
y = table["died_in_hospital"]
modalities = {
    "patient": ["age", "sex", "race", "disease_group", "cancer", "coma_score"],
    "vitals": ["mean_bp", "heart_rate", "resp_rate", "temperature"],
    "blood": ["wbc", "creatinine", "sodium"],
    "blood_gas": ["pao2_fio2", "arterial_ph"],
    "renal": ["glucose", "bun", "urine_output"],
}
X = table[[column for columns in modalities.values() for column in columns]]
X_train, X_test, y_train, y_test = X[:6000], X[6000:], y[:6000], y[6000:]

# %%
# Train and cross-validate
# ------------------------
# ``"auto"`` encodes text and categories inside their modality; what is missing stays
# missing. The net behind it takes any pattern of missing modalities.

model = make_pipeline(
    ModalityTransformer("auto", modalities=modalities),
    PRIMOClassifier(max_epochs=15, random_state=0, n_threads=1),
)
scores = cross_val_score(model, X_train, y_train, cv=3, scoring="roc_auc")
print("AUC of three folds:", scores.round(3))

# %%
# Scores by what is missing
# -------------------------
# On patients that were not trained on. The text of the first modality has to be encoded
# for the function to find the patterns, which the first step of the pipeline does.

model.fit(X_train, y_train)
encode, net = model[0], model[-1]
by_pattern = score_by_pattern(net, encode.transform(X_test), y_test, scoring="roc_auc")
PatternScoreDisplay.from_predictions(by_pattern).plot()
plt.tight_layout()

# %%
# What does the blood gas add?
# ----------------------------
# Patients with a blood gas are not like the others. The corrected value weights them so
# that they stand for all; the interval says how sure the gain is, and the tipping odds
# ratio how wrong the model of missingness must be for it to vanish.

E = encode.transform(X)
without, full = (
    ["patient", "vitals", "blood"],
    ["patient", "vitals", "blood", "blood_gas"],
)
utility = modality_utility(
    HistGradientBoostingClassifier(max_iter=50), E, y, subsets=[without, full],
    scoring="neg_log_loss", cv=3, n_bootstraps=100, random_state=0,
)  # fmt: skip
gain = utility[utility["quantity"] == "gain"].T
print(gain.to_string(header=False))

# %%
# What of it is unique?
# ---------------------
# In bits per patient: what the blood gas alone knows about death in hospital, what the
# vital signs know as well, and what only both show together.

pid = PIDEstimator(sources=["vitals", "blood_gas"], random_state=0).fit(E, y)
print(pid.to_frame()[["value", "low", "high"]].round(4).to_string())

# %%
# Whom to measure next
# --------------------
# The patients without a blood gas whose prediction it could change most.

order = net.acquisition_order(encode.transform(X_test), "blood_gas")
print(table["patient_id"].iloc[6000:].iloc[order[:5]].tolist())

# %%
# Save and load
# -------------

joblib.dump(model, "model.joblib")
again = joblib.load("model.joblib")
assert (again.predict(X_test) == model.predict(X_test)).all()
