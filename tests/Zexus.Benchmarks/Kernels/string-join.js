function run(n) {
    let total = 0;
    for (let done = 0; done < n; done += 50000) {
        const parts = [];
        for (let i = 0; i < 50000; i++) {
            parts.push("item " + i);
        }
        total += parts.join(",").length;
    }
    return total;
}
