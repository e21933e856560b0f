function makeAdder(step) {
    return (x) => x + step;
}

function makeCounter() {
    let count = 0;
    return (step) => {
        count += step;
        return count;
    };
}

function run(n) {
    const counter = makeCounter();
    let total = 0;
    for (let i = 0; i < n; i++) {
        total += makeAdder(i % 10)(i);
        counter(1);
    }
    return total + counter(0);
}
