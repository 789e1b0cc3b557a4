"""A file behind a cell changes: the cell is made again. One that is not there is a reason before
the run."""

import sys
import textwrap
from dataclasses import asdict
from pathlib import Path

import forked
import numpy as np
import pytest

import bench
from bench import RequestError
from bench.contracts.compute import Compute
from bench.objects.tracking import tracks_key
from bench.planning.plan import make_plan
from bench.planning.request import Request
from bench.plugins.registry import load
from bench.plugins.selection import select_one
from bench.runs.folder import Run
from bench.runs.manifest import Manifest

MINE = """
    import sys
    from dataclasses import dataclass
    from pathlib import Path
    import numpy as np
    from bench import Creator, Detector, Method, hookimpl, make_creators, parameter, Window

    sys.path.insert(0, str(Path(__file__).parent))
    from helper import direction

    @dataclass(frozen=True)
    class Parameters:
        "Where the weight is."
        weight: Path = parameter(Path("weight.npy"), doc="a file of one number")
        text: str = parameter("", doc="another file")
        made: str = parameter("", doc="creators")

    class Mine(Method):
        "The frame's index times a weight, and a direction of another module."
        name = "mine"
        needs = frozenset({"lengths"})
        frames = None
        Parameters = Parameters

        def __init__(self, parameters=None):
            super().__init__(parameters)
            self._creators = make_creators(self.parameters.made, Window(4), None) if self.parameters.made else []

        def score(self, clip, context):
            return np.arange(clip.length) * float(np.load(self.parameters.weight)) * direction()

    class Copies(Creator):
        "Names a file."
        name = "copies"

        @dataclass(frozen=True)
        class Parameters:
            "Which."
            images: str = parameter("", doc="a file")

        def draw(self, clip, start, generator):
            raise NotImplementedError

    class Finder(Detector):
        "Names a file for each part."
        name = "finder"

        @dataclass(frozen=True)
        class Parameters:
            "Which."
            model: Path = parameter(Path("model-{part}.bin"), doc="a file")

        def detect(self, clip, frames):
            return [np.zeros((0, 5)) for _ in frames]

    @hookimpl
    def bench_methods():
        return [Mine]

    @hookimpl
    def bench_creators():
        return [Copies]

    @hookimpl
    def bench_detectors():
        return [Finder]
"""


@pytest.fixture
def place(tmp_path, monkeypatch, no_registry):
    """A folder with a plugin, its helper and its files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "mine.py").write_text(textwrap.dedent(MINE))
    (tmp_path / "helper.py").write_text("def direction():\n    return 1.0\n")
    np.save("weight.npy", 1.0)
    yield tmp_path
    sys.modules.pop("helper", None)


def key_of(methods: str, **more) -> dict:
    """Return the key of the only cell that is planned."""
    (cell,) = planned(methods, **more)
    return cell.record.key


def planned(methods: str, datasets: str = "demo-ped2", **more) -> list:
    request = Request(methods, datasets, compute=Compute("cpu"), plugins=(Path("mine.py"),), **more)
    return make_plan(
        request, load([Path("mine.py")]), lambda signature: (Run(Path("run")), False)
    ).cells


@pytest.mark.parametrize(
    ("methods", "file", "parameter"),
    [
        ("mine", "weight.npy", "weight"),
        ("mine[weight=weight.npy]", "weight.npy", "weight"),
        ("mine[text=notes.txt]", "notes.txt", "text"),
        ("mine[weight=folder]", "folder/deep/a.bin", "weight"),
        ("mine[weight=of-{dataset}.npy]", "of-demo-ped2.npy", "weight"),
        ('mine[made="copies[images=notes.txt]"]', "notes.txt", "copies.images"),
        ("scores[path=mine.npz]", "mine.npz", "path"),
    ],
)
def test_the_key_follows_the_content(place, methods, file, parameter):
    """Of each file that a parameter names, its own default and those of creators too; the same
    content gives the same key."""
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_bytes(b"first")
    first = key_of(methods)
    assert parameter in first["files"]
    Path(file).write_bytes(b"other")
    second = key_of(methods)
    assert (
        {**second, "files": {**second["files"], parameter: first["files"][parameter]}}
        == first
        != second
    )
    Path(file).write_bytes(b"first")
    assert key_of(methods) == first


def test_the_key_is_as_before_where_no_file_is_named(place):
    """So that finished cells stay."""
    assert set(key_of("pca")) == {
        "method",
        "version",
        "parameters",
        "seed",
        "scene",
        "dataset",
        "tracks",
        "plugin",
    }
    assert key_of("pca")["plugin"] == ""


def test_the_key_follows_plugins_with_creators(place):
    """A creator of another plugin file belongs to the cell as well."""
    (place / "weight.npy").unlink()
    first = key_of("mine[made=copies]")
    assert first["creators"] == [first["plugin"]] and "files" not in first


def test_the_key_follows_what_a_creator_finds(place, monkeypatch):
    """CIFAR-100 that was put there between two commands, and other images in its place; without
    what is asked for there is a reason before the run."""
    monkeypatch.setenv("BENCH_DATA", str(place))
    methods = "memae[pseudo=patch,width=0.05]"
    assert "files" not in key_of(methods, profile="smoke")
    (cell,) = planned('memae[pseudo="patch[source=cifar100]",width=0.05]', profile="smoke")
    assert cell.record.status == "no data"
    assert "patch: no CIFAR-100 at " in cell.record.reason
    (place / "cifar-100-binary").mkdir()
    hashes = []
    for value in (b"1", b"2"):
        (place / "cifar-100-binary" / "train.bin").write_bytes(value * 3074)
        hashes.append(key_of(methods, profile="smoke")["files"])
    assert [list(one) for one in hashes] == [["patch.cifar"]] * 2
    assert hashes[0] != hashes[1]


@pytest.mark.parametrize(
    "methods", ["mine[weight=gone.npy]", "scores[path=gone.npz]", "scores[path=gone/{dataset}.npz]"]
)
def test_a_file_that_is_not_there_is_a_reason_before_the_run(place, methods):
    """The name as it was looked for, and the parameter."""
    (cell,) = planned(methods)
    assert cell.record.status == "no data"
    name = methods.partition("=")[2].rstrip("]").replace("{dataset}", "demo-ped2")
    assert f"there is no file or folder {name}, which " in cell.record.reason


def test_tracks_follow_the_files_of_their_detector(place):
    """One file a part, by a Path of a plugin's detector; one that was given and is not there is
    refused."""
    for part in ("train", "test"):
        (place / f"model-{part}.bin").write_text("1")
    registry = load([Path("mine.py")])
    dataset = select_one("datasets", "demo-ped2", registry).make()
    dataset.locate([])
    finder = registry.detectors["finder"]
    keys = [tracks_key(dataset, finder())]
    (place / "model-test.bin").write_text("2")
    keys.append(tracks_key(dataset, finder()))
    (place / "helper.py").write_text("def direction():\n    return 2.0\n")
    load([Path("mine.py")])
    keys.append(tracks_key(dataset, finder()))
    assert len(set(keys)) == 3
    with pytest.raises(
        RequestError,
        match=r"detector finder\[model=gone-\{part\}\]: there is no file or folder gone-train or gone-test",
    ):
        planned("c3dsu", detector="finder[model=gone-{part}]", profile="smoke")


def test_another_scores_file_weight_or_helper_gives_another_number(place):
    """Through the command line: each row is turned round, and so is its number; a row that names
    nothing is kept."""
    words = [
        "run",
        "--methods",
        "frame-index,mine,mine[weight=other.npy],scores[path=mine.npz]",
        "--datasets",
        "demo-ped2",
        "--out",
        "run",
        "--plugin",
        "mine.py",
        "--threads",
        "1",
    ]
    clips = planned("frame-index")[0].dataset.dataset.clips("test")
    np.save("other.npy", 1.0)
    np.savez("mine.npz", **{clip.id: np.arange(len(clip.source.paths)) for clip in clips})

    def numbers() -> dict[str, float]:
        done = forked.bench(*words, cwd=place)
        assert done.returncode == 0, done.stdout + done.stderr
        frame = bench.load("run").results.query("protocol == 'median17' and metric == 'auc'")
        return dict(zip(frame["method"], frame["value"].astype(float)))

    first = numbers()
    (place / "helper.py").write_text("def direction():\n    return -1.0\n")
    old = np.load("mine.npz")
    np.savez("mine.npz", **{clip: -old[clip] for clip in old.files})
    np.save("other.npy", -1.0)
    second = numbers()
    turned = {name: 1 - value for name, value in first.items()}
    mine = "mine[weight=other.npy]"  # turned twice
    assert second == pytest.approx(
        {**turned, "frame-index": first["frame-index"], mine: first[mine]}, abs=1e-6
    )
    assert [cell.attempts for cell in Run.open(place / "run").cells()] == [1, 2, 2, 2]


def test_what_changed_is_said(place):
    """In the plan, by the parameter."""
    np.savez("mine.npz", **{"01": np.zeros(1)})
    (cell,) = planned("scores[path=mine.npz]")
    run = Run(place / "run")
    run.write_manifest(Manifest(cells=[]))
    cell.record.status = "done"
    (place / "run" / cell.record.folder).mkdir(parents=True)
    run.write_cell(cell.record)
    run.write_scores(cell.record, {})
    run.write_manifest(Manifest(cells=[asdict(cell.record)]))
    assert planned("scores[path=mine.npz]")[0].why == "done before, same key"
    np.savez("mine.npz", **{"01": np.ones(1)})
    assert planned("scores[path=mine.npz]")[0].why == "run again: another content of path"
    Path("mine.npz").unlink()
    assert planned("scores[path=mine.npz]")[0].why.startswith(
        "done before; scores[path=mine.npz]: there is no file or folder mine.npz"
    )
