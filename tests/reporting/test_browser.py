"""A page in a real browser: pictures drawn, nothing run or loaded, no wide page."""

import json
import re
import shutil
import subprocess
from html import escape

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# Asks two frames of different width about what they show.
PROBE = """<!DOCTYPE html><html><body>
<iframe width="400" height="800" srcdoc="{page}"></iframe>
<iframe width="1400" height="800" srcdoc="{page}"></iframe>
<pre id="out"></pre><script>
window.onload = () => {{
  const found = [];
  for (const frame of document.querySelectorAll("iframe")) {{
    const page = frame.contentDocument, root = page.documentElement;
    const pictures = [...page.querySelectorAll("svg")];
    const broken = pictures.filter(svg => {{
      const box = svg.getBoundingClientRect();
      const drawn = [...svg.children].some(c => c.getBoundingClientRect().width > 0);
      return !(box.width > 20 && box.height > 5 && drawn);
    }});
    found.push({{
      width: root.scrollWidth, pictures: pictures.length, broken: broken.length,
      images: [...page.images].filter(i => !i.naturalWidth).length,
      scripts: page.scripts.length, tables: page.querySelectorAll("table").length,
      colour: getComputedStyle(page.body).backgroundColor,
      ink: getComputedStyle(page.body).color,
      loaded: frame.contentWindow.performance.getEntriesByType("resource").length,
    }});
  }}
  document.getElementById("out").textContent = JSON.stringify(found);
}};
</script></body></html>"""


def look_at(html, folder, *flags):
    """What the frames of a browser show."""
    path = folder / "probe.html"
    path.write_text(PROBE.format(page=escape(html)), encoding="utf-8")
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-sync",
            f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr",
            "--virtual-time-budget=5000", *flags, "--dump-dom", path.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    (found,) = re.findall(r'<pre id="out">(.*?)</pre>', done.stdout, re.DOTALL)
    return json.loads(found), re.findall(r"CONSOLE.*", done.stderr)


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_page_in_a_browser(page, tmp_path):
    html = page.to_html()
    both, console = look_at(html, tmp_path)
    assert console == []
    for found, width in zip(both, (400, 1400), strict=True):
        assert found["width"] <= width
        assert found["pictures"] == html.count("<svg")
        assert found["pictures"] > 30
        assert found["tables"] == html.count("<table")
        assert not found["broken"] + found["images"] + found["scripts"]
        assert not found["loaded"]
        assert found["colour"] != found["ink"]
    # The probe sees what it is there for.
    bad = html.replace("<main>", "<main><img src='data:image/png;base64,xx'>"
                       "<svg width=9 height=9></svg><div style='width:2000px'>x</div>"
                       "<script>oops()</script>")  # fmt: skip
    (found, _), console = look_at(bad, tmp_path)
    assert found["broken"] == 1
    assert found["scripts"] == 1
    assert found["width"] >= 2000
    assert console


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_page_is_dark_where_that_is_preferred(page, tmp_path):
    (light, _), _ = look_at(page.to_html(), tmp_path)
    flag = "--blink-settings=preferredColorScheme=0"
    (dark, _), _ = look_at(page.to_html(), tmp_path, flag)
    brightness = [
        sum(map(int, re.findall(r"\d+", found["colour"]))) for found in (light, dark)
    ]
    assert brightness[0] > 700
    assert brightness[1] < 150
