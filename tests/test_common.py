"""scikit-learn's checks and the laws of the package, on every estimator."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import (
    check_fit_idempotent,
    check_sample_weight_equivalence_on_dense_data,
    parametrize_with_checks,
)

from skmissing import IPWMultimodalClassifier
from skmissing.nn import ConvEncoder
from skmissing.testing._patterns_and_errors import BAD_FITS, BadFit, fail_to_fit
from skmissing.testing._runner import CHECKS
from skmissing.testing._subject import Subject, proba

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


@pytest.mark.parametrize("name", list(INIT_PARAMS))
def test_parameters_of_a_template_that_is_none(name):
    """A search that sets them says where to put an estimator."""
    kind = INIT_PARAMS[name].kind
    for key in {"estimator", "recovery", "propensity"} & set(kind._get_param_names()):
        model = kind().set_params(**{key: None})
        with pytest.raises(ValueError, match=rf"Got '{key}__C' .* with {key}=None"):
            model.set_params(**{f"{key}__C": 1.0})
        inner = LogisticRegression()
        assert model.set_params(**{key: inner, f"{key}__C": 3.0}) is model
        assert inner.C == 3.0


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


def expect_rounding(estimator):
    return {**STOCHASTIC, **ROUNDED}


@pytest.mark.filterwarnings("ignore::skmissing.exceptions.NamelessModalityWarning")
@parametrize_with_checks(
    [CLASSIFIERS["FusionClassifier"].make()], expected_failed_checks=expect_rounding
)
def test_sklearn_checks_with_mini_batches(estimator, check):
    check(estimator)


# All that they share of mini-batches is that of FusionClassifier.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::skmissing.exceptions.NamelessModalityWarning")
@parametrize_with_checks(
    [
        s.make()
        for k, s in CLASSIFIERS.items()
        if s.has_net and k not in ("FusionClassifier", *SHARED)
    ],
    expected_failed_checks=expect_rounding,
    xfail_strict=False,
)
def test_sklearn_checks_of_other_nets_with_mini_batches(estimator, check):
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


# Other variants share most of what the laws are about with these, or with defaults.
QUICK_VARIANTS = {
    "FusionClassifier, i2m2",
    "PatternClassifier, exact",
    "IPWMultimodalClassifier, net",
}


def mark(name):
    slow = name in VARIANTS and name not in QUICK_VARIANTS
    return pytest.param(name, marks=[pytest.mark.slow] if slow else [])


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
def subject(settings):
    """What the laws look at; some of its fits serve several of them."""
    deterministic = settings.make_deterministic()
    for name in ("encoders", "estimator__encoders"):
        # Dropout of the image's default encoder is noise, too.
        if name in deterministic.get_params():
            deterministic.set_params(**{name: [("m0", ConvEncoder(dropout=0.0))]})
    double = not settings.has_net or settings.make().dtype == "float64"
    return Subject(
        settings.make(),
        brief=settings.make_brief(),
        deterministic=deterministic,
        tolerance=1e-10 if double else 1e-6,
    )


# Those that some estimators are allowed to break, and those with messages, stand below.
@pytest.mark.parametrize(
    "code", [code for code in CHECKS if code[:4] not in ("MM50", "MM80")]
)
def test_law(subject, code):
    CHECKS[code].run(subject)


@pytest.mark.parametrize("code", ["MM501", "MM502", "MM503", "MM504", "MM505"])
def test_law_on_patterns(settings, subject, code):
    if code == "MM504" and getattr(subject.estimator, "combination", "") == "product":
        # Its product starts from the prior, so predictions move with it.
        with pytest.raises(AssertionError, match="not equal"):
            CHECKS[code].run(subject)
    elif code == "MM505" and settings.kind is IPWMultimodalClassifier:
        # Weights cannot make up for rows that do not exist.
        with pytest.raises(ValueError, match="Got no row with all of the modalities"):
            CHECKS[code].run(subject)
    else:
        CHECKS[code].run(subject)


@pytest.mark.slow
@pytest.mark.parametrize("code", ["MM201", "MM202", "MM203"])
def test_law_on_rows_in_the_other_precision(net_settings, code):
    dtype = "float32" if net_settings.make().dtype == "float64" else "float64"
    tolerance = {"float32": 1e-6, "float64": 1e-10}[dtype]
    brief = net_settings.make_brief(dtype=dtype)
    CHECKS[code].run(Subject(brief, tolerance=tolerance))


@pytest.mark.parametrize("code", ["MM402", "MM403"])
def test_law_on_absent_rows_with_early_stopping(net_settings, code):
    CHECKS[code].run(Subject(net_settings.make_brief(early_stopping=True)))


def test_random_state_none_leaves_the_global_generator(net_settings):
    settings = net_settings
    X, y = make_blocks(n=30)
    before = np.random.get_state()[1].copy()
    settings.make(random_state=None, max_epochs=1).fit(X, y)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


# -- what the laws leave open: messages ------------------------------------------------


MESSAGES = {
    "overlap": "Got column 'b' in the modalities 'u' and 'v'",
    "unknown column": "Got unknown columns .*'nope'.* for the modality 'u'",
    "named twice": "Got the modality 'u' twice",
    "text column": "Got the non-numeric column 'b' .* in the modality 'u'"
    ".*ModalityTransformer",
    "infinite": "Got an infinite value in row 0 of block 'x'",
    "short y": "Got y of length 29, expected 30",
    "one class": "Got one class only in y",
    "continuous y": "Unknown label type",
    # A classifier that takes missing labels has one class left.
    "missing label": "Got y with 15 missing labels|Got one class only in y",
    "all empty": "Got (only rows without any modality|no pattern of modalities|no row "
    "with all)",
    "empty columns": "Got (only rows without any modality|no pattern of modalities|no "
    "row with all)",
    "other frame": "Got X of type .*_Polars, expected a 2-D array, a pandas DataFrame",
}


class _Polars:
    """A data frame of another library."""

    columns = ("a",)
    shape = (30, 1)

    def __dataframe__(self):
        raise AssertionError("not to be used")


CASES = {**BAD_FITS, "other frame": BadFit(lambda X, y: (_Polars(), y), {})}


@pytest.mark.filterwarnings("ignore::skmissing.exceptions.NamelessModalityWarning")
@pytest.mark.filterwarnings("ignore::skmissing.exceptions.UnobservedModalityWarning")
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("fitted", [False, True])
def test_bad_fits_raise_and_leave_nothing(settings, case, fitted):
    estimator = settings.make(**({"max_epochs": 1} if settings.has_net else {}))
    if case == "text column" and get_tags(estimator).input_tags.string:
        pytest.skip("text is as good as numbers")
    error = fail_to_fit(estimator, CASES[case], fitted=fitted)
    assert re.search(MESSAGES[case], str(error)), str(error)


def test_bad_weights_raise(subject):
    errors = CHECKS["MM802"].run(subject)
    expected = {
        "zero": "non-zero",
        "negative": "Negative values",
        "missing": "NaN",
        "short": "sample_weight.shape",
    }
    assert errors.keys() == expected.keys()
    for name, error in errors.items():
        assert expected[name] in str(error), str(error)


def test_other_modalities_or_shapes_at_predict_raise(subject):
    errors = CHECKS["MM803"].run(subject)
    message = r"Got shape \(9,\) .* 'm1', expected \(4,\)"
    assert re.search(message, str(errors["shape"]))
    assert "expected some of ['m0', 'm1']" in str(errors["names"])
    with pytest.raises(ValueError, match="features"):
        subject.on_blocks.estimator.predict(np.zeros((3, 5)))


def test_the_prior_is_an_attribute(subject):
    X, y, estimator = subject.on_blocks
    nothing = X[:1].hide(np.ones((1, 2), dtype=bool))
    np.testing.assert_allclose(estimator.class_prior_, np.bincount(y) / len(y))
    np.testing.assert_allclose(proba(estimator, nothing)[0], estimator.class_prior_)
