"""One modality: its columns, and the shape of one row of it."""

from __future__ import annotations

from collections.abc import Sequence

from .._utils._checks import is_count


class Modality:
    """Columns of one modality, and the shape of one row of it.

    Parameters
    ----------
    columns : str, int, slice, list, bool mask or callable
        A column selector as in :class:`sklearn.compose.ColumnTransformer`: labels for
        data frames, positions or slices of positions for both, or a callable that
        gets X and returns any of these.
    shape : tuple of int, default=None
        Shape of one row, for example ``(1, 28, 28)`` for an image (channels, height,
        width) or ``(24, 3)`` for a series (time steps, channels). None: a vector.

    See Also
    --------
    MultimodalData : Container for blocks that already have a shape.

    Examples
    --------
    >>> from skmissing import Modality
    >>> Modality(slice(2, 786), shape=(1, 28, 28))
    Modality(slice(2, 786, None), shape=(1, 28, 28))
    """

    __slots__ = ("columns", "shape")

    def __init__(self, columns, shape=None) -> None:
        self.columns = columns
        if shape is not None:
            sizes = tuple(shape) if isinstance(shape, Sequence) else ()
            if not sizes or not all(is_count(i) for i in sizes):
                raise ValueError(
                    f"Got shape={shape!r} for a Modality, expected None or a tuple of "
                    "positive integers."
                )
            shape = tuple(int(i) for i in sizes)
        self.shape: tuple[int, ...] | None = shape

    def __repr__(self) -> str:
        return f"Modality({self.columns!r}, shape={self.shape})"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Modality)
            and repr(self.columns) == repr(other.columns)
            and self.shape == other.shape
        )

    __hash__ = None  # type: ignore[assignment]
