"""Result of a simulation of missing modalities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .._utils._checks import choose_names
from ..modalities import MultimodalData
from ..modalities._frames import read_frame
from ..modalities._layout import resolve_layout
from ._hide import hide_blocks
from ._solve import HidingModel


class SimulatedMissingness:
    """Which blocks a simulation hides, and how probable that was.

    Built by :func:`simulate_missing`.

    Attributes
    ----------
    names : list of str
        Modalities, in the order of the columns below.
    mask : ndarray of bool of shape (n_samples, n_modalities)
        True where the block is missing after the simulation, be it hidden or missing
        from the start. Fits :meth:`skmissing.MultimodalData.hide`.
    propensity : ndarray of shape (n_samples, n_modalities)
        P(block present after the simulation | row), marginal over the other blocks and
        exact, also under ``keep_one``. 0 where the block was missing from the start.
    scores : ndarray of shape (n_samples, n_modalities)
        Driving scores, 0 under MCAR.
    intercept : ndarray of shape (n_modalities,)
        Intercepts found; ``-inf`` for a modality that is never hidden, ``inf`` for one
        that always is.

    See Also
    --------
    simulate_missing : Makes these objects.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import MultimodalData
    >>> from skmissing.missingness import simulate_missing
    >>> X = MultimodalData({"labs": np.ones((4, 2)), "ecg": np.ones((4, 3))})
    >>> result = simulate_missing(X, rate={"ecg": 0.25}, random_state=0)
    >>> result.propensity[:, 1].round(4).tolist()
    [0.75, 0.75, 0.75, 0.75]
    >>> result.prob(["labs", "ecg"]).round(4).tolist()
    [0.75, 0.75, 0.75, 0.75]
    """

    def __init__(
        self,
        *,
        names: list[str],
        mask: np.ndarray,
        scores: np.ndarray,
        model: HidingModel,
        mechanism: str,
        modalities,
    ) -> None:
        self.names, self.mask, self.scores = names, mask, scores
        self.intercept = model.intercept
        self.propensity = 1.0 - model.hidden_probability()
        self._model, self._mechanism, self._modalities = model, mechanism, modalities

    def __len__(self) -> int:
        return len(self.mask)

    def __repr__(self) -> str:
        share = ", ".join(
            f"{name} {100 * missing:.1f}%"
            for name, missing in zip(self.names, self.mask.mean(axis=0))
        )
        return (
            f"SimulatedMissingness of {len(self)} rows ({self._mechanism}), "
            f"missing: {share}"
        )

    def prob(self, required: str | Sequence[str] | None = None) -> np.ndarray:
        """Probability that a row has all of some modalities.

        Parameters
        ----------
        required : str or sequence of str, default=None
            Names of the modalities; None means all of them.

        Returns
        -------
        ndarray of shape (n_samples,)
            P(all required blocks present | row), exact. 0 for rows in which one of
            them was missing from the start.

        Raises
        ------
        ValueError
            For an unknown modality or an empty list.

        Notes
        -----
        With ``p_m`` the probability of hiding block ``m`` before conditioning, blocks
        are drawn independently, so this is the product of ``1 - p_m`` over the
        required blocks; under ``keep_one`` divided by 1 minus the product of all
        ``p_m``, in rows where every block may be hidden.

        Examples
        --------
        >>> import numpy as np
        >>> from skmissing import MultimodalData
        >>> from skmissing.missingness import simulate_missing
        >>> X = MultimodalData({"a": np.zeros(4), "b": np.ones(4)})
        >>> result = simulate_missing(X, rate={"a": 0.2, "b": 0.5}, random_state=0)
        >>> result.prob(["a", "b"]).round(6).tolist()
        [0.4, 0.4, 0.4, 0.4]
        """
        given = self.names if required is None else required
        wanted = choose_names(given, self.names, "required")
        index = [self.names.index(name) for name in dict.fromkeys(wanted)]
        return self._model.kept_probability(index)

    def apply(self, X):
        """Hide the blocks in the data.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            The data that was simulated on, in this or another form.

        Returns
        -------
        X_missing : same kind as X
            A new object; X is not changed. In tables the columns of hidden blocks are
            NaN, columns of integers and booleans with hidden rows become float64,
            covariate columns stay. Blocks of a MultimodalData are shared.

        Raises
        ------
        ValueError
            If X has other rows or modalities than the simulation.
        """
        if len(X) != len(self):
            raise ValueError(
                f"Got X with {len(X)} rows, expected {len(self)} as in the simulation."
            )
        if isinstance(X, MultimodalData):
            names = X.names
        else:
            table = read_frame(X)
            table = table if isinstance(table, pd.DataFrame) else np.asarray(table)
            names = resolve_layout(table, self._modalities).names
        if not set(self.names) <= set(names):
            raise ValueError(
                f"Got X with the modalities {names}, expected {self.names} as in the "
                "simulation."
            )
        return hide_blocks(X, self.mask, self.names, self._modalities)
