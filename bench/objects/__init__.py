"""Detectors, tracks and masks of objects."""
