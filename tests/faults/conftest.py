"""Places for faults, and the undisturbed run that all are compared with."""

from random import Random

import pytest
from place import DONE, SEED, Place, kept_up


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """A place with a finished, undisturbed run."""
    import bench.cli.commands.run
    import bench.files.claims
    import bench.running.session  # commands are forked from here
    import bench.tables.comparison

    bench.files.claims.DEAD = (
        1.5 * bench.files.claims.BEAT
    )  # three minutes of waiting for a claim that nobody holds is a tenth of the suite
    place = Place(tmp_path_factory.mktemp("whole"), Random(0))
    assert place.go() == 0, place.said()
    return place


@pytest.fixture
def place(tmp_path, request):
    return Place(tmp_path, Random(f"{SEED}/{request.node.name}"))


@pytest.fixture
def patience(monkeypatch):
    """Let Dask give up sooner than its defaults of half a minute and more, so that a cut is noticed
    within seconds."""
    for name, value in {
        "COMM__TIMEOUTS__TCP": "12s",
        "COMM__TIMEOUTS__CONNECT": "6s",
        "SCHEDULER__WORKER_TTL": "15s",
    }.items():
        monkeypatch.setenv(f"DASK_DISTRIBUTED__{name}", value)


@pytest.fixture
def cluster(place, patience):
    with kept_up(place) as made:
        yield made


@pytest.fixture(scope="session", autouse=True)
def print_counts():
    yield
    kinds = ", ".join(f"{kind}: {count}" for kind, count in DONE.items())
    print(
        f"\nfaults injected, seed {SEED}: {sum(DONE.values())} ({kinds}); lost: 0 where all passed"
    )
