"""`bench doctor`: check this machine's installation."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from bench.cli.options import data_option, json_option, plugin_option

WIDTH = 100


@click.command("doctor")
@data_option
@json_option("Print the findings as JSON.")
@plugin_option
def command(data: tuple[Path, ...], as_json: bool, plugin: tuple[Path, ...]) -> None:
    """Check Python, torch, devices, memory, disks, datasets, weights, LaTeX and plugins, and say
    how to fix what is missing or broken.

    Exit code 1 if something that `bench run` requires is broken (Python, a required package, torch,
    OpenCV, a folder that cannot be written, a data folder that does not exist, bench's own
    plugins); else 0.
    """
    from bench.plugins.registry import load
    from bench.running.doctor import examine

    findings = examine(load(plugin), data)
    broken = [finding for finding in findings if finding.state == "broken"]
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        width = max(len(finding.state) for finding in findings)
        for finding in findings:
            text = f"{finding.state:{width}}  {finding.subject}: {finding.text}"
            todo = f"-> {finding.todo}"
            if finding.todo and len(text) + len(todo) < WIDTH:
                text, todo = f"{text} {todo}", ""
            click.echo(_wrapped(text, " " * (width + 4)))
            if finding.todo and todo:
                click.echo(_wrapped(f"{'':{width}}  {todo}", " " * (width + 5)))
        names = ", ".join(finding.subject for finding in broken)
        click.echo(
            f"\n`bench run` cannot work until this is fixed: {names}"
            if broken
            else "\n`bench run` has everything it requires"
        )
    sys.exit(1 if broken else 0)


def _wrapped(text: str, indent: str) -> str:
    import textwrap

    return textwrap.fill(
        text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
