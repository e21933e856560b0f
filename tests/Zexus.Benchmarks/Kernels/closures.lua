local function make_adder(step)
    return function(x)
        return x + step
    end
end

local function make_counter()
    local count = 0
    return function(step)
        count = count + step
        return count
    end
end

return function(n)
    local counter = make_counter()
    local total = 0
    for i = 0, n - 1 do
        total = total + make_adder(i % 10)(i)
        counter(1)
    end
    return total + counter(0)
end
