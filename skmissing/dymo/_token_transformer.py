"""The net of a selector, as a parameter object."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.base import BaseEstimator

from .._utils._parameters import stores_parameters
from .._utils._sklearn_compat import Interval, StrOptions


@stores_parameters
class TokenTransformer(BaseEstimator):
    """Transformer over one token per modality, for :class:`~skmissing.DyMoSelector`.

    It holds parameters only, as encoders do, and can be cloned and tuned.

    Parameters
    ----------
    token_dim : int, default=64
        Width of the tokens; a multiple of ``n_heads``.
    n_heads : int, default=4
        Attention heads.
    n_layers : int, default=2
        Layers of the transformer.
    mlp_ratio : int, default=4
        Width of the perceptron of a layer, divided by ``token_dim``.
    feature_dim : int, default=32
        Length of the features.
    n_subsets : int, default=4
        Sets of modalities that each batch is trained on.
    subsets_per_row : int or None, default=None
        How many of them each row is given; rows take turns. None is all, for every
        row. With 2, and ``mlp_ratio=2``, a fit takes about seven tenths of the time,
        but more epochs are needed (:ref:`bench-cost`).
    contrastive_weight : float, default=1.0
        Weight of the prototype loss.
    contrastive_start : int, default=3
        Epochs before it is added.
    temperature : float, default=0.1
        Of the softmax of similarities to prototypes, in the prototype loss and in the
        confidence of a selection.
    lr_schedule : {"cosine", "constant"}, default="cosine"
        "cosine" lowers the learning rate from ``lr`` to nearly 0 in the last of
        ``max_epochs``. The few sets of modalities of a batch make its gradient noisy:
        a constant rate predicts rows with few modalities worse. "constant" where
        ``callbacks`` change the rate. Early stopping may end at high rates.

    See Also
    --------
    skmissing.DyMoSelector : Its parameter ``net`` takes one.
    Typicality : How features are compared with those of known rows.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skmissing import DyMoSelector, MultimodalData
    >>> from skmissing.dymo import TokenTransformer
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=60)
    >>> X = MultimodalData({
    ...     "a": y[:, None] + rng.normal(size=(60, 3)),
    ...     "b": y[:, None] + rng.normal(size=(60, 5)),
    ... })
    >>> clf = DyMoSelector(
    ...     net=TokenTransformer(n_heads=2), max_epochs=2, random_state=0, n_threads=1
    ... )
    >>> search = GridSearchCV(clf, {"net__token_dim": [8, 16]}, cv=2).fit(X, y)
    >>> search.best_params_["net__token_dim"] in (8, 16)
    True
    """

    token_dim: int = 64
    n_heads: int = 4
    n_layers: int = 2
    mlp_ratio: int = 4
    feature_dim: int = 32
    n_subsets: int = 4
    subsets_per_row: int | None = None
    contrastive_weight: float = 1.0
    contrastive_start: int = 3
    temperature: float = 0.1
    lr_schedule: str = "cosine"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "token_dim": [Interval(Integral, 1, None, closed="left")],
        "n_heads": [Interval(Integral, 1, None, closed="left")],
        "n_layers": [Interval(Integral, 1, None, closed="left")],
        "mlp_ratio": [Interval(Integral, 1, None, closed="left")],
        "feature_dim": [Interval(Integral, 1, None, closed="left")],
        "n_subsets": [Interval(Integral, 1, None, closed="left")],
        "subsets_per_row": [Interval(Integral, 1, None, closed="left"), None],
        "contrastive_weight": [Interval(Real, 0, None, closed="left")],
        "contrastive_start": [Interval(Integral, 0, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "lr_schedule": [StrOptions({"cosine", "constant"})],
    }

    def check(self) -> None:
        """Validate the parameters.

        Raises
        ------
        ValueError
            For values that cannot be used, and a ``token_dim`` that is no multiple of
            ``n_heads``.
        """
        self._validate_params()
        if self.token_dim % self.n_heads:
            raise ValueError(
                f"Got token_dim={self.token_dim} with n_heads={self.n_heads}, expected "
                "a multiple of it."
            )
