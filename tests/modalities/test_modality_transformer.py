"""One scikit-learn transformer per modality."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectKBest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skmissing import MultimodalData
from skmissing.baselines import PatternClassifier
from skmissing.exceptions import NamelessModalityWarning, UnknownCategoryWarning
from skmissing.modalities import ModalityTransformer

from ..conftest import make_blocks

nan = np.nan


@pytest.mark.filterwarnings("ignore::skmissing.exceptions.NamelessModalityWarning")
@parametrize_with_checks(
    [ModalityTransformer(), ModalityTransformer([("x", StandardScaler())])]
)
def test_check_estimator(estimator, check):
    check(estimator)


class Spy(TransformerMixin, BaseEstimator):
    """Passes values on and refuses to look at a row that is not there."""

    def fit(self, X, y=None):
        self.n_seen_, self.y_seen_ = len(X), y
        assert not pd.isna(X).all(axis=1).any()
        return self

    def transform(self, X):
        assert not pd.isna(X).all(axis=1).any()
        return np.asarray(X) * 2


def make_frame(n=30):
    rng = np.random.RandomState(0)
    frame = pd.DataFrame(
        rng.randn(n, 4), columns=["labs__na", "labs__k", "ecg__0", "ecg__1"]
    )
    frame.loc[::3, ["labs__na", "labs__k"]] = nan
    frame.loc[1, "labs__k"] = nan
    frame.loc[::4, ["ecg__0", "ecg__1"]] = nan
    return frame, rng.randint(2, size=n)


def forms():
    frame, _y = make_frame()
    by_position = {"labs": [0, 1], "ecg": [2, 3]}
    return [
        (frame, None),
        (frame.to_numpy(), by_position),
        (MultimodalData.from_frame(frame), None),
    ]


@pytest.mark.parametrize(
    ("X", "modalities"), forms(), ids=["frame", "array", "container"]
)
def test_inner_never_sees_missing_rows_and_kind_is_kept(X, modalities):
    frame, y = make_frame()
    transformer = ModalityTransformer([("labs", Spy())], modalities=modalities)
    out = transformer.fit_transform(X, y)
    assert type(out) is type(X)
    here = frame["labs__na"].notna().to_numpy()
    inner = transformer.transformers_["labs"]
    assert inner.n_seen_ == here.sum()
    np.testing.assert_array_equal(inner.y_seen_, y[here])
    table = out.to_frame() if isinstance(out, MultimodalData) else pd.DataFrame(out)
    factor = np.array([2.0, 2.0, 1.0, 1.0])
    np.testing.assert_array_equal(table.to_numpy(), frame.to_numpy() * factor)


def test_statistics_are_those_of_present_rows():
    frame, _ = make_frame()
    out = ModalityTransformer([("ecg", StandardScaler())]).fit_transform(frame)
    here = frame["ecg__0"].notna()
    np.testing.assert_allclose(
        out.loc[here, ["ecg__0", "ecg__1"]].mean(), 0, atol=1e-12
    )
    assert out.loc[~here, ["ecg__0", "ecg__1"]].isna().all().all()
    pd.testing.assert_frame_equal(out[["labs__na", "labs__k"]], frame.iloc[:, :2])


def test_names_index_and_width_of_the_output():
    frame, _ = make_frame()
    frame.index = frame.index + 100
    transformer = ModalityTransformer(
        [("labs", "drop"), ("ecg", PCA(1))], modalities=None
    ).fit(frame)
    out = transformer.transform(frame)
    assert out.columns.tolist() == ["ecg__pca0"]
    assert out.index.equals(frame.index)
    assert transformer.get_feature_names_out().tolist() == ["ecg__pca0"]
    assert transformer.modality_names_out_ == ["ecg"]
    # Also where no row has the modality, and for one that does not name its output.
    none = transformer.transform(frame.assign(ecg__0=nan, ecg__1=nan))
    assert none.columns.tolist() == ["ecg__pca0"]
    assert none.isna().all().all()
    plain = ModalityTransformer([("ecg", Spy())]).fit(frame)
    expected = ["labs__na", "labs__k", "ecg__0", "ecg__1"]
    for X in (frame, frame.assign(ecg__0=nan, ecg__1=nan)):
        assert plain.transform(X).columns.tolist() == expected
    assert plain.get_feature_names_out().tolist() == expected


def test_passthrough_is_the_same_as_no_transformer():
    frame, y = make_frame()
    words = ModalityTransformer({"labs": "passthrough", "ecg": PCA(1)})
    expected = ModalityTransformer({"ecg": PCA(1)}).fit_transform(frame)
    pd.testing.assert_frame_equal(words.fit_transform(frame), expected)
    assert list(words.transformers_) == ["ecg"]
    # A search may choose it, for text as well.
    frame = frame.assign(labs__note="a")
    search = GridSearchCV(
        make_pipeline(words, HistGradientBoostingClassifier(max_iter=2)),
        {"modalitytransformer__ecg": ["passthrough", PCA(1), "drop"]},
        cv=2,
        error_score="raise",
    )
    assert len(search.fit(frame.iloc[:, :-1], y).cv_results_["params"]) == 3
    out = words.fit_transform(frame)
    assert out["labs__note"].unique().tolist() == ["a"]


def test_multiindex_names_agree_with_the_output():
    frame = pd.DataFrame(
        np.eye(3),
        columns=pd.MultiIndex.from_tuples([("p", "a"), ("q", "a"), ("p", "b")]),
    )
    transformer = ModalityTransformer([("q", StandardScaler())]).fit(frame)
    assert (
        transformer.get_feature_names_out().tolist()
        == transformer.transform(frame).columns.tolist()
    )


def test_one_hot_of_text_and_the_missing_category():
    X = pd.DataFrame(
        {"ward__name": ["a", None, "b"], "ward__floor": ["1", None, None], "z__z": 1.0}
    )
    onehot = OneHotEncoder(sparse_output=False, handle_unknown="ignore")
    out = ModalityTransformer([("ward", onehot)]).fit_transform(X)
    # Row 2 has a ward without a floor: a missing feature, its own category.
    assert out.columns.tolist()[:4] == [
        "ward__name_a",
        "ward__name_b",
        "ward__floor_1",
        "ward__floor_nan",
    ]
    assert out.iloc[1, :4].isna().all()
    assert out.iloc[2, 3] == 1.0
    # Outside, the missing block would have become a category, no longer missing.
    plain = OneHotEncoder(sparse_output=False).fit(X[["ward__name"]])
    # pandas 2 keeps the None.
    names = ("ward__name_nan", "ward__name_None")
    assert plain.get_feature_names_out()[-1] in names


def test_sparse_integer_and_text_output():
    X = pd.DataFrame({"w__a": ["u", None, "v"], "o__b": [1.0, 2.0, 3.0]})
    sparse = ModalityTransformer([("w", OneHotEncoder())]).fit_transform(X)
    np.testing.assert_array_equal(sparse.iloc[:, :2], [[1, 0], [nan, nan], [0, 1]])
    codes = FunctionTransformer(lambda T: (np.asarray(T) == "u").astype(int))
    out = ModalityTransformer([("w", codes)]).fit_transform(X)
    np.testing.assert_array_equal(out.iloc[:, 0], [1.0, nan, 0.0])
    upper = FunctionTransformer(lambda T: np.char.upper(np.asarray(T).astype(str)))
    out = ModalityTransformer([("w", upper)]).fit_transform(X)
    assert out.iloc[0, 0] == "U"
    assert pd.isna(out.iloc[1, 0])
    whole = ModalityTransformer([("w", codes)]).fit_transform(X.iloc[[0, 2]])
    assert whole.iloc[:, 0].tolist() == [1, 0]


def test_row_left_without_any_feature_becomes_missing():
    X = MultimodalData({"a": [[1.0, nan], [1.0, 2.0], [nan, 3.0], [2.0, 9.0]]})
    y = [0, 0, 1, 1]
    second = FunctionTransformer(lambda T: T[:, [1]])
    out = ModalityTransformer([("a", second)]).fit_transform(X, y)
    assert out.present[:, 0].tolist() == [False, True, True, True]


def test_supervised_inner_transformer():
    frame, y = make_frame()
    frame = frame.drop(index=1)
    out = ModalityTransformer([("ecg", SelectKBest(k=1))]).fit_transform(
        frame, np.delete(y, 1)
    )
    assert out.shape == (29, 3)


def test_remainder():
    frame, _ = make_frame()
    frame = frame.assign(site="north")
    modalities = {"labs": ["labs__na", "labs__k"], "ecg": ["ecg__0", "ecg__1"]}
    for remainder, extra in (("drop", []), ("passthrough", ["site"])):
        transformer = ModalityTransformer(
            [("labs", StandardScaler())], modalities=modalities, remainder=remainder
        )
        out = transformer.fit_transform(frame)
        assert out.columns.tolist() == frame.columns.tolist()[:4] + extra
        assert transformer.get_feature_names_out().tolist() == out.columns.tolist()
    array = frame.drop(columns="site").assign(age=3.0).to_numpy()
    transformer = ModalityTransformer(
        modalities={"ecg": [2, 3], "labs": [0, 1]}, remainder="passthrough"
    )
    np.testing.assert_array_equal(
        transformer.fit_transform(array), array[:, [2, 3, 0, 1, 4]]
    )


def test_blocks_with_a_shape_come_flat_and_garbage_does_not_matter():
    images = np.random.RandomState(0).randn(6, 1, 2, 2)
    present = np.array([[True]] * 4 + [[False]] * 2)
    X = MultimodalData({"image": images}, present)
    scaler = ModalityTransformer([("image", StandardScaler())]).fit(X)
    out = scaler.transform(X)
    assert out.block_shapes == {"image": (1, 2, 2)}
    np.testing.assert_allclose(out["image"][:4].mean(axis=0), 0, atol=1e-12)
    images = np.where(present[:, :, None, None], images, np.inf)
    other = MultimodalData({"image": images}, present)
    again = ModalityTransformer([("image", StandardScaler())]).fit_transform(other)
    np.testing.assert_array_equal(again["image"][:4], out["image"][:4])


def test_parameters_pipeline_and_search():
    frame, y = make_frame()
    model = Pipeline(
        [
            ("prepare", ModalityTransformer([("ecg", PCA(1)), ("labs", Spy())])),
            ("classify", HistGradientBoostingClassifier(max_iter=3)),
        ]
    )
    model.set_params(prepare__ecg__n_components=2)
    assert model["prepare"].transformers[0][1].n_components == 2
    assert clone(model).get_params()["prepare__ecg__n_components"] == 2
    grid = {"prepare__ecg__n_components": [1, 2], "prepare__labs": ["drop", Spy()]}
    for X in (frame, MultimodalData.from_frame(frame)):
        if isinstance(X, MultimodalData):
            model = make_pipeline(ModalityTransformer([("ecg", PCA(1))]), ToFrame())
            out = model.fit_transform(X)
            assert out.columns.tolist() == ["labs__0", "labs__1", "ecg__pca0"] or (
                out.columns.tolist() == ["labs__na", "labs__k", "ecg__pca0"]
            )
        else:
            # The second step gets a table with gaps, which it understands.
            search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
            assert len(search.cv_results_["params"]) == 4


class ToFrame(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return X.to_frame()


@pytest.mark.parametrize("how", ["set_output", "global setting"])
@pytest.mark.parametrize(
    ("X", "modalities"), forms(), ids=["frame", "array", "container"]
)
def test_output_of_a_table_is_the_table_that_is_asked_for(X, modalities, how):
    transformer = ModalityTransformer(
        [("ecg", StandardScaler())], modalities=modalities
    )
    expected = clone(transformer).fit_transform(X)
    if how == "set_output":
        transformer = clone(transformer.set_output(transform="pandas"))
        out = transformer.fit_transform(X)
    else:
        with config_context(transform_output="pandas"):
            out = transformer.fit_transform(X)
    if isinstance(X, MultimodalData):
        # It has no shape in a frame, so it stays what it is.
        assert isinstance(out, MultimodalData)
        expected, out = expected.to_frame(), out.to_frame()
    assert isinstance(out, pd.DataFrame)
    assert out.columns.tolist() == transformer.get_feature_names_out().tolist()
    np.testing.assert_array_equal(np.asarray(out), np.asarray(expected))


def test_fit_on_one_form_and_transform_another():
    frame, _ = make_frame()
    container = MultimodalData.from_frame(frame)
    inner = [("labs", StandardScaler()), ("ecg", PCA(1))]
    expected = ModalityTransformer(inner).fit_transform(frame).to_numpy()
    one = ModalityTransformer(inner).fit(frame).transform(container)
    two = ModalityTransformer(inner).fit(container).transform(frame)
    np.testing.assert_array_equal(one.to_frame().to_numpy(), expected)
    np.testing.assert_array_equal(two.to_numpy(), expected)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        (
            {"transformers": [("z", PCA())]},
            ValueError,
            "transformer for the unknown modality 'z'",
        ),
        (
            {"transformers": [("ecg", PCA()), ("ecg", PCA())]},
            ValueError,
            "modality 'ecg' twice in transformers",
        ),
        ({"transformers": [("ecg", 3)]}, TypeError, "Got 3 for the modality 'ecg'"),
        ({"transformers": ["ecg"]}, ValueError, r"Got 'ecg' in transformers, expected"),
        (
            {"transformers": [("ecg", PCA(), ["ecg__0"])]},
            ValueError,
            "expected .modality, transformer. pairs; the parameter modalities lists",
        ),
        (
            {"transformers": {"ecg": None}},
            TypeError,
            "expected a transformer, 'auto', 'passthrough' or 'drop'",
        ),
        (
            {"transformers": "skrub"},
            ValueError,
            "transformers='skrub', expected 'auto'",
        ),
        ({"remainder": "keep"}, ValueError, "remainder='keep', expected 'drop' or"),
        (
            {"transformers": [("ecg", "drop"), ("labs", "drop")]},
            ValueError,
            "'drop' for every modality",
        ),
    ],
)
def test_bad_parameters(parameters, error, message):
    frame, _ = make_frame()
    transformer = ModalityTransformer(**parameters)
    with pytest.raises(error, match=message):
        transformer.fit(frame)
    assert not [name for name in vars(transformer) if name.endswith("_")]


def test_modality_that_no_row_has():
    frame, _ = make_frame()
    frame = frame.assign(ecg__0=nan, ecg__1=nan)
    with pytest.raises(ValueError, match="no row with the modality 'ecg', expected at"):
        ModalityTransformer([("ecg", PCA(1))]).fit(frame)


def test_a_dict_of_transformers_is_as_good_as_a_list():
    X, y = make_blocks(n=40)
    parts = {"m0": StandardScaler(), "m1": "drop"}
    a, b = ModalityTransformer(parts), ModalityTransformer(list(parts.items()))
    assert a.get_params().keys() == b.get_params().keys()
    for one in (a, b):
        one.set_params(m0__with_std=False)
    out = [one.fit_transform(X, y) for one in (a, b)]
    assert out[0].names == out[1].names == ["m0"]
    np.testing.assert_array_equal(*[o["m0"] for o in out])


@pytest.mark.parametrize("given", [object(), 3, "scale"])
def test_transformers_that_are_no_list_are_named(given):
    X = MultimodalData({"a": np.ones((4, 2)), "b": np.ones((4, 1))})
    step = ModalityTransformer(given)
    message = "Got transformers" if not isinstance(given, str) else "transformers"
    with pytest.raises((TypeError, ValueError), match=message):
        step.fit(X)
    assert step.get_params(deep=True)["transformers"] is given


WARD = {"stay": ["ward", "age"], "labs": ["na", "k"]}


def ward(n=40):
    rng = np.random.default_rng(0)
    return pd.DataFrame({
        "ward": rng.choice(["north", "south", "east"], n),
        "age": rng.normal(60, 9, n), "na": rng.normal(140, 3, n),
        "k": rng.normal(4, 1, n), "site": rng.choice(["x", "y"], n),
    })  # fmt: skip


def test_unknown_categories_are_named_and_missing_ones_are_not():
    pytest.importorskip("skrub")
    auto = ModalityTransformer("auto", modalities=WARD).fit(ward())
    new = ward()[:3]
    new.loc[1, "ward"] = None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        auto.transform(new)
    new.loc[0, "ward"] = "west"
    message = r"categories \['west'\] in the column 'ward' of the modality 'stay'"
    with pytest.warns(UnknownCategoryWarning, match=message) as caught:
        out = auto.transform(new)
    assert len(caught) == 1
    wards = [c for c in out if c.startswith("stay__ward")]
    assert (out.loc[0, wards] == 0).all()


def test_text_in_a_column_of_numbers():
    """Nothing would encode it, and the next step would ask for an encoder."""
    pytest.importorskip("skrub")
    frame = ward()
    auto = ModalityTransformer("auto", modalities=WARD).fit(frame)
    plain = ModalityTransformer(modalities={"labs": WARD["labs"]}).fit(frame)
    new = frame[:2].assign(k=["<0.5", "4.1"])
    for transformer in (auto, plain):
        with pytest.raises(
            ValueError, match=r"Got '<0.5' in the column 'k' of .*'labs'"
        ):
            transformer.transform(new)
        transformer.transform(new.assign(k=pd.to_numeric(new["k"], errors="coerce")))
    with pytest.raises(ValueError, match=r"Got '64' in the column 'age' of .*'stay'"):
        auto.transform(frame[:1].assign(age=["64"]))
    # Text that was text in fit passes as before.
    text = ModalityTransformer(modalities=WARD).fit(frame)
    assert text.transform(frame).shape == (40, 4)


def test_modalities_of_the_wrong_step():
    pytest.importorskip("skrub")
    frame, y = ward(), np.arange(40) % 2
    auto = ModalityTransformer("auto")
    for encode in (auto, clone(auto).set_params(modalities=WARD)):
        pipe = make_pipeline(encode, PatternClassifier(modalities=WARD))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NamelessModalityWarning)
            with pytest.raises(ValueError, match="give modalities to the ModalityTr"):
                pipe.fit(frame, y)


def test_output_modalities_name_the_columns_of_every_form():
    frame = ward()
    onehot = ColumnTransformer(
        [("ward", OneHotEncoder(sparse_output=False), ["ward"])],
        remainder="passthrough", verbose_feature_names_out=False,
    )  # fmt: skip
    encode = ModalityTransformer(
        {"stay": onehot}, modalities=WARD, remainder="passthrough"
    )
    with pytest.raises(NotFittedError):
        _ = encode.output_modalities_
    out = encode.fit_transform(frame)
    found = encode.output_modalities_
    assert found["labs"] == ["labs__na", "labs__k"]
    assert [*found["stay"], *found["labs"], "site"] == list(out)
    data = MultimodalData.from_frame(out, found)
    assert data.block_shapes == {"stay": (4,), "labs": (2,)}
    dropped = clone(encode).set_params(transformers={"stay": "drop"}).fit(frame)
    assert dropped.output_modalities_ == {"labs": ["labs__na", "labs__k"]}
    # Positions in an array, names in the frame that is made of one.
    array = frame[["age", "na", "k"]].to_numpy()
    encode = ModalityTransformer({"b": PCA(1)}, modalities={"a": [2], "b": [0, 1]})
    assert encode.fit(array).output_modalities_ == {"a": [0], "b": [1]}
    encode.set_output(transform="pandas")
    columns = [c for part in encode.output_modalities_.values() for c in part]
    assert columns == list(encode.transform(array))
    numbered = pd.DataFrame(array)
    encode = ModalityTransformer(modalities={"a": [2], "b": [0, 1]}).fit(numbered)
    columns = [c for part in encode.output_modalities_.values() for c in part]
    assert columns == list(encode.transform(numbered))
    blocks = ModalityTransformer({"b": PCA(1)}).fit(MultimodalData({"b": array}))
    assert blocks.output_modalities_ == {"b": ["b__pca0"]}
