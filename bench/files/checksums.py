"""SHA-256 of what a run keeps, so that a number that was changed, exchanged or damaged later is
found.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.errors import RunError


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex; of a folder, that of the names and digests of all files
    below it.

    Raises
    ------
    RunError : it is absent, or cannot be read.
    """
    try:
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if file.is_file())
            return digest_of_value(
                [[file.relative_to(path).as_posix(), digest_of(file)] for file in files]
            )
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror or error})") from error


_sorted_json = json.JSONEncoder(sort_keys=True).encode  # made once: a run seals each of its cells


def digest_of_text(text: str) -> str:
    """Return the SHA-256 of a text, as UTF-8, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of_value(value: Any) -> str:
    """Return the SHA-256 of a JSON value in hex; the order of keys does not matter."""
    return digest_of_text(_sorted_json(value))


def sealed(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON object with `sha256`, the digest of all its other fields."""
    rest = _without_seal(value)
    return {**rest, "sha256": digest_of_value(rest)}


def seal_is_broken(value: Mapping[str, Any]) -> bool:
    """Whether a JSON object has a `sha256` that is not the digest of its other fields. Files of
    earlier versions have none.
    """
    return "sha256" in value and digest_of_value(_without_seal(value)) != value["sha256"]


def _without_seal(value: Mapping[str, Any]) -> dict[str, Any]:
    rest = dict(value)
    rest.pop("sha256", None)
    return rest
