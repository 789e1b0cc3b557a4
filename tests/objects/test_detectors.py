"""The detectors that come with bench."""

from bench.builtin import bench_detectors


def test_hook_bench_detectors_offers_the_three() -> None:
    assert [cls.name for cls in bench_detectors()] == ["fasterrcnn", "motion", "boxes"]
    assert [
        cls.name for cls in bench_detectors() if cls.needs_parameters or not cls.needs_frames
    ] == ["boxes"]
