/**
 * The client against a shop that runs, over both transports. The shop's address and what it sells are
 * in the environment (tests/storefront/test_client.py).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Client } from "../../../shop/storefront/static/storefront/api/client.js";
import { memoryStorage, wxStorage } from "../../../shop/storefront/static/storefront/api/storage.js";
import {
  fetchTransport,
  wxTransport,
} from "../../../shop/storefront/static/storefront/api/transports.js";
import { miniProgram } from "./kit.js";

const { SHOP, SALE } = process.env;
const wx = miniProgram();
const WAYS = {
  fetch: { transport: fetchTransport(), shared: memoryStorage(), own: memoryStorage() },
  "wx.request": { transport: wxTransport(wx), shared: wxStorage(wx), own: wxStorage(wx, "own/") },
};

for (const [way, means] of Object.entries(WAYS)) {
  const client = new Client({ base: `${SHOP}/api/v1`, language: () => "en", ...means });
  const username = `live-${way.replace(".", "-")}`;

  test(`${way}: from a registration to an order that is cancelled`, async () => {
    const { user } = await client.register({ body: { username, password: "something-long-7" } });
    assert.equal(client.session.user.id, user.id);

    const address = await client.addAddress({
      body: { name: "林小满", phone: "13800000000", region: "杭州", detail: "1" },
    });
    const order = await client.buyInSale({
      sale_id: SALE,
      body: { count: 1, address: address.id },
    });
    assert.deepEqual([order.status, order.address.name], ["unpaid", "林小满"]);

    assert.equal((await client.cancelOrder({ order_no: order.order_no })).status, "cancelled");
    assert.equal(await client.removeAddress({ address_id: address.id }), null);
  });

  test(`${way}: an answer that got lost on its way is told again`, async () => {
    let isLost = true;
    const losing = async (request) => {
      const answer = await means.transport(request);
      if (request.method === "POST" && isLost) {
        isLost = false;
        throw new Error("the line went dead");
      }
      return answer;
    };
    const unlucky = new Client({
      base: `${SHOP}/api/v1`,
      ...means,
      transport: losing,
      pause: async () => {},
    });

    const { order_no } = await unlucky.buyInSale({ sale_id: SALE, body: { count: 1 } });

    assert.equal(isLost, false);
    const { results } = await client.listOrders({ status: "unpaid" });
    assert.deepEqual(results.map((order) => order.order_no), [order_no]);
  });

  test(`${way}: a refusal is a problem with a code, and its words are in the asked language`, async () => {
    await assert.rejects(client.readOrder({ order_no: "1".repeat(24) }), {
      name: "Problem",
      code: "not_found",
      status: 404,
      detail: "There is no such thing, or it is not yours.",
    });
    await assert.rejects(client.buyInSale({ sale_id: SALE, body: { count: 0 } }), (problem) => {
      assert.equal(problem.code, "invalid");
      assert.equal(problem.data.errors[0].field, "count");
      return true;
    });
  });

  test(`${way}: an access token that is refused is renewed on the way`, async () => {
    const { refresh, user } = client.session.current;
    client.session.begin({ access: "not.a.token", refresh, user });

    assert.equal((await client.readMe()).username, username);

    assert.notEqual(client.session.current.refresh, refresh);
  });

  test(`${way}: where nobody listens, nothing came`, async () => {
    const nobody = new Client({ ...means, base: "http://127.0.0.1:9/api/v1", pause: async () => {} });
    await assert.rejects(nobody.listGoods(), { code: "unreachable", status: 0 });
  });
}
