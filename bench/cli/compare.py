"""`bench compare`: whether two methods can be told apart."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bench.cli.options import plugin_option
from bench.cli.report import opened


@click.command(
    "compare",
    short_help="Tell whether two methods of a run differ.",
    epilog="""\b
Examples:
  bench compare results/RUN c3dsu memae
  bench compare results/RUN c3dsu 'c3dsu[anomaly_weight=static]' --dataset ped2 --json""",
)
@click.argument("names", nargs=-1, required=True, metavar="[RUN]... METHOD METHOD")
@click.option(
    "--dataset",
    "datasets",
    multiple=True,
    metavar="NAME",
    help="Only on this one; repeatable. [default: all of the run]",
)
@click.option(
    "--protocol",
    metavar="SELECTION",
    help="What makes numbers of scores. [default: that of the run]",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Everything about each pair, as JSON; fractions."
)
@plugin_option
def command(
    names: tuple[str, ...],
    datasets: tuple[str, ...],
    protocol: str | None,
    as_json: bool,
    plugin: tuple[Path, ...],
) -> None:
    """Compare two METHODs, rows of the table of RUN (default: the newest below results/), by a
    paired test over clips.

    On each dataset: the AUC of both on the frames that both scored, the difference with its 95 %
    interval, and what it means.
    """
    from bench.errors import RequestError, RunError
    from bench.evaluation.pairs import pairs
    from bench.plugins.registry import load
    from bench.plugins.selection import select_one
    from bench.scoring.intervals import METRIC

    if len(names) < 2:
        raise RequestError(
            f"one method, {names[0]!r}, cannot be compared; write bench compare RUN METHOD METHOD"
        )
    *runs, first, second = names
    registry = load(plugin)
    for complaint in registry.complaints():
        click.echo(f"bench: {complaint}", err=True)
    try:
        run = opened(tuple(map(Path, runs)), Path())  # nothing is written
        chosen = select_one("protocols", protocol or run.manifest.protocol, registry).parameters
        made, missing = pairs(run, (first, second), datasets, chosen, registry.metrics[METRIC])
    except RunError as error:
        raise RequestError(str(error)) from error
    if not made:
        raise RequestError(*missing)
    for sentence in missing:
        click.echo(f"left out: {sentence}", err=True)
    click.echo(
        json.dumps([pair.facts() for pair in made], indent=1)
        if as_json
        else "\n\n".join(pair.text() for pair in made)
    )
