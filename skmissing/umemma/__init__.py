"""Uni-modal ensemble with missing-modality adaptation. Importing it imports torch."""

from ._ensemble import UMEMMAEnsemble

__all__ = ["UMEMMAEnsemble"]
