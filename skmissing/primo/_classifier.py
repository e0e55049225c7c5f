"""Supervised latent-variable classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np

from .._estimation._rows import LabelledRows
from .._utils._parameters import stores_parameters
from .._utils._random import draw_seed
from .._utils._sklearn_compat import Interval, StrOptions
from ..missingness._hide import spare_one_block
from ..modalities._multimodal_data import MultimodalData
from ..nn._encoder_bank import EncoderBank
from ..nn._training import Expand, TrainingTask
from ..nn.encoders._encoder import check_widths
from ._impact import BaseImpactClassifier
from ._module import PRIMOModule, PRIMOSettings

# Copies with hidden blocks of each row that is held out for early stopping.
N_HIDINGS = 2


@stores_parameters
class PRIMOClassifier(BaseImpactClassifier):
    """Classifier that reports how much a missing modality could change a prediction.

    A latent vector z represents what is missing. Its distribution given the modalities
    of a row is learned together with a classifier that has z as an input; complete and
    incomplete rows are used in training. A prediction is the average over draws of z.
    The disagreement of the draws indicates how much the prediction could change if more
    were known.

    Parameters
    ----------
    latent_dim : int, default=8
        Length of z.
    beta : float, default=1.0
        Weight of the divergence of the posterior of z, which knows the label, from its
        prior, which does not.
    anchor_weight : float, default=0.1
        Weight of the divergence of the prior from a standard normal distribution.
    tie_weight : float, default=0.1
        Weight of the divergence of the prior given all that a row has from that given
        a part of it. The paper has 1, with which z carries too little, see Notes.
    posterior_norm : float, default=None
        Fixed scale of batch norm on the posterior's mean. None: no batch norm.
    classifier_input : {"present", "core"}, default="present"
        Codes that the classifier gets beside z, where ``core_`` is not empty. "core":
        those of the core, as published; all else reaches it through z alone.
        "present": those of all modalities of the row; in training, half of the time
        those of a part of them, so that z has information to add.
    classifier_dropout : float in [0, 1), default=0.5
        Dropout on the codes that the classifier reads in training. Without it a net
        that overfits has no use for z.
    n_draws : int, default=200
        Monte Carlo draws of z for a prediction, the same for all rows and calls.
    shared_noise : bool, default=False
        In training, draw noise once per batch instead of once per row. Slower to
        learn; a weight of 2 is then the same as two rows.
    hidden : sequence of int, default=(64,)
        Widths of the layers of prior, posterior and classifier, each.
    %(parameters)s

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net.
    n_iter_ : int
        Number of epochs run.
    core_ : list of str
        Modalities that every training row has, if others are missing in some.
    %(attributes)s

    Raises
    ------
    ValueError
        In ``fit``, for an encoder for an unknown modality and unusable data.

    See Also
    --------
    skmissing.baselines.FusionClassifier : Without the latent vector.

    Notes
    -----
    With x_S what a row has, x_T a part of it and :math:`c` the codes that the
    classifier gets, the loss of a row is

    .. math::

        -\\log p(y | c, z) + \\beta\\, KL(q(z | x_S, y) \\| p(z | x_S))
        + \\lambda_a KL(p(z | x_T) \\| N(0, I))
        + \\lambda_t KL(p(z | x_S) \\| p(z | x_T)),

    with z drawn from q and divergences summed over its dimensions (:cite:t:`primo`,
    equations 2 to 4 and 7; z is drawn as in equation 6, and predictions average its
    draws as in equation 8). For two modalities of which one is always present, T is
    that one. In general T is drawn anew for every row and batch: S without some of the
    modalities that may be missing in training rows.

    The paper's weights of 1 are not the default. With them z carries too little of what
    is missing. With ``classifier_input="core"``, where the second modality decides
    between two classes, the loss with :math:`\\lambda_t` is smallest at the confidence
    1 - e with :math:`\\lambda_t (1 - e) \\log((1 - e) / e) = 1`: 0.78 for 1, 0.99995
    for 0.1. Accuracy hides this: an underconfident prediction has the right class.

    *Differences from the paper, whatever the parameters.* (1) The nets of prior,
    posterior and classifier get bits that indicate which modalities are present, in
    addition to codes that are 0 for the others; the paper has only the zeros, which a
    present modality may have as its code, too. (2) Logarithms of variances are kept
    between -8 and 4. (3) One latent vector stands for all that is missing; the paper
    proposes one for each modality that may be missing, and has results for one such
    modality. (4) The draws of z are the same for all rows and calls.

    The setting of the paper for its XOR data (appendix C.1; the scale of the batch
    norm, the batch size, the epochs and the width of the encoders are not given):

    >>> from skmissing import PRIMOClassifier
    >>> from skmissing.nn import MLPEncoder
    >>> encoder = MLPEncoder(hidden=(128, 128), scale_inputs=False)
    >>> paper = PRIMOClassifier(
    ...     encoders={"x_o": encoder, "x_m": encoder}, latent_dim=2, hidden=(128,),
    ...     beta=1.0, anchor_weight=1.0, tie_weight=1.0, posterior_norm=1.0,
    ...     classifier_input="core", classifier_dropout=0.0, n_draws=200,
    ...     optimizer="adamw", lr=1e-3, weight_decay=1e-4, batch_size=256,
    ...     max_epochs=20, early_stopping=False,
    ... )

    For AV-MNIST it has codes of 128, ``lr=5e-4`` and ``n_draws=2000``, for MIMIC-III
    codes of 64, ``lr=5e-4`` and ``n_draws=500``. :ref:`The page of claims
    <claims-primo>` compares the results of the paper with ours.

    Early stopping uses the log-loss of the averaged prediction on held-out rows,
    unchanged and with blocks hidden.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import PRIMOClassifier
    >>> from skmissing.datasets import make_xor
    >>> X, y = make_xor(2000, return_X_y=True, random_state=0)
    >>> half = X.hide({"x_m": np.arange(2000) % 2 == 0})
    >>> clf = PRIMOClassifier(max_epochs=20, lr=3e-3, random_state=0, n_threads=1)
    >>> impact = clf.fit(half, y).predictive_impact(X)
    >>> impact = impact[impact.modality == "x_m"]
    >>> left = X["x_o"][:, 0] < 0
    >>> bool(impact.v_missing[left].mean() > 2 * impact.v_missing[~left].mean())
    True
    """

    latent_dim: int = 8
    beta: float = 1.0
    anchor_weight: float = 0.1
    tie_weight: float = 0.1
    posterior_norm: float | None = None
    classifier_input: str = "present"
    classifier_dropout: float = 0.5
    n_draws: int = 200
    shared_noise: bool = False
    hidden: Sequence[int] = (64,)

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "latent_dim": [Interval(Integral, 1, None, closed="left")],
        "beta": [Interval(Real, 0, None, closed="left")],
        "anchor_weight": [Interval(Real, 0, None, closed="left")],
        "tie_weight": [Interval(Real, 0, None, closed="left")],
        "posterior_norm": [Interval(Real, 0, None, closed="neither"), None],
        "classifier_input": [StrOptions({"present", "core"})],
        "classifier_dropout": [Interval(Real, 0, 1, closed="left")],
        "n_draws": [Interval(Integral, 1, None, closed="left")],
        "shared_noise": ["boolean"],
        "hidden": ["array-like"],
    }
    _not_of_the_net = ("n_draws", "beta", "anchor_weight", "tie_weight",
                       "shared_noise")  # fmt: skip

    def _fit_rows(self, task: TrainingTask) -> None:
        rows, rng = task.rows, task.rng
        if len(self.hidden):
            check_widths("hidden", self.hidden)
        names, n_classes = rows.data.names, len(rows.classes)
        any_present = rows.data.present.any(axis=1)
        always = np.asarray(rows.data.present[any_present].all(axis=0))
        core = [n for n, a in zip(names, always) if a and not always.all()]
        noise_seed, hiding_seed = draw_seed(rng), draw_seed(rng)

        def build(bank: EncoderBank) -> PRIMOModule:
            return PRIMOModule(
                bank,
                n_classes,
                [names.index(name) for name in bank.names],
                [name in core for name in bank.names],
                self._settings(),
            )

        hide = hide_parts([name in core for name in names], hiding_seed)
        # Before training: callbacks may predict with what is learnt so far.
        self.core_ = core
        self._noise_seed = noise_seed
        self._train(task, build, expand=hide)

    def _settings(self) -> PRIMOSettings:
        norm = self.posterior_norm
        return PRIMOSettings(
            hidden=tuple(self.hidden),
            latent_dim=int(self.latent_dim),
            beta=float(self.beta),
            anchor_weight=float(self.anchor_weight),
            tie_weight=float(self.tie_weight),
            posterior_norm=None if norm is None else float(norm),
            dropout=float(self.classifier_dropout),
            core_only=self.classifier_input == "core",
            shared_noise=bool(self.shared_noise),
        )

    def _retune(self, module) -> None:
        module.settings = self._settings()

    def _log_proba(self, data: MultimodalData) -> np.ndarray:
        noise = self._noise(self.n_draws)

        def mean(module, batch):
            return module.mean_log_proba(batch, noise)

        return self._fitted.apply(data, mean)


def hide_parts(core: list[bool], seed: int) -> Expand:
    """Rows as they are, and copies of them with some of their blocks hidden."""

    def expand(rows: LabelledRows) -> LabelledRows:
        rng = np.random.RandomState(seed)
        n = len(rows)
        copies = rows.take(np.tile(np.arange(n), N_HIDINGS + 1))
        present = copies.data.present
        chance = rng.uniform(size=present.shape)
        share = rng.uniform(size=(len(copies), 1))
        hidden = present & ~np.array(core) & (chance < share)
        hidden[:n] = False
        hidden = spare_one_block(hidden, present, chance)
        factor = np.where(np.arange(len(copies)) < n, 1.0, 1.0 / N_HIDINGS)
        return replace(
            copies, data=copies.data.hide(hidden), weight=copies.weight * factor
        )

    return expand
