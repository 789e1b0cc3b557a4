"""`bench list`: what is available, and the parameters of each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli import complete
from bench.cli.options import json_option, load_registry, plugin_option
from bench.contracts.parameters import plain, show_value
from bench.wording import terminal_width, wrapped

if TYPE_CHECKING:
    from bench.contracts.parameters import ParameterSchema
    from bench.plugins.registry import PluginRecord, Registry

FEW = 24
"""Columns that a few words take. Chosen here."""
KINDS = (
    "methods",
    "datasets",
    "detectors",
    "protocols",
    "metrics",
    "creators",
    "executors",
    "observers",
    "plugins",
)


@click.command(
    "list",
    epilog="Examples: bench list methods; bench list methods c3dsu; bench list datasets --json",
)
@click.argument("kind", metavar="KIND", type=click.Choice(KINDS))
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete.names())
@click.option(
    "--parameters", is_flag=True, help="Show details and parameters of all, as with a NAME."
)
@json_option("Print all details as JSON.")
@plugin_option
def command(
    kind: str, names: tuple[str, ...], parameters: bool, as_json: bool, plugin: tuple[Path, ...]
) -> None:
    """List what is available of KIND: methods, datasets, detectors, protocols, metrics, creators,
    executors, observers or plugins.

    With a NAME, show its details: parameters with units and sources, profiles, published numbers.
    """
    from bench.plugins.registry import load

    registry = load(plugin) if kind == "plugins" and not as_json else load_registry(plugin)
    chosen = _choose(registry, kind, names)
    if as_json:
        known = [
            plain(part) if kind == "plugins" else _facts(registry, kind, name, part)
            for name, part in chosen
        ]
        click.echo(json.dumps(known, indent=2))
    elif kind == "plugins":
        _print_plugins(part for _, part in chosen)
    elif names or parameters:
        click.echo(
            "\n\n".join(_describe(_facts(registry, kind, name, part)) for name, part in chosen)
        )
    else:
        _print_kind(registry, kind, chosen)


def _choose(registry: Registry, kind: str, names: Sequence[str]) -> list[tuple[str, Any]]:
    from bench.errors import RequestError
    from bench.plugins.checks import ONE
    from bench.wording import did_you_mean

    table = (
        [(record.name, record) for record in registry.plugins]
        if kind == "plugins"
        else list(registry.table(kind).items())
    )
    if not names:
        return table
    members = {} if kind == "plugins" else registry.groups(kind)
    known = [name for name, _ in table]
    mistakes = []
    wanted: set[str] = set()
    for name in names:
        if name not in known and name not in members:
            hint = did_you_mean(name, [*known, *members])
            mistakes.append(f"no {ONE.get(kind, 'plugin')} {name!r}{hint} (bench list {kind})")
        wanted |= {name} if name in known else set(members.get(name, ()))
    if mistakes:
        raise RequestError(*mistakes)
    return [(name, part) for name, part in table if name in wanted]


def _facts(registry: Registry, kind: str, name: str, part: Any) -> dict[str, Any]:
    """Return all details of one part, ready for JSON."""
    from bench.plugins.selection import parameters_of

    facts: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "plugin": registry.plugin(kind, name).name,
        "origin": registry.origins[kind, name],
    }
    facts["about"] = _about(part)
    facts["groups"] = (
        [group for group, members in registry.groups(kind).items() if name in members]
        if kind in ("methods", "datasets")
        else []
    )
    info = getattr(part, "info", None)
    facts["info"] = (
        {key: value for key, value in plain(info).items() if key != "groups"}
        if info is not None
        else {}
    )
    if kind == "datasets":
        facts["info"]["obtain"] = part.how_to_obtain()
        facts["downloads"] = plain(part.downloads)
    if kind == "methods":
        from bench.evaluation.published_numbers import published_of

        facts["info"]["published"] = plain(published_of(name, part.info))
    for key in (
        "version",
        "needs_parameters",
        "uses_seed",
        "published_only",
        "label_sets",
        "default_profile",
        "default_detector",
        "profiles",
    ):
        if hasattr(part, key):
            facts[key] = plain(getattr(part, key))
    facts["parameters"] = (
        [_parameter_facts(entry) for entry in parameters_of(kind, part)]
        if kind != "metrics"
        else []
    )
    return facts


def _parameter_facts(entry: ParameterSchema) -> dict[str, Any]:
    return {
        "name": entry.name,
        "example": entry.example,
        "type": entry.type_text + entry.range_text,
        "required": entry.required,
        "default": None if entry.required else plain(entry.default),
        "unit": entry.unit,
        "source": entry.source,
        "doc": entry.doc,
        "choices": plain(entry.choices),
        "minimum": entry.minimum,
        "maximum": entry.maximum,
    }


def _about(part: Any) -> str:
    """Return the first paragraph of what a class, or the function of a metric, says of itself."""
    import inspect

    text = (
        vars(part).get("__doc__")
        if isinstance(part, type)
        else getattr(getattr(part, "function", None), "__doc__", None)
    )
    first = inspect.cleandoc(text or "").split("\n\n")[0].replace("\n", " ")
    said = first.removeprefix("Return ")
    return said[:1].upper() + said[1:]


def _print_kind(registry: Registry, kind: str, chosen: Sequence[tuple[str, Any]]) -> None:
    from bench.plugins.display_names import derived
    from bench.plugins.display_names import plain as plain_name

    rows: list[tuple[str, ...]] = []
    for name, part in chosen:
        info: Any = getattr(part, "info", None)
        shown = f"{name}[...]" if getattr(part, "needs_parameters", False) else name
        if kind == "methods":
            named = plain_name(info.display_name or derived(name))
            rows.append((shown, named, info.family, str(info.year or "")))
        elif kind == "datasets":
            label_sets = ", ".join(part.label_sets)
            rows.append((shown, label_sets, str(info.year or ""), info.title or _about(part)))
        elif kind == "protocols":
            rows.append((shown, _protocol_text(part)))
        else:
            rows.append((shown, _about(part)))
    heads = {
        "methods": ("method", "name in tables", "family", "year"),
        "datasets": ("dataset", "label sets", "year", "title"),
    }
    _print_columns(rows, heads.get(kind, ()))
    groups = registry.groups(kind) if kind in ("methods", "datasets") else {}
    if groups:
        click.echo("\nGroups")
        _print_columns([(f"  {group}", ", ".join(members)) for group, members in groups.items()])
    if kind in ("methods", "datasets", "detectors", "protocols", "executors", "observers"):
        click.echo(f"\nParameters: bench list {kind} NAME")


def _protocol_text(protocol: Any) -> str:
    from bench.contracts.parameters import format_value
    from bench.plugins.selection import parameters_of

    return ", ".join(
        f"{entry.name}={format_value(entry.default)}"
        for entry in parameters_of("protocols", protocol)
    )


def _print_plugins(records: Iterable[PluginRecord]) -> None:
    for record in records:
        click.echo(f"{record.name}  ({record.origin})")
        if record.broken:
            click.echo(f"  broken: {record.broken}")
        for kind, names in record.provides.items():
            click.echo(f"  {kind}: {', '.join(names)}")


def _describe(facts: Mapping[str, Any]) -> str:
    """Return all about one part as text."""
    info = facts["info"]
    lines = [facts["name"] + (f": {info['title']}" if info.get("title") else "")]
    lines += [f"  {facts['about']}"] if facts["about"] else []
    for key in (
        "year",
        "venue",
        "citation",
        "family",
        "inputs",
        "extra_knowledge",
        "licence",
        "obtain",
        "scenes",
    ):
        if info.get(key):
            lines.append(f"  {key.replace('_', ' ')}: {info[key]}")
    lines += [
        f"  {download['file']}: {download['url'] or download['page']}"
        for download in facts.get("downloads", ())
    ]
    if info.get("resolution"):
        lines.append(
            f"  resolution: {info['resolution'][0]} x {info['resolution'][1]} (height x width)"
        )
    if info.get("frame_rate"):
        lines.append(f"  frame rate: {info['frame_rate']:g} a second")
    for key in ("groups", "label_sets"):
        if facts.get(key):
            lines.append(f"  {key.replace('_', ' ')}: {', '.join(facts[key])}")
    lines.append(f"  from: {facts['origin']}")
    if facts.get("published_only"):
        lines.append(f"  published numbers only: {facts['published_only']}")
    lines += [
        f"  published: {number['auc']} on {number['dataset']} ({number['source']})"
        for number in info.get("published", ())
    ]
    for key, words in (
        ("published_protocol", "published under"),
        ("paper_protocol", "protocol of its paper, as --protocol takes it"),
        ("reproduction", "reproducing it"),
    ):
        if info.get(key):
            lines.append(f"  {words}: {info[key]}")
    lines += [f"  differs from the paper: {text}" for text in info.get("deviations", ())]
    for profile, values in facts.get("profiles", {}).items():
        lines.append(
            f"  profile {profile}: "
            + ", ".join(f"{key}={show_value(value)}" for key, value in values.items())
        )
    lines.append("  parameters:" if facts["parameters"] else "  parameters: none")
    lines += [
        f"    {line}" for parameter in facts["parameters"] for line in _parameter_lines(parameter)
    ]
    return "\n".join(map(_within_terminal, lines))


def _within_terminal(line: str) -> str:
    """Break a line that is too long, and indent what continues it."""
    margin = " " * (len(line) - len(line.lstrip()))
    return wrapped(line.strip(), margin, f"{margin}  ")


def _parameter_lines(parameter: Mapping[str, Any]) -> list[str]:
    head = f"{parameter['example']} ({parameter['type']}" + (
        f"; {parameter['unit']})" if parameter["unit"] else ")"
    )
    source = parameter["source"]
    texts = [
        parameter["doc"],
        source if source.startswith("no source") else f"source: {source}" if source else "",
    ]
    return [head, *(f"  {text}" for text in texts if text)]


def _print_columns(rows: Sequence[Sequence[str]], head: Sequence[str] = ()) -> None:
    table = [head, *rows] if head else rows
    if not rows:
        click.echo("none")
        return
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    before = sum(widths[:-1]) + 2 * len(widths[:-1])
    for *cells, last in table:
        head = "".join(f"{cell:{width}}  " for cell, width in zip(cells, widths))
        # A last column with room for a few words continues below itself.
        wide = terminal_width() - before >= FEW
        click.echo(wrapped(last, head, " " * before) if last and wide else f"{head}{last}".rstrip())
