"""The full story: digits seen and heard, with the recording often missing.

Every row of ``load_av_digits`` is a blurred picture and a noisy recording of one digit.
We lose half of the recordings, more often for some digits and speakers than for
others, train on what is left, and ask what each model can do with a picture, with a
recording, and with both; then how much of what complete rows say about the recordings
is true of all rows; what picture and recording each say that the other does not; what
happens if a microphone falls silent and nobody notices; whose recording should be made
first; and last whether a modality that is guessed from the other should be believed.
Run with ``make demo``; it takes about three minutes on two cores and writes
``examples/output/full_story.png``.
"""

from __future__ import annotations

import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmissing import (
    DyMoSelector,
    MultimodalData,
    PIDEstimator,
    PRIMOClassifier,
    PropensityWeighter,
    UMEMMAEnsemble,
)
from skmissing.baselines import FusionClassifier, UnimodalEnsemble
from skmissing.datasets import load_av_digits
from skmissing.dymo import TokenTransformer
from skmissing.ipw import modality_utility
from skmissing.missingness import patterns, simulate_missing
from skmissing.nn import MLPEncoder
from skmissing.recovery import MeanRecovery, NeighborRecovery

OUTPUT = Path(__file__).parent / "output"
SEED = 0
# Enough to tell the story in time; the default of 50 gains a few points.
EPOCHS = 25
# What each pattern of a test row hides.
TEST_PATTERNS = {"image + speech": [], "image": ["speech"], "speech": ["image"]}


def say(title: str) -> None:
    print(f"\n{title}\n{'-' * len(title)}", flush=True)


def lose_recordings(X, y, speaker):
    """Half of the recordings go, depending on digit and speaker only (MAR)."""
    odd_digit = np.where(y % 2 == 1, 1.0, -1.0)
    shy_speaker = np.isin(speaker, ["theo", "nicolas"]).astype(float)
    return simulate_missing(
        X,
        mechanism="mar",
        rate={"speech": 0.5},
        scores=odd_digit + 1.5 * shy_speaker,
        random_state=SEED,
    )


def train(X_full, X, y):
    """Fit every model; the first one sees what the others have lost."""
    nets = {"max_epochs": EPOCHS, "random_state": SEED, "verbose": 1}
    models = {
        "trained on everything": (FusionClassifier(**nets), X_full),
        "FusionClassifier": (FusionClassifier(**nets), X),
        "UnimodalEnsemble": (UnimodalEnsemble(**nets), X),
        # The usual way out: all columns in one table, NaN where a recording is lost.
        "gradient boosting on NaN": (
            HistGradientBoostingClassifier(
                max_iter=20, max_leaf_nodes=15, max_features=0.2, random_state=SEED
            ),
            X.to_frame(),
        ),
    }
    fitted = {}
    for name, (model, rows) in models.items():
        start = time.perf_counter()
        fitted[name] = model.fit(rows, y)
        print(f"{name}: fitted in {time.perf_counter() - start:.0f} s", flush=True)
    return fitted


def score(fitted, X, y):
    """Accuracy of every model on test rows with every pattern."""
    table = pd.DataFrame(index=pd.Index(TEST_PATTERNS, name="test rows have"))
    for name, model in fitted.items():
        flat = isinstance(model, HistGradientBoostingClassifier)
        for pattern, hidden in TEST_PATTERNS.items():
            rows = X.hide(hidden)
            table.loc[pattern, name] = model.score(rows.to_frame() if flat else rows, y)
    return table


def flatten(X):
    """Blocks of 14 x 14, as vectors for quick models."""
    blocks = {
        name: block.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(len(X), -1)
        for name, block in X.blocks.items()
    }
    return MultimodalData(blocks, X.present)


def shrink(X, speaker):
    """Small blocks, and the speaker as a covariate."""
    present = np.column_stack([X.present, np.ones(len(X), dtype=bool)])
    return MultimodalData({**flatten(X).blocks, "speaker": speaker}, present)


def linear_model():
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.01))


def who_has_a_recording():
    """Whose recording is lost depends on the speaker and on the digit itself."""
    return PropensityWeighter(
        covariates=["speaker"], use_target=True, random_state=SEED
    )


def measure(X_full, X_seen, y, speaker):
    """Accuracy of picture and recording: as complete rows say, corrected, and true."""
    sets = [("image",), ("image", "speech")]
    table, scores = modality_utility(
        linear_model(),
        shrink(X_seen, speaker),
        y,
        propensity=who_has_a_recording(),
        subsets=sets,
        scoring="accuracy",
        n_bootstraps=100,
        return_scores=True,
        random_state=SEED,
    )
    full, truth = shrink(X_full, speaker), {}
    for weighting in ("none", "ipw"):
        right = np.zeros(len(y))
        # Each model predicts the rows that it was not trained on, with nothing lost.
        for k, model in enumerate(scores.models[sets[1], weighting]):
            rows = np.flatnonzero(scores.folds == k)
            right[rows] = model.predict(full[rows]) == y[rows]
        truth[weighting] = right.mean()
    row = table[(table["subset"] == "image+speech") & (table["quantity"] == "value")]
    row = row.iloc[0]
    return pd.DataFrame(
        {
            "estimate": [row["biased_value"], row["value"]],
            "low": [row["biased_low"], row["low"]],
            "high": [row["biased_high"], row["high"]],
            "truth": [truth["none"], truth["ipw"]],
        },
        index=["complete rows", "weighted"],
    )


def divide(X_seen, y, speaker):
    """What picture and recording say of the digit, in bits: whose, and how surely."""
    pid = PIDEstimator(
        sources=("image", "speech"),
        estimator=linear_model(),
        propensity=who_has_a_recording(),
        n_bootstraps=30,
        random_state=SEED,
    ).fit(shrink(X_seen, speaker), y)
    return pid.to_frame().iloc[:4][["term", "source", "value", "low", "high"]]


def fall_silent(X_seen, y, X_test, y_test):
    """Two ensembles, and microphones that send zeros instead of nothing."""
    X_seen, X_test = flatten(X_seen), flatten(X_test)
    silent = MultimodalData(
        {"image": X_test["image"], "speech": np.zeros_like(X_test["speech"])}
    )
    rows = {
        "both": X_test,
        "picture, reported": X_test.hide("speech"),
        "picture, unreported": silent,
    }
    out = pd.DataFrame(index=pd.Index(rows, name="test rows have"))
    for kind in (UnimodalEnsemble, UMEMMAEnsemble):
        model = kind(max_epochs=15, n_threads=1, random_state=SEED).fit(X_seen, y)
        out[kind.__name__] = [model.score(part, y_test) for part in rows.values()]
    return out


def whose_first(X_seen, y, X_test, y_test):
    """Pictures by how much a recording could change their label, in thirds."""
    X_seen, X_test = flatten(X_seen), flatten(X_test)
    model = PRIMOClassifier(max_epochs=30, n_threads=1, random_state=SEED)
    model.fit(X_seen, y)
    pictures = X_test.hide("speech")
    order = model.acquisition_order(pictures, "speech")
    before, after = model.predict(pictures), model.predict(X_test)
    thirds = np.array_split(order, 3)
    return pd.DataFrame(
        {
            "label changes": [(before != after)[rows].mean() for rows in thirds],
            "right without": [(before == y_test)[rows].mean() for rows in thirds],
            "right with": [(after == y_test)[rows].mean() for rows in thirds],
        },
        index=pd.Index(["largest", "middle", "smallest"], name="impact"),
    )


def guess(X_seen, y, X_test, y_test):
    """One net; what is missing is recovered well or badly, and fused or not."""
    X_seen, X_test = flatten(X_seen), flatten(X_test)
    columns = {"none": "ignored", "all": "believed", "iterative": "selected"}
    out = {}
    encoder = MLPEncoder(hidden=(64,), dropout=0.3)
    frozen = None
    for recovery in (NeighborRecovery(n_neighbors=1), MeanRecovery()):
        clf = DyMoSelector(
            # The net stays; only the recovery changes.
            estimator=frozen,
            recovery=recovery,
            encoders={"image": encoder, "speech": encoder},
            net=TokenTransformer(n_layers=1),
            max_epochs=EPOCHS,
            n_threads=1,
            random_state=SEED,
        ).fit(X_seen, y)
        frozen = FrozenEstimator(clf)
        for has, hidden in TEST_PATTERNS.items():
            if hidden:
                rows = X_test.hide(hidden)
                out[type(recovery).__name__, has] = [
                    (
                        clf.predict_proba(rows, selection=s).argmax(axis=1) == y_test
                    ).mean()
                    for s in columns
                ]
    table = pd.DataFrame(out, index=list(columns.values())).T
    return table.rename_axis(["recovery", "test rows have"])


def draw(X, y, table, measured, path):
    """What was lost, what each model makes of the rest, and what is true of all."""
    fig, (left, right, last) = plt.subplots(
        1, 3, figsize=(14.5, 4.2), width_ratios=[1, 1.6, 0.7]
    )
    lost = ~X.present[:, X.names.index("speech")]
    rate = [100 * lost[y == digit].mean() for digit in range(10)]
    left.bar(range(10), rate, color="0.6")
    left.axhline(100 * lost.mean(), color="k", linestyle=":", label="all rows")
    left.set(
        xlabel="digit",
        ylabel="recordings missing (%)",
        xticks=range(10),
        title="Training rows: who lost the recording",
    )
    left.legend(frameon=False)
    colors = ["0.75", "tab:blue", "tab:green", "tab:orange"]
    (100 * table).plot.bar(ax=right, rot=0, width=0.8, color=colors)
    for bars in right.containers:
        right.bar_label(bars, fmt="%.0f", fontsize=8)
    right.set(ylim=(0, 118), ylabel="test accuracy (%)", title="Test rows by pattern")
    right.legend(ncols=2, fontsize=8, loc="upper center", frameon=False)
    percent = 100 * measured
    error = [
        percent["estimate"] - percent["low"],
        percent["high"] - percent["estimate"],
    ]
    last.errorbar(
        [0, 1], percent["estimate"], error, fmt="o", capsize=4, label="estimate, 90%"
    )
    last.plot([0, 1], percent["truth"], "_k", ms=26, mew=2, label="truth")
    last.set(
        xlim=(-0.6, 1.6),
        ylim=(55, 80),
        ylabel="accuracy (%)",
        title="A linear model\non picture and recording",
    )
    last.set_xticks([0, 1], percent.index)
    last.legend(frameon=False, fontsize=8, loc="upper right", markerscale=0.6)
    for ax in (left, right, last):
        ax.spines[["top", "right"]].set_visible(False)
    fig.tight_layout()
    path.parent.mkdir(exist_ok=True)
    fig.savefig(path, dpi=120)


def main() -> None:
    start = time.perf_counter()
    bunch = load_av_digits()
    X, y = bunch.data, bunch.target
    X_train, y_train = X[bunch.train], y[bunch.train]
    X_test, y_test = X[bunch.test], y[bunch.test]

    say("1. The data, and what is missing")
    missing = lose_recordings(X_train, y_train, bunch.speaker[bunch.train])
    X_seen = missing.apply(X_train)
    print(X_seen)
    print(patterns(X_seen).to_string(float_format="{:.3f}".format))

    say("2. Training on incomplete rows")
    fitted = train(X_train, X_seen, y_train)

    say("3. Accuracy on 300 test rows, by what they have")
    table = score(fitted, X_test, y_test)
    print((100 * table).round(1).to_string())

    say("4. What complete rows say, and what is true of all rows")
    measured = measure(X_train, X_seen, y_train, bunch.speaker[bunch.train])
    print((100 * measured).round(1).to_string())
    path = OUTPUT / "full_story.png"
    draw(X_seen, y_train, table, measured, path)
    print(f"Picture: {path}")

    say("5. What picture and recording say of the digit, in bits")
    parts = divide(X_seen, y_train, bunch.speaker[bunch.train])
    print(parts.round(2).to_string(index=False))

    say("6. A microphone that falls silent, and nobody notices")
    silence = fall_silent(X_seen, y_train, X_test, y_test)
    print((100 * silence).round(1).to_string())

    say("7. Whose recording should be made first")
    first = whose_first(X_seen, y_train, X_test, y_test)
    print((100 * first).round(0).to_string())

    say("8. A missing modality is guessed from the other: ignored, believed, selected")
    guessed = guess(X_seen, y_train, X_test, y_test)
    print((100 * guessed).round(1).to_string())

    say("9. In plain words")
    percent = (100 * table).round(0).astype(int)
    ours, full = percent["FusionClassifier"], percent["trained on everything"]
    flat = percent["gradient boosting on NaN"]
    both = "image + speech"
    print(
        f"Can I train although half of the recordings are lost? Yes: with both "
        f"modalities at hand\n  FusionClassifier is right in {ours[both]}% of the test "
        f"rows, against {full[both]}% had nothing been lost."
    )
    print(
        "What if a test row has one modality only? It is still predicted: "
        f"{ours['image']}% from the picture,\n  {ours['speech']}% from the recording."
    )
    ensemble = percent["UnimodalEnsemble"]
    print(
        f"Must the modalities be fused? Not here: one net each, combined by "
        f"probability, is right\n  in {ensemble[both]}%, since picture and recording "
        f"are independent given the digit."
    )
    print(
        f"Is a table with NaN enough? Gradient boosting on it reaches {flat[both]}%, "
        f"{flat['image']}% and {flat['speech']}%."
    )
    said = (100 * measured).round(0).astype(int)
    plain, weighted = said.loc["complete rows"], said.loc["weighted"]
    print(
        f"Can I believe a score from complete rows? No: they say {plain['estimate']}% "
        f"for a linear model on\n  picture and recording, where {plain['truth']}% is "
        f"true. Weighted in training and scoring it is {weighted['estimate']}%,\n"
        f"  against a truth of {weighted['truth']}%."
    )
    ends = [f"{low:.1f} to {high:.1f}" for low, high in zip(parts.low, parts.high)]
    picture, recording, both, together = ends
    print(
        f"What does the recording say that the picture does not? {recording} of the "
        f"{np.log2(10):.1f} bits that make\n  a digit; {picture} the picture alone, "
        f"{both} both, and {together} shows only in the two\n  together. That is what "
        f"a linear model gets out of them, for all rows (90% intervals)."
    )
    told, untold = ((100 * silence).round(0).astype(int).loc[f"picture, {which}"]
                    for which in ("reported", "unreported"))  # fmt: skip
    print(
        f"What if the microphone fails and nobody says so? An ensemble that knows "
        f"what is missing falls from\n  {told['UnimodalEnsemble']}% to "
        f"{untold['UnimodalEnsemble']}%; UMEMMAEnsemble, which has met silence in "
        f"training, stays at {untold['UMEMMAEnsemble']}%."
    )
    share = (100 * first).round(0).astype(int)
    gained = share["right with"] - share["right without"]
    print(
        f"Whose recording is worth making? In the third of the pictures for which "
        f"PRIMOClassifier expects most\n  of it, it changes "
        f"{share['label changes']['largest']}% of the labels and puts "
        f"{gained['largest']} points more right; in the third with the least,\n"
        f"  {share['label changes']['smallest']}% and {gained['smallest']} points."
    )
    each = (100 * guessed.mean()).round(0).astype(int)
    print(
        f"Should a modality be believed that was guessed from the other? Not blindly: "
        f"that gives {each['believed']}% of the rows\n  with one modality, against "
        f"{each['ignored']}% where guesses are ignored. DyMoSelector decides row by "
        f"row and is right in {each['selected']}%."
    )
    print(f"\n{time.perf_counter() - start:.0f} s in all.")


if __name__ == "__main__":
    main()
