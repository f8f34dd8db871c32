/**
 * Which page is shown: the part of the address behind the `#`.
 *
 * A page is a function of its parameters and a view: it returns `{title, body}`, at once or later. The
 * view lives as long as the page is shown: `every(seconds, work)` stops with it, `isOver` tells late
 * answers that nobody waits for them any more.
 */
import { el, fill } from "./dom.js";
import { inWords, t } from "./words.js";

export class View {
  isOver = false;
  #timers = [];
  #show;

  constructor(show) {
    this.#show = show;
    this.refresh = () => (this.isOver ? null : show());
  }

  /** Draws a page anew that is not so any more; not while `outcome` says what became of what
   * somebody did there, or is about to: nor if it came to that while the new one was on its way. */
  outdated(outcome) {
    const unless = () => outcome.hasChildNodes();
    if (!this.isOver && !unless()) this.#show({ unless });
  }

  /** Does it now, and again, but not while nobody sees it; one ends before the next begins. */
  every(seconds, work) {
    const again = async () => {
      try {
        if (!document.hidden) await work();
      } catch (error) {
        if (error.name !== "Problem") throw error; // the next look may go better
      }
      if (!this.isOver) this.#timers.push(setTimeout(again, seconds * 1000));
    };
    again();
  }

  /** Waits; false when the page was left meanwhile. */
  async pause(seconds) {
    await new Promise((done) => this.#timers.push(setTimeout(done, seconds * 1000)));
    return !this.isOver;
  }

  end() {
    this.isOver = true;
    this.#timers.forEach(clearTimeout);
  }
}

export class Router {
  #routes;
  #main;
  #isLoggedIn;
  #view = null;
  #coming = null;

  /** `routes`: [pattern, page, {user: true where somebody must be logged in}]. */
  constructor({ routes, main, isLoggedIn }) {
    this.#routes = routes.map(([pattern, page, needs = {}]) => ({
      pattern: new RegExp(`^${pattern.replace(/:(\w+)/g, "(?<$1>[\\w-]+)")}$`),
      page,
      needs,
    }));
    this.#main = main;
    this.#isLoggedIn = isLoggedIn;
    addEventListener("hashchange", () => this.show({ move: true }));
  }

  get path() {
    return location.hash.slice(1) || "/";
  }

  /** Draws the page of the present address anew; `move`: takes the focus to its heading. `unless`:
   * the one that is shown goes on until the new one is there, and then stays if this says so. */
  async show({ move = false, unless = null } = {}) {
    if (unless && this.#coming) return;
    this.#coming?.end();
    if (!unless) this.#view?.end();
    const view = new View((how) => this.show(how));
    this.#coming = view;
    this.#main.setAttribute("aria-busy", "true");
    const { title, body } = await this.#page(view);
    if (view.isOver) return;
    this.#coming = null;
    if (unless?.()) {
      view.end();
      this.#main.removeAttribute("aria-busy");
      return;
    }
    this.#view?.end();
    this.#view = view;
    const heading = el("h1", { tabindex: "-1" }, title);
    const held = nameOf(document.activeElement);
    document.title = `${title} · Scarce`;
    fill(this.#main, heading, body);
    document.body.dataset.shown = this.path;
    this.#main.removeAttribute("aria-busy");
    if (move) {
      heading.focus();
      scrollTo(0, 0);
    } else if (held !== null && !this.#main.contains(document.activeElement)) {
      const same = [...this.#main.querySelectorAll("a, button, input, select")];
      same.find((node) => nameOf(node) === held)?.focus();
    }
  }

  async #page(view) {
    try {
      for (const { pattern, page, needs } of this.#routes) {
        const found = pattern.exec(this.path);
        if (!found) continue;
        if (needs.user && !this.#isLoggedIn()) return await this.#routes[0].page({}, view);
        return await page({ ...found.groups }, view);
      }
    } catch (error) {
      if (error.status === 401) return await this.#routes[0].page({}, view);
      if (error.name !== "Problem") console.error(error);
      const again = el("button", { type: "button", on: { click: () => this.show() } }, t("again"));
      return { title: t("problem.title"), body: [el("p", {}, inWords(error)), again] };
    }
    return { title: t("nothing-here"), body: [el("a", { href: "#/" }, t("nav.home"))] };
  }
}

/** What somebody who can't see it knows a control by: drawn anew, it is the same one. */
function nameOf(node) {
  if (!node || node === document.body) return null;
  return `${node.tagName} ${node.getAttribute("aria-label") ?? node.name ?? ""} ${node.textContent}`;
}
