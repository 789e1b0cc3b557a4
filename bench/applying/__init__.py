"""Scoring new footage and live sources with a finished cell, and clips of a run again."""
