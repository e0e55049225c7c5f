"""Recovery by a variational auto-encoder."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from .._estimation._rows import LabelledRows
from .._utils._checks import is_count
from .._utils._parameters import stores_parameters
from .._utils._random import draw_seed, local_random_state
from .._utils._sklearn_compat import Interval, StrOptions
from .._utils._warn import warn_user
from ..exceptions import EmptyRowWarning
from ..modalities._multimodal_data import MultimodalData
from ..modalities._validation import check_multimodal
from ..nn._callbacks import reports_fit
from ..nn._encoder_bank import EncoderBank
from ..nn._fitted_net import PREDICT_BATCH, FittedNet
from ..nn._net_parameters import NetParameters
from ..nn._runtime import inference, torch_threads
from ..nn._training import TrainingPlan, train_net
from ..nn.encoders._encoder import check_widths
from ._base import RECOVER_ROWS, BaseRecovery, Recovered
from ._vae_module import VAEBlock, VAEModule, VAESettings


@stores_parameters
class MultimodalVAE(NetParameters, BaseRecovery):
    """Fill missing modalities with a multimodal variational auto-encoder.

    Each modality of a row is encoded as a Gaussian over latent vectors. Their
    combination is decoded into the missing modalities only. Complete and incomplete
    rows are used in training.

    Parameters
    ----------
    fusion : {"mopoe", "poe", "moe"}, default="mopoe"
        How the experts are combined: products over random subsets of the modalities of
        a row, the product of all (half of the time, else of a subset, in training), or
        one expert at a time.
    latent_dim : int, default=32
        Length of the latent vector.
    beta : float, default=1.0
        Weight of the divergence from the prior.
    likelihood : {"normal", "laplace"}, default="normal"
        Misfit of the standardised features: squared or absolute.
    scale : float, default=0.5
        Scale of the likelihood, in standard deviations of a feature. Smaller ones
        fit finer detail and regularise less.
    hidden : sequence of int, default=(128,)
        Widths of the decoders' layers. Images are decoded by transposed convolutions,
        whose first map has as many channels as the last of them.
    n_draws : int, default=None
        Monte Carlo draws of the latent vector that ``transform`` decodes and averages.
        None: decodes the posterior mean. The draws are the same for all rows and calls.
    shared_noise : bool, default=False
        In training, draw noise once per batch instead of once per row. Slower to
        learn; a weight of 2 is then the same as two rows.
    output : {"filled", "latent"}, default="filled"
        What ``transform`` returns: X with its missing blocks filled, or the mean of the
        latent vector of each row. With a classifier after it, the latter is the
        classifier of the papers below.
    %(parameters)s

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net.
    n_iter_ : int
        Number of epochs run.
    means_ : dict of str to ndarray
        Mean of every feature over the training rows that have the modality.
    %(attributes)s

    Raises
    ------
    ValueError
        In ``fit``, for a frozen encoder, an encoder for an unknown modality, and
        unusable data.

    See Also
    --------
    RegressionRecovery : Without a net, often as good for tables.
    skmissing.nn.LatentFusion : A latent vector that is trained for the label.

    Notes
    -----
    With :math:`q_S` the product of the experts of the modalities S and of a standard
    normal one, the loss of a row that has P is

    .. math::

        E_{S \\subseteq P} \\left[ - E_{q_S(z)} \\sum_{m \\in P} \\log p(x_m | z)
        + \\beta\\, KL(q_S(z) \\| N(0, I)) \\right],

    with S drawn anew for every row and batch, every part as likely ("mopoe";
    :cite:t:`mopoe`, equation 5), S = P half of the time ("poe"; :cite:t:`mvae`), or a
    single modality and no prior expert ("moe"; :cite:t:`mmvae`). Likelihoods are
    averaged over the features of a block and multiplied by the mean size of blocks, so
    that all modalities count the same. The paper adds the prior's expert to the
    product of all modalities only; here every product has it.

    NaN features of a present block count as their mean, also as targets of the decoder.
    Early stopping uses the error of blocks of held-out rows that are decoded from the
    others; groups are held out as a whole.

    Examples
    --------
    >>> import numpy as np
    >>> from skmissing import MultimodalData
    >>> from skmissing.recovery import MultimodalVAE
    >>> rng = np.random.default_rng(0)
    >>> a = rng.normal(size=(400, 2))
    >>> X = MultimodalData({"a": a, "b": a @ rng.normal(size=(2, 4))})
    >>> X = X.hide({"b": np.arange(400) % 2 == 0})
    >>> vae = MultimodalVAE(latent_dim=2, max_epochs=30, lr=1e-2, random_state=0,
    ...                     n_threads=1)
    >>> bool(vae.fit(X[:300]).score(X[300:]) > 0.8)
    True
    """

    fusion: str = "mopoe"
    latent_dim: int = 32
    beta: float = 1.0
    likelihood: str = "normal"
    scale: float = 0.5
    hidden: Sequence[int] = (128,)
    n_draws: int | None = None
    shared_noise: bool = False
    output: str = "filled"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "fusion": [StrOptions({"mopoe", "poe", "moe"})],
        "latent_dim": [Interval(Integral, 1, None, closed="left")],
        "beta": [Interval(Real, 0, None, closed="left")],
        "likelihood": [StrOptions({"normal", "laplace"})],
        "scale": [Interval(Real, 0, None, closed="neither")],
        "hidden": ["array-like"],
        "n_draws": [Interval(Integral, 1, None, closed="left"), None],
        "shared_noise": ["boolean"],
        "output": [StrOptions({"filled", "latent"})],
    }

    fit = reports_fit(BaseRecovery.fit)

    def _embeds_tokens(self) -> bool:
        # What the decoder makes of a block are numbers.
        return False

    def _fit_rows(self, rows: LabelledRows) -> None:
        data = rows.data
        if len(self.hidden):
            check_widths("hidden", self.hidden)
        encoders = self._resolve_encoders(data)
        for name, encoder in encoders.items():
            # The decoder learns the blocks, on a linear scale.
            if "missing_features" in encoder.get_params(deep=False):
                encoders[name] = clone(encoder).set_params(
                    missing_features="mean", scale_inputs=bool(encoder.scale_inputs)
                )
            if encoder.reads_tokens:
                raise ValueError(
                    f"Got an EmbeddingEncoder for the modality {name!r}, expected an "
                    "encoder of numbers; tokens cannot be recovered."
                )
            if encoder.frozen:
                raise ValueError(
                    f"Got a frozen encoder for the modality {name!r}, expected one "
                    "that is trained; the decoder needs its inputs."
                )
        rng = local_random_state(self.random_state)
        self._noise_seed = draw_seed(rng)
        blocks = {
            name: VAEBlock(column, shape, self.means_[name], self._deviations[name])
            for column, (name, shape) in enumerate(data.block_shapes.items())
            if name in self.means_
        }
        settings = VAESettings(
            fusion=self.fusion,
            latent_dim=int(self.latent_dim),
            hidden=tuple(self.hidden),
            beta=float(self.beta),
            likelihood=self.likelihood,
            scale=float(self.scale),
            shared_noise=bool(self.shared_noise),
        )

        def build(bank: EncoderBank) -> VAEModule:
            return VAEModule(bank, [blocks[name] for name in bank.names], settings)

        self._fitted: FittedNet = train_net(
            self._training_params(),
            rows,
            encoders,
            build,
            rng,
            TrainingPlan(label=type(self).__name__),
        )
        self.net_ = self._fitted.net
        self.n_iter_ = len(self.net_.history)

    # -- latent vectors ----------------------------------------------------------------

    def _output(self, X, data: MultimodalData):
        if self.output == "filled":
            return super()._output(X, data)
        some = np.asarray(self._fitted.usable(data).any(axis=1))
        out = np.zeros((len(data), int(self.latent_dim)))
        if not some.all():
            warn_user(
                f"Got {int((~some).sum())} of {len(some)} rows without a usable "
                "modality; their latent vectors are zeros.",
                EmptyRowWarning,
            )
        if some.any():
            with torch_threads(self.n_threads):
                latent = self._fitted.apply(
                    data if some.all() else data[some],
                    lambda net, batch: _latent(net, batch, None, None),
                )
            out[some] = latent[:, 0]
        return out

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Names of the output columns: those of the input, or numbered latent ones.

        Parameters
        ----------
        input_features : array of str, default=None
            Checked against the names seen in ``fit``.

        Returns
        -------
        ndarray of str
        """
        if self.output == "filled":
            return super().get_feature_names_out(input_features)
        check_is_fitted(self)
        names = [f"multimodalvae{i}" for i in range(int(self.latent_dim))]
        return np.asarray(names, dtype=object)

    # -- recovery ----------------------------------------------------------------------

    def _recover(self, data: MultimodalData) -> Recovered:
        drawn = self._recover_draws(data, self.n_draws)
        return {name: values.mean(axis=0) for name, values in drawn.items()}

    def _recover_draws(
        self, data: MultimodalData, n_draws: int | None
    ) -> dict[str, np.ndarray]:
        """Values of missing blocks, (n_draws or 1, n_missing, ...)."""
        noise = u = None
        if n_draws is not None:
            draws = np.random.RandomState(self._noise_seed)
            # One after the other: the first of more draws are those of fewer.
            pairs = [
                (draws.standard_normal(int(self.latent_dim)), draws.uniform())
                for _ in range(int(n_draws))
            ]
            noise = torch.from_numpy(np.stack([pair[0] for pair in pairs]))
            u = torch.tensor([pair[1] for pair in pairs])
        k = 1 if n_draws is None else int(n_draws)
        usable = self._fitted.usable(data)
        some = np.asarray(usable.any(axis=1))
        module: Any = self._fitted.module
        z = np.zeros((len(data), k, int(self.latent_dim)))
        out = {}
        with torch_threads(self.n_threads):
            wanted = some & ~data.present.all(axis=1)
            if wanted.any():
                z[wanted] = self._fitted.apply(
                    data[wanted], lambda net, batch: _latent(net, batch, noise, u)
                )
            for name in self.means_:
                missing = ~data.present[:, data.names.index(name)]
                values = np.stack([self._mean_rows(name, int(missing.sum()))] * k)
                rows = np.flatnonzero(some[missing])
                decoder = module.decoders[module.bank.names.index(name)]
                for j in range(k):
                    flat = _decode(decoder, z[missing][rows, j])
                    values[j, rows] = self._unscaled(name, flat)
                out[name] = values
        return out

    def sample(self, X, n_draws: int = 5) -> list:
        """Fill the missing blocks several times, with draws of the latent vector.

        Parameters
        ----------
        X : {array, DataFrame, MultimodalData} with n_samples rows
            Any pattern of missing modalities.
        n_draws : int, default=5
            Number of draws; the first of more are those of fewer.

        Returns
        -------
        list of same kind as X
            One for each draw. Decoded is the mean of the likelihood, whose noise is not
            added.
        """
        check_is_fitted(self)
        if not is_count(n_draws):
            raise ValueError(f"Got n_draws={n_draws!r}, expected a positive integer.")
        data = check_multimodal(self, X, self.modalities, reset=False)
        parts = [
            self._recover_draws(data[start : start + RECOVER_ROWS], int(n_draws))
            for start in range(0, len(data), RECOVER_ROWS)
        ]
        return [
            self._like(
                X,
                data,
                self._pad(
                    {
                        name: np.concatenate([p[name][j] for p in parts])
                        for name in parts[0]
                    }
                ),
            )
            for j in range(int(n_draws))
        ]


def _latent(module, batch, noise, u):
    return module.latent(batch, noise, u)


def _decode(decoder, z: np.ndarray) -> np.ndarray:
    """Standardised blocks of latent vectors, float64."""
    like = next(decoder.parameters())
    decoder.eval()
    with inference():
        parts = [
            decoder(part.to(like)).cpu().double().numpy()
            for part in torch.from_numpy(z).split(PREDICT_BATCH)
        ]
    return np.concatenate(parts)
