local function make(n, seed)
    local rows = {}
    for i = 0, n - 1 do
        local row = {}
        for j = 0, n - 1 do
            row[j + 1] = (i + j * 3 + seed) % 7 + 0.5
        end
        rows[i + 1] = row
    end
    return rows
end

return function(n)
    local a, b, c = make(n, 0), make(n, 1), {}
    local total = 0.0
    for i = 1, n do
        local row, left = {}, a[i]
        for j = 1, n do
            local sum = 0.0
            for k = 1, n do
                sum = sum + left[k] * b[k][j]
            end
            row[j] = sum
            total = total + sum
        end
        c[i] = row
    end
    return total * 8
end
