"""`bench doctor`: check this machine's installation."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.options import data_option, json_option, plugin_option
from bench.wording import terminal_width, wrapped

if TYPE_CHECKING:
    from bench.plugins.registry import Registry


@click.command("doctor")
@data_option
@json_option("Print the findings as JSON.")
@plugin_option
@click.option(
    "--device",
    metavar="DEVICE",
    help="Examine this device instead, with every network, in at most two minutes: cuda, cuda:1 or"
    " cpu. Prints a block for an issue.",
)
@click.option(
    "--methods",
    default="",
    metavar="NAME,...",
    help="With --device: examine these networks only. [default: all]",
)
def command(
    data: tuple[Path, ...],
    as_json: bool,
    plugin: tuple[Path, ...],
    device: str | None,
    methods: str,
) -> None:
    """Check Python, torch, devices, memory, disks, datasets, weights, LaTeX and plugins, and say
    how to fix what is missing or broken.

    Exit code 1 if something that `bench run` requires is broken (Python, a required package, torch,
    OpenCV, a folder that cannot be written, a data folder that does not exist, bench's own
    plugins); else 0. With --device, exit code 1 if the device computes something wrong.
    """
    from bench.plugins.registry import load
    from bench.running.doctor import examine

    if device is not None:
        sys.exit(_examine_device(device, methods, load(plugin), as_json))
    findings = examine(load(plugin), data)
    broken = [finding for finding in findings if finding.state == "broken"]
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        width = max(len(finding.state) for finding in findings)
        for finding in findings:
            text = f"{finding.state:{width}}  {finding.subject}: {finding.text}"
            todo = f"-> {finding.todo}"
            if finding.todo and len(text) + len(todo) < terminal_width():
                text, todo = f"{text} {todo}", ""
            click.echo(wrapped(text, "", " " * (width + 4)))
            if finding.todo and todo:
                click.echo(wrapped(f"{'':{width}}  {todo}", "", " " * (width + 5)))
        names = ", ".join(finding.subject for finding in broken)
        click.echo(
            f"\n`bench run` cannot work until this is fixed: {names}"
            if broken
            else "\n`bench run` has everything it requires"
        )
    sys.exit(1 if broken else 0)


def _examine_device(device: str, methods: str, registry: Registry, as_json: bool) -> int:
    from bench.contracts.network_method import NetworkMethod
    from bench.engine.seeding import seed_everything
    from bench.errors import RequestError
    from bench.hardware.machine import choose_device, cores
    from bench.testing.device_examination import examine_device
    from bench.wording import unknown

    names = [name.strip() for name in methods.split(",") if name.strip()]
    if mistakes := [
        unknown("method", name, registry.methods) for name in names if name not in registry.methods
    ]:
        raise RequestError(*mistakes)
    if plain := [n for n in names if not issubclass(registry.methods[n], NetworkMethod)]:
        raise RequestError(f"--methods {plain[0]}: it has no network, so no device to examine")
    chosen = choose_device(device)
    seed_everything(0, cores())
    on_terminal = sys.stderr.isatty()

    def say(text: str) -> None:
        if on_terminal:
            click.echo(f"\r\033[K{text}", err=True, nl=False)

    found = examine_device(chosen, registry, methods=names, say=say)
    say("")
    click.echo(
        json.dumps(found.as_json(), indent=1) if as_json else f"```text\n{found.text()}\n```"
    )
    return 1 if found.failed else 0
