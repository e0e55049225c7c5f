"""Counts of the combinations of modalities that rows have."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ._read import read_blocks


def patterns(X, modalities=None) -> pd.DataFrame:
    """Count the patterns of present and missing modalities.

    Parameters
    ----------
    X : {array, DataFrame, MultimodalData} with n_samples rows
        The data.
    modalities : mapping or list, default=None
        Columns of each modality, see :class:`~skmissing.Modality`.

    Returns
    -------
    pandas.DataFrame
        One row for each pattern that occurs, the most frequent first. The index is a
        label, the names of the present modalities joined by ``" + "`` or ``"none"``;
        one bool column per modality is True where the pattern has it; ``count`` is
        the number of rows of X and ``share`` their fraction.

    Raises
    ------
    ValueError, TypeError
        For an X that no estimator of the package would take, or a modality named
        ``count`` or ``share``.

    See Also
    --------
    simulate_missing : Hide modalities on purpose.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import MultimodalData
    >>> from skmissing.missingness import patterns
    >>> nan = np.nan
    >>> X = MultimodalData({"labs": [1.0, nan, 2.0, 3.0], "ecg": [nan, nan, 5.0, 6.0]})
    >>> patterns(X)  # doctest: +NORMALIZE_WHITESPACE
                 labs    ecg  count  share
    pattern
    labs + ecg   True   True      2   0.50
    labs         True  False      1   0.25
    none        False  False      1   0.25
    """
    data, _ = read_blocks(X, modalities, "patterns")
    names = data.names
    taken = [name for name in ("count", "share") if name in names]
    if taken:
        raise ValueError(
            f"Got a modality named {taken[0]!r}, expected another name, since the "
            "table of patterns has a column of this name."
        )
    found, count = np.unique(data.present, axis=0, return_counts=True)
    # Ties: more modalities first, then the order of the modalities.
    order = np.lexsort((*(~found.T[::-1]), -found.sum(axis=1), -count))
    found, count = found[order], count[order]
    labels = [
        " + ".join(name for name, present in zip(names, row) if present) or "none"
        for row in found
    ]
    table = pd.DataFrame(
        found, columns=names, index=pd.Index(labels, name="pattern", dtype=object)
    )
    table["count"] = count
    table["share"] = count / count.sum()
    return table
