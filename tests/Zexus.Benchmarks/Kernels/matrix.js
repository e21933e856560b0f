function make(n, seed) {
    const rows = [];
    for (let i = 0; i < n; i++) {
        const row = [];
        for (let j = 0; j < n; j++) {
            row.push(((i + j * 3 + seed) % 7) + 0.5);
        }
        rows.push(row);
    }
    return rows;
}

function run(n) {
    const a = make(n, 0);
    const b = make(n, 1);
    const c = [];
    let total = 0;
    for (let i = 0; i < n; i++) {
        const row = [];
        const left = a[i];
        for (let j = 0; j < n; j++) {
            let sum = 0;
            for (let k = 0; k < n; k++) {
                sum += left[k] * b[k][j];
            }
            row.push(sum);
            total += sum;
        }
        c.push(row);
    }
    return total * 8;
}
