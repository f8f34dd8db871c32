// Renews the figures of a live page each second, and draws their curves. What is shown are the
// shop's own words; here they are only put in their places. A page that nobody sees asks nothing,
// and a shop that is slow or does not answer is asked less and less often.

const EACH_MS = 1_000;
const LONGEST_MS = 30_000;
const PATIENCE_MS = 10_000;
const SLOW_MS = 1_500;
const MOST_POINTS = 900;
// The curves of a page that has just been opened are this wide at least.
const NARROWEST_SECONDS = 60;
const WIDTH = 600;
const HEIGHT = 150;

const page = document.getElementById("live");
const status = page.querySelector("[role=status]");
const sayings = JSON.parse(document.getElementById("live-sayings").textContent);
const names = page.dataset.point.split(",");
const language = document.documentElement.lang;

let points = [];
let wantsCurve = true;
let failures = 0;
let timer = 0;
let asking = null;
let isDone = false;

function say(name, ms = 0) {
  const words = sayings[name].replace("{seconds}", String(Math.round(ms / 1_000)));
  // A reader hears what is new, and not the same each second.
  if (status.textContent !== words) status.textContent = words;
  page.dataset.state = name;
}

function again(ms) {
  clearTimeout(timer);
  if (!isDone && !document.hidden) timer = setTimeout(ask, ms);
}

function stop(saying) {
  isDone = true;
  say(saying);
}

function failed(saying, least = 0) {
  failures += 1;
  page.dataset.failures = failures;
  wantsCurve = true;
  const ms = Math.max(least, Math.min(LONGEST_MS, EACH_MS * 2 ** failures));
  // One answer that is late or lost happens; it is said when it happens again.
  if (failures > 1) say(saying, ms);
  again(ms);
}

async function ask() {
  const mine = new AbortController();
  asking?.abort();
  asking = mine;
  const giveUp = setTimeout(() => mine.abort(), PATIENCE_MS);
  const began = performance.now();
  try {
    const address = page.dataset.figures + (wantsCurve ? "?curve" : "");
    const answer = await fetch(address, { redirect: "manual", signal: mine.signal });
    if (answer.type === "opaqueredirect" || [401, 403, 404].includes(answer.status)) {
      stop("out");
    } else if (answer.ok) {
      show(await answer.json());
      answered(performance.now() - began);
    } else {
      failed("silent", 1_000 * (Number(answer.headers.get("Retry-After")) || 0));
    }
  } catch {
    // The next one has taken over, or nobody looks any more.
    if (asking === mine && !document.hidden) failed("silent");
  } finally {
    clearTimeout(giveUp);
  }
}

function answered(ms) {
  failures = 0;
  wantsCurve = false;
  if (isDone) return;
  const pause = Math.min(LONGEST_MS, Math.max(EACH_MS, ms > SLOW_MS ? 4 * ms : 0));
  say(ms > SLOW_MS ? "slow" : "live", pause);
  again(pause);
}

function show({ cells, point, curve, over }) {
  for (const [name, words] of Object.entries(cells)) {
    const cell = page.querySelector(`[data-cell="${name}"]`);
    if (cell && cell.textContent !== words) cell.textContent = words;
  }
  if (curve.length) points = curve;
  const last = points.at(-1);
  if (!last || last[0] < point[0]) points.push(point);
  points = points.slice(-MOST_POINTS);
  for (const figure of page.querySelectorAll("figure")) draw(figure);
  if (over) stop("over");
}

function draw(figure) {
  const chart = figure.querySelector("svg");
  const lines = chart.dataset.lines.split(",").map((name) => names.indexOf(name));
  const until = points.at(-1)[0];
  const from = Math.min(points[0][0], until - NARROWEST_SECONDS);
  const most = Math.max(1, ...points.flatMap((point) => lines.map((line) => point[line] ?? 0)));
  const place = (point, line) => {
    const x = ((point[0] - from) / (until - from)) * WIDTH;
    const y = HEIGHT - 2 - (point[line] / most) * (HEIGHT - 4);
    return `${x.toFixed(1)} ${y.toFixed(1)}`;
  };
  lines.forEach((line, number) => {
    let pen = "M";
    let way = "";
    for (const point of points) {
      if (point[line] === null) {
        pen = "M";
      } else {
        way += `${pen}${place(point, line)}`;
        pen = "L";
      }
    }
    path(chart, number).setAttribute("d", way);
  });
  figure.querySelector(".live-most").textContent = `↑ ${number(most)}`;
  figure.querySelector(".live-from").textContent = clock(from);
  figure.querySelector(".live-until").textContent = clock(until);
}

function path(chart, number) {
  while (chart.children.length <= number) {
    const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
    line.setAttribute("class", `live-line-${chart.children.length + 1}`);
    chart.append(line);
  }
  return chart.children[number];
}

function clock(seconds) {
  // The shop's time, wherever its operator is.
  const options = { timeZone: page.dataset.zone, hourCycle: "h23" };
  return new Date(seconds * 1_000).toLocaleTimeString(language, options);
}

function number(figure) {
  return figure.toLocaleString(language, { maximumFractionDigits: 0 });
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  if (document.hidden) {
    asking?.abort();
  } else if (!isDone) {
    wantsCurve = true;
    ask();
  }
});

say("first");
if (!document.hidden) ask();
