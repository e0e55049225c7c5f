"""One net per modality, combined where a row has several."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from scipy.special import logsumexp

from .._estimation._rows import observed_names, warn_unobserved
from .._utils._checks import N_JOBS
from .._utils._parameters import stores_parameters
from .._utils._sklearn_compat import Interval, StrOptions
from ..modalities._multimodal_data import MultimodalData
from ..nn._base import BaseNetClassifier
from ..nn._fitted_net import FittedNet
from ..nn._training import TrainingTask
from ..nn.encoders._encoder import check_widths
from ..nn.substitution._unimodal import (
    Head,
    UnimodalNets,
    train_unimodals,
    unimodal_log_proba,
)


@stores_parameters
class UnimodalEnsemble(UnimodalNets, BaseNetClassifier):
    """Mask-aware ensemble of uni-modal nets.

    Each modality has a net of its own, trained on the rows that have it. The prediction
    for a row combines the nets of the modalities it has, as a product or a mean of
    probabilities. A missing modality does not affect the others.

    Interactions of modalities are not learned: with the label an XOR of two modalities
    the ensemble is no better than chance.

    Parameters
    ----------
    combination : {"product", "mean"}, default="product"
        Product: right where the modalities are independent given the class. Mean: the
        average of the probabilities, more cautious.
    head_hidden : sequence of int, default=()
        Widths of the layers between a code and its class scores.
    head_dropout : float in [0, 1), default=0.0
        Share of those units dropped in training.
    n_jobs : int, default=None
        Nets trained at once, by joblib. The result does not depend on it for a given
        ``n_threads``.
    %(parameters)s

    Attributes
    ----------
    nets_ : dict of str to skorch.NeuralNet
        The trained nets by modality.
    n_iter_ : dict of str to int
        Number of epochs run for each.
    %(attributes)s

    See Also
    --------
    FusionClassifier : One net over all modalities.

    Notes
    -----
    With S the modalities of a row and :math:`\\pi_m` the class shares among the rows
    that have modality m, the product is :math:`\\log p(y | x_S) = \\sum_{m \\in S}
    (\\log p_m(y | x_m) - \\log \\pi_m(y)) + \\log \\pi(y)` up to a constant, with
    :math:`\\pi` the class shares of all rows. Dividing by each net's own shares
    matters where a modality is missing more often in some classes.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import MultimodalData
    >>> from skmissing.baselines import UnimodalEnsemble
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=200)
    >>> X = MultimodalData({
    ...     "a": y[:, None] + rng.normal(size=(200, 3)),
    ...     "b": y[:, None] + rng.normal(size=(200, 5)),
    ... })
    >>> clf = UnimodalEnsemble(max_epochs=10, random_state=0, n_threads=1).fit(X, y)
    >>> sorted(clf.unimodal_proba(X[:3]))
    ['a', 'b']
    """

    combination: str = "product"
    head_hidden: Sequence[int] = ()
    head_dropout: float = 0.0
    n_jobs: int | None = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "combination": [StrOptions({"product", "mean"})],
        "head_hidden": ["array-like"],
        "head_dropout": [Interval(Real, 0, 1, closed="left")],
        "n_jobs": N_JOBS,
    }
    _not_of_the_net = ("n_jobs",)

    def _fit_rows(self, task: TrainingTask) -> None:
        rows = task.rows
        if len(self.head_hidden):
            check_widths("head_hidden", self.head_hidden)
        data = rows.data
        observed = observed_names(data)
        warn_unobserved(data.names, observed)
        self._nets: dict[str, FittedNet] = train_unimodals(
            self._training_params(),
            rows,
            {name: task.encoders[name] for name in observed},
            Head(self.head_hidden, self.head_dropout),
            task.rng,
            self.n_jobs,
            warm=self._nets if task.warm else None,
        )
        self._log_shares = {}
        for name in observed:
            own = rows.take(data.present[:, data.names.index(name)])
            mass = np.bincount(own.y, own.weight, len(own.classes))
            with np.errstate(divide="ignore"):
                self._log_shares[name] = np.log(mass / mass.sum())
        self.nets_ = {name: fitted.net for name, fitted in self._nets.items()}
        self.n_iter_ = {name: len(net.history) for name, net in self.nets_.items()}

    def _usable(self, data: MultimodalData) -> np.ndarray:
        return data.present & np.array([name in self._nets for name in data.names])

    def _log_proba(self, data: MultimodalData) -> np.ndarray:
        logs = unimodal_log_proba(self._nets, data, len(self.classes_))
        stack = np.stack(list(logs.values()))
        if self.combination == "mean":
            present = ~np.isnan(stack[:, :, :1])
            # Missing nets add log(0) to the sum and 0 to the count.
            total = logsumexp(np.where(present, stack, -np.inf), axis=0)
            return total - np.log(present.sum(axis=0))
        with np.errstate(divide="ignore"):
            prior = np.log(self.class_prior_)
        scores = np.tile(prior, (len(data), 1))
        for name, part in logs.items():
            share = self._log_shares[name]
            # For a class never seen with this modality its net is not used.
            known = np.isfinite(share)
            gain = np.where(known, part - np.where(known, share, 0.0), 0.0)
            scores += np.where(np.isnan(gain), 0.0, gain)
        return scores - logsumexp(scores, axis=1, keepdims=True)
