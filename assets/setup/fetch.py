"""Downloads one file of a package index: fetch.py --dest FOLDER [other options of pip download] NAME==VERSION SHA256...
Run by the pip that ./lathe pins, whose finder and session honour the user's index, proxies and certificates. Prints the
path of the file. What a run leaves in FILE.part the next one goes on from; the sum says whether all is right.
"""

import hashlib
import os
import sys
import time
from pathlib import Path

from pip._internal.commands.download import DownloadCommand
from pip._internal.exceptions import CommandError
from pip._internal.models.target_python import TargetPython
from pip._internal.network.utils import HEADERS, raise_for_status, response_chunks
from pip._internal.utils.hashes import Hashes
from pip._vendor.requests import RequestException
from pip._vendor.urllib3.exceptions import HTTPError

MAX_FAILURES = 6  # in a row, with nothing new received


class Part:
    """What has arrived of a file, with its sum so far."""

    def __init__(self, path):
        self.file = open(path, "a+b")
        self.file.seek(0)
        self.digest = hashlib.file_digest(self.file, "sha256")
        self.size = self.file.tell()

    def add(self, chunk):
        self.file.write(chunk)
        self.digest.update(chunk)
        self.size += len(chunk)

    def clear(self):
        self.file.truncate(0)
        self.digest, self.size = hashlib.sha256(), 0


def transfer(session, link, part):
    """Goes on where the part ends, and returns whether all came that the server announced."""
    headers = HEADERS | ({"Range": f"bytes={part.size}-"} if part.size else {})
    with session.get(link.url_without_fragment, headers=headers, stream=True) as response:
        if response.status_code == 416:  # more is there than the file has
            part.clear()
            return False
        raise_for_status(response)
        if response.status_code != 206:
            part.clear()  # the server cannot go on in the middle, and sends all
        start, began, shown = part.size, time.monotonic(), 0
        total = start + int(response.headers.get("content-length", 0))
        there = f", {start / 1e6:.1f} MB of it are there" if start else ""
        print(f"lathe: fetching {link.filename}, {total / 1e6:.1f} MB{there}", file=sys.stderr)
        for chunk in response_chunks(response):
            part.add(chunk)
            now = time.monotonic()
            if sys.stderr.isatty() and now > shown + 0.2:
                done, whole, speed = (n / 1e6 for n in (part.size, total, (part.size - start) / (now - began)))
                print(f"  {done:.1f} of {whole:.1f} MB, {speed:.1f} MB/s\x1b[K", end="\r", file=sys.stderr)
                shown = now
        return part.size >= total


def download(session, link, sums, path):
    part_path = path.with_name(path.name + ".part")
    if path.exists():
        path.rename(part_path)  # a run that broke off later left it; it counts if its sum is right
    part, complete, failures = Part(part_path), False, 0
    while (got := part.digest.hexdigest()) not in sums:
        if complete:
            part_path.unlink()
            raise CommandError(f"{link.filename} came with the sha256 {got}, not {' or '.join(sums)}; it was deleted")
        before, reason = part.size, "the server sent less than announced"
        try:
            complete = transfer(session, link, part)
        except (RequestException, HTTPError) as error:
            reason = error
        failures = 0 if complete or part.size > before else failures + 1
        if failures == MAX_FAILURES:
            raise CommandError(f"{link.filename} keeps breaking off at {part.size / 1e6:.1f} MB: {reason}")
        time.sleep(0 if complete else 2**failures)
    part.file.flush()
    os.fsync(part.file.fileno())  # a power cut must not leave the name without the bytes
    part_path.rename(path)


class Fetch(DownloadCommand):
    def find(self, options, session, requirement, sums):
        """The link to the file with one of the sums, else to one whose sum the index does not tell."""
        name, version = requirement.split("==")
        # Any Python's file serves C++; sums are pinned for these two.
        target = TargetPython(py_version_info=None if sys.version_info[:2] in ((3, 11), (3, 12)) else (3, 12))
        finder = self._build_package_finder(options, session, target, ignore_requires_python=True)
        links = [found.link for found in finder.find_all_candidates(name) if str(found.version) == version]
        pinned = [link for link in links if link.is_hash_allowed(Hashes({"sha256": sums}))]
        for link in pinned or [link for link in links if link.hash_name != "sha256"]:
            return link
        raise CommandError(f"no package index in reach offers {requirement} with the sha256 {' or '.join(sums)}")

    def run(self, options, args):
        options.cache_dir = None  # pip's cache would keep a second copy
        session = self.get_default_session(options)
        link = self.find(options, session, args[0], args[1:])
        path = Path(options.download_dir) / link.filename
        try:
            download(session, link, args[1:], path)
        except OSError as error:
            raise CommandError(f"cannot write {path}: {error.strerror}")
        finally:
            print(end="\x1b[K" if sys.stderr.isatty() else "", file=sys.stderr)  # ends the line that shows the progress
        print(path)
        return 0


sys.exit(Fetch("download", "").main(sys.argv[1:]))
