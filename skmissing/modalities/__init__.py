"""What X is: blocks of features, which rows have them, and which columns they are."""

from ._modality import Modality
from ._modality_transformer import ModalityTransformer
from ._multimodal_data import MultimodalData

__all__ = ["Modality", "ModalityTransformer", "MultimodalData"]
