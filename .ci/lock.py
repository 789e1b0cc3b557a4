"""Prints requirements.lock: the versions of every package that bench needs, as they are installed
here. `tox -e lock` runs it in an environment of nothing else.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterator

from packaging.requirements import Requirement

HEAD = """# With these versions, for Python 3.11 on Linux, the tests pass; `tox -e lock` writes them anew.
# pip install -r requirements.lock && pip install --no-deps vad-bench
"""


def needed(package: str = "vad-bench") -> dict[str, str]:
    """Return the version of each installed package that a package needs, by its normal name."""
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(package, "")]
    while waiting:
        for requirement in _requirements(*waiting.pop()):
            name = re.sub(r"[-_.]+", "-", requirement.name).lower()
            found[name] = importlib.metadata.version(requirement.name).partition("+")[0]
            new = {(name, extra) for extra in ("", *requirement.extras)} - seen
            seen |= new
            waiting += new
    return dict(sorted(found.items()))


def _requirements(package: str, extra: str) -> Iterator[Requirement]:
    for text in importlib.metadata.requires(package) or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement


def lock() -> str:
    """Return the content of requirements.lock."""
    return HEAD + "".join(f"{name}=={version}\n" for name, version in needed().items())


if __name__ == "__main__":
    print(lock(), end="")
