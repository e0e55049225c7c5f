"""One thread for work that is too small to be shared."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    # Looking for the libraries takes as long as a small table: done once. numpy's and
    # scipy's have been loaded by the time of the first call.
    return ThreadpoolController()


@contextmanager
def single_thread(user_api: str | None = "blas") -> Iterator[None]:
    """Run BLAS and LAPACK, or OpenMP, in one thread, and restore the former numbers.

    For tables of some hundred rows. Two threads gain little on them on an idle machine,
    but their waiting for each other can take a hundred times as long as the work where
    another process wants a core. It also makes results independent of the number of
    threads.

    The number belongs to the process, and two threads that set and restore it could
    restore the number of each other. So only the main thread does; others run with the
    number they find.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with _controller().limit(limits=1, user_api=user_api):
        yield
