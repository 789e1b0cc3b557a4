"""Methods whose numbers are published and whose specification is not: rows without a cell.

Their scores can be put through the same protocol with `scores[...]` by whoever has them.
"""

from __future__ import annotations

from bench import Method, MethodInfo

from .references import bibtex

NO_SPECIFICATION = "no public specification: neither code nor the layers and training of the network were within reach"


class _PublishedOnly(Method):
    published_only = NO_SPECIFICATION
    needs = frozenset()
    frames = None
    uses_seed = False


class MAMC(_PublishedOnly):
    """Memory-enhanced appearance-motion consistency: published numbers only."""

    name = "mamc"
    info = MethodInfo(
        display_name="MAMC",
        title="Memory-enhanced appearance-motion consistency framework for video anomaly detection",
        year=2024,
        venue="Computer Communications",
        citation="ning2024mamc",
        bibtex=bibtex("ning2024mamc"),
        family="published only",
        groups=("published",),
        published_protocol="not stated where it was read",
    )


class C2Net(_PublishedOnly):
    """Content-dependent and -independent cross-attention network: published numbers only."""

    name = "c2net"
    info = MethodInfo(
        display_name="C$^2$Net",
        title="C2Net: content-dependent and -independent cross-attention network for anomaly detection in videos",
        year=2024,
        venue="Applied Intelligence",
        citation="liang2024c2net",
        bibtex=bibtex("liang2024c2net"),
        family="published only",
        groups=("published",),
        published_protocol="not stated where it was read",
    )
