"""Every code block with a prompt in the documentation gives what it says."""

import doctest
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
# Pages that need more than the package needs.
NEEDED = {"text.rst": "skrub"}
BUILT = {"_build", "generated", "auto_examples", "_templates"}
PAGES = sorted(
    path
    for path in DOCS.rglob("*.rst")
    if not BUILT & set(path.relative_to(DOCS).parts) and ">>>" in path.read_text()
)


def test_there_are_pages():
    assert DOCS / "user_guide" / "data.rst" in PAGES


@pytest.mark.guide
@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(DOCS)))
def test_page(page):
    if page.name in NEEDED:
        pytest.importorskip(NEEDED[page.name])
    failed, tried = doctest.testfile(
        str(page),
        module_relative=False,
        optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS,
    )
    assert tried > 0
    assert failed == 0
