"""The encoders of all modalities."""

from __future__ import annotations

from typing import Any

from torch import nn

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
            return self._encode(name, values, lengths)
        except (RuntimeError, IndexError, TypeError) as error:
            raise ValueError(
                f"Got {tuple(values.shape)} {values.dtype} values of the modality "
                f"{name!r}, expected input that its encoder takes ({error})."
            ) from error

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
