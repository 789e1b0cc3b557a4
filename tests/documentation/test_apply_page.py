"""docs/apply.md: its commands, one after the other, as a new user types them."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pandas as pd
import pytest
from blocks import ROOT, blocks, commands_of
from click.testing import CliRunner

from bench.cli.main import bench
from bench.files.cache import cache_folder

COMMANDS = [
    words
    for block in blocks(ROOT / "docs" / "apply.md")
    if block.language == "sh"
    for words in commands_of(block.text)
]


class Camera(BaseHTTPRequestHandler):
    """MJPEG without an end."""

    def log_message(self, *arguments):
        pass

    def do_GET(self):  # the library's name
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        data = cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes()
        try:
            while True:
                self.wfile.write(
                    b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data)
                    + data
                    + b"\r\n"
                )
                time.sleep(0.01)
        except OSError:
            return


@pytest.fixture(scope="module")
def camera():
    """The address of a live stream."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/stream"
    server.shutdown()
    server.server_close()


def stop_when_written(folder):
    """Press Ctrl-C once there are lines of frames."""
    end = time.monotonic() + 120
    while (
        not any(path.stat().st_size > 1000 for path in folder.glob("applied/*/scores/*stream.csv"))
        and time.monotonic() < end
    ):
        time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.long
def test_every_command_of_the_page_runs(tmp_path, monkeypatch, camera):
    """From the demo run to a scored new video, to drawn ones, and to a live source that is stopped
    with Ctrl-C."""
    monkeypatch.chdir(tmp_path)
    run, first, drawn, live = COMMANDS
    done = subprocess.run([sys.executable, "-m", *run], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (tmp_path / "videos").mkdir()
    for name in ("02", "04"):
        shutil.copy(
            cache_folder() / "demo-v1" / "Avenue Dataset" / "testing_videos" / f"{name}.avi",
            tmp_path / "videos",
        )
    shutil.copy(tmp_path / "videos" / "04.avi", tmp_path / "new.mp4")
    found = CliRunner().invoke(bench, first[1:])
    assert found.exit_code == 0, found.output
    (scores,) = (tmp_path / "results" / "applied").glob("*/scores/new.csv")
    assert len(pd.read_csv(scores)) == 72 and re.search(
        r"new: event 1 begins at 0:0\d\.\d \(frame \d+\)", found.output
    )
    found = CliRunner().invoke(bench, drawn[1:])
    assert found.exit_code == 0, found.output
    assert sorted(
        path.name for path in (tmp_path / "results" / "applied" / "videos" / "videos").iterdir()
    ) == ["02.mp4", "04.mp4"]
    words = [word.replace("rtsp://camera/stream", camera) for word in live]
    assert words != live
    threading.Thread(target=stop_when_written, args=(tmp_path / "results",), daemon=True).start()
    found = CliRunner().invoke(bench, words[1:])
    assert found.exit_code == 0 and "stream.csv" in found.stderr, found.output
