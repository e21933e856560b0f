// sha256 comes from the worker: crypto in Node, .NET's in Jint.
function run(n) {
    let hits = 0;
    for (let nonce = 0; nonce < n; nonce++) {
        if (sha256("block:" + nonce).startsWith("00")) {
            hits++;
        }
    }
    return hits;
}
