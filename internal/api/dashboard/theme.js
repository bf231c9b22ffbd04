// Dark, light, or as the system says. The choice is kept for the next visit.

import { attribute, byId, text } from "./dom.js";

const KEY = "plimsoll.theme";
const CHOICES = [["auto", "Theme: automatic"], ["dark", "Theme: dark"], ["light", "Theme: light"]];

function show(choice) {
  attribute(document.documentElement, "data-theme", choice);
  text(byId("theme"), CHOICES.find(([name]) => name === choice)[1]);
  document.dispatchEvent(new Event("themechange"));
}

/** setTheme sets up the switch. */
export function setTheme() {
  let at = Math.max(0, CHOICES.findIndex(([name]) => name === localStorage.getItem(KEY)));
  show(CHOICES[at][0]);
  byId("theme").addEventListener("click", () => {
    at = (at + 1) % CHOICES.length;
    localStorage.setItem(KEY, CHOICES[at][0]);
    show(CHOICES[at][0]);
  });
  matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => document.dispatchEvent(new Event("themechange")));
}
