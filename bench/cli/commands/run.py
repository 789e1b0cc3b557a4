"""`bench run`: train, score and tabulate."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from bench.cli.complete import run_folder, selection
from bench.cli.dry_run import show_plan
from bench.cli.options import (
    Duration,
    Workers,
    compute_options,
    data_option,
    detector_option,
    load_registry,
    methods_option,
    plugin_option,
    profile_option,
    protocol_option,
    take_compute,
)
from bench.contracts.compute import OPTIONS
from bench.contracts.protocol import DEFAULT_PROTOCOL
from bench.runs.status import Status


def _keep(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))


@click.command(
    "run",
    epilog="""\b
Examples (quote selections that contain [ or |):
  bench run --methods c3dsu,baseline --datasets demo
  bench run --methods all,-trivial --datasets ped2,avenue --seeds 0-2
  bench run --methods 'memae[items=500|1000|2000]' --datasets ped2 --dry-run""",
)
@methods_option("Names or groups, e.g. c3dsu,baseline (bench list methods).")
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
    metavar="RUN",
    shell_complete=run_folder,
    help="Repeat a published run exactly, or the part of it that --methods, --datasets and --seeds"
    " name; refused if versions or data differ.",
)
@click.option("--seeds", default="0", show_default=True, help="Random seeds: 0 or 0,1,2 or 0-4.")
@profile_option
@protocol_option(
    "Protocol of the printed table; results are stored for all protocols.",
    default=DEFAULT_PROTOCOL,
    show_default=True,
)
@detector_option
@data_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the run. [default: the run to resume, else results/DATE-TIME]",
)
@click.option(
    "--new", is_flag=True, help="Start a new run instead of resuming an unfinished one like it."
)
@compute_options
@click.option(
    "--workers",
    type=Workers(),
    help="Number of cells that run at the same time; with more than there are GPUs, several cells"
    " share a GPU. auto: on a CPU, as many as fit memory and cores. [default: one for each GPU, else"
    " 1]",
)
@click.option(
    "--keep",
    default="",
    callback=_keep,
    metavar="KIND,...",
    help="Extra files to keep for each cell: images, weights, regions, train-scores, epoch-scores.",
)
@click.option(
    "--force",
    default="",
    metavar="SELECTION",
    shell_complete=selection("methods"),
    help="Run the finished cells of these methods again.",
)
@click.option("--fail-fast", is_flag=True, help="Start no further cells after one has failed.")
@click.option(
    "--stall-limit",
    type=Duration(),
    default="15m",
    show_default=True,
    help="A cell that makes no progress for this long has failed.",
)
@click.option(
    "--time-limit",
    type=Duration(),
    help="Longest time that one attempt at a cell may take. [default: none]",
)
@click.option(
    "--shard",
    default="",
    metavar="I/N",
    help="Run every N-th cell only, starting with the I-th, so that several runners share one run.",
)
@click.option(
    "--executor",
    default="local",
    show_default=True,
    metavar="SELECTION",
    shell_complete=selection("executors"),
    help="Where cells are computed (bench list executors).",
)
@click.option(
    "--observe",
    default="",
    metavar="SELECTION",
    shell_complete=selection("observers"),
    help="Also log progress to tensorboard or mlflow (bench list observers).",
)
@click.option(
    "--detach",
    is_flag=True,
    help="Return as soon as all cells are submitted; follow them with bench status and bench stop.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Show which cells would run or be reused and why, missing data, memory and time; write"
    " nothing.",
)
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Colours; auto: on a terminal only.",
)
@plugin_option
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """Train every chosen method on every chosen dataset with every seed, score the test clips, and
    write the table.

    Repeat the same command to resume an interrupted run: finished cells are not run again.
    """
    for parameter in ctx.command.params:
        if (
            parameter.name in ("methods", "datasets")
            and options[parameter.name] is None
            and options["published"] is None
        ):
            raise click.MissingParameter(ctx=ctx, param=parameter)
    if options["published"] is not None:
        _refuse_fixed_options(ctx)
    sys.exit(run(**options))


FIXED = (
    "profile",
    "protocol",
    "detector",
    *(option.name for option in OPTIONS),
    "force",
    "new",
)
"""Options that a published run has fixed already."""


def _refuse_fixed_options(ctx: click.Context) -> None:
    given = [
        f"--{name}"
        for name in FIXED
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
    if given:
        raise click.UsageError(
            f"--from repeats a run as it was; leave out {', '.join(given)}", ctx=ctx
        )


def run(**options: Any) -> int:
    """Do what `bench run` does and return the exit code."""
    from bench.planning.request import Request, parse_seeds
    from bench.running.display import make_console

    console = make_console(sys.stdout, options.pop("color"))
    dry_run = options.pop("dry_run")
    plugins = tuple(options.pop("plugin"))
    registry = load_registry(plugins)
    command_line = "bench " + shlex.join(sys.argv[1:])
    published = options.pop("published")
    part = {name: options[name] for name in ("methods", "datasets")}
    if published is not None:
        options |= {"methods": "", "datasets": ""}
    compute = take_compute(options)
    request = Request(
        **{
            **options,
            "compute": compute,
            "seeds": parse_seeds(options["seeds"]),
            "plugins": plugins,
            "command": command_line,
        }
    )
    if published is not None:
        ctx = click.get_current_context()
        seeds_given = ctx.get_parameter_source("seeds") is ParameterSource.COMMANDLINE
        part["seeds"] = request.seeds if seeds_given else None
        return _repeat(published, part, request, registry, console, dry_run)
    return _execute(request, registry, console, dry_run)


def _repeat(
    published: Path,
    part: dict[str, Any],
    given: Any,
    registry: Any,
    console: Any,
    dry_run: bool,
) -> int:
    """Repeat a published run or a part of it, and say whether its scores came out the same."""
    from bench.errors import RequestError
    from bench.planning.plan import make_plan
    from bench.planning.repeat import (
        again,
        compare_scores,
        differences,
        part_of,
        read_published,
        remarks,
    )
    from bench.running.session import run_finder
    from bench.runs.folder import Run
    from bench.wording import counted

    first = read_published(published)
    cells = part_of(first, registry, **part)
    requests = again(first, given, cells)
    plans = [make_plan(request, registry, run_finder(request.out, False)) for request in requests]
    if found := differences(first, plans, cells):
        raise RequestError(
            f"--from: {first.path / 'run.json'} cannot be repeated here exactly:",
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
        outcome = compare_scores(first, Run.open(plans[0].run.path), cells)
        if outcome.same or outcome.different:
            console.print(
                f"scores of {counted(outcome.same, 'cell')}: those of {first.path}, bit by bit",
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
    from bench.evaluation.run_scores import RunScores
    from bench.reporting.report_writer import stale_note
    from bench.reporting.written_files import wrote
    from bench.running.session import execute, plan_run
    from bench.tables.comparison import comparison_text
    from bench.wording import wrapped

    plan = plan_run(request, registry, console, dry_run)
    if dry_run:
        show_plan(plan, registry, console)
        return 0
    written = execute(plan, registry, console)
    if written is None:
        return 130
    if not written:
        return 0
    console.print()
    path = str(plan.run.report.tables() / "comparison.txt")
    scores = RunScores(plan.run, registry)
    click.echo(comparison_text(scores, registry, plan.protocol.text, path=path))
    console.print()
    for line in wrote(written):
        console.print(line, markup=False)
    if note := stale_note(written):
        console.print(wrapped(f"note: {note}", "", "  "), markup=False)
    statuses = [cell.record.status for cell in plan.cells if cell.mine]
    if not any(status.is_runnable for status in statuses):
        console.print("no cell could run, for the reasons below the table", markup=False)
        console.print(f"run {plan.run.path}", markup=False)
        return 3
    console.print(
        f"next: bench report {shlex.quote(str(plan.run.path))}\n"
        "      (writes every table and figure, and a page for the browser)",
        markup=False,
    )
    console.print(f"run {plan.run.path}", markup=False)
    return 1 if any(status in (Status.FAILED, Status.INTERRUPTED) for status in statuses) else 0
