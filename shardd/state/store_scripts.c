/* What Redis does for the store, in Lua: each is one step there, or none. */
#include "shardd/state/store_scripts.h"

/*
 * All keys of the state live for its time from now, and an eighth more, so that few
 * uses have to say so; or for ever.
 */
#define STORE_KEEP							\
	"local function keep(passing, prefix, store, visit)\n"		\
	"  local ms = tonumber(store)\n"				\
	"  local v = tonumber(visit)\n"				\
	"  if passing and v > 0 and (ms == 0 or v < ms) then ms = v end\n" \
	"  local left = redis.call('PTTL', KEYS[2])\n"			\
	"  if ms == 0 and left < 0 and redis.call('PTTL', KEYS[1]) < 0 or\n" \
	"      ms > 0 and left >= ms and left <= ms + ms / 8 then\n"	\
	"    return ms\n"						\
	"  end\n"							\
	"  local all = {KEYS[1], KEYS[2], KEYS[3], KEYS[4]}\n"		\
	"  if redis.call('TYPE', KEYS[4]).ok == 'set' then\n"		\
	"    for _, m in ipairs(redis.call('SMEMBERS', KEYS[4])) do\n"	\
	"      all[#all + 1] = prefix .. m\n"				\
	"    end\n"							\
	"  end\n"							\
	"  for _, key in ipairs(all) do\n"				\
	"    if ms > 0 then\n"						\
	"      redis.call('PEXPIRE', key, ms + math.floor(ms / 8))\n"	\
	"    else\n"							\
	"      redis.call('PERSIST', key)\n"				\
	"    end\n"							\
	"  end\n"							\
	"  return ms\n"						\
	"end\n"

/*
 * KEYS: epoch, store, .log, .maps.  Whoever only looks at a group leaves nothing
 * behind for ever: until the first write its keys expire.
 */
const char *const	 store_scripts[NSTORE_SCRIPTS] = {
	/* have ("-": nothing), prefix of maps, seconds, store_ttl, visit_ttl, the epoch
	 * that was claimed ("-": none, this is to make one) */
	[SCRIPT_TAKE] = STORE_KEEP
	"local e\n"
	"if ARGV[6] == '-' then\n"
	"  e = redis.call('INCR', KEYS[1])\n"
	"  redis.call('HSET', KEYS[2], 'epoch', e)\n"
	"else\n"
	"  e = tonumber(redis.call('HGET', KEYS[2], 'epoch') or '0')\n"
	"  if e ~= tonumber(ARGV[6]) then return 'deposed' end\n"
	"end\n"
	"local had = redis.call('HGET', KEYS[2], 'seq')\n"
	"local seq = tonumber(had or '0')\n"
	"if not had then\n"
	"  redis.call('EXPIRE', KEYS[1], ARGV[3])\n"
	"  redis.call('EXPIRE', KEYS[2], ARGV[3])\n"
	"else\n"
	"  keep(redis.call('HEXISTS', KEYS[2], 'passing') == 1, ARGV[2],\n"
	"      ARGV[4], ARGV[5])\n"
	"end\n"
	"local have = tonumber(ARGV[1])\n"
	"if have and seq == have then return {e, seq, 'same'} end\n"
	"if have and seq < have then return {e, seq, 'older'} end\n"
	"if have and seq - have <= redis.call('LLEN', KEYS[3]) then\n"
	"  return {e, seq, 'log', redis.call('LRANGE', KEYS[3], have - seq, -1)}\n"
	"end\n"
	"local all = {}\n"
	"for _, m in ipairs(redis.call('SMEMBERS', KEYS[4])) do\n"
	"  all[#all + 1] = m\n"
	"  all[#all + 1] = redis.call('HGETALL', ARGV[2] .. m)\n"
	"end\n"
	"all[#all + 1] = redis.call('LRANGE', KEYS[3], 0, -1)\n"
	"return {e, seq, 'all', all}\n",
	/* epoch, seq before, batch, length and bytes of log, prefix, "passing" or
	 * not, store_ttl, visit_ttl, then kind map key value for each change.  Keys
	 * that others have made something else are found before anything is
	 * written. */
	[SCRIPT_COMMIT] = STORE_KEEP
	"local now = redis.call('HMGET', KEYS[2], 'epoch', 'seq', 'logged',\n"
	"    'passing')\n"
	"if not now[1] then return 'empty' end\n"
	"if now[1] ~= ARGV[1] or (now[2] or '0') ~= ARGV[2] then\n"
	"  return 'deposed'\n"
	"end\n"
	"local seen = {}\n"
	"local function is(key, want)\n"
	"  if not seen[key] then seen[key] = redis.call('TYPE', key).ok end\n"
	"  return seen[key] == want or seen[key] == 'none'\n"
	"end\n"
	"local good = is(KEYS[3], 'list') and is(KEYS[4], 'set')\n"
	"for i = 11, #ARGV, 4 do\n"
	"  good = good and is(ARGV[6] .. ARGV[i], 'hash')\n"
	"end\n"
	"if not good then return 'refused' end\n"
	"redis.call('HINCRBY', KEYS[2], 'seq', 1)\n"
	"local n = redis.call('RPUSH', KEYS[3], ARGV[3])\n"
	"local bytes = (tonumber(now[3] or '0') or 0) + #ARGV[3]\n"
	"while n > 1 and (n > tonumber(ARGV[4]) or bytes > tonumber(ARGV[5])) do\n"
	"  bytes = bytes - #redis.call('LPOP', KEYS[3])\n"
	"  n = n - 1\n"
	"end\n"
	"redis.call('HSET', KEYS[2], 'logged', bytes)\n"
	"local passing = ARGV[7] == 'passing' and (now[4] or not now[2])\n"
	"if passing and not now[4] then\n"
	"  redis.call('HSET', KEYS[2], 'passing', 1)\n"
	"elseif now[4] and not passing then\n"
	"  redis.call('HDEL', KEYS[2], 'passing')\n"
	"end\n"
	"for i = 10, #ARGV, 4 do\n"
	"  local m = ARGV[6] .. ARGV[i + 1]\n"
	"  if ARGV[i] == '1' then\n"
	"    redis.call('HSET', m, ARGV[i + 2], ARGV[i + 3])\n"
	"    redis.call('SADD', KEYS[4], ARGV[i + 1])\n"
	"  else\n"
	"    redis.call('HDEL', m, ARGV[i + 2])\n"
	"  end\n"
	"end\n"
	"local ms = keep(passing, ARGV[6], ARGV[8], ARGV[9])\n"
	"if ms > 0 then\n"
	"  for key, was in pairs(seen) do\n"
	"    if was == 'none' then\n"
	"      redis.call('PEXPIRE', key, ms + math.floor(ms / 8))\n"
	"    end\n"
	"  end\n"
	"end\n"
	"return 'ok'\n",
	/* epoch, seq ("-": more follows), "first" or not, prefix, entries in all,
	 * seconds, store_ttl, then map key value for each entry.  What is there stands until
	 * the last command finds all entries beside it, under .new, and puts them in
	 * its place; if that does not come, they expire. */
	[SCRIPT_RESTORE] = STORE_KEEP
	"if redis.call('HGET', KEYS[2], 'epoch') ~= ARGV[1] then\n"
	"  return 'deposed'\n"
	"end\n"
	"local function drop(set, prefix)\n"
	"  if redis.call('TYPE', set).ok == 'set' then\n"
	"    for _, m in ipairs(redis.call('SMEMBERS', set)) do\n"
	"      redis.call('DEL', prefix .. m)\n"
	"    end\n"
	"  end\n"
	"  redis.call('DEL', set)\n"
	"end\n"
	"local new = ARGV[4] .. '.new'\n"
	"if ARGV[3] == 'first' then drop(new, new .. ':') end\n"
	"local last\n"
	"for i = 8, #ARGV, 3 do\n"
	"  local m = new .. ':' .. ARGV[i]\n"
	"  if m ~= last then\n"
	"    if redis.call('TYPE', m).ok ~= 'hash' then redis.call('DEL', m) end\n"
	"    redis.call('SADD', new, ARGV[i])\n"
	"    redis.call('EXPIRE', new, ARGV[6])\n"
	"  end\n"
	"  redis.call('HSET', m, ARGV[i + 1], ARGV[i + 2])\n"
	"  if m ~= last then redis.call('EXPIRE', m, ARGV[6]) end\n"
	"  last = m\n"
	"end\n"
	"if ARGV[2] == '-' then return 'ok' end\n"
	"local maps, n = redis.call('SMEMBERS', new), 0\n"
	"for _, m in ipairs(maps) do\n"
	"  n = n + redis.call('HLEN', new .. ':' .. m)\n"
	"end\n"
	"if n ~= tonumber(ARGV[5]) then return 'short' end\n"
	"drop(KEYS[4], ARGV[4])\n"
	"redis.call('DEL', KEYS[3])\n"
	"for _, m in ipairs(maps) do\n"
	"  redis.call('RENAME', new .. ':' .. m, ARGV[4] .. m)\n"
	"  redis.call('PERSIST', ARGV[4] .. m)\n"
	"  redis.call('SADD', KEYS[4], m)\n"
	"end\n"
	"redis.call('DEL', new)\n"
	"redis.call('HDEL', KEYS[2], 'logged')\n"
	"redis.call('HSET', KEYS[2], 'seq', ARGV[2])\n"
	"redis.call('HDEL', KEYS[2], 'passing')\n"
	"redis.call('PERSIST', KEYS[1])\n"
	"redis.call('PERSIST', KEYS[2])\n"
	"keep(false, ARGV[4], ARGV[7], '0')\n"
	"return 'ok'\n",
	/* who ("<key of the shard> <replica>"), a replica that is known to be dead ("0":
	 * none), what keys of shards of this node begin with, the highest epoch that is
	 * known, seconds.  Whoever holds the epoch keeps it, unless that is who asks, or
	 * dead, or its shard is not there any more; this node's own gateway says who of
	 * this node it is.  The answer ends with Redis' clock, in ms. */
	[SCRIPT_CLAIM] =
	"local t = redis.call('TIME')\n"
	"local now = t[1] .. string.format('%03d', math.floor(t[2] / 1000))\n"
	"local h = redis.call('HGET', KEYS[2], 'holder')\n"
	"local shard, replica = string.match(h or '', '^(.*) (%d+)$')\n"
	"if shard and h ~= ARGV[1] and replica ~= ARGV[2] and\n"
	"    string.sub(shard, 1, #ARGV[3]) ~= ARGV[3] and\n"
	"    redis.call('EXISTS', shard) == 1 then\n"
	"  return {redis.call('HGET', KEYS[2], 'epoch') or '0', 'held', replica, now}\n"
	"end\n"
	"local e = redis.call('INCR', KEYS[1])\n"
	"if e <= tonumber(ARGV[4]) then\n"
	"  e = tonumber(ARGV[4]) + 1\n"
	"  redis.call('SET', KEYS[1], string.format('%.0f', e), 'KEEPTTL')\n"
	"end\n"
	"redis.call('HSET', KEYS[2], 'epoch', string.format('%.0f', e), 'holder',\n"
	"    ARGV[1])\n"
	"if redis.call('HEXISTS', KEYS[2], 'seq') == 0 then\n"
	"  redis.call('EXPIRE', KEYS[1], ARGV[5])\n"
	"  redis.call('EXPIRE', KEYS[2], ARGV[5])\n"
	"end\n"
	"return {string.format('%.0f', e), 'taken', '0', now}\n",
	/* who */
	[SCRIPT_RELEASE] =
	"if redis.call('HGET', KEYS[2], 'holder') == ARGV[1] then\n"
	"  redis.call('HDEL', KEYS[2], 'holder')\n"
	"end\n"
	"return 'ok'\n",
	/* prefix, store_ttl, visit_ttl */
	[SCRIPT_TOUCH] = STORE_KEEP
	"if redis.call('HEXISTS', KEYS[2], 'seq') == 1 then\n"
	"  keep(redis.call('HEXISTS', KEYS[2], 'passing') == 1, ARGV[1],\n"
	"      ARGV[2], ARGV[3])\n"
	"end\n"
	"return 'ok'\n",
};
