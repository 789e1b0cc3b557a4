"""Findings that all checks of a run share: whether a file is what was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from bench.contracts.dataset import Finding
from bench.errors import RunError
from bench.files.checksums import digest_of, seal_is_broken

WIDTH = 120
"""Characters of a differing value that are shown."""


def wrong(subject: str, text: str) -> Finding:
    """Return a finding of what differs."""
    return Finding(subject, False, text)


def own_checksum(subject: str, value: Mapping[str, Any]) -> Finding:
    """Compare the content of a JSON file with the checksum that it has of itself."""
    if seal_is_broken(value):
        return wrong(subject, "is not what was written: its checksum differs")
    return Finding(subject, True, "is as it was written")


def same_digest(folder: Path, name: str, expected: str, where: str, subject: str = "") -> Finding:
    """Compare a file below `folder` with the checksum that `where` has of it."""
    subject = subject or name
    path = folder / name
    if Path(name).is_absolute() or ".." in Path(name).parts:
        return wrong(where, f"names {name!r}, outside of its folder")
    if not path.exists():
        return wrong(subject, f"is not there, and {where} has its checksum")
    try:
        if digest_of(path) == expected:
            return Finding(subject, True, "is as it was written")
    except RunError as error:
        return wrong(subject, str(error))
    return wrong(subject, f"is not what was written: its checksum is not that in {where}")


def shortened(value: object) -> str:
    """Return a value as a finding shows it."""
    text = repr(value)
    return text if len(text) <= WIDTH else text[: WIDTH - 4] + " ..."


def same_text(path: Path, name: str, expected: str) -> Iterator[Finding]:
    """Compare a text file with what follows from the run."""
    if not path.is_file():
        yield wrong(name, "is not there")
        return
    found = path.read_text(encoding="utf-8", errors="replace")
    if found == expected:
        yield Finding(name, True, "follows from scores and labels")
        return
    for number, (line, of_expected) in enumerate(
        zip_longest(found.split("\n"), expected.split("\n"), fillvalue=""), start=1
    ):
        if line != of_expected:
            start = max(
                0,
                next(
                    (at for at, (one, other) in enumerate(zip(line, of_expected)) if one != other),
                    0,
                )
                - WIDTH // 2,
            )
            texts = [shortened(text[start : start + WIDTH].strip()) for text in (line, of_expected)]
            yield wrong(
                name, f"line {number} reads {texts[0]}, and scores and labels give {texts[1]}"
            )
            return
