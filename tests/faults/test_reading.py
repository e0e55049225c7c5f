"""How groups, labels, weights, dates and units are read, and what propensities see.

The names begin with what the fault was about; most tests also try a sibling, another
place where the same fault could be.
"""

from __future__ import annotations

import datetime as dt
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import DataConversionWarning
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, log_loss, make_scorer
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import check_fit_idempotent, parametrize_with_checks

from skmissing import (
    IPWMultimodalClassifier,
    MultimodalData,
    PIDEstimator,
    PropensityWeighter,
)
from skmissing._estimation._folds import assign_folds
from skmissing.baselines import FusionClassifier, PatternClassifier, UnimodalEnsemble
from skmissing.datasets import make_bitwise
from skmissing.exceptions import IdentifierWarning, ManyClassesWarning, OverlapWarning
from skmissing.ipw import (
    ObservedStratifiedKFold,
    make_ipw_scorer,
    modality_utility,
    sensitivity_bounds,
)
from skmissing.metrics import complementary_information, score_by_pattern
from skmissing.missingness import simulate_missing
from skmissing.modalities._instants import days_of
from skmissing.recovery import RegressionRecovery

from ..conftest import make_blocks

pytestmark = [
    pytest.mark.filterwarnings("ignore::skmissing.exceptions.NoCovariateWarning"),
    pytest.mark.filterwarnings("ignore::skmissing.exceptions.OverlapWarning"),
    pytest.mark.filterwarnings("ignore::skmissing.exceptions.EmptyRowWarning"),
]

N = 120
LINEAR = LogisticRegression()
BRIEF = {"max_epochs": 1, "n_threads": 1, "random_state": 0}


def make_table(**columns) -> pd.DataFrame:
    """A covariate ``c`` that decides who has the block ``lab``, and other columns."""
    rng = np.random.default_rng(0)
    c = rng.normal(size=N)
    lab = np.where(rng.random(N) < 1 / (1 + np.exp(2 * c)), np.nan, rng.normal(size=N))
    return pd.DataFrame({"c": c, **columns, "lab__0": lab})


def fit_weighter(X, groups=None, **params) -> PropensityWeighter:
    weighter = PropensityWeighter(
        modalities={"lab": ["lab__0"]}, random_state=0, **params
    )
    return weighter.fit(X, groups=groups)


# -- groups


def bounds(X, y, groups):
    return sensitivity_bounds(
        np.arange(N) % 2, np.full(N, 0.5), odds_ratios=[1], groups=groups,
        n_bootstraps=20, random_state=0,
    )  # fmt: skip


def split(X, y, groups):
    folds = ObservedStratifiedKFold(3, random_state=0).split(X, y, groups)
    return np.concatenate([test for _, test in folds])


def complement(X, y, groups):
    clf = PatternClassifier().fit(X, y)
    return complementary_information(
        clf, clf, X, y, hide="m0", groups=groups, n_bootstraps=20, random_state=0
    ).std_error


def utility(X, y, groups):
    return modality_utility(
        LINEAR, X, y, groups=groups, subsets=["m0"], cv=3, scoring="accuracy",
        n_bootstraps=0, random_state=0,
    ).doubly_robust_value  # fmt: skip


def fit_and_predict(estimator):
    def run(X, y, groups):
        estimator.fit(X, y, groups=groups)
        return estimator.predict_proba(X)

    return run


def decompose(X, y, groups):
    pid = PIDEstimator(estimator=LINEAR, cv=3, random_state=0)
    return pid.fit(X, y, groups=groups).to_frame()


def weights(X, y, groups):
    return PropensityWeighter(random_state=0).fit(X, y, groups=groups).propensity_


def recover(X, y, groups):
    return RegressionRecovery().fit(X, groups=groups).transform(X).to_frame()


TAKERS = {
    "sensitivity_bounds": bounds,
    "ObservedStratifiedKFold": split,
    "complementary_information": complement,
    "modality_utility": utility,
    "PropensityWeighter": weights,
    "IPWMultimodalClassifier": fit_and_predict(IPWMultimodalClassifier(LINEAR)),
    "PIDEstimator": decompose,
    "FusionClassifier": fit_and_predict(FusionClassifier(**BRIEF)),
    "PatternClassifier": fit_and_predict(PatternClassifier()),
    "RegressionRecovery": recover,
}


@pytest.fixture(params=TAKERS)
def taker(request):
    X, y = make_blocks(n=N, missing=0.2)
    run = TAKERS[request.param]
    return lambda groups: run(X, y, groups)


def test_groups_come_as_any_vector(taker):
    ids = pd.Series(np.arange(N) // 4, name="patient")
    expected = np.asarray(taker(ids.to_numpy()))
    forms = [ids.to_frame(), ids.tolist(), ids.astype("Int64")]
    for groups in forms:
        np.testing.assert_array_equal(np.asarray(taker(groups)), expected)


def test_groups_of_another_shape_are_refused(taker):
    ids = np.arange(N) // 4
    for groups, message in (
        ([0], f"groups of length 1, expected {N}"),
        (0, r"groups of shape \(\)"),
        (pd.DataFrame({"a": ids, "b": ids}), rf"groups of shape \({N}, 2\)"),
    ):
        with pytest.raises(ValueError, match=message):
            taker(groups)


def test_groups_that_are_missing_are_counted(taker):
    ids = pd.Series(np.arange(N) // 4)
    for groups in (ids.where(ids > 4), ids.astype(str).where(ids > 4)):
        with pytest.raises(ValueError, match="Got groups with 20 missing ids"):
            taker(groups)


def test_groups_of_mixed_types_are_refused(taker):
    with pytest.raises(ValueError, match=r"text and other values in groups.*'x' and 0"):
        taker(["x", 0] * (N // 2))
    with pytest.raises(ValueError, match="values of type dict in groups"):
        taker([{}] * N)


# -- labels and weights


@pytest.mark.parametrize(
    "fit",
    [
        IPWMultimodalClassifier(LINEAR).fit,
        PIDEstimator(estimator=LINEAR).fit,
        FusionClassifier(**BRIEF).fit,
        UnimodalEnsemble(**BRIEF).fit,
        PropensityWeighter(use_target=True).fit,
        lambda X, y: modality_utility(LINEAR, X, y, n_bootstraps=0),
    ],
)
def test_labels_of_mixed_types_are_refused(fit):
    X, codes = make_blocks(n=60, n_classes=2)
    mixed = np.array([1, "no"], dtype=object)[codes]
    for y in (mixed, mixed.tolist(), pd.Series(mixed)):
        with pytest.raises(ValueError, match="Got text and other values in y"):
            fit(X, y)


def test_labels_missing_in_a_list_of_text_are_missing():
    # numpy alone would make the text "nan" of them.
    X, codes = make_blocks(n=60, n_classes=2)
    words = np.array(["no", "yes"])[codes]
    y = [*words[:50], *[float("nan")] * 10]
    clf = IPWMultimodalClassifier(LINEAR, use=["m0"]).fit(X, y)
    assert clf.classes_.tolist() == ["no", "yes"]
    with pytest.raises(ValueError, match="Got y with 10 missing labels"):
        FusionClassifier(**BRIEF).fit(X, y)


def test_labels_in_a_frame_of_one_column():
    X, codes = make_blocks(n=60, n_classes=2, missing=0.0)
    words = pd.Series(np.array(["no", "yes"])[codes]).where(np.arange(60) > 5)
    expected = IPWMultimodalClassifier(LINEAR, use=["m0"]).fit(X, words)
    with pytest.warns(DataConversionWarning, match="column-vector y"):
        clf = IPWMultimodalClassifier(LINEAR, use=["m0"]).fit(X, words.to_frame())
    np.testing.assert_array_equal(clf.predict_proba(X), expected.predict_proba(X))


def test_labels_that_may_be_a_quantity_warn():
    rng = np.random.default_rng(0)
    X = MultimodalData({"a": rng.normal(size=(300, 2))})
    ages = np.clip(rng.normal(60, 12, size=300).round(), 20, 99)
    with pytest.warns(
        ManyClassesWarning, match="classes of whole numbers in y for 300"
    ):
        PatternClassifier().fit(X, ages)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PatternClassifier(DecisionTreeClassifier()).fit(X, np.arange(300) % 30)
        PatternClassifier(DecisionTreeClassifier()).fit(X, ages.astype(str))


def test_weights_come_as_any_vector_and_in_any_unit():
    X, y = make_blocks(n=60)
    w = pd.Series(np.random.default_rng(0).uniform(1, 2, size=60))
    expected = PatternClassifier().fit(X, y, sample_weight=w).predict_proba(X)
    for weight in (w.to_frame(), w.tolist(), w.astype("Float64"), w * 2.0**1000):
        clf = PatternClassifier().fit(X, y, sample_weight=weight)
        np.testing.assert_allclose(clf.predict_proba(X), expected, rtol=1e-11)
    with pytest.raises(ValueError, match="Got sample_weight of type"):
        PatternClassifier().fit(X, y, sample_weight=["a"] * 60)


def test_labels_in_messages_are_plain_values():
    X, y = make_blocks(n=60)
    for one in (y * 0, np.full(60, "n"), y * 0.0):
        with pytest.raises(ValueError, match="class") as caught:
            FusionClassifier(**BRIEF).fit(X, one)
        assert "np." not in str(caught.value)
        with pytest.raises(ValueError, match="one class only") as caught:
            IPWMultimodalClassifier(LINEAR).fit(X, one)
        assert "np." not in str(caught.value)


# -- dates


def propensity_of(column) -> np.ndarray:
    return fit_weighter(make_table(when=column)).propensity_


def test_dates_of_any_year_count():
    days = ["9999-12-31", "0001-01-01"] + ["2020-01-02", "2020-02-03"] * (N // 2 - 1)
    when = pd.Series(np.array(days, dtype="datetime64[s]"))
    expected = propensity_of(when)
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(propensity_of(when.dt.date), expected, rtol=1e-6)


def test_dates_of_any_zone_and_resolution_are_instants():
    start = pd.Timestamp("2020-01-01", tz="Pacific/Auckland")
    local = pd.Series(start + pd.to_timedelta(np.arange(N) ** 2 % 911, unit="h"))
    utc = local.dt.tz_convert("UTC")
    winter, summer = (dt.timezone(dt.timedelta(hours=h)) for h in (1, 2))
    both = [
        t.to_pydatetime().astimezone(summer if i % 2 else winter)
        for i, t in enumerate(utc)
    ]
    fitted = fit_weighter(make_table(when=local))
    expected = fitted.propensity_[:, 0]
    for same in (
        utc,
        utc.dt.tz_localize(None),
        pd.Series(both, dtype=object),
        *(utc.dt.as_unit(unit) for unit in ("s", "ms", "us")),
    ):
        found = fitted.predict_propensity(make_table(when=same))
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_dates_as_periods_and_times_of_day_have_an_order():
    months = pd.Series(pd.period_range("2020-01", periods=N, freq="M"))
    times = pd.Series([dt.time(i % 24, i % 60) for i in range(N)], dtype=object)
    for column in (months, times, times.where(np.arange(N) > 3)):
        names = fit_weighter(make_table(when=column)).covariate_names_
        assert names[:2] == ["c", "when"]
    # A later month is no unknown level.
    fitted = fit_weighter(make_table(when=months))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted.predict_propensity(make_table(when=months + 12))


def test_dates_drive_missingness_in_order():
    days = pd.Series([dt.date(2020, 1, 1) + dt.timedelta(days=i) for i in range(N)])
    frame = make_table(when=days)
    frame["lab__0"] = np.arange(N) * 1.0
    result = simulate_missing(
        frame, modalities={"lab": ["lab__0"]}, mechanism="mar", rate=0.5,
        depends_on="when", strength=50.0, random_state=0,
    )  # fmt: skip
    hidden = result.mask[:, 0]
    assert abs(hidden[: N // 2].mean() - hidden[N // 2 :].mean()) > 0.9


# -- units


@pytest.mark.parametrize("unit", [1e-9, 1e-12, 1e-200, 1e160, 1e300])
def test_units_of_a_covariate_do_not_matter(unit):
    frame = make_table(d=np.arange(N) % 7)
    expected = fit_weighter(frame)
    fitted = fit_weighter(frame.assign(c=frame.c * unit))
    assert fitted.covariate_names_ == ["c", "d"]
    np.testing.assert_allclose(fitted.propensity_, expected.propensity_, rtol=1e-6)
    table = fitted.balance(frame.assign(c=frame.c * unit))
    np.testing.assert_allclose(
        table.smd_after, expected.balance(frame).smd_after, rtol=1e-4, atol=1e-8
    )


@pytest.mark.parametrize("unit", [2.0**-600, 2.0**530])
def test_units_of_a_block_do_not_matter(unit):
    X, y = make_blocks(n=60)
    other = MultimodalData({k: X[k] * unit for k in X.names}, present=X.present)
    clf = FusionClassifier(**BRIEF)
    expected = clf.fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(clf.fit(other, y).predict_proba(other), expected)
    whole = make_blocks(n=60, missing=0.0)[0]
    results = [
        simulate_missing(
            MultimodalData({k: whole[k] * u for k in whole.names}),
            mechanism="mar", rate={"m1": 0.4}, depends_on="m0", random_state=0,
        )
        for u in (1.0, unit)
    ]  # fmt: skip
    np.testing.assert_array_equal(results[0].mask, results[1].mask)


def test_units_a_constant_covariate_is_still_no_covariate():
    frame = make_table(d=0.1, e=1e300, f=0.0)
    assert fit_weighter(frame).covariate_names_ == ["c"]


# -- covariates


def test_covariates_that_identify_rows_are_left_out():
    ids = np.arange(N) // 2
    table = make_table(
        patient_id=[f"P{i:04d}" for i in range(N)],
        note=[f"seen by doctor {i} in the ward" for i in range(N)],
        ward=np.array(list("abcdef"))[np.arange(N) % 6],
        visit=ids,
    )
    message = r"'patient_id' \(120 levels in 120 rows\), 'note' \(free text\); they"
    with pytest.warns(IdentifierWarning, match=message) as caught:
        fitted = fit_weighter(table)
    assert sum(w.category is IdentifierWarning for w in caught) == 1
    wards = [f"ward={w}" for w in "abcdef"]
    assert fitted.covariate_names_ == ["c", *wards, "visit"]
    with pytest.warns(IdentifierWarning, match=r"'visit' \(groups\)"):
        fitted = fit_weighter(table, groups=ids)
    assert fitted.covariate_names_ == ["c", *wards]
    # What the user names is obeyed.
    with warnings.catch_warnings():
        warnings.simplefilter("error", IdentifierWarning)
        fitted = fit_weighter(table, covariates=["patient_id", "c"])
    assert len(fitted.covariate_names_) > 100


@pytest.mark.parametrize("seed", range(3))
def test_covariates_that_number_the_rows_are_left_out(seed):
    rng = np.random.default_rng(seed)
    numbers = 10_000 + rng.permutation(3 * N)[:N]
    table = make_table(
        record=numbers,
        exact=numbers.astype(float),
        # Repeated, in halves, or far apart: these may be measurements.
        age=rng.integers(18, 90, N),
        dose=np.arange(N) / 2,
        seconds=np.sort(rng.integers(10**9, size=N)),
        day=pd.date_range("2020-01-01", periods=N),
    )
    message = r"'record' \(numbers of rows\), 'exact' \(numbers of rows\); they"
    with pytest.warns(IdentifierWarning, match=message):
        fitted = fit_weighter(table)
    assert fitted.covariate_names_ == ["c", "age", "dose", "seconds", "day"]
    with warnings.catch_warnings():
        warnings.simplefilter("error", IdentifierWarning)
        fitted = fit_weighter(table, covariates=["record", "c"])
    assert fitted.covariate_names_ == ["record", "c"]


@pytest.mark.parametrize("method", ["sample_weight", "transform"])
def test_weights_far_from_the_rows_of_fit_warn(method):
    table = make_table()
    fitted = fit_weighter(table)
    with warnings.catch_warnings():
        warnings.simplefilter("error", OverlapWarning)
        getattr(fitted, method)(table)
    # The rarer the more of c, so that a row far out has a weight without bounds.
    slope = np.sign(np.corrcoef(table["c"], table["lab__0"].isna())[0, 1])
    far = table.assign(c=np.where(np.arange(N) < 3, slope * 60, table["c"]))
    far["lab__0"] = far["lab__0"].fillna(0.5)
    with pytest.warns(OverlapWarning, match=r"in 3 rows, where the largest in fit is"):
        weights = getattr(fitted, method)(far)
    assert np.ravel(weights)[:3].min() > 10 * fitted.sample_weight_.max()


def test_covariates_that_rename_the_groups_are_left_out():
    ids = np.arange(N) // 10
    table = make_table(hospital=[f"hospital {'abcdefghijkl'[i]}" for i in ids])
    assert len(fit_weighter(table).covariate_names_) == 13
    with pytest.warns(IdentifierWarning, match=r"'hospital' \(groups\)"):
        assert fit_weighter(table, groups=ids).covariate_names_ == ["c"]


def test_covariates_of_a_container_may_be_identifiers_too():
    table = make_table()
    X = MultimodalData(
        {
            "lab": table[["lab__0"]],
            "age": table[["c"]],
            "id": np.array([[f"record {i}"] for i in range(N)]),
        }
    )
    with pytest.warns(IdentifierWarning, match="'id__0'") as caught:
        weighter = PropensityWeighter(required=["lab"], random_state=0).fit(X)
    assert len(caught.list) >= 1
    assert weighter.covariate_names_ == ["age__0"]
    y = np.arange(N) % 2
    with pytest.warns(IdentifierWarning) as caught:
        modality_utility(
            LINEAR, X, y, modalities=["lab", "age", "id"], subsets=["lab", "age"],
            cv=2, scoring="accuracy", n_bootstraps=0, random_state=0,
        )  # fmt: skip
    assert sum(w.category is IdentifierWarning for w in caught) == 1


def test_covariates_that_cannot_be_read_are_named():
    for column, message in (
        ([[1]] * N, "Got a list in the covariate 'odd'"),
        ([{"a": 1}] * N, "Got a dict in the covariate 'odd'"),
        (np.full(N, 1j), "Got complex values in the covariate 'odd'"),
        ([1j, *[1.0] * (N - 1)], "Got complex values in the covariate 'odd'"),
    ):
        with pytest.raises(ValueError, match=message):
            fit_weighter(make_table(odd=pd.Series(column)))


def test_folds_of_groups_are_even_and_whole():
    rng = np.random.RandomState(0)
    groups = np.repeat(np.arange(200), rng.randint(1, 9, size=200))
    strata = (rng.random_sample(200)[groups] < 0.2).astype(int)
    fold = assign_folds(strata, 5, rng, groups)
    assert (pd.Series(fold).groupby(groups).nunique() == 1).all()
    assert np.ptp(np.bincount(fold)) <= 2
    assert np.ptp(np.bincount(fold, strata)) <= 2
    # Strata of a single row, and one group that is most of the data.
    one = assign_folds(np.arange(60), 5, rng, np.r_[np.zeros(40, int), 1:21])
    assert set(one) == set(range(5))


# -- metrics


@pytest.mark.parametrize("metric", ["f1", "average_precision", "recall"])
def test_metrics_that_cannot_work_fail_before_the_fits(metric):
    X, codes = make_blocks(n=60, n_classes=2)
    y = np.array(["no", "yes"])[codes]

    class Untouched(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            raise AssertionError("fitted")

    message = f"Got scoring='{metric}' with the labels \\['no', 'yes'\\]"
    with pytest.raises(ValueError, match=message):
        modality_utility(Untouched(), X, y, scoring=[metric], n_bootstraps=0)
    X3, y3 = make_blocks(n=60)
    with pytest.raises(ValueError, match=r"with the labels \[0, 1, 2\]"):
        modality_utility(Untouched(), X3, y3, scoring="f1", n_bootstraps=0)
    clf = PatternClassifier().fit(X, y)
    with pytest.raises(ValueError, match=message):
        score_by_pattern(clf, X, y, scoring=metric)
    clf = IPWMultimodalClassifier(LINEAR).fit(X, y)
    with pytest.raises(ValueError, match=f"Got metric='{metric}' with the labels"):
        make_ipw_scorer(metric)(clf, X, y)


def test_metrics_of_probabilities_need_them_before_the_fits():
    X, y = make_blocks(n=60, n_classes=2)
    with pytest.raises(
        ValueError, match="'roc_auc' and an estimator without predict_p"
    ):
        modality_utility(LinearSVC(), X, y, n_bootstraps=0)
    # But decisions can be scored.
    table = modality_utility(
        LinearSVC(), X, y, scoring="accuracy", n_bootstraps=0, random_state=0
    )
    assert table.value.notna().all()


def mean_error(y_true, y_pred, sample_weight=None):
    return -float(np.average(np.abs(y_true - y_pred), weights=sample_weight))


def test_metrics_that_are_functions_have_row_scores():
    X, y = make_bitwise(200, mechanism="mar", return_X_y=True, random_state=0)
    log = make_scorer(
        log_loss, greater_is_better=False, response_method="predict_proba"
    )
    scoring = {"right": accuracy_score, "log": log, "own": mean_error, "f1": f1_score}
    table, scores = modality_utility(
        LINEAR, X, y, scoring=scoring, n_bootstraps=0, return_scores=True,
        random_state=0,
    )  # fmt: skip
    gains = table[(table.subset == "x1+x2") & (table.baseline == "x1")]
    gains = gains.set_index("metric").value
    for name in ("right", "log", "own"):
        rows = scores.rows(name, "x1+x2", baseline="x1")
        found = np.average(rows.score, weights=rows.sample_weight / rows.propensity)
        assert found == pytest.approx(gains[name], abs=1e-9)
    with pytest.raises(ValueError, match="'f1', expected a mean over rows"):
        scores.rows("f1", "x1+x2")


# -- counts


def test_counts_of_sets_and_gains_stay_bounded(capsys):
    X, y = make_blocks(n=200, n_modalities=6, missing=0.05, n_classes=2)
    table = modality_utility(
        LINEAR, X, y, scoring="accuracy", cv=2, n_bootstraps=0, random_state=0,
        verbose=1,
    )  # fmt: skip
    sets = table[table.quantity == "value"].subset
    gains = table[table.quantity == "gain"]
    assert len(sets) == 13
    assert len(gains) == 12
    assert set(gains.subset) == {"+".join(X.names)}
    assert "13 sets of modalities and 12 gains" in capsys.readouterr().err


@pytest.mark.parametrize(
    "make",
    [
        lambda: PropensityWeighter(n_jobs=0).fit(*make_blocks()),
        lambda: PatternClassifier(n_jobs=0).fit(*make_blocks()),
        lambda: UnimodalEnsemble(n_jobs=0).fit(*make_blocks()),
        lambda: PIDEstimator(n_jobs=0).fit(*make_blocks()),
        lambda: modality_utility(LINEAR, *make_blocks(), n_jobs=0),
    ],
)
def test_jobs_of_number_zero_are_refused(make):
    with pytest.raises(ValueError, match="The 'n_jobs' parameter of"):
        make()


# -- what is printed


def test_repr_of_complementary_information_is_short():
    X, y = make_blocks(n=N)
    clf = PatternClassifier().fit(X, y)
    result = complementary_information(clf, clf, X, y, hide="m0", random_state=0)
    text = repr(result)
    assert len(text.splitlines()) == 6
    assert f"value                {result.value:.4g}" in text
    bare = complementary_information(clf, clf, X, y, hide="m0", n_bootstraps=0)
    assert "nan" not in repr(bare)


def test_tables_show_their_keys_in_a_narrow_window():
    X, y = make_blocks(n=N, n_modalities=3)
    clf = PatternClassifier().fit(X, y)
    both = {"PatternClassifier": clf, "TheSameOnceMoreWithALongName": clf}
    table = score_by_pattern(both, X, y, scoring=["neg_log_loss", "accuracy"])
    wide = modality_utility(
        LINEAR, X, y, scoring="accuracy", cv=2, n_bootstraps=0, random_state=0
    )
    with pd.option_context("display.width", 80, "display.max_columns", 0):
        for shown in (table, table.head(3)):
            head = repr(shown).splitlines()[0].split()
            assert head == ["estimator", "pattern", "metric", "value"]
            assert "also n_missing, n_rows]" in repr(shown)
        head = repr(wide).splitlines()[0].split()
        assert head == [
            "quantity",
            "subset",
            "baseline",
            "metric",
            "value",
            "low",
            "high",
        ]
    narrow = table[["pattern", "value"]]
    assert repr(narrow) == repr(pd.DataFrame(narrow))


# -- random numbers


@pytest.mark.filterwarnings("ignore::skmissing.exceptions.NamelessModalityWarning")
def test_random_numbers_of_the_default_net_are_settled():
    check_fit_idempotent("IPWMultimodalClassifier", IPWMultimodalClassifier())
    X, y = make_blocks(n=60)
    template = make_pipeline(
        StandardScaler(), DecisionTreeClassifier(splitter="random", max_depth=2)
    )
    for inner in (FusionClassifier(max_epochs=2, n_threads=1), template):
        first, second, other = (
            IPWMultimodalClassifier(inner, random_state=seed).fit(X, y).predict_proba(X)
            for seed in (0, 0, 1)
        )
        np.testing.assert_array_equal(first, second)
        assert (first != other).any()


@pytest.mark.slow
@parametrize_with_checks(
    [IPWMultimodalClassifier()],
    expected_failed_checks=lambda _: {
        "check_sample_weight_equivalence_on_dense_data": "mini-batches draw rows"
    },
)
def test_random_numbers_pass_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


# -- containers


def test_mask_in_a_frame_goes_by_its_names():
    words = np.array([["1"], ["x"], ["2"]], dtype=object)
    numbers = np.array([[1.0], ["x"], [2.0]], dtype=object)
    present = pd.DataFrame({"b": [True, True, True], "a": [True, False, True]})
    data = MultimodalData({"a": numbers, "b": words}, present=present)
    assert data["a"].dtype == np.float64
    assert data.present.tolist() == [[True, True], [False, True], [True, True]]
    with pytest.raises(ValueError, match=r"present with the columns \['b', 'z'\]"):
        MultimodalData(
            {"a": numbers, "b": words}, present=present.rename(columns={"a": "z"})
        )


def test_columns_that_are_unknown_are_the_ones_named():
    frame = pd.DataFrame({0: [1.0, 2.0], "x": [2.0, 3.0], "y": [1.0, 1.0]})
    data = MultimodalData.from_frame(frame, {"a": [0, "x"], "b": ["y"]})
    assert data["a"].tolist() == [[1.0, 2.0], [2.0, 3.0]]
    with pytest.raises(ValueError, match=r"Got unknown columns \['z'\] for the modali"):
        MultimodalData.from_frame(frame, {"a": ["x", "z"]})
    with pytest.raises(ValueError, match=r"unknown columns \['zip'\] for covariates"):
        fit_weighter(make_table(), covariates=["c", "zip"])


def test_importances_of_columns_take_the_table_of_a_container():
    X, y = make_blocks(n=60)
    clf = PatternClassifier().fit(X, y)
    with pytest.raises(TypeError, match=r"to_frame\(\) makes one"):
        permutation_importance(clf, X, y)
    result = permutation_importance(clf, X.to_frame(), y, n_repeats=1, random_state=0)
    assert result.importances_mean.shape == (7,)


# -- splits


def test_splits_of_groups_name_their_parameter():
    X, y = make_blocks(n=N, n_classes=2)
    few = np.arange(N) % 3
    for fit in (
        lambda **how: modality_utility(LINEAR, X, y, n_bootstraps=0, **how),
        lambda cv, groups: PIDEstimator(estimator=LINEAR, cv=cv).fit(
            X, y, groups=groups
        ),
        lambda cv, groups: PropensityWeighter(
            modalities={"lab": ["lab__0"]}, cv=cv
        ).fit(make_table(), groups=groups),
    ):
        with pytest.raises(ValueError, match=r"Got cv=GroupKFold.* with 3 groups"):
            fit(cv=GroupKFold(5), groups=few)
        with pytest.raises(
            ValueError, match=r"Got cv=GroupKFold.* with no groups: The"
        ):
            fit(cv=GroupKFold(5), groups=None)
    net = FusionClassifier(**BRIEF, early_stopping=True, validation_fraction=0.9)
    with pytest.raises(ValueError, match=r"Got validation_fraction=0.9 with 3 groups"):
        net.fit(X, y, groups=few)


def test_labels_of_another_kind_are_not_scored_as_wrong():
    X, y = make_blocks(n=60, missing=0.0)
    clf = IPWMultimodalClassifier(PatternClassifier()).fit(X, y)
    with pytest.raises(ValueError, match=r"Got y with labels such as '.', expected"):
        clf.score(X, y.astype(str))
    named = IPWMultimodalClassifier(PatternClassifier()).fit(X, y.astype(str))
    with pytest.raises(ValueError, match="such as '0'"):
        named.score(X, y)


@pytest.mark.parametrize("dtype", ["timedelta64[s]", "complex128"])
def test_weights_that_are_no_numbers_are_refused(dtype):
    X, y = make_blocks(n=30)
    with pytest.raises(ValueError, match="Got sample_weight of type"):
        PatternClassifier().fit(X, y, sample_weight=np.ones(30).astype(dtype))


def test_dates_as_text_are_instants():
    """What pandas reads from a file is text until somebody parses it."""
    days = pd.date_range("2019-12-25", periods=400, freq="D")
    rng = np.random.default_rng(0)
    gone = rng.random(400) < np.linspace(0.1, 0.9, 400)
    frame = pd.DataFrame({"when": days, "lab__0": np.where(gone, np.nan, 1.0)})
    fits = []
    for values in (days, days.strftime("%Y-%m-%d"), days.strftime("%Y-%m-%dT%H:%MZ")):
        X = frame.assign(when=values)
        weighter = PropensityWeighter(modalities={"lab": ["lab__0"]}, random_state=0)
        fits.append(weighter.fit(X).predict_propensity(X))
    for other in fits[1:]:
        np.testing.assert_array_equal(other, fits[0])
    # Text in which one value is no date stays text.
    assert days_of(pd.Series(["2020-01-02", "soon"])) is None
    assert days_of(pd.Series(["2020-13-02"])) is None


def test_blocks_of_another_shape_do_not_pass_for_the_same():
    X, _ = make_blocks(n=20)
    other = MultimodalData({"m0": np.ones((20, 9)), "m1": X["m1"]})
    with pytest.raises(ValueError, match=r"shape \(9,\) in the modality 'm0'"):
        other.reindex(X)


def test_tables_of_parts_show_what_each_is_worth():
    first, second = np.random.default_rng(0).integers(2, size=(2, 300, 1))
    X, y = MultimodalData({"a": first, "b": second}), (first & second).ravel()
    text = repr(PIDEstimator(n_bootstraps=5, random_state=0).fit(X, y).to_frame())
    for word in ("term", "source", "value", "low", "high"):
        assert word in text
