"""Work that grew too fast with the number of modalities."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from skmissing import MultimodalData
from skmissing.missingness import simulate_missing
from skmissing.missingness._solve import check_feasible


def is_feasible(rates, present):
    """Every set of modalities keeps a block for each row that has no others."""
    kept = (1.0 - rates) * present.sum(axis=0)
    for size in range(1, len(rates) + 1):
        for chosen in combinations(range(len(rates)), size):
            outside = np.delete(present, chosen, axis=1).any(axis=1)
            need = (present.any(axis=1) & ~outside).sum()
            if kept[list(chosen)].sum() < need * (1.0 - 1e-9):
                return False
    return True


def test_feasible_rates_are_those_that_every_set_of_modalities_allows():
    outcomes = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        m = rng.integers(2, 6)
        present = rng.random((rng.integers(3, 60), m)) < rng.uniform(0.2, 0.9)
        rates = np.round(rng.random(m), 2)
        if rng.random() < 0.3:
            rates[rng.integers(m)] = 0.0
        if present.all():
            continue
        outcomes.append(is_feasible(rates, present))
        names = [f"m{i}" for i in range(m)]
        if outcomes[-1]:
            check_feasible(rates, present, names)
        else:
            with pytest.raises(ValueError, match="Got missing rates that keep"):
                check_feasible(rates, present, names)
    assert 60 < sum(outcomes) < len(outcomes) - 60


def test_one_kept_block_of_many_modalities():
    rng = np.random.default_rng(0)
    X = MultimodalData(
        {f"m{i}": np.ones((300, 1)) for i in range(40)},
        present=np.column_stack([np.ones(300, bool), rng.random((300, 39)) < 0.5]),
    )
    result = simulate_missing(X, rate=0.8, keep_one=True, random_state=0)
    assert result.apply(X).present.any(axis=1).all()
    assert np.mean(result.mask[X.present]) == pytest.approx(0.8, abs=0.02)
