"""`bench run`: train, score and tabulate."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.complete import profiles, run_folder, selection
from bench.cli.options import plugin_option
from bench.plugins.profiles import named

if TYPE_CHECKING:
    from bench.planning.plan import Plan

UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


class Duration(click.ParamType):
    """A time span like 90s, 15m, 2h or 1h30m; a bare number means minutes."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return seconds."""
        import re

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
            self.fail(f"{value!r} is no time span; write 90s, 15m, 2h or 1h30m", param, ctx)
        if seconds <= 0:
            self.fail(f"{value!r} must be longer than nothing", param, ctx)
        return seconds


class Workers(click.ParamType):
    """A number of workers, or 'auto'."""

    name = "number|auto"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | None:
        """Return the number, or None for 'auto'."""
        if value == "auto" or value is None:
            return None
        try:
            number = int(value)
        except ValueError:
            number = 0
        if number < 1:
            self.fail(f"{value!r}: expected a whole number from 1, or auto", param, ctx)
        return number


def _keep(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))


@click.command(
    "run",
    short_help="Train, score and tabulate methods on datasets.",
    epilog="""\b
Examples (quote selections that contain [ or |):
  bench run --methods c3dsu,baseline --datasets demo
  bench run --methods all,-trivial --datasets ped2,avenue --seeds 0-2
  bench run --methods 'c3dsu[anomaly_weight=static|learned]' --datasets ped2 --dry-run""",
)
@click.option(
    "--methods",
    "-m",
    metavar="SELECTION",
    shell_complete=selection("methods"),
    help="Names or groups, e.g. c3dsu,baseline (bench list methods).",
)
@click.option(
    "--datasets",
    "-d",
    metavar="SELECTION",
    shell_complete=selection("datasets"),
    help="Names or groups, e.g. demo or ped2,avenue (bench list datasets).",
)
@click.option(
    "--from",
    "published",
    type=click.Path(path_type=Path),
    metavar="RUN.JSON",
    shell_complete=run_folder,
    help="Instead of these two: repeat a published run exactly; refused where versions or data differ.",
)
@click.option("--seeds", default="0", show_default=True, help="0 or 0,1,2 or 0-4.")
@click.option(
    "--profile",
    shell_complete=profiles,
    help=f"{named()}. [default: what the dataset names, else paper on a GPU and small without]",
)
@click.option(
    "--protocol",
    default="median17",
    show_default=True,
    metavar="SELECTION",
    shell_complete=selection("protocols"),
    help="Of the table; all protocols are computed and kept.",
)
@click.option(
    "--detector",
    metavar="SELECTION",
    shell_complete=selection("detectors"),
    help="Of objects. [default: what the dataset names, else fasterrcnn where its weights are, else motion]",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Where datasets lie; repeatable. [default: BENCH_DATA, else ./data]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The run's folder. [default: the run to resume, else results/DATE-TIME]",
)
@click.option(
    "--new", is_flag=True, help="Start a new run even where an equal one is not complete."
)
@click.option("--device", help="cpu, cuda or cuda:N. [default: the first GPU, else cpu]")
@click.option(
    "--workers",
    type=Workers(),
    default="1",
    show_default=True,
    help="Cells at a time; auto: as memory and cores allow.",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    help="CPU threads of a cell. [default: all cores divided among the workers; 4 on other machines]",
)
@click.option(
    "--accumulate",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Parts that each training batch of a network is cut into: less memory, but what is taken over a batch, and so scores, differ.",
)
@click.option(
    "--precision",
    type=click.Choice(["fp32", "bf16"]),
    default="fp32",
    show_default=True,
    help="In which networks compute, in training and scoring. bf16 is quicker where the device has it; scores differ, the row says so.",
)
@click.option(
    "--compile",
    is_flag=True,
    help="Let torch compile networks: minutes first, then quicker; the row says so.",
)
@click.option(
    "--keep",
    default="",
    callback=_keep,
    help="images, weights, regions, train-scores: keep these of each cell.",
)
@click.option(
    "--force",
    default="",
    metavar="SELECTION",
    shell_complete=selection("methods"),
    help="Repeat the finished cells of these methods.",
)
@click.option("--fail-fast", is_flag=True, help="Begin no further cell after one has failed.")
@click.option(
    "--stall-limit",
    type=Duration(),
    default="15m",
    show_default=True,
    help="A cell without a step for so long has failed.",
)
@click.option(
    "--time-limit",
    type=Duration(),
    help="The longest an attempt at a cell may take. [default: none]",
)
@click.option(
    "--shard",
    default="",
    metavar="I/N",
    help="Run each N-th cell only, from the I-th on: several runners fill one run.",
)
@click.option(
    "--executor",
    default="local",
    show_default=True,
    metavar="SELECTION",
    shell_complete=selection("executors"),
    help="What moves the cells to where they are computed (bench list executors).",
)
@click.option(
    "--observe",
    default="",
    metavar="SELECTION",
    shell_complete=selection("observers"),
    help="Who else is told how the cells go: tensorboard, mlflow (bench list observers).",
)
@click.option(
    "--detach",
    is_flag=True,
    help="Return when all cells are submitted; bench status and bench stop know them.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Show cells, what is reused and why, what is missing, and memory and time; write nothing.",
)
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="Colours. [default: on a terminal]",
)
@plugin_option
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """Train every chosen method on every chosen dataset with every seed, score the test clips, and
    write the table.

    The same command again goes on where it stopped: finished cells are not repeated.
    """
    for parameter in ctx.command.params:
        if (
            parameter.name in ("methods", "datasets")
            and options[parameter.name] is None
            and options["published"] is None
        ):
            raise click.MissingParameter(ctx=ctx, param=parameter)
    if options["published"] is not None:
        _refuse_what_the_run_decides(ctx)
    sys.exit(run(**options))


DECIDED = (
    "methods",
    "datasets",
    "seeds",
    "profile",
    "protocol",
    "detector",
    "device",
    "threads",
    "accumulate",
    "precision",
    "compile",
    "force",
    "new",
)
"""Options that a published run has made already."""


def _refuse_what_the_run_decides(ctx: click.Context) -> None:
    from click.core import ParameterSource

    given = [
        f"--{name}"
        for name in DECIDED
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    if given:
        raise click.UsageError(
            f"--from repeats a run as it was made; leave out {', '.join(given)}", ctx=ctx
        )


def run(**options: Any) -> int:
    """Do what `bench run` does and return the exit code."""
    from bench.planning.request import Request, parse_seeds
    from bench.plugins.registry import load
    from bench.running.display import make_console

    console = make_console(sys.stdout, options.pop("color"))
    dry_run = options.pop("dry_run")
    plugins = tuple(options.pop("plugin"))
    registry = load(plugins)
    for complaint in registry.complaints():
        click.echo(f"bench: {complaint}", err=True)
    command_line = "bench " + shlex.join(sys.argv[1:])
    published = options.pop("published")
    if published is not None:
        options |= {"methods": "", "datasets": ""}
    request = Request(
        **{
            **options,
            "seeds": parse_seeds(options["seeds"]),
            "plugins": plugins,
            "command": command_line,
        }
    )
    if published is not None:
        return _repeat(published, request, registry, console, dry_run)
    return _execute(request, registry, console, dry_run)


def _repeat(published: Path, given: Any, registry: Any, console: Any, dry_run: bool) -> int:
    """Repeat a published run, and say whether its scores came out the same."""
    from bench.errors import RequestError
    from bench.planning.plan import make_plan
    from bench.planning.repeat import (
        compare_scores,
        differences,
        read_published,
        remarks,
        requests_of,
    )
    from bench.running.session import run_finder
    from bench.runs.folder import Run

    first = read_published(published)
    requests = requests_of(first, given)
    plans = [make_plan(request, registry, run_finder(request.out, False)) for request in requests]
    if found := differences(first, plans):
        raise RequestError(
            f"--from: {first.manifest_file} cannot be repeated here exactly:",
            *(f"  {text}" for text in found),
        )
    for text in remarks(first):
        console.print(f"note: {text}", markup=False)
    codes = []
    for request in requests:
        codes.append(_execute(request, registry, console, dry_run))
        if codes[-1] == 130:
            return 130
    if not dry_run:
        outcome = compare_scores(first, Run.open(plans[0].run.path))
        if outcome.same or outcome.different:
            console.print(
                f"scores of {outcome.same} cells are those of {first.path}, bit by bit",
                markup=False,
            )
        for cell, worst in outcome.different:
            console.print(
                f"  {cell.label} on {cell.dataset}, seed {cell.seed}: differs by up to {worst:.3g}",
                markup=False,
            )
        if outcome.not_compared:
            console.print(
                f"  {outcome.not_compared} cells have no scores on one side", markup=False
            )
    return max(codes, key=lambda code: (code == 1, code == 0))


def _execute(request: Any, registry: Any, console: Any, dry_run: bool) -> int:
    """Plan and run one request, and return the exit code."""
    from bench.reporting.report_writer import stale_note
    from bench.running.session import execute, plan_run
    from bench.tables.tables import comparison_text

    plan = plan_run(request, registry, console)
    if dry_run:
        show_plan(plan, registry, console)
        return 0
    written = execute(plan, registry, console)
    if written is None:
        return 130
    if not written:
        return 0
    console.print()
    console.print(comparison_text(plan.run, registry, plan.protocol.text), markup=False)
    console.print()
    for path in written:
        console.print(f"wrote {path}", markup=False)
    if note := stale_note(written):
        console.print(f"note: {note}", markup=False)
    console.print(
        f"next: bench report {shlex.quote(str(plan.run.path))}   (every table and figure, and a page for the browser)",
        markup=False,
    )
    console.print(f"run {plan.run.path}", markup=False)
    statuses = [cell.record.status for cell in plan.cells if cell.mine]
    if all(status in ("no data", "published only") for status in statuses):
        return 3
    return 1 if any(status in ("failed", "interrupted") for status in statuses) else 0


def show_plan(plan: Plan, registry: Any, console: Any) -> None:
    """Print what a run would do, and what it would take."""
    from rich.markup import escape
    from rich.table import Table

    from bench.planning.earlier_durations import earlier_seconds, like
    from bench.running.duration import duration

    to_run = dict.fromkeys(plan.to_run)  # in their order, and quick to look in
    networks = [cell for cell in to_run if cell.network]
    if networks:
        from bench.planning.memory_estimate import estimate_cells  # imports torch

        estimate_cells(networks, plan, registry)
    known = earlier_seconds(plan.run)
    table = Table(box=None, pad_edge=False)
    for name in ("method", "dataset", "seed", "memory", "time", "what would happen"):
        number = name in ("seed", "memory", "time")
        table.add_column(
            name,
            no_wrap=number or name == "dataset",
            overflow="fold",
            justify="right" if number else "left",
        )
    seconds, peaks = [], []
    for cell in plan.cells:
        record = cell.record
        runs = cell in to_run
        what = f"{'reused' if cell.reuse else 'run' if runs else record.status}: {cell.why.removeprefix('run again: ')}"
        memory = took = ""
        if runs:
            expected = known.get(like(record))
            took = "unknown" if expected is None else duration(expected)
            seconds += [] if expected is None else [expected]
            memory = (
                "-"
                if cell.memory is None
                else "unknown"
                if cell.memory.unknown
                else f"{cell.memory.peak / 2**30:.1f} GB"
            )
            peaks += (
                [cell.memory.peak] if cell.memory is not None and not cell.memory.unknown else []
            )
        dataset = record.dataset + (f" {record.scene}" if record.scene else "")
        table.add_row(
            escape(record.label), escape(dataset), str(record.seed), memory, took, escape(what)
        )
    console.print(table)
    for text in dict.fromkeys(
        f"{cell.record.label}: {cell.memory.unknown}"
        for cell in networks
        if cell.memory and cell.memory.unknown
    ):
        console.print(f"memory unknown: {text}", markup=False)
    totals = [f"{len(to_run)} of {len(plan.cells)} cells would run"]
    if peaks:
        workers = f" with {plan.workers} workers" if plan.workers > 1 else ""
        totals.append(
            f"networks with up to {sum(sorted(peaks)[-plan.workers :]) / 2**30:.1f} GB at a time{workers}"
        )
    if seconds:
        totals.append(
            f"{duration(sum(seconds))} of work"
            + (f" for {len(seconds)} of them" if len(seconds) < len(to_run) else "")
        )
    console.print("; ".join([*totals, "nothing was written"]), markup=False)
