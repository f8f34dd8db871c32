/**
 * What all pages use: the API's client in this browser, and the ways to go somewhere.
 */
import { Client } from "./api/client.js";
import { fetchTransport } from "./api/transports.js";
import { webStorage } from "./api/storage.js";
import { hear } from "./ui/clock.js";
import { language } from "./ui/words.js";

/** Of this browser, and of this tab. */
export const shared = webStorage(localStorage);
export const own = webStorage(sessionStorage);

export const api = new Client({
  base: "/api/v1",
  transport: fetchTransport(),
  shared,
  own,
  // Browsers have it where they have HTTPS; elsewhere tabs refresh their tokens side by side.
  lock: navigator.locks ? (work) => navigator.locks.request("scarce-session", work) : null,
  language,
  heard: hear,
});

/** The last page that was not for logging in. */
export const BEFORE = "before";

export function go(path) {
  location.hash = path;
}

export function isLoggedIn() {
  return api.session.user !== null;
}
