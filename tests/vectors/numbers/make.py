#!/usr/bin/env python3
"""Writes python.tsv: numbers as Python computes them, Floats by their bits.

Lines:  repr <bits> <text> · float <int> <bits> · div <int> <int> <bits> · mod <bits> <bits> <bits> · compare <int> <bits> <-1|0|1>
The seed is fixed, so a second run writes the same file.
"""

import random
import struct

rng = random.Random(20261123)


def bits(x):
    return "%016x" % struct.unpack("<Q", struct.pack("<d", x))[0]


def random_double():
    while True:
        x = struct.unpack("<d", struct.pack("<Q", rng.getrandbits(64)))[0]
        if x == x and abs(x) != float("inf"):
            return x


def near_double():
    return rng.choice([random_double(), float(rng.randrange(-10**6, 10**6)) / rng.choice([1, 2, 3, 8, 10, 1000]), 2.0 ** rng.randrange(-1074, 1024)])


def near_tie():
    """An Int whose 54th bit is the last one set, or nearly."""
    m = rng.getrandbits(53) | (1 << 52)
    e = rng.randrange(0, 900)
    return rng.choice([1, -1]) * (((2 * m + 1) << e) + rng.choice([-1, 0, 0, 1]))


def to_float(n):
    try:
        return float(n)
    except OverflowError:
        return float("inf") if n > 0 else float("-inf")


def divide(a, b):
    try:
        return a / b
    except OverflowError:
        return float("inf") if (a < 0) == (b < 0) else float("-inf")


lines = []
for x in [0.0, -0.0, 1e16, 1e15, 9999999999999998.0, 1e-4, 1e-5, 0.0001234, 5e-324, 1.7976931348623157e308, 2.0**53 + 2, 1e22, 1e23]:
    lines.append("repr\t%s\t%s" % (bits(x), repr(x)))
for _ in range(1500):
    x = near_double()
    lines.append("repr\t%s\t%s" % (bits(x), repr(x)))
for n in [0, 1, -1, 2**53, 2**53 + 1, 2**53 + 3, -(2**53) - 1, 2**63 - 1, 2**63, 2**64, 2**1024 - 1, 2**1024 - 2**970, 2**1024 - 2**970 - 1, -(2**1024), 10**400, 2**8191]:
    lines.append("float\t%d\t%s" % (n, bits(to_float(n))))
for _ in range(800):
    n = rng.choice([near_tie(), rng.getrandbits(rng.randrange(1, 1100)), -rng.getrandbits(rng.randrange(1, 120))])
    lines.append("float\t%d\t%s" % (n, bits(to_float(n))))
for _ in range(1200):
    a = rng.choice([near_tie(), rng.randrange(-1000, 1000), rng.getrandbits(rng.randrange(1, 2400)), 1])
    b = rng.choice([near_tie(), rng.randrange(1, 1000), -rng.getrandbits(rng.randrange(1, 2400)) - 1, 10 ** rng.randrange(300, 340)])
    lines.append("div\t%d\t%d\t%s" % (a, b, bits(divide(a, b))))
for _ in range(500):
    a, b = near_double(), near_double()
    if b != 0:
        lines.append("mod\t%s\t%s\t%s" % (bits(a), bits(b), bits(a % b)))
for a in [5.0, -5.0, 0.0, -0.0]:
    for b in [3.0, -3.0, float("inf"), float("-inf")]:
        lines.append("mod\t%s\t%s\t%s" % (bits(a), bits(b), bits(a % b)))
for _ in range(500):
    x = rng.choice([near_double(), float("inf"), float("-inf"), float(near_tie())])
    n = rng.choice([near_tie(), rng.randrange(-1000, 1000), int(x) if abs(x) != float("inf") else 0, (int(x) if abs(x) != float("inf") else 0) + 1])
    lines.append("compare\t%d\t%s\t%d" % (n, bits(x), (n > x) - (n < x)))
with open(__file__.replace("make.py", "python.tsv"), "w", encoding="ascii", newline="\n") as file:
    file.write("\n".join(lines) + "\n")
