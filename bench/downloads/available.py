"""What `bench download` can get: datasets, and weights that detectors and methods need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.contracts.dataset import Dataset
from bench.errors import DataError, RequestError
from bench.files.download import Download, PretrainedWeights, shown
from bench.plugins.registry import Registry
from bench.plugins.selection import select
from bench.plugins.syntax import Item, parse
from bench.wording import did_you_mean


@dataclass(frozen=True)
class Wanted:
    """A dataset or weights, by the name that `bench download` takes."""

    name: str
    title: str
    licence: str
    citation: str
    downloads: tuple[Download, ...]
    part: type[Dataset] | PretrainedWeights

    def here(self, roots: Sequence[Path]) -> tuple[str, bool]:
        """Return where it is, empty where it is not, and whether it is complete."""
        if isinstance(self.part, PretrainedWeights):
            path = self.part.path()
            try:
                self.part.digest("", self.name, "")
            except DataError:
                return (shown(path) if path.exists() else ""), False
            return shown(path), True
        dataset = self.part()
        try:
            dataset.locate(roots)
        except DataError:
            return "", False
        try:
            complete = dataset.share() == 1 and not any(
                map(dataset.lacks, ("lengths", "frames", "train"))
            )
            complete &= set(dataset.available_label_sets()) >= set(dataset.label_sets)
        except DataError:
            complete = False
        return shown(dataset.root or Path()), complete


def available(registry: Registry) -> dict[str, Wanted]:
    """Return all that can be had, by name."""
    found = {
        name: Wanted(name, cls.info.title, cls.info.licence, cls.info.citation, cls.downloads, cls)
        for name, cls in registry.datasets.items()
        if cls.downloads
    }
    for kind in ("detectors", "methods"):
        for cls in registry.table(kind).values():
            for one in cls.pretrained:
                found.setdefault(
                    one.name,
                    Wanted(
                        one.name,
                        f"{one.title}, weights",
                        one.licence,
                        one.citation,
                        (one.download,),
                        one,
                    ),
                )
    return found


def choose(text: str, registry: Registry) -> list[Wanted]:
    """Return what a selection of datasets, weights, and methods that need weights means.

    Raises
    ------
    RequestError : with every mistake.
    """
    known = available(registry)
    names: list[str] = []
    mistakes: list[str] = []
    for item in parse(text):
        try:
            found = _named(item, known, registry)
        except RequestError as error:
            mistakes += error.mistakes
            continue
        if item.exclude:
            names = [name for name in names if name not in found]
        else:
            names += [name for name in found if name not in names]
    if mistakes:
        raise RequestError(*dict.fromkeys(mistakes))
    if not names:
        raise RequestError(f"{text!r} leaves nothing to download (bench download --list)")
    return [known[name] for name in names]


def _named(item: Item, known: dict[str, Wanted], registry: Registry) -> list[str]:
    if item.mistakes:
        raise RequestError(*item.mistakes)
    if item.values:
        raise RequestError(f"{item.text!r}: a download has no parameters; write {item.name}")
    if item.name in known:
        return [item.name]
    if item.name in registry.groups("datasets"):
        chosen = [one.name for one in select("datasets", item.name, registry)]
        return [name for name in chosen if name in known]
    for kind in ("detectors", "methods"):
        if cls := registry.table(kind).get(item.name):
            if not cls.pretrained:
                raise RequestError(f"{item.name} has no weights to download")
            return [one.name for one in cls.pretrained]
    if cls := registry.datasets.get(item.name):
        raise RequestError(f"{item.name} cannot be downloaded. {cls.info.obtain}".strip())
    hint = did_you_mean(item.name, known)
    raise RequestError(
        f"nothing called {item.name!r} can be downloaded{hint} (bench download --list)"
    )
