"""Reads Matlab files, in a process of its own: on damaged files scipy's parser may crash, and HDF5's
search without end.

`load_mat` asks that process, which is started at first use and lives as long as the one that asks.
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

TIME_LIMIT = 60.0
"""Seconds for one file. Chosen here: the largest of Avenue's takes about one."""
LARGEST = 1 << 29
"""Bytes that the arrays of one file may take. Chosen here: Avenue's longest clip has 0.3 GiB of
masks."""
NOT_NUMBERS = np.dtype("V1")
"""The type of what is neither numbers nor text: a structure, an object, a group."""
Variable = np.ndarray | list[np.ndarray]
"""An array, or the elements of a cell array in Matlab's order, column by column."""
_turn = threading.Lock()
_reader: tuple[int, subprocess.Popen[bytes]] | None = None
"""The process that started it (one forked from that one needs its own), and the reader."""


def load_mat(path: Path, name: str = "") -> dict[str, Variable]:
    """Return the variables of a Matlab file of version 5 to 7.3, or the one of this name.

    Raises
    ------
    OSError : there is no such file.
    ValueError : not a Matlab file, or one that cannot be read in time or memory.
    """
    global _reader
    path.stat()
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
            found: dict[str, Variable] = {}
            for variable, is_cells, arrays in answer.get("variables", ()):
                received = [
                    _receive(process.stdout, np.dtype(kind), tuple(shape)) for kind, shape in arrays
                ]
                found[variable] = received if is_cells else received[0]
        except (OSError, ValueError, EOFError) as error:
            process.kill()
            _end()
            raise ValueError(
                f"reading it ended its reader, or took more than {TIME_LIMIT:g} s"
            ) from error
        except BaseException:  # Ctrl-C: what is left of the answer would be taken for the next one
            process.kill()
            _end()
            raise
        finally:
            alarm.cancel()
    if "refused" in answer:
        raise ValueError(answer["refused"])
    return found


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


class _Refused(ValueError):
    """What is wrong with the file."""


def _plain(value: Any) -> np.ndarray:
    """Return an array of numbers or text as it is, in the place of everything else one that is
    none.
    """
    array = value if isinstance(value, np.ndarray) else np.zeros((), NOT_NUMBERS)
    return array if array.dtype.kind in "biufcSU" else np.zeros(array.shape, NOT_NUMBERS)


def _of_version_5(path: Path, name: str) -> dict[str, Variable]:
    import scipy.io

    found = scipy.io.loadmat(str(path), variable_names=[name] if name else None)
    return {
        variable: [_plain(cell) for cell in value.ravel(order="F")]
        if isinstance(value, np.ndarray) and value.dtype == object
        else _plain(value)
        for variable, value in found.items()
        if not variable.startswith("__")
    }


def _of_hdf5(path: Path, name: str) -> dict[str, Variable]:
    import h5py

    found: dict[str, Variable] = {}
    with h5py.File(path, "r") as file:
        names = [one for one in file if not one.startswith("#")]
        for variable in [one for one in names if name in ("", one)]:
            value = file[variable]
            if isinstance(value, h5py.Dataset) and value.dtype == h5py.ref_dtype:
                found[variable] = [
                    _plain(_hdf5_array(file[reference])) for reference in value[()].ravel()
                ]
            else:
                found[variable] = _plain(_hdf5_array(value))
    return found


def _hdf5_array(value: Any) -> Any:
    """Return an array as Matlab has it: HDF5 holds it transposed, an empty one as its size, and
    text as numbers.
    """
    if np.any(value.attrs.get("MATLAB_empty", 0)):
        return np.zeros((0, 0))
    if value.attrs.get("MATLAB_class") in (b"char", "char"):
        return np.array("text")
    return np.asarray(value[()]).T


def _answer(path: Path, name: str) -> dict[str, Variable]:
    import h5py

    try:
        read = _of_hdf5 if h5py.is_hdf5(path) else _of_version_5
        found = read(path, name)
    except Exception as error:  # scipy and h5py raise whatever their parsers stumble over
        raise _Refused(str(error) or type(error).__name__) from error
    needed = sum(
        array.nbytes
        for value in found.values()
        for array in (value if isinstance(value, list) else [value])
    )
    if needed > LARGEST:
        raise _Refused(f"it takes {needed} bytes, more than the {LARGEST} that are read")
    return found


def _serve(asked: IO[bytes], answers: IO[bytes]) -> None:
    for line in asked:
        path, name = json.loads(line)
        try:
            found = _answer(Path(path), name)
        except _Refused as reason:
            answers.write(json.dumps({"refused": str(reason)}).encode() + b"\n")
        else:
            lists = {
                variable: value if isinstance(value, list) else [value]
                for variable, value in found.items()
            }
            head = [
                [
                    variable,
                    isinstance(found[variable], list),
                    [[array.dtype.str, array.shape] for array in arrays],
                ]
                for variable, arrays in lists.items()
            ]
            answers.write(json.dumps({"variables": head}).encode() + b"\n")
            for arrays in lists.values():
                for array in arrays:
                    answers.write(array.tobytes())
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
