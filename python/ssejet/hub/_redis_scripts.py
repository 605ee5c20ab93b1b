"""The Lua scripts that change a log in Redis: each one is atomic, and can be repeated.

A log has three kinds of keys, which share a hash tag:

* ``…:meta``, a hash: ``g`` the log's name, ``i`` the incarnation, ``s`` the status, ``p`` the last position,
  ``b`` the bytes of all entries; and of the producer: ``t`` its token, ``d`` the end of its lease in
  milliseconds, ``h`` the hub that runs it, ``x`` whether it has to stop.
* ``…:log``, a stream: an entry has the id ``<position>-<milliseconds>``, and one field: its name is the kind
  of the entry, a letter, with the log's name, and its value the bytes. By the log's name a follower sees that
  the log was deleted and made again. An entry ``o`` says that a producer has begun; it has the position 0 if
  the log is new. An entry ``d`` says that the log was deleted.
* ``…:w:<writer>``, a hash: ``n`` how many events that writer has appended, ``l`` the position of the last.
  By it the script sees that a repeated append was done before, and that Redis has lost confirmed appends.
"""

from __future__ import annotations

from hashlib import sha1

__all__ = ["APPEND", "CLAIM", "COMMIT", "DELETE", "LOAD", "PAGE", "RENEW", "SCRIPTS", "STOP", "Script"]


class Script:
    """A Lua script, called by its hash."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.sha = sha1(source.encode(), usedforsecurity=False).hexdigest()


_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

_TRIM = """
local function trim(log, bytes, most_events, most_bytes, max_age)
  most_events, most_bytes = tonumber(most_events), tonumber(most_bytes)
  local oldest = max_age ~= '' and now - max_age or 0
  local length = redis.call('XLEN', log)
  while length > 1 and (length > most_events or bytes > most_bytes or oldest > 0) do
    local cut = nil
    local look = math.min(math.max(length - most_events, 1), 100)
    for _, entry in ipairs(redis.call('XRANGE', log, '-', '+', 'COUNT', look)) do
      local at, age = string.match(entry[1], '(%d+)-(%d+)')
      if length > 1 and (length > most_events or bytes > most_bytes or tonumber(age) < oldest) then
        length = length - 1
        bytes = bytes - #entry[2][2]
        cut = string.format('%.0f', at + 1)
      end
    end
    if not cut then break end
    redis.call('XTRIM', log, 'MINID', cut)
  end
  return bytes
end
"""
"""Drops what is beyond the bounds of a log, and returns the bytes that are left."""

_ENTRIES = """
local function entries_after(log, position, after, count)
  local first = position + 1
  local oldest = redis.call('XRANGE', log, '1', '+', 'COUNT', 1)
  if oldest[1] then first = tonumber(string.match(oldest[1][1], '%d+')) end
  local entries, bytes, at, left = {}, 0, after + 1, tonumber(count)
  while left > 0 do
    -- A client that is slow keeps its page in memory, so a page is bounded in bytes too.
    local step = math.min(left, 50)
    local found = redis.call('XRANGE', log, string.format('%.0f', at), '+', 'COUNT', step)
    for _, entry in ipairs(found) do
      entries[#entries + 1] = entry
      bytes = bytes + #entry[2][2]
      left = left - 1
      if bytes > 2097152 then return first, entries end
    end
    if #found < step then break end
    at = string.match(found[#found][1], '%d+') + 1
  end
  return first, entries
end
"""
"""Returns the position of the first entry, and entries after a position."""

_RECORD = (
    _ENTRIES
    + """
-- from: where ARGV has the position, the number of entries, and the number and the names of fields.
local function record(meta, log, from)
  local m = redis.call('HMGET', meta, 'g', 'i', 's', 'p', 'v')
  if not m[1] then return {} end
  local position, fields = tonumber(m[4] or 0), {}
  local first, entries = entries_after(log, position, ARGV[from], ARGV[from + 1])
  local count = tonumber(ARGV[from + 2])
  if count > 0 then fields = redis.call('HMGET', meta, unpack(ARGV, from + 3, from + 2 + count)) end
  return {m[1], m[2], m[3], first, position, m[5] or '', fields, entries}
end

local function use(meta, log)
  local ttl = redis.call('HGET', meta, 'e')
  if ttl and ttl ~= '' then
    redis.call('PEXPIRE', meta, ttl)
    redis.call('PEXPIRE', log, ttl)
  end
end
"""
)
"""Reads a log with its revision and fields; begins the time to live of its own again."""

APPEND = Script(
    _NOW
    + _TRIM
    + """
-- ARGV: token, another incarnation, events before, last known position, ttl, most events, bytes and age,
-- last status, whether Redis may have lost the log, lease, hub, whether the lease must be valid, how long to
-- remember the writer; then the kind and the bytes of each entry.
local meta, log, writer = KEYS[1], KEYS[2], KEYS[3]
local token, before, known = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
local count = (#ARGV - 14) / 2
local seen = redis.call('HMGET', writer, 'n', 'l')
local m = redis.call('HMGET', meta, 'i', 's', 't', 'p', 'b', 'x', 'd', 'g')
local incarnation, status, name = m[1], m[2], m[8]
local done = tonumber(seen[1] or 0)
if incarnation and count > 0 and seen[1] and done == before + count then
  return {1, tonumber(seen[2]), incarnation, m[6] or ''}
end
local position, bytes = tonumber(m[4] or 0), tonumber(m[5] or 0)
local lost = false
if not incarnation then
  if token ~= '' and ARGV[10] ~= '1' then return {3} end
  incarnation, name = ARGV[2], ARGV[2]
  if ARGV[10] == '1' then position = known end
  -- Before DEL: Redis refuses a script because it is full only at the first command that writes.
  redis.call('HSET', meta, 'i', incarnation, 'g', name, 's', 'live')
  redis.call('PEXPIRE', meta, ARGV[5])
  redis.call('DEL', log)
  if token ~= '' then
    redis.call('HSET', meta, 't', token, 'd', string.format('%.0f', now + ARGV[11]), 'h', ARGV[12])
  end
elseif token ~= '' and (m[3] ~= token or (ARGV[13] == '1' and tonumber(m[7]) < now)) then
  return {0}
elseif status ~= 'live' then
  return {2}
elseif done < before then
  lost = true
  incarnation = ARGV[2]
  position = math.max(position, known) + 1
  redis.call('HSET', meta, 'i', incarnation)
  redis.call('XADD', log, string.format('%.0f-%.0f', position, now), 'r' .. name, incarnation)
end
if redis.call('XLEN', log) == 0 then bytes = 0 end
for at = 15, #ARGV, 2 do
  position = position + 1
  bytes = bytes + #ARGV[at + 1]
  redis.call('XADD', log, string.format('%.0f-%.0f', position, now), ARGV[at] .. name, ARGV[at + 1])
end
bytes = trim(log, bytes, ARGV[6], ARGV[7], ARGV[8])
redis.call('HSET', meta, 'p', string.format('%.0f', position), 'b', string.format('%.0f', bytes))
if ARGV[9] ~= '' then redis.call('HSET', meta, 's', ARGV[9], 't', '') end
if count > 0 then
  redis.call('HSET', writer, 'n', string.format('%.0f', before + count), 'l', string.format('%.0f', position))
  redis.call('PEXPIRE', writer, ARGV[14])
end
redis.call('PEXPIRE', meta, ARGV[5])
redis.call('PEXPIRE', log, ARGV[5])
return {1, position, incarnation, m[6] or ''}
"""
)
"""Returns 1, the last position, the incarnation and whether to stop.

It returns 0 if the producer is fenced, 2 if the log has ended, 3 if there is none.
"""

CLAIM = Script(
    _NOW
    + """
-- ARGV: token, incarnation, lease, ttl, hub.
local meta, log = KEYS[1], KEYS[2]
local m = redis.call('HMGET', meta, 'g', 's', 't', 'p')
if m[3] == ARGV[1] then return 1 end
if m[1] and (m[2] ~= 'live' or m[3]) then return 0 end
local position, name = 0, m[1] or ARGV[2]
if m[1] then
  position = (m[4] or 0) + 1
else
  redis.call('HSET', meta, 'i', ARGV[2], 'g', ARGV[2], 's', 'live', 'b', 0)
  redis.call('PEXPIRE', meta, ARGV[4])
  redis.call('DEL', log)
end
-- Wakes the followers, so that they look at the lease when it should end. If Redis refuses this, as the user
-- may not add to streams, nobody has the lease.
redis.call('XADD', log, string.format('%.0f-%.0f', position, now), 'o' .. name, '')
redis.call('HSET', meta, 't', ARGV[1], 'd', string.format('%.0f', now + ARGV[3]), 'h', ARGV[5],
  'p', string.format('%.0f', position))
redis.call('PEXPIRE', meta, ARGV[4])
redis.call('PEXPIRE', log, ARGV[4])
return 1
"""
)
"""Returns 1 if the producer has the log, else 0."""

RENEW = Script(
    _NOW
    + """
-- ARGV: token, lease, ttl, whether the lease must be valid.
local m = redis.call('HMGET', KEYS[1], 't', 's', 'x', 'd')
if not m[2] then return {-1} end
if m[1] ~= ARGV[1] or m[2] ~= 'live' or (ARGV[4] == '1' and tonumber(m[4]) < now) then return {0} end
redis.call('HSET', KEYS[1], 'd', string.format('%.0f', now + ARGV[2]))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('PEXPIRE', KEYS[3], ARGV[3])
return {1, m[3] or ''}
"""
)
"""Returns 1 and whether to stop; 0 if the log has ended or has another producer; -1 if there is no log."""

STOP = Script(
    """
local m = redis.call('HMGET', KEYS[1], 's', 't', 'h')
if m[1] ~= 'live' or not m[2] then return {} end
redis.call('HSET', KEYS[1], 'x', '1')
return {m[3], m[2]}
"""
)
"""Returns the hub that runs the producer and the token of the producer, or nothing if there is none."""

PAGE = Script(
    _NOW
    + _ENTRIES
    + """
-- ARGV: position, most entries, whether to look at the lease, ttl if the log is in use, error, end.
local meta, log = KEYS[1], KEYS[2]
local m = redis.call('HMGET', meta, 'g', 'i', 's', 'p', 't', 'd', 'e')
if not m[1] then return {} end
local status, position, left = m[3], tonumber(m[4] or 0), -1
if status == 'live' and m[5] then
  left = tonumber(m[6]) - now
  if left < 0 and ARGV[3] == '1' then
    status = 'abandoned'
    for at = 5, 6 do
      position = position + 1
      local kind = at == 6 and 'z' or 'm'
      redis.call('XADD', log, string.format('%.0f-%.0f', position, now), kind .. m[1], ARGV[at])
    end
    redis.call('HSET', meta, 's', status, 't', '', 'p', string.format('%.0f', position))
    local ttl = redis.call('PTTL', meta)
    if ttl > 0 then redis.call('PEXPIRE', log, ttl) end
  end
  left = math.max(left, 0)
end
if ARGV[4] ~= '' and status == 'live' and not m[7] then
  redis.call('PEXPIRE', meta, ARGV[4])
  redis.call('PEXPIRE', log, ARGV[4])
end
local first, entries = entries_after(log, position, ARGV[1], ARGV[2])
return {m[1], m[2], status, first, position, left, entries}
"""
)
"""Returns name, incarnation, status, first and last position, what is left of the lease, and entries."""

LOAD = Script(
    _RECORD
    + """
-- ARGV: whether this uses the log, then those of record.
if ARGV[1] == '1' then use(KEYS[1], KEYS[2]) end
return record(KEYS[1], KEYS[2], 2)
"""
)
"""Returns name, incarnation, status, first and last position, revision, fields and entries."""

COMMIT = Script(
    _NOW
    + _TRIM
    + _RECORD
    + """
-- ARGV: those of record; then expected and new revision, incarnation, position, most events, bytes and age,
-- status after it, ttl, end of its life, the number of fields to set, with their names and values; then the
-- kind and the bytes of each entry.
local meta, log, writer = KEYS[1], KEYS[2], KEYS[3]
local at = 3 + tonumber(ARGV[3])
local revision, ttl, until_ms = ARGV[at + 2], ARGV[at + 9], ARGV[at + 10]
if redis.call('GET', writer) == revision then return {1, record(meta, log, 1)} end
local m = redis.call('HMGET', meta, 'g', 'v', 'b')
local current = ''
if m[1] then current = m[2] or '?' end
if current ~= ARGV[at + 1] then return {0, record(meta, log, 1)} end
local position, bytes, name = tonumber(ARGV[at + 4]), tonumber(m[3] or 0), m[1] or ARGV[at + 3]
if not m[1] then
  redis.call('DEL', log)
  redis.call('HSET', meta, 'g', name, 's', 'live', 'e', ttl)
end
local count = tonumber(ARGV[at + 11])
for set = at + 12, at + 11 + 2 * count, 2 do redis.call('HSET', meta, ARGV[set], ARGV[set + 1]) end
for add = at + 12 + 2 * count, #ARGV, 2 do
  position = position + 1
  bytes = bytes + #ARGV[add + 1]
  redis.call('XADD', log, string.format('%.0f-%.0f', position, now), ARGV[add] .. name, ARGV[add + 1])
end
bytes = trim(log, bytes, ARGV[at + 5], ARGV[at + 6], ARGV[at + 7])
redis.call('HSET', meta, 'i', ARGV[at + 3], 'v', revision, 'p', string.format('%.0f', position), 'b',
  string.format('%.0f', bytes))
if ARGV[at + 8] ~= '' then redis.call('HSET', meta, 's', ARGV[at + 8]) end
redis.call('SET', writer, revision, 'PX', 600000)
use(meta, log)
if until_ms ~= '' then
  redis.call('PEXPIREAT', meta, until_ms)
  redis.call('PEXPIREAT', log, until_ms)
end
return {1, record(meta, log, 1)}
"""
)
"""Returns 1 if the change is made, else 0; then what ``LOAD`` returns."""

DELETE = Script(
    _NOW
    + """
local meta, log = KEYS[1], KEYS[2]
local m = redis.call('HMGET', meta, 'p', 'h', 't')
local position = m[1]
redis.call('DEL', meta)
if position then
  -- An entry wakes those that follow the log. A log that is made later begins with an empty stream.
  redis.call('XADD', log, 'MAXLEN', 1, string.format('%.0f-%.0f', position + 1, now), 'd', '')
  redis.call('PEXPIRE', log, 10000)
end
return {m[2], m[3]}
"""
)
"""Returns the hub that runs the producer and the token of the producer, or nothing if there is none."""

SCRIPTS = (APPEND, CLAIM, COMMIT, DELETE, LOAD, PAGE, RENEW, STOP)
