/**
 * Draws the frame around all pages, and shows the one that is asked for.
 */
import { BEFORE, api, go, isLoggedIn, own, shared } from "./app.js";
import { el, fill } from "./ui/dom.js";
import { Router } from "./ui/router.js";
import { sayings } from "./ui/say.js";
import { best, language, otherLanguage, speak, t } from "./ui/words.js";
import { routes } from "./routes.js";

const TABS = ["/", "/goods", "/cart", "/orders", "/wallet"];
const NAMES = ["home", "goods", "cart", "orders", "wallet"];
const LANGUAGE = "language";

const main = el("main", { id: "main", tabindex: "-1" });
const header = el("header");
const tabs = el("nav", { class: "tabs" });
const router = new Router({ routes, main, isLoggedIn });

function frame() {
  if (router.path !== "/login") own.write(BEFORE, router.path);
  document.documentElement.lang = language();
  const user = api.session.user;
  const skip = el("a", { class: "skip", href: "#main" }, t("skip"));
  skip.addEventListener("click", (event) => {
    event.preventDefault(); // the address says which page it is
    main.focus();
  });
  const other = el("button", { type: "button", lang: otherLanguage() }, t("other-language"));
  other.addEventListener("click", () => {
    speak(otherLanguage());
    shared.write(LANGUAGE, language());
    draw();
  });
  fill(
    header,
    skip,
    el("a", { class: "brand", href: "#/" }, "Scarce"),
    el("span", { class: "who" }, user ? user.nickname || user.username : null),
    user
      ? el("button", { type: "button", on: { click: leave } }, t("nav.log-out"))
      : el("a", { href: "#/login" }, t("nav.log-in")),
    other,
  );
  tabs.setAttribute("aria-label", t("nav.title"));
  fill(
    tabs,
    TABS.map((path, index) => {
      const isHere = path === "/" ? router.path === "/" : router.path.startsWith(path);
      return el(
        "a",
        { href: `#${path}`, "aria-current": isHere ? "page" : null },
        t(`nav.${NAMES[index]}`),
      );
    }),
  );
}

function leave() {
  api.logOut();
  go("/");
  draw();
}

function draw() {
  frame();
  router.show();
}

speak(shared.read(LANGUAGE) ?? best(navigator.languages));
document.body.replaceChildren(header, tabs, main, sayings());
api.session.onChange = frame;
addEventListener("hashchange", frame);
addEventListener("storage", frame); // another tab has logged in or out
draw();
