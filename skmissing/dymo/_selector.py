"""Classifier that decides which recovered modalities to fuse."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np

from .._estimation._rows import LabelledRows, warn_unobserved
from .._utils._random import draw_seed, local_random_state
from .._utils._sklearn_compat import HasMethods, Interval, StrOptions
from ..nn._base import BaseNetClassifier
from ..nn._docs import fill_doc
from ..nn._encoder_bank import EncoderBank
from ..nn._engine import CosineDecay, ModuleEpochs
from ..nn._fitted_net import FittedNet
from ..nn._runtime import torch_threads
from ..nn._training import TrainingPlan, stops_early, train_net
from ..nn.encoders._encoder import Encoder
from ._held_out_rows import hold_out
from ._module import DyMoModule
from ._recoverer import check_recoveries
from ._selection_mixin import SELECTIONS, SelectionMixin
from ._subset_model import NetFuser, check_estimator, fuser_of, kept_integers


@fill_doc
class DyMoSelector(SelectionMixin, BaseNetClassifier):
    """Classifier that recovers missing modalities and fuses those it can trust.

    A transformer answers for any set of modalities. Missing ones are recovered from
    those that a row has; a recovered modality is fused only if it makes the prediction
    more confident, and the fused features no less typical of the predicted class.

    Parameters
    ----------
    modalities : mapping or list, default=None
        Columns of each modality, see :class:`~skmissing.Modality`.
    recovery : transformer or dict of str to transformer, default=None
        Fills missing modalities: anything in ``skmissing.recovery``, or an imputer
        of scikit-learn, which gets all modalities as one table. A dict has one for each
        modality, others get a :class:`~skmissing.recovery.RegressionRecovery`. Clones
        are fitted on the rows that the net is trained on;
        :class:`sklearn.frozen.FrozenEstimator` keeps one that is fitted.
    estimator : fitted classifier, default=None
        Answers for any set of modalities in place of the selector's own net: a
        classifier of this package with the same modalities and classes. It is not
        fitted again and stays fitted in clones; of the parameters of the net only those
        that hold rows out have an effect. Features are its centred log-probabilities.
        Fit the selector on other rows than the classifier: on rows that it knows
        features are too typical, and fusing seems worse than it is. A DyMoSelector
        lends its net, to be used with another recovery; with the rows, ``random_state``
        and parameters that hold rows out of its own fit the same ones are held out.
    metric : {"cosine", "euclidean"}, default="cosine"
        How features are compared with prototypes, in training and selection.
    selection : {"iterative", "simultaneous", "all", "none"}, default="iterative"
        The best candidate is fused, then the others are judged again; all that deserve
        it are fused at once; everything recovered is fused; nothing is.
    calibration : {"auto", "log", "ratio"} or None, default="auto"
        How much confidence counts where features become less typical. None: in full,
        which is not safe where recoveries may be wrong. "auto": "ratio", unless rows
        held out, of which parts are hidden, say that another one is better.
    ics : {"empirical", "halfnormal"}, default="empirical"
        How typical a distance is: by its rank among those of known rows, or by the
        half-normal distribution of the paper, for which all are about alike.
    reward : {"prob", "logprob"}, default="prob"
        Whether confidence is compared as a probability or as its logarithm.
    temperature : float, default=0.1
        Of the softmax of similarities to prototypes.
    min_reward : float or "auto", default="auto"
        A reward has to exceed this: 0 in the paper. More fuses less, safer where
        recoveries are noise, worse where they are good; infinity nothing. "auto": 0,
        unless such rows say that 0.1, 0.3 or infinity is better.
    statistics : {"auto", "held_out", "training"}, default="auto"
        Rows whose distances to the prototypes say what is typical. Those of training
        rows are too small where a net remembers them, those of few rows uncertain.
        "held_out": rows held out, "auto": these, if they are 50 times as many as
        classes. Without early stopping, "held_out" holds ``validation_fraction`` of the
        rows out, "auto" from 1,000 rows (and 10 groups) on, "training" none. Whichever
        it is, calibration and least reward are chosen on rows held out.
    shrinkage : float, default=0.1
        Weight of the spread pooled over classes, as a share of the rows of the average
        class.
    min_rows : int, default=10
        Classes with fewer training rows of a set are drawn towards overall prototypes
        and pooled spreads, the fewer the more. Weights do not count; 1 draws none.
    token_dim : int, default=64
        Width of the tokens; a multiple of ``n_heads``.
    n_heads : int, default=4
        Attention heads.
    n_layers : int, default=2
        Layers of the transformer.
    feature_dim : int, default=32
        Length of the features.
    n_subsets : int, default=4
        Sets of modalities that each batch is trained on.
    contrastive_weight : float, default=1.0
        Weight of the prototype loss.
    contrastive_start : int, default=3
        Epochs before it is added.
    lr_schedule : {"cosine", "constant"}, default="cosine"
        "cosine" lowers the learning rate from ``lr`` to nearly 0 in the last of
        ``max_epochs``. The few sets of modalities of a batch make its gradient noisy:
        at a constant rate rows with little of what there is are answered worse.
        "constant" where ``callbacks`` change it. Early stopping may end at high rates.
    %(parameters)s

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net; not with ``estimator``.
    n_iter_ : int
        Number of epochs run; not with ``estimator``.
    calibration_ : {"log", "ratio"} or None
        The calibration in use.
    min_reward_ : float
        The least reward in use.
    calibration_scores_, min_reward_scores_ : dict
        Brier scores by what was chosen from, if it was.
    recoveries_ : list of fitted transformers
        The recoveries in use.
    prototypes_ : ndarray of shape (n_classes, n_features)
        Mean over sets of modalities of the class means of features.
    %(attributes)s

    Raises
    ------
    ValueError
        In ``fit``, for a recovery for an unknown modality, an ``estimator`` with other
        modalities, classes or metric, a wrong ``token_dim``, and unusable data.

    See Also
    --------
    skmissing.PRIMOClassifier : How much a missing modality could change a prediction.
    skmissing.recovery.RegressionRecovery : The default recovery.

    Notes
    -----
    With S the modalities in use, :math:`z(S)` the features, :math:`\\bar c_k` the
    prototype of class k (the mean over sets of modalities of its class means
    :math:`c_{S,k}`), s the inner product or the negative squared distance, t the
    temperature and :math:`\\hat y` the class predicted by the linear head,

    .. math::

        q(S) = \\max_k \\mathrm{softmax}_k(s(z(S), \\bar c_k) / t), \\quad
        p(S) = 2 (1 - \\Phi(d(z(S), c_{S, \\hat y}) / \\sigma_{S, \\hat y})), \\quad
        R_u = \\alpha_u\\, q(S + u) - q(S),

    where :math:`\\alpha_u` is 1 if :math:`p(S + u) \\ge p(S)`, else :math:`\\log p(S)
    / \\log p(S + u)` or :math:`p(S + u) / p(S)`; :math:`\\sigma_{S,k}` is the root mean
    squared distance of class k (:cite:t:`dymo`, section 3 and its code). With
    ``ics="empirical"`` p is the share of the class as far away or farther, mixed with a
    hundredth of the half-normal p, which goes on falling beyond the farthest. A
    modality with :math:`R_u \\le` ``min_reward``, or NaN, is rejected for good.

    The loss of a batch is the mean, over ``n_subsets`` sets of modalities that all its
    rows share, of the cross-entropies of the head and of the softmax over prototypes,
    which are the class means of the epoch before. A row that lacks a part of a set has
    the rest of it, or of another set.

    All scores are float64 logarithms: p is 0 in float32 beyond 5.5 spreads, where a
    recovery is most suspicious. With M modalities there are 2^M - 1 sets, whose
    statistics are computed in ``fit`` for up to six modalities; for more, overall
    prototypes are a mean over 64 parts of what rows have, drawn at random, and other
    sets are computed when met, for which the model keeps the tokens of its training
    rows (with ``estimator`` the rows).

    Differences from the published code: every modality is one token, with an embedding
    of its own and no other position; weights start as torch's layers do, the learning
    rate falls, and early stopping watches the cross-entropy given up to 12 sets;
    spreads come from rows held out if they are many, and those of few rows are drawn
    towards those of more; by default ranks take the place of the half-normal
    distribution; calibration and least reward are chosen, not set by data set: a later
    one of "ratio", "log", None, then of 0, 0.1, 0.3, infinity, if its Brier score on 30
    rows held out or more is lower by a standard error of the difference.
    Blocks are encoded once for all rounds, and what was learnt of the last round is not
    computed again: a row with k missing modalities takes at most 1 + k (k + 1) / 2
    passes through the transformer.

    A recovery holds no new information. Fusing it helps where the net answers better
    for more modalities than for few, and harms where it is wrong.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import DyMoSelector, MultimodalData
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=300)
    >>> X = MultimodalData({
    ...     "a": 2 * y[:, None] + rng.normal(size=(300, 3)),
    ...     "b": y[:, None] + rng.normal(size=(300, 5)),
    ... })
    >>> X = X.hide({"b": rng.random(300) < 0.5})
    >>> clf = DyMoSelector(max_epochs=10, random_state=0, n_threads=1).fit(X, y)
    >>> bool(clf.score(X, y) > 0.9)
    True
    >>> clf.select(X)[:3].shape
    (3, 2)
    >>> list(clf.selection_report(X).columns[:4])
    ['row', 'step', 'modality', 'reward']
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseNetClassifier._parameter_constraints,
        "recovery": [HasMethods(["fit", "transform"]), dict, None],
        "estimator": [HasMethods(["predict_log_proba"]), None],
        "metric": [StrOptions({"cosine", "euclidean"})],
        "selection": [StrOptions(set(SELECTIONS))],
        "calibration": [StrOptions({"auto", "log", "ratio"}), None],
        "ics": [StrOptions({"halfnormal", "empirical"})],
        "reward": [StrOptions({"prob", "logprob"})],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "min_reward": [
            Interval(Real, None, None, closed="right"),
            StrOptions({"auto"}),
        ],
        "statistics": [StrOptions({"auto", "held_out", "training"})],
        "shrinkage": [Interval(Real, 0, None, closed="left")],
        "min_rows": [Interval(Integral, 1, None, closed="left")],
        "token_dim": [Interval(Integral, 1, None, closed="left")],
        "n_heads": [Interval(Integral, 1, None, closed="left")],
        "n_layers": [Interval(Integral, 1, None, closed="left")],
        "feature_dim": [Interval(Integral, 1, None, closed="left")],
        "n_subsets": [Interval(Integral, 1, None, closed="left")],
        "contrastive_weight": [Interval(Real, 0, None, closed="left")],
        "contrastive_start": [Interval(Integral, 0, None, closed="left")],
        "lr_schedule": [StrOptions({"cosine", "constant"})],
    }
    _not_of_the_net = (
        "recovery", "estimator", "selection", "calibration", "ics", "reward",
        "temperature", "min_reward", "statistics", "shrinkage", "min_rows",
        "n_subsets", "contrastive_weight", "contrastive_start", "lr_schedule",
    )  # fmt: skip

    def __init__(
        self,
        *,
        modalities: Any = None,
        recovery: Any = None,
        estimator: Any = None,
        metric: str = "cosine",
        selection: str = "iterative",
        calibration: str | None = "auto",
        ics: str = "empirical",
        reward: str = "prob",
        temperature: float = 0.1,
        min_reward: float | str = "auto",
        statistics: str = "auto",
        shrinkage: float = 0.1,
        min_rows: int = 10,
        token_dim: int = 64,
        n_heads: int = 4,
        n_layers: int = 2,
        feature_dim: int = 32,
        n_subsets: int = 4,
        contrastive_weight: float = 1.0,
        contrastive_start: int = 3,
        lr_schedule: str = "cosine",
        encoders: list | None = None,
        max_epochs: int = 50,
        lr: float = 1e-3,
        batch_size: int | str | None = "auto",
        optimizer: Any = "adamw",
        weight_decay: float = 0.0,
        early_stopping: bool | str = "auto",
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        class_weight: Any = None,
        dtype: str = "float32",
        device: str = "auto",
        n_threads: int | None = None,
        callbacks: list | None = None,
        warm_start: bool = False,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.modalities = modalities
        self.recovery = recovery
        self.estimator = estimator
        self.metric = metric
        self.selection = selection
        self.calibration = calibration
        self.ics = ics
        self.reward = reward
        self.temperature = temperature
        self.min_reward = min_reward
        self.statistics = statistics
        self.shrinkage = shrinkage
        self.min_rows = min_rows
        self.token_dim = token_dim
        self.n_heads = n_heads
        self.n_layers = n_layers
        self.feature_dim = feature_dim
        self.n_subsets = n_subsets
        self.contrastive_weight = contrastive_weight
        self.contrastive_start = contrastive_start
        self.lr_schedule = lr_schedule
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

    def __sklearn_clone__(self) -> DyMoSelector:
        # Cloning what was handed in would make it forget its training.
        out = super().__sklearn_clone__()
        out.estimator = self.estimator
        return out

    # -- fit ---------------------------------------------------------------------------

    def _fit_rows(
        self,
        rows: LabelledRows,
        encoders: dict[str, Encoder],
        rng: np.random.RandomState,
        warm: bool,
    ) -> None:
        if self.token_dim % self.n_heads:
            raise ValueError(
                f"Got token_dim={self.token_dim} with n_heads={self.n_heads}, expected "
                "a multiple of it."
            )
        names = rows.data.names
        check_recoveries(self.recovery, names)
        split, net, *others = (local_random_state(draw_seed(rng)) for _ in range(5))
        held_out = hold_out(self._training_params(), rows, self.statistics, split)
        if self.estimator is None:
            self._train(rows, encoders, net, warm, held_out)
            self._integers = kept_integers(self._fitted, rows.data.select(self._used))
            fuser: Any = NetFuser(self._fitted, integers=self._integers)
        else:
            for name in ("net_", "n_iter_", "_fitted"):
                # Of a former fit with a net.
                self.__dict__.pop(name, None)
            check_estimator(self.estimator, names, rows.classes)
            fuser, known, integers = fuser_of(
                self.estimator, self.metric, rows.classes, rows.data.block_shapes
            )
            seen = np.asarray(rows.data.present.any(axis=0))
            self._used = [n for n, here in zip(names, seen) if here and n in known]
            if not self._used:
                raise ValueError(
                    f"Got no row with any of the modalities {known} that the estimator "
                    "knows, expected at least one."
                )
            warn_unobserved(names, self._used)
            self._integers = integers & set(self._used)
        self._fuser = fuser
        with torch_threads(self.n_threads):
            self._fit_selection(rows, held_out, *others)

    def _train(
        self,
        rows: LabelledRows,
        encoders: dict[str, Encoder],
        rng: np.random.RandomState,
        warm: bool,
        held_out: np.ndarray,
    ) -> None:
        n_classes = len(rows.classes)
        # Not after a fit with an estimator, which leaves no net.
        warm = warm and hasattr(self, "_fitted")
        if warm:
            self._used = list(self._fitted.used)
        else:
            seen = np.asarray(rows.data.present[~held_out].any(axis=0))
            self._used = [n for n, here in zip(rows.data.names, seen) if here]
        warn_unobserved(rows.data.names, self._used)

        def build(bank: EncoderBank) -> DyMoModule:
            return DyMoModule(
                bank,
                n_classes,
                list(range(len(bank.names))),
                int(self.token_dim),
                int(self.n_heads),
                int(self.n_layers),
                int(self.feature_dim),
                self.metric,
            )

        params = self._training_params()
        ours: list[Any] = [
            ModuleEpochs(
                n_subsets=int(self.n_subsets),
                contrastive_weight=float(self.contrastive_weight),
                contrastive_start=int(self.contrastive_start),
                temperature=float(self.temperature),
            )
        ]
        if self.lr_schedule == "cosine":
            ours.append(CosineDecay(int(self.max_epochs)))
        params["callbacks"] = [*ours, *(self.callbacks or [])]
        something = rows.data.present.any(axis=1)
        params["early_stopping"] = stops_early(params, int(something.sum()))
        # With no modality at all, the error of the training says so.
        data = rows.data.select(self._used) if self._used else rows.data
        self._fitted: FittedNet = train_net(
            params,
            replace(rows, data=data),
            encoders,
            build,
            rng,
            TrainingPlan(label=type(self).__name__, held_out=held_out),
            warm=self._fitted if warm else None,
        )
        self.net_ = self._fitted.net
        self.n_iter_ = len(self.net_.history)
