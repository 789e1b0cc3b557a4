"""What a protocol is: everything between scores and number, as five choices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.contracts.parameters import check_value, parameter, schema

DEFAULT_PROTOCOL = "median17"
"""The one of a run, and of `bench.score`, unless another is named."""
OURS = "no source: the choices that published evaluations differ in"


@dataclass(frozen=True)
class Protocol:
    """One point in the space of protocols. Each choice is a parameter: 'median17[edge=zero]'."""

    name: str
    smooth: Literal["none", "median", "gaussian"] = parameter(
        "none", source=OURS, doc="smoothing of the scores of a clip"
    )
    window: int = parameter(
        17,
        unit="frames",
        source="Lappas et al. 2024; HF2-VAD's code",
        doc="of the median; odd",
        minimum=1,
    )
    sigma: float = parameter(
        10.0,
        unit="frames",
        source="no source: object-centric papers smooth about so far",
        doc="of the gaussian",
        minimum=0.0,
    )
    edge: Literal["reflect", "zero"] = parameter(
        "reflect",
        source="zero: scipy.signal.medfilt, as HF2-VAD's code; the DDL paper does not say",
        doc="beyond a clip's ends: mirrored, or 0",
    )
    normalise: Literal["none", "clip"] = parameter(
        "none", source=OURS, doc="clip: min-max to 0..1 in each clip; a constant clip becomes 0"
    )
    order: Literal["smooth-first", "normalise-first"] = parameter(
        "smooth-first", source=OURS, doc="which comes first"
    )
    pool: Literal["micro", "macro", "macro-padded", "scene-median", "scene-mean"] = parameter(
        "micro",
        source="macro: Georgescu et al. 2021; scene-median: Lappas et al. 2024",
        doc="how the clips become one number",
    )
    labels: str = parameter(
        "default",
        source=OURS,
        doc="label set by name, where the dataset has it; default: the dataset's own",
    )
    frames: Literal["own", "common"] = parameter(
        "own",
        source=OURS,
        doc="own: all frames a method scored; common: those that every row of the table scored",
    )

    def __post_init__(self) -> None:
        for entry in schema(type(self)):
            check_value(getattr(self, entry.name), entry)
        if self.window % 2 == 0:
            raise ValueError(
                f"window {self.window}: an odd number of frames from 1 is needed, so that it has "
                "a middle"
            )
        if not self.sigma > 0:
            raise ValueError(f"sigma {self.sigma}: must be above 0")
        if self.pool == "macro-padded" and self.normalise != "clip":
            raise ValueError(
                "pool macro-padded adds a score of 0 and one of 1 to each clip, which means "
                "something after normalise=clip alone"
            )
