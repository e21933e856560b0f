return function(n)
    local total, done = 0, 0
    while done < n do
        local s = ""
        for _ = 1, 20000 do
            s = s .. "x"
        end
        if string.sub(s, 10001, 10001) == "x" then
            total = total + #s
        end
        done = done + 20000
    end
    return total
end
