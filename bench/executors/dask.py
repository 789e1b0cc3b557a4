"""Cells on the workers of a Dask cluster. No disk needs to be shared: a cell comes home as its
finished folder.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import queue
import socket
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.contracts.executor import Event, Executor, Exit, Place
from bench.contracts.parameters import parameter
from bench.errors import BenchError, RequestError, RunError
from bench.executors.remote_job import run_job
from bench.files.whole_files import write_json
from bench.hardware.machine import cores
from bench.runs.folder import Run
from bench.runs.records import CellRecord
from bench.runs.transfer import put_in_place

CONNECT = 8
"""Seconds to wait for the scheduler. Chosen here: a scheduler that is there answers in one; Dask's
own 30 are long for a mistyped address."""


@dataclass(frozen=True)
class Parameters:
    """Which cluster, and what a cell gets there."""

    address: str = parameter(
        "",
        source="no source: the user's",
        doc="of a scheduler that is there, like tcp://10.0.0.1:8786",
    )
    workers: int = parameter(
        0,
        unit="workers",
        source="no source: the user's",
        doc="start a cluster on this machine, of so many cells at a time",
        minimum=0,
    )
    threads: int = parameter(
        0,
        unit="CPU threads of a cell",
        source="no source: chosen here, the plan's where 0",
        minimum=0,
    )
    gpus: int = parameter(
        0,
        unit="GPUs of a cell",
        source="no source: chosen here",
        doc="asks for workers started with --resources GPU=N",
        minimum=0,
    )
    shared: bool = parameter(
        True,
        source="no source: chosen here",
        doc="false: make cells on the worker's own disk even where it sees the run folder",
    )


class DaskExecutor(Executor):
    """Workers of a Dask cluster: `dask[address=tcp://...]`, or `dask[workers=4]` for one made for
    the run.
    """

    name = "dask"
    Parameters = Parameters
    needs_parameters = True
    remote = True

    def check(self) -> None:
        """Refuse a machine without Dask, and a cluster that is none."""
        if importlib.util.find_spec("distributed") is None:
            raise RequestError(
                "--executor dask needs the package distributed, which is not installed here; pip "
                "install 'vad-bench[dask]'"
            )
        if bool(self.parameters.address) == bool(self.parameters.workers):
            raise RequestError(
                "--executor dask: give one of address (a scheduler that is there) and workers (a "
                "cluster made for the run)"
            )

    @property
    def detachable(self) -> bool:
        """A scheduler that was there before is there afterwards."""
        return bool(self.parameters.address)

    @property
    def threads(self) -> int | None:
        """Those asked for; of a cluster on this machine, its share of the cores."""
        if self.parameters.threads:
            return int(self.parameters.threads)
        return max(1, cores() // self.parameters.workers) if self.parameters.workers else None

    @property
    def gpus(self) -> int | None:
        """Those asked for."""
        return self.parameters.gpus or None

    def open(self, place: Place) -> None:
        """Connect to the scheduler, or start a cluster on this machine."""
        self.run = Run(place.run)
        self.cluster = None
        if self.parameters.workers:
            from distributed import LocalCluster

            # A cell is a process of its own, whose memory the runner watches: no limit on what Dask
            # sees.
            self.cluster = LocalCluster(
                n_workers=self.parameters.workers,
                threads_per_worker=1,
                memory_limit=0,
                resources={"GPU": max(1, self.parameters.gpus)},
                dashboard_address=None,
                silence_logs=logging.CRITICAL,
            )
        self.client = self._connect(self.cluster)
        self.topic = f"bench-{uuid.uuid4().hex}"
        self.news: queue.Queue[Event] = queue.Queue()
        self.tasks: dict[int, Mapping[str, Any]] = {}
        self.names: dict[int, str] = {}
        self.numbers: dict[str, int] = {}
        """The other way round; read in a thread of the client."""
        self.taken_up: set[int] = set()
        """The jobs of an earlier runner, which tell their place to nobody."""
        self.futures: dict[int, Any] = {}
        self.places: dict[int, str] = {}
        self.refused: dict[str, set[str]] = {}
        self.why = ""
        self.alone = not self.client.scheduler_info(n_workers=-1)["workers"]
        self.client.subscribe_topic(self.topic, self._hear)

    def _connect(self, cluster: Any = None) -> Any:
        from distributed import Client

        logging.getLogger("distributed").setLevel(
            logging.CRITICAL
        )  # what is lost is said by the runner
        try:
            return Client(cluster or self.parameters.address, timeout=CONNECT, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise RunError(
                f"no Dask scheduler answers at {self.parameters.address!r} ({error}); start one "
                "with `dask scheduler`"
            ) from error

    # -- tasks -------------------------------------------------------------------------------------

    def start(self, task: Mapping[str, Any]) -> None:
        """Take up the job that an earlier runner left, where it is alive; else submit."""
        number = task["id"]
        self.tasks[number] = task
        if self.alone:
            self.alone = False
            address = self.client.scheduler.address
            self.news.put(
                Event(
                    number,
                    reason=f"waits: no worker has come to {address}; start one with `dask worker {address}`",
                )
            )
        name = task["handle"]
        if name and (future := self._left(name)) is not None:
            self.taken_up.add(number)
            self._enter(number, name)
            self._follow(number, future)
            self.news.put(Event(number, started="an earlier runner's job"))
        else:
            self._submit(number)

    def _left(self, name: str) -> Any:
        try:
            future = self.client.get_dataset(name)
        except KeyError:
            return None
        if future.status in ("pending", "finished"):
            return future
        self.client.unpublish_dataset(name)
        return None

    def _submit(self, number: int) -> None:
        task = self.tasks[number]
        name = f"bench-{uuid.uuid4().hex}"
        how: dict[str, Any] = {}
        gpus = task["resources"]["gpus"] if self.parameters.gpus == 0 else self.parameters.gpus
        if gpus:
            how["resources"] = {"GPU": gpus}
        refused = self.refused.get(task["spec"]["dataset"], set())
        if refused:
            left = [
                address
                for address in self.client.scheduler_info(n_workers=-1)["workers"]
                if address not in refused
            ]
            if not left:
                del self.tasks[number]
                self.news.put(
                    Event(number, code=Exit.REFUSED, reason=f"every worker was refused: {self.why}")
                )
                return
            how["workers"] = left
        self._enter(number, name)  # before a quick worker says that it has begun
        future = self.client.submit(
            _work,
            dict(task),
            name,
            self.topic,
            None if self.parameters.shared else False,
            key=name,
            **how,
        )
        if self.detachable:  # kept by the scheduler when this process is gone
            self.client.publish_dataset(future, name=name)
            self.news.put(Event(number, handle=name))
        self._follow(number, future)

    def _enter(self, number: int, name: str) -> None:
        self.names[number], self.numbers[name] = name, number

    def _strike(self, number: int) -> str:
        """Forget the name of a job, and return it."""
        name = self.names.pop(number)
        del self.numbers[name]
        self.taken_up.discard(number)
        return name

    def _follow(self, number: int, future: Any) -> None:
        self.futures[number] = future
        future.add_done_callback(lambda future, number=number: self._ended(number, future))

    def _hear(self, event: Any) -> None:
        """Take what a worker says, in a thread of the client."""
        said = event[1]
        number = self.numbers.get(said["name"])
        task = self.tasks.get(number) if number is not None else None
        if number is None or task is None:
            return
        if "started" in said:
            self.places[number] = said["started"]
            self.news.put(Event(number, started=said["where"]))
        else:
            with contextlib.suppress(RunError):
                write_json(Path(task["progress"]), said["progress"], durable=False)

    def _ended(self, number: int, future: Any) -> None:
        """Take what became of a task, in a thread of the client."""
        if self.futures.get(number) is future:
            self.news.put(Event(number, code=-1))

    def events(self, timeout: float) -> Sequence[Event]:
        """Return what happened; what ended is brought home first."""
        found: list[Event] = []
        with contextlib.suppress(queue.Empty):
            event = self.news.get(timeout=timeout)
            while True:
                if event.code is not None and event.task in self.futures:
                    event = self._outcome(event.task)
                found.append(event)
                event = self.news.get_nowait()
        return found

    def _outcome(self, number: int) -> Event:
        future, task = self.futures.pop(number), self.tasks[number]
        name = self._strike(number)
        if future.status in ("cancelled", "lost"):
            raise BenchError(
                f"the Dask scheduler at {self.client.scheduler.address} is gone, and its jobs with "
                "it. The same command goes on"
            )
        place = self.places.pop(number, "")
        try:
            outcome = future.result()
        except Exception as error:  # whatever Dask, or the job, raised there
            outcome = {
                "code": Exit.LOST,
                "reason": f"Dask: {' '.join(str(error).split()) or type(error).__name__}",
            }
        if self.detachable:
            with contextlib.suppress(Exception):  # it is forgotten with the scheduler at the latest
                self.client.unpublish_dataset(name)
        if outcome.get("refused"):
            self.why = outcome["refused"]
            self.refused.setdefault(task["spec"]["dataset"], set()).add(outcome["worker"] or place)
            self._submit(number)
            return Event(number, reason=f"refused {outcome['worker']}: {self.why}")
        del self.tasks[number]
        if outcome.get("files"):
            try:
                put_in_place(self.run, CellRecord(**task["cell"]), outcome["files"])
            except RunError as error:
                return Event(number, code=Exit.LOST, reason=str(error))
        return Event(
            number,
            code=outcome["code"],
            reason=outcome.get("reason", ""),
            memory=outcome.get("memory", 0),
        )

    def stop(self, task: int, kill: bool) -> None:
        """Tell the worker; what still waits there is taken back."""
        if task not in self.futures:
            return
        if task in self.taken_up and (place := self._at_work(self.names[task])):
            self.places[task] = place
        if task in self.places:
            with contextlib.suppress(Exception):  # a worker that is gone needs no telling
                self.client.run(
                    _ask,
                    self.names[task],
                    "kill" if kill else "stop",
                    workers=[self.places[task]],
                    wait=False,
                )
            return
        future, name = self.futures.pop(task), self._strike(task)
        with contextlib.suppress(Exception):
            if self.detachable:
                self.client.unpublish_dataset(name)
            future.cancel()
        del self.tasks[task]
        self.news.put(Event(task, code=Exit.WRITTEN))

    def _at_work(self, name: str) -> str:
        """Return the worker that has a job; empty where it waits in the scheduler."""
        with contextlib.suppress(Exception):  # a scheduler that is gone needs no telling
            for address, names in self.client.processing().items():
                if name in names:
                    return str(address)
        return ""

    def cancel(self, handles: Sequence[str]) -> None:
        """Take back what waits, and tell what runs."""
        client = self._connect()
        for name in handles:
            try:
                future = client.get_dataset(name)
            except KeyError:
                continue
            client.run(_ask, name, "stop")
            client.unpublish_dataset(name)
            future.cancel()
        client.close()

    def close(self) -> None:
        """End what is left, and a cluster that was made for the run."""
        for task in list(self.futures):
            self.stop(task, kill=True)
        self.detach()
        if self.cluster is not None:
            self.cluster.close()

    def detach(self) -> None:
        """Let go of the scheduler, which keeps the jobs."""
        self.futures.clear()
        self.client.close()


# -- in a worker of Dask ---------------------------------------------------------------------------

_asked: dict[str, str] = {}


async def _ask(name: str, how: str) -> None:  # Dask waits for the end of what is no coroutine
    _asked[name] = how


def _work(task: dict[str, Any], name: str, topic: str, shared: bool | None) -> dict[str, Any]:
    from distributed import get_worker

    worker = get_worker()
    worker.log_event(
        topic,
        {
            "name": name,
            "started": worker.address,
            "where": f"{socket.gethostname()} ({worker.address})",
        },
    )
    try:
        outcome = run_job(
            task,
            lambda: _asked.get(name, ""),
            lambda progress: worker.log_event(topic, {"name": name, "progress": progress}),
            shared,
        )
        return {**outcome, "worker": worker.address}
    finally:
        _asked.pop(name, None)
