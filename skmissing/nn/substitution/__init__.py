"""Nets that are fed a substitute where a modality is missing."""
