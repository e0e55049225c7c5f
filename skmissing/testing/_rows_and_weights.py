"""Laws on hidden content, single rows, seeds and weights."""

from __future__ import annotations

import sys
from unittest import SkipTest

import joblib
import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from ..modalities import MultimodalData
from ._subject import Subject, make_blocks, proba


def refill(X: MultimodalData, *garbage) -> MultimodalData:
    """Put garbage into the missing blocks, one kind after the other."""
    rng = np.random.default_rng(1)
    blocks = {}
    for m, (name, block) in enumerate(X.blocks.items()):
        block = np.array(block)
        for i, row in enumerate(np.flatnonzero(~X.present[:, m])):
            kind = garbage[i % len(garbage)]
            noise = rng.normal(size=block[row].shape)
            block[row] = noise if kind == "noise" else kind
        blocks[name] = block
    return MultimodalData(blocks, present=X.present)


GARBAGE = (0.0, 1e30, np.inf, np.nan, "noise")


def check_hidden_content_at_prediction(subject: Subject) -> None:
    """What stands in a missing block changes no prediction."""
    X, _, estimator = subject.on_shapes
    expected = proba(estimator, X)
    for kind in GARBAGE:
        assert_array_equal(
            proba(estimator, refill(X, kind)),
            expected,
            err_msg=f"with {kind} in missing blocks",
        )


def check_hidden_content_in_fit(subject: Subject) -> None:
    """What stands in a missing block changes no fit."""
    X, y, estimator = subject.on_shapes
    expected = proba(estimator, X)
    # Once with finite ones: NaN may be treated as nothing on its way.
    for garbage in (GARBAGE, (1e30, "noise")):
        again = subject.make_brief().fit(refill(X, *garbage), y)
        assert_array_equal(proba(again, X), expected, err_msg=f"with {garbage}")


def check_hidden_integers(subject: Subject) -> None:
    """What stands in a missing block of integers changes nothing."""
    X, y = make_blocks()
    clean = np.random.default_rng(1).integers(5, size=(len(y), 4))
    dirty = clean.copy()
    dirty[~X.present[:, 1]] = 10**6
    first, second = (
        MultimodalData({"m0": X["m0"], "m1": block}, present=X.present)
        for block in (clean, dirty)
    )
    a, b = subject.make_brief().fit(first, y), subject.make_brief().fit(second, y)
    assert_array_equal(proba(a, first), proba(b, second))
    assert_array_equal(proba(a, first), proba(a, second))


def check_rows_are_predicted_on_their_own(subject: Subject) -> None:
    """A row's prediction depends neither on the other rows nor on their number."""
    X, y, estimator = subject.on_shapes
    tolerance = subject.tolerance
    whole = proba(estimator, X)
    order = np.random.default_rng(0).permutation(len(y))
    single = np.concatenate([proba(estimator, X[i]) for i in range(12)])
    assert_allclose(single, whole[:12], rtol=0, atol=tolerance)
    assert_allclose(proba(estimator, X[order]), whole[order], rtol=0, atol=tolerance)
    many = MultimodalData.concat([X] * 6)
    found = proba(estimator, many)[: len(y)]
    assert_allclose(found, whole, rtol=0, atol=tolerance)


def check_features_of_rows(subject: Subject) -> None:
    """A row's features, of ``transform``, depend on that row alone."""
    X, _, estimator = subject.on_shapes
    if not hasattr(estimator, "transform"):
        raise SkipTest("the estimator has no transform")
    features = np.asarray(estimator.transform(X))
    assert features.dtype == np.float64, f"got features of type {features.dtype}"
    allowed = subject.tolerance * max(1.0, np.abs(features).max())
    parts = np.concatenate([estimator.transform(X[i]) for i in range(12)])
    assert_allclose(parts, features[:12], rtol=0, atol=allowed)


def check_probabilities(subject: Subject) -> None:
    """Probabilities are float64 and sum to 1; the most probable label is predicted."""
    X, _, estimator = subject.on_shapes
    found = proba(estimator, X)
    assert found.dtype == np.float64, f"got probabilities of type {found.dtype}"
    assert found.shape == (len(X), len(estimator.classes_))
    assert_allclose(found.sum(axis=1), 1.0, atol=1e-12)
    assert_array_equal(estimator.predict(X), estimator.classes_[found.argmax(axis=1)])


def _numpy_state() -> np.ndarray:
    """Of the global generator."""
    return np.array(np.random.get_state(legacy=True)[1])  # type: ignore[index]


def check_global_state(subject: Subject) -> None:
    """Global generators neither matter nor move, nor do threads and types of torch."""
    X, y, first = subject.on_blocks
    torch = sys.modules.get("torch")
    state = np.random.get_state()
    if torch is not None:
        seed, threads = torch.get_rng_state(), torch.get_num_threads()
        dtype = torch.get_default_dtype()
    try:
        # Another state than before, as other code of the process may have left it.
        np.random.seed(1)
        before = _numpy_state()
        if torch is not None:
            other = torch.manual_seed(1).get_state()
        estimator = subject.make_brief().fit(X, y)
        assert_array_equal(proba(estimator, X), proba(first, X))
        assert_array_equal(_numpy_state(), before)
        if torch is not None:
            assert torch.equal(torch.get_rng_state(), other), "torch's generator moved"
            assert torch.get_num_threads() == threads, "torch's threads changed"
            assert torch.get_default_dtype() == dtype, "torch's type changed"
    finally:
        # Also where the check fails: the process is the user's.
        np.random.set_state(state)
        if torch is not None:
            torch.set_rng_state(seed)


def _fit_and_predict(estimator, X, y) -> np.ndarray:
    return proba(clone(estimator).fit(X, y), X)


def check_number_of_jobs(subject: Subject) -> None:
    """A fit is the same in processes and threads beside others."""
    X, y, estimator = subject.on_blocks
    alone = proba(estimator, X)
    for backend in ("loky", "threading"):
        found = joblib.Parallel(n_jobs=2, backend=backend)(
            joblib.delayed(_fit_and_predict)(estimator, X, y) for _ in range(2)
        )
        for other in found:
            assert_array_equal(other, alone, err_msg=f"with the backend {backend}")


def check_ratios_of_weights(subject: Subject) -> None:
    """Weights matter, and only their ratios do."""
    X, y = make_blocks(n=80)
    w = np.random.default_rng(0).uniform(0.2, 3.0, size=len(y))
    a = proba(subject.make().fit(X, y, sample_weight=w), X)
    b = proba(subject.make().fit(X, y, sample_weight=7.3 * w), X)
    c = proba(subject.make().fit(X, y), X)
    assert_allclose(a, b, atol=1e-5)
    assert np.abs(a - c).max() > 1e-3, "weights change nothing"


def _with_absent_rows() -> tuple:
    """Rows and weights, alone and among rows of weight 0 with their own class."""
    X, y = make_blocks(n=80)
    extra, _ = make_blocks(n=20, seed=5)
    both = MultimodalData.concat([X, extra])
    block = np.asarray(both["m0"])
    block[80:] *= 100
    y_both = np.concatenate([y, np.full(20, 9)])
    w = np.random.default_rng(0).uniform(0.5, 2.0, size=80)
    return (X, y, w), (both, y_both, np.concatenate([w, np.zeros(20)]))


def check_weight_zero(subject: Subject) -> None:
    """A row of weight 0 is an absent row, in classes, priors and statistics, too."""
    (X, y, w), (both, y_both, w_both) = _with_absent_rows()
    # Absent rows stand anywhere between the others, whose order stays the same.
    slots = np.sort(np.random.default_rng(1).permutation(100)[:80])
    order = np.full(100, -1)
    order[slots] = np.arange(80)
    order[order < 0] = np.arange(80, 100)
    a = subject.make_brief().fit(X, y, sample_weight=w)
    b = subject.make_brief().fit(
        both[order], y_both[order], sample_weight=w_both[order]
    )
    assert_array_equal(a.classes_, b.classes_)
    assert_array_equal(proba(a, X), proba(b, X))
    nothing = X[:1].hide(np.ones((1, 2), dtype=bool))
    assert_array_equal(proba(a, nothing), proba(b, nothing))


def check_weight_zero_with_groups(subject: Subject) -> None:
    """The same where groups of rows are held out together."""
    if not subject.accepts_in_fit("groups"):
        raise SkipTest("fit takes no groups")
    (X, y, w), (both, y_both, w_both) = _with_absent_rows()
    groups = np.arange(80) // 2
    more = np.concatenate([groups, np.full(20, 999)])
    a = subject.make_brief().fit(X, y, sample_weight=w, groups=groups)
    b = subject.make_brief().fit(both, y_both, sample_weight=w_both, groups=more)
    assert_array_equal(proba(a, X), proba(b, X))


def check_repeated_rows(subject: Subject) -> None:
    """A weight of 2 is the same as two rows, in settings without noise."""
    X, y = make_blocks(n=60, shaped=True, n_modalities=3)
    w = np.random.default_rng(0).integers(0, 4, size=len(y))
    again = np.repeat(np.arange(len(y)), w)
    a = subject.make_deterministic().fit(X, y, sample_weight=w.astype(float))
    b = subject.make_deterministic().fit(X[again], y[again])
    assert_allclose(proba(a, X), proba(b, X), rtol=0, atol=1e-7)
    nothing = X[:1].hide(np.ones((1, 3), dtype=bool))
    assert_allclose(proba(a, nothing), proba(b, nothing))


def check_balanced_classes(subject: Subject) -> None:
    """``class_weight="balanced"`` counts weights."""
    own = subject.accepts("class_weight")
    name = "class_weight" if own else "estimator__class_weight"
    if not subject.accepts(name):
        raise SkipTest("the estimator has no class_weight")
    X, y = make_blocks(n=60, shaped=True, n_modalities=3)
    w = np.where(y == 0, 3.0, 1.0)
    again = np.repeat(np.arange(len(y)), w.astype(int))
    a = subject.make_deterministic(**{name: "balanced"}).fit(X, y, sample_weight=w)
    b = subject.make_deterministic(**{name: "balanced"}).fit(X[again], y[again])
    assert_allclose(proba(a, X), proba(b, X), rtol=0, atol=1e-7)
    if own:
        nothing = X[:1].hide(np.ones((1, 3), dtype=bool))
        assert_allclose(proba(a, nothing), 1 / 3)
