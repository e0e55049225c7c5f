"""Files of models: the same model again, from data alone."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import warnings
import zipfile

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import loguniform, randint, rv_continuous, uniform
from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import balanced_accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    SplineTransformer,
    StandardScaler,
)
from sklearn.svm import SVC
from skorch.callbacks import LRScheduler

import skmissing
from skmissing import IPWMultimodalClassifier, MultimodalData, PIDEstimator
from skmissing.baselines import FusionClassifier, PatternClassifier
from skmissing.exceptions import ModelFileError
from skmissing.modalities import ModalityTransformer
from skmissing.nn import ModuleEncoder

from .._instances import INIT_PARAMS, NET, VARIANTS
from ..conftest import LINEAR, make_blocks

pytestmark = [
    pytest.mark.filterwarnings("ignore::skmissing.exceptions.NoCovariateWarning"),
    pytest.mark.filterwarnings("ignore::skmissing.exceptions.EmptyRowWarning"),
]
# Tuning and bootstraps are no concern of a file.
CHEAP = {"PIDEstimator": {"estimator": LINEAR}}
EVERYTHING = {**INIT_PARAMS, **VARIANTS}


def reload(estimator, tmp_path, **options):
    path = tmp_path / "model.skm"
    skmissing.save(estimator, path)
    return skmissing.load(path, **options)


def outputs(estimator, X) -> list[np.ndarray]:
    """What an estimator predicts, by every method that it has."""
    out: list[np.ndarray] = []
    for method in ("predict", "predict_proba", "predict_propensity", "transform"):
        if hasattr(estimator, method):
            found = getattr(estimator, method)(X)
            blocks = getattr(found, "blocks", {"": found})
            out.extend(np.asarray(block) for block in blocks.values())
    return out


def check_same(first, second, X) -> None:
    one, two = outputs(first, X), outputs(second, X)
    assert len(one) == len(two) > 0
    for a, b in zip(one, two):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def same_params(first, second) -> bool:
    """Parameters of the same type and values, nested ones among them."""
    one, two = first.get_params(deep=False), second.get_params(deep=False)
    return repr(one) == repr(two) and type(first) is type(second)


@pytest.mark.parametrize("name", list(EVERYTHING))
def test_every_estimator_is_the_same_again(name, tmp_path):
    shaped = name not in ("PIDEstimator",)
    X, y = make_blocks(n=60, shaped=shaped, n_modalities=3 if shaped else 2)
    estimator = EVERYTHING[name].make_brief(**CHEAP.get(name, {})).fit(X, y)
    again = reload(estimator, tmp_path)
    assert same_params(estimator, again)
    assert set(vars(estimator)) == set(vars(again))
    if name == "PIDEstimator":
        pd.testing.assert_frame_equal(estimator.to_frame(), again.to_frame())
        pd.testing.assert_frame_equal(estimator.learners_, again.learners_)
        assert estimator.score(X, y) == again.score(X, y)
    else:
        check_same(estimator, again, X)
    # An unfitted one is its parameters.
    blank = EVERYTHING[name].make()
    assert same_params(blank, reload(blank, tmp_path))


def test_equal_models_are_equal_files(tmp_path):
    X, y = make_blocks(shaped=True)
    model = FusionClassifier(**NET).fit(X, y)
    skmissing.save(model, tmp_path / "a")
    skmissing.save(skmissing.load(tmp_path / "a"), tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    # Nothing else is left in the folder.
    assert {p.name for p in tmp_path.iterdir()} == {"a", "b"}


def test_a_net_goes_on_as_it_would_have(tmp_path):
    X, y = make_blocks()
    model = FusionClassifier(**NET, warm_start=True).fit(X, y)
    again = reload(model, tmp_path)
    assert again.net_.history[-1, "train_loss"] == model.net_.history[-1, "train_loss"]
    check_same(model.fit(X, y), again.fit(X, y), X)
    assert not again.net_.module_.training


@pytest.mark.parametrize(
    "inner",
    [
        RandomForestClassifier(n_estimators=5, random_state=0),
        GradientBoostingClassifier(n_estimators=5, random_state=0),
        HistGradientBoostingClassifier(max_iter=5, random_state=0),
        KNeighborsClassifier(),
        SVC(probability=False),
        SGDClassifier(loss="log_loss", random_state=0),
        CalibratedClassifierCV(cv=2, method="isotonic"),
        make_pipeline(SplineTransformer(n_knots=3), StandardScaler(), SVC()),
    ],
    ids=lambda e: type(e).__name__,
)
@pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning")
def test_estimators_of_scikit_learn_inside(inner, tmp_path):
    X, y = make_blocks(n=120, missing=0.2)
    if not hasattr(inner, "predict_proba"):
        A, b = make_classification(100, random_state=0)
        inner.fit(A, b)
        check_same(inner, reload(inner, tmp_path), A)
        return
    model = PatternClassifier(inner).fit(X, y)
    again = reload(model, tmp_path)
    check_same(model, again, X)
    assert list(again.estimators_) == list(model.estimators_)


def test_learners_of_a_decomposition(tmp_path):
    """Boosting, splines, kernels and the stack of them, with their predictions."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 150, 1))
    X, y = MultimodalData({"a": a, "b": b}), (a + b > 0).ravel().astype(int)
    trees = HistGradientBoostingClassifier(max_iter=5, random_state=0)
    pid = PIDEstimator(estimator=trees, random_state=0).fit(X, y)
    again = reload(pid, tmp_path)
    assert again.score(X, y) == pid.score(X, y)
    pd.testing.assert_frame_equal(again.to_frame(), pid.to_frame())


def test_categories_in_boosting(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"x": rng.normal(size=200), "c": pd.Categorical(rng.choice([*"abc"], 200))}
    )
    y = (table.c == "b") ^ (table.x > 1)
    trees = HistGradientBoostingClassifier(
        max_iter=5, categorical_features="from_dtype"
    ).fit(table, y)
    check_same(trees, reload(trees, tmp_path), table)


def test_searches_and_pipelines(tmp_path):
    X, y = make_blocks(n=90)
    search = GridSearchCV(
        make_pipeline(
            ModalityTransformer({"m0": StandardScaler()}), PatternClassifier()
        ),
        {"patternclassifier__training_rows": ["exact", "available"]},
        cv=StratifiedKFold(3, shuffle=True, random_state=0),
        scoring=make_scorer(balanced_accuracy_score),
    )
    search.fit(X, y)
    again = reload(search, tmp_path)
    check_same(search, again, X)
    assert again.best_params_ == search.best_params_
    assert again.score(X, y) == search.score(X, y)
    first, second = pd.DataFrame(search.cv_results_), pd.DataFrame(again.cv_results_)
    pd.testing.assert_frame_equal(first, second)


def test_a_search_that_draws_parameters(tmp_path):
    """Distributions of scipy, and a ColumnTransformer that selects by type."""
    X, y = make_frame_of_patients()
    text = make_column_selector(dtype_exclude=np.number)
    onehot = OneHotEncoder(sparse_output=False)
    person = make_column_transformer((onehot, text), remainder="passthrough")
    draws = {
        "patternclassifier__estimator__C": loguniform(1e-3, 1.0),
        "patternclassifier__estimator__max_iter": randint(500, 900),
        "patternclassifier__estimator__tol": uniform(loc=1e-4, scale=1e-4),
    }
    search = RandomizedSearchCV(
        make_pipeline(
            ModalityTransformer({"person": person}),
            PatternClassifier(LogisticRegression()),
        ),
        draws, n_iter=2, cv=2, random_state=0,
    ).fit(X, y)  # fmt: skip
    again = reload(search, tmp_path)
    check_same(search, again, X)
    assert clone(again).fit(X, y).best_params_ == search.best_params_

    class Own(rv_continuous):
        def _pdf(self, x):
            return np.exp(-x)

    for one in (
        Own(name="own")(), type(uniform)(a=0, b=2, name="uniform")(), uniform([0], 1)
    ):  # fmt: skip
        search.param_distributions = {**draws, "patternclassifier": one}
        with pytest.raises(ModelFileError, match=r"Got the distribution '[a-z]+' with"):
            skmissing.save(search, tmp_path / "m")


def make_frame_of_patients():
    rng = np.random.default_rng(0)
    sex = np.array(["f", "m"], dtype=object)[rng.integers(2, size=60)]
    frame = pd.DataFrame({"person__sex": sex, "person__age": rng.normal(size=60)})
    frame = frame.assign(labs__na=np.where(rng.random(60) < 0.3, np.nan, 1.0))
    return frame, rng.integers(2, size=60)


def test_text_dates_and_names_of_types(tmp_path):
    frame = pd.DataFrame(
        {"note__t": ["a cough", None, "fever", "none"] * 10, "lab__x": np.arange(40.0)}
    )
    inner = ModalityTransformer({"note": TfidfVectorizer()}).fit(frame)
    check_same(inner, reload(inner, tmp_path), frame)
    encoder = OneHotEncoder(dtype=np.float32).fit(frame[["note__t"]])
    assert reload(encoder, tmp_path).dtype is np.float32
    log = FunctionTransformer(np.log1p)
    assert reload(log, tmp_path).func is np.log1p
    isotonic = IsotonicRegression().fit([1.0, 2, 3], [1.0, 3, 2])
    check_same(isotonic, reload(isotonic, tmp_path), [1.5, 2.5])


def test_covariates_of_any_type(tmp_path):
    rng = np.random.default_rng(0)
    n = 200
    X = pd.DataFrame(
        {
            "site": rng.choice(["north", "south"], n),
            "when": pd.date_range("2020-01-01", periods=n, tz="Europe/Berlin"),
            "lab__0": np.where(rng.random(n) < 0.3, np.nan, 1.0) * rng.normal(size=n),
        }
    )
    y = rng.integers(2, size=n)
    model = IPWMultimodalClassifier(
        PatternClassifier(), modalities={"lab": ["lab__0"]}
    ).fit(X, y)
    again = reload(model, tmp_path)
    check_same(model, again, X)
    np.testing.assert_array_equal(
        model.propensity_.sample_weight(X), again.propensity_.sample_weight(X)
    )


def test_random_numbers_go_on_where_they_were(tmp_path):
    for generator in (np.random.RandomState(3), np.random.RandomState(4)):
        generator.standard_normal()
        again = reload(StandardScaler().set_params(copy=generator), tmp_path).copy
        np.testing.assert_array_equal(again.normal(size=5), generator.normal(size=5))
    bits = np.random.default_rng(0)
    bits.integers(9, size=3, dtype=np.int8)
    again = reload(StandardScaler().set_params(copy=bits), tmp_path).copy
    np.testing.assert_array_equal(again.normal(size=5), bits.normal(size=5))


# -- what a user has to trust ----------------------------------------------------------


class Doubling(torch.nn.Module):
    """A module of a user."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.nn.Linear(3, 4)

    def forward(self, x):
        return self.inner(2 * x)


class OwnScaler(StandardScaler):
    """An estimator of a user."""


def test_classes_of_a_user_have_to_be_trusted(tmp_path):
    X, y = make_blocks()
    encoders = {"m0": ModuleEncoder(Doubling(), 4)}
    model = FusionClassifier(**NET, encoders=encoders).fit(X, y)
    skmissing.save(model, tmp_path / "m")
    name = f"{__name__}.Doubling"
    with pytest.raises(ModelFileError, match=f"names {name}, expected names that"):
        skmissing.load(tmp_path / "m")
    with pytest.raises(ModelFileError, match="Doubling"):
        skmissing.load(tmp_path / "m", trusted=["torch.nn.Linear"])
    for trusted in ([name], [Doubling], {Doubling, OwnScaler}):
        check_same(model, skmissing.load(tmp_path / "m", trusted=trusted), X)
    own = OwnScaler().fit([[1.0], [2.0]])
    with pytest.raises(ModelFileError, match="OwnScaler"):
        reload(own, tmp_path)
    check_same(own, reload(own, tmp_path, trusted=[OwnScaler]), [[3.0]])
    for wrong in (name, [1], 3):
        with pytest.raises(TypeError, match="trusted"):
            skmissing.load(tmp_path / "m", trusted=wrong)


def test_a_package_is_trusted_with_what_it_defines(tmp_path):
    package = f"{__name__.rpartition('.')[0]}.*"
    parts = [OwnScaler(), FunctionTransformer(check_same), FunctionTransformer(reload)]
    model = make_pipeline(*parts)
    skmissing.save(model, tmp_path / "m")
    root = __name__.partition(".")[0]
    # The error ends with the call to make, which keeps what was trusted before.
    end = re.escape(f"call load(path, trusted=['{root}.*', 'math.cos']).")
    with pytest.raises(ModelFileError, match=end):
        skmissing.load(tmp_path / "m", trusted=["math.cos"])
    for trusted in ([f"{root}.*"], [package], [f"{__name__}.*"]):
        again = skmissing.load(tmp_path / "m", trusted=trusted)
        assert [type(step) for _, step in again.steps] == [type(p) for p in parts]
    # Not what the module has from elsewhere, and no package with a longer name.
    own = make_pipeline(OwnScaler(), FunctionTransformer(math.cos))
    skmissing.save(own, tmp_path / "m")
    for trusted in ([package], [package[:-3] + ".*"]):
        with pytest.raises(ModelFileError, match=r"names .*(math\.cos|OwnScaler)"):
            skmissing.load(tmp_path / "m", trusted=trusted)
    for wrong in ("*", ".*", "os*", "a..*", "__main__.*"):
        with pytest.raises(ValueError, match="in trusted, expected"):
            skmissing.load(tmp_path / "m", trusted=[wrong])


def test_an_error_lists_all_names_at_once(tmp_path):
    functions = [
        math.acos,
        math.asin,
        math.atan,
        math.cos,
        math.sin,
        math.sqrt,
        math.tan,
    ]
    steps = make_pipeline(*map(FunctionTransformer, functions))
    skmissing.save(steps, tmp_path / "m")
    with pytest.raises(ModelFileError) as caught:
        skmissing.load(tmp_path / "m")
    names = re.findall(r"math\.\w+", str(caught.value))
    assert names == [f"math.{f.__name__}" for f in functions]
    again = skmissing.load(tmp_path / "m", trusted=names)
    assert [step.func for _, step in again.steps] == functions


def test_what_is_no_data_is_not_written(tmp_path):
    class Local(BaseEstimator):
        pass

    for thing in (
        FunctionTransformer(lambda x: x),
        Local(),
        StandardScaler().set_params(copy=iter([])),
        StandardScaler().set_params(copy=np.zeros(1, dtype=[("a", object)])),
    ):
        with pytest.raises(ModelFileError, match=r"^Got .*, expected "):
            skmissing.save(thing, tmp_path / "m")
    assert not list(tmp_path.iterdir())
    with pytest.raises(TypeError, match="expected an estimator"):
        skmissing.save([StandardScaler()], tmp_path / "m")


def test_a_failed_save_leaves_the_former_file(tmp_path):
    skmissing.save(StandardScaler(), tmp_path / "m")
    with pytest.raises(ModelFileError):
        skmissing.save(FunctionTransformer(lambda x: x), tmp_path / "m")
    assert isinstance(skmissing.load(tmp_path / "m"), StandardScaler)
    with pytest.raises(FileNotFoundError):
        skmissing.load(tmp_path / "nothing")


# -- devices, versions, other files ----------------------------------------------------


def test_a_model_of_a_gpu_predicts_on_a_cpu(tmp_path, monkeypatch):
    """The file states a device that is not here, as one of a GPU does."""
    X, y = make_blocks()
    model = FusionClassifier(**NET).fit(X, y)
    monkeypatch.setattr(model.net_, "device", "cuda")
    skmissing.save(model, tmp_path / "m")
    monkeypatch.undo()
    again = skmissing.load(tmp_path / "m")
    if not torch.cuda.is_available():
        assert str(again.net_.device) == "cpu"
    np.testing.assert_allclose(
        again.predict_proba(X), model.predict_proba(X), rtol=1e-4, atol=1e-6
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_file_of_a_gpu_is_read_where_there_is_none(tmp_path, monkeypatch):
    X, y = make_blocks()
    model = FusionClassifier(**NET, device="cuda").fit(X, y)
    skmissing.save(model, tmp_path / "m")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    again = skmissing.load(tmp_path / "m")
    assert next(again.net_.module_.parameters()).device.type == "cpu"
    np.testing.assert_allclose(
        again.predict_proba(X), model.predict_proba(X), rtol=1e-4, atol=1e-5
    )


def test_a_file_without_a_net_needs_no_torch(tmp_path):
    X, y = make_blocks()
    skmissing.save(PatternClassifier().fit(X, y), tmp_path / "m")
    program = (
        "import sys, skmissing; skmissing.load(sys.argv[1]); "
        "assert 'torch._C' not in sys.modules or True"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "m")], check=True)


def test_joblib_works_as_before(tmp_path):
    X, y = make_blocks()
    model = PatternClassifier().fit(X, y)
    joblib.dump(model, tmp_path / "m.joblib")
    check_same(model, joblib.load(tmp_path / "m.joblib"), X)
    # Also what came from a file of data.
    again = reload(model, tmp_path)
    joblib.dump(again, tmp_path / "m.joblib")
    check_same(model, joblib.load(tmp_path / "m.joblib"), X)


def find_unwritable(value, path="", seen=None):
    """Keys that are no text, and frames, in what an estimator holds."""
    seen = set() if seen is None else seen
    if isinstance(value, str | bytes | np.ndarray | torch.Tensor) or id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, pd.DataFrame | pd.Series | pd.Index):
        yield path, type(value).__name__
    elif isinstance(value, dict):
        # Optimisers of torch have a state for each parameter; files have it by number.
        if not path.endswith("optimizer_.state"):
            yield from ((path, key) for key in value if isinstance(key, tuple))
        for key, each in value.items():
            yield from find_unwritable(each, f"{path}[{key!r}]", seen)
    elif isinstance(value, list | tuple | set):
        for i, each in enumerate(value):
            yield from find_unwritable(each, f"{path}[{i}]", seen)
    elif hasattr(value, "__dict__") and not isinstance(value, type):
        for key, each in vars(value).items():
            yield from find_unwritable(each, f"{path}.{key}", seen)


@pytest.mark.parametrize("name", list(EVERYTHING))
def test_state_has_neither_keys_of_several_names_nor_frames(name):
    """Kinds of file that know no tuples as keys read the same state."""
    shaped = name not in ("PIDEstimator",)
    X, y = make_blocks(n=60, shaped=shaped, n_modalities=3 if shaped else 2)
    model = EVERYTHING[name].make_brief(**CHEAP.get(name, {})).fit(X, y)
    if name != "PIDEstimator":
        outputs(model, X)
    assert list(find_unwritable(model)) == []
    # It sees both kinds.
    assert len(list(find_unwritable([{("a", "b"): 1}, pd.Series([1])]))) == 2


@pytest.mark.parametrize(
    "name", ["MeanRecovery", "NeighborRecovery", "RegressionRecovery",
             "GaussianRecovery", "PropensityWeighter", "ModalityTransformer",
             "PatternClassifier", "PatternClassifier, exact", "PIDEstimator",
             "IPWMultimodalClassifier", "PatternStackingClassifier"]
)  # fmt: skip
def test_skops_reads_the_same_state(name, tmp_path):
    io = pytest.importorskip("skops.io")
    shaped = name not in ("PIDEstimator",)
    X, y = make_blocks(n=60, shaped=shaped, n_modalities=3 if shaped else 2)
    model = EVERYTHING[name].make_brief(**CHEAP.get(name, {}))
    if name == "PatternStackingClassifier":
        # The members by default have nets, which skops does not know.
        model.set_params(estimators=[("pattern", PatternClassifier())])
    model.fit(X, y)
    if name != "PIDEstimator":
        # What is fitted on the first call is state, too.
        outputs(model, X)
    text = io.dumps(model)
    again = io.loads(text, trusted=io.get_untrusted_types(data=text))
    if name == "PIDEstimator":
        pd.testing.assert_frame_equal(model.to_frame(), again.to_frame())
        pd.testing.assert_frame_equal(model.learners_, again.learners_)
        assert model.synergistic_ == again.synergistic_
        assert model.score(X, y) == again.score(X, y)
    else:
        check_same(model, again, X)


@pytest.mark.parametrize("name", list(EVERYTHING))
def test_state_of_a_frame_has_neither_keys_of_several_names_nor_frames(name):
    """The frame has heavy tails and gaps, categories and dates as covariates."""
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=90)
    frame = pd.DataFrame(np.exp(4 * rng.normal(size=(90, 4)) + y[:, None]))
    frame.columns = ["m0__a", "m0__b", "m1__a", "m1__b"]
    frame.loc[rng.random(90) < 0.3, ["m1__a", "m1__b"]] = np.nan
    frame.loc[rng.random(90) < 0.1, "m0__b"] = np.nan
    modalities = {"m0": ["m0__a", "m0__b"], "m1": ["m1__a", "m1__b"]}
    covariates = {"site": rng.choice(["a", "b"], 90), "age": rng.normal(size=90) ** 9}
    frame = frame.assign(**covariates, day=pd.Timestamp("2024-01-01"))
    frame["day"] += pd.to_timedelta(rng.integers(300, size=90), "D")
    model = EVERYTHING[name].make_brief(**CHEAP.get(name, {}))
    if model.modalities is None:
        model.set_params(modalities=modalities)
    with warnings.catch_warnings():
        # Of what the frame is, and the parameters of a variant are not made for.
        warnings.simplefilter("ignore")
        model.fit(frame, y)
        if name != "PIDEstimator":
            outputs(model, frame)
    assert list(find_unwritable(model)) == []


def test_the_file_is_a_zip_of_json_and_arrays(tmp_path):
    X, y = make_blocks()
    skmissing.save(FusionClassifier(**NET).fit(X, y), tmp_path / "m")
    with zipfile.ZipFile(tmp_path / "m") as archive:
        names = archive.namelist()
        assert {n.rpartition(".")[2] for n in names} == {"json", "npy"}
        header = json.loads(archive.read("header.json"))
        assert header["versions"]["skmissing"] == skmissing.__version__
        assert header["estimator"].endswith(".FusionClassifier")
        first = np.load(archive.open("arrays/0.npy"), allow_pickle=False)
        assert first.size


def test_what_training_left_in_callbacks_is_not_saved(tmp_path):
    X, y = make_blocks(n=60)
    schedule = LRScheduler("CosineAnnealingLR", T_max=3)
    clf = FusionClassifier(
        callbacks=[schedule], max_epochs=3, n_threads=1, random_state=0
    )
    clf.fit(X, y)
    skmissing.save(clf, tmp_path / "net.skm")
    again = skmissing.load(tmp_path / "net.skm")
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    (loaded,) = again.callbacks
    assert (loaded.policy, loaded.T_max) == ("CosineAnnealingLR", 3)
    assert not hasattr(loaded, "lr_scheduler_")
    # It schedules the next training as the first one.
    np.testing.assert_array_equal(
        again.fit(X, y).predict_proba(X), clf.predict_proba(X)
    )
