#!/usr/bin/env python3
"""What the examples should give, worked out in plain Python, without any machine of this repository.

    python3 examples/expected.py           check that the .expected.json files say so
    python3 examples/expected.py --write   write them

Each function below does by ordinary means what the program of its name does by instructions. Gas is worked out here only
where the program's meaning depends on it (out-of-gas, metered-service); in the other files the figure is the oracle's, it
is kept when they are written, and the engine must agree with it.
"""

import functools
import hashlib
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
BLOCK = {"timestamp": 1767225600, "height": 812, "caller": "alice"}


def sha(text):
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def hash_block(data):
    return sha(data if isinstance(data, str) else json.dumps(data, sort_keys=True))


def lines(*items):
    return "".join(f"{item}\n" for item in items)


def outcome(result=None, fault=None, output="", state=None, ledger=(), events=(), audit=(), **more):
    """Everything that can be observed of an execution; state, ledger and so on as they are after it."""
    return {
        **({"fault": fault} if fault else {"result": result}),
        "output": output,
        "state": state or {},
        "ledger": list(ledger),
        "events": [{"event": name, "payload": payload} for name, payload in events],
        "audit": [{"data": data, "action": action, "timestamp": BLOCK["timestamp"]} for data, action in audit],
        **more,
    }


def start_state(name):
    return json.loads((HERE / f"{name}.state.json").read_text())


def token_transfer():
    state = start_state("token-transfer")
    state["balance:alice"] -= 30
    state["balance:bob"] += 30
    reason = f"insufficient funds: bob has {state['balance:bob']}, needs 500"
    return outcome(
        reason,
        state=state,
        events=[("transfer", {"from": "alice", "to": "bob", "amount": 30})],
        audit=[(reason, "transfer refused")],
    )


def overdraft():
    left = start_state("overdraft")["vault"] - 60
    return outcome(
        fault={"name": "RequireFailed", "value": f"overdraft of {60 - left}"},
        output=lines(left),
        state=start_state("overdraft"),
        audit=[(60, "withdrawal asked"), (60, "withdrawal asked")],
    )


def nested_transactions():
    entry = {"extra": "lamp", "price": 40, "timestamp": BLOCK["timestamp"]}
    return outcome(
        940,
        output=lines(900 + 40 + 350 + 60, 940),
        state={"order": "bicycle", "total": 940, "extra:lamp": 40},
        ledger=[entry],
    )


def merkle_root():
    leaves = [
        {"from": "alice", "to": "bob", "amount": 30, "fee": 0.25},
        {"from": "bob", "to": "carol", "amount": 12, "fee": 0.25},
        {"from": "carol", "to": "dörte", "amount": 7, "memo": "für Kaffee ☕"},
        {"from": "dörte", "to": "alice", "amount": 123456789012345678901234567890},
        {"from": "erin", "to": "frank", "amount": 1, "tags": ["gift", None, True]},
    ]
    level = [hash_block(leaf) for leaf in leaves]
    while len(level) > 1:
        level = [sha(level[i] + level[min(i + 1, len(level) - 1)]) for i in range(0, len(level), 2)]
    return outcome(level[0])


def mining():
    block = {"previous": "0" * 32, "merkle_root": "5df6e0e2761359d3", "miner": "erin"}
    block |= {"height": BLOCK["height"], "time": BLOCK["timestamp"], "nonce": 0}
    while not hash_block(block).startswith("000"):
        block["nonce"] += 1
    return outcome({"nonce": block["nonce"], "hash": hash_block(block)})


def out_of_gas():
    # The charges of docs/semantics.md in the order in which they are taken; a text of 8 to 15 scalars costs 1.
    limit, used, audit = 3000, 0, [("airdrop", "begun")]
    prelude = [1, 1, 15, 3, 20, 5]
    key = [2, 1, 2, 3, 1, 2, 3, 1, 1]  # to the end of "balance:" ADD i, and the 10
    write = [30, 1]
    log = [2, 1, 15, 1]
    rest = [2, 5, 3, 2]

    def charge(amounts):
        nonlocal used
        for amount in amounts:
            if used + amount > limit:
                return False
            used += amount
        return True

    charge(prelude)
    i = 0
    while charge(key) and charge(write) and charge(log):
        audit.append((i, "credited"))
        if not charge(rest):
            break
        i += 1
    return outcome(
        fault={"name": "OutOfGas"}, state=start_state("out-of-gas"), audit=audit, given={"gas": limit}, gas=used
    )


def closure_counter():
    return outcome([3, 10], output=lines(1, 2, 10, 3))


def rethrow():
    fault = {"payment": 3, "cause": "TypeMismatch"}
    return outcome(
        {"paid": 30, "rejected": 1, "fault": fault},
        output=lines("rejected payment 1: an amount is above 0", "batch stopped: " + json.dumps(fault)),
    )


def sieve():
    primes = [n for n in range(2, 100) if all(n % d for d in range(2, n))]
    return outcome(primes, output=lines(f"{len(primes)} primes below 100"))


def fibonacci():
    a, b = 0, 1
    for _ in range(18):
        a, b = b, a + b
    return outcome(a)


def factorial():
    product = functools.reduce(lambda a, b: a * b, range(1, 101))
    return outcome(product, output=lines(len(str(product)), sum(map(int, str(product)))))


def word_count():
    text = "  Der BÄR und der Bär: 熊 🐻 熊 – cafe\u0301 und café  ".strip()
    text = "".join(c.lower() if c.isascii() else c for c in text).replace(":", "")
    counts = {}
    for word in text.split(" "):
        counts[word] = counts.get(word, 0) + 1
    return outcome(counts, output=lines(text, len(text), text[20:25], text.index("🐻"), hash_block(counts)))


def auction():
    placed = [("alice", 100), ("bob", 90), ("carol", 150), ("alice", 150)]
    state, events, output = {"owner": BLOCK["caller"]}, [], []
    for by, amount in placed:
        if amount > state.get("highest", 0):
            state |= {"highest": amount, "leader": by}
            events.append(("bid", {"by": by, "amount": amount}))
            output.append("accepted")
        else:
            output.append(f"too low: {amount}")
    return outcome(state["leader"], output=lines(*output), state=state, events=events)


def order_book():
    bids = [(1, 10.5, 30, 900), (2, 11, 40, 905), (3, 10.5, 50, 880), (4, 9.75, 70, 870), (5, 11.0, 20, 901)]
    left, revenue, output = 100, 0, []
    for number, price, quantity, _ in sorted(bids, key=lambda bid: (-bid[1], bid[3])):
        if left:
            taken = min(left, quantity)
            output.append(f"order {number}: {taken} at {price}")
            revenue, left = revenue + taken * price, left - taken
    return outcome(revenue, output=lines(*output))


def registers():
    prime, a, b = 2**127 - 1, 123456789012345678901234567890, 987654321098765432109876543210
    return outcome(pow(43, a * b, prime))


def invoice():
    items = [(499, 3), (120, 10), (0, 1), (18950, 1)]
    gross = [(cents * count * 119 + 50) // 100 for cents, count in items if cents]
    return outcome(sum(gross), output=lines(gross))


def runaway():
    return outcome(fault={"name": "CallTooDeep"}, output=lines(256, 512, 768, 1024))


def metered_service():
    limit, queue, served = 1500, ["sum", "sort", "sign", "send", "seal"] * 2, 0
    output = []
    used = 1 + len(queue) + 3 + 5
    while True:
        used += 2 + 3  # the queue is not empty
        if not queue:
            break
        used += 8
        left = limit - used
        used += 1 + 2 + 3
        if left < 400:
            break
        used += 2 + 200 + 2 + 10 + 10 + 2 + 5 + 3 + 2
        output.append(queue.pop())
        served += 1
    used += 1 + 2 + 30 + len(queue) + 2 + 2
    return outcome(served, output=lines(*output), state={"pending": queue}, given={"gas": limit}, gas=used)


EXAMPLES = [
    token_transfer,
    overdraft,
    nested_transactions,
    merkle_root,
    mining,
    out_of_gas,
    closure_counter,
    rethrow,
    sieve,
    fibonacci,
    factorial,
    word_count,
    auction,
    order_book,
    registers,
    invoice,
    runaway,
    metered_service,
]


def main():
    write = "--write" in sys.argv[1:]
    wrong = 0
    for example in EXAMPLES:
        path = HERE / f"{example.__name__.replace('_', '-')}.expected.json"
        old = json.loads(path.read_text()) if path.exists() else {}
        new = example()
        given = new.pop("given", {})
        new = {"given": {**BLOCK, **given}, **new}
        if "gas" in old:
            new.setdefault("gas", old["gas"])
        # Text, and not values: 1 and 1.0 are not the same result.
        if write:
            path.write_text(json.dumps(new, ensure_ascii=False, indent=2) + "\n")
        elif json.dumps(new) != json.dumps(old):
            wrong += 1
            print(f"{path.name} does not say what {example.__name__} gives", file=sys.stderr)
    print(f"{len(EXAMPLES)} examples, {wrong} wrong")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
