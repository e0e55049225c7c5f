"""The laws of the package, as checks for estimators of anyone."""

from ._runner import (
    check_missing_modality_estimator,
    missing_modality_checks,
    parametrize_with_checks,
)

__all__ = [
    "check_missing_modality_estimator",
    "missing_modality_checks",
    "parametrize_with_checks",
]
