"""Reads cell arrays of Matlab files, in a process of its own: on damaged files scipy's parser may
crash, and HDF5's search without end.

`read_cells` asks that process, which is started at first use and lives as long as the one that
asks.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import math
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

import numpy as np

from bench import DataError

TIME_LIMIT = 60.0
"""Seconds for one file. Chosen here: the largest of Avenue's takes about one."""
LARGEST = 1 << 29
"""Bytes that the cells of one file may take. Chosen here: Avenue's longest clip has 0.3 GiB of
masks."""
_turn = threading.Lock()
_reader: tuple[int, subprocess.Popen[bytes]] | None = None
"""The process that started it (one forked from that one needs its own), and the reader."""


def read_cells(path: Path, name: str) -> list[np.ndarray]:
    """Return the cells of a one-dimensional cell array, as Matlab has them; a cell that is no array
    of numbers or text has the type V1.

    Raises
    ------
    DataError : not a Matlab file, no such variable, no cell array, or a file that cannot be read in
        time or memory.
    """
    global _reader
    with _turn:
        if _reader is None or _reader[0] != os.getpid() or _reader[1].poll() is not None:
            _end()
            process = subprocess.Popen(
                [sys.executable, "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            _reader = os.getpid(), process
        process = _reader[1]
        assert process.stdin is not None and process.stdout is not None
        alarm = threading.Timer(TIME_LIMIT, process.kill)
        alarm.start()
        try:
            process.stdin.write(json.dumps([os.fspath(path.absolute()), name]).encode() + b"\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            cells = [
                _receive(process.stdout, np.dtype(kind), tuple(shape))
                for kind, shape in answer.get("cells", ())
            ]
        except (OSError, ValueError, EOFError) as error:
            process.kill()
            _end()
            raise DataError(
                f"{path} is damaged: reading it ended its reader, or took more than {TIME_LIMIT:g} s; copy or unpack it again"
            ) from error
        finally:
            alarm.cancel()
    if "refused" in answer:
        raise DataError(f"{path}{answer['refused']}")
    return cells


def _receive(pipe: IO[bytes], kind: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    size = kind.itemsize * math.prod(shape)
    content = pipe.read(size)
    if len(content) < size:
        raise EOFError
    return np.frombuffer(content, kind).reshape(shape) if size else np.zeros(shape, kind)


@atexit.register
def _end() -> None:
    """End the reader, and take its outcome."""
    global _reader
    if _reader is not None and _reader[0] == os.getpid():
        process = _reader[1]
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        process.wait()
    _reader = None


# --------------------------------------------------------------------------------------------------
# in the reader


class _Refused(Exception):
    """What stands behind the file's name in the error."""


def _cells_of_version_5(path: Path, name: str) -> list[np.ndarray]:
    import scipy.io

    try:
        variables = scipy.io.loadmat(str(path), variable_names=[name])
    except Exception as error:  # scipy raises whatever its parser stumbles over
        raise _Refused(
            f" cannot be read as a Matlab file: {error}; copy or unpack it again"
        ) from error
    array = variables.get(name)
    if array is None:
        raise _Refused(f" has no variable {name!r}; is it another file?")
    array = np.asarray(array)
    if array.dtype == object:
        return [np.asarray(cell) for cell in array.ravel(order="F")]
    if name == "gt" and array.ndim == 2 and array.shape[1] == 2 and array.shape[0] != 2:
        return list(array)  # cells of one range each, stacked to (clips, 2)
    raise _Refused(
        f": {name} is {array.dtype} {array.shape}, expected a cell array with one cell a {'clip' if name == 'gt' else 'frame'}"
    )


def _cells_of_hdf5(path: Path, name: str) -> list[np.ndarray]:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if name not in file:
                raise _Refused(f" has no variable {name!r}; is it another file?")
            cells = file[name]
            if getattr(cells, "dtype", None) != h5py.ref_dtype:
                raise _Refused(
                    f": {name} is {getattr(cells, 'dtype', 'a group')} {getattr(cells, 'shape', '')}, expected a cell array"
                )
            return [_hdf5_cell(file[reference]) for reference in cells[()].ravel()]
    except _Refused:
        raise
    except Exception as error:  # h5py raises whatever HDF5 stumbles over
        raise _Refused(
            f" cannot be read as a Matlab file of version 7.3: {error}; copy or unpack it again"
        ) from error


def _hdf5_cell(cell: Any) -> np.ndarray:
    if np.any(cell.attrs.get("MATLAB_empty", 0)):
        return np.zeros((0, 0))
    return np.asarray(cell[()]).T


def _answer(path: Path, name: str) -> list[np.ndarray]:
    import h5py

    cells = _cells_of_hdf5(path, name) if h5py.is_hdf5(path) else _cells_of_version_5(path, name)
    needed = sum(cell.nbytes for cell in cells)
    if needed > LARGEST:
        raise _Refused(
            f": the cells of {name} take {needed} bytes, more than the {LARGEST} that are read"
        )
    return [cell if cell.dtype.kind in "biufcSU" else np.zeros(cell.shape, "V1") for cell in cells]


def _serve(asked: IO[bytes], answers: IO[bytes]) -> None:
    for line in asked:
        path, name = json.loads(line)
        try:
            cells = _answer(Path(path), name)
        except _Refused as reason:
            answers.write(json.dumps({"refused": str(reason)}).encode() + b"\n")
        else:
            answers.write(
                json.dumps({"cells": [[cell.dtype.str, cell.shape] for cell in cells]}).encode()
                + b"\n"
            )
            for cell in cells:
                answers.write(cell.tobytes())
        answers.flush()


def _limit_memory() -> None:
    """Let a file that claims to be huge fail here, where systems can."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        limit = 3 * LARGEST if hard == resource.RLIM_INFINITY else min(3 * LARGEST, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


if __name__ == "__main__":
    _limit_memory()
    _serve(sys.stdin.buffer, sys.stdout.buffer)
