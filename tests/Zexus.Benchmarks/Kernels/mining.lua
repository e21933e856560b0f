-- sha256 comes from the worker: libcrypto through LuaJIT's FFI.
return function(n)
    local hits = 0
    for nonce = 0, n - 1 do
        if string.sub(sha256("block:" .. nonce), 1, 2) == "00" then
            hits = hits + 1
        end
    end
    return hits
end
