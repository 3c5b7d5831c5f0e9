// Shows the API's own description, so that it can be read and tried. Where the API wants a token,
// the description wants it too; it is kept in this page alone, and forgotten with it.
"use strict";

const form = document.getElementById("ask");
const complaint = document.getElementById("complaint");

function show(description, token) {
  form.hidden = true;
  complaint.textContent = "";
  const page = window.SwaggerUIBundle({
    spec: description,
    dom_id: "#api",
    deepLinking: true,
    displayRequestDuration: true,
    tryItOutEnabled: true,
    validatorUrl: null,
    onComplete: () => {
      if (token) page.preauthorizeApiKey("token", token);
    },
  });
}

async function load(token) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  let answer;
  try {
    answer = await fetch("../../openapi.json", { headers });
  } catch {
    complaint.textContent = "The identifier does not answer.";
    return;
  }
  if (answer.ok) {
    show(await answer.json(), token);
    return;
  }
  form.hidden = false;
  complaint.textContent = token ? "That is not the token." : "";
  if (answer.status !== 401) complaint.textContent = (await answer.json()).detail;
  form.token.focus();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  load(form.token.value.trim());
});

load("");
