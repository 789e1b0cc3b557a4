"""All methods, datasets, detectors, creators, protocols, metrics, executors and observers:
built-in, installed, or from a file, by one way.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib
import importlib.metadata
import inspect
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

from bench.plugins import hookspecs
from bench.plugins.checks import HOOKS, KINDS, ONE, check_offers
from bench.plugins.distributions import name_and_version
from bench.plugins.imported_files import source_hash
from bench.plugins.plugin_files import (
    CAUGHT,
    BrokenPlugin,
    explain,
    load_file,
    module_name,
    read_source,
)
from bench.wording import nearest

if TYPE_CHECKING:
    from bench.contracts.creator import Creator
    from bench.contracts.dataset import Dataset
    from bench.contracts.detector import Detector
    from bench.contracts.executor import Executor
    from bench.contracts.method import Method
    from bench.contracts.metric import Metric
    from bench.contracts.observer import Observer
    from bench.contracts.protocol import Protocol

DISTRIBUTION = "vad-bench"
GROUP = "bench"


@dataclass(frozen=True)
class PluginRecord:
    """One plugin: where it comes from, and what it gave, or why it could not be used."""

    name: str
    origin: str
    """'vad-bench 0.1.0 (bench.methods)', or the path of a file."""
    provides: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Kind ('methods', ...) -> names. Empty where the plugin is broken."""
    broken: str | None = None
    """The reason, on one line."""
    module_file: Path | None = None
    """Where the module of an installed plugin lies."""
    file: Path | None = None
    sha256: str | None = None
    """Of the source, where the plugin is a file, and of the modules of its author's own that it
    imports."""


class Registry:
    """Everything that plugins offer, by kind and name, in the order in which it was offered."""

    def __init__(self) -> None:
        self.methods: dict[str, type[Method]] = {}
        self.datasets: dict[str, type[Dataset]] = {}
        self.detectors: dict[str, type[Detector]] = {}
        self.creators: dict[str, type[Creator]] = {}
        self.protocols: dict[str, Protocol] = {}
        self.metrics: dict[str, Metric] = {}
        self.executors: dict[str, type[Executor]] = {}
        self.observers: dict[str, type[Observer]] = {}
        self.origins: dict[tuple[str, str], str] = {}
        """(kind, name) -> origin of the plugin that offers it."""
        self.plugins: list[PluginRecord] = []

    def table(self, kind: str) -> dict[str, Any]:
        """Return name -> class or instance of one of `KINDS`."""
        assert kind in KINDS, kind
        return getattr(self, kind)

    def groups(self, kind: str) -> dict[str, list[str]]:
        """Return group -> names of its members, in order; what needs parameters is in none.

        `all` is what declares it, where any does (datasets); else everything that runs without
        parameters.
        """
        members = [
            name
            for name, part in self.table(kind).items()
            if not getattr(part, "needs_parameters", False)
        ]
        found: dict[str, list[str]] = {}
        for name in members:
            for group in getattr(getattr(self.table(kind)[name], "info", None), "groups", ()):
                found.setdefault(group, []).append(name)
        declared = found.pop("all", [])
        everything = declared if declared and kind != "methods" else members
        return {"all": everything, **found}

    def plugin(self, kind: str, name: str) -> PluginRecord:
        """Return the plugin that offers a name."""
        return next(record for record in self.plugins if name in record.provides.get(kind, ()))

    def file(self, kind: str, name: str) -> Path | None:
        """Return the plugin file that offers a name; None where an installed plugin does, or
        none.
        """
        return next(
            (record.file for record in self.plugins if name in record.provides.get(kind, ())), None
        )

    def source(self, kind: str, name: str) -> str:
        """Return the SHA-256 of the plugin file that offers a name, and of what it imports; empty
        where an installed plugin does.
        """
        return next(
            (
                record.sha256 or ""
                for record in self.plugins
                if name in record.provides.get(kind, ())
            ),
            "",
        )

    def complaints(self) -> list[str]:
        """Return one line for each broken plugin, for stderr."""
        return [
            f"plugin {record.name!r} is left out: {record.broken} [{record.origin}]"
            for record in self.plugins
            if record.broken
        ]

    def _add(self, record: PluginRecord, offers: Mapping[str, Mapping[str, Any]]) -> None:
        """Take all that a plugin offers, or, where a name is taken, nothing."""
        for kind, found in offers.items():
            groups = self.groups(kind)
            for name, part in found.items():
                if (kind, name) in self.origins:
                    raise BrokenPlugin(
                        f"{ONE[kind]} {name!r} is offered by {self.origins[kind, name]} already; choose another name"
                    )
                if name in groups:
                    raise BrokenPlugin(
                        f"{ONE[kind]} {name!r} has the name of a group of {kind}; choose another"
                    )
                for group in getattr(getattr(part, "info", None), "groups", ()):
                    if group in self.table(kind) or group in found:
                        raise BrokenPlugin(
                            f"{ONE[kind]} {name!r} is in the group {group!r}, which is the name of a {ONE[kind]}; choose another group"
                        )
        for kind, found in offers.items():
            self.table(kind).update(found)
            self.origins |= {(kind, name): record.origin for name in found}


_current: Registry | None = None


def load(files: Sequence[Path] = ()) -> Registry:
    """Load every plugin, own ones first, then installed ones by name, then files in the order
    given; make it the current registry.

    A plugin that cannot be used is recorded with the reason (`Registry.complaints`); all others go
    on.
    """
    global _current
    registry = Registry()
    installed = [
        (*(name_and_version(entry.dist) if entry.dist is not None else ("", "")), entry)
        for entry in importlib.metadata.entry_points(group=GROUP)
    ]
    if not any(name == DISTRIBUTION for name, *_ in installed):
        reason = f"the installed package {DISTRIBUTION} was not found, so nothing built in is there; install it (pip install -e .)"
        registry.plugins.append(PluginRecord(DISTRIBUTION, DISTRIBUTION, broken=reason))
    taken: dict[str, str] = {}
    with contextlib.redirect_stdout(sys.stderr):  # stdout is for data, whatever a plugin prints
        for name, version, entry in sorted(
            installed, key=lambda found: (found[0] != DISTRIBUTION, found[2].name, found[0])
        ):
            _load_entry_point(registry, f"{name} {version}", entry, taken)
        for file in dict.fromkeys(Path(file).expanduser().resolve() for file in files):
            if not any(
                record.module_file == file and not record.broken for record in registry.plugins
            ):  # else it is installed, too
                _load_plugin_file(registry, file)
    _current = registry
    return registry


def current() -> Registry:
    """Return the registry that was loaded last in this process; load what is installed at first
    use.
    """
    return load() if _current is None else _current


def _load_entry_point(
    registry: Registry,
    distribution: str,
    entry: importlib.metadata.EntryPoint,
    taken: dict[str, str],
) -> None:
    record = PluginRecord(entry.name, f"{distribution} ({entry.value})")
    try:
        if entry.name in taken:
            raise BrokenPlugin(
                f"its entry point has the name {entry.name!r}, as that of {taken[entry.name]}; give it another in its pyproject.toml"
            )
        taken[entry.name] = record.origin
        plugin = entry.load()
        if place := getattr(plugin, "__file__", None):
            record = dataclasses.replace(record, module_file=Path(place).resolve())
        record = _register(registry, record, plugin, entry.module)
    except BrokenPlugin as reason:
        record = dataclasses.replace(record, broken=str(reason))
    except CAUGHT as error:
        record = dataclasses.replace(record, broken=explain(error, entry.module))
    registry.plugins.append(record)


def _load_plugin_file(registry: Registry, file: Path) -> None:
    record = PluginRecord(file.name, str(file), file=file)
    try:
        source = read_source(file)
        record = dataclasses.replace(record, sha256=hashlib.sha256(source).hexdigest())
        module = load_file(file, source)
        record = dataclasses.replace(record, sha256=source_hash(file, source, module))
        record = _register(registry, record, module, module_name(file))
    except BrokenPlugin as reason:
        record = dataclasses.replace(record, broken=str(reason))
    except CAUGHT as error:
        record = dataclasses.replace(record, broken=explain(error, module_name(file), file))
    registry.plugins.append(record)


def _register(registry: Registry, record: PluginRecord, plugin: Any, module: str) -> PluginRecord:
    """Ask one plugin for all it offers. It has a manager of its own, so that what it does costs
    nobody else.
    """
    if not isinstance(plugin, ModuleType):
        raise BrokenPlugin(
            f"its entry point is an object of type {type(plugin).__name__}; let it name a module, without ':'"
        )
    unmarked = _unmarked(plugin)
    for name, place in unmarked.items():
        if name in HOOKS:
            raise BrokenPlugin(
                f"it defines {name} without @hookimpl ({place}); write @hookimpl above it"
            )
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(plugin)
    except pluggy.PluginValidationError as error:
        raise BrokenPlugin(_explain_signature(error)) from error
    callers = manager.get_hookcallers(plugin) or []
    for caller in callers:
        if not caller.has_spec():
            raise BrokenPlugin(_no_hook(caller.name))
    if not callers:
        for name, place in unmarked.items():
            raise BrokenPlugin(f"{_no_hook(name)} ({place}); it lacks @hookimpl, too")
        raise BrokenPlugin(
            f"it has no hook; write one of {', '.join(HOOKS)}, with @hookimpl above it"
        )
    asked = sorted((caller.name for caller in callers), key=list(HOOKS).index)
    offers = {}
    for hook in asked:
        for offered in getattr(manager.hook, hook)():
            offers[HOOKS[hook]] = check_offers(hook, offered)
    if not any(offers.values()):
        raise BrokenPlugin(
            f"{' and '.join(f'{hook}()' for hook in asked)} returned nothing; is a 'return [...]' missing?"
        )
    registry._add(record, offers)
    return dataclasses.replace(
        record, provides={kind: tuple(found) for kind, found in offers.items() if found}
    )


def _unmarked(plugin: ModuleType) -> dict[str, str]:
    """Return the functions that have the name of a hook but not its mark, each with its place:
    pluggy passes over them in silence.
    """
    mark = f"{hookspecs.PROJECT}_impl"
    return {
        name: f"{function.__code__.co_filename}, line {function.__code__.co_firstlineno}"
        for name, function in vars(plugin).items()
        if name.startswith("bench_")
        and inspect.isfunction(function)
        and not hasattr(function, mark)
        and function.__module__ == plugin.__name__
    }


def _no_hook(name: str) -> str:
    near = nearest(name, HOOKS)
    return f"{name} is no hook of bench" + (
        f" - did you mean {near}?" if near else f"; hooks are {', '.join(HOOKS)}"
    )


def _explain_signature(error: pluggy.PluginValidationError) -> str:
    text = " ".join(str(error).split())
    return (
        f"a hook takes arguments that are not its own; hooks of bench take none ({text})"
        if "Argument(s)" in text
        else text
    )
