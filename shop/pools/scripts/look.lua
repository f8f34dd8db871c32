-- The figures of a pool, for one of many who watch: those that somebody made a moment ago, or, for
-- whoever is the first after that moment, what the gate says, to make them anew.
-- KEYS: gate, figures, lease   ARGV: milliseconds that the lease holds until the figures are kept
-- Returns {lease won (0, 1), figures, remaining, admitted, too late, refused}.

local won = redis.call('SET', KEYS[3], '1', 'NX', 'PX', ARGV[1])
local figures = redis.call('GET', KEYS[2])
if not won then return {0, figures} end
local gate = redis.call('HMGET', KEYS[1], 'remaining', 'admitted', 'too_late', 'refused')
return {1, figures, unpack(gate, 1, 4)}
