"""PIDEstimator on discrete sources, its interface and its error messages."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score

from skmissing import MultimodalData, PIDEstimator, PropensityWeighter
from skmissing.datasets import make_bitwise
from skmissing.exceptions import UncertifiedWarning
from skmissing.pid import _decomposition, broja
from skmissing.pid._decomposition import count_table, first_order_bias
from skmissing.pid._discrete import state_codes

from ..conftest import LINEAR, terms_of

# Few rows for many states, whose counts are compared with arithmetic by hand.
pytestmark = pytest.mark.filterwarnings(
    "ignore::skmissing.exceptions.SparseStatesWarning"
)

TERMS = ["unique_x1", "unique_x2", "redundant", "synergistic"]
TERMS += ["mi_x1", "mi_x2", "mi_joint"]


def oracle(bunch, which):
    return np.array([bunch.oracle[which][term] for term in TERMS])


def discrete(n=400, seed=0, n_sources=2, n_classes=3):
    """Integer blocks of which the label is a noisy function."""
    rng = np.random.default_rng(seed)
    blocks = {f"m{m}": rng.integers(3, size=(n, 1 + m % 2)) for m in range(n_sources)}
    total = sum(block.sum(axis=1) for block in blocks.values())
    y = np.where(rng.random(n) < 0.7, total, rng.integers(9, size=n)) % n_classes
    return MultimodalData(blocks), y


def check_sums(pid):
    frame = pid.to_frame()
    for _, pair in frame.groupby(["first", "second"], sort=False):
        for column in ("value", "plain"):
            u1, u2, r, s, i1, i2, joint = pair[column]
            assert u1 + u2 + r + s == pytest.approx(joint, abs=1e-8)
            assert u1 + r == pytest.approx(i1, abs=1e-8)
            assert u2 + r == pytest.approx(i2, abs=1e-8)
        assert (pair["value"] >= 0).all()


# -- values ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "gate", ["and", *(pytest.param(g, marks=pytest.mark.slow) for g in ("or", "xor"))]
)
def test_gates_under_missingness(gate):
    """Corrected to the truth, and uncorrected to the biased values."""
    errors = {"raw": [], "known": [], "biased": []}
    for seed in range(20):
        bunch = make_bitwise(10000, gate=gate, mechanism="mar", random_state=seed)
        corrected = PIDEstimator(propensity=PropensityWeighter(random_state=0))
        corrected.fit(bunch.data, bunch.target)
        known = PIDEstimator().fit(
            bunch.data, bunch.target, sample_weight=1.0 / bunch.propensity
        )
        biased = PIDEstimator().fit(bunch.data, bunch.target)
        for pid in (corrected, known, biased):
            assert pid.method_ == "exact"
            assert pid.duality_gap_ <= 1e-9
            assert pid.marginal_violation_ <= 1e-9
            check_sums(pid)
        errors["raw"].append(terms_of(corrected) - oracle(bunch, "true"))
        errors["known"].append(terms_of(known) - oracle(bunch, "true"))
        errors["biased"].append(terms_of(biased) - oracle(bunch, "observed"))
    for name, rows in errors.items():
        assert np.abs(np.mean(rows, axis=0)).max() < 0.008, name
        assert np.abs(rows).max() < 0.045, name
    if gate == "xor":
        assert np.abs(errors["raw"]).max() < 0.01


def test_mnar_weights_on_x1_leave_the_bias():
    bunch = make_bitwise(20000, gate="and", mechanism="mnar", random_state=0)
    pid = PIDEstimator(propensity=PropensityWeighter(random_state=0))
    pid.fit(bunch.data, bunch.target)
    np.testing.assert_allclose(terms_of(pid), oracle(bunch, "observed"), atol=0.03)


def test_propensity_may_depend_on_the_label():
    rng = np.random.default_rng(0)
    a, b = rng.integers(2, size=(2, 20000))
    X = MultimodalData({"a": a.astype(float), "b": b.astype(float)})
    y = a & b
    X = X.hide({"b": rng.random(20000) > np.where(y == 1, 0.9, 0.3)})
    weighter = PropensityWeighter(use_target=True, random_state=0)
    truth = [0, 0, 0.311278, 0.5]
    corrected = terms_of(PIDEstimator(propensity=weighter).fit(X, y))[:4]
    np.testing.assert_allclose(corrected, truth, atol=0.02)
    biased = terms_of(PIDEstimator().fit(X, y))[:4]
    assert np.abs(biased - truth).max() > 0.05
    again = PIDEstimator(propensity=weighter, n_bootstraps=3, random_state=0).fit(X, y)
    assert np.abs(again.bootstrap_distribution_[:, :4] - truth).max() < 0.04


def test_agrees_with_the_table_solver():
    X, y = discrete(seed=3)
    w = np.random.default_rng(0).uniform(0.1, 2, size=len(y))
    table = np.zeros((3, 3, 9))
    second = X["m1"][:, 0] * 3 + X["m1"][:, 1]
    np.add.at(table, (y, X["m0"][:, 0], second), w)
    expected = broja(table)
    pid = PIDEstimator(method="exact").fit(X, y, sample_weight=w)
    info = expected.mutual_information
    np.testing.assert_allclose(
        terms_of(pid, "plain"),
        [*expected.unique, expected.redundant, expected.synergistic, *info],
        atol=1e-12,
    )
    u1, u2, r, s, first, second, joint = terms_of(pid, "value")
    assert pid.unique_ == {"m0": u1, "m1": u2}
    assert pid.redundant_ == {("m0", "m1"): r}
    assert pid.synergistic_ == {("m0", "m1"): s}
    assert (pid.redundant, pid.synergistic) == (r, s)
    assert pid.mutual_information_ == {"m0": first, "m1": second, "joint": joint}
    assert pid.n_bins_ == {"m0": 3, "m1": 9}
    assert pid.held_out_information_ == {}
    assert pid.n_used_ == len(y)
    assert pid.effective_sample_size_ == pytest.approx(w.sum() ** 2 / (w @ w))


@pytest.mark.slow
def test_correction_removes_most_of_the_bias():
    """Noise: the mean corrected information is near zero, the raw one is not."""
    rows = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        X = MultimodalData({k: rng.integers(4, size=300) for k in "ab"})
        w = rng.uniform(0.2, 3.0, size=300)
        pid = PIDEstimator(method="exact").fit(X, rng.integers(3, size=300), w)
        rows.append(pid.to_frame()[["plain", "raw"]].to_numpy()[4:])
        n = pid.effective_sample_size_
    raw, corrected = np.mean(rows, axis=0).T
    expected = np.array([6, 6, 30]) / (2 * n * np.log(2))
    np.testing.assert_allclose(raw, expected, rtol=0.2)
    assert (np.abs(corrected) < 0.2 * expected).all()


def test_first_order_bias_counts_occupied_cells():
    copy = np.diag([0.25, 0.25, 0.5])
    # Entropies of label and state are too low by 2 / (2 n) each, that of the pair too.
    assert first_order_bias(copy, 10) == pytest.approx(-2 / (20 * np.log(2)))
    assert first_order_bias(np.full((2, 3), 1 / 6), 10) == pytest.approx(
        2 / (20 * np.log(2))
    )


def test_one_source():
    X, y = discrete(n_sources=2)
    pid = PIDEstimator(method="exact", sources="m1", unit="nats").fit(X, y)
    both = PIDEstimator(method="exact", unit="nats").fit(X, y)
    info = both.mutual_information_["m1"]
    assert pid.unique_ == pytest.approx({"m1": info}, abs=1e-12)
    assert pid.redundant_ == pid.synergistic_ == {("m1", ""): 0}
    assert (pid.redundant, pid.synergistic) == (0, 0)
    assert pid.mutual_information_ == pytest.approx({"m1": info, "joint": info})
    frame = pid.to_frame()
    assert frame["term"].tolist() == [
        "unique", "redundant", "synergistic", "mutual_information",
        "mutual_information",
    ]  # fmt: skip
    assert (frame["first"] == "m1").all()
    assert (frame["second"] == "").all()


def test_nats_differ_by_the_logarithm_of_two():
    X, y = discrete()
    settings = {"n_permutations": 5, "n_bootstraps": 5, "random_state": 0}
    bits = PIDEstimator(method="exact", **settings).fit(X, y)
    nats = PIDEstimator(method="exact", unit="nats", **settings).fit(X, y)
    for column in bits.to_frame().columns[4:]:
        factor = 1.0 if column == "p_value" else np.log(2)
        np.testing.assert_allclose(
            terms_of(nats, column), factor * terms_of(bits, column), atol=1e-12
        )
    assert nats.duality_gap_ == pytest.approx(bits.duality_gap_ * np.log(2))
    assert nats.unique_["m0"] == pytest.approx(bits.unique_["m0"] * np.log(2))
    np.testing.assert_allclose(
        nats.null_distribution_, bits.null_distribution_ * np.log(2), atol=1e-12
    )
    assert nats.score(X, y) == pytest.approx(bits.score(X, y) * np.log(2))


# -- several sources ------------------------------------------------------------------


def test_more_than_two_modalities_are_held_against_the_rest():
    X, y = discrete(n_sources=3)
    pid = PIDEstimator(method="exact").fit(X, y)
    check_sums(pid)
    names = ["m0", "m1", "m2"]
    frame = pid.to_frame().set_index(["first", "term", "source"])["value"]
    assert len(frame) == 21
    for name in names:
        rest = tuple(k for k in names if k != name)
        pair = PIDEstimator(method="exact", sources=(name, rest)).fit(X, y)
        other = "+".join(rest)
        assert list(pair.unique_) == [name, other]
        assert pid.unique_[name] == pytest.approx(pair.unique_[name], abs=1e-12)
        assert frame[name, "unique", other] == pytest.approx(pair.unique_[other])
        redundant, synergistic = pid.redundant_, pid.synergistic_
        assert redundant[name, other] == pytest.approx(pair.redundant, abs=1e-12)
        assert synergistic[name, other] == pytest.approx(pair.synergistic, abs=1e-12)
        info = pair.mutual_information_
        assert pid.mutual_information_[name] == pytest.approx(info[name])
        assert pid.mutual_information_["joint"] == pytest.approx(info["joint"])
    assert list(pid.mutual_information_) == [*names, "joint"]
    assert pid.sources_ == [("m0",), ("m1",), ("m2",)]


def test_sources_leave_other_modalities_out():
    X, y = discrete(n_sources=3)
    X = X.hide({"m2": np.arange(len(y)) % 2 == 0})
    pid = PIDEstimator(method="exact", sources=("m1", "m0")).fit(X, y)
    assert pid.n_used_ == len(y)
    assert list(pid.unique_) == ["m1", "m0"]
    assert PIDEstimator(method="exact").fit(X, y).n_used_ == len(y) // 2
    three = PIDEstimator(method="exact", sources=["m0", ["m1"], "m2"]).fit(X, y)
    pairs = [("m0", "m1+m2"), ("m1", "m0+m2"), ("m2", "m0+m1")]
    assert list(three.redundant_) == list(three.synergistic_) == pairs


# -- which rows, which states ---------------------------------------------------------


def test_only_rows_with_all_sources_and_a_label_count():
    X, y = discrete(n=500)
    y = np.array(["no", "some", "much"], dtype=object)[y]
    y[::7] = None
    gone = np.arange(500) % 5 == 0
    hidden = X.hide({"m1": gone})
    pid = PIDEstimator(method="exact").fit(hidden, y)
    kept = ~gone & np.array([label is not None for label in y])
    expected = PIDEstimator(method="exact").fit(X[kept], y[kept].astype(str))
    np.testing.assert_array_equal(terms_of(pid), terms_of(expected))
    assert pid.classes_.tolist() == ["much", "no", "some"]
    assert pid.n_used_ == kept.sum()
    assert pid.score(hidden, y) == pytest.approx(expected.score(X[kept], y[kept]))


def test_states_of_any_type():
    words = np.array(["a", "b", None, "a", np.nan, "b"], dtype=object)
    assert state_codes([words]).tolist() == [0, 1, 2, 0, 2, 1]
    numbers = np.array([[0.0, np.nan], [-0.0, np.nan], [0.0, 1.0]])
    assert state_codes([numbers]).tolist() == [0, 0, 1]
    assert state_codes([numbers[:, :1], numbers[:, 1:]]).tolist() == [0, 0, 1]
    first = np.repeat([0, 1], 3)
    second = np.tile(np.array(["a", "b", None], dtype=object), 2)
    assert state_codes([first, second]).tolist() == list(range(6))
    many = np.random.default_rng(0).integers(2, size=(300, 200))
    assert len(set(state_codes([many]))) == len(np.unique(many, axis=0))


def test_text_and_frames():
    X, y = discrete()
    frame = pd.DataFrame(
        {
            "ward__name": np.array(["a", "b", "c"])[X["m0"][:, 0]],
            "test__one": X["m1"][:, 0].astype(float),
            "test__two": np.array(["lo", "mid", "hi"])[X["m1"][:, 1]],
        }
    )
    assert PIDEstimator(estimator=LINEAR).fit(frame, y).method_ == "posterior"
    pid = PIDEstimator(method="exact").fit(frame, y)
    expected = PIDEstimator(method="exact").fit(X, y)
    np.testing.assert_allclose(terms_of(pid), terms_of(expected), atol=1e-12)
    assert list(pid.unique_) == ["ward", "test"]
    assert pid.score(frame, y) == pytest.approx(expected.score(X, y))


def test_auto_compares_states_with_effective_rows():
    X, y = discrete(n=1000, n_classes=2)
    settings = {"estimator": LINEAR, "random_state": 0}
    # 27 joint states take 270 effective rows.
    assert PIDEstimator(**settings).fit(X, y).method_ == "exact"
    w = np.where(np.arange(1000) < 200, 1.0, 1e-9)
    few = PIDEstimator(**settings).fit(X, y, sample_weight=w)
    assert few.effective_sample_size_ == pytest.approx(200, rel=1e-3)
    assert few.method_ == "posterior"


# -- invariances ----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_invariances(seed):
    X, y = discrete(seed=seed)
    rng = np.random.default_rng(seed)
    w = rng.integers(0, 4, size=len(y)).astype(float)
    exact = PIDEstimator(method="exact")
    base = terms_of(clone(exact).fit(X, y, sample_weight=w))

    def same(other, order=range(7)):
        np.testing.assert_allclose(terms_of(other)[list(order)], base, atol=1e-12)

    same(clone(exact).fit(X, y, sample_weight=7.3 * w))
    again = np.repeat(np.arange(len(y)), w.astype(int))
    same(clone(exact).fit(X[again], y[again]))
    order = rng.permutation(len(y))
    same(clone(exact).fit(X[order], y[order], sample_weight=w[order]))
    same(clone(exact).fit(X, np.array(["z", "a", "m"])[y], sample_weight=w))
    renamed = MultimodalData({"m0": 5.5 - X["m0"], "m1": np.exp(X["m1"])})
    same(clone(exact).fit(renamed, y, sample_weight=w))
    swapped = clone(exact).set_params(sources=("m1", "m0"))
    same(swapped.fit(X, y, sample_weight=w), [1, 0, 2, 3, 5, 4, 6])


def test_splitting_a_state_at_random_changes_nothing_in_large_samples():
    X, y = discrete(n=400)
    twice = np.concatenate([np.arange(400)] * 2)
    coin = np.repeat([0, 1], 400)[:, None]
    split = MultimodalData(
        {"m0": np.hstack([X["m0"][twice], coin]), "m1": X["m1"][twice]}
    )
    a = PIDEstimator(method="exact").fit(X, y)
    b = PIDEstimator(method="exact").fit(split, y[twice])
    np.testing.assert_allclose(terms_of(a), terms_of(b), atol=1e-12)


def test_constant_and_copied_sources():
    X, y = discrete()
    m1 = X["m1"]
    constant = MultimodalData({"a": m1, "b": np.zeros(len(y))})
    u1, u2, r, s, info, _, _ = terms_of(PIDEstimator(method="exact").fit(constant, y))
    assert u1 == pytest.approx(info)
    assert max(u2, r, s) < 1e-12
    copied = MultimodalData({"a": m1, "b": 1 - m1})
    u1, u2, r, s, info, _, _ = terms_of(PIDEstimator(method="exact").fit(copied, y))
    assert r == pytest.approx(info)
    assert max(u1, u2, s) < 1e-9


# -- score ----------------------------------------------------------------------------


def test_score_is_held_out_information():
    X, y = discrete(n=4000, n_classes=2)
    pid = PIDEstimator(method="exact")
    info = pid.fit(X, y).mutual_information_["joint"]
    scores = cross_val_score(pid, X, y, cv=5)
    assert scores.mean() == pytest.approx(info, abs=0.03)
    assert scores.mean() < info
    # A state never seen gets the class shares, which say nothing.
    other = MultimodalData({"m0": X["m0"] + 10, "m1": X["m1"]})
    assert pid.score(other, y) == pytest.approx(0.0, abs=1e-12)
    noise = np.random.default_rng(0).permutation(y)
    assert -0.1 < cross_val_score(pid, X, noise, cv=5).mean() < 0.0


def test_score_smooths_with_one_row_of_the_prior():
    X = np.array([0, 0, 0, 1, 1, 1, 1, 1])[:, None]
    y = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    pid = PIDEstimator(method="exact").fit(X, y)
    # The state 0 was seen 3 times with class 0, which has a share of one half.
    assert pid.score([[0]], [0]) == pytest.approx(np.log2(3.5 / 4 / 0.5))
    assert pid.score([[0]], [1]) == pytest.approx(np.log2(0.5 / 4 / 0.5))
    assert pid.score([[0], [0]], [0, 1], [1, 0]) == pytest.approx(np.log2(3.5 / 2))


def test_score_counts_in_effective_rows():
    X = np.array([0, 0, 0, 1, 1, 1, 1, 1])[:, None]
    y = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    weight = np.array([4.0, 1, 1, 1, 1, 1, 1, 4])
    pid = PIDEstimator(method="exact").fit(X, y, weight)
    # Weights 14 in all and 38 squared: 14 * 14 / 38 rows, 6 / 14 of them in state 0.
    n = 14**2 / 38 * 6 / 14
    share = (n + 0.5) / (n + 1)
    assert pid.score([[0]], [0]) == pytest.approx(np.log2(share / 0.5))


def test_score_uses_the_weights_of_the_propensity():
    bunch = make_bitwise(4000, gate="and", mechanism="mar", random_state=0)
    weighted = PIDEstimator(propensity=PropensityWeighter(random_state=0))
    score = weighted.fit(bunch.data, bunch.target).score(bunch.data, bunch.target)
    assert score == pytest.approx(bunch.oracle["true"]["mi_joint"], abs=0.03)
    plain = PIDEstimator().fit(bunch.data, bunch.target)
    assert plain.score(bunch.data, bunch.target) == pytest.approx(
        bunch.oracle["observed"]["mi_joint"], abs=0.03
    )


# -- interface ------------------------------------------------------------------------


def test_to_frame_is_a_copy_and_attributes_are_its_values():
    X, y = discrete()
    pid = PIDEstimator(method="exact").fit(X, y)
    frame = pid.to_frame()
    assert list(frame.columns) == [
        "first", "second", "term", "source", "value", "raw", "plain",
    ]  # fmt: skip
    assert frame["source"].tolist() == [
        "m0", "m1", "joint", "joint", "m0", "m1", "joint",
    ]  # fmt: skip
    assert list(pid.raw_.columns) == ["first", "second", "term", "source", "raw"]
    assert frame.attrs == {"unit": "bits"}
    nats = PIDEstimator(method="exact", unit="nats").fit(X, y).to_frame()
    assert nats.attrs == {"unit": "nats"}
    frame.attrs["unit"] = "what"
    assert pid.to_frame().attrs == {"unit": "bits"}
    frame.loc[:, "value"] = 0
    assert pid.to_frame()["value"].max() > 0


def test_pickle_and_clone():
    X, y = discrete()
    pid = PIDEstimator(method="exact", n_permutations=3, random_state=0).fit(X, y)
    again = pickle.loads(pickle.dumps(pid))
    pd.testing.assert_frame_equal(again.to_frame(), pid.to_frame())
    assert again.score(X, y) == pid.score(X, y)
    pd.testing.assert_frame_equal(clone(pid).fit(X, y).to_frame(), pid.to_frame())


def test_floats_are_those_of_the_only_pair():
    X, y = discrete(n_sources=3)
    pid = PIDEstimator(method="exact")
    for name in ("redundant", "synergistic"):
        with pytest.raises(NotFittedError):
            getattr(pid, name)
    pid.fit(X, y)
    for name in ("redundant", "synergistic"):
        with pytest.raises(AttributeError, match=f"Got 3 pairs.*the dict {name}_"):
            getattr(pid, name)
        assert not hasattr(pid, name)


def test_warns_of_an_uncertified_solution(monkeypatch):
    solve = _decomposition.union_information

    def loose(A, B, **options):
        return solve(A, B, **options)._replace(duality_gap=2e-6)

    monkeypatch.setattr(_decomposition, "union_information", loose)
    X, y = discrete()
    with pytest.warns(UncertifiedWarning, match="Got a duality gap of 2e-06 bit"):
        pid = PIDEstimator(method="exact").fit(X, y)
    assert pid.duality_gap_ == 2e-6


def test_tables_of_counts():
    table = count_table(
        np.array([0, 1, 1]), np.array([2, 0, 0]), np.array([1.0, 2.0, 1.0]), 3
    )
    expected = np.zeros((3, 3))
    expected[0, 2], expected[1, 0] = 0.25, 0.75
    np.testing.assert_allclose(table, expected)


# -- errors ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sources",
    [("m0", "what"), (), ("m0", ("m0", "m1")), ("m0", ()), (3, "m0"), ("m0", "m0")],
)
def test_bad_sources(sources):
    X, y = discrete()
    with pytest.raises(ValueError, match=r"Got sources=.*, expected names of the mod"):
        PIDEstimator(sources=sources).fit(X, y)


def test_a_modality_called_joint():
    X, y = discrete()
    X = MultimodalData({"joint": X["m0"], "b": X["m1"]})
    with pytest.raises(ValueError, match="Got a source with the name 'joint', expect"):
        PIDEstimator().fit(X, y)
    X = MultimodalData({"a+b": X["b"], "a": X["b"], "b": X["b"]})
    with pytest.raises(ValueError, match="name 'a\\+b', expected distinct names"):
        PIDEstimator(sources=("a+b", ("a", "b"))).fit(X, y)


@pytest.mark.parametrize(
    ("params", "X", "y", "fit", "error", "match"),
    [
        ({}, None, "none", {}, ValueError, "requires y to be passed"),
        ({}, None, "short", {}, ValueError, "Got y of length 3, expected 400"),
        ({}, None, "unknown", {}, ValueError, "Got no label in y, expected at least"),
        ({}, None, "one", {}, ValueError, "Got one class only in y"),
        ({}, "hidden", None, {}, ValueError, "Got no row with a label and all of"),
        ({}, "half", None, {}, ValueError, r"Got one class only \(1\) in the rows"),
        ({}, None, None, {"groups": [1, 2]}, ValueError, r"Got groups of length 2"),
        ({}, None, None, {"sample_weight": [1.0]}, ValueError, "sample_weight"),
        ({"method": "posterior", "cv": 401}, None, None, {}, ValueError, "Got cv=401"),
        ({"method": "posterior", "cv": [([0], [1, 2])]}, None, None, {}, ValueError,
         "with 398 rows in none or several of its test sets, expected each row in ex"),
        ({"method": "posterior", "cv": [([0], range(400))]}, None, None, {}, ValueError,
         "all used rows in one test set, expected at least two"),
        ({"method": "posterior", "cv": [(range(300), range(200)), (range(200),
         range(200, 400))]}, None, None, {}, ValueError,
         "with a training set that holds test rows, expected used rows other than"),
        ({"method": "posterior", "cv": [([], range(200)), (range(200),
         range(200, 400))]}, None, None, {}, ValueError,
         "with a training set that holds none of the used rows, expected used rows"),
        ({"propensity": PropensityWeighter(required=["m0"])}, None, None, {},
         ValueError, r"Got propensity with required=\['m0'\], expected None or one li"),
        ({"method": "neural"}, None, None, {}, ValueError, "'method' parameter"),
        ({"method": "coupling"}, "text", None, {}, ValueError,
         "Got values of dtype .* in the modality 'm0', expected numbers for method="),
        ({"method": "coupling", "n_permutations": 9}, None, None, {}, ValueError,
         "Got n_permutations=9 with method='coupling', expected 0"),
        ({"n_bins": 0}, None, None, {}, ValueError, "'n_bins' parameter"),
        ({"unit": "bit"}, None, None, {}, ValueError, "'unit' parameter"),
        ({"n_permutations": -1}, None, None, {}, ValueError, "'n_permutations' param"),
        ({"confidence_level": 1.0}, None, None, {}, ValueError, "'confidence_level'"),
    ],
)  # fmt: skip
def test_errors_leave_nothing_behind(params, X, y, fit, error, match):
    data, labels = discrete(n_classes=2)
    X = {
        None: data,
        "hidden": data.hide({"m0": np.ones(400, dtype=bool)}),
        "half": data.hide({"m0": labels == 0}),
        "text": MultimodalData({"m0": np.array(["a", "b"] * 200), "m1": data["m1"]}),
    }[X]
    y = {
        None: labels,
        "none": None,
        "short": labels[:3],
        "unknown": np.full(400, np.nan),
        "one": np.zeros(400, dtype=int),
    }[y]
    pid = PIDEstimator(**params)
    with pytest.raises(error, match=match):
        pid.fit(X, y, **fit)
    assert not [name for name in vars(pid) if name.endswith("_")]
    fitted = PIDEstimator(method="exact").fit(data, labels)
    before = fitted.to_frame()
    with pytest.raises(error, match=match):
        fitted.set_params(**params).fit(X, y, **fit)
    pd.testing.assert_frame_equal(fitted.to_frame(), before)


def test_errors_of_score():
    X, y = discrete()
    pid = PIDEstimator(method="exact").fit(X, y)
    with pytest.raises(ValueError, match=r"Got the label 7 in y, expected those of fi"):
        pid.score(X[:2], [0, 7])
    empty = X.hide({"m0": np.ones(len(y), dtype=bool)})
    with pytest.raises(ValueError, match="Got no row with a label and all of the mod"):
        pid.score(empty, y)
