return function(n)
    local names, state, journal, events = {}, {}, {}, {}

    local function write(key, value)
        journal[#journal + 1] = { key, state[key] }
        state[key] = value
    end

    local function transfer(from, to, amount)
        local balance = state[from]
        if balance < amount then
            error("insufficient funds")
        end
        write(from, balance - amount)
        write(to, state[to] + amount)
        events[#events + 1] = { from = from, to = to, amount = amount }
        journal = {}
    end

    for i = 0, 99 do
        names[i + 1] = "account" .. i
        state[names[i + 1]] = 1000000
    end
    for i = 0, n - 1 do
        transfer(names[i % 100 + 1], names[(i * 7 + 3) % 100 + 1], 1 + i % 10)
    end
    local total = 0
    for i = 0, 99 do
        total = total + (i + 1) * state[names[i + 1]]
    end
    return total
end
