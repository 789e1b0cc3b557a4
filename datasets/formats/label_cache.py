"""Labels that take long to read, pixel masks of a whole clip say, kept in the cache folder."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench import DataError, cache_folder


def cached_labels(path: Path, read: Callable[[Path], np.ndarray]) -> np.ndarray:
    """Return `read(path)`, (N,) uint8 of 0/1; the next time from the cache, as long as path, size
    and time of change are the same.

    A cache that is damaged or cannot be written costs a second reading, no error.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    name = str(path.absolute())
    identity = [name, status.st_size, status.st_mtime_ns]
    entry = (
        cache_folder()
        / "mask-labels"
        / f"{hashlib.sha256(name.encode(errors='surrogateescape')).hexdigest()[:32]}.json"
    )
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        record = json.loads(entry.read_text(encoding="utf-8"))
        if record["file"] == identity and set(record["labels"]) <= {"0", "1"}:
            return np.array([int(label) for label in record["labels"]], dtype=np.uint8)
    labels = read(path)
    temporary = entry.with_name(f"{entry.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        entry.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(
            json.dumps({"file": identity, "labels": "".join(map(str, labels.tolist()))}),
            encoding="utf-8",
        )
        temporary.replace(entry)
    return labels
