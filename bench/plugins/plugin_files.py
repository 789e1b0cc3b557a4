"""Load a plugin's module: an entry point, or a file. Say where an error in it comes from."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from bench.errors import RequestError
from bench.plugins.imported_files import import_from_source

CAUGHT = (Exception, SystemExit)
"""What a plugin may raise without harm to others. KeyboardInterrupt passes: it is the user's."""


class BrokenPlugin(Exception):
    """A plugin cannot be used; the text is the reason, for its author."""


def module_name(file: Path) -> str:
    """Return the name under which a plugin file is loaded: the same in every process, another for
    every path.
    """
    return f"bench_plugin_{file.stem}_{hashlib.sha256(str(file).encode(errors='surrogateescape')).hexdigest()[:8]}"


def refuse_missing(files: Sequence[Path]) -> None:
    """Refuse a request that names plugin files which are not there.

    Raises
    ------
    RequestError : with each of them.
    """
    missing = [file for file in files if not file.expanduser().exists()]
    if missing:
        raise RequestError(*(f"--plugin {file}: there is no such file" for file in missing))


def read_source(file: Path) -> bytes:
    """Return the content of a plugin file.

    Raises
    ------
    BrokenPlugin : there is no such file, it is no Python file, or it cannot be read.
    """
    if not file.exists():
        raise BrokenPlugin(f"there is no file {file}")
    if file.is_dir() or file.suffix != ".py":
        raise BrokenPlugin(f"{file} is not a Python file; give the path of a .py file")
    try:
        return file.read_bytes()
    except OSError as error:
        raise BrokenPlugin(f"{file} cannot be read: {error.strerror}") from error


def load_file(file: Path, source: bytes) -> ModuleType:
    """Run a plugin file as a module of its own.

    The given source is what runs: no byte code is read or written, here and for modules that it
    imports from beside it, so that a hash of sources says what ran.
    """
    import_from_source(file.parent)
    name = module_name(file)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        exec(compile(source, str(file), "exec", dont_inherit=True), vars(module))
    except BaseException:
        del sys.modules[name]
        raise
    return module


def explain(error: BaseException, module: str = "", file: Path | None = None) -> str:
    """Say on one line what an exception is and where it arose: the last place in the plugin's own
    code, if there is one.
    """
    text = " ".join(str(error).split())
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg} ({error.filename}, line {error.lineno})"
    if isinstance(error, SystemExit):
        text = f"it ends the program, with {error.code!r}"
    if (
        isinstance(error, ModuleNotFoundError)
        and file is not None
        and error.name
        and (file.parent / f"{error.name}.py").is_file()
    ):
        text += (
            f" (to import {error.name}.py beside it, the plugin must add its folder to sys.path first: "
            "sys.path.insert(0, str(Path(__file__).parent)); or make both an installed package)"
        )
    return f"{type(error).__name__}" + (f": {text}" if text else "") + _place(error, module)


def _place(error: BaseException, module: str) -> str:
    frames = [
        (str(frame.f_globals.get("__name__", "")), frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if not frame.f_code.co_filename.startswith("<")
        and not str(frame.f_globals.get("__name__", "")).startswith(
            (__package__, "pluggy", "importlib")
        )
    ]
    package = module.split(".")[0]
    own = [frame for frame in frames if module and frame[0].split(".")[0] == package]
    if not frames:
        return ""
    _, path, line = (own or frames)[-1]
    return f" ({path}, line {line})"
