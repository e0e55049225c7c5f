"""Messages that the page of questions quotes are those of the package."""

import ast
import re
from pathlib import Path

import pytest

import skmissing

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "user_guide" / "faq.rst"
PACKAGE = Path(skmissing.__file__).parent
# A template with less fixed text than this would match nearly anything.
FIXED = 20


def read_quoted(page):
    """Class and text of each message, the lines of a block joined by a space."""
    blocks = re.findall(r"\.\. code-block:: text\n\n((?:   .+\n)+)", page)
    joined = (" ".join(block.split()) for block in blocks)
    return [tuple(message.split(": ", 1)) for message in joined]


def pattern_of(node):
    """A pattern for what a string or an f-string may become; None for others."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    fixed = [p.value for p in parts if isinstance(p, ast.Constant)]
    if not all(isinstance(text, str) for text in fixed) or len("".join(fixed)) < FIXED:
        return None
    known = (re.escape(p.value) if isinstance(p, ast.Constant) else ".+" for p in parts)
    return re.compile("".join(known), re.DOTALL)


def find_templates(source):
    """Class and pattern of all that a program raises, and of all that it warns of."""
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call) or not call.args:
            continue
        name = ast.unparse(call.func).rpartition(".")[2]
        if name in ("warn", "warn_user") and len(call.args) > 1:
            name = ast.unparse(call.args[1]).rpartition(".")[2]
        pattern = pattern_of(call.args[0])
        if name.endswith(("Error", "Warning")) and pattern is not None:
            yield name, pattern


QUOTED = read_quoted(PAGE.read_text("utf-8"))
TEMPLATES = [
    found
    for path in PACKAGE.rglob("*.py")
    for found in find_templates(path.read_text("utf-8"))
]


def is_template_of(templates, name, message):
    return any(n == name and p.fullmatch(message) for n, p in templates)


def test_templates_are_matched_as_a_whole_and_by_class():
    source = (
        "raise ValueError(f'Got {a!r} in the modality {b!r}, ' 'expected numbers.')\n"
        "warn_user(f'Got nothing in {n} of the rows.', EmptyRowWarning)\n"
        "raise TypeError(f'Got {a}')\n"
        "raise ValueError(message)\n"
    )
    templates = list(find_templates(source))
    assert [name for name, _ in templates] == ["ValueError", "EmptyRowWarning"]
    text = "Got 'x' in the modality 'labs', expected numbers."
    assert is_template_of(templates, "ValueError", text)
    assert not is_template_of(templates, "TypeError", text)
    assert not is_template_of(templates, "ValueError", text[:-1])
    assert not is_template_of(templates, "ValueError", text.replace("ty", "ties"))
    text = "Got nothing in 3 of the rows."
    assert is_template_of(templates, "EmptyRowWarning", text)


def test_blocks_are_read_over_lines():
    page = (
        ".. code-block:: text\n\n   ValueError: Got a: 1,\n   expected b.\n\nThen.\n"
        ".. code-block:: python\n\n   a = 1\n"
    )
    assert read_quoted(page) == [("ValueError", "Got a: 1, expected b.")]


def test_page_quotes_many_messages_once():
    assert len(QUOTED) >= 20
    assert len(set(QUOTED)) == len(QUOTED)
    assert len(TEMPLATES) > 300


@pytest.mark.parametrize(("name", "message"), QUOTED, ids=lambda text: text[:40])
def test_message_is_one_of_the_package(name, message):
    assert is_template_of(TEMPLATES, name, message)
