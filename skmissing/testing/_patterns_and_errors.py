"""Laws on patterns, copies, bad input and the forms of X."""

from __future__ import annotations

import io
import pickle
import warnings
from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any, NamedTuple
from unittest import SkipTest

import joblib
import numpy as np
import pandas as pd
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.utils import get_tags

from ..exceptions import EmptyRowWarning, UnobservedModalityWarning
from ..modalities import Modality, MultimodalData
from ._subject import Subject, make_blocks, proba

ALL_PATTERNS = np.array([[i >> m & 1 for m in range(3)] for i in range(8)], dtype=bool)


def _rows_of_every_pattern() -> MultimodalData:
    test, _ = make_blocks(n=8, n_modalities=3, missing=0.0, seed=3)
    return test.hide(~ALL_PATTERNS)


def check_any_pattern(subject: Subject) -> None:
    """Any pattern predicts, also one never seen in training."""
    fitted, _ = subject.on_two_patterns
    out = proba(fitted.estimator, _rows_of_every_pattern())
    assert np.isfinite(out).all(), "got probabilities that are not finite"
    assert_allclose(out.sum(axis=1), 1.0)


def check_empty_rows_get_the_prior(subject: Subject) -> None:
    """A row with nothing present gets the weighted class prior."""
    fitted, prior = subject.on_two_patterns
    X = _rows_of_every_pattern()
    assert_allclose(proba(fitted.estimator, X)[0], prior)
    nothing = X.hide(np.ones((8, 3), dtype=bool))
    assert_allclose(proba(fitted.estimator, nothing), np.tile(prior, (8, 1)))


def check_empty_rows_warn(subject: Subject) -> None:
    """Rows with nothing present are counted by one EmptyRowWarning for each call."""
    fitted, _ = subject.on_two_patterns
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted.estimator.predict_proba(_rows_of_every_pattern())
    found = [w for w in caught if issubclass(w.category, EmptyRowWarning)]
    assert len(found) == 1, f"got {len(found)} warnings of empty rows"
    assert "1 of 8 rows" in str(found[0].message), str(found[0].message)


def check_empty_rows_in_fit(subject: Subject) -> None:
    """Training rows with nothing present change the prior, and nothing else."""
    X, y = make_blocks(n=60)
    empty = X[:10].hide(np.ones((10, 2), dtype=bool))
    both = MultimodalData.concat([X, empty])
    a = subject.make().fit(X, y)
    b = subject.make().fit(both, np.concatenate([y, np.zeros(10, dtype=int)]))
    assert proba(b, empty)[0, 0] > proba(a, empty)[0, 0], "the prior is the same"
    assert_array_equal(proba(a, X), proba(b, X))


def check_unobserved_modality(subject: Subject) -> None:
    """A modality that no training row has is ignored, with a warning that names it."""
    X, y = make_blocks(n_modalities=3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator = subject.make().fit(X.hide("m2"), y)
    found = [w for w in caught if issubclass(w.category, UnobservedModalityWarning)]
    assert len(found) == 1, f"got {len(found)} warnings of unobserved modalities"
    assert "'m2'" in str(found[0].message), str(found[0].message)
    assert_array_equal(proba(estimator, X), proba(estimator, X.hide("m2")))


def check_number_of_modalities(subject: Subject) -> None:
    """One to six modalities are learned from."""
    for n_modalities in range(1, 7):
        X, y = make_blocks(n=90, n_modalities=n_modalities)
        estimator = subject.make().fit(X, y)
        score = estimator.score(X, y)
        assert score > 0.6, f"got a score of {score:.2f} with {n_modalities} modalities"
        names = getattr(estimator, "modality_names_in_", X.names)
        assert list(names) == X.names


def check_copies(subject: Subject) -> None:
    """Pickled and dumped copies predict the same."""
    X, _, estimator = subject.on_shapes
    expected = proba(estimator, X)
    buffer = io.BytesIO()
    joblib.dump(estimator, buffer)
    buffer.seek(0)
    for other in (pickle.loads(pickle.dumps(estimator)), joblib.load(buffer)):
        assert_array_equal(proba(other, X), expected)


def check_same_fit(subject: Subject) -> None:
    """A clone learns the same, and so does a second fit."""
    X, y, estimator = subject.on_shapes
    expected = proba(estimator, X)
    again = clone(estimator).fit(X, y)
    assert_array_equal(proba(again, X), expected)
    assert_array_equal(proba(again.fit(X, y), X), expected)


class BadFit(NamedTuple):
    """Settings and a change of X and y with which ``fit`` has to fail."""

    change: Callable[[Any, Any], tuple]
    # None: X is a container; others are about columns of a frame.
    params: dict[str, Any] | None = None


def _same(X, y) -> tuple:
    return X, y


BAD_FITS = {
    "short y": BadFit(lambda X, y: (X, y[:-1])),
    "one class": BadFit(lambda X, y: (X, y * 0)),
    "continuous y": BadFit(lambda X, y: (X, y + 0.5 * np.arange(30))),
    "missing label": BadFit(lambda X, y: (X, np.where(y == 1, np.nan, 0.0))),
    "all empty": BadFit(lambda X, y: (X.hide(np.ones((30, 1), dtype=bool)), y)),
    "empty columns": BadFit(lambda X, y: (X * np.nan, y), {}),
    "infinite": BadFit(lambda X, y: (X.assign(b=np.inf), y), {}),
    "text column": BadFit(
        lambda X, y: (X.assign(b="text"), y), {"modalities": {"u": ["a", "b"]}}
    ),
    "overlap": BadFit(_same, {"modalities": {"u": ["a", "b"], "v": ["b", "c"]}}),
    "unknown column": BadFit(_same, {"modalities": {"u": ["a", "nope"]}}),
    "named twice": BadFit(_same, {"modalities": [("u", ["a"]), ("u", ["b"])]}),
}


def fail_to_fit(estimator, bad: BadFit, *, fitted: bool) -> Exception:
    """The error of a bad fit, after a look at what it left behind."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(30, 4)), columns=list("abcd"))
    X = MultimodalData({"x": frame.to_numpy()}) if bad.params is None else frame
    y = np.arange(30) % 2
    if fitted:
        estimator.fit(X, y)
    estimator.set_params(**(bad.params or {}))
    before = dict(vars(estimator))
    try:
        estimator.fit(*bad.change(X, y))
    except (ValueError, TypeError) as error:
        after = vars(estimator)
        left = {k for k in {*before, *after} if after.get(k) is not before.get(k)}
        assert not left, f"the failing fit left {sorted(left)}"
        return error
    raise AssertionError("the fit did not fail")


def check_bad_fits(subject: Subject) -> None:
    """Bad input to ``fit`` is a ValueError or TypeError that leaves nothing behind."""
    for name, bad in BAD_FITS.items():
        if bad.params is not None and not subject.accepts("modalities"):
            continue
        tags = get_tags(subject.estimator)
        if name == "text column" and tags.input_tags.string:
            continue
        for fitted in (False, True):
            try:
                fail_to_fit(subject.make(), bad, fitted=fitted)
            except AssertionError as error:
                again = " of a fitted estimator" if fitted else ""
                raise AssertionError(f"{name}{again}: {error}") from error


BAD_WEIGHTS = {
    "zero": np.zeros(30),
    "negative": -np.ones(30),
    "missing": np.full(30, np.nan),
    "short": np.ones(29),
}


def expect_error(call: Callable[[], Any], what: str) -> Exception:
    """The error of a call that has to fail."""
    try:
        call()
    except (ValueError, TypeError) as error:
        return error
    raise AssertionError(f"no error for {what}")


def check_bad_weights(subject: Subject) -> dict[str, Exception]:
    """Weights that are all 0, negative, missing or too few are an error."""
    X, y = make_blocks(n=30)

    def fit_with(weight: np.ndarray) -> Any:
        return subject.make().fit(X, y, sample_weight=weight)

    return {
        name: expect_error(partial(fit_with, weight), f"{name} weights")
        for name, weight in BAD_WEIGHTS.items()
    }


def check_other_blocks_at_prediction(subject: Subject) -> dict[str, Exception]:
    """Other modalities or shapes than in ``fit`` are an error; more of them are not."""
    X, _, estimator = subject.on_blocks
    wider = MultimodalData({"m0": X["m0"], "m1": np.zeros((60, 9))})
    other = np.zeros((60, 2))
    more = MultimodalData(
        {**X.blocks, "other": other}, np.c_[X.present, np.ones(60, bool)]
    )
    assert_array_equal(estimator.predict(more), estimator.predict(X))
    alone = MultimodalData({"other": other})
    return {
        "shape": expect_error(lambda: estimator.predict(wider), "a wider block"),
        "names": expect_error(lambda: estimator.predict(alone), "another modality"),
    }


def check_forms_of_X(subject: Subject) -> None:
    """A container, a frame and an array give the same fit to the last bit."""
    if not subject.accepts("modalities"):
        raise SkipTest("the estimator has no parameter modalities")
    X, y = make_blocks(n=60, shaped=True, n_modalities=3)
    frame = X.to_frame()
    slices, start = {}, 0
    for name, shape in X.block_shapes.items():
        size = prod(shape)
        slices[name] = Modality(slice(start, start + size), shape=shape)
        start += size
    mixed = frame.astype({c: "float32" for c in frame.columns if c.startswith("m2")})
    container = MultimodalData(
        {
            k: np.asarray(v, np.float32 if k == "m2" else None)
            for k, v in X.blocks.items()
        },
        X.present,
    )
    array = mixed.to_numpy(dtype=np.float64)
    forms = [container, mixed, array, np.asfortranarray(array)]
    fitted = [subject.make_brief().fit(container, y)]
    fitted += [subject.make_brief(modalities=slices).fit(f, y) for f in forms[1:]]
    expected = proba(fitted[0], container)
    for estimator, form in zip(fitted, forms):
        assert_array_equal(proba(estimator, form), expected)
    # Fit on one form, predict on another.
    for i, form in ((0, mixed), (0, array), (1, container), (2, container)):
        assert_array_equal(proba(fitted[i], form), expected)


def check_labels_and_covariates(subject: Subject) -> None:
    """Labels may be text, and columns that are in no modality change nothing."""
    X, y = make_blocks(n=60)
    labels = np.array(["zero", "one", "two"])[y]
    if not subject.accepts("modalities"):
        estimator = subject.make_brief().fit(X, labels)
        assert set(estimator.predict(X)) <= {"zero", "one", "two"}
        return
    frame = X.to_frame().assign(hospital="north", when=pd.Timestamp("2020-01-01"))
    mapping = {m: [c for c in frame if str(c).startswith(f"{m}__")] for m in X.names}
    estimator = subject.make_brief(modalities=mapping).fit(frame, labels)
    assert set(estimator.predict(frame)) <= {"zero", "one", "two"}
    other = frame.assign(hospital="south")
    assert_array_equal(proba(estimator, frame), proba(estimator, other))
    assert list(estimator.feature_names_in_) == list(frame.columns)
