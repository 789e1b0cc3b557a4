"""A server on the loopback with the faults of real ones."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """Serves `files` by their paths; a path may have a fault, by name."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, str] = {}
        self.asked: list[tuple[str, str]] = []
        """Path and Range of each request."""
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_):
        pass

    def do_GET(self):
        path, asked = self.path.strip("/"), self.headers.get("Range", "")
        self.server.asked.append((path, asked))
        fault = self.server.faults.get(path, "")
        if fault.startswith("redirect "):
            self.answer(302, {"Location": fault.removeprefix("redirect ")})
        elif fault == "page":
            self.answer(200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>log in</html>")
        elif fault == "busy":
            self.answer(503)
        elif path not in self.server.files:
            self.answer(404)
        else:
            self.send(self.server.files[path], asked, fault)

    def send(self, content, asked, fault):
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        headers = {"Content-Type": "application/octet-stream"}
        if asked and fault == "no ranges":
            start, asked = 0, ""
        if asked and start >= len(content):
            self.answer(416, {"Content-Range": f"bytes */{len(content)}"})
            return
        if asked and fault == "wrong range":
            headers["Content-Range"] = f"bytes 0-{len(content) - 1}/{len(content)}"
            self.answer(206, headers, content)
            return
        if asked:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        body = content[start:]
        if fault == "too long":
            body += bytes(1000)
        headers["Content-Length"] = str(len(body))
        if fault == "no length":
            del headers["Content-Length"]
        if fault == "cut":  # half of what is left, or the rest
            body = body[: max(1 << 16, len(body) // 2)]
        if fault == "stalls":
            body = body[: len(body) // 2]
        if fault == "dies":  # and nothing behind 5 blocks, ever
            body = content[start : 5 << 14]
        self.answer(206 if asked else 200, headers, body)
        if fault == "stalls":
            self.wfile.flush()
            time.sleep(0.6)

    def answer(self, status, headers=None, body=b""):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
