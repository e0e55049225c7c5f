"""Tables and picture of the leaderboard, from the scores in the package; fits nothing.

Run with

    python benchmarks/bench_leaderboard.py

after ``python -m skmissing.benchmark publish``, which fits what has no file of
predictions yet and renews these scores. The tables are ``leaderboard.csv`` and
``leaderboard_conditions.csv``, the picture ``leaderboard.svg``.
"""

from __future__ import annotations

import argparse

import matplotlib.pyplot as plt
from _tables import add_tables_option, write_table

from skmissing.benchmark import CriticalDifferenceDisplay, leaderboard, load_scores

CONDITIONS = ("as trained", "complete", "one left", "unseen pattern")


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
    plt.rcParams["svg.hashsalt"] = "leaderboard"
    display = CriticalDifferenceDisplay.from_predictions(table)
    display.figure_.savefig(folder / "leaderboard.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
