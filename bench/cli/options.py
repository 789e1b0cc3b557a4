"""Options and arguments that several commands share, and their types."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bench.cli.complete import names, profiles, run_folder, selection
from bench.contracts.compute import OPTIONS, Compute
from bench.plugins.profiles import named

if TYPE_CHECKING:
    from bench.plugins.registry import Registry

Command = TypeVar("Command", bound=Callable[..., Any])
UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


class Duration(click.ParamType):
    """A time span like 90s, 15m, 2h or 1h30m; a bare number means minutes."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return seconds."""
        if isinstance(value, float | int):
            return float(value)
        text = str(value).strip().lower()
        if re.fullmatch(r"\d+(\.\d+)?", text):
            seconds = float(text) * 60
        elif re.fullmatch(r"(\d+(\.\d+)?(min|[smhd]))+", text):
            seconds = sum(
                float(number) * UNITS[unit]
                for number, _, unit in re.findall(r"(\d+(\.\d+)?)(min|[smhd])", text)
            )
        else:
            self.fail(f"{value!r} is not a time span; write 90s, 15m, 2h or 1h30m", param, ctx)
        if seconds <= 0:
            self.fail(f"{value!r} must be longer than zero", param, ctx)
        return seconds


def finite(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    """Refuse infinity and 'nan', which Python takes for numbers, and ranges let through."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a finite number", ctx, param)
    return value


class Workers(click.ParamType):
    """A number of workers, or 'auto'."""

    name = "number|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number, or 'auto'."""
        if value == "auto":
            return value
        try:
            number = int(value)
        except ValueError:
            number = 0
        if number < 1:
            self.fail(f"{value!r}: expected a whole number from 1, or auto", param, ctx)
        return number


def one_selection(ctx: click.Context, param: click.Parameter, texts: Sequence[str]) -> str:
    """Join several selections, with or without commas at their ends, into one: the callback of an
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


run_argument = click.argument(
    "run", type=click.Path(path_type=Path), required=False, shell_complete=run_folder
)
plugin_option = click.option(
    "--plugin",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE.py",
    help="Load your own methods, datasets and other parts from this file; repeatable.",
)
data_option = click.option(
    "--data",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="DIR",
    help="Folder that contains datasets; repeatable."
    " [default: BENCH_DATA, else ./data, else the user's data folder]",
)
detector_option = click.option(
    "--detector",
    metavar="SELECTION",
    shell_complete=selection("detectors"),
    help="Object detector for methods that need tracks. [default: the one that the dataset names,"
    " else fasterrcnn if its weights are installed, else motion]",
)
profile_option = click.option(
    "--profile",
    shell_complete=profiles,
    help=f"{named()}. [default: the one that the dataset names, else paper on a GPU and small on a"
    " CPU]",
)
metric_option = click.option(
    "--metric",
    default="auc",
    show_default=True,
    metavar="NAME",
    shell_complete=names("metrics"),
    help="Metric of the tables: auc, ap or eer.",
)


def methods_option(help: str, **more: Any) -> Callable[[Command], Command]:
    """Return `--methods`, a selection."""
    return click.option(
        "--methods",
        "-m",
        metavar="SELECTION",
        shell_complete=selection("methods"),
        help=help,
        **more,
    )


def protocol_option(help: str, **more: Any) -> Callable[[Command], Command]:
    """Return `--protocol`, a selection."""
    return click.option(
        "--protocol", metavar="SELECTION", shell_complete=selection("protocols"), help=help, **more
    )


def json_option(help: str) -> Callable[[Command], Command]:
    """Return the flag `--json`; the command's argument is `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help=help)


def load_registry(plugins: Sequence[Path]) -> Registry:
    """Return everything that is registered, plugin files included; print what is wrong with a
    plugin on stderr.

    Raises
    ------
    RequestError : a plugin file is not there.
    """
    from bench.plugins.plugin_files import refuse_missing
    from bench.plugins.registry import load

    refuse_missing(plugins)
    registry = load(plugins)
    for complaint in registry.complaints():
        click.echo(f"bench: {complaint}", err=True)
    return registry
