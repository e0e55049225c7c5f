"""Random numbers that leave NumPy's global generator alone."""

from __future__ import annotations

import numpy as np


def local_random_state(random_state) -> np.random.RandomState:
    """Random numbers for one fit, without touching NumPy's global generator."""
    if random_state is None:
        return np.random.RandomState(np.random.SeedSequence().generate_state(8))
    if isinstance(random_state, np.random.RandomState):
        return random_state
    return np.random.RandomState(random_state)


def draw_seed(random_state: np.random.RandomState) -> int:
    """One seed for another generator."""
    return int(random_state.randint(np.iinfo(np.int32).max))
