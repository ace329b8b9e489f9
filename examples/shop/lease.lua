-- lease
local data = redis.call("GET", KEYS[1])
if data then return data end
local lease = redis.call("INCR", KEYS[3])
redis.call("SET", KEYS[2], lease, "EX", ARGV[1])
return lease
