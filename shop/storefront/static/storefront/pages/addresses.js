/**
 * Where things are sent.
 */
import { api } from "../app.js";
import { el } from "../ui/dom.js";
import { button, choice, field, form } from "../ui/parts.js";
import { t } from "../ui/words.js";

/** Those of the user, the default one first. */
export async function addressesFor() {
  const { results } = await api.listAddresses({ page_size: 100 });
  return results.sort((one, other) => Number(other.is_default) - Number(one.is_default));
}

/** One of them to choose, and the way to more. */
export function addressChoice(addresses) {
  const more = el("a", { href: "#/addresses" }, t("address.manage"));
  const words = ({ name, region, detail }) => `${name}, ${region}${detail}`;
  const listed = addresses.map((address) => [address.id, words(address)]);
  return el(
    "div",
    {},
    listed.length ? choice(t("address.one"), "address", listed) : el("p", {}, t("address.none")),
    more,
  );
}

export async function addressesPage(_, view) {
  const addresses = await addressesFor();
  const add = async (values) => {
    await api.addAddress({ body: { ...values, is_default: addresses.length === 0 } });
    await view.refresh();
  };
  const remove = async (address) => {
    await api.removeAddress({ address_id: address.id });
    await view.refresh();
  };
  const row = (address) =>
    el(
      "li",
      {},
      el("span", {}, el("strong", {}, address.name), ` ${address.phone}`),
      el("span", {}, `${address.region} ${address.detail}`),
      button(t("address.remove"), () => remove(address), {
        "aria-label": `${t("address.remove")}: ${address.name}, ${address.detail}`,
      }),
    );
  const text = (name, more) =>
    field(t(`address.${name}`), { name, required: true, maxlength: 100, ...more });
  return {
    title: t("address.title"),
    body: [
      el("ul", { class: "rows" }, addresses.map(row)),
      el("h2", {}, t("address.new")),
      form(
        [
          text("name", { autocomplete: "name" }),
          text("phone", { autocomplete: "tel", type: "tel" }),
          text("region", {}),
          text("detail", { autocomplete: "street-address" }),
        ],
        t("address.add"),
        add,
      ),
    ],
  };
}
