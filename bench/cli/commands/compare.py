"""`bench compare`: do two methods differ significantly?"""

from __future__ import annotations

import json
from pathlib import Path

import click

from bench.cli.options import json_option, load_registry, plugin_option, protocol_option
from bench.cli.run_folders import open_runs


@click.command(
    "compare",
    epilog="""\b
Examples:
  bench compare results/RUN c3dsu memae
  bench compare results/RUN c3dsu c3dsu-sdl --dataset ped2 --json""",
)
@click.argument("names", nargs=-1, required=True, metavar="[RUN]... METHOD METHOD")
@click.option(
    "--dataset",
    "datasets",
    multiple=True,
    metavar="NAME",
    help="Compare on this dataset only; repeatable. [default: all datasets of the run]",
)
@protocol_option("Protocol of the numbers. [default: that of the run]")
@json_option("Print all values of each pair as JSON; AUCs are fractions, not percent.")
@plugin_option
def command(
    names: tuple[str, ...],
    datasets: tuple[str, ...],
    protocol: str | None,
    as_json: bool,
    plugin: tuple[Path, ...],
) -> None:
    """Compare two METHODs of RUN (default: the newest below results/) with a paired test over
    clips. Name them as the rows of the table are named.

    Prints for each dataset the AUC of both on the frames that both scored, the difference with its
    95 % interval, and whether it is significant.
    """
    from bench.errors import RequestError, RunError
    from bench.evaluation.pairs import pairs
    from bench.plugins.selection import select_one
    from bench.scoring.intervals import METRIC

    if len(names) < 2:
        raise RequestError(
            f"one method, {names[0]!r}, cannot be compared; write bench compare RUN METHOD METHOD"
        )
    *runs, first, second = names
    registry = load_registry(plugin)
    try:
        run = open_runs(tuple(map(Path, runs)), Path())  # nothing is written
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
