"""`bench export`: a run in the forms that others collect."""

from __future__ import annotations

from pathlib import Path

import click

from bench.cli.options import (
    load_registry,
    metric_option,
    plugin_option,
    protocol_option,
    run_argument,
)
from bench.cli.run_folders import newest_run


@click.command(
    "export",
    epilog="""\b
Examples:
  bench export results/RUN --format leaderboard --out board
  bench export results/RUN --format npz --protocol ddl""",
)
@run_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(["leaderboard", "csv", "npz"]),
    required=True,
    help="leaderboard: a YAML file for each dataset; csv: the same entries in one file; npz: scores"
    " and labels of each frame.",
)
@protocol_option("Protocol of the numbers. [default: that of the run]")
@metric_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder to write to. [default: the run's folder, in export/FORMAT]",
)
@plugin_option
def command(
    run: Path | None,
    form: str,
    protocol: str | None,
    metric: str,
    out: Path | None,
    plugin: tuple[Path, ...],
) -> None:
    """Write RUN (default: the newest below results/) for a leaderboard, a spreadsheet or a script
    of another program.

    An npz has one line for each frame with a score: 'clip', 'frame', 'score' (higher is more
    anomalous), 'processed' (smoothed and normalised as the protocol says) and 'label' (0 or 1; more
    label sets as 'label_NAME').
    """
    from bench.errors import RequestError
    from bench.evaluation.run_scores import RunScores
    from bench.plugins.selection import select_one
    from bench.runs.folder import Run
    from bench.scoring.metrics import choose_metric
    from bench.sharing.export import Asked, export_run

    registry = load_registry(plugin)
    opened = Run.open(newest_run(run))
    chosen = select_one("protocols", protocol or opened.manifest.protocol, registry).parameters
    asked = Asked(
        opened, RunScores(opened, registry), registry, chosen, choose_metric(metric, registry)
    )
    written = export_run(asked, form, out or opened.path / "export" / form)
    if not written:
        raise RequestError(
            f"{opened.path}: no cell has a number under {chosen.name}; nothing was written"
        )
    for path in written:
        click.echo(f"wrote {path}")
