"""Files of fitted estimators that hold data only, and never code."""

from ._load import load
from ._save import save

__all__ = ["load", "save"]
