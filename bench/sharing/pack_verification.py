"""What `bench verify FILE.zip` says: whether a pack is what was written, and everything in it
follows from scores and labels.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench import __version__
from bench.contracts.dataset import Finding
from bench.errors import BenchError, RunError
from bench.files.whole_files import read_json
from bench.plugins.registry import Registry
from bench.reporting.findings import same_text, wrong
from bench.reporting.run_verification import RunVerification, verify_run
from bench.runs.folder import Run
from bench.sharing.archive import unpack_archive
from bench.sharing.claims import RUN
from bench.sharing.pack import ABOUT, FORMAT, SUMS, documents

_SUM = re.compile(r"([0-9a-f]{64})  (.+)")


def verify_pack(path: Path, registry: Registry) -> RunVerification:
    """Check a zip of a run: its checksums, the run in it as `verify_run` does, and the documents
    beside it. What differs is a finding, never an exception; nothing is left behind.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="bench-verify-") as place:
            digests = unpack_archive(path, Path(place))
            tops = {name.partition("/")[0] for name in digests}
            folder = Path(place, *sorted(tops)[:1])
            if len(tops) != 1 or not (folder / SUMS).is_file():
                raise RunError(
                    f"is no pack of a run: it has no {SUMS} in one folder; `bench pack RUN` makes one"
                )
            inside = {name.partition("/")[2]: digest for name, digest in digests.items()}
            return _verify(path, folder, inside, registry)
    except RunError as error:
        return RunVerification(str(path), (wrong(path.name, str(error)),), ())


def _verify(
    path: Path, folder: Path, digests: Mapping[str, str], registry: Registry
) -> RunVerification:
    findings = list(sums_findings(folder / SUMS, digests))
    about = read_json(folder / ABOUT, "pack") if ABOUT in digests else {}
    if about.get("format") != FORMAT:
        findings.append(
            wrong(
                ABOUT,
                f"says format {about.get('format')!r}, and this version of bench reads {FORMAT}",
            )
        )
    found = verify_run(folder / RUN, registry)
    findings += [
        Finding(f"{RUN}/{finding.subject}", finding.ok, finding.text) for finding in found.findings
    ]
    notes = list(found.notes)
    if about.get("bench") == __version__:
        findings += _documents(folder, digests, registry)
    else:
        notes.append(
            f"made by bench {about.get('bench')}, here is {__version__}: of claims.md, checklist.md and the other "
            "documents the checksums were compared, and not the words"
        )
    return RunVerification(str(path), tuple(findings), tuple(notes))


def sums_findings(file: Path, digests: Mapping[str, str]) -> Iterator[Finding]:
    """Compare the files with the list of checksums."""
    expected: dict[str, str] = {}
    for number, line in enumerate(
        file.read_text(encoding="utf-8", errors="replace").splitlines(), start=1
    ):
        match = _SUM.fullmatch(line)
        if match is None:
            yield wrong(SUMS, f"line {number} is no checksum with a name")
        elif match[2] in expected:
            yield wrong(SUMS, f"names {match[2]} twice")
        else:
            expected[match[2]] = match[1]
    for name, digest in expected.items():
        if name not in digests:
            yield wrong(name, f"is not there, and {SUMS} names it")
        elif digests[name] != digest:
            yield wrong(name, f"is not what was packed: its checksum is not that in {SUMS}")
        else:
            yield Finding(name, True, "is as it was packed")
    for name in digests.keys() - expected.keys() - {SUMS}:
        yield wrong(name, f"is there, and {SUMS} does not name it")


def _documents(folder: Path, digests: Mapping[str, str], registry: Registry) -> Iterator[Finding]:
    """Write the documents again, and compare."""
    try:
        expected = documents(Run(folder / RUN), registry)
    except BenchError as error:  # a damaged run, which is named already
        yield wrong("claims.md", f"cannot be made again: {error}")
        return
    for name, text in expected.items():
        yield from same_text(folder / name, name, text)
    for name in digests:
        if not name.startswith(f"{RUN}/") and name not in (*expected, SUMS, ABOUT):
            yield wrong(name, "is there, and is no file of a pack")
