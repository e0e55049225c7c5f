"""Callbacks of scikit-learn: tasks of nets and epochs, scores, and an early end."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from skmissing import PRIMOClassifier, UMEMMAEnsemble
from skmissing.baselines import FusionClassifier, UnimodalEnsemble
from skmissing.modalities import ModalityTransformer
from skmissing.recovery import MultimodalVAE

from .._instances import INIT_PARAMS, NET
from ..conftest import make_blocks


class Record:
    """Writes down every task, and asks to stop after some epochs."""

    max_propagation_depth = None

    def __init__(self, stop_after: int | None = None) -> None:
        self.stop_after = stop_after
        self.events: list[tuple] = []
        self.open = 0
        self.tasks: list = []

    def setup(self, estimator, context) -> None:
        self.open += 1

    def teardown(self, estimator, context) -> None:
        self.open -= 1

    def _path(self, context) -> tuple[str, ...]:
        names: list[str] = []
        while context is not None:
            names.append(context.task_name)
            context = context.parent
        return tuple(reversed(names))

    def on_fit_task_begin(self, estimator, context) -> None:
        self.events.append(("begin", *self._path(context)))

    def on_fit_task_end(self, estimator, context) -> bool:
        self.events.append(("end", *self._path(context)))
        self.tasks.append((context.task_name, context.task_id, context.max_subtasks))
        stop = self.stop_after
        return (
            stop is not None
            and context.task_name == "epoch"
            and (context.task_id + 1 >= stop)
        )

    def ended(self, name: str) -> int:
        return sum(e[0] == "end" and e[-1] == name for e in self.events)

    def balanced(self) -> bool:
        begun = [e[1:] for e in self.events if e[0] == "begin"]
        over = [e[1:] for e in self.events if e[0] == "end"]
        return sorted(begun) == sorted(over) and self.open == 0


NETS = [name for name, s in INIT_PARAMS.items() if s.has_net]


@pytest.mark.parametrize("name", NETS)
def test_every_net_reports_its_epochs(name):
    X, y = make_blocks()
    settings = INIT_PARAMS[name]
    plain = settings.make_brief().fit(X, y)
    record = Record()
    followed = settings.make_brief().set_callbacks(record).fit(X, y)
    assert record.balanced()
    nets = getattr(followed, "nets_", None) or {"": followed.net_}
    nets = nets if isinstance(nets, dict) else {"": nets}
    assert record.ended("epoch") >= sum(len(net.history) for net in nets.values()) > 0
    paths = {e[1:3] for e in record.events if len(e) > 2}
    assert all(path[1].startswith("train ") for path in paths)
    # Who looks on changes nothing, and nothing of it stays.
    method = "transform" if hasattr(plain, "transform") else "predict_proba"
    a, b = (getattr(e, method)(X) for e in (plain, followed))
    for one, two in zip(getattr(a, "blocks", {0: a}).values(),
                        getattr(b, "blocks", {0: b}).values()):  # fmt: skip
        np.testing.assert_array_equal(one, two)
    assert set(vars(followed)) - set(vars(plain)) == {"_skl_callbacks"}
    followed.set_callbacks()
    assert b"Record" not in pickle.dumps(followed)


def test_epochs_stand_under_folds_and_steps():
    X, y = make_blocks()
    record = Record()
    net = FusionClassifier(**{**NET, "max_epochs": 3})
    chain = make_pipeline(ModalityTransformer({"m0": StandardScaler()}), net)
    search = GridSearchCV(chain, {"fusionclassifier__lr": [1e-2, 1e-3]}, cv=2)
    search.set_callbacks(record)
    with pytest.warns(UserWarning, match="ModalityTransformer does not support"):
        search.fit(X, y)
    assert record.balanced()
    # Two candidates, two folds, and the best again on all rows.
    assert record.ended("epoch") == 3 * (2 * 2 + 1)
    epochs = {e[1:] for e in record.events if e[-1] == "epoch"}
    assert all(path[-2] == "train FusionClassifier" for path in epochs)
    assert {path[0] for path in epochs} == {"fit"}
    assert min(map(len, epochs)) >= 4
    assert not hasattr(search.best_estimator_[-1], "_skl_callbacks")


@pytest.mark.parametrize("kind", [FusionClassifier, PRIMOClassifier, MultimodalVAE])
def test_a_callback_ends_a_training(kind):
    X, y = make_blocks()
    record = Record(stop_after=2)
    model = kind(**NET).set_callbacks(record).fit(X, y)
    assert model.n_iter_ == len(model.net_.history) == 2 < NET["max_epochs"]
    assert record.balanced()
    short = kind(**{**NET, "max_epochs": 2}).fit(X, y)
    for one, two in zip(short.net_.module_.parameters(),
                        model.net_.module_.parameters()):  # fmt: skip
        np.testing.assert_array_equal(one.detach().numpy(), two.detach().numpy())


def test_early_stopping_ends_the_tasks_too():
    X, y = make_blocks(n=90)
    record = Record()
    params = {**NET, "max_epochs": 40, "lr": 0.5, "early_stopping": True,
              "n_iter_no_change": 2, "validation_fraction": 0.3}  # fmt: skip
    model = FusionClassifier(**params).set_callbacks(record).fit(X, y)
    assert len(model.net_.history) < 40
    assert record.ended("epoch") == len(model.net_.history)
    assert record.balanced()


@pytest.mark.parametrize("kind", [FusionClassifier, PRIMOClassifier])
def test_scores_are_those_of_a_fit_that_ended_there(kind):
    X, y = make_blocks()
    rng = np.random.default_rng(0)
    w = rng.uniform(0.5, 2, len(y))
    monitor = ScoringMonitor(scoring="neg_log_loss")
    model = kind(**{**NET, "max_epochs": 4})
    expected = clone(model).fit(X, y, sample_weight=w)
    model.set_callbacks(monitor).fit(X, y, sample_weight=w)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    log = monitor.get_logs()
    scores = [row["neg_log_loss"] for row in log.data if row["task_name"] == "epoch"]
    assert len(scores) == 4
    from sklearn.metrics import get_scorer

    scorer = get_scorer("neg_log_loss")
    for epochs in (1, 3):
        short = kind(**{**NET, "max_epochs": epochs}).fit(X, y, sample_weight=w)
        value = scorer(short, X, y, sample_weight=w)
        np.testing.assert_allclose(scores[epochs - 1], value, rtol=1e-6)
    (last,) = [row["neg_log_loss"] for row in log.data if row["task_name"] == "fit"]
    np.testing.assert_allclose(last, scorer(model, X, y, sample_weight=w), rtol=1e-12)


def test_several_nets_are_scored_when_all_are_trained():
    X, y = make_blocks()
    for model in (
        UnimodalEnsemble(**{**NET, "max_epochs": 2}),
        UMEMMAEnsemble(**{**NET, "max_epochs": 2}, finetune_epochs=2),
    ):
        monitor = ScoringMonitor(scoring="accuracy")
        model.set_callbacks(monitor).fit(X, y)
        (row,) = monitor.get_logs().data
        assert row["task_name"] == "fit"
        assert row["accuracy"] == model.score(X, y)


@pytest.mark.slow
def test_nets_side_by_side_are_not_followed_one_by_one():
    X, y = make_blocks()
    record = Record()
    model = UnimodalEnsemble(**{**NET, "max_epochs": 2}, n_jobs=2)
    model.set_callbacks(record).fit(X, y)
    assert record.balanced()
    assert record.ended("fit") == 1


class Boom:
    """Fails in one of the hooks."""

    def __init__(self, hook: str) -> None:
        self.hook = hook
        self.torn = 0

    def setup(self, estimator, context) -> None: ...

    def teardown(self, estimator, context) -> None:
        self.torn += 1

    def on_fit_task_begin(self, estimator, context) -> None:
        self._fail("begin", context)

    def on_fit_task_end(self, estimator, context) -> None:
        self._fail("end", context)

    def _fail(self, hook, context) -> None:
        if (hook, context.task_name) == (self.hook, "epoch"):
            raise RuntimeError("boom")


@pytest.mark.parametrize("hook", ["begin", "end"])
def test_a_callback_that_fails_leaves_nothing(hook):
    X, y = make_blocks()
    boom = Boom(hook)
    model = FusionClassifier(**NET).set_callbacks(boom)
    with pytest.raises(RuntimeError, match="boom"):
        model.fit(X, y)
    assert boom.torn == 1
    assert not hasattr(model, "classes_")
    assert set(vars(model)) == {*model.get_params(deep=False), "_skl_callbacks"}
    # An error of the fit itself ends it as well.
    boom.hook = "never"
    with pytest.raises(ValueError, match="max_epochs"):
        model.set_params(max_epochs=-1).fit(X, y)
    with pytest.raises(ValueError, match=r"inconsistent|length"):
        model.set_params(max_epochs=2).fit(X, y[:-1])
    assert boom.torn == 2


class Count(Callback):
    """A callback of skorch."""

    def on_epoch_end(self, net, **kwargs) -> None:
        self.epochs_ = getattr(self, "epochs_", 0) + 1


def test_callbacks_of_skorch_work_beside():
    X, y = make_blocks()
    count, record = Count(), Record()
    model = FusionClassifier(**NET, callbacks=[count]).set_callbacks(record)
    model.fit(X, y)
    assert count.epochs_ == record.ended("epoch") == NET["max_epochs"]


def test_no_bars_in_a_log():
    pytest.importorskip("rich")
    program = (
        "import numpy as np\n"
        "from sklearn.callback import ProgressBar\n"
        "from skmissing import MultimodalData\n"
        "from skmissing.baselines import FusionClassifier\n"
        "X = MultimodalData({'a': np.arange(40.0).reshape(20, 2)})\n"
        "model = FusionClassifier(max_epochs=3, verbose=1, n_threads=1)\n"
        "model.fit(X, np.arange(20) % 2)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == done.stderr == ""


def test_progress_bars_nest(monkeypatch):
    rich = pytest.importorskip("rich.progress")
    seen: list[str] = []
    add = rich.Progress.add_task

    def add_task(self, description, *args, **kwargs):
        seen.append(str(description))
        return add(self, description, *args, **kwargs)

    monkeypatch.setattr(rich.Progress, "add_task", add_task)
    X, y = make_blocks()
    search = GridSearchCV(
        FusionClassifier(**{**NET, "max_epochs": 2}), {"lr": [1e-2]}, cv=2
    )
    search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, y)
    assert sum("train FusionClassifier" in text for text in seen) == 3
