/**
 * Every page by its address. The first one stands in where somebody must log in first.
 */
import { addressesPage } from "./pages/addresses.js";
import { cartPage } from "./pages/cart.js";
import { couponsPage } from "./pages/coupons.js";
import { goodsListPage, goodsPage } from "./pages/goods.js";
import { homePage } from "./pages/home.js";
import { loginPage } from "./pages/login.js";
import { orderPage, ordersPage } from "./pages/orders.js";
import { packetPage, packetsPage } from "./pages/packets.js";
import { periodPage } from "./pages/period.js";
import { proofPage } from "./pages/proof.js";
import { refundPage } from "./pages/refunds.js";
import { salePage } from "./pages/sale.js";
import { walletPage } from "./pages/wallet.js";

const user = { user: true };

export const routes = [
  ["/login", loginPage],
  ["/", homePage],
  ["/goods", goodsListPage],
  ["/goods/:id", goodsPage],
  ["/sales/:id", salePage],
  ["/cart", cartPage, user],
  ["/orders", ordersPage, user],
  ["/orders/:order_no", orderPage, user],
  ["/orders/:order_no/refund", refundPage, user],
  ["/coupons", couponsPage],
  ["/addresses", addressesPage, user],
  ["/periods/:id", periodPage],
  ["/periods/:id/proof", proofPage],
  ["/packets", packetsPage, user],
  ["/packets/:id", packetPage, user],
  ["/wallet", walletPage, user],
];
