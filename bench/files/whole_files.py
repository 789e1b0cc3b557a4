"""Writing whole files or none, and reading JSON and npz with errors a user can act on."""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench.errors import RunError
from bench.files.arrays import load_npz


def write_bytes(path: Path, data: bytes, durable: bool = True) -> None:
    """Write `data` to `path` so that a reader sees the old file or the new one, never half of it.

    `durable` waits until the disk has it; not needed for what may be lost with the machine.

    Raises
    ------
    RunError : the folder cannot be written, or the disk is full.
    """
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        put_in_place(Path(temporary), path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise RunError(
            f"cannot write {path}: {error.strerror or error}; free space or permission is needed there, or choose another folder with --out"
        ) from error


def put_in_place(made: Path, path: Path) -> None:
    """Rename a file that is complete, beside or below `path`, to it, with the mode of a file that
    any program writes.

    Files made by `tempfile` and safetensors can be read by their owner alone, which is no use in a
    run folder that several people share.
    """
    umask = os.umask(0)
    os.umask(umask)
    made.chmod(0o666 & ~umask)
    made.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    write_bytes(path, _as_utf8(text))


def write_json(path: Path, value: Any, durable: bool = True) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    write_bytes(
        path,
        _as_utf8(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"),
        durable,
    )


def _as_utf8(text: str) -> bytes:
    """Return a text as UTF-8. A byte of a file's name that is not UTF-8 (a surrogate in Python's
    form of the name) becomes '?'.
    """
    return text.encode("utf-8", errors="replace")


def read_json(path: Path, what: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    RunError : the file is absent, cannot be read, or holds something else.
    """
    try:
        value = msgspec.json.decode(path.read_bytes())
    except FileNotFoundError as error:
        raise RunError(f"{what}: there is no {path}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{what}: {path} cannot be read ({error})") from error
    if not isinstance(value, dict):
        raise RunError(f"{what}: {path} holds a {type(value).__name__}, expected an object")
    return value


def npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return arrays as a compressed npz: what `numpy.savez_compressed` writes, which takes no array
    called 'file'.

    All members have the same date, so equal arrays give equal bytes.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
    return buffer.getvalue()


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of an npz; nothing in it is unpickled.

    Raises
    ------
    RunError : absent or damaged.
    """
    try:
        return load_npz(path)
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path} cannot be read ({error}); the same `bench run` line writes it anew"
        ) from error
