"""What every method owes, for every registered method; and that the checks catch those who do
not."""

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from forked import bench

from bench import Creator, FrameFormat, Method, NetworkMethod, Window, parameter
from bench.plugins.registry import load
from bench.testing import (
    CHECKS,
    CheckFailed,
    draws_what_it_promises,
    parametrize_with_checks,
    run_check,
)

SHORT = {"epochs": 2, "every": 8}
"""In place of a network's own `smoke`: all are fitted twice here, and what they owe does not depend
on how long they are trained."""
SHORT_DDL = {"size": 48, "epochs": 2, "every": 12}
SHORT_OF = {"ae-conv3d": {"steps": 20}, "srnn": {"steps": 20}, "tsc": {"steps": 20}}
AS_THEY_ARE = ("ae-convlstm", "mnad")
"""A shorter training of theirs lowers no loss, or ends in one score for all frames."""


def shortened(cls: type[Method]) -> type[Method]:
    """The method with a profile `smoke` of a second."""
    smoke = cls.profiles.get("smoke", {})
    if cls.name in AS_THEY_ARE or not {"epochs", "steps"} & smoke.keys():
        return cls
    short = SHORT_OF.get(cls.name, SHORT_DDL if "ddl" in cls.info.groups else SHORT)
    short = {"smoke": {**smoke, **short}}
    return type(cls.__name__, (cls,), {"__doc__": cls.__doc__, "profiles": short})


REGISTERED = [
    shortened(cls)
    for _, cls in sorted(load().methods.items())
    if not cls.needs_parameters and not cls.published_only
]


@parametrize_with_checks(REGISTERED)
def test_registered_method(method, check):
    """Every method that comes with bench does what every method owes."""
    check(method)


@pytest.mark.parametrize("cls", load().creators.values(), ids=lambda cls: cls.name)
def test_registered_creator(cls):
    """Every creator that comes with bench draws what it promises."""
    draws_what_it_promises(cls)


class White(Creator):
    """All white."""

    name = "white"

    def draw(self, clip, start, generator):
        frames = clip.frames[start : start + 4]
        return {
            "content": self.to_range(np.full_like(frames, 255)),
            "mask": np.ones((1, *frames.shape), np.float32),
        }


class Wide(White):
    """Its content is of the wrong type."""

    def draw(self, clip, start, generator):
        drawn = super().draw(clip, start, generator)
        return drawn | {"content": drawn["content"].astype(np.float64)}


class Beyond(White):
    """Its mask leaves its range."""

    def draw(self, clip, start, generator):
        drawn = super().draw(clip, start, generator)
        return drawn | {"mask": drawn["mask"] * 2}


class Unruly(White):
    """Draws from a generator of its own."""

    draws = itertools.count()

    def draw(self, clip, start, generator):
        drawn = super().draw(clip, start, generator)
        return drawn | {"content": drawn["content"] * 0 + next(self.draws)}


class Bare(White):
    """Forgets its mask."""

    def draw(self, clip, start, generator):
        return {"content": super().draw(clip, start, generator)["content"]}


@pytest.mark.parametrize(
    ("cls", "text"),
    [
        (Wide, r"content is float64 of shape \(1, 4, 64, 64\), expected float32"),
        (Beyond, r"the mask lies in 2..2, expected 0..1"),
        (Unruly, "content differs under the same generator"),
        (Bare, "returned content; it returns content and mask"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_creators_that_break_their_promise_are_caught(cls, text):
    """Each way to be wrong has its text."""
    draws_what_it_promises(White)
    with pytest.raises(CheckFailed, match=text):
        draws_what_it_promises(cls)


class Good(Method):
    """The mean of a frame."""

    name = "good"
    frames = FrameFormat((16, 16), 1)

    def score(self, clip, context):
        return [float(frame.mean()) for frame in clip.frames]


class TooFew(Good):
    """Forgets the last frame."""

    def score(self, clip, context):
        return super().score(clip, context)[:-1]


class Unseeded(Good):
    """Draws from a generator that nobody seeds."""

    draws = itertools.count()

    def fit(self, clips, context):
        self.shift = float(next(self.draws))

    def score(self, clip, context):
        return np.asarray(super().score(clip, context)) + self.shift


class Forgetful(Good):
    """Does not keep what it learned."""

    needs = frozenset({"frames", "train"})

    def fit(self, clips, context):
        self._mean = 3.0

    def score(self, clip, context):
        return [float(frame.mean()) - getattr(self, "_mean", 0.0) for frame in clip.frames]


class Remembers(Good):
    """Carries state from clip to clip."""

    def score(self, clip, context):
        self._seen = getattr(self, "_seen", 0) + 1
        return np.asarray(super().score(clip, context)) + self._seen


class Changes(Good):
    """Writes into its input."""

    def score(self, clip, context):
        clip.frames.setflags(write=True)
        clip.frames[0] = 0
        return super().score(clip, context)


class Shouting(Good):
    """Has a name that no selection can hold."""

    name = "Good Method"


@dataclass(frozen=True)
class Steps:
    """What training needs."""

    epochs: int = parameter(3, source="made")
    batch: int = parameter(8, source="made")
    learning_rate: float = parameter(-0.1, source="made: the wrong way")


class Rising(NetworkMethod):
    """Climbs its loss."""

    name = "rising"
    frames = FrameFormat((16, 16), 1)
    Parameters = Steps

    @property
    def window(self):
        """One frame."""
        return Window(1)

    def build(self):
        """Return a bias for a frame."""
        import torch

        torch.manual_seed(0)
        return torch.nn.Linear(1, 1)

    def optimiser(self, network):
        """A step against the gradient."""
        import torch

        return torch.optim.SGD(
            network.parameters(), lr=-self.parameters.learning_rate, maximize=True
        )

    def loss(self, network, batch, context):
        """Return the distance to the mean of each frame."""
        return {"loss": self.error(network, batch)["distance"].square().mean()}

    def error(self, network, batch):
        """Return the distance to the mean of each frame."""
        mean = batch["window"].flatten(1).mean(1, keepdim=True)
        return {"distance": network(mean) - 2 * mean}


@pytest.mark.parametrize(
    ("cls", "check", "text"),
    [
        (Rising, "its_loss_falls", r"the loss of the epochs is .*: it does not fall"),
        (TooFew, "scores_what_it_claims", "returned 39 scores for 40 frames"),
        (
            Unseeded,
            "same_under_the_same_seed",
            "fitted again with the same seed: the score of frame",
        ),
        (Forgetful, "same_after_save_and_load", "after save and load: the score of frame 0"),
        (Remembers, "same_in_any_order", "clips in another order"),
        (Changes, "leaves_its_inputs_alone", "changed the frames of a clip"),
        (Shouting, "says_what_it_is", "lower case letters"),
    ],
)
def test_check_catches(cls, check, text):
    """Each check fails for the method that it is there for, and says why."""
    with pytest.raises(CheckFailed, match=text):
        run_check(cls, next(known for known in CHECKS if known.__name__ == check))


def test_expected_failure_is_strict():
    """A declared failure passes, and fails when the check passes."""

    class Declared(Remembers):
        """Declares what it does."""

        expected_failures = {"same_in_any_order": "its memory is carried on"}

    class Wrongly(Good):
        """Declares what it does not do."""

        expected_failures = {"same_in_any_order": "its memory is carried on"}

    check = next(known for known in CHECKS if known.__name__ == "same_in_any_order")
    run_check(Declared, check)
    with pytest.raises(CheckFailed, match="but passes: take the declaration away"):
        run_check(Wrongly, check)


PLUGIN = '''"""A method in a file."""
from bench import FrameFormat, Method, hookimpl


class Mine(Method):
    """The mean of a frame."""

    name = "mine"
    frames = FrameFormat((16, 16), 1)

    def score(self, clip, context):
        return [float(frame.mean()) for frame in clip.frames]{cut}


@hookimpl
def bench_methods():
    return [Mine]
'''


@pytest.mark.parametrize(
    ("cut", "code", "text"),
    [
        ("", 0, "all checks passed"),
        ("[1:]", 1, "FAILED: mine, clip 01: score() returned 39 scores for 40 frames"),
    ],
)
def test_check_command_on_a_file(tmp_path, cut, code, text):
    """`bench check FILE` prints a line a check and ends with 1 where one failed."""
    file = tmp_path / "mine.py"
    file.write_text(PLUGIN.replace("{cut}", cut))
    done = bench("check", str(file), cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert text in done.stdout
    assert "mine: says what it is ... ok" in done.stdout


def test_check_command_on_a_broken_file(tmp_path):
    """A file that cannot be loaded is an error with its reason, not a traceback."""
    file = tmp_path / "mine.py"
    file.write_text("import no_such_module\n")
    done = bench("check", str(file), cwd=tmp_path)
    assert done.returncode == 2
    assert "no_such_module" in done.stderr
    assert "Traceback" not in done.stderr
