"""Memory estimated before the run, cells that are refused for it, and batches trained in parts."""

import io
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from forked import bench
from rich.console import Console

from bench import FrameFormat, NetworkMethod, OpenClip, RequestError, Window
from bench.cli.dry_run import show_plan
from bench.contracts.compute import CHANGES_SCORES, Compute
from bench.engine.context import make_context
from bench.engine.seeding import seed_everything
from bench.engine.training import gradients, train
from bench.planning import memory_estimate as memory
from bench.planning import memory_limits, time_estimate
from bench.planning.earlier_durations import like
from bench.planning.memory_estimate import estimate
from bench.planning.memory_limits import estimate_cells
from bench.planning.plan import make_plan
from bench.planning.request import Request
from bench.plugins.registry import load
from bench.plugins.selection import select_one
from bench.runs.folder import Run
from bench.runs.manifest import Manifest

MEGABYTE = 2**20


@dataclass(frozen=True)
class DenseParameters:
    epochs: int = 2
    batch: int = 5
    learning_rate: float = 1e-2
    every: int = 1


class Dense(NetworkMethod):
    """One matrix of 4 MB (1024 x 1024) on frames of 32 x 32."""

    name = "dense"
    Parameters = DenseParameters
    frames = FrameFormat((32, 32))

    @property
    def window(self):
        return Window(1)

    def build(self):
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(1024, 1024, bias=False))

    def loss(self, network, batch, context):
        return {"loss": (network(batch["window"]) - batch["window"].flatten(1)).square().mean()}

    def error(self, network, batch):
        return {
            "error": (network(batch["window"]) - batch["window"].flatten(1))
            .square()
            .mean(1, keepdim=True)
        }


def shipped(name, profile="small"):
    return select_one("methods", name, load(), profile).make()


# -- the estimate ----------------------------------------------------------------------------------


def test_matrix_is_counted_with_its_gradient_and_the_optimiser_s_state():
    """Of one matrix: weights and gradient with SGD, two states more with Adam; scoring has the
    weights alone."""

    class Plain(Dense):
        def optimiser(self, network):
            return torch.optim.SGD(network.parameters(), lr=0.1)

    plain, adam = estimate(Plain(), Compute("cpu")), estimate(Dense(), Compute("cpu"))
    assert plain.unknown == adam.unknown == ""
    assert adam.parameters == 1024**2
    assert plain.training == pytest.approx(8 * MEGABYTE, rel=0.05)
    assert plain.scoring == pytest.approx(4 * MEGABYTE, rel=0.05)
    assert (
        16 * MEGABYTE < adam.training < 25 * MEGABYTE
    )  # Adam's own step works on copies of the matrix


@pytest.mark.parametrize("accumulate", [1, 2])
def test_fake_tensors_are_counted_as_real_ones_are(tmp_path, accumulate):
    """The same two steps with real tensors have the same bytes alive at their worst moment."""
    method = shipped("ae-3d", "smoke")
    batch = {"window": torch.rand(4, 1, 16, 32, 32) * 2 - 1}
    network = method.build().train()
    optimiser = method.optimiser(network)
    context = make_context(0, Compute("cpu", accumulate=accumulate), tmp_path)
    with memory.PeakTensorBytes() as alive:
        alive.hold([batch, list(network.parameters()), list(network.buffers())])
        gradients(method, network, optimiser, batch, context)
        optimiser.step()
        gradients(method, network, optimiser, batch, context)
    found = estimate(
        method, Compute("cuda", accumulate=accumulate)
    )  # without what is drawn ahead in the memory of the CPU
    assert found.training == pytest.approx(alive.most, rel=0.02)


NETWORKS = sorted(name for name, cls in load().methods.items() if issubclass(cls, NetworkMethod))
WITHOUT_FILES = {"tsc": "tsc[features=random]", "srnn": "srnn[features=random]"}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_of_the_paper_has_an_estimate(name):
    """So that each is refused where it does not fit."""
    found = estimate(shipped(WITHOUT_FILES.get(name, name), "paper"), Compute("cpu"))
    assert found.unknown == "" and found.scoring >= 4 * found.parameters > 0
    assert (found.training > 0) == ("train" in shipped(name, "paper").needs)


def test_memory_has_a_fixed_part_and_one_for_each_sample():
    """Equal steps of the batch are equal steps of the memory, and parts of a batch take less."""
    method = shipped("ae-3d")
    four, eight, twelve = (estimate(method, Compute("cpu"), size).training for size in (4, 8, 12))
    assert eight - four == pytest.approx(twelve - eight, rel=0.01)
    assert estimate(method, Compute("cpu", accumulate=4), 8).training < four
    assert estimate(method, Compute("cuda"), 8).training < eight


def test_nothing_is_trained_where_the_network_stays_as_it_is():
    """A network that is never trained takes what scoring takes."""
    found = estimate(shipped("random-network"), Compute("cpu"))
    assert (found.training, found.unknown) == (0, "")
    assert found.scoring == estimate(shipped("ae-3d"), Compute("cpu")).scoring


def test_both_passes_of_the_distinction_loss_are_counted():
    """With pseudo-anomalies two passes are kept for the gradients; their masks and questions about
    data are met."""
    plain, distinction = (
        estimate(shipped("ae-3d"), Compute("cpu")),
        estimate(shipped("ae-3d[pseudo=objects]"), Compute("cpu")),
    )
    assert distinction.unknown == ""
    assert distinction.training > 1.5 * plain.training


def test_estimate_leaves_random_numbers_alone():
    """Neither the network that is built nor the sample that is drawn moves the generators."""
    torch.manual_seed(3)
    np.random.seed(3)
    expected = torch.rand(1), np.random.random()
    torch.manual_seed(3)
    np.random.seed(3)
    estimate(Dense(), Compute("cpu"))
    estimate(shipped("random-network", "smoke"), Compute("cpu"))
    assert (torch.rand(1), np.random.random()) == expected


@pytest.mark.parametrize(
    ("look", "reason"),
    [
        (lambda output: float(output.detach().numpy().mean()), "numpy"),
        (lambda output: int((output > 0).sum()), "a whole number that depends on the data"),
    ],
)
def test_what_cannot_run_without_data_is_unknown(look, reason):
    """With its reason, and the cell may try."""

    class Looks(Dense):
        def loss(self, network, batch, context):
            output = network(batch["window"])
            return {"loss": output.mean() * look(output)}

    found = estimate(Looks(), Compute("cpu"))
    assert found.unknown.startswith("training cannot be tried without data")
    assert reason in found.unknown
    assert (found.training, found.scoring) == (0, 0)
    assert found.fits(0)


def test_own_training_is_unknown():
    """A method that does not train with the harness's loop is not guessed."""

    class Own(Dense):
        def fit(self, clips, context):
            self.network = self.build()

    assert "without the harness's loop" in estimate(Own(), Compute("cpu")).unknown


# -- refusing --------------------------------------------------------------------------------------


@pytest.fixture
def plan_of(tmp_path):
    def plan(methods, **more):
        compute = Compute(
            "cpu", **{name: more.pop(name) for name in CHANGES_SCORES if name in more}
        )
        more = {"profile": "small", **more}
        request = Request(methods, "demo-ped2", compute=compute, **more)
        return make_plan(request, load(), lambda signature: (Run(tmp_path / "run"), False))

    return plan


def test_method_named_singly_is_refused_with_what_would_fit(plan_of, monkeypatch):
    """The batch that the text names fits, and so do the parts, of which one less do not."""
    room = memory.PROCESS + 150 * MEGABYTE
    monkeypatch.setattr(memory_limits, "free_memory", lambda: room)
    with pytest.raises(RequestError) as caught:
        plan_of("ae-conv2d,constant")
    (text,) = caught.value.mistakes
    assert (
        text
        == "ae-conv2d: a cell needs about 0.7 GB at its peak, and 0.6 GB are free; batch=5 fits, or --accumulate 2 with batch=8"
    )
    method = shipped("ae-conv2d")
    assert [estimate(method, Compute("cpu"), batch).fits(room) for batch in (5, 6)] == [True, False]
    # Two parts fit; one, which does not, was refused above.
    assert len(plan_of("ae-conv2d", accumulate=2).to_run) == 1


def test_member_of_a_group_is_a_dash_with_the_reason(plan_of, monkeypatch):
    """What was not typed itself costs its own cells alone."""
    monkeypatch.setattr(memory_limits, "free_memory", lambda: memory.PROCESS + 100 * MEGABYTE)
    plan = plan_of("trivial")
    outcome = {cell.record.method: cell.record for cell in plan.cells}
    assert outcome["random-network"].status == "no data"
    assert "scoring alone needs more" in outcome["random-network"].reason
    assert outcome["constant"].status == "queued"
    assert "random-network" not in {cell.record.method for cell in plan.to_run}


def test_where_no_batch_fits_another_size_is_needed(plan_of, monkeypatch):
    """No batch is named that would not fit either."""
    for room, reason in ((1, "scoring alone needs more"), (90 * MEGABYTE, "no smaller batch fits")):
        monkeypatch.setattr(memory_limits, "free_memory", lambda room=room: memory.PROCESS + room)
        with pytest.raises(RequestError, match=reason) as caught:
            plan_of("ae-conv2d")
        assert "--accumulate" not in str(caught.value)


def test_small_things_are_not_estimated(plan_of, monkeypatch):
    """Profile smoke begins at once, however long it trains, unless the user has changed a size;
    each distinct method is estimated once."""
    calls = []
    monkeypatch.setattr(
        memory_limits,
        "estimate",
        lambda method, compute, **more: (
            calls.append(method.name) or memory.MemoryEstimate(compute.device)
        ),
    )
    plan = plan_of("ae-3d,ae-3d[epochs=9,every=1,learning_rate=0.1],constant", profile="smoke")
    assert (calls, [cell.memory for cell in plan.cells]) == ([], [None, None, None])
    plan_of("ae-3d[size=64]", profile="smoke")
    plan_of("ae-conv2d", seeds=(0, 1, 2))
    assert calls == ["ae-3d", "ae-conv2d"]


# -- batches in parts ------------------------------------------------------------------------------


def make_clips(length=24):
    frames = np.random.default_rng(5).integers(0, 256, (length, 32, 32), dtype=np.uint8)
    return [OpenClip("01", "train", length, "made", opener=lambda: frames)]


class Stop(Exception):
    pass


def trained(method, folder, accumulate, stop_after=None):
    """Return the trained weights, flattened."""
    seed_everything(7)

    def step(done, total, what):
        if what.startswith("training") and done == stop_after:
            raise Stop

    context = make_context(7, Compute("cpu", accumulate=accumulate), folder, step=step)
    train(method, make_clips(), context, folder / "checkpoint.pt", folder / "training.csv")
    return torch.cat([parameter.detach().flatten() for parameter in method.network.parameters()])


class Small(Dense):
    """Small enough to be trained, in double precision so that only the order of sums differs."""

    def build(self):
        return torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Linear(1024, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1024)
        ).double()

    def to_range(self, frames):
        return super().to_range(frames).double()


@pytest.mark.parametrize("accumulate", [2, 3, 9])
def test_parts_of_a_batch_train_as_the_batch_does(tmp_path, accumulate):
    """Without batch statistics the weights are the same: with uneven parts, a smaller last batch,
    and more parts than samples."""
    plain = trained(Small(), tmp_path / "plain", 1)
    parts = trained(Small(), tmp_path / "parts", accumulate)
    torch.testing.assert_close(parts, plain, rtol=1e-6, atol=1e-9)
    histories = [
        np.genfromtxt(tmp_path / name / "training.csv", delimiter=",", names=True)["loss"]
        for name in ("plain", "parts")
    ]
    np.testing.assert_allclose(histories[1], histories[0], rtol=1e-6)


@pytest.mark.parametrize("stop_after", [2, 5, 7])
def test_training_in_parts_cut_off_ends_bit_identical(tmp_path, stop_after):
    """Resuming stays exact."""
    whole = trained(Small(), tmp_path / "whole", 2)
    with pytest.raises(Stop):
        trained(Small(), tmp_path / "cut", 2, stop_after)
    assert torch.equal(trained(Small(), tmp_path / "cut", 2), whole)


def test_parts_without_a_loss_are_left_out(tmp_path):
    """The others count by their share of the batch; without any the gradients stay."""

    class Bright(Small):
        def loss(self, network, batch, context):
            return None if batch["window"].mean() < 0.5 else super().loss(network, batch, context)

    method = Bright()
    network = method.build()
    optimiser = method.optimiser(network)
    dark, bright = (
        torch.full((2, 1, 1, 32, 32), 0.1).double(),
        torch.full((3, 1, 1, 32, 32), 0.9).double(),
    )

    def gradient(windows, parts):
        context = make_context(0, Compute("cpu", accumulate=parts), tmp_path)
        given = gradients(method, network, optimiser, {"window": windows}, context)
        return [size for size, _ in given], network[1].weight.grad

    sizes, alone = gradient(bright, 1)
    alone = alone.clone()
    assert sizes == [3]
    sizes, share = gradient(torch.cat([bright, dark]), 2)
    assert sizes == [3]
    torch.testing.assert_close(share, alone * 3 / 5)
    assert gradient(dark, 2)[0] == []
    torch.testing.assert_close(network[1].weight.grad, alone * 3 / 5)


def test_parts_belong_to_the_key_of_what_is_trained(plan_of, monkeypatch):
    """Key, footnote and signature change with --accumulate, and only for networks that are
    trained."""
    monkeypatch.setattr(
        memory_limits,
        "estimate",
        lambda method, compute, **more: memory.MemoryEstimate(compute.device),
    )
    one, two = (
        plan_of("ae-3d,random-network,constant"),
        plan_of("ae-3d,random-network,constant", accumulate=2),
    )
    assert [cell.record.key.get("accumulate") for cell in two.cells] == [2, None, None]
    assert [cell.record.key for cell in one.cells][1:] == [cell.record.key for cell in two.cells][
        1:
    ]
    assert "that a batch has are those of a part" in " ".join(two.cells[0].record.deviations)
    assert not [
        text
        for cell in (*one.cells, *two.cells[1:])
        for text in cell.record.deviations
        if "accumulate" in text
    ]
    assert (one.signature().get("accumulate"), two.signature()["accumulate"]) == (None, 2)


def test_cell_of_other_parts_is_run_again(plan_of, tmp_path, monkeypatch):
    """In both directions: a key that has lost its parts is another one."""
    monkeypatch.setattr(
        memory_limits,
        "estimate",
        lambda method, compute, **more: memory.MemoryEstimate(compute.device),
    )
    run = Run(tmp_path / "run")
    for before, after in ((1, 2), (2, 1)):
        (cell,) = plan_of("ae-3d", accumulate=before).cells
        run.write_manifest(Manifest(cells=[vars(replace(cell.record, status="done"))]))
        assert plan_of("ae-3d", accumulate=after).cells[0].why == "run again: another accumulate"
        (run.path / "run.json").unlink()


# -- the command -----------------------------------------------------------------------------------

PLUGIN = '''
from dataclasses import dataclass

from bench import FrameFormat, NetworkMethod, Window, hookimpl, parameter


@dataclass(frozen=True)
class Parameters:
    epochs: int = parameter(1, source="test", doc="epochs")
    batch: int = parameter(6, source="test", doc="batch")
    learning_rate: float = parameter(0.01, source="test", doc="rate")
    every: int = parameter(8, source="test", doc="every")


class Parts(NetworkMethod):
    """Notes how many windows its loss is given at a time."""

    name = "parts"
    Parameters = Parameters
    frames = FrameFormat((16, 16))

    @property
    def window(self):
        return Window(1)

    def build(self):
        import torch

        return torch.nn.Conv3d(1, 1, 1)

    def loss(self, network, batch, context):
        context.fact("windows", max(len(batch["window"]), int(context.facts.get("windows", 0))))
        return {"loss": (network(batch["window"]) - batch["window"]).square().mean()}

    def error(self, network, batch):
        return {"error": (network(batch["window"]) - batch["window"]).square().mean((1, 3, 4))}


@hookimpl
def bench_methods():
    return [Parts]
'''


def test_worker_trains_in_as_many_parts_as_the_key_says(tmp_path):
    """Of a batch of six the network sees two windows at a time, and the table says so."""
    (tmp_path / "parts.py").write_text(PLUGIN)
    line = [
        "run",
        "--methods",
        "parts",
        "--datasets",
        "demo-ped2",
        "--plugin",
        "parts.py",
        "--device",
        "cpu",
        "--threads",
        "1",
    ]
    done = bench(*line, "--accumulate", "3", "--out", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    run = Run.open(tmp_path / "run")
    (cell,) = run.cells()
    assert (cell.facts["windows"], cell.key["accumulate"]) == (2, 3)
    assert "--accumulate 3" in (run.report.tables() / "comparison.md").read_text()


def test_dry_run_tells_memory_and_time(plan_of, tmp_path, monkeypatch):
    """Of each cell that would run: its peak, its time where an equal one was finished before, and
    both in all."""
    monkeypatch.chdir(tmp_path)
    found = {
        "ae-3d": memory.MemoryEstimate("cpu", 300 * MEGABYTE),
        "memae": memory.MemoryEstimate("cpu", unknown="it looks at its data"),
    }
    monkeypatch.setattr(
        memory_limits, "estimate", lambda method, compute, **more: found[method.name]
    )
    plan = plan_of("ae-3d,ae-3d[width=1],memae,constant")

    def shown():
        text = io.StringIO()
        show_plan(plan, load(), Console(file=text, width=120))
        return [line.split() for line in text.getvalue().splitlines()]

    before = shown()
    assert [line[3:6] for line in before[1:5]] == [
        ["1.1", "GB", "unknown"],
        ["1.1", "GB", "unknown"],
        ["unknown", "unknown", "run:"],
        ["-", "~2", "s"],
    ]
    assert " ".join(before[5]) == "memory unknown: memae: it looks at its data"
    assert (
        " ".join(before[6])
        == "4 of 4 cells would run; networks with up to 1.1 GB at a time; about 2 s of work for 1 of them; nothing was written"
    )

    records = [
        replace(cell.record, status="done", seconds={"total": 4000.0}) for cell in plan.cells
    ]
    records[2].device = "cuda:0"
    earlier = Run(tmp_path / "results" / "20000101-000000")
    earlier.write_manifest(Manifest(cells=[vars(record) for record in records]))
    after = shown()
    assert [" ".join(line).count("1:06 h") for line in after[1:5]] == [1, 1, 0, 1]
    assert "3:20 h of work for 3 of them" in " ".join(after[6])


def test_dry_run_estimates_new_cells(plan_of, tmp_path, monkeypatch):
    """Steps and frames counted by hand, times their operations, over the speed of the probe; pca is
    tried."""
    monkeypatch.chdir(tmp_path)
    found = memory.MemoryEstimate("cpu", 300 * MEGABYTE, step_flops=10**9, frame_flops=2e7)
    monkeypatch.setattr(memory_limits, "estimate", lambda method, compute, memory: found)
    monkeypatch.setattr(time_estimate, "probe", lambda compute: 1e7 / time_estimate.EFFICIENCY)
    plan = plan_of("ae-3d,pca")
    dataset = plan.datasets[0].dataset
    windows = frames = 0
    method = select_one("methods", "ae-3d", load(), plan.cells[0].record.profile).make()
    for clip in dataset.clips("train"):
        windows += len(range(0, clip.length - 16 + 1, method.parameters.every))
    frames = sum(clip.length for clip in dataset.clips("test"))
    steps = method.parameters.epochs * math.ceil(windows / method.parameters.batch)
    estimate_cells(plan.to_run, load())
    times = time_estimate.expected_seconds(plan.to_run, {}, load())
    seconds, estimated = times[plan.cells[0]]
    assert seconds == pytest.approx(time_estimate.START + 100 * steps + 2 * frames)
    assert estimated and time_estimate.START < times[plan.cells[1]][0] < 600
    assert time_estimate.expected_seconds(
        plan.to_run, {like(cell.record): 7.0 for cell in plan.to_run}, load()
    ) == dict.fromkeys(plan.to_run, (7.0, False))


def test_operations_are_counted_as_convolutions_are():
    """Two for each multiplication; a step takes three times a pass, but for the first layer."""
    method = select_one("methods", "ae-3d", load(), "smoke").make()
    found = memory.estimate(method, Compute("cpu"))
    network, sizes = method.build().eval(), []
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv3d | torch.nn.ConvTranspose3d):
            layer.register_forward_hook(
                lambda layer, given, made: sizes.append(_flops(layer, given[0], made))
            )
    with torch.no_grad():
        window = method.read_window(memory._made_clip(method), 0, method.window)
        method.error(network, {"window": window[None]})
    assert found.frame_flops == pytest.approx(sum(sizes) / len(method.window.targets))
    batch = method.parameters.batch
    assert found.step_flops == pytest.approx(batch * (3 * sum(sizes) - sizes[0]))


def _flops(layer, given, made):
    """Of a sample: each value of the larger side is multiplied with every weight that meets it."""
    positions = (given if isinstance(layer, torch.nn.ConvTranspose3d) else made)[0, 0].numel()
    return 2 * positions * layer.weight.numel()
