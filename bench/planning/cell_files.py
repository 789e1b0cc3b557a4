"""What a cell depends on beside its dataset: files that parameters name or creators find, and the
sources of plugins that take part.
"""

from __future__ import annotations

from typing import Any

from bench.contracts.creator import Creator
from bench.contracts.method import Method
from bench.contracts.network_method import NetworkMethod
from bench.errors import DataError
from bench.plugins.named_files import content_hash, named_files
from bench.plugins.registry import Registry


def creators_of(method: Method) -> list[Creator]:
    """Return the creators of pseudo-anomalies that a method holds as attributes, one or a list of
    them.
    """
    held = [
        part
        for value in vars(method).values()
        for part in (value if isinstance(value, list | tuple) else [value])
    ]
    return [part for part in held if isinstance(part, Creator)]


def file_keys(method: Method, dataset: str, registry: Registry) -> tuple[dict[str, Any], list[str]]:
    """Return the entries of a cell's key that tell files from others, and what is said of files
    that are not there.

    'weights': the SHA-256 of a network's released weights. 'files': that of all other files, by the
    parameter that names them, or by what a creator that found them calls them. 'creators': that of plugin files with creators. What there is none of
    has no entry.
    """
    trained = not isinstance(method, NetworkMethod) or method.weights_file is None
    creators = creators_of(method) if trained else []
    files: dict[str, str] = {}
    absent: list[str] = []
    parts: list[tuple[str, str, Method | Creator]] = [("", "methods", method)]
    parts += [(f"{creator.name}.", "creators", creator) for creator in creators]
    for prefix, kind, part in parts:
        home = registry.file(kind, part.name)
        found, missing = named_files(
            part.parameters, [{"dataset": dataset}], None if home is None else home.parent
        )
        absent += missing
        try:
            if isinstance(part, Creator):
                found |= {name: [path] for name, path in part.found_files().items()}
            files |= {prefix + name: content_hash(paths) for name, paths in found.items()}
        except DataError as error:
            absent.append(str(error))
    keys: dict[str, Any] = {}
    if not trained and "weights" in files:
        keys["weights"] = files.pop("weights")
    if files:
        keys["files"] = files
    if any(
        sources := {
            creator.name: registry.source("creators", creator.name) for creator in creators
        }.values()
    ):
        keys["creators"] = list(sources)
    return keys, absent
