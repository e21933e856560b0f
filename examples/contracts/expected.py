#!/usr/bin/env python3
"""What each call of the scenarios should come to, worked out in plain Python, without any machine of this repository.

    python3 examples/contracts/expected.py           check that the .scenario.json files say so
    python3 examples/contracts/expected.py --write   write them

The classes below do by ordinary means what the contracts of their names do by instructions. Gas is not worked out: the figure is
the oracle's, it is kept when the files are written (null for a call that is new), and the engine must agree with it.
"""

import copy
import hashlib
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
START = 1767225600


class Refused(Exception):
    """A fault: its value, and its name where that is not RequireFailed."""

    def __init__(self, value, name="RequireFailed"):
        super().__init__(value)
        self.value, self.name = value, name


def need(condition, message):
    if not condition:
        raise Refused(message)


def hash_block(data):
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode("utf-8")).hexdigest()


def is_int(value, least=None):
    return type(value) is int and (least is None or value >= least)


def is_text(value):
    return type(value) is str and value != ""


def changes(before, after):
    return {key: after[key] for key in sorted(after) if key not in before or before[key] != after[key]}


class Contract:
    """A state, and what one call adds to it. `attempt` is a transaction: a fault inside leaves nothing but the audit log."""

    def __init__(self, state):
        self.state, self.events, self.ledger, self.audit = state, [], [], []
        self.caller, self.timestamp, self.height = "", 0, 0

    def emit(self, event, **payload):
        self.events.append({"event": event, "payload": payload})

    def attempt(self, action):
        kept = copy.deepcopy((self.state, self.events, self.ledger))
        try:
            return action()
        except Refused:
            self.state, self.events, self.ledger = kept
            raise

    def call(self, entry, arguments, caller, timestamp, height):
        self.events, self.ledger, self.audit = [], [], []
        self.caller, self.timestamp, self.height = caller, timestamp, height
        before = copy.deepcopy(self.state)
        try:
            outcome = {"result": self.attempt(lambda: getattr(self, entry)(*copy.deepcopy(arguments)))}
        except Refused as fault:
            outcome = {"fault": {"name": fault.name, "value": fault.value}}
        left = {"changes": changes(before, self.state), "events": self.events, "ledger": self.ledger, "audit": self.audit}
        return copy.deepcopy({**outcome, **left})


class Token(Contract):
    ACCOUNT, AMOUNT = "an account is a non-empty String", "an amount is an Int of 0 or more"

    def total_supply(self):
        return self.state.get("supply", 0)

    def balance_of(self, account):
        need(is_text(account), self.ACCOUNT)
        return self.state.get(f"balance:{account}", 0)

    def key(self, owner, spender):
        need(is_text(owner) and is_text(spender), self.ACCOUNT)
        return "allowance:" + json.dumps([owner, spender])

    def allowance(self, owner, spender):
        return self.state.get(self.key(owner, spender), 0)

    def deploy(self, supply):
        need(is_int(supply, 0), self.AMOUNT)
        need(is_text(self.caller), self.ACCOUNT)
        need("supply" not in self.state, "deployed already")
        self.state.update({"supply": supply, f"balance:{self.caller}": supply})
        self.emit("transfer", **{"from": None, "to": self.caller, "amount": supply})

    def move(self, source, to, amount):
        need(is_int(amount, 0), self.AMOUNT)
        need(self.balance_of(source) >= amount, "insufficient balance")
        need(is_text(to), self.ACCOUNT)
        self.state[f"balance:{source}"] = self.balance_of(source) - amount
        self.state[f"balance:{to}"] = self.balance_of(to) + amount
        self.emit("transfer", **{"from": source, "to": to, "amount": amount})

    def spend(self, source, amount):
        need(is_int(amount, 0), self.AMOUNT)
        need(self.allowance(source, self.caller) >= amount, "insufficient allowance")
        self.state[self.key(source, self.caller)] = self.allowance(source, self.caller) - amount

    def transfer(self, to=None, amount=None):
        self.move(self.caller, to, amount)
        return True

    def approve(self, spender, amount):
        need(is_int(amount, 0), self.AMOUNT)
        self.state[self.key(self.caller, spender)] = amount
        self.emit("approval", owner=self.caller, spender=spender, amount=amount)
        return True

    def transfer_from(self, source, to, amount):
        self.spend(source, amount)
        self.move(source, to, amount)
        return True

    def transfer_many(self, payments):
        need(type(payments) is list, "payments are a List")

        def pay(payment):
            need(type(payment) is list and len(payment) == 3, "a payment is [from, to, amount]")
            source, to, amount = payment
            if source != self.caller:
                self.spend(source, amount)
            self.move(source, to, amount)

        outcomes = []
        for payment in payments:
            try:
                self.attempt(lambda payment=payment: pay(payment))
                outcomes.append(None)
            except Refused as fault:
                outcomes.append(fault.value)
        return outcomes


# The public keys of RFC 8032, 7.1, tests 1 to 3; the signatures are what `zexus key sign` makes with their private keys.
BUYER, SELLER, ARBITER = KEYS = [
    "ed25519:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "ed25519:3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    "ed25519:fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
]
SIGNATURES = {
    (BUYER, 'escrow [1, "release", "bob", 25, 0]'): "026ea1b37a47995d6aa1889db5a6aeeec27aaf525cd122ed7becabb1f365784b785765aba2a1f5eee0f4a076c67f21d384496cee63ba95174176b02361d65600",
    (SELLER, 'escrow [1, "release", "bob", 25, 0]'): "993c919086126b958c82a7a7894b62df2102052d655ab433b128592d5dd17935be979e9158a71b6e73c752cf34679215819d9f27f2eab801b8d78c2951bd3d0d",
    (SELLER, 'escrow [1, "release", "bob", 25, 1]'): "e1512cf0a3d2f93dfadd8e40f2e5009f63493003fcc6142843fef5d146fe40d1024b3b06f8672b0c4efd023f4f94521abe1e132f2777218ea146546cbe82cb03",
    (ARBITER, 'escrow [1, "release", "bob", 25, 1]'): "eb24d4d6aed27866487ad1d5d3bc5149bd5e5e97064bf30418e8543688264ef95a87f3eda76158f3a77f31d42e17fb4b4fe7dc93f4c3398970e7f91db493be07",
    (BUYER, 'escrow [1, "refund", "alice", 10, 2]'): "5239f9c8f8eedc5b05034a3f2e310b1c7976494c4432742aa0905007b0bcbd05f91b5b4602e79ec135216e3fb08bc375e95401ac122c00e8f7efcd99f63adf0c",
    (SELLER, 'escrow [1, "refund", "alice", 10, 2]'): "1a501f389f8ef228617d684b5824b1939464a3787df646867628307cfa818b09010a11b2c6e6d1920c6e0a850f894cc1d4f6e6863993b37efc66a4b337378204",
    (ARBITER, 'escrow [1, "refund", "alice", 10, 2]'): "4996766604004d0752ce0fb9af583d150a630f07fa9aa41d21833f0f91bc3e725f11b94a2b1a139387e2014a29cdace13f6ceb52d22257329307d950d74d6b0c",
    (BUYER, 'escrow [2, "refund", "carol", 5, 0]'): "8562dcb81139fae1b3e6f3562f5fc91bc89e848d056921a983cc653e222df0427e1137aba7180008504dbf143bfdd08301328e40dbe58cc6331a7bfb04e57d06",
    (ARBITER, 'escrow [2, "refund", "carol", 5, 0]'): "441f310df91ccf3ff7085c3343c42423ca0feb6816750d3ab557e206eead28650ea09723da727b68088f6497f1a3f2ef6bc24b852fb9076c3a788fa1300e1601",
}


def signed(message, *keys):
    """The signatures of these keys, null for the others."""
    return [SIGNATURES[key, message] if key in keys else None for key in KEYS]


class Escrow(Contract):
    PAYMENT = "an amount is an Int above 0"

    def count(self):
        return self.state.get("escrows", 0)

    def show(self, number):
        need(is_int(number), "an id is an Int")
        need(f"escrow:{number}" in self.state, "no such escrow")
        return self.state[f"escrow:{number}"]

    def receiver(self, escrow, action):
        need(action in ("release", "refund"), 'an action is "release" or "refund"')
        return escrow["seller" if action == "release" else "buyer"]

    def message(self, number, action, amount):
        escrow = self.show(number)
        return "escrow " + json.dumps([number, action, self.receiver(escrow, action), amount, escrow["nonce"]])

    def open(self, seller, amount, keys):
        buyer = self.caller
        need(is_text(buyer) and is_text(seller), "an account is a non-empty String")
        need(buyer != seller, "buyer and seller are one")
        need(is_int(amount, 1), self.PAYMENT)
        need(
            type(keys) is list
            and len(keys) == 3
            and all(is_text(key) and key.startswith("ed25519:") and len(key) == 72 and key == key.lower() for key in keys)
            and len(set(keys)) == 3,
            "keys are three different ones, ed25519: and 64 small digits",
        )
        balance = self.state.get(f"balance:{buyer}", 0)
        need(balance >= amount, "insufficient balance")
        number = self.count() + 1
        self.state["escrows"] = number
        self.state[f"balance:{buyer}"] = balance - amount
        self.state[f"escrow:{number}"] = {"buyer": buyer, "seller": seller, "held": amount, "nonce": 0, "keys": keys}
        self.emit("opened", id=number, buyer=buyer, seller=seller, amount=amount)
        return number

    def pay(self, action, number, amount, signatures):
        escrow = self.show(number)
        to = self.receiver(escrow, action)
        need(is_int(amount, 1), self.PAYMENT)
        need(amount <= escrow["held"], "more than is held")
        need(type(signatures) is list, "signatures are a List")
        need(len(signatures) == 3, "signatures are three, null for one that is not there")
        message = self.message(number, action, amount)
        valid = sum(SIGNATURES.get((key, message), "") == text for key, text in zip(escrow["keys"], signatures))
        need(valid >= 2, "two of the three must sign")
        self.emit("paid", id=number, action=action, to=to, amount=amount, nonce=escrow["nonce"])
        escrow["held"] -= amount
        escrow["nonce"] += 1
        self.state[f"balance:{to}"] = self.state.get(f"balance:{to}", 0) + amount
        return escrow["held"]

    def release(self, number, amount, signatures):
        return self.pay("release", number, amount, signatures)

    def refund(self, number, amount, signatures):
        return self.pay("refund", number, amount, signatures)


class Vote(Contract):
    def ballot(self):
        return self.state.get("ballot")

    def open(self, question, options, deadline):
        need(self.ballot() is None, "opened already")
        need(is_text(self.caller), "the caller has no name")
        need(is_text(question), "a question is a non-empty String")
        need(type(options) is list, "options are a List")
        need(len(options) >= 2, "a vote has two options or more")
        need(is_int(deadline), "a deadline is an Int")
        need(self.timestamp < deadline, "the deadline is over")
        for i, option in enumerate(options):
            need(is_text(option), "an option is a non-empty String")
            need(options.index(option) == i, "an option stands there twice")
        self.state["ballot"] = {"question": question, "options": options, "deadline": deadline, "owner": self.caller}
        self.state["counts"] = [0 for _ in options]
        self.emit("opened", question=question, deadline=deadline)

    def deadline(self):
        need(self.ballot() is not None, "not opened yet")
        return self.ballot()["deadline"]

    def vote(self, option):
        need(self.timestamp < self.deadline(), "the vote is over")
        need(is_text(self.caller), "the caller has no name")
        need(f"voted:{self.caller}" not in self.state, "voted already")
        counts = self.state["counts"]
        need(is_int(option, 0) and option < len(counts), "no such option")
        self.state[f"voted:{self.caller}"] = option
        counts[option] += 1
        self.emit("voted", by=self.caller, option=option)

    def result(self):
        need(self.timestamp >= self.deadline(), "the vote goes on")
        counts = self.state["counts"]
        first = [option for option, n in zip(self.ballot()["options"], counts) if n == max(counts)]
        return {"counts": counts, "winner": first[0] if len(first) == 1 else None}

    def close(self):
        outcome = self.result()
        need(self.caller == self.ballot()["owner"], "the owner closes")
        need("closed" not in self.state, "closed already")
        self.state["closed"] = True
        self.ledger.append({"question": self.ballot()["question"], **outcome, "timestamp": self.timestamp})
        self.emit("closed", winner=outcome["winner"])
        return outcome


class Mining(Contract):
    FIELDS = ["height", "miner", "nonce", "previous", "time", "transactions"]

    def tip(self):
        return self.state.get("tip")

    def start(self, zeros):
        need("zeros" not in self.state, "started already")
        need(is_int(zeros), "zeros are an Int")
        need(1 <= zeros <= 8, "zeros are 1 to 8")
        self.state["zeros"] = zeros

    def zeros(self):
        need("zeros" in self.state, "not started yet")
        return self.state["zeros"]

    def has_proof(self, header):
        return hash_block(header).startswith("0" * self.zeros())

    def mine(self, transactions):
        self.zeros()
        need(is_text(self.caller), "the miner has no name")
        need(type(transactions) is list, "transactions are a List")
        header = next_header(self.tip(), self.caller, self.timestamp, transactions)
        while not self.has_proof(header):
            header["nonce"] += 1
        self.append(header, transactions)
        return header

    def append(self, header, transactions):
        before = self.tip()
        self.zeros()
        need(before is None or self.has_proof(before), "the block before has no proof of work")
        need(type(header) is dict, "a header is a Map")
        need(sorted(header) == self.FIELDS, "a header has height, miner, nonce, previous, time, transactions")
        above = next_header(before, "", 0, [])
        need(is_int(header["height"]) and header["height"] == above["height"], "the height is not the next")
        need(header["previous"] == above["previous"], "the block is not on top of the last")
        need(is_text(header["miner"]), "the miner has no name")
        need(is_int(header["time"]), "a time is an Int")
        need(header["time"] >= (before or {"time": 0})["time"], "the time is before that of the last block")
        need(header["time"] <= self.timestamp, "the time is still to come")
        need(type(transactions) is list, "transactions are a List")
        need(header["transactions"] == hash_block(transactions), "the transactions are others")
        need(self.has_proof(header), "no proof of work")
        digest, reward = hash_block(header), f"reward:{header['miner']}"
        self.state["tip"] = header
        self.state[reward] = self.state.get(reward, 0) + 1
        self.ledger.append(
            {"header": header, "hash": digest, "transactions": transactions, "timestamp": self.timestamp}
        )
        self.emit("mined", height=header["height"], hash=digest, miner=header["miner"])

    def submit(self, blocks):
        need(type(blocks) is list, "blocks are a List")
        for block in blocks:
            self.append(block.get("header"), block.get("transactions"))
        return (self.tip() or {}).get("height")


def next_header(before, miner, time, transactions):
    return {
        "height": before["height"] + 1 if before else 1,
        "miner": miner,
        "nonce": 0,
        "previous": hash_block(before) if before else "",
        "time": time,
        "transactions": hash_block(transactions),
    }


def proved(header, zeros):
    """The header with the first nonce from its own on that is a proof of work."""
    while not hash_block(header).startswith("0" * zeros):
        header["nonce"] += 1
    return header


def block(before, miner, time, transactions, zeros):
    """A block as another miner finds it."""
    header = proved(next_header(before, miner, time, transactions), zeros)
    return {"header": header, "transactions": transactions}


class Audit(Contract):
    def head(self):
        return self.state.get("head", {"count": 0, "hash": ""})

    def refuse(self, entry, because):
        self.audit.append(
            {
                "data": {"by": self.caller, "entry": entry, "because": because},
                "action": "refused",
                "timestamp": self.timestamp,
            }
        )

    def demand(self, condition, entry, because):
        if not condition:
            self.refuse(entry, because)
            raise Refused(because)

    def open(self):
        need(is_text(self.caller), "a name is a non-empty String")
        need("owner" not in self.state, "opened already")
        self.state.update({"owner": self.caller, f"writer:{self.caller}": True})

    def set_writer(self, entry, who, may):
        need(is_text(who), "a name is a non-empty String")
        self.demand(self.caller == self.state.get("owner"), entry, "not the owner")
        self.state[f"writer:{who}"] = may
        self.emit("granted" if may else "revoked", who=who)

    def grant(self, who):
        self.set_writer("grant", who, True)

    def revoke(self, who):
        self.set_writer("revoke", who, False)

    def append(self, action, data):
        need(is_text(action), "an action is a non-empty String")
        if type(data) is dict and "$set" in data:
            raise Refused("TypeMismatch", "TypeMismatch")  # a Set has no canonical JSON
        head = self.head()
        line = {
            "index": head["count"],
            "previous": head["hash"],
            "by": self.caller,
            "timestamp": self.timestamp,
            "action": action,
            "data": data,
        }
        digest = hash_block(line)
        self.ledger.append(line)
        self.state["head"] = {"count": head["count"] + 1, "hash": digest}
        self.emit("recorded", index=head["count"], hash=digest)
        return digest

    def record(self, action, data):
        self.demand(self.state.get(f"writer:{self.caller}"), "record", "not a writer")
        return self.append(action, data)

    def record_all(self, items):
        self.demand(self.state.get(f"writer:{self.caller}"), "record_all", "not a writer")
        need(type(items) is list, "items are a List")
        hashes = []

        def append(item):
            need(type(item) is list and len(item) == 2, "an item is [action, data]")
            return self.append(*item)

        for item in items:
            try:
                hashes.append(self.attempt(lambda item=item: append(item)))
            except Refused as fault:
                self.refuse("record_all", fault.value)
                hashes.append(fault.value)
        return hashes

    def verify(self, entries, count, digest):
        need(type(entries) is list, "entries are a List")
        previous = ""
        for i, entry in enumerate(entries):
            if type(entry) is not dict or entry.get("previous") != previous or entry.get("index") != i:
                return i
            previous = hash_block(entry)
        return True if (len(entries), previous) == (count, digest) else len(entries)


class Shop(Contract):
    """`called` has the contracts that it can call, by id."""

    called = {}

    def call_contract(self, contract, entry, *arguments):
        """What it comes to for a caller that catches faults."""
        if contract not in self.called:
            return "UndefinedFunction"
        outcome = self.called[contract].call(entry, arguments, "shop", self.timestamp, self.height)
        self.audit += [{"contract": contract, **entry} for entry in outcome["audit"]]
        if "fault" in outcome:
            fault = outcome["fault"]
            return {"contract": contract, "function": entry, "fault": fault["name"], "value": fault["value"]}
        assert not outcome["ledger"], "a scenario cannot speak of a called contract's ledger"
        self.events += [{"contract": contract, **event} for event in outcome["events"]]
        return outcome["result"]

    def attempt(self, action):
        kept = {contract: copy.deepcopy(other.state) for contract, other in self.called.items()}
        try:
            return super().attempt(action)
        except Refused:
            for contract, other in self.called.items():
                other.state = kept[contract]
            raise

    def sales(self):
        return self.state.get("sales", 0)

    def buy(self, thing=None, price=None):
        sale = self.state["sales"] = self.sales() + 1
        answer = self.call_contract("token", "transfer_from", self.caller, "shop", price)
        need(answer is True, f"not paid: {answer if type(answer) is str else json.dumps(answer)}")
        self.ledger.append(
            {"sale": sale, "buyer": self.caller, "thing": thing, "price": price, "timestamp": self.timestamp}
        )
        return sale


class Echo(Contract):
    def transfer_from(self, source, to, amount):
        return amount


class Scenario:
    """Calls of one contract, one after the other. `called`: by id, the models and states of the contracts that it can call."""

    def __init__(self, model, entries, state=None, contract=None, called=None):
        self.contract, self.entries, self.calls = model(copy.deepcopy(state or {})), entries.split(), []
        self.head = {"program": program(model), "entries": self.entries, "state": state or {}}
        self.called = {}
        if contract:
            self.called = {name: other(copy.deepcopy(start)) for name, (other, start) in called.items()}
            self.contract.called = self.called
            self.head["contract"] = contract
            self.head["contracts"] = {
                name: {"program": program(other), "state": start} for name, (other, start) in called.items()
            }

    def __call__(self, caller, entry, *arguments, after=0, height=812):
        given = {
            "caller": caller,
            "timestamp": START + after,
            "height": height,
            "entry": entry,
            "arguments": list(arguments),
        }
        before = {name: copy.deepcopy(other.state) for name, other in self.called.items()}
        outcome = self.contract.call(entry, list(arguments), caller, START + after, height)
        if self.called:
            outcome["called"] = {name: changes(before[name], other.state) for name, other in self.called.items()}
        self.calls.append({**given, **outcome})
        return outcome

    def json(self):
        return {**self.head, "calls": self.calls}


def program(model):
    return f"{model.__name__.lower()}.zxa"


def token():
    call = Scenario(
        Token, "total_supply balance_of allowance deploy transfer approve transfer_from transfer_many"
    )
    call("alice", "total_supply")
    call("alice", "transfer", "bob", 1)
    call("alice", "deploy", -1)
    call("", "deploy", 1000)
    call("alice", "deploy", 1000)
    call("bob", "deploy", 1000)
    call("alice", "total_supply")
    call("alice", "transfer", "bob", 300)
    call("alice", "transfer", "bob", 0)
    call("alice", "transfer", "alice", 700)
    call("alice", "transfer", "bob", 701)
    call("alice", "transfer", "bob", -5)
    call("alice", "transfer", "bob", True)
    call("alice", "transfer", "bob")
    call("alice", "transfer", "", 5)
    call("alice", "transfer", 7, 5)
    call("bob", "balance_of", "bob")
    call("bob", "balance_of", None)
    call("carol", "transfer_from", "alice", "carol", 1)
    call("alice", "approve", "carol", 100)
    call("alice", "approve", "carol", -1)
    call("alice", "approve", "", 1)
    call("alice", "allowance", "alice", "carol")
    call("carol", "transfer_from", "alice", "dave", 40)
    call("carol", "transfer_from", "alice", "dave", 61)
    call("carol", "transfer_from", "alice", "dave", -1)
    call("carol", "transfer_from", "alice", ["dave"], 10)
    call("alice", "approve", "carol", 5000)
    call("carol", "transfer_from", "alice", "dave", 4000)
    call("alice", "allowance", "alice", "carol")
    call(
        "carol",
        "transfer_many",
        [
            ["alice", "carol", 60],
            ["carol", "dave", 10],
            ["alice", "dave", 4000],
            ["bob", "dave", 1],
            ["carol", None, 1],
            "dave",
            ["carol", "carol", 50],
            [],
        ],
    )
    call("carol", "transfer_many", {"carol": 1})
    call("carol", "transfer_many", [])
    call("dave", "balance_of", "dave")
    return call


def escrow():
    state = {"balance:alice": 100, "balance:bob": 5}
    call = Scenario(Escrow, "count show message open release refund", state)
    first = 'escrow [1, "release", "bob", 25, 0]'
    second = 'escrow [1, "release", "bob", 25, 1]'
    rest = 'escrow [1, "refund", "alice", 10, 2]'
    other = 'escrow [2, "refund", "carol", 5, 0]'
    call("alice", "count")
    call("alice", "show", 1)
    call("alice", "open", "alice", 60, KEYS)
    call("", "open", "bob", 60, KEYS)
    call("alice", "open", "bob", 0, KEYS)
    call("alice", "open", "bob", "60", KEYS)
    call("alice", "open", "bob", 101, KEYS)
    call("alice", "open", "bob", 60, [BUYER, SELLER])
    call("alice", "open", "bob", 60, [BUYER, SELLER, BUYER])
    call("alice", "open", "bob", 60, [BUYER, SELLER, BUYER.upper()])
    call("alice", "open", "bob", 60, [BUYER, SELLER, 3])
    call("alice", "open", "bob", 60, "keys")
    call("alice", "open", "bob", 60, KEYS)
    call("alice", "count")
    call("alice", "show", 1)
    call("alice", "show", "1")
    call("bob", "message", 1, "release", 25)
    call("bob", "message", 1, "keep", 25)
    call("bob", "release", 1, 25, signed(first, SELLER))
    call("bob", "release", 1, 25, [SIGNATURES[SELLER, first]] * 3)
    call("bob", "release", 1, 25, signed(first, BUYER, SELLER)[:2])
    call("bob", "release", 1, 25, None)
    call("bob", "release", 1, 26, signed(first, BUYER, SELLER))
    call("bob", "refund", 1, 25, signed(first, BUYER, SELLER))
    call("bob", "release", 1, 61, signed(first, BUYER, SELLER))
    call("bob", "release", 1, -25, signed(first, BUYER, SELLER))
    call("bob", "release", 2, 25, signed(first, BUYER, SELLER))
    call("bob", "release", 1, 25, signed(first, BUYER, SELLER))
    call("bob", "release", 1, 25, signed(first, BUYER, SELLER))
    call("dave", "release", 1, 25, signed(second, SELLER, ARBITER))
    call("alice", "refund", 1, 10, signed(rest, BUYER, SELLER, ARBITER))
    call("alice", "refund", 1, 10, signed(rest, BUYER, SELLER, ARBITER))
    call("bob", "open", "carol", 30, KEYS)
    call("bob", "message", 2, "refund", 5)
    call("carol", "refund", 2, 5, signed(other, BUYER, ARBITER))
    call("alice", "show", 1)
    return call


def vote():
    call = Scenario(Vote, "ballot open vote result close")
    options = ["red", "green", "blue"]
    call("alice", "ballot")
    call("alice", "vote", 0)
    call("alice", "result")
    call("alice", "open", "", options, START + 100)
    call("alice", "open", "which colour?", "red", START + 100)
    call("alice", "open", "which colour?", ["red"], START + 100)
    call("alice", "open", "which colour?", ["red", "green", "red"], START + 100)
    call("alice", "open", "which colour?", ["red", 2], START + 100)
    call("alice", "open", "which colour?", options, START)
    call("alice", "open", "which colour?", options, "tomorrow")
    call("alice", "open", "which colour?", options, START + 100)
    call("alice", "open", "which colour?", options, START + 200)
    call("bob", "vote", 1, after=10)
    call("bob", "vote", 2, after=11)
    call("carol", "vote", 3, after=12)
    call("carol", "vote", -1, after=12)
    call("carol", "vote", True, after=12)
    call("carol", "vote", "red", after=12)
    call("", "vote", 0, after=12)
    call("carol", "vote", 0, after=13)
    call("dave", "result", after=99)
    call("alice", "close", after=99)
    call("dave", "vote", 1, after=99)
    call("erin", "vote", 1, after=100)
    call("erin", "result", after=100)
    call("bob", "close", after=101)
    call("alice", "close", after=102)
    call("alice", "close", after=103)
    return call


def vote_tie():
    call = Scenario(Vote, "ballot open vote result close")
    call("alice", "open", "tea or coffee?", ["tea", "coffee"], START + 10)
    call("bob", "vote", 0)
    call("carol", "vote", 1)
    call("alice", "close", after=10)
    return call


def mining():
    call = Scenario(Mining, "tip start mine submit")
    call("erin", "mine", ["alice pays bob 5"])
    call("erin", "start", 0)
    call("erin", "start", "1")
    call("erin", "start", 1)
    call("erin", "start", 2)
    call("erin", "tip")
    call("", "mine", ["alice pays bob 5"])
    call("erin", "mine", "alice pays bob 5")
    call("erin", "mine", ["alice pays bob 5"], after=5)
    one = call.contract.tip()
    call("erin", "mine", [{"from": "bob", "to": "carol", "amount": 3}, {"set": 1}], after=9)
    two = call.contract.tip()
    third = block(two, "frank", START + 12, ["carol pays dave 1"], 1)
    fourth = block(third["header"], "frank", START + 13, [], 1)

    def third_but(**wrong):
        return {**third, "header": proved({**third["header"], **wrong}, 1)}

    unproved = copy.deepcopy(third)
    while hash_block(unproved["header"]).startswith("0"):
        unproved["header"]["nonce"] += 1
    call("frank", "submit", third, after=20)
    call("frank", "submit", [{}], after=20)
    call("frank", "submit", [{"header": {"height": 3}, "transactions": []}], after=20)
    call("frank", "submit", [third_but(height=4)], after=20)
    call("frank", "submit", [third_but(previous=hash_block(one))], after=20)
    call("frank", "submit", [third_but(miner=None)], after=20)
    call("frank", "submit", [third_but(time="soon")], after=20)
    call("frank", "submit", [third_but(time=START + 8)], after=20)
    call("frank", "submit", [third_but(time=START + 21)], after=20)
    call("frank", "submit", [{**third, "transactions": ["carol pays frank 1"]}], after=20)
    call("frank", "submit", [{**third, "transactions": "carol pays dave 1"}], after=20)
    call("frank", "submit", [unproved], after=20)
    call("frank", "submit", [third, third], after=20)
    call("frank", "submit", [third, fourth], after=20)
    call("frank", "submit", [], after=20)
    call("frank", "tip", after=20)
    return call


def mining_forged():
    """Somebody has changed the last header in the state: nothing goes on top of it."""
    forged = next_header(None, "erin", START, [])
    while hash_block(forged).startswith("0"):
        forged["nonce"] += 1
    call = Scenario(Mining, "tip start mine submit", {"zeros": 1, "tip": forged})
    call("erin", "mine", ["alice pays bob 5"])
    call("frank", "submit", [block(forged, "frank", START, [], 1)])
    return call


def audit():
    call = Scenario(Audit, "head open grant revoke record record_all verify")
    call("alice", "head")
    call("alice", "record", "deposit", 100)
    call("alice", "grant", "alice")
    call("", "open")
    call("alice", "open")
    call("mallory", "open")
    call("mallory", "grant", "mallory")
    call("alice", "grant", 5)
    call("alice", "grant", "bob")
    written = []

    def write(*arguments, **more):
        written.extend(call(*arguments, **more)["ledger"])

    write("bob", "record", "deposit", {"account": 17, "cents": 2500}, after=3)
    write("mallory", "record", "withdrawal", {"account": 17, "cents": 2500}, after=4)
    write("bob", "record", "", 5, after=4)
    write("bob", "record", "tags", {"$set": [1, 2]}, after=4)
    items = [["deposit", [1, None, True, "x"]], ["", 1], ["tags", {"$set": [1]}], "close", ["close", "day 1"]]
    write("bob", "record_all", items, after=5)
    write("bob", "record_all", [], after=5)
    write("bob", "record_all", "items", after=5)
    write("mallory", "record_all", items, after=6)
    call("bob", "revoke", "alice", after=7)
    call("alice", "revoke", "bob", after=7)
    write("bob", "record", "deposit", 1, after=8)
    head = call("carol", "head")["result"]
    changed = copy.deepcopy(written)
    changed[1]["data"][0] = 2
    call("carol", "verify", written, head["count"], head["hash"])
    call("carol", "verify", written[:-1], head["count"], head["hash"])
    call("carol", "verify", written[1:], head["count"], head["hash"])
    call("carol", "verify", changed, head["count"], head["hash"])
    call("carol", "verify", [{**written[0], "index": 1}], 1, head["hash"])
    call("carol", "verify", [written[0], 5], head["count"], head["hash"])
    call("carol", "verify", [], 0, "")
    call("carol", "verify", None, 0, "")
    return call


def shop():
    paid = {
        "supply": 100,
        "balance:alice": 90,
        "balance:bob": 10,
        Token({}).key("alice", "shop"): 50,
        Token({}).key("bob", "shop"): 50,
    }
    call = Scenario(Shop, "sales buy", contract="shop", called={"token": (Token, paid)})
    call("alice", "sales")
    call("alice", "buy", "tea", 20)
    call("alice", "sales")
    call("alice", "buy", "tea", 31)
    call("bob", "buy", "tea", 11)
    call("carol", "buy", "tea", 1)
    call("", "buy", "tea", 1)
    call("alice", "buy", "tea", -1)
    call("alice", "buy", "tea")
    call("bob", "buy", {"cake": [1, 2], "size": "large"}, 10)
    call("bob", "buy", "water", 0)
    call("alice", "sales")
    return call


def shop_without_token():
    """Nobody can pay where there is no token."""
    call = Scenario(Shop, "sales buy", {"sales": 7}, contract="shop", called={})
    call("alice", "buy", "tea", 20)
    call("alice", "sales")
    return call


def shop_at_echo():
    """Whatever runs under the token's id: nothing but true is payment."""
    call = Scenario(Shop, "sales buy", contract="shop", called={"token": (Echo, {})})
    for price in (False, 1, 1.0, None, "true", [True], True):
        call("alice", "buy", "tea", price)
    call("alice", "sales")
    return call


SCENARIOS = [token, escrow, vote, vote_tie, mining, mining_forged, audit, shop, shop_without_token, shop_at_echo]


def text(scenario):
    """A call a line would be too long, a value a line too short: each field of a call has a line."""

    def line(data):
        return json.dumps(data, ensure_ascii=False)

    calls = [
        "    {\n" + ",\n".join(f"      {line(name)}: {line(value)}" for name, value in call.items()) + "\n    }"
        for call in scenario["calls"]
    ]
    head = [f"  {line(name)}: {line(value)}" for name, value in scenario.items() if name != "calls"]
    return "{\n" + ",\n".join([*head, '  "calls": [\n' + ",\n".join(calls) + "\n  ]"]) + "\n}\n"


def main():
    write = "--write" in sys.argv[1:]
    wrong = 0
    for scenario in SCENARIOS:
        path = HERE / f"{scenario.__name__.replace('_', '-')}.scenario.json"
        old = path.read_text() if path.exists() else "{}"
        known = json.loads(old).get("calls", [])
        new = scenario().json()
        for i, call in enumerate(new["calls"]):
            given = ("caller", "timestamp", "height", "entry", "arguments")
            same = i < len(known) and all(known[i][name] == call[name] for name in given)
            call["gas"] = known[i]["gas"] if same else None
        if write:
            path.write_text(text(new))
        elif text(new) != old:
            wrong += 1
            print(f"{path.name} does not say what {scenario.__name__} gives", file=sys.stderr)
    print(f"{len(SCENARIOS)} scenarios, {wrong} wrong")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
