"""The command line: one module a command. Each parses, calls, and prints."""

from __future__ import annotations


def main() -> None:
    """Run the command line (the console script `bench`)."""
    from bench.cli.main import bench
    from bench.hardware.openmp import use_short_spin

    use_short_spin()
    bench()
