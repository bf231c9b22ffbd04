// Figures as people read them. The daemon sends exact decimals as text; what is shown short
// here is shown in full where it is explained.

const STEPS = [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]];

/** compact writes a number with three to four digits: 12.4M. */
export function compact(value) {
  const n = Number(value);
  if (!Number.isFinite(n)) return "–";
  const size = Math.abs(n);
  for (const [step, unit] of STEPS) {
    if (size >= step * 0.99995) return digits(n / step) + unit;
  }
  if (size === 0) return "0";
  return Number.isInteger(n) ? String(n) : digits(n);
}

function digits(n) {
  const size = Math.abs(n);
  return n.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** whole writes a count with separators. */
export const whole = (value) => WHOLE.format(value);

/** percent writes a share. */
export function percent(value, places = 1) {
  return value === null || value === undefined ? "–" : `${(Number(value) * 100).toFixed(places)} %`;
}

/** exact groups the digits of a decimal as the daemon sent it, without zeros at the end. */
export function exact(value) {
  if (value === null || value === undefined) return "none";
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(value);
  if (!match) return String(value);
  const grouped = match[2].replace(/\B(?=(\d{3})+$)/g, "\u202f");
  const rest = (match[3] ?? "").replace(/0+$/, "");
  return `${match[1] ? "−" : ""}${grouped}${rest ? "." + rest : ""}`;
}

/** duration writes ns. */
export function duration(ns) {
  if (ns === undefined || ns === null) return "–";
  for (const [step, unit] of [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]]) {
    if (ns >= step * 0.9995) return `${digits(ns / step)} ${unit}`;
  }
  return `${ns} ns`;
}

/** span writes how long ago something was, in ms. */
export function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** clock writes a time of day, UTC. */
export const clock = (ms) => new Date(ms).toISOString().slice(11, 19);

/** date writes a day and a time, UTC. */
export const date = (ms) => new Date(ms).toISOString().slice(0, 19).replace("T", " ");

/** account shortens an address. */
export const account = (name) => (/^0x[0-9a-f]{40}$/i.test(name) ? `${name.slice(0, 8)}…${name.slice(-4)}` : name);

/** words writes a name of the contract as words. */
export const words = (name) => name.replaceAll("_", " ");
