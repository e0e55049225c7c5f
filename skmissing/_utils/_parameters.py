"""Constructors, constraints and docstrings from what classes declare."""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T", bound=type)

SECTION = r"^{}\n-+\n(.*?)(?=^\S[^\n]*\n---|\Z)"
REFERENCE = (
    "https://skmissing.readthedocs.io/en/latest/api/generated/"
    "{estimator_module}.{estimator_name}.html"
)
ENTRY = re.compile(r"^(\S+.*?) :.*\n(?:(?: .*)?\n)*", re.MULTILINE)


@dataclass_transform(eq_default=False, kw_only_default=True, field_specifiers=(field,))
def stores_parameters(cls: T) -> T:
    """Let a class declare each parameter once, as fields of a dataclass.

    The constructor stores the parameters of the class and of its parents, its own
    first. ``_parameter_constraints`` are joined with those of the parents, and
    ``%(parameters)s`` and ``%(attributes)s`` in the docstring are replaced by the
    entries of the parents' docstrings that it does not have itself. The HTML
    representation of the class links to its page in the reference. ``set_params`` of an
    estimator names the template that is None, where a parameter of it is set.
    """
    dataclass(eq=False, repr=False, kw_only=True)(cls)
    parents = cls.__mro__
    constructor = vars(cls)["__init__"]
    signature = inspect.signature(constructor)
    declaring = [c for c in parents if "__dataclass_fields__" in vars(c)]
    order = ["self", *(name for c in declaring for name in inspect.get_annotations(c))]
    constructor.__signature__ = signature.replace(
        parameters=sorted(
            signature.parameters.values(), key=lambda p: (p.kind, order.index(p.name))
        )
    )
    # What a class declares itself: one that it joined before would hide what another
    # parent says of the same parameter.
    setattr(cls, "_own_constraints", vars(cls).get("_parameter_constraints", {}))  # noqa: B010
    joined = {
        name: allowed
        for parent in reversed(parents)
        for name, allowed in _declared(parent).items()
    }
    setattr(cls, "_parameter_constraints", joined)  # noqa: B010
    text = inspect.cleandoc(cls.__doc__ or "")
    for title in ("Parameters", "Attributes"):
        text = text.replace(f"%({title.lower()})s\n", _inherited(title, text, parents))
    cls.__doc__ = text
    if hasattr(cls, "set_params"):
        setattr(cls, "set_params", _naming_templates(cls.set_params))  # noqa: B010
    setattr(cls, "_doc_link_module", "skmissing")  # noqa: B010
    setattr(cls, "_doc_link_template", REFERENCE)  # noqa: B010
    setattr(cls, "_doc_link_url_param_generator", _reference_page)  # noqa: B010
    return cls


def _naming_templates(set_params: Callable) -> Callable:
    """``set_params`` with an error for parameters of what is None."""

    @functools.wraps(set_params)
    def wrapper(self, **params):
        try:
            return set_params(self, **params)
        except AttributeError as error:
            for key in params:
                name, nested, _ = key.partition("__")
                if nested and getattr(self, name, self) is None:
                    raise ValueError(
                        f"Got {key!r} for {type(self).__name__} with {name}=None, "
                        "expected an object there that has this parameter."
                    ) from error
            raise

    return wrapper


def _reference_page(estimator) -> dict[str, str]:
    """Names by which the reference lists the class of an estimator."""
    name = type(estimator).__name__
    package, subpackage = type(estimator).__module__.split(".")[:2]
    # Read when it is asked for: the package is not there yet while classes are made.
    short = name in getattr(sys.modules.get(package), "__all__", ())
    return {
        "estimator_module": package if short else f"{package}.{subpackage}",
        "estimator_name": name,
    }


def _declared(cls: type) -> dict[str, list]:
    """Constraints that a class declares itself."""
    own = vars(cls)
    return own.get("_own_constraints", own.get("_parameter_constraints", {}))


def _inherited(title: str, text: str, parents: tuple[type, ...]) -> str:
    """Entries of a section of the parents' docstrings, without those of the text."""
    pattern = re.compile(SECTION.format(title), re.MULTILINE | re.DOTALL)
    found: dict[str, str] = {}
    for doc in [text, *(inspect.cleandoc(c.__doc__ or "") for c in parents[1:])]:
        for section in pattern.findall(doc + "\n"):
            for entry in ENTRY.finditer(section):
                found.setdefault(entry[1], entry[0].rstrip() + "\n")
    own = {e[1] for s in pattern.findall(text + "\n") for e in ENTRY.finditer(s)}
    return "".join(entry for name, entry in found.items() if name not in own)
