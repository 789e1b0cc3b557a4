"""A plugin: a machine with SIMULATED_GPUS GPUs, and a method that computes on none of them."""

import os
import signal
import time
from pathlib import Path

import bench.hardware.gpus
from bench import FrameFormat, Method, hookimpl
from bench.hardware.gpus import Gpu

bench.hardware.gpus.gpus = lambda: [
    Gpu(f"cuda:{number}", f"GPU-{number}", "Simulated", 2**34)
    for number in range(int(os.environ["SIMULATED_GPUS"]))
]


class Together(Method):
    """Waits until as many cells as there are GPUs have begun; keeps which GPU it sees."""

    name = "together"
    frames = FrameFormat((16, 16), 1)

    def fit(self, clips, context):
        place = Path(os.environ["TOGETHER"])
        (place / str(context.seed)).touch()
        end = time.monotonic() + 60
        while len(list(place.iterdir())) < int(os.environ["SIMULATED_GPUS"]):
            assert time.monotonic() < end, "the others do not come"
            time.sleep(0.01)
        context.fact("sees", os.environ["CUDA_VISIBLE_DEVICES"])
        if context.seed == 5 and "KILLED" in os.environ:
            os.kill(os.getpid(), signal.SIGKILL)

    def score(self, clip, context):
        return [0.0] * (clip.length - 1) + [1.0]


@hookimpl
def bench_methods():
    return [Together]
