"""How the results of a decomposition are laid out."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from ..exceptions import UncertifiedWarning
from ._decomposition import TERMS, Parts, correct, share_joint
from ._resampling import intervals, p_values
from ._sources import Pair, Source, source_name

# A certificate above this many bits is worth a warning, as in broja. Nets come near the
# optimum and do not reach it; their bound has some slack as well.
TOLERANCE = 1e-9
NET_TOLERANCE = 0.02


class PIDResults:
    """Attributes and table of a fitted :class:`PIDEstimator`."""

    unit: str
    classes_: np.ndarray
    _pairs: list[Pair]
    sources_: list[Source]
    redundant_: float | dict[str, float]
    synergistic_: float | dict[str, float]
    _held_out: dict[Source, float]
    _sizes: dict[Source, int]
    method_: str

    def _store(
        self,
        parts: list[Parts],
        bias: np.ndarray,
        null: np.ndarray | None,
        drawn: np.ndarray | None,
    ) -> None:
        """Set the attributes.

        Parameters
        ----------
        parts : list of Parts
            One per pair, bits.
        bias : ndarray of shape (n_pairs, 4)
            Of the three informations and of the smallest joint one, bits; NaN where it
            is not known.
        null, drawn : ndarray of shape (n, 7 n_pairs) or None
            Raw figures after shuffling and of resamples.
        """
        scale = np.log(2.0) if self.unit == "nats" else 1.0
        parts = share_joint(parts)
        self.duality_gap_ = float(scale * max(p.duality_gap for p in parts))
        self.marginal_violation_ = max(p.marginal_violation for p in parts)
        gap = max(p.duality_gap for p in parts)
        tolerance = NET_TOLERANCE if self.method_ == "coupling" else TOLERANCE
        if not gap <= tolerance:
            warnings.warn(
                f"Got a duality gap of {gap:.2g} bit, expected at most {tolerance:g}: "
                "the parts are certain to within the gap only.",
                UncertifiedWarning,
                stacklevel=5,
            )
        raw = np.concatenate([p.raw for p in parts])
        corrected = correct(np.array([p.raw for p in parts]), bias)
        columns = {
            "value": scale * np.concatenate([p.value for p in parts]),
            "raw": scale * raw,
            "corrected": scale * corrected.ravel(),
        }
        if null is not None:
            columns["null_mean"] = scale * null.mean(axis=0)
            columns["null_std"] = scale * null.std(axis=0)
            columns["p_value"] = p_values(raw, null)
        if drawn is not None:
            columns["std"] = scale * drawn.std(axis=0)
            columns["lower"], columns["upper"] = scale * intervals(
                raw, drawn, np.log2(len(self.classes_))
            )
        labels = [
            (source_name(a), source_name(b), term, source)
            for a, b in self._pairs
            for term, source in zip(TERMS, _owners(a, b))
        ]
        frame = pd.DataFrame(labels, columns=["first", "second", "term", "source"])
        frame = frame.assign(**columns)
        kept = np.ones(len(frame), dtype=bool)
        if not self._pairs[0][1]:
            # A single source has no partner with figures of its own. What both have,
            # and only both together, is 0 as in the attributes, and keeps its row.
            kept = frame["source"].to_numpy() != ""
        self._frame = frame[kept].reset_index(drop=True)
        self._frame.attrs["unit"] = self.unit
        self.null_distribution_ = None if null is None else scale * null[:, kept]
        self.bootstrap_distribution_ = None if drawn is None else scale * drawn[:, kept]
        self._name(np.concatenate([p.value for p in parts]).reshape(-1, 7) * scale)
        every = {source_name(s): s for s in self.sources_}
        joint = tuple(sorted(name for s in self.sources_ for name in s))
        self.held_out_information_ = {
            label: float(scale * self._held_out[source])
            for label, source in [*every.items(), ("joint", joint)]
            if source in self._held_out
        }
        self.n_bins_ = {k: self._sizes[s] for k, s in every.items() if s in self._sizes}

    def _name(self, value: np.ndarray) -> None:
        """Attributes by name, from an array of shape (n_pairs, 7)."""
        names = [source_name(s) for s in self.sources_]
        rows = [[float(x) for x in row] for row in value]
        if len(names) <= 2:
            self.unique_ = dict(zip(names, rows[0][:2]))
            self.redundant_, self.synergistic_ = rows[0][2], rows[0][3]
            own = dict(zip(names, rows[0][4:6]))
        else:
            self.unique_, self.redundant_, self.synergistic_, own = (
                {name: row[i] for name, row in zip(names, rows)} for i in (0, 2, 3, 4)
            )
        self.mutual_information_ = {**own, "joint": rows[0][6]}

    @property
    def raw_(self) -> pd.DataFrame:
        """The estimates before anything was raised to its bound."""
        return self._frame.loc[:, ["first", "second", "term", "source", "raw"]]

    def to_frame(self) -> pd.DataFrame:
        """All figures as a tidy table.

        Returns
        -------
        DataFrame
            A row for each figure of each pair. ``first`` and ``second`` name the
            pair (``second`` is "" for a single source, whose redundant and synergistic
            rows are 0), ``term`` is "unique", "redundant", "synergistic" or
            "mutual_information", ``source`` the one it belongs to, or "joint".
            ``value`` is what the attributes hold, ``raw`` the estimate before it was
            raised to its bound, ``corrected`` the raw one less an estimate of its bias,
            which may be negative (NaN for the parts of "coupling"). With
            ``n_permutations`` also ``null_mean``, ``null_std`` and ``p_value``; with
            ``n_bootstraps`` also ``std``, ``lower`` and ``upper``, a 90% interval
            within 0 and the logarithm of the number of classes. ``attrs["unit"]`` is
            the unit.
        """
        check_is_fitted(self)
        return self._frame.copy()


def _owners(first: Source, second: Source) -> list[str]:
    one, two = source_name(first), source_name(second)
    return [one, two, "joint", "joint", one, two, "joint"]
