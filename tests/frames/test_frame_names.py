"""The order of images by their names: numbers and times are read right, and what can be read in
two ways is refused."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import DataError
from bench.frames.frame_names import NoOrder, natural_order, order_of
from bench.frames.image_files import numbered_images


def in_order(*stems: str) -> tuple[list[str], tuple[int, ...] | None]:
    order = order_of([f"{stem}.png" for stem in stems])
    return [stems[place] for place in order.places], order.numbers


@pytest.mark.parametrize(
    "stems",
    [
        ("2024-01-01_12-00-59", "2024-01-01_12-01-00", "2024-01-01_12-01-01"),
        (
            "cam_2024-05-01_10-59-59.900",
            "cam_2024-05-01_11-00-00.000",
            "cam_2024-05-01_11-00-00.100",
        ),
        ("2024-05-01_10-59-59.9", "2024-05-01_11-00-00.1"),
        ("20240501105959900", "20240501110000100"),
        ("20240501_105959", "20240501_110000", "20240501_110005"),
        ("2024-05-01T10:59:59.900Z", "2024-05-01T11:00:00.100Z"),
        ("2024-12-31_23-59-59", "2025-01-01_00-00-00"),
        ("2024-5-1_9-5-3", "2024-5-1_10-5-3"),
        ("01-20240501105958-00", "01-20240501105958-01", "01-20240501105959-00"),
        ("Screen Shot 2024-05-31 at 10.59.59 AM", "Screen Shot 2024-05-31 at 11.00.00 AM"),
        ("1714557599900", "1714557600100"),
        ("1714557599.9", "1714557600.1", "1714557600.2"),
        ("1714557599.21", "1714557599.37", "1714557599.99"),
        ("1305031102.175304", "1305031102.275304", "1305031103.075304"),
        ("10-59-59", "11-00-00"),
        ("12h00m59s", "12h01m00s"),
        ("30-05-2024_10-00-00", "30-05-2024_11-00-00"),
        ("2024-05-01_10-59-59_900", "2024-05-01_11-00-00_100", "2024-05-01_11-00-01_100"),
    ],
)
def test_images_named_by_time_are_in_the_order_of_their_times(stems: tuple[str, ...]) -> None:
    """Whichever order they lie in; they have no frame numbers, so that nothing is called a gap."""
    assert in_order(*reversed(stems)) == (list(stems), None)


@given(
    start=st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)),
    steps=st.lists(st.integers(1, 200_000), min_size=2, max_size=30),
    form=st.sampled_from(
        ["%Y-%m-%d_%H-%M-%S.%f", "%Y%m%d%H%M%S.%f", "%Y.%m.%d %H.%M.%S,%f", "cam3_%Y%m%d_%H%M%S.%f"]
    ),
)
def test_any_time_of_any_form(start: datetime, steps: list[int], form: str) -> None:
    """Compared with the times that the names were made of; one second at least lies between first
    and last."""
    times = [start]
    for step in [*steps, 1_000_000]:
        times.append(times[-1] + timedelta(milliseconds=step))
    stems = [time.strftime(form) for time in times]
    assert in_order(*sorted(stems, key=hash))[0] == stems


@pytest.mark.parametrize(
    ("stems", "numbers"),
    [
        (("frame8", "frame9", "frame10"), (8, 9, 10)),
        (("clip01_0001", "clip01_0002"), (1, 2)),
        (("0001_cam2", "0002_cam2"), (1, 2)),
        (("1_0001", "1_0002", "2_0003"), (1, 2, 3)),
        (("frame8", "other9"), (8, 9)),
        (("7",), (7,)),
        (
            ("2024-05-01_10-59-58_0001", "2024-05-01_10-59-58_0002", "2024-05-01_10-59-59_0003"),
            (1, 2, 3),
        ),
        (("2024-05-01_10-59-59.0001", "2024-05-01_10-59-59.0002"), (1, 2)),
        (("01_02_03", "01_02_04"), (3, 4)),
        (("12-00-30", "12-00-31"), (30, 31)),
        (("1714557599", "1714557600"), (1714557599, 1714557600)),
    ],
)
def test_frame_numbers(stems: tuple[str, ...], numbers: tuple[int, ...]) -> None:
    """The number that differs from name to name, wherever it stands, beside the start of a
    recording or a time as well."""
    assert in_order(*reversed(stems)) == (list(stems), numbers)


@pytest.mark.parametrize(
    ("stems", "text"),
    [
        (
            ("3_0001", "1_0002", "3_0003"),
            "by all numbers 1_0002.png comes before 3_0001.png, by their frame numbers after it",
        ),
        (("0001_2024-05-01_10-59-58", "0002_2024-05-01_10-59-57"), "by the time in them after it"),
        (
            ("2024-05-01_10-59-59_0001", "2024-05-01_10-59-58_0002"),
            "by their frame numbers after it",
        ),
        (("cam1_2024-05-01_10-59-59", "cam2_2024-05-01_10-59-58"), "by the time in them after it"),
        (
            ("2024-05-01_10-59-59.9", "2024-05-01_10-59-59.10", "2024-05-01_11-00-00.1"),
            "by the time in them after it",
        ),
        (("31-05-2024_23-59-59", "01-06-2024_00-00-00"), "by the time in them after it"),
        (("2024-05-31 at 12.59.59 PM", "2024-05-31 at 1.00.00 PM"), "by the time in them after it"),
        *(
            ((f"cam_2024-05-01_12-59-59{half}", f"cam_2024-05-01_01-00-00{half}"), "by the time in")
            for half in ("_PM", "-PM", ".PM", "\u202fPM", "PM_cam1", " pm_gate", " - p.m.")
        ),
        (("2024-05-01_PM_12-59-59", "2024-05-01_PM_01-00-00"), "by the time in"),
        (("2024-05-01_AM_11-59-59", "2024-05-01_PM_01-00-00"), "by the time in"),
        *(
            (names, "AM or PM stands apart from them: ")
            for names in (
                ("PM-2024-05-01_12-59-59", "PM-2024-05-01_01-00-00"),
                ("2024-05-01_12-59-59-000_PM", "2024-05-01_01-00-00-000_PM"),
                ("2024-05-01_12-59-59 cam1 PM", "2024-05-01_01-00-00 cam1 PM"),
            )
        ),
        (("1714557599.5", "1714557599.15"), "by the time in"),
        (("10-59", "11-00"), "by their frame numbers after it"),
        (("23-59-59", "00-00-00"), "tell times without a date"),
        (
            ("2024-May-31_10-00-00", "2024-Jun-01_09-00-00"),
            "differ in letters and in more than one number",
        ),
        (("2024-05-01_10-00-00", "2024-05-01_10-0-0", "2024-05-01_10-00-01"), "have the same time"),
        (
            ("part1_001", "part2_001", "part1_002"),
            "part1_001.png and part2_001.png have the same frame number, 1",
        ),
        (("frame1", "frame1 (2)"), "has 1 numbers in its name and frame1 .2..png has 2"),
        (("a1_01", "b2_02"), "differ in letters and in more than one number"),
        (
            ("31-05-24_10-00-00", "31-05-24_11-00-00", "01-06-24_12-00-00"),
            "two ways|differ before them",
        ),
    ],
)
def test_names_without_one_order_are_refused(stems: tuple[str, ...], text: str) -> None:
    with pytest.raises(NoOrder, match=text):
        in_order(*stems)


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (("frame_0001", "frame_0003"), "2"),
        (("clip01_0001", "clip01_0003"), "2"),
        (("0001_cam2", "0004_cam2"), "2, 3"),
        (("2024-05-01_10-59-58_0001", "2024-05-01_10-59-58_0002", "2024-05-01_10-59-59_0004"), "3"),
        (("2024-05-01_10-59-59.0001", "2024-05-01_10-59-59.0003"), "2"),
        (("1_0001", "1_0002", "2_0004"), "3"),
    ],
)
def test_a_lost_frame_is_still_seen(names: tuple[str, ...], missing: str) -> None:
    with pytest.raises(DataError, match=f"with number {missing} (is|are) missing"):
        numbered_images(Path("clip"), [Path("clip", f"{name}.jpg") for name in names])


def test_images_by_time_are_numbered_from_0() -> None:
    """So that a dataset whose clips begin with 0 or 1 takes them."""
    names = [
        "2024-01-01_12-01-00.png",
        "2024-01-01_12-00-59.png",
        "._2024-01-01_12-00-58.png",
        "notes.txt",
    ]
    found = numbered_images(Path("clip"), [Path("clip", name) for name in names], starts=(0, 1))
    assert {number: path.name for number, path in found.items()} == {0: names[1], 1: names[0]}


def test_natural_order() -> None:
    assert natural_order(["clip 10", "clip 2", "clip", "²", "2b", "10a"]) == [
        "2b",
        "10a",
        "clip",
        "clip 2",
        "clip 10",
        "²",
    ]
