"""Parameters of parts that have names, in a list of pairs or in a dict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from sklearn.base import BaseEstimator

from ._checks import check_distinct
from ._sklearn_compat import _BaseComposition, _VisualBlock


class NamedParts(_BaseComposition):
    """``get_params`` and ``set_params`` that reach into named parts.

    scikit-learn's own compositions know lists of (name, part) pairs; a dict is the
    same with other brackets. A class names the parameter that holds them.
    """

    _parts: ClassVar[str]
    # What a part is named after, for messages.
    _part_of: ClassVar[str] = "modality"

    def get_params(self, deep: bool = True) -> dict:
        """Parameters of this estimator and of its named parts.

        Parameters
        ----------
        deep : bool, default=True
            Include ``modality__parameter`` for the part of each modality.

        Returns
        -------
        dict
        """
        return self._get_params(self._parts, deep=deep)

    def set_params(self, **params) -> Self:
        """Set parameters, ``modality__parameter`` for those of a named part.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        self
        """
        return self._set_params(self._parts, **params)

    def _get_params(self, attr: str, deep: bool = True) -> dict[str, Any]:
        parts = getattr(self, attr)
        if not isinstance(parts, Mapping):
            return super()._get_params(attr, deep=deep)
        out = BaseEstimator.get_params(self, deep=deep)
        if deep:
            out.update(parts)
            for name, part in parts.items():
                if hasattr(part, "get_params"):
                    inner = part.get_params(deep=True).items()
                    out.update({f"{name}__{key}": value for key, value in inner})
        return out

    def _set_params(self, attr: str, **params) -> Self:
        if attr in params:
            setattr(self, attr, params.pop(attr))
        parts = getattr(self, attr)
        if not isinstance(parts, Mapping):
            if isinstance(parts, tuple):
                # scikit-learn replaces items of lists alone.
                setattr(self, attr, list(parts))
            self._check_reached(attr, params)
            super()._set_params(attr, **params)
            return self
        replaced = {name: params.pop(name) for name in list(params) if name in parts}
        if replaced:
            setattr(self, attr, {**parts, **replaced})
        self._check_reached(attr, params)
        BaseEstimator.set_params(self, **params)
        return self

    def _check_reached(self, attr: str, params: Mapping[str, Any]) -> None:
        """Refuse parameters of parts that are not listed, such as default ones."""
        pairs = filter(_is_pair, named_pairs(getattr(self, attr)))
        # Names are checked in fit.
        parts = {name: part for name, part in pairs if isinstance(name, str)}
        # None and words have no parameters; what replaces them at the same time may.
        listed = [
            name
            for name, part in parts.items()
            if hasattr(params.get(name, part), "set_params")
        ]
        reached = [*self._get_param_names(), *listed]
        for key in params:
            name, inner, _ = key.partition("__")
            if inner and name not in reached:
                # scikit-learn's words first: they are what its users know.
                raise ValueError(
                    f"Invalid parameter {name!r} for estimator {type(self).__name__}. "
                    f"Got {key!r}, expected a parameter of its own, or one of a "
                    f"{self._part_of} that {attr} lists; list {name!r} there first, "
                    "as an object."
                )

    def _shown_parts(self) -> dict[str, Any]:
        """The parts by name, for the HTML picture."""
        return dict(named_pairs(getattr(self, self._parts)))

    def _sk_visual_block_(self):
        """What the HTML picture shows: the parts and inner estimators side by side."""
        inner = {
            key: value
            for key, value in BaseEstimator.get_params(self, deep=False).items()
            if hasattr(value, "get_params") and hasattr(value, "fit")
        }
        shown = {**self._shown_parts(), **inner}
        if not shown:
            name = type(self).__name__
            return _VisualBlock("single", self, names=name, name_details=str(self))
        return _VisualBlock("parallel", list(shown.values()), names=list(shown))

    def _checked_parts(self, kind: str) -> dict[str, Any]:
        """The parts by the modality that they are for."""
        attr = self._parts
        given = getattr(self, attr)
        if given is not None and not isinstance(given, Mapping | list | tuple):
            raise TypeError(
                f"Got {attr} of type {type(given).__name__}, expected a list of "
                f"({self._part_of}, {kind}) pairs or a dict."
            )
        pairs = named_pairs(given)
        own = self._get_param_names()
        for pair in pairs:
            if not _is_pair(pair):
                columns = isinstance(pair, tuple) and len(pair) == 3
                there = "; the parameter modalities lists columns" if columns else ""
                raise ValueError(
                    f"Got {pair!r} in {attr}, expected ({self._part_of}, {kind}) "
                    f"pairs{there}."
                )
            name = pair[0]
            if not isinstance(name, str) or "__" in name or name in own:
                raise ValueError(
                    f"Got the name {name!r} in {attr}, expected the name of a "
                    f"{self._part_of}, without '__' and none of the parameters {own} "
                    f"of {type(self).__name__}; rename the {self._part_of}."
                )
        check_distinct(attr, (name for name, _ in pairs))
        return dict(pairs)


def _is_pair(thing) -> bool:
    return isinstance(thing, tuple) and len(thing) == 2


def named_pairs(parts) -> list[Any]:
    """The pairs of a list or a dict; none for None, and for what is refused in fit."""
    if isinstance(parts, Mapping):
        return list(parts.items())
    return list(parts) if isinstance(parts, list | tuple) else []
