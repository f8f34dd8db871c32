/**
 * Every address of the API that the client knows, by the name it has there.
 *
 * Data only, so that a test can hold it against docs/openapi.yaml: method and path must exist there,
 * `open` (asked without a token), `keyed` (carries an Idempotency-Key) and `query` must agree.
 * `again`: may be sent a second time when nobody knows whether the first one arrived. Whatever only
 * reads or sets may; so may what is keyed; of the rest it is said here.
 */
export const operations = {
  register: { method: "POST", path: "/auth/register", open: true },
  logIn: { method: "POST", path: "/auth/login", open: true, again: true },
  logInWithWechat: { method: "POST", path: "/auth/wechat", open: true },
  refresh: { method: "POST", path: "/auth/refresh", open: true, again: true },
  readMe: { method: "GET", path: "/me" },
  setPhone: { method: "POST", path: "/me/phone" },

  listAddresses: { method: "GET", path: "/addresses", query: ["page", "page_size"] },
  addAddress: { method: "POST", path: "/addresses" },
  readAddress: { method: "GET", path: "/addresses/{address_id}" },
  changeAddress: { method: "PUT", path: "/addresses/{address_id}" },
  removeAddress: { method: "DELETE", path: "/addresses/{address_id}" },

  listCategories: { method: "GET", path: "/categories", open: true, query: ["page", "page_size"] },
  listGoods: {
    method: "GET",
    path: "/goods",
    open: true,
    query: ["category", "ordering", "page", "page_size", "search"],
  },
  readGoods: { method: "GET", path: "/goods/{goods_id}", open: true },

  readCart: { method: "GET", path: "/cart" },
  setCartItem: { method: "PUT", path: "/cart/items/{sku}" },
  removeCartItem: { method: "DELETE", path: "/cart/items/{sku}" },

  listPaymentMethods: { method: "GET", path: "/payment-methods", open: true },
  listShippingMethods: { method: "GET", path: "/shipping-methods", open: true },
  quoteOrder: { method: "POST", path: "/orders/quote", again: true },
  placeOrder: { method: "POST", path: "/orders", keyed: true },
  listOrders: { method: "GET", path: "/orders", query: ["after", "before", "page_size", "status"] },
  readOrder: { method: "GET", path: "/orders/{order_no}" },
  payOrder: { method: "POST", path: "/orders/{order_no}/pay", keyed: true },
  cancelOrder: { method: "POST", path: "/orders/{order_no}/cancel" },
  confirmReceipt: { method: "POST", path: "/orders/{order_no}/confirm-receipt" },
  setOrderAddress: { method: "PUT", path: "/orders/{order_no}/address" },
  listRefunds: { method: "GET", path: "/orders/{order_no}/refunds" },
  askForRefund: { method: "POST", path: "/orders/{order_no}/refunds", keyed: true },
  succeedInSandbox: {
    method: "POST",
    path: "/payments/sandbox/{payment_no}/succeed",
    again: true,
  },

  listCoupons: { method: "GET", path: "/coupons", open: true, query: ["page", "page_size"] },
  claimCoupon: { method: "POST", path: "/coupons/{coupon_id}/claim", keyed: true },
  listMyCoupons: {
    method: "GET",
    path: "/me/coupons",
    query: ["after", "before", "page_size", "status"],
  },

  listSales: {
    method: "GET",
    path: "/flash-sales",
    open: true,
    query: ["page", "page_size", "status"],
  },
  readSale: { method: "GET", path: "/flash-sales/{sale_id}", open: true },
  getCaptcha: { method: "GET", path: "/captcha", open: true },
  getSaleToken: { method: "POST", path: "/flash-sales/{sale_id}/token" },
  buyInSale: { method: "POST", path: "/flash-sales/{sale_id}/orders", keyed: true },

  listPeriods: {
    method: "GET",
    path: "/lottery/periods",
    open: true,
    query: ["page", "page_size", "status"],
  },
  readPeriod: { method: "GET", path: "/lottery/periods/{period_id}", open: true },
  enterPeriod: { method: "POST", path: "/lottery/periods/{period_id}/entries", keyed: true },
  listMyEntries: {
    method: "GET",
    path: "/lottery/periods/{period_id}/entries/mine",
    query: ["after", "before", "page_size"],
  },
  readEntry: { method: "GET", path: "/lottery/entries/{entry_no}" },
  readProof: { method: "GET", path: "/lottery/periods/{period_id}/proof", open: true },
  listWinners: { method: "GET", path: "/lottery/winners", open: true, query: ["page", "page_size"] },

  sendPacket: { method: "POST", path: "/red-packets", keyed: true },
  readPacket: { method: "GET", path: "/red-packets/{packet_id}" },
  grabPacket: { method: "POST", path: "/red-packets/{packet_id}/grab", again: true },
  listMyPackets: { method: "GET", path: "/red-packets/mine" },

  readWallet: { method: "GET", path: "/wallet" },
  listPostings: {
    method: "GET",
    path: "/wallet/postings",
    query: ["after", "before", "currency", "page_size"],
  },
  topUp: { method: "POST", path: "/wallet/top-ups", keyed: true },
};
