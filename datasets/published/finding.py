"""Where a published dataset lies, and its clips: the one copy among the data folders."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

from bench import Clip, DataError, Dataset, PassedOver, Split, parameter

from ..formats.layout import (
    ClipFolder,
    Found,
    entries,
    find_below,
    find_clips,
    find_copies,
    two_copies,
)

SPLITS: tuple[Split, Split] = ("train", "test")


@dataclass(frozen=True)
class PublishedParameters:
    """Parameters of a published dataset."""

    path: Path | None = parameter(
        None,
        doc="The folder of the dataset itself, whatever its name, instead of looking below the data folders.",
    )


@dataclass(frozen=True)
class VideoParameters(PublishedParameters):
    """Parameters of a dataset that is published as videos, and that many keep as extracted frames
    as well.
    """

    frames_from: Literal["any", "images", "videos"] = parameter(
        "any",
        doc="Which copy is read where a split is here twice, as images and as videos; `any`: the only one. A split that is here once is read in its one form, if the other split has the chosen one.",
    )


def numbered(numbers: str) -> dict[str, int]:
    """Return clip id ('01', '02', ...) -> number, of numbers in clip order."""
    return {f"{index:02d}": int(number) for index, number in enumerate(numbers.split(), start=1)}


class FoundDataset(Dataset):
    """A dataset whose folder and clips have known names. A subclass says which."""

    Parameters: ClassVar[type] = PublishedParameters
    folder_names: ClassVar[tuple[str, ...]]
    """What the dataset's own folder is called; case, blanks, hyphens and underscores do not
    matter."""
    clip_folders: ClassVar[tuple[ClipFolder, ...]]
    """Where clips are looked for."""
    label_files: ClassVar[tuple[str, ...]]
    """What else shows that a folder is the dataset: label files and folders, relative to it."""

    @staticmethod
    def clip_id(name: str, split: Split) -> str | None:
        """Return the one id of a clip by the name that it has in any layout, or None where that is
        no clip.
        """
        raise NotImplementedError

    @staticmethod
    def scene_of(clip_id: str) -> str:
        """Return the scene of a clip; empty where there is one scene."""
        return ""

    def locate(self, roots: Sequence[Path]) -> None:
        """Find the one copy, below the data folders or where the parameter `path` says."""
        given: Path | None = self.parameters.path
        if given is not None:
            folder = given.expanduser()
            if not folder.is_dir():
                raise DataError(f"{self.name}: path={str(folder)!r} is no folder")
            inside = find_copies([folder], self.folder_names, self._is_copy, self._has_frames)
            if not self._has_frames(folder) and len(inside) == 1:
                (folder,) = inside
            if not self._is_copy(folder):
                raise DataError(
                    f"{self.name}: path={str(folder)!r} holds {self._signs(' nor ')}, so it is not the dataset; {self.how_to_obtain()}"
                )
        else:
            copies = find_copies(roots, self.folder_names, self._is_copy, self._has_frames)
            if not copies:
                raise DataError(self._not_found(roots))
            if len(copies) > 1:
                raise two_copies(
                    self.name,
                    copies,
                    f"name one: --data {str(copies[0])!r}, or --datasets '{self.name}[path=\"{copies[0]}\"]'",
                )
            folder = copies[0]
        self.root = (
            folder.absolute()
        )  # not resolved: a link is there so that the place behind it need not be named

    def _is_copy(self, folder: Path) -> bool:
        try:
            return any(find_below(folder, relative) for relative in self._sign_files())
        except DataError:
            return False

    def _has_frames(self, folder: Path) -> bool:
        """Whether one of the folders that hold clips is there, with something in it."""
        try:
            found = [
                path
                for one in self.clip_folders
                for path in find_below(folder, one.path)
                if path.is_dir()
            ]
            return any(entries(path) for path in found)
        except DataError:
            return True  # it is there, and reading it later says why it cannot be read

    def _sign_files(self) -> list[str]:
        return [*(one.path for one in self.clip_folders), *self.label_files, "labels"]

    def _signs(self, between: str) -> str:
        return ("neither " if between == " nor " else "") + between.join(self._sign_files())

    def _not_found(self, roots: Sequence[Path]) -> str:
        looked = " or ".join(
            f"{root}" + ("" if root.is_dir() else " (not there)") for root in roots
        )
        names = " or ".join(repr(name) for name in self.folder_names)
        return (
            f"{self.name}: not found below {looked or 'any folder'} (a folder {names}; "
            f"--data DIR names another place); {self.how_to_obtain()}"
        )

    @property
    def _folder(self) -> Path:
        if self.root is None:
            raise RuntimeError("locate() comes first")
        return self.root

    def _framed(self, split: Split) -> tuple[Clip, ...]:
        return self._train_with_frames if split == "train" else self._test_with_frames

    @cached_property
    def _train_with_frames(self) -> tuple[Clip, ...]:
        return self._find_clips("train")

    @cached_property
    def _test_with_frames(self) -> tuple[Clip, ...]:
        return self._find_clips("test")

    def _find_clips(self, split: Split) -> tuple[Clip, ...]:
        wanted = getattr(self.parameters, "frames_from", "any")
        looked = self._look(split, wanted)
        # ShanghaiTech is published as training videos and test images. A form that no split has
        # is not here, and another would not be what the user asked for.
        if not any(here.clips for _, here in looked) and any(
            here.clips for other in SPLITS for _, here in self._look(other, wanted)
        ):
            looked = self._look(split, "any")
        self._passed_over[split] = [one for _, here in looked for one in here.passed_over]
        found = [(folder, here.clips) for folder, here in looked if here.clips]
        if len(found) > 1:
            hint = "move one out of the folder"
            if hasattr(self.parameters, "frames_from"):
                hint += f", or name one: '{self.name}[frames_from=images]' or '{self.name}[frames_from=videos]'"
            raise two_copies(f"{self.name}, {split} split", [folder for folder, _ in found], hint)
        return (
            tuple(dataclasses.replace(clip, scene=self.scene_of(clip.id)) for clip in found[0][1])
            if found
            else ()
        )

    def _look(self, split: Split, wanted: str) -> list[tuple[Path, Found]]:
        """Return the folders that may hold clips of a split in the wanted form, with what they
        hold.
        """
        return [
            (folder, find_clips(folder, split, (one.kind,), self.clip_id))
            for one in self.clip_folders
            if one.split == split and wanted in ("any", one.kind)
            for folder in find_below(self._folder, one.path)
            if folder.is_dir()
        ]

    @cached_property
    def _passed_over(self) -> dict[Split, list[PassedOver]]:
        """What was passed over on the way to the clips of each split."""
        return {}

    def _looked(self, split: Split) -> str:
        return ", ".join(
            f"{one.path} ({one.kind})" for one in self.clip_folders if one.split == split
        )
