"""Findings that all checks of a run share: whether a file is what was written."""

from __future__ import annotations

from pathlib import Path

from bench.contracts.dataset import Finding
from bench.errors import RunError
from bench.files.checksums import digest_of

WIDTH = 120
"""Characters of a differing value that are shown."""


def same_digest(folder: Path, name: str, expected: str, where: str, subject: str = "") -> Finding:
    """Compare a file below `folder` with the checksum that `where` has of it."""
    subject = subject or name
    path = folder / name
    if Path(name).is_absolute() or ".." in Path(name).parts:
        return Finding(where, False, f"names {name!r}, outside of its folder")
    if not path.exists():
        return Finding(subject, False, f"is not there, and {where} has its checksum")
    try:
        same = digest_of(path) == expected
    except RunError as error:
        return Finding(subject, False, str(error))
    return Finding(
        subject,
        same,
        "is as it was written"
        if same
        else f"is not what was written: its checksum is not that in {where}",
    )


def shortened(value: object) -> str:
    """Return a value as a finding shows it."""
    text = repr(value)
    return text if len(text) <= WIDTH else text[: WIDTH - 4] + " ..."
