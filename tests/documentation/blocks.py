"""The fenced blocks of the pages, in order, and how each is meant to be tested.

A block of `sh` or `console` is commands, one of `python` or `pycon` is Python, one of `toml` is
read; `text`, `tex` and the like are for the eye. An HTML comment before a block says what is
special about it:

    <!-- only parsed: REASON -->      never run: a GPU, a network, hours
    <!-- run apart: REASON -->        run by `tox -e docs-run`, parsed in the default suite
    <!-- exit code N: REASON -->      run as it stands, without demo data; its last command ends so
    <!-- file: NAME.py -->            Python that is saved under that name in the page's folder
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs").glob("*.ipynb")),
]
RUN = ("sh", "console", "python", "pycon")
SHOWN = ("text", "tex", "toml", "{toctree}")
MARKS = ("only parsed", "run apart", "exit code", "file")
_BLOCK = re.compile(
    r"(?P<before><!-- (?P<mark>[^>]*?) -->\s*)?^```(?P<language>[^\n]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    page: str
    line: int
    language: str
    text: str
    mark: str = ""
    """One of MARKS, or nothing."""
    said: str = ""
    """What the mark says: a reason, an exit code and its reason, the name of a file."""

    @property
    def place(self) -> str:
        return f"{self.page}, line {self.line}"

    @property
    def exit_code(self) -> int:
        return int(self.said.split(":")[0]) if self.mark == "exit code" else 0


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page, or the cells of a notebook."""
    if page.suffix == ".ipynb":
        cells = json.loads(page.read_text())["cells"]
        return [
            Block(page.name, number, "python", "".join(cell["source"]))
            for number, cell in enumerate(cells)
            if cell["cell_type"] == "code"
        ]
    text, found = page.read_text(), []
    for match in _BLOCK.finditer(text):
        mark, said = "", ""
        for name in MARKS:
            if (match["mark"] or "").startswith(name):
                mark, said = name, match["mark"].removeprefix(name).lstrip(":").strip()
        line = text.count("\n", 0, match.start("language")) + 1
        found.append(Block(page.name, line, match["language"], match["text"], mark, said))
    assert len(found) == len(re.findall(r"^```", text, re.MULTILINE)) / 2, (
        f"{page.name}: a fence is not closed, or is indented"
    )
    return found


def shell_of(block: Block) -> list[tuple[str, str]]:
    """Return commands and the output expected of each: one pair for a block of `sh`, one a `$` line
    for `console`."""
    if block.language == "sh":
        return [(block.text, "")]
    parts = re.split(r"^\$ (.*)\n", block.text, flags=re.MULTILINE)
    assert not parts[0].strip(), f"{block.place}: output before the first command"
    return list(zip(parts[1::2], parts[2::2]))


def commands_of(script: str) -> list[list[str]]:
    """Return the words of each simple command of a shell script."""
    found: list[list[str]] = []
    for line in script.replace("\\\n", " ").splitlines():
        words: list[str] = []
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        for word in [*lexer, ";"]:
            if set(word) <= set("();<>|&"):
                found += [words] if words else []
                words = []
            else:
                words.append(word)
    return found
