"""What a cell says while it scores, and what it cannot keep, stand in its row however often it was
cut off."""

import forked
from forked import toy_words

from bench.runs.folder import Run

TALKING = '''
from pathlib import Path
from bench import Method, MethodError, hookimpl

class Talking(Method):
    """Says something of its first clip, and stumbles over the second while there is a file."""

    name = "talking"

    def fit(self, clips, context):
        self.clips = ["a list, which cannot be saved"]

    def score(self, clip, context):
        if clip.id == "01":
            context.logger.warning("clip %s is dark", clip.id)
            context.fact("dark", clip.id)
        if clip.id == "02" and Path("stone").exists():
            raise MethodError("it stumbled")
        return [float(frame.mean()) for frame in clip.frames]

@hookimpl
def bench_methods():
    return [Talking]
'''


def test_what_was_said_before_a_cut_stands_in_the_row(place):
    """Warnings and facts of clips that are not scored again; weights that cannot be saved cost
    neither the scores nor the row."""
    (place / "talking.py").write_text(TALKING)
    (place / "stone").touch()
    words = toy_words("talking", "--plugin", "talking.py", "--keep", "weights", "--out", "run")
    said = forked.bench(*words, cwd=place)
    (cell,) = Run.open(place / "run").cells()
    assert (cell.status, cell.reason) == ("failed", "it stumbled"), said.stderr
    (place / "stone").unlink()
    forked.bench(*words, cwd=place)
    run = Run.open(place / "run")
    (cell,) = run.cells()
    assert (cell.status, cell.attempts, cell.facts) == ("done", 2, {"dark": "01"})
    lost, dark = cell.warnings
    assert lost.startswith("its weights are not kept: talking: attribute 'clips' is a list")
    assert dark == "clip 01 is dark"
    assert run.cell_path(cell).joinpath("log.txt").read_text().count("clip 01 is dark") == 2
