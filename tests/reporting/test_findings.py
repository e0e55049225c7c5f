"""Sentences about tables whose numbers are known."""

import pandas as pd
import pytest

from skmissing.reporting._findings import describe

FACTS = {
    "modalities": ["age", "labs", "scan"], "positive": "died = 1",
    "scoring": ["roc_auc", "neg_log_loss"], "n_bootstraps": 20,
    "confidence_level": 0.9,
}  # fmt: skip
FEW = {**FACTS, "n_bootstraps": 19}
LAST = (
    "Intervals need at least 20 resamples, these are 19: findings that rest on one are "
    "left out."
)
ALL_OF_IT = {
    "patterns": ["50% of the 2,000 rows have all 3 modalities. There are 3 patterns."],
    "presence": [
        "scan is missing most often, in 50% of the rows.",
        "Rows without labs differ: died = 1 in 45% of them, against 20% of those that "
        "have it.",
    ],
    "scores": [
        "On the 2,000 held-out rows as they are, the ROC AUC is 0.800 (0.780 to 0.820)."
    ],
    "same_rows": [
        "The model predicts worse than the class shares of the training rows do: on "
        "the same rows its log-likelihood is lower by 0.050 (0.020 to 0.080).",
        "The model depends most on labs: with it hidden, the ROC AUC of the same rows "
        "falls to 0.700, by 0.100 (0.050 to 0.150).",
    ],
    "calibration": [
        "Over all rows, predicted risks are too high (30% predicted, 25% observed).",
        "Predicted risks are off in 2 of 3 common patterns, most in rows with all but "
        "scan, where they are too high (50% predicted, 30% observed).",
    ],
    "utility": [
        "labs adds 0.100 (0.050 to 0.150) to the ROC AUC of age, corrected for who has "
        "labs.",
        "age adds 0.020 (0.010 to 0.030) to the ROC AUC of labs, scan, corrected for "
        "who has all of them.",
        "No gain is certain for scan.",
        "Rows that happen to have labs give another gain of labs, 0.200: they do not "
        "stand for all.",
    ],
    "overlap": [
        "Some rows could hardly have had labs or scan: corrected values rest on few "
        "rows there.",
        "Even with weights, rows that have labs differ from all rows by more than 0.1 "
        "standard deviations in 2 covariates and those that have scan in 1.",
    ],
    "sensitivity": [
        "The gain of labs in log-likelihood is fragile: odds of having it that are "
        "wrong by a factor of 1.23 could explain it."
    ],
    "information": [
        "labs has information of its own, 0.200 (0.100 to 0.300) bit that is not in "
        "age, site.",
        "scan has information of its own, 0.100 (0.050 to 0.200) bit that is not in "
        "age.",
    ],
    "impact": [
        "Where nothing else is missing, measuring labs could move predictions by 0.040 "
        "(mean of 400 rows) and measuring scan by 0.020 (mean of 1,000 rows); these "
        "are different rows.",
        "Hardly any rows are missing age alone: its value is of everything missing "
        "together.",
    ],
}  # fmt: skip


def make_tables():
    """One table of each section, in which something is worth a sentence."""
    return {
        "patterns": pd.DataFrame(
            {"count": [1000, 600, 400], "age": True, "labs": [True, True, False],
             "scan": [True, False, False]}
        ),
        "presence": pd.DataFrame(
            {"modality": FACTS["modalities"], "n_present": [2000, 1600, 1000],
             "share_missing": [0.0, 0.2, 0.5],
             "outcome_present": [0.25, 0.2, 0.24],
             "outcome_missing": [float("nan"), 0.45, 0.26]}
        ),
        "scores": pd.DataFrame(
            {"metric": ["roc_auc", "neg_log_loss", "roc_auc"],
             "n_rows": [2000, 2000, 1000],
             "pattern": ["rows as they are"] * 2 + ["age + labs + scan"],
             "value": [0.8, -0.6, 0.9], "low": [0.78, -0.7, 0.88],
             "high": [0.82, -0.5, 0.92]}
        ),
        "same_rows": pd.DataFrame(
            {"compared_with": ["age", "labs", "scan", "class shares"],
             "metric": ["roc_auc"] * 3 + ["neg_log_loss"],
             "score": [0.8, 0.8, 0.8, -0.6], "other": [0.78, 0.7, 0.65, -0.55],
             "value": [0.02, 0.1, 0.15, -0.05], "low": [0.01, 0.05, -0.01, -0.08],
             "high": [0.03, 0.15, 0.31, -0.02]}
        ),
        "calibration": pd.DataFrame(
            {"pattern": ["all rows", "age + labs + scan", "age + labs", "age",
                         "scan"],
             "n_rows": [2000, 1000, 600, 360, 40],
             "predicted": [0.3, 0.2, 0.5, 0.3, 0.9],
             "observed": [0.25, 0.21, 0.3, 0.4, 0.1],
             "low": [0.24, 0.19, 0.25, 0.35, 0.0],
             "high": [0.26, 0.23, 0.35, 0.45, 0.2]}
        ),
        "utility": pd.DataFrame(
            {"modality": ["labs", "scan", "age", "labs"],
             "metric": ["roc_auc"] * 3 + ["neg_log_loss"],
             "baseline": ["age", "age", "labs+scan", "age"],
             "value": [0.1, 0.01, 0.02, 0.3],
             "low": [0.05, -0.01, 0.01, 0.2], "high": [0.15, 0.03, 0.03, 0.4],
             "biased_value": [0.2, 0.01, 0.02, 0.3]}
        ),
        "overlap": pd.DataFrame(
            {"efficiency": [0.4, 0.9], "share_below_0.05": [0.0, 0.02]},
            ["labs", "scan"],
        ),
        "balance": pd.DataFrame(
            {"smd_after": [0.12, -0.3, 0.15, 0.05]},
            pd.MultiIndex.from_tuples(
                [("labs", "a"), ("labs", "b"), ("scan", "a"), ("scan", "b")],
                names=["required", "covariate"],
            ),
        ),
        "sensitivity": pd.DataFrame(
            {"modality": ["labs", "scan"], "metric": "neg_log_loss",
             "tipping_odds_ratio": [1.234, 1.1]}
        ),
        "information": pd.DataFrame(
            {"term": "unique", "modality": ["labs", "labs", "scan", "age"],
             "source": ["labs", "age", "scan", "age"],
             "second": ["age+site", "age+site", "age", "labs"],
             "value": [0.2, 0.9, 0.1, 0.001], "low": [0.1, 0.8, 0.05, 0.0001],
             "high": [0.3, 1.0, 0.2, 0.002]}
        ),
        "impact": pd.DataFrame(
            {"modality": ["age", "labs", "scan"], "n_missing": [50, 500, 1100],
             "n_alone": [3, 400, 1000], "alone": [False, True, True],
             "n_rows": [50, 400, 1000], "v_missing": [0.09, 0.04, 0.02]}
        ),
    }  # fmt: skip


def found_of(section, facts=FACTS, **columns):
    """Findings of one section, with other values in the columns of its table."""
    tables = make_tables()
    kept = {"patterns", "presence", section}
    if section in ("sensitivity", "overlap"):
        kept |= {"utility", "balance"}
    whole = {name: tables[name] for name in kept}
    before = []
    if section not in ("patterns", "presence"):
        before = describe({n: t for n, t in whole.items() if n != section}, facts)
    whole[section] = whole[section].assign(**columns)
    return [sentence for sentence in describe(whole, facts) if sentence not in before]


def test_every_sentence_has_the_numbers_of_its_table():
    expected = [sentence for part in ALL_OF_IT.values() for sentence in part]
    assert describe(make_tables(), FACTS) == expected


def test_few_resamples_prove_nothing():
    """Values without intervals, and what rests on other intervals."""
    shares = ALL_OF_IT["same_rows"][0].replace(" (0.020 to 0.080)", "")
    assert describe(make_tables(), FEW) == [
        *ALL_OF_IT["patterns"], *ALL_OF_IT["presence"],
        "On the 2,000 held-out rows as they are, the ROC AUC is 0.800.", shares,
        *ALL_OF_IT["calibration"], *ALL_OF_IT["overlap"], *ALL_OF_IT["impact"], LAST,
    ]  # fmt: skip


def test_nothing_is_said_where_there_is_nothing_to_say():
    tables = make_tables()
    kept = {"patterns": tables["patterns"], "presence": tables["presence"].head(1)}
    found = describe(kept, {**FACTS, "positive": None})
    assert found == ALL_OF_IT["patterns"]
    calm = {
        "calibration": tables["calibration"].iloc[[1]],
        "overlap": tables["overlap"].head(0), "balance": tables["balance"].tail(1),
    }  # fmt: skip
    assert describe({**kept, **calm}, FACTS)[1:] == [
        "Predicted risks agree with what came true in all common patterns.",
        "With weights, rows that have a modality resemble all rows.",
    ]


def test_patterns_and_shares_in_words():
    assert found_of("patterns", scan=True, age=[False, True, False])[0] == (
        "30% of the 2,000 rows have all 3 modalities. There are 3 patterns."
    )
    assert found_of("patterns", count=[5, 1000, 995])[0].startswith("Under 1% of the")
    assert found_of("patterns", count=[1995, 3, 2])[0].startswith("Over 99% of the")
    one = make_tables()["patterns"].head(1)
    pair = {**FACTS, "modalities": ["age", "labs"]}
    whole = {"patterns": one, "presence": make_tables()["presence"].head(1)}
    assert describe(whole, pair) == [
        "100% of the 1,000 rows have both modalities. There is 1 pattern."
    ]


def test_outcomes_of_few_rows_do_not_differ():
    """Twelve rows without labs: 20% and 45% may be the same share."""
    small = make_tables()["presence"].assign(n_present=[30, 18, 15])
    tables = {"patterns": make_tables()["patterns"], "presence": small}
    tables["patterns"] = tables["patterns"].assign(count=[15, 3, 12])
    assert not [s for s in describe(tables, FACTS) if "differ" in s]
    wide = {**FACTS, "confidence_level": 0.5}
    assert [s for s in describe(tables, wide) if "differ" in s]


@pytest.mark.parametrize(
    ("value", "low", "high", "sentence"),
    [
        (0.1, 0.05, 0.15, None),
        (0.02, -0.01, 0.05, "differs by 0.020 (-0.010 to 0.050)."),
        (-0.02, -0.05, 0.01, "differs by -0.020 (-0.050 to 0.010)."),
        (-0.02, -0.03, -0.01, "is lower by 0.020 (0.010 to 0.030)."),
    ],
)
def test_a_model_and_class_shares(value, low, high, sentence):
    found = found_of("same_rows", value=value, low=low, high=high)
    found = [s for s in found if "class shares" in s]
    assert len(found) == (sentence is not None)
    assert not found or found[0].endswith(f"log-likelihood {sentence}")


def test_a_modality_that_nothing_depends_on_for_sure():
    found = found_of("same_rows", low=[-0.01, 0.0, 0.0001, -0.08])
    assert found == ALL_OF_IT["same_rows"][:1]


def test_no_interval_without_its_value():
    (sentence,) = found_of("scores", low=0.81)
    assert sentence == ("On the 2,000 held-out rows as they are, the ROC AUC is 0.800.")
    assert not [s for s in found_of("utility", low=0.12) if "labs adds" in s]


def test_calibration_of_one_pattern_and_of_more_classes():
    off = {"predicted": [0.3, 0.2, 0.2, 0.3, 0.9], "low": [0.24, 0.19, 0.3, 0.2, 0.0]}
    off["observed"] = [0.25, 0.21, 0.35, 0.3, 0.1]
    found = found_of("calibration", {**FACTS, "positive": None}, **off,
                     high=[0.35, 0.23, 0.4, 0.45, 0.2])  # fmt: skip
    assert found == [
        "Probabilities of the predicted class are off in 1 of 3 common patterns: rows "
        "with all but scan, where they are too low (20% predicted, 35% observed)."
    ]
    pattern = ["all rows", "none", "labs", "age + labs + scan", "age"]
    words = found_of("calibration", pattern=pattern)[1]
    assert "most in rows with just labs, where" in words
    pattern[2] = "none"
    words = found_of("calibration", pattern=pattern)[1]
    assert "most in rows without any modality, where" in words


def test_no_finding_about_who_has_what_all_rows_have():
    """A baseline that all rows have needs no correction, nor does a modality."""
    found = found_of("utility", modality=["age", "age", "scan", "x"],
                     baseline=["age", "age", "age", "age"])  # fmt: skip
    assert found[:2] == [
        "age adds 0.100 (0.050 to 0.150) to the ROC AUC of age.",
        "scan adds 0.020 (0.010 to 0.030) to the ROC AUC of age, corrected for who has "
        "scan.",
    ]
    assert not [s for s in found if "happen" in s]


def test_fragile_gains_are_of_the_same_metric_and_more_than_none():
    assert found_of("sensitivity", metric="accuracy") == []
    assert found_of("sensitivity", tipping_odds_ratio=1.0) == []
    assert found_of("sensitivity", tipping_odds_ratio=1.5) == []
    (sentence,) = found_of("sensitivity", tipping_odds_ratio=1.001)
    assert "by a factor of under 1.01 could" in sentence


def test_one_covariate():
    tables = make_tables()
    tables["balance"] = tables["balance"].tail(2)
    found = describe({**tables, "impact": None}, FACTS)
    assert (
        "Even with weights, rows that have scan differ from all rows by more than 0.1 "
        "standard deviations in 1 covariate."
    ) in found


def test_rows_without_several_modalities():
    assert found_of("impact", alone=False) == [
        "Hardly any rows are missing age, labs or scan alone: their values are of "
        "everything missing together."
    ]
    assert found_of("impact", alone=[False, True, False])[0] == (
        "Where nothing else is missing, measuring labs could move predictions by 0.040 "
        "(mean of 400 rows)."
    )
    assert found_of("impact", v_missing=float("nan")) == []
