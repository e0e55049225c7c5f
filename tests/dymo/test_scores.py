"""Scores against plain formulae, and where plain formulae fail."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.special import log_ndtr
from scipy.stats import norm

from skmissing.dymo._judge import Judged, RememberingJudge
from skmissing.dymo._scores import (
    alphas,
    confidence_loss,
    distances,
    log_halfnormal,
    log_softmax,
    rewards,
    similarities,
    unit_length,
)
from skmissing.dymo._selection import Policy, best_of_each
from skmissing.dymo._selection import select as select_by
from skmissing.dymo._statistics_table import (
    Sources,
    StatisticsTable,
    _by_kind,
    overall_subsets,
)
from skmissing.dymo._subset_model import Fused
from skmissing.dymo._subset_statistics import (
    TAIL,
    FeatureRows,
    Measured,
    Shrinkage,
    SubsetStatistics,
    Survival,
)

from ._literal import Literal, alpha_of, confidence, plausibility


class Judging:
    """A judge of two functions."""

    def __init__(self, fuse, score):
        self.fuse, self.score = fuse, score

    def logits(self, rows, masks):
        return self.fuse(rows, masks)[0]

    def __call__(self, rows, masks):
        logits, z = self.fuse(rows, masks)
        return Judged(logits, *self.score(logits, z, masks))


def select(fuse, score, present, candidates, policy):
    return select_by(Judging(fuse, score), present, candidates, policy, reports=True)


SEEDS = range(4)
DISTANCES = ("cosine", "euclidean")


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("seed", SEEDS)
def test_scores_are_the_plain_formulae(seed, distance):
    rng = np.random.default_rng(seed)
    z, c = unit_length(rng.normal(size=(20, 5))), rng.normal(size=(4, 5)) / 3
    logits, sigma = rng.normal(size=(20, 4)), rng.uniform(0.5, 1.0, size=4)
    loss = confidence_loss(similarities(z, c, distance) / 0.1)
    q = [confidence(row, c, distance, 0.1) for row in z]
    np.testing.assert_allclose(np.exp(-loss), q, rtol=1e-12)
    label = logits.argmax(axis=1)
    p = [plausibility(a, b, c, sigma, distance) for a, b in zip(logits, z)]
    d = distances(z, c[label], distance)
    np.testing.assert_allclose(np.exp(log_halfnormal(d / sigma[label])), p, rtol=1e-12)


@pytest.mark.parametrize("calibration", ["log", "ratio", None])
@pytest.mark.parametrize("seed", SEEDS)
def test_rewards_are_the_plain_formulae(seed, calibration):
    rng = np.random.default_rng(seed)
    p, q = rng.uniform(0.01, 0.9, size=(2, 50)), rng.uniform(0.3, 0.99, size=(2, 50))
    alpha = alphas(np.log(p[0]), np.log(p[1]), calibration)
    expected = [alpha_of(a, b, calibration) for a, b in p.T]
    np.testing.assert_allclose(alpha, expected, atol=1e-6)
    assert (alpha >= 0).all()
    assert (alpha <= 1).all()
    out = rewards(-np.log(q[0]), -np.log(q[1]), alpha, "prob")
    np.testing.assert_allclose(out, alpha * q[1] - q[0], atol=1e-12)
    logs = rewards(-np.log(q[0]), -np.log(q[1]), alpha, "logprob")
    np.testing.assert_allclose(logs, np.log(alpha * q[1] / q[0]), atol=1e-12)
    np.testing.assert_array_equal(logs > 0, out > 0)


def test_no_saturation_beyond_five_and_a_half_deviations():
    # In float32 both chances are 0, so that the paper's alpha is 1 and calibration
    # switches itself off exactly where a recovery is most suspicious.
    before, after = 5.6, 9.0
    assert np.float32(2) * (1 - np.float32(norm.cdf(before))) == 0
    log_p = log_halfnormal(np.array([before, after, 40.0]))
    np.testing.assert_allclose(log_p, np.log(2) + log_ndtr([-before, -after, -40.0]))
    for calibration, expected in (
        ("ratio", np.exp(log_p[1] - log_p[0])),
        ("log", log_p[0] / log_p[1]),
    ):
        alpha = alphas(log_p[:1], log_p[1:2], calibration)
        np.testing.assert_allclose(alpha, expected)
        assert alpha < 0.45
        assert alphas(log_p[1:2], log_p[2:], calibration) < 0.06
        assert alphas(log_p[1:2], log_p[:1], calibration) == 1


def test_confidence_is_told_apart_where_it_rounds_to_one():
    loss = confidence_loss(np.array([[0.0, -50.0], [0.0, -60.0], [0.0, -800.0]]))
    assert (np.exp(-loss[1:]) == 1.0).all()
    np.testing.assert_allclose(loss[:2], np.exp([-50.0, -60.0]), rtol=1e-12)
    gain = rewards(loss[:1], loss[1:2], np.ones(1), "prob")
    np.testing.assert_allclose(gain, np.exp(-50) - np.exp(-60))
    assert rewards(loss[1:2], loss[:1], np.ones(1), "prob") < 0


def test_classes_without_a_prototype_and_zero_features():
    c = np.array([[1.0, 0.0], [np.nan, np.nan]])
    for distance in DISTANCES:
        s = similarities(np.array([[0.5, 0.5]]), c, distance)
        assert np.isfinite(s[0, 0])
        assert s[0, 1] == -np.inf
        assert confidence_loss(s) == 0
    np.testing.assert_array_equal(unit_length(np.zeros((1, 2))), np.zeros((1, 2)))
    np.testing.assert_allclose(
        np.exp(log_softmax(np.array([[1000.0, 1000.0, -1000.0]]))), [[0.5, 0.5, 0.0]]
    )


# -- statistics -----------------------------------------------------------------------


class Encoded:
    """Rows with features by a function of row numbers and one set of modalities."""

    def __init__(self, features):
        self.features = features

    def fuse(self, rows, masks):
        return Fused(None, self.features(rows, masks[0]))


def table_rows(features, y, weight=None, present=None):
    """Rows with features, by a function or, whatever the set, of a table."""
    if isinstance(features, np.ndarray):
        table = features

        def features(index, subset):
            return table[index]

    weight = np.ones(len(y)) if weight is None else weight
    present = np.ones((len(y), 1), dtype=bool) if present is None else present
    return FeatureRows(Encoded(features), present, y, weight)


def table_of(rows, n_classes, distance, shrinkage, min_rows=1, distances_of=None):
    sources = Sources(rows, rows if distances_of is None else distances_of)
    rules = Shrinkage(n_classes, distance, shrinkage, min_rows)
    return StatisticsTable.fit(rules, sources, np.random.RandomState(0))


def random_rows(seed, n=60, m=3, k=3, width=4, present=None):
    """Features that depend on the set, as tables."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % k)
    base = rng.normal(size=(n, m, width)) + y[:, None, None]
    if present is None:
        present = np.ones((n, m), dtype=bool)

    def features(index, subset):
        return base[index][:, subset].mean(axis=1)

    return table_rows(features, y, present=present)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("seed", SEEDS)
def test_statistics_are_the_plain_formulae(seed, distance):
    rows = random_rows(seed)
    table = table_of(rows, 3, distance, 0.0)
    centers = []
    for subset in overall_subsets(3, np.random.RandomState(0)):
        z, y, _ = rows.features(subset)
        c = np.stack([z[y == k].mean(axis=0) for k in range(3)])
        centers.append(c)
        d = distances(z, c[rows.y], distance)
        sigma = [np.sqrt(np.mean(d[rows.y == k] ** 2)) for k in range(3)]
        np.testing.assert_allclose(table[subset].prototypes, c, atol=1e-12)
        np.testing.assert_allclose(table[subset].sigma, sigma, atol=1e-12)
    np.testing.assert_allclose(
        table.pooled.prototypes, np.mean(centers, axis=0), atol=1e-12
    )


def test_subsets_are_ordered_by_size_and_then_by_place():
    subsets = overall_subsets(3, np.random.RandomState(0))
    members = ["".join(str(i) for i in np.flatnonzero(s)) for s in subsets]
    assert members == ["0", "1", "2", "01", "02", "12", "012"]
    many = overall_subsets(8, np.random.RandomState(0))
    assert len(many) == 64 == len(np.unique(many, axis=0))
    assert many.any(axis=1).all()
    assert 3.5 < many.sum(axis=1).mean() < 4.5


def test_rare_classes_take_the_deviation_of_all():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [500, 500, 1])
    z = rng.normal(size=(1001, 2)) * np.array([1.0, 2.0, 1.0])[y][:, None]
    rows = table_rows(z, y)
    table = table_of(rows, 3, "euclidean", 0.1)
    sigma = table[np.array([True])].sigma
    pooled = np.sqrt((500 * 2 + 500 * 8) / 1001)
    assert sigma[0] == pytest.approx(np.sqrt(2), rel=0.1)
    assert sigma[1] == pytest.approx(np.sqrt(8), rel=0.1)
    # Its only row lies on its prototype: a deviation of 0 if it were alone.
    assert sigma[2] == pytest.approx(pooled, rel=0.1)
    alone = table_of(rows, 3, "euclidean", 0.0)
    assert alone[np.array([True])].sigma[2] > 0


def test_pooled_variances_are_weighted():
    rng = np.random.default_rng(0)
    d, weight = np.abs(rng.normal(size=(2, 30))) * 2
    y = np.arange(30) % 3
    parts = [
        Measured(d[:20], y[:20], weight[:20]),
        Measured(d[20:], y[20:], weight[20:]),
    ]
    pooled = Shrinkage(3, "euclidean", 0.1, min_rows=1).pool([1, 2], parts, 2)
    assert pooled.whole == pytest.approx(np.average(d**2, weights=weight))
    expected = [np.average(p.d**2, weights=p.weight) for p in parts]
    np.testing.assert_allclose(pooled.by_size[1:], expected)


def test_sets_that_no_row_has_fall_back():
    present = np.ones((60, 2), dtype=bool)
    present[::2, 0] = False
    present[1::2, 1] = False
    rows = random_rows(0, m=2, present=present)
    table = table_of(rows, 3, "euclidean", 0.1)
    both = table[np.array([True, True])]
    overall = table.pooled.prototypes
    np.testing.assert_array_equal(both.prototypes, overall)
    np.testing.assert_allclose(both.sigma, np.sqrt(table.pooled.variance.whole))
    loss, log_p = table.score(
        np.eye(3), overall, np.ones((3, 2), dtype=bool), 0.1, "empirical"
    )
    assert np.isfinite(loss).all()
    assert np.isfinite(log_p).all()


def smooth_rows(seed, n=240, m=9, k=3, width=4, present=None):
    """Features that follow the set, as those of a net do."""
    rng = np.random.default_rng(seed)
    y, base = np.arange(n) % k, rng.normal(size=(n, width))
    centers = rng.normal(size=(k, width))
    push = rng.normal(size=(m, k, width))

    def features(index, subset):
        share = subset.sum() / m
        center = centers + push[subset].sum(axis=0) / m
        return center[y[index]] + (0.5 - 0.3 * share) * base[index]

    if present is None:
        present = np.ones((n, m), dtype=bool)
    return table_rows(features, y, present=present)


@pytest.mark.parametrize("seed", SEEDS)
def test_statistics_of_many_sets_follow_those_of_some(seed):
    rows = smooth_rows(seed)
    table = table_of(rows, 3, "euclidean", 0.0)
    rng = np.random.default_rng(seed)
    sets = [s for s in rng.random((60, 9)) < rng.random((60, 1)) if s.any()]
    off, spread, off_sigma = [], [], []
    for subset in sets:
        z = rows.features(subset).z
        c = np.stack([z[rows.y == k].mean(axis=0) for k in range(3)])
        d = distances(z, c[rows.y], "euclidean")
        sigma = [np.sqrt(np.mean(d[rows.y == k] ** 2)) for k in range(3)]
        found = table[subset]
        off.append(found.prototypes - c)
        spread.append(table.pooled.prototypes - c)
        off_sigma.append(np.log(found.sigma / sigma))
    assert np.square(off).sum() < 0.01 * np.square(spread).sum()
    assert np.abs(off_sigma).max() < 0.1
    # Row by row the same as set by set, whatever the other rows.
    masks, label = np.stack(sets), rng.integers(3, size=len(sets))
    z = rng.normal(size=(len(sets), 4))
    logits = 9.0 * np.eye(3)[label]
    for ics in ("halfnormal", "empirical"):
        loss, log_p = table.score(logits, z, masks, 0.1, ics)
        for i, subset in enumerate(sets):
            one = table[subset].log_plausibility(
                z[i : i + 1], label[i : i + 1], "euclidean", ics
            )
            assert log_p[i] == pytest.approx(one[0], abs=1e-9)
            own = table.score(logits[[i]], z[[i]], masks[[i]], 0.1, ics)
            np.testing.assert_allclose([loss[i], log_p[i]], np.ravel(own), atol=1e-9)


@pytest.mark.parametrize("m", [7, 20, 60])
def test_the_number_of_sets_is_bounded(m):
    rng = np.random.default_rng(m)
    present = rng.random((90, m)) < 0.7
    rows = smooth_rows(0, n=90, m=m, present=present)
    calls = []
    fuse = rows.encoded.fuse

    def counted(index, masks):
        calls.append(masks[0].copy())
        return fuse(index, masks)

    rows.encoded.fuse = counted
    table = table_of(rows, 3, "euclidean", 0.1, 10)
    assert len({c.tobytes() for c in calls}) <= 128
    before = len(calls)
    for subset in rng.random((50, m)) < 0.5:
        one = table[subset]
        assert np.isfinite(one.prototypes).all()
        assert (one.sigma > 0).all()
    # What is met later takes no rows, which a fitted model does not keep.
    assert len(calls) == before
    assert not hasattr(table, "sources")


def test_empirical_chances_are_ranks_with_a_tail():
    rng = np.random.default_rng(0)
    # Gaussian features in many dimensions: distances are all about as large.
    y, z = np.zeros(4000, dtype=int), rng.normal(size=(4000, 64))
    y[2000:] = 1
    table = table_of(table_rows(z, y), 2, "euclidean", 0.1)
    stats = table[np.array([True])]
    new = rng.normal(size=(2000, 64))
    zero = np.zeros(2000, dtype=int)
    p = np.exp(stats.log_plausibility(new, zero, "euclidean", "empirical"))
    np.testing.assert_allclose(np.quantile(p, [0.05, 0.5, 0.95]), [0.05, 0.5, 0.95],
                               atol=0.04)  # fmt: skip
    half = np.exp(stats.log_plausibility(new, zero, "euclidean", "halfnormal"))
    np.testing.assert_allclose(np.quantile(half, [0.05, 0.95]), [0.25, 0.39], atol=0.02)
    # Ever less plausible beyond the farthest, without a floor.
    far = np.array([[3.0], [6.0], [12.0]]) * np.ones(64)
    log_p = stats.log_plausibility(far, zero[:3], "euclidean", "empirical")
    normal = stats.log_plausibility(far, zero[:3], "euclidean", "halfnormal")
    np.testing.assert_allclose(log_p, np.log(TAIL) + normal)
    assert (np.diff(log_p) < -5).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_empirical_chances_fall_with_distance_and_count_weights(seed):
    rng = np.random.default_rng(seed)
    y, z = rng.integers(3, size=50), rng.normal(size=(50, 2))
    weight = rng.integers(1, 4, size=50)
    again = np.repeat(np.arange(50), weight)
    tables = [
        table_of(rows, 3, "euclidean", 0.3)
        for rows in (
            table_rows(z, y, weight / weight.mean()),
            table_rows(z[again], y[again]),
        )
    ]
    one, other = (t[np.array([True])] for t in tables)
    assert isinstance(one, SubsetStatistics)
    line = np.linspace(0, 6, 100)[:, None] * np.array([[1.0, 0.0]]) + one.prototypes[1]
    label = np.ones(100, dtype=int)
    for ics in ("empirical", "halfnormal"):
        a = one.log_plausibility(line, label, "euclidean", ics)
        b = other.log_plausibility(line, label, "euclidean", ics)
        np.testing.assert_allclose(a, b, atol=1e-8)
        assert (np.diff(a) < 0).all()


# -- the loop -------------------------------------------------------------------------


def random_net(seed, n=25, m=5, k=4, width=6, distance="cosine"):
    """Logits and features that depend on the set in no simple way."""
    rng = np.random.default_rng(seed)
    tokens = rng.normal(size=(n, m, width))
    first, second = rng.normal(size=(width, k)), rng.normal(size=(width, width))

    def forward(row, mask):
        h = np.tanh(tokens[row][mask].sum(axis=0) + 0.3 * mask.sum())
        z = h @ second
        return 2 * h @ first, unit_length(z[None])[
            0
        ] if distance == "cosine" else 0.3 * z

    def fuse(rows, masks):
        pairs = [forward(r, mask) for r, mask in zip(rows, masks)]
        return np.stack([p[0] for p in pairs]), np.stack([p[1] for p in pairs])

    present = rng.random((n, m)) < 0.4
    present[np.arange(n), rng.integers(m, size=n)] = True
    return forward, fuse, present, rng


POLICIES = [
    (selection, calibration)
    for selection in ("iterative", "simultaneous", "all", "none")
    for calibration in ("log", "ratio", None)
]


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize(("selection", "calibration"), POLICIES)
@pytest.mark.parametrize("seed", SEEDS)
def test_selection_is_the_published_loop(seed, selection, calibration, distance):
    forward, fuse, present, rng = random_net(seed, distance=distance)
    scale = 0.4 if distance == "cosine" else 0.8
    overall = scale * rng.normal(size=(4, 6))
    tables = {}

    def table_of(mask):
        key = mask.tobytes()
        if key not in tables:
            own = np.random.default_rng(list(key))
            # Wide enough that the 1e-9 in the published formula makes no difference.
            sigma = own.uniform(0.7, 1.5, size=4) * (1 if distance == "cosine" else 3)
            tables[key] = overall + 0.1 * own.normal(size=(4, 6)), sigma
        return tables[key]

    calls = []

    def counted(rows, masks):
        calls.append(np.bincount(rows, minlength=len(present)))
        return fuse(rows, masks)

    def score(logits, z, masks):
        loss = confidence_loss(similarities(z, overall, distance) / 0.5)
        label = logits.argmax(axis=1)
        pairs = [table_of(mask) for mask in masks]
        centers = np.stack([p[0][k] for p, k in zip(pairs, label)])
        sigma = np.array([p[1][k] for p, k in zip(pairs, label)])
        return loss, log_halfnormal(distances(z, centers, distance) / sigma)

    candidates = ~present & (rng.random(present.shape) < 0.9)
    out = select(
        counted, score, present, candidates, Policy(selection, calibration, "prob", 0.0)
    )
    literal = Literal(forward, overall, table_of, distance, 0.5)
    rewards_found = {
        (int(r), int(t), int(u)): value
        for rows, steps, which, reward, *_ in out.history
        for r, t, u, value in zip(rows, steps, which, reward)
    }
    n_rewards = 0
    for row in range(len(present)):
        logits, mask, history = literal.select(
            row, present[row], candidates[row], selection, calibration
        )
        np.testing.assert_array_equal(out.fused[row], mask)
        np.testing.assert_allclose(out.logits[row], logits, atol=1e-9)
        for step, u, value in history:
            assert rewards_found[row, step, u] == pytest.approx(value, abs=1e-6)
        n_rewards += len(history)
    assert len(rewards_found) == n_rewards
    if selection in ("all", "none"):
        assert len(calls) == 1
        return
    accepted = (out.fused & ~present).sum()
    assert 0 < accepted < candidates.sum()
    # Never more passes than one for each round and candidate left.
    k = candidates.sum(axis=1)
    passes = np.sum(calls, axis=0)
    bound = 1 + (k * (k + 1) // 2 if selection == "iterative" else k + 1)
    assert (passes <= bound).all()
    assert (passes[k == 0] == 1).all()
    assert passes.sum() < 0.7 * literal.n_passes


def constant_scores(rewards_of):
    """Fuse and score for given confidences by mask."""

    def fuse(rows, masks):
        key = np.array([rewards_of[tuple(mask)] for mask in masks])
        return np.stack([key, -key], axis=1), key[:, None]

    def score(logits, z, masks):
        return -np.log(z[:, 0]), np.zeros(len(z))

    return fuse, score


def test_by_hand_one_by_one_and_at_once():
    a, b, c = (True, False, False), (True, True, False), (True, False, True)
    full = (True, True, True)
    fuse, score = constant_scores({a: 0.5, b: 0.6, c: 0.7, full: 0.65})
    present = np.array([a])
    for selection, expected in (
        # c is best; b then makes it worse.
        ("iterative", c),
        ("simultaneous", full),
        ("all", full),
        ("none", a),
    ):
        out = select(fuse, score, present, ~present, Policy(selection, None, "prob", 0))
        assert tuple(out.fused[0]) == expected
    out = select(
        fuse, score, present, ~present, Policy("iterative", None, "prob", 0.15)
    )
    assert tuple(out.fused[0]) == c
    out = select(
        fuse, score, present, ~present, Policy("iterative", None, "prob", 0.25)
    )
    assert tuple(out.fused[0]) == a


def test_rejected_once_is_rejected_for_good_and_ties_go_to_the_first():
    a, b, c = (True, False, False), (True, True, False), (True, False, True)
    full = (True, True, True)
    fuse, score = constant_scores({a: 0.5, b: 0.4, c: 0.7, full: 0.9})
    present = np.array([a])
    policy = Policy("iterative", None, "prob", 0.0)
    assert tuple(select(fuse, score, present, ~present, policy).fused[0]) == c
    fuse, score = constant_scores({a: 0.5, b: 0.7, c: 0.7, full: 0.6})
    assert tuple(select(fuse, score, present, ~present, policy).fused[0]) == b
    # No gain is no reason either.
    fuse, score = constant_scores({a: 0.5, b: 0.5, c: 0.5, full: 0.9})
    assert tuple(select(fuse, score, present, ~present, policy).fused[0]) == a


@pytest.mark.parametrize("selection", ["iterative", "simultaneous"])
def test_rewards_that_are_not_numbers_reject(selection):
    a, b, c = (True, False, False), (True, True, False), (True, False, True)
    full = (True, True, True)
    present = np.array([a, a])
    policy = Policy(selection, None, "prob", 0.0)
    fuse, score = constant_scores({a: 0.5, b: np.nan, c: 0.7, full: np.nan})
    assert (
        select(fuse, score, present, ~present, policy).fused.tolist() == [list(c)] * 2
    )
    fuse, score = constant_scores({a: np.nan, b: 0.6, c: 0.7, full: 0.9})
    assert (
        select(fuse, score, present, ~present, policy).fused.tolist() == [list(a)] * 2
    )


def test_best_of_each_row():
    rows = np.array([0, 0, 0, 2, 2, 5])
    reward = np.array([1.0, 3.0, 3.0, -np.inf, -np.inf, 0.0])
    assert np.flatnonzero(best_of_each(rows, reward)).tolist() == [1, 3, 5]


def test_ranks_are_straight_lines_between_steps():
    rng = np.random.default_rng(0)
    ratio, y = rng.gamma(3.0, size=200), np.repeat([0, 1], 100)
    found = Survival.of(ratio, y, np.ones(200), 2)
    new = np.r_[0.0, found.at[:5], found.at[-1], rng.uniform(0, 12, size=300)]
    for k in range(2):
        ours = found(new, np.full(len(new), k))
        np.testing.assert_allclose(
            ours, np.interp(new, found.at, found.shares[k]), atol=1e-12
        )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        edge = found(np.array([-1e-16, np.inf, np.nan]), np.zeros(3, dtype=int))
    np.testing.assert_array_equal(edge, [1.0, 0.0, np.nan])


@pytest.mark.parametrize("n_modalities", [3, 8, 11, 20])
def test_masks_are_grouped(n_modalities):
    rng = np.random.default_rng(0)
    masks = rng.random((60, n_modalities)) < 0.5
    # Pairs that differ in the last modality only.
    masks[1::2] = masks[::2]
    masks[1::2, -1] ^= True
    groups = _by_kind(masks)
    assert len(groups) == len(np.unique(masks, axis=0))
    number = np.zeros(60, dtype=int)
    for kind, rows in groups:
        np.testing.assert_array_equal(masks[rows], np.tile(kind, (len(rows), 1)))
        number[rows] += 1
    assert (number == 1).all()
    ((kind, rows),) = _by_kind(masks[:1])
    assert rows == slice(None)
    assert (kind == masks[0]).all()


# -- what is judged once ---------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("how", ["iterative", "simultaneous"])
@pytest.mark.parametrize("reward", ["prob", "logprob"])
def test_policies_share_what_is_judged(seed, how, reward):
    rng = np.random.default_rng(seed)
    n, m, k = 60, 5, 3
    logs = rng.normal(size=(2**m, n, k)) * 3
    loss, log_p = rng.exponential(size=(2, 2**m, n)) * [[[0.3]], [[-1.0]]]
    calls = []

    class Table:
        def __call__(self, rows, masks):
            code = masks @ 2 ** np.arange(m)
            calls.extend(zip(rows.tolist(), code.tolist()))
            return Judged(logs[code, rows], loss[code, rows], log_p[code, rows])

        def logits(self, rows, masks):
            return self(rows, masks).logits

    present = rng.random((n, m)) < 0.5
    candidates = ~present & (rng.random((n, m)) < 0.9)
    shared = RememberingJudge(Table())
    policies = [
        Policy(how, c, reward, r)
        for c in ("ratio", "log", None)
        for r in (0.0, 0.1, 0.3, -0.1)
    ]
    found = [select_by(shared, present, candidates, p) for p in policies]
    # Nothing is judged twice.
    assert len(calls) == len(set(calls))
    n_shared = len(calls)
    calls.clear()
    for outcome, policy in zip(found, policies):
        # Rows that are sure enough are left out, and it makes no difference.
        full = select_by(Table(), present, candidates, policy, reports=True)
        np.testing.assert_array_equal(outcome.fused, full.fused)
        np.testing.assert_array_equal(outcome.logits, full.logits)
        if policy.min_reward == 0.3:
            n_full, n_judged = (
                sum(len(part.row) for part in o.history) for o in (full, outcome)
            )
            assert n_judged < n_full
    assert n_shared < len(calls) / 3
