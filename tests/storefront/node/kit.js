/** What the tests of the client are made of: a shop that says what it is told to, and no waiting. */
import { createRequire } from "node:module";
import { Client } from "../../../shop/storefront/static/storefront/api/client.js";
import { memoryStorage } from "../../../shop/storefront/static/storefront/api/storage.js";

export const USER = { id: 7, username: "buyer", nickname: "" };

/** Answers in turn; `"lost"` is a request whose answer never comes. */
export function shopThatSays(...answers) {
  const requests = [];
  const transport = async (request) => {
    requests.push(request);
    const answer = answers.shift();
    if (answer === undefined) throw new Error("nobody expected this request");
    if (answer === "lost") throw new Error("connection reset");
    return { headers: {}, data: null, ...(await (typeof answer === "function" ? answer() : answer)) };
  };
  return { transport, requests };
}

export function refusal(status, code, more = {}) {
  return { status, data: { type: `/problems/${code}`, title: code, status, code, ...more } };
}

/** A client that never waits and remembers how long it would have. */
export function clientOf(transport, { own = memoryStorage(), loggedIn = true, ...options } = {}) {
  const pauses = [];
  let keys = 0;
  const client = new Client({
    base: "/api/v1",
    transport,
    shared: memoryStorage(),
    own,
    pause: async (seconds) => pauses.push(seconds),
    newKey: () => `key-${(keys += 1)}`,
    ...options,
  });
  if (loggedIn) client.session.begin({ access: "old", refresh: "refresh-1", user: USER });
  return { client, pauses };
}

export const keyOf = (request) => request.headers["Idempotency-Key"];

/** `wx` as a mini-program has it, as far as the client asks: callbacks, text, header names as sent. */
export function miniProgram() {
  const http = createRequire(import.meta.url)("node:http");
  const kept = new Map();
  return {
    getStorageSync: (name) => kept.get(name) ?? "",
    setStorageSync: (name, value) => kept.set(name, structuredClone(value)),
    removeStorageSync: (name) => kept.delete(name),
    request({ url, method, header, data, timeout, dataType, success, fail }) {
      if (dataType !== "text") throw new Error("would be read as JSON");
      const asked = http.request(url, { method, headers: header, timeout }, (answer) => {
        const chunks = [];
        answer.on("data", (chunk) => chunks.push(chunk));
        answer.on("end", () => {
          const names = answer.rawHeaders.filter((_, at) => at % 2 === 0);
          success({
            statusCode: answer.statusCode,
            header: Object.fromEntries(names.map((name) => [name, answer.headers[name.toLowerCase()]])),
            data: Buffer.concat(chunks).toString("utf8"),
          });
        });
      });
      asked.on("error", (error) => fail({ errMsg: `request:fail ${error.message}` }));
      asked.end(data);
    },
  };
}
