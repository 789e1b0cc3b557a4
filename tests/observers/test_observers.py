"""Observers: what they are told, that they cost the run nothing, and TensorBoard and MLflow as
these packages read it."""

import json
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest
from forked import Command, bench, toy_words

from bench import Observer, RequestError
from bench.observers.mlflow import MLflowObserver
from bench.observers.tensorboard import TensorBoardObserver
from bench.plugins.registry import load
from bench.plugins.selection import select_one
from bench.running import observer_threads
from bench.running.jobs import Job, Listener
from bench.running.observer_threads import ObserverListener
from bench.runs.folder import Run
from bench.runs.records import CellRecord

DIARY = """
import json, time
from bench import Observer, hookimpl

class Diary(Observer):
    name = "diary"

    def open(self, run):
        self.path = run / "diary.jsonl"

    def write(self, *what):
        with self.path.open("a") as file:
            file.write(json.dumps(what) + "\\n")

    def started(self, cell):
        self.write("started", cell["folder"], cell["attempts"])

    def finished(self, cell, figures):
        self.write("finished", cell["folder"], cell["status"], cell["reason"][:20], figures)

    def close(self):
        self.write("close")

class Clumsy(Diary):
    name = "clumsy"

    def open(self, run):
        raise OSError("no such server")

class Careless(Diary):
    name = "careless"

    def open(self, run):
        pass

    def started(self, cell):
        raise ValueError("started")

    def finished(self, cell, figures):
        raise ValueError("finished")

@hookimpl
def bench_observers():
    return [Diary, Clumsy, Careless]
"""


def test_told_in_order_and_failures_cost_nothing(place):
    """A start and an end of each cell, the metrics of the table, what fails once at the terminal
    and whole in the log; the run is as without."""
    (place / "diary.py").write_text(DIARY)
    plain = bench(*toy_words("brightness,bad", "--seeds", "0", "--out", "plain"), cwd=place)
    words = toy_words("brightness,bad", "--seeds", "0", "--out", "run", "--plugin", "diary.py")
    done = bench(*words, "--observe", "careless,diary,clumsy", cwd=place)
    assert done.returncode == plain.returncode == 1
    run = Run.open(place / "run")
    told = [json.loads(line) for line in (run.path / "diary.jsonl").read_text().splitlines()]
    cells = {cell.method: cell for cell in run.cells()}
    good, bad = (cells[name].folder for name in ("brightness", "bad"))
    assert [entry[:2] for entry in told] == [
        ["started", good],
        ["finished", good],
        ["started", bad],
        ["finished", bad],
        ["close"],
    ]
    assert told[1][2] == "done" and told[3][2] == "failed" and told[3][3] and told[3][4] == {}
    assert sorted(told[1][4]) == ["ap", "auc", "eer"]
    table = (run.report.tables() / "results.csv").read_text()
    value = next(
        line.split(",")[7]
        for line in table.splitlines()
        if line.startswith("brightness,toy,,0,frame,median17,auc,")
    )
    assert told[1][4]["auc"] == pytest.approx(float(value), abs=1e-6)
    assert table == (place / "plain" / "tables" / "results.csv").read_text()
    said = " ".join(done.stdout.split())
    assert (
        said.count("observer careless: started failed (ValueError: started); the run goes on") == 1
    )
    assert (
        said.count("observer clumsy: open failed (OSError: no such server)") == 1
        and "observer careless: finished" not in said
    )
    log = (run.path / "observers.log").read_text()
    assert (
        log.count("ValueError: finished") == 2
        and "Traceback" in log
        and "clumsy, started" not in log
    )


def test_mistakes_are_told_before_the_run(place, monkeypatch):
    """An unknown observer, and a package that is missing, with what to install."""
    done = bench(*toy_words("brightness", "--observe", "tensorbord"), cwd=place)
    assert (
        done.returncode == 2
        and "no observer 'tensorbord' - did you mean 'tensorboard'?"
        in " ".join(done.stderr.split())
    )
    assert not (place / "results").exists()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for observer in (TensorBoardObserver(), MLflowObserver()):
        with pytest.raises(
            RequestError,
            match=rf"--observe {observer.name} needs the package .*pip install 'vad-bench\[{observer.name}\]'",
        ):
            observer.check()


class Remembering(Observer):
    """Keeps what it is told; slow where it is asked to be."""

    name = "remembering"
    told: list

    def open(self, run):
        self.told = []

    def epoch(self, cell, number, figures):
        self.told.append((number, figures))

    def finished(self, cell, figures):
        self.told.append((cell["status"], figures))


class Stuck(Observer):
    """Never comes back."""

    name = "stuck"

    def open(self, run):
        import time

        time.sleep(3600)


def watched(tmp_path, *observers):
    registry = load()
    said = SimpleNamespace(lines=[])
    listener = Listener()
    listener.say = said.lines.append
    plan = SimpleNamespace(
        run=Run(tmp_path), protocol=select_one("protocols", "median17", registry)
    )
    record = CellRecord("cells/m/d/0", "m", "m", "m", "d", "d", 0)
    job = Job(
        1, "m on d", None, SimpleNamespace(record=record, fresh=False), tmp_path / "progress.json"
    )
    return (
        ObserverListener(plan, observers, list(registry.metrics.values()), listener),
        job,
        said.lines,
    )


def test_epochs_as_they_come(tmp_path, monkeypatch):
    """Each line of training.csv once, whatever the moment of the look; none of an earlier attempt;
    no figure that is not a number."""
    monkeypatch.setattr(observer_threads, "LOOK", 0.0)
    observer = Remembering()
    observers, job, said = watched(tmp_path, observer)
    path = tmp_path / "cells/m/d/0/training.csv"
    path.parent.mkdir(parents=True)
    path.write_text("epoch,step,loss,sigma\n1,9,0.5,\n")
    with observers:
        observers.started(job)
        observers.tick([job], 0)
        path.write_text("epoch,step,loss,sigma\n1,9,0.5,\n2,18,0.25,0.5\n")
        observers.tick([job], 0)
        observers.tick([job], 0)
        path.write_text("epoch,step,loss,sigma\n1,9,0.5,\n2,18,0.25,0.5\n3,27,nan,0.75\n")
        observers.ended(job, job.cell.record, "")
    assert observer.told == [
        (2, {"loss": 0.25, "sigma": 0.5}),
        (3, {"sigma": 0.75}),
        ("queued", {}),
    ]
    assert not said and not (tmp_path / "observers.log").exists()


def test_who_hangs_is_left(tmp_path, monkeypatch):
    """The run ends, the other observer has heard all, and it is said."""
    monkeypatch.setattr(observer_threads, "PATIENCE", 0.3)
    observer = Remembering()
    observers, job, said = watched(tmp_path, Stuck(), observer)
    with observers:
        observers.started(job)
        observers.ended(job, job.cell.record, "")
    assert observer.told == [("queued", {})]
    assert len(said) == 1 and said[0].startswith("observer stuck: still busy 0 s after the run")


def test_an_attempt_that_found_its_cell_taken_leaves_no_run_of_mlflow_behind():
    """Only the last attempt of a cell is running; the others were killed."""
    status: dict[str, str] = {}

    def begin(*asked, **more):
        number = str(len(status))
        status[number] = "RUNNING"
        return SimpleNamespace(info=SimpleNamespace(run_id=number))

    observer = MLflowObserver()
    observer.experiment, observer.runs = "0", {}
    observer.client = SimpleNamespace(
        create_run=begin, log_param=lambda *given: None, set_terminated=status.__setitem__
    )
    cell = asdict(CellRecord("cells/x", "x", "x", "x", "toy", "toy", 0))
    observer.started(cell)
    observer.started(cell)
    assert status == {"0": "KILLED", "1": "RUNNING"}
    observer.finished(cell | {"status": "done"}, {})
    assert status == {"0": "KILLED", "1": "FINISHED"} and not observer.runs


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # mlflow's own, of sqlalchemy
def test_tensorboard_and_mlflow_read_it(tmp_path):
    """A network's losses, a value an epoch, and its AUC, as the packages themselves read what was
    written; MLflow ends its runs as the cells ended."""
    tensorboard = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    tracking = pytest.importorskip("mlflow.tracking")
    words = ("--methods", "ae-3d[epochs=2,every=12],frame-index", "--datasets", "demo-ped2")
    more = ("--device", "cpu", "--threads", "1", "--out", "run", "--observe", "tensorboard,mlflow")
    patience = "from bench.running import observer_threads; observer_threads.PATIENCE = 200"
    done = Command("run", *words, *more, cwd=tmp_path, first=patience).end()
    assert done.returncode == 0, done.stderr
    assert "observer" not in done.stdout and not done.stderr.strip(), done.stdout + done.stderr
    run = Run.open(tmp_path / "run")
    cell = next(cell for cell in run.cells() if cell.method == "ae-3d")
    header, *lines = ((run.cell_path(cell) / "training.csv").read_text()).splitlines()
    column = header.split(",").index("loss")
    losses = [float(line.split(",")[column]) for line in lines]
    events = tensorboard.EventAccumulator(
        str(run.path / "tensorboard" / Path(*Path(cell.folder).parts[1:]))
    )
    events.Reload()
    scalars = events.Scalars("training/loss")
    assert [event.value for event in scalars] == pytest.approx(losses, rel=1e-6)
    assert [event.step for event in scalars] == list(range(1, len(losses) + 1))
    client = tracking.MlflowClient(tracking_uri=f"sqlite:///{run.path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("run")
    found = {
        entry.data.tags["bench.method"]: entry
        for entry in client.search_runs([experiment.experiment_id])
    }
    assert {name: entry.info.status for name, entry in found.items()} == {
        "ae-3d": "FINISHED",
        "frame-index": "FINISHED",
    }
    network = found["ae-3d"]
    assert [
        metric.value for metric in client.get_metric_history(network.info.run_id, "loss")
    ] == pytest.approx(losses)
    auc = network.data.metrics["test_auc"]
    assert auc == pytest.approx(events.Scalars("test/auc")[0].value, abs=1e-6)
    assert network.data.params["profile"] == "smoke" and network.data.params["learning_rate"]
