"""`bench report`: everything that can be told from a run's folder."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.complete import names, run_folder, selection, tables_of_a_report
from bench.cli.options import plugin_option
from bench.cli.status import newest_run

if TYPE_CHECKING:
    from bench.figures.distinction import Distinction
    from bench.runs.folder import Run
    from bench.runs.records import CellRecord


@click.command(
    "report",
    short_help="Make tables, figures and a page of a run.",
    epilog="""\b
Examples:
  bench report results/RUN                              everything
  bench report results/RUN --table comparison --table protocols
  bench report results/RUN --page                       the page alone
  bench report results/RUN --video 01                   of a run made with --keep weights
  bench report results/A results/B --out results/both   runs of several machines as one""",
)
@click.argument(
    "runs", type=click.Path(path_type=Path), nargs=-1, metavar="[RUN]...", shell_complete=run_folder
)
@click.option(
    "--table",
    "tables",
    multiple=True,
    metavar="NAME",
    shell_complete=tables_of_a_report,
    help="Only this table, printed and written, with what else is named; repeatable.",
)
@click.option(
    "--figure",
    "figures",
    multiple=True,
    metavar="NAME",
    help="Only this figure, with what else is named; repeatable.",
)
@click.option("--page", is_flag=True, help="Only report.html, with what else is named.")
@click.option(
    "--video",
    "videos",
    multiple=True,
    metavar="CLIP",
    help="An annotated video of a test clip (CLIP or DATASET/CLIP); repeatable.",
)
@click.option(
    "--video-method",
    "video_methods",
    multiple=True,
    metavar="ROW",
    help="Whose; repeatable. [default: all with kept weights]",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Where the dataset of a video, or of a figure that needs it, lies. [default: BENCH_DATA, else ./data]",
)
@click.option(
    "--fps",
    type=click.FloatRange(min=0, min_open=True),
    help="Frames a second of the video. [default: the dataset's, else 25]",
)
@click.option(
    "--protocol",
    metavar="SELECTION",
    shell_complete=selection("protocols"),
    help="Of tables, figures and page. [default: that of the run]",
)
@click.option(
    "--metric",
    default="auc",
    show_default=True,
    metavar="NAME",
    shell_complete=names("metrics"),
    help="auc, ap or eer.",
)
@click.option(
    "--tracks",
    multiple=True,
    metavar="[DATASET=]DIR",
    help="Tracks of anomalous objects, DIR/CLIP.txt, for TBDC in the table localisation.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Where to write. [default: the run's own folder; needed for several runs]",
)
@plugin_option
def command(
    runs: tuple[Path, ...],
    tables: tuple[str, ...],
    figures: tuple[str, ...],
    page: bool,
    videos: tuple[str, ...],
    video_methods: tuple[str, ...],
    data: tuple[Path, ...],
    fps: float | None,
    protocol: str | None,
    metric: str,
    tracks: tuple[str, ...],
    out: Path | None,
    plugin: tuple[Path, ...],
) -> None:
    """Make the report of RUN (default: the newest below results/) from its folder alone: no
    dataset, no training.

    Tables as text, Markdown and LaTeX, numbers as LaTeX commands, figures, and report.html, which
    opens from disk.
    """
    from bench.errors import RequestError, RunError
    from bench.figures import kinds as drawing
    from bench.plugins.registry import load
    from bench.plugins.selection import select_one
    from bench.plugins.syntax import nearest
    from bench.reporting.report_writer import ReportWriter
    from bench.tables.report import KINDS, open_source, question_name
    from bench.tables.tables import to_text

    registry = load(plugin)
    for complaint in registry.complaints():
        click.echo(f"bench: {complaint}", err=True)
    mistakes = [
        _unknown("table", name, tuple(KINDS), nearest(name, KINDS))
        for name in tables
        if name not in KINDS
    ]
    mistakes += [
        _unknown("figure", name, tuple(drawing.KINDS), nearest(name, drawing.KINDS))
        for name in figures
        if name not in drawing.KINDS
    ]
    if not videos and (video_methods or fps):
        mistakes.append(
            "--video-method and --fps are those of a video: say of which clip with --video CLIP"
        )
    if data and not videos and not set(figures) - set(drawing.OF_THE_RUN):
        remade = " and ".join(name for name in drawing.KINDS if name not in drawing.OF_THE_RUN)
        mistakes.append(
            f"--data says where the dataset lies of a video (--video CLIP) or of the figures {remade}: name one of them"
        )
    if metric not in registry.metrics:
        mistakes.append(
            _unknown("metric", metric, tuple(registry.metrics), nearest(metric, registry.metrics))
        )
    if mistakes:
        raise RequestError(*mistakes)
    try:
        run = opened(runs, out)
        chosen = select_one("protocols", protocol or run.manifest.protocol, registry).parameters
        source = open_source(run, registry, chosen, registry.metrics[metric], tracks)
        folder = out or run.path
        everything = not (tables or figures or page or videos)
        writer = ReportWriter(source, folder)
        if tables or everything:
            writer.tables(tables or tuple(KINDS))
        if everything:
            writer.numbers([chosen])
        if figures or everything:
            writer.figures(figures or drawing.OF_THE_RUN, lambda cell: _remake(run, cell, data))
        if page or everything:
            writer.page()
        question = question_name(source)
        filmed: list[Path] = []
        if videos:
            from bench.cli.video import make_videos

            filmed = make_videos(
                source, videos, video_methods, data, fps, writer.files.videos(question)
            )
        written = writer.finish() if writer.written else []
        written += filmed
    except RunError as error:
        raise RequestError(str(error)) from error
    if not everything:
        for name in tables:
            for table in KINDS[name].make(source):
                click.echo(to_text(table))
    else:
        click.echo(to_text(source.comparison))
    for path in written:
        click.echo(f"wrote {path}")
    for sentence in writer.left_out:
        click.echo(f"left out: {sentence}")
    if page or everything:
        click.echo(
            f"next: open {shlex.quote(str(next(path for path in written if path.suffix == '.html')))} in a browser"
        )
    if tables or everything:
        click.echo(
            f"next: (cd {shlex.quote(str(writer.files.tables(question)))} && pdflatex all && bibtex all && pdflatex all && pdflatex all)"
        )


def _remake(run: Run, cell: CellRecord, data: tuple[Path, ...]) -> Distinction:
    from bench.applying.distinction import remake
    from bench.cli.video import progress

    with progress(f"{cell.label} on {cell.dataset}") as step:
        return remake(run, cell, data, step)


def _unknown(kind: str, name: str, known: tuple[str, ...], near: str | None) -> str:
    return (
        f"no {kind} {name!r}"
        + (f" - did you mean {near!r}?" if near else "")
        + f" (there are {', '.join(known)})"
    )


def opened(paths: tuple[Path, ...], out: Path | None) -> Run:
    """Return the run of one folder, or several read as one.

    Raises
    ------
    RequestError : several runs without a place to write.
    RunError : a folder is no run, or the runs do not fit together.
    """
    from bench.errors import RequestError
    from bench.runs.folder import Run
    from bench.runs.merged import MergedRun

    if len(paths) < 2:
        return Run.open(newest_run(paths[0] if paths else None))
    if out is None:
        raise RequestError(
            f"{len(paths)} runs make one report: say with --out where it is written, e.g. --out results/merged"
        )
    return MergedRun(out, [Run.open(path) for path in paths])
