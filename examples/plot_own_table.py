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
# Columns that are measured together are one modality. What is in none of them, such as
# the identifier and later outcomes, is left out. Rows without a label have to go first
# (``table.dropna(subset=[label])``). If patients have several rows, pass their
# identifier as ``groups`` to each fit and split by it.

import re

import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline

import skmissing
from skmissing import PIDEstimator, PRIMOClassifier
from skmissing.datasets import load_support
from skmissing.inspection import PatternScoreDisplay
from skmissing.ipw import modality_utility
from skmissing.metrics import score_by_pattern
from skmissing.modalities import ModalityTransformer

# Your own file here; this page takes 45% of the patients.
table = pd.read_csv(load_support().filename).sample(frac=0.45, random_state=0)
modalities = {
    "patient": ["age", "sex", "race", "disease_group", "cancer", "coma_score"],
    "vitals": ["mean_bp", "heart_rate", "resp_rate", "temperature"],
    "blood": ["wbc", "creatinine", "sodium"],
    "blood_gas": ["pao2_fio2", "arterial_ph"],
}
X = table[[column for columns in modalities.values() for column in columns]]
y = table["died_in_hospital"]
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

# %%
# Train and cross-validate
# ------------------------
# ``"auto"`` encodes text and categories inside their modality; what is missing stays
# missing. The net behind it takes any pattern of missing modalities.

encode = ModalityTransformer("auto", modalities=modalities)
net = PRIMOClassifier(max_epochs=8, random_state=0, n_threads=1)
model = make_pipeline(encode, net).fit(X_train, y_train)
print(cross_val_score(model, X_train, y_train, cv=3, scoring="roc_auc").round(3))

# %%
# Scores by what is missing
# -------------------------
# On patients that were not trained on. Behind the first step of the pipeline all
# columns are numbers, and their names have the modality as a prefix.

E = encode.transform(X_test)
scores = score_by_pattern(net, E, y_test, scoring="roc_auc")
display = PatternScoreDisplay.from_predictions(scores)

# %%
# What does the blood gas add?
# ----------------------------
# Patients with a blood gas are not like the others. The corrected ``value`` weights
# them so that they stand for all. Its interval says whether the gain is certain, and
# the tipping odds ratio how wrong the model of missingness must be for it to vanish: at
# 1 there is no gain that could. Small trees, slowly boosted, are careful with few rows.

sets = [["patient", "vitals", "blood"], ["patient", "vitals", "blood", "blood_gas"]]
utility = modality_utility(
    HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=6), encode.transform(X),
    y, subsets=sets, scoring="neg_log_loss", cv=3, n_bootstraps=100, random_state=0,
)  # fmt: skip
print(utility[utility["quantity"] == "gain"].T.to_string(header=False))

# %%
# What of it is unique?
# ---------------------
# In bits per patient: what the blood gas alone knows about death in hospital, what the
# vital signs know as well, and what only both show together. The interval of the unique
# part is what to look at: information that other measurements hold, too, need not be
# bought twice.

pid = PIDEstimator(sources=["vitals", "blood_gas"], n_bootstraps=20, random_state=0)
print(pid.fit(E, y_test).to_frame()[:4])

# %%
# Whom to measure next
# --------------------
# The patients without a blood gas whose prediction it could change most.

order = net.acquisition_order(E, "blood_gas")
print(table["patient_id"][X_test.index[order[:5]]].tolist())

# %%
# Save and load
# -------------
# The net goes into a file of data alone, which is safe to load wherever it comes from.
# The encoder in front of it is made of skrub's transformers, which such a file names
# but does not hold: ``load`` takes those that you list in ``trusted``, and its error
# lists what is missing there. We trust what is skrub's, and nothing else.

skmissing.save(net, "net.skm")
print(skmissing.load("net.skm").predict_proba(E[:3]).round(2))
skmissing.save(model, "model.skm")
try:
    skmissing.load("model.skm")
except skmissing.exceptions.ModelFileError as error:
    names = re.findall(r"skrub\.[\w.]+", str(error))
print(f"{len(names)} names, such as {names[0]}")
print(skmissing.load("model.skm", trusted=names).predict_proba(X_test[:3]).round(2))
