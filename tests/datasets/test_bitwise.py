import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from skmissing import MultimodalData
from skmissing.datasets import make_bitwise

FIELDS = [
    "auc_x1",
    "auc_x2",
    "mi_x1",
    "mi_x2",
    "unique_x1",
    "unique_x2",
    "redundant",
    "synergistic",
    "mi_joint",
]
SYMMETRIC = [5 / 6, 5 / 6, 0.311278, 0.311278, 0, 0, 0.311278, 0.5, 0.811278]
XOR = [0.5, 0.5, 0, 0, 0, 0, 0, 1, 1]
# fmt: off
TABLE = {
    ("and", "none"): SYMMETRIC,
    ("and", "mcar"): SYMMETRIC,
    ("and", "mar"): [2 / 3, 11 / 12, 0.170951, 0.609987, 0, 0.439036, 0.170951,
                     0.360964, 0.970951],
    ("and", "mnar"): [11 / 12, 2 / 3, 0.609987, 0.170951, 0.439036, 0, 0.170951,
                      0.360964, 0.970951],
    ("or", "none"): SYMMETRIC,
    ("or", "mcar"): SYMMETRIC,
    ("or", "mar"): [17 / 18, 7 / 9, 0.268996, 0.108032, 0.160964, 0, 0.108032, 0.2,
                    0.468996],
    ("or", "mnar"): [7 / 9, 17 / 18, 0.108032, 0.268996, 0, 0.160964, 0.108032, 0.2,
                     0.468996],
    ("xor", "none"): XOR,
    ("xor", "mcar"): XOR,
    ("xor", "mar"): [0.5, 0.8, 0, 0.278072, 0, 0.278072, 0, 0.721928, 1],
    ("xor", "mnar"): [0.8, 0.5, 0.278072, 0, 0.278072, 0, 0, 0.721928, 1],
}
# fmt: on


@pytest.mark.parametrize(("gate", "mechanism"), list(TABLE))
def test_oracle_table(gate, mechanism):
    oracle = make_bitwise(10, gate=gate, mechanism=mechanism, random_state=0).oracle
    expected = {
        "true": dict(zip(FIELDS, TABLE[gate, "none"])),
        "observed": dict(zip(FIELDS, TABLE[gate, mechanism])),
    }
    for name, values in expected.items():
        got = oracle[name]
        for field, value in values.items():
            # The table has six decimals.
            assert got[field] == pytest.approx(value, abs=6e-7), (name, field)
        assert got["auc_both"] == 1.0
        assert got["best_log_loss_both"] == 0.0
        for one in ("x1", "x2"):
            loss = (values["mi_joint"] - values[f"mi_{one}"]) * np.log(2.0)
            assert got[f"best_log_loss_{one}"] == pytest.approx(loss, abs=1.5e-6)


@pytest.mark.parametrize("mechanism", ["mcar", "mar", "mnar"])
@pytest.mark.parametrize("gate", ["and", "or", "xor"])
def test_oracle_is_what_a_sample_shows(gate, mechanism):
    bunch = make_bitwise(100_000, gate=gate, mechanism=mechanism, random_state=1)
    y = bunch.target
    for name, rows in (
        ("true", np.ones(len(y), dtype=bool)),
        ("observed", ~bunch.mask[:, 1]),
    ):
        for one in ("x1", "x2"):
            x = bunch.complete_data[one][rows, 0]
            rate = np.array([y[rows][x == bit].mean() for bit in (0, 1)])
            score = rate[x.astype(int)]
            oracle = bunch.oracle[name]
            # A bit that says nothing gets a random direction from the sample.
            auc = roc_auc_score(y[rows], score)
            assert auc == pytest.approx(oracle[f"auc_{one}"], abs=0.01)
            loss = log_loss(y[rows], score)
            assert loss == pytest.approx(oracle[f"best_log_loss_{one}"], abs=0.01)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("mechanism", ["none", "mcar", "mar", "mnar"])
def test_propensity_is_the_frequency(mechanism, seed):
    bunch = make_bitwise(20_000, mechanism=mechanism, random_state=seed)
    observed = ~bunch.mask[:, 1]
    for p in np.unique(bunch.propensity):
        rows = bunch.propensity == p
        sd = np.sqrt(p * (1 - p) / rows.sum())
        assert abs(observed[rows].mean() - p) <= 5 * sd
    driver = {"mar": "x1", "mnar": "x2"}.get(mechanism)
    if driver is not None:
        bit = bunch.complete_data[driver][:, 0]
        np.testing.assert_allclose(bunch.propensity, 0.2 + 0.6 * bit)
    else:
        assert set(bunch.propensity) == {1.0 if mechanism == "none" else 0.5}


@pytest.mark.parametrize(
    ("gate", "function"),
    [("and", np.bitwise_and), ("or", np.bitwise_or), ("xor", np.bitwise_xor)],
)
def test_blocks_and_label(gate, function):
    bunch = make_bitwise(500, gate=gate, mechanism="mar", random_state=0)
    assert isinstance(bunch.data, MultimodalData)
    assert bunch.modalities == bunch.data.names == ["x1", "x2"]
    x1, x2 = (bunch.complete_data[name][:, 0] for name in ("x1", "x2"))
    np.testing.assert_array_equal(bunch.target, function(x1 > 0, x2 > 0))
    np.testing.assert_array_equal(bunch.data.present, ~bunch.mask)
    assert not bunch.mask[:, 0].any()
    hidden = bunch.mask[:, 1]
    assert np.isnan(bunch.data["x2"][hidden]).all()
    np.testing.assert_array_equal(bunch.data["x2"][~hidden, 0], x2[~hidden])
    assert bunch.complete_data.present.all()
    assert gate.upper() in bunch.DESCR
    assert bunch.frame is None


def test_forms_agree():
    bunch = make_bitwise(300, mechanism="mnar", random_state=3)
    X, y = make_bitwise(300, mechanism="mnar", return_X_y=True, random_state=3)
    framed = make_bitwise(300, mechanism="mnar", as_frame=True, random_state=3)
    pd.testing.assert_frame_equal(X.to_frame(), bunch.data.to_frame())
    pd.testing.assert_frame_equal(framed.data, bunch.data.to_frame())
    pd.testing.assert_frame_equal(framed.complete_data, bunch.complete_data.to_frame())
    np.testing.assert_array_equal(y, bunch.target)
    assert list(framed.data) == ["x1__0", "x2__0"]
    assert list(framed.frame) == ["x1__0", "x2__0", "target"]
    assert framed.modalities == {"x1": ["x1__0"], "x2": ["x2__0"]}
    assert isinstance(framed.target, pd.Series)
    pickle.loads(pickle.dumps(framed))


def test_bad_input():
    with pytest.raises(ValueError, match="gate"):
        make_bitwise(gate="nand")
    with pytest.raises(ValueError, match="mechanism"):
        make_bitwise(mechanism="mnarr")
    with pytest.raises(ValueError, match="n_samples"):
        make_bitwise(0)
