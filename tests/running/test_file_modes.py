"""Files of a run that several people share: each has the mode that the umask gives."""

import os
import textwrap

import pytest
import safetensors.numpy
from forked import bench, toy_words

from bench import Method, MethodError
from bench.worker.fitting import save_fitted

PRIVATE = """
    import os, tempfile
    import numpy as np
    from bench import Method, hookimpl

    class Private(Method):
        name = "private"
        needs = frozenset({"frames"})

        def score(self, clip, context):
            return np.arange(clip.length)

        def save(self, path):  # as safetensors does: a temporary file of the owner's alone, renamed
            handle, temporary = tempfile.mkstemp(dir=path.parent)
            os.write(handle, b"weights")
            os.replace(temporary, path)

        def load(self, path):
            pass

    @hookimpl
    def bench_methods():
        return [Private]
"""


def test_every_file_of_a_run_has_the_mode_of_the_umask(tmp_path):
    """Kept weights too, however a method writes them."""
    (tmp_path / "data").mkdir()
    (tmp_path / "private.py").write_text(textwrap.dedent(PRIVATE))
    more = ("--out", "run", "--keep", "weights,train-scores", "--plugin", "private.py")
    words = toy_words("brightness,private", *more)
    done = bench(*words, cwd=tmp_path, umask=0o002, BENCH_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    assert (
        tmp_path / "run" / "cells" / "private" / "toy" / "0" / "weights"
    ).read_bytes() == b"weights"
    modes = {
        str(path.relative_to(tmp_path)): path.stat().st_mode & 0o777
        for path in (tmp_path / "run").rglob("*")
        if path.is_file()
    }
    assert len(modes) > 10
    assert {name: oct(mode) for name, mode in modes.items() if mode != 0o664} == {}


class Tensors(Method):
    """Saves as networks do."""

    name = "tensors"

    def save(self, path):
        import numpy as np

        safetensors.numpy.save_file({"a": np.zeros(2)}, path)


class Elsewhere(Method):
    """Saves to another name."""

    name = "elsewhere"

    def save(self, path):
        path.with_suffix(".npz").write_bytes(b"weights")


def test_safetensors_are_readable_by_others(tmp_path):
    """safetensors itself writes for the owner alone."""
    before = os.umask(0o022)
    try:
        save_fitted(Tensors(), tmp_path / "new", tmp_path / "weights")
    finally:
        os.umask(before)
    assert (tmp_path / "weights").stat().st_mode & 0o777 == 0o644
    assert sorted(path.name for path in tmp_path.iterdir()) == ["weights"]


def test_a_save_that_writes_to_another_name_is_told(tmp_path):
    """As numpy.savez does, which adds an ending; what was kept before stays."""
    (tmp_path / "weights").write_bytes(b"before")
    with pytest.raises(
        MethodError, match=r"elsewhere: save\(\) wrote no file at the path that it was given"
    ):
        save_fitted(Elsewhere(), tmp_path / "new", tmp_path / "weights")
    assert (tmp_path / "weights").read_bytes() == b"before"
