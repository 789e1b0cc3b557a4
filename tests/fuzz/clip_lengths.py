"""The test clips that damaged files of labels and scores are read for."""

LENGTHS = {"01": 20, "02": 26}
"""Frames of each."""
