"""Writes models/text/unicode_tables.cc: what CLIP's tokenizer needs of Unicode.

    python tests/parity/unicode_tables.py

Letters, numbers and lower case are asked of the `tokenizers` library itself,
code point by code point, since each of its parts follows another version of
Unicode; decompositions and combining classes are Python's (its NFC and that of
`tokenizers` agree on every code point; checked here).
"""

import pathlib
import unicodedata

from tokenizers import Regex, normalizers, pre_tokenizers

OUT = pathlib.Path(__file__).parents[2] / "models" / "text" / "unicode_tables.cc"
CODES = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]

HEAD = """#include "models/text/unicode_tables.h"

// Written by tests/parity/unicode_tables.py; not edited by hand.
// clang-format off

namespace sono {
"""
TAIL = "\n}  // namespace sono\n"


def matched(pattern):
    split = pre_tokenizers.Split(Regex(pattern), behavior="removed", invert=True)
    pieces = split.pre_tokenize_str("".join(map(chr, CODES)))
    return sorted({ord(char) for piece, _ in pieces for char in piece})


def ranges(codes):
    out = []
    for code in codes:
        if out and out[-1][1] == code - 1:
            out[-1][1] = code
        else:
            out.append([code, code])
    return out


def lower_case():
    """[first, last, stride, distance] of code points with one lower case."""
    lower, out = normalizers.Lowercase(), []
    for code in CODES:
        to = [ord(c) for c in lower.normalize_str(chr(code))]
        if to == [code]:
            continue
        if len(to) > 1:
            assert (code, to) == (0x130, [0x69, 0x307]), "unicode.cc knows one such"
            continue
        distance, last = to[0] - code, out[-1] if out else None
        if last and last[3] == distance and (
                code - last[1] == last[2] if last[1] > last[0] else code - last[1] <= 2):
            last[2], last[1] = code - last[1], code
        else:
            out.append([code, code, 1, distance])
    return out


def decompositions():
    """[code, first, second or 0, 1 when never composed again]."""
    out, nfc = [], normalizers.NFC()
    for code in CODES:
        text = chr(code)
        assert nfc.normalize_str(text) == unicodedata.normalize("NFC", text), hex(code)
        parts = unicodedata.decomposition(text).split()
        if parts and not parts[0].startswith("<"):
            parts = [int(p, 16) for p in parts] + [0]
            excluded = unicodedata.normalize("NFC", text) != text
            out.append([code, parts[0], parts[1], int(excluded)])
    return out


def combining_classes():
    out = []
    for code in CODES:
        value = unicodedata.combining(chr(code))
        if not value:
            continue
        if out and out[-1][1] == code - 1 and out[-1][2] == value:
            out[-1][1] = code
        else:
            out.append([code, code, value])
    return out


def table(kind, name, rows):
    text, line = f"\nconst UnicodeTable<{kind}> {name} = {{\n", ""
    for row in rows:
        item = "{" + ",".join(map(str, row)) + "},"
        if len(line) + len(item) > 100:
            text, line = text + line + "\n", ""
        line += item
    return text + line + "\n};\n"


def main():
    OUT.write_text(
        HEAD + table("CodeRange", "kLetters", ranges(matched(r"[\p{L}]")))
        + table("CodeRange", "kNumbers", ranges(matched(r"[\p{N}]")))
        + table("CodeRange", "kSpaces", ranges(matched(r"\s")))
        + table("CaseRange", "kLowerCase", lower_case())
        + table("Decomposition", "kDecompositions", decompositions())
        + table("ClassRange", "kCombiningClasses", combining_classes()) + TAIL)
    print(OUT, OUT.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
