-- Moves what remains, and what users hold, by what the database has committed; never forgets a key.
-- With a look (the look that found a drift) only while that look is still the last one, so that two
-- correctors at once correct once.
-- KEYS: gate, users, look   ARGV: look or '', new look or '', change of remaining, user, change, ...
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
if ARGV[1] ~= '' and redis.call('GET', KEYS[3]) ~= ARGV[1] then return 0 end
if ARGV[2] ~= '' then redis.call('SET', KEYS[3], ARGV[2], 'EX', 60) end
redis.call('HINCRBY', KEYS[1], 'remaining', ARGV[3])
-- Users are counted only where a limit holds; whoever is counted all the same can be taken off.
local limited = redis.call('HEXISTS', KEYS[1], 'limit') == 1
for i = 4, #ARGV, 2 do
  if limited or tonumber(ARGV[i + 1]) < 0 then
    if redis.call('HINCRBY', KEYS[2], ARGV[i], ARGV[i + 1]) <= 0 then
      redis.call('HDEL', KEYS[2], ARGV[i])
    end
  end
end
return 1
