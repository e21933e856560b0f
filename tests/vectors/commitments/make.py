#!/usr/bin/env python3
"""Writes python.tsv: docs/commitments.md, written once more from its words.

Constants are in assembly text. A line is one of
  form <TAB> constant <TAB> hex                                  its bytes
  root <TAB> [[contract, key, value], ...] <TAB> hex             the state root of those pairs
  proof <TAB> [pairs, contract, key] <TAB> hex,hex,... <TAB> end siblings from the root, and the end: [] or [contract, key, value]
  head <TAB> [[contract, entry], ...] <TAB> hex                  the head of that ledger
The seed is fixed, so a second run writes the same file.
"""

import hashlib
import os
import random
import struct

rng = random.Random(20261125)
NONE = bytes(32)


class Map(list):
    """Pairs in order: a dict would take 1, 1.0 and True for one key, as it should, but not keep which came first."""


class Set(list):
    pass


def leb(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out) + bytes([n])


def text(s):
    b = s.encode()
    return leb(len(b)) + b


def form(x):
    if x is None:
        return b"\0"
    if x is False:
        return b"\1"
    if x is True:
        return b"\2"
    if isinstance(x, int):
        n = 1
        while not -(1 << (8 * n - 1)) <= x < 1 << (8 * n - 1):
            n += 1
        return b"\3" + leb(n) + x.to_bytes(n, "little", signed=True)
    if isinstance(x, float):
        return b"\4" + (struct.pack("<Q", 0x7FF8000000000000) if x != x else struct.pack("<d", x))
    if isinstance(x, str):
        return b"\5" + text(x)
    if isinstance(x, Map):
        return b"\7" + leb(len(x)) + b"".join(form(k) + form(v) for k, v in x)
    if isinstance(x, Set):
        return b"\x08" + leb(len(x)) + b"".join(map(form, x))
    return b"\6" + leb(len(x)) + b"".join(map(form, x))


def literal(x):
    if x is None:
        return "null"
    if isinstance(x, bool):
        return str(x).lower()
    if isinstance(x, (int, float)):
        return repr(x)
    if isinstance(x, str):
        return '"' + "".join(c if " " <= c <= "~" and c not in '"\\' else "\\u{%x}" % ord(c) for c in x) + '"'
    if isinstance(x, Map):
        return "{" + ", ".join(literal(k) + ": " + literal(v) for k, v in x) + "}"
    if isinstance(x, Set):
        return "#{" + ", ".join(map(literal, x)) + "}"
    return "[" + ", ".join(map(literal, x)) + "]"


def h(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def path(contract, key):
    return bin(int.from_bytes(b"\1" + h(b"\xf8", text(contract), text(key)), "big"))[3:]


def leaf(pair):
    contract, key, value = pair
    return h(b"\xf9", text(contract), text(key), form(value))


def tree(pairs, prefix=""):
    """Of the pairs whose path begins with the prefix."""
    inside = [p for p in pairs if path(*p[:2]).startswith(prefix)]
    if not inside:
        return NONE
    if len(inside) == 1:
        return leaf(inside[0])
    return h(b"\xfa", tree(inside, prefix + "0"), tree(inside, prefix + "1"))


def proof(pairs, contract, key):
    target = path(contract, key)
    siblings = []
    while True:
        prefix = target[: len(siblings)]
        inside = [p for p in pairs if path(*p[:2]).startswith(prefix)]
        if len(inside) < 2:
            return siblings, inside[0] if inside else []
        bit = target[len(siblings)]
        siblings.append(tree(pairs, prefix + ("1" if bit == "0" else "0")))


def head(entries):
    last = NONE
    for contract, entry in entries:
        last = h(b"\xfb", last, text(contract), form(entry))
    return last


SCALARS = [
    None, True, False, 0, 1, -1, 127, 128, -128, -129, 255, 256, 2**63, -(2**63), 10**30, -(2**8191), 2**8191 - 1, 0.0, -0.0, 1.0, -1.5,
    float("inf"), float("-inf"), float("nan"), 5e-324, "", "a", "naïve", "日本語", "😀", "x" * 127, "x" * 128, "\u0000",
]


def value(depth=0):
    kind = rng.randrange(10)
    if depth > 2 or kind < 6:
        return rng.choice(SCALARS)
    size = rng.randrange(4)
    if kind < 8:
        return [value(depth + 1) for _ in range(size)]
    keys = rng.sample([None, 2, -7, 0.5, "k", "é"], size)
    return Map((k, value(depth + 1)) for k in keys) if kind == 8 else Set(keys)


def pairs(count):
    keys = set()
    while len(keys) < count:
        keys.add((rng.choice(["", "token", "vote"]), rng.choice(["k", "é", "balance:"]) + str(rng.randrange(4 * count + 1))))
    found = sorted(keys)
    rng.shuffle(found)
    return [[c, k, value()] for c, k in found]


lines = []
for x in SCALARS + [value() for _ in range(60)] + [[], Map(), Set(), [0] * 127, [0] * 128]:
    lines.append(["form", literal(x), form(x).hex()])
for count in [0, 1, 1, 2, 2, 3, 3, 4, 5, 8, 13, 30, 100]:
    mine = pairs(count)
    lines.append(["root", literal(mine), tree(mine).hex()])
    asked = [p[:2] for p in mine[:3]] + [["token", "nobody"], ["", ""], ["tok", "enk1"]]
    for contract, key in asked:
        siblings, end = proof(mine, contract, key)
        lines.append(["proof", literal([mine, contract, key]), ",".join(s.hex() for s in siblings), literal(end)])
for count in [0, 1, 2, 3, 20]:
    mine = [[rng.choice(["", "token"]), value()] for _ in range(count)]
    lines.append(["head", literal(mine), head(mine).hex()])
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "python.tsv"), "w", newline="\n") as out:
    out.writelines("\t".join(line) + "\n" for line in lines)
