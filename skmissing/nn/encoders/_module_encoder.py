"""Encoder around any torch module."""

from __future__ import annotations

import copy
import inspect
from dataclasses import field
from numbers import Integral, Real
from typing import Any, ClassVar

from torch import nn

from ..._utils._parameters import stores_parameters
from ..._utils._sklearn_compat import Interval
from ._encoder import Encoder


@stores_parameters
class ModuleEncoder(Encoder):
    """Use a torch module, pre-trained or not, as the encoder of a modality.

    The block is passed to the module unchanged: integer tokens stay integers, floating
    point values are cast to the dtype of the net, NaN features get their training mean.

    Parameters
    ----------
    module : torch.nn.Module or callable
        A module that maps ``(n, *shape)`` to ``(n, out_features)``, or a function
        without arguments that returns one. A module is copied in ``fit``, so that the
        object passed never changes.
    out_features : int
        Width of what the module returns.
    frozen : bool, default=False
        Keep the module as it is: evaluation mode, no gradients; its outputs are
        computed once for each training (phase) and kept.
    scale_inputs : bool, default=False
        Standardise the block first: per channel for images and series, per feature
        otherwise. Not for integer tokens.
    lr_factor : float, default=1.0
        Factor on the estimator's learning rate for the weights of this encoder.

    Examples
    --------
    >>> from torch import nn
    >>> from skmissing.nn import ModuleEncoder
    >>> tokens = ModuleEncoder(nn.EmbeddingBag(1000, 16), out_features=16)
    >>> tokens.frozen
    False
    """

    module: Any = field(kw_only=False)
    out_features: int = field(kw_only=False)
    frozen: bool = False
    scale_inputs: bool = False
    lr_factor: float = 1.0

    keeps_integers = True

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "module": [callable],
        "out_features": [Interval(Integral, 1, None, closed="left")],
        "frozen": ["boolean"],
        "scale_inputs": ["boolean"],
        "lr_factor": [Interval(Real, 0, None, closed="neither")],
    }

    def statistics_axes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return {3: (1, 2), 2: (0,)}.get(len(shape), ())

    def build(self, shape: tuple[int, ...]) -> nn.Module:
        if isinstance(self.module, nn.Module):
            module = copy.deepcopy(self.module)
        else:
            module = self.module()
            if not isinstance(module, nn.Module):
                raise TypeError(
                    f"Got a {type(module).__name__} from the factory of ModuleEncoder, "
                    "expected a torch.nn.Module."
                )
        return _Wrapped(module, int(self.out_features), bool(self.frozen))


class _Wrapped(nn.Module):
    def __init__(self, module: nn.Module, out_features: int, frozen: bool) -> None:
        super().__init__()
        self.module = module
        self.out_features = out_features
        self.frozen = frozen
        # What learns where the encoder is not frozen: users freeze layers of their own.
        self.learning = [n for n, p in module.named_parameters() if p.requires_grad]
        forward = inspect.signature(module.forward).parameters
        self.takes_lengths = "lengths" in forward
        if frozen:
            set_frozen(self, True)

    def train(self, mode: bool = True) -> _Wrapped:
        # A frozen module never enters training mode: its batch norms would drift.
        super().train(mode)
        if self.frozen:
            self.module.eval()
        return self

    def forward(self, x, lengths=None):
        return self.module(x, lengths=lengths) if self.takes_lengths else self.module(x)


def set_frozen(encoder, frozen: bool) -> None:
    """Keep the module of an encoder as it is, or let it learn."""
    encoder.frozen = frozen
    for name, parameter in encoder.module.named_parameters():
        if name in encoder.learning:
            parameter.requires_grad_(not frozen)
    encoder.train(encoder.training)


def refreeze(encoder, frozen: bool) -> None:
    """The same for the module of any encoder; those of the package are never frozen."""
    if isinstance(encoder, _Wrapped):
        set_frozen(encoder, bool(frozen))
