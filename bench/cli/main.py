"""The command group. Each command is a module, imported when the command is used."""

from __future__ import annotations

import importlib
import io
import sys
from typing import Any

import click

from bench.errors import BenchError, RequestError

SETUP = {
    "download": "Get datasets and weights from their owners, and check them.",
    "list": "List methods, datasets, detectors, protocols, plugins.",
    "prepare": "Decode frames and find objects, once, before a run.",
    "check": "Run the conformance checks on methods, creators and datasets.",
    "new": "Create a plugin project for your own method or dataset.",
    "doctor": "Check the installation on this machine.",
    "help": "Explain selections, protocols, files and more.",
}
RUNS = {
    "run": "Train, score and tabulate methods on datasets.",
    "status": "Show the progress of a run.",
    "stop": "Stop a run, wherever it is running.",
    "verify": "Check datasets against their specification, or the numbers of a run or its zip.",
    "score": "Score a run again under other protocols.",
    "report": "Make tables, figures and a page of a run.",
    "compare": "Test whether two methods of a run differ.",
    "pack": "Write a run as one zip, for reviewers and readers.",
    "export": "Write a run for a leaderboard, a spreadsheet or a script.",
    "apply": "Score footage, or a live source, with a finished cell.",
}
COMMANDS = RUNS | SETUP


class Commands(click.Group):
    """Imports a command by its name, so that `bench --help` imports none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command, or None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        folder = "commands" if cmd_name in RUNS else "setup"
        return importlib.import_module(f"bench.cli.{folder}.{cmd_name}").command  # type: ignore[no-any-return]

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Refuse an unknown command and suggest the closest name."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from bench.wording import did_you_mean

            ctx.fail(f"no command {args[0]!r}{did_you_mean(args[0], COMMANDS)} (bench --help)")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        for title, commands in (("Commands", RUNS), ("Setup commands", SETUP)):
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run; print an error that is meant for the user as one line per problem on stderr."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            # as stderr does: what the terminal cannot show, a file's name say, is no traceback
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            return super().main(*args, **kwargs)
        except BenchError as error:
            if "--traceback" in sys.argv:
                raise
            for line in str(error).splitlines():
                click.echo(f"bench: {line}", err=True)
            sys.exit(2 if isinstance(error, RequestError) else 1)


def _print_version(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from bench.hardware.machine import git_state, versions
    from bench.plugins.registry import current

    found = versions()
    click.echo(
        f"bench {found.pop('vad-bench')}" + (f" ({git_state()[:12]})" if git_state() else "")
    )
    for name, version in found.items():
        click.echo(f"  {name} {version}")
    for plugin in current().plugins:
        click.echo(
            f"  plugin {plugin.name} ({plugin.origin})"
            + (f": broken: {plugin.broken}" if plugin.broken else "")
        )
    ctx.exit()


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="'bench COMMAND --help' shows the options of a command."
    " Quote selections that contain [ or |.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the versions of bench, Python, torch and plugins.",
)
@click.option(
    "--traceback", is_flag=True, expose_value=False, help="Show the full traceback of errors."
)
def bench() -> None:
    """Benchmark methods that find anomalous frames in surveillance video.

    \b
      bench run --methods c3dsu,baseline --datasets demo  5 minutes, no download
      bench download ped2 avenue                          real data, into ./data
      bench run --methods c3dsu,baseline --datasets all   all that are in ./data
    """  # noqa: D301  # click's mark for lines that stay as they are is a real backspace
