"""`bench score`: tables under other protocols, without training and without the dataset."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from bench.cli.options import (
    json_option,
    load_registry,
    metric_option,
    plugin_option,
    protocol_option,
    run_argument,
)
from bench.cli.run_folders import newest_run


@click.command(
    "score",
    epilog="Example: bench score results/RUN --protocol 'median17,minmax,median17[edge=zero]'",
)
@run_argument
@protocol_option("One or more protocols (bench list protocols). [default: that of the run]")
@metric_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder to write tables/ to. [default: the run's own folder]",
)
@json_option("Print the rows of results.csv under these protocols as JSON; write nothing.")
@plugin_option
def command(
    run: Path | None,
    protocol: str | None,
    metric: str,
    out: Path | None,
    as_json: bool,
    plugin: tuple[Path, ...],
) -> None:
    """Compute the tables of RUN (default: the newest below results/) under other protocols, from
    its stored scores. Neither training nor the dataset is needed.

    Tables for a protocol or metric other than the run's own go to a subfolder of tables/ named
    after them.
    """
    from bench.errors import RequestError, RunError
    from bench.evaluation.run_scores import RunScores
    from bench.plugins.selection import select
    from bench.reporting.report_writer import stale_note, write_tables
    from bench.reporting.written_files import wrote
    from bench.runs.folder import Run
    from bench.tables.comparison import comparison_text

    registry = load_registry(plugin)
    try:
        opened = Run.open(newest_run(run))
        chosen = select("protocols", protocol or opened.manifest.protocol, registry)
        if as_json:
            from bench.evaluation.data_frames import results_frame

            protocols = [selected.parameters for selected in chosen]
            metrics = list(registry.metrics.values())
            frame = results_frame(RunScores(opened).measure(protocols, metrics))
            json.dump(json.loads(frame.to_json(orient="records")), sys.stdout, indent=1)
            click.echo()
            return
        texts = [selected.text for selected in chosen]
        run_scores = RunScores(opened, registry)
        written = write_tables(opened, registry, texts, metric, out, run_scores)
        tables = [comparison_text(run_scores, registry, text, metric=metric) for text in texts]
        click.echo("\n\n".join(tables))
    except RunError as error:
        raise RequestError(str(error)) from error
    click.echo()
    for line in wrote(written):
        click.echo(line)
    if note := stale_note(written):
        click.echo(f"note: {note}")
