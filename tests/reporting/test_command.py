"""From a stranger's file to a page, by one command."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import skmissing
from skmissing.__main__ import main
from skmissing.reporting import ModalityReport, _command
from skmissing.reporting._spec import read_spec

from .conftest import make_table

SPEC = """
groups = "ward"
weights = "weight"
index = "id"
ignore = ["later_*"]

[modalities]
basic = ["age"]
labs = ["na", "lab_*"]
scan = "size"
"""
COLUMNS = pd.Index(
    ["id", "age", "na", "lab_k", "lab_label", "size", "ward", "weight", "later_1",
     "site"]
)  # fmt: skip


def write(folder, text):
    path = folder / "spec.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_spec(tmp_path):
    spec = read_spec(write(tmp_path, SPEC), COLUMNS, "lab_label")
    assert spec.modalities == {
        "basic": ["age"], "labs": ["na", "lab_k"], "scan": ["size"]
    }  # fmt: skip
    assert (spec.groups, spec.weights, spec.row_names) == ("ward", "weight", "id")
    assert spec.ignore == ["later_1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = ", "expected a TOML file"),
        ("x = 1\n[modalities]\na=['age']\nb=['na']", "Got the key 'x'"),
        ("[modalities]\na=['age']", "Got no two modalities"),
        ("modalities = 3", "Got no two modalities"),
        ("[modalities]\na=['agee']\nb=['na']", "Got the column 'agee' in 'a'"),
        ("[modalities]\na=[3]\nb=['na']", "Got the column 3 in 'a'"),
        ("[modalities]\na=['zz*']\nb=['na']", r"Got the prefix 'zz\*' in 'a'"),
        ("[modalities]\na={}\nb=['na']", r"Got {} in 'a', expected a list"),
        ("[modalities]\na=['age']\nb=['age']", "'age' in 'b' and in 'a', expected it"),
        ("[modalities]\na=['died']\nb=['age']", "'died' in 'a' and in 'the label'"),
        ("groups='w'\n[modalities]\na=['na']\nb=['age']", "column 'w' in 'groups'"),
        ("ignore=['age']\n[modalities]\na=['na']\nb=['age']", "and in 'ignore'"),
    ],
)
def test_bad_spec(tmp_path, text, message):
    columns = pd.Index(["age", "na", "died"])
    with pytest.raises(ValueError, match=message):
        read_spec(write(tmp_path, text), columns, "died")


def test_command(tmp_path, monkeypatch, capsys, page):
    """What reaches the function; the page itself is tested elsewhere."""
    seen = {}

    def stand_in(estimator, X, y, **options):
        seen.update(options, estimator=estimator, X=X, y=y)
        return page

    monkeypatch.setattr(_command, "report", stand_in)
    X, y, groups = make_table(40)
    table = pd.DataFrame(
        {"id": np.arange(40), "age": X["age"], "na": X["na"], "lab_k": 1.0,
         "size": 2.0, "ward": groups, "weight": 1.5, "later_1": "x", "site": "a",
         "died": y}
    )  # fmt: skip
    table.to_csv(tmp_path / "data.csv.gz", index=False)
    out = tmp_path / "report.html"
    code = main(
        ["report", str(tmp_path / "data.csv.gz"), "--label", "died", "--modalities",
         str(write(tmp_path, SPEC)), "--out", str(out), "--seed", "4", "--folds", "2",
         "--bootstraps", "30", "--verbose"]
    )  # fmt: skip
    assert code == 0
    assert out.read_text("utf-8") == page.to_html()
    printed = capsys.readouterr().out
    assert page.findings[0] in printed
    assert seen["estimator"] is None
    assert list(seen["X"]) == ["age", "na", "lab_k", "size", "site"]
    assert seen["X"].index.name == "id"
    assert seen["groups"].tolist() == groups.tolist()
    assert set(seen["sample_weight"]) == {1.5}
    assert (seen["random_state"], seen["cv"]) == (4, 2)
    assert (seen["n_bootstraps"], seen["verbose"]) == (30, 1)
    np.testing.assert_array_equal(seen["y"], y)


@pytest.mark.parametrize(
    ("index", "names"),
    [("", ["u (1)", "u (2)", "v"]), ("index = 'ward'", ["u", "u", "v"]),
     ("index = 'id'", [7, 8, 9])],
)  # fmt: skip
def test_groups_name_the_rows(tmp_path, monkeypatch, page, index, names):
    seen = {}

    def stand_in(estimator, X, y, **options):
        seen.update(options, X=X)
        return page

    monkeypatch.setattr(_command, "report", stand_in)
    table = pd.DataFrame({"id": [7, 8, 9], "ward": list("uuv"), "a": 1, "b": 2, "y": 0})
    table.to_csv(tmp_path / "d.csv", index=False)
    spec = f"groups = 'ward'\n{index}\n[modalities]\na = ['a']\nb = ['b']"
    given = ["report", str(tmp_path / "d.csv"), "--label", "y", "--modalities"]
    given += [str(write(tmp_path, spec)), "--out", str(tmp_path / "r.html")]
    assert main(given) == 0
    assert seen["X"].index.tolist() == names
    assert seen["groups"].tolist() == ["u", "u", "v"]
    assert not {"ward"} & set(seen["X"])
    assert ("id" in seen["X"]) == ("id" not in index)
    assert (seen["n_bootstraps"], seen["verbose"]) == (50, 0)


def test_errors_are_one_line(tmp_path, capsys):
    pd.DataFrame({"age": [1.0], "na": [2.0]}).to_csv(tmp_path / "d.csv", index=False)
    spec, out = str(tmp_path / "none.toml"), str(tmp_path / "r.html")
    given = ["report", str(tmp_path / "d.csv"), "--label", "died", "--modalities", spec]
    given += ["--out", out]
    assert main(given) == 2
    assert capsys.readouterr().err == (
        "skmissing report: Got label 'died', expected one of ['age', 'na'].\n"
    )
    given[3] = "na"
    assert main(given) == 2
    assert "No such file" in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()


def test_versions_without_a_command():
    done = subprocess.run(
        [sys.executable, "-m", "skmissing"], capture_output=True, text=True, check=True
    )
    assert f"skmissing {skmissing.__version__}\n" in done.stdout
    assert "scikit-learn" in done.stdout


def test_names_at_the_top():
    assert skmissing.ModalityReport is ModalityReport
    assert callable(skmissing.report)
    assert skmissing.report.__module__ == "skmissing.reporting._report"
