#!/usr/bin/env -S uv run --script
# /// script
# dependencies = ["nox>=2024.4.15"]
# ///
"""The commands of the Makefile on several versions of Python.

``nox`` runs the lint and the tests, ``nox -s "tests(3.12)"`` those of one version. Each
session has a virtual environment of its own in ``.nox``, which make builds.
"""

import nox

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "none"


def make(session: nox.Session, target: str, environment: str, *variables: str) -> None:
    session.run("make", target, f"VENV=.nox/{environment}", *variables, external=True)


@nox.session
@nox.parametrize("version", [nox.param(v, id=v) for v in ("3.11", "3.12", "3.13")])
def tests(session: nox.Session, version: str) -> None:
    """Run the tests."""
    make(session, "test", f"tests-{version}", f"PYTHON=python{version}")


@nox.session(default=False)
def oldest(session: nox.Session) -> None:
    """Run the tests with the oldest versions that pyproject.toml allows."""
    constraints = "CONSTRAINTS=-c constraints-oldest.txt"
    make(session, "test", "oldest", "PYTHON=python3.11", constraints)


@nox.session
def lint(session: nox.Session) -> None:
    """Run ruff, mypy, the contracts of the imports and codespell."""
    make(session, "lint", "lint")


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Build the documentation."""
    make(session, "docs", "docs")


if __name__ == "__main__":
    nox.main()
