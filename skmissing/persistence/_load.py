"""From the table in a file back to an estimator."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from ..exceptions import ModelFileError
from ._archive import Archive
from ._names import Trusted, is_allowed, resolve, shorten_names
from ._parts import get_part
from ._save import MAX_DEPTH
from ._versions import check_versions

# What a bound method in a model may be.
_METHODS = frozenset(
    {"decision_function", "predict", "predict_log_proba", "predict_proba", "transform"}
)
# Whose values can be chosen to be equal under hash, which is slow among many.
_TUPLE_KEYS = 10_000
# Objects may be parts of several others. How many there would be if each had parts of
# its own, for each row of the table and at least: more is no model, but a way to make
# whoever walks through it walk for ever.
_SHARING, _SMALL = 50, 10**6
# Names of a file that an error shows.
_SHOWN = 40
# Names in the call that would read it; more are not written twice.
_CALLED = 5
_RESTORES = frozenset({"sklearn.isotonic.IsotonicRegression"})


def load(path: str | os.PathLike, *, trusted=None) -> BaseEstimator:
    """Read an estimator from a file that ``skmissing.save`` has written.

    No code in the file is executed. It can name classes of this package, estimators of
    scikit-learn, layers and optimizers of torch, numpy's types, and a short list of
    functions; anything else only if you trust it by name. A model that was trained on a
    GPU predicts on the CPU where there is none.

    Parameters
    ----------
    path : str or path
        The file.
    trusted : collection of classes, functions or their full names, default=None
        What the file may name beside these, such as your own ``torch.nn.Module``. A
        name that ends in ``.*``, such as ``"skrub.*"``, trusts every class and function
        that a package defines. Modules of trusted names are imported.

    Returns
    -------
    estimator

    Raises
    ------
    ModelFileError
        For a file that is damaged, is not a saved model, names what is not trusted, or
        was written by versions that mean something else by the same state.
    OSError
        If the file cannot be opened.

    See Also
    --------
    save : Write such a file.

    Notes
    -----
    A file cannot execute code, but the model in it can predict anything: load models
    only from people you trust.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import skmissing
    >>> from skmissing.recovery import MeanRecovery
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     skmissing.save(MeanRecovery(), Path(folder) / "recovery.skm")
    ...     skmissing.load(Path(folder) / "recovery.skm")
    MeanRecovery()
    """
    known = Trusted.read(trusted)
    with open(path, "rb") as file:
        try:
            archive = Archive(file)
            return _Reader(archive, known).read()
        except ModelFileError:
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            raise ModelFileError(
                f"Got a file that holds no model ({' '.join(what.split())[:200]}), "
                "expected one that skmissing.save wrote."
            ) from error


class _Reader:
    """Makes each object once, parts before what holds them."""

    def __init__(self, archive: Archive, trusted: Trusted) -> None:
        self.archive = archive
        model = archive.model()
        self.rows: list[dict[str, Any]] = model["objects"]
        self.root = model["root"]
        self.trusted = trusted
        self._made: dict[int, Any] = {}
        self._open: set[int] = set()
        self._walked = 0
        self._size: dict[int, int] = {}
        self._limit = _SHARING * len(self.rows) + _SMALL
        # Run when everything is there.
        self._checks: list[Any] = []

    def read(self) -> BaseEstimator:
        names = self._names()
        check_versions(self.archive.header, names)
        refused = sorted(
            n for n in names if n not in self.trusted and not is_allowed(n)
        )
        if refused:
            # All of them, to be read once and copied; no hostile file is a long error.
            shown = [name[:80] for name in refused]
            call = shorten_names([*self.trusted.listed, *shown])
            if len(call) > _CALLED:
                end = "load(path, trusted=names) with a list of them"
            else:
                end = f"load(path, trusted={call})"
            raise ModelFileError(
                f"Got a file that names {', '.join(shown[:_SHOWN])}, expected names "
                f"that this package knows to be safe; if you trust them, call {end}."
            )
        self._allowed = names
        out = self.value(self.root)
        if not isinstance(out, BaseEstimator):
            raise ModelFileError(
                f"Got a {type(out).__name__} in the file, expected an estimator."
            )
        if "sklearn" in sys.modules:
            from ._sklearn_parts import check_estimator_state

            for thing in self._checks:
                check_estimator_state(thing)
        return out

    def _names(self) -> set[str]:
        """Every class and function that a row names."""
        names = {row["name"] for row in self.rows if "name" in row}
        if not all(isinstance(name, str) for name in names):
            raise ModelFileError("Got a name that is no text, expected names.")
        return names

    def value(self, item) -> Any:
        """A value of JSON, or the object of a row."""
        if item is None or isinstance(item, bool | int | float | str):
            return item
        if "float" in item:
            return {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}[item["float"]]
        number = item["row"]
        if number in self._made:
            self._walk(self._size.get(number, 1))
            return self._made[number]
        if type(number) is not int or not 0 <= number < len(self.rows):
            raise ModelFileError("Got a row that is not there, expected one.")
        if number in self._open or len(self._open) > MAX_DEPTH:
            raise ModelFileError(
                "Got an object that is part of itself, expected parts that end."
            )
        self._open.add(number)
        row, before = self.rows[number], self._walked
        self._walk(1 + len(row.get("items") or row.get("state") or ()))
        make = _MAKERS[row["kind"]]
        self._made[number] = out = make(self, number, row)
        self._open.discard(number)
        self._size[number] = self._walked - before
        return out

    def _walk(self, steps: int) -> None:
        """Count what there would be if nothing were part of several objects."""
        self._walked += steps
        if self._walked > self._limit:
            raise ModelFileError(
                f"Got parts of parts that are more than {self._limit} together, "
                "expected those of a model."
            )

    def values(self, items) -> list[Any]:
        return [self.value(item) for item in items]

    def pairs(self, items) -> dict[Any, Any]:
        """A dict whose keys are found quickly, whatever a file makes of them."""
        out, tuples = {}, 0
        for key, item in items:
            key = _check_key(self.value(key))
            tuples += isinstance(key, tuple | frozenset)
            if tuples > _TUPLE_KEYS:
                raise ModelFileError(
                    f"Got more than {_TUPLE_KEYS} tuples as keys, expected fewer."
                )
            out[key] = self.value(item)
        return out

    # -- one function a kind of row ----------------------------------------------------

    def make_list(self, number, row) -> list[Any]:
        out: list[Any] = []
        self._start(number, out)
        out.extend(self.values(row["items"]))
        return out

    def make_dict(self, number, row) -> dict[Any, Any]:
        out: dict[Any, Any] = {}
        self._start(number, out)
        out.update(self.pairs(row["items"]))
        return out

    def make_tuple(self, _, row) -> tuple:
        return tuple(self.values(row["items"]))

    def make_set(self, _, row) -> set | frozenset:
        found = self.pairs([item, None] for item in row["items"])
        return set(found) if row["kind"] == "set" else frozenset(found)

    def make_array(self, _, row) -> np.ndarray:
        return self.archive.array(row["file"])

    def make_objects(self, number, row) -> np.ndarray:
        items = row["items"]
        out = np.empty(len(items), dtype=object)
        self._start(number, out)
        for i, item in enumerate(items):
            out[i] = self.value(item)
        return out.reshape(tuple(row["shape"]))

    def make_name(self, _, row) -> Any:
        return resolve(row["name"], self._allowed)

    def make_method(self, _, row) -> Any:
        if row["method"] not in _METHODS:
            raise ModelFileError("Got a method that is none of a model.")
        return getattr(self.value(row["of"]), row["method"])

    def make_part(self, _, row) -> Any:
        return get_part(row["part"]).make(self.value(row["state"]))

    def make_object(self, number, row) -> Any:
        """An object of a class, filled without a call of its constructor."""
        kind = resolve(row["name"], self._allowed)
        if not isinstance(kind, type):
            raise ModelFileError(f"Got {row['name']!r} as a class, expected a class.")
        if issubclass(kind, tuple):
            return tuple.__new__(kind, self.values(row["items"]))
        builtin = next((c for c in (dict, list) if issubclass(kind, c)), object)
        out: Any = builtin.__new__(kind)
        self._start(number, out)
        state = self.pairs(row["state"])
        if not all(isinstance(key, str) and key[:2] != "__" for key in state):
            raise ModelFileError("Got attributes without a name, expected names.")
        self._fill(out, state, row["name"])
        if builtin is dict:
            for key, value in self.pairs(row["items"]).items():
                dict.__setitem__(out, key, value)
        elif builtin is list:
            list.extend(out, self.values(row["items"]))
        self._checks.append(out)
        return out

    def _start(self, number: int, out) -> None:
        """Parts may hold what they are part of, once it is there."""
        self._made[number] = out

    def _fill(self, out, state: dict[str, Any], name: str) -> None:
        kind = type(out)
        if "torch" in sys.modules:
            from ._torch_parts import fill_module, has_plain_state

            if has_plain_state(kind):
                fill_module(out, state)
                return
        own = getattr(kind, "__setstate__", None)
        if own is not None and (name in _RESTORES or name in self.trusted):
            own(out, state)
            return
        slots = _slots(kind)
        for key in [key for key in state if key in slots]:
            object.__setattr__(out, key, state.pop(key))
        if state:
            out.__dict__.update(state)


def _slots(kind: type) -> Collection[str]:
    """Names of the slots of a class and of its parents."""
    found: set[str] = set()
    for parent in kind.__mro__:
        own = parent.__dict__.get("__slots__", ())
        found.update([own] if isinstance(own, str) else own)
    return found


def _check_key(key) -> Any:
    """A key whose hash no file can choose, in the number of keys that are allowed."""
    if isinstance(key, tuple | frozenset):
        for part in key:
            _check_key(part)
    elif isinstance(key, int) and abs(key) >= 2**63:
        raise ModelFileError("Got a number of more than 64 bits as a key.")
    elif not isinstance(key, str | bytes | int | float | np.generic | None):
        raise ModelFileError(
            f"Got a {type(key).__name__} as a key, expected numbers, text or tuples."
        )
    return key


_MAKERS: dict[str, Any] = {
    "list": _Reader.make_list,
    "dict": _Reader.make_dict,
    "tuple": _Reader.make_tuple,
    "set": _Reader.make_set,
    "frozenset": _Reader.make_set,
    "array": _Reader.make_array,
    "objects": _Reader.make_objects,
    "name": _Reader.make_name,
    "method": _Reader.make_method,
    "part": _Reader.make_part,
    "object": _Reader.make_object,
}
