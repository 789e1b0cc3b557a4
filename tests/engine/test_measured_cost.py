"""What a cell costs: operations, frames a second, seconds a step."""

import numpy as np
import pytest
from bench.methods.ae_3d import AE3D
from bench.methods.c3dsu import C3DSUParameters, PlainC3DSU

from bench.engine.measured_cost import Stopwatch, gflops_a_frame, seconds_a_step


@pytest.mark.parametrize(
    ("latent", "channels", "expected"),
    [(512, 3, 2 * (37.7 + 7.2 + 58.4)), (64, 1, 2 * (0.62 + 0.11 + 0.97))],
)
@pytest.mark.parametrize("batch", [1, 8])
def test_operations_of_c3dsu_are_those_of_the_layer_table(latent, channels, expected, batch):
    """Encoder, skips and decoder once a frame: GMAC at 256x256 worked out from the table of layers,
    twice."""
    found = gflops_a_frame(PlainC3DSU(C3DSUParameters(latent=latent, channels=channels)), batch)
    assert found == pytest.approx(expected, rel=0.01)


def test_operations_of_windows_count_for_each_scored_frame():
    """ae-3d takes a whole window for one frame, whatever the batch."""
    method = AE3D()
    one, two = gflops_a_frame(method, 1), gflops_a_frame(method, 2)
    assert one == two > 0


def test_frames_a_second_leave_warm_up_and_the_last_batch_out(monkeypatch):
    """Of batches of 4 that took 9, 1, 2 and 1 seconds, and one of 3, the median is 4 frames a
    second."""
    moments = iter(np.cumsum([0, 9, 0, 1, 0, 2, 0, 1, 0, 5, 0, 0]))
    monkeypatch.setattr(
        "bench.engine.measured_cost.time.perf_counter", lambda: float(next(moments))
    )
    chunks = [(np.arange(size), None) for size in (4, 4, 4, 4, 3)]
    watch = Stopwatch()
    assert [len(frames) for frames, _ in watch.each(iter(chunks), "cpu")] == [4, 4, 4, 4, 3]
    assert watch.frames_a_second == 4.0


def test_nothing_timed_is_no_number():
    """A clip of one batch is all warm-up."""
    watch = Stopwatch()
    list(watch.each(iter([(np.arange(4), None)]), "cpu"))
    assert watch.frames_a_second is None


def test_seconds_a_step_are_those_of_the_last_epoch(tmp_path):
    """Refused steps count: their samples were drawn too. Without a history there is no number."""
    (tmp_path / "training.csv").write_text(
        "epoch,steps,steps_refused,seconds\n1,10,0,90\n2,8,2,5\n"
    )
    assert seconds_a_step(tmp_path / "training.csv") == 0.5
    assert seconds_a_step(tmp_path / "none.csv") is None
