/**
 * The client of the shop's API: a method for each of the operations, and what each of them owes.
 *
 * `client.readOrder({order_no})`, `client.placeOrder({body})`: what stands in the path or in the query
 * is given by name, the rest as `body`. A promise of the answer's document, or a thrown `Problem`.
 *
 * Behind it: new tokens when the old ones are too old, one request for them at a time; one key for
 * each intent (see intents.js); repeating what the shop was too busy for, as its Retry-After asks, a
 * few times and no longer. It needs a transport and two storages, and nothing of a browser.
 */
import { Intents } from "./intents.js";
import { operations } from "./operations.js";
import { problemOf, unreachable } from "./problem.js";
import { Session } from "./session.js";

/** How often one request is sent at most, and the longest pause (seconds) that is waited for. */
export const TRIES = 4;
export const LONGEST_PAUSE = 5;
const WORTH_REPEATING = new Set(["busy", "unavailable", "unreachable", "request_in_progress"]);

export class Client {
  #base;
  #transport;
  #language;
  #heard;
  #pause;
  #intents;

  /**
   * `base`: the API's address, up to and with `/api/v1`. `shared`: a storage for who is logged in.
   * `own`: one for what is being done here. `language()`: for Accept-Language. `heard(answer)`: told
   * of each answer, for its `server_time`. `pause(seconds)`: waits. `now()`: milliseconds.
   */
  constructor({ base, transport, shared, own, lock, language, heard, pause, newKey, now }) {
    this.#base = base;
    this.#transport = transport;
    this.#language = language ?? (() => null);
    this.#heard = heard ?? (() => {});
    this.#pause = pause ?? ((seconds) => new Promise((done) => setTimeout(done, seconds * 1000)));
    this.#intents = new Intents({ storage: own, newKey, now });
    this.session = new Session({ storage: shared, pause: this.#pause, lock });
    for (const [name, operation] of Object.entries(operations)) {
      this[name] ??= (given = {}) => this.#carryOut(name, operation, given);
    }
  }

  async register(given) {
    return this.#begin("register", given);
  }

  async logIn(given) {
    return this.#begin("logIn", given);
  }

  async logInWithWechat(given) {
    return this.#begin("logInWithWechat", given);
  }

  logOut() {
    this.session.end();
  }

  async #begin(name, given) {
    const begun = await this.#carryOut(name, operations[name], given);
    this.session.begin(begun);
    return begun;
  }

  #carryOut(name, operation, given) {
    const { body = null, intent = null } = given;
    const url = this.#base + address(operation, given);
    const makeBody = () => (typeof body === "function" ? body() : body);
    if (!operation.keyed) {
      return Promise.resolve(makeBody()).then((made) => this.#asUser(operation, { url, body: made }));
    }
    // Whoever the next one to log in here is, it is not their intent.
    const whose = this.session.user?.id ?? "";
    const what = intent ?? JSON.stringify(body);
    return this.#intents.carryOut(`${whose} ${url} ${what}`, makeBody, (made) =>
      this.#asUser(operation, { url, ...made }),
    );
  }

  async #asUser(operation, request) {
    const access = operation.open ? null : (this.session.current?.access ?? null);
    try {
      return await this.#patiently(operation, { ...request, access });
    } catch (error) {
      if (access === null || error.status !== 401) throw error;
      await this.session.renew(access, (refresh) => this.refresh({ body: { refresh } }));
      const renewed = this.session.current?.access;
      if (!renewed) throw error;
      return this.#patiently(operation, { ...request, access: renewed });
    }
  }

  async #patiently(operation, request) {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#send(operation, request);
      } catch (error) {
        const seconds = pauseAfter(error, operation, tries);
        if (seconds === null) throw error;
        await this.#pause(seconds);
      }
    }
  }

  async #send({ method }, { url, body, key, access }) {
    const headers = { Accept: "application/json" };
    if (this.#language()) headers["Accept-Language"] = this.#language();
    if (access) headers.Authorization = `Bearer ${access}`;
    if (key) headers["Idempotency-Key"] = key;
    if (body !== null) headers["Content-Type"] = "application/json";
    let answer;
    try {
      const text = body === null ? null : JSON.stringify(body);
      answer = await this.#transport({ method, url, headers, body: text });
    } catch (error) {
      throw unreachable(error);
    }
    this.#heard(answer);
    if (answer.status >= 400) throw problemOf(answer);
    return answer.data;
  }
}

/** Path and query, everything in them made harmless. */
function address(operation, given) {
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name) => {
    if (given[name] === undefined) throw new TypeError(`${operation.path} without ${name}`);
    return encodeURIComponent(given[name]);
  });
  const asked = (operation.query ?? [])
    .filter((name) => given[name] !== undefined && given[name] !== null && given[name] !== "")
    .map((name) => `${name}=${encodeURIComponent(given[name])}`);
  return asked.length ? `${path}?${asked.join("&")}` : path;
}

/** Seconds to wait before the same request is sent again, or null for never. */
function pauseAfter(error, operation, tries) {
  if (tries >= TRIES) return null;
  const harmless = operation.method !== "POST" || operation.keyed || operation.again;
  // Where no answer came, or one of a proxy that had waited too long, it may have been carried out.
  const repeat = harmless ? WORTH_REPEATING.has(error.code) : error.code === "busy";
  const seconds = error.retryAfter ?? tries;
  if (!repeat || seconds > LONGEST_PAUSE) return null;
  // A little apart, or all who were refused together come back together.
  return Math.max(seconds, 0.2) * (1 + Math.random() / 4);
}
