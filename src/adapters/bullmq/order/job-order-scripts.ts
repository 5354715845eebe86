/**
 * The scripts of `JobOrder`. All keys share the hash tag of the prefix, so that a cluster keeps them in one slot; keys of BullMQ's
 * jobs and of a tenant's line are made from their common start, as BullMQ's own scripts do. A member of the order is a tie-break of
 * `tieChars` characters and the job's id; an entry of the hash of jobs is the same tie-break, the flow (`TENANT STRIDE`, empty for none),
 * a line feed and the payload. Scores are passed on as text: Lua would round them.
 */

/** 16 hex digits of the rest (`sortable`), 12 of a counter. */
export const tieChars = 28;

/** Jobs of tenants of which there are enough that may stand in the way beside each tenant's first: claims that have ended. */
const putBackMax = 16;

/**
 * What the scripts share. `flows` is a hash with `clock`, the virtual time reached, and for each tenant `next:TENANT`, when its next job
 * is due, and `head:TENANT`, its member in the order; the tenant's other members are in its line, a list.
 */
const flowFunctions = `
local tieChars = ${tieChars}
local function entryOf(jobs, member)
  local entry = redis.call('HGET', jobs, string.sub(member, tieChars + 1))
  if entry and string.sub(entry, 1, tieChars) == string.sub(member, 1, tieChars) then return string.sub(entry, tieChars + 1) end
  return false
end
local function flowOf(text)
  return string.match(text, '^([^ \\n]+) ([^\\n]+)\\n')
end
local function exact(number)
  return string.format('%.17g', number)
end
-- Makes the member the one of its tenant that is in the order.
local function toHead(order, flows, tenant, member)
  local due = tonumber(redis.call('HGET', flows, 'next:' .. tenant) or '0')
  local clock = tonumber(redis.call('HGET', flows, 'clock') or '0')
  redis.call('ZADD', order, exact(math.max(due, clock)), member)
  redis.call('HSET', flows, 'head:' .. tenant, member)
end
-- The member is the tenant's no more: the next of its line is.
local function leaveHead(order, jobs, flows, lines, tenant, member)
  if redis.call('HGET', flows, 'head:' .. tenant) ~= member then return end
  redis.call('HDEL', flows, 'head:' .. tenant)
  local following = redis.call('LPOP', lines .. tenant)
  while following and not entryOf(jobs, following) do following = redis.call('LPOP', lines .. tenant) end
  if following then toHead(order, flows, tenant, following) end
end
-- Nothing waits: no tenant has a claim on another, and none need be remembered.
local function forget(order, flows)
  if redis.call('ZCARD', order) == 0 then redis.call('DEL', flows) end
end
`;

/**
 * Adds jobs that neither wait here nor are BullMQ's.
 * KEYS[1] order, KEYS[2] jobs, KEYS[3] counter, KEYS[4] idle, KEYS[5] flows
 * ARGV[1] start of the keys of BullMQ's jobs, ARGV[2] start of the keys of lines; then for each job: id, score, rest as 16 hex digits,
 * flow and payload as in its entry
 * Returns 1 when a consumer has nothing to do, else 0.
 */
export const addScript = `${flowFunctions}
for i = 3, #ARGV, 4 do
  local id = ARGV[i]
  if redis.call('HEXISTS', KEYS[2], id) == 0 and redis.call('EXISTS', ARGV[1] .. id) == 0 then
    local tie = ARGV[i + 2] .. string.format('%012x', redis.call('INCR', KEYS[3]))
    local tenant = flowOf(ARGV[i + 3])
    redis.call('HSET', KEYS[2], id, tie .. ARGV[i + 3])
    if not tenant then redis.call('ZADD', KEYS[1], ARGV[i + 1], tie .. id)
    elseif redis.call('HEXISTS', KEYS[5], 'head:' .. tenant) == 1 then redis.call('RPUSH', ARGV[2] .. tenant, tie .. id)
    else toHead(KEYS[1], KEYS[5], tenant, tie .. id) end
  end
end
return redis.call('EXISTS', KEYS[4])`;

/**
 * Takes the next jobs out of the order, to be given to BullMQ, and raises the clocks. Each stays claimed until it is confirmed; claims
 * whose time is over are put back first. While another consumer is idle one job more is taken: the one who gets it wakes up and
 * fetches for itself.
 * KEYS[1] order, KEYS[2] jobs, KEYS[3] claims, KEYS[4] clock, KEYS[5] idle, KEYS[6] BullMQ's wait, KEYS[7] BullMQ's prioritized,
 * KEYS[8] flows
 * ARGV[1] jobs that the caller can do, ARGV[2] how many of BullMQ's waiting jobs it has counted already, ARGV[3] life of a claim (ms),
 * ARGV[4] for how long the caller counts as idle if it gets less (ms), 0 for not, ARGV[5] start of the keys of lines, ARGV[6] jobs of one
 * tenant that the caller does at once, 0 for any number, or -1: it only wakes an idle consumer, if there is one, takes nothing of the
 * tenants of which that one has enough, and nothing while a job waits to be started; then for each tenant of which the caller holds or
 * expects jobs: its name, and how many of each
 * Returns member, payload, member, payload and so on.
 */
export const takeScript = `${flowFunctions}
local order, jobs, flows = KEYS[1], KEYS[2], KEYS[8]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local claims = redis.call('HGETALL', KEYS[3])
for i = 1, #claims, 2 do
  local ends, score = string.match(claims[i + 1], '^(%d+) (.+)$')
  if tonumber(ends) <= now then
    redis.call('HDEL', KEYS[3], claims[i])
    local entry = entryOf(jobs, claims[i])
    -- It has had its turn: of a tenant's jobs it is due at once.
    if entry and flowOf(entry) then score = redis.call('HGET', flows, 'clock') or '0' end
    redis.call('ZADD', order, score, claims[i])
  end
end
local idle = redis.call('GET', KEYS[5])
local most, held, full = tonumber(ARGV[6]), {}, 0
local taken = {}
if most == -1 and not idle then return taken end
local bull = string.sub(KEYS[6], 1, -5)
-- Jobs on their way to BullMQ.
local coming = {}
if most ~= 0 then
  for _, member in ipairs(redis.call('HKEYS', KEYS[3])) do
    if redis.call('EXISTS', bull .. string.sub(member, tieChars + 1)) == 0 then coming[#coming + 1] = member end
  end
end
local waiting = redis.call('LLEN', KEYS[6]) + redis.call('ZCARD', KEYS[7]) - ARGV[2]
if most == -1 then waiting = waiting + #coming end
local own = ARGV[1] - math.max(0, waiting)
local room = own + ((idle and most ~= -1) and 1 or 0)
if room <= 0 then return taken end

if most > 0 then
  -- What BullMQ has for somebody to start, or is about to get, may come to the caller, who expects some of it.
  for _, member in ipairs(coming) do
    local tenant = flowOf(entryOf(jobs, member) or '')
    if tenant then held[tenant] = (held[tenant] or 0) + 1 end
  end
  for _, id in ipairs(redis.call('LRANGE', KEYS[6], 0, -1)) do
    local payload = redis.call('HGET', bull .. id, 'data')
    local isJson, data = pcall(cjson.decode, payload or '{}')
    local tenant = isJson and type(data) == 'table' and data.tenant
    if type(tenant) == 'string' then held[tenant] = (held[tenant] or 0) + 1 end
  end
end
for i = 7, #ARGV, 3 do held[ARGV[i]] = ARGV[i + 1] + math.max(ARGV[i + 2], held[ARGV[i]] or 0) end
if most == -1 then
  most = 0
  for tenant in string.gmatch(idle or '', '%S+') do held[tenant] = math.huge end
end
local function hasEnough(tenant)
  local holds = held[tenant] or 0
  return holds == math.huge or (most > 0 and holds >= most)
end
for tenant in pairs(held) do if hasEnough(tenant) then full = full + 1 end end

local last, more = false, true
while more and #taken / 2 < room do
  more = false
  for _, member in ipairs(redis.call('ZRANGE', order, 0, room - #taken / 2 - 1 + full + ${putBackMax})) do
    if #taken / 2 >= room then break end
    local entry = entryOf(jobs, member)
    local tenant, stride
    if entry then tenant, stride = flowOf(entry) end
    if not (tenant and hasEnough(tenant)) then
      local score = redis.call('ZSCORE', order, member)
      redis.call('ZREM', order, member)
      if entry then
        redis.call('HSET', KEYS[3], member, string.format('%.0f', now + ARGV[3]) .. ' ' .. score)
        taken[#taken + 1] = member
        taken[#taken + 1] = string.sub(entry, (string.find(entry, '\\n', 1, true) or 0) + 1)
      end
      if tenant then
        held[tenant] = (held[tenant] or 0) + 1
        if hasEnough(tenant) then full = full + 1 end
        local clock = tonumber(redis.call('HGET', flows, 'clock') or '0')
        if tonumber(score) > clock then redis.call('HSET', flows, 'clock', score) end
        if redis.call('HGET', flows, 'head:' .. tenant) == member then
          redis.call('HSET', flows, 'next:' .. tenant, exact(tonumber(score) + tonumber(stride)))
          leaveHead(order, jobs, flows, ARGV[5], tenant, member)
        end
        -- The tenant's next job may be due before those that were looked up.
        more = true
        break
      elseif entry and score ~= 'inf' then last = score end
    end
  end
end
local clock = redis.call('GET', KEYS[4])
if clock and last and tonumber(last) > tonumber(clock) then redis.call('SET', KEYS[4], last) end
if ARGV[4] ~= '0' and #taken / 2 < own then
  local enough = {}
  for tenant in pairs(held) do if hasEnough(tenant) then enough[#enough + 1] = tenant end end
  redis.call('SET', KEYS[5], ' ' .. table.concat(enough, ' '), 'PX', ARGV[4])
end
forget(order, flows)
return taken`;

/**
 * Forgets jobs that BullMQ has taken over, also when a claim was over and the job is back in the order.
 * KEYS[1] order, KEYS[2] jobs, KEYS[3] claims
 * ARGV members
 * Returns 1.
 */
export const confirmScript = `${flowFunctions}
for _, member in ipairs(ARGV) do
  redis.call('HDEL', KEYS[3], member)
  redis.call('ZREM', KEYS[1], member)
  if entryOf(KEYS[2], member) then redis.call('HDEL', KEYS[2], string.sub(member, tieChars + 1)) end
end
return 1`;

/**
 * Takes a job out that waits.
 * KEYS[1] order, KEYS[2] jobs, KEYS[3] claims, KEYS[4] flows
 * ARGV[1] id, ARGV[2] start of the keys of lines
 * Returns 1 when it was there, else 0.
 */
export const removeScript = `${flowFunctions}
local entry = redis.call('HGET', KEYS[2], ARGV[1])
if not entry then return 0 end
local member = string.sub(entry, 1, tieChars) .. ARGV[1]
local tenant = flowOf(string.sub(entry, tieChars + 1))
redis.call('ZREM', KEYS[1], member)
redis.call('HDEL', KEYS[3], member)
redis.call('HDEL', KEYS[2], ARGV[1])
if tenant then
  redis.call('LREM', ARGV[2] .. tenant, 0, member)
  leaveHead(KEYS[1], KEYS[2], KEYS[4], ARGV[2], tenant, member)
end
forget(KEYS[1], KEYS[4])
return 1`;

/**
 * KEYS[1] jobs, KEYS[2] claims, KEYS[3] BullMQ's wait, KEYS[4] prioritized, KEYS[5] active, KEYS[6] delayed
 * ARGV[1] start of the keys of BullMQ's jobs
 * Returns how many jobs wait (a claimed one that BullMQ has is counted there), are active, are delayed, and how many of those that
 * wait are BullMQ's.
 */
export const countScript = `
local waiting = redis.call('HLEN', KEYS[1])
local atBull = redis.call('LLEN', KEYS[3]) + redis.call('ZCARD', KEYS[4])
for _, member in ipairs(redis.call('HKEYS', KEYS[2])) do
  if redis.call('EXISTS', ARGV[1] .. string.sub(member, ${tieChars + 1})) == 1 then waiting = waiting - 1 end
end
return { waiting + atBull, redis.call('LLEN', KEYS[5]), redis.call('ZCARD', KEYS[6]), atBull }`;

/**
 * KEYS[1] clock
 * ARGV[1] a time
 * Returns 1.
 */
export const raiseScript = `
local clock = redis.call('GET', KEYS[1])
if not clock or tonumber(ARGV[1]) > tonumber(clock) then redis.call('SET', KEYS[1], ARGV[1]) end
return 1`;
