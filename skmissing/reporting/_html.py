"""Tables with strips of intervals, and the page around them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib import resources
from string import Template
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..inspection._drawing import name_metric

WIDTH, HEIGHT = 150, 18
MINUS = "\N{MINUS SIGN}"


class Column(NamedTuple):
    """A column of a page's table: which one, its title, and how it is written.

    ``shown`` is a column of words for its values.
    """

    name: str
    title: str
    form: str = "text"
    shown: str | None = None


class Strip(NamedTuple):
    """A picture in each row: points, an interval, and lines to compare with."""

    title: str
    points: Sequence[str]
    low: str | None = None
    high: str | None = None
    marks: Sequence[float] = ()


def write_value(value: Any, form: str) -> str:
    """A value as people read it."""
    if form == "metric":
        return name_metric(str(value))
    if form == "text":
        return str(value).replace("+", " + ").replace("  ", " ")
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "n/a"
    if form == "int":
        return f"{round(value):,}"
    if form == "percent":
        return f"{100 * value:.1f}%"
    if form == "check":
        return "yes" if value else ""
    if np.isinf(value):
        return "any" if value > 0 else "-inf"
    # What rounds to 0 has no sign.
    return f"{value:z.{int(form)}f}".replace("-", MINUS)


def draw_strips(table: pd.DataFrame, strip: Strip) -> tuple[str, list[str]]:
    """The scale of all pictures, as words, and one picture for each row."""
    ends = [*strip.points, *(c for c in (strip.low, strip.high) if c)]
    values = table[ends].to_numpy(dtype=np.float64)
    finite = values[np.isfinite(values)]
    if not len(finite):
        return "", [""] * len(table)
    inside = [*finite, *strip.marks]
    low, high = min(inside), max(inside)
    span = (high - low) or 1.0

    def at(value: float) -> float:
        return 6.0 + (WIDTH - 12.0) * (value - low) / span

    return f"{low:.3g} to {high:.3g}".replace("-", MINUS), [
        _draw_strip(row, strip, at) for _, row in table[ends].iterrows()
    ]


def _draw_strip(row: pd.Series, strip: Strip, at) -> str:
    """One picture."""
    middle = HEIGHT / 2
    parts = [
        f'<line class="mark" x1="{at(m):.1f}" x2="{at(m):.1f}" y1="0" y2="{HEIGHT}"/>'
        for m in strip.marks
    ]
    words = []
    ends = [row[c] for c in (strip.low, strip.high) if c is not None]
    if ends and np.isfinite(ends).all():
        a, b = map(at, ends)
        parts.append(
            f'<line class="range" x1="{a:.1f}" x2="{b:.1f}" y1="{middle}" '
            f'y2="{middle}"/>'
        )
        words.append(f"{ends[0]:.3g} to {ends[1]:.3g}")
    for i, point in enumerate(strip.points):
        if np.isfinite(row[point]):
            kind = "point" if i == 0 else "other"
            parts.append(
                f'<circle class="{kind}" cx="{at(row[point]):.1f}" cy="{middle}" '
                'r="4"/>'
            )
            words.insert(i, f"{row[point]:.3g}")
    label = escape(", ".join(words))
    return (
        f'<svg role="img" aria-label="{label}" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}">{"".join(parts)}</svg>'
    )


def write_table(
    table: pd.DataFrame, source: str, columns: Sequence[Column], strip: Strip | None
) -> str:
    """A table whose cells hold the value as it is in ``data-value``."""
    scale, pictures = draw_strips(table, strip) if strip else ("", [])
    titles = [
        f'<th scope="col" class="{_kind(c)}">{escape(c.title)}</th>' for c in columns
    ]
    # Beside what a row is about, so that narrow screens show it.
    after = next((i for i, c in enumerate(columns) if c.form != "text"), len(columns))
    if strip:
        titles.insert(
            after,
            f'<th scope="col" class="strip">{escape(strip.title)}'
            f"<small>{escape(scale)}</small></th>",
        )
    body = []
    for i, (_, row) in enumerate(table.iterrows()):
        cells = [_write_cell(row, c) for c in columns]
        if strip:
            cells.insert(after, f'<td class="strip">{pictures[i]}</td>')
        body.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<div class="scroll"><table data-source="{escape(source)}"><thead><tr>'
        f"{''.join(titles)}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _kind(column: Column) -> str:
    return column.form if column.form in ("text", "metric") else "number"


def _write_cell(row: pd.Series, column: Column) -> str:
    value = row[column.name]
    words = escape(write_value(row[column.shown or column.name], column.form))
    kind = _kind(column)
    exact = escape(repr(float(value)) if kind == "number" else str(value))
    return (
        f'<td class="{kind}" data-column="{escape(column.name)}" '
        f'data-value="{exact}">{words}</td>'
    )


def write_list(sentences: Sequence[str]) -> str:
    """Sentences as a list."""
    return f"<ul>{''.join(f'<li>{escape(s)}</li>' for s in sentences)}</ul>"


def write_page(title: str, lead: str, sections: Sequence[tuple[str, str, str]]) -> str:
    """The whole page of sections: anchor, title and content that is HTML already."""
    folder = resources.files("skmissing.reporting")
    links = "".join(
        f'<li><a href="#{escape(anchor)}">{escape(name)}</a></li>'
        for anchor, name, _ in sections
    )
    body = "".join(
        f'<section id="{escape(anchor)}"><h2>{escape(name)}</h2>{content}</section>'
        for anchor, name, content in sections
    )
    page = Template((folder / "page.html").read_text("utf-8"))
    return page.substitute(
        title=escape(title), lead=escape(lead), links=links, body=body
    )
