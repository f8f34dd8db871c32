/**
 * How a request gets to the shop: with `fetch`, or with a mini-program's `wx.request`.
 *
 * A transport is one function: `{method, url, headers, body}` in, `{status, headers, data}` out, with
 * the names of headers in lower case and `data` read as JSON where it is JSON, else null. It throws
 * where there is no answer. `body` is text or null. Nothing here tries twice.
 */

/** Longer than the shop lets anybody wait. */
export const SECONDS = 20;

export function fetchTransport({ fetch = globalThis.fetch.bind(globalThis), seconds = SECONDS } = {}) {
  return async ({ method, url, headers, body }) => {
    const answer = await fetch(url, {
      method,
      headers,
      body,
      // Who is asking stands in the token; a cookie would only keep answers out of caches.
      credentials: "omit",
      // Older telephones wait as long as they see fit.
      signal: AbortSignal.timeout?.(seconds * 1000),
    });
    return {
      status: answer.status,
      headers: lowered(answer.headers.entries()),
      data: read(await answer.text()),
    };
  };
}

export function wxTransport(wx, { seconds = SECONDS } = {}) {
  return ({ method, url, headers, body }) =>
    new Promise((resolve, reject) => {
      wx.request({
        method,
        url,
        header: headers,
        data: body ?? undefined,
        // As it came: by itself it would read JSON only where the type says just that.
        dataType: "text",
        responseType: "text",
        timeout: seconds * 1000,
        success: ({ statusCode, header, data }) =>
          resolve({
            status: statusCode,
            headers: lowered(Object.entries(header)),
            data: read(data),
          }),
        fail: ({ errMsg }) => reject(new Error(errMsg)),
      });
    });
}

function lowered(entries) {
  return Object.fromEntries(Array.from(entries, ([name, value]) => [name.toLowerCase(), value]));
}

function read(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
