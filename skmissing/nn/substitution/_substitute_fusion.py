"""Fused heads of nets that do not know which modality is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from ...modalities._scaling import BlockScaler
from .._encoder_bank import EncoderBank
from .._store import Batch
from .._task import TaskModule
from ._substitute import Substitute, as_input


class FusionSpec(NamedTuple):
    """What the nets share; ``columns`` are the places of the bank's modalities."""

    n_classes: int
    columns: list[int]
    fusion: str
    substitutes: dict[str, Substitute]


class SubstituteFusion(TaskModule):
    """One head per modality, fed a substitute where the modality is missing."""

    def __init__(
        self, bank: EncoderBank, heads: Sequence[nn.Module], spec: FusionSpec
    ) -> None:
        super().__init__(bank, spec.n_classes)
        self.heads = nn.ModuleList(heads)
        self.columns = spec.columns
        self.fusion = spec.fusion
        self.substitutes = spec.substitutes
        self._noisy = [spec.substitutes[name].kind == "noise" for name in bank.names]
        self._frozen: dict[str, Any] = {}

    def prepare(self, scalers: dict[str, BlockScaler], dtype: np.dtype) -> None:
        for m, name in enumerate(self.bank.names):
            substitute = self.substitutes[name]
            values, noise = as_input(name, substitute, scalers[name], dtype)
            self.register_buffer(f"substitute_{m}", torch.from_numpy(values))
            if noise is not None:
                self.register_buffer(f"center_{m}", torch.from_numpy(noise[0]))
                self.register_buffer(f"deviation_{m}", torch.from_numpy(noise[1]))

    def freeze(self, names: Sequence[str]) -> None:
        with torch.no_grad():
            self._frozen = {name: self._encode_substitute(name) for name in names}

    def _encode_substitute(self, name: str):
        values = getattr(self, f"substitute_{self.bank.names.index(name)}")
        return self.bank.encode(name, values)

    # -- codes and scores --------------------------------------------------------------

    def codes(self, batch: Batch, m: int) -> tuple[Any, Any]:
        """Codes of one modality: of the rows that have it, and of its substitute."""
        name = self.bank.names[m]
        values = batch.x.get(name)
        n_missing = len(batch) - (0 if values is None else len(values))
        encoded = name in batch.encoded
        if n_missing == 0:
            code = values if encoded else self._encode(name, values, batch)
            return code, None
        if name in self._frozen:
            stored = self._frozen[name]
            if self.training and len(stored) > 1:
                pick = torch.randint(len(stored), (n_missing,), device=stored.device)
                stored = stored[pick]
            if values is not None and not encoded:
                values = self._encode(name, values, batch)
            return values, stored
        fill = self._fill(m, n_missing)
        if values is None:
            return None, self.bank.encode(name, fill)
        lengths = batch.lengths.get(name)
        if not self.training:
            return self._encode(name, values, batch), self.bank.encode(name, fill)
        # In training together, as one batch: batch norm sees what the net is fed.
        if lengths is not None:
            steps = lengths.new_full((len(fill),), fill.shape[1])
            lengths = torch.cat([lengths, steps])
        both = self.bank.encode(name, torch.cat([values, fill]), lengths)
        return both[: len(values)], both[len(values) :]

    def _encode(self, name: str, values, batch: Batch):
        return self.bank.encode(name, values, batch.lengths.get(name))

    def _fill(self, m: int, n_missing: int):
        stored = getattr(self, f"substitute_{m}")
        if not (self.training and self._noisy[m]):
            return stored
        center, deviation = (
            getattr(self, f"center_{m}"),
            getattr(self, f"deviation_{m}"),
        )
        noise = torch.randn(
            (n_missing, *stored.shape[1:]), dtype=stored.dtype, device=stored.device
        )
        return center + noise * deviation

    def scores(self, batch: Batch) -> list[Any]:
        """Scores of each head for each row, shape (n, n_out).

        Scores, or log-probabilities where those are what is fused.
        """
        return [
            self._scatter(batch, m, head, *self.codes(batch, m))
            for m, head in enumerate(self.heads)
        ]

    def _scatter(self, batch: Batch, m: int, head: nn.Module, code, missing):
        here = None if code is None else self._activate(head(code))
        if missing is None:
            return here
        there = self._activate(head(missing))
        index = batch.index.get(self.bank.names[m])
        gaps = ~batch.present[:, self.columns[m]]
        if not (self.training and self._noisy[m]):
            there = self._average(there).expand(int(gaps.sum()), -1)
        out = there.new_empty((len(batch), there.shape[1]))
        out = out.index_copy(0, gaps.nonzero().squeeze(1), there)
        return out if here is None else out.index_copy(0, index, here)

    def _activate(self, scores):
        return torch.log_softmax(scores, dim=1) if self._in_proba else scores

    def _average(self, scores):
        """Mean prediction for the draws that stand for noise, shape (1, n_out)."""
        if len(scores) == 1:
            return scores
        if self._in_proba:
            return _log_mean(scores, 0)[None]
        return scores.mean(dim=0, keepdim=True)

    @property
    def _in_proba(self) -> bool:
        return self.fusion == "mean_proba"

    def fuse(self, scores):
        """Fuse the scores of the heads, shape (M, n, n_classes), to (n, n_classes)."""
        if self._in_proba:
            return _log_mean(scores, 0)
        return scores.mean(dim=0) if self.fusion == "mean_logits" else scores.sum(dim=0)

    def logits(self, batch: Batch):
        return self.fuse(torch.stack(self.scores(batch)))


class MultitaskFusion(SubstituteFusion):
    """Adds to the loss those of further heads, one per modality."""

    def __init__(
        self,
        bank: EncoderBank,
        heads: Sequence[nn.Module],
        spec: FusionSpec,
        *,
        side_heads: Sequence[nn.Module],
        side_weight: float,
    ) -> None:
        super().__init__(bank, heads, spec)
        self.side_heads = nn.ModuleList(side_heads)
        self.side_weight = side_weight

    def row_losses(self, batch: Batch):
        scores, losses = [], []
        for m, (head, side) in enumerate(zip(self.heads, self.side_heads)):
            code, missing = self.codes(batch, m)
            scores.append(self._scatter(batch, m, head, code, missing))
            if code is None:
                continue
            # A substitute holds no information: only rows with the modality count.
            index = batch.index[self.bank.names[m]]
            y = batch.y if index is None else batch.y.index_select(0, index)
            loss = self.criterion(side(code), y)
            if index is not None:
                loss = loss.new_zeros(len(batch)).index_copy(0, index, loss)
            losses.append(loss)
        fused = self.fuse(torch.stack(scores))
        loss = self.criterion(fused, batch.y)
        if not losses:
            # All that the rows of a batch have was hidden.
            return loss
        return loss + self.side_weight * torch.stack(losses).sum(dim=0)


class DetectionFusion(SubstituteFusion):
    """Heads with a class more, "missing"; those that predict it are left out."""

    def row_losses(self, batch: Batch):
        present = batch.present[:, self.columns]
        loss: Any = 0.0
        for m, scores in enumerate(self.scores(batch)):
            y = torch.where(present[:, m], batch.y, self.n_classes)
            loss = loss + self.criterion(scores, y)
        return loss

    @property
    def _in_proba(self) -> bool:
        # The classes are fused after "missing" has been taken away.
        return False

    def logits(self, batch: Batch):
        scores = torch.stack(self.scores(batch))
        missing = scores.argmax(dim=2) == self.n_classes
        # Where all predict missing, one of them is wrong: all are used.
        used = (~missing | missing.all(dim=0)).to(scores.dtype)[:, :, None]
        scores = scores[:, :, : self.n_classes]
        if self.fusion == "mean_proba":
            logs = torch.log_softmax(scores, dim=2) + torch.log(used)
            return torch.logsumexp(logs, dim=0) - torch.log(used.sum(dim=0))
        total = (scores * used).sum(dim=0)
        return total if self.fusion == "sum_logits" else total / used.sum(dim=0)


def _log_mean(scores, dim: int):
    n = torch.tensor(float(scores.shape[dim]), dtype=scores.dtype)
    return torch.logsumexp(scores, dim=dim) - torch.log(n).to(scores.device)
