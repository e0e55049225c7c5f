"""The cascaded residual autoencoder."""

import numpy as np
import pytest
import torch

from skmissing import MultimodalData
from skmissing.nn import MLPEncoder
from skmissing.recovery import CRARecovery

NET = {
    "max_epochs": 25,
    "lr": 5e-3,
    "batch_size": 25,
    "n_threads": 1,
    "random_state": 0,
}


def correlated(seed, n=500):
    """Three blocks, a picture among them, of two hidden causes."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 2))

    def block(*shape):
        flat = np.tanh(z @ rng.normal(size=(2, int(np.prod(shape)))))
        return 3.0 + 5.0 * (flat + 0.1 * rng.normal(size=flat.shape)).reshape(n, *shape)

    return MultimodalData({"a": block(4), "b": block(6), "c": block(1, 3, 3)})


@pytest.mark.parametrize("seed", range(3))
def test_each_autoencoder_lowers_the_error(seed):
    X = correlated(seed)
    hidden = np.random.default_rng(seed).random((300, 3)) < 0.3
    hidden[hidden.all(axis=1)] = False
    cra = CRARecovery(**{**NET, "random_state": seed}).fit(X[:300].hide(hidden))
    # The mean of training scores 0, 1 is without an error.
    assert cra.score(X[300:]) > 0.7
    module = cra._fitted.module
    batch = cra._fitted.store(cra._flat(X[300:])).batch(torch.arange(200))
    z = module.rows(batch)
    kept = torch.tensor([[True, True, False]]).expand(200, -1)
    with torch.no_grad():
        made = module.estimates(z, kept)
    assert len(made) == 3
    errors = [float((part - z)[:, 10:].square().mean()) for part in made]
    assert errors[2] < errors[0] < float(z[:, 10:].square().mean())


def test_the_cascade_by_hand():
    X = correlated(0, n=40)
    cra = CRARecovery(n_blocks=2, dtype="float64", **{**NET, "max_epochs": 2}).fit(X)
    module = cra._fitted.module
    part = X[:5].hide("b")
    row = [(X[n][:5] - cra.means_[n]) / cra._deviations[n] for n in ("a", "c")]
    row = [values.reshape(5, -1) for values in row]
    z = torch.from_numpy(np.hstack([row[0], np.zeros((5, 6)), row[1]]))
    with torch.no_grad():
        for block in module.blocks:
            z = z + block(z)
    expected = z[:, 4:10].numpy() * cra._deviations["b"] + cra.means_["b"]
    np.testing.assert_allclose(cra.recover(part)["b"], expected, rtol=1e-9)
    # What is there stays as it is.
    filled = cra.transform(part)
    np.testing.assert_array_equal(filled["a"], X["a"][:5])
    np.testing.assert_allclose(filled["b"], expected, rtol=1e-9)


def test_the_loss_is_that_of_every_estimate_of_what_rows_have():
    X = correlated(0, n=40).hide({"b": np.arange(40) % 2 == 0})
    cra = CRARecovery(dtype="float64", **{**NET, "max_epochs": 1}).fit(X)
    module = cra._fitted.module.train()
    batch = cra._fitted.store(cra._flat(X)).batch(torch.arange(40))
    # Nothing is hidden from rows of which all draws would leave nothing.
    torch.manual_seed(0)
    loss = module.row_losses(batch)
    torch.manual_seed(0)
    tries = torch.rand((1, 8, 3)) < 0.5
    parts = batch.present[:, None] & tries
    kept = parts[torch.arange(40), parts.any(dim=2).int().argmax(dim=1)]
    assert (kept.sum(dim=1) < batch.present.sum(dim=1)).any()
    z = module.rows(batch)
    expected = torch.zeros(40, dtype=torch.float64)
    for made in module.estimates(z, kept):
        for m, columns in enumerate((slice(0, 4), slice(4, 10), slice(10, 19))):
            gaps = (made - z)[:, columns].square().mean(dim=1)
            expected += torch.where(batch.present[:, m], gaps, 0.0) / 3
    torch.testing.assert_close(loss, expected)


def test_a_picture_needs_no_encoder_and_takes_none():
    X = correlated(0, n=40)
    with pytest.raises(ValueError, match="The 'encoders' parameter of CRARecovery"):
        CRARecovery(encoders={"a": MLPEncoder()}, **NET).fit(X)
