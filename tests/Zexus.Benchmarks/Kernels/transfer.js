function run(n) {
    const names = [];
    const state = new Map();
    const events = [];
    let journal = [];

    function write(key, value) {
        journal.push([key, state.get(key)]);
        state.set(key, value);
    }

    function transfer(from, to, amount) {
        const balance = state.get(from);
        if (balance < amount) {
            throw "insufficient funds";
        }
        write(from, balance - amount);
        write(to, state.get(to) + amount);
        events.push({ from: from, to: to, amount: amount });
        journal = [];
    }

    for (let i = 0; i < 100; i++) {
        names.push("account" + i);
        state.set(names[i], 1000000);
    }
    for (let i = 0; i < n; i++) {
        transfer(names[i % 100], names[(i * 7 + 3) % 100], 1 + (i % 10));
    }
    let total = 0;
    for (let i = 0; i < 100; i++) {
        total += (i + 1) * state.get(names[i]);
    }
    return total;
}
