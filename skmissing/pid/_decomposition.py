"""The seven informations of one pair of sources."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ._broja import table_information, table_informations
from ._sources import Pair, Source
from .solver import union_information, union_informations

# Gap (nats) at which the minimum is good enough for a correction of its bias.
ROUGH_GOAL = 1e-10


# Labels and weights of rows.
Draw = tuple[np.ndarray, np.ndarray]


class Terms(NamedTuple):
    """Parts of a pair, and the informations of the first, the second and both."""

    unique_first: float
    unique_second: float
    redundant: float
    synergistic: float
    first: float
    second: float
    joint: float

    @classmethod
    def split(cls, first: Any, second: Any, union: Any, joint: Any) -> Terms:
        """Parts that follow from three informations and the union information."""
        unique = union - second, union - first
        return cls(*unique, first + second - union, joint - union, first, second, joint)

    @property
    def union(self) -> float:
        """Union information: the smallest joint one that the sources allow."""
        return self.unique_first + self.second


class Bias(NamedTuple):
    """Bias of the informations that the terms are made of, bits; NaN if not known."""

    first: float
    second: float
    union: float
    joint: float


@dataclass(frozen=True)
class Decomposition:
    """Terms of one pair in bits, with the certificate of the solver.

    ``plain`` is as estimated: synergy and joint information may be negative.
    """

    plain: Terms
    duality_gap: float
    marginal_violation: float


@dataclass(frozen=True)
class Evaluation:
    """Decompositions of all pairs for given labels and weights.

    ``held_out`` is the information of each model on held-out rows, bits, and
    ``joint_error`` the standard error of that of all sources (infinite if it is not
    held out). ``states`` are those of each source whose informations are plug-in
    estimates from a table.
    """

    decompositions: list[Decomposition]
    held_out: dict[Source, float]
    n_states: dict[Source, int]
    states: dict[Source, np.ndarray]
    joint_error: float = np.inf

    @property
    def plain(self) -> np.ndarray:
        """Plain terms of all pairs, shape (7 n_pairs,)."""
        return np.concatenate([d.plain for d in self.decompositions])


def decompose(
    pair: Pair, tables: Mapping[Source, np.ndarray], joint: float
) -> Decomposition:
    """Decompose a pair, given tables (K, n) of class and state of its sources."""
    if not pair[1]:
        return decompose_single(joint)
    first, second = (tables[source] for source in pair)
    least = union_information(first, second)
    one, two = table_information(first), table_information(second)
    union = clip_union(least.value, one, two)
    plain = Terms.split(one, two, union, joint)
    return Decomposition(plain, least.duality_gap, least.marginal_violation)


def decompose_single(information: float) -> Decomposition:
    """All of the information is unique to a source without a second one."""
    plain = Terms(information, 0.0, 0.0, 0.0, information, 0.0, information)
    return Decomposition(plain, 0.0, 0.0)


class Job(NamedTuple):
    """A pair to decompose: tables (K, n) of both sources, and the joint information.

    Of a source without a second one there is only the joint information.
    """

    first: np.ndarray | None
    second: np.ndarray | None
    joint: float


def make_job(pair: Pair, tables: Mapping[Source, np.ndarray], joint: float) -> Job:
    """What there is to decompose of a pair, given tables of its sources."""
    if not pair[1]:
        return Job(None, None, joint)
    return Job(tables[pair[0]], tables[pair[1]], joint)


def plain_terms(draws: Sequence[Sequence[Job]]) -> np.ndarray:
    """Plain terms (n_draws, 7 n_pairs) of the jobs of all pairs for each draw.

    As ``decompose`` finds them, but tables of one shape are solved together.
    """
    jobs = [job for draw in draws for job in draw]
    out = np.empty((len(jobs), 7))
    alike: dict[Any, list[int]] = defaultdict(list)
    for k, job in enumerate(jobs):
        if job.first is None or job.second is None:
            out[k] = decompose_single(job.joint).plain
        else:
            alike[job.first.shape, job.second.shape].append(k)
    for members in alike.values():
        first, second = (
            np.stack([np.asarray(jobs[k][side]) for k in members]) for side in (0, 1)
        )
        joint = np.array([jobs[k].joint for k in members])
        least = union_informations(first, second).value
        one, two = table_informations(first), table_informations(second)
        least = np.maximum(np.minimum(least, one + two), np.maximum(one, two))
        out[members] = np.stack(Terms.split(one, two, least, joint), axis=1)
    return out.reshape(len(draws), -1)


def clip_union(union: float, first: float, second: float) -> float:
    """The same interval as in broja: rounding may not make a part negative."""
    return max(min(union, first + second), first, second)


def rough_union(first: np.ndarray, second: np.ndarray) -> float:
    """Union information of two tables to about 1e-10 bit."""
    found = union_information(first, second, goal=ROUGH_GOAL).value
    return clip_union(found, table_information(first), table_information(second))


def correct(plain: Terms, bias: Bias) -> Terms:
    """Subtract the bias where it is known; the parts still add up."""
    values = plain.first, plain.second, plain.union, plain.joint
    return Terms.split(*(v - np.nan_to_num(off) for v, off in zip(values, bias)))


def settle(raw: list[Terms], joint_error: float, most: float) -> list[Terms]:
    """Move terms to what is possible, and give all pairs one joint information.

    No part is below 0, and no information above ``most``. The joint information is at
    least the union information of each pair, up to its estimate plus its error; larger
    parts are scaled down to that.
    """
    moved = []
    for terms in raw:
        one, two = (float(np.clip(v, 0.0, most)) for v in (terms.first, terms.second))
        moved.append((one, two, clip_union(min(terms.union, most), one, two)))
    estimate = min(max(0.0, *(terms.joint for terms in raw)), most)
    unions = max(union for _, _, union in moved)
    joint = max(estimate, min(unions, estimate + joint_error))
    out = []
    for one, two, union in moved:
        share = min(1.0, joint / union) if union > 0 else 1.0
        found = Terms.split(share * one, share * two, share * union, joint)
        # Differences of equal numbers may be below 0 by rounding.
        out.append(Terms(*(max(float(v), 0.0) for v in found)))
    return out


def count_table(
    codes: np.ndarray, states: np.ndarray, weight: np.ndarray, n_classes: int
) -> np.ndarray:
    """Weighted shares of class and state, shape (n_classes, n_states)."""
    width = int(states.max()) + 1
    table = np.bincount(codes * width + states, weight, minlength=n_classes * width)
    return table.reshape(n_classes, width) / weight.sum()


def first_order_bias(table: np.ndarray, n: float) -> float:
    """Bias (bits) of the plug-in information of a table from n rows, Miller and Madow.

    A plug-in entropy over m occupied cells is ``(m - 1) / (2 n)`` nats too low, and
    the information is the entropy of the class plus that of the state less that of
    the pair.
    """
    occupied = table > 0
    marginal = occupied.any(axis=1).sum() + occupied.any(axis=0).sum() - 1
    return float((occupied.sum() - marginal) / (2.0 * n * np.log(2.0)))
