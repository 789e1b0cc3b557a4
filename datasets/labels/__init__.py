"""Readers of label files, shared by the datasets. Nothing is evaluated, and no pickle is ever
loaded.
"""
