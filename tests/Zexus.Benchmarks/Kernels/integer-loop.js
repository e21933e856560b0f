function run(n) {
    let sum = 0;
    for (let i = 0; i < n; i++) {
        sum = sum + ((i * 3) % 7);
    }
    return sum;
}
