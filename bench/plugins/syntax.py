"""The text of a selection: names, groups, parameters in brackets, exclusions. Knows no registered
name.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from bench.contracts.parameters import format_value

QUOTING = "in a shell, quote selections that contain [ or |"
LONGEST = 20_000
"""Characters of a selection. Chosen here: a thousand rows with parameters; each unknown name costs
a search for the nearest."""
_SPECIAL = frozenset('[]|,"')


@dataclass(frozen=True)
class Item:
    """What stands between two commas of a selection."""

    text: str
    """As it was typed."""
    exclude: bool = False
    name: str = ""
    values: Mapping[str, tuple[str, ...]] | None = None
    """Parameter -> the alternatives given for it, unquoted."""
    mistakes: tuple[str, ...] = ()
    given_name: str = ""
    """What stands behind 'as': the display name of the row."""


def parse(text: str) -> list[Item]:
    """Split a selection into its items; mistakes of the syntax are kept with the item that has
    them.
    """
    if len(text) > LONGEST:
        return [
            Item(
                text[:80],
                mistakes=(
                    f"a selection of {len(text)} characters, that begins {text[:80]!r}; at most {LONGEST} are read",
                ),
            )
        ]
    control = find_control_character(text)
    if control:
        return [
            Item(
                text,
                mistakes=(
                    f"{text!r} holds a control character ({control}); names and values are plain text",
                ),
            )
        ]
    return [_parse_item(part.strip(), text) for part in split(text, ",")]


def write(name: str, values: Mapping[str, object]) -> str:
    """Write a name and its values as a selector that `parse` reads back."""
    return name + (
        "[" + ",".join(f"{key}={quote(format_value(value))}" for key, value in values.items()) + "]"
        if values
        else ""
    )


def quote(text: str) -> str:
    """Put a value into double quotes where it would mean something else without them."""
    if text and text == text.strip() and not _SPECIAL & set(text):
        return text
    return '"' + text.replace('"', '""') + '"'


def find_control_character(text: str) -> str | None:
    """Return the code point ('U+0007') of the first character that has no place in a name, a label
    or a file.
    """
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
            return f"U+{ord(character):04X}"
    return None


def split(text: str, separator: str) -> list[str]:
    """Split at separators that stand outside of quotes and brackets."""
    parts, depth, quoted = [""], 0, False
    for character in text:
        if character == '"':
            quoted = not quoted
        elif not quoted:
            depth += (character == "[") - (character == "]" and depth > 0)
            if character == separator and depth == 0:
                parts.append("")
                continue
        parts[-1] += character
    return parts


def _split_name(text: str) -> list[str]:
    """Return a selector and the name behind 'as', where there is one outside of quotes and
    brackets.
    """
    for found in re.finditer(r"(?:^|\s)as(?:\s|$)", text):
        before = text[: found.start()]
        if before.count('"') % 2 == 0 and _bare(before).count("[") == _bare(before).count("]"):
            return [before.strip(), text[found.end() :].strip()]
    return [text]


def _bare(text: str) -> str:
    """Return the text without what stands in quotes."""
    return "".join(text.split('"')[::2])


def _parse_item(text: str, whole: str) -> Item:
    def mistake(*reasons: str) -> Item:
        return Item(text, mistakes=reasons)

    exclude = text.startswith("-")
    body = text[exclude:].strip()
    if not body and whole.strip():
        return mistake(
            f"{whole!r} has a comma or a '-' with no name beside it - in a shell, quote selections that contain spaces"
        )
    if text.count('"') % 2:
        return mistake(f"{text!r} lacks a closing '\"'")
    body, *given = _split_name(body)
    if given:
        if exclude:
            return mistake(f"{text!r}: what is taken away has no name; leave out 'as {given[0]}'")
        try:
            name = _unquote("the name", given[0])
        except ValueError:
            return mistake(
                f"{text!r}: 'as' needs a name, as in NAME as Ours; put a name that contains a comma "
                "in double quotes"
            )
        return dataclasses.replace(_parse_item(body, whole), text=text, given_name=name)
    bare = _bare(body)
    name, bracket, rest = body.partition("[")
    if not bracket:
        if "]" in bare:
            return mistake(f"{text!r} has a ']' without a '[' - {QUOTING}")
        if "=" in bare:
            return mistake(
                f"{text!r} sets a parameter outside of brackets; write NAME[{body}] - {QUOTING}"
            )
        if "|" in bare:
            return mistake(
                f"{text!r}: names are separated by commas; '|' separates values in brackets, as in NAME[key=a|b]"
            )
        return Item(text, exclude, name, {})
    if bare.count("[") > bare.count("]"):
        return mistake(f"{text!r} lacks a ']' - {QUOTING}")
    if not name.strip():
        return mistake(f"{text!r} has no name before the '[' - {QUOTING}")
    if not rest.endswith("]"):
        return mistake(f"{text!r} has text after the ']'; separate names by commas")
    inner = rest[:-1]
    if "[" in _bare(inner) or "]" in _bare(inner):
        return mistake(
            f'{text!r}: put a value that contains brackets into double quotes, as in NAME[key="a[0]"] - {QUOTING}'
        )
    values: dict[str, tuple[str, ...]] = {}
    mistakes = []
    for part in split(inner, ",") if inner.strip() else []:
        try:
            key, alternatives = _parse_pair(part.strip())
            if key in values:
                raise ValueError(
                    f"{key} is given twice; {key}=a|b makes one row for a and one for b"
                )
        except ValueError as error:
            mistakes.append(f"{text!r}: {error}")
        else:
            values[key] = alternatives
    return Item(text, exclude, name.strip(), values, tuple(mistakes))


def _parse_pair(part: str) -> tuple[str, tuple[str, ...]]:
    key, equals, rest = part.partition("=")
    key = key.strip()
    if not equals or not key:
        raise ValueError(f"{part!r} is not of the form parameter=value")
    return key, tuple(_unquote(key, alternative.strip()) for alternative in split(rest, "|"))


def _unquote(key: str, text: str) -> str:
    if not text:
        raise ValueError(f'{key}= has no value; write {key}="" for an empty text')
    if '"' not in text:
        return text
    inner = text[1:-1].replace('""', "")
    if len(text) < 2 or text[0] != '"' or text[-1] != '"' or '"' in inner:
        raise ValueError(
            f'{key}={text}: put the whole value into double quotes, and a double quote inside of it twice ("")'
        )
    return text[1:-1].replace('""', '"')
