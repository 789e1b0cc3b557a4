"""Precision and compiling: what is asked for, what is refused, and what it does to a cell."""

import functools
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from bench import FrameFormat, MethodError, NetworkMethod, OpenClip, RequestError, Window
from bench.contracts.compute import Compute
from bench.engine import precision as arithmetic
from bench.engine.context import make_context
from bench.engine.inference import infer
from bench.engine.seeding import seed_everything
from bench.hardware.machine import choose_device
from bench.planning import memory_limits
from bench.planning.memory_estimate import MemoryEstimate
from bench.planning.plan import make_plan
from bench.planning.request import Request
from bench.plugins.registry import load
from bench.runs.folder import Run
from bench.testing.simulated_device import simulated_device

needs_bf16 = pytest.mark.skipif(
    not arithmetic.has_bf16("cpu"), reason="this processor has no instructions for bfloat16"
)


@dataclass(frozen=True)
class TwoEpochs:
    epochs: int = 4
    batch: int = 4
    learning_rate: float = 0.01


class Tiny(NetworkMethod):
    """One convolution that reconstructs a frame, and notes in which types it computed."""

    name = "tiny"
    frames = FrameFormat((8, 8), 1)
    Parameters = TwoEpochs

    def __init__(self):
        super().__init__()
        self.types = set()

    @property
    def window(self):
        return Window(1)

    def build(self):
        return torch.nn.Conv2d(1, 1, 3, padding=1)

    def compare(self, network, batch):
        frames = batch["window"][:, :, 0]
        output = network(frames)
        self.types.add(output.dtype)
        return (output - frames).square()

    def loss(self, network, batch, context):
        return {"loss": self.compare(network, batch).mean()}

    def error(self, network, batch):
        return {"mse": self.compare(network, batch).mean(dim=(1, 2, 3))[:, None]}


def clip_of(length=19):
    frames = np.random.default_rng(2).integers(0, 256, (length, 8, 8), dtype=np.uint8)
    return OpenClip("01", "train", length, "made", opener=lambda: frames)


def trained(folder, **how):
    seed_everything(3)
    method = Tiny()
    context = make_context(3, Compute("cpu", **how), folder, history=folder / "training.csv")
    context.train(method, [clip_of()], context)
    scores = context.infer(method, clip_of(), context)
    return (
        method,
        scores.values,
        np.genfromtxt(folder / "training.csv", delimiter=",", names=True)["loss"],
    )


def test_fp32_is_what_networks_compute_in_by_default(tmp_path):
    method, _, _ = trained(tmp_path)
    assert method.types == {torch.float32}


@needs_bf16
def test_bf16_is_for_the_network_alone_and_learns_the_same(tmp_path):
    """The network's output is bfloat16; weights, checkpoint and scores are fp32, and near those of
    fp32."""
    method, scores, losses = trained(tmp_path, precision="bf16")
    assert method.types == {
        torch.bfloat16,
        torch.float32,
    }  # fp32: the last look at the trained network
    assert {tensor.dtype for tensor in method.network.state_dict().values()} == {torch.float32}
    _, plain_scores, plain_losses = trained(tmp_path)
    np.testing.assert_allclose(losses, plain_losses, rtol=0.02)
    np.testing.assert_allclose(scores, plain_scores, rtol=0.05)
    assert not np.array_equal(scores, plain_scores)


def test_compiled_functions_are_those_that_the_method_names(monkeypatch):
    """Dotted names reach parts of the network, and each function is compiled once."""
    compiled = []
    monkeypatch.setattr(
        torch, "compile", lambda function, dynamic: compiled.append(function) or marked(function)
    )

    def marked(function):
        def call(*arguments):
            return function(*arguments)

        call._torchdynamo_orig_callable = function
        return call

    class Named(Tiny):
        compiled = ("forward", "0.forward")

    network = torch.nn.Sequential(torch.nn.Linear(2, 2))
    functions = [network.forward, network[0].forward]
    arithmetic.compile_network(Named(), network)
    arithmetic.compile_network(Named(), network)
    assert compiled == functions
    assert list(network.state_dict()) == ["0.weight", "0.bias"]


def test_compiled_c3dsu_streams_as_it_does_without(tmp_path, monkeypatch):
    """Encoder and decoder are traced for every shape of a clip; the backend here computes what was
    traced."""
    from bench.methods.c3dsu import C3DSUParameters, PlainC3DSU

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    frames = np.random.default_rng(0).integers(0, 256, (11, 32, 32, 3), dtype=np.uint8)
    clip = OpenClip("01", "test", 11, "made", opener=lambda: frames)
    method = PlainC3DSU(C3DSUParameters(size=32, latent=16))
    method.network = method.build().eval()
    context = make_context(0, Compute("cpu"), tmp_path)
    plain = infer(method, clip, context)
    context.compute = Compute("cpu", compile=True)
    compiled = infer(method, clip, context)
    np.testing.assert_allclose(compiled.values, plain.values, rtol=1e-5)


def test_network_that_cannot_be_compiled_is_named(tmp_path, monkeypatch):
    """What torch raises becomes the method's name and what to do."""
    import torch._dynamo.exc

    def compile(function, dynamic):
        def call(*arguments):
            raise torch._dynamo.exc.Unsupported("a call of the moon")

        return call

    monkeypatch.setattr(torch, "compile", compile)
    with pytest.raises(
        MethodError,
        match=r"tiny: torch cannot compile its network \(Unsupported: a call of the moon.*leave --compile out",
    ):
        trained(tmp_path, compile=True)


def test_scoring_form_is_made_again_when_weights_have_changed(tmp_path):
    """A form kept for clip after clip never outlives the weights that it was made of."""

    class Folded(Tiny):
        made = 0

        def scoring_network(self, network):
            self.made += 1
            other = self.build()
            other.load_state_dict(
                {name: 2 * tensor for name, tensor in network.state_dict().items()}
            )
            return other

    method = Folded()
    method.network = method.build().eval()
    context = make_context(0, Compute("cpu"), tmp_path)
    first = infer(method, clip_of(), context).values
    np.testing.assert_array_equal(infer(method, clip_of(), context).values, first)
    assert method.made == 1
    with torch.no_grad():
        method.network.weight.mul_(3)
    assert not np.array_equal(infer(method, clip_of(), context).values, first)
    assert method.made == 2


# -- what a request makes of it --------------------------------------------------------------------


@pytest.fixture
def plan_of(tmp_path, monkeypatch):
    monkeypatch.setattr(
        memory_limits, "estimate", lambda method, compute, **more: MemoryEstimate(compute.device)
    )

    def plan(methods, **more):
        request = Request(methods, "demo-ped2", compute=Compute("cpu", **more))
        return make_plan(request, load(), lambda signature: (Run(tmp_path / "run"), False))

    return plan


def test_precision_and_compile_belong_to_the_key_of_networks(plan_of, monkeypatch):
    """Key, footnote and signature change, for networks alone."""
    monkeypatch.setattr(arithmetic, "missing", lambda compute: [])
    plain, other = (
        plan_of("ae-3d,constant"),
        plan_of("ae-3d,constant", precision="bf16", compile=True),
    )
    network, constant = (cell.record for cell in other.cells)
    assert (network.key["precision"], network.key["compile"]) == ("bf16", True)
    assert {"precision", "compile"}.isdisjoint({*constant.key, *plain.cells[0].record.key})
    assert [text.split(":")[0] for text in network.deviations[-2:]] == [
        "--precision bf16",
        "--compile",
    ]
    assert constant.deviations == plain.cells[1].record.deviations
    assert (other.signature()["precision"], other.signature()["compile"]) == ("bf16", True)
    assert {"precision", "compile"}.isdisjoint(plain.signature())


def test_bf16_is_refused_where_the_processor_has_none(plan_of, monkeypatch):
    """Before any work; nothing is imitated in another precision."""
    monkeypatch.setattr(arithmetic, "has_bf16", lambda kind: False)
    with pytest.raises(
        RequestError,
        match="--precision bf16: cpu does not compute in bfloat16 here.*use --precision fp32",
    ):
        plan_of("ae-3d", precision="bf16")


def test_compile_is_refused_without_a_compiler(plan_of, monkeypatch, tmp_path):
    """The text says what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(
        RequestError, match=r"--compile: torch needs a C\+\+ compiler.*apt-get install g\+\+"
    ):
        plan_of("ae-3d", compile=True)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"precision": "bf16"}, "--precision bf16 is not for it: .* threshold"),
        ({"compile": True}, "--compile is not for it"),
    ],
)
def test_method_that_needs_fp32_is_refused_by_name_and_a_dash_in_a_group(
    plan_of, monkeypatch, how, reason
):
    """`tsc` by name is a mistake of the request; in a group the others go on."""
    from bench.methods.sparse_coding import SparseCodingMethod

    monkeypatch.setattr(arithmetic, "missing", lambda compute: [])
    monkeypatch.setattr(SparseCodingMethod, "check", lambda self, dataset: None)
    with pytest.raises(RequestError, match=f"tsc: {reason}"):
        plan_of("tsc", **how)
    cells = {
        cell.record.method: cell.record for cell in plan_of("sparse-coding,ae-3d", **how).cells
    }
    assert cells["tsc"].status == "no data"
    assert cells["ae-3d"].status == "queued"


# -- what torch computes with ----------------------------------------------------------------------


@pytest.fixture
def torch_flags():
    """torch's own flags, put back."""
    yield
    seed_everything(0)


BACKENDS = (
    torch.backends.cuda.matmul,
    torch.backends.cudnn.conv,
    torch.backends.cudnn.rnn,
    torch.backends.mkldnn.conv,
    torch.backends.mkldnn.matmul,
)


@pytest.mark.parametrize(
    ("precision", "kind"), [("fp32", "ieee"), ("bf16", "ieee"), ("tf32", "tf32")]
)
def test_fp32_is_ieee_unless_tf32_is_asked_for(precision, kind, torch_flags):
    """On every backend, whatever torch's own default is."""
    torch.backends.fp32_precision = "tf32"
    seed_everything(0, 1, precision)
    assert {backend.fp32_precision for backend in BACKENDS} == {kind}


def test_tf32_is_refused_where_there_is_none():
    (said,) = arithmetic.missing(Compute("cpu", precision="tf32"))
    assert said == (
        "--precision tf32: cpu does not compute in TF32 here, which NVIDIA's GPUs from Ampere on "
        "do; use --precision fp32"
    )


def test_tf32_nondeterminism_and_untried_devices_are_marked():
    how = Compute("mps:0", precision="tf32", nondeterministic=True)
    assert [line.partition(":")[0] for line in how.deviations()] == [
        "--precision tf32",
        "--nondeterministic",
        "--device mps",
    ]
    assert how.key() == {"precision": "tf32", "nondeterministic": True}


class Pooling(Tiny):
    """A loss with an operation that has no deterministic form on CUDA."""

    def loss(self, network, batch, context):
        output = network(batch["window"][:, :, 0])
        return {"loss": torch.nn.functional.adaptive_max_pool2d(output, 2).square().mean()}


def test_an_operation_without_a_deterministic_form_is_named(tmp_path, torch_flags):
    """With the option that allows it, under which it trains."""
    seed_everything(3)
    method = Pooling()
    context = make_context(3, Compute(str(simulated_device())), tmp_path)
    with pytest.raises(MethodError) as refused:
        context.train(method, [clip_of()], context)
    assert str(refused.value) == (
        "tiny: adaptive_max_pool2d_backward has no deterministic form on simulated:0, so that the "
        "same seed would not give the same scores; --nondeterministic allows it, and marks the row"
    )
    seed_everything(3, nondeterministic=True)
    context.train(method, [clip_of()], context)
    assert method.network is not None


@pytest.mark.parametrize(("there", "instead"), [(None, "cpu"), ("xpu", "cpu or xpu")])
def test_devices_that_are_not_here(monkeypatch, there, instead):
    """An accelerator that torch has is offered; one that it has is taken."""
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: there is not None)
    monkeypatch.setattr(
        torch.accelerator, "current_accelerator", lambda: there and torch.device(there)
    )
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)
    with pytest.raises(RequestError) as refused:
        choose_device("mps")
    assert str(refused.value) == (
        f"--device 'mps': torch finds no such device here; use --device {instead}"
    )
    if there:
        assert choose_device("xpu:1") == "xpu:1"
