"""How a cell computes: everything that is chosen beside the parameters of its method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

PRECISIONS = ("fp32", "tf32", "bf16")


def _option(default: Any, help: str, choices: Sequence[str] = (), shown: str = "") -> Any:
    """Return a field that is an option of `bench run`; `shown` is its default in words."""
    return field(default=default, metadata={"help": help, "choices": choices, "shown": shown})


@dataclass(frozen=True)
class Compute:
    """How a cell computes. Each field with a help text is an option of `bench run`.

    What stands in CHANGES_SCORES is part of a cell's key and marks its row. `device` and `threads`
    may change the last digits; they stand in the caption.
    """

    device: str = _option(
        "",
        "Device: cpu, cuda (all GPUs, each with cells of its own), or some GPUs, like cuda:0,cuda:2; "
        "mps and xpu are untried.",
        shown="cuda if there is a GPU, else cpu",
    )
    """Empty: the plan chooses. In a cell, the kind alone: its worker sees no GPU but its own."""
    threads: int = _option(
        0,
        "CPU threads of a cell.",
        shown="all cores divided among the workers; 4 on other machines",
    )
    """0: the plan chooses."""
    accumulate: int = _option(
        1,
        "Split each training batch of a network into this many parts and accumulate gradients. "
        "Needs less memory; scores change where a loss or layer looks at the whole batch.",
    )
    precision: str = _option(
        "fp32",
        "Arithmetic of networks in training and scoring. fp32 is IEEE single precision on every "
        "device. tf32 (GPUs) and bf16 are faster on devices that have them; scores change, and the "
        "row of the table says so.",
        choices=PRECISIONS,
    )
    compile: bool = _option(
        False,
        "Compile networks with torch.compile: minutes at the start, faster afterwards; the row of "
        "the table says so.",
    )
    nondeterministic: bool = _option(
        False,
        "Let networks use operations that have no deterministic form on a GPU: the same seed may "
        "then give other scores; the row of the table says so.",
    )
    batch: int = 0
    """Windows, or streamed frames, that a network scores at once; 0: `scoring_batch`. No score may
    depend on it."""

    @property
    def scoring_batch(self) -> int:
        """Windows, or streamed frames, that a network scores at once at most; fewer where a batch
        is out of memory.

        On a CPU 4, measured: at 8 features leave the caches, which costs C3DSU of latent 64 an
        eighth of its time and 3D networks up to half; at 2 only these gain further. On other
        devices 64, chosen here, not measured.
        """
        return self.batch or (4 if self.device in ("", "cpu") else 64)

    @classmethod
    def of_key(cls, key: Mapping[str, Any], device: str, threads: int) -> Compute:
        """Return how a cell with this key was computed."""
        changed = {name: key[name] for name in CHANGES_SCORES if name in key}
        return cls(device=device, threads=threads, **changed)

    def key(self) -> dict[str, Any]:
        """Return the entries of a cell's key: what changes scores and is not at its default."""
        return {
            name: getattr(self, name)
            for name in CHANGES_SCORES
            if getattr(self, name) != getattr(Compute(), name)
        }

    def mistakes(self) -> list[str]:
        """Return what is wrong with the values, as options of the command line."""
        wrong = []
        for name, lowest in (("threads", 0), ("accumulate", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
                wrong.append(f"--{name} {value!r}: expected a whole number from 1")
        if self.precision not in PRECISIONS:
            wrong.append(f"--precision {self.precision!r}: there are fp32, tf32 and bf16")
        return wrong

    def deviations(self) -> list[str]:
        """Return what this makes of a cell: footnotes of its row."""
        found = []
        if self.accumulate > 1:
            found.append(
                f"--accumulate {self.accumulate}: each batch is trained in {self.accumulate} "
                "parts: statistics, ratios and updates of a memory that a batch has are those of "
                "a part"
            )
        if self.precision == "bf16":
            found.append(
                "--precision bf16: the network computes in bfloat16, weights stay in fp32; "
                "published numbers are of fp32"
            )
        if self.precision == "tf32":
            found.append(
                "--precision tf32: convolutions and matrix products round their inputs to 10 bits "
                "of mantissa; published numbers are of fp32"
            )
        if self.nondeterministic:
            found.append(
                "--nondeterministic: sums may be taken in another order each time, so that the "
                "same seed may give other scores"
            )
        if (kind := self.device.partition(":")[0]) in ("mps", "xpu"):
            found.append(f"--device {kind}: nobody has tried bench on such a device")
        if self.compile:
            found.append(
                "--compile: the network is compiled by torch, so that sums are rounded in another "
                "order"
            )
        return found


OPTIONS = tuple(field for field in fields(Compute) if "help" in field.metadata)
"""The fields that are options of `bench run`."""
CHANGES_SCORES = ("accumulate", "precision", "compile", "nondeterministic")
"""The fields that are part of a cell's key, in its order."""
