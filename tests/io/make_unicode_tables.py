#!/usr/bin/env python3
"""Writes the tables model/io/unicode_*.inc.

The tables are asked from the `tokenizers` package itself, character by character, so that Lathe classifies and
normalizes as it does, whatever Unicode versions its parts were built with. Run by hand when that package moves on:

    pip install tokenizers && python tests/io/make_unicode_tables.py
"""

import pathlib
import unicodedata

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

IO = pathlib.Path(__file__).resolve().parents[2] / "model" / "io"
CODES = [code for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF]


def matched(pattern):
    """The characters that a regular expression of the package matches."""
    rest = set()
    for _, (start, end) in pre_tokenizers.Split(Regex(pattern), "removed").pre_tokenize_str("".join(map(chr, CODES))):
        rest.update(range(start, end))
    return {code for index, code in enumerate(CODES) if index not in rest}


def numeric():
    """The characters that the Digits pre-tokenizer splits off."""
    spaced = "a".join(map(chr, CODES))
    pieces = pre_tokenizers.Digits(individual_digits=True).pre_tokenize_str(spaced)
    return {CODES[start // 2] for _, (start, end) in pieces if end - start == 1 and start % 2 == 0}


def word():
    """The characters that keep a `single_word` added token from matching when they touch it."""
    probe = Tokenizer(models.BPE(vocab={"a": 0}, merges=[]))
    probe.add_tokens([AddedToken("QQ", single_word=True)])
    encodings = probe.encode_batch(["QQ" + chr(code) for code in CODES])
    return {code for code, encoding in zip(CODES, encodings) if 1 not in encoding.ids}


def punctuation():
    """The characters that the Punctuation pre-tokenizer removes if told so."""
    return {code for code in CODES if not pre_tokenizers.Punctuation("removed").pre_tokenize_str(chr(code))}


def write(name, what, numbers):
    lines = [f"// {what}", f"// Made by tests/io/make_unicode_tables.py with tokenizers {tokenizers.__version__}."]
    line = ""
    for number in numbers:
        if len(line) + len(str(number)) + 1 > 120:
            lines.append(line)
            line = ""
        line += f"{number},"
    (IO / name).write_text("\n".join(lines + [line]) + "\n")


def write_classes():
    classes = [matched(r"\p{L}"), matched(r"\p{N}"), matched(r"\s"), numeric(), word(), punctuation()]
    flags = [0] * 0x110000
    for bit, members in enumerate(classes):
        for code in members:
            flags[code] |= 1 << bit
    ranges, start, end = [], 0, 0
    for code in range(1, 0x110001):
        if code == 0x110000 or flags[code] != flags[start]:
            if flags[start]:
                ranges += [start - end, code - start, flags[start]]
                end = code
            start = code
    write("unicode_classes.inc", "Runs of characters: gap since the last run, length, CharacterClass flags.", ranges)


def combining_class(code, nfd):
    """The mark's class, or 0 if the package is too old to know the mark (it then reorders nothing around it)."""
    rank = unicodedata.combining(chr(code))
    for old_mark in "\u0334\u093c\u05b0\u0316\u0345" if rank else "":
        for text in ("a" + chr(code) + old_mark, "a" + old_mark + chr(code)):
            if nfd.normalize_str(text) != unicodedata.normalize("NFD", text):
                return 0
    return rank


def write_normalization():
    nfd, nfc = normalizers.NFD(), normalizers.NFC()
    hangul = range(0xAC00, 0xD7A4)
    decompositions, pairs, classes = [], [], []
    for code in CODES:
        if code in hangul:
            continue
        whole = nfd.normalize_str(chr(code))
        if whole == chr(code):
            continue
        decompositions.append(code)
        decompositions.append(len(whole))
        decompositions += map(ord, whole)
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and nfc.normalize_str("".join(chr(int(part, 16)) for part in parts)) == chr(code):
            pairs += [int(parts[0], 16), int(parts[1], 16), code]
    start = previous = 0
    for code in range(0x110000):
        rank = combining_class(code, nfd)
        if rank != previous:
            if previous:
                classes += [start, code - start, previous]
            start, previous = code, rank
    write("unicode_decompositions.inc", "Canonical decompositions: character, length, characters.", decompositions)
    write("unicode_compositions.inc", "Canonical compositions: first, second, whole.", pairs)
    write("unicode_combining.inc", "Runs of combining marks: first, length, combining class.", classes)


write_classes()
write_normalization()
