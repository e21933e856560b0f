return function(n)
    local sum = 0
    for i = 0, n - 1 do
        sum = sum + i * 3 % 7
    end
    return sum
end
