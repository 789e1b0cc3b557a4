"""`bench new`: create a plugin project."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(
    "new",
    epilog=(
        "Examples: bench new method my-method   |   bench new network my-network   |   bench new "
        "dataset my-dataset   |   bench new method my-method --file"
    ),
)
@click.argument("kind", type=click.Choice(["method", "network", "dataset"]))
@click.argument("name")
@click.option(
    "--file",
    "as_file",
    is_flag=True,
    help="Create one file for --plugin instead of an installable project.",
)
def command(kind: str, name: str, as_file: bool) -> None:
    """Create the folder NAME with a small working plugin, its tests, pyproject.toml and README, for
    you to change: a method of a few lines, a network with its training, or a dataset.

    NAME is the name of the method or dataset: lower-case letters, digits and hyphens.
    """
    from bench.plugins.new_project import write_project
    from bench.plugins.registry import load

    written = write_project(kind, name, load(), Path(), as_file)  # type: ignore[arg-type]
    for path in written:
        click.echo(f"wrote {path}")
    file = next(path for path in written if path.stem == name.replace("-", "_"))
    row = (
        f"--methods {name},pca --datasets demo"
        if kind != "dataset"
        else f"--methods frame-difference,pca --datasets {name}"
    )
    if as_file:
        click.echo(f"next: bench check {file} && bench run --plugin {file} {row}")
    else:
        example = " && python tests/example.py data" * (kind == "dataset")
        click.echo(
            f"next: cd {name} && pip install -e . pytest && pytest{example} && bench check {name} "
            f"&& bench run {row}"
        )
