// Accounts by health over their distance to liquidation: a map of cells, dark where many are.
// A slider below it is the cursor, for keyboards and fingers, and says in words what it is at.

import { attribute, byId, canvas, colour, el, empty, health, healthText, redraw, waiting } from "./dom.js";
import { compact, whole } from "./format.js";

const ROWS = ["backstop", "liquidatable", "at_risk", "healthy", "idle"];
const BEYOND = -1, NONE = 100;
const SUM_HEIGHT = 46, AXIS_HEIGHT = 20, EDGE = 34, GAP = 6;

/** Heat is the panel. */
export class Heat {
  constructor() {
    byId("heat").append(waiting("Waiting for a pass over all accounts…"));
    this.measure = "accounts";
    byId("heat-measure").addEventListener("change", (event) => {
      this.measure = event.target.value;
      this.draw();
    });
  }

  build() {
    this.canvas = el("canvas", { role: "img", "aria-label": "Heat map" });
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.cursor = el("input", { type: "range", class: "map-cursor", min: 0, max: 1, value: 1, step: 1, "aria-label": "Distance to liquidation" });
    this.cursor.addEventListener("input", () => this.draw());
    this.readout = el("output", { class: "readout" });
    this.healths = el("ul", { class: "healths", "aria-label": "Accounts by health" });
    byId("heat").replaceChildren(el("div", { class: "map" }, el("div", { class: "cells" }, this.canvas), this.cursor, this.readout), this.healths);
    redraw(this.canvas, () => this.draw());
  }

  update(totals) {
    this.totals = totals;
    if (totals.accounts === 0) {
      this.canvas = undefined;
      byId("heat").replaceChildren(empty("No account is open", "Open one with POST /v1/commands, or start plimsoll demo."));
      return;
    }
    if (!this.canvas) this.build();
    this.healths.replaceChildren(...[...ROWS].reverse().map((name) =>
      el("li", {}, health(name), el("b", {}, whole(totals.health[name] ?? 0)))));
    this.draw();
  }

  /** columns sums the cells into columns of some percent, the first past the line, the last without a requirement. */
  columns(width) {
    const size = width < 520 ? 4 : 2;
    const count = 100 / size + 2;
    const rows = ROWS.map(() => Array.from({ length: count }, () => [0, 0]));
    ROWS.forEach((name, r) => {
      for (const [step, accounts, notional] of this.totals.heat[name] ?? []) {
        const at = step === BEYOND ? 0 : step === NONE ? count - 1 : 1 + Math.floor(step / size);
        rows[r][at][0] += accounts;
        rows[r][at][1] += Number(notional);
      }
    });
    return { size, count, rows };
  }

  draw() {
    if (!this.canvas || !this.totals) return;
    const { context: c, width, height } = canvas(this.canvas);
    if (width < 40) return;
    const g = (this.grid = this.columns(width));
    const label = width < 520 ? 80 : 90;
    this.cursor.style.width = `${width - label}px`;
    this.cursor.style.marginLeft = `${label}px`;
    const inner = (width - label - 2 * (EDGE + GAP)) / (g.count - 2);
    g.x = (i) => (i === 0 ? label : i === g.count - 1 ? width - EDGE : label + EDGE + GAP + (i - 1) * inner);
    g.w = (i) => (i === 0 || i === g.count - 1 ? EDGE : inner);
    const pick = this.measure === "accounts" ? 0 : 1;
    const rowHeight = (height - SUM_HEIGHT - AXIS_HEIGHT) / ROWS.length;
    this.sums(c, g, pick);
    c.textBaseline = "middle";
    c.font = "12px system-ui, sans-serif";
    const most = Math.max(1, ...g.rows.flat().map((cell) => cell[pick]));
    ROWS.forEach((name, r) => {
      const y = SUM_HEIGHT + r * rowHeight;
      c.fillStyle = colour(name.replace("_", "-"));
      c.textAlign = "left";
      c.globalAlpha = 1;
      c.fillText(healthText(name), 0, y + rowHeight / 2);
      for (let i = 0; i < g.count; i++) {
        const value = g.rows[r][i][pick];
        c.fillStyle = value > 0 ? colour(name.replace("_", "-")) : colour("grid");
        c.globalAlpha = value > 0 ? 0.16 + 0.84 * (Math.log(1 + value) / Math.log(1 + most)) : 0.55;
        c.fillRect(g.x(i) + 0.5, y + 1, g.w(i) - 1, rowHeight - 2);
      }
    });
    c.globalAlpha = 1;
    this.axis(c, g, width, height);
    this.mark(c, g, height);
  }

  /** sums draws how much there is in each column, over all rows. */
  sums(c, g, pick) {
    const sums = Array.from({ length: g.count }, (_, i) => g.rows.reduce((sum, row) => sum + row[i][pick], 0));
    const most = Math.max(1, ...sums);
    c.fillStyle = colour("accent");
    sums.forEach((sum, i) => {
      const h = sum > 0 ? Math.max(1.5, (sum / most) * (SUM_HEIGHT - 10)) : 0;
      c.globalAlpha = 0.7;
      c.fillRect(g.x(i) + 0.5, SUM_HEIGHT - 4 - h, g.w(i) - 1, h);
    });
    c.globalAlpha = 1;
  }

  axis(c, g, width, height) {
    c.fillStyle = colour("dim");
    c.font = "11px system-ui, sans-serif";
    c.textAlign = "center";
    const y = height - AXIS_HEIGHT / 2 + 2;
    c.fillText("past", g.x(0) + EDGE / 2, y);
    c.fillText("none", g.x(g.count - 1) + EDGE / 2, y);
    const every = width < 520 ? 50 : 10;
    for (let p = 0; p <= 100; p += every) {
      c.textAlign = p === 0 ? "left" : p === 100 ? "right" : "center";
      c.fillText(`${p} %`, p === 100 ? g.x(g.count - 1) - GAP : g.x(1 + p / g.size), y);
    }
  }

  /** mark draws the cursor and says what stands there. */
  mark(c, g, height) {
    attribute(this.cursor, "max", String(g.count - 1));
    const at = Math.min(Number(this.cursor.value), g.count - 1);
    c.strokeStyle = colour("strong");
    c.lineWidth = 1.5;
    c.strokeRect(g.x(at), SUM_HEIGHT - 2, g.w(at), height - SUM_HEIGHT - AXIS_HEIGHT + 3);
    const where = at === 0 ? "Past the line" : at === g.count - 1 ? "Without a requirement" : `${(at - 1) * g.size} to ${at * g.size} % from the line`;
    const parts = ROWS.map((name, r) => [name, g.rows[r][at]]).filter(([, cell]) => cell[0] > 0);
    const said = parts.map(([name, cell]) => `${whole(cell[0])} ${healthText(name).toLowerCase()}, notional ${compact(cell[1])}`).join("; ") || "nobody";
    attribute(this.cursor, "aria-valuetext", `${where}: ${said}`);
    const line = el("span", {}, el("b", {}, where), ` · ${said}`);
    if (this.readout.textContent !== line.textContent) this.readout.replaceChildren(line);
    const h = this.totals.health;
    attribute(this.canvas, "aria-label", `Heat map of ${whole(this.totals.accounts)} accounts by health and distance to liquidation: ${ROWS.map((n) => `${healthText(n)} ${whole(h[n] ?? 0)}`).join(", ")}`);
  }

  point(event) {
    const g = this.grid;
    const x = event.clientX - this.canvas.getBoundingClientRect().left;
    for (let i = 0; i < g.count; i++) {
      if (x >= g.x(i) && x < g.x(i) + g.w(i)) {
        this.cursor.value = i;
        this.draw();
        return;
      }
    }
  }
}

/** age writes how old a pass is. */
export const age = (ms, place) => `as of ${ms < 1500 ? "now" : `${Math.round(ms / 1000)} s ago`}${place ? `, seq ${whole(place)}` : ""}`;
