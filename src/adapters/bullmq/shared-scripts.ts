/** The scripts of the shared state. Each touches one key. Numbers go in and come out as text: Lua would round or cut them. */

const now = `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000`;

/**
 * KEYS[1] the lease
 * ARGV[1] who asks, ARGV[2] for how long (ms)
 * Returns 1 when it is theirs now, else 0.
 */
export const leaseScript = `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`;

/**
 * Does what \`takeToken\` of domain/token-bucket.ts does.
 *
 * KEYS[1] the bucket: the time (ms, with fraction) at which it will be full; it expires then
 * ARGV[1] tokens per minute
 * Returns { 1 when a token was taken, else 0; tokens left, as text }.
 */
export const takeTokenScript = `${now}
local perMinute = tonumber(ARGV[1])
local tokenMs = 60000 / perMinute
local full = tonumber(redis.call('GET', KEYS[1]) or now)
full = math.min(math.max(full, now), now + 60000)
local left = perMinute - (full - now) / tokenMs
local taken = 0
if left >= 1 - 1e-6 then
  taken = 1
  left = left - 1
  full = full + tokenMs
  redis.call('SET', KEYS[1], string.format('%.17g', full), 'PX', string.format('%.0f', math.ceil(full - now) + 1))
end
return { taken, string.format('%.17g', math.max(0, left)) }`;

const usage = `
local function text(number) return string.format('%.0f', number) end
local function field(name) return tonumber(redis.call('HGET', KEYS[1], name) or nil) end
local function usage(countAs)
  local counted = field('counted')
  return {
    counted and text(counted) or '',
    text(math.max(0, field('added') or 0)),
    text(field('nextEpoch') or field('epoch') or 0),
    countAs and text(countAs) or ''
  }
end`;

/**
 * Does what \`changeUsage\` of domain/usage.ts does.
 *
 * KEYS[1] the usage: a hash of epoch, began, counted, added and, while a count is under way, nextEpoch, nextBegan, nextAdded
 * ARGV[1] amount, ARGV[2] before, ARGV[3] epoch that heard of it last, ARGV[4] a count is renewed after (ms), ARGV[5] is kept for (ms)
 * Returns { counted or '', added, epoch, epoch to count as or '' }, all as text.
 */
export const changeUsageScript = `${now}${usage}
now = math.floor(now)
local amount, before, heard, recountMs = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local epoch, counted, nextEpoch = field('epoch') or 0, field('counted'), field('nextEpoch')
local function isOld(began) return began == nil or math.abs(now - began) >= recountMs end
local countAs = nil
if (counted == nil or isOld(field('began'))) and (nextEpoch == nil or isOld(field('nextBegan'))) then
  nextEpoch = math.max(now, (nextEpoch or epoch) + 1)
  redis.call('HSET', KEYS[1], 'nextEpoch', text(nextEpoch), 'nextBegan', text(now), 'nextAdded', '0')
  countAs = nextEpoch
end
if counted == nil then countAs = nextEpoch end
local function add(name, to)
  local change = heard >= to and amount or before + amount
  if change ~= 0 then redis.call('HINCRBY', KEYS[1], name, text(change)) end
end
add('added', epoch)
if nextEpoch then add('nextAdded', nextEpoch) end
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return usage(countAs)`;

/**
 * Does what \`settleUsage\` of domain/usage.ts does.
 *
 * KEYS[1] the usage, as above
 * ARGV[1] epoch of the count, ARGV[2] what it found, ARGV[3] is kept for (ms)
 * Returns the same as above.
 */
export const settleUsageScript = `${usage}
if field('nextEpoch') == tonumber(ARGV[1]) then
  local began, added = redis.call('HGET', KEYS[1], 'nextBegan'), redis.call('HGET', KEYS[1], 'nextAdded')
  redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'began', began, 'counted', ARGV[2], 'added', added)
  redis.call('HDEL', KEYS[1], 'nextEpoch', 'nextBegan', 'nextAdded')
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return usage(nil)`;

/**
 * Does what \`addClaim\` of domain/claims.ts does.
 *
 * KEYS[1] the claims: a hash of claim id to 'order until amount id'; it expires with the last of them
 * ARGV[1] claim id, ARGV[2] id, ARGV[3] amount, ARGV[4] is kept for (ms)
 * Returns claim id, id and amount of each earlier claim, one after the other, oldest first, all as text.
 */
export const claimScript = `${now}
local live, last, own = {}, 0, nil
local all = redis.call('HGETALL', KEYS[1])
for at = 1, #all, 2 do
  local order, till, amount, id = string.match(all[at + 1], '^(%d+) (%d+) (%d+) (.*)$')
  if tonumber(till) <= now then
    redis.call('HDEL', KEYS[1], all[at])
  else
    order = tonumber(order)
    last = math.max(last, order)
    if all[at] == ARGV[1] then own = order else live[#live + 1] = { order, all[at], id, amount } end
  end
end
own = own or last + 1
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f %.0f %s %s', own, now + ARGV[4], ARGV[3], ARGV[2]))
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
table.sort(live, function(a, b) return a[1] < b[1] end)
local earlier = {}
for _, claim in ipairs(live) do
  if claim[1] < own then
    for field = 2, 4 do earlier[#earlier + 1] = claim[field] end
  end
end
return earlier`;

/**
 * KEYS[1] the claims, as above
 * ARGV[1] claim id
 * Returns 1 when it was there, else 0.
 */
export const unclaimScript = `return redis.call('HDEL', KEYS[1], ARGV[1])`;
