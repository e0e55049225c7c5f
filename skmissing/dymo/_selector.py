"""Classifier that decides which recovered modalities to fuse."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted

from .._estimation._rows import LabelledRows, warn_unobserved
from .._utils._parameters import stores_parameters
from .._utils._random import draw_seed, local_random_state
from .._utils._sklearn_compat import HasMethods, Interval, StrOptions
from ..modalities._multimodal_data import MultimodalData
from ..nn._base import BaseNetClassifier
from ..nn._encoder_bank import EncoderBank
from ..nn._engine import CosineDecay, ModuleEpochs
from ..nn._runtime import torch_threads
from ..nn._training import TrainingPlan, TrainingTask, stops_early, train_net
from ..nn.encoders._encoder import Encoder
from ._fusion import Fusion
from ._held_out_rows import held_out_rows, return_new_classes
from ._module import DyMoModule
from ._policy_search import CALIBRATIONS, MIN_REWARDS, choose_policy
from ._recoverer import Recoverer, check_recoveries
from ._scores import log_softmax
from ._selection import Outcome, Policy, report_table
from ._subset_model import (
    NetModel,
    SubsetModel,
    check_estimator,
    fit_estimator,
    kept_integers,
    model_of,
)
from ._token_transformer import TokenTransformer
from ._typicality import Typicality

SELECTIONS = ("iterative", "simultaneous", "all", "none")
# What a fit with another classifier leaves nothing of.
NET_ATTRIBUTES = ("net_", "n_iter_", "_fitted")


@stores_parameters
class DyMoSelector(BaseNetClassifier):
    """Classifier that recovers missing modalities and fuses those it can trust.

    A transformer predicts from any set of modalities. Missing ones are recovered from
    those that a row has; a recovered modality is fused only if it makes the prediction
    more confident, and the fused features no less typical of the predicted class.

    Parameters
    ----------
    recovery : transformer or dict of str to transformer, default=None
        Fills missing modalities: anything in ``skmissing.recovery``, or an imputer
        of scikit-learn, which gets all modalities as one table. A dict has one for each
        modality, others get a :class:`~skmissing.recovery.GaussianRecovery`. Clones
        are fitted on the rows that the net is trained on;
        :class:`sklearn.frozen.FrozenEstimator` keeps one that is fitted.
    estimator : classifier, default=None
        Predicts from any set of modalities in place of the selector's own net: a
        classifier that takes a :class:`~skmissing.MultimodalData`. A clone is fitted on
        the rows that the net would be trained on. Features are its centred
        log-probabilities, those of another DyMoSelector the features of its net. Of the
        parameters of the net only the temperature and those that hold rows out have an
        effect. :class:`sklearn.frozen.FrozenEstimator` keeps one that is fitted, with
        the same modalities and classes. Fit the selector on other rows than that: on
        training rows of a classifier, features are too typical, and fusing seems worse
        than it is. A frozen DyMoSelector is used with another recovery without a new
        training; with the rows, ``random_state`` and parameters that hold rows out of
        its own fit the same ones are held out.
    distance : {"cosine", "euclidean"}, default="cosine"
        How features are compared with prototypes, in training and selection.
    selection : {"iterative", "simultaneous", "all", "none"}, default="iterative"
        The best candidate is fused, then the others are judged again; all that deserve
        it are fused at once; all that is recovered is fused; none of it is.
    calibration : {"auto", "log", "ratio"} or None, default="auto"
        How much confidence counts where features become less typical. None: in full,
        which is not safe where recoveries may be wrong. "auto": "ratio", unless another
        one is better on held-out rows, of which parts are hidden.
    min_reward : float or "auto", default="auto"
        A reward has to exceed this: 0 in the paper. More fuses less, safer where
        recoveries are noise, worse where they are good; infinity fuses nothing. "auto":
        0, unless 0.1, 0.3 or infinity is better on such rows. Rewards closer to 0 than
        2.2e-16, the resolution of float64 probabilities near 1, count as 0.
    net : TokenTransformer, default=None
        The transformer and its training, see :class:`~skmissing.dymo.TokenTransformer`.
        Its parameters are reached as ``net__token_dim``. None: the defaults.
    typicality : Typicality, default=None
        How typical features are, see :class:`~skmissing.dymo.Typicality`. Its
        parameters are reached as ``typicality__shrinkage``. None: the defaults.
    %(parameters)s

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net; not with ``estimator``.
    n_iter_ : int
        Number of epochs run; not with ``estimator``.
    estimator_ : classifier
        The fitted clone of ``estimator``, if there is one.
    calibration_ : {"log", "ratio"} or None
        The calibration in use.
    min_reward_ : float
        The minimum reward in use.
    calibration_scores_, min_reward_scores_ : dict
        Brier scores by what was chosen from, if it was.
    recoveries_ : list of fitted transformers
        The recoveries in use.
    prototypes_ : ndarray of shape (n_classes, n_features)
        Mean over sets of modalities of the class means of features.
    fusion_ : object
        Model, recoveries and statistics behind the predictions, for experiments.
    %(attributes)s

    Raises
    ------
    ValueError
        In ``fit``, for a recovery for an unknown modality, a frozen ``estimator`` with
        other modalities, classes or distance, a wrong ``token_dim``, and unusable data.
    TypeError
        In ``fit``, for an ``estimator`` that takes no MultimodalData.

    See Also
    --------
    skmissing.dymo.TokenTransformer : Parameters of the net.
    skmissing.dymo.Typicality : Parameters of the judgement.
    skmissing.PRIMOClassifier : How much a missing modality could change a prediction.
    skmissing.recovery.GaussianRecovery : The default recovery.

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

    where :math:`\\alpha_u` is 1 if :math:`p(S + u) \\ge p(S)`, else :math:`\\log p(S) /
    \\log p(S + u)` or :math:`p(S + u) / p(S)`; :math:`\\sigma_{S,k}` is the root mean
    squared distance of class k (:cite:t:`dymo`, section 3 and its code). With
    ``ics="empirical"`` p is the share of the class as far away or farther, mixed with a
    hundredth of the half-normal p, which continues to fall beyond the farthest row. A
    modality with :math:`R_u \\le` ``min_reward``, or NaN, is rejected for good.

    The loss of a batch is the mean, over ``n_subsets`` sets of modalities that all its
    rows share, of the cross-entropies of the head and of the softmax over prototypes,
    which are the class means of the previous epoch. For a set, a row has those of its
    modalities that are present, or part of another set.

    All scores are float64 logarithms: p is 0 in float32 beyond 5.5 standard deviations,
    where a recovery is most suspicious. With M modalities there are 2^M - 1 sets. Up to
    six modalities ``fit`` computes the statistics of all of them. For more, overall
    prototypes are a mean over 64 parts of what rows have, drawn at random, and the
    prototypes and standard deviations of any set are interpolated from these and up to
    64 other sets: as functions of the set they are close to a sum over its members, and
    similar for similar sets. Distances divided by the standard deviation then have one
    distribution for all sets. Statistics are computed from at most 1,024 rows, or 50
    for each class if these are more. A fitted selector stores no training rows for
    them. Blocks are encoded once for all rounds, and results of the last round are not
    computed again: a row with k missing modalities takes at most 1 + k (k + 1) / 2
    passes through the transformer. Rows with such a high confidence that no reward can
    exceed ``min_reward`` take one, and are not recovered.

    *Differences from the published code, whatever the parameters.* Every modality is
    one token, with an embedding of its own and no other position; weights start as
    torch's layers do; early stopping watches the cross-entropy given up to 12 sets, the
    published one the accuracy (or AUC) over all 2^M - 1. With ``ics="empirical"``
    ranks take the place of the half-normal distribution.

    *Where confidence is saturated.* The published q is a float32 number. With the
    Euclidean distance features are far from all prototypes but one, q is exactly 1 for
    most rows, every reward is 0, and nothing is fused. Here 1 - q is computed far below
    that, and with the same features more is fused. ``min_reward=6e-8``, half of the
    resolution of float32, restores the published behaviour in all but a few rows. With
    the cosine q is rarely saturated, and both fuse the same. :ref:`A table
    <bench-dymo-saturation>` has the numbers.

    *Differences of defaults.* Published values are those for PolyMNIST, in brackets for
    MST and CelebA, and for the tables: Adam (here AdamW), patience of 20 epochs (here
    10), 5 sets a batch (2, 2; here 4), at most 100 epochs (20, 300; here 50), batches
    of 256 (256, 256 or 128; here by the number of rows), tokens of 128 (32, 256; here
    64), features of 64 (16, 128; here 32), 4 heads (2, 8; here 4), and a constant
    learning rate of 1e-3 (1e-3, 3e-4; here falling). Standard deviations come from
    training rows (here from held-out rows if these are many), and those of few rows are
    used unchanged (here shrunk towards those of more). Calibration is set by data set,
    "ratio" with the Euclidean distance and "log" with the cosine except for two tables,
    and the minimum reward is 0. Here both are chosen: a later one of "ratio", "log",
    None, then of 0, 0.1, 0.3, infinity, if its Brier score on 30 or more held-out rows
    is lower by a standard error of the difference.

    The setting of the paper for PolyMNIST, with one draw of a frozen auto-encoder as
    recovery (its encoders end in four tokens of a view; here they make one):

    >>> from skmissing import DyMoSelector
    >>> from skmissing.dymo import TokenTransformer, Typicality
    >>> from skmissing.nn import ConvEncoder
    >>> from skmissing.recovery import MultimodalVAE
    >>> encoders = {
    ...     f"m{i}": ConvEncoder(channels=(32, 64, 128), out_features=128, dropout=0.0)
    ...     for i in range(5)
    ... }
    >>> paper = DyMoSelector(
    ...     recovery=MultimodalVAE(
    ...         fusion="mopoe", latent_dim=512, beta=2.5, likelihood="laplace",
    ...         scale=0.75, n_draws=1, encoders=encoders, optimizer="adam", lr=5e-4,
    ...         batch_size=256, max_epochs=300, early_stopping=False,
    ...     ),
    ...     distance="cosine", selection="iterative", calibration="log", min_reward=0.0,
    ...     net=TokenTransformer(
    ...         token_dim=128, n_heads=4, n_layers=2, mlp_ratio=4, feature_dim=64,
    ...         n_subsets=5, subsets_per_row=None, contrastive_weight=1.0,
    ...         contrastive_start=3, temperature=0.1, lr_schedule="constant",
    ...     ),
    ...     typicality=Typicality(
    ...         ics="halfnormal", statistics="training", shrinkage=0.0, min_rows=1,
    ...         reward="prob",
    ...     ),
    ...     encoders=encoders, optimizer="adam", lr=1e-3, weight_decay=0.0,
    ...     batch_size=256, max_epochs=100, early_stopping=True, n_iter_no_change=20,
    ...     validation_fraction=3 / 63,
    ... )

    With the Euclidean distance it is ``distance="euclidean", calibration="ratio",
    min_reward=6e-8``. :ref:`The page of claims <claims-dymo>` compares the results of
    the paper with ours.

    A recovery has no new information. Fusing it helps if the net predicts better from
    many modalities than from few, and harms if the recovery is wrong.

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

    recovery: Any = None
    estimator: Any = None
    distance: str = "cosine"
    selection: str = "iterative"
    calibration: str | None = "auto"
    min_reward: float | str = "auto"
    net: TokenTransformer | None = None
    typicality: Typicality | None = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "recovery": [HasMethods(["fit", "transform"]), dict, None],
        "estimator": [HasMethods(["fit", "predict_log_proba"]), None],
        "distance": [StrOptions({"cosine", "euclidean"})],
        "selection": [StrOptions(set(SELECTIONS))],
        "calibration": [StrOptions({"auto", "log", "ratio"}), None],
        "min_reward": [
            Interval(Real, None, None, closed="right"),
            StrOptions({"auto"}),
        ],
        "net": [TokenTransformer, None],
        "typicality": [Typicality, None],
    }
    _not_of_the_net = (
        "recovery", "estimator", "selection", "calibration", "min_reward", "net",
        "typicality",
    )  # fmt: skip

    # Policies are no data about rows: nothing routes them. scikit-learn applies what is
    # said of predict_proba to predict as well, which therefore takes them, too.
    __metadata_request__predict: ClassVar[dict[str, str]] = {
        "selection": UNUSED,
        "calibration": UNUSED,
        "min_reward": UNUSED,
    }
    __metadata_request__predict_proba = __metadata_request__predict
    __metadata_request__predict_log_proba = __metadata_request__predict

    def set_params(self, **params) -> DyMoSelector:
        """Set parameters, also those of encoders, ``net`` and ``typicality``.

        Parameters
        ----------
        **params : dict
            Names and values, ``net__parameter`` also where ``net`` is None.

        Returns
        -------
        self
        """
        for name, kind in (("net", TokenTransformer), ("typicality", Typicality)):
            nested = any(key.startswith(f"{name}__") for key in params)
            if nested and params.get(name, getattr(self, name)) is None:
                params[name] = kind()
        super().set_params(**params)
        return self

    # Defaults are made anew: an object among the defaults would be shared.
    @property
    def _net(self) -> TokenTransformer:
        return TokenTransformer() if self.net is None else self.net

    @property
    def _typicality(self) -> Typicality:
        return Typicality() if self.typicality is None else self.typicality

    # -- fit ---------------------------------------------------------------------------

    def _embeds_tokens(self) -> bool:
        # With an estimator there is no net of its own.
        return self.estimator is None and super()._embeds_tokens()

    def _describe_net(self, encoders: dict[str, Encoder]) -> dict[str, str]:
        sizes = ("token_dim", "n_heads", "n_layers", "feature_dim")
        own = {f"net__{name}": repr(getattr(self._net, name)) for name in sizes}
        return {**super()._describe_net(encoders), **own}

    def _fit_rows(self, task: TrainingTask) -> None:
        rows = task.rows
        self._net.check()
        self._typicality.check()
        check_recoveries(self.recovery, rows.data.names)
        split, net, *others = (
            local_random_state(draw_seed(task.rng)) for _ in range(5)
        )
        held_out = held_out_rows(
            self._training_params(), rows, self._typicality.statistics, split
        )
        # Of a former fit with a net, or with another classifier.
        former = ("estimator_",) if self.estimator is None else NET_ATTRIBUTES
        for name in former:
            self.__dict__.pop(name, None)
        if self.estimator is None:
            model: SubsetModel = self._train_net(task._replace(rng=net), held_out)
        else:
            if not isinstance(self.estimator, FrozenEstimator):
                held_out = return_new_classes(rows, held_out)
            self.estimator_ = fit_estimator(self.estimator, rows.take(~held_out), net)
            check_estimator(self.estimator_, rows)
            model = model_of(self.estimator_, self.distance, rows)
        warn_unobserved(rows.data.names, model.names)
        with torch_threads(self.n_threads):
            self._fit_selection(rows, held_out, model, *others)

    def _train_net(self, task: TrainingTask, held_out: np.ndarray) -> NetModel:
        rows, encoders, rng, warm = task
        # Not after a fit with an estimator, which leaves no net.
        warm = warm and hasattr(self, "_fitted")
        if warm:
            names = list(self._fitted.used)
        else:
            seen = np.asarray(rows.data.present[~held_out].any(axis=0))
            names = [name for name, some in zip(rows.data.names, seen) if some]

        def build(bank: EncoderBank) -> DyMoModule:
            return DyMoModule(bank, len(rows.classes), self._net, self.distance)

        params = self._training_params()
        params["callbacks"] = [*self._own_callbacks(), *(self.callbacks or [])]
        some = rows.data.present.any(axis=1)
        params["early_stopping"] = stops_early(params, int(some.sum()))
        # With no modality at all, the training raises the error.
        data = rows.data.select(names) if names else rows.data
        self._fitted = train_net(
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
        return NetModel(self._fitted, names, kept_integers(self._fitted, data))

    def _own_callbacks(self) -> list[Any]:
        net = self._net
        settings = ModuleEpochs(
            n_subsets=int(net.n_subsets),
            subsets_per_row=net.subsets_per_row,
            contrastive_weight=float(net.contrastive_weight),
            contrastive_start=int(net.contrastive_start),
            temperature=float(net.temperature),
        )
        if net.lr_schedule == "constant":
            return [settings]
        return [settings, CosineDecay(int(self.max_epochs))]

    def _fit_selection(
        self,
        rows: LabelledRows,
        held_out: np.ndarray,
        model: SubsetModel,
        recovering: np.random.RandomState,
        drawing: np.random.RandomState,
        hiding: np.random.RandomState,
    ) -> None:
        """Recoveries, statistics and policy of a model that is fitted."""
        data = rows.data.select(model.names)
        # A class of weight 0 has no mean.
        some = np.asarray(data.present.any(axis=1)) & (rows.weight > 0)
        recoverer = Recoverer.fit(
            self.recovery, rows.take(some & ~held_out), model.names, model.integers,
            recovering,
        )  # fmt: skip
        used = replace(rows, data=data)
        validation = used.take(some & held_out)
        self.fusion_ = Fusion.fit(
            model, recoverer, used.take(some & ~held_out), validation,
            self._typicality, drawing,
        )  # fmt: skip
        self.recoveries_ = list(recoverer.fitted)
        self.prototypes_ = self.fusion_.table.pooled.prototypes
        chosen = choose_policy(
            self.fusion_.prepare,
            validation,
            self._policy(None, None, 0.0),
            CALIBRATIONS if self.calibration == "auto" else (self.calibration,),
            MIN_REWARDS if self.min_reward == "auto" else (float(self.min_reward),),
            hiding,
        )
        self.calibration_ = chosen.calibration
        self.min_reward_ = chosen.min_reward
        self.calibration_scores_ = chosen.calibration_scores
        self.min_reward_scores_ = chosen.min_reward_scores

    # -- predict -----------------------------------------------------------------------

    def _policy(
        self,
        selection: str | None,
        calibration: str | None,
        min_reward: float | str = "fitted",
    ) -> Policy:
        selection = self.selection if selection is None else selection
        if selection not in SELECTIONS:
            raise ValueError(
                f"Got selection={selection!r}, expected one of {list(SELECTIONS)}."
            )
        if calibration == "fitted":
            calibration = self.calibration_
        if calibration not in CALIBRATIONS:
            raise ValueError(
                f"Got calibration={calibration!r}, expected 'fitted' or one of "
                f"{list(CALIBRATIONS)}."
            )
        if min_reward == "fitted":
            # A number that was set after fit is obeyed, as other settings are.
            auto = self.min_reward == "auto"
            min_reward = self.min_reward_ if auto else self.min_reward
        if not isinstance(min_reward, Real) or np.isnan(min_reward):
            raise ValueError(
                f"Got min_reward={min_reward!r}, expected 'fitted' or a number."
            )
        return Policy(
            selection,
            calibration,
            self._typicality.reward,
            float(min_reward),
            float(self._net.temperature),
            self._typicality.ics,
        )

    def _usable(self, data: MultimodalData) -> np.ndarray:
        names = self.fusion_.model.names
        return data.present & np.array([name in names for name in data.names])

    def _log_proba(self, data: MultimodalData) -> np.ndarray:
        return self._log_proba_of(data, self._policy(None, "fitted"))

    def _log_proba_of(self, data: MultimodalData, policy: Policy) -> np.ndarray:
        used = data.select(self.fusion_.model.names)
        return log_softmax(self.fusion_.run(used, policy.in_short()).logits)

    def predict(
        self,
        X,
        *,
        selection: str | None = None,
        calibration: str | None = "fitted",
        min_reward: float | str = "fitted",
    ) -> np.ndarray:
        """The most probable class of each row.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any pattern of missing modalities. Rows without a usable modality get the
            class prior, with one warning.
        selection : {"iterative", "simultaneous", "all", "none"}, default=None
            In place of that of the estimator.
        calibration : {"fitted", "log", "ratio"} or None, default="fitted"
            In place of ``calibration_``, which is "fitted".
        min_reward : float or "fitted", default="fitted"
            In place of the parameter, or of ``min_reward_`` where that is "auto".

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels of ``classes_``.
        """
        logs = self.predict_log_proba(
            X, selection=selection, calibration=calibration, min_reward=min_reward
        )
        return self.classes_[logs.argmax(axis=1)]

    def predict_log_proba(
        self,
        X,
        *,
        selection: str | None = None,
        calibration: str | None = "fitted",
        min_reward: float | str = "fitted",
    ) -> np.ndarray:
        """Log-probabilities of the classes.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any pattern of missing modalities. Rows without a usable modality get the
            class prior, with one warning.
        selection : {"iterative", "simultaneous", "all", "none"}, default=None
            In place of that of the estimator.
        calibration : {"fitted", "log", "ratio"} or None, default="fitted"
            In place of ``calibration_``, which is "fitted".
        min_reward : float or "fitted", default="fitted"
            In place of the parameter, or of ``min_reward_`` where that is "auto".

        Returns
        -------
        ndarray of float64 of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        check_is_fitted(self)
        policy = self._policy(selection, calibration, min_reward)
        return self._answer(X, lambda data: self._log_proba_of(data, policy))

    def predict_proba(
        self,
        X,
        *,
        selection: str | None = None,
        calibration: str | None = "fitted",
        min_reward: float | str = "fitted",
    ) -> np.ndarray:
        """Probabilities of the classes.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any pattern of missing modalities. Rows without a usable modality get the
            class prior, with one warning.
        selection : {"iterative", "simultaneous", "all", "none"}, default=None
            In place of that of the estimator, to compare them on the same model.
        calibration : {"fitted", "log", "ratio"} or None, default="fitted"
            In place of ``calibration_``, which is "fitted".
        min_reward : float or "fitted", default="fitted"
            In place of the parameter, or of ``min_reward_`` where that is "auto".

        Returns
        -------
        ndarray of float64 of shape (n_samples, n_classes)
            Rows sum to 1; columns in the order of ``classes_``.
        """
        logs = self.predict_log_proba(
            X, selection=selection, calibration=calibration, min_reward=min_reward
        )
        proba = np.exp(logs)
        return proba / proba.sum(axis=1, keepdims=True)

    def select(
        self,
        X,
        *,
        selection: str | None = None,
        calibration: str | None = "fitted",
        min_reward: float | str = "fitted",
    ) -> np.ndarray:
        """Which modalities each prediction is made from.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any pattern of missing modalities.
        selection : {"iterative", "simultaneous", "all", "none"}, default=None
            In place of that of the estimator.
        calibration : {"fitted", "log", "ratio"} or None, default="fitted"
            In place of ``calibration_``, which is "fitted".
        min_reward : float or "fitted", default="fitted"
            In place of the parameter, or of ``min_reward_`` where that is "auto".

        Returns
        -------
        ndarray of bool of shape (n_samples, n_modalities)
            Those that are present, if training rows had them, and those that are
            recovered and fused. Columns in the order of ``modality_names_in_``.
        """
        check_is_fitted(self)
        policy = self._policy(selection, calibration, min_reward).in_short()
        data, rows, outcome = self._select_rows(X, policy)
        out = np.zeros(data.present.shape, dtype=bool)
        if len(rows):
            columns = [data.names.index(name) for name in self.fusion_.model.names]
            out[np.ix_(rows, np.array(columns))] = outcome.fused
        return out

    def selection_report(
        self,
        X,
        *,
        selection: str | None = None,
        calibration: str | None = "fitted",
        min_reward: float | str = "fitted",
    ) -> pd.DataFrame:
        """How every recovered modality was judged.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any pattern of missing modalities.
        selection : {"iterative", "simultaneous"}, default=None
            In place of that of the estimator. "all" and "none" judge nothing.
        calibration : {"fitted", "log", "ratio"} or None, default="fitted"
            In place of ``calibration_``, which is "fitted".
        min_reward : float or "fitted", default="fitted"
            In place of the parameter, or of ``min_reward_`` where that is "auto".

        Returns
        -------
        pandas.DataFrame
            One row for each candidate and round, with the columns

            row, step, modality
                Number of the row, of the round from 0, name of the candidate.
            reward, alpha
                R and the factor on the confidence.
            accepted
                Whether it was fused in this round.
            label_before, label_after
                Predicted label without and with it.
        """
        check_is_fitted(self)
        policy = self._policy(selection, calibration, min_reward)
        _, rows, outcome = self._select_rows(X, policy)
        names = self.fusion_.model.names
        return report_table(outcome.history, rows, names, self.classes_)

    def _select_rows(
        self, X, policy: Policy
    ) -> tuple[MultimodalData, np.ndarray, Outcome]:
        """The data, the rows that have a usable modality, and the outcome of these."""
        data = self._check_rows(X)
        rows = np.flatnonzero(self._answerable(data))
        outcome = Outcome(np.empty((0, 0)), np.empty((0, 0), dtype=bool))
        if len(rows):
            with self._while_predicting():
                used = data[rows].select(self.fusion_.model.names)
                outcome = self.fusion_.run(used, policy, reports=True)
        return data, rows, outcome
