"""`bench pack`: one zip of a run, for reviewers and readers."""

from __future__ import annotations

from pathlib import Path

import click

from bench.cli.options import load_registry, plugin_option, run_argument
from bench.cli.run_folders import newest_run


@click.command(
    "pack",
    epilog="""\b
Examples:
  bench pack results/RUN                          RUN.zip, to publish
  bench pack results/RUN --anonymous              anonymous.zip, for reviewers
  bench verify RUN.zip                            what a reader does with it""",
)
@run_argument
@click.option(
    "--anonymous",
    is_flag=True,
    help="Take out names of users and machines, mail addresses, paths, commits and the git remote.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The zip to write. [default: NAME.zip of the run's folder, or anonymous.zip, here]",
)
@plugin_option
def command(run: Path | None, anonymous: bool, out: Path | None, plugin: tuple[Path, ...]) -> None:
    """Write RUN (default: the newest below results/) as one zip: run.json, cells, scores, labels,
    tables, figures and page, the packages it was made with, a checksum of each file, every number
    with the commands that make it (claims.md), answers for a reproducibility checklist, model cards
    of kept weights, and what to cite.

    The run is verified first; one that differs is not packed. Equal runs give equal zips.
    """
    from bench.runs.folder import Run
    from bench.sharing.pack import pack_run

    registry = load_registry(plugin)
    opened = Run.open(newest_run(run))
    name = "anonymous" if anonymous else opened.path.resolve().name
    packed = pack_run(opened, registry, out or Path(f"{name}.zip"), anonymous)
    for sentence in packed.left_out:
        click.echo(f"left out: {sentence}")
    size = packed.path.stat().st_size / 1e6
    click.echo(f"wrote {packed.path} ({packed.files} files, {size:.1f} MB)")
    if anonymous:
        page = "run/report.html and " if opened.report.page().is_file() else ""
        click.echo(
            "note: names that only you know (of a plugin, of a row, in an image) are still in it; "
            f"look at {page}claims.md before you hand it in"
        )
    click.echo(f"next: bench verify {packed.path}")
