// Throughput over two minutes: four lines on one canvas, and their last values as text.

import { attribute, byId, canvas, colour, el, redraw, text } from "./dom.js";
import { compact } from "./format.js";

const SPAN_MS = 120000;
const SERIES = [
  ["answered_total", "Commands"], ["events_total", "Events"], ["reads_total", "Reads"], ["requests_total", "HTTP requests"],
];

/** Throughput is the panel. */
export class Throughput {
  constructor() {
    this.samples = [];
    this.values = SERIES.map(() => el("b", {}, "–"));
    const legend = el("ul", { class: "legend", "aria-label": "Now" }, ...SERIES.map(([, title], i) =>
      el("li", {}, el("span", { class: `swatch s${i + 1}`, "aria-hidden": "true" }), title, this.values[i])));
    this.canvas = el("canvas", { role: "img", "aria-label": "Throughput over the last two minutes" });
    byId("throughput").append(legend, el("div", { class: "chart" }, this.canvas));
    redraw(this.canvas, () => this.draw());
  }

  /** update takes the rates per second by name, as of ms. */
  update(ms, rates) {
    this.samples.push([ms, ...SERIES.map(([name]) => rates[name] ?? 0)]);
    while (this.samples.length && this.samples[0][0] < ms - SPAN_MS) this.samples.shift();
    SERIES.forEach(([name], i) => text(this.values[i], compact(Math.round(rates[name] ?? 0))));
    this.draw();
    if (ms - (this.toldMs ?? -1e9) > 10000) {
      this.toldMs = ms;
      attribute(this.canvas, "aria-label", `Throughput over the last two minutes; now ${SERIES.map(([name, title]) => `${title} ${compact(Math.round(rates[name] ?? 0))}`).join(", ")} per second`);
    }
  }

  reset() {
    this.samples = [];
    this.toldMs = undefined;
  }

  draw() {
    const { context: c, width, height } = canvas(this.canvas);
    const left = 40, bottom = 16, top = 6;
    const most = niceMax(Math.max(1, ...this.samples.flatMap((s) => s.slice(1))));
    const now = this.samples.at(-1)?.[0] ?? 0;
    const x = (ms) => left + (width - left) * (1 - (now - ms) / SPAN_MS);
    const y = (v) => top + (height - top - bottom) * (1 - v / most);
    c.font = "11px system-ui, sans-serif";
    c.textBaseline = "middle";
    for (let i = 0; i <= 4; i++) {
      const at = Math.round(y((most * i) / 4)) + 0.5;
      c.strokeStyle = colour("grid");
      c.beginPath();
      c.moveTo(left, at);
      c.lineTo(width, at);
      c.stroke();
      c.fillStyle = colour("dim");
      c.textAlign = "right";
      if (i % 2 === 0) c.fillText(compact((most * i) / 4).replace(/\.0+(?=\D|$)/, ""), left - 6, Math.max(6, at));
    }
    c.textAlign = "left";
    c.fillText("2 min ago", left, height - 6);
    c.textAlign = "right";
    c.fillText("now", width, height - 6);
    for (let i = SERIES.length; i >= 1; i--) this.line(c, i, x, y);
  }

  line(c, i, x, y) {
    if (this.samples.length < 2) return;
    c.strokeStyle = colour(`series-${i}`);
    c.lineWidth = i === 1 ? 2 : 1.4;
    c.lineJoin = "round";
    c.beginPath();
    this.samples.forEach((s, n) => (n ? c.lineTo(x(s[0]), y(s[i])) : c.moveTo(x(s[0]), y(s[i]))));
    c.stroke();
    if (i !== 1) return;
    c.lineTo(x(this.samples.at(-1)[0]), y(0));
    c.lineTo(x(this.samples[0][0]), y(0));
    c.closePath();
    c.globalAlpha = 0.12;
    c.fillStyle = colour("series-1");
    c.fill();
    c.globalAlpha = 1;
  }
}

/** niceMax rounds up to 1, 2, 4 or 8 times a power of ten. */
export function niceMax(v) {
  const decade = 10 ** Math.floor(Math.log10(v));
  return decade * [1, 2, 4, 8, 10].find((n) => n * decade >= v * 0.999);
}
