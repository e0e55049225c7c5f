"""A net that fuses the modalities that a row has."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._utils._parameters import stores_parameters
from .._utils._sklearn_compat import Interval, StrOptions
from ..nn._base import BaseNetClassifier
from ..nn._engine import ModuleEpochs
from ..nn._fitted_net import FittedNet
from ..nn._fusion import FusionModule, Head
from ..nn._modality_dropout import ModalityDropout
from ..nn._training import TrainingTask
from ..nn.encoders._encoder import check_widths
from ..nn.fusion._default import FUSIONS, resolve_fusion
from ..nn.fusion._early_fusion import EarlyFusion
from ..nn.fusion._fusion import Fusion


@stores_parameters
class FusionClassifier(BaseNetClassifier):
    """Neural classifier that fuses the modalities that a row has.

    Each modality has an encoder; a row is encoded only for the modalities it has. A
    parameter object, like an encoder, sets how the codes of the modalities are fused.
    Complete and incomplete rows are used together in training.

    Parameters
    ----------
    fusion : fusion of skmissing.nn or str, default="early"
        What makes class scores of the codes, such as
        ``AttentionFusion(token_dim=32)``; its parameters are then reached as
        ``fusion__token_dim``. Short forms of their defaults: "early", codes side by
        side, zeros for missing ones, in front of one head; "late", the mean of the
        scores of one head per modality, which learns no interaction, such as an XOR;
        "attention", "gated", "product", "mtl", "i2m2", "shaspec", "qmf", "tmc",
        "latent", "dynmm", "m3care", "muse", "online_mae", "cmmd", "pdf", "prompts".
        :ref:`fusion` describes them, and how to write one.
    modality_dropout : float in [0, 1), default=0.2
        Probability that a modality of a training row is hidden, so that the net learns
        to predict without it. 0 leaves the rows unchanged.
    dropout_scheme : {"independent", "exclusive"}, default="independent"
        Independent: each modality on its own; a row that would lose all keeps all.
        Exclusive: at most one modality of a complete row; with M modalities a share
        ``1 - M * modality_dropout`` of them stays complete, none from ``1 / M`` on.
    use_mask : bool, default=False
        Append to the codes one bit per modality that indicates whether it is present.
        Only for early fusion; the same as ``EarlyFusion(use_mask=True)``. The bits let
        the net use missingness as a feature.
    head_hidden : sequence of int, default=(64,)
        Widths of the layers between fused codes and class scores; may be empty.
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
        In ``fit``, for ``use_mask=True`` without early fusion, a ``criterion`` with a
        fusion that has a loss of its own, an encoder for an unknown modality, a device
        that is not available, and unusable data.

    See Also
    --------
    UnimodalEnsemble : One net per modality, combined by probability.
    PatternClassifier : One model of any kind per pattern.
    skmissing.nn.Fusion : Base of the fusions, for one of your own.

    Notes
    -----
    With :math:`h_m` the code of modality m and :math:`o_m` its presence, early fusion
    is :math:`f([o_1 h_1, \\dots, o_M h_M])`, late fusion :math:`\\sum_m o_m f_m(h_m)
    / \\sum_m o_m`. Dropping modalities in training is the method of ModDrop
    :cite:p:`moddrop`. Hiding modalities in training is the augmentation of
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

    fusion: Any = "early"
    modality_dropout: float = 0.2
    dropout_scheme: str = "independent"
    use_mask: bool = False
    head_hidden: Sequence[int] = (64,)
    head_dropout: float = 0.0

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "fusion": [StrOptions(set(FUSIONS)), Fusion],
        "modality_dropout": [Interval(Real, 0, 1, closed="left")],
        "dropout_scheme": [StrOptions({"independent", "exclusive"})],
        "use_mask": ["boolean"],
        "head_hidden": ["array-like"],
        "head_dropout": [Interval(Real, 0, 1, closed="left")],
    }

    _not_of_the_net = ("modality_dropout", "dropout_scheme")

    def set_params(self, **params) -> FusionClassifier:
        """Set parameters, also those of encoders and of the fusion.

        Parameters
        ----------
        **params : dict
            Names and values, ``fusion__parameter`` also where ``fusion`` is a short
            form.

        Returns
        -------
        self
        """
        fusion = params.get("fusion", self.fusion)
        nested = any(key.startswith("fusion__") for key in params)
        if nested and isinstance(fusion, str) and fusion in FUSIONS:
            params["fusion"] = FUSIONS[fusion]()
        super().set_params(**params)
        return self

    def _resolve_fusion(self) -> Fusion:
        """The fusion as a parameter object that is checked."""
        fusion = resolve_fusion(self.fusion)
        if self.use_mask:
            if not isinstance(fusion, EarlyFusion):
                raise ValueError(
                    f"Got use_mask=True with fusion={self.fusion!r}, expected "
                    "fusion='early'; no other fusion has an input for presence bits."
                )
            fusion = EarlyFusion(use_mask=True)
        fusion.check()
        if not fusion.takes_criterion and self.criterion != "cross_entropy":
            raise ValueError(
                f"Got criterion={self.criterion!r} with fusion={self.fusion!r}, "
                "expected the default; this fusion has a loss of its own."
            )
        return fusion

    def _fit_rows(self, task: TrainingTask) -> None:
        fusion = self._resolve_fusion()
        if len(self.head_hidden):
            check_widths("head_hidden", self.head_hidden)
        names = task.rows.data.names
        make_head = Head(self.head_hidden, self.head_dropout, len(task.rows.classes))

        def build(bank):
            columns = [names.index(name) for name in bank.names]
            return FusionModule(bank, fusion, make_head, columns)

        augment = None
        if self.modality_dropout > 0 and len(names) > 1:
            augment = ModalityDropout(self.modality_dropout, self.dropout_scheme)
        self._train(task, build, augment=augment)

    def _training_params(self) -> dict[str, Any]:
        params = super()._training_params()
        if resolve_fusion(self.fusion).counts_epochs:
            params["callbacks"] = [ModuleEpochs(), *(self.callbacks or [])]
        return params

    def modality_weights(self, X) -> np.ndarray:
        """Share of each modality in the predictions, as the fusion weights them.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any pattern of missing modalities.

        Returns
        -------
        ndarray of float64 of shape (n_samples, n_modalities)
            In the order of ``modality_names_in_``, 0 where missing. Rows sum to 1,
            unless the fusion says otherwise.

        Raises
        ------
        AttributeError
            For a fusion without weights, such as "early".
        """
        check_is_fitted(self)
        if not hasattr(self._fitted.module.fuser, "modality_weights"):
            raise AttributeError(
                f"Got fusion={self.fusion!r}, expected one that weights modalities, "
                "such as 'qmf' or 'gated'."
            )
        data = self._check_rows(X).select(self._fitted.names)
        out = np.zeros((len(data), len(data.names)))
        some = self._answerable(data)
        if some.any():
            with self._while_predicting():
                out[some] = self._fitted.apply(data[some], _weights)
        return out

    def unimodal_net(self, name: str) -> FittedNet | None:
        fusion = resolve_fusion(self.fusion)
        early = isinstance(fusion, EarlyFusion) and not fusion.use_mask
        alone = list(self.modality_names_in_) == [name] and early
        return self._fitted if alone and not self.use_mask else None


def _weights(module, batch):
    return module.modality_weights(batch).double()
