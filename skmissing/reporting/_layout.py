"""Which table stands in which section, and what of it is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pandas as pd

from ._html import Column, Strip

# Longer tables are cut; the report has all of them.
MOST_ROWS = 12


def name_pattern(pattern: str, names: list[str]) -> str:
    """A pattern by its modalities or, where these are fewer, by the missing ones."""
    missing = [name for name in names if name not in pattern.split(" + ")]
    if pattern == "all rows" or 2 * len(missing) >= len(names):
        return pattern
    return f"all but {', '.join(missing)}" if missing else "all modalities"


def _first(table: pd.DataFrame, facts: dict[str, Any]) -> pd.DataFrame:
    return _in_words(table, facts).head(MOST_ROWS)


def _in_words(table: pd.DataFrame, facts: dict[str, Any]) -> pd.DataFrame:
    """The table with short names of its patterns."""
    if "pattern" not in table:
        return table
    return table.assign(
        words=[name_pattern(p, facts["modalities"]) for p in table["pattern"]]
    )


def _all(table: pd.DataFrame, _: dict[str, Any]) -> pd.DataFrame:
    return table.reset_index()


def _metric(position: int) -> Callable[[pd.DataFrame, dict[str, Any]], pd.DataFrame]:
    def view(table: pd.DataFrame, facts: dict[str, Any]) -> pd.DataFrame:
        chosen = facts["scoring"][position : position + 1]
        return _in_words(table[table["metric"].isin(chosen)], facts)

    return view


def _most_apart(table: pd.DataFrame, facts: dict[str, Any]) -> pd.DataFrame:
    """The covariates that differ most before weighting, by modality."""
    flat = table.copy()
    flat.index = flat.index.set_names(["required", "covariate"])
    flat = flat.reset_index()
    order = flat["smd_before"].abs().sort_values(ascending=False, kind="stable").index
    best = flat.loc[order].groupby("required", sort=False).head(3)
    at = {name: i for i, name in enumerate(facts["modalities"])}
    # Columns of an encoded modality have its name in front.
    words = best["covariate"].str.replace("__", ": ", n=1, regex=False)
    best = best.assign(words=words.str.replace(r"_nan$", " is missing", regex=True))
    return best.sort_values("required", key=lambda c: c.map(at), kind="stable")


def _bounds(table: pd.DataFrame, _: dict[str, Any]) -> pd.DataFrame:
    """One row for each modality: its gain, and the bounds at twice the odds."""
    wide = table[table["odds_ratio"] == 1.0].rename(columns={"lower_bound": "value"})
    out = wide[["modality", "metric", "value", "tipping_odds_ratio"]]
    for odds in (1.5, 2.0, 3.0):
        part = table[table["odds_ratio"] == odds].set_index("modality")
        for end in ("lower_bound", "upper_bound"):
            out = out.assign(**{f"{end}_{odds:g}": out["modality"].map(part[end])})
    return out


def _parts(table: pd.DataFrame, _: dict[str, Any]) -> pd.DataFrame:
    """Parts of each pair, without the informations they are made of."""
    out = table[table["term"] != "mutual_information"]
    return out.assign(part=out["term"] + " to " + out["source"]).assign(
        part=lambda t: t["part"].where(t["term"] == "unique", t["term"])
    )


def _moves(table: pd.DataFrame, _: dict[str, Any]) -> pd.DataFrame:
    """With words for what the value is of."""
    words = {True: "this alone", False: "everything missing together"}
    return table.assign(words=table["alone"].map(words))


def _comparisons(table: pd.DataFrame, _: dict[str, Any]) -> pd.DataFrame:
    """With words for what is compared: names of modalities are hidden ones."""
    *names, shares = table["compared_with"]
    return table.assign(words=[*(f"{name} hidden" for name in names), shares])


class Shown(NamedTuple):
    """A table of a section."""

    table: str
    source: str
    # Of the facts, where they depend on these.
    columns: Sequence[Column] | Callable[[dict[str, Any]], Sequence[Column]]
    view: Callable[[pd.DataFrame, dict[str, Any]], pd.DataFrame] = _all
    strip: Strip | None = None
    title: str = ""
    # Whether rows that are not shown are counted below.
    rest: bool = False


def _of_patterns(facts: dict[str, Any]) -> list[Column]:
    each = [Column(name, name, "check") for name in facts["modalities"]]
    return [Column("count", "rows", "int"), Column("share", "share", "percent"), *each]


def _of_presence(facts: dict[str, Any]) -> list[Column]:
    outcome = facts["positive"]
    return [
        Column("modality", "modality"),
        Column("n_present", "rows with it", "int"),
        Column("share_missing", "missing", "percent"),
        Column("outcome_present", f"{outcome}, with it", "percent"),
        Column("outcome_missing", f"{outcome}, without", "percent"),
    ]


INTERVAL = (Column("value", "value", "3"), Column("low", "low", "3"),
            Column("high", "high", "3"))  # fmt: skip
SCORES = (
    Column("pattern", "model sees", shown="words"), Column("n_rows", "rows", "int"),
    *INTERVAL, Column("metric", "metric", "metric"),
)  # fmt: skip
GAINS = (
    Column("modality", "modality"), Column("baseline", "added to"),
    Column("n_observed", "rows", "int"), Column("biased_value", "as they are", "3"),
    Column("value", "corrected", "3"), Column("low", "low", "3"),
    Column("high", "high", "3"), Column("metric", "metric", "metric"),
)  # fmt: skip
FOREST = Strip("value and interval", ["value"], "low", "high")
GAIN = Strip("corrected ●, as they are ○", ["value", "biased_value"], "low", "high",
             (0.0,))  # fmt: skip

SAME_ROWS = (
    Column("compared_with", "compared with", shown="words"),
    Column("n_rows", "rows", "int"), Column("score", "as they are", "3"),
    Column("other", "compared", "3"), Column("value", "difference", "3"),
    Column("low", "low", "3"), Column("high", "high", "3"),
    Column("metric", "metric", "metric"),
)  # fmt: skip

SECTIONS: dict[str, tuple[str, str, list[Shown]]] = {
    "patterns": (
        "Patterns, and who is missing what",
        "A pattern is a set of modalities that rows have. Where the outcome differs "
        "between rows with and without a modality, missingness is not random.",
        [
            Shown("presence", "counts of the rows given", _of_presence),
            Shown("patterns", "skmissing.missingness.patterns", _of_patterns, _first,
                  title="The most frequent patterns", rest=True),
        ],
    ),
    "scores": (
        "Scores by pattern",
        "How well rows are predicted by models that have not seen them, if nothing but "
        "the modalities in the first column were known. Greater is better. Each line "
        "is of the rows that have these modalities: other rows may be harder. Class "
        "shares are those of the training rows.",
        [
            Shown("scores", "skmissing.metrics.score_by_pattern, folds combined",
                  SCORES, _metric(0), FOREST),
            Shown("scores", "skmissing.metrics.score_by_pattern, folds combined",
                  SCORES, _metric(1), FOREST, title="The same by another metric"),
            Shown("same_rows", "skmissing.inspection.modality_importance, and the "
                  "log-likelihood of class shares, folds combined", SAME_ROWS,
                  _comparisons, Strip("difference and interval", ["value"], "low",
                                      "high", (0.0,)),
                  title="The same rows with less: all held-out rows as they are, "
                  "compared with a modality hidden, and with class shares"),
        ],
    ),
    "calibration": (
        "Calibration and coverage by pattern",
        "Predicted should lie inside the interval of observed. Coverage is how often "
        "the true label was in the smallest set of labels with a probability of 90%.",
        [
            Shown(
                "calibration", "skmissing.metrics.calibration_by_pattern",
                (
                    Column("pattern", "rows with just", shown="words"),
                    Column("n_rows", "rows", "int"),
                    Column("predicted", "predicted", "percent"),
                    Column("observed", "observed", "percent"),
                    Column("low", "low", "percent"), Column("high", "high", "percent"),
                    Column("coverage", "coverage", "percent"),
                    Column("set_size", "labels in set", "2"),
                ),
                _first, Strip("predicted ●, observed ○", ["predicted", "observed"],
                              "low", "high"),
                rest=True,
            )
        ],
    ),
    "utility": (
        "What each modality adds",
        "The gain of models that also see the modality over models that see the others "
        "named. Only rows that have it can show it: as they are, and weighted so that "
        "they stand for all rows.",
        [
            Shown("utility", "skmissing.ipw.modality_utility", GAINS, _metric(0), GAIN),
            Shown("utility", "skmissing.ipw.modality_utility", GAINS, _metric(1), GAIN,
                  title="The same by another metric"),
        ],
    ),
    "overlap": (
        "Overlap and balance",
        "How predictable it is who has a modality. Rows that could hardly have had it "
        "are represented by few others, and the effective sample size is small. After "
        "weighting, differences should be below 0.1 standard deviations.",
        [
            Shown(
                "overlap", "skmissing.PropensityWeighter.overlap",
                (
                    Column("required", "modality"),
                    Column("n_observed", "rows with it", "int"),
                    Column("min", "lowest propensity", "3"),
                    Column("median", "median", "3"),
                    Column("share_below_0.05", "below 0.05", "percent"),
                    Column("largest_weight", "largest weight", "2"),
                    Column("effective_sample_size", "effective rows", "int"),
                    Column("efficiency", "efficiency", "percent"),
                ),
            ),
            Shown(
                "balance", "skmissing.PropensityWeighter.balance",
                (
                    Column("required", "who has"),
                    Column("covariate", "covariate", shown="words"),
                    Column("smd_before", "before", "2"),
                    Column("smd_after", "after", "2"),
                ),
                _most_apart,
                Strip("after ●, before ○", ["smd_after", "smd_before"],
                      marks=(-0.1, 0.0, 0.1)),
                title="Standardised differences to all rows, the three largest each",
                rest=True,
            ),
        ],
    ),
    "sensitivity": (
        "Sensitivity",
        "The correction takes for granted that who has a modality depends on known "
        "covariates alone. The bounds hold if the odds are wrong by a factor of up to "
        "1.5, 2 or 3 in any row; beyond the tipping factor the gain may be zero.",
        [
            Shown(
                "sensitivity", "skmissing.ipw.sensitivity_bounds",
                (
                    Column("modality", "modality"),
                    Column("value", "gain", "3"),
                    Column("lower_bound_1.5", "1.5: from", "3"),
                    Column("upper_bound_1.5", "to", "3"),
                    Column("lower_bound_2", "2: from", "3"),
                    Column("upper_bound_2", "to", "3"),
                    Column("lower_bound_3", "3: from", "3"),
                    Column("upper_bound_3", "to", "3"),
                    Column("tipping_odds_ratio", "tips at", "2"),
                    Column("metric", "of", "metric"),
                ),
                _bounds, Strip("gain, and bounds at 2", ["value"], "lower_bound_2",
                               "upper_bound_2", (0.0,)),
            )
        ],
    ),
    "information": (
        "Information shared",
        "In bits per row: what the modality alone knows about the label (unique), what "
        "the others know as well (redundant), and what only both show together "
        "(synergistic).",
        [
            Shown(
                "information", "skmissing.PIDEstimator.to_frame",
                (
                    Column("modality", "modality"), Column("part", "part"),
                    Column("n_rows", "rows", "int"), *INTERVAL,
                ),
                _parts, Strip("value and interval", ["value"], "low", "high", (0.0,)),
            )
        ],
    ),
    "acquisition": (
        "Whom to measure next",
        "How far the prediction of a row could move if a missing modality were "
        "measured, from 0 to 1. Where a row is missing several, the value is that of "
        "everything missing together, and the same for each. So the rows are those in "
        "which nothing else is missing, if there are at least ten of them, and all "
        "rows without the modality otherwise. The rows of two modalities differ: their "
        "means do not rank the modalities.",
        [
            Shown(
                "impact", "skmissing.PRIMOClassifier.predictive_impact",
                (
                    Column("modality", "modality"),
                    Column("n_missing", "rows without", "int"),
                    Column("n_alone", "nothing else missing", "int"),
                    Column("alone", "value of", shown="words"),
                    Column("n_rows", "rows used", "int"),
                    Column("v_missing", "mean move", "3"),
                ),
                _moves, Strip("mean move", ["v_missing"], marks=(0.0,)),
            ),
            Shown(
                "acquisition", "skmissing.PRIMOClassifier.predictive_impact",
                (
                    Column("modality", "measure"), Column("row", "in row"),
                    Column("v_missing", "could move by", "3"),
                    Column("also_missing", "also missing"),
                    Column("predicted", "predicted now", "percent"),
                ),
                title="Rows to start with",
            ),
        ],
    ),
}  # fmt: skip
