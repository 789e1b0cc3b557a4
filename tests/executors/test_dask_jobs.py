"""Jobs of Dask, on a cluster of threads in this process."""

import logging
import threading
import time

import pytest

from bench.contracts.executor import Exit, Place
from bench.executors import dask

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def address():
    """A scheduler with one worker, which does one job at a time."""
    with distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        protocol="tcp",  # inproc would share the futures of two clients
        dashboard_address=None,
        silence_logs=logging.CRITICAL,
    ) as cluster:
        yield cluster.scheduler_address


def opened(address, folder) -> dask.DaskExecutor:
    executor = dask.DaskExecutor(dask.Parameters(address=address))
    executor.open(Place(folder, (), False, 1))
    return executor


def task(folder, number: int, handle: str = "") -> dict:
    return {
        "id": number, "handle": handle, "spec": {"dataset": "toy"}, "cell": {},
        "resources": {"threads": 1, "memory": None, "gpus": 0}, "progress": str(folder / "progress"),
    }  # fmt: skip


def test_quick_worker_is_heard(address, tmp_path, monkeypatch):
    """It says that it has begun while its runner is still about to keep the handle: the limits on
    a job count from there."""
    heard = threading.Event()
    monkeypatch.setattr(dask, "run_job", lambda *_: {"code": Exit.WRITTEN, "memory": 0})
    executor = opened(address, tmp_path)
    hear, publish = executor._hear, executor.client.publish_dataset

    def hearing(event):
        hear(event)
        heard.set()

    def slowly(future, name):
        assert heard.wait(60)
        publish(future, name=name)

    executor.client.unsubscribe_topic(executor.topic)
    executor.client.subscribe_topic(executor.topic, hearing)
    monkeypatch.setattr(executor.client, "publish_dataset", slowly)
    executor.start(task(tmp_path, 1))
    begun, code = [], None
    while code is None:
        for event in executor.events(0.05):
            begun += [event.started] if event.started else []
            code = event.code if event.code is not None else code
    assert len(begun) == 1 and code == Exit.WRITTEN
    executor.detach()


@pytest.mark.parametrize("whose", ["its own", "an earlier runner's"])
def test_job_is_told_to_stop(address, tmp_path, monkeypatch, whose):
    """Its end is waited for, also where this runner has not heard which worker has it."""
    began, asked_of_it = threading.Event(), []

    def job(given, asked, say, shared):
        began.set()
        end = time.monotonic() + 60
        while not asked() and time.monotonic() < end:
            time.sleep(0.02)
        asked_of_it.append(asked())
        return {"code": Exit.STOPPED, "memory": 0}

    monkeypatch.setattr(dask, "run_job", job)
    first = opened(address, tmp_path)
    first.start(task(tmp_path, 1))
    assert began.wait(60)
    handle = first.names[1]
    runner, number = first, 1
    if whose != "its own":
        first.detach()
        runner, number = opened(address, tmp_path), 2
        runner.start(task(tmp_path, number, handle))
    codes: list[int] = []
    while not codes:
        events = runner.events(0.05)
        codes = [event.code for event in events if event.code is not None]
        if any(event.started for event in events):
            runner.stop(number, kill=False)
    assert codes == [Exit.STOPPED] and asked_of_it == ["stop"]
    runner.detach()
