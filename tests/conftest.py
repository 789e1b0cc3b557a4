"""Fixtures for all tests."""

import fcntl
import gc
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from bench.hardware.machine import cores
from bench.hardware.openmp import use_short_spin
from bench.plugins import registry

hypothesis.settings.register_profile(
    "bench", deadline=None
)  # other work on the machine is no fault
hypothesis.settings.load_profile("bench")
gc.disable()  # until all tests are imported: a tenth of that time
use_short_spin()  # here and in every process that a test starts, before torch is imported


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Twice as many workers as there are cores: tests wait for the commands that they start."""
    return 2 * cores()


QUICK = (
    *("methods", "engine", "objects", "evaluation", "tables", "frames", "files", "datasets"),
    *("plugins", "scoring", "downloads", "contracts", "runs"),
)
"""Folders whose tests take less than 0.1 s each, the quickest last."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests first: at the end, a worker without a test would wait for them."""
    items.sort(key=lambda item: _place_in_order(item.path))


def _place_in_order(path: Path) -> int:
    folder = path.relative_to(Path(__file__).parent).parts[0]
    return QUICK.index(folder) + 1 if folder in QUICK else 0


def pytest_collection_finish() -> None:
    """Leave what was imported out of every collection of garbage to come."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the real datasets, or a skip with the reason."""
    folder = Path(
        os.environ.get("BENCH_TEST_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data"
    )
    if not folder.is_dir():
        pytest.skip(f"no real datasets: {folder} is not there (set BENCH_TEST_DATA)")
    return folder


def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the temporary folder of the session, which is that of all workers of pytest-xdist."""
    root = tmp_path_factory.getbasetemp()
    return root.parent if "PYTEST_XDIST_WORKER" in os.environ else root


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep tests, and fixtures of every scope, away from the user's cache, data and settings: what
    they compare lies in one cache, of all workers of pytest-xdist."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_CACHE", str(shared_folder(tmp_path_factory) / "cache"))
        patch.delenv("BENCH_DATA", raising=False)
        yield


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Make a folder that many tests read, once for all workers of pytest-xdist: `once(name, make)`
    calls `make(folder)` unless another worker did. Tests that change it take a copy."""
    root = shared_folder(tmp_path_factory)

    def made(name: str, make: Callable[[Path], None]) -> Path:
        folder, done = root / name, root / f"{name}.done"
        with (root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                (folder / "data").mkdir(parents=True)
                make(folder)
                done.touch()
        return folder

    return made


@pytest.fixture
def place(tmp_path: Path, once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """A folder to run commands in, with the dataset of `toys.py` below `data`."""
    from toys import Toy  # imports OpenCV, which the tests of imports do without

    made = once("toys", lambda folder: Toy().locate([folder / "data"]))
    return Path(shutil.copytree(made, tmp_path, dirs_exist_ok=True))


@pytest.fixture
def no_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """No plugin is loaded yet, as in a fresh process; afterwards the registry is as before."""
    monkeypatch.setattr(registry, "_current", None)
