"""Recovery by a cascade of residual autoencoders."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from .._estimation._rows import LabelledRows
from .._utils._parameters import stores_parameters
from .._utils._random import local_random_state
from .._utils._sklearn_compat import Interval
from ..modalities._multimodal_data import MultimodalData
from ..nn._callbacks import reports_fit
from ..nn._encoder_bank import EncoderBank
from ..nn._fitted_net import FittedNet
from ..nn._net_parameters import NetParameters
from ..nn._random_subsets import random_part
from ..nn._runtime import torch_threads
from ..nn._store import Batch
from ..nn._task import TaskModule
from ..nn._training import TrainingPlan, train_net
from ..nn.encoders._module_encoder import ModuleEncoder
from ._base import BaseRecovery, Recovered


@stores_parameters
class CRARecovery(NetParameters, BaseRecovery):
    """Fill missing modalities with a cascaded residual autoencoder.

    All blocks of a row are one vector, zeros for missing ones. Each autoencoder of a
    cascade adds what is still missing from the vector. Modalities are hidden in
    training to be recovered. Blocks are read as flat vectors, so ``encoders`` must be
    None.

    Parameters
    ----------
    n_blocks : int, default=3
        Autoencoders of the cascade.
    hidden : int, default=64
        Units of the hidden layer of each.
    %(parameters)s

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net.
    n_iter_ : int
        Number of epochs run.
    means_ : dict of str to ndarray
        Mean of every feature over the training rows that have the modality.
    %(attributes)s

    Raises
    ------
    ValueError
        In ``fit``, for ``encoders`` that are not None, and unusable data.

    See Also
    --------
    RegressionRecovery : Without a net, often as good for tables.
    MultimodalVAE : With encoders and decoders for images and series.

    Notes
    -----
    The method of :cite:t:`cra`: with :math:`z_0` the standardised row, autoencoder k
    makes :math:`z_k = z_{k-1} + f_k(z_{k-1})`, and the loss is the squared error of
    every :math:`z_k`, here on what a row has, averaged over the features of a modality.
    There, rows are complete in training, and the cascade grows while the error of
    held-out rows falls; here its length is a parameter, all autoencoders are trained
    together, and hidden modalities are drawn for each batch. NaN features of a present
    block count as their mean. Early stopping uses the error of held-out blocks
    recovered from the others.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import MultimodalData
    >>> from skmissing.recovery import CRARecovery
    >>> rng = np.random.default_rng(0)
    >>> a = rng.normal(size=(400, 2))
    >>> X = MultimodalData({"a": a, "b": a @ rng.normal(size=(2, 4))})
    >>> X = X.hide({"b": np.arange(400) % 2 == 0})
    >>> cra = CRARecovery(max_epochs=30, lr=1e-2, random_state=0, n_threads=1)
    >>> bool(cra.fit(X[:300]).score(X[300:]) > 0.8)
    True
    """

    n_blocks: int = 3
    hidden: int = 64

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_blocks": [Interval(Integral, 1, None, closed="left")],
        "hidden": [Interval(Integral, 1, None, closed="left")],
        "encoders": [None],
    }

    fit = reports_fit(BaseRecovery.fit)

    def _flat(self, data: MultimodalData) -> MultimodalData:
        """Standardised vectors of the modalities that training rows had."""
        blocks: dict[str, Any] = {}
        columns = []
        for name in self.means_:
            columns.append(data.names.index(name))
            present = data.present[:, columns[-1]]
            block = np.zeros((len(data), self._size(name)))
            if present.any():
                block[present] = self._scaled(data, name, np.flatnonzero(present))
            blocks[name] = block
        return MultimodalData.unchecked(blocks, data.present[:, columns].copy(), {})

    def _fit_rows(self, rows: LabelledRows) -> None:
        flat = self._flat(rows.data)
        widths = {name: self._size(name) for name in flat.names}
        encoders: Any = {
            name: ModuleEncoder(nn.Identity(), width) for name, width in widths.items()
        }

        def build(bank: EncoderBank) -> _Cascade:
            return _Cascade(bank, int(self.n_blocks), int(self.hidden))

        self._fitted: FittedNet = train_net(
            self._training_params(),
            replace(rows, data=flat),
            encoders,
            build,
            local_random_state(self.random_state),
            TrainingPlan(label=type(self).__name__),
        )
        self.net_ = self._fitted.net
        self.n_iter_ = len(self.net_.history)

    def _recover(self, data: MultimodalData) -> Recovered:
        flat = self._flat(data)
        out = {}
        some = np.asarray(flat.present.any(axis=1))
        values = np.zeros((len(flat), sum(self._size(name) for name in flat.names)))
        if (some & ~flat.present.all(axis=1)).any():
            with torch_threads(self.n_threads):
                values[some] = self._fitted.apply(flat[some], _last_estimate)
        ends = np.cumsum([self._size(name) for name in flat.names])[:-1]
        for name, part in zip(flat.names, np.split(values, ends, axis=1)):
            missing = ~data.present[:, data.names.index(name)]
            # Of rows with nothing at all, zeros: the means.
            out[name] = self._unscaled(name, part[missing])
        return out


class _Cascade(TaskModule):
    """Autoencoders, each of which adds to what the former ones made."""

    def __init__(self, bank: EncoderBank, n_blocks: int, hidden: int) -> None:
        super().__init__(bank, 1)
        size = sum(bank.widths)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(size, hidden), nn.ReLU(), nn.Linear(hidden, size))
            for _ in range(n_blocks)
        )

    def rows(self, batch: Batch):
        """Standardised rows, 0 where missing."""
        like = next(self.blocks.parameters())
        parts = [
            like.new_zeros((len(batch), width)) if code is None else code
            for code, width in zip(self.bank(batch), self.bank.widths)
        ]
        return torch.cat(parts, dim=1)

    def estimates(self, z, kept) -> list[Any]:
        """What each autoencoder makes of the modalities that are kept."""
        z = z * self._by_feature(kept)
        out = []
        for block in self.blocks:
            z = z + block(z)
            out.append(z)
        return out

    def _by_feature(self, mask):
        return torch.cat(
            [
                mask[:, m : m + 1].expand(-1, width)
                for m, width in enumerate(self.bank.widths)
            ],
            dim=1,
        )

    def _misfit(self, guess, z, wanted):
        """Mean squared error over the features of each modality, summed."""
        widths = self.bank.widths
        parts = (guess - z).square().split(widths, dim=1)
        errors = torch.stack([part.mean(dim=1) for part in parts], dim=1)
        return (errors * wanted).sum(dim=1)

    def row_losses(self, batch: Batch):
        z, present = self.rows(batch), batch.present
        if self.training:
            made = self.estimates(z, random_part(present, shared=True))
            return sum(self._misfit(part, z, present) for part in made) / len(made)
        total = torch.zeros_like(z[:, 0])
        for m in range(present.shape[1]):
            kept, wanted = present.clone(), torch.zeros_like(present)
            kept[:, m], wanted[:, m] = False, present[:, m]
            total = total + self._misfit(self.estimates(z, kept)[-1], z, wanted)
        return total

    def logits(self, batch: Batch):
        return batch.present.new_zeros((len(batch), 1), dtype=torch.float32)


def _last_estimate(module, batch):
    return module.estimates(module.rows(batch), batch.present)[-1].double()
