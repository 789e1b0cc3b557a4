"""The profiles: named choices of the parameters of methods. They are listed here alone."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """What a profile is for, and the profile that a method without an entry of this name takes;
    empty: its defaults.
    """

    meaning: str
    fallback: str = ""


PROFILES = {
    "paper": Profile("as published; the default on a GPU"),
    "large": Profile(
        "the published training with a narrower network, hours per cell on one CPU core in bf16; "
        "methods without it use medium or small",
        fallback="medium",
    ),
    "medium": Profile("at most 60 minutes per cell on Ped2 with two CPU cores", fallback="small"),
    "small": Profile(
        "at most 30 minutes per cell on Ped2 with two CPU cores; the default without a GPU"
    ),
    "smoke": Profile(
        "seconds, to see that all works; the default of the demo datasets. Its numbers say nothing about a method"
    ),
}
"""From the most work to the least. `paper` is a method's defaults."""

OVERRIDES = tuple(name for name in PROFILES if name != "paper")
"""The profiles that a method may declare."""


def named(conjunction: str = "or") -> str:
    """Return the names for a sentence: 'paper, large, ... or smoke'."""
    *most, last = PROFILES
    return f"{', '.join(most)} {conjunction} {last}"
