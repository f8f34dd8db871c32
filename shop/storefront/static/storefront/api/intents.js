/**
 * What somebody wants done once: its key and its body, kept until it is known what became of it.
 *
 * The same intent pressed again, in the same moment, after a lost answer or after the page was
 * loaded anew, is the same request with the same key, so at most one thing comes of it. Once there
 * is an answer, the next press is a new intent with a new key; so is one after an hour, when nobody
 * means the first one any more. Storage that tabs do not share makes a press in each of two tabs two
 * intents.
 */
const LASTS = 3600000;

export class Intents {
  #storage;
  #newKey;
  #now;
  #running = new Map();

  constructor({ storage, newKey = randomKey, now = Date.now }) {
    this.#storage = storage;
    this.#newKey = newKey;
    this.#now = now;
  }

  /**
   * Has `send({key, body})` carried out for the intent of this name, or waits with whoever is at it.
   * `makeBody` is asked once an intent: a retry must send what the first try sent.
   */
  carryOut(name, makeBody, send) {
    if (!this.#running.has(name)) {
      this.#running.set(name, this.#carryOut(name, makeBody, send));
    }
    return this.#running.get(name);
  }

  async #carryOut(name, makeBody, send) {
    await null; // so that it is known to be running before it can have ended
    const place = `intent/${name}`;
    try {
      let intent = this.#storage.read(place);
      if (intent === null || this.#now() - intent.since > LASTS) {
        intent = { key: this.#newKey(), body: await makeBody(), since: this.#now() };
        this.#storage.write(place, intent);
      }
      const answer = await send(intent);
      this.#storage.write(place, null);
      return answer;
    } catch (error) {
      if (error.isFinal) this.#storage.write(place, null);
      throw error;
    } finally {
      this.#running.delete(name);
    }
  }
}

/** Unlike any other of this user's, which is all that a key has to be: it is no secret. */
function randomKey() {
  const digits = () => Math.random().toString(36).slice(2);
  return globalThis.crypto?.randomUUID?.() ?? `${Date.now().toString(36)}-${digits()}${digits()}`;
}
