// How the margin ratio of one account comes about: every term as a tree whose nodes re-add
// exactly. It is made for the keyboard as the pattern "tree view" of WAI-ARIA asks.

import { attribute, byId, el, empty, fault, text, waiting } from "./dom.js";
import { account, clock, exact, words } from "./format.js";
import { read } from "./stream.js";

/** Detail is the panel. */
export class Detail {
  constructor() {
    byId("detail").append(empty("No account is chosen", "Choose one of the riskiest, or one that would cross, to see how its margin ratio comes about."));
    byId("detail-again").addEventListener("click", () => this.show(this.name));
  }

  /** show reads and explains an account; isMoved: the panel is brought into view. */
  async show(name, isMoved = false) {
    this.name = name;
    this.abort?.abort();
    const abort = (this.abort = new AbortController());
    const where = byId("detail");
    text(byId("h-detail"), `Explain ${account(name)}`);
    text(byId("detail-sub"), "");
    byId("detail-again").hidden = false;
    where.replaceChildren(waiting("Reading the account…"));
    if (isMoved) {
      byId("h-detail").focus({ preventScroll: true });
      const box = byId("detail-panel").getBoundingClientRect();
      if (box.top < 0 || box.top > innerHeight - 120) byId("detail-panel").scrollIntoView({ block: "start" });
    }
    try {
      const reply = await read(`/v1/accounts/${encodeURIComponent(name)}/explain`, abort.signal);
      text(byId("detail-sub"), `${reply.mode}, judged by ${reply.token || "nothing"}, at ${clock(reply.time)}`);
      where.replaceChildren(new Tree(reply.trees, `How the margin ratio of ${name} comes about`).root);
    } catch (error) {
      if (error.name !== "AbortError") where.replaceChildren(fault(error, () => this.show(name)));
    }
  }
}

/** subject says what a term is about. */
function subject(node) {
  if (node.perp !== undefined) return node.perp + (node.tier !== undefined ? ` tier ${node.tier}` : "");
  if (node.market !== undefined) return node.market + (node.order !== undefined ? ` order ${node.order}` : "");
  if (node.token !== undefined) return node.token + (node.in !== undefined ? ` in ${node.in}` : "");
  if (node.dex !== undefined) return node.dex === "" ? "main dex" : `dex ${node.dex}`;
  return "";
}

const ITEM = '[role="treeitem"]';

/** groupOf returns the inputs of an item, if they were made. */
const groupOf = (item) => item.nextElementSibling;

const ROUNDINGS = { floor: "rounded down", ceil: "rounded up", half_even: "rounded half to even" };

/** Tree is a tree of terms; branches are made when they are opened. A branch is a wrapper with
 * its item and, behind that, the group of its inputs. */
class Tree {
  constructor(trees, label) {
    this.root = el("div", { class: "tree scroll", role: "tree", "aria-label": label, onkeydown: (event) => this.key(event), onclick: (event) => this.click(event) });
    trees.forEach((node, i) => this.root.append(this.branch(node, 1, i + 1, trees.length)));
    const first = this.root.querySelector(ITEM);
    this.open(first, true);
    this.open(groupOf(first)?.querySelector(ITEM), true);
    attribute(first, "tabindex", "0");
  }

  branch(node, level, place, count) {
    const hasInputs = node.inputs.length > 0;
    const about = subject(node);
    const rounding = ROUNDINGS[node.rounding];
    const item = el("div", {
      class: "row", role: "treeitem", tabindex: -1, "aria-level": level, "aria-posinset": place, "aria-setsize": count,
      "aria-expanded": hasInputs ? "false" : null,
    },
    el("span", { class: "twist", "aria-hidden": "true" }, hasInputs ? "▸" : ""),
    el("span", {}, words(node.name)), about ? el("span", { class: "of" }, about) : null,
    node.source ? el("span", { class: "tag" }, node.source) : null,
    node.ref !== undefined ? el("span", { class: "tag" }, "explained above ↑") : null,
    el("span", { class: "value num" }, exact(node.value)),
    node.formula ? el("span", { class: "formula" }, `= ${node.formula}${rounding ? `, ${rounding}` : ""}${node.label ? ` · ${node.label}` : ""}`) : null);
    item.node = node;
    item.level = level;
    return el("div", { role: "none" }, item);
  }

  /** open opens or shuts a branch. */
  open(item, isOpen) {
    if (!item?.node.inputs.length) return;
    attribute(item, "aria-expanded", String(isOpen));
    item.querySelector(".twist").textContent = isOpen ? "▾" : "▸";
    if (isOpen && !groupOf(item)) {
      const inputs = item.node.inputs;
      item.after(el("div", { role: "group" }, ...inputs.map((node, i) => this.branch(node, item.level + 1, i + 1, inputs.length))));
    }
    if (groupOf(item)) groupOf(item).hidden = !isOpen;
  }

  isOpen(item) {
    return item.getAttribute("aria-expanded") === "true";
  }

  /** follow goes to the term that another stands for: its branches are opened on the way. */
  follow(number) {
    for (const top of this.root.children) {
      let item = top.firstElementChild;
      const path = pathTo(item.node, number);
      if (!path) continue;
      for (const i of path) {
        this.open(item, true);
        item = groupOf(item).children[i].firstElementChild;
      }
      this.focus(item);
      return;
    }
  }

  shown() {
    return [...this.root.querySelectorAll(ITEM)].filter((item) => !item.closest('[role="group"][hidden]'));
  }

  focus(item) {
    if (!item) return;
    for (const other of this.root.querySelectorAll(`${ITEM}[tabindex="0"]`)) attribute(other, "tabindex", "-1");
    attribute(item, "tabindex", "0");
    item.focus();
    item.scrollIntoView({ block: "nearest" });
  }

  click(event) {
    const item = event.target.closest(ITEM);
    if (item) this.act(item);
  }

  act(item) {
    this.focus(item);
    if (item.node.ref !== undefined) this.follow(item.node.ref);
    else this.open(item, !this.isOpen(item));
  }

  key(event) {
    const item = event.target.closest(ITEM);
    if (!item || event.altKey || event.ctrlKey || event.metaKey) return;
    const shown = this.shown();
    const at = shown.indexOf(item);
    const parent = item.parentElement.parentElement.previousElementSibling;
    const acts = {
      ArrowDown: () => this.focus(shown[at + 1]),
      ArrowUp: () => this.focus(shown[at - 1]),
      Home: () => this.focus(shown[0]),
      End: () => this.focus(shown.at(-1)),
      ArrowRight: () => (this.isOpen(item) ? this.focus(shown[at + 1]) : this.open(item, true)),
      ArrowLeft: () => (this.isOpen(item) ? this.open(item, false) : this.focus(parent?.matches(ITEM) ? parent : null)),
      Enter: () => this.act(item),
      " ": () => this.act(item),
      "*": () => [...item.parentElement.parentElement.children].forEach((other) => this.open(other.firstElementChild, true)),
    };
    if (!acts[event.key]) return;
    event.preventDefault();
    acts[event.key]();
  }
}

/** pathTo returns the places of inputs that lead to the node of a number, or null. */
function pathTo(node, number) {
  if (node.id === number) return [];
  for (const [i, input] of node.inputs.entries()) {
    const path = pathTo(input, number);
    if (path) return [i, ...path];
  }
  return null;
}
