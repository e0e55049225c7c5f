"""Properties of the container, on data that hypothesis makes up."""

import pickle

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.base import BaseEstimator

from skmissing import Modality, MultimodalData
from skmissing.modalities._validation import check_multimodal, flatten_blocks

settings.register_profile("skmissing", max_examples=50, deadline=None, derandomize=True)
settings.load_profile("skmissing")

NAMES = ["a", "b", "c", "d"]
FLOATS = st.floats(-1e6, 1e6, width=32) | st.just(np.nan)
VALUES = {
    np.float32: FLOATS,
    np.float64: FLOATS,
    np.int64: st.integers(-1000, 1000),
    np.uint8: st.integers(0, 255),
    bool: st.booleans(),
}


@st.composite
def containers(draw, dtypes=tuple(VALUES), min_rows=0):
    """Containers of 1 to 4 blocks of any shape, with a mask or without one."""
    n = draw(st.integers(min_rows, 8))
    blocks = {}
    for name in NAMES[: draw(st.integers(1, 4))]:
        dtype = draw(st.sampled_from(dtypes))
        tail = tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)))
        blocks[name] = draw(hnp.arrays(dtype, (n, *tail), elements=VALUES[dtype]))
    inferred = MultimodalData(blocks)
    if draw(st.booleans()):
        keep = draw(hnp.arrays(bool, inferred.shape))
        return MultimodalData(blocks, inferred.present & keep)
    return inferred


def assert_same(one, two, dtypes=True):
    """Equal where present; what stands in a missing block is nobody's business."""
    assert one.names == two.names
    np.testing.assert_array_equal(one.present, two.present)
    for m, name in enumerate(one.names):
        here = one.present[:, m]
        np.testing.assert_array_equal(one[name][here], two[name][here])
        if dtypes:
            assert one[name].dtype == two[name].dtype


def with_shapes(X):
    """Modalities parameter that describes the frame of a container."""
    frame = X.to_frame()
    return {
        name: Modality(
            [c for c in frame.columns if c.startswith(f"{name}__")],
            shape=X.block_shapes[name],
        )
        for name in X.names
    }


@given(containers(min_rows=1))
def test_round_trip_through_a_frame(X):
    frame = X.to_frame()
    assert frame.shape[0] == len(X)
    back = MultimodalData.from_frame(frame, with_shapes(X))
    assert_same(X, back, dtypes=False)
    assert back.block_shapes == X.block_shapes
    # Present blocks keep their dtype; missing rows need a float.
    for m, name in enumerate(X.names):
        if X.present[:, m].all():
            assert back[name].dtype == X[name].dtype
    pd.testing.assert_frame_equal(back.to_frame(), frame)
    # By prefix alone the names come back, as vectors.
    assert MultimodalData.from_frame(frame).names == X.names


@given(containers(dtypes=(np.float64,), min_rows=1))
def test_round_trip_through_an_array(X):
    frame = X.to_frame()
    modalities = {
        name: Modality(frame.columns.get_indexer(m.columns), shape=m.shape)
        for name, m in with_shapes(X).items()
    }
    assert_same(X, MultimodalData.from_frame(frame.to_numpy(), modalities))


@given(containers(min_rows=1))
def test_three_forms_give_the_same_blocks(X):
    frame = X.to_frame()
    array = frame.to_numpy(dtype=np.float64)
    by_position = {
        name: Modality(frame.columns.get_indexer(m.columns).tolist(), shape=m.shape)
        for name, m in with_shapes(X).items()
    }
    read = [
        check_multimodal(BaseEstimator(), X, reset=True),
        check_multimodal(BaseEstimator(), frame, with_shapes(X), reset=True),
        check_multimodal(BaseEstimator(), array, by_position, reset=True),
    ]
    tables = [flatten_blocks(data, X.names) for data in read]
    for data, table in zip(read[1:], tables[1:]):
        assert_same(X, data, dtypes=False)
        np.testing.assert_array_equal(table, tables[0])
    assert all(block.flags.c_contiguous for block in read[1].blocks.values())


@given(containers(), st.data())
def test_indexing_is_that_of_the_rows(X, data):
    n = len(X)
    rows = data.draw(
        hnp.arrays(np.intp, st.integers(0, 6), elements=st.integers(-n, n - 1))
        if n
        else st.just(np.empty(0, dtype=np.intp))
    )
    keep = data.draw(hnp.arrays(bool, n))
    cut = data.draw(st.slices(n))
    for key in (rows, rows.tolist(), keep, cut):
        part = X[key]
        as_array = key if not isinstance(key, list) else np.array(key, dtype=np.intp)
        np.testing.assert_array_equal(part.present, X.present[as_array])
        for name in X.names:
            np.testing.assert_array_equal(part[name], X[name][as_array])
        assert_same(part, X[key, ...])
        assert_same(part, X[key, :])


@given(containers(), st.data())
def test_hide_is_a_union_and_order_does_not_matter(X, data):
    masks = [data.draw(hnp.arrays(bool, X.shape)) for _ in range(2)]
    once = X.hide(masks[0] | masks[1])
    assert_same(X.hide(masks[0]).hide(masks[1]), once)
    assert_same(X.hide(masks[1]).hide(masks[0]), once)
    np.testing.assert_array_equal(once.present, X.present & ~(masks[0] | masks[1]))
    rows = np.arange(len(X))[::2]
    assert_same(X.hide(masks[0])[rows], X[rows].hide(masks[0][rows]))


@given(containers())
def test_hidden_rows_are_nan_in_the_frame(X):
    frame = X.hide(X.names[0]).to_frame()
    first = [c for c in frame if c.startswith(f"{X.names[0]}__")]
    assert frame[first].isna().all().all()


@given(containers(), st.data())
def test_concat_undoes_a_split(X, data):
    at = data.draw(st.integers(0, len(X)))
    assert_same(MultimodalData.concat([X[:at], X[at:]]), X)


@given(containers(), st.data())
def test_select_keeps_columns_of_the_mask(X, data):
    names = data.draw(st.permutations(X.names))[: data.draw(st.integers(1, 4))]
    part = X.select(names)
    assert part.names == list(names)
    for m, name in enumerate(names):
        np.testing.assert_array_equal(
            part.present[:, m], X.present[:, X.names.index(name)]
        )


@given(containers())
def test_pickle_round_trip(X):
    assert_same(X, pickle.loads(pickle.dumps(X)))
