"""The annotated videos of `bench report --video`: score a clip again, and draw it."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.runs.status import Status

if TYPE_CHECKING:
    from bench.runs.records import CellRecord
    from bench.tables.kinds import Source


def make_videos(
    source: Source,
    wanted: Sequence[tuple[str, CellRecord]],
    data: Sequence[Path],
    rate: float | None,
    folder: Path,
) -> list[Path]:
    """Write a video of each clip and cell that `find_videos` found, and return the paths."""
    if not wanted:
        return []
    import numpy as np

    from bench.applying.application import RATE
    from bench.applying.rescored_clip import rescore
    from bench.evaluation.measurements import label_sets_of
    from bench.figures.style import slug
    from bench.figures.video import Track, write_video
    from bench.files.cache import file_stem
    from bench.scoring.protocols import process

    written: list[Path] = []
    silent: set[str] = set()
    for clip, cell in wanted:
        record = source.run.dataset(cell.dataset_folder)
        length = next(length for known, length, _ in record.clips if known == clip)
        label_set = "".join(label_sets_of(record, source.protocol)[:1])
        kept = source.run.scores(cell)[clip]
        scores = np.full(length, np.nan)
        scores[kept.frames] = process(kept.values, source.protocol)
        labels = record.labels[label_set][clip] if label_set else np.zeros(0, np.uint8)
        path = folder / f"{slug(cell.label, cell.dataset)}-{file_stem(clip)}.mp4"
        with (
            progress(f"{cell.label}, {cell.dataset} {clip}") as step,
            rescore(source.run, cell, clip, data, step) as again,
        ):
            if rate is None and again.frame_rate is None and cell.dataset not in silent:
                silent.add(cell.dataset)
                click.echo(
                    f"note: the frame rate of {cell.dataset} is unknown: {RATE:g} frames per "
                    "second assumed (--fps)",
                    err=True,
                )
            for note in again.notes:
                click.echo(
                    f"WARNING: {cell.label} on {cell.dataset}, clip {clip}: {note}", err=True
                )
            title = (
                f"{cell.label} on {cell.dataset}, clip {clip}   (seed {cell.seed}, profile "
                f"{cell.profile})"
            )
            track = Track(title, scores, labels, source.protocol.name, again.notes)
            write_video(
                path,
                track,
                again.frames,
                again.parts,
                again.largest,
                rate or again.frame_rate or RATE,
                lambda done, total, step=step: step(done, total, "drawing"),  # type: ignore[misc]
            )
        written.append(path)
    return written


def find_videos(
    source: Source, clips: Sequence[str], methods: Sequence[str], data: Sequence[Path]
) -> list[tuple[str, CellRecord]]:
    """Return clip and cell of each video that is asked for; of several seeds the first that kept
    its weights.

    Raises
    ------
    RequestError : a clip or method that the run does not have, or no weights to show it with.
    """
    if not clips:
        return []
    from bench.errors import RequestError
    from bench.planning.commands import keep_commands
    from bench.tables.table import TRIVIAL
    from bench.wording import did_you_mean, unknown

    done = [cell for cell in source.run_scores.cells if cell.status == Status.DONE]
    labels = list(dict.fromkeys(cell.label for cell in done))
    places: dict[tuple[str, str], str] = {}  # (dataset, clip) -> scene
    for cell in done:
        record = source.run_scores.dataset(cell)
        places |= (
            {}
            if record is None
            else {(cell.dataset, clip): scene for clip, _, scene in record.clips}
        )
    mistakes = []
    methods = tuple(map(source.run_scores.names.label_of, methods))
    for name in methods:
        if name not in labels:
            mistakes.append(unknown("finished method", name, labels))
    found: list[tuple[str, CellRecord]] = []
    for text in clips:
        normal = unicodedata.normalize("NFC", text)
        here = [place for place in places if normal in (place[1], "/".join(place))]
        if not here:
            hint = did_you_mean(text, [clip for _, clip in places])
            mistakes.append(
                f"no test clip {text!r}{hint} (CLIP or DATASET/CLIP, e.g. "
                f"{'/'.join(next(iter(places), ('ped2', '01')))})"
            )
        for dataset, clip in here:
            of_clip = [
                cell
                for cell in done
                if cell.dataset == dataset and cell.scene in ("", places[dataset, clip])
            ]
            chosen = [
                cell
                for cell in of_clip
                if cell.label in methods or (not methods and cell.family != TRIVIAL)
            ]
            kept = [cell for cell in chosen if source.run.files_of(cell).weights.is_file()]
            lacking = [cell for cell in chosen if cell.label not in {other.label for other in kept}]
            if lacking and (methods or not kept):
                lines = keep_commands(
                    source.run,
                    list({cell.label: cell for cell in reversed(lacking)}.values())[::-1],
                    "weights",
                    data,
                )
                names = ", ".join(dict.fromkeys(cell.label for cell in lacking))
                mistakes.append(
                    f"{dataset}: the weights of {names} were not kept; this trains again and "
                    f"keeps them: {'; '.join(lines)}"
                )
            found += [
                (clip, cell) for cell in {cell.label: cell for cell in reversed(kept)}.values()
            ][::-1]
    if mistakes:
        raise RequestError(*dict.fromkeys(mistakes))
    return found


@contextmanager
def progress(title: str) -> Iterator[Callable[[int, int | None, str], None]]:
    """Show progress on stderr if that is a terminal; leave stdout alone."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn(escape(title)),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=False,
    ) as bar:
        task = bar.add_task("")

        def step(done: int, total: int | None, what: str) -> None:
            bar.update(task, completed=done, total=total, description=escape(what))

        yield step
