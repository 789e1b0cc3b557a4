"""Passing a run on: one zip that can be verified, without names where wanted, and exports."""
