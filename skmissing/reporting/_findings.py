"""Sentences about the tables of a report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..inspection._drawing import name_metric
from ._layout import name_pattern

# Beyond this a standardised difference of means is worth a word.
SMD = 0.1


def describe(tables: dict[str, Any], facts: dict[str, Any]) -> list[str]:
    """Findings in plain words, in the order of the sections."""
    writers = (
        _on_patterns, _on_presence, _on_scores, _on_calibration, _on_utility,
        _on_overlap, _on_sensitivity, _on_information, _on_acquisition,
    )  # fmt: skip
    return [sentence for writer in writers for sentence in writer(tables, facts)]


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"


def _join(names) -> str:
    names = list(names)
    return " and ".join(
        part for part in (", ".join(names[:-1]), names[-1] if names else "") if part
    )


def _with_interval(row) -> str:
    return f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})"


def _on_patterns(tables, facts) -> Iterator[str]:
    table = tables["patterns"]
    names = facts["modalities"]
    complete = table[table[names].all(axis=1)]["count"].sum()
    n = table["count"].sum()
    yield (
        f"{_percent(complete / n)} of the {n:,} rows have all {len(names)} "
        f"modalities. There are {len(table)} patterns."
    )


def _on_presence(tables, facts) -> Iterator[str]:
    table = tables["presence"]
    most = table.sort_values("share_missing", ascending=False, kind="stable").iloc[0]
    if most["share_missing"]:
        yield (
            f"{most['modality']} is missing most often, in "
            f"{_percent(most['share_missing'])} of the rows."
        )
    if facts["positive"] is None:
        return
    apart = table[
        (table["share_missing"] >= 0.01)
        & ((table["outcome_present"] - table["outcome_missing"]).abs() > 0.05)
    ]
    for row in apart.itertuples():
        yield (
            f"Rows without {row.modality} differ: {facts['positive']} in "
            f"{_percent(row.outcome_missing)} of them, against "
            f"{_percent(row.outcome_present)} of those that have it."
        )


def _on_scores(tables, facts) -> Iterator[str]:
    table = tables.get("scores")
    if table is None:
        return
    metric = table["metric"].iloc[0]
    table = table[(table["metric"] == metric) & table["value"].notna()]
    whole = table[table["n_missing"] == 0]
    if len(whole):
        row = whole.iloc[0]
        yield (
            f"On the {row['n_rows']:,} held-out rows that have everything, the "
            f"{name_metric(metric)} is {_with_interval(row)}."
        )
    without = table[table["n_missing"] == 1]
    if len(without) > 1:
        row = without.sort_values("value", kind="stable").iloc[0]
        (hidden,) = set(facts["modalities"]) - set(row["pattern"].split(" + "))
        yield (
            f"The model depends most on {hidden}: without it, the "
            f"{name_metric(metric)} is {_with_interval(row)}."
        )


def _on_calibration(tables, facts) -> Iterator[str]:
    table = tables.get("calibration")
    if table is None:
        return
    table = table[table["n_rows"] >= 50]
    off = table[
        (table["predicted"] < table["low"]) | (table["predicted"] > table["high"])
    ]
    if not len(off):
        yield "Predicted risks agree with what came true in all common patterns."
        return
    far = (off["predicted"] - off["observed"]).abs()
    row = off.loc[far.idxmax()]
    word = "high" if row["predicted"] > row["observed"] else "low"
    pattern = name_pattern(row["pattern"], facts["modalities"])
    yield (
        f"Predicted risks are off in {len(off)} of {len(table)} common patterns; most "
        f"in rows with {pattern}, where they are too {word}: "
        f"{_percent(row['predicted'])} predicted, {_percent(row['observed'])} observed."
    )


def _on_utility(tables, facts) -> Iterator[str]:
    table = tables.get("utility")
    if table is None:
        return
    table = table[table["metric"] == facts["scoring"][0]]
    sure = table[table["low"] > 0].sort_values("value", ascending=False, kind="stable")
    for _, row in sure.head(3).iterrows():
        yield (
            f"{row['modality']} adds {_with_interval(row)} to the "
            f"{name_metric(row['metric'])} of {row['baseline'].replace('+', ', ')}, "
            "corrected for who has it."
        )
    unsure = table[~(table["low"] > 0)]["modality"]
    if len(unsure):
        yield f"No gain is certain for {_join(unsure)}."
    apart = table[
        (table["biased_value"] < table["low"]) | (table["biased_value"] > table["high"])
    ]
    for row in apart.itertuples():
        yield (
            f"Rows that happen to have {row.modality} give another gain, "
            f"{row.biased_value:.3f}: they do not stand for all."
        )


def _on_overlap(tables, _) -> Iterator[str]:
    overlap, balance = tables.get("overlap"), tables.get("balance")
    if overlap is None or balance is None:
        return
    poor = overlap[(overlap["efficiency"] < 0.5) | (overlap["share_below_0.05"] > 0.01)]
    if len(poor):
        yield (
            f"Some rows could hardly have had {_join(poor.index)}: corrected values "
            "rest on few rows there."
        )
    after = balance["smd_after"].abs()
    left = after[after > SMD].groupby(level="required").size()
    if len(left):
        yield (
            f"Weights leave differences in who has {_join(left.index)}: "
            f"{left.sum()} covariates are more than {SMD} standard deviations apart."
        )
    else:
        yield "With weights, rows that have a modality resemble all rows."


def _on_sensitivity(tables, _) -> Iterator[str]:
    table = tables.get("sensitivity")
    if table is None or not len(table):
        return
    sure = set(tables["utility"].query("low > 0")["modality"])
    tipping = table.groupby("modality", sort=False)["tipping_odds_ratio"].first()
    for name, odds in tipping[tipping.index.isin(sure) & (tipping < 1.5)].items():
        yield (
            f"The gain of {name} is fragile: odds of having it that are wrong by a "
            f"factor of {odds:.2f} could explain it."
        )


def _on_information(tables, _) -> Iterator[str]:
    table = tables.get("information")
    if table is None:
        return
    unique = table[(table["term"] == "unique") & (table["source"] == table["modality"])]
    best = unique.sort_values("value", ascending=False, kind="stable").iloc[0]
    if best["low"] > 0:
        yield (
            f"{best['modality']} has most information of its own: {best['value']:.3f} "
            f"bit ({best['low']:.3f} to {best['high']:.3f}) that is not in "
            f"{best['second'].replace('+', ', ')}."
        )


def _on_acquisition(tables, _) -> Iterator[str]:
    table = tables.get("impact")
    if table is None or not len(table):
        return
    best = table.loc[table["v_missing"].idxmax()]
    yield (
        f"Measuring {best['modality']} could move predictions most: by "
        f"{best['v_missing']:.3f} in the mean of the {best['n_missing']:,} rows "
        "without it."
    )
