"""Scores of fitted estimators by what is missing from the test rows."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import check_scoring, get_scorer
from sklearn.utils.validation import column_or_1d

from .._estimation._rows import check_weights
from .._utils._random import local_random_state
from .._utils._sklearn_compat import _safe_indexing
from .._utils._warn import warn_user
from ..exceptions import EmptyRowWarning, UndefinedScoreWarning
from ..missingness._hide import hide_blocks, spare_one_block
from ..missingness._read import read_blocks
from ..modalities import MultimodalData
from ._modalities import check_several_modalities, find_modalities

Pattern = tuple[str, ...]


def score_by_pattern(
    estimator,
    X,
    y,
    *,
    patterns: Iterable[Any] | None = None,
    scoring=None,
    modalities=None,
    sample_weight=None,
) -> pd.DataFrame:
    """Score fitted estimators with some modalities hidden from the test rows.

    Parameters
    ----------
    estimator : estimator, or dict of str to estimator
        Fitted. A dict compares several on the same rows.
    X : {array, DataFrame, MultimodalData} with n_samples rows
        Held-out rows.
    y : array of shape (n_samples,)
        Their labels.
    patterns : iterable, default=None
        Sets of the modalities that stay: names, or sequences of names. None: all, all
        but each, each alone. A pattern is scored on the rows that have all of it; what
        else they have is hidden.
    scoring : str, callable, list or dict, default=None
        Scorers, as in :func:`sklearn.model_selection.cross_validate`. None: the
        estimator's own score.
    modalities : mapping or list, default=None
        Columns of each modality. None: those of the estimators.
    sample_weight : array of shape (n_samples,), default=None
        Weights of the rows, for example those of a
        :class:`~skmissing.PropensityWeighter`.

    Returns
    -------
    pandas.DataFrame
        One row for each estimator, pattern and metric, with the columns ``estimator``,
        ``pattern`` (the names that stay, joined by ``" + "``), ``n_missing``,
        ``n_rows``, ``metric`` and ``value``; the value is NaN where no row has the
        pattern, and, with a warning, where a metric is not defined on the rows that
        have it because a class is missing. For a table: ``table.pivot(index="pattern",
        columns="estimator", values="value")``.

    Raises
    ------
    ValueError, TypeError
        For patterns with unknown names, wrong lengths, unusable metrics.

    See Also
    --------
    score_by_rate : The curve over the share of missing blocks.
    skmissing.inspection.PatternScoreDisplay : Draws the table.
    skmissing.missingness.patterns : Counts the patterns that occur.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import MultimodalData
    >>> from skmissing.baselines import PatternClassifier
    >>> from skmissing.metrics import score_by_pattern
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=400)
    >>> X = MultimodalData({
    ...     "a": 4 * y[:, None] + rng.normal(size=(400, 1)),
    ...     "b": rng.normal(size=(400, 1)),
    ... })
    >>> clf = PatternClassifier().fit(X[:200], y[:200])
    >>> table = score_by_pattern(clf, X[200:], y[200:])
    >>> table[["pattern", "n_missing", "n_rows"]].values.tolist()
    [['a + b', 0, 200], ['a', 1, 200], ['b', 1, 200]]
    >>> scores = table.set_index("pattern").value
    >>> bool(scores["a"] > 0.9 > 0.6 > scores["b"])
    True
    """
    compared = _Compared(
        estimator, X, y, scoring=scoring, modalities=modalities,
        sample_weight=sample_weight, caller="score_by_pattern",
    )  # fmt: skip
    lines = []
    for pattern in _resolve_patterns(patterns, compared.names):
        kept = np.array([name in pattern for name in compared.names])
        rows = np.flatnonzero(compared.present[:, kept].all(axis=1))
        hidden = hide_blocks(
            X, np.tile(~kept, (len(y), 1)), compared.names, compared.modalities
        )
        for score in compared.scores(hidden, rows):
            lines.append(
                {
                    "estimator": score.estimator,
                    "pattern": " + ".join(pattern),
                    "n_missing": int((~kept).sum()),
                    "n_rows": len(rows),
                    "metric": score.metric,
                    "value": score.value,
                }
            )
    return pd.DataFrame(lines)


def score_by_rate(
    estimator,
    X,
    y,
    *,
    rates: Sequence[float] = (0.0, 0.2, 0.4, 0.6, 0.8),
    hide: str | Sequence[str] | None = None,
    n_repeats: int = 5,
    scoring=None,
    modalities=None,
    sample_weight=None,
    random_state=None,
) -> pd.DataFrame:
    """Score fitted estimators with a growing share of blocks hidden at random.

    Parameters
    ----------
    estimator : estimator, or dict of str to estimator
        Fitted. A dict compares several on the same rows and the same gaps.
    X : {array, DataFrame, MultimodalData} with n_samples rows
        Held-out rows.
    y : array of shape (n_samples,)
        Their labels.
    rates : sequence of float in [0, 1], default=(0.0, 0.2, 0.4, 0.6, 0.8)
        Probability that each block is hidden, independently. A row that would lose all
        its blocks keeps one, drawn at random.
    hide : str or sequence of str, default=None
        Modalities that may be hidden. None: all.
    n_repeats : int, default=5
        Draws of the gaps for each rate.
    scoring : str, callable, list or dict, default=None
        Scorers, as in :func:`score_by_pattern`.
    modalities : mapping or list, default=None
        Columns of each modality. None: those of the estimators.
    sample_weight : array of shape (n_samples,), default=None
        Weights of the rows.
    random_state : int, RandomState instance or None, default=None
        Draws the gaps. Those of a higher rate contain those of a lower one.

    Returns
    -------
    pandas.DataFrame
        One row for each estimator, rate, repeat and metric, with the columns
        ``estimator``, ``rate``, ``repeat``, ``share_missing`` (of the blocks that may
        be hidden, as drawn), ``n_rows``, ``metric`` and ``value``.

    Raises
    ------
    ValueError, TypeError
        For rates out of range, unknown modalities, wrong lengths, unusable metrics.

    See Also
    --------
    score_by_pattern : The scores of single patterns.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import MultimodalData
    >>> from skmissing.baselines import PatternClassifier
    >>> from skmissing.metrics import score_by_rate
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=400)
    >>> X = MultimodalData({
    ...     "a": 4 * y[:, None] + rng.normal(size=(400, 1)),
    ...     "b": rng.normal(size=(400, 1)),
    ... })
    >>> clf = PatternClassifier().fit(X[:200], y[:200])
    >>> table = score_by_rate(clf, X[200:], y[200:], rates=[0, 0.9], random_state=0)
    >>> curve = table.groupby("rate").value.mean()
    >>> bool(curve[0.0] > 0.9 > curve[0.9])
    True
    """
    if not isinstance(n_repeats, Integral) or n_repeats < 1:
        raise ValueError(f"Got n_repeats={n_repeats!r}, expected a positive integer.")
    rates = list(rates)
    if not rates:
        raise ValueError("Got no rate, expected at least one.")
    for rate in rates:
        if not isinstance(rate, Real) or not 0 <= rate <= 1:
            raise ValueError(f"Got the rate {rate!r}, expected numbers from 0 to 1.")
    compared = _Compared(
        estimator, X, y, scoring=scoring, modalities=modalities,
        sample_weight=sample_weight, caller="score_by_rate",
    )  # fmt: skip
    names = compared.names
    chosen = [hide] if isinstance(hide, str) else names if hide is None else list(hide)
    if not chosen or not set(chosen) <= set(names):
        raise ValueError(f"Got hide={hide!r}, expected some of the modalities {names}.")
    may = np.array([name in chosen for name in names])
    rng = local_random_state(random_state)
    lines = []
    every_row = np.arange(len(y))
    for repeat in range(int(n_repeats)):
        chance = rng.uniform(size=compared.present.shape)
        for rate in rates:
            mask = (chance < rate) & may & compared.present
            mask = spare_one_block(mask, compared.present, chance)
            missing = mask | ~compared.present
            hidden = hide_blocks(X, mask, names, compared.modalities)
            for score in compared.scores(hidden, every_row):
                lines.append(
                    {
                        "estimator": score.estimator,
                        "rate": float(rate),
                        "repeat": repeat,
                        "share_missing": float(missing[:, may].mean()),
                        "n_rows": len(every_row),
                        "metric": score.metric,
                        "value": score.value,
                    }
                )
    return pd.DataFrame(lines)


class _Score(NamedTuple):
    """One metric of one estimator."""

    estimator: str
    metric: str
    value: float


class _Compared:
    """Estimators, test rows and metrics, checked."""

    def __init__(
        self, estimator, X, y, *, scoring, modalities, sample_weight, caller: str
    ) -> None:
        if isinstance(estimator, (list, tuple)):
            raise TypeError(
                f"Got a {type(estimator).__name__} of estimators, expected one, or a "
                "dict of names to estimators."
            )
        if isinstance(estimator, Mapping):
            self.estimators = dict(estimator)
            if not self.estimators:
                raise ValueError("Got no estimator, expected at least one.")
        else:
            self.estimators = {type(estimator).__name__: estimator}
        if modalities is None and not isinstance(X, MultimodalData):
            modalities = find_modalities(self.estimators.values())
        data, _ = read_blocks(X, modalities, caller)
        check_several_modalities(X, data.names, caller)
        self.y = column_or_1d(y)
        if len(self.y) != len(data):
            raise ValueError(
                f"Got y of length {len(self.y)}, expected {len(data)}, the rows of X."
            )
        self.weight = None
        if sample_weight is not None:
            self.weight = check_weights(sample_weight, len(data))
        self.modalities = modalities
        self.names = data.names
        self.present = np.asarray(data.present)
        self.scorers = {
            name: _resolve_scoring(each, scoring)
            for name, each in self.estimators.items()
        }

    def scores(self, X, rows: np.ndarray) -> Iterable[_Score]:
        """Score of every estimator and metric on some rows."""
        whole = len(rows) == len(self.y)
        part = X if whole else _safe_indexing(X, rows)
        options = {} if self.weight is None else {"sample_weight": self.weight[rows]}
        for name, estimator in self.estimators.items():
            for metric, scorer in self.scorers[name].items():
                if not len(rows) or (options and not options["sample_weight"].any()):
                    yield _Score(name, metric, float("nan"))
                    continue
                with warnings.catch_warnings():
                    # Rows without any modality are scored on purpose.
                    warnings.simplefilter("ignore", EmptyRowWarning)
                    try:
                        score = scorer(estimator, part, self.y[rows], **options)
                    except ValueError as error:
                        if whole:
                            raise
                        score = float("nan")
                        warn_user(
                            f"Got {len(rows)} rows on which {metric!r} of {name} is "
                            f"not defined; its value is NaN ({error}).",
                            UndefinedScoreWarning,
                        )
                if not isinstance(score, Real):
                    raise TypeError(
                        f"Got a {type(score).__name__} from the metric {metric!r}, "
                        "expected a number; pass several metrics as a dict."
                    )
                yield _Score(name, metric, float(score))


def _resolve_scoring(estimator, scoring) -> dict[str, Any]:
    """Scorers by the name of their metric."""
    if scoring is None or isinstance(scoring, str) or callable(scoring):
        if isinstance(scoring, str):
            label = scoring
        else:
            label = "score" if scoring is None else getattr(
                scoring, "__name__", "score"
            )  # fmt: skip
        return {label: check_scoring(estimator, scoring)}
    if not len(scoring):
        raise ValueError("Got no metric, expected at least one.")
    if isinstance(scoring, Mapping):
        return {
            str(k): get_scorer(v) if isinstance(v, str) else v
            for k, v in scoring.items()
        }
    return {str(name): get_scorer(name) for name in scoring}


def _resolve_patterns(patterns, names: list[str]) -> list[Pattern]:
    """Patterns in the order of the modalities, each once; the default ones for None."""
    if patterns is None:
        but_one = [tuple(n for n in names if n != name) for name in reversed(names)]
        alone = [(name,) for name in names]
        wanted = [tuple(names), *but_one, *alone]
        return [p for p in dict.fromkeys(wanted) if p]
    if isinstance(patterns, str):
        raise TypeError(f"Got patterns={patterns!r}, expected a list of patterns.")
    out: list[Pattern] = []
    for given in patterns:
        pattern = (given,) if isinstance(given, str) else tuple(given)
        if not pattern or not set(pattern) <= set(names):
            raise ValueError(
                f"Got the pattern {given!r}, expected names of some of the modalities "
                f"{names}."
            )
        out.append(tuple(name for name in names if name in pattern))
    if not out:
        raise ValueError("Got no pattern, expected at least one.")
    return list(dict.fromkeys(out))
