"""Graph of rows and modalities, with contrast between a row and its parts."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from torch import nn

from ..._utils._parameters import stores_parameters
from ..._utils._sklearn_compat import Interval
from .._random_subsets import random_part
from ._fusion import Fusion

# Inverse temperature of the similarities that are contrasted.
SHARPNESS = 1.0 / 0.07


@stores_parameters
class MUSEFusion(Fusion):
    """Mutual-consistent graph learning: a graph of rows and modalities, and contrast.

    Rows and modalities are the nodes of a graph; the code of a modality of a row is the
    edge between the two, and a missing modality has none. Nodes send messages along the
    edges. The code of a row is contrasted with that of a part of it, and with codes of
    rows of other classes, so that it changes little if modalities are missing.

    Parameters
    ----------
    width : int, default=64
        Length of the codes of nodes and edges.
    n_layers : int, default=2
        Rounds of messages.
    contrastive_weight : float, default=0.5
        Weight of each of the two contrastive losses.
    memory_rows : int, default=2048
        Training rows, at most, whose mean messages are kept for prediction.

    See Also
    --------
    M3CareFusion : Missing codes are those of similar rows.

    Notes
    -----
    The method of :cite:t:`muse`: nodes of rows start from ones, those of modalities are
    learned, messages are averaged, and edges are updated from their nodes. The losses
    are those there, with weights of rows: the part of a row is distinguished from parts
    of other rows, and pairs of one class from pairs of two; the inverse temperature is
    1/0.07. There, a node of a modality averages the messages of the rows of a batch
    also in prediction; here it then has the mean messages of training rows, which are
    kept. Parts are drawn for a batch instead of each row, all edges are updated alike
    in both directions, and each row has a label.

    Examples
    --------
    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import MUSEFusion
    >>> FusionClassifier(fusion=MUSEFusion(n_layers=3)).fusion
    MUSEFusion(n_layers=3)
    """

    width: int = 64
    n_layers: int = 2
    contrastive_weight: float = 0.5
    memory_rows: int = 2048

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "width": [Interval(Integral, 1, None, closed="left")],
        "n_layers": [Interval(Integral, 1, None, closed="left")],
        "contrastive_weight": [Interval(Real, 0, None, closed="left")],
        "memory_rows": [Interval(Integral, 1, None, closed="left")],
    }

    def build(self, widths, n_classes, make_head) -> nn.Module:
        return _GraphNet(widths, make_head, self)


class _GraphNet(nn.Module):
    """Messages between rows and modalities."""

    def __init__(self, widths, make_head, fusion: MUSEFusion) -> None:
        super().__init__()
        n, width, n_layers = len(widths), int(fusion.width), int(fusion.n_layers)
        self.contrastive_weight = float(fusion.contrastive_weight)
        self.memory_rows = int(fusion.memory_rows)
        self.edges = nn.ModuleList(nn.Linear(w, width) for w in widths)
        self.nodes = nn.Parameter(torch.randn(n, width))
        self.message = _layers(n_layers, 2 * width, width)
        self.update = _layers(n_layers, 2 * width, width)
        self.edge_update = _layers(n_layers - 1, 3 * width, width)
        self.contrast = nn.Sequential(nn.Linear(width, width), nn.Tanh())
        self.head = make_head(width)
        # Mean messages of training rows to each modality, of all rounds but the last.
        self.memory: Any
        self.register_buffer("memory", torch.zeros(n_layers - 1, n, width))

    def remember(self, codes, present, y, weight):
        """Keep the mean messages of training rows."""
        self._rows(codes, present, weight, self.memory)

    def _rows(self, codes, present, weight=None, kept=None):
        """Codes of rows, (n, width); with weights from their own messages."""
        here = present[:, :, None].to(codes[0].dtype)
        edges = torch.stack([f(c) for f, c in zip(self.edges, codes)], dim=1)
        nodes = self.nodes.expand(len(present), -1, -1)
        rows = torch.ones_like(edges[:, 0])
        last = len(self.message) - 1
        for i, (message, update) in enumerate(zip(self.message, self.update)):
            sent = message(torch.cat([nodes, edges], dim=2)) * here
            mean = sent.sum(dim=1) / here.sum(dim=1).clamp(min=1.0)
            new = update(torch.cat([mean, rows], dim=1))
            if i == last:
                return new
            if weight is None:
                means = self.memory[i]
            else:
                share = weight[:, None, None] * here
                back = torch.cat([rows[:, None].expand_as(edges), edges], dim=2)
                total = (share * message(back)).sum(dim=0)
                means = total / share.sum(dim=0).clamp(min=1e-12)
                if kept is not None:
                    kept[i] = means
            nodes = update(torch.cat([means.expand_as(nodes), nodes], dim=2))
            rows = new
            both = [rows[:, None].expand_as(edges), nodes, edges]
            edges = self.edge_update[i](torch.cat(both, dim=2))

    def features(self, codes, present):
        return self.head[:-1](self._rows(codes, present))

    def forward(self, codes, present):
        return self.head(self._rows(codes, present))

    def row_losses(self, codes, present, y, weight, criterion):
        if not self.training:
            return criterion(self(codes, present), y)
        rows = self._rows(codes, present, weight)
        loss = criterion(self.head(rows), y)
        if self.contrastive_weight == 0:
            return loss
        part = random_part(present, shared=True)
        some = [code * part[:, m, None] for m, code in enumerate(codes)]
        parts = self._rows(some, part, weight)
        return loss + self.contrastive_weight * self._contrasts(rows, parts, y, weight)

    def _contrasts(self, rows, parts, y, weight):
        """Sum of the losses of telling rows, and classes, apart."""
        a, b = (nn.functional.normalize(self.contrast(x), dim=1) for x in (rows, parts))
        within, between = SHARPNESS * a @ a.T, SHARPNESS * a @ b.T
        share = weight / weight.sum()
        # Weighted sums over rows, so that a weight of 2 is the same as two rows.
        logs = torch.log(share)
        own = between.diagonal()
        told = torch.logsumexp(between + logs, dim=1) - own
        told_back = torch.logsumexp(between.T + logs, dim=1) - own
        same = (y[:, None] == y).to(a.dtype)
        binary = nn.functional.binary_cross_entropy_with_logits
        pairs = 0.5 * binary(within, same, reduction="none")
        pairs = pairs + 0.25 * binary(between, same, reduction="none")
        pairs = pairs + 0.25 * binary(between.T, same, reduction="none")
        return 0.5 * (told + told_back) + pairs @ share


def _layers(n: int, n_in: int, n_out: int) -> nn.ModuleList:
    return nn.ModuleList(
        nn.Sequential(nn.Linear(n_in, n_out), nn.ReLU()) for _ in range(n)
    )
