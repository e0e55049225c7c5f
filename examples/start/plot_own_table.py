"""
============================
From a CSV file to an answer
============================

This page analyses a hospital's table from start to finish. It has ordinary column
names, text, categories, an identifier, and whole groups of measurements that some
patients do not have. To use your own table, change the name of the file, the label and
the lists of columns.
"""

# %%
# The table
# ---------
# Columns that are measured together are one modality. Columns in no modality, such as
# the identifier and later outcomes, are left out. Remove rows without a label first
# (``table.dropna(subset=[label])``). If patients have several rows, pass their
# identifier as ``groups`` to each fit and split by it.

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

# Your own file here; this page takes a third of the patients.
table = pd.read_csv(load_support().filename).sample(frac=0.33, random_state=0)
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
# ``"auto"`` encodes text and categories within each modality; missing modalities stay
# missing. The net after it accepts any pattern of missing modalities.

encode = ModalityTransformer("auto", modalities=modalities)
net = PRIMOClassifier(max_epochs=8, random_state=0, n_threads=1)
model = make_pipeline(encode, net).fit(X_train, y_train)
print(cross_val_score(model, X_train, y_train, cv=3, scoring="roc_auc").round(3))

# %%
# Scores by pattern
# -----------------
# The scores are for patients that were not used in training. After the first step of
# the pipeline all columns are numbers, and their names have the modality as a prefix.

E = encode.transform(X_test)
scores = score_by_pattern(net, E, y_test, scoring="roc_auc")
display = PatternScoreDisplay.from_predictions(scores)

# %%
# What does the blood gas add?
# ----------------------------
# Patients with a blood gas test are not like the others. The corrected ``value``
# weights them so that they represent all patients. Its interval shows how certain the
# gain is, and the tipping odds ratio how wrong the model of missingness must be for the
# gain to vanish; it is 1 if there is no gain. Small trees with few iterations reduce
# overfitting.

sets = [["patient", "vitals", "blood"], ["patient", "vitals", "blood", "blood_gas"]]
utility = modality_utility(
    HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=6), encode.transform(X),
    y, subsets=sets, scoring="neg_log_loss", cv=3, n_bootstraps=50, random_state=0,
)  # fmt: skip
print(utility[utility["quantity"] == "gain"].T.to_string(header=False))

# %%
# What information is unique to the blood gas?
# --------------------------------------------
# The table shows, in bits per patient, the information about death in hospital that
# only the blood gas has, that the vital signs have as well, and that only both together
# have. Look at the interval of the unique part: if it is near 0, the vital signs
# already have the same information.

pid = PIDEstimator(sources=["vitals", "blood_gas"], n_bootstraps=20, random_state=0)
print(pid.fit(E, y_test).to_frame()[:4])

# %%
# Which patients to measure next
# ------------------------------
# These are the patients without a blood gas test for whom it could change the
# prediction most.

order = net.acquisition_order(E, "blood_gas")
print(table["patient_id"][X_test.index[order[:5]]].tolist())

# %%
# Save and load
# -------------
# The net goes into a file of data alone, which is safe to load wherever it comes from.
# The encoder in front of it is made of skrub's transformers, which such a file names
# but does not hold: ``load`` takes those that you list in ``trusted``. We trust what is
# skrub's, and nothing else.

skmissing.save(net, "net.skm")
print(skmissing.load("net.skm").predict_proba(E[:3]).round(2))
skmissing.save(model, "model.skm")
again = skmissing.load("model.skm", trusted=["skrub.*"])
print(again.predict_proba(X_test[:3]).round(2))
