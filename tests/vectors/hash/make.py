#!/usr/bin/env python3
"""Writes python.tsv: constants in assembly text, and what Python's json and hashlib make of them.

A line is  hash|merkle <TAB> constant <TAB> hex.  For `merkle` the constant is a List, whose elements are the leaves.
The seed is fixed, so a second run writes the same file.
"""

import hashlib
import json
import math
import random
import struct

rng = random.Random(20261122)

TEXTS = [
    "", "a", "hello", "quote\"back\\slash", "tab\tline\nreturn\rbell\x07null\x00del\x7f", "\b\f\x1f ~",
    "é", "naïve café", "Ω≈ç√", "日本語", "\ud7ff\ue000\uffff", "😀", "𝄞 clef", "a😀b", "\u2028\u2029", "x" * 63, "ß" * 64,
]
FLOATS = [
    0.0, -0.0, 1.0, -1.5, 0.1, 1 / 3, 1e15, 1e16, 123456789012345680.0, 1e17, 1e22, 1e23, 1e-4, 1e-5, 9.999e-5, 5e-324,
    2.2250738585072014e-308, 1.7976931348623157e308, float("inf"), float("-inf"), float("nan"), 2.0**53, 2.0**53 + 2,
    math.pi, -math.e, 100.0, 1e100, 4.35, 0.3, 2.675,
]
INTS = [0, 1, -1, 255, 2**31, -(2**31), 2**53 + 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 10**30, -(7**200), 2**8191 - 1]


def literal(x):
    if x is None:
        return "null"
    if x is True:
        return "true"
    if x is False:
        return "false"
    if isinstance(x, int):
        return str(x)
    if isinstance(x, float):
        return repr(x)
    if isinstance(x, str):
        out = []
        for c in x:
            if c in "\"\\":
                out.append("\\" + c)
            elif " " <= c <= "~":
                out.append(c)
            else:
                out.append("\\u{%x}" % ord(c))
        return '"' + "".join(out) + '"'
    if isinstance(x, list):
        return "[" + ", ".join(literal(e) for e in x) + "]"
    return "{" + ", ".join(literal(k) + ": " + literal(v) for k, v in x.items()) + "}"


def random_float():
    if rng.random() < 0.5:
        return rng.choice(FLOATS)
    return struct.unpack("<d", struct.pack("<Q", rng.getrandbits(64)))[0]


def random_text():
    if rng.random() < 0.5:
        return rng.choice(TEXTS)
    alphabet = [chr(c) for c in (*range(0, 128), 0xE9, 0x3A9, 0x65E5, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x1F600, 0x10FFFF)]
    return "".join(rng.choice(alphabet) for _ in range(rng.randrange(12)))


def random_int():
    return rng.choice(INTS) if rng.random() < 0.5 else rng.getrandbits(rng.randrange(1, 300)) * rng.choice([1, -1])


def random_value(depth):
    kind = rng.randrange(8 if depth else 5)
    if kind == 0:
        return rng.choice([None, True, False])
    if kind == 1:
        return random_int()
    if kind == 2:
        return random_float()
    if kind in (3, 4):
        return random_text()
    if kind == 5:
        return [random_value(depth - 1) for _ in range(rng.randrange(5))]
    if kind == 6:
        return {random_text(): random_value(depth - 1) for _ in range(rng.randrange(6))}
    return {random_int(): random_value(depth - 1) for _ in range(rng.randrange(5))}


def canonical(x):
    # json.dumps refuses no key that a program may hash: all are Strings or all are Ints.
    return (x if isinstance(x, str) else json.dumps(x, sort_keys=True)).encode()


def sha(data):
    return hashlib.sha256(data).hexdigest()


def merkle(leaves):
    level = [sha(canonical(leaf)) for leaf in leaves]
    if not level:
        return ""
    while len(level) > 1:
        if len(level) % 2:
            level.append(level[-1])
        level = [sha((level[i] + level[i + 1]).encode()) for i in range(0, len(level), 2)]
    return level[0]


def main():
    values = [None, True, False, *INTS, *FLOATS, *TEXTS, [], {}, [[]], {"b": 1, "a": {"d": 2, "c": [True, None]}}, {10: "x", 9: "y", -1: "z"}]
    values.append({"\uffff": 1, "\U00010000": 2, "é": 3, "e": 4})  # by scalar value, not by UTF-16 unit
    values += [random_value(4) for _ in range(400)]
    lines = ["hash\t%s\t%s" % (literal(v), sha(canonical(v))) for v in values]
    for n in [*range(0, 18), 31, 32, 33]:
        leaves = [random_value(2) for _ in range(n)]
        lines.append("merkle\t%s\t%s" % (literal(leaves), merkle(leaves)))
    with open(__file__.replace("make.py", "python.tsv"), "w", encoding="ascii", newline="\n") as file:
        file.write("\n".join(lines) + "\n")


main()
