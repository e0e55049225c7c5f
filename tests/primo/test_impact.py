"""What PRIMO reports beside the prediction."""

import numpy as np
import pytest

from skmissing import MultimodalData, PRIMOClassifier
from skmissing.baselines import FusionClassifier
from skmissing.primo._impact import label_weights

from ..conftest import make_blocks

SMALL = {"max_epochs": 3, "lr": 1e-2, "n_threads": 1, "random_state": 0}


@pytest.fixture(scope="module")
def fitted():
    X, y = make_blocks(n_modalities=3)
    return PRIMOClassifier(**SMALL, dtype="float64", n_draws=50).fit(X, y), X, y


def test_table_of_impacts(fitted):
    clf, X, _ = fitted
    # Row 0 has one modality only, row 1 none.
    present = X.present.copy()
    present[0], present[1] = [False, True, False], False
    X = MultimodalData(dict(X.blocks), present=present)
    table = clf.predictive_impact(X)
    assert table.columns.tolist() == [
        "row", "modality", "v_missing", "v_complete", "gap", "v_relative",
        "mutual_information", "mc_error",
    ]  # fmt: skip
    assert table.modality.tolist() == ["m0"] * 60 + ["m1"] * 60 + ["m2"] * 60
    assert table.row.tolist() == [*range(60)] * 3

    def v(p):
        return 0.5 * np.abs(p - p.mean(axis=1, keepdims=True)).sum(axis=2).mean(axis=1)

    full = v(clf.sample_proba(X))
    for m, name in enumerate(X.names):
        part = table[table.modality == name].reset_index()
        samples = clf.sample_proba(X.hide(name))
        here = present[:, m]
        np.testing.assert_allclose(part.v_missing, v(samples), atol=1e-9)
        np.testing.assert_allclose(
            part.v_complete, np.where(here, full, np.nan), atol=1e-9
        )
        np.testing.assert_allclose(part.gap, part.v_missing - part.v_complete)
        mean = samples.mean(axis=1)
        np.testing.assert_allclose(
            part.v_relative, part.v_missing / (1 - (mean**2).sum(axis=1)), atol=1e-9
        )
        assert (part.v_relative.dropna() <= 1).all()
        assert (part.mutual_information.dropna() >= -1e-12).all()
        assert part.v_missing[1:2].isna().all()
        assert part.v_missing.isna()[0] == (name == "m1")
    one = clf.predictive_impact(X, modality="m2", n_draws=50)
    np.testing.assert_array_equal(one.v_missing, part.v_missing)


def test_hiding_what_a_row_lacks_changes_nothing(fitted):
    clf, X, _ = fitted
    lacking = ~X.present[:, 0]
    table = clf.predictive_impact(X, modality="m0")
    samples = clf.sample_proba(X)
    v = 0.5 * np.abs(samples - samples.mean(axis=1, keepdims=True)).sum(axis=2)
    np.testing.assert_allclose(
        table.v_missing[lacking], v.mean(axis=1)[lacking], atol=1e-9
    )
    assert table.gap[lacking].isna().all()


def test_order_of_acquisition(fitted):
    clf, X, _ = fitted
    order = clf.acquisition_order(X, "m1")
    assert sorted(order) == np.flatnonzero(~X.present[:, 1]).tolist()
    v = clf.predictive_impact(X, modality="m1").v_missing.to_numpy()
    assert (np.diff(v[order]) <= 1e-12).all()
    assert clf.acquisition_order(X[X.present[:, 1]], "m1").shape == (0,)


def test_distance_from_reference_models(fitted):
    clf, X, y = fitted
    rows = X.present.all(axis=1)
    reference = FusionClassifier(**SMALL).fit(X, y)
    table = clf.distance_to_references(
        X[rows], modality="m2", unimodal=reference, multimodal=reference
    )
    own, other = clf.predict_proba(X[rows]), reference.predict_proba(X[rows])
    np.testing.assert_allclose(
        table.complete, 0.5 * np.abs(own - other).sum(axis=1), atol=1e-9
    )
    hidden = X[rows].hide("m2")
    own, other = clf.predict_proba(hidden), reference.predict_proba(hidden)
    np.testing.assert_allclose(
        table.missing, 0.5 * np.abs(own - other).sum(axis=1), atol=1e-9
    )
    # A reference that knows nothing but what it was made of; incomplete rows.
    part = X.select(["m0", "m1"])
    alone = FusionClassifier(**SMALL).fit(part, y)
    table = clf.distance_to_references(
        X, modality="m2", unimodal=alone, multimodal=reference
    )
    assert table.notna().all(axis=1).tolist() == rows.tolist()
    other = alone.predict_proba(part[rows])
    np.testing.assert_allclose(
        table.missing[rows], 0.5 * np.abs(own - other).sum(axis=1), atol=1e-9
    )
    strange = FusionClassifier(**SMALL).fit(X, y + 1)
    with pytest.raises(ValueError, match="reference model with the classes"):
        clf.distance_to_references(
            X[rows], modality="m2", unimodal=strange, multimodal=strange
        )


def test_shares_of_plausible_labels(fitted):
    clf, X, _ = fitted
    table = clf.plausible_labels(X[:5], method="argmax")
    said = clf.sample_proba(X[:5]).argmax(axis=2)
    for i in range(5):
        part = table[table.row == i]
        shares = np.bincount(said[i], minlength=3) / 50
        np.testing.assert_allclose(part.weight, np.sort(shares[shares > 0])[::-1])
        np.testing.assert_allclose(shares[part.label], part.weight)
    mixture = clf.plausible_labels(X[:3])
    np.testing.assert_allclose(mixture.groupby("row").weight.sum(), 1.0)


def test_clusters_of_two_futures_are_summed_by_label():
    rng = np.random.default_rng(0)
    side = rng.random(200) < 0.3
    logit = np.where(side, 4.0, -4.0) + rng.normal(size=200)
    logs = -np.logaddexp(0, np.column_stack([logit, -logit]))
    weight = label_weights(logs, "mixture", 0)
    np.testing.assert_allclose(weight[1], side.mean(), atol=0.03)
    # One curved cloud that says one label: several clusters, one label.
    sure = rng.gamma(2.0, size=200) + 1.0
    logs = -np.logaddexp(0, np.column_stack([-sure, sure]))
    assert label_weights(logs, "mixture", 0).tolist() == [1.0, 0.0]
    # No spread at all, three classes: centred logits are singular.
    logs = np.log(np.tile([0.2, 0.5, 0.3], (200, 1)))
    assert label_weights(logs, "mixture", 0).tolist() == [0.0, 1.0, 0.0]


def test_bad_input(fitted):
    clf, X, _ = fitted
    for modality in (None, ["m0", "m1"], 3):
        with pytest.raises(ValueError, match=r"Got modality=.*, expected one of"):
            clf.acquisition_order(X, modality)
    with pytest.raises(ValueError, match="Got modality=3, expected some of"):
        clf.predictive_impact(X, modality=3)
    twice = clf.predictive_impact(X, modality=["m1", "m0", "m1"])
    assert twice.modality.drop_duplicates().tolist() == ["m1", "m0"]
    assert len(twice) == 2 * len(X)
    with pytest.raises(ValueError, match="Got n_draws=0, expected a positive"):
        clf.sample_proba(X, 0)
    with pytest.raises(ValueError, match="Got modality='lab', expected some of"):
        clf.predictive_impact(X, modality="lab")
    with pytest.raises(ValueError, match="Got method='mean', expected"):
        clf.plausible_labels(X, method="mean")
    assert np.isnan(clf.sample_proba(X[:2].hide(X.names))).all()
    assert len(clf.plausible_labels(X[:2].hide(X.names))) == 0
