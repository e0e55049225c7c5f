"""Draw ``images/progress.svg``: the bars of a search, as a terminal shows them.

Run ``python docs/make_progress_picture.py``. The bars are those of a real search, in
the frame of the terminal in which most of them are at work.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import rich
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from sklearn.callback import ProgressBar
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skmissing.baselines import FusionClassifier
from skmissing.datasets import load_support
from skmissing.modalities import ModalityTransformer

OUT = Path(__file__).parent / "images" / "progress.svg"
WIDTH = 104


def make_search() -> GridSearchCV:
    """Two learning rates, two folds, and the better one on all rows."""
    net = FusionClassifier(max_epochs=12, n_threads=1, random_state=0)
    bunch = load_support(as_frame=True)
    encode = ModalityTransformer("auto", modalities=bunch.modalities)
    pipeline = make_pipeline(encode, net)
    return GridSearchCV(pipeline, {"fusionclassifier__lr": [1e-3, 3e-3]}, cv=2)


def record(search: GridSearchCV) -> Table:
    """Fit in a terminal, and keep what it showed when most bars were at work."""
    best, most = None, 0
    refresh = Progress.refresh

    def keep(progress: Progress) -> None:
        nonlocal best, most
        refresh(progress)
        at_work = sum(not task.finished for task in progress.tasks)
        if at_work >= most:
            best, most = progress.make_tasks_table(progress.tasks), at_work

    bunch = load_support(as_frame=True)
    rows = bunch.data.sample(1500, random_state=0)
    rich.reconfigure(force_terminal=True, width=WIDTH, file=io.StringIO())
    Progress.refresh = keep
    try:
        search.set_callbacks(ProgressBar(max_propagation_depth=None))
        search.fit(rows, bunch.target[rows.index])
    finally:
        Progress.refresh = refresh
    return best


def draw(table: Table) -> str:
    """An SVG that loads nothing and has a background of its own."""
    console = Console(
        record=True, force_terminal=True, width=WIDTH, file=io.StringIO(),
        color_system="truecolor",
    )  # fmt: skip
    console.print(table)
    picture = console.export_svg(title="search.fit(X, y)", unique_id="progress")
    # Its fonts would come from the network: those of the reader do.
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    picture = picture.replace("Fira Code, monospace", "ui-monospace, monospace")
    return "\n".join(line.rstrip() for line in picture.splitlines()) + "\n"


if __name__ == "__main__":
    OUT.write_text(draw(record(make_search())), encoding="utf-8")
