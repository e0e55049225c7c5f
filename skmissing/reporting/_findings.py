"""Sentences about the tables of a report.

Numbers that are compared in a sentence are of the same rows, or the sentence reports
that they are not. With fewer than ``FEW`` resamples nothing rests on their intervals.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from ..inspection._drawing import name_metric
from ._layout import name_pattern
from ._same_rows import AS_THEY_ARE, CLASS_SHARES

# Beyond this a standardised difference of means is worth a word.
SMD = 0.1
# Quantiles of fewer resamples are no interval.
FEW = 20
# Modalities named in one finding, the most remarkable ones.
NAMED = 3


def describe(tables: dict[str, Any], facts: dict[str, Any]) -> list[str]:
    """Findings in plain words, in the order of the sections."""
    writers = (
        _on_patterns, _on_presence, _on_scores, _on_class_shares, _on_hiding,
        _on_calibration, _on_utility, _on_overlap, _on_sensitivity, _on_information,
        _on_acquisition, _on_resamples,
    )  # fmt: skip
    return [sentence for writer in writers for sentence in writer(tables, facts)]


def _percent(share: float) -> str:
    """A share, which is 0% or 100% only if it is none or all."""
    if 0.0 < share < 0.005:
        return "under 1%"
    return "over 99%" if 0.995 <= share < 1.0 else f"{100 * share:.0f}%"


def _join(names: Iterable[str], word: str = "and") -> str:
    """Names as a list in words."""
    *first, last = names
    return f"{', '.join(first)} {word} {last}" if first else last


def _count(n: int, noun: str) -> str:
    """A number and its noun, in the plural but for 1."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _start(words: str) -> str:
    """Words as they begin a sentence."""
    return words[:1].upper() + words[1:]


def _many(facts) -> bool:
    """Whether there are resamples enough for intervals."""
    return facts["n_bootstraps"] >= FEW


def _with_interval(row, facts, value: str = "value", sign: int = 1) -> str:
    """A value, with its interval where that is one."""
    ends = sorted((sign * row["low"], sign * row["high"]))
    middle = sign * row[value]
    if not _many(facts) or not ends[0] <= middle <= ends[1]:
        return f"{middle:.3f}"
    return f"{middle:.3f} ({ends[0]:.3f} to {ends[1]:.3f})"


def _sure(table: pd.DataFrame, facts) -> pd.Series:
    """Which values are above 0 with all of their interval, as it is written."""
    inside = (table["low"] <= table["value"]) & (table["value"] <= table["high"])
    return inside & (table["low"] >= 0.0005) & _many(facts)


def _often(tables) -> set[str]:
    """Modalities that nearly every row has: nothing can be found about who does."""
    table = tables["presence"]
    return set(table.loc[table["share_missing"] < 0.01, "modality"])


def _on_patterns(tables, facts) -> Iterator[str]:
    table = tables["patterns"]
    names = facts["modalities"]
    complete = table[table[names].all(axis=1)]["count"].sum()
    n, k = table["count"].sum(), len(table)
    every = "both" if len(names) == 2 else f"all {len(names)}"
    yield (
        f"{_start(_percent(complete / n))} of the {n:,} rows have {every} modalities. "
        f"There {'is' if k == 1 else 'are'} {_count(k, 'pattern')}."
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
    n_rows = tables["patterns"]["count"].sum()
    for row in table[table["share_missing"] >= 0.01].itertuples():
        shares = np.array([row.outcome_present, row.outcome_missing])
        n = np.array([row.n_present, n_rows - row.n_present])
        far = abs(shares[1] - shares[0]) > 0.05
        if far and _apart(shares, n, facts["confidence_level"]):
            yield (
                f"Rows without {row.modality} differ: {facts['positive']} in "
                f"{_percent(row.outcome_missing)} of them, against "
                f"{_percent(row.outcome_present)} of those that have it."
            )


def _apart(shares: np.ndarray, n: np.ndarray, level: float) -> bool:
    """Whether 0 is outside the interval of Agresti and Caffo of a difference."""
    share = (n * shares + 1) / (n + 2)
    error = np.sqrt((share * (1 - share) / (n + 2)).sum())
    return bool(abs(share[1] - share[0]) > float(ndtri(0.5 + level / 2)) * error)


def _on_scores(tables, facts) -> Iterator[str]:
    table = tables.get("scores")
    if table is None:
        return
    table = table[(table["pattern"] == AS_THEY_ARE) & table["value"].notna()]
    for _, row in table.head(1).iterrows():
        yield (
            f"On the {row['n_rows']:,} held-out rows as they are, the "
            f"{name_metric(row['metric'])} is {_with_interval(row, facts)}."
        )


def _on_class_shares(tables, facts) -> Iterator[str]:
    table = tables.get("same_rows")
    if table is None:
        return
    row = table[table["compared_with"] == CLASS_SHARES].iloc[-1]
    if row["value"] < 0 and (not _many(facts) or row["high"] < 0):
        yield (
            "The model predicts worse than the class shares of the training rows do: "
            "on the same rows its log-likelihood is lower by "
            f"{_with_interval(row, facts, sign=-1)}."
        )
    elif _many(facts) and row["low"] <= 0:
        yield (
            "The model may be no better than the class shares of the training rows: "
            "on the same rows its log-likelihood differs by "
            f"{_with_interval(row, facts)}."
        )


def _on_hiding(tables, facts) -> Iterator[str]:
    table = tables.get("same_rows")
    if table is None:
        return
    table = table.iloc[:-1]
    sure = table[_sure(table, facts)]
    if not len(sure):
        return
    row = sure.loc[sure["value"].idxmax()]
    yield (
        f"The model depends most on {row['compared_with']}: with it hidden, the "
        f"{name_metric(row['metric'])} of the same rows falls to {row['other']:.3f}, "
        f"by {_with_interval(row, facts)}."
    )


def _on_calibration(tables, facts) -> Iterator[str]:
    table = tables.get("calibration")
    if table is None:
        return
    what = "predicted risks"
    if facts["positive"] is None:
        what = "probabilities of the predicted class"
    table = table[table["n_rows"] >= 50]
    table = table.assign(
        off=(table["predicted"] < table["low"]) | (table["predicted"] > table["high"])
    )
    whole = table["pattern"] == "all rows"
    for _, row in table[whole & table["off"]].iterrows():
        yield f"Over all rows, {what} are too {_off_by(row)}."
    table = table[~whole]
    off = table[table["off"]]
    if not len(off):
        if len(table):
            yield f"{_start(what)} agree with what came true in all common patterns."
        return
    far = (off["predicted"] - off["observed"]).abs()
    row = off.loc[far.idxmax()]
    rows = _rows_with(row["pattern"], facts["modalities"])
    often = f"{len(off)} of {_count(len(table), 'common pattern')}"
    where = f": {rows}" if len(off) == 1 else f", most in {rows}"
    yield (
        f"{_start(what)} are off in {often}{where}, where they are too {_off_by(row)}."
    )


def _off_by(row) -> str:
    """In which direction, and the two numbers."""
    word = "high" if row["predicted"] > row["observed"] else "low"
    return (
        f"{word} ({_percent(row['predicted'])} predicted, "
        f"{_percent(row['observed'])} observed)"
    )


def _rows_with(pattern: str, names: list[str]) -> str:
    """The rows of a pattern."""
    words = name_pattern(pattern, names)
    if words == pattern:
        words = f"just {_join(pattern.split(' + '))}"
    return "rows without any modality" if pattern == "none" else f"rows with {words}"


def _on_utility(tables, facts) -> Iterator[str]:
    table = tables.get("utility")
    if table is None or not _many(facts):
        return
    table = table[table["metric"] == facts["scoring"][0]]
    sure = _sure(table, facts)
    best = table[sure].sort_values("value", ascending=False, kind="stable")
    for _, row in best.head(NAMED).iterrows():
        who = _who(row, tables)
        yield (
            f"{row['modality']} adds {_with_interval(row, facts)} to the "
            f"{name_metric(row['metric'])} of {row['baseline'].replace('+', ', ')}"
            + (f", corrected for who has {who}." if who else ".")
        )
    if not sure.all():
        yield f"No gain is certain for {_join(table.loc[~sure, 'modality'])}."
    apart = table[
        (table["biased_value"] < table["low"]) | (table["biased_value"] > table["high"])
    ]
    for _, row in apart.iterrows():
        who = _who(row, tables)
        if who:
            yield (
                f"Rows that happen to have {who} give another gain of "
                f"{row['modality']}, {row['biased_value']:.3f}: they do not stand for "
                "all."
            )


def _who(row, tables) -> str:
    """Whose rows a gain is of; empty where nearly all rows are."""
    often = _often(tables)
    if set(row["baseline"].split("+")) <= often:
        return "" if row["modality"] in often else row["modality"]
    return "all of them"


def _on_overlap(tables, _) -> Iterator[str]:
    overlap, balance = tables.get("overlap"), tables.get("balance")
    if overlap is None or balance is None:
        return
    poor = overlap[(overlap["efficiency"] < 0.5) | (overlap["share_below_0.05"] > 0.01)]
    if len(poor):
        yield (
            f"Some rows could hardly have had {_join(poor.index, 'or')}: corrected "
            "values rest on few rows there."
        )
    after = balance["smd_after"].abs()
    left = after[after > SMD].groupby(level="required", sort=False).size()
    if not len(left):
        yield "With weights, rows that have a modality resemble all rows."
        return
    (first, n), *others = left.items()
    parts = [
        f"rows that have {first} differ from all rows by more than {SMD} standard "
        f"deviations in {_count(n, 'covariate')}",
        *(f"those that have {name} in {n}" for name, n in others),
    ]
    yield f"Even with weights, {_join(parts)}."


def _on_sensitivity(tables, facts) -> Iterator[str]:
    table, gains = tables.get("sensitivity"), tables.get("utility")
    if table is None or gains is None or not len(table):
        return
    sure = gains[_sure(gains, facts)]
    for (name, metric), part in table.groupby(["modality", "metric"], sort=False):
        odds = part["tipping_odds_ratio"].iloc[0]
        same = (sure["modality"] == name) & (sure["metric"] == metric)
        # At 1 there is no gain that could be explained.
        if not same.any() or not 1.0 < odds < 1.5:
            continue
        factor = "under 1.01" if odds < 1.005 else f"{odds:.2f}"
        yield (
            f"The gain of {name} in {name_metric(metric)} is fragile: odds of having "
            f"it that are wrong by a factor of {factor} could explain it."
        )


def _on_information(tables, facts) -> Iterator[str]:
    table = tables.get("information")
    if table is None:
        return
    unique = table[(table["term"] == "unique") & (table["source"] == table["modality"])]
    sure = unique[_sure(unique, facts)]
    sure = sure.sort_values("value", ascending=False, kind="stable")
    for _, row in sure.head(NAMED).iterrows():
        yield (
            f"{row['modality']} has information of its own, "
            f"{_with_interval(row, facts)} bit that is not in "
            f"{row['second'].replace('+', ', ')}."
        )


def _on_acquisition(tables, _) -> Iterator[str]:
    table = tables.get("impact")
    if table is None or not len(table):
        return
    table = table[table["v_missing"].notna()]
    alone = table[table["alone"]]
    alone = alone.sort_values("v_missing", ascending=False, kind="stable")
    if len(alone):
        first, *others = (
            (row.modality, f"by {row.v_missing:.3f} (mean of {row.n_rows:,} rows)")
            for row in alone.head(NAMED).itertuples()
        )
        parts = [f"measuring {first[0]} could move predictions {first[1]}"]
        parts += [f"measuring {name} {far}" for name, far in others]
        end = "; these are different rows" if others else ""
        yield f"Where nothing else is missing, {_join(parts)}{end}."
    together = table.loc[~table["alone"], "modality"]
    if len(together):
        its = "its value is" if len(together) == 1 else "their values are"
        yield (
            f"Hardly any rows are missing {_join(together, 'or')} alone: {its} of "
            "everything missing together."
        )


def _on_resamples(_, facts) -> Iterator[str]:
    if not _many(facts):
        n = facts["n_bootstraps"]
        yield (
            f"Intervals need at least {FEW} resamples, these are {n}: findings that "
            "rest on one are left out."
        )
