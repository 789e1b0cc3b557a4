"""Fixtures for all tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.engine.openmp import use_short_spin

use_short_spin()  # here and in every process that a test starts, before torch is imported


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the real datasets, or a skip with the reason."""
    folder = Path(
        os.environ.get("BENCH_TEST_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data"
    )
    if not folder.is_dir():
        pytest.skip(f"no real datasets: {folder} is not there (set BENCH_TEST_DATA)")
    return folder


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep tests, and fixtures of every scope, away from the user's cache, data and settings: what
    they compare lies in one cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        patch.delenv("BENCH_DATA", raising=False)
        yield
