-- Puts a gate in place that was prepared beside it, in one step: everything a pool's gate knows.
-- Not by force, only where there is none: what another has opened meanwhile knows more.
-- What the gate before it tallied goes on: who watches a sale sees no new beginning.
-- KEYS: gate, users, keys, look, prepared users, prepared keys   ARGV: force (0, 1), field, value, ...
if ARGV[1] == '0' and redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('DEL', KEYS[5], KEYS[6])
  return 0
end
local tallies = {'admitted', 'too_late', 'refused'}
local tallied = redis.call('HMGET', KEYS[1], unpack(tallies))
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
if redis.call('EXISTS', KEYS[5]) == 1 then redis.call('RENAME', KEYS[5], KEYS[2]) end
if redis.call('EXISTS', KEYS[6]) == 1 then redis.call('RENAME', KEYS[6], KEYS[3]) end
redis.call('PERSIST', KEYS[2])
redis.call('PERSIST', KEYS[3])
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
for i, tally in ipairs(tallies) do
  if tallied[i] then redis.call('HSET', KEYS[1], tally, tallied[i]) end
end
return 1
