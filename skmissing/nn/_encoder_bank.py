"""The encoders of all modalities."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .._utils._errors import same_kind
from ._store import Batch
from .encoders._encoder import Encoder


class EncoderBank(nn.Module):
    """The encoders of all modalities that training rows have."""

    def __init__(
        self, encoders: dict[str, Encoder], shapes: dict[str, tuple[int, ...]]
    ) -> None:
        super().__init__()
        self._hold({n: encoder.build(shapes[n]) for n, encoder in encoders.items()})

    @classmethod
    def of(cls, modules: dict[str, nn.Module]) -> EncoderBank:
        """A bank of encoders that exist already."""
        bank = cls({}, {})
        bank._hold(modules)
        return bank

    def _hold(self, modules: dict[str, nn.Module]) -> None:
        self.names = list(modules)
        # Keyed by position: torch refuses dots in the names of submodules.
        self.encoders = nn.ModuleList(modules.values())
        self.widths = [_width(module) for module in self.encoders]
        norm: Any = nn.modules.batchnorm._BatchNorm  # noqa: SLF001
        self._normed = [
            any(isinstance(part, norm) for part in module.modules())
            for module in self.encoders
        ]

    def encode(self, name: str, values, lengths=None):
        """Codes of the rows that have a block."""
        try:
            codes = self._encode(name, values, lengths)
        except Warning:
            # Under a filter that makes errors of them.
            raise
        except Exception as error:
            raise same_kind(
                error,
                f"Got {type(error).__name__} from the encoder of the modality {name!r} "
                f"for {tuple(values.shape)} {values.dtype} values: {error}",
            ) from error
        width = self.widths[self.names.index(name)]
        shape = tuple(codes.shape) if isinstance(codes, torch.Tensor) else None
        if shape != (len(values), width):
            what = type(codes).__name__ if shape is None else f"output of shape {shape}"
            raise ValueError(
                f"Got {what} from the encoder of the modality {name!r} for "
                f"{len(values)} rows, expected (n, {width}), a row of out_features for "
                "each."
            )
        return codes

    def _encode(self, name: str, values, lengths):
        i = self.names.index(name)
        module = self.encoders[i]
        if self._normed[i] and self.training and len(values) == 1:
            # One row has no variance to normalise by.
            module.eval()
            out = module(values, lengths)
            module.train()
            return out
        return module(values, lengths)

    def forward(self, batch: Batch) -> list[Any]:
        """Codes of all modalities for all rows of a batch, 0 where missing."""
        codes: list[Any] = []
        for name, width in zip(self.names, self.widths):
            values = batch.x.get(name)
            if values is None:
                codes.append(None)
                continue
            code = (
                values
                if name in batch.encoded
                else self.encode(name, values, batch.lengths.get(name))
            )
            index = batch.index[name]
            if index is not None:
                code = code.new_zeros((len(batch), width)).index_copy(0, index, code)
            codes.append(code)
        return codes


def _width(module) -> int:
    return int(module.out_features)
