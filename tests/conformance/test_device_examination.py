"""`bench doctor --device`, on the CPU: what is examined, and that what is wrong is found."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from bench import DataError, FrameFormat, NetworkMethod, Window
from bench.cli.setup.doctor import command
from bench.testing import device_examination, device_findings
from bench.testing.device_examination import examine_device


@dataclass(frozen=True)
class Parameters:
    epochs: int = 2
    batch: int = 16
    learning_rate: float = 1e-3


class Tiny(NetworkMethod):
    """One convolution, which sees frames with a little noise."""

    name = "tiny"
    Parameters = Parameters
    frames = FrameFormat((16, 16), 1)

    @property
    def window(self):
        return Window(2, targets=(0, 1))

    def build(self):
        return torch.nn.Conv3d(1, 1, 3, padding=1)

    def noise(self):
        return torch.zeros(())

    def loss(self, network, batch, context):
        window = batch["window"]
        return {"loss": (network(window + self.noise()) - window).square().mean()}

    def error(self, network, batch):
        window = batch["window"]
        return {"error": (network(window) - window).square().mean((1, 3, 4))}


class Unseeded(Tiny):
    """Draws numbers that no seed decides, as a nondeterministic operation does."""

    name = "unseeded"

    def noise(self):
        return torch.from_numpy(np.random.default_rng().random(1, dtype=np.float32))


class Without(Tiny):
    """Lacks a file."""

    name = "without"

    def check(self, dataset):
        raise DataError("without: no weights here")


class Broken(Tiny):
    """What an operation that a device lacks looks like."""

    name = "broken"

    def error(self, network, batch):
        raise NotImplementedError("no such operation on this device\nmore lines")


@pytest.fixture(scope="module")
def found():
    """The examination of four networks."""
    classes = {cls.name: cls for cls in (Tiny, Unseeded, Without, Broken)}
    return examine_device("cpu", SimpleNamespace(methods=classes), profile="smoke")


def state(found, part, subject):
    return {one.subject: one for one in found.findings if one.part == part}[subject].state


def test_what_is_right_passes(found):
    """Loss, gradients and scores, the same seed twice, a resumed training, memory as predicted."""
    for part in ("conformance", "repetition", "memory"):
        assert state(found, part, "tiny") == "ok", found.text()
    (memory,) = (one for one in found.findings if one.part == "memory" and one.subject == "tiny")
    assert memory.text.startswith("training, batch 16: predicted ")


def test_what_is_wrong_is_found(found):
    """Numbers that differ from one training to the next, and an operation that raises; what lacks a
    file is no failure."""
    assert state(found, "conformance", "unseeded") == "FAILED"
    assert state(found, "repetition", "unseeded") == "FAILED"
    assert state(found, "conformance", "broken") == "FAILED"
    assert state(found, "conformance", "without") == "note"
    assert {one.subject for one in found.failed} == {"unseeded", "broken"}


def test_the_block_says_it_all(found):
    """In 80 columns, each finding once, and how many checks passed."""
    text = found.text()
    assert max(map(len, text.splitlines())) <= 80, text
    assert "same seed twice: DIFFERENT weights, resumed: DIFFERENT weights" in " ".join(
        text.split()
    )
    assert "NotImplementedError: no such operation on this device" in " ".join(text.split())
    assert "more lines" not in text
    assert "windows/s, scores" in text and "tiny, fp32" in text
    judged = [one for one in found.findings if one.state != "note"]
    assert f"{len(judged) - len(found.failed)} of {len(judged)} checks passed in" in text


def test_what_there_is_no_time_for_is_named():
    """Nothing begins when the time is over."""
    found = examine_device("cpu", SimpleNamespace(methods={"tiny": Tiny}), seconds=0)
    assert [(one.part, one.text) for one in found.findings] == [
        (part, "no time for tiny") for part in ("conformance", "repetition", "memory", "speed")
    ]


@pytest.mark.parametrize(("wrong", "code"), [([], 0), (["FAILED"], 1)])
def test_the_command_prints_a_block_for_an_issue(monkeypatch, wrong, code):
    """Exit code 1 where a check fails."""
    made = device_findings.Examination("cpu", ["bench 1"])
    made.findings = [device_findings.Finding("memory", "net", one, "text") for one in wrong]
    monkeypatch.setattr(device_examination, "examine_device", lambda *a, **more: made)
    done = CliRunner().invoke(command, ["--device", "cpu"])
    assert done.exit_code == code
    assert done.output.startswith("```text\ndevice cpu\nbench 1\n") and done.output.endswith(
        "```\n"
    )


def test_a_method_or_device_that_is_not_there():
    """Refused before anything is examined."""
    done = CliRunner().invoke(command, ["--device", "cpu", "--methods", "c3dsv"])
    assert "no method 'c3dsv' - did you mean 'c3dsu'?" in str(done.exception)
    done = CliRunner().invoke(command, ["--device", "cpu", "--methods", "pca"])
    assert str(done.exception) == "--methods pca: it has no network, so no device to examine"
