"""Encoder for integer tokens."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import clone
from torch import nn

from ..._utils._parameters import stores_parameters
from ..._utils._sklearn_compat import Interval, StrOptions
from ...modalities._scaling import BlockScaler
from ...modalities._tokens import FIRST_TOKEN, TokenCodes, fit_token_codes
from ._encoder import Encoder, check_widths


@stores_parameters
class EmbeddingEncoder(Encoder):
    """Embeddings of integer tokens, pooled over the tokens of a row.

    For blocks of shape ``(T,)`` with integers that stand for words, codes in a record
    or items in a basket. Each token in the training rows gets a vector; all others
    share one, which is 0 unless training rows have some of them.

    Parameters
    ----------
    n_tokens : int, default=None
        Tokens are ``0, ..., n_tokens - 1``, and all others unknown. None: tokens are
        the values that the training rows have.
    embedding_dim : int, default=32
        Width of the vector of a token.
    pooling : {"mean", "gru"}, default="mean"
        The mean of the vectors, whatever their order, or the state of a gated recurrent
        net of the same width after the last token.
    hidden : sequence of int, default=(64,)
        Widths of the layers after that. The last one is the width of the code.
    padding_token : int or None, default=0
        Runs of it at the beginning or end of a row are padding, which counts as absent.
        None where every token counts.
    dropout : float in [0, 1), default=0.0
        Share of the pooled vector, and of hidden units, dropped in training.
    lr_factor : float, default=1.0
        Factor on the estimator's learning rate for the weights of this encoder.

    See Also
    --------
    MLPEncoder : For integers that are numbers, such as ages and counts.
    ModuleEncoder : For pre-trained modules that take tokens.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import MultimodalData
    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import EmbeddingEncoder
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=200)
    >>> tokens = rng.integers(1, 30, size=(200, 6))
    >>> tokens[:, 2] = np.where(y == 1, 30, tokens[:, 2])
    >>> clf = FusionClassifier(
    ...     encoders={"note": EmbeddingEncoder(embedding_dim=8)}, max_epochs=10,
    ...     lr=0.01, n_threads=1, random_state=0,
    ... )
    >>> X = MultimodalData({"note": tokens})
    >>> bool(clf.fit(X, y).score(X, y) > 0.9)
    True
    """

    n_tokens: int | None = None
    embedding_dim: int = 32
    pooling: str = "mean"
    hidden: Sequence[int] = (64,)
    padding_token: int | None = 0
    dropout: float = 0.0
    lr_factor: float = 1.0

    scale_inputs = False
    keeps_integers = True
    reads_tokens = True

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_tokens": [Interval(Integral, 1, None, closed="left"), None],
        "embedding_dim": [Interval(Integral, 1, None, closed="left")],
        "pooling": [StrOptions({"mean", "gru"})],
        "hidden": ["array-like"],
        "padding_token": [Integral, None],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "lr_factor": [Interval(Real, 0, None, closed="neither")],
    }

    def check(self, name: str, shape: tuple[int, ...]) -> None:
        super().check(name, shape)
        check_widths("hidden", self.hidden)
        self._expect_ndim(name, shape, 1, "(tokens,)")

    def fit_scaler(
        self, name: str, block, rows: np.ndarray, weight: np.ndarray
    ) -> BlockScaler:
        return fit_token_codes(name, block, rows, self.n_tokens, self.padding_token)

    def for_input(self, scaler: BlockScaler) -> Encoder:
        if not isinstance(scaler, TokenCodes):
            raise TypeError("Got a scaler of numbers, expected one of tokens.")
        return clone(self).set_params(n_tokens=max(1, len(scaler.vocabulary)))

    def build(self, shape: tuple[int, ...]) -> nn.Module:
        if self.n_tokens is None:
            raise ValueError(
                "Got n_tokens=None in EmbeddingEncoder.build, expected the number of "
                "tokens, which fit of an estimator learns."
            )
        return _Embedded(
            int(self.n_tokens) + FIRST_TOKEN,
            int(self.embedding_dim),
            self.pooling,
            [int(width) for width in self.hidden],
            self.dropout,
        )


class _Embedded(nn.Module):
    """Codes of tokens (n, T), 0 for padding and 1 for unknown, to (n, out_features)."""

    def __init__(
        self, n_codes: int, width: int, pooling: str, hidden: list[int], dropout: float
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_codes, width, padding_idx=0)
        with torch.no_grad():
            # About the mean of all tokens, until training rows say otherwise.
            self.embedding.weight[1] = 0.0
        self.rnn = nn.GRU(width, width, batch_first=True) if pooling == "gru" else None
        layers: list[nn.Module] = []
        for size in hidden:
            if dropout > 0:
                layers.append(nn.Dropout(dropout))
            layers += [nn.Linear(width, size), nn.ReLU()]
            width = size
        self.body = nn.Sequential(*layers)
        self.out_features = width

    def forward(self, x, lengths=None):
        real = x > 0
        vectors = self.embedding(x)
        if self.rnn is None:
            count = real.sum(dim=1, keepdim=True).clamp(min=1)
            return self.body(vectors.sum(dim=1) / count)
        # Tokens to the front: steps of padding would move the state.
        order = torch.argsort((~real).to(torch.uint8), dim=1, stable=True)
        ordered = vectors.gather(1, order[..., None].expand_as(vectors))
        states, _ = self.rnn(ordered)
        last = (real.sum(dim=1) - 1).clamp(min=0)
        state = states[torch.arange(len(x), device=x.device), last]
        return self.body(state * real.any(dim=1, keepdim=True))
