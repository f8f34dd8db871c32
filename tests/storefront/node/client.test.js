/** What the client owes whoever uses it, whatever the shop says. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LONGEST_PAUSE, TRIES } from "../../../shop/storefront/static/storefront/api/client.js";
import { memoryStorage } from "../../../shop/storefront/static/storefront/api/storage.js";
import { clientOf, keyOf, refusal, shopThatSays } from "./kit.js";

const ORDER = { order_no: "1", status: "unpaid" };
const order = (client, body = { count: 1 }) => client.buyInSale({ sale_id: 3, body });

test("a double press is one request, and both hear the same", async () => {
  const shop = shopThatSays({ status: 201, data: ORDER });
  const { client } = clientOf(shop.transport);

  const answers = await Promise.all([order(client), order(client)]);

  assert.deepEqual(answers, [ORDER, ORDER]);
  assert.equal(shop.requests.length, 1);
});

test("an order whose answer was lost is asked for again with its key and its body", async () => {
  const shop = shopThatSays("lost", { status: 201, data: ORDER });
  const { client, pauses } = clientOf(shop.transport);

  assert.deepEqual(await order(client), ORDER);

  assert.deepEqual(shop.requests.map(keyOf), ["key-1", "key-1"]);
  assert.equal(shop.requests[0].body, shop.requests[1].body);
  assert.ok(pauses[0] >= 1, "a second or more");
});

test("a press after the page was loaded anew is still the lost order, token and all", async () => {
  const own = memoryStorage();
  let tokens = 0;
  const press = (client) =>
    client.buyInSale({ sale_id: 3, intent: "one", body: async () => ({ token: (tokens += 1) }) });
  const lost = shopThatSays(...Array(TRIES).fill("lost"));
  await assert.rejects(press(clientOf(lost.transport, { own }).client), { code: "unreachable" });

  const shop = shopThatSays({ status: 201, data: ORDER });
  await press(clientOf(shop.transport, { own, newKey: () => "another" }).client);

  assert.equal(keyOf(shop.requests[0]), "key-1");
  assert.equal(shop.requests[0].body, lost.requests[0].body);
});

test("what was wanted an hour ago is not what is wanted now", async () => {
  const own = memoryStorage();
  const lost = shopThatSays(...Array(TRIES).fill("lost"));
  await assert.rejects(order(clientOf(lost.transport, { own, now: () => 0 }).client));
  const press = async (now) => {
    const shop = shopThatSays(refusal(503, "busy", { retry_after: LONGEST_PAUSE + 1 }));
    const { client } = clientOf(shop.transport, { own, now: () => now, newKey: () => "late" });
    await assert.rejects(order(client), { code: "busy" });
    return keyOf(shop.requests[0]);
  };

  assert.deepEqual([await press(3600000), await press(3600001)], ["key-1", "late"]);
});

test("after an answer, the next press is another order", async () => {
  const shop = shopThatSays({ status: 201, data: ORDER }, refusal(409, "sold_out"), {
    status: 201,
    data: ORDER,
  });
  const { client } = clientOf(shop.transport);

  await order(client);
  await assert.rejects(order(client), { code: "sold_out" });
  await order(client);

  assert.deepEqual(shop.requests.map(keyOf), ["key-1", "key-2", "key-3"]);
});

test("whoever logs in next does not send what the one before had wanted", async () => {
  const own = memoryStorage();
  const lost = shopThatSays(...Array(TRIES).fill("lost"));
  await assert.rejects(order(clientOf(lost.transport, { own }).client));

  const shop = shopThatSays({ status: 201, data: ORDER });
  const { client } = clientOf(shop.transport, { own, newKey: () => "theirs" });
  client.session.begin({ access: "a", refresh: "r", user: { id: 8 } });
  await order(client);

  assert.equal(keyOf(shop.requests[0]), "theirs");
});

for (const code of ["busy", "unavailable", "request_in_progress"]) {
  test(`${code} is waited for as long as it asks, and asked again with the same key`, async () => {
    const status = code === "request_in_progress" ? 409 : 503;
    const shop = shopThatSays(refusal(status, code, { retry_after: 2 }), {
      status: 201,
      data: ORDER,
    });
    const { client, pauses } = clientOf(shop.transport);

    assert.deepEqual(await order(client), ORDER);

    assert.deepEqual(shop.requests.map(keyOf), ["key-1", "key-1"]);
    assert.ok(pauses[0] >= 2 && pauses[0] < 3);
  });
}

test("what stays busy is given up after a few tries, and the key is kept", async () => {
  const busy = () => refusal(503, "busy", { retry_after: 1 });
  const shop = shopThatSays(...Array(TRIES).fill(busy), { status: 201, data: ORDER });
  const { client } = clientOf(shop.transport);

  await assert.rejects(order(client), { code: "busy", status: 503 });
  assert.equal(shop.requests.length, TRIES);

  await order(client);
  assert.equal(keyOf(shop.requests[TRIES]), "key-1");
});

test("a pause that is too long is not waited for", async () => {
  const shop = shopThatSays(refusal(503, "busy", { retry_after: LONGEST_PAUSE + 1 }));
  const { client, pauses } = clientOf(shop.transport);

  await assert.rejects(order(client), { code: "busy", retryAfter: LONGEST_PAUSE + 1 });
  assert.deepEqual(pauses, []);
});

test("the header's Retry-After counts where a proxy answered without a document", async () => {
  const shop = shopThatSays({ status: 503, headers: { "retry-after": "3" } }, { status: 200, data: 1 });
  const { client, pauses } = clientOf(shop.transport);

  assert.equal(await client.readCart(), 1);
  assert.ok(pauses[0] >= 3);
});

test("what may not be done twice is not sent twice when its answer is lost", async () => {
  const shop = shopThatSays("lost");
  const { client } = clientOf(shop.transport);

  await assert.rejects(client.addAddress({ body: { name: "x" } }), { code: "unreachable" });
  assert.equal(shop.requests.length, 1);
});

test("tokens that are too old are renewed once for all who find them so", async () => {
  const tokens = { access: "new", refresh: "refresh-2" };
  const late = () => refusal(401, "not_authenticated");
  const shop = shopThatSays(
    late,
    late,
    { status: 200, data: tokens },
    { status: 200, data: "cart" },
    { status: 200, data: "wallet" },
  );
  const { client } = clientOf(shop.transport);

  await Promise.all([client.readCart(), client.readWallet()]);

  const asked = shop.requests.map(({ url, headers }) => [url, headers.Authorization ?? null]);
  assert.deepEqual(asked, [
    ["/api/v1/cart", "Bearer old"],
    ["/api/v1/wallet", "Bearer old"],
    ["/api/v1/auth/refresh", null],
    ["/api/v1/cart", "Bearer new"],
    ["/api/v1/wallet", "Bearer new"],
  ]);
  assert.deepEqual(client.session.current, { ...client.session.current, ...tokens });
});

test("an order is the same order before and after its tokens were renewed", async () => {
  const shop = shopThatSays(
    refusal(401, "not_authenticated"),
    { status: 200, data: { access: "new", refresh: "refresh-2" } },
    { status: 201, data: ORDER },
  );
  const { client } = clientOf(shop.transport);

  await order(client);

  assert.deepEqual([keyOf(shop.requests[0]), keyOf(shop.requests[2])], ["key-1", "key-1"]);
});

test("a refresh token that is refused ends the session, and nothing goes round in circles", async () => {
  const refused = () => refusal(401, "authentication_failed");
  const shop = shopThatSays(refused, refused);
  const { client } = clientOf(shop.transport);

  await assert.rejects(client.readCart(), { status: 401 });

  assert.equal(client.session.user, null);
  assert.equal(shop.requests.length, 2);
});

test("a refresh token that another tab was quicker to use is no reason to log out", async () => {
  const shared = memoryStorage();
  const shop = shopThatSays(
    refusal(401, "not_authenticated"),
    () => {
      shared.write("session", { access: "theirs", refresh: "refresh-2", user: { id: 7 } });
      return refusal(401, "authentication_failed");
    },
    { status: 200, data: "cart" },
  );
  const { client } = clientOf(shop.transport, { shared });

  assert.equal(await client.readCart(), "cart");

  assert.equal(shop.requests[2].headers.Authorization, "Bearer theirs");
});

test("a shop that is gone for a moment ends no session", async () => {
  const shop = shopThatSays(refusal(401, "not_authenticated"), ...Array(TRIES).fill("lost"));
  const { client } = clientOf(shop.transport);

  await assert.rejects(client.readCart(), { code: "unreachable" });

  assert.equal(client.session.user.id, 7);
});

test("public reads show no token, so that caches may answer them", async () => {
  const shop = shopThatSays({ status: 200, data: {} });
  const { client } = clientOf(shop.transport);

  await client.listGoods({ search: "茶 & co", page: 2, category: "" });

  const [{ url, headers }] = shop.requests;
  assert.equal(url, "/api/v1/goods?page=2&search=%E8%8C%B6%20%26%20co");
  assert.equal(headers.Authorization, undefined);
});

test("what stands in a path can't leave it", async () => {
  const shop = shopThatSays({ status: 200, data: {} });
  const { client } = clientOf(shop.transport);

  await client.readOrder({ order_no: "../me?x" });

  assert.equal(shop.requests[0].url, "/api/v1/orders/..%2Fme%3Fx");
  assert.throws(() => client.readOrder({}), TypeError);
});
