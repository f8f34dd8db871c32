-- The database stored nothing of an admitted request: its units come back, its key is forgotten.
-- KEYS: gate, users, keys   ARGV: user, units, key
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
if redis.call('SREM', KEYS[3], ARGV[3]) == 1 then
  redis.call('HINCRBY', KEYS[1], 'remaining', ARGV[2])
  if redis.call('HINCRBY', KEYS[2], ARGV[1], -ARGV[2]) <= 0 then
    redis.call('HDEL', KEYS[2], ARGV[1])
  end
end
return 1
