"""`bench report`: tables, figures, page and videos of a run."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.complete import run_folder, tables_of_a_report
from bench.cli.options import finite, load_registry, metric_option, plugin_option, protocol_option
from bench.cli.run_folders import open_runs
from bench.runs.table_options import STYLES

if TYPE_CHECKING:
    from bench.figures.distinction import Distinction
    from bench.runs.folder import Run
    from bench.runs.records import CellRecord


@click.command(
    "report",
    epilog="""\b
Examples:
  bench report results/RUN                              everything
  bench report results/RUN --table comparison --table protocols
  bench report results/RUN --page                       the page only
  bench report results/RUN --video 01                   needs --keep weights
  bench report results/A results/B --out results/both   merge several runs""",
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
    help="Print and write this table only; repeatable.",
)
@click.option(
    "--figure",
    "figures",
    multiple=True,
    metavar="NAME",
    help="Draw this figure only; repeatable.",
)
@click.option("--page", is_flag=True, help="Write report.html only.")
@click.option(
    "--style",
    type=click.Choice(STYLES),
    default=STYLES[0],
    show_default=True,
    help="LaTeX tables for a paper, with everything else in notes.tex; or full, with all captions"
    " and footnotes at the table.",
)
@click.option(
    "--edit-table",
    is_flag=True,
    help="Open table.toml of the run in an editor (EDITOR) and make the comparison: rows, columns,"
    " digits, names. Without a terminal the file is only written.",
)
@click.option(
    "--video",
    "videos",
    multiple=True,
    metavar="CLIP",
    help="Make an annotated video of this test clip (CLIP or DATASET/CLIP); repeatable.",
)
@click.option(
    "--video-method",
    "video_methods",
    multiple=True,
    metavar="ROW",
    help="Method to show in the videos, by its row name; repeatable."
    " [default: all methods with kept weights]",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="DIR",
    help="Folder that contains the dataset, for videos and for figures that need it; repeatable."
    " [default: BENCH_DATA, else ./data, else the user's data folder]",
)
@click.option(
    "--fps",
    type=click.FloatRange(min=0, min_open=True),
    callback=finite,
    help="Frames per second of the videos. [default: that of the dataset, else 25]",
)
@protocol_option("Protocol of tables, figures and page. [default: that of the run]")
@metric_option
@click.option(
    "--tracks",
    multiple=True,
    metavar="[DATASET=]DIR",
    help="Folder with tracks of anomalous objects (DIR/CLIP.txt), for TBDC in the table"
    " localisation.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder to write to; required with several runs. [default: the run's own folder]",
)
@plugin_option
def command(
    runs: tuple[Path, ...],
    tables: tuple[str, ...],
    figures: tuple[str, ...],
    page: bool,
    style: str,
    edit_table: bool,
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
    """Make the report of RUN (default: the newest below results/) from its folder alone: neither
    the dataset nor training is needed.

    Writes tables as text, Markdown and LaTeX, numbers as LaTeX commands, figures, and report.html,
    which opens from disk. With --table, --figure, --page or --video, only those are made.
    """
    from bench.cli.video import find_videos, make_videos
    from bench.errors import RequestError, RunError
    from bench.figures import kinds as drawing
    from bench.plugins.selection import select_one
    from bench.reporting.report_writer import ReportWriter
    from bench.reporting.written_files import wrote
    from bench.tables.forms.text import to_terminal
    from bench.tables.kinds import KINDS, open_source
    from bench.tables.table_files import question_name
    from bench.wording import unknown

    registry = load_registry(plugin)
    mistakes = [unknown("table", name, KINDS) for name in tables if name not in KINDS]
    mistakes += [
        unknown("figure", name, drawing.KINDS) for name in figures if name not in drawing.KINDS
    ]
    if not videos and (video_methods or fps):
        mistakes.append(
            "--video-method and --fps apply to videos only: name a clip with --video CLIP"
        )
    if data and not videos and not set(figures) - set(drawing.OF_THE_RUN):
        remade = " and ".join(name for name in drawing.KINDS if name not in drawing.OF_THE_RUN)
        mistakes.append(
            f"--data is used for videos (--video CLIP) and for the figures {remade} only: name "
            "one of them"
        )
    if metric not in registry.metrics:
        mistakes.append(unknown("metric", metric, registry.metrics))
    if mistakes:
        raise RequestError(*mistakes)
    try:
        run = open_runs(runs, out)
        if edit_table:
            _edit_table(run)
            tables = tables or ("comparison",)
        chosen = select_one("protocols", protocol or run.manifest.protocol, registry).parameters
        source = open_source(run, registry, chosen, registry.metrics[metric], tracks)
        source = replace(source, style=style)
        folder = out or run.path
        everything = not (tables or figures or page or videos)
        to_film = find_videos(source, videos, video_methods, data)
        writer = ReportWriter(source, folder)
        written: list[Path] = []
        try:
            if tables or everything:
                writer.tables(tables or tuple(KINDS))
            if everything:
                writer.numbers([chosen])
            if figures or everything:
                writer.figures(figures or drawing.OF_THE_RUN, lambda cell: _remake(run, cell, data))
            if page or everything:
                writer.page()
        finally:  # what was written before an error is part of the report
            if writer.written:
                written = writer.finish()
        question = question_name(source)
        written += make_videos(source, to_film, data, fps, writer.files.videos(question))
    except RunError as error:
        raise RequestError(str(error)) from error
    place = writer.files.tables(question)
    for name in ("published-columns", "comparison") if everything else tables:
        for table in KINDS[name].make(source):
            click.echo(to_terminal(table, str(place / f"{name}.txt")))
    for line in wrote(written):
        click.echo(line)
    for sentence in writer.left_out:
        click.echo(f"left out: {sentence}")
    if page or everything:
        click.echo(
            "next: open "
            f"{shlex.quote(str(next(path for path in written if path.suffix == '.html')))} in a "
            "browser"
        )
    if tables or everything:
        click.echo(
            f"next: (cd {shlex.quote(str(writer.files.tables(question)))} && pdflatex all && "
            "bibtex all && pdflatex all && pdflatex all)"
        )


def _edit_table(run: Run) -> None:
    """Write table.toml with every key explained, unless it is there, and open it."""
    from bench.evaluation.published_numbers import RERUN, published_numbers
    from bench.files.whole_files import write_text
    from bench.runs.table_options import FILE, TEMPLATE

    path = run.path / FILE
    if not path.is_file():
        cells = run.cells()
        rows = list(dict.fromkeys(cell.label for cell in cells))
        datasets = list(dict.fromkeys(cell.dataset for cell in cells))
        published = dict.fromkeys(
            one.key for one in published_numbers() if not one.key.endswith(RERUN)
        )
        quoted = [json.dumps(name, ensure_ascii=False) for name in rows]
        write_text(
            path,
            TEMPLATE.format(
                rows=", ".join(rows),
                datasets=", ".join(datasets),
                first=", ".join(quoted[:2]),
                dataset=", ".join(json.dumps(name, ensure_ascii=False) for name in datasets),
                published=", ".join(published),
                example=quoted[0] if quoted else '"memae"',
            ),
        )
        click.echo(f"wrote {path}")
    if sys.stdin.isatty() and sys.stdout.isatty():
        click.edit(filename=str(path))


def _remake(run: Run, cell: CellRecord, data: tuple[Path, ...]) -> Distinction:
    from bench.applying.pseudo_anomaly_example import pseudo_anomaly_example
    from bench.cli.video import progress

    with progress(f"{cell.label} on {cell.dataset}") as step:
        return pseudo_anomaly_example(run, cell, data, step)
