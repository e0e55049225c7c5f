"""Numbers of every public estimator and function for fixed seeds.

A refactoring should change none. Write a snapshot before and after it, on the same
machine and with the same versions of all libraries, and compare the two::

    python tests/snapshot.py write before.npz
    python tests/snapshot.py write after.npz
    python tests/snapshot.py compare before.npz after.npz

``compare`` lists what differs in any bit (NaN equals NaN) or is in one file only; its
exit status is then 1. ``write FILE --only PIDEstimator broja`` writes a part. All of it
takes some minutes of one core.

``SECTIONS`` has a function for each public name. It yields pairs of a key and a thing,
which ``flatten`` turns into arrays. Where a parameter gets another name, its line
changes; keys stay.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import torch
from _instances import INIT_PARAMS, NET, SMALL_TRANSFORMER, VARIANTS
from conftest import make_blocks
from matplotlib import pyplot as plt
from matplotlib.collections import Collection, PathCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy.special import expit
from sklearn.base import BaseEstimator
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, log_loss, make_scorer
from sklearn.model_selection import GroupKFold, ShuffleSplit, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

import skmissing
from skmissing import MultimodalData, dymo, ipw, metrics, missingness, nn, recovery
from skmissing import datasets as made
from skmissing import inspection as draw
from skmissing.baselines import FusionClassifier, PatternClassifier, UnimodalEnsemble
from skmissing.ipw import PropensityWeighter
from skmissing.modalities import Modality, ModalityTransformer
from skmissing.pid import PIDEstimator, broja

Entries = Iterator[tuple[str, Any]]
# Larger arrays are kept as their first values, their shape and a digest.
LARGEST = 20_000


def kw(**params: Any) -> dict[str, Any]:
    """Parameters as a dict."""
    return params


# -- things into arrays ----------------------------------------------------------------
def as_array(values: Any) -> np.ndarray:
    """Of float64, int64 or str."""
    array = np.asarray(values)
    if array.dtype.kind in "fiub":
        return array.astype(np.float64 if array.dtype.kind == "f" else np.int64)
    flat = [str(value) for value in array.ravel().tolist()]
    return np.asarray(flat, dtype=str).reshape(array.shape)


def attributes(thing: Any, ending: str = "") -> dict[str, Any]:
    """Public attributes, properties included; with ``ending="_"`` those of a fit."""
    kind = type(thing)
    names = {n for n in dir(kind) if isinstance(getattr(kind, n, None), property)}
    names |= {*getattr(kind, "_fields", ()), *getattr(thing, "__dict__", ())}
    names = {n for n in names if n.endswith(ending) and not n.startswith("_")}
    shown = sorted(names - {"ax_", "figure_"})
    return {name: getattr(thing, name) for name in shown if hasattr(thing, name)}


def flatten(key: str, thing: Any) -> Iterator[tuple[str, np.ndarray]]:  # noqa: C901
    """Arrays by key, for nested results of any kind.

    Frames have one entry per column, mappings one per key, fitted estimators one per
    attribute, and drawn artists their coordinates. What holds no numbers has none.
    """
    if isinstance(thing, pd.DataFrame) and thing.size > LARGEST:
        yield from flatten(key, [thing.columns, thing.to_numpy()])
    elif isinstance(thing, pd.DataFrame):
        yield from flatten(f"{key}/index", thing.index)
        for i, column in enumerate(thing.columns):
            yield from flatten(f"{key}/{column}", thing.iloc[:, i])
    elif isinstance(thing, MultimodalData):
        yield f"{key}/present", as_array(thing.present)
        for name, here in zip(thing.names, thing.present.T):
            block = np.array(thing[name])
            block[~here] = block.dtype.type()  # what stood there is of no account
            yield from flatten(f"{key}/{name}", block)
    elif isinstance(thing, pd.Series | pd.Index | pd.Categorical):
        yield from flatten(key, np.asarray(thing))
    elif isinstance(thing, torch.Tensor):
        yield from flatten(key, thing.detach().numpy())
    elif isinstance(thing, np.ndarray | np.generic | str | int | float | None):
        array = as_array(thing)
        if array.size > LARGEST:
            if array.dtype.kind == "f":
                array = np.where(np.isnan(array), np.nan, array)  # one kind of NaN
            yield f"{key}/sha256", as_array(hashlib.sha256(array.tobytes()).hexdigest())
            yield f"{key}/shape", as_array(array.shape)
            array = array.ravel()[:200]
        yield key, array
    elif isinstance(thing, dict):
        for name, value in thing.items():
            text = "+".join(map(str, name if isinstance(name, tuple) else [name]))
            yield from flatten(f"{key}/{text}", value)
    elif isinstance(thing, list | tuple):
        if all(isinstance(v, str | int | float | np.number) for v in thing):
            yield key, as_array(thing)
        else:
            yield from flatten(key, {str(i): value for i, value in enumerate(thing)})
    elif isinstance(thing, Line2D):
        yield key, as_array(thing.get_xydata())
    elif isinstance(thing, PathCollection):
        yield key, np.ma.filled(np.ma.asarray(thing.get_offsets(), dtype=float), np.nan)
    elif isinstance(thing, Patch):
        path = thing.get_patch_transform().transform_path(thing.get_path())
        yield key, as_array(path.vertices)
    elif isinstance(thing, Collection):
        corners = [path.vertices for path in thing.get_paths() if len(path.vertices)]
        yield key, np.concatenate([np.empty((0, 2)), *corners])
    elif hasattr(thing, "history"):  # a net of skorch
        for name in ("train_loss", "valid_loss"):
            yield f"{key}/{name}", as_array([e.get(name, -1.0) for e in thing.history])
    elif isinstance(thing, BaseEstimator):
        ours = type(thing).__module__.startswith("skmissing.")
        if not ours or type(thing).__name__ in SECTIONS:  # private ones may change
            yield from flatten(key, attributes(thing, "_"))


# -- data ------------------------------------------------------------------------------
def blocks(n: int = 60, n_modalities: int = 3, **more: Any) -> tuple[Any, Any, Any]:
    """Training rows, their labels, and new rows of any pattern, the first one empty."""
    X, y = make_blocks(n, n_modalities, **more)
    new, _ = make_blocks(24, n_modalities, seed=1, **more)
    return X, y, new.hide(np.arange(24)[:, None] < np.ones(n_modalities))


def with_holes(X: MultimodalData) -> MultimodalData:
    """Some first features of vectors are NaN in blocks that are there."""
    out = {name: np.array(block) for name, block in X.blocks.items()}
    for m, block in enumerate(out.values()):
        if block.ndim == 2:
            block[m::7, 0] = np.nan
    return MultimodalData(out, present=X.present)


def three_forms(X: MultimodalData) -> dict[str, tuple[Any, Any]]:
    """A container, a frame and an array with the same rows, and their modalities."""
    frame, columns, start = X.to_frame(), {}, 0
    for name, shape in X.block_shapes.items():
        stop = start + int(np.prod(shape))
        columns[name] = Modality(slice(start, stop), shape=shape)
        start = stop
    array = frame.to_numpy(dtype=float)
    return kw(container=(X, None), frame=(frame, columns), array=(array, columns))


def make_study(n: int = 240) -> SimpleNamespace:
    """A frame in which the covariates ``age`` and ``site`` drive what is missing."""
    rng = np.random.default_rng(0)
    y, age = rng.integers(2, size=n), rng.normal(size=n)
    site = rng.choice(["north", "south", "west"], size=n)
    names = {m: [f"{m}__0", f"{m}__1"] for m in "abc"}
    frame = pd.DataFrame({c: y + rng.normal(size=n) for m in "abc" for c in names[m]})
    signs = (frame > 0.0).astype(int)
    for name, shift in kw(b=0.6, c=1.2).items():
        gone = rng.random(n) > expit(shift + age + (site == "south"))
        frame.loc[gone, names[name]] = np.nan
    frame = frame.assign(age=np.where(np.arange(n) % 17 == 0, np.nan, age), site=site)
    return SimpleNamespace(
        X=frame, y=y, gaps=np.where(np.arange(n) % 11 == 0, np.nan, y), names=names,
        weight=rng.uniform(0.2, 2.0, size=n), groups=np.arange(n) // 3,
        values=rng.normal(0.3, 1.0, size=n), propensity=rng.uniform(0.2, 1.0, size=n),
        discrete=(signs, y + signs["a__0"].to_numpy()),
    )  # fmt: skip


S = make_study()
FORMS = kw(modalities=S.names)
LABELS = (("y", S.y, None), ("gaps", S.gaps, S.weight))
BITS = made.make_bitwise(300, mechanism="mar", return_X_y=True, random_state=0)
LINEAR, TREE = LogisticRegression(), DecisionTreeClassifier(max_depth=3, random_state=0)
# Without a search for the penalty.
QUICK = PropensityWeighter(LogisticRegression(C=100.0), random_state=0)


@cache
def fitted_patterns() -> tuple[dict[str, Any], Any, Any]:
    """Two fitted classifiers, and rows that they do not know."""
    X, y, _ = blocks(n=160, n_classes=2)
    models = kw(linear=PatternClassifier(), bayes=PatternClassifier(GaussianNB()))
    return {k: m.fit(X[:80], y[:80]) for k, m in models.items()}, X[80:], y[80:]


@cache
def fitted_primo() -> tuple[Any, Any, Any]:
    X, y = made.make_xor(120, return_X_y=True, random_state=0)
    return INIT_PARAMS["PRIMOClassifier"].make(max_epochs=2).fit(X, y), X, y


# -- what sections have in common ------------------------------------------------------
# What to ask of a fitted estimator that has the method before the slash.
ASK: dict[str, dict[str, Any]] = {
    "predict": {}, "predict_proba": {}, "predict_log_proba": {}, "sample_proba": {},
    "unimodal_proba": {}, "decision_function": {}, "sample_proba/7": kw(n_draws=7),
    "predictive_impact": {}, "predictive_impact/m1": kw(modality=["m1"], n_draws=9),
    "acquisition_order": kw(modality="m1"), "plausible_labels": kw(n_draws=20),
    "plausible_labels/argmax": kw(method="argmax"), "select": {},
    "select/simultaneous": kw(selection="simultaneous", min_reward=-0.1),
    "select/log": kw(calibration="log", min_reward=0.05), "selection_report": {},
    "selection_report/all": kw(selection="all", calibration=None), "transform": {},
    "recover": {}, "sample": kw(n_draws=2),
}  # fmt: skip


def answers(key: str, fitted: Any, X: Any) -> Entries:
    """The attributes of a fitted estimator, and what it says about some rows."""
    yield key, attributes(fitted, "_")
    for name, params in ASK.items():
        if hasattr(fitted, name.split("/")[0]):
            yield f"{key}/{name}", getattr(fitted, name.split("/")[0])(X, **params)
    if hasattr(fitted, "get_feature_names_out"):
        yield f"{key}/names_out", fitted.get_feature_names_out()


def calls(function: Callable, *args: Any, **settings: dict[str, Any]) -> Entries:
    """What a function returns in some settings."""
    for key, params in settings.items():
        out = function(*args, **params)
        ours = type(out).__module__.startswith("skmissing.")
        yield key, attributes(out) if ours else out


def classifier(name: str, **settings: dict[str, Any]) -> Entries:
    """A classifier in some settings of its own and in those that all have."""
    known = INIT_PARAMS[name]
    make = known.make_brief
    X, y, new = blocks()
    if known.has_net:
        sgd = kw(optimizer="sgd", weight_decay=0.01, batch_size=16)
        adam = kw(optimizer="adam", batch_size=None, dtype="float64")
        settings = {"sgd": sgd, "adam": adam, **settings}
    tried = {key: make(**params) for key, params in settings.items()}
    tried |= {k: v.make_brief() for k, v in VARIANTS.items() if k.startswith(name)}
    tried |= kw(default=make(), deterministic=known.make_deterministic())
    for key, clf in tried.items():
        yield from answers(key, clf.fit(X, y), new)
    weight = np.where(np.arange(60) % 9, S.weight[:60], 0.0)
    yield from answers("weights", make().fit(X, y, sample_weight=weight), new)
    if "class_weight" in make().get_params():
        words = np.array(["zero", "one", "two"])[y]
        for key, factor in kw(balanced="balanced", costs={"zero": 3.0}).items():
            clf = make(class_weight=factor).fit(X, words, sample_weight=weight)
            yield from answers(key, clf, new)
    two, labels, rows = blocks(n_modalities=2, n_classes=2, missing=0.1)
    yield from answers("two_classes", make().fit(two, labels), rows)
    yield from answers("holes", make().fit(with_holes(X), y), with_holes(new))
    yield from answers("one", make().fit(X.select("m1"), y), new.select("m1"))
    X, y, new = blocks(shaped=True)
    for key, (form, columns) in three_forms(X).items():
        clf = make(modalities=columns).fit(form, y)
        yield from answers(f"shaped_{key}", clf, three_forms(new)[key][0])
    if known.has_net:
        pairs = [("m0", nn.ConvEncoder(channels=(4,))), ("m2", nn.MLPEncoder())]
        clf = make(encoders=pairs).set_params(m0__dropout=0.1, m2__hidden=(8,))
        yield from answers("encoders", clf.fit(X, y), new)
        X, y, new = blocks(n=90)
        clf = make(early_stopping=True, n_iter_no_change=2, validation_fraction=0.2)
        yield from answers("groups", clf.fit(X, y, groups=np.arange(90) // 3), new)
        yield from answers("held_out", clf.fit(X, y), new)
        yield from answers("warm", make(warm_start=True).fit(X, y).fit(X, y), new)


def recoveries(make: Callable[..., Any], **settings: dict[str, Any]) -> Entries:
    for start, shaped in kw(flat=False, shaped=True).items():
        X, new = (with_holes(data) for data in blocks(shaped=shaped)[::2])
        for key, params in {"default": {}, **settings}.items():
            fitted = make(**params).fit(X)
            yield from answers(f"{start}_{key}", fitted, new)
            yield f"{start}_{key}/score", fitted.score(new)
        for key, (form, columns) in three_forms(X).items():
            fitted = make(modalities=columns).fit(form, sample_weight=S.weight[:60])
            yield from answers(f"{start}_{key}", fitted, three_forms(new)[key][0])
    yield from answers("covariates", make(**FORMS).fit(S.X), S.X)


def encoders(modality: str, **settings: Any) -> Entries:
    """What an encoder makes of fixed rows, and a net that has it."""
    X, y, new = blocks(n=50, shaped=True)
    shape = X.block_shapes[modality]
    rows = torch.linspace(-1, 1, 3 * int(np.prod(shape))).reshape(3, *shape)
    for key, encoder in settings.items():
        yield f"{key}/axes", [*encoder.statistics_axes(shape), encoder.is_series(shape)]
        with torch.random.fork_rng():
            torch.manual_seed(0)
            yield f"{key}/codes", encoder.build(shape).eval()(rows)
        clf = INIT_PARAMS["FusionClassifier"].make_brief(encoders=[(modality, encoder)])
        yield from answers(key, clf.fit(X, y), new)


def data_sets(function: Callable[..., Any], **settings: dict[str, Any]) -> Entries:
    """Every field of a Bunch, and the two other forms of it."""
    for key, params in settings.items():
        bunch = function(**params)
        yield key, {name: bunch[name] for name in bunch if name != "DESCR"}
        yield f"{key}/as_frame", function(**params, as_frame=True).frame
        yield f"{key}/return_X_y", function(**params, return_X_y=True)
        if "posterior" in bunch:
            yield f"{key}/posterior", bunch.posterior([-1.0, 0.4])


def displays(**drawn: Any) -> Entries:
    """What displays store, what is on their axes, and what is written there."""
    for key, display in drawn.items():
        ax, legend = display.ax_, display.ax_.get_legend()
        yield key, attributes(display)
        yield f"{key}/ax", [*ax.lines, *ax.patches, *ax.collections]
        texts = [*ax.texts, *ax.get_yticklabels(), ax.xaxis.label, ax.yaxis.label]
        texts += legend.get_texts() if legend else []
        yield f"{key}/texts", [text.get_text() for text in texts]
    plt.close("all")


# -- the public names ------------------------------------------------------------------
SEED = kw(n_samples=200, random_state=0)
FOREST = kw(n_samples=250, n_trees=3, random_state=0)
RESAMPLED = kw(n_bootstraps=20, random_state=0, sample_weight=S.weight)
# Of the three estimators that feed something in place of a missing block.
SUBSTITUTES = kw(
    mean=kw(substitute="mean", fusion="mean_proba"),
    noise=kw(substitute="noise", fusion="sum_logits", head_hidden=(8,)),
    mixed=kw(substitute={"m0": "mean", "m2": "noise"}, head_dropout=0.2),
    one_drop=kw(dropout_scheme="one", modality_dropout=0.4),
)
# fmt: off
SECTIONS: dict[str, Callable[[], Entries]] = {
    "FusionClassifier": partial(
        classifier, "FusionClassifier", mask=kw(use_mask=True, head_hidden=()),
        exclusive=kw(dropout_scheme="exclusive", modality_dropout=0.4),
        late=kw(fusion="late", head_hidden=(8,), head_dropout=0.2)),
    "UnimodalEnsemble": partial(
        classifier, "UnimodalEnsemble", hidden=kw(head_hidden=(8,), head_dropout=0.2)),
    "MultitaskFusionClassifier": partial(
        classifier, "MultitaskFusionClassifier", naive=kw(side_weight=0.0),
        **SUBSTITUTES),
    "MissingDetectionClassifier": partial(
        classifier, "MissingDetectionClassifier", **SUBSTITUTES),
    "PatternClassifier": partial(
        classifier, "PatternClassifier", bayes=kw(estimator=GaussianNB())),
    "ConvEncoder": partial(
        encoders, "m0", plain=nn.ConvEncoder(scale_inputs=False, lr_factor=0.1),
        small=nn.ConvEncoder(channels=(4,), kernel_size=5, out_features=8, dropout=0)),
    "MLPEncoder": partial(
        encoders, "m2", tanh=nn.MLPEncoder(hidden=(8,), activation="tanh", dropout=0.3),
        gelu=nn.MLPEncoder(activation="gelu", scale_inputs=False, lr_factor=2.0)),
    "SequenceEncoder": partial(
        encoders, "m1", conv=nn.SequenceEncoder(kind="conv", kernel_size=3),
        deep=nn.SequenceEncoder(hidden_size=8, n_layers=2, dropout=0.2, lr_factor=0.5),
        plain=nn.SequenceEncoder(hidden_size=8, scale_inputs=False)),
    "MeanRecovery": partial(recoveries, recovery.MeanRecovery),
    "NeighborRecovery": partial(
        recoveries, recovery.NeighborRecovery,
        distance=kw(n_neighbors=3, weights="distance")),
    "RegressionRecovery": partial(
        recoveries, recovery.RegressionRecovery, ridge=kw(n_components=2, alpha=1.0),
        linear=kw(estimator=LinearRegression(), min_rows=3),
        trees=kw(estimator=ExtraTreesRegressor(3), random_state=0)),
    "MultimodalVAE": partial(
        recoveries, INIT_PARAMS["MultimodalVAE"].make_brief,
        poe=kw(fusion="poe", latent_dim=4, hidden=(16,), n_draws=3, scale=0.3),
        moe=kw(fusion="moe", beta=0.5, likelihood="laplace", shared_noise=True),
        stopping=kw(early_stopping=True, encoders=[("m2", nn.MLPEncoder())])),
    "make_bitwise": partial(data_sets, made.make_bitwise, **{
        f"{gate}/{kind}": kw(gate=gate, mechanism=kind, **SEED)
        for gate in ("and", "or", "xor") for kind in ("none", "mcar", "mar", "mnar")}),
    "make_xor": partial(
        data_sets, made.make_xor, four=kw(four_quadrants=True, **SEED),
        default=SEED, cluster=kw(labels="cluster", std=0.8, **SEED)),
    "make_simulation": partial(
        data_sets, made.make_simulation, default=FOREST,
        shares=kw(setting=(1.0, 0.0, 0.0), n_clusters=3, n_features=4, **FOREST),
        named=kw(setting="causal_0.1_0.2_0.7", missing_rate=0.2, **FOREST),
        forest=kw(n_missing_clusters=8, max_depth=None, flip_probability=0, **FOREST)),
    "load_heart": partial(data_sets, made.load_heart, default={}),
    "load_mfeat": partial(data_sets, made.load_mfeat, default={}),
    "load_av_digits": partial(
        data_sets, made.load_av_digits, all={}, test=kw(subset="test")),
    "patterns": partial(calls, missingness.patterns, S.X, default=FORMS),
    "mse_gap_bound": partial(
        calls, metrics.mse_gap_bound, 0.3, default={}, pair=kw(y_range=(0.0, 10.0)),
        width=kw(y_range=2.5)),
    "bayes_error_bounds": partial(calls, metrics.bayes_error_bounds, **{
        f"{kind}/{k}/{h}": kw(cond_entropy=h, n_classes=k, kind=kind)
        for kind in ("tight", "paper") for k in (2, 5) for h in (0.0, 0.3, 0.6, 2)}),
    "tipping_odds_ratio": partial(
        calls, ipw.tipping_odds_ratio, S.values, S.propensity, default={},
        weights=kw(sample_weight=S.weight, threshold=0.2), low=kw(threshold=-9.0)),
    "sensitivity_bounds": partial(
        calls, ipw.sensitivity_bounds, S.values, S.propensity, default={},
        ratios=kw(odds_ratios=[1, 2, 10]), bootstrap=RESAMPLED,
        groups=kw(groups=S.groups, confidence_level=0.8, **RESAMPLED)),
}


class Others:
    """Functions for the other names; the class only keeps their names apart."""

    def UMEMMAEnsemble() -> Entries:
        X, y, _ = blocks()
        two = UnimodalEnsemble(**NET).fit(X.select(["m0", "m1"]), y)
        one = FusionClassifier(**NET).fit(X.select("m2"), y)
        given = {"m0": FrozenEstimator(two), "m2": FrozenEstimator(one)}
        return classifier(
            "UMEMMAEnsemble", **SUBSTITUTES, phase_1=kw(finetune_epochs=0),
            frozen=kw(freeze_encoders=True, finetune_lr=5e-3),
            handed_in=kw(unimodal=given, final_complete_finetune=True))

    def PRIMOClassifier() -> Entries:
        paper = kw(anchor_weight=1.0, tie_weight=1.0, posterior_norm=1.0)
        yield from classifier(
            "PRIMOClassifier", shared=kw(shared_noise=True, n_draws=11),
            small=kw(latent_dim=3, beta=0.5, hidden=(16, 8)),
            paper=kw(classifier_input="core", classifier_dropout=0.0, **paper))
        make, (X, y, new) = INIT_PARAMS["PRIMOClassifier"].make_brief, blocks()
        one = FusionClassifier(**NET).fit(X.select(["m0", "m1"]), y)
        both = kw(unimodal=one, multimodal=FusionClassifier(**NET).fit(X, y))
        yield "bias", make().fit(X, y).distance_to_references(X, modality="m2", **both)
        # With a modality that all rows have, there is a core.
        X = blocks(missing=0.0)[0].hide({"m1": np.arange(60) % 3 == 0})
        for kind in ("present", "core"):
            clf = make(classifier_input=kind).fit(X, y)
            yield from answers(f"core_{kind}", clf, new)

    def DyMoSelector() -> Entries:
        make, (X, y, new) = INIT_PARAMS["DyMoSelector"].make_brief, blocks(n=90)
        lent, net = FusionClassifier(**NET).fit(X, y), make().fit(X, y)
        mean, near = recovery.MeanRecovery(), recovery.NeighborRecovery(n_neighbors=2)
        change = kw(selection="all", calibration=None, min_reward=-0.1)
        yield "predict_proba", net.predict_proba(new, **change)

        def sized(**params: Any) -> dict[str, Any]:
            return kw(net=dymo.TokenTransformer(**{**SMALL_TRANSFORMER, **params}))

        def typical(**params: Any) -> dict[str, Any]:
            return kw(typicality=dymo.Typicality(**params))

        constant = sized(lr_schedule="constant", contrastive_weight=0.5, n_subsets=3)
        training = typical(statistics="training", shrinkage=0.5)
        yield from classifier(
            "DyMoSelector",
            lent=kw(estimator=FrozenEstimator(lent), **typical(statistics="held_out")),
            lent_net=kw(
                estimator=FrozenEstimator(net), recovery=mean, selection="none"),
            simultaneous=kw(
                selection="simultaneous", calibration="log", **typical(min_rows=1)),
            all=kw(selection="all", recovery={"m0": near, "m1": mean}),
            reward=kw(min_reward=0.05, calibration=None, **typical(reward="logprob")),
            training=kw(**training, **sized(temperature=0.3)), net=constant,
            imputer=kw(
                recovery=SimpleImputer(), min_reward=0.0, **typical(ics="halfnormal")),
            sgd=kw(optimizer="sgd", **sized(contrastive_start=0)))
        # Enough rows for calibration and least reward to be chosen.
        X, y, new = blocks(n=400, n_classes=2)
        clf = make(early_stopping=True, validation_fraction=0.3)
        yield from answers("chosen", clf.fit(X, y, groups=np.arange(400) // 2), new)
        # More modalities than sets are computed for in advance.
        X, y, new = blocks(n=120, n_modalities=7)
        yield from answers("many", make().fit(X, y), new[:8])

    def IPWMultimodalClassifier() -> Entries:
        none, age = kw(estimator=LINEAR, weighting="none"), kw(covariates=["age", "a"])
        yield from classifier("IPWMultimodalClassifier", none=none)
        crossed = PropensityWeighter(LINEAR, cv=3, clip=(0.1, 1.0), random_state=0)
        for key, params in kw(
            tree=kw(estimator=TREE, use=["b"], propensity=QUICK), unweighted=none,
            crossed=kw(estimator=LINEAR, propensity=crossed),
            chosen=kw(estimator=LINEAR, propensity=PropensityWeighter(LINEAR, **age)),
            net=kw(estimator=FusionClassifier(**NET), use=["a", "b"]),
        ).items():
            clf = ipw.IPWMultimodalClassifier(**FORMS, **params)
            for name, y, weight in LABELS:
                clf.fit(S.X, y, sample_weight=weight, groups=S.groups)
                yield from answers(f"study_{key}/{name}", clf, S.X[:60])
                yield f"study_{key}/{name}/score", clf.score(S.X, y, weight)

    def ModuleEncoder() -> Entries:
        with torch.random.fork_rng():
            torch.manual_seed(1)
            fixed, bag = torch.nn.Linear(5, 6), torch.nn.EmbeddingBag(9, 4)
        yield from encoders(
            "m2", function=nn.ModuleEncoder(partial(torch.nn.Linear, 5, 6), 6),
            module=nn.ModuleEncoder(fixed, 6, scale_inputs=True, lr_factor=0.5),
            frozen=nn.ModuleEncoder(fixed, 6, frozen=True))
        tokens, y = np.random.default_rng(0).integers(9, size=(60, 4)), blocks()[1]
        X, pairs = MultimodalData({"m1": tokens}), [("m1", nn.ModuleEncoder(bag, 4))]
        for name in ("FusionClassifier", "UMEMMAEnsemble", "DyMoSelector"):
            clf = INIT_PARAMS[name].make_brief(encoders=pairs).fit(X, y)
            yield from answers(f"tokens_{name}", clf, X[:20])

    def ModalityTransformer() -> Entries:
        X, _, new = blocks(shaped=True)
        for form, (data, columns) in three_forms(X).items():
            scaler = [("m2", StandardScaler()), ("m1", "drop")]
            fitted = ModalityTransformer(scaler, modalities=columns).fit(data)
            yield from answers(form, fitted, three_forms(new)[form][0])
        frame, names = S.X.assign(ward=S.X.site), {**S.names, "d": ["ward"]}
        onehot = [("d", OneHotEncoder(sparse_output=False)), ("b", SimpleImputer())]
        for rest in ("drop", "passthrough"):
            fitted = ModalityTransformer(onehot, modalities=names, remainder=rest)
            yield rest, fitted.fit_transform(frame)

    def MultimodalData() -> Entries:
        X, _, new = blocks(n=20, shaped=True)
        yield "blocks", [X, X.shape, X.names, X.block_shapes, X.to_frame()]
        yield "rows", [X[[3, 1, 1]], X[5:9], X[4], X[np.arange(20) % 2 == 0]]
        yield "hide", [X.hide("m1"), X.hide({"m0": np.arange(20) < 7})]
        yield "parts", [X.select(["m2", "m0"]), MultimodalData.concat([X, new])]
        yield "from_frame", MultimodalData.from_frame(with_holes(X).to_frame())
        yield "from_study", MultimodalData.from_frame(S.X, **FORMS)

    def Modality() -> Entries:
        frame = blocks(n=20, shaped=True)[0].to_frame()
        mask, labels = np.arange(frame.shape[1]) < 36, list(frame)[:36]
        for key, columns in kw(mask=mask, labels=labels, call=lambda X: labels).items():
            both = {"u": Modality(columns, shape=(1, 6, 6)), "v": list(frame)[-2:]}
            yield key, MultimodalData.from_frame(frame, both)

    def simulate_missing() -> Entries:
        full, y, X = *blocks(n=80, missing=0.0)[:2], blocks(n=80)[0]
        mar, mnar = kw(mechanism="mar"), kw(mechanism="mnar")
        scores, make = S.values.reshape(80, 3), missingness.simulate_missing
        for key, params, data in (
            ("mcar", kw(rate={"m0": 0.5, "m2": 0.1}), X),
            ("mcar/keep_one", kw(rate=0.3, keep_one=True), X),
            ("mar/scores", kw(scores=scores, strength=-1.0, **mar), X),
            ("mar/levels", kw(depends_on={"y": {0: 1.0, 1: 0, 2: -1}}, **mar), X),
            ("mar/block", kw(depends_on="m1", strength=2.0, **mar), full),
            ("mar/both", kw(depends_on=["y", "m1"], keep_one=True, **mar), full),
            ("mnar", kw(rate=0.4, **mnar), full), ("mnar/gaps", mnar, X),
            ("mnar/scores", kw(scores=scores[:, 0], keep_one=True, **mnar), full),
        ):
            out = make(data, y, random_state=0, **params)
            yield key, [attributes(out), out.apply(data), out.prob(["m0", "m2"])]
        frame, given = S.X.ffill().bfill(), kw(rate={"b": 0.3}, random_state=1, **FORMS)
        for key, drivers in kw(names=["site", "age"], factors={"age": -0.5}).items():
            out = make(frame, depends_on=drivers, **mar, **given)
            yield f"frame/{key}", [attributes(out), out.apply(frame), out.prob()]

    def PropensityWeighter() -> Entries:
        def report(key: str, e: Any, X: Any, y: Any = None, w: Any = None) -> Entries:
            yield key, [attributes(e, "_"), e.get_feature_names_out()]
            yield f"{key}/predict_propensity", e.predict_propensity(X, y)
            yield f"{key}/sample_weight", e.sample_weight(X, y)
            yield f"{key}/transform", None if e.use_target else e.transform(X)
            yield f"{key}/balance", e.balance(X, y, sample_weight=w)
            yield f"{key}/overlap", e.overlap(X, y, sample_weight=w)
            yield f"{key}/calibration", e.calibration(X, y, n_bins=4, sample_weight=w)

        sets = kw(required=[["b"], ["c", "b"], ["c"]])
        for key, params in kw(
            default={}, crossed=kw(cv=3), nothing=kw(covariates=[]),
            bayes=kw(estimator=GaussianNB(), covariates=["site", "a"]),
            sets=kw(estimator=LINEAR, clip=(0.2, 0.9), stabilized=False, **sets),
            sets_crossed=kw(estimator=LINEAR, cv=4, clip=0.9, **sets),
            bounds=kw(required=["b"], clip=(0.3, 0.8), estimator=LINEAR),
            quantile=kw(required=["c"], clip=0.8, estimator=LINEAR),
            target=kw(use_target=True, estimator=LINEAR),
            target_crossed=kw(use_target=True, cv=3, required=["b"]),
        ).items():
            fitted = PropensityWeighter(**{"random_state": 0, **FORMS, **params})
            yield f"{key}/ungrouped", fitted.fit(S.X, S.y).propensity_
            for name, y, weight in LABELS[: 1 if fitted.use_target else 2]:
                given = kw(sample_weight=weight, groups=S.groups)
                yield f"{key}/{name}/out", fitted.fit_transform(S.X, y, **given)
                yield from report(f"{key}/{name}", fitted, S.X, y, weight)
                yield from report(f"{key}/{name}/part", fitted, S.X[50:90], y[50:90])
        array, columns = S.X.iloc[:, :7].to_numpy(), kw(a=[0, 1], b=[2, 3], c=[4])
        for key, X, form in (("bits", BITS[0], None), ("array", array, columns)):
            fitted = PropensityWeighter(modalities=form, random_state=0).fit(X)
            yield from report(key, fitted, X)

    def ObservedStratifiedKFold() -> Entries:
        three = kw(n_splits=3, required=["b"], random_state=1)
        for key, params in kw(five=kw(random_state=0), three=three).items():
            cv = ipw.ObservedStratifiedKFold(**FORMS, **params)
            for name, y, _ in LABELS:
                yield f"{key}/{name}", [cv.get_n_splits(), *cv.split(S.X, y)]

    def make_ipw_scorer() -> Entries:
        clf = ipw.IPWMultimodalClassifier(LINEAR, propensity=QUICK, **FORMS)
        cv = ipw.ObservedStratifiedKFold(3, random_state=0, **FORMS)
        sets = kw(required=[["b"], ["a", "c"]])
        two = PropensityWeighter(LINEAR, **sets, **FORMS).fit(S.X)
        for key, metric, params in (
            ("own", "accuracy", {}),
            ("loss", "neg_log_loss", kw(propensity=two, required=["b"])),
            ("scorer", make_scorer(f1_score), kw(propensity=two, required=["a", "c"])),
            ("function", log_loss, kw(response_method="predict_proba")),
        ):
            scorer = ipw.make_ipw_scorer(metric, **params)
            for name, y, _ in LABELS:
                weighted = scorer(clf.fit(S.X, y), S.X, y, sample_weight=S.weight)
                yield f"{key}/{name}", [scorer(clf, S.X, y), weighted]
                if "propensity" in params:
                    found = cross_val_score(clf, S.X, y, cv=cv, scoring=scorer)
                    yield f"{key}/{name}/folds", found

    def modality_utility() -> Entries:
        clipped = PropensityWeighter(LINEAR, clip=0.9, cv=3, random_state=0)
        target = PropensityWeighter(LINEAR, use_target=True, random_state=0)
        halves = ShuffleSplit(1, test_size=0.5, random_state=0)
        loss = make_scorer(log_loss, response_method="predict_proba")
        some = kw(n_bootstraps=0, subsets=[["a"], "b", ["b", "c"]])
        pair = kw(n_bootstraps=6, subsets=["a", ["a", "b"]])
        means = kw(scoring=["accuracy", "neg_brier_score"], cv=4, **pair)
        own = kw(hits=accuracy_score, f1="f1", loss=loss)
        for key, clf, params in (
            ("default", LINEAR, kw(n_bootstraps=4, cv=3)),
            ("ipw", ipw.IPWMultimodalClassifier(TREE, propensity=clipped), some),
            ("pattern", PatternClassifier(), kw(scoring="neg_log_loss", **some)),
            ("groups", TREE, kw(groups=S.groups, **means)),
            ("splitter", TREE, kw(groups=S.groups, cv=GroupKFold(3), **some)),
            ("own", TREE, kw(scoring=own, **pair)),
            ("training", LINEAR, kw(correct_training=False, **some)),
            ("evaluation", LINEAR, kw(correct_evaluation=False, **some)),
            ("outcome", LINEAR, kw(outcome_model=LinearRegression(), **means)),
            ("independent", TREE, kw(fold_dependence=False, **means)),
            ("level", TREE, kw(confidence_level=0.8, sample_weight=S.weight, **means)),
            ("split", LINEAR, kw(cv=halves, **pair)),
            ("target", LINEAR, kw(propensity=target, **some)),
        ):
            known = kw(random_state=0, return_scores=True, **FORMS)
            known |= kw(propensity=None if key == "ipw" else QUICK)
            for name, y, _ in LABELS[: 1 + (key in ("default", "ipw", "outcome"))]:
                table, scores = ipw.modality_utility(clf, S.X, y, **{**known, **params})
                yield f"{key}/{name}", [table, scores.folds]
                of_rows = table[table.metric.isin(["accuracy", "neg_log_loss"])]
                for names in of_rows[["metric", "subset", "baseline"]].to_numpy():
                    yield f"{key}/{name}/{'/'.join(names)}", scores.rows(*names)
        more = kw(n_bootstraps=4, random_state=0)
        yield "bits", ipw.modality_utility(LINEAR, *BITS, **more)

    def PIDEstimator() -> Entries:
        again, w = kw(n_bootstraps=4, n_permutations=3), kw(sample_weight=S.weight)
        groups, ab, study = kw(groups=S.groups), kw(sources=["a", "b"]), (S.X, S.y)
        quick, fixed = kw(propensity=QUICK), kw(estimator=LINEAR)
        posterior = kw(method="posterior", **fixed)
        coupling = kw(method="coupling", n_bootstraps=2, **fixed, **ab)
        joined, tree = kw(sources=["c", ("b", "a")]), kw(method="posterior", **ab)
        few, part = (S.X[:80], S.y[:80]), kw(sample_weight=S.weight[:80])
        net = kw(estimator=FusionClassifier(**{**NET, "max_epochs": 3}), **tree)
        for key, params, data, given in (
            ("exact", kw(method="exact", **again, **ab), S.discrete, {}),
            ("exact/groups", kw(unit="nats", **again, **ab), S.discrete, groups),
            ("exact/three", again, S.discrete, w),
            ("exact/joined", joined, S.discrete, w),
            ("exact/single", kw(sources=["b"]), S.discrete, {}),
            ("posterior/default", ab, study, {}),
            ("posterior/tree", kw(estimator=TREE, **tree, **again), study, {}),
            ("posterior/three", {**posterior, **again}, study, groups),
            ("posterior/joined", kw(cv=3, **posterior, **joined), (S.X, S.gaps), w),
            ("posterior/bins", kw(n_bins=3, **posterior, **quick, **ab), study, w),
            ("posterior/folds", kw(cv=GroupKFold(4), **posterior), study, groups),
            ("posterior/classes", tree, (S.X, S.discrete[1]), {}),
            ("posterior/net", kw(cv=3, **net), study, {}),
            ("coupling", coupling, few, {}),
            ("coupling/propensity", {**coupling, **quick}, few, part),
        ):
            params = kw(random_state=0, **FORMS, **params)
            fitted = PIDEstimator(**params).fit(*data, **given)
            yield key, [attributes(fitted, "_"), fitted.to_frame()]
            yield f"{key}/score", fitted.score(*data, given.get("sample_weight"))
        fitted = PIDEstimator(random_state=0, **quick, **again).fit(*BITS)
        yield "bits", [attributes(fitted, "_"), fitted.to_frame()]

    def broja() -> Entries:
        rng, (a, b) = np.random.default_rng(0), np.indices((2, 2))
        gates = {"and": a & b, "or": a | b, "xor": a ^ b}
        tables = {k: np.stack([1.0 - g, 1.0 * g]) for k, g in gates.items()}
        for shape in ((2, 2, 2), (2, 7, 5), (3, 3, 3), (4, 2, 6), (3, 1, 4), (1, 3, 3)):
            table = rng.dirichlet(np.full(np.prod(shape), 0.5)).reshape(shape)
            tables["x".join(map(str, shape))] = table
        tables["counts"] = rng.poisson(2.0, size=(3, 4, 4))
        for key, table in tables.items():
            yield from calls(broja, table, **{key: {}})
        yield from calls(broja, tables["3x3x3"], loose=kw(tol=1e-3, max_iter=3))

    def score_by_pattern() -> Entries:
        models, X, y = fitted_patterns()
        both, chosen = ["accuracy", "neg_log_loss"], ["m1", ("m0", "m2"), ["m2"]]
        area = kw(scoring={"area": "roc_auc"}, patterns=chosen)
        some = kw(scoring=both, sample_weight=S.weight[:80])
        return calls(metrics.score_by_pattern, models, X, y, default={}, a=area, b=some)

    def score_by_rate() -> Entries:
        models, X, y = fitted_patterns()
        some = kw(rates=[0.1, 0.9], n_repeats=2, random_state=0)
        area = kw(hide=["m1", "m2"], scoring="roc_auc", sample_weight=S.weight[:80])
        every = kw(default=kw(random_state=0), some=some, area={**area, **some})
        return calls(metrics.score_by_rate, models, X, y, **every)

    def complementary_information() -> Entries:
        models, X, y = fitted_patterns()
        fixed, w = kw(n_bootstraps=30, random_state=0), kw(sample_weight=S.weight[:80])
        return calls(
            metrics.complementary_information, models["bayes"], models["linear"], X, y,
            one=kw(hide="m1", **fixed), two=kw(hide=["m0", "m2"], n_bootstraps=0),
            weights=kw(hide="m0", **w, **fixed),
            level=kw(confidence_level=0.5, **fixed),
            groups=kw(hide="m2", groups=S.groups[:80], **fixed))

    def BalanceDisplay() -> Entries:
        make, b = draw.BalanceDisplay, kw(required=["b"], sample_weight=S.weight)
        fitted = PropensityWeighter(LINEAR, required=[["b"], ["c"]], **FORMS).fit(S.X)
        return displays(
            estimator=make.from_estimator(fitted, S.X, max_features=2, **b),
            table=make.from_predictions(fitted.balance(S.X), required=["c"]))

    def PropensityDisplay() -> Entries:
        make, curve = draw.PropensityDisplay, kw(kind="calibration")
        fitted = PropensityWeighter(LINEAR, **FORMS).fit(S.X)
        rows = fitted.observed_[:, 0], fitted.propensity_[:, 0]
        return displays(
            overlap=make.from_estimator(fitted, S.X, n_bins=7),
            calibration=make.from_estimator(fitted, S.X, n_bins=4, **curve),
            arrays=make.from_predictions(*rows, sample_weight=S.weight),
            curve=make.from_predictions(*rows, sample_weight=S.weight, **curve))

    def SensitivityDisplay() -> Entries:
        make, w = draw.SensitivityDisplay, kw(sample_weight=S.weight)
        clf = ipw.IPWMultimodalClassifier(LINEAR, **FORMS).fit(S.X, S.y)
        return displays(
            estimator=make.from_estimator(clf, S.X, S.y, threshold=0.6),
            ratios=make.from_estimator(clf, S.X, S.y, odds_ratios=[1, 2, 4], **w),
            arrays=make.from_predictions(S.values, S.propensity, threshold=0.0))

    def UtilityDisplay() -> Entries:
        some = kw(n_bootstraps=4, cv=3, subsets=["a", ["a", "b"]], random_state=0)
        some |= kw(scoring=["accuracy", "roc_auc"], propensity=QUICK, **FORMS)
        make = draw.UtilityDisplay
        table = ipw.modality_utility(LINEAR, S.X, S.y, **some)
        return displays(
            estimator=make.from_predictions(table, "accuracy"),
            value=make.from_predictions(table, "accuracy", "value", name="mine"),
            area=make.from_predictions(table, "roc_auc", doubly_robust=False))

    def PIDDisplay() -> Entries:
        fitted = PIDEstimator(n_bootstraps=4, random_state=0).fit(*BITS)
        three = PIDEstimator(random_state=0, **FORMS).fit(*S.discrete)
        corrected = PIDEstimator(propensity=QUICK, random_state=0).fit(*BITS)
        biased = PIDEstimator(random_state=0).fit(*BITS)
        make, raw = draw.PIDDisplay, kw(column="raw")
        return displays(
            two=make.from_estimator({"p": fitted, "q": fitted}, **raw),
            three=make.from_estimator(three),
            template=make.from_estimator({"biased": biased, "corrected": corrected}),
            table=make.from_predictions(fitted.to_frame(), unit="bits", target="the x"))

    def PatternScoreDisplay() -> Entries:
        make, (models, X, y) = draw.PatternScoreDisplay, fitted_patterns()
        halves = [metrics.score_by_pattern(models, X[i::2], y[i::2]) for i in (0, 1)]
        return displays(
            pattern=make.from_estimator(models, X, y, scoring="roc_auc", name="model"),
            rate=make.from_estimator(models, X, y, kind="rate", random_state=0),
            repeats=make.from_predictions(pd.concat(halves)))

    def ImpactDisplay() -> Entries:
        make, (clf, X, y) = draw.ImpactDisplay, fitted_primo()
        x, table = X["x_o"][:, 0], clf.predictive_impact(X.hide({"x_m": y == 1}))
        groups = kw(covariate=np.where(y, "p", "q"), quantity="v_missing")
        return displays(
            shares=make.from_estimator(clf, X, modality="x_m", n_draws=9),
            covariate=make.from_estimator(clf, X, covariate=x, covariate_name="x"),
            groups=make.from_estimator(clf, X, **groups),
            table=make.from_predictions(table, covariate=np.round(x)))

    def PlausibleLabelsDisplay() -> Entries:
        make, (clf, X, y) = draw.PlausibleLabelsDisplay, fitted_primo()
        X, table = X[:4].hide("x_m"), clf.plausible_labels(X[:4], method="argmax")
        return displays(
            mixture=make.from_estimator(clf, X, n_draws=15, truth=y[:4]),
            table=make.from_predictions(table, labels=[0, 1], names=list("abcd")))

    def SelectionDisplay() -> Entries:
        make, (X, y, _) = draw.SelectionDisplay, blocks()
        clf = INIT_PARAMS["DyMoSelector"].make_brief().fit(X, y)
        report = clf.selection_report(X, min_reward=-0.2)
        return displays(
            rate=make.from_estimator(clf, X, y, selection="simultaneous"),
            flips=make.from_predictions(report, y, kind="flips"),
            unlabelled=make.from_predictions(report, kind="flips"),
            reward=make.from_predictions(report, y).plot(kind="reward"))

# fmt: on
# -- the program -----------------------------------------------------------------------
SECTIONS |= {n: f for n, f in vars(Others).items() if not n.startswith("_")}
# What is only inherited from, returned by a function, or made from files.
ELSEWHERE = {"BaseRecovery", "ComplementaryInformation", "SimulatedMissingness"}
ELSEWHERE |= {"UtilityScores"}
say = partial(print, flush=True)


def not_covered() -> list[str]:
    """Public names of the package that no section stands for."""
    found = {name for name in skmissing.__all__ if not name.startswith("_")}
    for part in Path(skmissing.__path__[0]).glob("[a-z]*/__init__.py"):
        found |= set(importlib.import_module(f"skmissing.{part.parent.name}").__all__)
    return sorted(found - set(SECTIONS) - ELSEWHERE)


def write(file: str, only: list[str]) -> int:
    out: dict[str, np.ndarray] = {}
    for name in only:
        start, before = time.perf_counter(), len(out)
        for key, thing in SECTIONS[name]():
            for path, array in flatten(f"{name}/{key}", thing):
                if path in out:
                    raise ValueError(f"Got the key {path!r} twice, expected it once.")
                out[path] = array
        seconds = time.perf_counter() - start
        say(f"{name:28s}{len(out) - before:6d} entries{seconds:7.1f} s")
    np.savez_compressed(file, **out)
    say(f"{len(out)} entries of {skmissing.__path__[0]}")
    say(f"No section for: {', '.join(not_covered()) or 'none'}")
    return 0


def difference(a: np.ndarray, b: np.ndarray) -> str:
    """What differs, in words; empty if nothing does."""
    if a.shape != b.shape or a.dtype.kind != b.dtype.kind:
        return f"{a.dtype} of shape {a.shape}, now {b.dtype} of shape {b.shape}"
    a, b = np.atleast_1d(a, b)
    changed = a != b
    if a.dtype.kind == "f":
        changed = (a.view(np.int64) != b.view(np.int64)) & ~(np.isnan(a) & np.isnan(b))
    if not changed.any():
        return ""
    return f"{changed.sum()} of {a.size}, {a[changed][0]!r} is now {b[changed][0]!r}"


def compare(old: str, new: str) -> int:
    before, after = (dict(np.load(file)) for file in (old, new))
    both = [key for key in before if key in after]
    words = {key: difference(before[key], after[key]) for key in both}
    lines = [f"differs: {key}: {text}" for key, text in words.items() if text]
    lines += [f"only in {old}: {key}" for key in before if key not in after]
    lines += [f"only in {new}: {key}" for key in after if key not in before]
    say("\n".join([*lines, f"{len(both)} entries in both, {len(lines)} differences"]))
    return int(bool(lines))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    writer = commands.add_parser("write", help="write the numbers of the package")
    writer.add_argument("file")
    writer.add_argument("--only", nargs="+", choices=SECTIONS, metavar="SECTION")
    comparer = commands.add_parser("compare", help="list what differs in two files")
    comparer.add_argument("old")
    comparer.add_argument("new")
    given = parser.parse_args()
    if given.command == "compare":
        return compare(given.old, given.new)
    matplotlib.use("Agg")
    torch.set_num_threads(1)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return write(given.file, given.only or list(SECTIONS))


if __name__ == "__main__":
    sys.exit(main())
