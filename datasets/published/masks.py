"""The pixel masks of a published dataset."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from bench import Clip, DataError, ImageFiles

from ..formats.layout import entries, find_below, frame_files, two_copies
from ..formats.masks import read_image_masks, read_npy_masks
from ..formats.matlab import read_mat_masks
from .labels import LabelledDataset


class MaskedDataset(LabelledDataset):
    """A dataset whose pixel masks have known names. A subclass says which."""

    mask_suffixes: ClassVar[Mapping[str, str]] = {}
    """Folders with pixel masks -> what stands behind the clip in the names there ('_gt')."""

    def mask_folders(self) -> list[tuple[Path, str]]:
        """Return the folders with pixel masks that are here, and the suffix of the names there."""
        return [
            (folder, suffix)
            for relative, suffix in self.mask_suffixes.items()
            for folder in find_below(self._folder, relative)
        ]

    def pixel_masks(self, clip: Clip) -> np.ndarray | None:
        """Return (N, H, W) bool of a test clip, or None where it has no masks here."""
        path = self.mask_paths.get(clip.id)
        if path is None:
            return None
        masks = self._read_masks(clip.id, path)
        length = len(clip.source.paths) if isinstance(clip.source, ImageFiles) else clip.length
        if length is not None and len(masks) != length:
            raise DataError(
                f"{self.name}: clip {clip.id} has {length} frames, but {len(masks)} pixel masks in {path}"
            )
        return masks

    def _read_masks(self, clip_id: str, path: Path) -> np.ndarray:
        if path.is_dir():
            return read_image_masks(clip_id, list(frame_files(path).values()))
        return read_mat_masks(path) if path.suffix == ".mat" else read_npy_masks(path)

    @cached_property
    def mask_paths(self) -> dict[str, Path]:
        """Clip id -> folder of images, `.npy` or `.mat` with its masks."""
        found: dict[str, Path] = {}
        for folder, suffix in self.mask_folders():
            for entry in entries(folder):
                path = folder / entry.name
                stem = entry.name if path.is_dir() else path.stem
                clip_id = (
                    self.clip_id(stem[: len(stem) - len(suffix)], "test")
                    if stem.casefold().endswith(suffix)
                    else None
                )
                if clip_id is None or not (
                    path.suffix in (".npy", ".mat") or (path.is_dir() and entries(path))
                ):
                    continue
                if clip_id in found:
                    raise two_copies(
                        f"{self.name}, pixel masks of clip {clip_id}",
                        [found[clip_id], path],
                        "move one away",
                    )
                found[clip_id] = path
        return found
