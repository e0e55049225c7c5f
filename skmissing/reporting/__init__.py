"""One page on a classifier, its data, and what their missing modalities mean."""

from ._modality_report import ModalityReport
from ._report import report

__all__ = ["ModalityReport", "report"]
