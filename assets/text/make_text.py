#!/usr/bin/env python3
"""Writes the public-domain prose that Lathe calibrates, heals and measures with.

usage: make_text.py r-cran-janeaustenr_*.deb FOLDER

Writes FOLDER/prose.txt (what ships: two novels, then the first chapters of Northanger Abbey, which make up more than
the last tenth that is held out) and FOLDER/novels.txt (the five novels other than Northanger Abbey: what `tiny` is
trained on, so that the held-out tenth of prose.txt is new to it).
"""

import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import zlib

DATA = "usr/lib/R/site-library/janeaustenr/data/Rdata.rdb"
NOVELS = ["emma", "mansfieldpark", "northangerabbey", "persuasion", "prideprejudice", "sensesensibility"]
FIRST_LINES = {
    "EMMA": "emma",
    "MANSFIELD PARK": "mansfieldpark",
    "NORTHANGER ABBEY": "northangerabbey",
    "Persuasion": "persuasion",
    "PRIDE AND PREJUDICE": "prideprejudice",
    "SENSE AND SENSIBILITY": "sensesensibility",
}
HELD_OUT_CHARACTERS = 170_000


def string_vector(data):
    """The strings of an R character vector in XDR serialisation (R internals, section 1.8)."""
    marker = data.index(struct.pack(">I", 0x10), 14)
    count, at = struct.unpack_from(">I", data, marker + 4)[0], marker + 8
    strings = []
    for _ in range(count):
        flags, length = struct.unpack_from(">Ii", data, at)
        assert flags & 0xFF == 9, f"not a string at byte {at}"
        at += 8
        strings.append("" if length < 0 else data[at : at + length].decode("utf-8"))
        at += max(length, 0)
    return strings


def read_novels(package):
    """Name -> lines. The data file is a row of [length, zlib stream]."""
    novels = {}
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
        raw = (pathlib.Path(folder) / DATA).read_bytes()
    at = 0
    while at < len(raw):
        stream = zlib.decompressobj()
        lines = string_vector(stream.decompress(raw[at + 4 :]))
        at = len(raw) - len(stream.unused_data)
        novels[FIRST_LINES[next(line.strip() for line in lines if line.strip())]] = lines
    assert sorted(novels) == NOVELS, f"expected {NOVELS}, got {sorted(novels)}"
    return novels


def prose(lines):
    """One paragraph a line with a blank line between, without the marks of italics."""
    paragraphs = re.split(r"\n\s*\n", "\n".join(lines))
    joined = [re.sub(r"\s+", " ", paragraph).strip().replace("_", "") for paragraph in paragraphs]
    return "\n\n".join(paragraph for paragraph in joined if paragraph) + "\n\n"


def main():
    package, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    novels = {name: prose(lines) for name, lines in read_novels(package).items()}
    tail = novels["northangerabbey"]
    tail = tail[: tail.index("\n\n", HELD_OUT_CHARACTERS)] + "\n"
    (folder / "prose.txt").write_text(novels["prideprejudice"] + novels["persuasion"] + tail, encoding="utf-8")
    order = ["sensesensibility", "prideprejudice", "mansfieldpark", "emma", "persuasion"]
    (folder / "novels.txt").write_text("".join(novels[name] for name in order), encoding="utf-8")


if __name__ == "__main__":
    main()
