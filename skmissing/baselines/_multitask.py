"""Joint training with a loss for every modality."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar

from .._utils._sklearn_compat import Interval
from ..nn._docs import fill_doc
from ..nn._encoder_bank import EncoderBank
from ..nn.substitution._base import SubstituteNetClassifier
from ..nn.substitution._substitute import Substitute
from ..nn.substitution._substitute_fusion import MultitaskFusion, SubstituteFusion


@fill_doc
class MultitaskFusionClassifier(SubstituteNetClassifier):
    """Late fusion trained with a further loss for each modality alone.

    Every modality has an encoder and a head; the outputs of the heads are averaged. A
    second head on each encoder predicts the class from that modality alone. Its loss
    is added, so that no encoder is left untrained because another one learns faster;
    the second head is not used in predictions. A missing modality is replaced by a
    substitute.

    Parameters
    ----------
    modalities : mapping or list, default=None
        Columns of each modality, see :class:`~skmissing.Modality`.
    side_weight : float, default=1.0
        Weight of each modality's own loss; that of the fused output is 1. With 0 this
        is plain joint training, the "naive" comparator of the literature.
    %(substitution)s
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

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **SubstituteNetClassifier._parameter_constraints,
        "side_weight": [Interval(Real, 0, None, closed="left")],
    }
    _not_of_the_net = ("side_weight",)

    def __init__(
        self,
        *,
        modalities=None,
        side_weight: float = 1.0,
        fusion: str = "mean_logits",
        substitute="zero",
        modality_dropout: float = 0.0,
        dropout_scheme: str = "subset",
        head_hidden: Sequence[int] = (),
        head_dropout: float = 0.0,
        encoders: dict | list | None = None,
        max_epochs: int = 50,
        lr: float = 1e-3,
        batch_size: int | str | None = "auto",
        optimizer="adamw",
        weight_decay: float = 0.0,
        early_stopping: bool | str = "auto",
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        class_weight=None,
        dtype: str = "float32",
        device: str = "auto",
        n_threads: int | None = None,
        callbacks: list | None = None,
        warm_start: bool = False,
        verbose: int = 0,
        random_state=None,
    ) -> None:
        self.modalities = modalities
        self.side_weight = side_weight
        self.fusion = fusion
        self.substitute = substitute
        self.modality_dropout = modality_dropout
        self.dropout_scheme = dropout_scheme
        self.head_hidden = head_hidden
        self.head_dropout = head_dropout
        self.encoders = encoders
        self.max_epochs = max_epochs
        self.lr = lr
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.class_weight = class_weight
        self.dtype = dtype
        self.device = device
        self.n_threads = n_threads
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.verbose = verbose
        self.random_state = random_state

    def _module(
        self,
        bank: EncoderBank,
        n_classes: int,
        columns: list[int],
        substitutes: dict[str, Substitute],
    ) -> SubstituteFusion:
        return MultitaskFusion(
            bank,
            self._heads(bank.widths, n_classes),
            n_classes,
            columns,
            self.fusion,
            substitutes,
            side_heads=self._heads(bank.widths, n_classes),
            side_weight=float(self.side_weight),
        )
