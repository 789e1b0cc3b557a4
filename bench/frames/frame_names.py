"""The order of images by what their names say: a frame number, or the time at which each was
taken.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import PurePath

Row = tuple[int, ...]
Time = tuple[datetime, Fraction]
"""A second, and the part of a second behind it."""

_NUMBER = re.compile(r"[0-9]+")
_CLOCK = r"""
    (?P<hour>[0-9]{1,2})(?P<colon>[-_.:h\ ]?)(?P<minute>[0-9]{1,2})(?:(?P=colon)|m)(?P<second>[0-9]{2}|[0-9])
    (?:s?[.,](?P<fraction>[0-9]{1,9})|(?P<milli>[0-9]{3}))?(?![0-9])
    (?:[^0-9A-Za-z]{0,3}(?P<half>[AaPp])\.?[Mm](?![A-Za-z]))?
"""
_EARLY = r"[^0-9A-Za-z]{0,2}(?P<early>[AaPp])\.?[Mm]\.?[^0-9A-Za-z]{0,2}"
"""AM or PM before the clock, which most write behind it."""
_HALF = re.compile(r"(?<![A-Za-z])[AaPp]\.?[Mm](?![A-Za-z])")
_FORMS = {
    "year first": rf"(?<![0-9])(?P<year>(?:19|20)[0-9]{{2}})(?P<dash>[-_.]?)(?P<month>[0-9]{{1,2}})(?P=dash)(?P<day>[0-9]{{1,2}})"
    rf"(?:{_EARLY}|[^0-9]{{0,4}}){_CLOCK}",
    "year last": rf"(?<![0-9])(?P<month>[0-9]{{1,2}})(?P<dash>[-_.])(?P<day>[0-9]{{1,2}})(?P=dash)(?P<year>(?:19|20)[0-9]{{2}})"
    rf"(?:{_EARLY}|[^0-9]{{1,4}}){_CLOCK}",
    "since 1970": r"(?<![0-9])(?P<epoch>1[0-9]{9})(?:[.,](?P<fraction>[0-9]{1,9})|_?(?P<milli>[0-9]{9}|[0-9]{6}|[0-9]{3}))?(?![0-9])",
    "no date": rf"(?<![0-9])(?=[0-9]{{2}}[-_.:h][0-9]{{2}}(?:[-_.:m])[0-9]{{2}}){_CLOCK}",
}
_MIDNIGHT = timedelta(hours=11)
"""Between two neighbours without a date: from here on midnight, or the turn of a clock of twelve
hours, may lie elsewhere."""
_RENAME = "number them from 0 on (0000.png, 0001.png ...)"


class NoOrder(ValueError):
    """Names that tell no order, or two of them; the text goes behind the folder's name."""


@dataclass(frozen=True)
class Order:
    """The order of some names."""

    places: tuple[int, ...]
    """Indices into the names, in order."""
    numbers: tuple[int, ...] | None
    """Their frame numbers, in that order; None where names are times alone, so that a lost image
    cannot be seen."""


def order_of(names: Sequence[str]) -> Order:
    """Return the order of names of files, by all the numbers before their endings; each has one at
    least.

    The frame number is the one that differs from name to name. Where several do, or a time does,
    every reading must agree.

    Raises
    ------
    NoOrder : two names with one frame number, names of different makes, or readings that contradict
        each other.
    """
    stems = [PurePath(name).stem for name in names]
    columns = _columns(names, stems)
    rows: list[Row] = list(zip(*columns))
    places = sorted(range(len(names)), key=rows.__getitem__)
    stamped = _times(names, stems)
    if stamped is None:
        counters = _counters(names, stems, columns)
    else:
        times, outside = stamped
        for one, other in itertools.pairwise(places):
            if rows[one] == rows[other]:
                raise NoOrder(f"{names[one]} and {names[other]} have the same time; move one away")
        for reading in times:
            _compare(names, places, reading, "the time in them")
        counters = [column for column in outside if _is_counter(column, places)]
    for column in counters:
        _compare(names, places, column, "their frame numbers")
    return Order(
        tuple(places), tuple(counters[-1][place] for place in places) if counters else None
    )


def natural_order(names: Iterable[str]) -> list[str]:
    """Return names in the order that people mean: numbers in them by value, 'clip 2' before 'clip
    10'.
    """
    return sorted(
        names,
        key=lambda name: [
            (len(part.lstrip("0")), part.lstrip("0")) if place % 2 else part
            for place, part in enumerate(re.split("([0-9]+)", name))
        ],
    )


def _columns(names: Sequence[str], stems: Sequence[str]) -> list[Row]:
    """Return the first, second ... number of every name."""
    numbers = [_NUMBER.findall(stem) for stem in stems]
    for name, found in zip(names, numbers):
        if len(found) != len(numbers[0]):
            raise NoOrder(
                f"{names[0]} has {len(numbers[0])} numbers in its name and {name} has {len(found)}, so they are of different kinds; "
                f"move one kind away, or {_RENAME}"
            )
    return [tuple(map(int, column)) for column in zip(*numbers)]


def _counters(names: Sequence[str], stems: Sequence[str], columns: Sequence[Row]) -> list[Row]:
    """Return the columns that may be the frame number: those that differ in every name."""
    varying = [column for column in columns if len(set(column)) > 1] or [columns[-1]]
    if len(varying) > 1:
        _refuse_letters(names, stems)
    counters = [column for column in varying if len(set(column)) == len(names)]
    if not counters:
        seen: dict[int, str] = {}
        for number, name in zip(varying[-1], names):
            if number in seen:
                raise NoOrder(
                    f"{seen[number]} and {name} have the same frame number, {number}; move one away"
                )
            seen[number] = name
    return counters


def _refuse_letters(names: Sequence[str], texts: Sequence[str]) -> None:
    """Refuse names whose texts differ in more than their numbers: a month's name, or another
    camera's, would be passed over.
    """
    plain = [_NUMBER.sub("#", text).casefold() for text in texts]
    for name, text in zip(names, plain):
        if text != plain[0]:
            raise NoOrder(
                f"{names[0]} and {name} differ in letters and in more than one number, so their order is unknown; {_RENAME}"
            )


def _is_counter(column: Row, places: Sequence[int]) -> bool:
    """Whether numbers beside a time are frame numbers: all different, and ascending with the time
    or nearly without gaps.
    """
    if len(set(column)) < len(column) or len(column) < 2:
        return False
    ascends = all(column[one] < column[other] for one, other in itertools.pairwise(places))
    return ascends or max(column) - min(column) < 2 * len(column)


def _compare(
    names: Sequence[str], places: Sequence[int], reading: Sequence[int] | Sequence[Time], what: str
) -> None:
    """Refuse an order that another reading of the same names contradicts."""
    for one, other in itertools.pairwise(places):
        if reading[one] > reading[other]:  # type: ignore[operator]
            raise NoOrder(
                f"the names of the images can be read in two ways: by all numbers {names[one]} comes before {names[other]}, "
                f"by {what} after it; {_RENAME}"
            )


def _times(names: Sequence[str], stems: Sequence[str]) -> tuple[list[list[Time]], list[Row]] | None:
    """Return the times in the names, once for each way to read their dates, and the columns of
    numbers outside of them.

    None where there are none, or where they tell the start of a recording: all the same to the
    second, unless they are seconds since 1970 with a decimal point, as `time.time()` gives them.
    """
    for form, pattern in _FORMS.items():
        matches = []
        for stem in stems:
            if (match := re.search(pattern, stem, re.VERBOSE)) is None:
                break
            matches.append(match)
        if len(matches) < len(names):
            continue
        ways = [
            [_time(match, form, day_first) for match in matches]
            for day_first in ((False, True) if form == "year last" else (False,))
        ]
        times = [[time for time in way if time is not None] for way in ways]
        times = [way for way in times if len(way) == len(names)]
        before = [match.string[: match.start()] for match in matches]
        texts = [f"{start}|{match.string[match.end() :]}" for start, match in zip(before, matches)]
        outside = [_NUMBER.findall(text) for text in texts]
        if not times or len(set(map(len, outside))) > 1:
            continue
        is_fraction = form == "since 1970" and any(match["fraction"] for match in matches)
        if len({time[0] for time in times[0]}) == 1 and not is_fraction:
            continue
        if form == "since 1970" and _nearly_consecutive([match[0] for match in matches]):
            continue
        if form == "no date":
            if len({time[0].replace(second=0) for time in times[0]}) == 1 and all(
                match["fraction"] is None for match in matches
            ):
                continue  # '01_02_03': only the last part differs, as frame numbers do
            _refuse_midnight(names, times[0])
            if len(set(before)) > 1 and len(set(before)) < len(before):
                raise NoOrder(
                    f"the names of the images tell times without a date that is understood, and differ before them: {names[0]}, "
                    f"{names[-1]}; {_RENAME}"
                )
        if form != "since 1970":
            _refuse_halves(names, matches, texts)
        _refuse_letters(names, texts)
        return times, [tuple(map(int, column)) for column in zip(*outside)]
    return None


def _time(match: re.Match[str], form: str, day_first: bool) -> Time | None:
    """Return the time that a name tells; None where there is no such day or hour."""
    found = match.groupdict()
    digits = found["fraction"] or found.get("milli") or "0"
    fraction = Fraction(int(digits), 10 ** len(digits))
    if form == "since 1970":
        return datetime(1970, 1, 1) + timedelta(seconds=int(found["epoch"])), fraction
    month, day = (
        (found["day"], found["month"])
        if day_first
        else (found.get("month") or 1, found.get("day") or 1)
    )
    hour = int(found["hour"])
    if half := found["half"] or found.get("early"):
        hour = hour % 12 + 12 * (half in "pP")
    try:
        return datetime(
            int(found.get("year") or 2000),
            int(month),
            int(day),
            hour,
            int(found["minute"]),
            int(found["second"]),
        ), fraction
    except ValueError:
        return None


def _refuse_halves(
    names: Sequence[str], matches: Sequence[re.Match[str]], texts: Sequence[str]
) -> None:
    for name, match, text in zip(names, matches, texts):
        if not (match["half"] or match.groupdict().get("early")) and _HALF.search(text):
            raise NoOrder(
                f"the names tell times, and AM or PM stands apart from them: {name}; {_RENAME}"
            )


def _nearly_consecutive(texts: Sequence[str]) -> bool:
    numbers = [int(text) for text in texts if text.isdigit()]
    return len(numbers) == len(texts) and max(numbers) - min(numbers) < 2 * len(numbers)


def _refuse_midnight(names: Sequence[str], times: Sequence[Time]) -> None:
    order = sorted(range(len(names)), key=times.__getitem__)
    for one, other in itertools.pairwise(order):
        if times[other][0] - times[one][0] >= _MIDNIGHT:
            raise NoOrder(
                f"the names of the images tell times without a date, and nothing lies between {names[one]} and {names[other]}: "
                f"whether the later hour is of the day before is unknown; {_RENAME}"
            )
