"""What any method and dataset owes, as checks: for `bench check`, and for the tests of plugin
authors.

    from bench.testing import parametrize_with_checks

    @parametrize_with_checks([MyMethod])
    def test_my_method(method, check):
        check(method)

The checks run on two training clips of 48 and two test clips of 40 frames, made in memory, in
profile `smoke`, on the CPU. A method is fitted once for all of them, and once more to see that the
same seed gives the same scores.
"""

from __future__ import annotations

import functools
import re
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.contracts.clip import PARTS
from bench.contracts.compute import Compute
from bench.contracts.creator import Creator
from bench.contracts.dataset import Dataset, checked_labels
from bench.contracts.method import NEEDS, Context, Frames, Method, OpenClip, Scores, as_scores
from bench.contracts.network_method import NetworkMethod, Window
from bench.contracts.tracks import Tracks
from bench.engine.context import make_context
from bench.engine.seeding import seed_everything
from bench.errors import DataError, MethodError, RequestError
from bench.frames.decode import count_frames, read_frames
from bench.plugins.selection import profile_values

TRAIN_LENGTH, TEST_LENGTH = 48, 40
SIZE = 64
"""Height and width at which the clips are made, pixels."""
SEED = 11

Check = Callable[[type[Method]], None]


class CheckFailed(AssertionError):
    """A method does not do what every method owes; the text says what, and what to do."""


class NotAsked(Exception):
    """A check has nothing to ask of a method; the text says why."""


# -- the clips -------------------------------------------------------------------------------------


def make_clip(number: int, part: str, frames: Frames | None, with_tracks: bool) -> OpenClip:
    """Return a clip of three bright blobs that move over texture; in test clips one of them jumps
    about from the middle on.

    `frames` is what the method asked for. The arrays are read-only, as memory-mapped ones are.
    """
    length = TRAIN_LENGTH if part == "train" else TEST_LENGTH
    generator = np.random.default_rng([number, len(part)])
    ground = generator.integers(40, 90, (SIZE, SIZE))
    pictures = np.empty((length, SIZE, SIZE), dtype=np.uint8)
    boxes: list[tuple[float, float, float, float]] = []
    places = generator.uniform(8, SIZE - 16, (3, 2))
    speeds = generator.uniform(-0.6, 0.6, (3, 2))
    for frame in range(length):
        picture = ground + generator.integers(-4, 5, ground.shape)
        for blob in range(3):
            jumps = part == "test" and blob == 0 and frame >= length // 2
            x, y = np.clip(
                places[blob] + speeds[blob] * frame + (generator.uniform(-9, 9, 2) if jumps else 0),
                0,
                SIZE - 9,
            ).astype(int)
            picture[y : y + 8, x : x + 8] = 170 + 25 * blob
            boxes.append((x / SIZE, y / SIZE, (x + 8) / SIZE, (y + 8) / SIZE))
        pictures[frame] = picture.clip(0, 255)
    tracks = None
    if with_tracks:
        every, ids = np.repeat(np.arange(length), 3), np.tile(np.arange(3), length)
        tracks = Tracks(every, ids, np.array(boxes), length, (SIZE, SIZE), len(boxes))
    opened = None if frames is None else _in_format(pictures, frames)
    return OpenClip(
        f"{number:02d}",
        part,
        length,
        "made",
        opener=None if opened is None else lambda: opened,
        tracks=tracks,
    )


def _in_format(pictures: np.ndarray, frames: Frames) -> np.ndarray:
    import cv2

    height, width = frames.size
    resized = np.stack(
        [
            cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
            for picture in pictures
        ]
    )
    array = np.repeat(resized[..., None], 3, axis=3) if frames.channels == 3 else resized
    array.setflags(write=False)
    return array


def _clips(method: Method, part: str) -> list[OpenClip]:
    frames = method.frames if method.needs & {"frames", "train"} else None
    return [
        make_clip(number, part, frames, part == "train" and "tracks" in method.needs)
        for number in (1, 2)
    ]


# -- a fitted method -------------------------------------------------------------------------------


@dataclass
class _Fitted:
    """A fitted method, and its scores of the test clips."""

    method: Method
    context: Context
    scores: dict[str, Scores]
    losses: list[float]
    """Of each epoch, where the harness trained a network."""


def _make(cls: type[Method]) -> Method:
    return cls(cls.Parameters(**profile_values(cls, "smoke")))


def _context(folder: Path, history: Path | None = None) -> Context:
    return make_context(
        SEED,
        Compute("cpu"),
        folder,
        test_lengths={f"{number:02d}": TEST_LENGTH for number in (1, 2)},
        history=history,
    )


def _score(method: Method, clips: Sequence[OpenClip], context: Context) -> dict[str, Scores]:
    seed_everything(SEED)
    return {
        clip.id: as_scores(
            method.score(clip, context), clip.length, f"{method.name}, clip {clip.id}"
        )
        for clip in clips
    }


def _fit(cls: type[Method]) -> _Fitted:
    if isinstance(getattr(cls, "build", None), Callable):  # type: ignore[arg-type]
        import torch  # noqa: F401  # seeding reaches it only where it is imported
    seed_everything(SEED)
    method = _make(cls)
    folder = Path(tempfile.mkdtemp())
    history = folder / "training.csv"
    context = _context(folder, history)
    weakref.finalize(context, shutil.rmtree, folder, ignore_errors=True)
    method.fit(_clips(method, "train"), context)
    losses = (
        np.genfromtxt(history, delimiter=",", names=True)["loss"].reshape(-1).tolist()
        if history.exists()
        else []
    )
    return _Fitted(method, context, _score(method, _clips(method, "test"), context), losses)


_kept: dict[type[Method], _Fitted] = {}
"""The method that was fitted last: the checks of one method come one after the other."""


def _fitted(cls: type[Method]) -> _Fitted:
    if cls not in _kept:
        fitted = _fit(cls)
        _kept.clear()
        _kept[cls] = fitted
    return _kept[cls]


def _compare(
    found: dict[str, Scores], expected: dict[str, Scores], what: str, tolerance: float = 0.0
) -> None:
    for clip, scores in expected.items():
        if not np.array_equal(found[clip].frames, scores.frames):
            raise CheckFailed(f"{what}: other frames of clip {clip} have a score")
        difference = np.abs(found[clip].values - scores.values)
        allowed = tolerance * max(1e-12, float(np.abs(scores.values).max(initial=0.0)))
        if difference.size and difference.max() > allowed:
            worst = int(difference.argmax())
            raise CheckFailed(
                f"{what}: the score of frame {scores.frames[worst]} of clip {clip} is {found[clip].values[worst]:.9g}, "
                f"it was {scores.values[worst]:.9g}"
            )


# -- the checks ------------------------------------------------------------------------------------


def says_what_it_is(cls: type[Method]) -> None:
    """Name, version, docstring, needs and the sources of its parameters are there."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", cls.name):
        raise CheckFailed(f"the name {cls.name!r} must be lower case letters, digits and hyphens")
    if not (cls.__doc__ or "").strip():
        raise CheckFailed("the class has no docstring: say in a line what it does")
    if not isinstance(cls.version, int) or cls.version < 1:
        raise CheckFailed(f"version {cls.version!r} must be a whole number from 1")
    unknown = set(cls.expected_failures) - {check.__name__ for check in CHECKS}
    if unknown:
        raise CheckFailed(
            f"expected_failures names no check: {', '.join(sorted(unknown))}; there are {', '.join(check.__name__ for check in CHECKS)}"
        )
    without = [item.name for item in fields(cls.Parameters) if not item.metadata.get("source")]
    if without:
        raise CheckFailed(
            f"parameters without a source: {', '.join(without)}; write parameter(..., source='paper, section; or: no source, chosen because ...')"
        )


def needs_are_known(cls: type[Method]) -> None:
    """What a made instance needs is among what can be needed."""
    unknown = _make(cls).needs - NEEDS
    if unknown:
        raise CheckFailed(
            f"unknown needs {', '.join(sorted(unknown))}; there are {', '.join(sorted(NEEDS))}"
        )


def scores_what_it_claims(cls: type[Method]) -> None:
    """One finite score for each frame it claims, in order, in at least one clip."""
    try:
        scores = _fitted(cls).scores
    except MethodError as error:
        raise CheckFailed(str(error)) from error
    if not any(len(found.values) for found in scores.values()):
        raise CheckFailed(f"no clip of {TEST_LENGTH} frames got a score")


def its_loss_falls(cls: type[Method]) -> None:
    """Training a network in profile smoke lowers its loss from the first epoch to the last."""
    if not issubclass(cls, NetworkMethod):
        raise NotAsked("it has no network")
    losses = _fitted(cls).losses
    if len(losses) > 1 and losses[-1] >= losses[0]:
        shown = ", ".join(f"{loss:.4g}" for loss in losses)
        raise CheckFailed(
            f"the loss of the epochs is {shown}: it does not fall; look at learning_rate and epochs of profile smoke"
        )


def same_under_the_same_seed(cls: type[Method]) -> None:
    """A second method, fitted with the same seed, gives the same scores."""
    _compare(_fit(cls).scores, _fitted(cls).scores, "fitted again with the same seed")


def same_after_save_and_load(cls: type[Method]) -> None:
    """What `save` wrote and `load` read scores as before."""
    fitted = _fitted(cls)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fitted"
        try:
            fitted.method.save(path)
        except MethodError as error:
            raise CheckFailed(str(error)) from error
        again = _make(cls)
        again.load(path)
    _compare(
        _score(again, _clips(again, "test"), fitted.context), fitted.scores, "after save and load"
    )


def same_in_any_order(cls: type[Method]) -> None:
    """The scores of a clip do not depend on which clips were scored before it."""
    fitted = _fitted(cls)
    clips = _clips(fitted.method, "test")
    _compare(
        _score(fitted.method, clips[::-1], fitted.context), fitted.scores, "clips in another order"
    )


def same_for_any_batch(cls: type[Method]) -> None:
    """The scores of a network do not depend on how many windows it sees at once, within its
    `batch_tolerance`.
    """
    fitted = _fitted(cls)
    method = fitted.method
    if not isinstance(method, NetworkMethod) or method.network is None:
        raise NotAsked("it has no network")
    from bench.engine.inference import infer

    for batch in (1, 3):
        seed_everything(SEED)
        found = {
            clip.id: as_scores(
                infer(method, clip, replace(fitted.context, compute=Compute("cpu", batch=batch))),
                clip.length,
                method.name,
            )
            for clip in _clips(method, "test")
        }
        _compare(found, fitted.scores, f"in batches of {batch}", method.batch_tolerance)


def leaves_its_inputs_alone(cls: type[Method]) -> None:
    """Frames are the same after scoring as before."""
    fitted = _fitted(cls)
    if not fitted.method.needs & {"frames", "train"}:
        return
    clips = _clips(fitted.method, "test")
    before = [clip.frames.copy() for clip in clips]
    _score(fitted.method, clips, fitted.context)
    if any(not np.array_equal(clip.frames, copy) for clip, copy in zip(clips, before)):
        raise CheckFailed("score() changed the frames of a clip: work on a copy")


def draws_what_it_promises(cls: type[Creator]) -> None:
    """Content and mask of a creator have the shapes, types and ranges they need, come from the
    generator alone, and leave frames alone.

    Raises
    ------
    CheckFailed : with what is wrong.
    """
    window = Window(4, targets=(1,))
    frames = Frames((SIZE, SIZE), 1)
    clips = [make_clip(number, "train", frames, True) for number in (1, 2)]
    creator = cls(window, cls.Parameters(), lambda array: array[None].astype(np.float32) / 255)
    creator.prepare(clips, _context(Path(tempfile.gettempdir())))
    before = clips[0].frames.copy()
    drawn, again = (creator.draw(clips[0], 5, np.random.default_rng(3)) for _ in range(2))
    shapes = {
        "content": (1, 4, SIZE, SIZE),
        "mask": (1, 4, SIZE, SIZE),
        "window": (1, 4, SIZE, SIZE),
    }
    if {"content", "mask"} - set(drawn) or set(drawn) - set(shapes):
        raise CheckFailed(
            f"draw() returned {', '.join(drawn) or 'nothing'}; it returns content and mask, and may return window"
        )
    for name, array in drawn.items():
        if (
            not isinstance(array, np.ndarray)
            or array.dtype != np.float32
            or array.shape != shapes[name]
        ):
            kind = (
                f"{array.dtype} of shape {array.shape}"
                if isinstance(array, np.ndarray)
                else type(array).__name__
            )
            raise CheckFailed(
                f"draw(): {name} is {kind}, expected float32 of shape {shapes[name]}: (C, T, H, W), the mask (1, T, H, W)"
            )
        if not np.isfinite(array).all():
            raise CheckFailed(f"draw(): {name} is not finite")
        if not np.array_equal(array, again[name]):
            raise CheckFailed(
                f"draw(): {name} differs under the same generator; draw everything random from it"
            )
    if drawn["mask"].min() < 0 or drawn["mask"].max() > 1:
        raise CheckFailed(
            f"draw(): the mask lies in {drawn['mask'].min():g}..{drawn['mask'].max():g}, expected 0..1"
        )
    if not np.array_equal(before, clips[0].frames):
        raise CheckFailed("draw() changed the frames of the clip: work on a copy")


# -- datasets --------------------------------------------------------------------------------------


def clips_are_in_order(dataset: Dataset) -> None:
    """There are test clips; ids are sorted and single in each part, a clip knows its part, and
    asking twice gives the same clips.

    Raises
    ------
    CheckFailed : with what is wrong.
    """
    for part in PARTS:
        clips = dataset.clips(part)
        ids = [clip.id for clip in clips]
        if ids != sorted(set(ids)):
            raise CheckFailed(
                f"clips({part!r}): ids must be sorted, each once; they are {', '.join(map(str, ids))[:200]}"
            )
        if wrong := [clip.id for clip in clips if clip.part != part]:
            raise CheckFailed(
                f"clips({part!r}): {', '.join(wrong)} say that they belong to another part"
            )
        if part == "test" and not clips:
            raise CheckFailed("clips('test') is empty: nothing can be scored")
        if dataset.clips(part) != clips:
            raise CheckFailed(f"clips({part!r}) gives other clips when it is asked again")


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
    """The first clip of each part decodes into as many frames, of one size, as it says it has.

    Raises
    ------
    CheckFailed : with what is wrong.
    """
    for part in PARTS:
        clip = next((clip for clip in dataset.clips(part) if clip.source is not None), None)
        if clip is None:
            continue
        try:
            read = sum(1 for _ in read_frames(clip))
        except DataError as error:
            raise CheckFailed(str(error)) from error
        if clip.length not in (None, read):
            raise CheckFailed(
                f"{part} clip {clip.id} says it has {clip.length} frames, and {read} are read"
            )


DATASET_CHECKS: tuple[Callable[[Dataset], None], ...] = (
    clips_are_in_order,
    labels_fit,
    frames_can_be_read,
)
"""What any dataset owes, once it is located: for the tests of plugin authors, and `bench check`."""

STATIC: tuple[Check, ...] = (says_what_it_is, needs_are_known)
CHECKS: tuple[Check, ...] = (
    *STATIC,
    scores_what_it_claims,
    its_loss_falls,
    same_under_the_same_seed,
    same_after_save_and_load,
    same_in_any_order,
    same_for_any_batch,
    leaves_its_inputs_alone,
)


def run_check(cls: type[Method], check: Check) -> str:
    """Run one check, and return why it asked nothing; empty where it did ask.

    A failure that the method declares is expected, and its absence is then the failure.

    Raises
    ------
    CheckFailed : with what is wrong.
    """
    reason = cls.expected_failures.get(check.__name__)
    try:
        check(cls)
    except NotAsked as error:
        return str(error)
    except CheckFailed:
        if reason is None:
            raise
        return ""
    except (RequestError, ValueError) as error:
        raise CheckFailed(f"cannot be made in profile smoke: {error}") from error
    if reason is not None:
        raise CheckFailed(
            f"is declared as an expected failure ({reason}), but passes: take the declaration away"
        )
    return ""


def parametrize_with_checks(
    classes: Sequence[type[Method]], checks: Sequence[Check] = CHECKS
) -> Any:
    """Return a pytest decorator: the test gets `method` (the class) and `check` (call it with the
    class).
    """
    import pytest

    def cases() -> Iterator[Any]:
        for cls in classes:
            for check in checks:
                yield pytest.param(
                    cls,
                    functools.partial(run_check, check=check),
                    id=f"{cls.name}-{check.__name__}",
                )

    return pytest.mark.parametrize(("method", "check"), list(cases()))
