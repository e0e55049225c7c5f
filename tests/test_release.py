"""Files of a release agree with each other."""

import json
import re
import tomllib
from pathlib import Path

import skmissing

ROOT = Path(__file__).resolve().parents[1]
CONDA_NAMES = {"torch": "pytorch"}


def read(name):
    return (ROOT / name).read_text("utf-8")


def test_the_conda_recipe_needs_what_the_package_needs():
    project = tomllib.loads(read("pyproject.toml"))["project"]
    run = read("conda/recipe.yaml").partition("  run:\n")[2].partition("\n\n")[0]
    listed = re.findall(r"- (\S+) (\S+)", run)
    wanted = [
        re.fullmatch(r"([\w-]+)(.*)", one).groups() for one in project["dependencies"]
    ]
    wanted = [(CONDA_NAMES.get(name, name), bound) for name, bound in wanted]
    assert listed == [("python", project["requires-python"]), *wanted]


def test_versions_agree():
    base = skmissing.__version__.partition(".dev")[0]
    assert f'version: "{base}"' in read("conda/recipe.yaml")
    menu = json.loads(read("docs/_static/versions.json"))
    is_release = base == skmissing.__version__
    shown = base if is_release else "latest"
    assert {shown, "latest"} <= {entry["version"] for entry in menu}
    released = re.findall(r"^## \[?(\d+\.\d+\.\d+)", read("CHANGELOG.md"), re.MULTILINE)
    assert (base in released) == is_release
    cited = re.search(r"^version: (\S+)$", read("CITATION.cff"), re.MULTILINE)
    assert cited
    assert (cited[1] == base) == is_release
