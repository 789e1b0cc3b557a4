"""The detectors that come with `bench`, registered like anyone's."""

from __future__ import annotations

from ..plugins.hookspecs import hookimpl
from .boxes import BoxesDetector
from .detector import Detector
from .fasterrcnn import FasterRCNNDetector
from .motion import MotionDetector


@hookimpl
def bench_detectors() -> list[type[Detector]]:
    """Offer `fasterrcnn`, `motion` and `boxes`."""
    return [FasterRCNNDetector, MotionDetector, BoxesDetector]
