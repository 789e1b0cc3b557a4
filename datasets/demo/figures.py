"""What moves and stands in the demo scenes: figures as flat shapes in metres, seen from the side.

Coordinates are (right, up) from the point on the ground below the figure; a figure that looks right
has `facing` 1, left -1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

Colour = tuple[int, int, int]
Point = tuple[float, float]

_THIGH, _SHIN, _BACK = 0.46, 0.46, 0.56
_DARK: Colour = (28, 28, 32)
_SILVER: Colour = (170, 172, 176)


class Shape(NamedTuple):
    """A filled polygon, or a line where `width` is not 0."""

    points: np.ndarray
    """(n, 2) metres."""
    width: float
    """Metres; 0: filled."""
    colour: Colour
    """RGB."""


@dataclass(frozen=True)
class Look:
    """Colours and height of one person."""

    shirt: Colour
    trousers: Colour
    skin: Colour
    hair: Colour
    height: float = 1.75
    """Metres."""


def walker(look: Look, phase: float, facing: int) -> list[Shape]:
    """Return a person who walks; `phase` in radians, 2 pi is two steps."""
    return _person(look, phase, facing, swing=0.42, flex=0.55, lean=0.03, elbow=0.25)


def runner(look: Look, phase: float, facing: int) -> list[Shape]:
    """Return a person who runs: long steps, bent knees and elbows, leaning forward."""
    return _person(look, phase, facing, swing=0.85, flex=1.5, lean=0.25, elbow=1.5)


def thrower(look: Look, progress: float, facing: int) -> list[Shape]:
    """Return a person who stands, and whose arm goes from behind the head to the front as
    `progress` goes from 0 to 1.
    """
    angle = math.pi * (1.15 - 0.55 * min(1.0, progress * 2.5))
    return _person(look, 0.0, facing, swing=0.2, flex=0.1, lean=-0.05, elbow=0.1, arm=angle)


def bag(progress: float, facing: int) -> list[Shape]:
    """Return a bag that flies 4 m far and up to 3.1 m high, turning as it goes, by the place of the
    thrower.
    """
    centre = np.array(
        [0.4 + 4.0 * progress, 1.9 + 4.8 * progress * (1 - progress) - 1.6 * progress**2]
    )
    turn = 5 * progress
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    body = np.array([(-0.3, -0.2), (0.3, -0.2), (0.24, 0.2), (-0.24, 0.2)]) @ rotation.T + centre
    handle = (
        np.array([(-0.12, 0.2), (-0.08, 0.36), (0.08, 0.36), (0.12, 0.2)]) @ rotation.T + centre
    )
    return _face([Shape(handle, 0.05, _DARK), Shape(body, 0.0, (214, 52, 44))], facing)


def bicycle(look: Look, phase: float, facing: int) -> list[Shape]:
    """Return a bicycle with its rider; `phase` is the angle of the pedals in radians."""
    rear, front, bottom, seat, head, bar = (
        (-0.53, 0.35),
        (0.55, 0.35),
        (-0.06, 0.32),
        (-0.22, 0.92),
        (0.38, 0.88),
        (0.46, 1.05),
    )
    hip, shoulder = (-0.22, 1.0), (0.14, 1.5)
    paint: Colour = (190, 40, 40)
    shapes = []
    for side, shade in ((math.pi, 0.7), (0.0, 1.0)):
        pedal = (
            bottom[0] + 0.17 * math.cos(phase + side),
            bottom[1] + 0.17 * math.sin(phase + side),
        )
        knee = _joint(hip, pedal, 0.44, 0.44)
        leg = [
            _line([hip, knee], 0.16, _shaded(look.trousers, shade)),
            _line([knee, pedal], 0.12, _shaded(look.trousers, shade)),
        ]
        leg.append(_line([pedal, (pedal[0] + 0.16, pedal[1])], 0.08, _DARK))
        if side:
            shapes += leg
            for wheel in (rear, front):
                shapes.append(_line(_circle(wheel, 0.34), 0.06, _DARK))
                spoke = phase * 0.7
                for angle in (spoke, spoke + math.pi / 2):
                    across = (0.3 * math.cos(angle), 0.3 * math.sin(angle))
                    ends = [
                        (wheel[0] - across[0], wheel[1] - across[1]),
                        (wheel[0] + across[0], wheel[1] + across[1]),
                    ]
                    shapes.append(_line(ends, 0.015, _SILVER))
            shapes.append(_line([rear, bottom, head, seat, bottom], 0.06, paint))
            shapes.append(_line([rear, seat], 0.05, paint))
            shapes.append(_line([front, head, bar], 0.06, paint))
        else:
            shapes += leg
    shapes += _trunk(look, hip, shoulder)
    elbow = _joint(shoulder, bar, 0.3, 0.3, bend=-1)
    shapes.append(_line([shoulder, elbow, bar], 0.1, _shaded(look.shirt, 0.85)))
    shapes += _head(look, (0.26, 1.73))
    return _face(shapes, facing)


def cart(look: Look, phase: float, facing: int) -> list[Shape]:
    """Return a small open cart with a roof and its driver; `phase` is the angle of the wheels in
    radians.
    """
    white: Colour = (236, 236, 226)
    shapes = [
        _line([(-0.55, 0.8), (-0.55, 1.95)], 0.07, _DARK),
        _line([(0.75, 0.85), (0.45, 1.95)], 0.07, _DARK),
        *_trunk(look, (-0.15, 0.85), (-0.12, 1.4)),
        *_head(look, (-0.08, 1.63)),
        _line([(-0.1, 1.32), (0.15, 1.1), (0.38, 1.15)], 0.1, _shaded(look.shirt, 0.85)),
        _line([(0.3, 1.2), (0.5, 0.85)], 0.06, _DARK),
        _filled(
            [
                (-1.45, 0.4),
                (1.3, 0.4),
                (1.3, 0.75),
                (0.85, 1.0),
                (0.55, 1.0),
                (0.5, 0.62),
                (-0.4, 0.62),
                (-0.5, 1.0),
                (-1.45, 1.0),
            ],
            white,
        ),
        _filled([(-1.45, 0.4), (1.3, 0.4), (1.3, 0.52), (-1.45, 0.52)], (60, 110, 70)),
        _filled([(-0.75, 1.92), (0.75, 1.92), (0.65, 2.05), (-0.7, 2.05)], white),
    ]
    for centre in (-0.95, 0.85):
        shapes.append(_filled(_circle((centre, 0.3), 0.3), _DARK))
        shapes.append(_filled(_circle((centre, 0.3), 0.14), _SILVER))
        shapes.append(
            _line(
                [(centre, 0.3), (centre + 0.25 * math.cos(phase), 0.3 - 0.25 * math.sin(phase))],
                0.05,
                _SILVER,
            )
        )
    return _face(shapes, facing)


def post() -> list[Shape]:
    """Return a lamp post, 4 m high."""
    return [
        _filled([(-0.22, 0), (0.22, 0), (0.16, 0.5), (-0.16, 0.5)], (70, 74, 78)),
        _line([(0, 0.4), (0, 4.0)], 0.17, (84, 88, 92)),
        _filled([(-0.4, 4.0), (0.4, 4.0), (0.25, 4.3), (-0.25, 4.3)], (220, 216, 190)),
    ]


def kiosk() -> list[Shape]:
    """Return a kiosk, 1.5 m wide and 2.3 m high."""
    return [
        _filled([(-0.75, 0), (0.75, 0), (0.75, 2.0), (-0.75, 2.0)], (126, 84, 62)),
        _filled([(-0.55, 0.95), (0.55, 0.95), (0.55, 1.7), (-0.55, 1.7)], (52, 58, 66)),
        _filled([(-0.62, 0.85), (0.62, 0.85), (0.62, 0.97), (-0.62, 0.97)], (186, 164, 130)),
        _filled([(-0.95, 2.0), (0.95, 2.0), (0.7, 2.35), (-0.7, 2.35)], (58, 84, 104)),
    ]


def _person(
    look: Look,
    phase: float,
    facing: int,
    *,
    swing: float,
    flex: float,
    lean: float,
    elbow: float,
    arm: float | None = None,
) -> list[Shape]:
    """Return a person; angles in radians: swing of thighs, flexion of knees, lean of the back,
    flexion of elbows.

    Parameters
    ----------
    arm : angle of the near arm, 0 down and pi up; None: it swings against the legs.
    """
    hip = (0.0, 0.92)
    shoulder = (hip[0] + _BACK * math.sin(lean), hip[1] + _BACK * math.cos(lean))
    legs, arms, feet = [], [], []
    for side, shade in ((math.pi, 0.72), (0.0, 1.0)):
        thigh = swing * math.sin(phase + side) + 0.3 * lean
        # The knee bends while the leg comes forward, and is nearly straight while it carries.
        shin = thigh - flex * max(0.08, math.cos(phase + side))
        knee = _below(hip, thigh, _THIGH)
        foot = _below(knee, shin, _SHIN)
        toe = (foot[0] + 0.2 * math.cos(shin * 0.6), foot[1] - 0.02 + 0.2 * math.sin(shin * 0.6))
        feet += [foot[1], toe[1]]
        trousers = _shaded(look.trousers, shade)
        legs.append(
            [
                _line([hip, knee], 0.19, trousers),
                _line([knee, foot], 0.14, trousers),
                _line([foot, toe], 0.09, _DARK),
            ]
        )
        upper = -swing * 0.9 * math.sin(phase + side) + lean if arm is None or side else arm
        bend = elbow if arm is None or side else 0.15
        elbow_at = _below(shoulder, upper, 0.29)
        hand = _below(elbow_at, upper + bend, 0.27)
        sleeve = _shaded(look.shirt, 0.85 * shade)
        arms.append(
            [
                _line([shoulder, elbow_at], 0.12, sleeve),
                _line([elbow_at, hand], 0.09, _shaded(look.skin, shade)),
            ]
        )
    head = (shoulder[0] + 0.24 * math.sin(lean) + 0.02, shoulder[1] + 0.2)
    shapes = [
        *arms[0],
        *legs[0],
        *legs[1],
        *_trunk(look, hip, shoulder),
        *_head(look, head),
        *arms[1],
    ]
    ground, scale = min(feet) - 0.04, look.height / 1.8
    return _face(
        [
            shape._replace(points=(shape.points - (0, ground)) * scale, width=shape.width * scale)
            for shape in shapes
        ],
        facing,
    )


def _trunk(look: Look, hip: Point, shoulder: Point) -> list[Shape]:
    along = np.subtract(shoulder, hip)
    across = np.array([along[1], -along[0]]) / math.hypot(*along)
    corners = [
        hip - 0.15 * across,
        hip + 0.15 * across,
        shoulder + 0.19 * across,
        shoulder + 0.1 * across + 0.1 * along,
    ]
    corners += [shoulder - 0.1 * across + 0.1 * along, shoulder - 0.19 * across]
    return [Shape(np.array(corners), 0.0, look.shirt)]


def _head(look: Look, centre: Point) -> list[Shape]:
    hair = [
        (centre[0] + 0.13 * math.cos(angle), centre[1] + 0.02 + 0.13 * math.sin(angle))
        for angle in np.linspace(0.5, 4.0, 8)
    ]
    return [
        _line([centre, (centre[0] - 0.02, centre[1] - 0.17)], 0.1, look.skin),
        _filled(_circle(centre, 0.125), look.skin),
        _filled(hair, look.hair),
    ]


def _joint(start: Point, end: Point, first: float, second: float, bend: int = 1) -> Point:
    """Return the knee or elbow between two ends of two bones, in front of them (`bend` 1) or
    behind.
    """
    right, up = end[0] - start[0], end[1] - start[1]
    distance = min(math.hypot(right, up), (first + second) * 0.999)
    angle = math.acos(
        min(1.0, max(-1.0, (first**2 + distance**2 - second**2) / (2 * first * distance)))
    )
    towards = math.atan2(up, right) + bend * angle
    return start[0] + first * math.cos(towards), start[1] + first * math.sin(towards)


def _below(start: Point, angle: float, length: float) -> Point:
    """Return the end of a bone that hangs from `start`; a positive angle swings it forward."""
    return start[0] + length * math.sin(angle), start[1] - length * math.cos(angle)


def _circle(centre: Point, radius: float) -> list[Point]:
    return [
        (centre[0] + radius * math.cos(angle), centre[1] + radius * math.sin(angle))
        for angle in np.linspace(0, 2 * math.pi, 17)
    ]


def _filled(points: list[Point], colour: Colour) -> Shape:
    return Shape(np.array(points, dtype=np.float64), 0.0, colour)


def _line(points: list[Point], width: float, colour: Colour) -> Shape:
    return Shape(np.array(points, dtype=np.float64), width, colour)


def _shaded(colour: Colour, factor: float) -> Colour:
    return int(colour[0] * factor), int(colour[1] * factor), int(colour[2] * factor)


def _face(shapes: list[Shape], facing: int) -> list[Shape]:
    return [shape._replace(points=shape.points * (facing, 1)) for shape in shapes]
