"""A simulated accelerator: a torch device named 'simulated' whose memory is the CPU's.

    from bench.testing.simulated_device import simulated_device, traffic

    device = simulated_device()
    with traffic() as seen:
        network.to(device)(frames.to(device))
    print(len(seen.uploads), len(seen.waits))

It computes what the CPU computes, bit by bit, and is as strict as an accelerator: tensors of two
devices do not meet, NumPy does not read its tensors, its random numbers come from a generator of
its own, and operations without a deterministic form are refused in deterministic mode. Each copy
to it and each moment at which the CPU would wait for it is kept, with its place in the code.

What it cannot show: speed, memory, rounding and the kernels of real hardware. `torch.Generator`
cannot be made for it; seeds come from `torch.manual_seed`.

It stays until the process ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.utils import backend_registration

NAME = "simulated"
CPU, EXTENSION = 1, 12
"""Kinds of devices in DLPack: kDLCPU, kDLExtDev. torch reads the second as PrivateUse1."""


@dataclass(frozen=True)
class Event:
    """A copy, or a wait: what torch was asked for, and where."""

    operation: str
    place: str
    """File and line."""

    def __str__(self) -> str:
        return f"{self.operation} at {self.place}"


@dataclass
class Traffic:
    """What passed between the CPU and the device."""

    uploads: list[Event] = field(default_factory=list)
    """Copies to the device."""
    waits: list[Event] = field(default_factory=list)
    """Moments at which the CPU waits until the device has done all it was told: copies to the CPU,
    copies to the device that are not both pinned and non-blocking, `.item()` and `bool()`, and
    operations whose shape depends on values, such as boolean indexing."""


_open: list[Traffic] = []


@contextlib.contextmanager
def traffic() -> Iterator[Traffic]:
    """Keep what passes between the CPU and the device."""
    seen = Traffic()
    _open.append(seen)
    try:
        yield seen
    finally:
        _open.remove(seen)


@functools.cache
def simulated_device() -> torch.device:
    """Return the device, 'simulated:0'; it is registered with torch at the first call.

    The backward pass then runs in the thread that asks for it.
    """
    # torch starts a thread for each device that it knows at the first backward pass, and a process
    # with such threads cannot fork another that trains. So that pass is made before.
    torch.zeros(1, requires_grad=True).sum().backward()
    torch.autograd.set_multithreading_enabled(False)
    backend_registration._setup_privateuseone_for_python_backend(NAME, backend_module=_Module())
    _register()
    torch.UntypedStorage.clone = _clone_storage  # type: ignore[method-assign,assignment]
    torch.accelerator.synchronize = _synchronize
    return torch.device(NAME, 0)


# -- memory ----------------------------------------------------------------------------------------


class _DLTensor(ctypes.Structure):
    """The head of DLPack's DLManagedTensor."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_kind", ctypes.c_int32),
        ("device_number", ctypes.c_int32),
    )


_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype = ctypes.c_void_p
_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]


def _renamed(tensor: torch.Tensor, kind: int) -> torch.Tensor:
    """Return the same memory as a tensor of another kind of device."""
    capsule = torch._C._to_dlpack(tensor)  # type: ignore[attr-defined]
    _DLTensor.from_address(_pointer(capsule, b"dltensor")).device_kind = kind
    return torch._C._from_dlpack(capsule)  # type: ignore[attr-defined,no-any-return]


_storage_clone = torch.UntypedStorage.clone


def _clone_storage(storage: Any) -> Any:
    """Copy a storage; torch would ask for an allocator in C++."""
    if storage.device.type != NAME:
        return _storage_clone(storage)
    copy = torch.empty(storage.nbytes(), dtype=torch.uint8, device=storage.device)
    return copy.untyped_storage().copy_(storage)


_pinned: set[int] = set()


def _pin(tensor: torch.Tensor, device: Any = None) -> torch.Tensor:
    import weakref

    copy = tensor.clone()
    address = copy.data_ptr()
    _pinned.add(address)
    weakref.finalize(copy.untyped_storage(), _pinned.discard, address)
    return copy


# -- what torch asks of a device -------------------------------------------------------------------


class _Module:
    """What torch finds as `torch.simulated`."""

    def __init__(self) -> None:
        self._state = torch.Generator().manual_seed(0).get_state()
        self._own = True

    def is_initialized(self) -> bool:
        return True

    def is_available(self) -> bool:
        return True

    def current_device(self) -> int:
        return 0

    def device_count(self) -> int:
        return 1

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]

    def _is_in_bad_fork(self) -> bool:
        return False

    def manual_seed_all(self, seed: int) -> None:
        self._state = torch.Generator().manual_seed(seed).get_state()

    @contextlib.contextmanager
    def one_generator(self) -> Iterator[None]:
        """Let what is drawn on the device come from the CPU's generator meanwhile, so that a
        network with dropout draws what it draws on the CPU.
        """
        self._own = False
        try:
            yield
        finally:
            self._own = True

    def get_rng_state(self, device: Any = None) -> torch.Tensor:
        return self._state.clone()

    def set_rng_state(self, state: torch.Tensor, device: Any = None) -> None:
        if state.device.type != "cpu":
            raise TypeError("the state of a random generator must be a tensor on the CPU")
        self._state = state.clone()

    @contextlib.contextmanager
    def drawing(self) -> Iterator[None]:
        """Let what is drawn come from the generator of the device."""
        if not self._own:
            yield
            return
        of_cpu = torch.get_rng_state()
        torch.set_rng_state(self._state)
        try:
            yield
        finally:
            self._state = torch.get_rng_state()
            torch.set_rng_state(of_cpu)


_torch_synchronize = torch.accelerator.synchronize


def _synchronize(device: Any = None, /) -> None:
    if device is not None and torch.device(device).type != NAME:
        _torch_synchronize(device)
    else:
        _keep("waits", "synchronize")


# -- operations ------------------------------------------------------------------------------------

VIEWS = ("as_strided", "_reshape_alias", "view", "unfold", "view_as_real", "view_as_complex")
"""Their code for the CPU looks at no data."""
STORAGE = ("set_.source_Storage", "set_.source_Storage_storage_offset")
INDEXED = ("index.Tensor", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index.Tensor")
IN_BFLOAT16 = (
    *("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d.input"),
    *("conv_transpose3d.input", "linear", "matmul", "mm", "bmm", "addmm", "baddbmm"),
)
"""What autocast computes in bfloat16 here: layers with weights, as on the CPU."""
NOT_DETERMINISTIC = frozenset(
    {
        *("avg_pool3d_backward", "_adaptive_avg_pool2d_backward", "_adaptive_avg_pool3d_backward"),
        *("adaptive_max_pool2d_backward", "fractional_max_pool2d_backward"),
        *("fractional_max_pool3d_backward", "max_unpool2d", "max_unpool3d"),
        *("upsample_linear1d_backward", "upsample_bicubic2d_backward"),
        *("upsample_trilinear3d_backward", "reflection_pad1d_backward"),
        *("reflection_pad2d_backward", "reflection_pad3d_backward", "nll_loss2d_forward"),
        *("_ctc_loss_backward", "put_", "histc", "median.dim", "grid_sampler_2d_backward"),
        "grid_sampler_3d_backward",
    }
)
"""Operations that CUDA refuses in deterministic mode: the documentation of
`torch.use_deterministic_algorithms` (2.14). Bilinear interpolation is not among them, since torch
computes it in another way on CUDA then."""


def _register() -> None:
    aten = torch.library.Library("aten", "IMPL")  # kept for the life of the process
    others = torch.library.Library("_", "IMPL")
    _libraries.extend((aten, others))
    others.fallback(_computed, "PrivateUse1")
    cpu = torch._C.DispatchKeySet(torch._C.DispatchKey.CPU)
    for name in (*VIEWS, *STORAGE):
        aten.impl(name, functools.partial(_operation(name).redispatch, cpu), "PrivateUse1")
    has = torch._C._dispatch_has_kernel_for_dispatch_key
    for name in torch._C._dispatch_get_all_op_names():
        # Without this torch would compute these of other operations, whose sums may be rounded in
        # another way than in the CPU's own kernel.
        if (
            name.startswith("aten::")
            and has(name, "CPU")
            and (
                has(name, "CompositeExplicitAutograd")
                or has(name, "CompositeExplicitAutogradNonFunctional")
            )
        ):
            name = name.removeprefix("aten::")
            aten.impl(name, functools.partial(_computed, _operation(name)), "PrivateUse1")
    aten.impl("_copy_from", _copied, "PrivateUse1")
    aten.impl("convolution_overrideable", _convolved, "PrivateUse1")
    aten.impl("convolution_backward_overrideable", _convolved_backward, "PrivateUse1")
    others.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
    for name in IN_BFLOAT16:
        aten.impl(name, functools.partial(_cast, _operation(name)), "AutocastPrivateUse1")
    aten.impl("_pin_memory", _pin, "CPU")
    aten.impl("is_pinned", lambda tensor, device=None: tensor.data_ptr() in _pinned, "CPU")


_libraries: list[Any] = []


def _operation(name: str) -> Any:
    packet, _, overload = name.partition(".")
    return getattr(getattr(torch.ops.aten, packet), overload or "default")


def _computed(operation: Any, *args: Any, **named: Any) -> Any:
    """Compute an operation on the CPU, in the memory of the device."""
    short = operation.name().removeprefix("aten::")
    schema = operation._schema
    given = {argument.name: value for argument, value in zip(schema.arguments, args)} | named
    _refuse_what_a_device_refuses(operation, short, given)
    if _waits(operation, short, given):
        _keep("waits", short)
    renamed: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def on_cpu(value: Any) -> Any:
        if isinstance(value, torch.device):
            return torch.device("cpu")
        if not isinstance(value, torch.Tensor) or value.device.type != NAME:
            return value
        # What is empty may be a result that is to grow, which memory of somebody else cannot.
        found = (
            _renamed(value, CPU) if value.numel() else value.new_empty(value.shape, device="cpu")
        )
        renamed[id(found)] = found, value
        return found

    def on_device(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        return renamed[id(value)][1] if id(value) in renamed else _renamed(value, EXTENSION)

    draws = torch.Tag.nondeterministic_seeded in operation.tags
    module = torch.get_device_module(NAME)
    with module.drawing() if draws else contextlib.nullcontext():
        result = operation(
            *(_each(on_cpu, value) for value in args),
            **{name: _each(on_cpu, value) for name, value in named.items()},
        )
    for found, value in renamed.values():
        if found.shape != value.shape:
            grown = _renamed(found, EXTENSION)
            value.set_(grown.untyped_storage(), 0, grown.shape, grown.stride())
    return _each(on_device, result)


def _each(change: Callable[[Any], Any], value: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(_each(change, one) for one in value)
    return change(value)


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _tensors(one)


def _refuse_what_a_device_refuses(operation: Any, short: str, given: dict[str, Any]) -> None:
    generator = given.get("generator")
    if generator is not None:
        raise RuntimeError(
            f"Expected a '{NAME}' device type for generator but found '{generator.device.type}' "
            f"({short})"
        )
    for argument in operation._schema.arguments:
        written = argument.alias_info is not None and argument.alias_info.is_write
        for tensor in _tensors(given.get(argument.name)):
            on_cpu = tensor.device.type == "cpu"
            scalar = tensor.ndim == 0 and not written and torch.Tag.pointwise in operation.tags
            index = short in INDEXED and argument.name in ("indices", "values")
            if on_cpu and index and (tensor.ndim == 0 or argument.name == "indices"):
                _keep("uploads", short)
                _keep("waits", f"{short}, by indices on the CPU")
            elif on_cpu and not scalar:
                raise RuntimeError(
                    f"Expected all tensors to be on the same device, but {argument.name!r} of "
                    f"{short}, {tuple(tensor.shape)}, is on cpu and others are on {NAME}:0"
                )
    if short.partition("_out")[0] not in NOT_DETERMINISTIC and not (
        short == "bincount" and given.get("weights") is not None
    ):
        return
    if (
        torch.are_deterministic_algorithms_enabled()
        and not torch.is_deterministic_algorithms_warn_only_enabled()
    ):
        raise RuntimeError(
            f"{short} does not have a deterministic implementation, but you set "
            "'torch.use_deterministic_algorithms(True)'."
        )


def _waits(operation: Any, short: str, given: dict[str, Any]) -> bool:
    """Whether an accelerator's memory must be read before the CPU can go on."""
    if short in INDEXED:
        masks = [
            one for one in _tensors(given["indices"]) if one.dtype in (torch.bool, torch.uint8)
        ]
        values = given.get("values")
        # torch fills one value in a mask without looking for the places.
        fills = len(masks) == 1 and values is not None and values.numel() == 1
        return bool(masks) and not fills
    return bool(
        {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape} & {*operation.tags}
    )


def _cast(operation: Any, *args: Any, **named: Any) -> Any:
    """Compute an operation under autocast: in bfloat16."""

    def narrowed(value: Any) -> Any:
        single = isinstance(value, torch.Tensor) and value.dtype == torch.float32
        return value.to(torch.bfloat16) if single else value

    with torch.autocast(NAME, enabled=False):
        return operation(
            *(_each(narrowed, value) for value in args),
            **{name: _each(narrowed, value) for name, value in named.items()},
        )


def _copied(source: torch.Tensor, target: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
    if source.device.type == "cpu":
        pinned = non_blocking and source.data_ptr() in _pinned
        _keep("uploads", "a copy to the device")
        if not pinned:
            _keep("waits", "a copy to the device" + " of memory not pinned" * non_blocking)
    elif target.device.type == "cpu":
        _keep("waits", "a copy to the CPU")
    ends = [_renamed(one, CPU) if one.device.type == NAME else one for one in (target, source)]
    ends[0].copy_(ends[1])
    return target


def _convolved(*args: Any) -> torch.Tensor:
    return _computed(torch.ops.aten.convolution.default, *args)  # type: ignore[no-any-return]


def _convolved_backward(
    gradient: torch.Tensor, inputs: torch.Tensor, weight: torch.Tensor, *rest: Any
) -> Any:
    transposed, groups = rest[3], rest[5]
    bias = [weight.shape[1] * groups if transposed else weight.shape[0]]
    operation = torch.ops.aten.convolution_backward.default
    return _computed(operation, gradient, inputs, weight, bias, *rest)


def _keep(kind: str, operation: str) -> None:
    if not _open:
        return
    event = Event(operation, _place())
    for seen in _open:
        getattr(seen, kind).append(event)


def _place() -> str:
    frame: Any = sys._getframe(2)
    inside = str(Path(torch.__file__).parent)
    while frame is not None:
        file = frame.f_code.co_filename
        if file != __file__ and not file.startswith(inside):
            return f"{'/'.join(Path(file).parts[-2:])}:{frame.f_lineno}"
        frame = frame.f_back
    return "unknown"
