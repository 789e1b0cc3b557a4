"""Types of fields in JSON files, where Python's own are too wide; msgspec checks them."""

from __future__ import annotations

from typing import Annotated

import msgspec

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A whole number that numpy can hold."""
