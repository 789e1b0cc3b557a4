"""The reader of Matlab files, a process that answers one question after the other."""

import numpy as np
import pytest
import scipy.io

from bench.files import matlab


def test_interrupted_reading_leaves_nothing_for_the_next(tmp_path, monkeypatch):
    """Ctrl-C in the middle of an answer: the next file's arrays are its own."""
    for number in (1, 2):
        scipy.io.savemat(tmp_path / f"{number}.mat", {"gt": np.full((2, 1), number)})

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(matlab.json, "loads", interrupt)
    with pytest.raises(KeyboardInterrupt):
        matlab.load_mat(tmp_path / "1.mat")
    monkeypatch.undo()
    np.testing.assert_array_equal(matlab.load_mat(tmp_path / "2.mat")["gt"], [[2], [2]])
