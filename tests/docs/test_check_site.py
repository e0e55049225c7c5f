"""The crawler of the built site finds what is dead."""

import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).resolve().parents[2] / "docs" / "check_site.py"


@pytest.fixture(scope="module")
def check_site():
    spec = importlib.util.spec_from_file_location("check_site", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_dead_links_and_pictures_are_found(check_site, tmp_path):
    (tmp_path / "guide").mkdir()
    (tmp_path / "a.png").write_bytes(b"x")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "guide" / "b.html").write_text(
        '<h1 id="there">B</h1><a href="../">up</a>'
    )
    page = tmp_path / "index.html"
    page.write_text(
        '<a href="guide/b.html#there">ok</a><img src="a.png"><a href="#">top</a>'
        '<a href="https://example.org/gone">elsewhere</a>'
    )
    assert check_site.find_faults(tmp_path) == []
    page.write_text(
        '<a href="guide/b.html#nowhere"></a><a href="c.html"></a>'
        '<img src="gone.png"><img src="empty.png">'
    )
    faults = check_site.find_faults(tmp_path)
    assert [fault.partition(": ")[2] for fault in faults] == [
        "c.html leads nowhere",
        "gone.png leads nowhere",
        "guide/b.html#nowhere has no such place",
        "the picture empty.png is empty",
    ]


def test_a_site_without_pages_is_a_fault(check_site, tmp_path):
    assert check_site.find_faults(tmp_path)
