"""Objects that are more than their attributes, and how each is made again.

No reduce function of a file is ever called: each kind has an explicit way back, from
values that are checked.
"""

from __future__ import annotations

import functools
import re
import sys
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.interpolate
import scipy.sparse

from ..exceptions import ModelFileError

_DTYPE = re.compile(r"[<>|=]?[?biufcSUVmMO][0-9]{0,9}(\[[0-9]*[A-Za-z]{1,2}\])?")
_BIT_GENERATORS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")


@dataclass(frozen=True)
class Part:
    """One kind of object.

    Attributes
    ----------
    name : str
        Its name in files.
    take : callable
        From the object to plain values and arrays.
    make : callable
        From these to the object. Raises for values that make none.
    """

    name: str
    take: Callable[[Any], Any]
    make: Callable[[Any], Any]


def find_part(value) -> Part | None:
    """The kind of an object; None for those that are their attributes."""
    for kind in type(value).__mro__:
        part = _BY_CLASS.get(f"{kind.__module__}.{kind.__qualname__}")
        if part is not None:
            return PARTS[part]
    return None


def get_part(name) -> Part:
    """The kind of a name in a file."""
    if not isinstance(name, str) or name not in PARTS:
        raise ModelFileError(
            "Got an unknown part in the file, expected those of this version."
        )
    return PARTS[name]


# -- numbers and tables ----------------------------------------------------------------


def _take_dtype(dtype: np.dtype) -> Any:
    return np.lib.format.dtype_to_descr(dtype) if dtype.names is None else str(dtype)


def make_dtype(text) -> np.dtype:
    """A simple type by its name."""
    if not isinstance(text, str) or not _DTYPE.fullmatch(text):
        raise ModelFileError("Got an unknown type in the file, expected one of numpy.")
    return np.dtype(text)


def _take_scalar(value: np.generic) -> dict[str, Any]:
    return {"dtype": value.dtype.str, "hex": value.tobytes().hex()}


def _make_scalar(state: dict[str, Any]) -> Any:
    dtype = make_dtype(state["dtype"])
    if dtype.hasobject:
        raise ModelFileError("Got an object as a number, expected a number or text.")
    content = bytes.fromhex(state["hex"])
    if dtype.itemsize == 0:
        return dtype.type()
    return np.frombuffer(content, dtype, 1)[0]


def _an_array(values) -> np.ndarray:
    """Values that are as many as they take in the file."""
    if not isinstance(values, np.ndarray):
        raise ModelFileError("Got no array for the values of a table, expected one.")
    return values


def _make_masked(state: dict[str, Any]) -> np.ma.MaskedArray:
    return np.ma.MaskedArray(
        _an_array(state["data"]), mask=state["mask"], fill_value=state["fill_value"]
    )


def _take_masked(array: np.ma.MaskedArray) -> dict[str, Any]:
    data = np.asarray(array.data)
    return {"data": data, "mask": array.mask, "fill_value": array.fill_value}


def _take_frame(frame: pd.DataFrame) -> dict[str, Any]:
    columns = [frame.iloc[:, i] for i in range(frame.shape[1])]
    return {
        "columns": frame.columns,
        "index": frame.index,
        "values": [_take_values(column) for column in columns],
        "dtypes": [_take_pandas_dtype(column.dtype) for column in columns],
    }


def _take_values(values) -> np.ndarray:
    """Values of a column or an index; objects where numpy has no such type."""
    if isinstance(values.dtype, np.dtype):
        return values.to_numpy()
    return values.astype(object).to_numpy()


def _take_pandas_dtype(dtype) -> str:
    """A type by its name, if it has no more to it than a name."""
    if isinstance(dtype, np.dtype):
        return dtype.str
    if isinstance(dtype, pd.StringDtype) or pd.api.types.is_numeric_dtype(dtype):
        return str(dtype)
    raise ModelFileError(
        f"Got a column of type {dtype} in a table, expected numbers, text or dates."
    )


def _make_pandas_dtype(text: str):
    plain = re.fullmatch(r"(U?Int(8|16|32|64)|Float(32|64)|boolean|str|string)", text)
    return text if plain else make_dtype(text)


def _make_frame(state: dict[str, Any]) -> pd.DataFrame:
    columns, index = state["columns"], state["index"]
    pairs = list(zip(state["values"], state["dtypes"], strict=True))
    data = {
        i: pd.Series(_an_array(values), index=index, dtype=_make_pandas_dtype(dtype))
        for i, (values, dtype) in enumerate(pairs)
    }
    out = pd.DataFrame(data, index=index)
    out.columns = columns
    return out


def _take_series(column: pd.Series) -> dict[str, Any]:
    state = _take_frame(column.to_frame(name=0))
    return {**state, "columns": None, "name": column.name}


def _make_series(state: dict[str, Any]) -> pd.Series:
    out = _make_frame({**state, "columns": [0]}).iloc[:, 0]
    out.name = state["name"]
    return out


def _take_index(index: pd.Index) -> dict[str, Any]:
    if isinstance(index, pd.RangeIndex):
        return {"range": [index.start, index.stop, index.step], "name": index.name}
    if isinstance(index, pd.MultiIndex):
        return {"tuples": index.tolist(), "names": list(index.names)}
    return {
        "values": _take_values(index),
        "dtype": _take_pandas_dtype(index.dtype),
        "name": index.name,
    }


def _make_index(state: dict[str, Any]) -> pd.Index:
    if "range" in state:
        return pd.RangeIndex(range(*state["range"]), name=state["name"])
    if "tuples" in state:
        return pd.MultiIndex.from_tuples(state["tuples"], names=state["names"])
    dtype: Any = _make_pandas_dtype(state["dtype"])
    return pd.Index(state["values"], dtype=dtype, name=state["name"])


def _take_sparse(matrix) -> dict[str, Any]:
    csr = matrix.tocsr()
    return {
        "format": matrix.format if matrix.format == "csc" else "csr",
        "array": isinstance(matrix, scipy.sparse.sparray),
        "shape": list(csr.shape),
        "parts": [csr.data, csr.indices, csr.indptr],
    }


def _make_sparse(state: dict[str, Any]) -> Any:
    kind = scipy.sparse.csr_array if state["array"] else scipy.sparse.csr_matrix
    matrix = kind(tuple(state["parts"]), shape=tuple(state["shape"]))
    # Indices beyond the shape would be read from elsewhere in memory.
    matrix.check_format(full_check=True)
    if state["format"] not in ("csc", "csr"):
        # Others may take far more than the values do.
        raise ModelFileError("Got an unknown sparse format, expected csc or csr.")
    return matrix.asformat(state["format"])


# -- random numbers --------------------------------------------------------------------


def _take_random(generator) -> dict[str, Any]:
    bits = getattr(generator, "_bit_generator", None) or generator.bit_generator
    state = bits.state
    kept = {k: v for k, v in state.items() if k != "bit_generator"}
    legacy = isinstance(generator, np.random.RandomState)
    gauss = generator.get_state(legacy=False) if legacy else None
    return {
        "legacy": legacy,
        "bits": type(bits).__name__,
        "state": kept,
        "gauss": [gauss["has_gauss"], gauss["gauss"]] if gauss else None,
    }


def _make_random(state: dict[str, Any]) -> Any:
    name = state["bits"]
    if name not in _BIT_GENERATORS:
        raise ModelFileError("Got unknown random bits, expected those of numpy.")
    position = state["state"].get("state", {})
    size = {"MT19937": ("pos", 624)}.get(name)
    spare = state["state"].get("buffer_pos", 0)
    # numpy does not check from where it goes on reading.
    if (size and not 0 <= position[size[0]] <= size[1]) or not 0 <= spare <= 4:
        raise ModelFileError(
            "Got random numbers that go on from nowhere, expected some."
        )
    bits = getattr(np.random, name)()
    bits.state = {**state["state"], "bit_generator": name}
    if not state["legacy"]:
        return np.random.Generator(bits)
    out = np.random.RandomState(bits)
    has_gauss, gauss = state["gauss"]
    full = {**out.get_state(legacy=False), "has_gauss": has_gauss, "gauss": gauss}
    out.set_state(full)
    return out


# -- splines, calls --------------------------------------------------------------------


def _take_spline(spline) -> list[Any]:
    return [spline.t, spline.c, spline.k, spline.extrapolate, spline.axis]


def _make_spline(state: list[Any]) -> scipy.interpolate.BSpline:
    knots, coefficients, degree, extrapolate, axis = state
    return scipy.interpolate.BSpline(
        knots, coefficients, degree, extrapolate=extrapolate, axis=axis
    )


def _make_partial(state: dict[str, Any]) -> functools.partial:
    return functools.partial(state["func"], *state["args"], **state["keywords"])


def _lazily(module: str, name: str) -> Callable[[Any], Any]:
    """A function of a module of this package that is imported when it is called."""

    def call(value):
        __import__(f"{__package__}.{module}")
        return getattr(sys.modules[f"{__package__}.{module}"], name)(value)

    return call


def _lazy_part(name: str, module: str) -> Part:
    return Part(name, _lazily(module, f"take_{name}"), _lazily(module, f"make_{name}"))


PARTS = {
    part.name: part
    for part in (
        Part("bytes", bytes.hex, bytes.fromhex),
        Part("slice", lambda s: [s.start, s.stop, s.step], lambda s: slice(*s)),
        Part("range", lambda r: [r.start, r.stop, r.step], lambda s: range(*s)),
        Part("ordered", lambda d: list(d.items()), OrderedDict),
        Part("scalar", _take_scalar, _make_scalar),
        Part("dtype", _take_dtype, make_dtype),
        Part("masked", _take_masked, _make_masked),
        Part("frame", _take_frame, _make_frame),
        Part("series", _take_series, _make_series),
        Part("index", _take_index, _make_index),
        Part("sparse", _take_sparse, _make_sparse),
        Part("random", _take_random, _make_random),
        Part("spline", _take_spline, _make_spline),
        Part(
            "partial",
            lambda p: {"func": p.func, "args": list(p.args), "keywords": p.keywords},
            _make_partial,
        ),
        _lazy_part("distribution", "_scipy_parts"),
        _lazy_part("tree", "_sklearn_parts"),
        _lazy_part("loss", "_sklearn_parts"),
        _lazy_part("neighbor_tree", "_sklearn_parts"),
        _lazy_part("tensor", "_torch_parts"),
        _lazy_part("torch_value", "_torch_parts"),
        _lazy_part("net", "_torch_parts"),
        _lazy_part("history", "_torch_parts"),
    )
}
_BY_CLASS = {
    "builtins.bytes": "bytes",
    "builtins.slice": "slice",
    "builtins.range": "range",
    "collections.OrderedDict": "ordered",
    "numpy.generic": "scalar",
    "numpy.dtype": "dtype",
    "numpy.ma.MaskedArray": "masked",
    # Of numpy 1.
    "numpy.ma.core.MaskedArray": "masked",
    "pandas.DataFrame": "frame",
    "pandas.Series": "series",
    "pandas.Index": "index",
    "scipy.sparse._base._spbase": "sparse",
    "numpy.random.mtrand.RandomState": "random",
    "numpy.random._generator.Generator": "random",
    "scipy.interpolate._bsplines.BSpline": "spline",
    "scipy.stats._distn_infrastructure.rv_frozen": "distribution",
    "functools.partial": "partial",
    "sklearn.tree._tree.Tree": "tree",
    "sklearn._loss._loss.CyLossFunction": "loss",
    "sklearn._loss._loss.CyHalfMultinomialLoss": "loss",
    "sklearn.neighbors._kd_tree.BinaryTree64": "neighbor_tree",
    "sklearn.neighbors._ball_tree.BinaryTree64": "neighbor_tree",
    "torch.Tensor": "tensor",
    "torch.dtype": "torch_value",
    "torch.device": "torch_value",
    "skmissing.nn._engine.SkmissingNet": "net",
    "skorch.history.History": "history",
}
