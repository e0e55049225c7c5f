"""Progress bars."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable


class Progress:
    """Lines and bars that are shown if asked for, bars only in a terminal.

    Nothing of tqdm is made for hidden ones: it would leave a semaphore behind in each
    worker process, of which Python warns at exit.
    """

    def __init__(self, verbose: int) -> None:
        self.shown = bool(verbose)

    def announce(self, line: str) -> None:
        """A line before the first bar, which a log may hold too."""
        if self.shown:
            from tqdm.auto import tqdm

            tqdm.write(line, file=sys.stderr)

    def over(self, label: str) -> Callable[[Iterable, int], Iterable]:
        """A wrapper of an iteration, given its items and their number."""
        if not self.shown:
            return lambda items, _: items
        from tqdm.auto import tqdm

        # None: no bar where the output is no terminal.
        return lambda items, total: tqdm(
            items, total=total, desc=label, disable=None, leave=False
        )
