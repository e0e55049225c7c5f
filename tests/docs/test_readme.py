"""Every program of the README prints what the README says, and every command exists."""

import contextlib
import io
import re
import shlex
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", README, re.DOTALL)


def test_each_program_has_its_output():
    assert len(PROGRAMS) == README.count("```python") == 2


@pytest.mark.guide
@pytest.mark.parametrize(("code", "expected"), PROGRAMS, ids=["csv", "figures"])
def test_program(code, expected):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    assert [line.split() for line in out.getvalue().splitlines()] == [
        line.split() for line in expected.splitlines()
    ]
    if "modality_utility" in code:
        # The README says so.
        assert any("overlap" in str(one.message) for one in said)


def test_commands_exist():
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"make (demo|docs|test)\b", README)) == {
        "demo",
        "docs",
        "test",
    }
    assert {"demo", "docs", "test"} <= set(targets)


def test_the_command_of_the_report_takes_these_options(capsys):
    from skmissing.__main__ import main

    (line,) = re.findall(r"^\$ python -m skmissing (.*)$", README, re.MULTILINE)
    with pytest.raises(SystemExit):
        main(["report", "--help"])
    known = capsys.readouterr().out
    assert all(o in known for o in shlex.split(line) if o.startswith("--"))


@pytest.mark.slow
def test_the_command_of_the_report_writes_it(tmp_path, monkeypatch):
    from skmissing.__main__ import main

    (line,) = re.findall(r"^\$ python -m skmissing (.*)$", README, re.MULTILINE)
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(200, 3)), columns=["age", "na", "ph"])
    table["died"] = (table["age"] + rng.normal(size=200) > 0).astype(int)
    table.loc[rng.random(200) < 0.4, "ph"] = np.nan
    monkeypatch.chdir(tmp_path)
    table.to_csv("patients.csv", index=False)
    spec = '[modalities]\nhistory = ["age"]\nblood = ["na"]\ngas = ["ph"]\n'
    Path("spec.toml").write_text(spec, encoding="utf-8")
    main(shlex.split(line))
    assert "patients" in Path("report.html").read_text("utf-8")


@pytest.mark.parametrize(
    "name",
    sorted(
        set(
            re.findall(
                r"`((?:\w+\.)*\w+)`",
                README.partition("| --- |")[2].partition("\n\n")[0],
            )
        )
    ),
)
def test_names_of_the_table_exist(name):
    import importlib

    thing = importlib.import_module("skmissing")
    for part in name.removeprefix("skmissing.").split("."):
        assert hasattr(thing, part)
        thing = getattr(thing, part)


def test_it_is_short():
    prose = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    assert len(prose.split()) < 800
