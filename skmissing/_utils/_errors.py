"""Errors of other people's code, told in the words of this package."""

from __future__ import annotations


def same_kind(error: Exception, message: str) -> Exception:
    """An error of the kind of another one, or of a parent of it, with a new message."""
    for kind in type(error).__mro__:
        try:
            new = kind(message)
        except Exception:
            # Constructors of some errors want more than a message.
            continue
        if isinstance(new, Exception) and str(new) == message:
            return new
    return RuntimeError(message)
