"""docs/python.md: every line that it shows runs, and prints what it says."""

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "python.md"
# In a process of its own: a run forks, and says on stderr how far it is.
DOCTEST = """
import doctest, sys
flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
found = doctest.DocTestRunner(optionflags=flags).run(doctest.DocTestParser().get_doctest(sys.stdin.read(), {}, "python.md", "", 0))
print(found)
sys.exit(found.failed or found.attempted < 8 or "torch" in sys.modules)
"""


def test_examples_run(tmp_path):
    """In order, in one session, in an empty folder."""
    examples = "\n".join(re.findall(r"```pycon\n(.*?)```", PAGE.read_text(), re.DOTALL))
    done = subprocess.run([sys.executable, "-c", DOCTEST], cwd=tmp_path, input=examples, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
