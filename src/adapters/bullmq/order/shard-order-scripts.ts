/**
 * The scripts of `ShardOrder`. All keys share the hash tag of the prefix, so that a cluster keeps them in one slot; keys of BullMQ's
 * jobs are made from their common start, as BullMQ's own scripts do. A member of the order is a tie-break of `tieChars` characters
 * and the job's id; an entry of the hash is the same tie-break and the payload. Scores are passed on as text: Lua would round them.
 */

/** 16 hex digits of the rest (`sortable`), 12 of a counter. */
export const tieChars = 28;

/**
 * Adds jobs that neither wait here nor are BullMQ's.
 * KEYS[1] order, KEYS[2] jobs, KEYS[3] counter, KEYS[4] idle
 * ARGV[1] start of the keys of BullMQ's jobs; then for each job: id, score, rest as 16 hex digits, payload
 * Returns 1 when a consumer has nothing to do, else 0.
 */
export const addScript = `
for i = 2, #ARGV, 4 do
  local id = ARGV[i]
  if redis.call('HEXISTS', KEYS[2], id) == 0 and redis.call('EXISTS', ARGV[1] .. id) == 0 then
    local tie = ARGV[i + 2] .. string.format('%012x', redis.call('INCR', KEYS[3]))
    redis.call('ZADD', KEYS[1], ARGV[i + 1], tie .. id)
    redis.call('HSET', KEYS[2], id, tie .. ARGV[i + 3])
  end
end
return redis.call('EXISTS', KEYS[4])`;

/**
 * Takes the next jobs out of the order, to be given to BullMQ, and raises the clock if it is known. Each stays claimed until it is
 * confirmed; claims whose time is over are put back first. While another consumer is idle one job more is taken: the one who gets it
 * wakes up and fetches for itself.
 * KEYS[1] order, KEYS[2] jobs, KEYS[3] claims, KEYS[4] clock, KEYS[5] idle, KEYS[6] BullMQ's wait, KEYS[7] BullMQ's prioritized
 * ARGV[1] jobs that the caller can do, ARGV[2] how many of BullMQ's waiting jobs it has counted already, ARGV[3] life of a claim (ms),
 * ARGV[4] for how long the caller counts as idle if it gets less (ms), 0 for not
 * Returns member, payload, member, payload and so on.
 */
export const takeScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local claims = redis.call('HGETALL', KEYS[3])
for i = 1, #claims, 2 do
  local ends, score = string.match(claims[i + 1], '^(%d+) (.+)$')
  if tonumber(ends) <= now then
    redis.call('HDEL', KEYS[3], claims[i])
    redis.call('ZADD', KEYS[1], score, claims[i])
  end
end
local waiting = redis.call('LLEN', KEYS[6]) + redis.call('ZCARD', KEYS[7]) - ARGV[2]
local own = ARGV[1] - math.max(0, waiting)
local room = own + redis.call('EXISTS', KEYS[5])
local taken = {}
if room <= 0 then return taken end
local nextOnes = redis.call('ZRANGE', KEYS[1], 0, room - 1, 'WITHSCORES')
local last = false
for i = 1, #nextOnes, 2 do
  local member, score = nextOnes[i], nextOnes[i + 1]
  local entry = redis.call('HGET', KEYS[2], string.sub(member, ${tieChars + 1}))
  redis.call('ZREM', KEYS[1], member)
  if entry and string.sub(entry, 1, ${tieChars}) == string.sub(member, 1, ${tieChars}) then
    redis.call('HSET', KEYS[3], member, string.format('%.0f', now + ARGV[3]) .. ' ' .. score)
    taken[#taken + 1] = member
    taken[#taken + 1] = string.sub(entry, ${tieChars + 1})
    if score ~= 'inf' then last = score end
  end
end
local clock = redis.call('GET', KEYS[4])
if clock and last and tonumber(last) > tonumber(clock) then redis.call('SET', KEYS[4], last) end
if ARGV[4] ~= '0' and #taken / 2 < own then redis.call('SET', KEYS[5], '1', 'PX', ARGV[4]) end
return taken`;

/**
 * Forgets jobs that BullMQ has taken over, also when a claim was over and the job is back in the order.
 * KEYS[1] order, KEYS[2] jobs, KEYS[3] claims
 * ARGV members
 * Returns 1.
 */
export const confirmScript = `
for _, member in ipairs(ARGV) do
  local id = string.sub(member, ${tieChars + 1})
  local entry = redis.call('HGET', KEYS[2], id)
  redis.call('HDEL', KEYS[3], member)
  redis.call('ZREM', KEYS[1], member)
  if entry and string.sub(entry, 1, ${tieChars}) == string.sub(member, 1, ${tieChars}) then redis.call('HDEL', KEYS[2], id) end
end
return 1`;

/**
 * Takes a job out that waits.
 * KEYS[1] order, KEYS[2] jobs, KEYS[3] claims
 * ARGV[1] id
 * Returns 1 when it was there, else 0.
 */
export const removeScript = `
local entry = redis.call('HGET', KEYS[2], ARGV[1])
if not entry then return 0 end
local member = string.sub(entry, 1, ${tieChars}) .. ARGV[1]
redis.call('ZREM', KEYS[1], member)
redis.call('HDEL', KEYS[3], member)
return redis.call('HDEL', KEYS[2], ARGV[1])`;

/**
 * KEYS[1] order, KEYS[2] claims, KEYS[3] BullMQ's wait, KEYS[4] prioritized, KEYS[5] active, KEYS[6] delayed
 * ARGV[1] start of the keys of BullMQ's jobs
 * Returns how many jobs wait (a claimed one that BullMQ has is counted there), are active, are delayed.
 */
export const countScript = `
local waiting = redis.call('ZCARD', KEYS[1]) + redis.call('LLEN', KEYS[3]) + redis.call('ZCARD', KEYS[4])
for _, member in ipairs(redis.call('HKEYS', KEYS[2])) do
  if redis.call('EXISTS', ARGV[1] .. string.sub(member, ${tieChars + 1})) == 0 then waiting = waiting + 1 end
end
return { waiting, redis.call('LLEN', KEYS[5]), redis.call('ZCARD', KEYS[6]) }`;

/**
 * KEYS[1] clock
 * ARGV[1] a time
 * Returns 1.
 */
export const raiseScript = `
local clock = redis.call('GET', KEYS[1])
if not clock or tonumber(ARGV[1]) > tonumber(clock) then redis.call('SET', KEYS[1], ARGV[1]) end
return 1`;
