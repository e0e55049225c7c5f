"""Which recovered modalities can be trusted. Importing it imports torch."""

from ._selector import DyMoSelector

__all__ = ["DyMoSelector"]
