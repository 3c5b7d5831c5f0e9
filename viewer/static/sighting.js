// One sighting: the explanation comes by itself, arrow keys go to the one before and after.

import { byId, showTimes } from "./page.js";
import { ownZone } from "./zone.js";

const page = byId("sighting-page");

ownZone(page.dataset.zone);

async function explain() {
  if (!byId("explain")) return;
  let response;
  try {
    response = await fetch(page.dataset.why, { headers: { Accept: "text/html" } });
  } catch (error) {
    return; // the link is still there
  }
  if (!response.ok || response.redirected) return;
  const other = new DOMParser().parseFromString(await response.text(), "text/html");
  const why = other.getElementById("why");
  if (!why) return;
  byId("why").replaceWith(document.importNode(why, true));
  showTimes(byId("why"));
}

document.addEventListener("keydown", (key) => {
  if (key.altKey || key.ctrlKey || key.metaKey || key.target.closest("input, select, textarea, dialog")) return;
  const rel = { ArrowLeft: "prev", ArrowRight: "next" }[key.key];
  const link = rel && page.querySelector(`a[rel="${rel}"]`);
  if (link) link.click();
});

explain();
