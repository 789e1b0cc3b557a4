"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def plugin_option(command: Command) -> Command:
    """Add `--plugin FILE.py`, repeatable: the argument `plugin` is a tuple of paths."""
    return click.option(
        "--plugin",
        type=click.Path(path_type=Path),
        multiple=True,
        metavar="FILE.py",
        help="A file with methods, datasets or other parts of your own; repeatable.",
    )(command)


def one_selection(ctx: click.Context, param: click.Parameter, texts: Sequence[str]) -> str:
    """Return several selections, with commas at their ends or without, as one: the callback of an
    argument with `nargs=-1`.
    """
    return ",".join(text.strip(", ") for text in texts)
