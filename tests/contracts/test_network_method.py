"""What a network method does beside training: released weights."""

from dataclasses import dataclass

import numpy as np
import pytest
import safetensors.torch
import torch
from bench.methods.memae import MemAE

from bench import (
    DataError,
    FrameFormat,
    MethodError,
    NetworkMethod,
    OpenClip,
    ReleasedWeights,
    RequestError,
    Window,
    parameter,
)
from bench.contracts.compute import Compute
from bench.engine.context import make_context
from bench.plugins.registry import load
from bench.plugins.selection import select


@dataclass(frozen=True)
class LineParameters(ReleasedWeights):
    """Nothing of its own but what training needs."""

    epochs: int = parameter(1, source="made")
    batch: int = parameter(2, source="made")
    learning_rate: float = parameter(0.1, source="made")


class Line(NetworkMethod):
    """Multiplies a frame by one weight."""

    name = "line"
    frames = FrameFormat((4, 4), 1)
    Parameters = LineParameters

    @property
    def window(self):
        """One frame."""
        return Window(1)

    def build(self):
        """Return the one weight."""
        return torch.nn.Linear(1, 1, bias=False)

    def loss(self, network, batch, context):
        """Return the distance to one."""
        return {"loss": (network.weight - 1).square().sum()}

    def error(self, network, batch):
        """Return the mean of the weighted frame."""
        return {"mean": (batch["window"] * network.weight).flatten(1).mean(1, keepdim=True)}

    def convert_weights(self, weights):
        """The authors call the weight `factor`."""
        return {"weight": weights["factor"]}


def clip():
    return OpenClip("01", "test", 3, "made", opener=lambda: np.full((3, 4, 4), 255, np.uint8))


@pytest.mark.parametrize("kind", ["safetensors", "state dict", "below state_dict", "DataParallel"])
def test_released_weights_score_without_training(tmp_path, kind):
    """Each form that authors publish is read; no training clip is needed, and the row says whose
    weights they are."""
    path = tmp_path / "released.pth"
    state = {"factor": torch.tensor([[0.25]])}
    if kind == "safetensors":
        safetensors.torch.save_file(state, path)
    else:
        forms = {
            "state dict": state,
            "below state_dict": {"epoch": 3, "state_dict": state},
            "DataParallel": {"module.factor": state["factor"]},
        }
        torch.save(forms[kind], path)
    method = Line(LineParameters(weights=str(path)))
    assert method.needs == {"frames", "weights"}
    assert not method.uses_seed and method.supervision == "one-class"
    assert method.deviations == ("weights of the file released.pth, not trained here",)
    context = make_context(0, Compute("cpu"), tmp_path)
    method.fit([], context)
    np.testing.assert_allclose(method.score(clip(), context).values, 0.25)


def test_without_weights_the_network_is_trained():
    """The default needs the train split, and deviates in nothing."""
    assert Line().needs == {"frames", "train"}
    assert Line().deviations == ()
    assert Line().uses_seed and Line().supervision == ""  # the default, as tables name it


def test_missing_weights_are_told_before_any_work(tmp_path):
    """`check` names the path and what to do."""
    with pytest.raises(
        DataError,
        match=r"line: no weights at .*none.pth; give the path of the released file, or leave weights= out",
    ):
        Line(LineParameters(weights=str(tmp_path / "none.pth"))).check("ped2")


def test_weights_that_do_not_fit_are_told_before_any_work(tmp_path):
    """`check` names what differs first, and what to do; a file that fits passes."""
    path = tmp_path / "released.pth"
    torch.save({"factor": torch.zeros(1, 1)}, path)
    method = Line(LineParameters(weights=str(path)))
    method.check("ped2")
    assert method.network is None
    torch.save({"factor": torch.zeros(2, 2)}, path)
    with pytest.raises(
        DataError,
        match=r"released.pth belong to another network: size mismatch for weight: .*; without parameters of your own",
    ):
        method.check("ped2")


def test_network_that_cannot_be_looked_at_is_left_to_its_cell(tmp_path):
    """A plugin's `build` may ask for numbers, which there are none of before the run: that is no
    type_error."""

    class Asking(Line):
        def build(self):
            assert torch.linspace(0, 1, 3)[1].item() == 0.5
            return super().build()

    path = tmp_path / "released.pth"
    torch.save({"factor": torch.zeros(1, 1)}, path)
    method = Asking(LineParameters(weights=str(path)))
    method.check("ped2")
    method.fit([], make_context(0, Compute("cpu"), tmp_path))


@pytest.mark.parametrize("size", [0, 1, 30, 200])
def test_truncated_file_is_told_before_any_work(tmp_path, size):
    """Whatever torch raises of it."""
    path = tmp_path / "released.pth"
    torch.save({"factor": torch.zeros(1, 1)}, path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError, match="is neither safetensors nor a state dict"):
        Line(LineParameters(weights=str(path))).check("ped2")


def test_parameters_of_a_training_that_does_not_take_place_are_refused():
    """Those that were typed, whatever the profile sets; those of the network are not."""
    registry = load()
    with pytest.raises(RequestError) as caught:
        select(
            "methods",
            "memae[weights=none.pt,width=0.1,epochs=3,pseudo=skip,pseudo_loss=restore]",
            registry,
        )
    (text,) = caught.value.mistakes
    assert text.endswith(
        ": weights of a file are not trained; leave out epochs, pseudo, pseudo_loss"
    )
    with pytest.raises(RequestError, match="not trained; leave out separateness_weight"):
        select("methods", "mnad[weights=none.pt,separateness_weight=0]", registry)
    select("methods", "memae[weights=none.pt,width=0.1,shrinkage=0.001]", registry, "smoke")


@pytest.mark.parametrize("profile", ["paper", "small", "smoke"])
def test_released_weights_are_of_the_network_of_the_paper(tmp_path, profile):
    """No profile narrows it; the user's own values still do; without weights the profile holds."""
    registry = load()
    (given,) = select("methods", f"memae[weights={tmp_path / 'memae.pt'}]", registry, profile)
    assert (
        given.parameters == MemAE.Parameters(weights=str(tmp_path / "memae.pt"))
        and given.profile == "paper"
    )
    (narrow,) = select(
        "methods", f"memae[weights={tmp_path / 'memae.pt'},width=0.25]", registry, profile
    )
    assert narrow.parameters.width == 0.25 and narrow.parameters.size == MemAE.Parameters().size
    (trained,) = select("methods", "memae[items=100]", registry, "small")
    assert (
        trained.parameters.width == MemAE.profiles["small"]["width"] and trained.profile == "small"
    )


def test_a_pickled_module_is_not_loaded(tmp_path):
    """It could run any code; the text says how to take the weights out where one trusts it."""
    path = tmp_path / "model.pth"
    torch.save(torch.nn.Linear(1, 1), path)
    with pytest.raises(
        MethodError,
        match=r"a pickled module is not loaded, since it can run any code.*state_dict\(\)",
    ):
        Line(LineParameters(weights=str(path))).fit([], make_context(0, Compute("cpu"), tmp_path))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"factor": torch.zeros(2, 2)}, "belong to another network"),
        ({"other": torch.zeros(1, 1)}, "belong to another network: they lack 'factor'"),
        ({"epoch": 3}, "holds no state dict"),
    ],
)
def test_weights_of_something_else_are_refused(tmp_path, content, text):
    """With the file's name."""
    path = tmp_path / "other.pth"
    torch.save(content, path)
    with pytest.raises(MethodError, match=f"other.pth {text}"):
        Line(LineParameters(weights=str(path))).fit([], make_context(0, Compute("cpu"), tmp_path))


@pytest.mark.parametrize("content", [b"", b"not weights at all", b"PK\x03\x04 broken"])
def test_a_damaged_file_is_refused(tmp_path, content):
    """Whatever stands in it."""
    path = tmp_path / "damaged.pth"
    path.write_bytes(content)
    with pytest.raises(MethodError, match="damaged.pth is neither safetensors nor a state dict"):
        Line(LineParameters(weights=str(path))).fit([], make_context(0, Compute("cpu"), tmp_path))
