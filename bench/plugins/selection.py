"""Selections: which methods, datasets, detectors and protocols, with which parameters, are meant by
a text.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bench.contracts.parameters import (
    ParameterSchema,
    describe_entries,
    format_value,
    parse_value,
    schema,
)
from bench.contracts.released_weights import ReleasedWeights, belongs_to_finished_cell
from bench.errors import BenchError, RequestError
from bench.plugins.checks import ONE
from bench.plugins.display_names import derived, find_mistake, plain, with_values
from bench.plugins.expansion import expanded
from bench.plugins.plugin_files import explain
from bench.plugins.profiles import PROFILES
from bench.plugins.registry import Registry, current
from bench.plugins.syntax import Item, parse, quote, split, write
from bench.plugins.trained_on import TRAIN_ON, trained_on
from bench.wording import did_you_mean, listed, nearest

if TYPE_CHECKING:
    import numpy as np

    from bench.contracts.clip import Window
    from bench.contracts.creator import Creator

Kind = Literal[
    "methods", "datasets", "detectors", "creators", "protocols", "executors", "observers"
]

NAMED = ("methods", "datasets")
"""The kinds whose rows may be given a display name."""


@dataclass(frozen=True)
class Selected:
    """One row of a selection: a registered name with the parameters that the user gave."""

    kind: Kind
    name: str
    target: Any
    """The class; for a protocol, the instance with the values replaced, and the label as its
    name."""
    parameters: Any
    """An instance of the class's `Parameters`, profile and values applied; for a protocol, the same
    as `target`."""
    values: Mapping[str, Any] = field(hash=False)
    """What the user gave, in the order of the fields."""
    text: str
    """The full selector: `select` reads it back to this row."""
    label: str
    """The selector as tables show it, without quotes."""
    profile: str | None = None
    """Of a method: whose overrides were applied."""
    given_name: str = ""
    """The display name that the user gave; empty for none. Not part of `text`: a name changes no
    number."""

    @property
    def display_name(self) -> str:
        """What tables print for this row or column: the name of the class, or one derived from its
        identifier, and the parameters that the user gave.
        """
        info = getattr(self.target, "info", None)
        name = getattr(info, "display_name", "") or derived(self.name)
        return with_values(name, self.values)

    def make(self) -> Any:
        """Return a new instance with the parameters; for a protocol, the protocol."""
        if self.kind == "protocols":
            return self.target
        made = self.target(self.parameters)
        if self.kind == "datasets":
            made.selector = self.text
        return made


@dataclass(frozen=True)
class _Row:
    """A row whose values are read, but not yet tried on its class."""

    name: str
    values: Mapping[str, Any]
    given_name: str = ""

    @property
    def text(self) -> str:
        return write(self.name, self.values)


def parameters_of(kind: str, target: Any) -> list[ParameterSchema]:
    """Return the parameters that a selection may set on a class, or on a protocol."""
    if kind == "protocols":
        return [entry for entry in schema(target) if entry.name != "name"]
    declared = schema(target.Parameters) if hasattr(target, "Parameters") else []
    return [*declared, TRAIN_ON] if kind == "datasets" else declared


def profile_values(target: Any, profile: str | None) -> Mapping[str, Any]:
    """Return what a profile changes in the parameters of a method; without an entry of its own,
    what its `fallback` changes.

    Raises
    ------
    RequestError : there is no such profile.
    """
    if profile is not None and profile not in PROFILES:
        hint = did_you_mean(profile, PROFILES)
        raise RequestError(f"no profile {profile!r}{hint} (profiles: {', '.join(PROFILES)})")
    while profile:
        if profile in target.profiles:
            return target.profiles[profile]
        profile = PROFILES[profile].fallback
    return {}


def select(kind: Kind, text: str, registry: Registry, profile: str | None = None) -> list[Selected]:
    """Return the rows that a selection means, in its order, each tried by making one instance.

    Parameters
    ----------
    text : names or groups separated by commas; `name[key=value,key=a|b]` sets parameters, one row
        an alternative; `-name` takes away what stands before it; `name as TEXT` gives a method or
        dataset its display name, in which `{key}` stands for the value of a parameter.
    profile : whose overrides apply to methods before the user's values. With released weights those
        of `paper`, whose network they belong to; with those of a finished cell those asked for.

    Raises
    ------
    RequestError : with every mistake of the selection.
    """
    if not text.strip():
        raise RequestError(f"no {kind} are chosen; name some, or 'all' (bench list {kind})")
    mistakes: list[str] = []
    rows: list[_Row] = []
    for item in parse(text):
        found, wrong = _read(kind, item, registry)
        if wrong:
            mistakes += wrong
        elif not item.exclude:
            new = {row.text: row for row in found}
            # `all,memae as Ours` names a row that is there already.
            rows = [new[row.text] if _names(new.get(row.text)) else row for row in rows]
            known = {row.text for row in rows}
            rows += [row for row in new.values() if row.text not in known]
        else:
            taken = (
                {row.text for row in found}
                if item.values
                else {row.text for row in rows if row.name in {one.name for one in found}}
            )
            left = [row for row in rows if row.text not in taken]
            if len(left) == len(rows) and not mistakes:
                near = nearest(item.text[1:], [row.text for row in rows])
                mistakes.append(
                    f"{item.text!r} takes nothing away: it is not among what stands before it"
                    + (f" - did you mean '-{near}'?" if near else "")
                )
            rows = left
    selected: list[Selected] = []
    cause: BaseException | None = None
    for row in rows:
        try:
            selected.append(_try(kind, row, registry, profile))
        except RequestError as error:
            mistakes += error.mistakes
            cause = cause or error.__cause__
    mistakes += _same_labels(kind, selected)
    if not rows and not mistakes:
        mistakes.append(f"{text!r} leaves no {ONE[kind]}: all were taken away")
    if mistakes:
        raise RequestError(*dict.fromkeys(mistakes)) from cause
    return selected


def select_one(kind: Kind, text: str, registry: Registry, profile: str | None = None) -> Selected:
    """Return the row that a selection means, where only one may be chosen.

    Raises
    ------
    RequestError : a mistake, or more than one row.
    """
    rows = select(kind, text, registry, profile)
    if len(rows) > 1:
        raise RequestError(
            f"{text!r} means {len(rows)} {kind} ({', '.join(row.text for row in rows)}), and only one {ONE[kind]} can be used; choose one"
        )
    return rows[0]


def make_creators(
    text: str, window: Window, to_range: Callable[[np.ndarray], np.ndarray]
) -> list[Creator]:
    """Return the creators of pseudo-anomalies that a text names: selectors joined by '+', like
    'skip+patch[source=frames]'.

    Raises
    ------
    RequestError : with every mistake, or the first creator that can make nothing of such a window.
    """
    registry = current()
    rows: list[Selected] = []
    mistakes: list[str] = []
    for part in split(text, "+"):
        try:
            rows.append(select_one("creators", part.strip(), registry))
        except RequestError as error:
            mistakes += error.mistakes
    if mistakes:
        raise RequestError(*mistakes)
    return [row.target(window, row.parameters, to_range) for row in rows]


def _read(kind: Kind, item: Item, registry: Registry) -> tuple[list[_Row], list[str]]:
    """Return the rows of one item, or its mistakes."""
    table, groups = registry.table(kind), registry.groups(kind)
    if item.mistakes:
        return [], list(item.mistakes)
    if item.given_name and kind not in NAMED:
        return [], [
            f"{item.text!r}: only rows and columns of tables have names; leave out 'as {item.given_name}'"
        ]
    if item.name in table:
        found: list[_Row] = []
        items, mistakes = expanded(item, table[item.name])
        for one in items:
            rows, wrong = _named(one, *_read_values(kind, one, table[item.name]))
            found, mistakes = found + rows, mistakes + wrong
        return found, mistakes
    if item.name not in groups:
        return [], [_unknown(kind, item.name, registry)]
    if item.values:
        return [], [
            f"{item.text!r}: {item.name} is a group, and parameters belong to one {ONE[kind]}; name each ({', '.join(groups[item.name])})"
        ]
    if item.given_name:
        return [], [
            f"{item.text!r}: {item.name} is a group, and a name belongs to one {ONE[kind]}; name each ({', '.join(groups[item.name])})"
        ]
    if not groups[item.name]:
        return [], [f"{item.name!r} means no {ONE[kind]}: none is there (bench list plugins)"]
    return [_Row(name, {}) for name in groups[item.name]], []


def _read_values(kind: Kind, item: Item, target: Any) -> tuple[list[_Row], list[str]]:
    entries = {entry.name: entry for entry in parameters_of(kind, target)}
    takes = f"{item.name} takes " + (describe_entries(entries.values()) or "no parameters")
    given: dict[str, list[Any]] = {}
    mistakes = []
    for key, texts in (item.values or {}).items():
        if key not in entries:
            hint = did_you_mean(key, entries, ";")
            mistakes.append(f"{item.text!r}: no parameter {key!r}{hint} {takes}")
            continue
        given[key] = []
        for text in texts:
            try:
                given[key].append(parse_value(text, entries[key]))
            except ValueError as error:
                mistakes.append(f"{item.text!r}: {error}")
    if not item.exclude and not mistakes:
        lacking = [name for name, entry in entries.items() if entry.required and name not in given]
        if lacking:
            mistakes.append(
                f"{item.text!r} lacks {' and '.join(lacking)}; write '{item.name}[{','.join(f'{name}=...' for name in lacking)}]'. {takes}"
            )
        elif not item.values and getattr(target, "needs_parameters", False):
            mistakes.append(
                f"{item.text!r} means nothing without parameters; write '{item.name}[{next(iter(entries), 'key')}=...]'. {takes}"
            )
    rows = [dict(zip(given, choice)) for choice in itertools.product(*given.values())]
    for row in rows:
        if kind == "datasets" and row.get(TRAIN_ON.name) == item.name:
            del row[TRAIN_ON.name]  # an ordinary run
    return [
        _Row(item.name, {name: row[name] for name in entries if name in row}) for row in rows
    ], mistakes


def _names(row: _Row | None) -> bool:
    return row is not None and bool(row.given_name)


def _named(item: Item, rows: list[_Row], mistakes: list[str]) -> tuple[list[_Row], list[str]]:
    """Return the rows of an item with the name that stands behind its 'as'."""
    if not item.given_name or mistakes:
        return rows, mistakes
    named = []
    for row in rows:
        name = item.given_name
        for key, value in row.values.items():
            name = name.replace("{" + key + "}", format_value(value))
        if mistake := find_mistake(name):
            return [], [f"{item.text!r}: {mistake}"]
        named.append(dataclasses.replace(row, given_name=name))
    if len({row.given_name for row in named}) < len(named):
        several = [key for key, texts in (item.values or {}).items() if len(texts) > 1]
        return [], [
            f"{item.text!r} names {len(named)} rows alike; write the value into the name, as in "
            f"'{item.given_name} {{{several[0]}}}'"
        ]
    return named, []


def _unknown(kind: Kind, name: str, registry: Registry) -> str:
    hint = did_you_mean(name, [*registry.table(kind), *registry.groups(kind)])
    text = f"no {ONE[kind]} {name!r}"
    other = next(
        (one for other, one in ONE.items() if other != kind and name in registry.table(other)), None
    )
    broken = [record.name for record in registry.plugins if record.broken]
    look = f"bench list {kind}"
    if other:
        text += f" - it is a {other}"
    elif hint:
        text += hint
    elif broken:
        look += f"; left out as broken: {', '.join(broken)}"
    return f"{text} ({look})"


def _try(kind: Kind, row: _Row, registry: Registry, profile: str | None) -> Selected:
    target = registry.table(kind)[row.name]
    label = row.name + (
        "[" + ",".join(f"{key}={format_value(value)}" for key, value in row.values.items()) + "]"
        if row.values
        else ""
    )
    if issubclass(getattr(target, "Parameters", object), ReleasedWeights):
        weights = row.values.get("weights")
        if weights and (idle := row.values.keys() & getattr(target, "training_parameters", ())):
            text = f"weights of a file are not trained; leave out {listed(sorted(idle))}"
            raise RequestError(f"{row.text!r}: {text}")
        if weights and not belongs_to_finished_cell(Path(weights).expanduser()):
            profile = "paper"
    overrides = profile_values(target, profile) if kind == "methods" else {}
    try:
        if kind == "protocols":
            target = parameters = dataclasses.replace(
                target, name=label, **row.values
            )  # no number stands under another's name
        else:
            own = dict(row.values)
            if other := own.pop(TRAIN_ON.name, "") if kind == "datasets" else "":
                training = select_one(kind, other, registry)
                if inner := training.values.get(TRAIN_ON.name):
                    raise RequestError(
                        f"{other} has the training clips of {inner}; write train_on={quote(inner)}"
                    )
                target = trained_on(target, training.make)
            parameters = target.Parameters(**{**overrides, **own})
        selected = Selected(
            kind, row.name, target, parameters, row.values, row.text, label, profile, row.given_name
        )
        if kind != "creators":  # which need the window of the method that they work for
            selected.make()
    except BenchError as error:
        raise RequestError(
            *(f"{row.text!r}: {line}" for line in str(error).splitlines())
        ) from error
    except ValueError as error:
        raise RequestError(f"{row.text!r}: {' '.join(str(error).split())}") from error
    except Exception as error:
        origin = registry.origins[kind, row.name]
        raise RequestError(
            f"{row.text!r} cannot be made: {explain(error, getattr(target, '__module__', ''))}; this is a mistake in {origin}"
        ) from error
    return selected


def _same_labels(kind: Kind, rows: list[Selected]) -> list[str]:
    first: dict[str, Selected] = {}
    named: dict[str, Selected] = {}
    mistakes = []
    for row in rows:
        if row.given_name:
            other = named.setdefault(plain(row.given_name).casefold(), row)
            if other is not row:
                mistakes.append(
                    f"{other.text!r} and {row.text!r} would both be called {row.given_name!r}; "
                    "give each a name of its own"
                )
        other = first.setdefault(row.label, row)
        if other is not row:
            mistakes.append(
                f"{other.text!r} and {row.text!r} would both be the row {row.label}; rows of a table need labels of their own"
            )
    return mistakes
