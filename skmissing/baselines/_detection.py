"""Heads that recognise a missing modality."""

from __future__ import annotations

from .._utils._parameters import stores_parameters
from ..nn._encoder_bank import EncoderBank
from ..nn.substitution._base import SubstituteNetClassifier
from ..nn.substitution._substitute_fusion import (
    DetectionFusion,
    FusionSpec,
    SubstituteFusion,
)


@stores_parameters
class MissingDetectionClassifier(SubstituteNetClassifier):
    """Uni-modal heads with an additional class "missing", averaged where not missing.

    Every modality has an encoder and a head of its own, trained without the others. A
    block that is missing or was dropped in training is replaced by a substitute, with
    the label "missing". A row is predicted by the heads that do not predict "missing",
    or by all heads if all do. So a broken sensor need not be reported: its head detects
    the fault if the signal resembles the substitute.

    Heads do not see other modalities, and interactions are not learned: with the label
    an XOR of two modalities the classifier is no better than chance.

    Parameters
    ----------
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
    MultitaskFusionClassifier : Joint training with a loss for every modality.
    skmissing.UMEMMAEnsemble : Trains the modalities first, then adapts them.

    Notes
    -----
    The loss is :math:`\\sum_m \\ell(f_m(h_m), \\tilde y_m)` with :math:`\\tilde y_m`
    the class, or "missing" where modality m is missing. It is the "missing
    detection" comparator of :cite:t:`umemma`, section 4, which leaves open whether the
    heads are trained jointly and how many inputs are substituted; here the losses are
    summed and rows are dropped as for the method itself.

    Examples
    --------
    A block of zeros that is not reported as missing is detected:

    >>> import numpy as np
    >>> from skmissing import MultimodalData
    >>> from skmissing.baselines import MissingDetectionClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=400)
    >>> X = MultimodalData({
    ...     "a": 2 * y[:, None] + rng.normal(size=(400, 3)),
    ...     "b": 2 * y[:, None] + rng.normal(size=(400, 5)),
    ... })
    >>> clf = MissingDetectionClassifier(max_epochs=20, random_state=0, n_threads=1)
    >>> clf = clf.fit(X, y)
    >>> broken = MultimodalData({"a": X["a"], "b": np.zeros((400, 5))})
    >>> bool(clf.score(broken, y) > 0.9)
    True
    """

    def _module(self, bank: EncoderBank, spec: FusionSpec) -> SubstituteFusion:
        heads = self._heads(bank.widths, spec.n_classes + 1)
        return DetectionFusion(bank, heads, spec)
