"""Uni-modal ensemble with missing-modality adaptation."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch

from .._estimation._folds import hold_out
from .._estimation._rows import LabelledRows, warn_unobserved
from .._utils._checks import N_JOBS
from .._utils._named_parts import named_pairs
from .._utils._parameters import stores_parameters
from .._utils._random import draw_seed, local_random_state
from .._utils._sklearn_compat import Interval
from ..nn._encoder_bank import EncoderBank
from ..nn._fitted_net import FittedNet, NetStart
from ..nn._modality_dropout import ModalityDropout
from ..nn._training import Expand, TrainingPlan, TrainingTask, stops_early, train_net
from ..nn.encoders._encoder import Encoder
from ..nn.substitution._base import SubstituteNetClassifier
from ..nn.substitution._substitute_fusion import FusionSpec, SubstituteFusion
from ..nn.substitution._unimodal import (
    Head,
    UnimodalNets,
    train_unimodals,
    unimodal_seeds,
)
from ._pretrained import Pretrained, read_pretrained, take_net

# Draws of hidden blocks for each row held out for early stopping: the loss that stops
# phase 2 is the one that phase 2 lowers.
N_HIDINGS = 4


@stores_parameters
class UMEMMAEnsemble(UnimodalNets, SubstituteNetClassifier):
    """Uni-modal ensemble with missing-modality adaptation.

    Phase 1 trains one net per modality on the rows that have it. Phase 2 averages
    their outputs and fine-tunes all of them jointly, while modalities of some rows are
    replaced by a substitute. Each modality is learned on its own before a stronger
    one can dominate, and the average is then adapted to missing members. The net is not
    given the missingness mask, so it also copes with a sensor that sends the
    substitute, or a value like it, unreported.

    The output is a sum of functions of one modality each and cannot learn interactions
    of modalities: with the label an XOR of two modalities it is no better than chance,
    see Notes.

    Parameters
    ----------
    finetune_epochs : int, default=None
        Passes over the rows in phase 2. None: ``max_epochs``. With 0 the nets of phase
        1 are averaged as they are.
    finetune_lr : float, default=None
        Learning rate of phase 2. None: ``lr``. What phase 2 can change is the number of
        its steps times this rate, ``finetune_budget_``; far less than that of phase 1
        leaves small data unadapted, see Notes.
    freeze_encoders : bool, default=False
        Phase 2 changes the heads only.
    final_complete_finetune : bool, default=False
        A third phase on the complete rows alone, as long as the second: better if all
        rows to predict are complete, worse for incomplete ones.
    unimodal : dict of str to estimator, default=None
        Estimators that provide the net of a modality in place of phase 1: a
        :class:`~skmissing.baselines.UnimodalEnsemble`, a :class:`UMEMMAEnsemble`, or a
        :class:`~skmissing.baselines.FusionClassifier`, which is fitted on that modality
        alone. They are cloned and fitted on the training rows that have the modality. A
        fitted one, whose net is used as it is, comes as a
        :class:`~sklearn.frozen.FrozenEstimator`; it must have the same classes, is
        copied and never changed. In a cross-validation its training rows should not be
        test rows. An encoder listed for such a modality must be of the same kind; its
        ``lr_factor`` and ``frozen`` hold in phase 2.
    n_jobs : int, default=None
        Nets trained at once in phase 1, by joblib. The result does not depend on it
        for a given ``n_threads``.
    %(parameters)s

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The net after the last phase.
    nets_ : dict of str to skorch.NeuralNet
        The nets after phase 1, by modality.
    n_iter_ : int
        Number of epochs of phase 2.
    finetune_budget_ : float
        Steps times learning rate of phase 2.
    substitutes_ : dict of str to ndarray of shape (k, ...)
        What is fed for each missing modality, in the units of the data.
    %(attributes)s

    Raises
    ------
    ValueError
        In ``fit``, for a substitute for an unknown modality, a mean or noise for
        integer tokens, frozen estimators in ``unimodal`` that are not fitted or do not
        match, ``final_complete_finetune`` without a complete row, and unusable data.

    See Also
    --------
    skmissing.baselines.UnimodalEnsemble : Phase 1 alone, combined by the mask.
    skmissing.baselines.MissingDetectionClassifier : Heads that recognise a substitute.
    skmissing.baselines.FusionClassifier : Learns how modalities act together.
    skmissing.metrics.score_by_pattern : Scores for each pattern.

    Notes
    -----
    With :math:`h_m` the encoder and :math:`f_m` the head of modality m of M, and
    :math:`s_m` its substitute, the output is :math:`\\frac{1}{M} \\sum_m f_m(h_m(
    \\tilde x_m))`, where :math:`\\tilde x_m` is :math:`x_m` if present and
    :math:`s_m` if not. Phase 1 minimises :math:`\\ell(f_m(h_m(x_m)), y)` for each m
    alone, phase 2 the cross-entropy of the average over the drops described under
    ``modality_dropout`` (:cite:t:`umemma`, section 3.3 and figure 2).

    *Differences from the paper.* (1) Its second phase runs at a hundredth of the first
    one's rate, which suits the long epochs of its data; here the default budget of
    phase 2 is that of phase 1, which was better wherever it was measured. (2) For more
    than two modalities, which the paper does not treat, any number may be dropped, and
    the share of complete rows that stay complete is the same. (3) Early stopping, which
    the paper does not have, holds out the same rows in all phases, and in phase 2 hides
    as many of their modalities as of those of training rows. "auto" decides for each
    net of phase 1 by the rows that have its modality. (4) ``substitute="zero"`` is zero
    in the units of the data, as in the paper, whose inputs lie between -1 and 1 or 0
    and 1; encoders standardise unless told otherwise. (5) ``optimizer="sgd"`` has a
    momentum of 0.9. The paper names SGD and no momentum; ``optimizer=torch.optim.SGD``
    has none.

    The setting of the paper for AV-MNIST (appendix B.1.1; the epochs of phase 2, the
    momentum and whether logits or probabilities are averaged are not given, and the
    encoders are not described):

    >>> from skmissing import UMEMMAEnsemble
    >>> from skmissing.nn import ConvEncoder
    >>> raw = ConvEncoder(scale_inputs=False)
    >>> paper = UMEMMAEnsemble(
    ...     encoders={"image": raw, "speech": raw}, optimizer="sgd", lr=1e-2,
    ...     weight_decay=0.0, batch_size=64, max_epochs=10, finetune_epochs=10,
    ...     finetune_lr=1e-4, early_stopping=False, modality_dropout=0.3,
    ...     dropout_scheme="one", substitute="zero", fusion="mean_logits",
    ...     head_hidden=(), head_dropout=0.0, freeze_encoders=False,
    ...     final_complete_finetune=False,
    ... )

    On small data its phase 2 has too few steps. :ref:`The page of claims
    <claims-umemma>` compares the results of the paper with ours.

    *Interactions.* The cross-entropy of a sum of functions of one modality each, for
    two modalities whose XOR is the class, is smallest for a constant output. With
    ``make_xor(four_quadrants=True)`` the ensemble has an accuracy of a half, as have
    :class:`~skmissing.baselines.UnimodalEnsemble`,
    :class:`~skmissing.baselines.MultitaskFusionClassifier` and
    :class:`~skmissing.baselines.MissingDetectionClassifier`;
    :class:`~skmissing.baselines.FusionClassifier` and
    :class:`~skmissing.PRIMOClassifier` learn it.

    Rows with no modality are not used in training, and the class prior is predicted for
    them: a row of substitutes only would get the average of arbitrary constants.

    With ``warm_start=True`` another ``fit`` continues phase 2 from the previous net and
    skips phase 1, including ``unimodal``.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import MultimodalData, UMEMMAEnsemble
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=400)
    >>> X = MultimodalData({
    ...     "a": 2 * y[:, None] + rng.normal(size=(400, 3)),
    ...     "b": y[:, None] + rng.normal(size=(400, 5)),
    ... })
    >>> X = X.hide({"b": rng.random(400) < 0.5})
    >>> clf = UMEMMAEnsemble(max_epochs=10, random_state=0, n_threads=1).fit(X, y)
    >>> bool(clf.score(X, y) > 0.9), bool(clf.score(X.hide("b"), y) > 0.9)
    (True, True)
    >>> sorted(clf.unimodal_proba(X[:3]))
    ['a', 'b']
    """

    finetune_epochs: int | None = None
    finetune_lr: float | None = None
    freeze_encoders: bool = False
    final_complete_finetune: bool = False
    unimodal: dict[str, Any] | None = None
    n_jobs: int | None = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "finetune_epochs": [Interval(Integral, 0, None, closed="left"), None],
        "finetune_lr": [Interval(Real, 0, None, closed="neither"), None],
        "freeze_encoders": ["boolean"],
        "final_complete_finetune": ["boolean"],
        "unimodal": [dict, None],
        "n_jobs": N_JOBS,
    }
    _not_of_the_net = (
        "finetune_epochs", "finetune_lr", "freeze_encoders", "final_complete_finetune",
        "unimodal", "n_jobs",
    )  # fmt: skip

    # -- fit ---------------------------------------------------------------------------

    def _fit_rows(self, task: TrainingTask) -> None:
        rows, encoders, rng, warm = task
        # A net that goes on has no encoder for what it has never seen.
        names = list(self._fitted.used) if warm else self._observed(rows.data)
        warn_unobserved(rows.data.names, names)
        split_seed, phase_1, phase_2, phase_3, hiding = (
            local_random_state(draw_seed(rng)) for _ in range(5)
        )
        held_out = self._hold_out(rows, split_seed)
        pretrained = read_pretrained(
            self.unimodal, rows, dict(named_pairs(self.encoders)), encoders
        )
        encoders = {**encoders, **{n: p.encoder for n, p in pretrained.items()}}
        substitutes = self._make_substitutes(task._replace(encoders=encoders))
        complete = np.asarray(rows.data.select(names).present.all(axis=1))
        if self.final_complete_finetune and not complete.any():
            raise ValueError(
                "Got final_complete_finetune=True without a complete row, expected at "
                f"least one with all of the modalities {names}."
            )
        if warm:
            start: FittedNet | NetStart = self._fitted
        else:
            self._nets: dict[str, FittedNet] = self._train_phase_1(
                rows, {name: encoders[name] for name in names}, pretrained, phase_1,
                held_out,
            )  # fmt: skip
            start = self._join(rows, substitutes)
        augment = self._augmentation(len(names))
        expand = None if augment is None else hide_some(augment, hiding)
        self._fitted = self._finetune(
            rows, encoders, phase_2, start, held_out, augment=augment, expand=expand
        )
        self.net_ = self._fitted.net
        self.n_iter_ = len(self.net_.history)
        self._store_substitutes()
        self.nets_ = {name: fitted.net for name, fitted in self._nets.items()}
        steps = sum(epoch["train_batch_count"] for epoch in self.net_.history)
        self.finetune_budget_ = steps * self._finetune_lr
        if self.final_complete_finetune:
            held_out = None if held_out is None else held_out[complete]
            self._fitted = self._finetune(
                rows.take(complete), encoders, phase_3, self._fitted, held_out
            )
            self.net_ = self._fitted.net

    def _train_phase_1(
        self,
        rows: LabelledRows,
        encoders: dict[str, Encoder],
        pretrained: dict[str, Pretrained],
        rng: np.random.RandomState,
        held_out: np.ndarray | None,
    ) -> dict[str, FittedNet]:
        """A net for each modality in ``encoders``: a pretrained or a new one."""
        # A template gets the seed that the net of its modality would have.
        seeds = dict(zip(rows.data.names, unimodal_seeds(rows.data, deepcopy(rng))))
        trained = train_unimodals(
            self._phase_params(held_out),
            rows,
            {n: encoder for n, encoder in encoders.items() if n not in pretrained},
            Head(self.head_hidden, self.head_dropout),
            rng,
            self.n_jobs,
            held_out=held_out,
        )
        training = rows if held_out is None else rows.take(~held_out)
        return {
            name: trained[name]
            if name in trained
            else take_net(name, pretrained[name], training, seeds[name])
            for name in encoders
        }

    def _phase_params(self, held_out: np.ndarray | None) -> dict[str, Any]:
        """Training parameters; early stopping only with held-out rows."""
        params = self._training_params()
        return params if held_out is not None else {**params, "early_stopping": False}

    @property
    def _finetune_lr(self) -> float:
        return float(self.lr if self.finetune_lr is None else self.finetune_lr)

    def _hold_out(
        self, rows: LabelledRows, rng: np.random.RandomState
    ) -> np.ndarray | None:
        """Rows that stop every phase; no phase is trained on them."""
        some = int(rows.data.present.any(axis=1).sum())
        if not stops_early(self._training_params(), some):
            return None
        return hold_out(rows, self.validation_fraction, rng)

    def _module(self, bank: EncoderBank, spec: FusionSpec) -> SubstituteFusion:
        modules: list[Any] = [part.module for part in self._nets.values()]
        return SubstituteFusion(bank, [module.head for module in modules], spec)

    def _join(self, rows: LabelledRows, substitutes: dict) -> NetStart:
        """The nets of phase 1 as one net, and what feeds it."""
        parts = self._nets
        first: dict[str, Any] = {name: part.module for name, part in parts.items()}
        bank = EncoderBank.of({n: m.bank.encoders[0] for n, m in first.items()})
        return NetStart(
            names=rows.data.names,
            used=list(parts),
            scalers={name: part.scalers[name] for name, part in parts.items()},
            series=frozenset(n for n, part in parts.items() if n in part.series),
            dtype=self.dtype,
            module=self._module(bank, self._spec(bank, rows, substitutes)),
        )

    def _finetune(
        self,
        rows: LabelledRows,
        encoders: dict[str, Encoder],
        rng: np.random.RandomState,
        start: FittedNet | NetStart,
        held_out: np.ndarray | None,
        *,
        augment: ModalityDropout | None = None,
        expand: Expand | None = None,
    ) -> FittedNet:
        """A further phase of training of all nets together."""
        epochs = self.finetune_epochs
        epochs = self.max_epochs if epochs is None else epochs
        if epochs == 0:
            held_out = None
        return train_net(
            {
                **self._phase_params(held_out),
                "lr": self._finetune_lr,
                "max_epochs": epochs,
            },
            # Groups have done their part where rows were held out.
            replace(rows, groups=None),
            encoders,
            lambda _: start.module,
            rng,
            TrainingPlan(
                label=type(self).__name__,
                augment=augment,
                held_out=held_out,
                expand=expand,
                frozen=start.used if self.freeze_encoders else (),
            ),
            warm=start,
        )


def hide_some(augment: ModalityDropout, rng: np.random.RandomState) -> Expand:
    """Copies of rows without the blocks that an augmentation hides."""

    def expand(rows: LabelledRows) -> LabelledRows:
        seen = np.asarray(rows.data.present.any(axis=0))
        copies = rows.take(np.tile(np.arange(len(rows)), N_HIDINGS))
        hidden = np.zeros((len(copies), len(seen)), dtype=bool)
        present = torch.from_numpy(copies.data.present[:, seen])
        generator = torch.Generator().manual_seed(draw_seed(rng))
        hidden[:, seen] = augment(present, generator).numpy()
        return replace(copies, data=copies.data.hide(hidden))

    return expand
