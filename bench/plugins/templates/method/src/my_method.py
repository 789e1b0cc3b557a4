"""my-method: how far each frame is from the median training frame. Put your own idea into `fit` and
`score`.
"""

from dataclasses import dataclass

import numpy as np

from bench import FrameFormat, Method, MethodInfo, hookimpl, parameter


@dataclass(frozen=True)
class MyMethodParameters:
    """Parameters of my-method: set with 'my-method[every=5]'."""

    every: int = parameter(
        10,
        unit="frames",
        minimum=1,
        source="no source: chosen for this example",
        doc="one training frame in so many is used",
    )


class MyMethod(Method):
    """Mean absolute distance to the median training frame."""

    name = "my-method"
    version = 1  # raise it whenever the scores change: finished cells are then run again
    info = MethodInfo(title="my-method", family="own")
    Parameters = MyMethodParameters
    frames = FrameFormat((128, 128), channels=1)  # what clip.frames is: height and width, gray
    needs = frozenset({"frames", "train"})

    def fit(self, clips, context):
        """Learn from the train split, in which all frames are normal: each clip.frames is (N, 128,
        128) uint8, memory-mapped.
        """
        self.median = np.median(
            np.concatenate([clip.frames[:: self.parameters.every] for clip in clips]), axis=0
        )

    def score(self, clip, context):
        """Return one number a frame of a test clip, higher for more anomalous; or Scores(values,
        frames) for some of the frames.
        """
        return [float(np.abs(frame - self.median).mean()) for frame in clip.frames]


@hookimpl
def bench_methods():
    """Offer the method to bench."""
    return [MyMethod]
