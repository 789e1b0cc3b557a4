"""A training that is out of memory. The device is the CPU; the method says where its memory
ends."""

import logging
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bench import Context, MethodError, NetworkMethod, OpenClip, Window
from bench.contracts.compute import Compute
from bench.contracts.method import FrameFormat
from bench.engine.context import make_context
from bench.engine.measured_cost import FitClock
from bench.engine.seeding import seed_everything
from bench.runs.records import CellRecord
from bench.worker.fitting import fit


@dataclass(frozen=True)
class Parameters:
    epochs: int = 2
    batch: int = 8
    learning_rate: float = 1e-2
    most: int = 4


class Greedy(NetworkMethod):
    """A convolution that has memory for `most` windows."""

    name = "greedy"
    Parameters = Parameters
    frames = FrameFormat((8, 8), 1)
    refuses = ""

    @property
    def window(self):
        return Window(1)

    def build(self):
        return torch.nn.Conv3d(1, 1, 3, padding=1)

    def loss(self, network, batch, context):
        if type(batch["window"]) is torch.Tensor and len(batch["window"]) > self.parameters.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB")
        return {"loss": (network(batch["window"]) - batch["window"]).square().mean()}

    def error(self, network, batch):
        return {"error": (network(batch["window"]) - batch["window"]).square().mean((1, 3, 4))}

    def refusal(self, compute):
        return self.refuses if compute.accumulate > 1 else ""


@pytest.fixture
def cell(tmp_path):
    """Return a function that makes a cell of a method, and what its log says."""

    def make(method, **more):
        logger = logging.Logger("cell", logging.INFO)
        said = []
        logger.addHandler(SimpleNamespace(level=0, handle=lambda one: said.append(one)))
        frames = np.random.default_rng(0).integers(0, 256, (12, 8, 8), dtype=np.uint8)
        clip = OpenClip("01", "train", 12, "made", opener=lambda: frames)
        record = CellRecord("cells/x", "greedy", "greedy", "greedy", "toy", "toy", 0)
        record.gpu = "cuda:1"
        seed_everything(0)
        clock = FitClock()
        context: Context = make_context(
            0, Compute("cpu", **more), tmp_path, logger,
            checkpoint=tmp_path / "checkpoint.pt", fit_clock=clock,
        )  # fmt: skip
        return SimpleNamespace(
            method=method, context=context, scratch=tmp_path, record=record, logger=logger,
            training_clips=lambda: [clip], seed=lambda: seed_everything(0), said=said, fit_clock=clock,
        )  # fmt: skip

    return make


def weights(cell):
    return [one.detach().numpy() for one in cell.method.network.parameters()]


def test_it_is_trained_again_in_parts_and_says_so(cell, tmp_path):
    """Once, anew; the weights are those of --accumulate from the start. An attempt that goes on
    takes the parts over."""
    found = cell(Greedy())
    fit(found, [])
    parts = found.context.facts["accumulate"]
    assert parts >= 2
    warnings = [one.getMessage() for one in found.said if one.levelno == logging.WARNING]
    (text,) = warnings
    assert f"out of memory in training, so it was trained with --accumulate {parts}: each" in text
    (tmp_path / "fitted").unlink()
    (tmp_path / "accumulate.json").rename(tmp_path / "kept.json")
    asked = cell(Greedy(), accumulate=parts)
    fit(asked, [])
    assert all(np.array_equal(*pair) for pair in zip(weights(found), weights(asked), strict=True))
    (tmp_path / "fitted").unlink()
    (tmp_path / "kept.json").rename(tmp_path / "accumulate.json")
    again = cell(Greedy(Parameters(most=8)))
    fit(again, [])
    assert again.context.facts["accumulate"] == again.context.compute.accumulate == parts


def test_damaged_fit_is_made_again_as_from_the_start(cell, tmp_path):
    """What cannot be read has drawn random numbers before it is given up."""
    undisturbed = cell(Greedy(Parameters(most=8)))
    fit(undisturbed, [])
    (tmp_path / "said.json").write_text("{")
    again = cell(Greedy(Parameters(most=8)))
    fit(again, [])
    assert "fitting again" in again.said[0].getMessage()
    pairs = zip(weights(undisturbed), weights(again), strict=True)
    assert all(np.array_equal(*pair) for pair in pairs)


def test_seconds_of_fitting_are_those_that_the_weights_took(cell, tmp_path):
    """An attempt that goes on adds its own to those behind the checkpoint; one that finds all fitted
    has those of the fit; a fit from the start counts nothing before it."""
    stopped = cell(Greedy(Parameters(most=8)))

    def stop(epoch):
        raise KeyboardInterrupt

    stopped.context.after_epoch = lambda epoch: epoch == 2 and stop(epoch)
    with pytest.raises(KeyboardInterrupt):
        fit(stopped, [])
    assert "fit" not in stopped.record.seconds
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert 0 < state["seconds"] < 1000
    torch.save(state | {"seconds": 1000.0}, tmp_path / "checkpoint.pt")
    resumed = cell(Greedy(Parameters(most=8)))
    fit(resumed, [])
    assert 1000 < resumed.record.seconds["fit"] < 2000
    found = cell(Greedy(Parameters(most=8)))
    fit(found, [])
    assert found.record.seconds == resumed.record.seconds
    (tmp_path / "fitted").unlink()
    anew = cell(Greedy(Parameters(most=8)))
    anew.record.seconds["fit"] = anew.fit_clock.before = 1000.0
    fit(anew, [])
    assert 0 < anew.record.seconds["fit"] < 1000


def test_what_is_done_aside_is_not_counted(monkeypatch):
    """Also where it is cut off."""
    now = [100.0]
    monkeypatch.setattr("bench.engine.measured_cost.time.monotonic", lambda: now[0])
    clock = FitClock()
    now[0] += 5
    with pytest.raises(KeyboardInterrupt), clock.aside():
        now[0] += 60
        raise KeyboardInterrupt
    now[0] += 2
    assert clock.seconds == 7
    clock.before = 30.0
    assert clock.seconds == 37
    clock.start()
    assert clock.seconds == 0


def test_out_of_memory_again_is_the_reason_with_what_would_fit(cell):
    """Not tried a third time."""
    found = cell(Greedy(Parameters(most=1)))
    with pytest.raises(MethodError) as caught:
        fit(found, [])
    parts = found.context.facts["accumulate"]
    text = str(caught.value)
    assert (
        f"greedy: out of memory on cuda:1 in training with batch=8 and --accumulate {parts};"
        in text
    )
    assert "should fit, and so may --workers 1. Log: cells/x/log.txt" in text


def test_a_method_that_cannot_be_trained_in_parts_fails_with_a_smaller_batch(cell):
    """Its `refusal` says so."""
    method = Greedy()
    method.refuses = "its loss looks at the whole batch"
    with pytest.raises(MethodError, match=r"in training with batch=8; batch=\d should fit, and"):
        fit(cell(method), [])


def test_another_error_is_not_tried_again(cell):
    """It stays what it is."""
    method = Greedy()
    method.loss = lambda *given: 1 / 0
    with pytest.raises(ZeroDivisionError):
        fit(cell(method), [])
