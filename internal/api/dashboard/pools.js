// The lending pools: how much of each is used, what it costs, and how near its caps it is.

import { attribute, byId, el, empty, text, waiting } from "./dom.js";
import { compact, percent } from "./format.js";

/** Pools is the panel. */
export class Pools {
  constructor() {
    this.rows = new Map();
    byId("pools").append(waiting("Waiting for the pools…"));
  }

  build() {
    this.body = el("tbody");
    byId("pools").replaceChildren(el("table", {}, el("caption", { class: "hidden" }, "Lending pools"), el("thead", {}, el("tr", {},
      ...[["Token"], ["Utilisation"], ["Borrow"], ["Supply"], ["Supplied", "narrow"], ["of cap", "wide"], ["Borrowed", "narrow"], ["of cap", "wide"], ["Price", "narrow"]]
        .map(([title, cls]) => el("th", { scope: "col", class: cls }, title)))), this.body));
  }

  update(pools) {
    if (!pools.length) {
      this.rows.clear();
      this.body = undefined;
      byId("pools").replaceChildren(empty("No lending pool is listed", "A token that is borrowable, or counts as collateral, has one."));
      return;
    }
    if (!this.body) this.build();
    for (const p of pools) {
      if (!this.rows.has(p.token)) this.rows.set(p.token, this.row(p));
      this.set(this.rows.get(p.token), p);
    }
  }

  row(p) {
    const r = { bar: el("i"), kink: el("span", { class: "kink" }) };
    r.track = el("span", { class: "track", role: "meter", "aria-label": `Utilisation of ${p.token}`, "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": 0 }, r.bar, r.kink);
    r.use = el("span", { class: "num" });
    r.cells = ["num", "num", "num narrow", "num wide", "num narrow", "num wide", "num narrow"].map((cls) => el("td", { class: cls }));
    this.body.append(el("tr", {}, el("th", { scope: "row" }, p.token), el("td", {}, el("span", { class: "use" }, r.track, r.use)), ...r.cells));
    return r;
  }

  set(r, p) {
    const use = Number(p.utilization ?? 0);
    text(r.use, percent(use, use < 0.1 ? 2 : 1));
    attribute(r.track, "aria-valuenow", (use * 100).toFixed(2));
    r.bar.style.width = `${Math.min(100, use * 100).toFixed(1)}%`;
    r.kink.style.left = `${(Number(p.rate.kink) * 100).toFixed(1)}%`;
    r.kink.title = `kink at ${percent(p.rate.kink, 0)}`;
    r.track.classList.toggle("warn", use > Number(p.rate.kink));
    const share = (part, cap) => (Number(cap) > 0 ? percent(Number(part) / Number(cap), 1) : "–");
    [percent(p.borrow_rate, 2), percent(p.supply_rate, 2), compact(p.total_supplied), share(p.total_supplied, p.supply_cap), compact(p.total_borrowed),
      share(p.total_borrowed, p.borrow_cap), p.oracle_price === null ? "–" : compact(p.oracle_price)].forEach((value, i) => text(r.cells[i], value));
  }
}
