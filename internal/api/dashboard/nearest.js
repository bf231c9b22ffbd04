// The accounts nearest to their line; one that is chosen is explained beside them.

import { attribute, byId, el, empty, health, text, waiting } from "./dom.js";
import { account, compact, percent } from "./format.js";

/** Nearest is the panel. */
export class Nearest {
  /** choose is called with the name of an account that is chosen. */
  constructor(choose) {
    this.choose = choose;
    byId("nearest").append(waiting("Waiting for a pass over all accounts…"));
  }

  build() {
    this.body = el("tbody", { onkeydown: (event) => this.key(event) });
    this.rows = [];
    byId("nearest").replaceChildren(el("div", { class: "scroll", tabindex: -1 }, el("table", {}, el("caption", { class: "hidden" }, "Accounts nearest to liquidation, worst first"),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Account"), el("th", { scope: "col", class: "left" }, "Health"), el("th", { scope: "col" }, "Margin ratio"),
        el("th", { scope: "col", class: "narrow" }, "Equity"), el("th", { scope: "col", class: "narrow" }, "Notional"))), this.body)));
  }

  update(list) {
    if (!list.length) {
      this.body = undefined;
      byId("nearest").replaceChildren(empty("Nobody is near a line", "Accounts with positions or debts are listed here, the nearest first."));
      return;
    }
    if (!this.body) this.build();
    while (this.rows.length > list.length) this.rows.pop().row.remove();
    while (this.rows.length < list.length) this.rows.push(this.row());
    list.forEach((x, i) => this.set(this.rows[i], x));
  }

  row() {
    const r = {};
    r.button = el("button", { type: "button", class: "link num", onclick: () => this.pick(r.name) });
    r.health = el("td", { class: "left" });
    r.bar = el("i");
    r.ratioText = el("span", { class: "num" });
    r.ratio = el("span", { class: "ratio" }, el("span", { class: "track", "aria-hidden": "true" }, r.bar), r.ratioText);
    r.equity = el("td", { class: "num narrow" });
    r.notional = el("td", { class: "num narrow" });
    r.row = el("tr", {}, el("th", { scope: "row" }, r.button), r.health, el("td", {}, r.ratio), r.equity, r.notional);
    this.body.append(r.row);
    return r;
  }

  set(r, x) {
    r.name = x.account;
    text(r.button, account(x.account));
    attribute(r.button, "aria-label", `Explain ${account(x.account)}`);
    attribute(r.button, "title", x.account);
    if (r.healthName !== x.health) {
      r.healthName = x.health;
      r.health.replaceChildren(health(x.health));
      attribute(r.ratio, "class", `ratio ${x.health}`);
    }
    const ratio = x.portfolio_margin_ratio;
    text(r.ratioText, ratio === null ? "no value" : percent(ratio, 2));
    r.bar.style.width = `${ratio === null ? 100 : Math.min(100, Number(ratio) * 100).toFixed(1)}%`;
    text(r.equity, compact(x.equity));
    text(r.notional, compact(x.notional));
    attribute(r.row, "aria-current", String(x.account === this.chosen));
  }

  pick(name) {
    this.mark(name);
    this.choose(name);
  }

  /** mark shows which account is explained. */
  mark(name) {
    this.chosen = name;
    for (const r of this.rows ?? []) attribute(r.row, "aria-current", String(r.name === name));
  }

  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const at = this.rows.findIndex((r) => r.button === document.activeElement);
    if (!step || at < 0) return;
    event.preventDefault();
    this.rows[Math.min(this.rows.length - 1, Math.max(0, at + step))].button.focus();
  }
}
