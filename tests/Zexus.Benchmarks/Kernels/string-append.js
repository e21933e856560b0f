function run(n) {
    let total = 0;
    for (let done = 0; done < n; done += 20000) {
        let s = "";
        for (let i = 0; i < 20000; i++) {
            s = s + "x";
        }
        if (s[10000] === "x") {
            total += s.length;
        }
    }
    return total;
}
