"""Every hook of `bench`. Each is documented in five points: Called, Arguments, Returns, Results,
Example.

A plugin is a Python module or file with functions of these names, marked with `bench.hookimpl`. It
is found as an installed package (entry point group `bench`), or as a file given with
`--plugin FILE.py`. Write implementations without default arguments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from bench.contracts.creator import Creator
    from bench.contracts.dataset import Dataset
    from bench.contracts.detector import Detector
    from bench.contracts.executor import Executor
    from bench.contracts.method import Method
    from bench.contracts.metric import Metric
    from bench.contracts.observer import Observer
    from bench.contracts.protocol import Protocol

PROJECT = "bench"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def bench_methods() -> list[type[Method]]:
    """Offer methods.

    Called once in the runner and once in each worker's server, when the registry is loaded. No
        dataset is open, and torch may not be imported yet: import it inside the functions of the
        class.
    Arguments: none.
    Returns: a list of subclasses of Method (not instances), each with a `name` in lower case with
        hyphens. An empty list or None means "none". An exception, a wrong type or a bad name marks
        this plugin as broken, with the reason in `bench list plugins` and on stderr; all other
        plugins go on.
    Results: all are used. Own plugins are asked first, then installed ones by name, then files in
        the order given. A name offered twice is refused for the later plugin, with both origins.
    Example:
        from bench import Method, hookimpl

        class Brightness(Method):
            name = "brightness"

            def score(self, clip, context):
                return [float(frame.mean()) for frame in clip.frames]

        @hookimpl
        def bench_methods():
            return [Brightness]
    """
    raise NotImplementedError


@hookspec
def bench_datasets() -> list[type[Dataset]]:
    """Offer datasets.

    Called once in the runner and once in each worker's server, when the registry is loaded, before
        any data folder is looked at.
    Arguments: none.
    Returns: a list of subclasses of Dataset (not instances). An empty list or None means "none". An
        exception, a wrong type or a bad name marks this plugin as broken; all other plugins go on.
    Results: all are used, in the order of `bench_methods`; a name offered twice is refused for the
        later plugin.
    Example:
        import numpy as np
        from bench import Clip, Dataset, hookimpl

        class Empty(Dataset):
            name = "empty"

            def locate(self, roots):
                self.root = roots[0]

            def clips(self, split):
                return [Clip("01", split, length=40)] if split == "test" else []

            def labels(self, clip, label_set=None):
                return (np.arange(40) >= 20).astype(np.uint8)

        @hookimpl
        def bench_datasets():
            return [Empty]
    """
    raise NotImplementedError


@hookspec
def bench_detectors() -> list[type[Detector]]:
    """Offer detectors of objects, for methods that need tracks.

    Called once in the runner and once in each worker's server, when the registry is loaded. Weights
        are not looked for yet: that is `Detector.check`, called when a request needs the detector.
    Arguments: none.
    Returns: a list of subclasses of Detector. An empty list or None means "none". An exception, a
        wrong type or a bad name marks this plugin as broken; all other plugins go on.
    Results: all are used, in the order of `bench_methods`; a name offered twice is refused for the
        later plugin.
    Example:
        import numpy as np
        from bench import Detector, hookimpl

        class Middle(Detector):
            name = "middle"

            def detect(self, clip, frames):
                height, width = frames[0].shape[:2]
                box = [width * 0.4, height * 0.4, width * 0.6, height * 0.6, 1.0]
                return [np.array([box]) for _ in frames]

        @hookimpl
        def bench_detectors():
            return [Middle]
    """
    raise NotImplementedError


@hookspec
def bench_creators() -> list[type[Creator]]:
    """Offer creators of pseudo-anomalies.

    Called once in the runner and once in each worker's server, when the registry is loaded.
    Arguments: none.
    Returns: a list of subclasses of Creator. An empty list or None means "none". An exception, a
        wrong type or a bad name marks this plugin as broken; all other plugins go on.
    Results: all are used, in the order of `bench_methods`; a name offered twice is refused for the
        later plugin. A method names those that it uses, joined by + (its parameter
        `pseudo`).
    Example:
        import numpy as np
        from bench import Creator, hookimpl

        class Blackout(Creator):
            name = "blackout"

            def draw(self, clip, start, generator):
                frames = clip.frames[start : start + self.window.span : self.window.step]
                black = self.to_range(np.zeros_like(frames))
                return {"content": black, "mask": np.ones_like(black[:1])}

        @hookimpl
        def bench_creators():
            return [Blackout]
    """
    raise NotImplementedError


@hookspec
def bench_protocols() -> list[Protocol]:
    """Offer protocols: named choices of smoothing, normalisation and pooling.

    Called once in the runner and once for each `bench score`, when the registry is loaded.
    Arguments: none.
    Returns: a list of Protocol instances (frozen), each with a `name`. An empty list or None means
        "none". An exception, a wrong type or a bad name marks this plugin as broken; all other
        plugins go on.
    Results: all are used and computed for every cell, in the order of `bench_methods`; a name
        offered twice is refused for the later plugin.
    Example:
        from bench import Protocol, hookimpl

        @hookimpl
        def bench_protocols():
            return [Protocol("median9", smooth="median", window=9, normalise="clip", pool="micro")]
    """
    raise NotImplementedError


@hookspec
def bench_metrics() -> list[Metric]:
    """Offer metrics: the number itself, from labels and scores of the pooled frames.

    Called once in the runner and once for each `bench score`, when the registry is loaded.
    Arguments: none.
    Returns: a list of Metric instances. An empty list or None means "none". An exception, a wrong
        type or a bad name marks this plugin as broken; all other plugins go on. A metric that
        raises while it is computed costs its own value, which stays empty with the reason.
    Results: all are used, in the order of `bench_methods`; a name offered twice is refused for the
        later plugin.
    Example:
        from bench import Metric, hookimpl

        def difference_of_means(labels, scores):
            return float(scores[labels == 1].mean() - scores[labels == 0].mean())

        @hookimpl
        def bench_metrics():
            return [Metric("mean-difference", difference_of_means)]
    """
    raise NotImplementedError


@hookspec
def bench_executors() -> list[type[Executor]]:
    r"""Offer executors: what moves the cells of a run to where they are computed (`--executor`).

    Called once in the runner and once in each worker's server, when the registry is loaded.
        Packages and clusters are not looked for yet: that is `Executor.check`, called when a
        request names the executor.
    Arguments: none.
    Returns: a list of subclasses of Executor. An empty list or None means "none". An exception, a
        wrong type or a bad name marks this plugin as broken; all other plugins go on.
    Results: all are used, in the order of `bench_methods`; a name offered twice is refused for the
        later plugin. A request uses one. Planning, the run folder, failures, scoring and tables do
        not depend on which.
    Example:
        import json
        import subprocess
        import sys
        from bench import Event, Executor, hookimpl

        class Plain(Executor):
            name = "plain"

            def open(self, place):
                plugins = [str(file) for file in place.plugins]
                self.more = {"plugins": plugins, "torch": place.torch_wanted}
                self.workers, self.news = {}, []
                return place.slots

            def start(self, task):
                command = [sys.executable, "-m", "bench.worker"]
                worker = subprocess.Popen(command, stdin=subprocess.PIPE)
                worker.stdin.write(json.dumps({**task, **self.more}).encode() + b"\n")
                worker.stdin.flush()  # and left open: a worker ends when its stdin closes
                self.workers[task["id"]] = worker
                self.news.append(Event(task["id"], started=f"process {worker.pid}"))

            def events(self, timeout):
                news, self.news = self.news, []
                for task, worker in list(self.workers.items()):
                    if worker.poll() is not None:
                        news.append(Event(task, code=self.workers.pop(task).returncode))
                return news

            def stop(self, task, kill):
                self.workers[task].kill() if kill else self.workers[task].terminate()

        @hookimpl
        def bench_executors():
            return [Plain]
    """
    raise NotImplementedError


@hookspec
def bench_observers() -> list[type[Observer]]:
    r"""Offer observers, which are told of each cell's start, epochs and end (`--observe`).

    Called once in the runner and once in each worker's server, when the registry is loaded.
        Packages are not looked for yet: that is `Observer.check`, called when a request names the
        observer.
    Arguments: none.
    Returns: a list of subclasses of Observer. An empty list or None means "none". An exception, a
        wrong type or a bad name marks this plugin as broken; all other plugins go on.
    Results: all are used, in the order of `bench_methods`; a name offered twice is refused for the
        later plugin. A request uses those that it names; what one raises, and how long it takes,
        costs neither the run nor the others anything.
    Example:
        import json
        from bench import Observer, hookimpl

        class Diary(Observer):
            name = "diary"

            def open(self, run):
                self.file = (run / "diary.jsonl").open("a")

            def finished(self, cell, figures):
                line = {"cell": cell["folder"], "status": cell["status"], **figures}
                self.file.write(json.dumps(line) + "\n")
                self.file.flush()

        @hookimpl
        def bench_observers():
            return [Diary]
    """
    raise NotImplementedError
