"""Tensors, modules and nets: the only file here that imports torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from skorch.history import History
from torch import nn

from ..exceptions import ModelFileError
from ..nn._engine import SkmissingNet, restore_net

# What recurrent layers keep beside their parameters, and make of them.
_DERIVED = frozenset({"_flat_weights", "_flat_weight_refs"})


def take_tensor(tensor: torch.Tensor) -> dict[str, Any]:
    """Values in memory order, so that the layout of an image filter is kept."""
    if type(tensor) not in (torch.Tensor, nn.Parameter):
        raise ModelFileError(
            f"Got a tensor of type {type(tensor).__name__}, expected plain ones."
        )
    values = tensor.detach().cpu()
    if _extent(values.shape, values.stride()) != values.numel():
        values = values.contiguous()
    half = values.dtype == torch.bfloat16
    flat = values.as_strided((values.numel(),), (1,))
    return {
        "array": (flat.view(torch.int16) if half else flat).numpy(),
        "shape": list(values.shape),
        "stride": list(values.stride()),
        "parameter": isinstance(tensor, nn.Parameter),
        "requires_grad": tensor.requires_grad,
        "bfloat16": half,
    }


def _extent(shape: Sequence[int], stride: Sequence[int]) -> int:
    """Values from the first of a tensor to its last, in memory."""
    if 0 in shape:
        return 0
    return 1 + sum((size - 1) * step for size, step in zip(shape, stride))


def make_tensor(state: dict[str, Any]) -> torch.Tensor:
    """A tensor on the CPU."""
    flat = torch.from_numpy(np.asarray(state["array"]))
    if state["bfloat16"]:
        flat = flat.view(torch.bfloat16)
    # Refused by torch where it goes beyond the values.
    values = flat.as_strided(tuple(state["shape"]), tuple(state["stride"]))
    grad = bool(state["requires_grad"])
    if state["parameter"]:
        return nn.Parameter(values, requires_grad=grad)
    return values.requires_grad_(grad)


def take_torch_value(value) -> str:
    """Name of a type or a device."""
    return str(value)


def make_torch_value(name: str) -> torch.dtype | torch.device:
    """A type or a device by its name; the CPU for devices that are not here."""
    if name.startswith("torch."):
        found = getattr(torch, name.removeprefix("torch."))
        if not isinstance(found, torch.dtype):
            raise ModelFileError(f"Got {name[:40]!r}, expected a type of torch.")
        return found
    return torch.device(_present(name))


def _present(device: str) -> str:
    """A device of this machine: the one of the file, or else the CPU."""
    wanted = torch.device(device)
    if wanted.type == "cuda" and torch.cuda.device_count() > (wanted.index or 0):
        return device
    mps = wanted.type == "mps" and torch.backends.mps.is_available()
    return device if mps else "cpu"


def take_history(history: History) -> list[Any]:
    """Rows of the epochs."""
    return list(history)


def make_history(rows: list[Any]) -> History:
    """The history of a net."""
    return History(rows)


def take_net(net: SkmissingNet) -> dict[str, Any]:
    """What predicts, and what users read; nothing that only training needs."""
    return {
        "module": net.module_,
        "history": net.history,
        "device": str(net.device),
        "lr": net.lr,
        "max_epochs": net.max_epochs,
        "batch_size": net.batch_size,
        "seed": net.seed,
    }


def make_net(state: dict[str, Any]) -> SkmissingNet:
    """A net that is ready to predict, where it was trained or else on the CPU."""
    module, history = state["module"], state["history"]
    if not isinstance(module, nn.Module) or not isinstance(history, History):
        raise ModelFileError("Got no module for a net, expected one.")
    rest = {k: state[k] for k in ("lr", "max_epochs", "batch_size", "seed")}
    return restore_net(module, history, device=_present(state["device"]), **rest)


def module_state(module: nn.Module) -> dict[str, Any]:
    """Attributes of a module that differ from those of an empty one."""
    empty = nn.Module().__dict__
    return {
        name: value
        for name, value in module.__dict__.items()
        if name not in _DERIVED
        and not (name in empty and name != "training" and not value and not empty[name])
    }


def fill_module(module: nn.Module, state: dict[str, Any]) -> None:
    """Give an empty module its attributes."""
    nn.Module.__init__(module)
    module.__dict__.update(state)
    if isinstance(module, nn.RNNBase):
        own = dict(module.named_parameters(recurse=False))
        weights = [own.get(name) for name in module.__dict__["_flat_weights_names"]]
        derived = {"_flat_weights": weights, "proj_size": module.proj_size}
        nn.RNNBase.__setstate__(module, derived)


def has_plain_state(kind: type) -> bool:
    """Whether a class is one of modules whose state is their attributes."""
    return issubclass(kind, nn.Module) and kind.__setstate__ in (
        nn.Module.__setstate__, nn.RNNBase.__setstate__,
    )  # fmt: skip
