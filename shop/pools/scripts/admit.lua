-- One request at the gate of a pool: a refusal, or units taken off and the key remembered.
-- KEYS: gate, users, keys, rate of this user, rate of this address, rate in all
-- ARGV: user, units, key, requests told from memory since that nothing is left
-- Returns {answer, microseconds since 1970, figure}. Tallies what it says, for those who watch.

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local gate = redis.call('HMGET', KEYS[1], 'remaining', 'opens', 'closes', 'paused', 'limit',
  'user_rate', 'user_window', 'address_rate', 'address_window', 'all_rate', 'all_window')
if not gate[1] then return {'cold', now, 0} end
-- A Redis that is full takes no tally, and refuses all the same.
if ARGV[4] ~= '0' then redis.pcall('HINCRBY', KEYS[1], 'too_late', ARGV[4]) end
local function refuse(tally, answer, figure)
  redis.pcall('HINCRBY', KEYS[1], tally, 1)
  return {answer, now, figure}
end
-- A repeat takes nothing: the database makes it wait for its first, or answers it again.
if redis.call('SISMEMBER', KEYS[3], ARGV[3]) == 1 then return {'known', now, 0} end
if gate[4] == '1' then return refuse('refused', 'paused', 0) end
if now < tonumber(gate[2]) then return refuse('refused', 'not_started', 0) end
if now >= tonumber(gate[3]) then return refuse('too_late', 'ended', 0) end

-- A window slides: of the last `rate` requests that passed, the oldest must be out of it. All are
-- looked at before any counts, and a request that is refused here counts in none.
for i = 0, 2 do
  local rate, window = tonumber(gate[6 + 2 * i]), tonumber(gate[7 + 2 * i])
  if rate then
    local oldest = redis.call('LINDEX', KEYS[4 + i], rate - 1)
    if oldest and now - tonumber(oldest) < window then
      return refuse('refused', 'rate_limited', window - (now - tonumber(oldest)))
    end
  end
end
for i = 0, 2 do
  local rate, window = tonumber(gate[6 + 2 * i]), tonumber(gate[7 + 2 * i])
  if rate then
    redis.call('LPUSH', KEYS[4 + i], string.format('%.0f', now))
    redis.call('LTRIM', KEYS[4 + i], 0, rate - 1)
    redis.call('PEXPIRE', KEYS[4 + i], math.ceil(window / 1000))
  end
end

local count, limit = tonumber(ARGV[2]), tonumber(gate[5])
if limit then
  local held = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or 0)
  if held + count > limit then return refuse('refused', 'purchase_limit', limit) end
end
local remaining = tonumber(gate[1])
if remaining < count then return refuse('too_late', 'sold_out', math.max(remaining, 0)) end
redis.call('HINCRBY', KEYS[1], 'remaining', -count)
redis.call('HINCRBY', KEYS[1], 'admitted', 1)
if limit then redis.call('HINCRBY', KEYS[2], ARGV[1], count) end
redis.call('SADD', KEYS[3], ARGV[3])
return {'admitted', now, remaining - count}
