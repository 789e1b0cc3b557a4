"""What is installed: names and versions, without the parser of `importlib.metadata`, which reads a
package's whole description for each of them.
"""

from __future__ import annotations

import importlib.metadata
import re

_HEADER = re.compile(r"^(Name|Version): *(.+?) *$", re.MULTILINE)


def name_and_version(distribution: importlib.metadata.Distribution) -> tuple[str, str]:
    """Return name and version of an installed package; empty where its metadata lack them."""
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    headers = dict(_HEADER.findall(text.partition("\n\n")[0]))
    return headers.get("Name", ""), headers.get("Version", "")


def packages() -> dict[str, str]:
    """Return the version of every package that is installed, by name; of one that is installed
    twice, the version that is imported.
    """
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        name, version = name_and_version(distribution)
        if name:
            found.setdefault(name, version)
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))
