/**
 * Logging in, or becoming a shopper. It stands in for any page that somebody must be logged in for.
 */
import { BEFORE, api, go, own } from "../app.js";
import { el } from "../ui/dom.js";
import { field, form } from "../ui/parts.js";
import { t } from "../ui/words.js";

export function loginPage(_, view) {
  const done = () =>
    location.hash === "#/login" ? go(own.read(BEFORE) ?? "/") : view.refresh();
  const begin = (how) => async (values) => {
    await api[how]({ body: values });
    done();
  };
  const fields = (name, password) => [
    field(t("login.name"), { name: "username", required: true, autocomplete: "username", ...name }),
    field(t("login.password"), {
      name: "password",
      type: "password",
      required: true,
      ...password,
    }),
  ];
  return {
    title: t("login.title"),
    body: [
      form(fields({}, { autocomplete: "current-password" }), t("login.do"), begin("logIn"), {
        id: "log-in",
      }),
      el("h2", {}, t("login.new")),
      form(
        fields({}, { autocomplete: "new-password", minlength: 8, hint: t("login.hint") }),
        t("login.register"),
        begin("register"),
        { id: "register" },
      ),
    ],
  };
}
