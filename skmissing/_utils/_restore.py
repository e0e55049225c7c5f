"""Small helpers that every ``fit`` shares."""

from __future__ import annotations

import functools
from collections.abc import Callable


def restore_on_error(fit: Callable) -> Callable:
    """Undo what a failing ``fit`` has set, so that nothing half-fitted is left.

    An estimator that was fitted before keeps its former state.
    """

    @functools.wraps(fit)
    def wrapper(self, *args, **kwargs):
        before = dict(self.__dict__)
        try:
            return fit(self, *args, **kwargs)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    return wrapper
