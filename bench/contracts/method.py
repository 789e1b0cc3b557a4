"""What a method is: how the frames of a clip get their scores."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from bench.contracts.compute import Compute
from bench.contracts.parameters import NoParameters
from bench.errors import MethodError
from bench.files.download import PretrainedWeights

if TYPE_CHECKING:
    from bench.contracts.tracks import Tracks

NEEDS = frozenset({"lengths", "frames", "train", "tracks", "weights"})


@dataclass(frozen=True)
class FrameFormat:
    """How a method wants its frames: `size` = (height, width) in pixels, `channels` 1 (BT.601 luma)
    or 3 (RGB).
    """

    size: tuple[int, int] = (256, 256)
    channels: int = 1

    def __str__(self) -> str:
        return f"{self.size[0]}x{self.size[1]}x{self.channels}"


@dataclass(frozen=True)
class Scores:
    """Scores of one clip: `values` (K,) float, higher = more anomalous; `frames` (K,) int, the
    frame of each, ascending.
    """

    values: np.ndarray
    frames: np.ndarray


@dataclass(frozen=True)
class PublishedAUC:
    """A frame AUC that a paper prints, in percent as printed, and where it was read."""

    dataset: str
    auc: str
    source: str


@dataclass(frozen=True)
class MethodInfo:
    """Facts about a method, for tables and `bench list`."""

    title: str = ""
    """Of the paper."""
    display_name: str = ""
    """What tables print, as in papers: 'MNAD (reconstruction)'. A formula stands between dollar
    signs. Default: derived from the identifier."""
    year: int | None = None
    venue: str = ""
    citation: str = ""
    """Key of the BibTeX entry, e.g. 'lappas2024ddl'."""
    family: str = ""
    """Heading in the tables: 'reconstruction', 'pseudo-anomaly', 'reference', 'trivial', ..."""
    groups: tuple[str, ...] = ()
    inputs: str = ""
    extra_knowledge: str = ""
    """What it uses beside the dataset, in a few words: 'detected objects', 'ResNet-50
    (ImageNet)'."""
    supervision: str = ""
    """What it learns from, as tables name it: 'one-class' (normal videos alone), 'training-free',
    'unsupervised', 'weakly supervised'. Default: one-class, or training-free for a method that
    does not need the training part."""
    published: tuple[PublishedAUC, ...] = ()
    published_protocol: str = ""
    """Under which protocol the published numbers were measured, as far as paper or code say."""
    paper_protocol: str = ""
    """The same as a protocol that `bench score --protocol` takes, such as 'minmax' or
    'median17[edge=zero]', applied to what `score` returns: tables that compare with published
    numbers measure under it. Empty where it is not known."""
    reproduction: str = ""
    """What is known of reproducing them: others' results, what is missing, where paper and code
    differ."""
    ablation: tuple[str, str] | None = None
    """(network, variant of its training), e.g. ('C3DSU', 'DDL'): the method's place in the ablation
    table."""
    deviations: tuple[str, ...] = ()
    """What differs from the paper here; each is a footnote of the row."""
    bibtex: str = ""
    """The BibTeX entry of `citation`; written beside the LaTeX tables that cite it."""


@dataclass
class OpenClip:
    """A clip as a method sees it: its frames are open (memory-mapped), and its tracks too where the
    method needs them.

    `frames` is (N, H, W) or (N, H, W, 3) uint8, read-only; opened at first use. `tracks` is None
    unless the method needs tracks. `labels` are not here: no method sees them.
    """

    id: str
    split: str
    length: int
    dataset: str
    scene: str = ""
    opener: Callable[[], np.ndarray] | None = None
    tracks: Tracks | None = None
    touched: Callable[[], None] | None = None
    """Called at each access of `frames`, so that the runner sees a method at work."""
    _frames: np.ndarray | None = field(default=None, repr=False)

    @property
    def frames(self) -> np.ndarray:
        """The frames, (N, H, W) or (N, H, W, 3) uint8, memory-mapped and read-only."""
        if self.touched is not None:
            self.touched()
        if self._frames is None:
            if self.opener is None:
                raise MethodError(
                    f"clip {self.id!r} of {self.dataset} has no frames here: the method must list 'frames' in its needs"
                )
            self._frames = self.opener()
        return self._frames


def _no_engine(method: Method, *_: Any) -> Any:
    raise MethodError(
        f"{method.name}: this context can neither train nor score a network; "
        "bench.testing.make_context returns one that can"
    )


@dataclass
class Context:
    """What a method may use beside its data.

    `step(done, total, what)` reports progress: call it now and then in long loops, or a slow fit
    counts as stalled. `train` and `infer` are the harness's training loop and inference engine,
    used by `NetworkMethod`.
    """

    seed: int
    compute: Compute
    logger: logging.Logger
    folder: Path
    """A scratch folder of the cell; emptied when the cell is done."""
    step: Callable[[int, int, str], None]
    train: Callable[[Any, Sequence[OpenClip], Context], None] = _no_engine
    infer: Callable[[Any, OpenClip, Context], Scores] = _no_engine
    test_lengths: Mapping[str, int] = field(default_factory=dict)
    """Clip id -> frames of every test clip, in clip order: for methods that check a file of their
    own against the dataset."""
    other_test_clips: frozenset[str] = frozenset()
    """Ids of the test clips of the whole dataset that are not scored here: they have no frames
    here, or belong to another scene."""
    images: Callable[[Any, OpenClip, int, dict[str, np.ndarray]], None] | None = None
    """Takes the images of one scored frame (`IMAGE_TERMS`), where something of them is kept."""
    regions: Callable[[OpenClip, np.ndarray, np.ndarray, np.ndarray], None] | None = None
    """Takes what a method that detects regions found in a test clip, where it is kept: `boxes` (R,
    4), `frames` (R,), `scores` (R,).

    A box is x1, y1, x2, y2 in pixels of the dataset's frames, ends excluded; a high score is
    anomalous. Called once, while the clip is scored; frames that get a score and no region are
    frames in which nothing was found.
    """
    epoch: int = 0
    """Of the training loop, from 0."""
    after_epoch: Callable[[int], None] | None = None
    """Called by the training loop after each epoch, counted from 1, with the network in eval mode
    in `method.network`; the training goes on as if it had not been called.
    """
    facts: dict[str, str | float] = field(default_factory=dict)
    """What the cell keeps beside its scores (`fact`)."""

    @property
    def device(self) -> str:
        """Where networks compute: 'cpu', 'cuda' or 'cuda:N'."""
        return self.compute.device

    def fact(self, name: str, value: str | float) -> None:
        """Keep a fact of this training in cell.json, e.g. where patches came from."""
        self.facts[name] = value


class Method:
    """How frames get scores. Only `name` and `score` are required.

    A method is made anew for each cell, with the parameters of its selection. `fit` sees the
    training clips, `score` one test clip at a time, in any order; neither sees labels, and neither
    may change the frames.
    """

    name: ClassVar[str]
    version: int = 1
    """Raised whenever the scores change: finished cells of another version are not reused. An
    instance may add that of its parts."""
    info: ClassVar[MethodInfo] = MethodInfo()
    Parameters: ClassVar[type] = NoParameters
    profiles: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Named overrides of the parameters: 'large', 'medium', 'small', 'smoke'. Without 'large' a
    method uses its 'medium', without that its 'small'."""
    pretrained: ClassVar[tuple[PretrainedWeights, ...]] = ()
    """Weights of others that it needs, for `bench download`."""
    needs_parameters: ClassVar[bool] = False
    """True for a method that means nothing without parameters (`scores`): it is then not part of
    `all`."""
    uses_seed: bool = True
    """Whether seeds give different scores; an instance may say otherwise."""
    normalises_clips: ClassVar[bool] = False
    """True where `score` scales each clip by its own extremes: scores of two clips do not compare,
    and no one threshold fits both."""
    published_only: ClassVar[str] = ""
    """Why the method cannot run here, for a row that shows published numbers alone; such a method
    needs no `score`."""
    expected_failures: ClassVar[Mapping[str, str]] = {}
    """Conformance checks that this method is known to fail, each with its reason. Strict: it fails
    when the check passes."""
    batch_tolerance: ClassVar[float] = 1e-4
    """Relative difference of scores that another batch size may make."""

    frames: FrameFormat | None = FrameFormat()
    """What `clip.frames` is; a property where it depends on parameters."""
    needs: frozenset[str] = frozenset({"frames"})
    """A subset of `NEEDS`: what this configured instance cannot do without."""

    def __init__(self, parameters: Any = None) -> None:
        self.parameters = type(self).Parameters() if parameters is None else parameters

    @classmethod
    def expand(
        cls, values: Mapping[str, Sequence[str]]
    ) -> Sequence[tuple[Mapping[str, str], str]] | None:
        """Return the rows that one item of a selection stands for: the texts of the parameters of
        each, and its display name. Default: None, the item itself.

        Parameters
        ----------
        values : the texts that the user gave, by parameter.

        Raises
        ------
        ValueError : with what is wrong.
        """
        return None

    @property
    def published(self) -> tuple[PublishedAUC, ...]:
        """What the paper of this row prints: that of the class, unless a parameter says more."""
        return self.info.published

    @property
    def paper_protocol(self) -> str:
        """The protocol of the paper of this row: that of `info`, unless a parameter says more."""
        return self.info.paper_protocol

    @property
    def deviations(self) -> tuple[str, ...]:
        """What differs from the paper in this configured instance; each is a footnote of the row.
        Default: those of `info`.
        """
        return self.info.deviations

    @property
    def extra_knowledge(self) -> str:
        """What this configured instance uses beside the dataset, in a few words. Default: that of
        `info`.
        """
        return self.info.extra_knowledge

    @property
    def supervision(self) -> str:
        """What this configured instance learns from, as tables name it. Default: that of `info`."""
        return self.info.supervision

    def check(self, dataset: str) -> None:
        """Look, before any work, whether what the method needs beside the dataset is there, e.g.
        weights of another network.

        Raises
        ------
        DataError : what is missing, and what to do; the method's cells on this dataset are then a
            dash with this reason.
        """

    def fit(self, clips: Sequence[OpenClip], context: Context) -> None:
        """Learn from the train split. The default learns nothing."""

    def score(self, clip: OpenClip, context: Context) -> Sequence[float] | np.ndarray | Scores:
        """Return one finite float for each frame of `clip`, or `Scores(values, frames)` for some of
        them.
        """
        raise NotImplementedError

    def save(self, path: Path) -> None:
        """Write what `fit` learned to `path` (npz): all public attributes that are arrays, numbers
        or strings.

        Raises
        ------
        MethodError : an attribute of another type, with what to write instead.
        """
        state: dict[str, np.ndarray] = {}
        for key, value in vars(self).items():
            if key == "parameters" or key.startswith("_"):
                continue
            if not isinstance(value, np.ndarray | np.generic | int | float | str | bool):
                raise MethodError(
                    f"{self.name}: attribute {key!r} is a {type(value).__name__}, which the default save cannot write; "
                    "keep arrays, numbers or strings, begin its name with '_' if it need not be kept, or write save() and load()"
                )
            array = np.asarray(value)
            if array.dtype.hasobject:
                raise MethodError(
                    f"{self.name}: attribute {key!r} is an array of Python objects; keep numbers or strings, or write save() and load()"
                )
            state[key] = array
        with path.open("wb") as file:
            np.savez(file, **state)  # type: ignore[arg-type]

    def load(self, path: Path) -> None:
        """Read back what `save` wrote."""
        with np.load(path, allow_pickle=False) as state:
            for key in state.files:
                value = state[key]
                setattr(self, key, value.item() if value.ndim == 0 else value)


def ascend_within(frames: np.ndarray, length: int | None = None) -> bool:
    """Whether frame numbers, (K,) int, ascend from 0 on, each once, and below `length` if given."""
    return not frames.size or bool(
        frames[0] >= 0
        and (length is None or frames[-1] < length)
        and (frames[1:] > frames[:-1]).all()
    )


def as_scores(result: Any, length: int, who: str) -> Scores:
    """Check what a method's `score` returned for a clip of `length` frames, and give it the one
    form.

    Raises
    ------
    MethodError : the wrong number of scores, scores that are not finite, frames out of range or not
        ascending.
    """
    if isinstance(result, Scores):
        values, frames = np.asarray(result.values, dtype=np.float64), np.asarray(result.frames)
    else:
        try:
            values = np.asarray(result, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise MethodError(
                f"{who}: score() returned {type(result).__name__}, expected one number a frame ({length})"
            ) from error
        if values.ndim == 1 and len(values) != length:
            raise MethodError(
                f"{who}: score() returned {len(values)} scores for {length} frames; return one a frame, "
                "or Scores(values, frames) that says which frames they belong to"
            )
        frames = np.arange(len(values)) if values.ndim == 1 else np.arange(0)
    if values.ndim != 1:
        raise MethodError(
            f"{who}: score() returned an array of shape {values.shape}, expected one number a frame, ({length},)"
        )
    if frames.shape != values.shape or (
        frames.size and not np.issubdtype(frames.dtype, np.integer)
    ):
        raise MethodError(
            f"{who}: Scores has {values.size} values and frames of shape {frames.shape} and type {frames.dtype}; they must pair up as integers"
        )
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise MethodError(
            f"{who}: the score of frame {int(frames[bad[0]])} is {values[bad[0]]} ({bad.size} of {values.size} scores are not finite)"
        )
    if not ascend_within(frames, length):
        raise MethodError(f"{who}: frames of Scores must ascend within 0..{length - 1}")
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    if not np.isfinite(narrow).all():
        raise MethodError(
            f"{who}: a score is too large for a 32-bit float ({np.abs(values).max():.3g})"
        )
    return Scores(narrow, frames.astype(np.int32))
