"""What a plugin's hooks may return. Each check raises BrokenPlugin with a reason that its author
can act on.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

from bench.contracts.creator import Creator
from bench.contracts.dataset import Dataset, DatasetInfo
from bench.contracts.detector import Detector
from bench.contracts.executor import Executor
from bench.contracts.method import NEEDS, Method, MethodInfo
from bench.contracts.metric import Metric
from bench.contracts.network_method import NetworkMethod
from bench.contracts.observer import Observer
from bench.contracts.parameters import check_value, schema
from bench.contracts.protocol import Protocol
from bench.plugins.plugin_files import BrokenPlugin
from bench.plugins.profiles import OVERRIDES
from bench.plugins.trained_on import TRAIN_ON
from bench.wording import did_you_mean

NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_BASES: dict[str, type] = {
    "methods": Method,
    "datasets": Dataset,
    "detectors": Detector,
    "creators": Creator,
    "protocols": Protocol,
    "metrics": Metric,
    "executors": Executor,
    "observers": Observer,
}
KINDS = tuple(_BASES)
ONE = {kind: base.__name__.lower() for kind, base in _BASES.items()}
"""Kind -> one of them, as texts name it."""
HOOKS = {f"bench_{kind}": kind for kind in KINDS}
_INSTANCES = ("protocols", "metrics")
_REQUIRED = {
    "methods": ("score",),
    "datasets": ("locate", "clips", "labels"),
    "detectors": ("detect",),
    "creators": ("draw",),
    "executors": ("open", "start", "events", "stop"),
    "observers": ("finished",),
}


def check_offers(hook: str, offered: Any) -> dict[str, Any]:
    """Return name -> what a hook returned, in its order."""
    kind = HOOKS[hook]
    base = _BASES[kind]
    wanted = f"a list of {base.__name__} {'instances' if kind in _INSTANCES else 'classes'}"
    if not isinstance(offered, list | tuple):
        hint = f"; return [{offered.__name__}]" if isinstance(offered, type) else ""
        raise BrokenPlugin(f"{hook}() returned {_shown(offered)}, expected {wanted}{hint}")
    found: dict[str, Any] = {}
    for part in offered:
        if kind in _INSTANCES:
            _check_instance(hook, part, base, wanted)
        else:
            _check_class(hook, part, base, wanted)
        if part.name in found:
            raise BrokenPlugin(f"{hook}() offers two {kind} of the name {part.name!r}; rename one")
        found[part.name] = part
    return found


def _shown(thing: Any) -> str:
    return (
        f"the class {thing.__name__}"
        if isinstance(thing, type)
        else f"an object of type {type(thing).__name__}"
    )


def _check_name(what: str, name: Any) -> None:
    if not isinstance(name, str) or not name:
        raise BrokenPlugin(f'{what} has no name; write name = "..." in it')
    if not NAME.fullmatch(name):
        raise BrokenPlugin(
            f"{what}: the name {name!r} must be lower-case letters, digits and hyphens, like 'my-method'"
        )
    if name == "all":
        raise BrokenPlugin(f"{what}: 'all' is the name of a group; choose another")


def _check_instance(hook: str, part: Any, base: type, wanted: str) -> None:
    if not isinstance(part, base):
        raise BrokenPlugin(f"{hook}() offers {_shown(part)}, expected {wanted}")
    _check_name(f"a {base.__name__} of {hook}()", getattr(part, "name", None))


def _check_class(hook: str, cls: Any, base: Any, wanted: str) -> None:
    if not isinstance(cls, type):
        hint = "; offer the class, not an instance" if isinstance(cls, base) else ""
        raise BrokenPlugin(f"{hook}() offers {_shown(cls)}, expected {wanted}{hint}")
    if not issubclass(cls, base):
        raise BrokenPlugin(
            f"{hook}() offers the class {cls.__name__}, which is not derived from bench.{base.__name__}"
        )
    kind = HOOKS[hook]
    _check_name(cls.__name__, getattr(cls, "name", None))
    if getattr(cls, "published_only", ""):
        _check_info(cls, kind)
        return
    required = (
        ("known_boxes",)
        if kind == "detectors" and not getattr(cls, "needs_frames", True)
        else _REQUIRED[kind]
    )
    for function in required:
        if inspect.getattr_static(cls, function) is inspect.getattr_static(base, function):
            arguments = ", ".join(inspect.signature(getattr(base, function)).parameters)
            raise BrokenPlugin(
                f"{cls.__name__} has no {function}(); write def {function}({arguments})"
            )
    if kind == "methods":
        _check_method(cls)
    _check_info(cls, kind)
    _check_init(
        cls,
        ("window", "parameters=None", "to_range=None")
        if kind == "creators"
        else ("parameters=None",),
    )
    _check_parameters(cls)


def _check_method(cls: Any) -> None:
    if issubclass(cls, NetworkMethod):
        for function in ("window", "build"):
            if inspect.getattr_static(cls, function) is inspect.getattr_static(
                NetworkMethod, function
            ):
                raise BrokenPlugin(f"{cls.__name__} is a NetworkMethod without {function}")
    needs = inspect.getattr_static(cls, "needs")
    if not isinstance(needs, property):  # whose value depends on parameters
        if not isinstance(needs, frozenset | set):
            raise BrokenPlugin(
                f"{cls.__name__}.needs is {needs!r}, expected a set, like frozenset({{'frames'}})"
            )
        for need in sorted(needs - NEEDS):
            raise BrokenPlugin(
                f"{cls.__name__} needs {need!r}, which is none of {', '.join(sorted(NEEDS))}"
                f"{did_you_mean(need, NEEDS)}"
            )


def _check_info(cls: Any, kind: str) -> None:
    if kind not in ("methods", "datasets"):
        return
    base = MethodInfo if kind == "methods" else DatasetInfo
    if not isinstance(cls.info, base):
        raise BrokenPlugin(f"{cls.__name__}.info is {_shown(cls.info)}, expected a {base.__name__}")
    groups = cls.info.groups
    if not isinstance(groups, tuple | list) or not all(
        isinstance(group, str) and NAME.fullmatch(group) for group in groups
    ):
        raise BrokenPlugin(
            f"{cls.__name__}.info.groups is {groups!r}, expected a tuple of names, like ('baseline',)"
        )


def _check_init(cls: Any, arguments: tuple[str, ...]) -> None:
    try:
        inspect.signature(cls.__init__).bind(None, *arguments)
    except TypeError as error:
        passed = ", ".join(argument.split("=")[0] for argument in arguments)
        call = f"def __init__(self, {', '.join(arguments)}): super().__init__({passed})"
        raise BrokenPlugin(
            f"{cls.__name__}.__init__ does not take what it is given; write {call}"
        ) from error


def _check_parameters(cls: Any) -> None:
    parameters = cls.Parameters
    settings = getattr(parameters, "__dataclass_params__", None)
    bare = (
        isinstance(parameters, type)
        and "__dataclass_params__" not in vars(parameters)
        and bool(inspect.get_annotations(parameters))
    )
    if not isinstance(parameters, type) or settings is None or not settings.frozen or bare:
        raise BrokenPlugin(
            f"{cls.__name__}.Parameters is not a frozen dataclass; write @dataclass(frozen=True) above it"
        )
    try:
        entries = {entry.name: entry for entry in schema(parameters)}
        for entry in entries.values():
            if not entry.required:
                check_value(entry.default, entry)
    except (TypeError, ValueError, NameError) as error:
        raise BrokenPlugin(f"{cls.__name__}.Parameters: {error}") from error
    if issubclass(cls, Dataset) and TRAIN_ON.name in entries:
        raise BrokenPlugin(
            f"{cls.__name__}.Parameters: every dataset has a parameter {TRAIN_ON.name!r} of bench; "
            "give yours another name"
        )
    required = [entry.name for entry in entries.values() if entry.required]
    if required and not getattr(cls, "needs_parameters", True):
        raise BrokenPlugin(
            f"{cls.__name__}.Parameters: {required[0]} has no default; give it one, or write needs_parameters = True in {cls.__name__}"
        )
    for profile, values in getattr(cls, "profiles", {}).items():
        _check_profile(cls, profile, values, entries)


def _check_profile(cls: Any, profile: str, values: Any, entries: Mapping[str, Any]) -> None:
    where = f"{cls.__name__}.profiles[{profile!r}]"
    if profile not in OVERRIDES:
        raise BrokenPlugin(
            f"{where}: profiles are {', '.join(OVERRIDES)} ('paper' is the defaults)"
        )
    if not isinstance(values, Mapping):
        raise BrokenPlugin(f"{where} is {_shown(values)}, expected a dict of parameters")
    for key, value in values.items():
        if key not in entries:
            hint = did_you_mean(key, entries, f"; parameters are {', '.join(entries) or 'none'}")
            raise BrokenPlugin(f"{where} sets {key!r}, which is no parameter{hint}")
        try:
            check_value(value, entries[key])
        except ValueError as error:
            raise BrokenPlugin(f"{where}: {error}") from error
