"""One thread for linear algebra on small matrices."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

_LOCK = threading.Lock()
_users = 0
_limit: Any = nullcontext()


@cache
def _controller() -> ThreadpoolController:
    # Looking for the libraries takes longer than a small table: done once. numpy's and
    # scipy's have been loaded by the time of the first call.
    return ThreadpoolController()


@contextmanager
def single_thread() -> Iterator[None]:
    """Run BLAS and LAPACK in one thread, and restore the former numbers.

    The matrices here have a few hundred rows. Two threads gain little on them on an
    idle machine, but their waiting for each other can take a hundred times as long as
    the work where another process wants a core. It also makes results independent of
    the number of threads.

    Yields
    ------
    None

    Notes
    -----
    The number belongs to the process: of several callers in different threads, the
    first sets it and the last restores it.
    """
    global _users, _limit
    with _LOCK:
        if _users == 0:
            _limit = _controller().limit(limits=1, user_api="blas")
            _limit.__enter__()
        _users += 1
    try:
        yield
    finally:
        with _LOCK:
            _users -= 1
            if _users == 0:
                _limit.__exit__(None, None, None)
