"""Importing, the public names, documentation of the public objects."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import io
import pkgutil
import subprocess
import sys
import tokenize

import pytest
from numpydoc.validate import validate

import skmissing

NO_CODE = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
    tokenize.ENDMARKER,
}  # fmt: skip
MODULES = [
    info.name
    for info in pkgutil.walk_packages(skmissing.__path__, "skmissing.")
    if "._" not in info.name
]


def run(code: str, *flags: str) -> str:
    done = subprocess.run(
        [sys.executable, *flags, "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_is_light():
    heavy = "{'torch', 'sklearn', 'matplotlib', 'pandas', 'skorch'} & set(sys.modules)"
    code = f"import sys, skmissing; assert not {heavy}, {heavy}"
    run(code, "-W", "error")


def test_matplotlib_and_the_documentation_tools_are_optional():
    blocked = ["matplotlib", "sphinx", "numpydoc", "sphinx_gallery", "pytest"]
    code = f"""
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked}:
            raise ImportError(name)
sys.meta_path.insert(0, Block())
import importlib
for name in {MODULES}:
    importlib.import_module(name)
import numpy as np
from skmissing.baselines import FusionClassifier
X, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2
FusionClassifier(max_epochs=1, n_threads=1).fit(X, y).predict(X)
assert not set({blocked}) & set(sys.modules)
"""
    run(code)


def test_what_has_no_net_needs_no_torch():
    run(
        "import sys, skmissing.modalities, skmissing.missingness, skmissing.datasets\n"
        "import skmissing.recovery\n"
        "assert 'torch' not in sys.modules"
    )


def test_public_names():
    assert skmissing.__version__
    for name in skmissing.__all__:
        assert getattr(skmissing, name) is not None
    assert set(skmissing.__all__) <= set(dir(skmissing))
    with pytest.raises(AttributeError, match="nothing"):
        _ = skmissing.nothing


def public_objects():
    for module_name in ["skmissing", *MODULES]:
        module = importlib.import_module(module_name)
        for name in getattr(module, "__all__", []):
            thing = getattr(module, name)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                yield pytest.param(thing, id=f"{module_name}.{name}")


# Section order, summaries and parameters are checked; these are matters of taste.
RELAXED = {
    "ES01",  # no extended summary
    "EX01",  # no example: demanded below where it is due
    "GL01",  # summary on the first line
    "GL02",
    "GL03",
    "RT02",  # a single return value may be named
    "RT03",  # `self` needs no description
    "SA01",  # no See Also
    "SA04",  # a See Also entry without description
    "SS05",  # infinitive
    "SS06",  # summary in one line
    "PR09",  # closing period
    "YD01",
}


# Made by functions of the package, not by users: attributes are documented instead.
RESULTS = {"ComplementaryInformation", "SimulatedMissingness", "UtilityScores"}


@pytest.mark.parametrize("thing", list(public_objects()))
def test_docstrings_follow_numpydoc(thing):
    names = [f"{thing.__module__}.{thing.__qualname__}"]
    if inspect.isclass(thing) and not issubclass(thing, Warning):
        names += [
            f"{names[0]}.{name}"
            for name, member in inspect.getmembers(thing, inspect.isfunction)
            if not name.startswith("_")
            # Inherited ones are documented, too, where they are of the package.
            and member.__module__.startswith("skmissing.")
            # An override without a docstring of its own inherits it.
            and (member.__doc__ or not inspect.getdoc(getattr(thing, name)))
        ]
    for name in names:
        relaxed = RELAXED | ({"PR01"} if thing.__name__ in RESULTS else set())
        errors = [e for e in validate(name)["errors"] if e[0] not in relaxed]
        assert not errors, f"{name}: {errors}"
    if not (inspect.isclass(thing) and issubclass(thing, Warning)):
        assert ">>>" in (inspect.getdoc(thing) or ""), f"{names[0]} has no example"


def private_modules():
    return [
        info.name for info in pkgutil.walk_packages(skmissing.__path__, "skmissing.")
    ]


@pytest.mark.parametrize("name", private_modules())
def test_docstring_examples_run(name):
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    result = doctest.testmod(importlib.import_module(name), optionflags=flags)
    if "matplotlib.pyplot" in sys.modules:
        # More than twenty open ones are an error.
        sys.modules["matplotlib.pyplot"].close("all")
    assert result.failed == 0


def code_lines(source):
    """Lines of code, without docstrings, comments and blank lines."""
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                lines.difference_update(range(first.lineno, first.end_lineno + 1))
    return len(lines)


@pytest.mark.parametrize("name", private_modules())
def test_modules_and_functions_stay_short(name):
    source = inspect.getsource(importlib.import_module(name))
    assert code_lines(source) <= 400
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("_"):
            given = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
            own = [arg for arg in given if arg.arg not in ("self", "cls")]
            assert len(own) <= 8 or node.name == "__init__", node.name
