"""The server, and no waiting."""

import importlib.util
from pathlib import Path

import pytest

from bench.downloads import transfer

_SPEC = importlib.util.spec_from_file_location("loopback", Path(__file__).with_name("loopback.py"))
loopback = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(loopback)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(transfer, "PAUSE", 0)
    with loopback.Server() as found:
        yield found
        found.shutdown()
