"""`bench report`: everything that can be told from a run's folder."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .complete import names, run_folder, selection, tables_of_a_report
from .options import plugin_option
from .status import newest_run

if TYPE_CHECKING:
    from ..runs.folder import Run


@click.command(
    "report",
    short_help="Make tables, figures and a page of a run.",
    epilog="""\b
Examples:
  bench report results/RUN                              everything
  bench report results/RUN --table comparison --table protocols
  bench report results/A results/B --out results/both   runs of several machines as one""",
)
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1, metavar="[RUN]...", shell_complete=run_folder)
@click.option(
    "--table",
    "tables",
    multiple=True,
    metavar="NAME",
    shell_complete=tables_of_a_report,
    help="Only this table, printed and written; repeatable.",
)
@click.option(
    "--protocol", metavar="SELECTION", shell_complete=selection("protocols"), help="Of tables, figures and page. [default: that of the run]"
)
@click.option("--metric", default="auc", show_default=True, metavar="NAME", shell_complete=names("metrics"), help="auc, ap or eer.")
@click.option("--out", type=click.Path(path_type=Path), help="Where to write. [default: the run's own folder; needed for several runs]")
@plugin_option
def command(
    runs: tuple[Path, ...],
    tables: tuple[str, ...],
    protocol: str | None,
    metric: str,
    out: Path | None,
    plugin: tuple[Path, ...],
) -> None:
    """Make the report of RUN (default: the newest below results/) from its folder alone: no dataset, no training.

    Tables as text, Markdown and LaTeX, numbers as LaTeX commands, figures, and report.html, which opens from disk.
    """
    from ..errors import RequestError, RunError
    from ..plugins.registry import load
    from ..plugins.selection import select_one
    from ..plugins.syntax import nearest
    from ..reporting.report import KINDS, open_source, write_kinds
    from ..reporting.tables import to_text

    registry = load(plugin)
    for complaint in registry.complaints():
        click.echo(f"bench: {complaint}", err=True)
    mistakes = [_unknown("table", name, tuple(KINDS), nearest(name, KINDS)) for name in tables if name not in KINDS]
    if metric not in registry.metrics:
        mistakes.append(_unknown("metric", metric, tuple(registry.metrics), nearest(metric, registry.metrics)))
    if mistakes:
        raise RequestError(*mistakes)
    try:
        run = opened(runs, out)
        chosen = select_one("protocols", protocol or run.manifest["protocol"], registry).parameters
        source = open_source(run, registry, chosen, registry.metrics[metric])
        folder = out or run.path
        written, missing = write_kinds(source, tables or tuple(KINDS), folder / "tables")
    except RunError as error:
        raise RequestError(str(error)) from error
    if tables:
        for name in tables:
            for table in KINDS[name].make(source):
                click.echo(to_text(table))
    else:
        click.echo(to_text(source.comparison))
    for path in written:
        click.echo(f"wrote {path}")
    for sentence in missing:
        click.echo(f"left out: {sentence}")
    click.echo(f"next: (cd {shlex.quote(str(folder / 'tables'))} && pdflatex all && bibtex all && pdflatex all && pdflatex all)")


def _unknown(kind: str, name: str, known: tuple[str, ...], near: str | None) -> str:
    return f"no {kind} {name!r}" + (f" - did you mean {near!r}?" if near else "") + f" (there are {', '.join(known)})"


def opened(paths: tuple[Path, ...], out: Path | None) -> Run:
    """Return the run of one folder, or several read as one.

    Raises
    ------
    RequestError : several runs without a place to write.
    RunError : a folder is no run, or the runs do not fit together.
    """
    from ..errors import RequestError
    from ..runs.folder import Run
    from ..runs.merged import MergedRun

    if len(paths) < 2:
        return Run.open(newest_run(paths[0] if paths else None))
    if out is None:
        raise RequestError(f"{len(paths)} runs make one report: say with --out where it is written, e.g. --out results/merged")
    return MergedRun(out, [Run.open(path) for path in paths])
