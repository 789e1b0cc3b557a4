"""The training loop: order, resuming, and what it refuses."""

import csv
import logging
import random
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bench import DidNotLearn, MethodError, NetworkMethod, OpenClip, Window
from bench.contracts.compute import Compute
from bench.engine.checkpoint import CheckpointWriter, Progress
from bench.engine.context import make_context
from bench.engine.learning_checks import ExplainedVariance
from bench.engine.measured_cost import FitClock
from bench.engine.precision import laid_out
from bench.engine.seeding import seed_everything
from bench.plugins.registry import load
from bench.plugins.selection import profile_values
from bench.testing import make_clip
from bench.worker.progress import Reporter, read_progress


@dataclass(frozen=True)
class TinyParameters:
    epochs: int = 3
    batch: int = 4
    learning_rate: float = 1e-2
    every: int = 2


class Tiny(NetworkMethod):
    """Reconstructs the middle of three frames with one convolution."""

    name = "tiny"
    Parameters = TinyParameters
    why_no_step = "it never wants one"

    @property
    def window(self):
        return Window(3, targets=(1,))

    def build(self):
        return torch.nn.Conv3d(1, 1, 3, padding=1)

    def sample(self, clip, start, generator):
        window = super().sample(clip, start, generator)["window"]
        return {
            "window": window,
            "noise": torch.from_numpy(generator.random((1, *window.shape), dtype=np.float32)) * 0.1,
        }

    def loss(self, network, batch, context):
        difference = network(batch["window"] + batch["noise"]) - batch["window"]
        return {"loss": difference.square().mean(), "largest": difference.abs().max()}

    def error(self, network, batch):
        reconstruction = network(batch["window"])[:, :, 1:2]
        error = (reconstruction - batch["window"][:, :, 1:2]).square().mean((1, 3, 4))
        return {"error": error, "reconstruction": reconstruction.transpose(1, 2)}


def make_clips(count=3, length=20):
    frames = np.random.default_rng(5).integers(0, 256, (count, length, 12, 12), dtype=np.uint8)
    return [
        OpenClip(
            f"{number:02d}", "train", length, "made", opener=lambda number=number: frames[number]
        )
        for number in range(count)
    ]


def read_history(folder):
    with (folder / "training.csv").open() as file:
        return list(csv.DictReader(file))


class Stop(Exception):
    pass


def train(method, folder: Path, stop_after: int | None = None, kept: bool = True, after=None):
    seed_everything(7)

    def step(done, total, what):
        if what.startswith("training") and done == stop_after:
            raise Stop

    names = {"checkpoint": "checkpoint.pt", "history": "training.csv", "steps": "steps.csv"}
    paths = {what: folder / name for what, name in names.items()} if kept else {}
    context = make_context(7, Compute("cpu"), folder, step=step, **paths)
    context.after_epoch = after
    method.fit(make_clips(), context)
    return method.score(make_clips()[0], context)


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("stop_after", [7, 8, 13, 20])
def test_training_cut_off_ends_bit_identical(tmp_path, monkeypatch, caplog, stop_after, inside):
    """A training that was cut off anywhere ends with the same scores and the same history as an
    undisturbed one, whether the last checkpoint lies between two epochs or inside of one."""
    caplog.set_level(logging.INFO)
    whole = train(Tiny(), tmp_path / "whole")
    if inside:
        monkeypatch.setattr("bench.engine.checkpoint.SAVE_SECONDS", 0)
        monkeypatch.setattr("bench.engine.checkpoint.WRITING_SHARE", float("inf"))
    with pytest.raises(Stop):
        train(Tiny(), tmp_path / "cut", stop_after)
    resumed = train(Tiny(), tmp_path / "cut")
    per_epoch = int(read_history(tmp_path / "whole")[0]["steps"])
    last = stop_after - 1 if inside else (stop_after - 1) // per_epoch * per_epoch
    gone_on = [one for one in caplog.messages if one.startswith("going on from")]
    assert gone_on == ([f"going on from step {last} of {3 * per_epoch}"] if last else [])
    np.testing.assert_array_equal(resumed.values, whole.values)

    def rows(folder):
        return [
            {name: value for name, value in row.items() if name != "seconds"}
            for row in read_history(tmp_path / folder)
        ]

    assert rows("cut") == rows("whole")
    assert [row["epoch"] for row in rows("whole")] == ["1", "2", "3"]


def test_steps_of_an_earlier_attempt_do_not_shorten_the_time_left(tmp_path, monkeypatch):
    """The time left is judged by the steps of this attempt, also where the statistics of the frames
    are computed anew."""

    class Measured(Tiny):
        def statistics(self, clips):
            return {"mean": 0.5}

    with pytest.raises(Stop):
        train(Measured(), tmp_path, 20)
    reporter = Reporter(tmp_path / "progress.json")
    monkeypatch.setattr("bench.worker.progress.WRITE_EVERY", 0)
    reporter.begin("fit", "training")
    seen = []

    def step(done, total, what):
        reporter.step(done, total, what)
        seen.append(read_progress(tmp_path / "progress.json"))

    paths = {"checkpoint": tmp_path / "checkpoint.pt"}
    Measured().fit(make_clips(), make_context(7, Compute("cpu"), tmp_path, step=step, **paths))
    trained = [one for one in seen if one.what.startswith("training")]
    first = trained[0].done
    assert first > 1
    assert {one.done_before for one in trained} == {first}


def test_no_checkpoint_is_written_more_often_than_its_time_allows(tmp_path, monkeypatch):
    """Inside an epoch: at least SAVE_SECONDS apart, and so far that writing takes its share."""
    now = [0.0]
    monkeypatch.setattr("bench.engine.checkpoint.time.monotonic", lambda: now[0])
    monkeypatch.setattr("bench.engine.checkpoint.write_bytes", lambda *written: written_at(now))
    network = torch.nn.Linear(1, 1)
    optimiser = torch.optim.SGD(network.parameters())
    path, times, took = tmp_path / "checkpoint.pt", [], [0.1]

    def written_at(now):
        times.append(now[0])
        now[0] += took[0]

    writer = CheckpointWriter(path, network, optimiser, None, torch.device("cpu"), FitClock())
    while now[0] < 2000:
        if writer.due:
            writer.write(Progress())
            took[0] = 10.0  # of a large network, on a slow disk
        now[0] += 1
    assert times[0] == 60
    assert times[1] == pytest.approx(60 + 60, abs=1.5)
    assert times[2] == pytest.approx(times[1] + 10 + 10 / 0.02, abs=1.5)
    writer.path = None
    assert not writer.due


def read_steps(folder):
    with (folder / "steps.csv").open() as file:
        return list(csv.DictReader(file))


def test_single_steps_are_kept(tmp_path, monkeypatch):
    """The terms of each step as `loss` returned them, also after a cut; of a longer training evenly
    spaced ones, so many at most."""
    losses = []

    class Watched(Tiny):
        def loss(self, network, batch, context):
            terms = super().loss(network, batch, context)
            losses.append(terms["loss"].item())
            return terms

    train(Watched(), tmp_path / "whole")
    rows = read_steps(tmp_path / "whole")
    assert list(rows[0]) == ["step", "loss", "largest"]
    assert [int(row["step"]) for row in rows] == list(range(1, len(losses) + 1))
    np.testing.assert_allclose([float(row["loss"]) for row in rows], losses, rtol=1e-6)
    with pytest.raises(Stop):
        train(Tiny(), tmp_path / "cut", 13)
    train(Tiny(), tmp_path / "cut")
    assert read_steps(tmp_path / "cut") == rows
    monkeypatch.setattr("bench.engine.training.KEPT_STEPS", 5)
    train(Tiny(), tmp_path / "few")
    each = -(-len(losses) // 5)
    assert read_steps(tmp_path / "few") == rows[::each]
    assert len(rows[::each]) <= 5 < len(losses)


def test_a_step_that_was_not_made_is_no_row(tmp_path, monkeypatch):
    """The next one that is made stands for its part of the training."""

    class Choosy(Tiny):
        calls = 0

        def loss(self, network, batch, context):
            self.calls += 1
            return None if self.calls in (1, 2, 6) else super().loss(network, batch, context)

    monkeypatch.setattr("bench.engine.training.KEPT_STEPS", 5)
    train(Choosy(), tmp_path)
    steps = [int(row["step"]) for row in read_steps(tmp_path)]
    each = -(-int(read_history(tmp_path)[-1]["step"]) // 5)
    expected = [
        next(
            step for step in range(part * each + 1, part * each + each + 1) if step not in (1, 2, 6)
        )
        for part in range(len(steps))
    ]
    assert steps == expected


def test_training_lowers_the_loss(tmp_path):
    """The loss of the last epoch is below that of the first."""
    train(Tiny(), tmp_path)
    losses = [float(row["loss"]) for row in read_history(tmp_path)]
    assert losses[-1] < losses[0]


def test_damaged_checkpoint_begins_anew(tmp_path, caplog):
    """A checkpoint with a flipped byte costs the training so far, not the cell."""
    whole = train(Tiny(), tmp_path / "whole")
    with pytest.raises(Stop):
        train(Tiny(), tmp_path / "cut", 13)
    checkpoint = tmp_path / "cut" / "checkpoint.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-400])
    with caplog.at_level(logging.INFO):
        resumed = train(Tiny(), tmp_path / "cut")
    np.testing.assert_array_equal(resumed.values, whole.values)
    assert "training begins anew" in caplog.text


def test_steps_are_counted_where_there_are_no_epochs(tmp_path):
    """A method that counts steps makes exactly these, and is kept four times or more."""

    @dataclass(frozen=True)
    class Steps:
        steps: int = 11
        batch: int = 4
        learning_rate: float = 1e-2

    class Stepped(Tiny):
        Parameters = Steps

    train(Stepped(), tmp_path)
    assert [(row["step"], row["steps"]) for row in read_history(tmp_path)] == [
        ("2", "2"),
        *((str(step), "2") for step in (4, 6, 8, 10)),
        ("11", "1"),
    ]


def test_each_window_is_drawn_once_an_epoch(tmp_path):
    """An epoch sees every `every`-th window of every clip once, in an order of its own."""
    drawn = []

    class Watched(Tiny):
        def sample(self, clip, start, generator):
            drawn.append((clip.id, start))
            return super().sample(clip, start, generator)

    train(Watched(replace(TinyParameters(), epochs=2)), tmp_path)
    expected = sorted((f"{number:02d}", start) for number in range(3) for start in range(0, 18, 2))
    assert sorted(drawn[:27]) == expected
    assert sorted(drawn[27:]) == expected
    assert drawn[:27] != drawn[27:]


def test_no_step_at_all_did_not_learn(tmp_path):
    """A loss that is always None fails the cell, with the method's own reason."""

    class Never(Tiny):
        def loss(self, network, batch, context):
            return None

    with pytest.raises(DidNotLearn, match="no step in 7 batches: it never wants one"):
        train(Never(), tmp_path)


def test_loss_without_gradient_did_not_learn(tmp_path):
    """A loss that does not depend on the network fails the cell."""

    class Blind(Tiny):
        def loss(self, network, batch, context):
            return {"loss": sum(parameter.sum() * 0 for parameter in network.parameters())}

    with pytest.raises(DidNotLearn, match="all gradients are zero"):
        train(Blind(), tmp_path)


def test_nan_loss_did_not_learn(tmp_path):
    """A loss that is NaN fails the cell and names epoch and step."""

    class Broken(Tiny):
        def loss(self, network, batch, context):
            return {"loss": network(batch["window"]).mean() * float("nan")}

    with pytest.raises(
        DidNotLearn, match=r"the loss is nan in epoch 1, step 1; try a lower learning_rate"
    ):
        train(Broken(), tmp_path)


def test_constant_output_did_not_learn(tmp_path):
    """A trained network that answers everything alike fails the cell."""

    class Saturated(Tiny):
        def error(self, network, batch):
            parts = super().error(network, batch)
            return {**parts, "reconstruction": torch.zeros_like(parts["reconstruction"])}

    with pytest.raises(DidNotLearn, match="the same for all inputs"):
        train(Saturated(), tmp_path)


def test_clips_shorter_than_the_window_are_refused(tmp_path):
    """A training split without a single window is an error that tells both lengths."""

    class Long(Tiny):
        @property
        def window(self):
            return Window(30, targets=(1,))

    with pytest.raises(
        MethodError,
        match=r"no training clip is as long as a window of 30 frames \(the longest has 20\)",
    ):
        train(Long(), tmp_path)


def test_weights_survive_save_and_load(tmp_path):
    """A loaded network scores as the saved one did."""
    method = Tiny()
    scores = train(method, tmp_path, kept=False)
    method.save(tmp_path / "weights")
    again = Tiny()
    again.load(tmp_path / "weights")
    context = make_context(0, Compute("cpu"), tmp_path)
    np.testing.assert_array_equal(again.score(make_clips()[0], context).values, scores.values)


def test_weights_of_another_network_are_refused(tmp_path):
    """A pickle, or another network's weights, are refused with the file's name."""
    method = Tiny()
    method.network = torch.nn.Conv2d(1, 1, 3)
    method.save(tmp_path / "weights")
    with pytest.raises(MethodError, match="belong to another network"):
        Tiny().load(tmp_path / "weights")
    torch.save({"network": 1}, tmp_path / "pickle")
    with pytest.raises(MethodError, match="no weights in safetensors form"):
        Tiny().load(tmp_path / "pickle")


# -- what is explained of the training frames ------------------------------------------------------


class Blending(Tiny):
    """Answers a share of each frame, and draws random numbers in training."""

    def build(self):
        network = torch.nn.Conv3d(1, 1, 3, padding=1)
        return torch.nn.Sequential(network, torch.nn.BatchNorm3d(1), torch.nn.Dropout(0.2))


class Blind(Tiny):
    """Gives no reconstruction."""

    def error(self, network, batch):
        return {"error": super().error(network, batch)["error"]}


def plainly(method, clips):
    """By numpy alone: windows at even distances, targets in 0..1, the mean frame of those of up to
    128 windows."""
    places = [(clip, start) for clip in clips for start in range(clip.length - 2)]
    chosen = {
        most: [
            places[round(number)]
            for number in np.linspace(0, len(places) - 1, min(most, len(places)))
        ]
        for most in (32, 128)
    }
    mean = np.mean([clip.frames[start + 1] / 255 for clip, start in chosen[128]], axis=0)
    of_mean, of_network = [], []
    for clip, start in chosen[32]:
        window = clip.frames[start : start + 3].astype(np.float32) / 255
        with torch.no_grad():
            output = method.network(torch.from_numpy(window)[None, None]).numpy()[0, 0, 1]
        of_mean.append(((window[1] - mean) ** 2).mean())
        of_network.append(((window[1] - output) ** 2).mean())
    return 1 - np.mean(of_network) / np.mean(of_mean)


@pytest.mark.parametrize("every_clip_has", [20, 60])
def test_explained_is_as_numpy_computes_it(tmp_path, every_clip_has):
    """In each epoch's line, and the last one kept with the cell; fewer windows than are taken, and
    more."""
    clips = make_clips(length=every_clip_has)
    seed_everything(7)
    context = make_context(7, Compute("cpu"), tmp_path, history=tmp_path / "training.csv")
    method = Tiny()
    method.fit(clips, context)
    shares = [float(row["explained"]) for row in read_history(tmp_path)]
    assert len(shares) == 3 and shares[0] < shares[-1] < 1
    assert shares[-1] == pytest.approx(plainly(method, clips), rel=1e-5)
    assert context.facts["explained"] == pytest.approx(shares[-1])


@pytest.mark.parametrize("method", [Tiny, Blending])
def test_training_is_the_same_with_and_without_it(tmp_path, monkeypatch, method):
    """Bit by bit, where training draws random numbers and counts batch statistics too."""
    with_it = train(method(), tmp_path / "with")
    monkeypatch.setattr(ExplainedVariance, "of", lambda self, network: None)
    without = train(method(), tmp_path / "without")
    np.testing.assert_array_equal(with_it.values, without.values)
    with_rows, without_rows = read_history(tmp_path / "with"), read_history(tmp_path / "without")
    assert [row["loss"] for row in with_rows] == [row["loss"] for row in without_rows]
    assert "explained" in with_rows[0] and "explained" not in without_rows[0]


@pytest.mark.parametrize("stop_after", [None, 13])
def test_what_is_done_after_an_epoch_changes_no_training(tmp_path, stop_after):
    """Called once an epoch, also where it was cut off, with the network of that epoch in eval mode;
    what it draws, and the modes that it leaves behind, do not reach the training."""
    undisturbed, method, seen = train(Blending(), tmp_path / "undisturbed"), Blending(), {}

    def after(epoch):
        assert not any(module.training for module in method.network.modules())
        torch.manual_seed(0), np.random.seed(0), random.seed(0)
        torch.rand(5)
        context = make_context(7, Compute("cpu"), tmp_path)
        seen.setdefault(epoch, []).append(method.score(make_clips()[0], context).values)

    if stop_after:
        with pytest.raises(Stop):
            train(method, tmp_path / "disturbed", stop_after, after=after)
        method = Blending()
    disturbed = train(method, tmp_path / "disturbed", after=after)
    np.testing.assert_array_equal(disturbed.values, undisturbed.values)
    assert sorted(seen) == [1, 2, 3]
    assert {len(found) for found in seen.values()} == {1}
    np.testing.assert_array_equal(seen[3][0], undisturbed.values)
    assert not np.array_equal(seen[1][0], undisturbed.values)


def test_scoring_form_that_freezes_the_trained_network_is_refused(tmp_path):
    """It is made after an epoch too, where the training goes on."""

    class Freezing(Tiny):
        def scoring_network(self, network):
            return torch.nn.Sequential(network).requires_grad_(False)

    method = Freezing()

    def after(epoch):
        method.score(make_clips()[0], make_context(7, Compute("cpu"), tmp_path))

    with pytest.raises(
        MethodError, match=r"tiny: scoring_network\(\) changed which weights .* learn"
    ):
        train(method, tmp_path, after=after)


def test_what_gives_no_reconstruction_has_no_share(tmp_path):
    """No column, and no fact; and none where all training frames are alike."""
    train(Blind(), tmp_path / "blind")
    assert "explained" not in read_history(tmp_path / "blind")[0]
    still = [OpenClip("01", "train", 20, "made", opener=lambda: np.full((20, 12, 12), 9, np.uint8))]
    seed_everything(7)
    Tiny().fit(still, make_context(7, Compute("cpu"), tmp_path, history=tmp_path / "training.csv"))
    assert "explained" not in read_history(tmp_path)[0]


# -- statistics of batch normalisation -------------------------------------------------------------


@dataclass(frozen=True)
class PreciseParameters(TinyParameters):
    precise_bn: int | None = 10


class Precise(Blending):
    """Computes the statistics of its batch normalisation anew after training."""

    Parameters = PreciseParameters

    def build(self):
        return torch.nn.Sequential(*list(super().build())[:2])


def running(method):
    """The first layer's weights, and the mean and variance that batch normalisation scores with."""
    convolution, norm = method.network
    return convolution.weight.detach().numpy(), float(norm.running_mean), float(norm.running_var)


@pytest.mark.parametrize("windows", [10, 1000])
def test_statistics_are_those_of_normal_windows_under_the_last_weights(tmp_path, windows):
    """By numpy: mean and variance of what the first layer answers to windows at even distances, in
    batches of four that go over all clips; more windows than there are means each of them."""
    method = Precise(PreciseParameters(precise_bn=windows))
    train(method, tmp_path)
    clips = make_clips()
    places = [(clip, start) for clip in clips for start in range(18)]
    taken = [places[round(i)] for i in np.linspace(0, 53, min(windows, 54))]
    batches = -(-len(taken) // 4)
    means, variances = [], []
    for number in range(batches):
        inputs = [clip.frames[i : i + 3] / np.float32(255) for clip, i in taken[number::batches]]
        with torch.no_grad():
            output = method.network[0](torch.from_numpy(np.stack(inputs))[:, None]).double().numpy()
        means.append(output.mean())
        variances.append(output.var(ddof=1))
    _, mean, variance = running(method)
    assert mean == pytest.approx(np.mean(means), rel=1e-5)
    assert variance == pytest.approx(np.mean(variances), rel=1e-5)
    assert not any(module.training for module in method.network.modules())


def test_computing_them_changes_no_training(tmp_path):
    """The weights are the same bit by bit, and so are losses; statistics and scores are others. The
    share that is explained is that of the network which is scored."""
    methods = [Precise(PreciseParameters(precise_bn=number)) for number in (None, 10)]
    folders = [tmp_path / "without", tmp_path / "with"]
    scores = [train(method, folder) for method, folder in zip(methods, folders)]
    (weights, *averages), (same, *computed) = map(running, methods)
    np.testing.assert_array_equal(weights, same)
    assert averages != computed
    assert not np.array_equal(scores[0].values, scores[1].values)
    rows = [read_history(folder) for folder in folders]
    assert [row["loss"] for row in rows[0]] == [row["loss"] for row in rows[1]]
    for method, (*_, last) in zip(methods, rows):
        assert float(last["explained"]) == pytest.approx(plainly(method, make_clips()), rel=1e-4)


@pytest.mark.parametrize("stop_after", [7, 13])
def test_epochs_are_scored_with_statistics_of_their_own(tmp_path, stop_after):
    """After the last epoch as after the whole training, also where it was cut off before."""
    method, seen = Precise(), {}

    def after(epoch):
        context = make_context(7, Compute("cpu"), tmp_path)
        assert not any(module.training for module in method.network.modules())
        seen[epoch] = method.score(make_clips()[0], context).values

    with pytest.raises(Stop):
        train(method, tmp_path / "cut", stop_after, after=after)
    method = Precise()
    scores = train(method, tmp_path / "cut", after=after)
    undisturbed = train(Precise(), tmp_path / "whole")
    np.testing.assert_array_equal(scores.values, undisturbed.values)
    np.testing.assert_array_equal(seen[3], undisturbed.values)


def test_a_network_without_batch_normalisation_stays_as_it_is(tmp_path):
    """There is nothing to compute."""

    class Without(Tiny):
        Parameters = PreciseParameters

    np.testing.assert_array_equal(
        train(Without(), tmp_path / "with").values, train(Tiny(), tmp_path / "without").values
    )


def test_the_row_says_that_statistics_were_computed_anew():
    """As a deviation from the paper, with the number of windows."""
    (found,) = set(Precise().deviations) - set(Tiny().deviations)
    assert found == (
        "statistics of batch normalisation computed after training, from up to 10 training windows, "
        "in place of running averages"
    )


NETWORKS = [
    cls
    for _, cls in sorted(load().methods.items())
    if issubclass(cls, NetworkMethod) and "train" in cls.needs and not cls.needs_parameters
]


@pytest.mark.parametrize("cls", NETWORKS, ids=lambda cls: cls.name)
def test_looking_leaves_every_network_as_it_was(tmp_path, cls):
    """Weights, statistics, memories and random streams, of each method that comes with bench."""
    seed_everything(7)
    method = cls(cls.Parameters(**profile_values(cls, "smoke")))
    clips = [make_clip(number, "train", method.frames, with_tracks=False) for number in range(2)]
    method.stats = method.statistics(clips)
    network = method.build().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    random = torch.get_rng_state(), np.random.get_state()[1].copy()
    share = ExplainedVariance(method, clips, make_context(7, Compute("cpu"), tmp_path)).of(network)
    assert (share is None) == (cls.name in ("srnn", "tsc")), (
        "those two reconstruct features and no frames"
    )
    assert share is None or share < 1
    assert network.training and all(module.training for module in network.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random[0])
    np.testing.assert_array_equal(np.random.get_state()[1], random[1])
    learns = [weight.requires_grad for weight in network.parameters()]
    method.network = network.eval()
    method.score(clips[0], make_context(7, Compute("cpu"), tmp_path))
    assert [weight.requires_grad for weight in network.parameters()] == learns
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


# -- layout ----------------------------------------------------------------------------------------


class Wide(Tiny):
    """Two layers, whose weights lie with their channels last in fp32."""

    channels_last = frozenset({"fp32"})

    def build(self):
        return torch.nn.Sequential(
            torch.nn.Conv3d(1, 4, 3, padding=1), torch.nn.Conv3d(4, 1, 3, padding=1)
        )


def test_weights_lie_as_the_method_wants_them(tmp_path):
    """In training and after weights were read back, with the same scores; and a training that was
    cut off ends as a whole one."""
    method = Wide()
    whole = train(method, tmp_path / "whole")
    with pytest.raises(Stop):
        train(Wide(), tmp_path / "cut", 13)
    resumed = train(Wide(), tmp_path / "cut")
    np.testing.assert_array_equal(resumed.values, whole.values)
    method.save(tmp_path / "weights")
    again = Wide()
    again.load(tmp_path / "weights")
    scores = again.score(make_clips()[0], make_context(7, Compute("cpu"), tmp_path))
    np.testing.assert_array_equal(scores.values, whole.values)
    for network in (method.network, again.network):
        assert (
            network[1].weight.is_contiguous(memory_format=torch.channels_last_3d)
            and not network[1].weight.is_contiguous()
        )
    plain = type("Plain", (Wide,), {"channels_last": frozenset({"bf16"})})()
    np.testing.assert_allclose(train(plain, tmp_path / "plain").values, whole.values, rtol=1e-4)
    assert plain.network[1].weight.is_contiguous()


def test_a_first_layer_of_one_channel_computes_with_channels_last():
    """Its weight counts as lying either way, and its output would come channels first."""
    network = laid_out(
        Wide(), torch.nn.Sequential(torch.nn.Conv3d(1, 4, 3), torch.nn.Conv3d(4, 1, 3)), "fp32"
    )
    output = network[0](torch.rand(2, 1, 4, 8, 8))
    assert output.is_contiguous(memory_format=torch.channels_last_3d)
    assert not output.is_contiguous()


class Recorded(Tiny):
    """Remembers what it draws for each window."""

    def __init__(self, parameters=None):
        super().__init__(parameters)
        self.drawn = []

    def sample(self, clip, start, generator):
        self.drawn.append((clip.id, start, float(generator.random())))
        return super().sample(clip, start, generator)


def test_draws_of_a_sample_differ_from_epoch_to_epoch(tmp_path):
    """Pseudo-anomalies of a window are drawn anew each epoch; the same ones come in a second
    training with the same seed."""
    first, second = Recorded(), Recorded()
    train(first, tmp_path / "first")
    train(second, tmp_path / "second")
    assert sorted(first.drawn) == sorted(second.drawn)
    windows = {}
    for clip, start, value in first.drawn:
        windows.setdefault((clip, start), []).append(value)
    assert len(windows) > 10
    assert all(len(values) == 3 and len(set(values)) == 3 for values in windows.values())
    assert len({value for values in windows.values() for value in values}) == len(first.drawn)


class Nearly(Tiny):
    """Answers with a constant, and a share of what it sees."""

    share = 0.0

    def error(self, network, batch):
        seen = batch["window"][:, :, 1:2].transpose(1, 2)
        return {
            "error": seen.square().mean((1, 2, 3, 4))[:, None],
            "reconstruction": 0.5 + self.share * seen,
        }


@pytest.mark.parametrize(
    ("share", "refused"), [(0.0, True), (1e-8, True), (1e-5, False), (1e-3, False), (5e-3, False)]
)
def test_an_output_that_is_nearly_constant_is_still_an_output(tmp_path, share, refused):
    """Only one that is the same to the digits of float32 is refused: a reconstruction may be
    gray."""
    method = Nearly()
    method.share = share
    if refused:
        with pytest.raises(DidNotLearn, match="output is the same for all inputs"):
            train(method, tmp_path)
    else:
        train(method, tmp_path)
