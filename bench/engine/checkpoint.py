"""Checkpoints of a training: what it takes to go on, bit by bit."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from bench.contracts.method import Context
from bench.engine.accelerators import random_state, set_random_state
from bench.files.whole_files import write_bytes


@dataclass
class Progress:
    """Where training stands: what a checkpoint keeps beside weights."""

    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    """One row an epoch, or for each checkpoint between: mean of each term, steps made and refused,
    seconds."""
    kept_steps: list[dict[str, float]] = field(default_factory=list)
    """One row for each of some steps, evenly spaced: its number, from 1, and each
    term at it, before the step."""


def write_checkpoint(
    path: Path,
    network: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    schedule: Any,
    progress: Progress,
    device: torch.device,
) -> None:
    """Write a checkpoint, whole or not at all."""
    buffer = io.BytesIO()
    torch.save(
        {
            "network": network.state_dict(),
            "optimiser": optimiser.state_dict(),
            "schedule": {}
            if schedule is None
            else {
                key: value
                for key, value in schedule.state_dict().items()
                if isinstance(value, int | float | list)
            },
            "step": progress.step,
            "history": progress.history,
            "kept_steps": progress.kept_steps,
            "random": torch.get_rng_state(),
            "random_of_device": random_state(device),
        },
        buffer,
    )
    write_bytes(path, buffer.getvalue())


def read_checkpoint(
    path: Path,
    network: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    schedule: Any,
    context: Context,
) -> Progress | None:
    """Load a checkpoint into network, optimiser, schedule and random generators, and return where
    training stands; None where it cannot be read: these may then be half loaded.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        if schedule is not None:
            schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["random"])
        set_random_state(torch.device(context.device), state.get("random_of_device"))
        return Progress(state["step"], state["history"], state["kept_steps"])
    except Exception as error:  # a damaged file can raise anything
        context.logger.info(
            "the checkpoint %s cannot be read (%s): training begins anew", path.name, error
        )
        return None
