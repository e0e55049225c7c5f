"""Which versions wrote a file, and whether the ones that are installed can read it."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterable
from typing import Any

from .. import __version__
from ..exceptions import ModelFileError

_LIBRARIES = ("numpy", "scikit-learn", "scipy", "skorch", "torch")
FORMAT_VERSION = 1


def current_versions() -> dict[str, str]:
    """Versions of what a model is made of."""
    out = {"python": platform.python_version(), "skmissing": __version__}
    for library in _LIBRARIES:
        try:
            out[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    return out


def check_versions(header: dict[str, Any], names: Iterable[str]) -> None:
    """Refuse a file whose state means something else in the installed versions.

    scikit-learn changes its private state from one minor version to the next, as this
    package does; torch's modules keep theirs within a major version.
    """
    number = header.get("format_version")
    if number != FORMAT_VERSION:
        raise ModelFileError(
            f"Got a file of format version {number!r}, expected {FORMAT_VERSION}; load "
            "it with the version of skmissing that wrote it."
        )
    theirs, ours = header.get("versions"), current_versions()
    if not isinstance(theirs, dict):
        raise ModelFileError("Got no versions in the file, expected a saved model.")
    roots = {name.partition(".")[0] for name in names}
    checked = {"skmissing": 2}
    if "sklearn" in roots:
        checked["scikit-learn"] = 2
    if "torch" in roots:
        checked["torch"] = 1
    for library, depth in checked.items():
        wrote, have = str(theirs.get(library)), ours.get(library, "none")
        if wrote.split(".")[:depth] != have.split(".")[:depth]:
            series = ".".join(wrote[:20].split(".")[:depth])
            raise ModelFileError(
                f"Got a file written with {library} {wrote[:20]}, expected "
                f"{library} {have}, which is installed; load it with {series}, or fit "
                "and save the model again."
            )
