"""A row of one's own: naive Bayes, which knows nothing of modalities."""

from sklearn.impute import SimpleImputer
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

ESTIMATORS = {
    "naive Bayes": make_pipeline(
        SimpleImputer(keep_empty_features=True), GaussianNB(var_smoothing=0.1)
    )
}
SPACES = {"naive Bayes": {"gaussiannb__var_smoothing": [0.01, 0.1, 1.0]}}
