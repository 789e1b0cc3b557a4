"""`bench` commands as a user types them, in forks of a process that has imported what commands and
workers import, which takes fresh processes one to ten seconds.

That process is forked once, when this module is imported, before any test ran: commands meet
nothing of what tests did. The server of the workers is a fork, too. What only fresh processes show
is tested in `test_demo_run.py`, `test_start_up.py`, `study.ipynb` and with clusters.
"""

import contextlib
import functools
import gc
import importlib
import json
import logging
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import traceback
import warnings
import weakref
from collections.abc import Callable
from multiprocessing import resource_tracker
from pathlib import Path

from bench.cli.main import bench as commands
from bench.executors.local import LocalExecutor
from bench.plugins.registry import load
from bench.worker import server

for module in (
    *("matplotlib.backends.backend_agg", "matplotlib.backends.backend_pdf", "pandas"),
    *("scipy.ndimage", "scipy.stats", "seaborn", "sklearn.metrics", "supervision", "tabulate"),
    *("torch._inductor.config", "torchvision", "trackers"),
    *("bench.applying.application", "bench.cli.commands.report", "bench.cli.commands.run"),
    *("bench.figures.kinds", "bench.planning.memory_estimate", "bench.reporting.report_writer"),
    *("bench.running.session", "bench.tables.kinds", "bench.worker.computing"),
):
    importlib.import_module(module)
load()

TOYS = Path(__file__).with_name("toys.py")
ADDRESS = f"\0bench-tests-{os.getpid()}-{secrets.token_hex(8)}"
"""Of the abstract socket at which commands are asked for."""


def toy_words(methods: str, *more: str) -> list[str]:
    """Return the words of `bench run` of methods on the toy dataset, below `data`."""
    words = ["run", "--methods", methods, "--datasets", "toy", "--plugin", str(TOYS)]
    return [*words, "--data", "data", "--device", "cpu", "--threads", "1", *more]


class Command:
    """`bench WORDS` in a folder, at work in the background; with the part of `subprocess.Popen`
    that is used here. `first` is Python that is executed before the command, in its process."""

    def __init__(
        self, *words: str, cwd: Path, umask: int = -1, first: str = "", **environment: str
    ):
        self.words, self.returncode = words, None
        self._said = [os.memfd_create(name) for name in ("stdout", "stderr")]
        for file in self._said:
            weakref.finalize(self, os.close, file)
        what = {"words": words, "cwd": str(cwd), "umask": umask, "first": first}
        what["environment"] = {**os.environ, **environment}
        self._answers = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._answers.connect(ADDRESS)
        with Path(os.devnull).open() as nothing:
            files = [nothing.fileno(), *self._said]
            socket.send_fds(self._answers, [json.dumps(what).encode()], files)
        self.pid = int(self._answers.recv(99))

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal, or None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float = 240) -> int:
        """Wait for the end and return the exit code; `subprocess.TimeoutExpired` after
        `timeout`."""
        if self.returncode is None:
            if not select.select([self._answers], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.words, timeout)
            with self._answers:
                self.returncode = int(self._answers.recv(99))
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def said(self) -> tuple[str, str]:
        """Return what it has said so far, on stdout and on stderr."""
        stdout, stderr = (os.pread(file, os.fstat(file).st_size, 0) for file in self._said)
        return stdout.decode(errors="replace"), stderr.decode(errors="replace")

    def end(self, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        """Wait for the end; return the exit code and what it said."""
        try:
            code = self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.send_signal(signal.SIGKILL)
            self.wait()
            raise AssertionError(
                f"bench {' '.join(self.words)}: no end after {timeout:g} s"
            ) from None
        return subprocess.CompletedProcess(self.words, code, *self.said())


def bench(
    *words: str, cwd: Path, timeout: float = 240, umask: int = -1, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `bench WORDS` in a folder; return its exit code and what it said."""
    return Command(*words, cwd=cwd, umask=umask, **environment).end(timeout)


SHIM = """#!{python} -IS
import json, os, signal, socket, sys
place = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
place.connect({address!r})
what = dict(words=sys.argv[1:], cwd=os.getcwd(), umask=-1, first="", environment=dict(os.environ))
socket.send_fds(place, [json.dumps(what).encode()], [0, 1, 2])
pid = int(place.recv(99))
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: os.kill(pid, number))
sys.exit(int(place.recv(99)) % 256)
"""


def write_shim(path: Path) -> None:
    """Write a program `bench` that runs what it is given in a fork, for scripts that a shell runs
    while this process lives."""
    path.write_text(SHIM.format(python=sys.executable, address=ADDRESS))
    path.chmod(0o755)


# -- the process that commands are forked from -----------------------------------------------------


def _fork(run: Callable[[], object], stdin: int, stdout: int, stderr: int) -> int:
    """Run a function in a fork that has no open file but these; return its process id. Its exit
    code is 0, that of `SystemExit`, or 1 with a traceback."""
    if pid := os.fork():
        return pid
    code = 1
    try:
        for number, file in enumerate((stdin, stdout, stderr)):
            os.dup2(file, number)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        # These would write into whatever has their numbers now.
        logging.getLogger().handlers.clear()
        tracker = resource_tracker._resource_tracker
        tracker._fd = tracker._pid = None
        gc.freeze()  # what was there before is never collected: it would close files opened now
        gc.enable()
        sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
        run()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _fork_commands() -> None:
    """Fork the command of each connection, tell its process id and, when it ended, its exit code;
    until stdin closes."""
    running: dict[int, tuple[int, socket.socket]] = {}
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asked:
        asked.bind(ADDRESS)
        asked.listen(99)
        os.write(1, b"listening")
        while True:
            for file in select.select([0, asked, *running], [], [])[0]:
                if file == 0:
                    return
                if file is asked:
                    answers, _ = asked.accept()
                    data, files, *_ = socket.recv_fds(answers, 2**18, 3)
                    pid = _fork(functools.partial(_command, **json.loads(data)), *files)
                    for one in files:
                        os.close(one)
                    running[os.pidfd_open(pid)] = pid, answers
                    said = pid
                else:
                    pid, answers = running.pop(file)
                    os.close(file)
                    said = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                with contextlib.suppress(OSError):  # nobody waits for it
                    answers.send(str(said).encode())


def _command(
    words: list[str], cwd: str, umask: int, first: str, environment: dict[str, str]
) -> None:
    os.chdir(cwd)
    if umask >= 0:
        os.umask(umask)
    os.environ.clear()
    os.environ |= environment
    sys.path.insert(0, cwd)
    sys.argv = ["bench", *words]
    warnings.resetwarnings()  # those of pytest are errors
    warnings.simplefilter("ignore", DeprecationWarning)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if words[0] == "run":
        servers = [Server()]
        LocalExecutor.start_server = lambda self, arguments, errors: (
            servers.pop() if servers else Server()
        ).start(arguments, errors)
    exec(first, {})
    commands.main(words)


class Server:
    """The server of the workers, forked before the command does anything: autograd, which its look
    at the memory of networks uses, cannot be used in a process and then in its fork."""

    def __init__(self):
        reading, writing = os.pipe(), os.pipe()
        self.pid = _fork(_serve, reading[0], writing[1], 2)
        os.close(reading[0])
        os.close(writing[1])
        self.stdin, self.stdout = os.fdopen(reading[1], "wb"), os.fdopen(writing[0], "rb")

    def start(self, arguments, errors):
        """Let it begin; return it. As `LocalExecutor.start_server`."""
        self.stdin.write(json.dumps([arguments, str(Path(errors.name).resolve())]).encode() + b"\n")
        self.stdin.flush()
        return self

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def _serve() -> None:
    os.setsid()
    line = b""
    while not line.endswith(b"\n"):
        if not (character := os.read(0, 1)):  # the command ended and started no worker
            return
        line += character
    arguments, errors = json.loads(line)
    os.dup2(os.open(errors, os.O_WRONLY | os.O_APPEND), 2)
    sys.argv = [server.__file__, arguments]
    sys.orig_argv = [sys.executable, "-m", "bench.worker.server", arguments]
    server.main()


_PIPES = os.pipe(), os.pipe()
"""The other ends are its stdin, which closes when this process ends, and its stdout."""
with Path(os.devnull).open("w") as _nothing:
    _fork(_fork_commands, _PIPES[0][0], _PIPES[1][1], _nothing.fileno())
os.close(_PIPES[0][0])
os.close(_PIPES[1][1])
assert os.read(_PIPES[1][0], 99) == b"listening"
