"""scikit-learn's checks and the laws of the package, on every estimator."""

from __future__ import annotations

import io
import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import (
    check_fit_idempotent,
    check_sample_weight_equivalence_on_dense_data,
    parametrize_with_checks,
)

from skmissing import IPWMultimodalClassifier, Modality, MultimodalData
from skmissing.exceptions import EmptyRowWarning, UnobservedModalityWarning
from skmissing.nn import ConvEncoder

from ._instances import CLASSIFIERS, FUSIONS, INIT_PARAMS, VARIANTS, public_estimators
from .conftest import make_blocks

# The blocks made for these tests have no covariate that could explain their gaps.
pytestmark = pytest.mark.filterwarnings(
    "ignore::skmissing.exceptions.NoCovariateWarning"
)

STOCHASTIC = {
    "check_sample_weight_equivalence_on_dense_data": "shuffled mini-batches draw rows, "
    "so a repeated row is not a weight of 2; the deterministic settings pass"
}


def test_every_public_estimator_is_in_the_table():
    assert set(public_estimators()) == set(INIT_PARAMS)


@pytest.mark.filterwarnings("ignore::skmissing.exceptions.NamelessModalityWarning")
@parametrize_with_checks([s.make_deterministic() for s in INIT_PARAMS.values()])
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore::skmissing.exceptions.NamelessModalityWarning")
def test_sklearn_checks_of_a_tuned_decomposition():
    pid = INIT_PARAMS["PIDEstimator"].make()
    check_fit_idempotent("PIDEstimator", pid)
    check_sample_weight_equivalence_on_dense_data("PIDEstimator", pid)


# These two share all that mini-batches touch with UMEMMAEnsemble.
SHARED = ("MultitaskFusionClassifier", "MissingDetectionClassifier")


# In float64 they are equal, and in float32 to 1e-6, by the law on rows.
ROUNDED = {"check_methods_subset_invariance": "float32 features are not equal to 1e-7"}


@pytest.mark.filterwarnings("ignore::skmissing.exceptions.NamelessModalityWarning")
@parametrize_with_checks(
    [s.make() for k, s in CLASSIFIERS.items() if s.has_net and k not in SHARED],
    expected_failed_checks=lambda estimator: {**STOCHASTIC, **ROUNDED},
    xfail_strict=False,
)
def test_sklearn_checks_with_mini_batches(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::skmissing.exceptions.NamelessModalityWarning")
@parametrize_with_checks(
    # An epoch is one step; a transformer takes more of them to learn.
    [
        VARIANTS[f"FusionClassifier, {name}"]
        .make_deterministic()
        .set_params(max_epochs=60, lr=5e-3)
        for name in FUSIONS
    ]
)
def test_sklearn_checks_of_fusions(estimator, check):
    check(estimator)


def mark(name):
    """Fusions other than these few share most of what the laws are about."""
    few = any(name.endswith(kind) for kind in ("attention", "i2m2", "latent"))
    fusion = name in {f"FusionClassifier, {kind}" for kind in FUSIONS}
    return pytest.param(name, marks=[pytest.mark.slow] if fusion and not few else [])


@pytest.fixture(params=[mark(k) for k in (*CLASSIFIERS, *VARIANTS)], scope="module")
def settings(request):
    return {**CLASSIFIERS, **VARIANTS}[request.param]


@pytest.fixture(
    params=[mark(k) for k, s in {**CLASSIFIERS, **VARIANTS}.items() if s.has_net],
    scope="module",
)
def net_settings(request):
    return {**CLASSIFIERS, **VARIANTS}[request.param]


@pytest.fixture(scope="module")
def brief(settings):
    """A brief fit on plain blocks, for tests that only predict: data, labels, fit."""
    X, y = make_blocks()
    return X, y, settings.make_brief().fit(X, y)


@pytest.fixture(scope="module")
def brief_shaped(settings):
    """The same on an image, a series and a vector."""
    X, y = make_blocks(n=90, shaped=True, n_modalities=3)
    return X, y, settings.make_brief().fit(X, y)


def proba(estimator, X):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EmptyRowWarning)
        return estimator.predict_proba(X)


# -- law 1: what stands in a missing block never matters ------------------------------


def test_content_of_missing_blocks_never_matters(settings, brief_shaped):
    X, y, plain = brief_shaped
    rng = np.random.default_rng(1)

    def refill(X, *garbage):
        """One kind after the other, from row to row."""
        blocks = {}
        for m, (name, block) in enumerate(X.blocks.items()):
            block = block.copy()
            for i, row in enumerate(np.flatnonzero(~X.present[:, m])):
                kind = garbage[i % len(garbage)]
                noise = rng.normal(size=block[row].shape)
                block[row] = noise if kind == "noise" else kind
            blocks[name] = block
        return MultimodalData(blocks, present=X.present)

    expected = proba(plain, X)
    kinds = (0.0, 1e30, np.inf, np.nan, "noise")
    for garbage in kinds:
        np.testing.assert_array_equal(proba(plain, refill(X, garbage)), expected)
    # Fitted once with finite ones, too: NaN may be treated as nothing on its way.
    for garbage in (kinds, (1e30, "noise")):
        again = settings.make_brief().fit(refill(X, *garbage), y)
        np.testing.assert_array_equal(proba(again, X), expected)


def test_content_of_missing_integer_blocks_never_matters(settings):
    X, y = make_blocks()
    rng = np.random.default_rng(1)
    clean = rng.integers(5, size=(len(y), 4))
    dirty = clean.copy()
    gone = ~X.present[:, 1]
    dirty[gone] = 10**6
    first, second = (
        MultimodalData({"m0": X["m0"], "m1": block}, present=X.present)
        for block in (clean, dirty)
    )
    a, b = settings.make_brief().fit(first, y), settings.make_brief().fit(second, y)
    np.testing.assert_array_equal(proba(a, first), proba(b, second))


# -- law 2: a row's prediction depends on that row alone ------------------------------


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-10)]
)
def test_rows_are_predicted_on_their_own(settings, brief_shaped, dtype, tolerance):
    X, y, estimator = brief_shaped
    if settings.has_net and estimator.dtype != dtype:
        estimator = settings.make_brief(dtype=dtype).fit(X, y)
    whole = proba(estimator, X)
    order = np.random.default_rng(0).permutation(len(y))
    single = np.concatenate([proba(estimator, X[i]) for i in range(12)])
    np.testing.assert_allclose(single, whole[:12], rtol=0, atol=tolerance)
    np.testing.assert_allclose(
        proba(estimator, X[order]), whole[order], rtol=0, atol=tolerance
    )
    many = MultimodalData.concat([X] * 6)
    np.testing.assert_allclose(
        proba(estimator, many)[: len(y)], whole, rtol=0, atol=tolerance
    )
    np.testing.assert_allclose(whole.sum(axis=1), 1.0, atol=1e-12)
    assert whole.dtype == np.float64
    if settings.has_net:
        features = estimator.transform(X)
        assert features.dtype == np.float64
        allowed = tolerance * max(1.0, np.abs(features).max())
        parts = [estimator.transform(X[i]) for i in range(12)]
        np.testing.assert_allclose(
            np.concatenate(parts), features[:12], rtol=0, atol=allowed
        )


# -- law 3: random_state decides, and nothing else does -------------------------------


def test_global_generators_neither_matter_nor_move(settings, brief):
    X, y, first = brief
    np.random.seed(1)
    torch.manual_seed(1)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    threads = torch.get_num_threads()
    estimator = settings.make_brief().fit(X, y)
    np.testing.assert_array_equal(proba(estimator, X), proba(first, X))
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])
    assert torch.equal(torch.get_rng_state(), before[1])
    assert torch.get_num_threads() == threads
    assert torch.get_default_dtype() == torch.float32


def test_random_state_none_leaves_the_global_generator(net_settings):
    settings = net_settings
    X, y = make_blocks(n=30)
    before = np.random.get_state()[1].copy()
    settings.make(random_state=None, max_epochs=1).fit(X, y)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def _fit_and_predict(estimator, X, y):
    return proba(clone(estimator).fit(X, y), X)


def test_same_result_for_any_number_of_jobs(brief):
    X, y, estimator = brief
    alone = proba(estimator, X)
    jobs = joblib.Parallel(n_jobs=2)(
        joblib.delayed(_fit_and_predict)(estimator, X, y) for _ in range(2)
    )
    threads = joblib.Parallel(n_jobs=2, backend="threading")(
        joblib.delayed(_fit_and_predict)(estimator, X, y) for _ in range(2)
    )
    for other in jobs + threads:
        np.testing.assert_array_equal(other, alone)


# -- law 4: weights -------------------------------------------------------------------


def test_only_ratios_of_weights_matter(settings):
    X, y = make_blocks(n=80)
    w = np.random.default_rng(0).uniform(0.2, 3.0, size=len(y))
    a = proba(settings.make().fit(X, y, sample_weight=w), X)
    b = proba(settings.make().fit(X, y, sample_weight=7.3 * w), X)
    c = proba(settings.make().fit(X, y), X)
    np.testing.assert_allclose(a, b, atol=1e-5)
    assert np.abs(a - c).max() > 1e-3


@pytest.mark.parametrize("stopping", [False, True])
def test_weight_zero_is_an_absent_row(settings, stopping):
    X, y = make_blocks(n=80)
    extra, _ = make_blocks(n=20, seed=5)
    both = MultimodalData.concat([X, extra])
    # The absent rows bring a class and a scale of their own.
    both.blocks["m0"][80:] *= 100
    y_both = np.concatenate([y, np.full(20, 9)])
    w = np.random.default_rng(0).uniform(0.5, 2.0, size=80)
    w_both = np.concatenate([w, np.zeros(20)])
    # Absent rows stand anywhere between the others, whose order stays the same.
    slots = np.sort(np.random.default_rng(1).permutation(100)[:80])
    order = np.full(100, -1)
    order[slots] = np.arange(80)
    order[order < 0] = np.arange(80, 100)
    params = {"early_stopping": stopping} if settings.has_net else {}
    groups = np.arange(80) // 2
    a = settings.make_brief(**params).fit(X, y, sample_weight=w)
    b = settings.make_brief(**params).fit(
        both[order], y_both[order], sample_weight=w_both[order]
    )
    np.testing.assert_array_equal(a.classes_, b.classes_)
    np.testing.assert_array_equal(a.class_prior_, b.class_prior_)
    np.testing.assert_array_equal(proba(a, X), proba(b, X))
    if settings.has_net and stopping:
        a = settings.make_brief(**params).fit(X, y, sample_weight=w, groups=groups)
        more = np.concatenate([groups, np.full(20, 999)])
        b = settings.make_brief(**params).fit(
            both, y_both, sample_weight=w_both, groups=more
        )
        np.testing.assert_array_equal(proba(a, X), proba(b, X))


def test_integer_weights_are_repeated_rows(settings):
    X, y = make_blocks(n=60, shaped=True, n_modalities=3)
    w = np.random.default_rng(0).integers(0, 4, size=len(y))
    again = np.repeat(np.arange(len(y)), w)
    params = {}
    if settings.has_net:
        params["encoders"] = [("m0", ConvEncoder(dropout=0.0))]
    elif "estimator__encoders" in settings.make_deterministic().get_params():
        params["estimator__encoders"] = [("m0", ConvEncoder(dropout=0.0))]
    quiet = clone(settings.make_deterministic()).set_params(**params)
    a = clone(quiet).fit(X, y, sample_weight=w.astype(float))
    b = clone(quiet).fit(X[again], y[again])
    np.testing.assert_allclose(proba(a, X), proba(b, X), rtol=0, atol=1e-7)
    np.testing.assert_allclose(a.class_prior_, b.class_prior_)


def test_balanced_class_weight_counts_weights(settings):
    X, y = make_blocks(n=60)
    w = np.where(y == 0, 3.0, 1.0)
    again = np.repeat(np.arange(len(y)), w.astype(int))
    own = "class_weight" in settings.make().get_params()
    name = "class_weight" if own else "estimator__class_weight"
    balanced = clone(settings.make_deterministic())
    balanced.set_params(**{name: "balanced"})
    a = clone(balanced).fit(X, y, sample_weight=w)
    b = clone(balanced).fit(X[again], y[again])
    np.testing.assert_allclose(proba(a, X), proba(b, X), rtol=0, atol=1e-7)
    if own:
        np.testing.assert_allclose(a.class_prior_, 1 / 3)


# -- law 5: any pattern ---------------------------------------------------------------


def test_any_pattern_predicts_and_empty_rows_get_the_prior(settings):
    X, y = make_blocks(n=80, n_modalities=3, missing=0.0)
    # Only the pattern {m0, m1, m2} and {m0} are seen in training.
    X = X.hide({"m1": np.arange(80) % 2 == 0, "m2": np.arange(80) % 2 == 0})
    w = np.where(y == 0, 4.0, 1.0)
    estimator = settings.make().fit(X, y, sample_weight=w)
    prior = np.bincount(y, w) / w.sum()
    test, _ = make_blocks(n=8, n_modalities=3, missing=0.0, seed=3)
    patterns = np.array([[i >> m & 1 for m in range(3)] for i in range(8)], dtype=bool)
    with pytest.warns(EmptyRowWarning, match="1 of 8 rows") as caught:
        out = estimator.predict_proba(test.hide(~patterns))
    assert len(caught) == 1
    assert np.isfinite(out).all()
    np.testing.assert_allclose(out.sum(axis=1), 1.0)
    np.testing.assert_allclose(out[0], prior)
    with pytest.warns(EmptyRowWarning):
        np.testing.assert_allclose(
            estimator.predict_proba(test.hide(np.ones((8, 3), dtype=bool))),
            np.tile(prior, (8, 1)),
        )


def test_empty_rows_change_only_the_prior(settings):
    X, y = make_blocks(n=60)
    empty = X[:10].hide(np.ones((10, 2), dtype=bool))
    both = MultimodalData.concat([X, empty])
    a = settings.make().fit(X, y)
    b = settings.make().fit(both, np.concatenate([y, np.zeros(10, dtype=int)]))
    assert b.class_prior_[0] > a.class_prior_[0]
    if settings.kind.__name__ == "UnimodalEnsemble":
        return  # its product starts from the prior, so predictions move with it
    np.testing.assert_array_equal(proba(a, X), proba(b, X))


def test_a_modality_missing_in_all_training_rows_warns_and_is_ignored(settings):
    X, y = make_blocks(n_modalities=3)
    if settings.kind is IPWMultimodalClassifier:
        # Weights cannot make up for rows that do not exist.
        with pytest.raises(ValueError, match="Got no row with all of the modalities"):
            settings.make().fit(X.hide("m2"), y)
        return
    with pytest.warns(UnobservedModalityWarning, match="'m2'") as caught:
        estimator = settings.make().fit(X.hide("m2"), y)
    assert len(caught) == 1
    np.testing.assert_array_equal(proba(estimator, X), proba(estimator, X.hide("m2")))


# -- law 6: any number of modalities --------------------------------------------------


@pytest.mark.parametrize("n_modalities", range(1, 7))
def test_any_number_of_modalities(settings, n_modalities):
    X, y = make_blocks(n=90, n_modalities=n_modalities)
    estimator = settings.make().fit(X, y)
    assert estimator.score(X, y) > 0.6
    assert list(estimator.modality_names_in_) == X.names


# -- law 7: persistence and cloning ---------------------------------------------------


def test_pickle_joblib_and_clone(brief_shaped):
    X, y, estimator = brief_shaped
    expected = proba(estimator, X)
    buffer = io.BytesIO()
    joblib.dump(estimator, buffer)
    buffer.seek(0)
    for other in (pickle.loads(pickle.dumps(estimator)), joblib.load(buffer)):
        np.testing.assert_array_equal(proba(other, X), expected)
    again = clone(estimator).fit(X, y)
    np.testing.assert_array_equal(proba(again, X), expected)
    np.testing.assert_array_equal(proba(again.fit(X, y), X), expected)


# -- law 8: bad input -----------------------------------------------------------------


def _frame(n=30):
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd")), np.arange(n) % 2


BAD_FITS = {
    "overlap": (
        {"modalities": {"u": ["a", "b"], "v": ["b", "c"]}},
        lambda X, y: (X, y),
        "Got column 'b' in the modalities 'u' and 'v'",
    ),
    "unknown column": (
        {"modalities": {"u": ["a", "nope"]}},
        lambda X, y: (X, y),
        "Got unknown columns .*'nope'.* for the modality 'u'",
    ),
    "named twice": (
        {"modalities": [("u", ["a"]), ("u", ["b"])]},
        lambda X, y: (X, y),
        "Got the modality 'u' twice",
    ),
    "text column": (
        {"modalities": {"u": ["a", "b"]}},
        lambda X, y: (X.assign(b="text"), y),
        "Got the non-numeric column 'b' .* in the modality 'u'.*ModalityTransformer",
    ),
    "infinite": (
        {},
        lambda X, y: (X.assign(b=np.inf), y),
        "Got an infinite value in row 0 of block 'x'",
    ),
    "short y": ({}, lambda X, y: (X, y[:-1]), "Got y of length 29, expected 30"),
    "one class": ({}, lambda X, y: (X, y * 0), "Got one class only in y"),
    "continuous y": (
        {},
        lambda X, y: (X, y + 0.5 * np.arange(30)),
        "Unknown label type",
    ),
    "missing label": (
        {},
        lambda X, y: (X, np.where(y == 1, np.nan, 0.0)),
        # A classifier that takes missing labels has one class left.
        "Got y with 15 missing labels|Got one class only in y",
    ),
    "all empty": (
        {},
        lambda X, y: (X * np.nan, y),
        "Got (only rows without any modality|no pattern of modalities|no row with all)",
    ),
    "other frame": (
        {},
        lambda X, y: (_Polars(), y),
        "Got X of type .*_Polars, expected a 2-D array, a pandas DataFrame",
    ),
}


class _Polars:
    """A data frame of another library."""

    columns = ("a",)
    shape = (30, 1)

    def __dataframe__(self):
        raise AssertionError("not to be used")


@pytest.mark.filterwarnings("ignore::skmissing.exceptions.NamelessModalityWarning")
@pytest.mark.filterwarnings("ignore::skmissing.exceptions.UnobservedModalityWarning")
@pytest.mark.parametrize("case", BAD_FITS)
@pytest.mark.parametrize("fitted", [False, True])
def test_bad_fits_raise_and_leave_nothing(settings, case, fitted):
    params, change, message = BAD_FITS[case]
    X, y = _frame()
    estimator = settings.make(**({"max_epochs": 1} if settings.has_net else {}))
    if case == "text column" and get_tags(estimator).input_tags.string:
        pytest.skip("text is as good as numbers")
    if fitted:
        estimator.fit(X, y)
    estimator.set_params(**params)
    before = dict(vars(estimator))
    with pytest.raises((ValueError, TypeError), match=message):
        estimator.fit(*change(X, y))
    assert vars(estimator).keys() == before.keys()
    assert all(vars(estimator)[k] is v for k, v in before.items())


def test_bad_weights_raise(settings):
    X, y = make_blocks(n=30)
    for w, message in [
        (np.zeros(30), "non-zero"),
        (-np.ones(30), "Negative values"),
        (np.full(30, np.nan), "NaN"),
        (np.ones(29), "sample_weight.shape"),
    ]:
        with pytest.raises(ValueError, match=message):
            settings.make().fit(X, y, sample_weight=w)


def test_other_modalities_or_shapes_at_predict_raise(brief):
    X, _, estimator = brief
    wider = MultimodalData({"m0": X["m0"], "m1": np.zeros((60, 9))})
    with pytest.raises(ValueError, match=r"Got shape \(9,\) .* 'm1', expected \(4,\)"):
        estimator.predict(wider)
    other = np.zeros((60, 2))
    with pytest.raises(ValueError, match=r"expected some of \['m0', 'm1'\]"):
        estimator.predict(MultimodalData({"other": other}))
    # What is not used may be there.
    more = MultimodalData(
        {**X.blocks, "other": other}, np.c_[X.present, np.ones(60, bool)]
    )
    np.testing.assert_array_equal(estimator.predict(more), estimator.predict(X))
    with pytest.raises(ValueError, match="features"):
        estimator.predict(np.zeros((3, 5)))


# -- the three forms of X -------------------------------------------------------------


def test_three_forms_give_the_same_fit_bit_for_bit(settings):
    X, y = make_blocks(n=60, shaped=True, n_modalities=3)
    frame = X.to_frame()
    slices, start = {}, 0
    for name, shape in X.block_shapes.items():
        size = int(np.prod(shape))
        slices[name] = Modality(slice(start, start + size), shape=shape)
        start += size
    mixed = frame.astype({c: "float32" for c in frame.columns if c.startswith("m2")})
    container = MultimodalData(
        {k: v.astype(np.float32) if k == "m2" else v for k, v in X.blocks.items()},
        X.present,
    )
    array = mixed.to_numpy(dtype=np.float64)
    fitted = [
        settings.make_brief().fit(container, y),
        settings.make_brief(modalities=slices).fit(mixed, y),
        settings.make_brief(modalities=slices).fit(array, y),
        settings.make_brief(modalities=slices).fit(np.asfortranarray(array), y),
    ]
    expected = proba(fitted[0], container)
    for estimator, form in zip(fitted, [container, mixed, array, array]):
        np.testing.assert_array_equal(proba(estimator, form), expected)
    # Fit on one form, predict on another.
    np.testing.assert_array_equal(proba(fitted[0], mixed), expected)
    np.testing.assert_array_equal(proba(fitted[0], array), expected)
    np.testing.assert_array_equal(proba(fitted[1], container), expected)
    np.testing.assert_array_equal(proba(fitted[2], container), expected)


def test_labels_of_any_type_and_covariates(settings):
    X, y = make_blocks(n=60)
    frame = X.to_frame().assign(hospital="north", when=pd.Timestamp("2020-01-01"))
    mapping = {m: [c for c in frame if c.startswith(f"{m}__")] for m in X.names}
    labels = np.array(["zero", "one", "two"])[y]
    estimator = settings.make_brief(modalities=mapping).fit(frame, labels)
    assert set(estimator.predict(frame)) <= {"zero", "one", "two"}
    other = frame.assign(hospital="south")
    np.testing.assert_array_equal(proba(estimator, frame), proba(estimator, other))
    assert list(estimator.feature_names_in_) == list(frame.columns)
