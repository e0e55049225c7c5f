"""Threads, random numbers and devices: the only place that touches torch's globals."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

DTYPES = {"float32": torch.float32, "float64": torch.float64}

# torch's default generator and thread count belong to the process. Fits that run in
# several threads of one process take turns, or their random numbers would mix.
_GLOBALS = threading.RLock()


_PROCESS = os.getpid()


@contextmanager
def torch_threads(n_threads: int | None) -> Iterator[None]:
    """Set torch's intra-op threads, and restore the former number.

    Only around work that waits for no other thread of the process, or the two would
    wait for each other for ever.
    """
    if os.getpid() != _PROCESS:
        # The threads of the parent do not exist in a forked child, which would wait for
        # them for ever.
        n_threads = 1
    if n_threads is None:
        yield
        return
    # Taken also where the number is right already: another thread of this process may
    # be about to restore a different one.
    with _GLOBALS:
        before = torch.get_num_threads()
        # True is an integer for scikit-learn, and none for torch.
        torch.set_num_threads(int(n_threads))
        try:
            yield
        finally:
            torch.set_num_threads(before)


@contextmanager
def _full_precision() -> Iterator[None]:
    """Run in the type of the net, whatever ``torch.autocast`` is around."""
    with torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
        yield


@contextmanager
def inference() -> Iterator[None]:
    """Run without gradients, and in the type of the net."""
    with torch.inference_mode(), _full_precision():
        yield


@contextmanager
def plain_torch() -> Iterator[None]:
    """Run with gradients and torch's own default type and device.

    What the process has changed would change initial weights, or stop the training.
    """
    # In torch 2.6 get_default_device fails after a device was set and taken back.
    dtype, device = torch.get_default_dtype(), torch.empty(0).device
    with _GLOBALS, torch.inference_mode(False), torch.enable_grad(), _full_precision():
        torch.set_default_dtype(torch.float32)
        if device.type != "cpu":
            torch.set_default_device("cpu")
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)
            if device.type != "cpu":
                torch.set_default_device(device)


def load_compiler() -> None:
    """Import what torch's optimizers import in their first step, as a whole.

    An interrupt in the middle of it leaves half of a library behind, and every later
    training fails; so an interrupt waits until the import is done.
    """
    if "torch._dynamo" in sys.modules:
        return
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is None:
        importlib.import_module("torch._dynamo")
        return
    interrupts: list[int] = []
    former = signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
    try:
        importlib.import_module("torch._dynamo")
    finally:
        signal.signal(signal.SIGINT, former)
    if interrupts:
        raise KeyboardInterrupt


@contextmanager
def seeded_torch(seed: int, device: torch.device) -> Iterator[None]:
    """Run with a seeded default generator, and put the former state back.

    Initial weights and dropout of torch modules draw from the default generator; there
    is no other way to seed them.
    """
    with _GLOBALS:
        generators = [torch.default_generator]
        if device.type == "cuda":
            torch.cuda.init()
            index: Any = device.index
            if index is None:
                index = torch.cuda.current_device()
            generators.append(torch.cuda.default_generators[index])
        states = [g.get_state() for g in generators]
        try:
            for g in generators:
                g.manual_seed(seed)
            yield
        finally:
            for g, state in zip(generators, states):
                g.set_state(state)


def resolve_device(device: str) -> torch.device:
    """Device by name; "auto" takes a CUDA device where there is one."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        out = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f"Got device={device!r}, expected 'auto' or a torch device such as "
            "'cpu' or 'cuda'."
        ) from error
    if out.type == "cuda":
        available = torch.cuda.device_count() > (out.index or 0)
    elif out.type == "mps":
        available = torch.backends.mps.is_available()
    else:
        available = out.type == "cpu"
    if not available:
        raise ValueError(
            f"Got device={device!r}, expected a device that this machine has; 'auto' "
            "picks one."
        )
    return out
