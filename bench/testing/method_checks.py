"""What any method owes."""

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

from bench.contracts.compute import Compute
from bench.contracts.method import NEEDS, Context, Method, OpenClip, Scores, as_scores
from bench.contracts.network_method import NetworkMethod
from bench.engine.seeding import seed_everything
from bench.errors import MethodError, RequestError
from bench.plugins.selection import profile_values
from bench.testing.made import SEED, TEST_LENGTH, CheckFailed, NotAsked, make_clip, make_context

OF_DEVICES = ("same_on_a_device", "its_steps_do_not_wait")
"""The checks of `device_checks`, which imports torch."""

Check = Callable[[type[Method]], None]


def _clips(method: Method, split: str) -> list[OpenClip]:
    frames = method.frames if method.needs & {"frames", "train"} else None
    return [
        make_clip(number, split, frames, split == "train" and "tracks" in method.needs)
        for number in (1, 2)
    ]


@dataclass
class Fitted:
    """A fitted method, and its scores of the test clips."""

    method: Method
    context: Context
    scores: dict[str, Scores]
    losses: list[float]
    """Of each epoch, where the harness trained a network."""


def _make(cls: type[Method]) -> Method:
    return cls(cls.Parameters(**profile_values(cls, "smoke")))


def _score(method: Method, clips: Sequence[OpenClip], context: Context) -> dict[str, Scores]:
    seed_everything(SEED)
    return {
        clip.id: as_scores(
            method.score(clip, context), clip.length, f"{method.name}, clip {clip.id}"
        )
        for clip in clips
    }


def fit(
    cls: type[Method],
    device: str = "cpu",
    step: Callable[[int, int, str], None] | None = None,
) -> Fitted:
    """Fit a method on the made clips and score them; `step` takes the reports of progress."""
    if isinstance(getattr(cls, "build", None), Callable):  # type: ignore[arg-type]
        import torch  # noqa: F401  # seeding reaches it only where it is imported
    seed_everything(SEED)
    method = _make(cls)
    folder = Path(tempfile.mkdtemp())
    history = folder / "training.csv"
    context = make_context(folder, history, device, step)
    weakref.finalize(context, shutil.rmtree, folder, ignore_errors=True)
    method.fit(_clips(method, "train"), context)
    losses = (
        np.genfromtxt(history, delimiter=",", names=True)["loss"].reshape(-1).tolist()
        if history.exists()
        else []
    )
    return Fitted(method, context, _score(method, _clips(method, "test"), context), losses)


_kept: dict[type[Method], Fitted] = {}
"""The method that was fitted last: the checks of one method come one after the other."""


def first_fit(cls: type[Method]) -> Fitted:
    """Return the method fitted on the CPU, the same for all its checks."""
    if cls not in _kept:
        fitted = fit(cls)
        _kept.clear()
        _kept[cls] = fitted
    return _kept[cls]


def compare(
    found: dict[str, Scores], expected: dict[str, Scores], what: str, tolerance: float = 0.0
) -> None:
    """Refuse scores of clips that differ by more than `tolerance` of the largest."""
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


def says_what_it_is(cls: type[Method]) -> None:
    """Name, version, docstring, needs and the sources of its parameters are there."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", cls.name):
        raise CheckFailed(f"the name {cls.name!r} must be lower case letters, digits and hyphens")
    if not (cls.__doc__ or "").strip():
        raise CheckFailed("the class has no docstring: say in a line what it does")
    if not isinstance(cls.version, int) or cls.version < 1:
        raise CheckFailed(f"version {cls.version!r} must be a whole number from 1")
    unknown = set(cls.expected_failures) - {check.__name__ for check in CHECKS} - {*OF_DEVICES}
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
        scores = first_fit(cls).scores
    except MethodError as error:
        raise CheckFailed(str(error)) from error
    if not any(len(found.values) for found in scores.values()):
        raise CheckFailed(f"no clip of {TEST_LENGTH} frames got a score")


def its_loss_falls(cls: type[Method]) -> None:
    """Training a network in profile smoke lowers its loss from the first epoch to the last."""
    if not issubclass(cls, NetworkMethod):
        raise NotAsked("it has no network")
    losses = first_fit(cls).losses
    if len(losses) > 1 and losses[-1] >= losses[0]:
        shown = ", ".join(f"{loss:.4g}" for loss in losses)
        raise CheckFailed(
            f"the loss of the epochs is {shown}: it does not fall; look at learning_rate and epochs of profile smoke"
        )


def same_under_the_same_seed(cls: type[Method]) -> None:
    """A second method, fitted with the same seed, gives the same scores."""
    compare(fit(cls).scores, first_fit(cls).scores, "fitted again with the same seed")


def same_after_save_and_load(cls: type[Method]) -> None:
    """What `save` wrote and `load` read scores as before."""
    fitted = first_fit(cls)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fitted"
        try:
            fitted.method.save(path)
        except MethodError as error:
            raise CheckFailed(str(error)) from error
        again = _make(cls)
        again.load(path)
    compare(
        _score(again, _clips(again, "test"), fitted.context), fitted.scores, "after save and load"
    )


def same_in_any_order(cls: type[Method]) -> None:
    """The scores of a clip do not depend on which clips were scored before it."""
    fitted = first_fit(cls)
    clips = _clips(fitted.method, "test")
    compare(
        _score(fitted.method, clips[::-1], fitted.context), fitted.scores, "clips in another order"
    )


def same_for_any_batch(cls: type[Method]) -> None:
    """The scores of a network do not depend on how many windows it sees at once, within its
    `batch_tolerance`.
    """
    fitted = first_fit(cls)
    method = fitted.method
    if not isinstance(method, NetworkMethod) or method.network is None:
        raise NotAsked("it has no network")
    from bench.engine.inference import infer

    for batch in (1, 3):
        seed_everything(SEED)
        context = replace(fitted.context, compute=Compute("cpu", batch=batch))
        found = {
            clip.id: as_scores(infer(method, clip, context), clip.length, method.name)
            for clip in _clips(method, "test")
        }
        compare(found, fitted.scores, f"in batches of {batch}", method.batch_tolerance)


def leaves_its_inputs_alone(cls: type[Method]) -> None:
    """Frames are the same after scoring as before."""
    fitted = first_fit(cls)
    if not fitted.method.needs & {"frames", "train"}:
        return
    clips = _clips(fitted.method, "test")
    before = [clip.frames.copy() for clip in clips]
    _score(fitted.method, clips, fitted.context)
    if any(not np.array_equal(clip.frames, copy) for clip, copy in zip(clips, before)):
        raise CheckFailed("score() changed the frames of a clip: work on a copy")


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
