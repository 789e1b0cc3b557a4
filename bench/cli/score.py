"""`bench score`: other protocols, without training and without the dataset."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from bench.cli.complete import names, run_folder, selection
from bench.cli.options import plugin_option
from bench.cli.status import newest_run


@click.command(
    "score",
    short_help="Score a run again under other protocols.",
    epilog="Example: bench score results/RUN --protocol 'median17,minmax,median17[edge=zero]'",
)
@click.argument("run", type=click.Path(path_type=Path), required=False, shell_complete=run_folder)
@click.option(
    "--protocol",
    metavar="SELECTION",
    shell_complete=selection("protocols"),
    help="One or several (bench list protocols). [default: that of the run]",
)
@click.option(
    "--metric",
    default="auc",
    show_default=True,
    metavar="NAME",
    shell_complete=names("metrics"),
    help="Metric of the tables: auc, ap, eer.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Where to write tables/. [default: the run's own folder]",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="The lines of results.csv under these protocols, as JSON.",
)
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
    its stored scores.

    Those under another protocol or metric than the run's own are written to a folder of their name
    below tables/.
    """
    from bench.errors import RequestError, RunError
    from bench.plugins.registry import load
    from bench.plugins.selection import select
    from bench.reporting.report_writer import stale_note, write_tables
    from bench.runs.folder import Run
    from bench.tables.tables import comparison_text

    registry = load(plugin)
    for complaint in registry.complaints():
        click.echo(f"bench: {complaint}", err=True)
    try:
        opened = Run.open(newest_run(run))
        chosen = select("protocols", protocol or opened.manifest.protocol, registry)
        if as_json:
            from bench.evaluation.results import results_frame

            frame = results_frame(
                opened,
                [selected.parameters for selected in chosen],
                list(registry.metrics.values()),
            )
            json.dump(json.loads(frame.to_json(orient="records")), sys.stdout, indent=1)
            click.echo()
            return
        written = write_tables(
            opened, registry, [selected.text for selected in chosen], metric, out
        )
        for number, selected in enumerate(chosen):
            if number:
                click.echo()
            click.echo(comparison_text(opened, registry, selected.text, metric=metric))
    except RunError as error:
        raise RequestError(str(error)) from error
    click.echo()
    for path in written:
        click.echo(f"wrote {path}")
    if note := stale_note(written):
        click.echo(f"note: {note}")
