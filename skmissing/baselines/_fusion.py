"""A net that fuses the modalities that a row has."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar

from .._utils._parameters import stores_parameters
from .._utils._sklearn_compat import Interval, StrOptions
from ..nn._base import BaseNetClassifier
from ..nn._fitted_net import FittedNet
from ..nn._fusion import EarlyFusion, LateFusion
from ..nn._modality_dropout import ModalityDropout
from ..nn._training import TrainingTask
from ..nn.encoders._encoder import check_widths


@stores_parameters
class FusionClassifier(BaseNetClassifier):
    """Neural classifier that fuses the modalities that a row has.

    Each modality has an encoder; a row is encoded only for the modalities it has.
    Early fusion concatenates the codes (zeros for missing ones) in front of one head;
    late fusion averages the scores of one head per modality. Complete and incomplete
    rows are trained on together.

    Parameters
    ----------
    fusion : {"early", "late"}, default="early"
        Whether codes are concatenated, or scores averaged. Averaged scores learn no
        interaction of modalities, such as an XOR.
    modality_dropout : float in [0, 1), default=0.2
        Probability that a modality of a training row is hidden, so that the net learns
        to predict without it. 0 leaves the rows unchanged.
    dropout_scheme : {"independent", "exclusive"}, default="independent"
        Independent: each modality on its own; a row that would lose all keeps all.
        Exclusive: at most one modality of a complete row; with M modalities a share
        ``1 - M * modality_dropout`` of them stays complete, none from ``1 / M`` on.
    use_mask : bool, default=False
        Append to the codes one bit per modality that indicates whether it is present.
        Only for early fusion. The bits let the net use missingness as a feature.
    head_hidden : sequence of int, default=(64,)
        Widths of the layers between codes and class scores; may be empty.
    head_dropout : float in [0, 1), default=0.0
        Share of those units dropped in training.
    %(parameters)s

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net; ``net_.history`` holds the losses of every epoch.
    n_iter_ : int
        Number of epochs run.
    %(attributes)s

    Raises
    ------
    ValueError
        In ``fit``, for ``use_mask=True`` with late fusion, an encoder for an unknown
        modality, a device that is not available, and unusable data.

    See Also
    --------
    UnimodalEnsemble : One net per modality, combined by probability.
    PatternClassifier : One model of any kind per pattern.

    Notes
    -----
    With :math:`h_m` the code of modality m and :math:`o_m` its presence, early fusion
    is :math:`f([o_1 h_1, \\dots, o_M h_M])`, late fusion :math:`\\sum_m o_m f_m(h_m)
    / \\sum_m o_m`. Hiding modalities in training is the augmentation of
    :cite:t:`umemma`, whose scheme is the exclusive one.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import MultimodalData
    >>> from skmissing.baselines import FusionClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=200)
    >>> X = MultimodalData({
    ...     "a": y[:, None] + rng.normal(size=(200, 3)),
    ...     "b": y[:, None] + rng.normal(size=(200, 5)),
    ... })
    >>> X = X.hide({"b": rng.random(200) < 0.5})
    >>> clf = FusionClassifier(max_epochs=10, random_state=0, n_threads=1).fit(X, y)
    >>> clf.predict(X[:5]).shape
    (5,)
    >>> bool(clf.score(X, y) > 0.8)
    True
    """

    fusion: str = "early"
    modality_dropout: float = 0.2
    dropout_scheme: str = "independent"
    use_mask: bool = False
    head_hidden: Sequence[int] = (64,)
    head_dropout: float = 0.0

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "fusion": [StrOptions({"early", "late"})],
        "modality_dropout": [Interval(Real, 0, 1, closed="left")],
        "dropout_scheme": [StrOptions({"independent", "exclusive"})],
        "use_mask": ["boolean"],
        "head_hidden": ["array-like"],
        "head_dropout": [Interval(Real, 0, 1, closed="left")],
    }

    _not_of_the_net = ("modality_dropout", "dropout_scheme")

    def _fit_rows(self, task: TrainingTask) -> None:
        if self.use_mask and self.fusion == "late":
            raise ValueError(
                "Got use_mask=True with fusion='late', expected fusion='early'; late "
                "fusion has no input for presence bits."
            )
        if len(self.head_hidden):
            check_widths("head_hidden", self.head_hidden)
        names, n_classes = task.rows.data.names, len(task.rows.classes)

        def build(bank):
            columns = [names.index(name) for name in bank.names]
            shared = (bank, n_classes, self.head_hidden, self.head_dropout, columns)
            if self.fusion == "late":
                return LateFusion(*shared)
            return EarlyFusion(*shared, bool(self.use_mask))

        augment = None
        if self.modality_dropout > 0 and len(names) > 1:
            augment = ModalityDropout(self.modality_dropout, self.dropout_scheme)
        self._train(task, build, augment=augment)

    def unimodal_net(self, name: str) -> FittedNet | None:
        alone = list(self.modality_names_in_) == [name] and self.fusion == "early"
        return self._fitted if alone and not self.use_mask else None
