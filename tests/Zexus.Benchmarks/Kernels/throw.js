function check(i) {
    if (i % 2 === 0) {
        throw 3;
    }
    return 1;
}

function run(n) {
    let total = 0;
    for (let i = 0; i < n; i++) {
        try {
            total += check(i);
        } catch (value) {
            total += value;
        }
    }
    return total;
}
