"""`bench download`: get datasets and weights from their owners."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from bench.cli.complete import downloads
from bench.cli.options import data_option, load_registry, one_selection, plugin_option
from bench.wording import wrapped

if TYPE_CHECKING:
    from rich.console import Console

    from bench.downloads.available import Wanted

LINE_EVERY = 10.0
"""Seconds between two lines about one file where there is no terminal."""


@click.command(
    "download",
    epilog=(
        "Examples: bench download --list; bench download ped2 avenue; bench download fasterrcnn "
        "--accept-terms; bench download shanghaitech --from ~/Downloads/shanghaitech.tar.gz"
    ),
)
@click.argument(
    "names", nargs=-1, metavar="NAMES...", callback=one_selection, shell_complete=downloads
)
@click.option(
    "--list",
    "as_list",
    is_flag=True,
    help="List what is available, its size and terms, and what is already here. Connects to nothing.",
)
@click.option(
    "--from",
    "given",
    multiple=True,
    metavar="FILE|DIR|URL",
    help="Take an archive or weights from here instead of the owners' address: a file, a folder of"
    " such files, the address of a file, or of a mirror's folder (ending in /). Checked like any"
    " other; repeatable.",
)
@click.option(
    "--accept-terms", is_flag=True, help="Agree to the owners' terms without being asked."
)
@data_option
@plugin_option
def command(
    names: str,
    as_list: bool,
    given: tuple[str, ...],
    accept_terms: bool,
    data: tuple[Path, ...],
    plugin: tuple[Path, ...],
) -> None:
    """Get NAMES: datasets, and weights that detectors and methods need. The only command that opens
    a connection.

    Files are checked by their SHA-256. A download that was cut goes on where it stopped, with the
    same command. Datasets are unpacked into the first data folder, which is made if needed, and
    checked as `bench verify` does; weights go to torchvision's cache (TORCH_HOME). What is here is
    not fetched again.

    Exit code 0: all that was named is here and correct; 1: something is not.
    """
    from bench.downloads.available import available, choose
    from bench.errors import RequestError

    registry = load_registry(plugin)
    if as_list:
        known = available(registry)
        print_list(choose(names, registry) if names else list(known.values()), data)
        return
    if not names:
        raise RequestError(
            "name a dataset or weights; bench download --list shows what is available"
        )
    sys.exit(download(choose(names, registry), given, accept_terms, data))


def print_list(items: Sequence[Wanted], data: tuple[Path, ...]) -> None:
    """Print a table of what can be had."""
    from bench.planning.request import data_folders

    width = max(len(one.name) for one in items)
    shared: dict[str, str] = {}
    for one in items:
        sizes = [_size(part.size) for part in one.downloads]
        place, complete = one.here(data_folders(data))
        state = "" if not place else f"here: {place}" if complete else f"incomplete: {place}"
        lines = [f"{one.title}, {' + '.join(sizes)}"]
        for part in one.downloads:
            first = shared.setdefault(part.file, one.name)
            note = f" (the same file as for {first})" if first != one.name else ""
            if part.url:
                lines.append(f"{part.file} from {urlsplit(part.url).netloc}{note}")
            else:
                lines.append(f"{part.file}, by hand from {part.page}{note}; then --from")
        lines += [f"terms: {one.licence}"] + [state] * bool(state)
        for number, line in enumerate(lines):
            head = f"{one.name if not number else '':{width}}  "
            click.echo(wrapped(line, head, " " * (width + 2)))


def _size(count: int) -> str:
    if not count:
        return "size not known"
    return f"{count / 1e6:,.0f} MB" if count >= 10e6 else f"{count / 1e6:.1f} MB"


def download(
    chosen: Sequence[Wanted], given: tuple[str, ...], accept_terms: bool, data: tuple[Path, ...]
) -> int:
    """Do what `bench download` does and return the exit code."""
    from bench.downloads.getting import check_room, clean, get, sources
    from bench.errors import DataError
    from bench.planning.request import data_folders
    from bench.running.display import make_console

    console = make_console(sys.stdout)
    roots = data_folders(data)
    target = roots[0]
    found = sources(chosen, given)
    absent = []
    for one in chosen:
        place, complete = one.here(roots)
        if complete:
            console.print(f"{one.name}: already in {place}", markup=False)
        else:
            absent.append(one)
    check_room(absent, found, target)
    _agree([one for one in absent if found.keys() & set(one.downloads)], accept_terms)
    done, failed = [one for one in chosen if one not in absent], []
    for one in absent:
        try:
            with _Progress(console, one.name) as progress:
                get(one, found, target, roots, progress.step)
        except DataError as error:
            click.echo(f"bench: {error}", err=True)
            failed.append(one)
        else:
            place, _ = one.here(roots)
            console.print(f"{one.name}: in {place or target}", markup=False)
            done.append(one)
    clean(done, failed)
    correct = [_verify(one, roots, console) for one in done]
    return 0 if not failed and all(correct) else 1


def _agree(items: Sequence[Wanted], accepted: bool) -> None:
    """Show terms and citations, each once, and have them agreed to.

    Raises
    ------
    RequestError : not agreed, or there is nobody to ask.
    """
    from bench.errors import RequestError

    if not items:
        return
    texts: dict[tuple[str, str, str], list[str]] = {}
    for one in items:
        key = (one.licence, one.citation, one.downloads[0].page)
        texts.setdefault(key, []).append(one.name)
    for (licence, citation, page), names in texts.items():
        click.echo(f"{', '.join(names)}")
        for head, text in (("terms", licence), ("see", page), ("cite", citation)):
            click.echo(wrapped(f"{head + ':':7}{text}", "  ", " " * 9))
    if accepted:
        return
    if not sys.stdin.isatty():
        raise RequestError("the owners' terms are above; agree to them with --accept-terms")
    if not click.confirm("Do you agree to these terms?"):
        raise RequestError("nothing was fetched: the terms were not agreed to")


def _verify(one: Wanted, roots: Sequence[Path], console: Console) -> bool:
    """Check a dataset as `bench verify` does. Weights were checked by their SHA-256."""
    from bench.cli.commands.verify import show
    from bench.contracts.dataset import Dataset
    from bench.frames.verification import verify_dataset

    if not (isinstance(one.part, type) and issubclass(one.part, Dataset)):
        return True
    outcome = verify_dataset(one.part(), one.name, roots)
    show(console, outcome, False)
    return outcome.ok


class _Progress:
    """A bar with the time left on a terminal; else a line every few seconds."""

    def __init__(self, console: Console, name: str) -> None:
        self.console, self.name = console, name
        self.what, self.began, self.said, self.first = "", 0.0, 0.0, 0
        self.bar: Any = None
        self.task: Any = None
        if console.is_terminal:
            from rich.progress import (
                BarColumn,
                DownloadColumn,
                Progress,
                TextColumn,
                TimeRemainingColumn,
                TransferSpeedColumn,
            )

            self.bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=16),
                DownloadColumn(),
                TransferSpeedColumn(),
                TimeRemainingColumn(),
                console=console,
                transient=True,
            )

    def __enter__(self) -> _Progress:
        if self.bar is not None:
            self.bar.start()
        return self

    def __exit__(self, *ended: object) -> None:
        if self.bar is not None:
            self.bar.stop()

    def step(self, what: str, done: int, total: int) -> None:
        """Show how far a file is."""
        now = time.monotonic()
        if what != self.what:
            self.what, self.began, self.said, self.first = what, now, now, done
            if self.bar is not None:
                if self.task is not None:
                    self.bar.remove_task(self.task)
                self.task = self.bar.add_task(what, total=total or None)
            else:
                self.console.print(f"{self.name}: {what}", markup=False)
        if self.bar is not None:
            self.bar.update(self.task, completed=done, total=total or None)
        elif now - self.said >= LINE_EVERY:
            self.said = now
            self.console.print(f"{self.name}: {what}: {self._far(now, done, total)}", markup=False)

    def _far(self, now: float, done: int, total: int) -> str:
        from bench.running.duration import duration

        text = f"{done / 1e6:,.0f}" + (f" of {total / 1e6:,.0f} MB" if total else " MB")
        speed = (done - self.first) / (now - self.began)
        if total and speed > 0:
            text += f", {duration((total - done) / speed)} left"
        return text
