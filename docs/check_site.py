"""Find dead links and missing or empty pictures of the built site.

Run after a build, with the folder of the site: ``python docs/check_site.py FOLDER``.
Links to other sites are not followed.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """Links, pictures and anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.pictures: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[key] for key in ("id", "name") if key in found}
        if tag == "a" and "href" in found:
            self.targets.append(found["href"])
        elif tag == "img" and "src" in found:
            self.pictures.append(found["src"])


def find_faults(site: Path) -> list[str]:
    """One line for each dead link and each missing or empty picture."""
    pages = {
        path.resolve(): Page(path.read_text("utf-8")) for path in site.rglob("*.html")
    }
    faults = []
    for path, page in pages.items():
        where = path.relative_to(site.resolve())
        for link in {*page.targets, *page.pictures}:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (
                (path.parent / unquote(parts.path)).resolve() if parts.path else path
            )
            if target.is_dir():
                target /= "index.html"
            if not target.exists():
                faults.append(f"{where}: {link} leads nowhere")
            elif link in page.pictures and not target.stat().st_size:
                faults.append(f"{where}: the picture {link} is empty")
            elif parts.fragment and target in pages:
                fragment = unquote(parts.fragment)
                if fragment not in pages[target].anchors and fragment != "top":
                    faults.append(f"{where}: {link} has no such place")
    if not pages:
        faults.append(f"{site} has no pages")
    return sorted(faults)


def main() -> int:
    site = Path(sys.argv[1])
    faults = find_faults(site)
    sys.stderr.write("".join(f"{fault}\n" for fault in faults))
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
