// node worker.js KERNEL.js: answers lines as Worker.cs does.
const fs = require("fs");
const vm = require("vm");
const crypto = require("crypto");

globalThis.sha256 = (text) => crypto.createHash("sha256").update(text).digest("hex");

let kernel = null;
let pending = "";
const bytes = Buffer.alloc(4096);

function answer(text) {
    fs.writeSync(1, text + "\n");
}

answer("ready");
for (;;) {
    let count;
    try {
        count = fs.readSync(0, bytes);
    } catch (error) {
        if (error.code === "EAGAIN") {
            continue;
        }
        throw error;
    }
    if (count === 0) {
        break;
    }
    pending += bytes.toString("utf8", 0, count);
    for (let end = pending.indexOf("\n"); end >= 0; end = pending.indexOf("\n")) {
        const line = pending.slice(0, end);
        pending = pending.slice(end + 1);
        if (line.startsWith("run ")) {
            if (kernel === null) {
                vm.runInThisContext(fs.readFileSync(process.argv[2], "utf8"), process.argv[2]);
                kernel = globalThis.run;
            }
            answer(String(kernel(Number(line.slice(4)))));
        } else {
            answer("pong");
        }
    }
}
