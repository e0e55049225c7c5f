"""Phrases of docs/dialect.txt are not used.

The file is a dictionary of codespell, which finds the single words in it. Entries of
several words, which codespell cannot match, are looked for here, over line breaks, too.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DIALECT = ROOT / "docs" / "dialect.txt"
CHECKED = (
    "skmissing/**/*.py",
    "docs/**/*.rst",
    "README.md",
    "examples/**/*.py",
    "CHANGELOG.md",
)
BUILT = {"_build", "generated", "auto_examples"}
IGNORED = re.compile(r"codespell:ignore-begin.*?codespell:ignore-end", re.DOTALL)


def read_phrases():
    entries = (line.split("->") for line in DIALECT.read_text("utf-8").splitlines())
    return {wrong: right.strip(", ") for wrong, right in entries if " " in wrong}


def find_phrases(text, phrases):
    """Line numbers and phrases, in any case, with any white space or comment sign."""
    # A list of what is not to be used stays readable, and lines keep their numbers.
    text = IGNORED.sub(lambda part: "\n" * part[0].count("\n"), text)
    for wrong, right in phrases.items():
        pattern = r"[\s#]+".join(map(re.escape, wrong.split()))
        for match in re.finditer(rf"\b{pattern}\b", text, re.IGNORECASE):
            yield text.count("\n", 0, match.start()) + 1, wrong, right


def pages(patterns):
    return sorted(
        path
        for pattern in patterns
        for path in ROOT.glob(pattern)
        if not BUILT & set(path.relative_to(ROOT).parts)
    )


def test_entries_are_sorted_pairs_without_automatic_repair():
    lines = DIALECT.read_text("utf-8").splitlines()
    assert all(re.fullmatch(r"[a-z ]+->[\w -]+(, [\w -]+)*,", line) for line in lines)
    assert len(set(lines)) == len(lines)


def test_phrases_are_found_over_line_breaks():
    text = "One.\n# Rows of\n# fit. By heart.\ncodespell:ignore-begin\nby heart\n"
    text += "codespell:ignore-end\nby heart"
    found = list(find_phrases(text, read_phrases()))
    assert [(line, wrong) for line, wrong, _ in sorted(found)] == [
        (2, "rows of fit"),
        (3, "by heart"),
        (7, "by heart"),
    ]


@pytest.mark.parametrize(
    "page", pages(CHECKED), ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_page_is_free_of_them(page):
    found = find_phrases(page.read_text("utf-8"), read_phrases())
    messages = [f"line {n}: {wrong!r}, use {right!r}" for n, wrong, right in found]
    assert not messages


def test_no_conflict_is_left():
    found = [
        path.relative_to(ROOT)
        for path in pages(CHECKED)
        if re.search(r"^(<{7}|>{7}) ", path.read_text("utf-8"), re.MULTILINE)
    ]
    assert found == []
