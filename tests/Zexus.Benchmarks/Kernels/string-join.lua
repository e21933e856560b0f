return function(n)
    local total, done = 0, 0
    while done < n do
        local parts = {}
        for i = 0, 49999 do
            parts[i + 1] = "item " .. i
        end
        total = total + #table.concat(parts, ",")
        done = done + 50000
    end
    return total
end
