"""Tables and picture of the leaderboard, from the scores in the package; fits nothing.

Run with

    python benchmarks/bench_leaderboard.py

after ``python -m skmissing.benchmark publish``, which fits what has no file of
predictions yet and renews these scores. The tables are ``leaderboard.csv``,
``leaderboard_conditions.csv``, and ``leaderboard_data.csv`` and
``leaderboard_worst.csv``, which compare the stack and the best single net with their
rivals; the picture is ``leaderboard.svg``.
"""

from __future__ import annotations

import argparse

import matplotlib.pyplot as plt
from _tables import add_tables_option, write_table

from skmissing.benchmark import CriticalDifferenceDisplay, leaderboard, load_scores
from skmissing.benchmark._leaderboard import paired_differences

CONDITIONS = ("as trained", "complete", "one left", "unseen pattern")
DATA_TABLES = {"leaderboard_data": "accuracy", "leaderboard_worst": "worst_accuracy"}
STACK = "stacking"
# Rivals named in a cell.
SHOWN = 2
# Rows that are no single net.
OTHERS = (STACK, "pattern models", "boosting on NaN", "imputed logistic", "TabICL")


def compare(scores, label, rivals, column):
    """By data set: the row beside its rivals, and those better by a standard error."""
    cell = ["dataset", "mechanism", "seed"]
    table = scores[scores["estimator"].isin([label, *rivals])].pivot_table(
        column, cell, "estimator"
    )
    pairs = {name: paired_differences(table[label], table[name]) for name in rivals}
    for data in table.index.unique("dataset"):
        means = table.loc[data].mean()
        best = means[list(rivals)].idxmax()
        gap = pairs[best].loc[data]
        better = [
            name
            for name, pair in pairs.items()
            if -pair.loc[data, "difference"] > pair.loc[data, "std_error"]
        ]
        names = ", ".join(better) or "none"
        yield [
            label, data, f"{100 * means[label]:.1f}",
            f"{best} ({100 * means[best]:.1f})",
            f"{100 * gap['difference']:+.1f} ({100 * gap['std_error']:.1f})",
            names if len(better) <= SHOWN else f"{len(better)} of {len(rivals)}",
        ]  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_tables_option(parser)
    folder = parser.parse_args().tables
    scores = load_scores()
    table = leaderboard(scores)
    rows = [
        (
            r.estimator, f"{r.mean_rank:.2f}", f"{100 * r.value:.1f}",
            f"{100 * r.difference:+.1f} ({100 * r.std_error:.1f})",
            f"{r.wins} / {r.ties} / {r.losses}", f"{100 * r.worst_pattern:.1f}",
            f"{r.seconds:.1f}",
        )
        for r in table.itertuples()
    ]  # fmt: skip
    header = [
        "Estimator", "Mean rank", "Accuracy", "Difference to the first",
        "Wins / ties / losses", "Worst pattern", "Seconds",
    ]  # fmt: skip
    write_table(folder, "leaderboard", header, rows)
    ranks = {
        c: leaderboard(scores, conditions=c).set_index("estimator")["mean_rank"]
        for c in CONDITIONS
    }
    rows = [
        (label, *(f"{ranks[c][label]:.2f}" for c in CONDITIONS))
        for label in table["estimator"]
    ]
    header = ["Estimator", *(c.capitalize() for c in CONDITIONS)]
    write_table(folder, "leaderboard_conditions", header, rows)
    labels = table["estimator"].tolist()
    single = next(label for label in labels if label not in OTHERS)
    for name, column in DATA_TABLES.items():
        rows = [
            row
            for label in (STACK, single)
            for row in compare(
                scores, label, [r for r in labels if r not in (label, STACK)], column
            )
        ]
        header = [
            "Estimator", "Data set", "Accuracy", "Best rival", "Difference",
            "Better by more than a standard error",
        ]  # fmt: skip
        write_table(folder, name, header, rows)
    plt.rcParams["svg.hashsalt"] = "leaderboard"
    display = CriticalDifferenceDisplay.from_predictions(table)
    display.figure_.savefig(folder / "leaderboard.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
