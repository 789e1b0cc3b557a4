"""Pseudo-anomalies out of a moving patch of an image, or of another clip."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from bench import Context, Creator, DataError, OpenClip, parameter

CIFAR = ("cifar-100-binary", "train.bin")
"""Folder and file of the training images in the binary version."""
RECORD = 2 + 3072
"""Bytes of an image there: two labels, then 32 x 32 red, green and blue values."""
SMALLEST = 10
"""Pixels of the least height and width of a patch (LNTRA, code), in frames of SIZE."""
SIZE = 256
"""Height and width of the frames that lengths in pixels are meant in: those of LNTRA. At another
size they are scaled by it."""


@dataclass(frozen=True)
class PatchParameters:
    """Parameters of patch."""

    source: Literal["auto", "cifar100", "frames"] = parameter(
        "auto",
        source="LNTRA, code: CIFAR-100; they try frames of the dataset as well",
        doc="of the images; auto: CIFAR-100 where it is found, else frames of other training clips",
    )
    cifar: str = parameter(
        "",
        source="no source: looked for below the folders of BENCH_DATA, else below ./data",
        doc=f"the file {CIFAR[1]} of CIFAR-100's binary version",
    )
    form: Literal["soft", "gaussian", "box", "half"] = parameter(
        "soft",
        source="LNTRA, code: SmoothMixS; the others are tried there",
        doc="of the mask: border faded out, Gaussian, hard, hard with weight .5",
    )
    largest: float = parameter(
        0.5,
        source="LNTRA, README; the code's default is .2",
        doc="size of a patch as a share of the frame's",
        minimum=0.0,
        maximum=1.0,
    )
    move: int = parameter(
        10,
        unit=f"pixels of {SIZE}",
        source="LNTRA, README; the code's default is 0",
        doc="largest step of the patch from frame to frame; scaled with the size of the frames",
        minimum=0,
    )

    def __post_init__(self) -> None:
        if self.cifar and self.source == "frames":
            raise ValueError("cifar means nothing with source=frames; leave one of them out")


class Patch(Creator):
    """Blends a patch of an image or of another clip, which wanders from frame to frame, into the
    window.

    LNTRA, code: an image is enlarged to the whole frame, and the mask shows a part of it.
    """

    name = "patch"
    version = 3
    Parameters = PatchParameters

    @property
    def extra_knowledge(self) -> str:
        """The images of CIFAR-100, unless frames of the dataset are asked for."""
        if self.parameters.source == "frames":
            return ""
        sure = self.parameters.source == "cifar100" or self.parameters.cifar
        return "CIFAR-100" if sure else "CIFAR-100, where found"

    def found_files(self) -> Mapping[str, Path]:
        """Return the file of CIFAR-100, where it is used.

        Raises
        ------
        DataError : CIFAR-100 is wanted and not there, or its file is not what it should be.
        """
        path = None if self.parameters.source == "frames" else self._find_cifar()
        return {} if path is None else {"cifar": path}

    def prepare(self, clips: Sequence[OpenClip], context: Context) -> None:
        """Open the images, and keep in the cell which they are.

        Raises
        ------
        DataError : as `found_files`.
        """
        self._clips = list(clips)
        self._cifar: np.ndarray | None = None
        if path := self.found_files().get("cifar"):
            self._cifar = np.memmap(path, np.uint8, "r").reshape(-1, RECORD)
        context.fact(
            "patches", "CIFAR-100" if self._cifar is not None else "windows of other training clips"
        )
        if self.parameters.source == "auto" and self._cifar is None:
            context.logger.warning(
                "no CIFAR-100 was found: patches come from other training clips, which the authors tried as well"
            )

    def draw(
        self, clip: OpenClip, start: int, generator: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Return the image in all frames, or a window of another clip, and the mask at each
        frame's place.
        """
        _, height, width, *colours = clip.frames.shape
        if self._cifar is None:
            content = self.to_range(self._other_frames(clip, generator))
        else:
            image = self.to_range(
                self._cifar_image(self._cifar, (height, width), bool(colours), generator)[None]
            )
            content = np.repeat(image, self.window.length, axis=1)
        mask = np.stack(wander((height, width), self.window.length, self.parameters, generator))
        return {"content": content, "mask": mask[None].astype(np.float32)}

    def _other_frames(self, clip: OpenClip, generator: np.random.Generator) -> np.ndarray:
        """Return a window of another clip than the sample's, where one is long enough (LNTRA, code:
        its frames move as well).
        """
        span = self.window.span
        others = [
            other for other in self._clips if other.id != clip.id and other.length >= span
        ] or [clip]
        other = others[int(generator.integers(len(others)))]
        start = int(generator.integers(other.length - span + 1))
        return np.asarray(other.frames[start : start + span : self.window.step])

    def _cifar_image(
        self, cifar: np.ndarray, size: tuple[int, int], colour: bool, generator: np.random.Generator
    ) -> np.ndarray:
        """Return an image of a frame's `size`, (H, W) or, in colour, (H, W, 3) uint8."""
        import cv2

        values = (
            cifar[int(generator.integers(len(cifar))), 2:].reshape(3, 32, 32).transpose(1, 2, 0)
        )
        if not colour:
            values = cv2.cvtColor(np.ascontiguousarray(values), cv2.COLOR_RGB2GRAY)
        return np.rint(enlarge(values.astype(np.float64), size)).astype(np.uint8)

    def _find_cifar(self) -> Path | None:
        roots = [
            Path(part) for part in os.environ.get("BENCH_DATA", "").split(os.pathsep) if part
        ] or [Path("data")]
        given = self.parameters.cifar
        path = (
            Path(given).expanduser()
            if given
            else next((found for root in roots if (found := root.joinpath(*CIFAR)).is_file()), None)
        )
        if path is None and self.parameters.source == "auto":
            return None
        if path is None or not path.is_file():
            pickled = next(
                (
                    root / "cifar-100-python"
                    for root in roots
                    if (root / "cifar-100-python").is_dir()
                ),
                None,
            )
            hint = (
                f" {pickled} holds the version for Python, which is a pickle and is not opened."
                if pickled
                else ""
            )
            raise DataError(
                f"patch: no CIFAR-100 at {path or ' or '.join(str(root.joinpath(*CIFAR)) for root in roots)}.{hint} "
                "Unpack its binary version there (https://www.cs.toronto.edu/~kriz/cifar.html), or take source=frames"
            )
        if path.stat().st_size == 0 or path.stat().st_size % RECORD:
            raise DataError(
                f"patch: {path} is no {CIFAR[1]} of CIFAR-100: its size is not a multiple of {RECORD} bytes; unpack it again"
            )
        return path


def enlarge(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return an image (h, w[, C]) resized to (height, width), bilinearly with its corners in the
    corners (LNTRA, code).
    """
    for axis, length in enumerate(size):
        place = np.linspace(0, image.shape[axis] - 1, length)
        low = np.minimum(place.astype(int), image.shape[axis] - 2)
        share = (place - low).reshape([-1 if other == axis else 1 for other in range(image.ndim)])
        image = image.take(low, axis) * (1 - share) + image.take(low + 1, axis) * share
    return image


def wander(
    size: tuple[int, int], length: int, parameters: PatchParameters, generator: np.random.Generator
) -> list[np.ndarray]:
    """Return the masks, `length` times (H, W) in 0..1, of a patch whose centre takes a random step
    in each frame (LNTRA, code).

    Its least size and its steps are the same shares of the frame at any size of it.
    """
    height, width = size
    x, y = float(generator.integers(width)), float(generator.integers(height))
    cut_width = _least(width, generator.uniform(0, parameters.largest))
    cut_height = _least(height, generator.uniform(0, parameters.largest))
    form = {"soft": soft_mask, "gaussian": gaussian_mask, "box": hard_mask, "half": hard_mask}[
        parameters.form
    ]
    weight = 0.5 if parameters.form == "half" else 1.0
    masks = []
    for _ in range(length):
        masks.append(weight * form(size, (round(x), round(y)), (cut_width, cut_height)))
        x = float(
            np.clip(
                x + generator.integers(-parameters.move, parameters.move + 1) * width / SIZE,
                0,
                width,
            )
        )
        y = float(
            np.clip(
                y + generator.integers(-parameters.move, parameters.move + 1) * height / SIZE,
                0,
                height,
            )
        )
    return masks


def _least(length: int, share: float) -> int:
    """Return a share of a frame's length, not less than SMALLEST of SIZE; two pixels at least, or a
    mask has no inside.
    """
    return max(2, round(SMALLEST * length / SIZE), int(share * length))


def soft_mask(size: tuple[int, int], centre: tuple[int, int], cut: tuple[int, int]) -> np.ndarray:
    """Return 1 in the box around `centre` (x, y) of `cut` (width, height), both edges included,
    fading to 0 over a tenth of its half size.
    """

    def along(length: int, middle: int, extent: int) -> np.ndarray:
        half = extent // 2
        low, high = np.clip(middle - half, 0, length), np.clip(middle + half, 0, length)
        outer_low, outer_high = low - 0.1 * half, high + 0.1 * half
        place = np.arange(length)
        rising = np.clip((place - outer_low) / (low - outer_low), 0, 1)
        falling = np.clip((outer_high - place) / (outer_high - high), 0, 1)
        return np.where(place < middle, rising, falling)

    return along(size[0], centre[1], cut[1])[:, None] * along(size[1], centre[0], cut[0])[None]


def gaussian_mask(
    size: tuple[int, int], centre: tuple[int, int], cut: tuple[int, int]
) -> np.ndarray:
    """Return a Gaussian around `centre` (x, y) with `cut` (width, height) as standard deviations, 1
    at its peak.
    """
    x, y = np.arange(size[1]), np.arange(size[0])
    mask = (
        np.exp(-((y - centre[1]) ** 2) / (2 * cut[1] ** 2))[:, None]
        * np.exp(-((x - centre[0]) ** 2) / (2 * cut[0] ** 2))[None]
    )
    return mask / mask.max()


def hard_mask(size: tuple[int, int], centre: tuple[int, int], cut: tuple[int, int]) -> np.ndarray:
    """Return 1 in the box that begins half of `cut` (width, height) before `centre` (x, y), 0
    outside.
    """
    mask = np.zeros(size)
    left, top = (int(np.clip(centre[axis] - cut[axis] // 2, 0, size[1 - axis])) for axis in (0, 1))
    mask[top : min(top + cut[1], size[0]), left : min(left + cut[0], size[1])] = 1
    return mask
