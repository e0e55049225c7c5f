"""From a fitted estimator to a table of plain values and arrays."""

from __future__ import annotations

import json
import os
import sys
import types
from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from ..exceptions import ModelFileError
from ._archive import write_archive
from ._names import is_importable, name_of
from ._parts import find_part
from ._versions import current_versions

# Further down lies nothing that a model is made of.
MAX_DEPTH = 100
# What stands in an estimator while it is fitted, and belongs to that process.
_PASSING = frozenset({"_skl_callbacks", "_callback_fit_ctx", "_parent_callback_ctx"})
_CONTAINERS: dict[Any, str] = {
    list: "list",
    tuple: "tuple",
    set: "set",
    frozenset: "frozenset",
}


def save(estimator: BaseEstimator, path: str | os.PathLike) -> None:
    """Write an estimator, fitted or not, to one file that holds data only.

    The file is a zip archive: parameters and fitted state as JSON, arrays as ``.npy``,
    and no pickle. Equal estimators make equal files. What a net needs in training
    alone, such as the state of its optimizer and its callbacks, is left out.

    Parameters
    ----------
    estimator : estimator
        An estimator of this package, or one of scikit-learn, such as a Pipeline or a
        search around it.
    path : str or path
        Where the file is written, in place of one that exists.

    Raises
    ------
    ModelFileError
        For what cannot be written as data, such as functions without a name; the
        message shows where it stands.

    See Also
    --------
    load : Read such a file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import skmissing
    >>> from skmissing.baselines import PatternClassifier
    >>> from skmissing.datasets import load_heart
    >>> X, y = load_heart(return_X_y=True)
    >>> model = PatternClassifier().fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     skmissing.save(model, Path(folder) / "heart.skm")
    ...     again = skmissing.load(Path(folder) / "heart.skm")
    >>> bool((again.predict(X) == model.predict(X)).all())
    True
    """
    if not isinstance(estimator, BaseEstimator) or isinstance(estimator, type):
        raise TypeError(
            f"Got estimator of type {type(estimator).__name__}, expected an estimator."
        )
    table = Table()
    root = table.add(estimator, type(estimator).__name__)
    header = {
        "format": "skmissing",
        "format_version": 1,
        "estimator": name_of(type(estimator)),
        "versions": current_versions(),
    }
    model = {"root": root, "objects": table.rows}
    text = json.dumps(model, allow_nan=False, separators=(",", ":"))
    write_archive(path, header, text.encode(), table.arrays)


class Table:
    """Every object once, in the order in which they were met.

    Attributes
    ----------
    rows : list of dict
        One for each object; parts are numbers of rows.
    arrays : list of ndarray
        What is written beside the rows.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.arrays: list[np.ndarray] = []
        # The objects too: a number of one that is gone may be used again.
        self._seen: dict[int, tuple[int, Any]] = {}
        self._depth = 0

    def add(self, value, place: str) -> Any:
        """A value as JSON: itself, or the number of its row."""
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if np.isfinite(value) else {"float": str(value)}
        if id(value) not in self._seen:
            number = len(self.rows)
            self.rows.append({})
            self._seen[id(value)] = number, value
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise ModelFileError(
                    f"Got parts of parts more than {MAX_DEPTH} deep in {place[:200]}, "
                    "expected an estimator that is not part of itself."
                )
            self.rows[number] = self._row(value, place)
            self._depth -= 1
        return {"row": self._seen[id(value)][0]}

    def _row(self, value, place: str) -> dict[str, Any]:
        """What is written of one object."""
        kind = type(value)
        if kind in _CONTAINERS:
            items = value if kind in (list, tuple) else sorted(value, key=repr)
            return {"kind": _CONTAINERS[kind], "items": self._add_all(items, place)}
        if kind is dict:
            return {"kind": "dict", "items": self._pairs(value, place)}
        if kind is np.ndarray or kind is np.memmap:
            return self._array(np.asarray(value), place)
        if isinstance(value, type) or _is_function(value):
            return {"kind": "name", "name": self._name(value, place)}
        if isinstance(value, types.MethodType):
            owner = self.add(value.__self__, f"{place}.__self__")
            return {"kind": "method", "of": owner, "method": value.__name__}
        part = find_part(value)
        if part is not None:
            state = self.add(part.take(value), place)
            return {"kind": "part", "part": part.name, "state": state}
        return self._object(value, place)

    def _object(self, value, place: str) -> dict[str, Any]:
        """A class by its name, and the attributes."""
        kind = type(value)
        state = state_of(value)
        builtin = _builtin_of(kind)
        if state is None or (builtin is None and _reduces_itself(kind)):
            raise ModelFileError(
                f"Got a {kind.__module__}.{kind.__qualname__} in {place}, expected "
                "values that are written as data; joblib.dump writes any."
            )
        row: dict[str, Any] = {"kind": "object", "name": self._name(kind, place)}
        row["state"] = self._pairs(state, place)
        if builtin is dict:
            row["items"] = self._pairs(value, place)
        elif builtin is not None:
            row["items"] = self._add_all(value, place)
        return row

    def _add_all(self, items: Iterable, place: str) -> list[Any]:
        return [self.add(item, f"{place}[{i}]") for i, item in enumerate(items)]

    def _pairs(self, items: dict, place: str) -> list[list[Any]]:
        out = []
        for key, value in items.items():
            shown = f"{place}.{key}" if isinstance(key, str) else f"{place}[{key!r}]"
            out.append([self.add(key, f"a key of {place}"), self.add(value, shown)])
        return out

    def _array(self, array: np.ndarray, place: str) -> dict[str, Any]:
        if array.dtype == object:
            items = self._add_all(array.ravel().tolist(), place)
            return {"kind": "objects", "shape": list(array.shape), "items": items}
        if array.dtype.hasobject or array.dtype.metadata:
            raise ModelFileError(
                f"Got an array of type {array.dtype} in {place}, expected numbers, "
                "text or objects."
            )
        self.arrays.append(array)
        return {"kind": "array", "file": f"arrays/{len(self.arrays) - 1}.npy"}

    def _name(self, thing, place: str) -> str:
        name = name_of(thing)
        if not is_importable(thing):
            raise ModelFileError(
                f"Got {name} in {place}, expected a class or function that can be "
                "imported by its name; move it to a file."
            )
        return name


def state_of(value) -> dict[str, Any] | None:
    """Attributes of an object; None if they are not all."""
    kind = type(value)
    if "torch" in sys.modules:
        from ._torch_parts import has_plain_state, module_state

        if has_plain_state(kind):
            return module_state(value)
    if is_callback(value):
        # What training left in them, such as an optimizer, begins anew.
        return {k: v for k, v in vars(value).items() if not k.endswith("_")}
    if kind.__getstate__ not in (object.__getstate__, BaseEstimator.__getstate__):
        state = value.__getstate__()
        return state if isinstance(state, dict) else None
    state = {
        name: getattr(value, name)
        for parent in kind.__mro__
        for name in _slots(parent)
        if hasattr(value, name)
    }
    state.update(getattr(value, "__dict__", {}))
    return {k: v for k, v in state.items() if k not in _PASSING}


def is_callback(value) -> bool:
    """Whether an object is a callback of skorch, which may not be installed."""
    callbacks = sys.modules.get("skorch.callbacks")
    return callbacks is not None and isinstance(value, callbacks.Callback)


def _slots(kind: type) -> list[str]:
    found = kind.__dict__.get("__slots__", ())
    names = [found] if isinstance(found, str) else list(found)
    return [name for name in names if not name.startswith("__")]


def _is_function(value) -> bool:
    kinds = (types.FunctionType, types.BuiltinFunctionType, np.ufunc)
    return isinstance(value, kinds) or type(value).__name__ in (
        "_ArrayFunctionDispatcher", "MultiUFunc",
    )  # fmt: skip


def _reduces_itself(kind: Any) -> bool:
    """Whether objects of a class are more than their attributes."""
    return bool(kind.__reduce__ is not object.__reduce__)


def _builtin_of(kind: type) -> type | None:
    """The container that a class derives from."""
    return next((c for c in (dict, list, tuple) if issubclass(kind, c)), None)
