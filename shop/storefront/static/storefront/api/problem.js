/**
 * The one error that the client throws: a refusal in the shop's words, or no answer at all.
 *
 * `code` is what to act on: one of the API's, or `unreachable` where no answer came (the request may
 * have been carried out all the same). `data` is the whole problem document.
 */
export class Problem extends Error {
  constructor({ status, code, title = "", detail = "", retryAfter = null, data = {} }) {
    super(detail || title || code);
    this.name = "Problem";
    this.status = status;
    this.code = code;
    this.title = title;
    this.detail = detail;
    /** Seconds after which to ask again, or null. */
    this.retryAfter = retryAfter;
    this.data = data;
  }

  /** What became of the request is known: it was looked at, and nothing of it was stored. */
  get isFinal() {
    const open = [401, 408, 425, 429].includes(this.status) || this.code === "request_in_progress";
    return this.status >= 400 && this.status < 500 && !open;
  }
}

/** No answer: the connection failed, or took too long. */
export function unreachable(cause) {
  return new Problem({ status: 0, code: "unreachable", detail: String(cause?.message ?? cause) });
}

/** The problem that an answer of status 400 or more tells of, whoever sent it. */
export function problemOf({ status, headers, data }) {
  const said = data !== null && typeof data === "object" ? data : {};
  const seconds = Number(headers["retry-after"] ?? said.retry_after ?? NaN);
  return new Problem({
    status,
    // A proxy of somebody else's on the way knows nothing of our codes.
    code: typeof said.code === "string" ? said.code : status >= 500 ? "unavailable" : "invalid",
    title: typeof said.title === "string" ? said.title : "",
    detail: typeof said.detail === "string" ? said.detail : "",
    retryAfter: Number.isFinite(seconds) && seconds >= 0 ? seconds : null,
    data: said,
  });
}
