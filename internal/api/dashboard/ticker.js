// The public events, newest first. It can be held, and it holds still by itself while somebody
// has scrolled down to read.

import { attribute, byId, el, empty, healthText, text } from "./dom.js";
import { account, clock, compact, percent, words } from "./format.js";

const KEPT = 120;
const KINDS = {
  risk: ["health_changed", "lending_health_changed", "liquidation_started", "liquidation_order", "liquidation_step", "liquidation_ended", "backstop_takeover", "adl", "loss_covered"],
  money: ["borrowed", "repaid", "supplied", "unsupplied", "interest", "funding", "cap_reached"],
  market: ["price_stale", "price_fresh", "halted", "resumed", "order_released", "mode_changed"],
};

/** Ticker is the panel. */
export class Ticker {
  /** choose is called with the name of an account that is chosen. */
  constructor(choose) {
    this.choose = choose;
    this.events = [];
    this.filter = "all";
    this.lines = el("ul");
    this.list = el("div", { class: "ticker", tabindex: 0, role: "log", "aria-live": "off", "aria-label": "Events, newest first" }, this.lines);
    this.none = empty("No event yet", "What happens to accounts, pools and markets is told here.");
    byId("events").append(this.none);
    byId("events-filter").addEventListener("change", (event) => {
      this.filter = event.target.value;
      this.show();
    });
    byId("events-pause").addEventListener("click", (event) => {
      this.isHeld = !this.isHeld;
      attribute(event.target, "aria-pressed", String(this.isHeld));
      text(event.target, this.isHeld ? "Go on" : "Pause");
      if (!this.isHeld) this.show();
    });
  }

  reset() {
    this.events = [];
  }

  update(batch) {
    text(byId("events-sub"), `${compact(batch.total)} so far${batch.skipped ? `, ${compact(batch.skipped)} not shown` : ""}`);
    const last = this.events[0];
    const fresh = batch.events.filter((e) => !last || e.seq > last.seq || (e.seq === last.seq && e.n > last.n));
    this.events.unshift(...fresh.reverse());
    this.events.length = Math.min(this.events.length, KEPT);
    const isReading = this.list.scrollTop > 4 || this.list.contains(document.activeElement) && document.activeElement !== this.list;
    if (!this.isHeld && !isReading) this.show();
  }

  show() {
    const shown = this.filter === "all" ? this.events : this.events.filter((e) => KINDS[this.filter].includes(e.type));
    if (!shown.length) {
      byId("events").replaceChildren(this.events.length ? empty("None of these", "Other events have come; choose All.") : this.none);
      return;
    }
    if (!this.list.isConnected) byId("events").replaceChildren(this.list);
    this.lines.replaceChildren(...shown.slice(0, 60).map((e) => this.line(e)));
  }

  line(e) {
    const who = e.account ? el("button", { type: "button", class: "link num", tabindex: -1, title: e.account, "aria-label": `Explain ${account(e.account)}`, onclick: () => this.choose(e.account) }, account(e.account)) : null;
    return el("li", {}, el("time", { class: "num" }, clock(e.time)), el("span", { class: "what" }, el("span", { class: "kind" }, words(e.type)), " ", who, who ? " " : null, about(e)));
  }
}

/** about says in words what an event tells. */
function about(e) {
  const parts = [];
  if (e.market) parts.push(e.market);
  if (e.type === "health_changed" || e.type === "liquidation_ended") parts.push(change(e.from, e.to));
  else if (e.type === "lending_health_changed") parts.push(document.createTextNode(`${e.from} → ${e.to}`));
  if (e.side) parts.push(`${e.side} ${compact(e.size)}`);
  if (e.amount !== undefined && e.amount !== null) parts.push(`${compact(e.amount)} ${e.token ?? ""}`);
  else if (e.token && !e.market) parts.push(e.token);
  if (e.rate) parts.push(percent(e.rate, 4));
  if (e.price ?? e.mark_price) parts.push(`at ${Number(e.price ?? e.mark_price)}`);
  if (e.mode) parts.push(e.mode);
  if (e.reason) parts.push(words(e.reason));
  if (e.all) parts.push("everything");
  const out = el("span", { class: "dim" });
  parts.forEach((part, i) => out.append(...(i ? [" · ", part] : [part])));
  return out;
}

function change(from, to) {
  return el("span", {}, healthText(from).toLowerCase(), " → ", el("span", { class: `health ${to}` }, healthText(to).toLowerCase()));
}
