// Names of enrolled people to choose from while one is typed: fills the page's <datalist>.

import { byId } from "./page.js";

const WAIT_MS = 150;
let timer = null;
let asked = null;

async function suggest(typed) {
  if (typed === asked) return;
  asked = typed;
  const response = await fetch(`/people/names.json?${new URLSearchParams({ q: typed })}`);
  if (!response.ok || typed !== asked) return;
  const { people } = await response.json();
  byId("people-names").replaceChildren(...people.map(({ name }) => {
    const option = document.createElement("option");
    option.value = name;
    return option;
  }));
}

/** Suggests names in every input with `list="people-names"`, those added later included. */
export function suggestNames() {
  if (!byId("people-names")) return;
  const soon = (happened) => {
    const input = happened.target;
    if (!(input instanceof HTMLInputElement) || input.getAttribute("list") !== "people-names") return;
    clearTimeout(timer);
    timer = setTimeout(() => suggest(input.value.trim()).catch(() => {}), WAIT_MS);
  };
  document.addEventListener("input", soon);
  document.addEventListener("focusin", soon);
}
