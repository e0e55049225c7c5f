"""The report: its tables, and the page that shows them."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ._html import write_list, write_page, write_table
from ._layout import SECTIONS, Shown


@dataclass(eq=False, repr=False)
class ModalityReport:
    """What is known about a classifier and about what its rows are missing.

    Made by :func:`skmissing.report`, not by users.

    Parameters
    ----------
    tables : dict of str to DataFrame
        The results by name, as the functions of this package returned them.
    findings : list of str
        What they come to, in plain words.
    missing : dict of str to str
        Sections that could not be computed, and why.
    warnings : DataFrame
        Warnings raised underneath: ``section``, ``warning``, ``message``, ``count``.
    facts : dict of str to object
        What was reported on, settings, versions and seeds.
    y_proba : ndarray of shape (n_samples, n_classes), default=None
        Probabilities of models that have not seen the row.
    models : list of classifier, default=None
        The models behind them, one for each fold.

    See Also
    --------
    skmissing.report : Makes one.

    Examples
    --------
    >>> import skmissing
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skmissing.baselines import PatternClassifier
    >>> from skmissing.datasets import load_heart
    >>> X, y = load_heart(return_X_y=True)
    >>> report = skmissing.report(
    ...     PatternClassifier(), X[::4], y[::4], learner=GaussianNB(), cv=2,
    ...     n_bootstraps=2,
    ... )
    >>> int(report.tables["patterns"]["count"].sum())
    230
    >>> report.to_html().startswith("<!DOCTYPE html>")
    True
    """

    tables: dict[str, pd.DataFrame]
    findings: list[str]
    missing: dict[str, str]
    warnings: pd.DataFrame
    facts: dict[str, Any]
    y_proba: np.ndarray | None = None
    models: list[Any] | None = None

    def to_html(self, path=None) -> str:
        """Write the report as one HTML file that needs no network and runs nothing.

        Parameters
        ----------
        path : str or path-like, default=None
            Where to write it. None: nowhere.

        Returns
        -------
        str
            The page.
        """
        sections = [("findings", "Findings", write_list(self.findings))]
        sections += [
            (key, title, self._write_section(key, intro, shown))
            for key, (title, intro, shown) in SECTIONS.items()
        ]
        sections.append(("limits", "Warnings and limits", self._write_limits()))
        title = "Settings, versions and seeds"
        sections.append(("versions", title, self._write_facts()))
        facts = self.facts
        lead = (
            f"{facts['n_rows']:,} rows, {len(facts['modalities'])} modalities, "
            f"{facts['estimator']}. {facts['held_out']}"
        )
        page = write_page(facts["title"], lead, sections)
        if path is not None:
            Path(path).write_text(page, encoding="utf-8")
        return page

    def __repr__(self) -> str:
        return (
            f"ModalityReport({self.facts['n_rows']} rows, "
            f"{len(self.facts['modalities'])} modalities, "
            f"{len(self.findings)} findings, {len(self.warnings)} warnings)"
        )

    def _repr_html_(self) -> str:
        # A frame of its own keeps the styles of page and notebook apart.
        return (
            f'<iframe srcdoc="{escape(self.to_html())}" title="Modality report" '
            'style="width: 100%; height: 44em; border: 1px solid #8888"></iframe>'
        )

    def _write_section(self, key: str, intro: str, shown: list[Shown]) -> str:
        parts = [f"<p>{escape(intro)}</p>"]
        for part in shown:
            table = self.tables.get(part.table)
            if table is None or not len(table):
                continue
            view = part.view(table, self.facts)
            if part.title:
                parts.append(f"<h3>{escape(part.title)}</h3>")
            columns = part.columns
            if callable(columns):
                columns = columns(self.facts)
            columns = [c for c in columns if c.name in view]
            parts.append(write_table(view, part.table, columns, part.strip))
            hidden = len(table) - len(view) if part.rest else 0
            more = f" {hidden} more rows in tables[{part.table!r}]." if hidden else ""
            parts.append(f'<p class="source">From {escape(part.source)}.{more}</p>')
        if key in self.missing:
            parts.append(
                f'<p class="missing">Not computed: {escape(self.missing[key])}</p>'
            )
        return "".join(parts)

    def _write_limits(self) -> str:
        sentences = []
        for section, warning, message, count in self.warnings.itertuples(index=False):
            often = f", {count} times" if count > 1 else ""
            sentences.append(f"{warning} ({section}{often}): {message}")
        caught = write_list(sentences) if sentences else "<p>There was no warning.</p>"
        return f"{caught}<h3>Limits</h3>{write_list(self.facts['limits'])}"

    def _write_facts(self) -> str:
        facts = {**self.facts["settings"], **self.facts["versions"]}
        table = pd.DataFrame({"name": list(facts), "value": map(str, facts.values())})
        rows = "".join(
            f'<tr><th scope="row">{escape(n)}</th>'
            f'<td class="text">{escape(v)}</td></tr>'
            for n, v in table.itertuples(index=False)
        )
        return f'<div class="scroll"><table data-source="facts">{rows}</table></div>'
