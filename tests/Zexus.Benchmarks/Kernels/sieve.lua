return function(n)
    local prime = {}
    for i = 0, n - 1 do
        prime[i + 1] = true
    end
    local i = 2
    while i * i < n do
        if prime[i + 1] then
            for j = i * i, n - 1, i do
                prime[j + 1] = false
            end
        end
        i = i + 1
    end
    local count = 0
    for k = 2, n - 1 do
        if prime[k + 1] then
            count = count + 1
        end
    end
    return count
end
