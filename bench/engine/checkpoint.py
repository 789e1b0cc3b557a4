"""Checkpoints of a training: what it takes to go on, bit by bit."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from bench.contracts.method import Context
from bench.engine.measured_cost import FitClock
from bench.files.whole_files import write_bytes
from bench.hardware.accelerators import random_state, set_random_state

SAVE_SECONDS = 60.0
"""Seconds between two checkpoints inside an epoch, at least: what an interruption may cost. An
epoch can take hours. Chosen here."""
WRITING_SHARE = 0.02
"""Most of the time that writing these may take. Chosen here."""


@dataclass
class EpochSoFar:
    """What was counted since the last row of the history."""

    sums: dict[str, torch.Tensor] = field(default_factory=dict)
    """Each term of the loss, summed over samples, on the device."""
    samples: int = 0
    made: int = 0
    refused: int = 0
    looks: int = 0
    """How often loss and gradients were looked at."""
    zero_gradients: int = 0
    """In how many of these looks all gradients were zero."""
    seconds: float = 0.0


@dataclass
class Progress:
    """Where training stands: what a checkpoint keeps beside weights."""

    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    """One row an epoch, or for each fixed number of steps of a method without epochs: mean of each
    term, steps made and refused, seconds."""
    kept_steps: list[dict[str, float]] = field(default_factory=list)
    """One row for each of some steps, evenly spaced: its number, from 1, and each
    term at it, before the step."""
    epoch: EpochSoFar = field(default_factory=EpochSoFar)
    seconds: float = 0.0
    """Of the fit, where training goes on from a checkpoint: those behind it."""


class CheckpointWriter:
    """Writes the checkpoints of one training; without a path, none."""

    def __init__(
        self,
        path: Path | None,
        network: torch.nn.Module,
        optimiser: torch.optim.Optimizer,
        schedule: Any,
        device: torch.device,
        clock: FitClock,
    ) -> None:
        self.path, self.device, self.clock = path, device, clock
        self.network, self.optimiser, self.schedule = network, optimiser, schedule
        self._next = time.monotonic() + SAVE_SECONDS

    @property
    def due(self) -> bool:
        """Whether the last checkpoint is so old that one is written inside an epoch."""
        return self.path is not None and time.monotonic() >= self._next

    def write(self, progress: Progress) -> None:
        """Write a checkpoint, whole or not at all."""
        if self.path is None:
            return
        began = time.monotonic()
        schedule = {} if self.schedule is None else self.schedule.state_dict()
        buffer = io.BytesIO()
        torch.save(
            {
                "network": self.network.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "schedule": {
                    key: value
                    for key, value in schedule.items()
                    if isinstance(value, int | float | list)
                },
                "step": progress.step,
                "history": progress.history,
                "kept_steps": progress.kept_steps,
                "epoch": vars(progress.epoch),
                "seconds": self.clock.seconds,
                "random": torch.get_rng_state(),
                "random_of_device": random_state(self.device),
            },
            buffer,
        )
        write_bytes(self.path, buffer.getvalue())
        now = time.monotonic()
        self._next = now + max(SAVE_SECONDS, (now - began) / WRITING_SHARE)


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
        epoch = EpochSoFar(**state["epoch"])
        epoch.sums = {name: term.to(context.device) for name, term in epoch.sums.items()}
        # One of an earlier version has the seconds of its steps alone.
        steps = sum(row["seconds"] for row in state["history"]) + epoch.seconds
        seconds = state.get("seconds", steps)
        progress = Progress(state["step"], state["history"], state["kept_steps"], epoch, seconds)
        torch.set_rng_state(state["random"])
        set_random_state(torch.device(context.device), state.get("random_of_device"))
        return progress
    except Exception as error:  # a damaged file can raise anything
        context.logger.info(
            "the checkpoint %s cannot be read (%s): training begins anew", path.name, error
        )
        return None
