-- What wrk's clients do. Without BENCH_SHOPPERS they ask for one address again and again and nothing
-- is looked at, so that the yardstick pays for no bookkeeping. With it each request is a purchase of
-- its own: another shopper's token, a new key, BENCH_BODY with that shopper's address in it; each
-- answer is counted by status and code, and each number that the shop acknowledged is written down.
-- With BENCH_PATHS each is a grab: bare, known by its request's id, at the address whose turn it is.
--
-- Configured by the environment, because wrk loads this file once per thread and once more for
-- `done`, which knows nothing of the threads but their globals. Run with one thread (-t1).

local result_file = os.getenv("BENCH_RESULT")
local shoppers_file = os.getenv("BENCH_SHOPPERS")
-- Without it no answer is looked at either; whoever measures counts them at the server.
local acknowledged_file = os.getenv("BENCH_ACKNOWLEDGED")
-- Addresses, a line each: all shoppers ask at one, then all at the next.
local paths_file = os.getenv("BENCH_PATHS")
-- With a limit exactly as many requests are sent, and the run ends with the last answer.
local limit = tonumber(os.getenv("BENCH_LIMIT") or "")
-- With a rate (a second) each request is sent when it is due, whether or not earlier ones are
-- answered, as long as there is a free connection.
local rate = tonumber(os.getenv("BENCH_RATE") or "")
-- Between the first thought of a request and the first that is due, in seconds: time to connect.
local BREATH = 0.1
local NEVER = 3600000

local ffi = require("ffi")
ffi.cdef([[
  typedef struct { long seconds; long nanoseconds; } bench_time;
  int clock_gettime(int clock, bench_time *time);
]])
local time = ffi.new("bench_time")

-- Seconds since 1970.
local function now()
  ffi.C.clock_gettime(0, time)
  return tonumber(time.seconds) + tonumber(time.nanoseconds) / 1e9
end

local function write_result(fields, counts)
  local members = {}
  for code, count in pairs(counts) do
    members[#members + 1] = string.format('"%s": %d', code, count)
  end
  fields[#fields + 1] = '"counts": {' .. table.concat(members, ", ") .. "}"
  local file = assert(io.open(result_file, "w"))
  file:write("{", table.concat(fields, ", "), "}\n")
  file:close()
end

if shoppers_file then
  local paths, heads, bodies = {}, {}, {}
  local run, text = os.getenv("BENCH_RUN"), os.getenv("BENCH_BODY")
  -- Requests that a shopper sends one after the other, before it is the next one's turn.
  local clicks = tonumber(os.getenv("BENCH_CLICKS"))

  function init()
    if paths_file then
      for path in io.lines(paths_file) do
        paths[#paths + 1] = path
      end
    else
      paths = { wrk.path }
    end
    for line in io.lines(shoppers_file) do
      local token, address = line:match("^(%S+) (%d+)$")
      local body = text:gsub("ADDRESS", address)
      heads[#heads + 1] = table.concat({
        " HTTP/1.1",
        "Host: " .. wrk.host .. ":" .. wrk.port,
        "Authorization: Bearer " .. token,
        "Content-Length: " .. #body,
        paths_file and "X-Request-ID: " .. run .. "-"
          or "Content-Type: application/json\r\nIdempotency-Key: " .. run .. "-",
      }, "\r\n")
      bodies[#bodies + 1] = "\r\n\r\n" .. body
    end
  end

  -- The first call only looks at what is made; what is sent is numbered from 1.
  local sent, allowed, answered = -1, 0, 0
  local started
  counts = {}  -- global: `done` reads it

  function request()
    sent = sent + 1
    if sent == 1 and not started then
      started = now()
    end
    local turn = math.floor(math.max(0, sent - 1) / clicks)
    local shopper = turn % #heads + 1
    local path = paths[math.floor(turn / #heads) % #paths + 1]
    return "POST " .. path .. heads[shopper] .. sent .. bodies[shopper]
  end

  if acknowledged_file then
    local acknowledged = assert(io.open(acknowledged_file, "a"))
    local numbered = '"' .. os.getenv("BENCH_NUMBER") .. '":"(%w+)"'

    function response(status, headers, body)
      local code = tostring(status)
      if paths_file and (status == 200 or status == 202) then
        local amount = body:match('"amount_fen": ?(%d+)') or "pending"
        acknowledged:write(headers["x-request-id"] or "none", " ", amount, "\n")
      elseif not paths_file and (status == 201 or status == 202) then
        local number = body:match(numbered) or "none"
        if rate then
          acknowledged:write(string.format("%s %.6f\n", number, now()))
        else
          acknowledged:write(number, "\n")
        end
      else
        code = code .. " " .. (body:match('"code": ?"([%w_]+)"') or "unknown")
      end
      counts[code] = (counts[code] or 0) + 1
      answered = answered + 1
      if answered == limit then
        local ended = now()
        acknowledged:close()
        write_result({
          string.format('"seconds": %.6f', ended - started),
          string.format('"started_at": %.6f', started),
        }, counts)
        os.exit(0)  -- wrk itself would sleep on until its time is up
      end
    end
  end

  if limit then
    -- Asked before each request. Timers fire in the order in which requests are due, so the n-th
    -- request to be sent is the n-th that was asked for here.
    function delay()
      allowed = allowed + 1
      if allowed > limit then
        return NEVER
      end
      if not rate then
        return 0
      end
      started = started or now() + BREATH
      return math.max(0, math.floor((started + (allowed - 1) / rate - now()) * 1000 + 0.5))
    end
  end
end

local threads = {}

function setup(thread)
  threads[#threads + 1] = thread
end

function done(summary, latency)
  local errors = summary.errors
  local seen = acknowledged_file and threads[1]:get("counts")
    or { ["200"] = summary.requests - errors.status, ["other"] = errors.status }
  for _, kind in ipairs({ "connect", "read", "write", "timeout" }) do
    seen["socket " .. kind] = errors[kind]
  end
  local seconds = summary.duration / 1e6
  local fields = {
    string.format('"seconds": %.6f', seconds),
    string.format('"started_at": %.6f', now() - seconds),
  }
  for _, percentile in ipairs({ 50, 99 }) do
    fields[#fields + 1] =
      string.format('"p%d_ms": %.3f', percentile, latency:percentile(percentile) / 1e3)
  end
  fields[#fields + 1] = string.format('"max_ms": %.3f', latency.max / 1e3)
  write_result(fields, seen)
end
