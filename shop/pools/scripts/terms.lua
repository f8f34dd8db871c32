-- New terms for a gate that is open; a cold one learns them when it is rebuilt.
-- KEYS: gate   ARGV: field, value, ...
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HDEL', KEYS[1], 'limit', 'user_rate', 'address_rate', 'all_rate')
redis.call('HSET', KEYS[1], unpack(ARGV))
return 1
