// Small tools for the page: elements are made node by node, never from text, so that no name
// of an account or a market can become markup.

const SVG = "http://www.w3.org/2000/svg";

/** el makes an element: attributes by name, "on…" listeners, then children (nodes or text). */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** svg is el for SVG. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** byId returns an element of the page. */
export const byId = (id) => document.getElementById(id);

/** text sets the text of an element where it differs, so that nothing is laid out in vain. */
export function text(node, value) {
  if (node.textContent !== value) node.textContent = value;
}

/** attribute sets an attribute where it differs. */
export function attribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/** toggle sets a class where it differs. */
export const toggle = (node, name, isOn) => node.classList.toggle(name, Boolean(isOn));

/** waiting is what a panel shows before it has anything. */
export const waiting = (what) => el("p", { class: "wait", role: "status" }, what);

/** empty is what a panel shows when there is nothing to show, and why. */
export const empty = (title, why) => el("p", { class: "empty" }, el("strong", {}, title), why);

/** fault is what a panel shows when a read failed. */
export function fault(error, again) {
  return el("div", { class: "empty", role: "alert" }, el("strong", { class: "fault" }, "That did not work"),
    el("p", {}, error.message), again ? el("p", {}, el("button", { type: "button", onclick: again }, "Try again")) : null);
}

/** health is a health as words with its colour. */
export const health = (name, extra = "") => el("span", { class: `health ${name}` }, healthText(name) + extra);

/** healthText names a health for people. */
export const healthText = (name) => ({
  idle: "Idle", healthy: "Healthy", at_risk: "At risk", liquidatable: "Liquidatable", backstop: "Backstop",
}[name] ?? name);

/** colour returns a colour of the style sheet, as it is in the theme that holds. */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** canvas prepares a canvas for its size on this screen and returns its context, width and height. */
export function canvas(node) {
  const ratio = window.devicePixelRatio || 1;
  const { width, height } = node.getBoundingClientRect();
  const w = Math.max(1, Math.round(width * ratio));
  const h = Math.max(1, Math.round(height * ratio));
  if (node.width !== w || node.height !== h) {
    node.width = w;
    node.height = h;
  }
  const context = node.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/** redraw calls a function when the theme or the size of a node changes. */
export function redraw(node, draw) {
  new ResizeObserver(() => draw()).observe(node);
  document.addEventListener("themechange", () => draw());
}
