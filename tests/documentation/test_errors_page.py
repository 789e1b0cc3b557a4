"""docs/errors.md: every text there is what the situation really gives."""

import importlib.util
import json
import pickle
import re
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from bench.datasets import Avenue, Ped2
from bench.datasets.folder import Folder
from encoded import encode, moving
from forked import bench, toy_words

from bench import (
    BenchError,
    Clip,
    Dataset,
    FrameFormat,
    ImageFiles,
    OpenClip,
    Scores,
    VideoFile,
    Window,
    score,
)
from bench.applying import live_source as live
from bench.applying.application import choose_threshold, refuse
from bench.applying.footage import Footage, find_footage
from bench.applying.pseudo_anomaly_example import pseudo_anomaly_example
from bench.applying.rescored_clip import rescore
from bench.contracts.compute import Compute
from bench.contracts.dataset import checked_labels
from bench.contracts.executor import Event, Executor, Exit
from bench.downloads.available import choose
from bench.downloads.getting import get, sources
from bench.engine.context import make_context
from bench.evaluation.anomaly_tracks import read_tracks
from bench.evaluation.pairs import pairs
from bench.files.whole_files import write_text
from bench.frames.decode import read_frames
from bench.frames.image_damage import find_damage
from bench.frames.store import prepare_frames
from bench.hardware import gpus
from bench.hardware.gpus import Gpu
from bench.hardware.machine import choose_device
from bench.objects.boxes import BoxesDetector
from bench.objects.fasterrcnn import FasterRCNNDetector
from bench.planning.plan import make_plan
from bench.planning.request import Request
from bench.plugins.plugin_files import refuse_missing
from bench.plugins.registry import current, load
from bench.plugins.selection import make_creators, select, select_one
from bench.running import cell_queue
from bench.running.jobs import Listener
from bench.running.runner import Runner
from bench.runs.folder import Run
from bench.runs.manifest import Manifest
from bench.runs.records import CellRecord, DatasetRecord
from bench.runs.runners import hold
from bench.worker import fitting

ROOT = Path(__file__).parents[2]
TOYS = ROOT / "tests" / "toys.py"
PAGE = dict(
    re.findall(
        r"^## (.+?)\n.*?```text\n(.*?)\n```",
        (ROOT / "docs" / "errors.md").read_text(),
        re.MULTILINE | re.DOTALL,
    )
)
IMAGE = np.random.default_rng(0).integers(0, 256, (12, 16), dtype=np.uint8)


class Made(Dataset):
    """Ten images and as many labels."""

    name = "made"

    def locate(self, roots):
        self.root = roots[0]

    def clips(self, split):
        return [Clip("01", split, ImageFiles(tuple(sorted(self.root.glob("*.png")))), 10)]

    def labels(self, clip, label_set=None):
        return np.zeros(9, np.uint8)


def ped2(root: Path, name: str = "ped2") -> Path:
    folder = root / name / "testing" / "frames" / "01"
    folder.mkdir(parents=True)
    for index in range(10):
        cv2.imwrite(str(folder / f"{index:03d}.png"), IMAGE)
    (root / name / "labels").mkdir()
    np.savez(root / name / "labels" / "frame.npz", **{"01": np.arange(10) >= 5})
    return folder


def made(root: Path) -> Made:
    for index in range(10):
        cv2.imwrite(str(root / f"{index:03d}.png"), IMAGE)
    dataset = Made()
    dataset.locate([root])
    return dataset


def cut(path: Path) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def image(root: Path, name: str) -> Path:
    cv2.imwrite(str(root / name), IMAGE)
    return root / name


def decode(path: Path) -> None:
    source = VideoFile(path) if path.suffix in (".avi", ".mp4") else ImageFiles((path,))
    list(read_frames(Clip("01", "test", source)))


def video(root: Path) -> Path:
    writer = cv2.VideoWriter(str(root / "01.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for _ in range(20):
        writer.write(np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8))
    writer.release()
    return root / "01.avi"


def video_with_a_hole(root: Path) -> Path:
    frames = [
        frame + np.random.default_rng(0).integers(0, 30, frame.shape, np.uint8)
        for frame in moving(30)
    ]
    path = encode(root / "01.mp4", frames, options={"g": "10"})
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) * 6 // 10] = bytes(
        len(content) * 6 // 10 - len(content) // 2
    )
    path.write_bytes(content)
    return path


def video_of_an_unknown_codec(root: Path) -> Path:
    path = encode(root / "01.mp4", moving(3))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"evc1"))
    return path


def typo(kind: str, text: str) -> Callable[[Path, pytest.MonkeyPatch], object]:
    return lambda root, patch: select(kind, text, load())


def missing_resnet(root, patch):
    patch.setenv("TORCH_HOME", str(root))
    current().methods["tsc"]().check("ped2")


def missing_cifar(root, patch):
    patch.setenv("BENCH_DATA", str(root))
    (creator,) = make_creators("patch[source=cifar100]", Window(2), lambda frames: frames)
    creator.prepare([], make_context(0, Compute("cpu"), root))


def pickled_module(root, patch):
    import torch

    torch.save(torch.nn.Linear(1, 1), root / "model.pth")
    method = current().methods["memae"]
    method(method.Parameters(width=0.05, weights=str(root / "model.pth"))).fit(
        [], make_context(0, Compute("cpu"), root)
    )


def weights_of_another_network(root, patch):
    import torch
    from bench.methods.networks.memae import MemoryAutoEncoder3D

    method = current().methods["memae"]
    state = MemoryAutoEncoder3D(1, 0.05, 20).state_dict()
    patch.setattr(method, "convert_weights", lambda self, weights: weights)
    torch.save(state, root / "memae.pt")
    method(method.Parameters(weights=str(root / "memae.pt"))).check("ped2")


def too_large(root, patch):
    from bench.planning import memory_limits

    patch.setattr(memory_limits, "free_memory", lambda: 2**29)
    make_plan(
        Request("ae-3d", "demo-ped2", compute=Compute("cpu"), profile="small"),
        load(),
        lambda signature: (Run(root / "run"), False),
    )


def unknown_row(root, patch):
    registry = load()
    pairs(
        Run.open(ROOT / "results" / "ped2-small"),
        ("c3dsuu", "memae"),
        [],
        registry.protocols["raw"],
        registry.metrics["auc"],
    )


def planned(root: Path, executor: str = "local", **how) -> None:
    make_plan(
        Request("ae-3d", "demo-ped2", compute=Compute("cpu", **how), executor=executor),
        load(),
        lambda signature: (Run(root / "run"), False),
    )


def without(package: str, executor: str) -> Callable[[Path, pytest.MonkeyPatch], object]:
    def plan(root, patch):
        found = importlib.util.find_spec
        patch.setattr(
            importlib.util,
            "find_spec",
            lambda name, *more: None if name == package else found(name, *more),
        )
        planned(root, executor=executor)

    return plan


def two_runners(root, patch):
    with hold(Run(root)):
        hold(Run(root))


class Taken(Executor):
    """Says of every task that its cell is another worker's."""

    remote = True

    def open(self, place):
        return None

    def start(self, task):
        self.news = [Event(task["id"], code=Exit.TAKEN)]

    def events(self, timeout):
        news, self.news = self.news, []
        return news

    news = ()


def always_taken(root, patch):
    plan = make_plan(
        Request("pca", "demo-ped2", compute=Compute("cpu")),
        load(),
        lambda signature: (Run(root / "run"), False),
    )
    patch.setattr(cell_queue, "LOOK", 0.001)
    plan.executor = Taken()
    Runner(plan, Listener()).execute()
    raise BenchError(plan.cells[0].record.reason)


def absent_gpu(root, patch):
    there = [Gpu(f"cuda:{number}", str(number), "A100", 2**36) for number in range(2)]
    patch.setattr(gpus, "gpus", lambda: there)
    gpus.chosen_devices("cuda:0,cuda:7")


def out_of_memory(root, patch):
    method = select_one("methods", "c3dsu", load(), "paper").make()
    method.fit = lambda clips, context: (_ for _ in ()).throw(MemoryError)
    record = CellRecord("cells/x", "c3dsu", "c3dsu", "c3dsu", "toy", "toy", 0, gpu="cuda:0")
    context = SimpleNamespace(compute=Compute("cuda", accumulate=10))
    patch.setattr(fitting, "_what_fits", lambda cell: (4, 0))
    fitting.in_memory(
        SimpleNamespace(method=method, record=record, scratch=root, context=context), []
    )


def not_deterministic(root, patch):
    from bench.engine.precision import explained

    method = SimpleNamespace(name="mine")
    with explained(method, Compute("cuda")):
        raise RuntimeError(
            "max_unpool2d does not have a deterministic implementation, but you set "
            "'torch.use_deterministic_algorithms(True)'."
        )


def no_bf16(root, patch):
    from bench.engine import precision as arithmetic

    patch.setattr(arithmetic, "has_bf16", lambda kind: False)
    planned(root, precision="bf16")


def no_compiler(root, patch):
    patch.setenv("PATH", str(root))
    patch.delenv("CXX", raising=False)
    planned(root, compile=True)


def missing_weights(root, patch):
    patch.setenv("TORCH_HOME", str(root))
    FasterRCNNDetector().check("ped2")


def without_connection(root, patch):
    (one,) = choose("ped2", load())
    port = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{port.getsockname()[1]}/"
    port.close()
    get(one, sources([one], [address]), root, [root], lambda *step: None)


def by_hand_only(root, patch):
    (one,) = choose("shanghaitech", load())
    get(one, sources([one], []), root, [root], lambda *step: None)


def not_the_owners(root, patch):
    (one,) = choose("ped2", load())
    (root / "a.tar.gz").write_bytes(b"")
    get(one, sources([one], [str(root / "a.tar.gz")]), root, [root], lambda *step: None)


def labels_only(root, patch):
    (root / "avenue" / "labels").mkdir(parents=True)
    np.savez(
        root / "avenue" / "labels" / "pixel.npz",
        **{clip: np.zeros(length) for clip, length in Avenue.expected["test"].items()},
    )
    dataset = Avenue()
    dataset.locate([root])
    raise BenchError(dataset.lacks("frames"))


def deleted_frame(root, patch):
    (ped2(root) / "004.png").unlink()
    dataset = Ped2()
    dataset.locate([root])
    dataset.clips("test")


def two_copies(root, patch):
    ped2(root / "a")
    ped2(root / "b")
    Ped2().locate([root / "a", root / "b"])


def full_disk(root, patch):
    usage = type(shutil.disk_usage(root))
    patch.setattr(shutil, "disk_usage", lambda path: usage(1000, 1000, 0))
    dataset = made(root)
    prepare_frames(dataset, dataset.clips("test"), [FrameFormat()], lambda done, total, what: None)


def corrupted_cell(root, patch):
    cell = CellRecord("cells/a/b/0", "a", "a", "a", "b", "b", 0)
    run = Run(root)
    run.write_manifest(Manifest(cells=[vars(cell)]))
    write_text(root / cell.folder / "cell.json", "{")
    raise BenchError(run.cells()[0].reason)


def changed_scores(root, patch):
    run = Run(root)
    cell = CellRecord("cells/a/b/0", "a", "a", "a", "b", "b", 0)
    run.write_scores(cell, {"01": Scores(np.zeros(3), np.arange(3))})
    cell.checksums = run.checksums_of(cell)
    run.write_scores(cell, {"01": Scores(np.ones(3), np.arange(3))})
    run.scores(cell)


def changed_labels(root, patch):
    record = DatasetRecord(
        "made", "made", (("01", 3, ""),), "f", ("frame",), {"frame": {"01": np.zeros(3, np.uint8)}}
    )
    Run(root).write_dataset(record)
    np.savez(root / "datasets" / "made.npz", **{"frame/01": np.ones(3, np.uint8)})
    Run(root).dataset("made")


def short_labels(root, patch):
    dataset = made(root)
    checked_labels(dataset, dataset.clips("test")[0], 10)


def unwritable(root, patch):
    write_text(root / "results", "a file")
    write_text(root / "results" / "run" / "run.json", "{}")


def pointer(root, patch):
    path = root / "001.tif"
    path.write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 86538\n"
    )
    decode(path)


def pickled_labels(root, patch):
    from bench.datasets.formats.unreadable import refuse_unreadable

    (root / "gt_label.json").write_bytes(pickle.dumps({"01": [0, 1]}))
    refuse_unreadable(root / "gt_label.json")


def pickled_boxes(root, patch):
    (root / "boxes.json").write_bytes(pickle.dumps({"01": []}))
    BoxesDetector(BoxesDetector.Parameters(path=str(root / "boxes.json"))).check("ped2")


def video_without_weights(root, patch):
    cell = CellRecord("cells/pca/ped2/0", "pca", "pca", "pca", "ped2", "ped2", 0, profile="small")
    run = Run(root)
    run.write_manifest(Manifest(cells=[vars(cell)]))
    with rescore(run, cell, "01", [], lambda *at: None):
        pass


def no_distinction(root, patch):
    load([TOYS])
    patch.setenv("BENCH_DATA", str(root))
    try:
        cell = CellRecord(
            "cells/constant/toy/0",
            "constant",
            "constant",
            "constant",
            "toy",
            "toy",
            0,
            profile="small",
        )
        run = Run(root / "run")
        run.write_manifest(Manifest(cells=[vars(cell)]))
        (run.path / cell.folder).mkdir(parents=True)
        current().methods["constant"]().save(run.path / cell.folder / "weights")
        pseudo_anomaly_example(run, cell, [root], lambda *at: None)
    finally:
        load()


def no_training_scores(root, patch):
    cell = CellRecord("cells/pca/ped2/0", "pca", "pca", "pca", "ped2", "ped2", 0, profile="small")
    run = Run(root)
    run.write_manifest(Manifest(cells=[vars(cell)]))
    choose_threshold(run, cell, current().protocols["raw"], 0.001)


def scaled_by_clip(root, patch):
    refuse(
        current().methods["mnad"](),
        CellRecord("cells/mnad/ped2/0", "mnad", "mnad", "mnad", "ped2", "ped2", 0),
        [],
    )


def closed_camera(root, patch):
    patch.setattr(live, "open_capture", lambda address: cv2.VideoCapture())
    live.LiveSource(
        Footage("camera", "rtsp://camera/stream", address="rtsp://camera/stream"), 50, 1.0, print
    )


def images_with_a_gap(root, patch):
    for name in ("1.png", "2.png", "4.png"):
        image(root, name)
    find_footage(str(root))


def images_in_two_orders(root, patch):
    for name in ("3_0001.png", "1_0002.png", "3_0003.png"):
        image(root, name)
    find_footage(str(root))


def two_pages(root, patch):
    cv2.imwritemulti(str(root / "1.tif"), [IMAGE, IMAGE])
    decode(root / "1.tif")


def zeros_inside(root, patch):
    path = image(root, "1.jpg")
    content = path.read_bytes()
    place = content.index(b"\xff\xda") + 20
    path.write_bytes(content[:place] + bytes(60) + content[place + 60 :])
    ((_, text),) = find_damage([Clip("01", "test", ImageFiles((path,)))])
    raise BenchError(text)


def nothing_to_read(root, patch):
    (root / "clip.rar").write_bytes(b"Rar!\0")
    find_footage(str(root))


def own_footage(root: Path, clip: str) -> Folder:
    (root / "test" / clip).mkdir(parents=True)
    image(root / "test" / clip, "0.png")
    dataset = Folder(Folder.Parameters(path=root))
    dataset.locate(())
    return dataset


def name_with_brackets(root, patch):
    own_footage(root, "a[1]").clips("test")


def labels_in_another_form(root, patch):
    (root / "labels.csv").write_text("video,start,end\n01,0,0\n")
    dataset = own_footage(root, "01")
    dataset.labels(dataset.clips("test")[0])


def bad_tracks(root, patch):
    (root / "01.txt").write_text("0,3,45,1,41,2\n")
    read_tracks(root / "01.txt", 8, (20, 40))


def missing_regions(root, patch):
    (root / "01.txt").write_text("")
    method = current().methods["regions"]
    context = make_context(0, Compute("cpu"), root, test_lengths={"01": 8, "02": 8})
    method(method.Parameters(path=root)).score(OpenClip("01", "test", 8, "made"), context)


def broken_plugin(source: str) -> Callable[[Path, pytest.MonkeyPatch], object]:
    def load_it(root, patch):
        (root / "mine.py").write_text(source)
        (complaint,) = load([root / "mine.py"]).complaints()
        load()
        raise BenchError(complaint)

    return load_it


def arrays_of_two_lengths(root, patch):
    score({"01": np.zeros(172)}, {"01": np.zeros(180)})


def short_scores(root, patch):
    from bench.methods.scores import ReadScores, ScoresParameters

    lengths = {f"{number:02d}": 180 for number in range(1, 13)}
    np.savez(root / "memae.npz", **{clip: np.zeros(165) for clip in lengths})
    context = make_context(0, Compute("cpu"), root, test_lengths=lengths)
    ReadScores(ScoresParameters(root / "memae.npz")).score(
        OpenClip("01", "test", 180, "ped2"), context
    )


def missing_scores(root, patch):
    patch.chdir(root)
    request = Request("scores[path=mine.npz]", "demo-ped2", compute=Compute("cpu"))
    (cell,) = make_plan(request, load(), lambda signature: (Run(root / "run"), False)).cells
    raise BenchError(cell.record.reason)


def module_beside(root, patch):
    (root / "helper.py").write_text("")
    broken_plugin("import helper\n")(root, patch)


def arrays(scores, labels=(0, 1), metric="auc") -> Callable[[Path, pytest.MonkeyPatch], object]:
    return lambda root, patch: score(
        scores if isinstance(scores, dict) else {"01": scores}, {"01": labels}, metric=metric
    )


def tensor_with_gradient(root, patch):
    import torch

    score({"01": torch.zeros(2, requires_grad=True)}, {"01": [0, 1]})


SITUATIONS: dict[str, Callable[[Path, pytest.MonkeyPatch], object]] = {
    "A typo in a method": typo("methods", "c3dsuu"),
    "A typo in a dataset": typo("datasets", "pde2"),
    "A typo in a parameter": typo("methods", "c3dsu[latnet=64]"),
    "A typo in a protocol": typo("protocols", "medin17"),
    "A row that the run does not have": unknown_row,
    "A plugin file that is not there": lambda root, patch: refuse_missing([Path("nothere.py")]),
    "Missing data": lambda root, patch: Ped2().locate([root]),
    "A download without a connection": without_connection,
    "A file that its owners offer by hand only": by_hand_only,
    "A file that is not the owners'": not_the_owners,
    "Incomplete data": labels_only,
    "Missing detector weights": missing_weights,
    "Missing weights of a pretrained network": missing_resnet,
    "Missing CIFAR-100": missing_cifar,
    "Released weights that are a pickled module": pickled_module,
    "Released weights of another network": weights_of_another_network,
    "A network too large for the device": too_large,
    "Bfloat16 where the processor has none": no_bf16,
    "An operation without a deterministic form": not_deterministic,
    "Compiling without a compiler": no_compiler,
    "Dask without its package": without("distributed", "dask[workers=2]"),
    "SLURM without its package": without("submitit", "slurm[partition=gpu]"),
    "Two runners of one run on one machine": two_runners,
    "A cell that is always taken": always_taken,
    "A frame deleted from a clip": deleted_frame,
    "A truncated jpg": lambda root, patch: decode(cut(image(root, "1.jpg"))),
    "A truncated tif": lambda root, patch: decode(cut(image(root, "1.tif"))),
    "A truncated avi": lambda root, patch: decode(cut(video(root))),
    "A video with a hole": lambda root, patch: decode(video_with_a_hole(root)),
    "A video that cannot be decoded here": lambda root, patch: decode(
        video_of_an_unknown_codec(root)
    ),
    "Labels one frame short": short_labels,
    "An unwritable results folder": unwritable,
    "A full disk": full_disk,
    "A corrupted cell.json": corrupted_cell,
    "Scores that were changed": changed_scores,
    "Labels of a run that were changed": changed_labels,
    "Two copies of a dataset": two_copies,
    "A GPU where there is none": lambda root, patch: choose_device("cuda"),
    "A GPU number that is not there": absent_gpu,
    "A training that is out of memory on its device": out_of_memory,
    "A tif that is a Git LFS pointer": pointer,
    "Labels that are a pickle": pickled_labels,
    "Boxes that are a pickle": pickled_boxes,
    "A video without kept weights": video_without_weights,
    "A figure of distinction without a pseudo-anomaly": no_distinction,
    "A threshold without training scores": no_training_scores,
    "A method whose scores are scaled per clip": scaled_by_clip,
    "A camera that cannot be opened": closed_camera,
    "Images with a gap": images_with_a_gap,
    "Images with an ambiguous order": images_in_two_orders,
    "A file of several images": two_pages,
    "An image that is damaged inside": zeros_inside,
    "A folder without videos or images": nothing_to_read,
    "An invalid clip name": name_with_brackets,
    "Labels of your own footage in an unknown format": labels_in_another_form,
    "Tracks with a line that is no region": bad_tracks,
    "Regions that lack a clip": missing_regions,
    "Arrays that do not fit": arrays_of_two_lengths,
    "A scores file with fewer scores than frames": short_scores,
    "A missing file": missing_scores,
    "Scores that are masked": arrays(np.ma.array(np.zeros(180), mask=np.arange(180) < 2)),
    "Labels that are words": arrays([0, 1], ["normal", "abnormal"]),
    "A tensor with a gradient": tensor_with_gradient,
    "Two keys for one clip": arrays({1: [0, 1], "1": [0, 1]}),
    "A metric that is no name": arrays([0, 1], metric=None),
    "A module beside a plugin file": module_beside,
    "A plugin with a broken import": broken_plugin("import no_such_module\n"),
    "A plugin with a misspelt hook": broken_plugin(
        "from bench import hookimpl\n\n@hookimpl\ndef bench_method():\n    return []\n"
    ),
}
CELLS = {
    "A wrong number of scores": "length",
    "A score that is not a number": "nan",
    "A cell that was killed": "kill",
    "A cell that was stopped from outside": "stop",
    "A cell out of memory": "memory",
    "A cell that stalled": "stall",
}


def as_documented(text: str, heading: str) -> bool:
    pattern = r".*?".join(re.escape(" ".join(part.split())) for part in PAGE[heading].split("..."))
    return (
        re.search(
            pattern.replace(r"\ .*?", r".*?").replace(r".*?\ ", r".*?"), " ".join(text.split())
        )
        is not None
    )


def test_every_heading_is_produced():
    """The page and this file list the same situations."""
    assert set(PAGE) == set(SITUATIONS) | set(CELLS)


@pytest.mark.parametrize("heading", SITUATIONS)
def test_text_is_as_documented(tmp_path, monkeypatch, heading):
    """What really happens reads as the page says."""
    if heading.startswith("A GPU"):
        import torch

        if torch.cuda.is_available():
            pytest.skip("there is a GPU here")
    with pytest.raises(BenchError) as caught:
        SITUATIONS[heading](tmp_path, monkeypatch)
    assert as_documented(str(caught.value), heading), str(caught.value)


@pytest.fixture(scope="module")
def reasons(tmp_path_factory):
    """The reasons of cells that misbehave in every way, from one run."""
    place = tmp_path_factory.mktemp("cells")
    (place / "data").mkdir()
    methods = f"bad[how={'|'.join(CELLS.values())}]"
    done = bench(*toy_words(methods, "--stall-limit", "1s", "--out", "run"), cwd=place)
    assert done.returncode == 1, done.stderr
    cells = [json.loads(path.read_text()) for path in (place / "run").glob("cells/*/*/*/cell.json")]
    return {cell["parameters"]["how"]: cell["reason"] for cell in cells}


@pytest.mark.parametrize("heading", CELLS)
def test_reason_of_a_cell_is_as_documented(reasons, heading):
    """What a cell leaves behind reads as the page says."""
    assert as_documented(reasons[CELLS[heading]], heading), reasons[CELLS[heading]]
