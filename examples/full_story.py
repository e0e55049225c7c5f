"""The full story: patients whose tests were not made, and digits without a recording.

Nine thousand seriously ill patients (``load_support``) lack up to half of their tests:
whose death in hospital can be predicted, and by which estimator? Digits that are seen
and heard (``load_av_digits``) lose half of their recordings, more often for some digits
and speakers than for others. We hide them ourselves, so that the truth is known: of the
scores, of what a silent microphone does, and of the labels that a recording would have
changed. Last, six views of handwritten digits (``load_mfeat``) that are recovered
rightly or wrongly. Every method is shown where it helps and once where it does not. Run
with ``make demo``: it takes about two minutes on two cores, and writes
``full_story.png`` and ``report.html`` to ``examples/output``.
"""

from __future__ import annotations

import textwrap
import time
import warnings
import zlib
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skmissing
from skmissing import (
    DyMoSelector,
    MultimodalData,
    PIDEstimator,
    PRIMOClassifier,
    PropensityWeighter,
    UMEMMAEnsemble,
)
from skmissing.baselines import FusionClassifier, UnimodalEnsemble
from skmissing.datasets import load_av_digits, load_mfeat, load_support
from skmissing.ipw import modality_utility
from skmissing.missingness import patterns, simulate_missing
from skmissing.modalities import ModalityTransformer
from skmissing.recovery import BaseRecovery

OUTPUT = Path(__file__).parent / "output"
SEED = 0
CORES = 2
NETS = {"random_state": SEED, "n_threads": 1}
# What each pattern of a test row hides.
TEST_PATTERNS = {"image + speech": [], "image": ["speech"], "speech": ["image"]}
# Patients in the report, which fits the models of every section many times.
REPORTED = 1500


def say(title: str) -> None:
    print(f"\n{title}\n{'-' * len(title)}", flush=True)


def show(table: pd.DataFrame, digits: int = 1) -> pd.DataFrame:
    print(table.round(digits).to_string(), flush=True)
    return table


def fit_together(models: dict, train: dict) -> dict:
    """Fit models at once, one on each core."""
    fits = (delayed(model.fit)(*train[name]) for name, model in models.items())
    return dict(zip(models, Parallel(n_jobs=CORES)(fits)))


def predict_deaths() -> pd.Series:
    """AUC of three estimators on patients that they have not seen."""
    bunch = load_support()
    print(bunch.data)
    X, X_test, y, y_test = train_test_split(
        ModalityTransformer("auto").fit_transform(bunch.data),
        bunch.target,
        stratify=bunch.target,
        random_state=SEED,
    )
    models = {
        "FusionClassifier": FusionClassifier(**NETS),
        "UnimodalEnsemble": UnimodalEnsemble(**NETS),
        # The usual way out: all columns in one table, NaN where a test is missing.
        "boosting on NaN": HistGradientBoostingClassifier(
            max_iter=60, learning_rate=0.05, random_state=SEED
        ),
    }
    train = dict.fromkeys(models, (X, y))
    train["boosting on NaN"] = X.to_frame(), y
    auc = {}
    for name, model in fit_together(models, train).items():
        tested = X_test.to_frame() if "NaN" in name else X_test
        auc[name] = roc_auc_score(y_test, model.predict_proba(tested)[:, 1])
    return pd.Series(auc)


class Digits:
    """Images and recordings of digits, half of the recordings lost for training."""

    def __init__(self, at_random: bool = False) -> None:
        bunch = load_av_digits()
        # At half their resolution, so that all of this takes minutes.
        blocks = {
            name: block.reshape(-1, 1, 14, 2, 14, 2).mean(axis=(3, 5))
            for name, block in bunch.data.blocks.items()
        }
        data = MultimodalData(blocks)
        self.X, self.y = data[bunch.train], bunch.target[bunch.train]
        self.X_test, self.y_test = data[bunch.test], bunch.target[bunch.test]
        self.speaker = bunch.speaker[bunch.train]
        odd_digit = np.where(self.y % 2 == 1, 1.0, -1.0)
        shy_speaker = np.isin(self.speaker, ["theo", "nicolas"]).astype(float)
        scores = odd_digit + 1.5 * shy_speaker
        missing = simulate_missing(
            self.X,
            mechanism="mar",
            rate={"speech": 0.5},
            scores=np.zeros(len(scores)) if at_random else scores,
            random_state=SEED,
        )
        self.X_seen = missing.apply(self.X)

    def with_speaker(self, X) -> MultimodalData:
        """Flat blocks, and the speaker as a covariate."""
        blocks = {name: block.reshape(len(X), -1) for name, block in X.blocks.items()}
        present = np.column_stack([X.present, np.ones(len(X), dtype=bool)])
        return MultimodalData({**blocks, "speaker": self.speaker}, present)


def compare(digits: Digits) -> pd.DataFrame:
    """Accuracy in per cent of every model, by what test rows have."""
    models = {
        "nothing lost": FusionClassifier(max_epochs=25, **NETS),
        "FusionClassifier": FusionClassifier(max_epochs=25, **NETS),
        "UnimodalEnsemble": UnimodalEnsemble(max_epochs=25, **NETS),
        "boosting on NaN": HistGradientBoostingClassifier(
            max_iter=20, max_leaf_nodes=15, max_features=0.2, random_state=SEED
        ),
    }
    train = dict.fromkeys(models, (digits.X_seen, digits.y))
    train["nothing lost"] = digits.X, digits.y
    train["boosting on NaN"] = digits.X_seen.to_frame(), digits.y
    out = pd.DataFrame(index=pd.Index(TEST_PATTERNS, name="test rows have"))
    for name, model in fit_together(models, train).items():
        for pattern, hidden in TEST_PATTERNS.items():
            rows = digits.X_test.hide(hidden)
            rows = rows.to_frame() if "NaN" in name else rows
            right = model.score(rows, digits.y_test)
            out.loc[pattern, name] = 100 * right
    return out


def linear_model():
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.01))


def who_has_a_recording() -> PropensityWeighter:
    """Whose recording is lost depends on the speaker and on the digit itself."""
    return PropensityWeighter(
        covariates=["speaker"], use_target=True, random_state=SEED
    )


def measure(digits: Digits) -> pd.DataFrame:
    """Accuracy of a linear model: as complete rows say, weighted, and in truth."""
    both = ("image", "speech")
    table, scores = modality_utility(
        linear_model(),
        digits.with_speaker(digits.X_seen),
        digits.y,
        propensity=who_has_a_recording(),
        subsets=[both],
        scoring="accuracy",
        n_bootstraps=50,
        return_scores=True,
        n_jobs=CORES,
        random_state=SEED,
    )
    row = table.loc[table["quantity"] == "value"].iloc[0]
    full, out = digits.with_speaker(digits.X), {}
    for name, weighting, prefix in (
        ("complete rows", "none", "biased_"),
        ("weighted", "ipw", ""),
    ):
        right = np.zeros(len(digits.y))
        # The truth: each model on the rows that it was not trained on, none of them
        # without its recording.
        for k, model in enumerate(scores.models[both, weighting]):
            rows = np.flatnonzero(scores.folds == k)
            right[rows] = model.predict(full[rows]) == digits.y[rows]
        found = [row[f"{prefix}{column}"] for column in ("value", "low", "high")]
        out[name] = [*found, right.mean()]
    columns = ["estimate", "low", "high", "truth"]
    return 100 * pd.DataFrame(out, index=columns).T


def divide(digits: Digits) -> pd.DataFrame:
    """What image and recording say of the digit, in bits."""
    pid = PIDEstimator(
        sources=("image", "speech"),
        estimator=linear_model(),
        propensity=who_has_a_recording(),
        n_bootstraps=20,
        n_jobs=CORES,
        random_state=SEED,
    ).fit(digits.with_speaker(digits.X_seen), digits.y)
    parts = pid.to_frame().iloc[:4]
    names = ["image alone", "recording alone", "both", "only together"]
    return parts[["value", "low", "high"]].set_axis(names)


def fall_silent(digits: Digits) -> pd.DataFrame:
    """Accuracy of two ensembles where a microphone sends zeros, or noise."""
    X, noise = digits.X_test, np.random.default_rng(SEED)
    image, speech = X["image"], X["speech"]
    hiss = noise.normal(speech.mean(), speech.std(), speech.shape)
    rows = {
        "nothing": X,
        "reported": X.hide("speech"),
        "silence": MultimodalData({"image": image, "speech": 0.0 * speech}),
        "noise": MultimodalData({"image": image, "speech": hiss}),
    }
    out = pd.DataFrame(index=pd.Index(rows, name="what fails"))
    kinds = (UnimodalEnsemble, UMEMMAEnsemble)
    models = {kind.__name__: kind(max_epochs=25, **NETS) for kind in kinds}
    train = dict.fromkeys(models, (digits.X_seen, digits.y))
    for name, model in fit_together(models, train).items():
        out[name] = [100 * model.score(x, digits.y_test) for x in rows.values()]
    return out


def whose_first(digits: Digits) -> pd.DataFrame:
    """Images by how much a recording could change their label, in thirds."""
    model = PRIMOClassifier(max_epochs=25, **NETS).fit(digits.X_seen, digits.y)
    images = digits.X_test.hide("speech")
    order = model.acquisition_order(images, "speech")
    before, after = model.predict(images), model.predict(digits.X_test)
    thirds = np.array_split(order, 3)
    columns = {
        "label changes": before != after,
        "right without": before == digits.y_test,
        "right with": after == digits.y_test,
    }
    return pd.DataFrame(
        {
            name: [100 * hit[rows].mean() for rows in thirds]
            for name, hit in columns.items()
        },
        index=pd.Index(["largest", "middle", "smallest"], name="predicted impact"),
    )


class SwappedRecovery(BaseRecovery):
    """The true view, or half of the time that of another training row."""

    def __init__(self, *, share=0.5, modalities=None):
        self.share = share
        self.modalities = modalities

    def _fit_rows(self, rows):
        self.pool_ = rows.data

    def _recover(self, data):
        out = {}
        for m, name in enumerate(data.names):
            # The views are still there, behind the mask.
            values = data[name][~data.present[:, m]].astype(float)
            for value in values:
                # Drawn from the row itself, so that it is the same in any batch.
                rng = np.random.RandomState(zlib.crc32(value.tobytes()))
                if rng.uniform() < self.share:
                    value[:] = self.pool_[name][rng.randint(len(self.pool_))]
            out[name] = values
        return out


def believe(digits: Digits) -> pd.DataFrame:
    """Accuracy where recovered modalities are ignored, believed, or selected."""
    X, y = load_mfeat(return_X_y=True)
    rank = np.random.default_rng(SEED).random((1000, 6)).argsort(axis=1)
    views = X[1000:].hide(rank > 0)
    half = digits.X_test.hide("speech"), digits.y_test
    selector = {"lr": 2e-3, "batch_size": 64, **NETS}
    models = {name: DyMoSelector(max_epochs=15, **selector) for name in ("six", "two")}
    flat = digits.with_speaker(digits.X_seen).select(["image", "speech"])
    train = {"six": (X[:1000], y[:1000]), "two": (flat, digits.y)}
    six, heard = fit_together(models, train).values()
    swapped = DyMoSelector(
        estimator=FrozenEstimator(six), recovery=SwappedRecovery(), **NETS
    ).fit(X[:1000], y[:1000])
    images = half[0].blocks
    flat = MultimodalData(
        {name: block.reshape(len(block), -1) for name, block in images.items()},
        half[0].present,
    )
    cases = {
        "views, half recovered wrongly": (swapped, views, y[1000:]),
        "recording guessed from the image": (heard, flat, half[1]),
    }
    out = {}
    for name, (model, rows, truth) in cases.items():
        out[name] = [
            100 * np.mean(model.classes_[proba.argmax(axis=1)] == truth)
            for proba in (
                model.predict_proba(rows, selection=how)
                for how in ("none", "all", "iterative")
            )
        ]
    return pd.DataFrame(out, index=["ignored", "believed", "selected"]).T


def write_report() -> Path:
    """One page about some of the patients."""
    frame = load_support(as_frame=True)
    rows = frame.data.sample(REPORTED, random_state=SEED).index
    with warnings.catch_warnings():
        # They stand on the page.
        warnings.simplefilter("ignore")
        page = skmissing.report(
            PRIMOClassifier(max_epochs=8, **NETS),
            ModalityTransformer("auto", modalities=frame.modalities).fit_transform(
                frame.data.loc[rows]
            ),
            frame.target.loc[rows],
            # It is fitted many times.
            learner=make_pipeline(SimpleImputer(), linear_model()),
            n_bootstraps=20,
            n_jobs=CORES,
            title="Patients of SUPPORT2",
        )
    path = OUTPUT / "report.html"
    page.to_html(path)
    return path


def draw(found: dict, path: Path) -> None:
    """One picture for each question."""
    deaths, table, measured = found["deaths"], found["table"], found["measured"]
    silence, first, believed = found["silence"], found["first"], found["believed"]
    fig, axes = plt.subplots(2, 3, figsize=(13, 7.2), layout="constrained")
    bars = {"rot": 0, "width": 0.8, "legend": False}
    grey, blue, green, orange = "0.75", "tab:blue", "tab:green", "tab:orange"
    ax = axes[0, 0]
    deaths.plot.barh(ax=ax, color=[blue, green, orange], width=0.7)
    ax.bar_label(ax.containers[0], fmt="%.3f", padding=3)
    ax.set(title="Patients: death in hospital", xlabel="AUC", xlim=(0.5, 1.0))
    ax.invert_yaxis()
    ax = axes[0, 1]
    table.plot.bar(ax=ax, color=[grey, blue, green, orange], **bars)
    ax.set(title="Digits: half of the recordings lost", xlabel="test rows have")
    ax.legend(ncols=2, fontsize=8, loc="upper center", frameon=False)
    ax = axes[0, 2]
    places = np.array([0.0, 1.0, 2.6, 3.6])
    shown = pd.concat(measured.values())
    for x, (name, row) in zip(places, shown.iterrows()):
        ends = [[row.estimate - row.low], [row.high - row.estimate]]
        color = orange if name == "complete rows" else blue
        ax.errorbar(x, row.estimate, ends, fmt="o", capsize=4, color=color)
    ax.plot(
        places,
        shown["truth"],
        "_k",
        ms=24,
        mew=2,
        label="truth: the same model, all rows",
    )
    ax.legend(frameon=False, loc="upper right", fontsize=8, markerscale=0.5)
    ax.set_xticks(places, ["complete", "weighted"] * 2)
    ax.set(title="Digits: accuracy of a linear model", xlim=(-0.6, 4.2))
    ax.set_xlabel("  lost not at random            lost at random")
    ax = axes[1, 0]
    silence.plot.bar(ax=ax, color=[green, blue], **bars)
    ax.set(title="Digits: a microphone fails", xlabel="what fails")
    ax.legend(fontsize=8, loc="upper center", ncols=2, frameon=False)
    ax = axes[1, 1]
    first.plot.bar(ax=ax, color=[grey, orange, blue], **bars)
    ax.set(
        title="Digits: what a recording changes", xlabel="impact by PRIMO, in thirds"
    )
    ax.legend(fontsize=8, loc="upper center", ncols=3, frameon=False, columnspacing=1)
    ax = axes[1, 2]
    believed.set_axis(
        [
            name.replace(", ", ",\n").replace("from ", "from\n")
            for name in believed.index
        ]
    ).plot.bar(ax=ax, color=[grey, orange, blue], **bars)
    ax.set(title="Recovered modalities")
    ax.legend(fontsize=8, loc="upper center", ncols=3, frameon=False, columnspacing=1)
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
        for some in ax.containers if ax not in (axes[0, 0], axes[0, 2]) else ():
            ax.bar_label(some, fmt="%.0f", fontsize=8)
    for ax in axes.flat[[1, 3, 4, 5]]:
        ax.set(ylim=(0, 118), yticks=range(0, 101, 20))
    for ax in axes.flat[[1, 2, 3, 5]]:
        ax.set_ylabel("accuracy (%)")
    axes[1, 1].set_ylabel("rows (%)")
    fig.savefig(path, dpi=110)


def main() -> None:
    start = time.perf_counter()
    OUTPUT.mkdir(exist_ok=True)
    found = {}

    say("1. Patients with missing tests: prediction of death in hospital")
    found["deaths"] = predict_deaths()
    show(found["deaths"].to_frame("AUC"), 3)

    say("2. Digits seen and heard, half of the recordings lost: accuracy (%)")
    digits = Digits()
    show(patterns(digits.X_seen), 3)
    found["table"] = show(compare(digits))

    say("3. Accuracy (%) of a linear model: complete rows, weighted, and true of all")
    found["measured"] = {}
    for how, lost in (("not at random", digits), ("at random", Digits(True))):
        print(f"Recordings are lost {how}:")
        found["measured"][how] = show(measure(lost))

    say("4. Information of image and recording about the digit, in bits")
    found["parts"] = show(divide(digits), 2)

    say("5. A microphone falls silent, and nobody notices: accuracy (%)")
    found["silence"] = show(fall_silent(digits))

    say("6. Which rows should be recorded first (%)")
    found["first"] = show(whose_first(digits))

    say("7. A modality is recovered: ignore it, believe it, or select? Accuracy (%)")
    found["believed"] = show(believe(digits))

    say("8. In plain words")
    tell(found)
    path = OUTPUT / "full_story.png"
    draw(found, path)
    print(f"\nPicture: {path}")
    print(f"Report on {REPORTED} of the patients: {write_report()}")
    print(f"{time.perf_counter() - start:.0f} s in all.")


def tell(found: dict) -> None:
    """Six sentences."""
    percent = {
        name: table.round().astype(int)
        for name, table in found.items()
        if name not in ("deaths", "parts", "measured")
    }
    fusion, ensemble, full = (
        percent["table"][name]
        for name in ("FusionClassifier", "UnimodalEnsemble", "nothing lost")
    )
    both = "image + speech"
    sentences = [
        f"Train on every row, whatever is missing: with half of the recordings lost, "
        f"the ensemble classifies {ensemble[both]}% of the digits correctly, "
        f"{ensemble['image']}% from the image alone and {ensemble['speech']}% from the "
        f"recording alone."
    ]
    deaths = found["deaths"]
    sentences.append(
        f"Fuse modalities where they act together: of patients, FusionClassifier has "
        f"an AUC of {deaths['FusionClassifier']:.3f} and UnimodalEnsemble of "
        f"{deaths['UnimodalEnsemble']:.3f}; of digits, whose image and recording err "
        f"independently, it classifies {fusion[both]}% correctly ({full[both]}% with "
        f"nothing lost), and the ensemble {ensemble[both]}%."
    )
    lost, fair = (table.round().astype(int) for table in found["measured"].values())
    low, high = found["parts"].loc["recording alone", ["low", "high"]]
    sentences.append(
        f"Weight what is left: complete rows estimate an accuracy of "
        f"{lost.estimate.iloc[0]}% where {lost.truth.iloc[0]}% is true, weighted ones "
        f"{lost.estimate.iloc[1]}% where {lost.truth.iloc[1]}% is true; lost at "
        f"random, both are right ({fair.estimate.iloc[0]}% and "
        f"{fair.truth.iloc[0]}%). Weighted, the recording alone has {low:.1f} to "
        f"{high:.1f} bits of information about the digit."
    )
    silent = percent["silence"]
    silence, noise = silent.loc["silence"], silent.loc["noise"]
    sentences.append(
        f"Train for failures that nobody reports: a silent microphone leaves "
        f"UMEMMAEnsemble {silence['UMEMMAEnsemble']}% and UnimodalEnsemble "
        f"{silence['UnimodalEnsemble']}%; noise, for which it was not trained, "
        f"{noise['UMEMMAEnsemble']}% and {noise['UnimodalEnsemble']}%."
    )
    first = percent["first"]
    sentences.append(
        f"Measure first where it matters: in the third of the images that "
        f"PRIMOClassifier ranks first, the recording changes "
        f"{first.iloc[0, 0]}% of the labels, in the last third {first.iloc[2, 0]}%."
    )
    wrong, right = percent["believed"].to_numpy()
    sentences.append(
        f"Select what was recovered: where half of the recovered views are wrong, "
        f"using all gives {wrong[1]}%, ignoring them {wrong[0]}% and DyMoSelector "
        f"{wrong[2]}%; where recordings are guessed from the image, which adds "
        f"nothing, they give {right[1]}%, {right[0]}% and {right[2]}%."
    )
    for sentence in sentences:
        print(textwrap.fill(sentence, 88, initial_indent="* ", subsequent_indent="  "))


if __name__ == "__main__":
    main()
