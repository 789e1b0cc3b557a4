"""Shell completion. Imports no torch and reads no data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from bench.plugins.registry import Registry

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _registry(ctx: click.Context) -> Registry:
    """Return the registry, including the files of every --plugin that was typed before."""
    from bench.plugins.registry import load

    return load(ctx.params.get("plugin") or ())


def _items(names: Mapping[str, str], incomplete: str, before: str = "") -> list[CompletionItem]:
    """Return the names that start with what was typed, each with its help; `before` is put in front
    of each.
    """
    return [
        CompletionItem(before + name, help=about)
        for name, about in names.items()
        if name.startswith(incomplete)
    ]


def _names(registry: Registry, kind: str) -> dict[str, str]:
    """Return the names of one kind, each with a short description."""
    found = {}
    for name, part in registry.table(kind).items():
        info = getattr(part, "info", None)
        about = getattr(info, "title", "") or (part.__doc__ or "" if isinstance(part, type) else "")
        found[name] = " ".join(about.strip().split("\n\n")[0].split())
    return found


def selection(kind: str) -> Complete:
    """Complete the last item of a comma list: a name or group, with or without a leading '-'."""

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from bench.plugins.syntax import split

        last = split(incomplete, ",")[-1]
        minus = "-" if last.startswith("-") else ""
        before = incomplete[: len(incomplete) - len(last)] + minus
        registry = _registry(ctx)
        groups = (
            {}
            if kind in ("detectors", "protocols", "executors", "observers")
            else registry.groups(kind)
        )
        names = _names(registry, kind) | {
            group: f"group: {', '.join(members)}" for group, members in groups.items()
        }
        return _items(names, last.removeprefix(minus), before)

    return complete


def names(*kinds: str) -> Complete:
    """Complete a name of these kinds; without kinds, of the KIND that was typed before."""

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from bench.plugins.checks import KINDS

        registry = _registry(ctx)
        wanted = [kind for kind in kinds or (ctx.params.get("kind"),) if kind in KINDS]
        found = [item for kind in wanted for item in _items(_names(registry, kind), incomplete)]
        return found or [CompletionItem(incomplete, type="file")]

    return complete


def downloads(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete what `bench download` can get."""
    from bench.downloads.available import available

    known = available(_registry(ctx))
    return _items({name: one.title for name, one in known.items()}, incomplete)


def run_folder(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a run below results/, newest first, with its command; otherwise any folder."""
    from bench.errors import RunError
    from bench.runs.folder import find_runs
    from bench.runs.layout import RESULTS

    commands: dict[str, str] = {}
    for run in find_runs(RESULTS):
        if str(run.path).startswith(incomplete):
            try:
                commands[str(run.path)] = run.manifest.command
            except RunError:
                commands[str(run.path)] = "run.json cannot be read"
    return _items(commands, incomplete) or [CompletionItem(incomplete, type="dir")]


def cell_folder(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete a finished cell with kept weights below results/, newest run first; otherwise any
    folder.
    """
    from bench.runs.folder import find_runs
    from bench.runs.layout import RESULTS, CellFiles

    folders = [
        path.parent
        for run in find_runs(RESULTS)
        for path in run.record_files()
        if CellFiles(path.parent).weights.exists()
    ]
    return _items({str(folder): "" for folder in folders}, incomplete) or [
        CompletionItem(incomplete, type="dir")
    ]


def profiles(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a profile."""
    from bench.plugins.profiles import PROFILES

    return _items(dict.fromkeys(PROFILES, ""), incomplete)


def tables_of_a_report(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of a table of `bench report`."""
    from bench.tables.kinds import KINDS

    return _items({name: kind.about for name, kind in KINDS.items()}, incomplete)
