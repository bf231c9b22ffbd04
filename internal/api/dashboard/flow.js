// Where commands wait, how far each shard is, and what the safe bands do.

import { attribute, byId, el, text, toggle, waiting } from "./dom.js";
import { compact, duration, whole } from "./format.js";

const RINGS = { ingress: "Ingress", sequence: "Sequence", broadcast: "Broadcast" };
const FULL = Math.log2(1 + 65536); // what a full strip stands for

/** Flow is the panel. */
export class Flow {
  constructor() {
    byId("flow").append(waiting("Waiting for the first figures…"));
  }

  build(frame) {
    this.shards = frame.applied.length;
    this.meters = new Map();
    const list = el("div", { class: "meters" });
    const add = (key, title, about) => {
      const bar = el("i");
      const track = el("div", { class: "track", role: "meter", "aria-label": about, "aria-valuemin": 0, "aria-valuemax": 65536, "aria-valuenow": 0 }, bar);
      const value = el("span", { class: "value num" }, "0");
      list.append(el("div", {}, el("span", { class: "name" }, title), track, value));
      this.meters.set(key, { bar, track, value });
    };
    for (const [key, title] of Object.entries(RINGS)) add(key, title, `Records that wait in ring ${title}`);
    for (let i = 0; i < this.shards; i++) add(`outbox${i}`, `Outbox ${i}`, `Events of shard ${i} that wait to be merged`);
    for (let i = 0; i < this.shards; i++) add(`shard${i}`, `Shard ${i} behind`, `Durable places that shard ${i} has not applied`);
    this.notes = Object.fromEntries(["heads", "banded", "awake", "woken", "sweeps", "misses", "journal"].map((n) => [n, el("b", {}, "–")]));
    const n = this.notes;
    this.missLine = el("span", {}, "Audit misses ", n.misses);
    byId("flow").replaceChildren(list, el("p", { class: "notes" }, el("span", {}, "Shard heads ", n.heads),
      el("span", {}, "Banded ", n.banded), el("span", {}, "Awake ", n.awake), el("span", {}, "Woken/s ", n.woken),
      el("span", {}, "Sweeps/s ", n.sweeps), this.missLine, el("span", {}, "Oldest frame ", n.journal)));
  }

  /** update takes a frame, and the rates of what its bands count. */
  update(frame, rates) {
    if (this.shards !== frame.applied.length) this.build(frame);
    for (const key of Object.keys(RINGS)) this.set(key, frame.rings[key]);
    frame.outboxes.forEach((depth, i) => this.set(`outbox${i}`, depth));
    frame.applied.forEach((seq, i) => this.set(`shard${i}`, Math.max(0, frame.durable - seq)));
    const n = this.notes;
    text(n.heads, frame.applied.map(whole).join(" · "));
    text(n.banded, whole(frame.bands.banded));
    text(n.awake, whole(frame.bands.awake));
    text(n.woken, compact(Math.round(rates.woken ?? 0)));
    text(n.sweeps, compact(Math.round(rates.sweeps ?? 0)));
    text(n.misses, whole(frame.bands.misses));
    text(n.journal, frame.nothing_is_kept ? "no journal" : duration(frame.journal_age ?? 0));
    toggle(this.missLine, "bad", frame.bands.misses > 0);
    toggle(this.missLine, "good", frame.bands.misses === 0);
  }

  set(key, value) {
    const m = this.meters.get(key);
    if (!m) return;
    text(m.value, whole(value));
    attribute(m.track, "aria-valuenow", String(value));
    m.bar.style.width = `${Math.min(100, (Math.log2(1 + value) / FULL) * 100).toFixed(1)}%`;
    toggle(m.track, "warn", value > 8192);
  }
}
