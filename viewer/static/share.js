// Makes an address of a stream that works on another page.

import { attempt, byId, send, when } from "./page.js";
import { t } from "./texts.js";

const form = byId("share-form");

async function make() {
  const { kind, name } = form.dataset;
  const button = form.querySelector('[type="submit"]');
  const asked = {
    [kind]: name,
    seconds: Number(form.elements.seconds.value),
    blur: Boolean(form.elements.blur?.checked),
  };
  button.disabled = true;
  const made = await attempt(() => send("/api/stream-token", { json: asked }));
  button.disabled = false;
  byId("shared").hidden = !made;
  if (!made) return;
  byId("shared-until").textContent = t("live.shared_until", { time: when(Date.parse(made.expires_at)) });
  byId("shared-address").value = made.url;
  byId("shared-address").focus();
  byId("shared-address").select();
}

byId("share").hidden = false;
form.addEventListener("submit", (submit) => {
  submit.preventDefault();
  make();
});
// What was chosen since is not what the address does.
form.addEventListener("change", () => { byId("shared").hidden = true; });
