"""Every number of a page comes from a public function of the package."""

import dataclasses
import warnings
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skmissing
from skmissing import MultimodalData, PIDEstimator, PropensityWeighter
from skmissing.baselines import PatternClassifier
from skmissing.exceptions import OverlapWarning
from skmissing.inspection import modality_importance
from skmissing.ipw import modality_utility, sensitivity_bounds
from skmissing.metrics import calibration_by_pattern, score_by_pattern
from skmissing.missingness import patterns
from skmissing.reporting._held_out import Fold, fit_folds, whom_to_measure
from skmissing.reporting._html import write_value
from skmissing.reporting._inputs import Notes, Rows, name_estimator, run_all
from skmissing.reporting._judged import Judged
from skmissing.reporting._layout import name_pattern
from skmissing.reporting._same_rows import ClassShares

from .conftest import LEARNER, MODALITIES, NET, SETTINGS, make_table


class Tables(HTMLParser):
    """Cells of the tables of a page, by source."""

    def __init__(self, page):
        super().__init__()
        self.found, self.tags, self.text = {}, [], []
        self.cell = None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append(tag)
        if tag == "table":
            self.rows = self.found.setdefault(given["data-source"], [])
        elif tag == "tr":
            self.rows.append({})
        elif tag == "td" and "data-column" in given:
            self.cell = [given["data-column"], given["data-value"], ""]

    def handle_endtag(self, tag):
        if tag == "td" and self.cell:
            self.rows[-1][self.cell[0]] = tuple(self.cell[1:])
            self.cell = None

    def handle_data(self, data):
        self.text.append(data)
        if self.cell:
            self.cell[2] += data


def cells_of(page, source):
    return [row for row in Tables(page.to_html()).found[source] if row]


def check_cells(page, source, expected, columns):
    """The rows of a page's table, to the last digit and as they are written."""
    rows = cells_of(page, source)
    expected = expected.reset_index(drop=True)
    assert len(rows) == len(expected)
    for row, (_, wanted) in zip(rows, expected.iterrows()):
        for column in columns:
            exact, shown = row[column]
            if isinstance(wanted[column], str):
                assert exact == wanted[column]
                continue
            value = float(wanted[column])
            np.testing.assert_equal(float(exact), value)
            check_words(shown, value)


def check_words(shown, value):
    """Words are the value, rounded to the digits shown."""
    if np.isnan(value):
        assert shown == "n/a"
    elif shown in ("yes", "", "any"):
        assert value == {"yes": 1, "": 0, "any": np.inf}[shown]
    else:
        scale = 100 if shown.endswith("%") else 1
        digits = shown.strip("%").replace(",", "").replace("\N{MINUS SIGN}", "-")
        places = len(digits.partition(".")[2])
        assert abs(float(digits) - scale * value) <= 0.5 * 10.0**-places + 1e-9


def test_patterns(page, table):
    X, _, _ = table
    expected = patterns(X, MODALITIES)
    pd.testing.assert_frame_equal(page.tables["patterns"], expected)
    check_cells(page, "patterns", expected, ["count", "share", *MODALITIES])


def test_presence(page, table):
    X, y, _ = table
    rows = cells_of(page, "presence")
    for row, (name, columns) in zip(rows, MODALITIES.items(), strict=True):
        here = X[columns].notna().any(axis=1).to_numpy()
        assert row["modality"][0] == name
        died = y == "alive"
        for column, value in {
            "n_present": here.sum(),
            "share_missing": 1 - here.mean(),
            "outcome_present": died[here].mean(),
            "outcome_missing": died[~here].mean() if not here.all() else np.nan,
        }.items():
            np.testing.assert_allclose(float(row[column][0]), value)
            check_words(row[column][1], value)


def splits_of(table):
    X, y, groups = table
    folds = StratifiedGroupKFold(2, shuffle=True, random_state=3)
    return list(folds.split(X, y, groups))


def test_scores_are_those_of_held_out_rows(page, table):
    X, y, groups = table
    parts, proba = [], np.empty((len(y), 2))
    for k, (train, test) in enumerate(splits_of(table)):
        assert not set(groups[train]) & set(groups[test])
        model = clone(NET).fit(X.iloc[train], y[train], groups=groups[train])
        proba[test] = model.predict_proba(X.iloc[test])
        part = score_by_pattern(
            {"model": model}, X.iloc[test], y[test],
            scoring=["roc_auc", "neg_log_loss"], groups=groups[test], n_bootstraps=5,
            random_state=3,
        )  # fmt: skip
        parts.append(part.assign(fold=k))
    each = pd.concat(parts, ignore_index=True)
    pd.testing.assert_frame_equal(
        pd.DataFrame(page.tables["scores_by_fold"]), pd.DataFrame(each)
    )
    np.testing.assert_array_equal(page.y_proba, proba)
    scores = page.tables["scores"]
    for row in scores.iloc[2:-2].itertuples():
        same = each[(each["pattern"] == row.pattern) & (each["metric"] == row.metric)]
        n = same["n_rows"] / same["n_rows"].sum()
        np.testing.assert_allclose(row.value, (n * same["value"]).sum())
        error = np.sqrt((n**2 * same["std_error"] ** 2).sum())
        np.testing.assert_allclose(row.std_error, error)
        np.testing.assert_allclose(row.high - row.value, 1.6448536 * error, rtol=1e-6)
    columns = ["pattern", "metric", "n_rows", "value", "low", "high"]
    by_metric = scores.sort_values("metric", ascending=False, kind="stable")
    check_cells(page, "scores", by_metric, columns)


def test_the_same_rows_with_less(page, table):
    """What hiding costs, by the public function, and the shares of training rows."""
    X, y, groups = table
    splits = splits_of(table)
    n = np.array([len(test) for _, test in splits])
    log_loss_of, shares_of, hidden = [], [], []
    for model, (train, test) in zip(page.models, splits):
        hidden.append(
            modality_importance(
                model, X.iloc[test], y[test], method="leave_one_out",
                scoring="roc_auc", n_bootstraps=5, groups=groups[test], random_state=3,
            )
        )  # fmt: skip
        prior = DummyClassifier(strategy="prior").fit(X.iloc[train], y[train])
        shares_of.append(log_loss(y[test], prior.predict_proba(X.iloc[test])))
        log_loss_of.append(log_loss(y[test], page.y_proba[test]))
    table_of = page.tables["same_rows"]
    assert table_of["compared_with"].tolist() == [*MODALITIES, "class shares"]
    share = n / n.sum()
    for m, row in enumerate(table_of.iloc[:-1].itertuples()):
        value = share @ [part["value"][m] for part in hidden]
        error = np.sqrt(share**2 @ [part["std_error"][m] ** 2 for part in hidden])
        np.testing.assert_allclose([row.value, row.std_error], [value, error])
        score = share @ [part.attrs["score"] for part in hidden]
        np.testing.assert_allclose([row.score, row.other], [score, score - value])
        assert row.n_rows == 240
    model, shares = -share @ log_loss_of, -share @ shares_of
    row = table_of.iloc[-1]
    np.testing.assert_allclose(row[["score", "other"]].to_list(), [model, shares])
    np.testing.assert_allclose(row["value"], model - shares)
    assert row["low"] < row["value"] < row["high"]
    scores = page.tables["scores"]
    ends = scores.iloc[[0, 1, -2, -1]]
    assert ends["pattern"].tolist() == (
        ["rows as they are"] * 2 + ["nothing known: class shares"] * 2
    )
    np.testing.assert_allclose(
        ends["value"], [table_of["score"][0], model, 0.5, shares]
    )
    columns = ["compared_with", "metric", "n_rows", "score", "other", "value", "low",
               "high"]  # fmt: skip
    check_cells(page, "same_rows", table_of, columns)
    assert "age &lt;b&gt; hidden" in page.to_html()


def test_class_shares_of_weighted_rows():
    shares = ClassShares(np.array(["a", "b", "c"]), ["b", "a", "b"], [1.0, 2.0, 1.0])
    np.testing.assert_allclose(shares.predict_proba([0, 1]), [[0.5, 0.5, 0.0]] * 2)
    assert shares.predict([0, 1]).tolist() == ["a", "a"]


def test_calibration(page, table):
    X, y, _ = table
    expected = calibration_by_pattern(y, page.y_proba, X, modalities=MODALITIES)
    pd.testing.assert_frame_equal(page.tables["calibration"], expected)
    columns = ["pattern", "n_rows", "predicted", "observed", "low", "high", "coverage",
               "set_size"]  # fmt: skip
    check_cells(page, "calibration", expected, columns)


@pytest.mark.parametrize("modality", ["labs", "scan"])
def test_value_sensitivity_and_information(page, table, modality):
    X, y, groups = table
    utility, scores = modality_utility(
        LEARNER, X, y, propensity=PropensityWeighter(random_state=3),
        modalities=MODALITIES, subsets=[["age <b>"], ["age <b>", modality]],
        scoring=["roc_auc", "neg_log_loss"], cv=2, n_bootstraps=5, groups=groups,
        outcome_model=Ridge(),
        return_scores=True, random_state=3,
    )  # fmt: skip
    gain = utility[utility["quantity"] == "gain"].set_index("metric")
    rows = [r for r in cells_of(page, "utility") if r["modality"][0] == modality]
    assert len(rows) == 2
    for row in rows:
        wanted = gain.loc[row["metric"][0]]
        assert row["baseline"][0] == wanted["baseline"]
        for column in ("n_observed", "biased_value", "value", "low", "high"):
            np.testing.assert_equal(float(row[column][0]), wanted[column])
            check_words(row[column][1], wanted[column])
    used = scores.rows("neg_log_loss", ["age <b>", modality], ["age <b>"])
    bounds = sensitivity_bounds(
        used["score"], used["propensity"], odds_ratios=[1, 1.5, 2, 3],
        sample_weight=used["sample_weight"],
    )  # fmt: skip
    (row,) = (r for r in cells_of(page, "sensitivity") if r["modality"][0] == modality)
    wanted = {
        "value": bounds.loc[1, "lower_bound"],
        "tipping_odds_ratio": gain.loc["neg_log_loss", "tipping_odds_ratio"],
    }
    for odds in (1.5, 2, 3):
        for end in ("lower_bound", "upper_bound"):
            wanted[f"{end}_{odds:g}"] = bounds.loc[odds, end]
    for column, value in wanted.items():
        np.testing.assert_equal(float(row[column][0]), value)
        check_words(row[column][1], value)
    pid = PIDEstimator(
        modalities=MODALITIES, sources=[modality, ("age <b>",)], estimator=LEARNER,
        cv=2, propensity=PropensityWeighter(random_state=3), n_bootstraps=5,
        random_state=3,
    ).fit(X, y, groups=groups)  # fmt: skip
    parts = pid.to_frame()
    parts = parts[parts["term"] != "mutual_information"]
    rows = [r for r in cells_of(page, "information") if r["modality"][0] == modality]
    for row, (_, wanted) in zip(rows, parts.iterrows(), strict=True):
        assert row["part"][0].startswith(wanted["term"])
        assert float(row["n_rows"][0]) == pid.n_used_
        for column in ("value", "low", "high"):
            np.testing.assert_equal(float(row[column][0]), wanted[column])
            check_words(row[column][1], wanted[column])


def test_overlap_and_balance(page, table):
    X, _, groups = table
    weighter = PropensityWeighter(
        required=[["labs"], ["scan"]], modalities=MODALITIES, cv=2, random_state=3
    ).fit(X, groups=groups)
    overlap = weighter.overlap(X).reset_index()
    columns = ["required", "n_observed", "min", "median", "share_below_0.05",
               "largest_weight", "effective_sample_size", "efficiency"]  # fmt: skip
    check_cells(page, "overlap", overlap, columns)
    balance = weighter.balance(X)
    balance.index = balance.index.set_names(["required", "covariate"])
    columns = ["required", "covariate", "smd_before", "smd_after"]
    check_cells(page, "balance", balance.reset_index(), columns)


def test_whom_to_measure_next(page, table):
    X, _, _ = table
    v = {}
    for model, (_, test) in zip(page.models, splits_of(table)):
        found = model.predictive_impact(X.iloc[test])
        for row in found.itertuples():
            v[row.modality, test[row.row]] = row.v_missing
    means = {row["modality"][0]: row for row in cells_of(page, "impact")}
    assert set(means) == {"labs", "scan"}
    gone = {n: X[MODALITIES[n]].isna().all(axis=1).to_numpy() for n in means}
    for name in means:
        # The value of rows without both is of both.
        both = gone["labs"] & gone["scan"]
        lost = np.flatnonzero(gone[name] & ~both)
        values = np.array([v[name, i] for i in lost])
        assert float(means[name]["n_missing"][0]) == gone[name].sum()
        assert float(means[name]["n_alone"][0]) == len(lost) >= 10
        assert float(means[name]["n_rows"][0]) == len(lost)
        assert means[name]["alone"] == ("True", "this alone")
        np.testing.assert_allclose(float(means[name]["v_missing"][0]), values.mean())
        rows = [r for r in cells_of(page, "acquisition") if r["modality"][0] == name]
        best = lost[np.argsort(-values, kind="stable")[:5]]
        assert [row["row"][0] for row in rows] == [f"<i>{i}</i>" for i in best]
        for row, i in zip(rows, best):
            np.testing.assert_equal(float(row["v_missing"][0]), v[name, i])
            np.testing.assert_equal(float(row["predicted"][0]), page.y_proba[i, 1])
            assert row["also_missing"][0] == ""


@pytest.mark.parametrize("n_alone", [4, 9, 10])
def test_rows_without_several_modalities_have_the_value_of_all(page, table, n_alone):
    """Nine rows in which a modality alone is missing are too few to rank."""
    X, y, _ = table
    gone = {n: X[MODALITIES[n]].isna().all(axis=1).to_numpy() for n in MODALITIES}
    both = gone["labs"] & gone["scan"]
    few = np.flatnonzero(gone["labs"] & ~both)[:n_alone]
    kept = np.sort(np.r_[few, np.flatnonzero(both | ~gone["labs"])])
    rows = Rows.check(X.iloc[kept], y[kept], MODALITIES, None, None)
    every = np.arange(len(kept))
    folds = [Fold(page.models[0], every, every)]
    means, first = whom_to_measure(folds, rows.X, rows, page.y_proba[kept])
    means = means.set_index("modality")
    assert means["alone"].tolist() == [n_alone == 10, True]
    found = page.models[0].predictive_impact(rows.X, modality="labs")["v_missing"]
    lost = (gone["labs"] & ~both if n_alone == 10 else gone["labs"])[kept]
    assert means.loc["labs", ["n_missing", "n_alone", "n_rows"]].tolist() == [
        both.sum() + n_alone, n_alone, lost.sum()
    ]  # fmt: skip
    np.testing.assert_allclose(means.loc["labs", "v_missing"], found[lost].mean())
    # Rows without both: the value is the same for both.
    other = page.models[0].predictive_impact(rows.X, modality="scan")["v_missing"]
    np.testing.assert_array_equal(found[both[kept]], other[both[kept]])
    also = first.loc[first["modality"] == "labs", ["row", "also_missing"]]
    without = set(X.index[both])
    for row in also.itertuples():
        assert row.also_missing == ("scan" if row.row in without else "")
    assert (also["also_missing"] == "scan").any() == (n_alone == 4)


def test_no_other_table_has_numbers(page):
    assert set(Tables(page.to_html()).found) == {
        "presence", "patterns", "scores", "same_rows", "calibration", "utility",
        "overlap", "balance", "sensitivity", "information", "impact", "acquisition",
        "facts",
    }  # fmt: skip


def test_words_for_patterns_and_small_numbers():
    names = ["a", "b", "c"]
    assert name_pattern("a + b + c", names) == "all modalities"
    assert name_pattern("a + c", names) == "all but b"
    assert name_pattern("b", names) == "b"
    assert name_pattern("all rows", names) == "all rows"
    assert name_pattern("a", ["a", "b"]) == "a"
    assert write_value(-0.0004, "3") == "0.000"
    assert write_value(-0.0006, "3") == "\N{MINUS SIGN}0.001"


def test_the_label_has_the_name_of_its_column(table):
    X, y, _ = table
    given = {**SETTINGS, "n_bootstraps": 2}
    named = pd.Series(y, X.index, name="died <at> home")
    model = PatternClassifier(modalities=MODALITIES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Judged, "make_default", lambda self: NET)
        page = skmissing.report(model, X, named, **given)
    assert page.facts["positive"] == "died <at> home = alive"
    assert "died &lt;at&gt; home = alive, with it" in page.to_html()


def test_the_page_names_the_classifier_and_its_parameters(page):
    text = " ".join(Tables(page.to_html()).text)
    assert (
        "PRIMOClassifier(max_epochs=2, n_draws=10, n_threads=1, random_state=0). Every "
        "row"
    ) in text
    # All of them, at the end.
    assert "modalities={'age <b>': ['age']" in page.facts["settings"]["estimator"]
    pipe = make_pipeline(StandardScaler(), PatternClassifier(modalities=MODALITIES))
    assert name_estimator(pipe) == "PatternClassifier()"
    pipe[-1].set_params(estimator=LogisticRegression(C=2.0, l1_ratio=0.5))
    assert name_estimator(pipe).startswith("PatternClassifier(estimator=LogisticReg")
    assert len(name_estimator(pipe)) < 100
    assert name_estimator(object()) == "object()"


def test_progress_is_reported_if_asked_for(capsys):
    for verbose in (0, 1):
        notes = Notes(verbose=verbose)
        with notes.section("scores"):
            pass
        assert capsys.readouterr().err == verbose * "report: scores, after 0 s\n"


def test_names_from_the_data_are_escaped(page):
    html = page.to_html()
    read = Tables(html)
    assert not {"script", "i", "b", "dead", "img", "link"} & set(read.tags)
    text = " ".join(read.text)
    assert "<b>Us & them" in text
    assert "age <b>" in text
    assert "= alive" in text
    assert "http" not in html.replace("http-equiv", "")
    frame = page._repr_html_()
    assert frame.count("<") == 2
    assert "&lt;iframe" not in frame


def test_findings_have_the_numbers_of_the_tables(page):
    scores = page.tables["scores"].iloc[0]
    joined = " ".join(page.findings)
    assert f"On the 240 held-out rows as they are, the ROC AUC is {scores['value']:.3f}"
    assert f"ROC AUC is {scores['value']:.3f}." in joined
    # Five resamples.
    assert "Intervals need at least 20 resamples, these are 5" in joined
    assert " to 0." not in joined
    complete = page.tables["patterns"].iloc[:, :3].all(axis=1)
    share = page.tables["patterns"]["count"][complete].sum() / 240
    assert page.findings[0].startswith(f"{100 * share:.0f}% of the 240 rows")


def test_a_fitted_estimator_is_judged_as_it_is(fitted_page, table):
    model, page = fitted_page
    X, y, _ = table
    assert page.models == [model]
    np.testing.assert_array_equal(page.y_proba, model.predict_proba(X[120:]))
    expected = score_by_pattern(model, X[120:], y[120:], scoring="accuracy")
    scores = page.tables["scores"]["value"]
    np.testing.assert_array_equal(scores[1:-1], expected["value"])
    np.testing.assert_allclose(scores.iloc[0], model.score(X[120:], y[120:]))
    shares = np.unique(y[120:], return_counts=True)[1] / 120
    np.testing.assert_allclose(scores.iloc[-1], shares.max())
    assert "class shares are those of the rows given" in page.to_html()
    assert "was fitted before" in page.to_html()
    # It does not know what a missing modality could change.
    assert "comes from a PRIMOClassifier" in page.to_html()
    assert len(page.tables["impact"]) == 2


def test_warnings_are_collected_and_shown(page):
    notes = Notes()
    with notes.section("overlap"):
        for _ in range(2):
            warnings.warn("Poor <overlap>.", OverlapWarning, stacklevel=1)
        raise ValueError("Got nothing, expected something.")
    expected = [("overlap", "OverlapWarning", "Poor <overlap>.", 2)]
    assert list(notes.to_frame().itertuples(index=False, name=None)) == expected
    other = dataclasses.replace(
        page, warnings=notes.to_frame(), missing=notes.missing
    ).to_html()
    assert "OverlapWarning (overlap, 2 times): Poor &lt;overlap&gt;." in other
    assert "Not computed: Got nothing, expected something." in other
    assert "There was no warning" in page.to_html()


def count_up(number, step):
    warnings.warn(f"{number} is odd", OverlapWarning, stacklevel=1)
    return number + step


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_results_and_warnings_of_other_processes(n_jobs):
    with pytest.warns(OverlapWarning) as caught:
        assert run_all(count_up, [1, 3], 10, n_jobs=n_jobs) == [11, 13]
    assert [str(w.message) for w in caught] == ["1 is odd", "3 is odd"]


def test_complete_rows_need_no_correction(table):
    _, y, _ = table
    rng = np.random.default_rng(0)
    X = MultimodalData({"a": rng.normal(size=240), "b": 1.0 * (y == "alive")})
    net = clone(NET).set_params(modalities=None).fit(X, y)
    page = skmissing.report(net, X, y, n_bootstraps=2, cv=2, learner=LEARNER)
    assert page.missing["overlap"] == (
        "Each modality is there in at least 99% of the rows."
    )
    assert "Not computed: Each modality" in page.to_html()
    assert page.tables["utility"]["modality"].tolist() == ["a", "a", "b", "b"]
    assert not len(page.tables["acquisition"])


def test_rows_without_a_label_are_left_out(table):
    X, y, groups = table
    unlabelled = np.where(np.arange(240) < 120, None, y)
    rows = Rows.check(X, unlabelled, MODALITIES, groups, np.arange(240.0))
    assert len(rows) == 120
    np.testing.assert_array_equal(rows.y, y[120:])
    np.testing.assert_array_equal(rows.groups, groups[120:])
    np.testing.assert_array_equal(rows.labels, X.index[120:])
    np.testing.assert_array_equal(rows.X["age"], X["age"][120:])


def test_groups_reach_what_is_inside_of_the_model(table):
    """A search over folds of groups, and a Pipeline that is a step itself."""
    X, y, groups = table
    rows = Rows.check(X, y, MODALITIES, groups, None)
    seen = []

    class Folds(GroupKFold):
        def split(self, X, y=None, groups=None):
            seen.append(groups)
            return super().split(X, y, groups)

    grid = {"training_rows": ["available", "exact"]}
    search = GridSearchCV(PatternClassifier(modalities=MODALITIES), grid, cv=Folds(2))
    split = next(iter(GroupKFold(2).split(X, y, groups)))
    for model in (search, make_pipeline("passthrough", make_pipeline(search))):
        seen.clear()
        fit_folds(model, rows.X, rows, [split], None)
        np.testing.assert_array_equal(seen[0], rows.groups[split[0]])


def test_bad_input():
    X, y, _ = make_table(20)
    with pytest.raises(ValueError, match="single modality 'x' in report"):
        skmissing.report(clone(NET).set_params(modalities=None), X, y)
    with pytest.raises(ValueError, match="'n_bootstraps' parameter"):
        skmissing.report(NET, X, y, n_bootstraps=0)
