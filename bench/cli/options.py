"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from bench.contracts.compute import OPTIONS, Compute

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


def compute_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for each field of `Compute` that is one; absent, its value is None."""
    for option in reversed(OPTIONS):
        shown, choices = option.metadata["shown"], option.metadata["choices"]
        how: dict[str, Any] = {"help": option.metadata["help"]}
        if option.default is False:
            how |= {"is_flag": True, "default": None}
        elif choices:
            how |= {"type": click.Choice(choices)}
        elif isinstance(option.default, int):
            how |= {"type": click.IntRange(1)}
        if option.default is not False:
            how["help"] += f" [default: {shown or option.default}]"
        command = click.option(f"--{option.name}", **how)(command)
    return command


def take_compute(options: dict[str, Any]) -> Compute:
    """Take the options of `compute_options` out of all options, and return what they say."""
    given = {option.name: options.pop(option.name) for option in OPTIONS}
    return Compute(**{name: value for name, value in given.items() if value is not None})
