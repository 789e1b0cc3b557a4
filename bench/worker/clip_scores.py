"""The scores of one clip, kept until its cell is done, with what they took and what was said."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from bench.contracts.method import Context, OpenClip, Scores
from bench.errors import RunError
from bench.files.whole_files import read_json, write_json
from bench.runs.scores import read_scores, write_scores
from bench.worker.open_cell import OpenCell


class WarningCollector(logging.Handler):
    """Collects the texts of warnings: they go into the row."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take a warning; errors have reasons of their own."""
        if record.levelno == logging.WARNING:
            self.texts.append(record.getMessage())


def clip_scores(
    cell: OpenCell,
    clip: OpenClip,
    context: Context,
    what: str,
    folder: Path,
    usable: bool = True,
    finish: Callable[[np.ndarray], None] = lambda frames: None,
) -> Scores:
    """Return the scores of a clip: those that an earlier attempt left in `folder`, with its
    warnings and facts, or new ones.

    Parameters
    ----------
    what : the clip in errors.
    usable : whether what an earlier attempt left may be used.
    finish : called with the scored frames, (K,) int, before the scores are written: a clip that has
        scores is not scored again.
    """
    partial, beside = folder / f"{clip.id}.npz", _beside(folder, clip.id)
    if usable and partial.exists():
        try:
            result = read_scores(partial)[clip.id]
            if beside.exists():
                before = read_json(beside, "what was said")
                for text in before["warnings"]:
                    cell.logger.warning("%s", text)
                cell.context.facts.update(before["facts"])
            return result
        except (RunError, KeyError) as error:
            cell.logger.info(
                "the kept scores of clip %s cannot be read (%s): scoring it again", clip.id, error
            )
    # A clip's scores must not depend on how much randomness fitting and other clips used: a resumed
    # cell does neither again.
    cell.seed()
    facts = dict(cell.context.facts)
    collector = WarningCollector()
    cell.logger.addHandler(collector)
    began = time.monotonic()
    try:
        result = cell.score(clip, context, what)
    finally:
        cell.logger.removeHandler(collector)
    finish(result.frames)
    new = {name: value for name, value in cell.context.facts.items() if facts.get(name) != value}
    write_json(
        beside,
        {"seconds": time.monotonic() - began, "warnings": collector.texts, "facts": new},
    )
    write_scores(partial, {clip.id: result})
    return result


def add_seconds(cell: OpenCell, phase: str, folder: Path, clips: Iterable[str]) -> None:
    """Put into the record what the scores of these clips took, in whichever attempt each was made;
    nothing where that of one is not known.
    """
    try:
        taken = [read_json(_beside(folder, clip), "seconds")["seconds"] for clip in clips]
    except RunError:  # made by an earlier version
        cell.record.seconds.pop(phase, None)
    else:
        cell.record.seconds[phase] = round(sum(taken), 3)


def _beside(folder: Path, clip_id: str) -> Path:
    """Return the file of the seconds, warnings and facts of a clip, beside that of its scores."""
    return folder / f"{clip_id}.json"
