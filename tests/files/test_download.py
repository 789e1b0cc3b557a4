"""What a plugin may say of a download."""

import pytest

from bench import Download


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"sha256": "2329af32"}, "a.zip: sha256='2329af32' is not 64 hex digits"),
        ({"sha256": "A" * 64}, "is not 64 hex digits"),
        ({"folder": "../data"}, "a.zip: '../data' is no path below a folder"),
        ({"folder": "/data"}, "'/data' is no path below a folder"),
        ({"member": "x/../../y"}, "is no path below a folder"),
        ({"file": "../a.zip"}, "is no path below a folder"),
    ],
)
def test_values_that_would_do_harm(values, why):
    """Short hashes promise nothing, and paths stay in the data folder."""
    with pytest.raises(ValueError, match=why):
        Download(**{"file": "a.zip", "sha256": "0" * 64, "page": "http://owner"} | values)
