"""The page of claims: commands exist, and values are those of the tables they name."""

import csv
import doctest
import re
import shlex
from itertools import takewhile
from pathlib import Path

import numpy as np
import pytest

import skmissing
from skmissing import (
    DyMoSelector,
    IPWMultimodalClassifier,
    MultimodalData,
    PIDEstimator,
    PRIMOClassifier,
    UMEMMAEnsemble,
)
from skmissing.datasets import make_bitwise

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
COLUMNS = ["paper", "claim", "where", "published", "ours", "command"]
PAPERS = {"UME-MMA": "umemma", "PRIMO": "primo", "DyMo": "dymo", "ICYM2I": "icym2i"}
# A number with decimals, with its deviation in brackets.
NUMBER = re.compile(r"(?<![\w.])[+-]?\d+\.\d+(?: \(\d+\.\d+\))?(?![\w.]*\d)")

with (DOCS / "claims.csv").open(newline="", encoding="utf-8") as file:
    READER = csv.DictReader(file)
    CLAIMS = list(READER)


def tables_of(text):
    """CSV files that a cell names."""
    return re.findall(r"``(\w+\.csv)``", text)


def name_of(claim):
    return f"{claim['paper'].split()[-1]}: {claim['claim'][:50]}"


def test_all_papers_have_claims_and_a_place_to_link_to():
    assert READER.fieldnames == COLUMNS
    # A comma without quotation marks makes a further column.
    assert all(list(claim) == COLUMNS for claim in CLAIMS)
    text = (DOCS / "claims.csv").read_text("utf-8")
    assert {claim["paper"].split()[-1] for claim in CLAIMS} == set(PAPERS)
    for label in PAPERS.values():
        assert text.count(f".. _claims-{label}:") == 1
    assert all(claim[c].strip() for claim in CLAIMS for c in COLUMNS[:-1])


@pytest.mark.parametrize("claim", CLAIMS, ids=name_of)
def test_values_are_those_of_the_tables(claim):
    ours = claim["ours"]
    named = tables_of(ours)
    if not named:
        # Nothing that a table has: the reason, or a test that holds it.
        assert ours.startswith("not measured") or "pytest" in claim["command"]
        return
    numbers = NUMBER.findall(ours)
    assert numbers
    texts = [
        (DOCS / "benchmarks" / name).read_text("utf-8").replace("**", "")
        for name in named
    ]
    for number in numbers:
        cell = re.compile(rf"(?<![\d.+-]){re.escape(number)}(?![\d.])")
        assert any(cell.search(text) for text in texts), f"{number} is not in {named}"


@pytest.mark.parametrize("claim", CLAIMS, ids=name_of)
def test_commands_exist(claim):
    command, ours = claim["command"], claim["ours"]
    if not command:
        assert ours.startswith("not measured")
        return
    if command.startswith("none:"):
        return
    words = shlex.split(command.strip("`"))
    assert words[0] == "python"
    if words[1:3] == ["-m", "pytest"]:
        name, text = words[-1], (ROOT / words[3]).read_text("utf-8")
        assert f"def {name}(" in text
        # A slow test is left out unless all marks are asked for.
        decorators = text[: text.index(f"def {name}(")].rpartition("\n\n\n")[2]
        asked = ["-m", ""] if "slow" in decorators else []
        assert words[4:] == [*asked, "-k", name]
        return
    program = (ROOT / words[1]).read_text("utf-8")
    assert words[1].startswith("benchmarks/")
    for word in words[2:]:
        if word.startswith("--"):
            assert f'"{word}"' in program
    for part in takewhile(lambda word: not word.startswith("--"), words[2:]):
        assert f'"{part}"' in program
    # The program is the one that writes the table, which a page shows.
    pages = "".join(p.read_text("utf-8") for p in DOCS.rglob("*.rst"))
    for table in tables_of(ours):
        assert table.split("_")[0].removesuffix(".csv") in program
        assert re.search(rf":file: (\.\./benchmarks/)?{table}\n", pages)


def test_numbers_are_recognised():
    text = "90.0, +3.6 (4.2) and -0.0004; 10,000 rows, 1e-4, 80% (``a_5.csv``)"
    assert NUMBER.findall(text) == ["90.0", "+3.6 (4.2)", "-0.0004"]


# -- settings of the papers -----------------------------------------------------------


def two_bits():
    return make_bitwise(1500, mechanism="mar", return_X_y=True, random_state=0)


def images():
    y = np.arange(40) % 2
    rng = np.random.default_rng(0)
    blocks = {name: rng.random((40, 1, 16, 16)) for name in ("image", "speech")}
    return MultimodalData(blocks), y


def views():
    y = np.arange(60) % 2
    rng = np.random.default_rng(0)
    blocks = {f"m{i}": rng.random((60, 3, 16, 16)) for i in range(5)}
    return MultimodalData(blocks).hide({"m1": np.arange(60) % 3 == 0}), y


def scalars():
    y = np.arange(60) % 2
    x = y[:, None] + np.random.default_rng(0).normal(size=(60, 2))
    X = MultimodalData({"x_o": x[:, :1], "x_m": x[:, 1:]})
    return X.hide({"x_m": np.arange(60) % 3 == 0}), y


QUICK = {"max_epochs": 1, "n_threads": 1, "random_state": 0}
SETTINGS = {
    UMEMMAEnsemble: ("umemma", images, {**QUICK, "finetune_epochs": 1}),
    PRIMOClassifier: ("primo", scalars, QUICK),
    DyMoSelector: (
        "dymo", views,
        {**QUICK, "recovery__max_epochs": 1, "recovery__n_threads": 1},
    ),
    IPWMultimodalClassifier: ("icym2i", two_bits, {"estimator__max_epochs": 3}),
    PIDEstimator: ("icym2i", two_bits, {"estimator__mlpclassifier__batch_size": 64}),
}  # fmt: skip


def paper_setting(kind):
    """The estimator that a docstring calls ``paper``, and its parameters."""
    found = doctest.DocTestParser().get_doctest(
        kind.__doc__, {}, kind.__name__, None, None
    )
    last = next(
        i for i, e in enumerate(found.examples) if e.source.startswith("paper = ")
    )
    found.examples = found.examples[: last + 1]
    runner = doctest.DocTestRunner(verbose=False)
    result = runner.run(found, clear_globs=False)
    assert result.failed == 0
    return found.globs["paper"]


@pytest.mark.parametrize("kind", SETTINGS, ids=lambda kind: kind.__name__)
@pytest.mark.filterwarnings("ignore::skmissing.exceptions.SkmissingWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_setting_of_the_paper_runs(kind):
    label, data, quick = SETTINGS[kind]
    assert re.search(rf":ref:`[^`]+<claims-{label}>`", kind.__doc__)
    paper = paper_setting(kind)
    assert isinstance(paper, kind)
    X, y = data()
    paper.set_params(**quick).fit(X, y)


def test_the_settings_say_what_the_papers_set():
    umemma, primo, dymo, ipw, pid = (paper_setting(kind) for kind in SETTINGS)
    # Appendix B.1.1.
    assert (umemma.optimizer, umemma.lr, umemma.finetune_lr) == ("sgd", 1e-2, 1e-4)
    assert (umemma.batch_size, umemma.max_epochs) == (64, 10)
    assert umemma.early_stopping is False
    assert "momentum of 0.9" in " ".join(UMEMMAEnsemble.__doc__.split())
    # Appendix C.1, XOR.
    assert (primo.latent_dim, tuple(primo.hidden), primo.n_draws) == (2, (128,), 200)
    assert (primo.lr, primo.weight_decay) == (1e-3, 1e-4)
    assert primo.anchor_weight == primo.tie_weight == primo.beta == 1
    assert (dymo.optimizer, dymo.n_iter_no_change, dymo.max_epochs) == ("adam", 20, 100)
    assert (dymo.net.n_subsets, dymo.net.token_dim, dymo.net.feature_dim) == (
        5,
        128,
        64,
    )
    assert (dymo.net.subsets_per_row, dymo.net.mlp_ratio) == (None, 4)
    assert (ipw.estimator.batch_size, ipw.propensity.stabilized) == (1024, True)
    assert (pid.method, pid.unit) == ("coupling", "bits")


def test_every_method_of_a_paper_has_a_setting():
    methods = {"UMEMMAEnsemble", "PRIMOClassifier", "DyMoSelector", "PIDEstimator",
               "IPWMultimodalClassifier"}  # fmt: skip
    assert {kind.__name__ for kind in SETTINGS} == methods <= set(skmissing.__all__)
