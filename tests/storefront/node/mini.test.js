/** The folder `api` in a mini-program, which has little of what a browser has. */
import assert from "node:assert/strict";
import { test } from "node:test";

const ABSENT = [
  ...["AbortController", "AbortSignal", "Headers", "Request", "Response", "TextDecoder"],
  ...["TextEncoder", "URL", "URLSearchParams", "crypto", "fetch", "navigator", "structuredClone"],
];

test("it is loaded, logs in and buys with nothing but wx", async () => {
  for (const name of ABSENT) Reflect.deleteProperty(globalThis, name);
  const folder = "../../../shop/storefront/static/storefront/api";
  const { Client } = await import(`${folder}/client.js`);
  const { wxTransport } = await import(`${folder}/transports.js`);
  const { wxStorage } = await import(`${folder}/storage.js`);
  const kept = new Map();
  const asked = [];
  const wx = {
    getStorageSync: (name) => kept.get(name) ?? "",
    setStorageSync: (name, value) => kept.set(name, value),
    removeStorageSync: (name) => kept.delete(name),
    request(request) {
      asked.push(request);
      const answer = request.url.endsWith("/auth/wechat")
        ? { access: "a", refresh: "r", user: { id: 7 } }
        : { order_no: "1", status: "unpaid" };
      request.success({ statusCode: 201, header: {}, data: JSON.stringify(answer) });
    },
  };
  const client = new Client({
    base: "https://shop.example/api/v1",
    transport: wxTransport(wx),
    shared: wxStorage(wx),
    own: wxStorage(wx, "own/"),
  });

  await client.logInWithWechat({ body: { code: "from wx.login" } });
  const order = await client.buyInSale({ sale_id: 1, body: { count: 1 } });

  assert.equal(order.order_no, "1");
  assert.equal(asked[1].header.Authorization, "Bearer a");
  assert.match(asked[1].header["Idempotency-Key"], /^[!-~]{16,255}$/);
  assert.deepEqual([...kept.keys()], ["scarce/session"]);
});
