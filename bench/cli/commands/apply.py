"""`bench apply`: score new footage with a finished cell."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from bench.cli.complete import cell_folder
from bench.cli.options import (
    Duration,
    finite,
    json_option,
    load_registry,
    plugin_option,
    protocol_option,
)

if TYPE_CHECKING:
    from bench.applying.application import Application
    from bench.applying.footage import Footage
    from bench.applying.listener import Outcome, ScoredFrame
    from bench.runs.applied import Applied
    from bench.scoring.watching import Event

LINE_EVERY = 30.0
"""Seconds between two lines of progress about one source, if stderr is not a terminal."""


@click.command(
    "apply",
    epilog="""\b
Examples:
  bench run --methods c3dsu --datasets demo-ped2 --keep weights,train-scores --out results/yard
  bench apply results/yard/cells/c3dsu/demo-ped2/0 new.mp4 --video
  bench apply results/yard/cells/c3dsu/demo-ped2/0 videos/ --false-alarm-rate 0.01
  bench apply results/yard/cells/c3dsu/demo-ped2/0 rtsp://camera/stream --json""",
)
@click.argument("cell", type=click.Path(path_type=Path), shell_complete=cell_folder)
@click.argument("source", type=click.Path())
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="New folder for the results. [default: results/applied/DATE-TIME]",
)
@click.option(
    "--false-alarm-rate",
    "rate",
    type=click.FloatRange(0, 1, max_open=True),
    callback=finite,
    help="Set the threshold so that at most this share of the training frames is above it."
    " [default: 0.001, as in the table operator]",
)
@click.option(
    "--threshold",
    type=float,
    callback=finite,
    help="Set the threshold directly, e.g. if no training scores were kept.",
)
@protocol_option(
    "Smooth scores as this protocol does before the threshold is applied; raw: do not smooth."
    " [default: that of the run]"
)
@click.option(
    "--fps",
    type=click.FloatRange(min=0, min_open=True),
    callback=finite,
    help="Frames per second of files. [default: as stated in the file]",
)
@click.option("--video", is_flag=True, help="Write an annotated video of each source.")
@json_option("Print events to stdout as JSON lines, as they begin and end.")
@click.option(
    "--give-up",
    type=Duration(),
    default="10m",
    show_default=True,
    help="Stop a live source after this time without a frame.",
)
@click.option(
    "--device",
    metavar="NAME",
    help="Device: cpu, cuda or cuda:N. [default: that of the cell, else cpu]",
)
@click.option(
    "--threads", type=click.IntRange(min=1), help="CPU threads. [default: those of the cell]"
)
@plugin_option
def command(
    cell: Path,
    source: str,
    out: Path | None,
    rate: float | None,
    threshold: float | None,
    protocol: str | None,
    fps: float | None,
    video: bool,
    as_json: bool,
    give_up: float,
    device: str | None,
    threads: int | None,
    plugin: tuple[Path, ...],
) -> None:
    """Score SOURCE with a finished CELL (results/RUN/cells/METHOD/DATASET/SEED) that kept its
    weights.

    SOURCE is a video file, a folder of videos or of images, the number of a camera, or an address
    that OpenCV can open. Writes one row per frame (time, score, whether it is above the threshold)
    and a list of events. Ctrl-C stops; what was scored until then is complete on disk.

    Exit code 0: everything was scored, or a live source was stopped by you; 1: a source could not
    be read to its end, or a live source was lost; 2: the request is invalid or cannot be met; 130:
    stopped before the end of the files.
    """
    from bench.applying.application import prepare_application
    from bench.applying.footage import find_footage, passed_over
    from bench.errors import DataError, RequestError, RunError
    from bench.figures.video import PANEL
    from bench.runs.applied import Applied
    from bench.runs.layout import RESULTS

    load_registry(plugin)
    if rate is not None and threshold is not None:
        raise RequestError(
            "--false-alarm-rate and --threshold both set the threshold: use only one of them"
        )
    try:
        footage, unread = find_footage(source), passed_over(source)
        application, run = prepare_application(
            cell, footage, protocol, threshold, rate, fps=fps, give_up=give_up, image_height=PANEL if video else 0,
            device=device or "", threads=threads or 0,
        )  # fmt: skip
        shown = footage[0].shown if "://" in source else source  # an address may hold a password
        folder = out or RESULTS / "applied" / datetime.now().strftime("%Y%m%d-%H%M%S")
        output = Applied(folder, application.about(run, shown))
    except (RunError, DataError) as error:
        raise RequestError(str(error)) from error
    files = footage[0].address is None
    screen = _Screen(application, output, as_json)
    record = application.cell
    screen.tell(
        f"cell {run.cell_path(record)}: {record.label} on {record.dataset}, seed {record.seed}, "
        f"profile {record.profile}"
    )
    screen.tell(
        f"threshold {application.threshold:.6g}: {application.threshold_from}; "
        f"{application.smoothed}"
    )
    screen.tell(f"writing {folder}")
    for note in [*application.notes, *(f"passed over: {one.path}: {one.reason}" for one in unread)]:
        screen.note(note)
    failures, stopped = _apply_all(application, footage, output, screen)
    if not video and not stopped and not failures and files:
        again = shlex.join([*_words(click.get_current_context()), "--video"])
        screen.tell(f"next: {again}   (the same with an annotated video)")
    screen.tell(f"written {folder}")
    for failure in failures:
        click.echo(f"bench: {failure}", err=True)
    sys.exit(1 if failures else 130 if stopped and files else 0)


def _words(ctx: click.Context) -> list[str]:
    """Return the command of a file as it was given, without its folder."""
    arguments, options = [], []
    for parameter in ctx.command.params:
        name, value = str(parameter.name), ctx.params.get(str(parameter.name))
        if isinstance(parameter, click.Argument):
            arguments.append(str(value))
        elif isinstance(parameter, click.Option) and name not in ("out", "video", "give_up"):
            if ctx.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
                continue
            for one in value if parameter.multiple and value else [value]:
                options += [parameter.opts[0], *([] if parameter.is_flag else [str(one)])]
    return ["bench", "apply", *arguments, *options]


def _apply_all(
    application: Application, footage: Sequence[Footage], output: Applied, screen: _Screen
) -> tuple[list[str], bool]:
    """Score one source after the other; return errors, and whether the user stopped."""
    from bench.applying.apply import apply_to
    from bench.errors import BenchError
    from bench.running.stopping import asked_to_stop

    failures: list[str] = []
    try:
        with asked_to_stop(insist=True) as stops:
            for one in footage:
                try:
                    apply_to(application, one, output, screen, stops)
                except BenchError as error:
                    failures.append(str(error))
                output.write_about(
                    [asdict(outcome) for outcome in screen.outcomes],
                    ended=datetime.now(UTC).isoformat(timespec="seconds"),
                )
                if stops():
                    return failures, True
        return failures, False
    except KeyboardInterrupt:
        return failures, True
    finally:
        output.close()


class _Screen:
    """Prints to the terminal; draws annotated videos on the way."""

    def __init__(self, application: Application, output: Applied, as_json: bool) -> None:
        self.application, self.output, self.as_json = application, output, as_json
        self.outcomes: list[Outcome] = []
        self._noted: set[str] = set()
        self._name = ""
        self._open = ExitStack()
        self._began = self._said = 0.0
        self._total: int | None = None
        self._step: Callable[[int, int | None, str], None] = lambda done, total, what: None
        self._draw: Callable[[Sequence[ScoredFrame]], None] = lambda rows: None

    # -- lines -------------------------------------------------------------------------------------

    def tell(self, text: str) -> None:
        """Print a result: to stdout, or to stderr if stdout holds JSON events."""
        # On a terminal that shows progress as well, one stream keeps both apart.
        click.echo(text, err=self.as_json or (sys.stdout.isatty() and sys.stderr.isatty()))

    def say(self, text: str) -> None:
        """Print to stderr."""
        click.echo(text, err=True)

    def note(self, text: str) -> None:
        """Print a note, once."""
        if text not in self._noted:
            self._noted.add(text)
            self.say(f"note: {text}")

    # -- as an observer ----------------------------------------------------------------------------

    def checking(self, footage: Footage, done: int, total: int) -> None:
        """Show progress."""
        if self._name != footage.name:
            self._show(footage, total)
        self.progress(done, "checking", None)

    def _show(self, footage: Footage, total: int | None) -> None:
        from bench.cli.video import progress

        self._open.close()
        self._name, self._total = footage.name, total
        self._began = self._said = time.monotonic()
        self._open = ExitStack()
        self._step = self._open.enter_context(progress(footage.name))

    def begin(self, footage: Footage, rate: float, total: int | None, stamped: bool) -> None:
        """Show progress; open the video."""
        from bench.figures.video import Ticker, film

        self._show(footage, total)
        self._draw = lambda rows: None
        if not self.application.image_height:
            return
        record = self.application.cell
        ticker = Ticker(
            f"{footage.name}   {record.label}, trained on {record.dataset}",
            self.application.protocol.name,
            self.application.threshold,
        )
        write = self._open.enter_context(film(self.output.video_path(footage.name), rate, stamped))
        with_errors: list[bool] = []

        def draw(rows: Sequence[ScoredFrame]) -> None:
            with_errors.append(any(row.error is not None for row in rows))
            for row in rows:
                assert row.image is not None
                said = f"frame {row.frame}   {_clock(row.seconds)}   " + (
                    "no score" if row.smoothed is None else f"score {row.smoothed:.4g}"
                )
                write(
                    ticker.draw(row.image, row.error, with_errors[0], row.smoothed, said),
                    row.seconds,
                )

        self._draw = draw

    def rows(self, rows: Sequence[ScoredFrame]) -> None:
        """Draw them."""
        self._draw(rows)

    def event(self, event: Event) -> None:
        """Print where an event begins and ends."""
        if self.as_json:
            click.echo(json.dumps({"source": self._name, **event.as_json()}))
            sys.stdout.flush()
        elif not event.closed:
            self.tell(
                f"{self._name}: event {event.number} begins at {_clock(event.start)} (frame "
                f"{event.first})"
            )
        else:
            why = "" if event.closed == "below threshold" else f" ({event.closed})"
            self.tell(
                f"{self._name}: event {event.number} ends at {_clock(event.end)} (frame "
                f"{event.last}), peak {event.peak:.4g} at {_clock(event.peak_time)}{why}"
            )

    def progress(self, done: int, what: str, behind: float | None) -> None:
        """Show frames done, frames per second, and time left or lag; an occasional plain line if
        stderr is not a terminal.
        """
        now = time.monotonic()
        what += f", {done / max(now - self._began, 1e-3):.1f} frames/s" if done else ""
        what += "" if behind is None else f", {behind:.1f} s behind"
        self._step(done, self._total, what)
        if now - self._said > LINE_EVERY and not sys.stderr.isatty():
            self._said = now
            self.say(
                f"{self._name}: frame {done}"
                + (f" of {self._total}" if self._total else "")
                + f", {what}"
            )

    def end(self, outcome: Outcome) -> None:
        """Close the video and print a summary."""
        self.outcomes.append(outcome)
        try:
            self._open.close()
        finally:
            seconds = max(time.monotonic() - self._began, 1e-3) if self._began else 0.0
            speed = (
                f", {outcome.frames / seconds:.0f} frames/s"
                if outcome.frames and outcome.largest_lag is None
                else ""
            )
            lost = f", {outcome.dropped} dropped" if outcome.dropped else ""
            lag = (
                ""
                if outcome.largest_lag is None
                else f", at most {outcome.largest_lag:.1f} s behind"
            )
            self.tell(
                f"{outcome.name}: {outcome.frames} frames, {outcome.scored} "
                f"scored{lost}{speed}{lag}; {outcome.above} above the threshold, {outcome.events} "
                f"{'event' if outcome.events == 1 else 'events'} -> "
                f"{self.output.scores_path(outcome.name)}"
            )


def _clock(seconds: float) -> str:
    """Return 0:07.3 or 1:02:07.3."""
    whole, tenths = divmod(round(seconds * 10), 10)
    hours, minutes = whole // 3600, whole // 60 % 60
    return (f"{hours}:{minutes:02d}" if hours else f"{minutes}") + f":{whole % 60:02d}.{tenths}"
