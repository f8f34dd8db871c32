-- What wrk's clients do. Without BENCH_SHOPPERS they ask for one address again and again and nothing
-- is looked at, so that the yardstick pays for no bookkeeping. With it each request is an order of
-- its own: another shopper's token, a new key, one unit of BENCH_SKU; each answer is counted by
-- status and code, and each number that the shop acknowledged is written down.
--
-- Configured by the environment, because wrk loads this file once per thread and once more for
-- `done`, which knows nothing of the threads but their globals. Run with one thread (-t1).

local result_file = os.getenv("BENCH_RESULT")
local shoppers_file = os.getenv("BENCH_SHOPPERS")
-- With a limit exactly as many requests are sent, and the run ends with the last answer.
local limit = tonumber(os.getenv("BENCH_LIMIT") or "")

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
  local heads, bodies = {}, {}
  local sku, run = os.getenv("BENCH_SKU"), os.getenv("BENCH_RUN")
  for line in io.lines(shoppers_file) do
    local token, address = line:match("^(%S+) (%d+)$")
    local body = string.format('{"items":[{"sku":%s,"count":1}],"address":%s}', sku, address)
    heads[#heads + 1] = table.concat({
      "POST /api/v1/orders HTTP/1.1",
      "Host: " .. wrk.host .. ":" .. wrk.port,
      "Authorization: Bearer " .. token,
      "Content-Type: application/json",
      "Content-Length: " .. #body,
      "Idempotency-Key: " .. run .. "-",
    }, "\r\n")
    bodies[#bodies + 1] = "\r\n\r\n" .. body
  end

  local sent, allowed, answered = 0, 0, 0
  local acknowledged = assert(io.open(os.getenv("BENCH_ACKNOWLEDGED"), "a"))
  counts = {}  -- global: `done` reads it

  function request()
    sent = sent + 1
    local shopper = sent % #heads + 1
    return heads[shopper] .. sent .. bodies[shopper]
  end

  function response(status, _, body)
    local code = tostring(status)
    if status == 201 then
      acknowledged:write(body:match('"order_no":"(%w+)"') or "none", "\n")
    else
      code = code .. " " .. (body:match('"code":"([%w_]+)"') or "unknown")
    end
    counts[code] = (counts[code] or 0) + 1
    answered = answered + 1
    if answered == limit then
      write_result({}, counts)
      os.exit(0)  -- wrk itself would sleep on until its time is up
    end
  end

  if limit then
    -- Asked before each request (`request` is also called once to look at what it makes).
    function delay()
      allowed = allowed + 1
      return allowed > limit and 3600000 or 0
    end
  end
end

local threads = {}

function setup(thread)
  threads[#threads + 1] = thread
end

function done(summary, latency)
  local errors = summary.errors
  local seen = shoppers_file and threads[1]:get("counts")
    or { ["200"] = summary.requests - errors.status, ["other"] = errors.status }
  for _, kind in ipairs({ "connect", "read", "write", "timeout" }) do
    seen["socket " .. kind] = errors[kind]
  end
  local fields = { string.format('"seconds": %.6f', summary.duration / 1e6) }
  for _, percentile in ipairs({ 50, 99 }) do
    fields[#fields + 1] =
      string.format('"p%d_ms": %.3f', percentile, latency:percentile(percentile) / 1e3)
  end
  fields[#fields + 1] = string.format('"max_ms": %.3f', latency.max / 1e3)
  write_result(fields, seen)
end
