"""Checks by their codes, run one by one or as a table."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from unittest import SkipTest

import pandas as pd

from . import _patterns_and_errors as patterns
from . import _rows_and_weights as rows
from ._subject import Subject


@dataclass(frozen=True)
class Check:
    """One law, with its code. Called with an estimator, it raises an AssertionError."""

    code: str
    law: int
    run: Callable[[Subject], Any]
    tolerance: float = 1e-6

    @property
    def name(self) -> str:
        """Name of the check."""
        return self.run.__name__

    @property
    def reason(self) -> str:
        """The law in one line."""
        return (self.run.__doc__ or "").partition("\n")[0]

    def __call__(self, estimator) -> None:
        self.run(Subject(estimator, tolerance=self.tolerance))


CHECKS = {
    code: Check(code, law, run)
    for code, law, run in [
        ("MM101", 1, rows.check_hidden_content_at_prediction),
        ("MM102", 1, rows.check_hidden_content_in_fit),
        ("MM103", 1, rows.check_hidden_integers),
        ("MM201", 2, rows.check_rows_are_predicted_on_their_own),
        ("MM202", 2, rows.check_features_of_rows),
        ("MM203", 2, rows.check_probabilities),
        ("MM301", 3, rows.check_global_state),
        ("MM302", 3, rows.check_number_of_jobs),
        ("MM401", 4, rows.check_ratios_of_weights),
        ("MM402", 4, rows.check_weight_zero),
        ("MM403", 4, rows.check_weight_zero_with_groups),
        ("MM404", 4, rows.check_repeated_rows),
        ("MM405", 4, rows.check_balanced_classes),
        ("MM501", 5, patterns.check_any_pattern),
        ("MM502", 5, patterns.check_empty_rows_get_the_prior),
        ("MM503", 5, patterns.check_empty_rows_warn),
        ("MM504", 5, patterns.check_empty_rows_in_fit),
        ("MM505", 5, patterns.check_unobserved_modality),
        ("MM601", 6, patterns.check_number_of_modalities),
        ("MM701", 7, patterns.check_copies),
        ("MM702", 7, patterns.check_same_fit),
        ("MM801", 8, patterns.check_bad_fits),
        ("MM802", 8, patterns.check_bad_weights),
        ("MM803", 8, patterns.check_other_blocks_at_prediction),
        ("MM901", 9, patterns.check_forms_of_X),
        ("MM902", 9, patterns.check_labels_and_covariates),
    ]
}


def missing_modality_checks() -> pd.DataFrame:
    """List the checks of ``check_missing_modality_estimator``.

    Returns
    -------
    pandas.DataFrame
        One row for each check, with its ``code`` as the index: ``law`` (1 to 8, those
        of the page on design; 9 is about the forms of X and y), ``check`` (its name)
        and ``reason`` (the law in one line).

    See Also
    --------
    check_missing_modality_estimator : Runs them.

    Examples
    --------
    >>> from skmissing.testing import missing_modality_checks
    >>> missing_modality_checks().loc["MM101", "reason"]
    'What stands in a missing block changes no prediction.'
    """
    records = [(c.code, c.law, c.name, c.reason) for c in CHECKS.values()]
    table = pd.DataFrame(records, columns=["code", "law", "check", "reason"])
    return table.set_index("code")


def check_missing_modality_estimator(
    estimator,
    *,
    checks: Sequence[str] | None = None,
    expected_failed_checks: Mapping[str, str] | None = None,
    tolerance: float = 1e-6,
    on_fail: str | None = "raise",
) -> pd.DataFrame:
    """Check that a classifier treats missing modalities as those of this package do.

    Parameters
    ----------
    estimator : classifier
        With ``fit``, ``predict`` and ``predict_proba``, for a
        :class:`~skmissing.MultimodalData`. It is cloned, and fitted some thirty times
        on 60 to 110 rows. Give it a ``random_state`` and few epochs.
    checks : sequence of str, default=None
        Codes of the checks to run, see :func:`missing_modality_checks`. None: all.
    expected_failed_checks : dict of str to str, default=None
        Codes of checks that may fail, with the reason. MM404, a weight of 2 as two
        rows, cannot hold for training in shuffled mini-batches.
    tolerance : float, default=1e-6
        How much a prediction may depend on the other rows of X: rounding in float32.
        1e-10 is right for float64.
    on_fail : {"raise"} or None, default="raise"
        Raise an error that lists all checks that fail, or only return the table.

    Returns
    -------
    pandas.DataFrame
        One row for each check, with its code as the index: ``status`` ("passed",
        "failed", "expected" for an expected failure, or "skipped"), ``reason`` (the law
        in one line) and ``message`` (what was found, or why it was skipped).

    Raises
    ------
    AssertionError
        With ``on_fail="raise"``, if a check fails that was not expected to.
    ValueError, TypeError
        For unknown codes, and for an estimator without the methods.

    See Also
    --------
    parametrize_with_checks : The same as tests of pytest.
    sklearn.utils.estimator_checks.check_estimator : The conventions of scikit-learn.

    Notes
    -----
    Parts that an estimator does not have are skipped: ``transform``, ``class_weight``,
    ``groups`` in ``fit``, ``modalities``. Warnings are not shown.

    Examples
    --------
    >>> from skmissing.baselines import PatternClassifier
    >>> from skmissing.testing import check_missing_modality_estimator
    >>> table = check_missing_modality_estimator(
    ...     PatternClassifier(), checks=["MM101", "MM201", "MM202"]
    ... )
    >>> table["status"].to_dict()
    {'MM101': 'passed', 'MM201': 'passed', 'MM202': 'skipped'}
    """
    if on_fail not in ("raise", None):
        raise ValueError(f"Got on_fail={on_fail!r}, expected 'raise' or None.")
    expected = dict(expected_failed_checks or {})
    _check_codes("expected_failed_checks", expected)
    # The fits that several checks look at are made once.
    subject = Subject(estimator, tolerance=tolerance)
    records = []
    for check in _choose(checks):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            status, message = _run(check, subject)
        if status == "failed" and check.code in expected:
            status = "expected"
        records.append((check.code, status, check.reason, message))
    table = pd.DataFrame(records, columns=["code", "status", "reason", "message"])
    table = table.set_index("code")
    failed = table[table["status"] == "failed"]
    if on_fail == "raise" and len(failed):
        lines = [
            f"{code} {row.reason} {row.message}" for code, row in failed.iterrows()
        ]
        raise AssertionError(
            f"{type(estimator).__name__} fails {len(failed)} of {len(table)} checks:\n"
            + "\n".join(lines)
        )
    return table


def parametrize_with_checks(
    estimators: Iterable[Any],
    *,
    checks: Sequence[str] | None = None,
    expected_failed_checks: Callable[[Any], Mapping[str, str]] | None = None,
    tolerance: float = 1e-6,
):
    """Make a test of pytest for every estimator and check.

    Parameters
    ----------
    estimators : iterable of classifier
        As in :func:`check_missing_modality_estimator`.
    checks : sequence of str, default=None
        Codes of the checks. None: all.
    expected_failed_checks : callable, default=None
        Takes an estimator and returns a dict of codes to reasons; these tests are
        marked as expected failures.
    tolerance : float, default=1e-6
        How much a prediction may depend on the other rows of X.

    Returns
    -------
    pytest.mark.parametrize
        A decorator for a function of ``estimator`` and ``check``.

    Raises
    ------
    ImportError
        Without pytest.
    ValueError
        For unknown codes.

    See Also
    --------
    check_missing_modality_estimator : Runs all checks at once.

    Examples
    --------
    >>> from skmissing.baselines import PatternClassifier
    >>> from skmissing.testing import parametrize_with_checks
    >>> @parametrize_with_checks([PatternClassifier()])
    ... def test_missing_modalities(estimator, check):
    ...     check(estimator)
    """
    import pytest

    params = []
    for estimator in estimators:
        expected = {}
        if expected_failed_checks is not None:
            expected = dict(expected_failed_checks(estimator))
            _check_codes("expected_failed_checks", expected)
        for check in _choose(checks):
            marks = []
            if check.code in expected:
                marks = [pytest.mark.xfail(reason=expected[check.code])]
            at = Check(check.code, check.law, check.run, tolerance)
            label = f"{type(estimator).__name__}-{check.code}"
            params.append(pytest.param(estimator, at, marks=marks, id=label))
    return pytest.mark.parametrize(("estimator", "check"), params)


def _choose(codes: Sequence[str] | None) -> list[Check]:
    if codes is None:
        return list(CHECKS.values())
    codes = [codes] if isinstance(codes, str) else list(codes)
    _check_codes("checks", codes)
    return [CHECKS[code] for code in codes]


def _check_codes(parameter: str, codes: Iterable[str]) -> None:
    for code in codes:
        if code not in CHECKS:
            raise ValueError(
                f"Got the unknown check {code!r} in {parameter}, expected some of "
                f"{[*CHECKS]}."
            )


def _run(check: Check, subject: Subject) -> tuple[str, str]:
    """Status, and the first lines of what went wrong."""
    try:
        check.run(subject)
    except SkipTest as reason:
        return "skipped", f"{reason}."
    except Exception as error:
        # What the estimator raises counts as a failure, too.
        words = " ".join(str(error).split())[:300]
        kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        return "failed", f"{kind}{words}"
    return "passed", ""
