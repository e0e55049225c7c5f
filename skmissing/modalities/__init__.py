"""What X is: blocks of features, which rows have them, and which columns they are."""

from ._modality import Modality
from ._modality_transformer import ModalityTransformer
from ._multimodal_data import MultimodalData
from ._tags import tag_multimodal

__all__ = ["Modality", "ModalityTransformer", "MultimodalData", "tag_multimodal"]
