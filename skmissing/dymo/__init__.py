"""Which recovered modalities can be trusted. Importing it imports torch."""

from ._selector import DyMoSelector
from ._token_transformer import TokenTransformer
from ._typicality import Typicality

__all__ = ["DyMoSelector", "TokenTransformer", "Typicality"]
