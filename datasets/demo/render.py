"""Renders short videos of a walkway: a textured ground in perspective, people on foot, and now and
then something else.

Everything is drawn at twice the size with OpenCV, made smaller, and given the noise of a sensor.
Each clip is determined by its plan.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np

from .figures import Colour, Look, Shape, bag, bicycle, cart, kiosk, post, runner, thrower, walker

Kind = Literal["bicycle", "cart", "runner", "throw"]
Paving = Literal["tiles", "asphalt", "bricks"]

RATE = 10
"""Frames per second."""
SMALLEST_MASK = 20
"""An anomaly of which fewer pixels are seen, at the edge of the frame or behind a post, is not
one yet."""
_SIZE = (160, 240)
_FINE = 2
_SHIFT = 4
_SHADOW = 0.45
_NOISE = 3.0
_SPEED = {"bicycle": 3.6, "cart": 2.9, "runner": 3.5}
_THROW_FRAMES = 18
_SHIRTS: tuple[Colour, ...] = (
    (38, 44, 70),
    (232, 228, 216),
    (150, 40, 44),
    (30, 92, 84),
    (222, 186, 70),
    (24, 24, 28),
    (70, 104, 168),
)
_TROUSERS: tuple[Colour, ...] = (
    (30, 34, 48),
    (44, 40, 38),
    (58, 66, 92),
    (24, 24, 26),
    (84, 70, 56),
)
_SKINS: tuple[Colour, ...] = ((224, 184, 156), (190, 142, 108), (120, 84, 62), (84, 58, 44))
_HAIRS: tuple[Colour, ...] = ((30, 24, 22), (66, 46, 32), (120, 92, 56), (16, 16, 18))


@dataclass(frozen=True)
class Scene:
    """One camera and what it always sees. Lengths in metres, `horizon` and `focal` in pixels of the
    drawing, 480 x 320.
    """

    paving: Paving
    seed: int
    height: float = 5.0
    focal: float = 528.0
    horizon: float = -30.0
    nearest: float = 8.8
    """Where people walk, as distance from the camera."""
    farthest: float = 17.0
    edge: float = 21.0
    """Where the paving ends, and grass begins."""
    shadow: tuple[float, float] = (0.55, 0.22)
    """Where the shadow of a point falls that is 1 m above the ground: to the right, and up in the
    frame."""
    posts: tuple[tuple[float, float], ...] = ((-2.2, 8.3),)
    kiosks: tuple[tuple[float, float], ...] = ()
    warmth: float = 1.0
    """Factor of red against blue in the ground."""

    def project(self, right: float, distance: float) -> tuple[float, float, float]:
        """Return the pixel of a point on the ground, and the pixels of a metre there."""
        scale = self.focal / distance
        return _SIZE[1] * _FINE / 2 + right * scale, self.horizon + self.height * scale, scale


@dataclass(frozen=True)
class Event:
    """An anomaly that is in the middle of the image at frame `middle`."""

    kind: Kind
    middle: float
    distance: float
    """Metres from the camera."""
    facing: int = 1
    right: float = 0.0
    """Where a thrower stands, in metres right of the middle."""


@dataclass(frozen=True)
class ClipPlan:
    """One clip: how long it is, how many walk in it, and what else happens."""

    scene: Scene
    frames: int
    seed: int
    walkers: int = 5
    events: tuple[Event, ...] = field(default=())


@dataclass(frozen=True)
class _Walk:
    """A person on foot, who is at `right`, `distance` in the middle of the clip."""

    look: Look
    right: float
    distance: float
    speed: float
    """Metres per second, to the right where positive."""
    drift: float
    """Metres per second away from the camera."""
    phase: float


@dataclass(frozen=True)
class _Figure:
    """What is drawn in one frame at one place."""

    right: float
    distance: float
    shapes: list[Shape]
    anomalous: bool = False


def render_clip(plan: ClipPlan) -> tuple[np.ndarray, np.ndarray]:
    """Draw a clip.

    Returns
    -------
    frames : (N, 160, 240, 3) RGB uint8
    masks : (N, 160, 240) bool, the visible pixels of anomalies
    """
    random = np.random.default_rng(plan.seed)
    ground = paint_ground(plan.scene)
    walks = _walks(plan, random)
    riders = [_look(random) for _ in plan.events]
    standing = [_Figure(right, distance, post()) for right, distance in plan.scene.posts]
    standing += [_Figure(right, distance, kiosk()) for right, distance in plan.scene.kiosks]
    # Each frame takes its noise from another place of one long row, which is quicker than drawing
    # it anew.
    noise = _NOISE * random.standard_normal(4 * ground.size // _FINE**2, dtype=np.float32)
    frames, masks = [], []
    for index in range(plan.frames):
        figures = [*standing, *(_walking(walk, (index - plan.frames / 2) / RATE) for walk in walks)]
        for event, look in zip(plan.events, riders, strict=True):
            figures += _happening(event, look, index)
        image, mask = _draw(plan.scene, ground, figures)
        frames.append(_sense(image, noise, random))
        masks.append(mask)
    return np.stack(frames), np.stack(masks)


@functools.cache
def paint_ground(scene: Scene) -> np.ndarray:
    """Return the empty scene, (320, 480, 3) RGB uint8, read-only: paving, grass beyond its edge,
    and a wall at the back.
    """
    random = np.random.default_rng(scene.seed)
    height, width = _SIZE[0] * _FINE, _SIZE[1] * _FINE
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    distance = np.maximum(
        scene.height * scene.focal / np.maximum(rows - scene.horizon, 1), 1
    ).astype(np.float32)
    right = ((columns - width / 2) * distance / scene.focal).astype(np.float32)
    coarse, fine = _texture(random, 9), _texture(random, 1.2)
    grain = 9 * _sample(coarse, right * 40, distance * 40) + 7 * _sample(
        fine, right * 24, distance * 24
    )
    paving = _paving(scene, right, distance, random) + grain
    image = np.stack([paving * scene.warmth, paving, paving / scene.warmth], axis=2)
    grass = np.stack([tone + 2.2 * grain for tone in (82.0, 112.0, 62.0)], axis=2)
    image = np.where((distance > scene.edge)[..., None], grass, image)
    curb = (distance > scene.edge - 0.5) & (distance <= scene.edge)
    image[curb] = 176
    wall_foot = scene.project(0, scene.edge + 6)[1]
    wall = (
        96
        + 14 * ((columns // 34 % 2 == 0) & (rows % 26 < 16))
        - 34 * ((columns % 68 > 12) & (columns % 68 < 30) & (rows % 44 < 22))
    )
    image = np.where(
        (rows < wall_foot)[..., None], np.stack([wall * 1.12, wall, wall * 0.9], axis=2), image
    )
    ground = np.clip(image, 0, 255).astype(np.uint8)
    ground.setflags(write=False)
    return ground


def _paving(
    scene: Scene, right: np.ndarray, distance: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Return the grey of the paving at each pixel."""
    tones = random.normal(0, 1, (64, 64)).astype(np.float32)
    fade = np.clip(1.6 - distance / 18, 0.1, 1)  # joints are thinner than a pixel far away
    if scene.paving == "asphalt":
        stripe = (np.abs(distance - 13.2) < 0.12) & (right % 2.4 < 1.4)
        return 104 + 10 * np.sin(right * 0.35) + 84 * stripe
    long, deep = (1.5, 1.5) if scene.paving == "tiles" else (0.9, 0.45)
    row = np.floor(distance / deep)
    along = right / long + (0.5 * (row % 2) if scene.paving == "bricks" else 0)
    joint = ((along % 1) * long < 0.07) | ((distance / deep % 1) * deep < 0.07)
    tone = tones[row.astype(int) % 64, np.floor(along).astype(int) % 64]
    base, spread = (142, 5) if scene.paving == "tiles" else (122, 8)
    return base + fade * (spread * tone - 26 * joint)


def _texture(random: np.random.Generator, sigma: float) -> np.ndarray:
    """Return smooth noise, (512, 512) float32 with deviation 1, that continues at the opposite
    edge.
    """
    noise = np.pad(random.standard_normal((512, 512), dtype=np.float32), 32, mode="wrap")
    smooth = cv2.GaussianBlur(noise, (0, 0), sigma)[32:-32, 32:-32]
    return np.asarray(smooth / smooth.std())


def _sample(texture: np.ndarray, right: np.ndarray, distance: np.ndarray) -> np.ndarray:
    return cv2.remap(
        texture, right % 512, distance % 512, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
    )


def _look(random: np.random.Generator) -> Look:
    def pick(colours: tuple[Colour, ...]) -> Colour:
        return colours[int(random.integers(len(colours)))]

    return Look(
        pick(_SHIRTS), pick(_TROUSERS), pick(_SKINS), pick(_HAIRS), float(random.uniform(1.6, 1.9))
    )


def _walks(plan: ClipPlan, random: np.random.Generator) -> list[_Walk]:
    """Return people spread over the width and the depth of the walkway, about half of them in each
    direction.
    """
    lanes = np.linspace(plan.scene.nearest, plan.scene.farthest, plan.walkers)
    places = np.linspace(-4.5, 4.5, plan.walkers)
    random.shuffle(places)
    return [
        _Walk(
            look=_look(random),
            right=float(place + random.uniform(-0.8, 0.8)),
            distance=float(lane + random.uniform(-0.5, 0.5)),
            speed=float(random.uniform(1.0, 1.4) * random.choice((-1, 1))),
            drift=float(random.uniform(-0.12, 0.12)),
            phase=float(random.uniform(0, 2 * math.pi)),
        )
        for lane, place in zip(lanes, places, strict=True)
    ]


def _walking(walk: _Walk, seconds: float) -> _Figure:
    moved = walk.speed * seconds
    facing = 1 if walk.speed > 0 else -1
    # Two steps take 1.5 m, so that feet do not slide.
    shapes = walker(
        walk.look, walk.phase + 2 * math.pi * abs(moved) / 1.5 * math.copysign(1, seconds), facing
    )
    return _Figure(walk.right + moved, walk.distance + walk.drift * seconds, shapes)


def _happening(event: Event, look: Look, index: int) -> list[_Figure]:
    """Return what an event shows in one frame; a thrower stands there in all frames, and is
    anomalous while the bag flies.
    """
    if event.kind == "throw":
        progress = (index - event.middle) / _THROW_FRAMES + 0.5
        flies = 0 <= progress <= 1
        figures = [
            _Figure(
                event.right, event.distance, thrower(look, max(progress, 0.0), event.facing), flies
            )
        ]
        return (
            [
                *figures,
                _Figure(event.right, event.distance - 0.05, bag(progress, event.facing), True),
            ]
            if flies
            else figures
        )
    moved = _SPEED[event.kind] * (index - event.middle) / RATE
    if event.kind == "bicycle":
        shapes = bicycle(look, -moved * 1.7, event.facing)
    elif event.kind == "cart":
        shapes = cart(look, moved / 0.3, event.facing)
    else:
        shapes = runner(look, 2 * math.pi * moved / 2.6, event.facing)
    return [_Figure(event.facing * moved, event.distance, shapes, True)]


def _draw(
    scene: Scene, ground: np.ndarray, figures: list[_Figure]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the image, (160, 240, 3) float32, and the mask of what is anomalous in it, (160,
    240) bool.
    """
    shade = np.zeros(ground.shape[:2], np.uint8)
    lying = np.array([[1.0, 0.0], scene.shadow])
    for figure in figures:
        right, down, scale = scene.project(figure.right, figure.distance)
        for shape in figure.shapes:
            points = shape.points @ lying
            _paint(shade, shape, points * (scale, -scale) + (right, down), scale, 255)
    shade = cv2.GaussianBlur(shade, (5, 5), 0)
    light = cv2.convertScaleAbs(shade, alpha=-_SHADOW, beta=255)
    image = cv2.multiply(ground, cv2.merge([light, light, light]), scale=1 / 255)
    mask = np.zeros_like(shade)
    begun = False  # before the first anomaly there is nothing that figures could hide
    for figure in sorted(figures, key=lambda figure: -figure.distance):
        begun = begun or figure.anomalous
        right, down, scale = scene.project(figure.right, figure.distance)
        for shape in figure.shapes:
            points = shape.points * (scale, -scale) + (right, down)
            _paint(image, shape, points, scale, shape.colour)
            if begun:
                _paint(mask, shape, points, scale, 255 if figure.anomalous else 0)
    size = _SIZE[::-1]
    seen = cv2.resize(mask, size, interpolation=cv2.INTER_AREA) > 127
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32), seen & (
        seen.sum() >= SMALLEST_MASK
    )


def _paint(
    image: np.ndarray, shape: Shape, pixels: np.ndarray, scale: float, colour: Colour | int
) -> None:
    points = np.rint(pixels * (1 << _SHIFT)).astype(np.int32)[None]
    if shape.width:
        cv2.polylines(
            image, points, False, colour, max(1, round(shape.width * scale)), cv2.LINE_AA, _SHIFT
        )
    else:
        cv2.fillPoly(image, points, colour, cv2.LINE_AA, _SHIFT)


def _sense(image: np.ndarray, noise: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return the image as a sensor gives it: brightness that flickers a little, and noise in each
    pixel.
    """
    start = int(random.integers(noise.size - image.size))
    brightness = 1 + 0.004 * random.standard_normal()
    return np.clip(
        image * brightness + noise[start : start + image.size].reshape(image.shape) + 0.5,
        0,
        255,
    ).astype(np.uint8)
