"""How the features of a fused row are judged, as a parameter object."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.base import BaseEstimator

from .._utils._parameters import stores_parameters
from .._utils._sklearn_compat import Interval, StrOptions


@stores_parameters
class Typicality(BaseEstimator):
    """How typical features are of a class, for :class:`~skmissing.DyMoSelector`.

    Features are typical if many rows of the class are at least as far from its
    prototype. A candidate that makes them less typical has to raise confidence more.

    Parameters
    ----------
    ics : {"empirical", "halfnormal"}, default="empirical"
        Intra-class similarity. "empirical": the rank of a distance among those of
        known rows; "halfnormal": the half-normal distribution of the paper, for which
        most distances are about alike.
    statistics : {"auto", "held_out", "training"}, default="auto"
        Rows whose distances to the prototypes are compared with. Distances of training
        rows are too small where a net overfits, those of few rows are uncertain.
        "held_out": held-out rows; "auto": these, if they are 50 times as many as
        classes. Without early stopping, "held_out" holds ``validation_fraction`` of the
        rows out, "auto" from 1,000 rows (and 10 groups) on, "training" none. In any
        case, calibration and minimum reward are chosen on held-out rows.
    shrinkage : float, default=0.1
        Weight of the standard deviation pooled over classes, as a share of the rows of
        the average class.
    min_rows : int, default=10
        Classes with fewer training rows of a set are shrunk towards overall prototypes
        and pooled standard deviations, the fewer the more. Weights do not count; 1
        shrinks none.
    reward : {"prob", "logprob"}, default="prob"
        Whether the confidence, times the factor of its calibration, is compared as a
        probability or as its logarithm.

    See Also
    --------
    skmissing.DyMoSelector : Its parameter ``typicality`` takes one.
    TokenTransformer : The net that makes the features.

    Examples
    --------
    >>> from skmissing import DyMoSelector
    >>> from skmissing.dymo import Typicality
    >>> clf = DyMoSelector(typicality=Typicality(statistics="held_out"))
    >>> clf.set_params(typicality__shrinkage=0.3).typicality.shrinkage
    0.3
    """

    ics: str = "empirical"
    statistics: str = "auto"
    shrinkage: float = 0.1
    min_rows: int = 10
    reward: str = "prob"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "ics": [StrOptions({"halfnormal", "empirical"})],
        "statistics": [StrOptions({"auto", "held_out", "training"})],
        "shrinkage": [Interval(Real, 0, None, closed="left")],
        "min_rows": [Interval(Integral, 1, None, closed="left")],
        "reward": [StrOptions({"prob", "logprob"})],
    }

    def check(self) -> None:
        """Validate the parameters.

        Raises
        ------
        ValueError
            For values that cannot be used.
        """
        self._validate_params()
