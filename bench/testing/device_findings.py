"""What was found of a device, as a block for an issue."""

from __future__ import annotations

import textwrap
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from bench.hardware.machine import describe, git_state, versions

LOSS, GRADIENTS, SCORES = 1e-4, 1e-3, 1e-3
"""Largest relative differences between device and CPU in fp32: of the loss of a training step, of
the gradients of all weights together, and of the scores of a clip. Chosen here: a sum of a million
products in another order differs by some 1e-6; backpropagation and ratios of small errors enlarge
that."""
MEMORY = 0.7, 1.3
"""Bytes in use over those predicted. Chosen here."""


@dataclass
class Finding:
    """What was found of one method, or of the device, in one part of the examination."""

    part: str
    subject: str
    state: str
    """'ok', 'FAILED', or 'note' where nothing is judged."""
    text: str


@dataclass
class Examination:
    """What was found of a device."""

    device: str
    facts: list[str]
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def failed(self) -> list[Finding]:
        """The findings that are wrong."""
        return [finding for finding in self.findings if finding.state == "FAILED"]

    def text(self) -> str:
        """Return a block of at most 80 columns for an issue."""
        lines = [f"device {self.device}", *self.facts, ""]
        limits = {
            "conformance": f"device against CPU in fp32; at most: loss {LOSS:g}, gradients "
            f"{GRADIENTS:g}, scores {SCORES:g}",
            "repetition": "weights after training, bit by bit",
            "memory": f"used over predicted: from {MEMORY[0]} to {MEMORY[1]}",
            "speed": "medians; clips made in memory",
        }
        width = max((len(one.subject) for one in self.findings), default=0)
        for part, what in limits.items():
            lines += textwrap.wrap(f"{part} ({what})", 80)
            for one in (one for one in self.findings if one.part == part):
                state = "" if one.state == "note" else one.state
                lines += textwrap.wrap(
                    one.text, 80, initial_indent=f"  {one.subject:{width}}  {state:6}  ",
                    subsequent_indent=" " * (width + 12),
                )  # fmt: skip
        judged = [one for one in self.findings if one.state != "note"]
        good = len(judged) - len(self.failed)
        lines += ["", f"{good} of {len(judged)} checks passed in {self.seconds:.0f} s"]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """Return the same, as JSON can hold it."""
        return asdict(self)


def device_facts(device: str) -> list[str]:
    """Return what an issue about a device has to say of bench, machine and device."""
    known, machine = versions(), describe()
    commit = git_state()[:10]
    version = f"bench {known['vad-bench']}" + (f" (commit {commit})" if commit else "")
    parts = [f"torch {torch.__version__}"]
    parts += [f"CUDA {torch.version.cuda}" if torch.version.cuda else "no CUDA in this build"]
    if torch.backends.cudnn.is_available():
        parts.append(f"cuDNN {torch.backends.cudnn.version()}")
    lines = [
        f"{version}, Python {known['python']}",
        ", ".join(parts),
        f"{machine['system']} {machine['machine']}, {machine['cores']} cores, "
        f"{machine['memory'] / 2**30:.0f} GB",
    ]
    if device.startswith("cuda"):
        one = torch.cuda.get_device_properties(device)
        lines.append(
            f"{one.name}, {one.total_memory / 2**30:.1f} GB, capability {one.major}.{one.minor}"
        )
    return lines
