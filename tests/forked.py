"""`bench` commands as a user types them, forked from the process of the tests: it has imported what
a command imports, which takes a fresh process two seconds."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import pandas  # noqa: F401
import scipy.ndimage
import scipy.stats  # noqa: F401

import bench.cli.commands.run
import bench.reporting.output
import bench.running.session
import bench.tables.comparison
from bench.cli.main import bench as commands

TOYS = Path(__file__).with_name("toys.py")


def toy_words(methods: str, *more: str) -> list[str]:
    """Return the words of `bench run` of methods on the toy dataset, below `data`."""
    words = ["run", "--methods", methods, "--datasets", "toy", "--plugin", str(TOYS)]
    return [*words, "--data", "data", "--device", "cpu", "--threads", "1", *more]


def bench(
    *words: str, cwd: Path, timeout: float = 240, umask: int = -1, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `bench WORDS` in a folder; return its exit code and what it said."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        pid = os.fork()
        if not pid:
            _become(words, cwd, umask, environment, output.fileno(), errors.fileno())
        end = time.monotonic() + timeout
        while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
            if time.monotonic() > end:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                raise AssertionError(f"bench {' '.join(words)}: no end after {timeout:g} s")
            time.sleep(0.01)
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(
            words, os.waitstatus_to_exitcode(ended[1]), output.read(), errors.read()
        )


def _become(words, cwd, umask, environment, output, errors) -> None:
    """Turn the forked process into that of the command; does not return."""
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(errors, 2)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
        os.chdir(cwd)
        if umask >= 0:
            os.umask(umask)
        os.environ |= environment
        sys.path.insert(0, str(cwd))
        sys.argv = ["bench", *words]
        warnings.resetwarnings()  # those of pytest are errors
        warnings.simplefilter("ignore", DeprecationWarning)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        commands.main(list(words))
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
