function run(n) {
    const keys = [];
    const m = new Map();
    for (let i = 0; i < 1000; i++) {
        const k = "key" + i;
        keys.push(k);
        m.set(k, 0);
    }
    for (let i = 0; i < n; i++) {
        const k = keys[i % 1000];
        m.set(k, m.get(k) + 1);
    }
    let total = 0;
    for (let i = 0; i < 1000; i++) {
        total += (i + 1) * m.get(keys[i]);
    }
    return total;
}
