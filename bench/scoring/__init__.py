"""Protocols and metrics: everything between scores and number."""
