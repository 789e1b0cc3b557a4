"""Names and versions of what is installed, against `importlib.metadata`."""

import importlib.metadata

from bench.plugins.distributions import name_and_version, packages


def install(site, folder, file, text):
    (site / folder).mkdir(parents=True)
    (site / folder / file).write_text(text)


def test_everything_here_is_as_importlib_says():
    for one in importlib.metadata.distributions():
        assert name_and_version(one) == (one.metadata["Name"], one.version)
    for name, version in packages().items():
        assert importlib.metadata.version(name) == version


def test_the_headers_alone_count_and_the_first_on_the_path_is_imported(tmp_path, monkeypatch):
    """A description may quote metadata; leftovers of an uninstalled package have none."""
    first, second = tmp_path / "first", tmp_path / "second"
    text = "Metadata-Version: 2.1\nName: night-walk\nVersion: {}\n\nVersion: 7\nName: other\n"
    install(first, "night_walk-1.2.dist-info", "METADATA", text.format("1.2"))
    install(second, "night_walk-1.1.dist-info", "METADATA", text.format("1.1"))
    install(second, "Old.egg-info", "PKG-INFO", "Name: Old\nVersion: 3rc1\n")
    install(second, "left.dist-info", "RECORD", "")
    monkeypatch.setattr("sys.path", [str(first), str(second)])
    assert packages() == {"night-walk": "1.2", "Old": "3rc1"}
    assert list(packages()) == ["night-walk", "Old"]
