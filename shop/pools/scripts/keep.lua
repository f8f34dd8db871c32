-- Keeps figures that were made under the lease, and a point of the curve; the next lease is for
-- whoever comes when the moment that these are good for is over.
-- KEYS: figures, lease, curve
-- ARGV: figures, point, points kept, seconds kept, milliseconds left of the moment

redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[4])
redis.call('LPUSH', KEYS[3], ARGV[2])
redis.call('LTRIM', KEYS[3], 0, ARGV[3] - 1)
redis.call('EXPIRE', KEYS[3], ARGV[4])
if tonumber(ARGV[5]) > 0 then
  redis.call('SET', KEYS[2], '1', 'PX', ARGV[5])
else
  redis.call('DEL', KEYS[2])
end
return 1
