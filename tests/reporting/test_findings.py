"""Sentences about tables whose numbers are known."""

import pandas as pd

from skmissing.reporting._findings import describe

FACTS = {
    "modalities": ["age", "labs", "scan"], "positive": "died = 1",
    "scoring": ["roc_auc", "neg_log_loss"],
}  # fmt: skip


def make_tables():
    """One table of each section, in which something is worth a sentence."""
    return {
        "patterns": pd.DataFrame(
            {"count": [1000, 600, 400], "age": True, "labs": [True, True, False],
             "scan": [True, False, False]}
        ),
        "presence": pd.DataFrame(
            {"modality": FACTS["modalities"], "share_missing": [0.0, 0.2, 0.5],
             "outcome_present": [0.25, 0.2, 0.24],
             "outcome_missing": [float("nan"), 0.45, 0.26]}
        ),
        "scores": pd.DataFrame(
            {"metric": "roc_auc", "n_missing": [0, 1, 1, 1], "n_rows": 1000,
             "pattern": ["age + labs + scan", "age + labs", "age + scan",
                         "labs + scan"],
             "value": [0.9, 0.85, 0.7, 0.89], "low": [0.88, 0.83, 0.65, 0.87],
             "high": [0.92, 0.87, 0.75, 0.91]}
        ),
        "calibration": pd.DataFrame(
            {"pattern": ["age + labs + scan", "age + labs", "age"],
             "n_rows": [1000, 600, 40], "predicted": [0.2, 0.5, 0.9],
             "observed": [0.21, 0.3, 0.1], "low": [0.19, 0.25, 0.0],
             "high": [0.23, 0.35, 0.2]}
        ),
        "utility": pd.DataFrame(
            {"modality": ["labs", "scan", "age"], "metric": "roc_auc",
             "baseline": ["age", "age", "labs+scan"], "value": [0.1, 0.01, 0.02],
             "low": [0.05, -0.01, 0.01], "high": [0.15, 0.03, 0.03],
             "biased_value": [0.2, 0.01, 0.02]}
        ),
        "overlap": pd.DataFrame(
            {"efficiency": [0.4, 0.9], "share_below_0.05": [0.0, 0.0]}, ["labs", "scan"]
        ),
        "balance": pd.DataFrame(
            {"smd_after": [0.12, -0.3, 0.05]},
            pd.MultiIndex.from_tuples(
                [("labs", "a"), ("labs", "b"), ("scan", "a")],
                names=["required", "covariate"],
            ),
        ),
        "sensitivity": pd.DataFrame(
            {"modality": ["labs", "scan"], "tipping_odds_ratio": [1.234, 1.0]}
        ),
        "information": pd.DataFrame(
            {"term": "unique", "modality": ["labs", "labs", "scan"],
             "source": ["labs", "age", "scan"], "second": "age+site",
             "value": [0.2, 0.9, 0.1], "low": [0.1, 0.8, 0.0], "high": [0.3, 1.0, 0.2]}
        ),
        "impact": pd.DataFrame(
            {"modality": ["labs", "scan"], "n_missing": [400, 1000],
             "v_missing": [0.04, 0.02]}
        ),
    }  # fmt: skip


def test_every_sentence_has_the_numbers_of_its_table():
    assert describe(make_tables(), FACTS) == [
        "50% of the 2,000 rows have all 3 modalities. There are 3 patterns.",
        "scan is missing most often, in 50% of the rows.",
        "Rows without labs differ: died = 1 in 45% of them, against 20% of those that "
        "have it.",
        "On the 1,000 held-out rows that have everything, the ROC AUC is 0.900 "
        "(0.880 to 0.920).",
        "The model depends most on labs: without it, the ROC AUC is 0.700 (0.650 to "
        "0.750).",
        "Predicted risks are off in 1 of 2 common patterns; most in rows with all but "
        "scan, where they are too high: 50% predicted, 30% observed.",
        "labs adds 0.100 (0.050 to 0.150) to the ROC AUC of age, corrected for who has "
        "it.",
        "age adds 0.020 (0.010 to 0.030) to the ROC AUC of labs, scan, corrected for "
        "who has it.",
        "No gain is certain for scan.",
        "Rows that happen to have labs give another gain, 0.200: they do not stand for "
        "all.",
        "Some rows could hardly have had labs: corrected values rest on few rows "
        "there.",
        "Weights leave differences in who has labs: 2 covariates are more than 0.1 "
        "standard deviations apart.",
        "The gain of labs is fragile: odds of having it that are wrong by a factor of "
        "1.23 could explain it.",
        "labs has most information of its own: 0.200 bit (0.100 to 0.300) that is not "
        "in age, site.",
        "Measuring labs could move predictions most: by 0.040 in the mean of the 400 "
        "rows without it.",
    ]


def test_nothing_is_said_where_there_is_nothing_to_say():
    tables = make_tables()
    kept = {"patterns": tables["patterns"], "presence": tables["presence"].head(1)}
    found = describe(kept, {**FACTS, "positive": None})
    assert found == [
        "50% of the 2,000 rows have all 3 modalities. There are 3 patterns."
    ]
    calm = {
        "calibration": tables["calibration"].head(1),
        "overlap": tables["overlap"].tail(1), "balance": tables["balance"].tail(1),
    }  # fmt: skip
    assert describe({**kept, **calm}, FACTS)[1:] == [
        "Predicted risks agree with what came true in all common patterns.",
        "With weights, rows that have a modality resemble all rows.",
    ]
