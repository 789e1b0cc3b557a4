"""What any dataset owes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bench.contracts.clip import SPLITS
from bench.contracts.dataset import Dataset, checked_labels
from bench.errors import DataError
from bench.frames.decode import count_frames, read_frames
from bench.testing.made import CheckFailed


def clips_are_in_order(dataset: Dataset) -> None:
    """There are test clips; ids are sorted and single in each split, a clip knows its split, and
    asking twice gives the same clips.

    Raises
    ------
    CheckFailed : with what is wrong.
    """
    for split in SPLITS:
        clips = dataset.clips(split)
        ids = [clip.id for clip in clips]
        if ids != sorted(set(ids)):
            raise CheckFailed(
                f"clips({split!r}): ids must be sorted, each once; they are {', '.join(map(str, ids))[:200]}"
            )
        if wrong := [clip.id for clip in clips if clip.split != split]:
            raise CheckFailed(
                f"clips({split!r}): {', '.join(wrong)} say that they belong to another split"
            )
        if split == "test" and not clips:
            raise CheckFailed("clips('test') is empty: nothing can be scored")
        if dataset.clips(split) != clips:
            raise CheckFailed(f"clips({split!r}) gives other clips when it is asked again")


def labels_fit(dataset: Dataset) -> None:
    """Labels of every set are 0 or 1, one a frame of each test clip, and of both kinds: one class
    alone has no AUC.

    Raises
    ------
    CheckFailed : with what is wrong.
    """
    for label_set in dataset.available_label_sets():
        anomalous = total = 0
        for clip in dataset.clips("test"):
            given = np.asarray(dataset.labels(clip, label_set))
            if not np.isin(given, (0, 1)).all():
                raise CheckFailed(
                    f"labels {label_set!r} of clip {clip.id} must be 0 or 1; here are {np.unique(given)[:4].tolist()}"
                )
            length = len(given) if clip.source is None else count_frames(clip)
            try:
                labels = checked_labels(dataset, clip, length, label_set)
            except DataError as error:
                raise CheckFailed(str(error)) from error
            anomalous, total = anomalous + int(labels.sum()), total + len(labels)
        if anomalous in (0, total):
            raise CheckFailed(
                f"labels {label_set!r}: {anomalous} of {total} frames are anomalous; both kinds are needed for a number"
            )


def frames_can_be_read(dataset: Dataset) -> None:
    """The first clip of each split decodes into as many frames, of one size, as it says it has.

    Raises
    ------
    CheckFailed : with what is wrong.
    """
    for split in SPLITS:
        clip = next((clip for clip in dataset.clips(split) if clip.source is not None), None)
        if clip is None:
            continue
        try:
            read = sum(1 for _ in read_frames(clip))
        except DataError as error:
            raise CheckFailed(str(error)) from error
        if clip.length not in (None, read):
            raise CheckFailed(
                f"{split} clip {clip.id} says it has {clip.length} frames, and {read} are read"
            )


DATASET_CHECKS: tuple[Callable[[Dataset], None], ...] = (
    clips_are_in_order,
    labels_fit,
    frames_can_be_read,
)
"""What any dataset owes, once it is located: for the tests of plugin authors, and `bench check`."""
