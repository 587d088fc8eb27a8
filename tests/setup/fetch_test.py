"""What assets/setup/fetch.py makes of servers that break off, cannot go on, or send something else.

    fetch_test.py PYTHON   the one that has the pip of ./lathe
"""

import hashlib
import http.server
import os
import re
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

PYTHON = sys.argv.pop(1)
FETCH = Path(__file__).parents[2] / "assets/setup/fetch.py"
NAME = "thing-1.0-py3-none-any.whl"
CONTENT = bytes(range(256)) * 8000


class Index(http.server.BaseHTTPRequestHandler):
    """A package index with one file."""

    tells_sum, knows_ranges, refuses, max_bytes = True, True, False, len(CONTENT)

    def do_GET(self):
        if not self.path.endswith(".whl"):
            fragment = "#sha256=" + hashlib.sha256(CONTENT).hexdigest() if self.tells_sum else ""
            return self.answer(200, f'<a href="/{NAME}{fragment}">{NAME}</a>'.encode(), [("Content-Type", "text/html")])
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted else 0
        self.server.starts.append(start)
        if self.refuses:
            return self.answer(403, b"")
        if not self.knows_ranges:
            return self.answer(200, CONTENT)
        if start >= len(CONTENT):
            return self.answer(416, b"")
        return self.answer(206 if wanted else 200, CONTENT[start:], most=self.max_bytes)

    def answer(self, status, body, headers=(), most=len(CONTENT)):
        self.send_response(status)
        for name, value in [*headers, ("Content-Length", str(len(body)))]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:most])

    def log_message(self, *_):
        pass


@unittest.skipUnless(os.path.exists(PYTHON), f"no pip at {PYTHON}; ./lathe sets it up when it fetches something")
class Fetch(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.part = self.folder / (NAME + ".part")
        self.patches = self.enterContext(tempfile.TemporaryDirectory())
        Path(self.patches, "sitecustomize.py").write_text("import time; time.sleep = lambda seconds: None")

    def fetch(self, sum=hashlib.sha256(CONTENT).hexdigest(), **server_traits):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("TestIndex", (Index,), server_traits))
        server.starts = self.starts = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
        environment |= {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "no_proxy": "127.0.0.1"}
        environment["PYTHONPATH"] = self.patches
        index = f"http://127.0.0.1:{server.server_port}"
        command = [PYTHON, FETCH, "--index-url", index, "--dest", self.folder, "thing==1.0", "0" * 64, sum]
        result = subprocess.run(command, env=environment, capture_output=True, text=True)
        server.shutdown()
        server.server_close()
        self.said = result.stderr
        return result.returncode

    def expect_the_file(self, status, starts):
        self.assertEqual(status, 0, self.said)
        self.assertEqual((self.folder / NAME).read_bytes(), CONTENT)
        self.assertFalse(self.part.exists())
        self.assertEqual(self.starts, starts)

    def test_goes_on_where_an_earlier_run_ended(self):
        self.part.write_bytes(CONTENT[:5000])
        self.expect_the_file(self.fetch(), [5000])
        self.assertIn("2.0 MB, 0.0 MB of it are there", self.said)

    def test_goes_on_when_the_transfer_breaks_off(self):
        self.expect_the_file(self.fetch(max_bytes=1_500_000), [0, 1_500_000])

    def test_gives_up_where_nothing_comes(self):
        self.assertEqual(self.fetch(max_bytes=0), 1)
        self.assertIn(f"{NAME} keeps breaking off at 0.0 MB", self.said)

    def test_starts_anew_where_the_server_cannot_go_on(self):
        self.part.write_bytes(CONTENT[:5000])
        self.expect_the_file(self.fetch(knows_ranges=False), [5000])

    def test_starts_anew_when_more_is_there_than_the_file_has(self):
        self.part.write_bytes(CONTENT + b"?")
        self.expect_the_file(self.fetch(), [len(CONTENT) + 1, 0])

    def test_keeps_what_is_there_when_the_server_refuses(self):
        self.part.write_bytes(CONTENT[:5000])
        self.assertEqual(self.fetch(refuses=True), 1)
        self.assertIn("403", self.said)
        self.assertEqual(self.part.read_bytes(), CONTENT[:5000])

    def test_asks_for_nothing_when_all_is_there(self):
        for left in (self.part, self.folder / NAME):
            left.write_bytes(CONTENT)
            self.expect_the_file(self.fetch(), [])

    def test_deletes_what_has_another_sum(self):
        self.part.write_bytes(b"?" + CONTENT[1:5000])
        self.assertEqual(self.fetch(), 1)
        self.assertRegex(self.said, f"{NAME} came with the sha256 [0-9a-f]{{64}}, not 0{{64}} or .*; it was deleted")
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_takes_no_file_with_another_sum(self):
        self.assertEqual(self.fetch(sum="1" * 64), 1)
        self.assertIn("no package index in reach offers thing==1.0 with the sha256 ", self.said)
        self.assertEqual(self.starts, [])

    def test_checks_the_sum_where_the_index_tells_none(self):
        self.expect_the_file(self.fetch(tells_sum=False), [0])
        (self.folder / NAME).unlink()
        self.assertEqual(self.fetch(tells_sum=False, sum="1" * 64), 1)
        self.assertEqual(list(self.folder.iterdir()), [])


unittest.main()
