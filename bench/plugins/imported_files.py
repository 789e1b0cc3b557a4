"""What a plugin file imports of its author's own: modules and packages that are no installed ones,
from beside it or `sys.path`.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.abc
import importlib.machinery
import inspect
import os
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType, ModuleType

ENDINGS = (".py", *importlib.machinery.EXTENSION_SUFFIXES)
_STANDARD = tuple(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib"))
_OURS = Path(__file__).resolve().parents[1]


def source_hash(file: Path, source: bytes, module: ModuleType) -> str:
    """Return the SHA-256 (hex) of a plugin's source; with that of all it imports of its author's
    own, where it does.
    """
    own = hashlib.sha256(source).hexdigest()
    imported = imported_files(file, source, module)
    if not imported:
        return own
    lines = [
        f"{os.path.relpath(path, file.parent)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n"
        for path in imported
    ]
    return hashlib.sha256("".join([own, "\n", *lines]).encode(errors="surrogateescape")).hexdigest()


def imported_files(file: Path, source: bytes, module: ModuleType) -> list[Path]:
    """Return the files of modules that a plugin imports, by themselves or through each other,
    sorted.

    Imports are read from the sources, those inside of functions too; what the loaded module holds
    is added, however it was imported.
    """
    found: set[Path] = set()
    waiting = [*_imports(file, source, file.parent), *_held(module)]
    while waiting:
        path = waiting.pop()
        if path in found or path == file:
            continue
        found.add(path)
        if path.suffix == ".py":
            waiting += _imports(path, path.read_bytes(), file.parent)
    return sorted(found)


def _imports(file: Path, source: bytes, beside: Path) -> Iterator[Path]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # its import fails, and says so
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _resolved(alias.name.split("."), _roots(alias.name, beside))
        elif isinstance(node, ast.ImportFrom):
            package = node.module.split(".") if node.module else []
            roots = (
                file.parents[node.level - 1 : node.level]
                if node.level
                else _roots(node.module or "", beside)
            )
            for alias in node.names:
                yield from _resolved([*package, alias.name], roots)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name, called = (
                node.args[0].value,
                node.func.attr
                if isinstance(node.func, ast.Attribute)
                else getattr(node.func, "id", ""),
            )
            if isinstance(name, str) and called in ("import_module", "__import__"):
                roots = _roots(name, beside) if not name.startswith(".") else [file.parent]
                yield from _resolved(name.lstrip(".").split("."), roots)


def _roots(name: str, beside: Path) -> Sequence[Path]:
    """Return the folders in which a module that is imported by its full name may lie; none for one
    that is installed.
    """
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or top == "bench":
        return []
    loaded = sys.modules.get(top)
    if loaded is not None and (place := getattr(loaded, "__file__", None)):
        place = Path(place)
        return (
            [place.parent.parent if place.stem == "__init__" else place.parent]
            if _is_own(place)
            else []
        )
    return [beside, *(path for path in map(Path, sys.path) if _is_own(path / "module.py"))]


def _resolved(parts: Sequence[str], roots: Sequence[Path]) -> list[Path]:
    """Return the files that importing a.b.c runs: those of its packages and its own; from the first
    folder that has any.
    """
    for root in roots:
        found = []
        place = root
        for part in parts:
            place = place / part
            inits = [path for ending in ENDINGS if (path := place / f"__init__{ending}").is_file()]
            modules = [
                path for ending in ENDINGS if (path := place.with_name(part + ending)).is_file()
            ]
            found += (inits or modules)[:1]
            if not inits and (
                modules or not place.is_dir()
            ):  # a folder alone is a namespace, which packages may lie in
                break
        if found:
            return [path.resolve() for path in found]
    return []


def _held(module: ModuleType) -> Iterator[Path]:
    """Yield the files of modules, functions and classes in a module's namespace."""
    for value in list(vars(module).values()):
        if isinstance(value, ModuleType) or inspect.isfunction(value) or inspect.isclass(value):
            name = value.__name__ if isinstance(value, ModuleType) else value.__module__
            if (
                str(name).partition(".")[0] == "bench"
            ):  # its methods and datasets lie elsewhere in a checkout
                continue
            try:
                path = Path(inspect.getfile(value))
            except (TypeError, OSError):  # built in, or made without a file
                continue
            if path.suffix == ".py" and path.is_file() and _is_own(path):
                yield path.resolve()


def _is_own(path: Path) -> bool:
    """Return whether a file belongs to the author: neither to Python, nor to bench, nor to an
    installed package.
    """
    path = path.resolve()
    if {"site-packages", "dist-packages"} & set(path.parts):
        return False
    return not any(path.is_relative_to(folder) for folder in (*_STANDARD, _OURS))


class _Uncached(importlib.machinery.SourceFileLoader):
    """Reads and writes no byte code."""

    def get_code(self, fullname: str) -> CodeType | None:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)  # type: ignore[no-any-return]


class _OwnSources(importlib.abc.MetaPathFinder):
    """Imports modules beside plugin files from their sources, so that a hash of these says what
    ran.

    Python takes byte code for current where size and second of the last change are equal.
    """

    def __init__(self) -> None:
        self.folders: set[Path] = set()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return what Python's own search finds, with another loader for what lies in the
        folders.
        """
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if (
            spec is None
            or type(spec.loader) is not importlib.machinery.SourceFileLoader
            or spec.origin is None
        ):
            return spec
        origin = Path(spec.origin).resolve()
        if any(origin.is_relative_to(folder) for folder in self.folders) and _is_own(origin):
            spec.loader, spec.cached = _Uncached(name, spec.origin), None
        return spec


_own_sources = _OwnSources()


def import_from_source(folder: Path) -> None:
    """Have modules below a folder imported without byte code from now on, in this process."""
    _own_sources.folders.add(folder.resolve())
    if _own_sources not in sys.meta_path:
        place = next(
            (
                place
                for place, finder in enumerate(sys.meta_path)
                if finder is importlib.machinery.PathFinder
            ),
            len(sys.meta_path),
        )
        sys.meta_path.insert(place, _own_sources)
