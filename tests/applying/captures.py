"""Live sources made up in tests: what stands in for `cv2.VideoCapture`."""

import threading

import cv2
import numpy as np


class Capture:
    """Gives the frames of a list, each (H, W, 3) BGR; then, `lasting`, waits to be released, else
    fails as a lost connection does."""

    def __init__(self, frames, opens=True, count=-1.0, lasting=False, rate=25.0):
        self.frames, self.opens, self.count, self.lasting, self.rate = (
            iter(frames),
            opens,
            count,
            lasting,
            rate,
        )
        self.released = threading.Event()

    def isOpened(self):  # OpenCV's name
        return self.opens

    def get(self, what):
        return {cv2.CAP_PROP_FRAME_COUNT: self.count, cv2.CAP_PROP_FPS: self.rate}[what]

    def read(self):
        frame = next(self.frames, None)
        if frame is None and self.lasting:
            self.released.wait(20)
        return frame is not None, frame

    def release(self):
        self.released.set()


def of_gray(values):
    """Frames of 4 x 6 pixels, each of one gray value."""
    return [np.full((4, 6, 3), value, np.uint8) for value in values]


def opener(captures):
    """Returns what stands in for `open_capture`: one capture after the other, then ones that do not
    open."""
    rest = iter(captures)
    return lambda address: next(rest, None) or Capture([], opens=False)
