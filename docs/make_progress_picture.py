"""Draw ``user_guide/progress.svg``: the bars of a search, as a terminal shows them.

Run ``python docs/make_progress_picture.py``. The bars are those of a real search, in
the frame of the terminal in which most of them are at work.
"""

from __future__ import annotations

import re
from pathlib import Path

import rich
import rich.progress
from rich.console import Console
from sklearn.callback import ProgressBar
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skmissing.baselines import FusionClassifier
from skmissing.datasets import load_support
from skmissing.modalities import ModalityTransformer

OUT = Path(__file__).parent / "user_guide" / "progress.svg"
WIDTH = 104


def make_search() -> GridSearchCV:
    """Two learning rates, two folds, and the best one on all rows."""
    net = FusionClassifier(max_epochs=12, n_threads=1, random_state=0)
    encode = ModalityTransformer("auto", modalities=load_support(as_frame=True).modalities)
    pipeline = make_pipeline(encode, net)
    return GridSearchCV(pipeline, {"fusionclassifier__lr": [1e-3, 3e-3]}, cv=2)


def record(search: GridSearchCV) -> list[rich.progress.Table]:
    """Fit, and keep what each refresh of the terminal showed."""
    frames: list = []
    refresh = rich.progress.Progress.refresh

    def keep(progress) -> None:
        refresh(progress)
        frames.append(list(progress.get_renderables()))

    rich.reconfigure(force_terminal=True, width=WIDTH)
    rich.progress.Progress.refresh = keep
    try:
        bunch = load_support(as_frame=True)
        rows = bunch.data.sample(1500, random_state=0)
        search.set_callbacks(ProgressBar(max_propagation_depth=None))
        search.fit(rows, bunch.target[rows.index])
    finally:
        rich.progress.Progress.refresh = refresh
    return frames


def draw(frame) -> str:
    """One frame as an SVG that loads nothing."""
    console = Console(record=True, force_terminal=True, width=WIDTH, file=open("/dev/null", "w"))
    console.print(*frame)
    picture = console.export_svg(title="search.fit(X, y)", unique_id="progress")
    # Fonts from the network: the reader's own will do.
    return re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)


if __name__ == "__main__":
    frames = record(make_search())
    texts = []
    for frame in frames:
        console = Console(width=WIDTH, record=True, file=open("/dev/null", "w"))
        console.print(*frame)
        texts.append(console.export_text())
    print(len(frames)); print(texts[len(texts)//2]); print(texts[-1])
    import pickle; pickle.dump(texts, open('/tmp/doors/frames.pkl','wb'))
