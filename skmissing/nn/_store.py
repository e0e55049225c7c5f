"""Rows as tensors, gathered by index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from ..modalities._multimodal_data import MultimodalData
from ..modalities._row_view import RowView, iter_chunks, take_rows
from ..modalities._scaling import BlockScaler, series_lengths

# torch indexes these on every device; the other integer types are widened.
_INTEGERS = {"bool", "uint8", "int8", "int16", "int32", "int64"}


class Batch:
    """Some rows, each block reduced to the rows that have it."""

    __slots__ = ("encoded", "index", "lengths", "present", "rows", "weight", "x", "y")

    def __init__(self, rows, present, y, weight) -> None:
        # Row numbers in the store, shape (n,).
        self.rows = rows
        # Which rows have which block, after what is hidden in training.
        self.present = present
        self.y = y
        self.weight = weight
        # Values of a block for the rows that have it; no entry if none does.
        self.x: dict[str, Any] = {}
        # Their positions in the batch; None where every row has the block.
        self.index: dict[str, Any] = {}
        # Time steps of series.
        self.lengths: dict[str, Any] = {}
        # Blocks whose values are the codes of a frozen encoder.
        self.encoded: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.rows)


class TensorStore:
    """All rows of a data set, ready to be gathered into batches.

    Floating point blocks are scaled once, when the store is made; integer blocks stay
    as they are and are cast per batch; blocks on disk are read batch by batch.
    """

    def __init__(
        self,
        data: MultimodalData,
        present: np.ndarray,
        *,
        scalers: dict[str, BlockScaler],
        series: frozenset[str],
        dtype: torch.dtype,
        device: torch.device,
        y: np.ndarray | None = None,
        weight: np.ndarray | None = None,
    ) -> None:
        self.names = data.names
        self.device = device
        self.dtype = dtype
        self._np_dtype = np.dtype(str(dtype).removeprefix("torch."))
        self.scalers = scalers
        self.series = series
        self.present = torch.from_numpy(np.array(present))
        self._complete = [bool(present[:, m].all()) for m in range(present.shape[1])]
        # Modalities that some row has; the others can neither be hidden nor needed.
        self.seen = torch.from_numpy(np.flatnonzero(present.any(axis=0)))
        self.y = None if y is None else torch.from_numpy(y)
        self.weight = None if weight is None else torch.from_numpy(weight).to(dtype)
        self.encoded: frozenset[str] = frozenset()
        self._lazy: dict[str, RowView] = {}
        self._tensors: dict[str, Any] = {}
        self._lengths: dict[str, Any] = {}
        self._arrange: dict[str, tuple | None] = {}
        for m, name in enumerate(self.names):
            if not present[:, m].any():
                continue
            block = data[name]
            if isinstance(block, RowView):
                self._lazy[name] = block
            elif self._ready(name, block.dtype):
                self._tensors[name] = self._scaled(name, block, present[:, m])
            else:
                self._tensors[name] = _integers(block)
            if name not in self._lazy and not self._ready(name, block.dtype):
                self._arrange[name] = self._cast(scalers[name])
        self._move(device)

    def __len__(self) -> int:
        return len(self.present)

    def _scaled(self, name: str, block: np.ndarray, here: np.ndarray):
        shape = self.scalers[name].input_shape(block.shape)
        out = np.zeros(shape, dtype=self.scalers[name].input_dtype(self._np_dtype))
        if name in self.series:
            lengths = np.full(len(block), block.shape[1], dtype=np.int64)
        for part, values in iter_chunks(block):
            rows = here[part]
            chosen = values if rows.all() else values[rows]
            out[part][rows] = self.scalers[name].transform(name, chosen, self._np_dtype)
            if name in self.series:
                lengths[part][rows] = series_lengths(chosen)
        if name in self.series and (lengths != block.shape[1]).any():
            self._lengths[name] = torch.from_numpy(lengths)
        return torch.from_numpy(out)

    def _ready(self, name: str, dtype: np.dtype) -> bool:
        """Whether values are scaled row by row here, not in batches of tensors."""
        return dtype.kind == "f" or self.scalers[name].row_by_row

    def _cast(self, scaler: BlockScaler) -> tuple | None:
        if not scaler.scales and scaler.keeps_integers:
            return None
        return (
            torch.from_numpy(scaler.center).to(self.device),
            torch.from_numpy(scaler.factor).to(self.device),
        )

    def _move(self, device: torch.device) -> None:
        """Put all tensors on the device where it fits, else batches are copied."""
        self.resident = True
        if device.type == "cuda":
            size = sum(t.numel() * t.element_size() for t in self._tensors.values())
            # Half of what is free is left to the net and its gradients.
            self.resident = size < torch.cuda.mem_get_info(device)[0] // 2
        if device.type != "cpu" and self.resident:
            for part in (self._tensors, self._lengths):
                for name in part:
                    part[name] = part[name].to(device)
        if device.type != "cpu":
            self.present = self.present.to(device)
            self.y = None if self.y is None else self.y.to(device)
            self.weight = None if self.weight is None else self.weight.to(device)

    def _gather(self, name: str, rows):
        """Values of one block for some rows that have it, ready for its encoder."""
        if name in self._lazy:
            values = take_rows(self._lazy[name], rows.cpu().numpy())
            if self._ready(name, values.dtype):
                steps: Any = None
                if name in self.series:
                    steps = torch.from_numpy(series_lengths(values)).to(self.device)
                values = self.scalers[name].transform(name, values, self._np_dtype)
                return torch.from_numpy(values).to(self.device), steps
            tensor = _integers(values).to(self.device)
            return self._to_float(tensor, self._cast(self.scalers[name])), None
        block = self._tensors[name]
        lengths = self._lengths.get(name)
        if not self.resident:
            rows = rows.cpu()
        values = block.index_select(0, rows)
        if lengths is not None:
            lengths = lengths.index_select(0, rows)
        if not self.resident:
            values = values.to(self.device)
            lengths = None if lengths is None else lengths.to(self.device)
        if name in self._arrange:
            values = self._to_float(values, self._arrange[name])
        return values, lengths

    def _to_float(self, values, arrange: tuple | None):
        if arrange is None:
            return values
        center, factor = arrange
        return values.to(torch.float64).sub_(center).mul_(factor).to(self.dtype)

    def batch(self, rows, hidden=None) -> Batch:
        """Gather rows."""
        present = self.present.index_select(0, rows)
        if hidden is not None:
            present = present & ~hidden
        out = Batch(
            rows,
            present,
            None if self.y is None else self.y.index_select(0, rows),
            None if self.weight is None else self.weight.index_select(0, rows),
        )
        out.encoded = self.encoded
        for m, name in enumerate(self.names):
            if name not in self._tensors and name not in self._lazy:
                continue
            if self._complete[m] and hidden is None:
                chosen, index = rows, None
            else:
                index = present[:, m].nonzero().squeeze(1)
                if len(index) == 0:
                    continue
                if len(index) == len(rows):
                    chosen, index = rows, None
                else:
                    chosen = rows.index_select(0, index)
            values, lengths = self._gather(name, chosen)
            out.x[name] = values
            out.index[name] = index
            if lengths is not None:
                out.lengths[name] = lengths
        return out

    def replace_by_codes(self, name: str, encode, batch_size: int) -> None:
        """Keep the outputs of a frozen encoder in place of its block."""
        if name not in self._tensors and name not in self._lazy:
            return
        m = self.names.index(name)
        rows = self.present[:, m].nonzero().squeeze(1)
        codes: Any = None
        for part in rows.split(batch_size):
            with torch.inference_mode():
                code = encode(*self._gather(name, part))
            if codes is None:
                codes = torch.zeros(
                    (len(self), code.shape[1]), dtype=code.dtype, device=self.device
                )
            codes[part] = code
        for kept in (self._tensors, self._lazy, self._lengths, self._arrange):
            kept.pop(name, None)
        self._tensors[name] = codes if self.resident else codes.cpu()
        self.encoded = self.encoded | {name}


class Batches:
    """The batches of an epoch: shuffled in training, in order otherwise."""

    def __init__(
        self, store: TensorStore, batch_size: int, generator=None, augment=None
    ) -> None:
        self.store = store
        self.batch_size = batch_size
        self.generator = generator
        self.augment = augment

    def __iter__(self) -> Iterator[Batch]:
        n, device = len(self.store), self.store.present.device
        if self.generator is None or self.batch_size >= n:
            # One batch needs no order; keeping it makes a full batch reproducible
            # to the last bit whatever drew from the generator before.
            order = torch.arange(n)
        else:
            order = torch.randperm(n, generator=self.generator)
        parts = list(order.to(device).split(self.batch_size))
        if len(parts) > 1 and len(parts[-1]) == 1:
            # A batch of one row has no variance: batch norm would refuse it.
            parts[-2:] = [torch.cat(parts[-2:])]
        for rows in parts:
            hidden = None
            if self.augment is not None:
                present = self.store.present.index_select(0, rows)
                seen = self.store.seen.to(device)
                hidden = torch.zeros_like(present)
                hidden[:, seen] = self.augment(present[:, seen], self.generator)
            yield self.store.batch(rows, hidden)


def _integers(block: np.ndarray):
    name = block.dtype.name
    if name in _INTEGERS:
        # torch refuses read-only memory, such as that of a data frame.
        return torch.from_numpy(np.require(block, requirements=["C", "W"]))
    return torch.from_numpy(block.astype(np.int32 if name == "uint16" else np.int64))
