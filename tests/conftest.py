"""Fixtures for all tests."""

import os
from pathlib import Path

import pytest

from bench.running.openmp import use_short_spin

use_short_spin()  # here and in every process that a test starts, before torch is imported


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the real datasets, or a skip with the reason."""
    folder = Path(os.environ.get("BENCH_TEST_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real datasets: {folder} is not there (set BENCH_TEST_DATA)")
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep tests away from the user's cache, data and settings."""
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("BENCH_DATA", raising=False)
