"""Readers of label files, shared by the datasets."""
