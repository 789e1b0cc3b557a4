"""A clip as a video: frame, reconstruction and error map beside each other, and the score with the
truth below.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from bench.errors import RunError
from bench.figures.style import spans

PANEL = 256
"""Height of a panel in pixels. Chosen here: three of 16:9 fit on a laptop's screen."""
GAP, HEAD, BAND, LEFT = 8, 22, 110, 40
"""Pixels between panels, of a line of text, of the timeline, and left of it for its scale."""
WHITE, INK, GRAY = (255, 255, 255), (30, 30, 30), (150, 150, 150)
LINE, CURSOR, TRUTH, SHADE = (178, 114, 0), (30, 30, 30), (0, 94, 213), (200, 232, 250)
"""Blue, Green, Red, as OpenCV has them; hues of Okabe and Ito."""
CODEC, QUANTIZER, MOST_BITS = "mpeg4", 3, 1 << 30
"""MPEG-4 Part 2, as coarse as its finest usual step allows, whatever bits that takes."""
TICKS = 60_000
"""Parts of a second that times are counted in: 25, 30, 50 and 60 frames a second, and milliseconds,
are whole numbers of them."""
SHOWN = 250
"""Frames on the timeline of footage of unknown length: ten seconds at 25 frames a second. Chosen
here."""


class Shown(Protocol):
    """One frame (`image`, (H, W, 3) uint8 RGB), and what a network made of it (None where it made
    nothing).
    """

    @property
    def image(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""

    @property
    def reconstruction(self) -> np.ndarray | None:
        """(h, w[, 3]) uint8."""

    @property
    def error(self) -> np.ndarray | None:
        """(h, w) float."""


@dataclass(frozen=True)
class Track:
    """What runs along the clip.

    Parameters
    ----------
    title : the head line.
    scores : (N,) float, processed under the protocol; NaN where a frame has no score.
    labels : (N,) 0/1; empty where there are none.
    about : what the scores are, e.g. the protocol's name.
    notes : what a viewer must know; written in every frame.
    threshold : a line across; `labels` then are what is above it, not a truth.
    span : the lowest and highest score that the timeline shows; None: those of `scores`.
    """

    title: str
    scores: np.ndarray
    labels: np.ndarray
    about: str
    notes: Sequence[str] = ()
    threshold: float | None = None
    span: tuple[float, float] | None = None


def write_video(
    path: Path,
    track: Track,
    frames: Iterable[Shown],
    parts: Sequence[str],
    largest: float,
    rate: float,
    step: Callable[[int, int], None],
) -> None:
    """Write a clip as an MP4, whole or not at all.

    Parameters
    ----------
    parts : those of 'reconstruction' and 'map' that have a panel.
    largest : the error that is the bright end of the colours, in all frames.
    rate : frames a second.
    step : told how many of how many frames are drawn.

    Raises
    ------
    RunError : the file cannot be written or read back, or frames and scores differ in number.
    """
    length = len(track.scores)
    count = 0
    draw = None
    with film(path, rate) as write:
        for count, shown in enumerate(frames, start=1):
            draw = draw or _Canvas(track, shown.image.shape, parts, largest)
            if count <= length:
                write(draw.frame(count - 1, shown), (count - 1) / rate)
            step(count, length)
        if not count or count != length:
            raise RunError(
                f"{path.name}: {count} frames were decoded, {length} are known of the clip: it is another copy"
            )


@contextmanager
def film(
    path: Path, rate: float, stamped: bool = False
) -> Iterator[Callable[[np.ndarray, float], None]]:
    """Give what takes the frames of an MP4 and the time in seconds at which each is shown. Without
    a frame there is no file.

    The file is written whole or not at all: it is there when the block ends without an exception.
    Frames are (H, W, 3) uint8, blue first, height and width even.

    Parameters
    ----------
    stamped : show each frame at its time, which grows from frame to frame; else `rate` a second,
        and times do not count.

    Raises
    ------
    RunError : the file cannot be written or read back.
    """
    import av
    from av.error import FFmpegError

    count = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".video-") as folder:
            unfinished = Path(folder) / "video.mp4"
            with ExitStack() as opened:
                container: Any = None
                stream: Any = None
                # MPEG-4 counts time in units of at most 1/65535 s.
                whole = Fraction(rate).limit_denominator(max(1, min(1001, int(TICKS / rate))))
                unit = Fraction(1, TICKS) if stamped else 1 / whole

                def write(frame: np.ndarray, seconds: float) -> None:
                    nonlocal container, stream, count
                    if container is None:
                        container = opened.enter_context(av.open(str(unfinished), "w"))
                        stream = container.add_stream(
                            CODEC, rate=whole, options={"qmin": str(QUANTIZER)}
                        )
                        stream.height, stream.width, stream.pix_fmt = *frame.shape[:2], "yuv420p"
                        stream.bit_rate = MOST_BITS
                        stream.codec_context.thread_count = 1  # equal frames, equal bytes
                        stream.codec_context.time_base = unit
                    coded = av.VideoFrame.from_ndarray(frame, format="bgr24")
                    coded.pts = round(seconds / unit) if stamped else count
                    coded.time_base = unit
                    container.mux(stream.encode(coded))
                    count += 1

                yield write
                if container is None:
                    return
                container.mux(stream.encode(None))
            if (readable := _frames_in(unfinished)) != count:
                raise RunError(
                    f"cannot write {path}: {readable} of {count} frames can be read back; free space is needed there"
                )
            unfinished.replace(path)
    except (OSError, FFmpegError) as error:
        raise RunError(
            f"cannot write {path}: {error.strerror or error}; free space or permission is needed there"
        ) from error


class Ticker:
    """Draws footage of unknown length: each frame above the last `SHOWN` smoothed scores, with the
    threshold and what is above it.

    Parameters
    ----------
    title : the head line. `about` : what the scores are.
    """

    def __init__(self, title: str, about: str, threshold: float) -> None:
        self.title, self.about, self.threshold = title, about, threshold
        self._scores: deque[float] = deque(maxlen=SHOWN)
        self._above: deque[bool] = deque(maxlen=SHOWN)
        self._span = (threshold, threshold)
        self._largest = 0.0

    def draw(
        self,
        image: np.ndarray,
        error: np.ndarray | None,
        with_errors: bool,
        score: float | None,
        said: str,
    ) -> np.ndarray:
        """Return the next frame of the video, (H, W, 3) uint8, blue first.

        Parameters
        ----------
        image : (h, w, 3) uint8 RGB. `error` : (h, w) float or None; the largest error so far is
            the bright end of its colours.
        with_errors : whether errors have a panel; the same for all frames.
        score : smoothed; None where the frame has none. `said` : the line below the image.
        """
        self._scores.append(np.nan if score is None else score)
        self._above.append(score is not None and score > self.threshold)
        if score is not None:
            self._span = (min(self._span[0], score), max(self._span[1], score))
        if error is not None:
            self._largest = max(self._largest, float(np.quantile(error, 0.999)))
        index = len(self._scores) - 1
        scores, above = np.full(SHOWN, np.nan), np.zeros(SHOWN, np.uint8)
        scores[: index + 1], above[: index + 1] = self._scores, self._above
        track = Track(
            self.title, scores, above, self.about, threshold=self.threshold, span=self._span
        )
        canvas = _Canvas(track, image.shape, ("map",) if with_errors else (), self._largest)
        return canvas.frame(index, _Drawn(image, None, error), said)


@dataclass(frozen=True)
class _Drawn:
    image: np.ndarray
    reconstruction: np.ndarray | None
    error: np.ndarray | None


def _frames_in(path: Path) -> int:
    import av

    with av.open(str(path)) as container:
        return sum(packet.size > 0 for packet in container.demux(video=0))


class _Canvas:
    """Everything that is the same in all frames, drawn once."""

    def __init__(
        self, track: Track, shape: Sequence[int], parts: Sequence[str], largest: float
    ) -> None:
        self.track, self.largest = track, largest or 1.0
        self.parts = [part for part in ("reconstruction", "map") if part in parts]
        self.panel = (round(PANEL * shape[1] / shape[0]), PANEL)
        self.bar = 56 if "map" in self.parts else 0
        width = max(GAP + (1 + len(self.parts)) * (self.panel[0] + GAP) + self.bar, 640)
        self.rows = (HEAD + 4, 2 * HEAD + 2 + PANEL + HEAD)
        height = self.rows[1] + BAND + 8 + HEAD * len(track.notes) + 14
        self.size = (width + width % 2, height + height % 2)  # the codec wants even numbers
        self.band = (LEFT, self.rows[1], self.size[0] - GAP - 2, self.rows[1] + BAND)
        self.still = self._still()

    def _left(self, number: int) -> int:
        return GAP + number * (self.panel[0] + GAP)

    def _still(self) -> np.ndarray:
        import cv2

        still = np.full((self.size[1], self.size[0], 3), 255, np.uint8)
        _text(still, self.track.title, (GAP, HEAD - 5), 0.5)
        for number, name in enumerate(["", *self.parts]):
            _text(
                still,
                {"": "frame", "map": "error"}.get(name, name),
                (self._left(number), self.rows[0] + HEAD - 8),
                0.42,
                GRAY,
            )
        if self.bar:
            left, top = self._left(1 + len(self.parts)), self.rows[0] + HEAD
            ramp = np.linspace(255, 0, PANEL).astype(np.uint8)[:, None].repeat(12, axis=1)
            still[top : top + PANEL, left : left + 12] = cv2.applyColorMap(
                ramp, cv2.COLORMAP_INFERNO
            )
            _text(still, f"{self.largest:.2g}", (left + 15, top + 9), 0.35)
            _text(still, "0", (left + 15, top + PANEL), 0.35)
        left, top, right, bottom = self.band
        track, scores = self.track, self.track.scores
        for first, count in spans(track.labels):
            cv2.rectangle(
                still,
                (self._across(first - 0.5), top),
                (self._across(first + count - 0.5), bottom),
                SHADE,
                -1,
            )
        known = np.flatnonzero(np.isfinite(scores))
        low, high = track.span or (
            (float(scores[known].min()), float(scores[known].max())) if len(known) else (0.0, 1.0)
        )

        def height(score: Any) -> Any:
            return bottom - 3 - (score - low) / ((high - low) or 1.0) * (bottom - top - 6)

        if track.threshold is not None:
            level = round(height(track.threshold))
            cv2.line(still, (left, level), (right, level), TRUTH, 1)
        heights = height(scores)
        for run in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1):
            points = np.array(
                [[self._across(frame), round(heights[frame])] for frame in run.tolist()], np.int32
            )
            if len(points):
                cv2.polylines(still, [points], False, LINE, 1, cv2.LINE_AA)
        cv2.rectangle(still, (left, top), (right, bottom), GRAY, 1)
        _text(still, f"{high:.3g}", (4, top + 10), 0.35)
        _text(still, f"{low:.3g}", (4, bottom), 0.35)
        shaded = "; shaded: anomalous" if len(track.labels) else "; no labels"
        if track.threshold is not None:
            shaded = f"; line: threshold {track.threshold:.3g}; shaded: above it"
        _text(still, f"score ({track.about}{shaded})", (left, bottom + 14), 0.38, GRAY)
        for number, note in enumerate(track.notes, start=1):
            _text(still, f"note: {note}", (GAP, bottom + 14 + number * HEAD), 0.4, TRUTH)
        return still

    def _across(self, frame: float) -> int:
        left, _, right, _ = self.band
        return round(
            left + min(1.0, max(0.0, frame / max(1, len(self.track.scores) - 1))) * (right - left)
        )

    def frame(self, index: int, shown: Shown, said: str = "") -> np.ndarray:
        """Return one frame of the video, (H, W, 3) uint8, blue first. `said` : the line below the
        image; else its number and score.
        """
        import cv2

        canvas = self.still.copy()
        top = self.rows[0] + HEAD
        images = {"": shown.image, "reconstruction": shown.reconstruction, "map": shown.error}
        for number, name in enumerate(["", *self.parts]):
            left = self._left(number)
            place = canvas[top : top + PANEL, left : left + self.panel[0]]
            image = images[name]
            if image is None:
                place[:] = 235
                _text(canvas, "none for this frame", (left + 8, top + PANEL // 2), 0.42, GRAY)
                continue
            if name == "map":
                scaled = np.clip(image / self.largest * 255, 0, 255).astype(np.uint8)
                image = cv2.applyColorMap(scaled, cv2.COLORMAP_INFERNO)
            else:
                image = cv2.cvtColor(
                    image, cv2.COLOR_GRAY2BGR if image.ndim == 2 else cv2.COLOR_RGB2BGR
                )
            way = cv2.INTER_AREA if image.shape[0] > PANEL else cv2.INTER_LINEAR
            place[:] = cv2.resize(image, self.panel, interpolation=way)
        score = self.track.scores[index]
        usual = (
            f"frame {index} of {len(self.track.scores)}   score {score:.3f}"
            if np.isfinite(score)
            else f"frame {index}   no score"
        )
        _text(canvas, said or usual, (GAP, top + PANEL + HEAD - 6), 0.5)
        if len(self.track.labels) and self.track.labels[index]:
            cv2.rectangle(
                canvas,
                (self._left(0), top),
                (self._left(0) + self.panel[0] - 1, top + PANEL - 1),
                TRUTH,
                3,
            )
            words = "labelled anomalous" if self.track.threshold is None else "above the threshold"
            _text(canvas, words, (GAP + 290, top + PANEL + HEAD - 6), 0.5, TRUTH)
        across = self._across(index)
        cv2.line(canvas, (across, self.band[1]), (across, self.band[3]), CURSOR, 1)
        return canvas


def _text(
    canvas: np.ndarray,
    text: str,
    place: tuple[int, int],
    size: float,
    colour: tuple[int, int, int] = INK,
) -> None:
    """Write one line; what reaches beyond the right edge is cut, and what OpenCV's font lacks
    becomes a question mark.
    """
    import cv2

    known = "".join(letter if " " <= letter <= "~" else "?" for letter in " ".join(text.split(" ")))
    cv2.putText(canvas, known, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
