"""Published frame AUCs: what papers print, who quotes it, under which protocol, and how sure that
is (`published.csv`).
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.contracts.method import MethodInfo, PublishedAUC
from bench.plugins.registry import current
from bench.plugins.trained_on import TRAIN_ON

PER_CLIP = "macro"
RERUN = "-reimpl"
"""Ends the key of somebody's rerun, which is no published number."""
CONFIDENCE = ("high", "medium")
"""In the order of preference; what is `low` (a conflict, a weak source) is never printed as a
method's number."""


@dataclass(frozen=True)
class PublishedNumber:
    """One number in one source: a line of `published.csv`. `auc` is percent, as text, as the source
    prints it.

    `citation` is the BibTeX key of the method's paper, `quoted_citation` that of the paper it was
    read in, where that has one. `confidence` is 'high' (the paper itself, its authors' README, or
    two independent sources that agree), 'medium' (one secondary source) or 'low' (a conflict, or a
    weak source).
    """

    key: str
    method: str
    year: str
    venue: str
    family: str
    citation: str
    dataset: str
    auc: str
    protocol: str
    table: str
    quoted_in: str
    quoted_citation: str
    source: str
    confidence: str
    note: str
    selection: str
    """How the test split chose the weights, e.g. 'best test epoch'; empty where it did not, or
    nothing is known."""

    @property
    def exists(self) -> bool:
        """Whether the source prints a number at all."""
        return self.auc != "n/a"

    @property
    def place(self) -> str:
        """Where it was read, in words."""
        table = self.table if self.table.startswith("Table") else ""
        return f"{self.quoted_in}, {table}" if table else self.quoted_in

    @property
    def digits(self) -> int:
        """Digits behind the point."""
        return len(self.auc.partition(".")[2])

    def said(self) -> str:
        """Return the source as tables name it: plainly where it is sure, else as a quotation."""
        return self.place if self.confidence == "high" else f"as quoted by {self.place}"

    def marks(self) -> list[str]:
        """Return what must stand beside the number: another protocol, and weights that the test
        part chose.
        """
        return [
            *filter(
                None,
                (
                    self.deviation(),
                    self.selection and f"{self.selection}: the test split chose the weights",
                ),
            )
        ]

    def deviation(self) -> str:
        """Return how its protocol differs from frames pooled over all clips; empty where it does
        not, or nothing is known.
        """
        return self.protocol if self.protocol.startswith(("per-scene", PER_CLIP)) else ""


_NAMES = {
    "abnormalgan": "AbnormalGAN",
    "ffp": "Frame prediction",
    "hf2vad": "HF$^2$-VAD",
    "jigsaw": "Jigsaw",
    "mnad-pred": "MNAD (prediction)",
    "ssmtl": "SSMTL",
    "ssmtl-pp-v1": "SSMTL++ v1",
    "ssmtl-pp-v2": "SSMTL++ v2",
    "vec": "VEC",
}
"""Display names of methods that have published numbers and no class here."""


def published_name(key: str) -> str:
    """Return the display name of a method that is not in a run: that of its class where it is
    registered; an unknown key as it is.
    """
    known = current().methods.get(key)
    return (known.info.display_name if known is not None else "") or _NAMES.get(key, key)


def published_dataset(name: str) -> str:
    """Return the display name of a dataset that is not in a run, as `published_name` of a method."""
    known = current().datasets.get(name)
    return (known.info.display_name if known is not None else "") or name


@functools.cache
def published_numbers() -> tuple[PublishedNumber, ...]:
    """Return all lines of `published.csv`, in its order."""
    with (Path(__file__).parent / "published.csv").open(encoding="utf-8", newline="") as file:
        return tuple(PublishedNumber(**line) for line in csv.DictReader(file))


@functools.cache
def dataset_in_papers(label: str) -> str:
    """Return the registered name of the dataset that papers mean by a label, like 'ped2' or
    'shanghaitech[models=per-scene]'; empty for one that is trained on another (`train_on`), of
    which none prints a number.
    """
    name, _, values = label.partition("[")
    return "" if f"{TRAIN_ON.name}=" in values else name


def number_of(key: str, label: str) -> PublishedNumber | None:
    """Return the number to print for a method on a dataset, by its label: the highest confidence,
    then pooled over clips, then the most digits.

    Reruns, means over clips (`macro`) and what is `low` do not count; None where nothing is left.
    """
    dataset = dataset_in_papers(label)
    found = [
        number
        for number in published_numbers()
        if (number.key, number.dataset) == (key, dataset)
        and number.exists
        and number.confidence in CONFIDENCE
        and not number.protocol.startswith(PER_CLIP)
    ]
    return min(
        found,
        key=lambda number: (CONFIDENCE.index(number.confidence), -number.digits),
        default=None,
    )


def published_of(name: str, info: MethodInfo) -> tuple[PublishedAUC, ...]:
    """Return the published numbers of a method: what it says of itself, else what `published.csv`
    has under its name.
    """
    if info.published:
        return info.published
    datasets = dict.fromkeys(number.dataset for number in published_numbers() if number.key == name)
    numbers = [number_of(name, dataset) for dataset in datasets]
    return tuple(
        PublishedAUC(
            number.dataset, number.auc, "; ".join(filter(None, (number.said(), number.selection)))
        )
        for number in numbers
        if number is not None
    )


def bibliography(keys: Iterable[str]) -> dict[str, str]:
    """Return key -> BibTeX entry, for those of the keys that `published.bib` has: papers that
    quote, and methods that are not here.
    """
    text = (Path(__file__).parent / "published.bib").read_text(encoding="utf-8")
    entries = {
        entry.partition("{")[2].partition(",")[0]: entry.strip()
        for entry in re.split(r"\n(?=@)", text)
    }
    return {key: entries[key] for key in keys if key in entries}
