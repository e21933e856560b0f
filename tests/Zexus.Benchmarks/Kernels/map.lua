return function(n)
    local keys, m = {}, {}
    for i = 0, 999 do
        local k = "key" .. i
        keys[i + 1] = k
        m[k] = 0
    end
    for i = 0, n - 1 do
        local k = keys[i % 1000 + 1]
        m[k] = m[k] + 1
    end
    local total = 0
    for i = 0, 999 do
        total = total + (i + 1) * m[keys[i + 1]]
    end
    return total
end
