"""What `bench verify` says of a dataset: what is here, what is wrong, and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from bench.contracts.clip import SPLITS, Clip, ImageFiles, Split, VideoFile
from bench.contracts.dataset import Dataset, Finding
from bench.errors import DataError
from bench.frames.decode import count_frames, read_frames
from bench.frames.fingerprint import content_digest, dataset_fingerprint
from bench.frames.image_damage import find_damage

MOST = 5
"""Findings of a kind that are printed one by one."""
PASSED_OVER = "passed over"
"""What the subject of a finding begins with that is about a file or folder which is not read."""
ORIGIN = "files"
"""The subject of the finding that says whether files are the owners' own."""
_NAMED = re.compile(rf"((?:.*? )?(?:clip|scene)|{PASSED_OVER}) (.+)", re.DOTALL)
_NUMBER = re.compile(r"\d[\d,]*")

Step = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Verification:
    """The outcome of checking one dataset."""

    dataset: str
    """Its selector."""
    root: str
    """Empty where it was not found."""
    summary: tuple[str, ...]
    """What is here, a line a split and label set."""
    findings: tuple[Finding, ...]
    advice: tuple[str, ...] = ()
    """What cannot be run, and what to do."""
    fingerprint: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    """Counts of clips, frames and labels, for JSON."""

    @property
    def ok(self) -> bool:
        """Whether everything is as it should be."""
        return all(finding.ok for finding in self.findings)

    def wrong(self) -> list[str]:
        """Return what is not as it should be; findings that differ in the clip only become one
        line.
        """
        lines = []
        bad = [finding for finding in self.findings if not finding.ok]
        for (kind, _), found in groupby(bad, key=_kind):
            group = list(found)
            several = kind if kind == PASSED_OVER else f"{kind}s"
            if len(group) > 1 and len({finding.text for finding in group}) == 1:
                ids = [_kind_and_name(finding)[1] for finding in group]
                lines.append(f"{len(group)} {several} ({_some(ids)}): {group[0].text}")
                continue
            lines += [f"{finding.subject}: {finding.text}" for finding in group[:MOST]]
            if len(group) > MOST:
                lines.append(f"... and {len(group) - MOST} more {several} (--json lists all)")
        return lines

    def as_json(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        findings = [
            {"subject": finding.subject, "ok": finding.ok, "text": finding.text}
            for finding in self.findings
        ]
        whole = {
            "dataset": self.dataset,
            "root": self.root,
            "ok": self.ok,
            **self.facts,
            "summary": list(self.summary),
        }
        return {
            **whole,
            "advice": list(self.advice),
            "fingerprint": self.fingerprint,
            "findings": findings,
        }


def verify_dataset(
    dataset: Dataset,
    selector: str,
    roots: Sequence[Path],
    full: bool = False,
    step: Step | None = None,
) -> Verification:
    """Find a dataset and check it against its integrity constants. What is wrong is a finding,
    never an exception.

    Parameters
    ----------
    full : decode every frame and hash every file as well.
    step : called with what is done, how much there is, and what is being done.
    """
    try:
        dataset.locate(roots)
    except DataError as error:
        return Verification(selector, "", (), (Finding("place", False, str(error)),))
    findings = findings_of(dataset)
    root = dataset.root or Path()
    for one in dataset.passed_over():
        path = one.path.relative_to(root) if one.path.is_relative_to(root) else one.path
        findings.append(Finding(f"{PASSED_OVER} {path}", not one.may_hold_frames, one.reason))
    if full:
        findings += _decode_everything(dataset, step)
        findings += compare_with_official(dataset, step)
    fingerprint = ""
    try:
        fingerprint = dataset_fingerprint(dataset, full, step)
    except DataError as error:
        if not any(str(error) in finding.text for finding in findings):
            findings.append(Finding("fingerprint", False, str(error)))
    summary, facts = _summary(dataset, findings)
    return Verification(
        selector,
        str(dataset.root),
        summary,
        tuple(findings),
        _advice(dataset, findings),
        fingerprint,
        facts,
    )


def _decode_everything(dataset: Dataset, step: Step | None) -> list[Finding]:
    """Return a finding for each clip of which a frame cannot be decoded."""
    findings = []
    for split in SPLITS:
        try:
            clips = [clip for clip in dataset.clips(split) if clip.source is not None]
        except DataError:
            continue  # `verify` has said it
        images = [clip for clip in clips if isinstance(clip.source, ImageFiles)]
        for done, (clip, damage) in enumerate(find_damage(images), start=1):
            if step is not None:
                step(done, len(clips), f"decoding {split} clip {clip.id}")
            if damage:
                findings.append(Finding(f"frames of {split} clip {clip.id}", False, damage))
        videos = [clip for clip in clips if isinstance(clip.source, VideoFile)]
        for done, clip in enumerate(videos, start=len(images) + 1):
            if step is not None:
                step(done, len(clips), f"decoding {split} clip {clip.id}")
            try:
                for _ in read_frames(clip, anew=True):
                    pass
            except DataError as error:
                findings.append(Finding(f"frames of {split} clip {clip.id}", False, str(error)))
    return findings


def compare_with_official(dataset: Dataset, step: Step | None = None) -> list[Finding]:
    """Return whether files are the owners' own, where their digests are known; the first finding
    sums up.

    A copy of which no clip is official was encoded again, as most are, and nothing is wrong. With
    the training clips of another dataset, the copy of each is looked at for itself.
    """
    owned: dict[Dataset, dict[str, bool]] = {}
    for split in SPLITS:
        known = dataset.official.get(split, {})
        same = owned.setdefault(dataset.owner(split), {})
        try:
            clips = [clip for clip in dataset.clips(split) if clip.source and clip.id in known]
            for done, clip in enumerate(clips, start=1):
                same[f"{split} clip {clip.id}"] = content_digest(clip) == known[clip.id]
                if step is not None:
                    step(done, len(clips), f"comparing {split} clip {clip.id}")
        except DataError:
            continue  # a file that cannot be read has a finding of its own
    return [
        finding
        for owner, same in owned.items()
        for finding in _origin(same, f"{owner.name}: " if len(owned) > 1 else "")
    ]


def _origin(same: Mapping[str, bool], owner: str) -> list[Finding]:
    """Return whether the clips of one copy are official, of which each is known."""
    official = sum(same.values())
    if not official:
        text = f"{owner}re-encoded: no clip of {len(same)} has the official files"
        return [Finding(ORIGIN, True, text)] if same else []
    text = f"{owner}the official files" + f" in {official} of {len(same)} clips" * (
        official < len(same)
    )
    return [
        Finding(ORIGIN, True, text),
        *(
            Finding(f"{ORIGIN} of {clip}", False, "not the official files, as the other clips are")
            for clip, is_official in same.items()
            if not is_official
        ),
    ]


def _summary(
    dataset: Dataset, findings: Sequence[Finding]
) -> tuple[tuple[str, ...], dict[str, Any]]:
    lines: list[str] = []
    facts: dict[str, Any] = {"splits": {}, "label_sets": {}}
    for split in SPLITS:
        try:
            line, counts = _count_split(dataset, split)
        except DataError:
            line, counts = f"{split}: cannot be listed", {}
        lines.append(line)
        facts["splits"][split] = counts
    try:
        for number, label_set in enumerate(dataset.available_label_sets()):
            labels = [dataset.labels(clip, label_set) for clip in dataset.clips("test")]
            anomalous, frames = sum(int(one.sum()) for one in labels), sum(map(len, labels))
            lines.append(
                f"labels {label_set}{'' if number else ' (default)'}: {anomalous:,} of {frames:,} frames anomalous"
            )
            facts["label_sets"][label_set] = {
                "frames": frames,
                "anomalous_frames": anomalous,
                "clips": len(labels),
            }
    except DataError:
        lines.append("labels: cannot be read")
    masks = sum(finding.subject.startswith("pixel masks") for finding in findings)
    if masks:
        lines.append(f"pixel masks: {masks} test clips")
    facts["pixel_masks"] = masks
    lines += [f"{ORIGIN}: {finding.text}" for finding in findings if finding.subject == ORIGIN]
    passed = [
        _kind_and_name(finding)[1]
        for finding in findings
        if finding.ok and finding.subject.startswith(PASSED_OVER)
    ]
    if passed:
        lines.append(f"passed over: {_some(passed)} (--json tells why)")
    return tuple(lines), facts


def _count_split(dataset: Dataset, split: Split) -> tuple[str, dict[str, int | None]]:
    listed = dataset.clips(split)
    clips = [clip for clip in listed if clip.source is not None]
    frames = 0
    for clip in clips:
        try:
            frames += count_frames(clip)
        except DataError:
            continue  # a finding says why this clip has none
    lengths = dataset.expected.get(split, {})
    total = dataset.expected_totals.get(split) or (
        sum(lengths.values()) if lengths and all(lengths.values()) else None
    )
    line = f"{split}: {len(clips)}{f' of {len(lengths)}' if lengths else ''} clips, {frames:,}{f' of {total:,}' if total else ''} frames"
    if listed and not clips:
        line += f"; lengths of {len(listed)} clips come from the labels"
    counts = {
        "clips": len(clips),
        "clips_expected": len(lengths) or None,
        "frames": frames,
        "frames_expected": total,
    }
    return line, counts


def _advice(dataset: Dataset, findings: Sequence[Finding]) -> tuple[str, ...]:
    if all(finding.ok for finding in findings):
        return ()
    try:
        lacking = [
            text
            for text in (dataset.lacks(need) for need in ("lengths", "frames", "train"))
            if text
        ]
        share = dataset.share()
    except DataError:
        lacking, share = [], 0.0
    if not lacking and share < 1:
        lacking.append(
            f"runs use the {share:.1%} of the frames that are here, and their rows say so"
        )
    obtain = [dataset.owner(split).how_to_obtain() for split in SPLITS]
    return (*dict.fromkeys(lacking), *filter(None, dict.fromkeys(obtain)))


def _kind(finding: Finding) -> tuple[str, str]:
    """Return what findings of a group share: the subject without the name in it, and the text
    without its numbers.
    """
    return _kind_and_name(finding)[0], _NUMBER.sub("#", finding.text)


def _kind_and_name(finding: Finding) -> tuple[str, str]:
    """Return 'test clip' and 'gate 2' of the subject 'test clip gate 2'."""
    match = _NAMED.match(finding.subject)
    return (match[1], match[2]) if match else (finding.subject, "")


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids) if len(ids) <= MOST else f"{ids[0]}, {ids[1]} ... {ids[-1]}"


def findings_of(dataset: Dataset) -> list[Finding]:
    """Return what a located dataset's files have been compared with, and how they differ."""
    return dataset.verify(compare_with_expected(dataset))


# -- integrity constants -------------------------------------------------------------------------


def compare_with_expected(dataset: Dataset) -> list[Finding]:
    """List, clip by clip, how a dataset differs from its integrity constants; every clip gets one
    finding.
    """
    findings: list[Finding] = []
    counted: dict[Split, dict[str, int]] = {}
    for split in SPLITS:
        counted[split] = {}
        lengths = dataset.expected.get(split, {})
        try:
            clips = {clip.id: clip for clip in dataset.clips(split)}
        except DataError as error:
            findings.append(Finding(f"{split} clips", False, str(error)))
            continue
        if not lengths and not clips:
            findings.append(Finding(f"{split} clips", False, f"none below {dataset.root}"))
        for clip_id in sorted(set(lengths) | set(clips)):
            findings.append(
                _check_clip(dataset, split, clip_id, clips.get(clip_id), counted[split])
            )
        total = dataset.expected_totals.get(split)
        if total is not None and counted[split].keys() >= lengths.keys():
            found = sum(counted[split].values())
            text = f"{found:,} frames" + ("" if found == total else f", {total:,} expected")
            findings.append(Finding(f"{split} clips together", found == total, text))
    try:
        label_sets = dataset.available_label_sets()
    except DataError as error:
        if all(finding.text != str(error) for finding in findings):
            findings.append(Finding("labels", False, str(error)))
        return findings
    for label_set in label_sets:
        findings += _check_label_set(dataset, label_set, counted["test"])
    return findings


def _check_clip(
    dataset: Dataset, split: Split, clip_id: str, clip: Clip | None, counted: dict[str, int]
) -> Finding:
    subject = f"{split} clip {clip_id}"
    if clip is None or clip.source is None:
        return Finding(subject, False, "no frames")
    try:
        found = counted[clip_id] = count_frames(clip)
    except DataError as error:
        return Finding(subject, False, str(error))
    lengths = dataset.expected.get(split, {})
    wanted = lengths.get(clip_id, 0)
    if lengths and clip_id not in lengths:
        return Finding(subject, False, f"{found} frames, but the dataset has no such clip")
    if wanted and found != wanted:
        return Finding(subject, False, f"{found} frames, {wanted} expected")
    return Finding(subject, True, f"{found} frames")


def _check_label_set(dataset: Dataset, label_set: str, counted: Mapping[str, int]) -> list[Finding]:
    """Check the labels of every test clip; a clip that is not in `counted` has no frames, or they
    cannot be counted.
    """
    findings: list[Finding] = []
    expected = dataset.expected_anomalous.get(label_set, {})
    for clip in dataset.clips("test"):
        subject = f"labels {label_set}, clip {clip.id}"
        try:
            labels = dataset.labels(clip, label_set)
        except DataError as error:
            findings.append(Finding(subject, False, str(error)))
            continue
        length = counted.get(clip.id, clip.length or len(labels))
        anomalous = int(labels.sum())
        if len(labels) != length:
            findings.append(Finding(subject, False, f"{len(labels)} labels for {length} frames"))
        elif clip.id in expected and expected[clip.id] != anomalous:
            findings.append(
                Finding(
                    subject, False, f"{anomalous} anomalous frames, {expected[clip.id]} expected"
                )
            )
        else:
            findings.append(Finding(subject, True, f"{anomalous} of {length} frames anomalous"))
    return findings
