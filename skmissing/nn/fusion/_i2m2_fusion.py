"""Uni-modal factors and factors of several modalities, multiplied."""

from __future__ import annotations

from itertools import combinations
from typing import Any, ClassVar

from torch import nn

from ..._utils._parameters import stores_parameters
from ..._utils._sklearn_compat import StrOptions
from ._product_of_experts import FactorNet, ProductOfExperts


@stores_parameters
class I2M2Fusion(ProductOfExperts):
    """Inter- and intra-modality modelling: uni-modal and joint factors, multiplied.

    For a missing modality only the factors that include it are left out.

    Parameters
    ----------
    joint : {"pairs", "all"}, default="pairs"
        Joint factors: one for each pair of modalities, or one of all modalities, used
        for complete rows only. For two modalities they are the same.
    unimodal_weight : float, default=1.0
        Weight of the loss of each uni-modal factor alone.

    See Also
    --------
    ProductOfExperts : Without joint factors.

    Notes
    -----
    The method of :cite:t:`i2m2`, who multiply uni-modal predictors and one of all
    modalities and train them together after each was trained alone, on complete rows.
    Here they are trained together from the start, with the loss of each uni-modal
    factor added (``unimodal_weight``), on rows of any pattern, and with factors of
    pairs, so that rows without some modality keep the interactions of the others.

    The published code trains on AV-MNIST with SGD without momentum, a learning rate of
    0.01, a weight decay of 1e-4, batches of 40 rows and at most 30 epochs. Before that,
    each predictor has had as many alone, at 0.01 (the joint one at 0.1). Uni-modal
    predictors have codes of 24 and 96 units, the joint one of 48 and 192, and all have
    a hidden layer of 100. For MIMIC-III it has RMSprop, 1e-3, at most 20 epochs and
    hidden layers of 40 units. Nearest to the former is:

    >>> import torch
    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import I2M2Fusion
    >>> paper = FusionClassifier(
    ...     fusion=I2M2Fusion(joint="all"), optimizer=torch.optim.SGD, lr=1e-2,
    ...     weight_decay=1e-4, batch_size=40, max_epochs=30, n_iter_no_change=11,
    ...     head_hidden=(100,), modality_dropout=0.0,
    ... )

    Examples
    --------
    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import I2M2Fusion
    >>> FusionClassifier(fusion=I2M2Fusion(joint="all")).fusion
    I2M2Fusion(joint='all')
    """

    joint: str = "pairs"
    unimodal_weight: float = 1.0

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "joint": [StrOptions({"pairs", "all"})]
    }

    def build(self, widths, n_classes, make_head) -> nn.Module:
        n = len(widths)
        sets: list[tuple[int, ...]] = [(m,) for m in range(n)]
        if n > 1 and self.joint == "all":
            sets.append(tuple(range(n)))
        elif n > 1:
            sets += combinations(range(n), 2)
        return FactorNet(widths, n_classes, make_head, sets, self.unimodal_weight)
