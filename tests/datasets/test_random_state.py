import numpy as np
import pandas as pd
import pytest

from skmissing.datasets import make_bitwise, make_simulation, make_xor

GENERATORS = {
    "bitwise": lambda seed: make_bitwise(200, mechanism="mar", random_state=seed),
    "xor": lambda seed: make_xor(200, random_state=seed),
    "simulation": lambda seed: make_simulation(
        n_samples=200, n_trees=2, n_missing_clusters=10, random_state=seed
    ),
}


@pytest.mark.parametrize("generate", GENERATORS.values(), ids=list(GENERATORS))
def test_same_seed_same_data(generate):
    one, two, other = generate(0), generate(0), generate(1)
    pd.testing.assert_frame_equal(one.data.to_frame(), two.data.to_frame())
    np.testing.assert_array_equal(one.target, two.target)
    assert not one.data.to_frame().equals(other.data.to_frame())
    # A generator object moves on, so that a second data set differs.
    rng = np.random.RandomState(0)
    assert not generate(rng).data.to_frame().equals(generate(rng).data.to_frame())


@pytest.mark.parametrize("generate", GENERATORS.values(), ids=list(GENERATORS))
def test_global_state_is_untouched(generate):
    before = np.random.get_state()
    first, second = generate(None), generate(None)
    generate(0)
    after = np.random.get_state()
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2] == after[2]
    assert not first.data.to_frame().equals(second.data.to_frame())
