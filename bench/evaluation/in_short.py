"""What a paper says in place of the sentences of a report: a short caption, and reasons in a few
words, without paths and commands.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bench.contracts.metric import Metric
from bench.evaluation.summaries import BARELY_TRAINED, Summary, least_shares, share_text
from bench.runs.records import CellRecord
from bench.runs.status import Status
from bench.wording import listed

FLAGS = (
    (re.compile(re.escape(BARELY_TRAINED)), "barely trained"),
    (re.compile(r"(.+ of the data)$"), r"on \1"),
    (re.compile(r"(\d+ clips?) left out\b.*"), r"without \1"),
    (re.compile(r"profile (\S+)$"), r"trained with profile \1"),
    (re.compile(r"--precision (\S+):.*"), r"computed in \1"),
    (re.compile(r"its cells were not made alike.*"), "seeds were not computed alike"),
)
"""What a reader of a number must know even in a paper, in short; everything else that is said of a
number stands in the notes."""


def reason_in_short(cell: CellRecord) -> str:
    """Return in a few words why a cell has no number."""
    if cell.status == Status.FAILED:
        return "failed"
    if cell.status == Status.NO_DATA:
        return cell.reason_in_short or _of_earlier_versions(cell)
    if cell.status == Status.DONE:
        return "no number can be computed"
    return "not finished"


def _of_earlier_versions(cell: CellRecord) -> str:
    """Return the reason of a cell whose record has none in short."""
    found = re.search(r"\bno weights of ([\w-]+)", cell.reason)
    return f"needs {found[1]} weights" if found else "the data are not available here"


def flag_in_short(flag: str) -> str:
    """Return what a paper says of a number; empty for what stands in the notes alone."""
    for pattern, words in FLAGS:
        if found := pattern.match(flag):
            return found.expand(words)
    return ""


def short_caption(summaries: Sequence[Summary], metric: Metric, protocol: str) -> str:
    """Return the caption of a comparison in a paper: what the number is, the protocol in words, and
    what holds for all.
    """
    names = list(dict.fromkeys(summary.dataset_name for summary in summaries))
    place = f" on {names[0]}" if len(names) == 1 else ""
    parts = [f"{metric.title} (%){place}", _capital(protocol)]
    numbers = [summary for summary in summaries if summary.mean is not None]
    profiles = {one.cell.profile for one in numbers if one.cell.follows_profile} - {"", "paper"}
    if profiles:
        parts.append(f"Shortened training (profile {listed(sorted(profiles))})")
    used = [f"{share_text(share)} of {name}" for name, share in least_shares(summaries).items()]
    if used:
        parts.append(f"Only {listed(used)} is used")
    seeds = {len(one.measurements) for one in numbers if one.sd is not None}
    if seeds:
        number = f" over {seeds.pop()} seeds" if len(seeds) == 1 else ""
        parts.append(f"Mean ± standard deviation{number or ' over seeds'}")
    return " ".join(f"{part}." for part in parts)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
