// The page: one stream of messages, and a panel for each kind of thing that they tell.

import { attribute, byId, el, text, toggle } from "./dom.js";
import { compact, date, duration, percent, span, whole } from "./format.js";
import { Detail } from "./detail.js";
import { Flow } from "./flow.js";
import { age, Heat } from "./heat.js";
import { Latency } from "./latency.js";
import { Nearest } from "./nearest.js";
import { Pools } from "./pools.js";
import { Stream, token } from "./stream.js";
import { setTheme } from "./theme.js";
import { Throughput } from "./throughput.js";
import { Ticker } from "./ticker.js";
import { WhatIf } from "./whatif.js";

const KPIS = [
  ["commands", "Commands"], ["latency", "Pipeline p99"], ["tick", "Tick → event p99"], ["accounts", "Accounts"], ["risk", "At risk"],
  ["past", "Past a line"], ["notional", "Notional"], ["equity", "Equity"], ["misses", "Audit misses"],
];

const MESSAGES = {
  hello: (page, data) => page.greet(data),
  frame: (page, data) => page.frame(data),
  totals: (page, data) => page.totals(data),
  pools: (page, data) => page.lend(data),
  markets: (page, data) => page.whatIf.markets(data.markets),
  events: (page, data) => page.ticker.update(data),
};

/** Page is everything that is shown. */
class Page {
  constructor() {
    this.kpis = Object.fromEntries(KPIS.map(([key, title]) => {
      const value = el("dd", { id: `kpi-${key}` }, "–");
      const box = el("div", {}, el("dt", {}, title), value);
      byId("kpis").append(box);
      return [key, { value, box }];
    }));
    const choose = (name) => {
      this.nearest.mark(name);
      this.detail.show(name, true);
    };
    this.detail = new Detail();
    this.latency = new Latency();
    this.throughput = new Throughput();
    this.flow = new Flow();
    this.heat = new Heat();
    this.whatIf = new WhatIf(choose);
    this.nearest = new Nearest(choose);
    this.pools = new Pools();
    this.ticker = new Ticker(choose);
    this.stream = new Stream("/v1/dashboard/stream", {
      message: (kind, data) => MESSAGES[kind]?.(this, data),
      state: (name, about, wait) => this.state(name, about, wait),
    });
    byId("retry").addEventListener("click", () => this.stream.retry());
    byId("token-form").addEventListener("submit", (event) => this.connect(event));
    setInterval(() => this.ages(), 1000);
  }

  /** kpi sets one of the figures at the top, with a unit. */
  kpi(key, value, unit = "", mood = "") {
    const { value: node, box } = this.kpis[key];
    if (node.dataset.shown !== value + unit) {
      node.dataset.shown = value + unit;
      node.replaceChildren(value, ...(unit ? [el("small", {}, unit)] : []));
    }
    toggle(box, "bad", mood === "bad");
    toggle(box, "warn", mood === "warn");
  }

  greet(hello) {
    this.last = undefined;
    this.started = hello.started;
    text(byId("version"), hello.version);
    this.throughput.reset();
    this.latency.reset();
    this.ticker.reset();
  }

  frame(frame) {
    this.at = [frame.ms, performance.now()];
    const rates = this.rates(frame);
    this.last = frame;
    this.latency.update(frame);
    if (rates) this.throughput.update(frame.ms, rates);
    this.flow.update(frame, rates ?? {});
    const of = (name) => frame.stages.find((s) => s.stage === name);
    const shown = (s) => (s?.count ? duration(s.p99).split(" ") : ["–"]);
    this.kpi("commands", rates ? compact(Math.round(rates.answered_total)) : "–", rates ? "/s" : "");
    this.kpi("latency", ...shown(of("pipeline")));
    this.kpi("tick", ...shown(of("tick_event")));
    this.kpi("misses", whole(frame.bands.misses), "", frame.bands.misses ? "bad" : "");
    text(byId("fact-seq"), whole(frame.sequenced));
    text(byId("fact-journal"), frame.nothing_is_kept ? "none, nothing is kept" : frame.read_only ? "read-only: disk full" : "durable");
  }

  /** rates returns what is counted per second since the frame before, or undefined. */
  rates(frame) {
    if (!this.last || frame.ms <= this.last.ms) return undefined;
    const s = (frame.ms - this.last.ms) / 1000;
    const rates = {};
    for (const [name, count] of Object.entries(frame.counts)) rates[name] = (count - this.last.counts[name]) / s;
    for (const name of ["woken", "sweeps"]) rates[name] = (frame.bands[name] - this.last.bands[name]) / s;
    return rates;
  }

  totals(totals) {
    this.pass = totals;
    this.heat.update(totals);
    this.nearest.update(totals.nearest);
    const past = totals.health.liquidatable + totals.health.backstop;
    this.kpi("accounts", compact(totals.accounts));
    this.kpi("risk", whole(totals.health.at_risk), totals.accounts ? percent(totals.health.at_risk / totals.accounts) : "");
    this.kpi("past", whole(past), totals.negative_equity ? `${whole(totals.negative_equity)} below zero` : "", past ? "warn" : "");
    this.kpi("notional", compact(totals.notional));
    this.kpi("equity", compact(totals.equity));
    text(byId("fact-time"), date(totals.time));
    this.ages();
  }

  lend(pools) {
    this.pools.update(pools.pools);
    text(byId("fact-time"), date(pools.time));
  }

  ages() {
    if (this.started) text(byId("fact-up"), span(Date.now() - this.started));
    if (!this.pass || !this.at) return;
    const now = this.at[0] + performance.now() - this.at[1];
    const shown = age(now - this.pass.ms, this.pass.seq);
    text(byId("heat-age"), shown);
    text(byId("nearest-age"), shown);
  }

  /** state shows how the stream stands. */
  state(name, about, wait) {
    const isLost = name === "waiting" || name === "denied";
    attribute(document.body, "data-state", isLost ? "lost" : name);
    text(byId("state-text"), name === "waiting" ? "Disconnected" : name === "denied" ? "No access" : about);
    if (name !== "connecting") byId("banner").hidden = !isLost;
    if (name === "waiting") text(byId("banner-text"), `${about} What is shown is old. Trying again in ${(wait / 1000).toFixed(1)} s.`);
    if (name === "denied") {
      text(byId("banner-text"), `${about[0].toUpperCase()}${about.slice(1)}.`);
      text(byId("token-fault"), token.get() ? about : "");
      if (!byId("token-dialog").open) byId("token-dialog").showModal();
    } else if (name === "live" && byId("token-dialog").open) {
      byId("token-dialog").close();
    }
  }

  connect(event) {
    event.preventDefault();
    token.set(byId("token").value.trim());
    byId("token").value = "";
    byId("token-dialog").close();
    this.stream.retry();
  }
}

setTheme();
new Page().stream.retry();
