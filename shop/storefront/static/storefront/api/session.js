/**
 * Who is logged in: the two tokens and the user, as long as the storage keeps them.
 *
 * A refresh token is good once. So whoever needs new tokens takes a turn, looks whether an earlier
 * one has brought them already, and only then asks. `lock` makes it one at a time for all that share
 * the storage (for tabs: `navigator.locks`); without one it is one at a time in here.
 */
const NAME = "session";
/** Seconds until what another tab has stored is here for sure: browsers take a moment to tell. */
const MOMENT = 1;

export class Session {
  #storage;
  #lock;
  #pause;
  #turn = Promise.resolve();

  /** Called when somebody has logged in or out here. */
  onChange = () => {};

  constructor({ storage, pause, lock = null }) {
    this.#storage = storage;
    this.#pause = pause;
    this.#lock = lock;
  }

  /** `{access, refresh, user}`, or null. */
  get current() {
    return this.#storage.read(NAME);
  }

  get user() {
    return this.current?.user ?? null;
  }

  begin({ access, refresh, user }) {
    this.#storage.write(NAME, { access, refresh, user });
    this.onChange();
  }

  end() {
    this.#storage.write(NAME, null);
    this.onChange();
  }

  /**
   * Sees that the access token is another than `stale`; `ask(refresh token)` brings new ones.
   * Throws what `ask` throws; a refusal of the refresh token ends the session.
   */
  renew(stale, ask) {
    return this.#alone(async () => {
      const current = this.current;
      if (current === null || current.access !== stale) return;
      try {
        const { access, refresh } = await ask(current.refresh);
        // Whoever logged out meanwhile, or in as somebody else, stays that.
        if (this.current?.refresh === current.refresh) this.begin({ ...current, access, refresh });
      } catch (error) {
        if (error.status !== 401) throw error;
        await this.#pause(MOMENT);
        if (this.current?.refresh !== current.refresh) return; // somebody else had used it before
        this.end();
        throw error;
      }
    });
  }

  #alone(work) {
    if (this.#lock) return this.#lock(work);
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => {});
    return mine;
  }
}
