"""Decoding, the frame store, and windows of frames."""
