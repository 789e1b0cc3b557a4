"""Weights that are loaded instead of training: those that authors released, those of a finished
cell, and those of networks that torchvision has trained.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from bench.contracts.parameters import parameter
from bench.errors import DataError, MethodError
from bench.files.download import PretrainedWeights

if TYPE_CHECKING:
    import torch

Network = TypeVar("Network")
NETWORK = "network."
STATISTICS = "statistics."
"""What the names of tensors begin with in the weights of a finished cell."""


def write_weights(path: Path, network: torch.nn.Module, stats: Mapping[str, np.ndarray]) -> None:
    """Write the weights of a trained network, and what it knows of the training frames, as
    safetensors.
    """
    import safetensors.torch
    import torch

    tensors = {
        f"{NETWORK}{key}": value.detach().cpu().contiguous()
        for key, value in network.state_dict().items()
    }
    tensors |= {
        f"{STATISTICS}{key}": torch.from_numpy(np.ascontiguousarray(value))
        for key, value in stats.items()
    }
    safetensors.torch.save_file(tensors, path)


def read_weights(path: Path, name: str) -> tuple[dict[str, torch.Tensor], dict[str, np.ndarray]]:
    """Read back what `write_weights` wrote; `name` is the method's, for errors.

    Raises
    ------
    MethodError : not a safetensors file.
    """
    import safetensors
    import safetensors.torch

    try:
        tensors = safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise MethodError(
            f"{name}: {path} holds no weights in safetensors form ({error})"
        ) from error
    statistics = _below(STATISTICS, tensors)
    return _below(NETWORK, tensors), {key: value.numpy() for key, value in statistics.items()}


def _below(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {
        key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)
    }


@dataclass(frozen=True)
class ReleasedWeights:
    """Parameters of a network whose authors released weights."""

    weights: str = parameter(
        "",
        source="no training then",
        doc="a file of released weights (safetensors, or a state dict of torch), or the weights of "
        "a finished cell (RUN/cells/.../weights); empty: train",
    )


def fill_released(
    network: torch.nn.Module,
    path: Path,
    name: str,
    convert: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]],
    assign: bool = False,
    without: Sequence[str] = (),
) -> None:
    """Give a network the weights in a file: safetensors, or a state dict that torch saved.

    Parameters
    ----------
    name : of the method, for errors.
    convert : maps names of the file to those of the network.
    assign : put the tensors themselves into the network, e.g. into one without data.
    without : parts of the network of a finished cell that are left out.

    Raises
    ------
    MethodError : a file that is neither, or weights of another network.
    """
    other = f"{name}: the weights in {path} belong to another network"
    advice = "without parameters of your own the row has the network of the paper"
    released = _read_released(path, name)
    if _saved_by_bench(released):
        advice = (
            "profile and parameters of the network must be those of its cell (cell.json beside it)"
        )
    try:
        saved = _saved_by_bench(released)
        released = _below(NETWORK, released) if saved else convert(released)
        if saved:
            parts = tuple(f"{part}." for part in without)
            released = {key: value for key, value in released.items() if not key.startswith(parts)}
        network.load_state_dict(released, assign=assign)
    except KeyError as error:
        raise MethodError(f"{other}: they lack {error}; {advice}") from error
    except RuntimeError as error:
        first, *more = [line.strip() for line in str(error).splitlines()[1:]] or [str(error)]
        shown = first if len(first) <= 200 else f"{first[:200]} ..."
        raise MethodError(
            f"{other}: {shown}" + (f" (and {len(more)} lines more)" if more else "") + f"; {advice}"
        ) from error


def read_pretrained(
    weights: PretrainedWeights,
    given: str,
    make: Callable[[dict[str, torch.Tensor]], Network],
) -> Network:
    """Return the network that `make` makes of weights that torchvision has trained.

    Parameters
    ----------
    given : a file that the user named; empty for that in torchvision's cache.
    make : from a state dict, as `torch.load` reads it, to a network.

    Raises
    ------
    DataError : the file cannot be read as weights, or has those of another network.
    """
    import torch

    path = weights.path(given)
    try:
        with warnings.catch_warnings():
            # Of files that were not written by torch; what cannot be read is an error below.
            warnings.filterwarnings(
                "ignore", message="Detected pickle protocol", category=UserWarning
            )
            state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        raise DataError(
            f"{path} cannot be read as weights (a state dict of tensors): {_first_line(error)}"
        ) from error
    try:
        return make(state)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} has no weights of torchvision's {weights.title}: {_first_line(error)}"
        ) from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__


def belongs_to_finished_cell(path: Path) -> bool:
    """Whether a file holds weights that `NetworkMethod.save` wrote; only its head is read."""
    import safetensors

    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            return _saved_by_bench(file.keys())
    except (OSError, safetensors.SafetensorError):
        return False


def _saved_by_bench(names: Iterable[str]) -> bool:
    names = list(names)
    return bool(names) and all(name.startswith((NETWORK, STATISTICS)) for name in names)


def _read_released(path: Path, name: str) -> dict[str, torch.Tensor]:
    import safetensors
    import safetensors.torch
    import torch

    try:
        return safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        if not path.is_file():
            raise MethodError(f"{name}: {path} cannot be read ({error})") from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle makes torch raise anything
        raise MethodError(
            f"{name}: {path} is neither safetensors nor a state dict; a pickled module is not loaded, since it can run any code. "
            "Where you trust its source: torch.save(torch.load(FILE, weights_only=False).state_dict(), NEW_FILE)"
        ) from error
    for key in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if (
        not isinstance(state, dict)
        or not state
        or not all(isinstance(value, torch.Tensor) for value in state.values())
    ):
        raise MethodError(
            f"{name}: {path} holds no state dict (names of tensors); save model.state_dict()"
        )
    return {
        str(key).removeprefix("module."): value for key, value in state.items()
    }  # DataParallel puts it before every name
