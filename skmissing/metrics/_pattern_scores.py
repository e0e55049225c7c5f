"""Scores of fitted estimators by what is missing from the test rows."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.metrics import check_scoring, get_scorer

from .._estimation._resampling import draw_counts, percentile_interval
from .._estimation._rows import check_groups, check_weights
from .._estimation._scoring import try_scorer
from .._estimation._vectors import plain
from .._utils._checks import choose_names, is_count
from .._utils._random import draw_seed, local_random_state
from .._utils._sklearn_compat import _safe_indexing
from .._utils._tables import ResultTable
from .._utils._warn import warn_user
from ..exceptions import EmptyRowWarning, UndefinedScoreWarning
from ..missingness._hide import spare_one_block
from ._answers import Answers
from ._scored_rows import check_scored_rows

Pattern = tuple[str, ...]
# Label of the pattern without any modality, as in missingness.patterns.
NONE = "none"


def score_by_pattern(
    estimator,
    X,
    y,
    *,
    patterns: Iterable[Any] | None = None,
    scoring=None,
    modalities=None,
    sample_weight=None,
    n_bootstraps: int = 0,
    confidence_level: float = 0.9,
    groups=None,
    random_state=None,
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
        Sets of the modalities that stay: names, sequences of names, or labels such as
        ``"a + b"`` and ``"none"``, as :func:`~skmissing.missingness.patterns` has them.
        None: all, all but each, each alone. A pattern is scored on the rows that have
        all of it; what else they have is hidden.
    scoring : str, callable, list or dict, default=None
        Scorers, as in :func:`sklearn.model_selection.cross_validate`. None: the
        estimator's own score.
    modalities : mapping or list, default=None
        Columns of each modality. None: those of the estimators.
    sample_weight : array of shape (n_samples,), default=None
        Weights of the rows, for example those of a
        :class:`~skmissing.PropensityWeighter`.
    n_bootstraps : int, default=0
        Resamples of the test rows for intervals, of classifiers, with ``scoring``.
    confidence_level : float, default=0.9
        Level of the intervals.
    groups : array of shape (n_samples,), default=None
        Rows of one group, such as a patient, are resampled together.
    random_state : int, RandomState instance or None, default=None
        Draws the resamples, the same for all estimators and metrics of a pattern.

    Returns
    -------
    pandas.DataFrame
        One row for each estimator, pattern and metric, with the columns ``estimator``,
        ``pattern`` (the names that stay, joined by ``" + "``), ``n_missing``,
        ``n_rows``, ``metric`` and ``value``; the value is NaN where no row has the
        pattern, and, with a warning, where a metric is not defined on the rows that
        have it because a class is missing. With ``n_bootstraps`` also ``std_error``,
        ``low`` and ``high``. For a table: ``table.pivot(index="pattern",
        columns="estimator", values="value")``.

    Raises
    ------
    ValueError, TypeError
        For patterns with unknown names, wrong lengths, metrics that do not take the
        labels.

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
        estimator, X, y, modalities, scoring, sample_weight, caller="score_by_pattern"
    )
    test = compared.test
    resampling = None
    if n_bootstraps:
        given = (n_bootstraps, confidence_level, groups, random_state)
        resampling = _Resampling.check(*given, scoring, compared)
    records: list[dict[str, Any]] = []
    for pattern in _resolve_patterns(patterns, test.names):
        kept = np.array([name in pattern for name in test.names])
        records += compared.score(
            test.hide(np.tile(~kept, (len(test.y), 1))),
            np.flatnonzero(test.present[:, kept].all(axis=1)),
            resampling,
            pattern=" + ".join(pattern) or NONE,
            n_missing=int((~kept).sum()),
        )
    return ResultTable(records)


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
            raise ValueError(
                f"Got the rate {plain(rate)!r} in rates, expected numbers from 0 to 1."
            )
    compared = _Compared(
        estimator, X, y, modalities, scoring, sample_weight, caller="score_by_rate"
    )
    test = compared.test
    records: list[dict[str, Any]] = []
    names, present = test.names, test.present
    chosen = names if hide is None else choose_names(hide, names, "hide")
    may = np.array([name in chosen for name in names])
    rng = local_random_state(random_state)
    for repeat in range(int(n_repeats)):
        chance = rng.uniform(size=present.shape)
        for rate in rates:
            mask = spare_one_block((chance < rate) & may & present, present, chance)
            missing = mask | ~present
            records += compared.score(
                test.hide(mask),
                np.arange(len(test.y)),
                rate=float(rate),
                repeat=repeat,
                share_missing=float(missing[:, may].mean()),
            )
    return ResultTable(records)


class _Compared:
    """Estimators, test rows and metrics, checked."""

    def __init__(
        self, estimator, X, y, modalities, scoring, sample_weight, *, caller: str
    ) -> None:
        if isinstance(estimator, (list, tuple)):
            raise TypeError(
                f"Got a {type(estimator).__name__} of estimators, expected one, or a "
                "dict of names to estimators."
            )
        if not isinstance(estimator, Mapping):
            estimator = {type(estimator).__name__: estimator}
        if not estimator:
            raise ValueError("Got no estimator, expected at least one.")
        self.estimators = dict(estimator)
        self.test = check_scored_rows(caller, X, y, estimator.values(), modalities)
        self.weight = None
        if sample_weight is not None:
            self.weight = check_weights(sample_weight, len(self.test.y))
        self.scorers = {
            name: _resolve_scoring(each, scoring) for name, each in estimator.items()
        }
        self._try_scorers(scoring)

    def _try_scorers(self, scoring) -> None:
        """Refuse metrics, given by name, that do not take the labels."""
        if scoring is None or callable(scoring):
            return
        given = [scoring] if isinstance(scoring, str) else scoring
        metrics = given if isinstance(given, Mapping) else dict(zip(given, given))
        for name, estimator in self.estimators.items():
            if not is_classifier(estimator):
                continue
            for key, metric in metrics.items():
                scorer = self.scorers[name][str(key)]
                try_scorer(metric, scorer, np.asarray(estimator.classes_))

    def score(
        self, X, rows: np.ndarray, resampling: _Resampling | None = None, **labels
    ) -> Iterable[dict[str, Any]]:
        """One record for every estimator and metric on some rows."""
        whole = len(rows) == len(self.test.y)
        part = X if whole else _safe_indexing(X, rows)
        options = {} if self.weight is None else {"sample_weight": self.weight[rows]}
        draws = [] if resampling is None else resampling.draw(rows)
        for name, estimator in self.estimators.items():
            answers = Answers(estimator, part) if draws else None
            for metric, scorer in self.scorers[name].items():
                score = float("nan")
                if len(rows) and (not options or options["sample_weight"].any()):
                    try:
                        with warnings.catch_warnings():
                            # Rows without any modality are scored on purpose.
                            warnings.simplefilter("ignore", EmptyRowWarning)
                            asked = (estimator, part)
                            if answers is not None:
                                asked = (answers, np.arange(len(rows)))
                            score = scorer(*asked, self.test.y[rows], **options)
                    except ValueError as error:
                        # That of an estimator that is not fitted is one, too.
                        if whole or isinstance(error, NotFittedError):
                            raise
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
                yield {
                    "estimator": name, **labels, "n_rows": len(rows),
                    "metric": metric, "value": float(score),
                    **self._interval(
                        float(score), answers, rows, scorer, draws, resampling
                    ),
                }  # fmt: skip

    def _interval(
        self,
        score: float,
        answers,
        rows: np.ndarray,
        scorer,
        draws: list[np.ndarray],
        resampling,
    ) -> dict[str, float]:
        """Standard error and interval of a score, from predictions made once."""
        if resampling is None:
            return {}
        found = np.full(max(len(draws), 2), np.nan)
        for b, index in enumerate(draws):
            options = {}
            if self.weight is not None:
                options = {"sample_weight": self.weight[rows[index]]}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                # A resample may lose a class.
                with contextlib.suppress(ValueError):
                    found[b] = scorer(
                        answers, index, self.test.y[rows[index]], **options
                    )
        defined = found[~np.isnan(found)]
        if len(defined) < 2:
            return dict.fromkeys(("std_error", "low", "high"), float("nan"))
        low, high = percentile_interval(score, defined, resampling.level)
        return {
            "std_error": float(defined.std(ddof=1)),
            "low": float(low),
            "high": float(high),
        }


class _Resampling(NamedTuple):
    """How test rows are drawn for intervals."""

    number: int
    level: float
    groups: np.ndarray | None
    seed: int

    @classmethod
    def check(
        cls, number, level, groups, random_state, scoring, compared: _Compared
    ) -> _Resampling:
        """Refuse settings that give no interval."""
        if not is_count(number, 2):
            raise ValueError(
                f"Got n_bootstraps={number!r}, expected 0 or an integer from 2 on."
            )
        if not 0 < level < 1:
            raise ValueError(
                f"Got confidence_level={level!r}, expected a number between 0 and 1."
            )
        if scoring is None or not all(map(is_classifier, compared.estimators.values())):
            raise ValueError(
                f"Got n_bootstraps={number!r} with scoring={scoring!r}, expected "
                "classifiers and a scoring such as 'roc_auc'."
            )
        groups = check_groups(groups, len(compared.test.y))
        return cls(number, level, groups, draw_seed(local_random_state(random_state)))

    def draw(self, rows: np.ndarray) -> list[np.ndarray]:
        """Resamples of some rows, as positions among them."""
        if not len(rows):
            return []
        rng = np.random.RandomState(self.seed)
        groups = None if self.groups is None else self.groups[rows]
        at = np.arange(len(rows))
        counts = (draw_counts(len(rows), groups, rng) for _ in range(self.number))
        return [np.repeat(at, count.astype(int)) for count in counts]


def _resolve_scoring(estimator, scoring) -> dict[str, Any]:
    """Scorers by the name of their metric."""
    if isinstance(scoring, str):
        return {scoring: check_scoring(estimator, scoring)}
    if scoring is None or callable(scoring):
        label = getattr(scoring, "__name__", "score")
        return {label: check_scoring(estimator, scoring)}
    if not len(scoring):
        raise ValueError("Got no metric, expected at least one.")
    pairs = scoring if isinstance(scoring, Mapping) else dict(zip(scoring, scoring))
    return {str(name): get_scorer(metric) for name, metric in pairs.items()}


def _resolve_patterns(patterns, names: list[str]) -> list[Pattern]:
    """Patterns in the order of the modalities, each once; the default ones for None."""
    if patterns is None:
        but_one = [tuple(n for n in names if n != name) for name in reversed(names)]
        alone = [(name,) for name in names]
        wanted = [tuple(names), *but_one, *alone]
        return [p for p in dict.fromkeys(wanted) if p]
    if isinstance(patterns, str):
        raise TypeError(f"Got patterns={patterns!r}, expected a list of patterns.")
    given = [_names_of(pattern, names) for pattern in patterns]
    if not given:
        raise ValueError("Got no pattern, expected at least one.")
    ordered = (tuple(name for name in names if name in pattern) for pattern in given)
    return list(dict.fromkeys(ordered))


def _names_of(pattern, names: list[str]) -> list[str]:
    """Names of one pattern; none for its label."""
    if isinstance(pattern, str) and pattern == NONE and NONE not in names:
        return []
    return choose_names(pattern, names, "patterns")
