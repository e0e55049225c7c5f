"""Joint training with a loss for every modality."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

from .._utils._parameters import stores_parameters
from .._utils._sklearn_compat import Interval
from ..nn._encoder_bank import EncoderBank
from ..nn.substitution._base import SubstituteNetClassifier
from ..nn.substitution._substitute_fusion import (
    FusionSpec,
    MultitaskFusion,
    SubstituteFusion,
)


@stores_parameters
class MultitaskFusionClassifier(SubstituteNetClassifier):
    """Late fusion trained with an additional loss for each modality alone.

    Every modality has an encoder and a head; the outputs of the heads are averaged. A
    second head on each encoder predicts the class from that modality alone. Its loss
    is added, so that no encoder is left untrained because another one learns faster;
    the second head is not used in predictions. A missing modality is replaced by a
    substitute.

    The output is a sum of functions of one modality each, which learns no interaction:
    with the label an XOR of two modalities it is no better than chance.

    Parameters
    ----------
    side_weight : float, default=1.0
        Weight of each modality's own loss; that of the fused output is 1. With 0 this
        is plain joint training, the "naive" comparator of the literature.
    modality_dropout : float in [0, 0.5], default=0.0
        In training, a share ``2 * modality_dropout`` of the complete rows lose
        modalities, with two modalities each of them with this probability. Rows in
        which a modality is missing already lose no more.
    %(parameters)s

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net.
    n_iter_ : int
        Number of epochs run.
    substitutes_ : dict of str to ndarray of shape (k, ...)
        What is fed for each missing modality, in the units of the data.
    %(attributes)s

    Raises
    ------
    ValueError
        In ``fit``, for a substitute for an unknown modality, a mean or noise for
        integer tokens, and unusable data.

    See Also
    --------
    skmissing.UMEMMAEnsemble : Trains the modalities first, then adapts them.
    MissingDetectionClassifier : Heads that recognise a substitute.

    Notes
    -----
    With fused output :math:`f(x)` and the second heads :math:`g_m`, the loss of a row
    is :math:`\\ell(f(x), y) + \\lambda \\sum_m o_m \\ell(g_m(h_m), y)`, with
    :math:`o_m` = 1 where the row has modality m. It is the "multi-task" comparator of
    :cite:t:`umemma`, section 4; there it is trained on complete rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import MultimodalData
    >>> from skmissing.baselines import MultitaskFusionClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=200)
    >>> X = MultimodalData({
    ...     "a": y[:, None] + rng.normal(size=(200, 3)),
    ...     "b": y[:, None] + rng.normal(size=(200, 5)),
    ... })
    >>> clf = MultitaskFusionClassifier(max_epochs=10, random_state=0, n_threads=1)
    >>> clf.fit(X, y).predict_proba(X.hide("b")[:3]).shape
    (3, 2)
    """

    side_weight: float = 1.0
    modality_dropout: float = 0.0

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "side_weight": [Interval(Real, 0, None, closed="left")]
    }
    _not_of_the_net = ("side_weight",)

    def _module(self, bank: EncoderBank, spec: FusionSpec) -> SubstituteFusion:
        return MultitaskFusion(
            bank,
            self._heads(bank.widths, spec.n_classes),
            spec,
            side_heads=self._heads(bank.widths, spec.n_classes),
            side_weight=float(self.side_weight),
        )

    def _retune(self, module) -> None:
        module.side_weight = float(self.side_weight)
