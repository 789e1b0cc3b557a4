"""`bench prepare`: decode frames and find objects, once, before a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.complete import selection
from bench.cli.options import (
    data_option,
    detector_option,
    load_registry,
    methods_option,
    one_selection,
    plugin_option,
    profile_option,
)

if TYPE_CHECKING:
    from rich.console import Console

    from bench.contracts.dataset import Dataset
    from bench.planning.located import PlannedDataset


@click.command(
    "prepare",
    epilog="Example: bench prepare ped2 --methods c3dsu,baseline",
)
@click.argument(
    "datasets",
    nargs=-1,
    required=True,
    metavar="DATASETS...",
    callback=one_selection,
    shell_complete=selection("datasets"),
)
@methods_option("Methods to prepare frames and tracks for.", default="all", show_default=True)
@profile_option
@detector_option
@data_option
@click.option(
    "--dry-run", is_flag=True, help="Show what would be written and its size; write nothing."
)
@plugin_option
def command(**options: Any) -> None:
    """Decode the frames of DATASETS into the frame store, and compute object tracks for methods
    that need them. What is already there is kept.
    """
    sys.exit(prepare(**options))


def prepare(
    datasets: str,
    methods: str,
    profile: str | None,
    detector: str | None,
    data: tuple[Path, ...],
    dry_run: bool,
    plugin: tuple[Path, ...],
) -> int:
    """Do what `bench prepare` does and return the exit code."""
    from bench.errors import DataError
    from bench.files.cache import cache_folder
    from bench.planning.plan import make_plan
    from bench.planning.request import Request
    from bench.running.display import make_console
    from bench.runs.folder import Run
    from bench.runs.layout import RESULTS

    registry = load_registry(plugin)
    # No device is named: the profile that is the default is that of `bench run` here.
    request = Request(
        methods, datasets, profile=profile, detector=detector, data=data, plugins=plugin
    )
    plan = make_plan(request, registry, lambda signature: (Run(RESULTS / "none"), False))
    console = make_console(sys.stdout)
    problems = 0
    console.print(f"cache {cache_folder()}", markup=False)
    for planned in plan.datasets:
        label = planned.selected.label
        if planned.dataset is None:
            console.print(f"{label}: {planned.missing}", markup=False)
            continue
        try:
            problems += _prepare(planned, planned.dataset, console, dry_run)
        except DataError as error:  # a video that cannot be opened costs its dataset alone
            problems += 1
            console.print(f"{label}: {error}", markup=False)
    return 1 if problems else 0


def _prepare(planned: PlannedDataset, dataset: Dataset, console: Console, dry_run: bool) -> int:
    """Say what a dataset needs, and make it; return the number of problems.

    Raises
    ------
    DataError : a video cannot be opened.
    """
    from bench.frames.folders import note_of
    from bench.frames.store import disk_needed
    from bench.hardware.machine import cores
    from bench.worker.opening import make_detector
    from bench.worker.preparation import prepare_dataset

    label = planned.selected.label
    test, train = (
        [clip for clip in dataset.clips(split) if clip.source is not None]
        for split in ("test", "train")
    )
    needed = disk_needed(dataset, test, planned.test_formats)
    needed += disk_needed(dataset, train, planned.train_formats)
    formats = ", ".join(sorted(map(str, planned.test_formats | planned.train_formats)))
    console.print(
        f"{label}: {formats or 'no frames'}; {needed / 2**20:.0f} MB to write"
        + (f"; tracks by {planned.detector}" if planned.wants_tracks else ""),
        markup=False,
    )
    if passed := note_of(dataset.passed_over(), dataset.root):
        console.print(f"{label}: {passed}", markup=False)
    if dry_run:
        return 0
    with console.status(label) as status:
        record = prepare_dataset(
            dataset,
            planned.name,
            label,
            planned.test_formats,
            planned.train_formats,
            make_detector(planned.detector if planned.wants_tracks else ""),
            lambda done, total, what: status.update(f"{label}: {what}, {done} of {total}"),
            jobs=cores(),
        )
    for problem in record.problems.values():
        console.print(f"{label}: {problem}", markup=False)
    if record.tracks:
        console.print(f"{label}: tracks {record.tracks['train']}", markup=False)
    if not record.problems:
        console.print(f"{label}: ready", markup=False)
    return len(record.problems)
