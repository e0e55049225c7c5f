"""Results of a decomposition: attributes and table."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from .._utils._tables import ResultTable, take_columns
from .._utils._warn import warn_user
from ..exceptions import UncertifiedWarning
from ._decomposition import Bias, Terms, correct, settle
from ._resampling import MethodFit, intervals, p_values
from ._sources import Pair, Source, source_name, union

# A certificate above this many bits is worth a warning, as in broja. Nets come near the
# optimum and do not reach it; their bound has some slack as well.
TOLERANCE = 1e-9
NET_TOLERANCE = 0.02
# The comparison of learners where there are none.
NO_LEARNERS = pd.DataFrame(
    {
        "source": pd.Series(dtype=object),
        "learner": pd.Series(dtype=object),
        "log_loss": pd.Series(dtype=np.float64),
        "weight": pd.Series(dtype=np.float64),
        "margin": pd.Series(dtype=np.float64),
        "std_error": pd.Series(dtype=np.float64),
    }
)


class Uncertainty(NamedTuple):
    """Bias of each pair; plain terms of shuffles and of resamples, (n, 7 n_pairs)."""

    bias: list[Bias]
    null: np.ndarray | None
    drawn: np.ndarray | None


class PIDResults:
    """Attributes and table of a fitted :class:`PIDEstimator`."""

    unit: str
    confidence_level: float
    classes_: np.ndarray
    method_: str
    sources_: list[Source]
    _pairs: list[Pair]

    def _store(self, fit: MethodFit, uncertainty: Uncertainty) -> None:
        """Set the attributes that are derived from the decompositions."""
        scale = np.log(2.0) if self.unit == "nats" else 1.0
        decompositions = fit.found.decompositions
        gap = max(d.duality_gap for d in decompositions)
        self.duality_gap_ = float(scale * gap)
        self.marginal_violation_ = max(d.marginal_violation for d in decompositions)
        tolerance = NET_TOLERANCE if self.method_ == "coupling" else TOLERANCE
        if not gap <= tolerance:
            warn_user(
                f"Got a duality gap of {gap:.2g} bit, expected at most {tolerance:g}: "
                "the parts are certain to within the gap only.",
                UncertifiedWarning,
            )
        plain = [d.plain for d in decompositions]
        raw = [correct(terms, b) for terms, b in zip(plain, uncertainty.bias)]
        most = float(np.log2(len(self.classes_)))
        values = settle(raw, fit.found.joint_error, most)
        frame = self._tabulate(plain, raw, values, uncertainty, scale)
        # A single source has no partner with quantities of its own. Redundancy and
        # synergy are 0 as in the attributes, and keep their rows.
        kept = frame["source"].to_numpy() != ""
        self._columns, self._unit = take_columns(frame[kept]), self.unit
        self.null_distribution_, self.bootstrap_distribution_ = (
            None if values is None else scale * values[:, kept]
            for values in (uncertainty.null, uncertainty.drawn)
        )
        self._name_parts([Terms(*(scale * np.array(terms))) for terms in values])
        names = {source_name(s): s for s in self.sources_}
        joint = union(self._pairs[0])
        self.held_out_information_ = {
            label: float(scale * fit.found.held_out[source])
            for label, source in [*names.items(), ("joint", joint)]
            if source in fit.found.held_out
        }
        joined = pd.concat([NO_LEARNERS, *fit.reports], ignore_index=True)
        for column in ("log_loss", "margin", "std_error"):
            joined[column] = scale * joined[column] / np.log(2.0)
        joined["source"] = joined["source"].replace(source_name(joint), "joint")
        self._learners = take_columns(joined)
        self.n_bins_ = {
            label: fit.found.n_states[source]
            for label, source in names.items()
            if source in fit.found.n_states
        }

    def _tabulate(
        self,
        plain: list[Terms],
        raw: list[Terms],
        values: list[Terms],
        uncertainty: Uncertainty,
        scale: float,
    ) -> pd.DataFrame:
        """Table of all terms of all pairs, those of an empty source included."""
        _, null, drawn = uncertainty
        observed, value = np.concatenate(plain), np.concatenate(values)
        columns = {
            "value": scale * value,
            "raw": scale * np.concatenate(raw),
            "plain": scale * observed,
        }
        if null is not None:
            columns["null_mean"] = scale * null.mean(axis=0)
            columns["null_std"] = scale * null.std(axis=0)
            columns["p_value"] = p_values(observed, null)
        if drawn is not None:
            most = np.log2(len(self.classes_))
            low, high = intervals(observed, drawn, self.confidence_level, most)
            columns["std_error"] = scale * drawn.std(axis=0)
            # Both correct for bias, by resamples and by halves: where these disagree
            # the interval holds both.
            columns["low"] = scale * np.minimum(low, value)
            columns["high"] = scale * np.maximum(high, value)
        labels = [label for pair in self._pairs for label in _label_terms(pair)]
        frame = pd.DataFrame(labels, columns=["first", "second", "term", "source"])
        return frame.assign(**columns)

    def _name_parts(self, values: list[Terms]) -> None:
        """Set the attributes by name, from the terms of each pair."""
        names = [source_name(s) for s in self.sources_]
        pairs = [(source_name(a), source_name(b)) for a, b in self._pairs]
        sides = [(v.unique_first, v.first) for v in values]
        if len(values) == 1:
            sides.append((values[0].unique_second, values[0].second))
        self.unique_ = {name: float(u) for name, (u, _) in zip(names, sides)}
        self._parts = [
            (p, float(v.redundant), float(v.synergistic)) for p, v in zip(pairs, values)
        ]
        self.mutual_information_ = {n: float(x) for n, (_, x) in zip(names, sides)}
        self.mutual_information_["joint"] = float(values[0].joint)

    @property
    def redundant_(self) -> dict[tuple[str, str], float]:
        """Redundant information by pair."""
        return {pair: redundant for pair, redundant, _ in self._parts}

    @property
    def synergistic_(self) -> dict[tuple[str, str], float]:
        """Synergistic information by pair."""
        return {pair: synergistic for pair, _, synergistic in self._parts}

    @property
    def learners_(self) -> pd.DataFrame:
        """Held-out comparison of the learners of each source."""
        return pd.DataFrame(self._learners).astype(NO_LEARNERS.dtypes)

    @property
    def _frame(self) -> pd.DataFrame:
        frame = pd.DataFrame(self._columns)
        frame.attrs["unit"] = self._unit
        return frame

    @property
    def redundant(self) -> float:
        """Redundant information of the only pair; up to two sources."""
        return self._of_the_only_pair("redundant_")

    @property
    def synergistic(self) -> float:
        """Synergistic information of the only pair; up to two sources."""
        return self._of_the_only_pair("synergistic_")

    def _of_the_only_pair(self, attribute: str) -> float:
        check_is_fitted(self)
        values = getattr(self, attribute)
        if len(values) > 1:
            raise AttributeError(
                f"Got {len(values)} pairs of sources, expected one pair for "
                f"{attribute[:-1]}; use the dict {attribute}."
            )
        return next(iter(values.values()))

    @property
    def raw_(self) -> pd.DataFrame:
        """The estimates before they were moved to what is possible."""
        return self._frame.loc[:, ["first", "second", "term", "source", "raw"]]

    def to_frame(self) -> pd.DataFrame:
        """All results as a tidy table.

        Returns
        -------
        DataFrame
            A row for each quantity of each pair. ``first`` and ``second`` name the
            pair (``second`` is "" for a single source, whose redundant and synergistic
            rows are 0), ``term`` is "unique", "redundant", "synergistic" or
            "mutual_information", ``source`` the one it belongs to, or "joint".
            ``value`` is that of the attributes, corrected for bias; ``raw`` is the same
            before it was moved to what is possible, and may be negative; ``plain`` is
            the estimate without a correction. With ``n_permutations`` also
            ``null_mean``, ``null_std`` and ``p_value`` of ``plain``; with
            ``n_bootstraps`` also ``std_error``, ``low`` and ``high``, an interval of
            level ``confidence_level`` that holds ``value``, within 0 and the logarithm
            of the number of classes. ``attrs["unit"]`` is the unit.
        """
        check_is_fitted(self)
        frame = self._frame
        table = ResultTable(frame)
        table.attrs = dict(frame.attrs)
        return table


def _label_terms(pair: Pair) -> list[tuple[str, str, str, str]]:
    """Names of the pair, term and source, in the order of :class:`Terms`."""
    one, two = map(source_name, pair)
    terms = ["unique"] * 2 + ["redundant", "synergistic"] + ["mutual_information"] * 3
    sources = (one, two, "joint", "joint", one, two, "joint")
    return [(one, two, term, source) for term, source in zip(terms, sources)]
