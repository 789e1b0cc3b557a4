"""The kept images of the page: as many as fit, evenly chosen."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.runs.layout import IMAGE_PARTS
from bench.runs.status import Status
from bench.tables.kinds import Source

INDEX = 40
"""Bytes, at most, that tell where an image stands."""


@dataclass
class Images:
    """The images that are shown, and what is said where some are left out."""

    files: list[str] = field(default_factory=list)
    """base64 of JPEG, each once."""
    said: list[str] = field(default_factory=list)


def add_images(source: Source, data: dict[str, Any], room: int, limit: int) -> Images:
    """Take as many kept images as `room` bytes hold, of the `limit` of the page, evenly, and add
    to each curve of `data` where they stand.

    A curve gets `images`: clip number -> [[frame, frame image, reconstruction, error map],
    ...], -1 for what is not there.
    """
    found: dict[tuple[int, int, int], dict[int, dict[str, Path]]] = {}
    for which, dataset in enumerate(data["datasets"]):
        numbers = {clip["id"]: number for number, clip in enumerate(dataset["clips"])}
        for position, curve in enumerate(dataset["curves"]):
            label = data["methods"][curve["method"]]["label"]
            for cell in source.run_scores.cells:
                if (cell.label, cell.dataset, cell.seed) != (
                    label,
                    dataset["label"],
                    curve["seed"],
                ) or cell.status != Status.DONE:
                    continue
                for clip_id, frame, shown, path in source.run.files_of(cell).kept_images():
                    if clip_id in numbers:
                        of_clip = found.setdefault((which, position, numbers[clip_id]), {})
                        of_clip.setdefault(frame, {})[shown] = path
    contents = {
        path: path.read_bytes()
        for of_clip in found.values()
        for kinds in of_clip.values()
        for path in kinds.values()
    }
    # The same frames for all methods of a clip, so that they compare and the frame itself is there
    # once.
    union: dict[tuple[int, int], set[int]] = {}
    for (which, _, clip), of_clip in found.items():
        union.setdefault((which, clip), set()).update(of_clip)
    most = max(map(len, union.values()), default=0)
    for every in range(1, most + 1):
        kept = {place: set(sorted(frames)[::every]) for place, frames in union.items()}
        chosen = {
            contents[path]
            for (which, _, clip), of_clip in found.items()
            for frame, kinds in of_clip.items()
            if frame in kept[which, clip]
            for path in kinds.values()
        }
        if sum(4 * (len(content) + 2) // 3 + 3 + INDEX for content in chosen) <= room:
            break
    else:
        return Images(
            said=[
                f"the images do not fit into {limit / 1e6:.0f} MB: they are in the cells' images/"
            ]
            if most
            else []
        )
    images = Images()
    places: dict[bytes, int] = {}
    for (which, position, clip), of_clip in found.items():
        listed = []
        for frame in sorted(kept[which, clip] & of_clip.keys()):
            row = [frame]
            for kind in IMAGE_PARTS:
                content = contents[of_clip[frame][kind]] if kind in of_clip[frame] else b""
                if content and content not in places:
                    places[content] = len(images.files)
                    images.files.append(base64.b64encode(content).decode("ascii"))
                row.append(places.get(content, -1))
            listed.append(row)
        data["datasets"][which]["curves"][position].setdefault("images", {})[str(clip)] = listed
    if every > 1:
        images.said.append(
            f"one of {every} kept frames is shown, so that the page stays below {limit / 1e6:.0f} MB; all are in the cells' images/"
        )
    return images
