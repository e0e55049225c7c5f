"""Configuration of the documentation: ``sphinx -W -b html docs docs/_build/html``."""

import importlib
import inspect
import os
import pkgutil
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import skmissing  # noqa: E402

project = "skmissing"
author = "The skmissing developers"
copyright = author
version = release = skmissing.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "sphinxcontrib.bibtex",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "Thumbs.db", ".DS_Store"]
nitpicky = True
# Names of other projects, for which links are made only where there is a network.
nitpick_ignore_regex = [
    (r"py:.*", r"(numpy|np|pandas|pd|scipy|sklearn|skorch|torch|matplotlib|joblib)\..*")
]
default_role = "literal"
# The gallery's settings hold objects that Sphinx cannot store between builds.
suppress_warnings = ["config.cache"]

# -- API pages ---------------------------------------------------------------------
autosummary_generate = True
autodoc_default_options = {"members": True}
autodoc_typehints = "none"  # the docstrings say it in words
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
numpydoc_xref_param_type = False

bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "plain"
bibtex_reference_style = "author_year"

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# -- Reference: every public name under the path that users import --------------------
SECTIONS = {
    "modalities": ("Data", ""),
    "missingness": ("Missingness", ""),
    "stacking": ("Stacking", ""),
    "baselines": ("Baseline classifiers", ""),
    "nn": (
        "Encoders",
        "Small parameter objects that describe the net of one modality. Importing them "
        "imports torch.",
    ),
    "ipw": ("Weights for missingness", ""),
    "umemma": ("Nets for modalities that fail", ""),
    "primo": ("What a missing modality would change", ""),
    "dymo": ("Which recovered modality to trust", ""),
    "recovery": ("Recovery of missing modalities", ""),
    "metrics": ("Scores by pattern, and bounds", ""),
    "pid": ("Partial information decomposition", ""),
    "inspection": (
        "Inspection",
        "Importance of modalities, and plots like scikit-learn's displays, "
        "which need matplotlib.",
    ),
    "benchmark": ("Benchmark", ""),
    "datasets": ("Data sets", ""),
    "reporting": ("Reports", ""),
    "persistence": ("Saving models", ""),
    "testing": ("Checks for estimators of your own", ""),
    "exceptions": ("Warnings and errors", ""),
}


def write_reference():
    """Write the pages of the reference from the ``__all__`` of every subpackage."""
    packages = {info.name for info in pkgutil.iter_modules(skmissing.__path__)}
    assert {p for p in packages if not p.startswith("_")} == set(SECTIONS)
    folder = ROOT / "docs" / "api"
    folder.mkdir(exist_ok=True)
    for package, (title, intro) in SECTIONS.items():
        module = importlib.import_module(f"skmissing.{package}")
        by_template = {"class": [], "module": [], "exception": [], "function": []}
        for name in module.__all__:
            thing = getattr(module, name)
            kind = "function"
            if inspect.isclass(thing):
                kind = "exception" if issubclass(thing, Exception) else "class"
                # The methods of a torch module are torch's.
                if any(c.__module__.startswith("torch.") for c in thing.__mro__):
                    kind = "module"
            short = name in skmissing.__all__
            path = f"skmissing.{name}" if short else f"skmissing.{package}.{name}"
            by_template[kind].append(path)
        lines = [title, "=" * len(title), "", intro, ""]
        for template, paths in by_template.items():
            if paths:
                lines += [
                    ".. autosummary::",
                    "   :toctree: generated/",
                    f"   :template: {template}.rst",
                    "",
                    *[f"   ~{path}" for path in paths],
                    "",
                ]
        page = folder / f"{package}.rst"
        text = "\n".join(lines)
        if not page.exists() or page.read_text() != text:
            page.write_text(text)


write_reference()

# -- Gallery -----------------------------------------------------------------------
sphinx_gallery_conf = {
    "examples_dirs": str(ROOT / "examples"),
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"[\\/]plot_",
    # The long version of the story is a program, run by `make demo`.
    "ignore_pattern": r"full_story|__init__",
    "doc_module": ("skmissing",),
    "reference_url": {"skmissing": None},
    "backreferences_dir": "api/generated/backreferences",
    "abort_on_example_error": True,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "download_all_examples": False,
    "subsection_order": [
        f"../examples/{part}"
        for part in ("start", "value", "decide", "failures", "nets")
    ],
    "nested_sections": False,
    "within_subsection_order": "FileNameSortKey",
    "thumbnail_size": (480, 336),
}

# -- Links to other projects, only where there is a network ------------------------
if os.environ.get("SKMISSING_INTERSPHINX") == "1":
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "pandas": ("https://pandas.pydata.org/docs", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
        "skorch": ("https://skorch.readthedocs.io/en/stable", None),
        "torch": ("https://docs.pytorch.org/docs/stable", None),
    }

# -- HTML --------------------------------------------------------------------------
html_theme = "pydata_sphinx_theme"
html_title = "skmissing"
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
# Pages without others below or beside them have nothing to show there.
ALONE = (
    "changelog", "claims", "contributing", "design", "glossary", "references", "release"
)  # fmt: skip
html_sidebars: dict[str, list[str]] = {page: [] for page in ALONE}
# Names of methods without their class fit the side bar.
toc_object_entries_show_parents = "hide"
html_theme_options = {
    "navigation_with_keys": False,
    "header_links_before_dropdown": 5,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    # The list of versions is that of the newest docs, whichever are shown.
    "switcher": {
        "json_url": "https://skmissing.readthedocs.io/en/latest/_static/versions.json",
        "version_match": "latest" if ".dev" in version else version,
    },
    "check_switcher": False,
    "navbar_end": ["version-switcher", "theme-switcher", "navbar-icon-links"],
}


def drop_foreign_references(app, what, name, obj, options, lines):
    """Inherited docstrings refer to labels of scikit-learn's own documentation."""
    if (getattr(obj, "__module__", None) or "").startswith("sklearn."):
        lines[:] = [
            re.sub(r":ref:`([^`<]+?)\s*(?:<[^`>]*>)?`", r"\1", line) for line in lines
        ]


def setup(app):
    app.connect("autodoc-process-docstring", drop_foreign_references, priority=100)
