// Latency by stage: percentiles, the same on a logarithmic strip, and how the p99 went.

import { attribute, byId, el, svg, text, toggle, waiting } from "./dom.js";
import { duration } from "./format.js";

const FROM_NS = 100;
const DECADES = 7; // 100 ns to 1 s
const KEPT = 240; // samples of a sparkline

const STAGES = {
  decode: ["Decode", "from the last byte of a request until its commands enter the engine"],
  ring_wait: ["Ring wait", "until the sequencer has given a command its place"],
  journal: ["Journal", "from there until its frame is durable"],
  apply: ["Apply", "from there until a shard has applied it"],
  gate: ["Gate", "from the last shard until egress lets it out"],
  wake: ["Wake", "until the caller goes on"],
  encode: ["Encode", "from there until the reply is made"],
  request: ["Whole request", "a request of commands, as the HTTP server sees it"],
  pipeline: ["Whole pipeline", "from the ring until egress lets a command out"],
  tick_event: ["Tick → event", "from a price tick's entry until its events can be read"],
  frame: ["Journal frame", "from the append of a frame until it is durable"],
};
const SUMS = ["request", "pipeline", "tick_event", "frame"];

const place = (ns) => Math.min(100, Math.max(0, (Math.log10(Math.max(ns, 1) / FROM_NS) / DECADES) * 100));

/** Latency is the panel. */
export class Latency {
  constructor() {
    this.rows = new Map();
    byId("latency").append(waiting("Waiting for the first figures…"));
  }

  build(stages) {
    this.body = el("tbody");
    const head = el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Stage"), el("th", { scope: "col" }, "p50"),
      el("th", { scope: "col", class: "narrow" }, "p90"), el("th", { scope: "col" }, "p99"), el("th", { scope: "col" }, "p99.9"),
      el("th", { scope: "col", class: "wide" }, el("span", { class: "axis" }, ...["100 ns", "1 µs", "10", "100", "1 ms", "10", "100", "1 s"].map((t) => el("span", {}, t)))),
      el("th", { scope: "col", class: "wide" }, "p99, 2 min")));
    for (const stage of stages) this.rows.set(stage.stage, this.row(stage.stage));
    byId("latency").replaceChildren(el("table", {}, el("caption", { class: "hidden" }, "Latency percentiles by stage"), head, this.body),
      el("p", { class: "key" }, el("span", {}, "Strip: thick to p90, thin to p99.9, mark at p99."), el("span", {}, "One command of 128 is timed and stands for all.")));
  }

  row(name) {
    const [title, about] = STAGES[name] ?? [name, ""];
    const cells = ["p50", "p90", "p99", "p999"].map((q) => el("td", { class: q === "p90" ? "num narrow" : "num" }, "–"));
    const [tail, body, mark] = ["strip-tail", "strip-body", "strip-mark"].map((c) => svg("line", { class: c, y1: c === "strip-mark" ? 3 : 9, y2: c === "strip-mark" ? 15 : 9 }));
    const grid = Array.from({ length: DECADES + 1 }, (_, i) => svg("line", { class: "strip-grid", x1: (i * 100) / DECADES, x2: (i * 100) / DECADES, y1: 0, y2: 18 }));
    const strip = svg("svg", { viewBox: "0 0 100 18", preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false" }, ...grid, tail, body, mark);
    const line = svg("polyline", { class: "spark" });
    const spark = svg("svg", { viewBox: "0 0 100 18", preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false" }, line);
    const isSum = SUMS.includes(name);
    const row = el("tr", { class: isSum ? (name === SUMS[0] ? "sum sum-first" : "sum") : null }, el("th", { scope: "row", title: about }, title), ...cells,
      el("td", { class: "stage-strip wide" }, strip), el("td", { class: "stage-line wide" }, spark));
    this.body.append(row);
    return { cells, tail, body, mark, line, row, history: [] };
  }

  update(frame) {
    if (this.rows.size !== frame.stages.length) {
      this.rows.clear();
      this.build(frame.stages);
    }
    for (const s of frame.stages) {
      const row = this.rows.get(s.stage);
      ["p50", "p90", "p99", "p999"].forEach((q, i) => text(row.cells[i], s.count ? duration(s[q]) : "–"));
      toggle(row.row, "dim", !s.count);
      this.strip(row, s);
      row.history.push(s.count ? s.p99 : null);
      if (row.history.length > KEPT) row.history.shift();
      attribute(row.line, "points", sparkline(row.history));
    }
  }

  strip(row, s) {
    for (const [line, from, to] of [[row.tail, s.p50, s.p999], [row.body, s.p50, s.p90], [row.mark, s.p99, s.p99]]) {
      attribute(line, "visibility", s.count ? "visible" : "hidden");
      if (!s.count) continue;
      attribute(line, "x1", place(from).toFixed(2));
      attribute(line, "x2", Math.max(place(to), place(from) + (line === row.mark ? 0 : 0.6)).toFixed(2));
    }
  }

  reset() {
    for (const row of this.rows.values()) row.history = [];
  }
}

function sparkline(history) {
  const known = history.filter((v) => v !== null).map(Math.log10);
  if (known.length < 2) return "";
  const low = Math.min(...known);
  const height = Math.max(Math.max(...known) - low, 0.3);
  return history.map((v, i) => (v === null ? null : `${(100 - ((history.length - 1 - i) * 100) / (KEPT - 1)).toFixed(1)},${(16 - ((Math.log10(v) - low) / height) * 14).toFixed(1)}`))
    .filter(Boolean).join(" ");
}
