// What if prices moved: the daemon counts all accounts once more under the move, and changes
// nothing. One question is under way at a time; a newer one takes the place of an older.

import { attribute, byId, el, empty, fault, health, healthText } from "./dom.js";
import { account, clock, compact, percent, whole } from "./format.js";
import { read } from "./stream.js";

const PAUSE_MS = 180; // after the last move of the slider
const ORDER = ["idle", "healthy", "at_risk", "liquidatable", "backstop"];

/** WhatIf is the panel. */
export class WhatIf {
  /** choose is called with the name of an account that is chosen. */
  constructor(choose) {
    this.choose = choose;
    this.market = el("select", { id: "whatif-market", onchange: () => this.ask() }, el("option", { value: "" }, "All markets"));
    this.slider = el("input", { id: "whatif-move", type: "range", min: -50, max: 50, step: 0.5, value: 0, oninput: () => this.moved() });
    this.move = el("output", { class: "move", for: "whatif-move" });
    this.result = el("div", { id: "whatif-result", "aria-live": "polite" }, empty("Nothing is moved", "Choose a market and pull the slider: accounts that would cross a line are counted."));
    byId("whatif").append(
      el("div", { class: "shock" },
        el("label", { for: "whatif-market", class: "full" }, "Market"), this.market, this.move,
        el("label", { for: "whatif-move", class: "full" }, "Move of its prices"),
        el("div", { class: "full" }, this.slider, el("div", { class: "scale", "aria-hidden": "true" }, ...["−50 %", "−25 %", "0", "+25 %", "+50 %"].map((t) => el("span", {}, t))))),
      this.result);
    this.show();
  }

  /** markets sets the names that can be moved alone, and keeps the choice. */
  markets(names) {
    const chosen = this.market.value;
    this.market.replaceChildren(el("option", { value: "" }, "All markets"), ...names.map((name) => el("option", { value: name }, name)));
    this.market.value = names.includes(chosen) ? chosen : "";
  }

  show() {
    const v = Number(this.slider.value);
    const shown = `${v > 0 ? "+" : v < 0 ? "−" : ""}${Math.abs(v).toFixed(1)} %`;
    this.move.textContent = shown;
    attribute(this.slider, "aria-valuetext", shown);
  }

  moved() {
    this.show();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), PAUSE_MS);
  }

  async ask() {
    clearTimeout(this.timer);
    this.abort?.abort();
    const abort = (this.abort = new AbortController());
    attribute(this.result, "aria-busy", "true");
    const query = new URLSearchParams({ move: (Number(this.slider.value) / 100).toFixed(3) });
    if (this.market.value) query.set("market", this.market.value);
    try {
      const reply = await read(`/v1/whatif?${query}`, abort.signal);
      this.result.replaceChildren(...this.answer(reply));
    } catch (error) {
      if (error.name === "AbortError") return;
      this.result.replaceChildren(fault(error, () => this.ask()));
    }
    attribute(this.result, "aria-busy", "false");
  }

  answer(w) {
    const big = (title, x, id) => el("div", {}, el("dt", {}, title), el("dd", { id }, whole(x.accounts)), el("dd", { class: "dim num" }, `notional ${compact(x.notional)}`));
    const stack = (side) => el("div", { class: "stack", "aria-hidden": "true" }, ...ORDER.map((name) => {
      const bar = el("i", { class: name });
      bar.style.flex = `${side.health[name]} 0 0`;
      return bar;
    }));
    const cells = (name) => {
      const [a, b] = [w.before.health[name], w.after.health[name]];
      return el("tr", {}, el("th", { scope: "row" }, health(name)), el("td", {}, whole(a)), el("td", {}, whole(b)), el("td", { class: "dim" }, a === b ? "" : `${b > a ? "+" : "−"}${whole(Math.abs(b - a))}`));
    };
    const under = el("tr", {}, el("th", { scope: "row" }, "Below zero"), el("td", {}, whole(w.before.negative_equity)), el("td", {}, whole(w.after.negative_equity)), el("td", {}));
    return [
      el("dl", { class: "crossing" }, big("would cross", w.crossing, "whatif-crossing"), big("would recover", w.recovering, "whatif-recovering")),
      el("div", { class: "stacks" }, "now", stack(w.before), "then", stack(w.after)),
      el("table", { class: "compare" }, el("caption", { class: "hidden" }, "Accounts by health now and then"),
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Health"), el("th", { scope: "col" }, "Now"), el("th", { scope: "col" }, "Then"), el("th", { scope: "col" }, "Change"))),
        el("tbody", {}, ...ORDER.map(cells), under)),
      this.largest(w),
      el("p", { class: "dim notes" }, `Equity ${compact(w.before.equity)} → ${compact(w.after.equity)}`, el("span", {}, `${w.market ?? "All markets"} ${percent(w.move)}, as of ${clock(w.time)}, seq ${whole(w.seq)}`)),
    ];
  }

  largest(w) {
    if (!w.largest.length) return null;
    return el("div", {}, el("h3", {}, "Largest that would cross"), el("ul", { class: "crossed" }, ...w.largest.slice(0, 6).map((x) =>
      el("li", {}, el("button", { type: "button", class: "link num", title: `${healthText(x.from)} to ${healthText(x.to).toLowerCase()}`, onclick: () => this.choose(x.account) }, account(x.account)), ` ${compact(x.notional)}`))));
  }
}
