local function check(i)
    if i % 2 == 0 then
        error(3, 0)
    end
    return 1
end

return function(n)
    local total = 0
    for i = 0, n - 1 do
        local _, value = pcall(check, i)
        total = total + value
    end
    return total
end
