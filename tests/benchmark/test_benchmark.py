"""Protocol, files of predictions, mechanisms and tables of the benchmark."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, brier_score_loss, roc_auc_score

from skmissing import MultimodalData
from skmissing.baselines import PatternClassifier
from skmissing.benchmark import CriticalDifferenceDisplay, leaderboard, load_scores, run
from skmissing.benchmark import __main__ as command
from skmissing.benchmark.__main__ import _publish, main
from skmissing.benchmark._cells import Cell
from skmissing.benchmark._critical_difference_display import find_groups
from skmissing.benchmark._datasets import DATASETS
from skmissing.benchmark._estimators import ESTIMATORS, Entry
from skmissing.benchmark._leaderboard import critical_difference
from skmissing.benchmark._mechanisms import (
    MECHANISMS,
    choose_driver,
    main_direction,
    source_propensities,
)
from skmissing.benchmark._scores import score
from skmissing.benchmark._tasks import make_task
from skmissing.exceptions import FailedCellWarning

NEWCOMER = Path(__file__).with_name("newcomer.py")


def toy(seed):
    """Three blocks that know of the label, in groups of five rows."""
    rng = np.random.default_rng(seed)
    y = np.arange(400) % 2
    blocks = {n: y[:, None] + rng.normal(size=(400, 2)) for n in ("a", "b", "c")}
    return blocks, np.array(["no", "yes"])[y], np.arange(400) // 5


def imputed():
    return ESTIMATORS["imputed logistic"].make()


def run_toy(cache, estimators=None, seeds=1, **options):
    given = {"one": imputed(), "two": PatternClassifier()}
    mechanisms = options.pop("mechanisms", ["mcar"])
    return run(
        estimators or given, {"toy": toy}, mechanisms, seeds, cache=cache, **options
    )


# -- tasks -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(DATASETS))
def test_every_data_set_makes_a_task(name):
    task = make_task(DATASETS[name](0), MECHANISMS["mcar"], 0, f"{name}/mcar")
    assert {"as trained", "complete", "one left"} <= set(task.tests)
    assert len(set(task.y)) == task.n_classes
    assert len(task.X) <= 1200
    assert all(len(t.y) <= 800 for t in task.tests.values())
    assert all(b.dtype.kind in "fiub" for b in task.X.blocks.values())


@pytest.mark.parametrize("name", ["polymnist_mini", "av_digits"])
def test_groups_are_not_divided(name):
    _, _, groups = DATASETS[name](0)
    marked = {"id": np.asarray(pd.factorize(groups)[0], dtype=float)[:, None]}
    y = np.arange(len(groups)) % 2
    task = make_task((marked, y, groups), MECHANISMS["none"], 0, name)
    test = np.asarray(task.tests["complete"].X["id"])
    assert not set(task.X["id"].ravel()) & set(test.ravel())


@pytest.mark.parametrize("seed", range(3))
def test_rows_are_split_and_seeds_differ(seed):
    def numbered(_):
        number = np.arange(300.0)[:, None]
        return {"a": number, "b": number, "c": number}, np.arange(300) % 3, None

    def rows(seed, mechanism="mcar"):
        task = make_task(numbered(0), MECHANISMS[mechanism], seed, f"toy/{mechanism}")
        return task.X["a"].ravel(), task.tests["complete"].X["a"].ravel()

    train, test = rows(seed)
    assert not set(train) & set(test)
    assert len(set(test)) == 120
    np.testing.assert_array_equal(rows(seed)[1], test)
    assert set(rows(seed + 1)[1]) != set(test)
    # Mechanisms hide from the same rows.
    np.testing.assert_array_equal(rows(seed, "none")[1], test)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("mechanism", ["mcar", "unbalanced", "mnar", "transplanted"])
def test_an_unseen_pattern_is_in_no_training_row(mechanism, seed):
    task = make_task(toy(seed), MECHANISMS[mechanism], seed, f"toy/{mechanism}")
    wanted = np.isin(task.X.names, task.unseen)
    assert wanted.sum() == 2
    assert not (task.X.present == wanted).all(axis=1).any()
    assert not (task.tests["as trained"].X.present == wanted).all(axis=1).any()
    assert (task.tests["unseen pattern"].X.present == wanted).all()


def test_conditions_by_hand():
    task = make_task(toy(0), MECHANISMS["mcar"], 0, "toy/mcar")
    assert task.tests["complete"].X.present.all()
    left = task.tests["one left"].X.present
    assert (left.sum(axis=1) == 1).all()
    # Each modality is left in a third of the rows, within four standard errors.
    bound = 4 * np.sqrt(2 / 9 / len(left))
    np.testing.assert_allclose(left.mean(axis=0), 1 / 3, atol=bound)
    # Nothing is hidden: as trained would be complete a second time.
    none = make_task(toy(0), MECHANISMS["none"], 0, "toy/none")
    assert set(none.tests) == {"complete", "one left", "unseen pattern"}


# -- mechanisms ------------------------------------------------------------------------


def blocks(n, seed):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n, 1))
    return MultimodalData({k: common + rng.normal(size=(n, 3)) for k in "abcd"})


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "mechanism", ["mcar", "unbalanced", "mar_label", "mnar", "mar"]
)
def test_rates_are_hit(mechanism, seed):
    data, y = blocks(3000, seed), np.arange(3000) % 2
    rates = MECHANISMS[mechanism](data, y, seed).mean(axis=0)
    expected = np.full(4, 0.4)
    if mechanism == "unbalanced":
        rates, expected = np.sort(rates), [0.1, 0.3, 0.5, 0.7]
    if mechanism == "mar":
        expected[data.names.index(choose_driver(data, seed))] = 0.0
    # Four standard errors of a share.
    np.testing.assert_allclose(rates, expected, atol=4 * np.sqrt(0.25 / 3000))


def test_missingness_depends_on_the_label_alone():
    data, y = blocks(4000, 0), np.arange(4000) % 2
    hidden = MECHANISMS["mar_label"](data, y, 0)
    gap = hidden[y == 1].mean(axis=0) - hidden[y == 0].mean(axis=0)
    assert (np.abs(gap) > 0.2).all()
    plain = MECHANISMS["mcar"](data, y, 0)
    gap = plain[y == 1].mean(axis=0) - plain[y == 0].mean(axis=0)
    assert (np.abs(gap) < 4 * 2 * np.sqrt(0.25 / 4000)).all()


@pytest.mark.parametrize("seed", range(3))
def test_transplanted_missingness_depends_on_data_as_that_of_its_source(seed):
    severity, propensity = source_propensities()
    data = blocks(4000, seed)
    hidden = MECHANISMS["transplanted"](data, np.zeros(4000), seed)
    driver = choose_driver(data, seed)
    tests = np.random.default_rng(seed).permutation(propensity.shape[1])
    score = main_direction(data[driver])
    fifths = [np.argsort(v, kind="stable") for v in (score, severity)]
    for k, name in enumerate(n for n in data.names if n != driver):
        ours = hidden[:, data.names.index(name)].astype(float)
        theirs = 1 - propensity[:, tests[k]]
        ours, theirs = (
            np.array([part.mean() for part in np.array_split(values[at], 5)])
            for values, at in zip((ours, theirs), fifths)
        )
        np.testing.assert_allclose(ours, theirs, atol=4 * np.sqrt(0.25 / 800))
    assert not hidden[:, data.names.index(driver)].any()
    # The rates of the source, which its propensities match.
    np.testing.assert_allclose(
        1 - propensity.mean(axis=0), [0.225, 0.251, 0.474, 0.227, 0.179], atol=0.02
    )


# -- scores ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_those_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    p, y = rng.random(50).round(1), rng.integers(2, size=50)
    found = score(np.column_stack([1 - p, p]), y)
    assert found["accuracy"] == accuracy_score(y, p > 0.5)
    assert found["auc"] == pytest.approx(roc_auc_score(y, p))
    # That of two classes counts both.
    assert found["brier"] == pytest.approx(2 * brier_score_loss(y, p))
    assert score(np.array([[1.0, 0.0]]), np.array([1]))["log_loss"] == pytest.approx(
        -np.log(1e-4)
    )


def test_scores_of_a_cell_by_hand(tmp_path):
    whole = run_toy(tmp_path)
    parts = run_toy(tmp_path, by_pattern=True)
    key = ["estimator", "condition"]
    for at, rows in parts.groupby(key):
        row = whole.set_index(key).loc[at]
        assert rows["n_rows"].sum() == row["n_rows"]
        mean = np.average(rows["accuracy"], weights=rows["n_rows"])
        assert mean == pytest.approx(row["accuracy"])
        large = rows[rows["n_rows"] >= 30]
        assert large["accuracy"].min() == row["worst_accuracy"]
        assert row["worst_pattern"] in large["pattern"].tolist()


# -- files -----------------------------------------------------------------------------


class Counting(ClassifierMixin, BaseEstimator):
    """Appends a line to a file in each fit."""

    def __init__(self, log="", level=0.5):
        self.log, self.level = log, level

    def fit(self, X, y):
        if self.level > 1:
            raise ValueError("Got a level above 1.")
        with Path(self.log).open("a") as file:
            file.write("fit\n")
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.tile([1 - self.level, self.level], (len(X), 1))


def test_runs_resume_and_other_parameters_are_other_files(tmp_path):
    log = tmp_path / "log"

    def count(level=0.5, **options):
        given = {"count": Counting(str(log), level)}
        scores = run_toy(tmp_path / "cache", given, **options)
        return log.read_text().count("fit"), scores

    first, scores = count(seeds=2)
    assert first == 2
    again, same = count(seeds=2)
    assert again == 2
    pd.testing.assert_frame_equal(scores, same)
    # Whatever of a run is there is used.
    sorted((tmp_path / "cache").rglob("seed1/*.npz"))[0].unlink()
    assert count(seeds=3)[0] == 4
    assert count(level=0.4, seeds=1)[0] == 5
    assert count(n_trials=2, seeds=1)[0] > 5


def test_seeds_do_not_depend_on_others(tmp_path):
    alone = run_toy(tmp_path / "a", seeds=[1])
    both = run_toy(tmp_path / "b", seeds=[0, 1])
    late = both[both["seed"] == 1].reset_index(drop=True)
    pd.testing.assert_frame_equal(
        alone.drop(columns="seconds"), late.drop(columns="seconds"), check_like=True
    )
    early = both[both["seed"] == 0].reset_index(drop=True)
    assert (late["log_loss"] != early["log_loss"]).all()


def test_search_takes_the_best_of_its_trials(tmp_path):
    entry = Entry(lambda: LogisticRegression(C=1e-9), {"C": [1.0]})
    tuned = run_toy(tmp_path, {"logistic": entry}, n_trials=2)
    plain = run_toy(tmp_path, {"logistic": entry})
    assert set(tuned["estimator"]) == {"logistic (tuned)"}
    # With the defaults every row gets the share of its class.
    assert (plain["log_loss"] > 0.69).all()
    assert (tuned["log_loss"] < plain["log_loss"]).all()
    # A single trial is the default.
    once = run_toy(tmp_path, {"logistic": entry}, n_trials=1)
    np.testing.assert_array_equal(once["log_loss"], plain["log_loss"])


def test_a_failure_is_a_result(tmp_path):
    given = {"fails": Counting(level=2.0), "one": imputed()}
    with pytest.warns(FailedCellWarning, match="'fails' in 1 cells.*a level above 1"):
        scores = run_toy(tmp_path, given)
    assert scores[scores["estimator"] == "fails"]["accuracy"].isna().all()
    table = leaderboard(scores).set_index("estimator")
    assert table.loc["fails", "mean_rank"] == 2
    assert table.loc["fails", "losses"] == 1


# -- tables ----------------------------------------------------------------------------


def made_scores(values):
    """Scores of estimators by data set, mechanism and seed."""
    return pd.DataFrame(
        [
            {
                "estimator": label, "dataset": d, "mechanism": "mcar", "seed": s,
                "condition": "complete", "accuracy": v, "worst_accuracy": v,
                "seconds": 1.0,
            }
            for label, by_data in values.items()
            for d, by_seed in by_data.items()
            for s, v in enumerate(by_seed)
        ]
    )  # fmt: skip


def test_leaderboard_by_hand():
    scores = made_scores(
        {
            "a": {"x": [0.8, 0.9, 0.7], "y": [0.6, 0.6, 0.6]},
            "b": {"x": [0.7, 0.7, 0.7], "y": [0.6, 0.5, 0.7]},
            "c": {"x": [0.9, 0.9, 0.9], "y": [0.5, 0.5, 0.5]},
        }
    )
    table = leaderboard(scores, reference="b").set_index("estimator")
    # x: c, a, b; y: a and b, c.
    assert table["mean_rank"].to_dict() == {"a": 1.75, "c": 2.0, "b": 2.25}
    # a - b on x: .1, .2, 0 with a standard error of .1 / sqrt(3); on y 0, .1, -.1.
    assert table.loc["a", ["wins", "ties", "losses"]].tolist() == [1, 1, 0]
    assert table.loc["a", "difference"] == pytest.approx(0.05)
    assert table.loc["a", "std_error"] == pytest.approx(0.05)
    # c - b on x: .2 three times; on y -.1, 0, -.2.
    assert table.loc["c", ["wins", "ties", "losses"]].tolist() == [1, 0, 1]
    assert table.loc["c", "value"] == pytest.approx(0.7)
    assert table.attrs["n_datasets"] == 2
    # 12 N / (k (k + 1)) sum (R - 2)^2 = 0.25 with 2 degrees of freedom.
    assert table.attrs["friedman_p"] == pytest.approx(np.exp(-0.125))


def test_losses_of_a_metric_that_is_to_be_small():
    scores = made_scores({"a": {"x": [0.3, 0.3]}, "b": {"x": [0.5, 0.6]}})
    scores["log_loss"] = scores["accuracy"]
    table = leaderboard(scores, metric="log_loss")
    assert table["estimator"].tolist() == ["a", "b"]
    assert table["value"].tolist() == pytest.approx([0.3, 0.55])
    assert table["difference"].tolist() == pytest.approx([0, -0.25])
    assert table["losses"].tolist() == [0, 1]


def test_only_shared_cells_are_compared():
    scores = made_scores({"a": {"x": [0.9], "y": [0.1]}, "b": {"x": [0.8]}})
    table = leaderboard(scores)
    assert table["value"].tolist() == [0.9, 0.8]
    # A single cell has no standard error.
    assert table["ties"].tolist() == [1, 1]
    assert table["std_error"].isna().all()
    with pytest.raises(ValueError, match="without a cell that all estimators share"):
        leaderboard(made_scores({"a": {"x": [0.9]}, "b": {"y": [0.8]}}))


@pytest.mark.parametrize(
    ("k", "q"), [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (10, 3.164)]
)
def test_critical_difference_of_the_table(k, q):
    # Demsar 2006, table 5(a): q at level 0.05.
    assert critical_difference(k, 14, 0.05) == pytest.approx(
        q * np.sqrt(k * (k + 1) / (6 * 14)), rel=5e-4
    )


def test_critical_difference_of_the_example():
    # Demsar 2006, section 3.2.2: four algorithms on 14 data sets, q = 2.291 at 0.10.
    assert critical_difference(4, 14, 0.05) == pytest.approx(1.25, abs=0.01)
    assert critical_difference(4, 14, 0.10) == pytest.approx(1.12, abs=0.01)


def test_groups_of_the_picture():
    pytest.importorskip("matplotlib")
    ranks = np.array([1.0, 1.5, 2.4, 3.9])
    assert find_groups(ranks, 1.0) == [(0, 1), (1, 2)]
    assert find_groups(ranks, 10.0) == [(0, 3)]
    table = pd.DataFrame({"estimator": list("abcd"), "mean_rank": ranks})
    display = CriticalDifferenceDisplay.from_predictions(table, critical_difference=1.0)
    assert display.groups_ == [["a", "b"], ["b", "c"]]
    np.testing.assert_array_equal(display.points_.get_offsets()[:, 0], ranks)
    assert [bar.get_ydata().tolist() for bar in display.bars_] == [
        [-0.2, 1.2],
        [0.8, 2.2],
    ]
    with pytest.raises(ValueError, match="without attrs"):
        CriticalDifferenceDisplay.from_predictions(table)


# -- newcomers -------------------------------------------------------------------------


def test_a_file_of_thirty_lines_adds_a_row(tmp_path):
    assert len(NEWCOMER.read_text().splitlines()) <= 30
    done = subprocess.run(
        [
            sys.executable, "-m", "skmissing.benchmark", "run", str(NEWCOMER),
            "--datasets", "breast_cancer", "--mechanisms", "mcar", "--seeds", "1",
            "--n-jobs", "1",
        ],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "naive Bayes *" in done.stdout
    assert "pattern models  " in done.stdout
    assert f"* from {NEWCOMER}" in done.stdout
    assert "counted as ties" in done.stdout
    assert len(list(tmp_path.rglob("*.npz"))) == 1


def test_another_file_is_fitted_anew(tmp_path, capsys):
    """Also where class and parameters stay, such as after a change of a net."""
    file = tmp_path / "mine.py"
    file.write_text(NEWCOMER.read_text())
    options = [
        "run", str(file), "--alone", "--datasets", "breast_cancer", "--mechanisms",
        "mcar", "--seeds", "1", "--n-jobs", "1", "--cache", str(tmp_path),
    ]  # fmt: skip
    for n_files, text in ((1, ""), (1, ""), (2, "\n# Another net.")):
        file.write_text(file.read_text() + text)
        assert main(options) == 0
        assert len(list(tmp_path.rglob("*.npz"))) == n_files
        # A single estimator cannot be compared; its scores are shown.
        assert "one left" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "expected"), [([], None), (["--seeds", "3"], [0, 1, 2])]
)
def test_seeds_are_those_of_the_scores(monkeypatch, options, expected):
    """Others could not be compared."""
    asked = []

    def stop(estimators, datasets, mechanisms, seeds, **_):
        asked.extend(seeds)
        raise InterruptedError

    monkeypatch.setattr(command, "run", stop)
    with pytest.raises(InterruptedError):
        main(["run", str(NEWCOMER), *options])
    assert asked == (expected or sorted(load_scores()["seed"].unique()))


def test_a_label_of_the_package_stands_beside_its_row(tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text(NEWCOMER.read_text().replace("naive Bayes", "pattern models"))
    options = [
        "run", str(file), "--datasets", "breast_cancer", "--mechanisms", "mcar",
        "--seeds", "1", "--n-jobs", "1", "--cache", str(tmp_path),
    ]  # fmt: skip
    assert main(options) == 0
    table = capsys.readouterr().out
    assert "pattern models *" in table
    assert "pattern models  " in table


def test_published_scores_are_added_to(tmp_path):
    """Cells that are run again are replaced, others stay; without add, they go."""
    old = pd.DataFrame(load_scores())
    again = old.iloc[:2].assign(accuracy=0.5, error=None)
    other = again.assign(seed=1000)
    ours = pd.concat([again, other])
    path = tmp_path / "scores.csv.gz"
    _publish(ours, path, add=True)
    added = pd.read_csv(path)
    assert len(added) == len(old) + 2
    assert (added["accuracy"].iloc[-4:] == 0.5).all()
    pd.testing.assert_frame_equal(
        added.iloc[:-4].reset_index(drop=True), old.iloc[2:].reset_index(drop=True)
    )
    _publish(ours, path, add=False)
    assert len(pd.read_csv(path)) == 4


def test_shipped_scores_are_of_the_default_rows():
    scores = load_scores()
    assert set(scores["estimator"]) <= set(ESTIMATORS)
    assert set(scores["dataset"]) == set(DATASETS)
    assert scores["accuracy"].between(0, 1).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"estimators": ["nobody"]}, "in estimators, expected some of"),
        ({"datasets": []}, "in datasets, expected some of"),
        ({"mechanisms": "often"}, "in mechanisms, expected some of"),
        ({"seeds": 0}, "seeds=0, expected at least one seed"),
        ({"n_trials": -1}, "n_trials=-1, expected an integer"),
    ],
)
def test_errors_of_run(options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        run(**options, cache=tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "beauty"}, "metric='beauty', expected one of"),
        ({"conditions": "dry"}, "conditions='dry', expected some of"),
        ({"reference": "z"}, "reference='z', expected one of"),
    ],
)
def test_errors_of_leaderboard(options, message):
    scores = made_scores({"a": {"x": [0.9]}, "b": {"x": [0.8]}})
    with pytest.raises(ValueError, match=message):
        leaderboard(scores, **options)
    with pytest.raises(ValueError, match="Got 1 estimators"):
        leaderboard(scores[scores["estimator"] == "a"])


def test_default_rows_can_be_made_and_tuned():
    for label, entry in ESTIMATORS.items():
        model = entry.make()
        for name, values in entry.space.items():
            model.set_params(**{name: values[0]})
        cell = Cell(label, entry, "toy", toy, "mcar", MECHANISMS["mcar"], 0, 0)
        assert cell.path(Path("x")).suffix == ".npz"
