"""`bench prepare` says what it is about to make."""

import pytest
from click.testing import CliRunner

from bench.cli.setup.prepare import command


@pytest.mark.parametrize(
    ("method", "size", "tracks"),
    [("background", "256x256x1", ""), ("c3dsu", "x3", "; tracks by motion")],
)
def test_formats_and_tracks_are_named(method, size, tracks):
    """Tracks only where a method needs them."""
    words = ["demo-ped2", "--methods", method, "--dry-run"]
    found = CliRunner().invoke(command, words, catch_exceptions=False)
    assert found.exit_code == 0
    (line,) = (line for line in found.output.splitlines() if line.startswith("demo-ped2: "))
    assert size in line
    assert line.endswith("MB to write" + tracks)
