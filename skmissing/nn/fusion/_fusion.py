"""What the fusions of codes have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from sklearn.base import BaseEstimator
from torch import nn


class Fusion(BaseEstimator):
    """Base of the parameter objects that describe how codes are fused.

    A fusion holds parameters only, in the manner of a scikit-learn estimator, so that
    it can be cloned and tuned. The torch module is made by :meth:`build`. Classes of
    your own derive from this one and define it.

    See Also
    --------
    skmissing.baselines.FusionClassifier : Its parameter ``fusion`` takes one.

    Examples
    --------
    The largest value of each unit, over the modalities that a row has:

    >>> import numpy as np
    >>> import torch
    >>> from torch import nn
    >>> from skmissing import MultimodalData
    >>> from skmissing.baselines import FusionClassifier
    >>> from skmissing.nn import Fusion
    >>> class MaxFusion(Fusion):
    ...     def __init__(self, width=32):
    ...         self.width = width
    ...
    ...     def build(self, widths, n_classes, make_head):
    ...         return MaxNet(widths, self.width)
    >>> class MaxNet(nn.Module):
    ...     def __init__(self, widths, out_features):
    ...         super().__init__()
    ...         self.layers = nn.ModuleList(nn.Linear(w, out_features) for w in widths)
    ...         self.out_features = out_features
    ...
    ...     def forward(self, codes, present):
    ...         stack = torch.stack([f(c) for f, c in zip(self.layers, codes)], dim=1)
    ...         return stack.masked_fill(~present[:, :, None], -torch.inf).amax(dim=1)
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=200)
    >>> X = MultimodalData({
    ...     "a": y[:, None] + rng.normal(size=(200, 3)),
    ...     "b": y[:, None] + rng.normal(size=(200, 5)),
    ... })
    >>> X = X.hide({"b": rng.random(200) < 0.5})
    >>> clf = FusionClassifier(
    ...     fusion=MaxFusion(width=16), max_epochs=10, random_state=0, n_threads=1
    ... )
    >>> bool(clf.fit(X, y).score(X, y) > 0.8)
    True
    """

    # Whether modules have ``end_epoch``, which is called after each.
    counts_epochs: ClassVar[bool] = False
    # Whether modules use the criterion of the estimator.
    takes_criterion: ClassVar[bool] = True
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}

    def check(self) -> None:
        """Validate the parameters.

        Raises
        ------
        ValueError
            For values that cannot be used.
        """
        self._validate_params()

    def build(
        self, widths: list[int], n_classes: int, make_head: Callable[[int], Any]
    ) -> nn.Module:
        """Make the torch module.

        Parameters
        ----------
        widths : list of int
            Width of the code of each modality.
        n_classes : int
            Number of classes.
        make_head : callable
            Makes layers from a vector of the given width to class scores, as the
            estimator's ``head_hidden`` and ``head_dropout`` say.

        Returns
        -------
        torch.nn.Module
            Maps ``codes``, a list of tensors of shape (n, width) that are 0 in rows
            without the modality, and ``present``, a bool tensor of shape
            (n, n_modalities), to features of shape (n, out_features) if it has the
            attribute ``out_features``, which a head turns into class scores; else to
            class scores of shape (n, n_classes). No row may depend on another one. May
            also have

            * ``row_losses(codes, present, y, weight, criterion)``: a loss of shape (n,)
              in place of that of the class scores; only without ``out_features``;
            * ``features(codes, present)``: what ``transform`` returns;
            * ``modality_weights(codes, present)``: the share of each modality, of shape
              (n, n_modalities);
            * ``remember(codes, present, y, weight)``, and the attribute
              ``memory_rows``: called after each epoch, and before rows that are held
              out are looked at, with at most so many training rows, always the same
              ones, without gradients. What prediction needs of them is kept in buffers.
        """
        raise TypeError(f"{type(self).__name__} does not build a module.")
