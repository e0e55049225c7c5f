"""The kind of table that a transformer returns for a table."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd

from .._utils._sklearn_compat import output_container
from ._frames import like_frame, to_polars


class TableOutput:
    """``set_output`` for transformers that may also return a container of blocks.

    A container cannot be wrapped, so they opt out of scikit-learn's own wrapping.
    """

    _sklearn_output_config: dict[str, str]

    def set_output(self, *, transform=None) -> Self:
        """Choose the kind of table that ``transform`` returns for a table.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            "default": the kind of X. None changes nothing. A
            :class:`~skmissing.MultimodalData` stays one in any case, since its blocks
            have shapes; its ``to_frame`` makes a table of it.

        Returns
        -------
        self
        """
        if transform is not None:
            self._sklearn_output_config = {"transform": transform}
        return self

    def _in_container(self, out, X) -> Any:
        """A result as the table that was asked for, or as X is one."""
        kind = output_container(self)
        if not isinstance(out, pd.DataFrame | np.ndarray):
            return out
        if kind == "default":
            return like_frame(out, X) if isinstance(out, pd.DataFrame) else out
        if isinstance(out, np.ndarray):
            names = [f"x{i}" for i in range(out.shape[1])]
            out = pd.DataFrame(out, columns=names)
        return to_polars(out) if kind == "polars" else out
