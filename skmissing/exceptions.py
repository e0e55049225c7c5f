"""Warning classes of the package, so that each can be filtered on its own."""

__all__ = [
    "EmptyRowWarning",
    "SkmissingWarning",
    "UncertifiedWarning",
    "UnobservedModalityWarning",
]


class SkmissingWarning(UserWarning):
    """Base class of every warning raised by skmissing."""


class UnobservedModalityWarning(SkmissingWarning):
    """A modality is missing in every row seen in ``fit``.

    The estimator cannot learn anything about it and ignores it at prediction.
    """


class EmptyRowWarning(SkmissingWarning):
    """Some rows have no modality at all and are answered with the class prior."""


class UncertifiedWarning(SkmissingWarning):
    """A numerical solution is certified to a lower accuracy than was asked for.

    The message has the accuracy that is certain.
    """
