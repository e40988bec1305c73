// The playground: what is typed is judged by the server as one types (mistakes, JSON, programs); Run posts the form and
// shows the run beside it; signed-out people's inputs wait in this tab until they come back.

import { bindFields } from "./fields.js";
import { showSnippets } from "./snippets.js";
import { follow } from "./stream.js";

const form = document.querySelector("[data-playground]");
const pane = document.querySelector("[data-output-pane]");
const runButton = form.querySelector("[data-run-button]");
const keptAs = `inputs ${location.pathname}`;
const touched = new Set();

function fieldOf(name) { return form.querySelector(`[data-field="${CSS.escape(name)}"]`); }

function showMistake(field, words) {
  field.classList.toggle("invalid", words.length > 0);
  const box = field.querySelector(".field-error");
  const text = words.join(" · ");
  if (box.textContent !== text) box.textContent = text;
  for (const input of field.querySelectorAll("[name]:not([type=hidden])")) {
    if (words.length) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }
}

function showMistakes(fields, onlyTouched) {
  for (const field of form.querySelectorAll("[data-field]")) {
    const name = field.dataset.field;
    const words = fields[name] ?? [];
    if (!onlyTouched || touched.has(name) || !words.length) showMistake(field, words);
  }
}

function showSummary({ fields, summary }) {
  const box = form.querySelector("[data-summary]");
  const list = box.querySelector("[data-summary-list]");
  list.replaceChildren();
  for (const text of summary) list.append(Object.assign(document.createElement("li"), { textContent: text }));
  for (const [name, words] of Object.entries(fields)) {
    const item = document.createElement("li");
    const link = Object.assign(document.createElement("a"), { href: `#input-${name}` });
    link.textContent = fieldOf(name).querySelector(".field-label").textContent;
    item.append(link, `: ${words.join(" · ")}`);
    list.append(item);
    const fold = fieldOf(name).closest("details");
    if (fold) fold.open = true;
  }
  showView("form");
  box.hidden = false;
  box.focus();
}

function post(address) {
  return fetch(address, { method: "POST", body: new FormData(form), headers: { Accept: "application/json" } });
}

let pending;
let round = 0;
function checkSoon(pause = 200) {
  clearTimeout(pending);
  pending = setTimeout(check, pause);
}

async function check() {
  const mine = ++round;
  const answer = await post(form.dataset.check).catch(() => null);
  if (!answer?.ok || mine !== round) return;
  const found = await answer.json();
  showSnippets(found.snippets);
  form.querySelector("#input-as-json").textContent = found.json;
  showMistakes(found.fields, true);
}

function keep() {
  const secret = (name) => form.querySelector(`[name="${CSS.escape(name)}"][data-secret]`);
  const entries = [...new FormData(form)].filter(([name, value]) => name.startsWith("input.") && typeof value === "string" && !secret(name));
  sessionStorage.setItem(keptAs, JSON.stringify(entries));
}

function restore() {
  const kept = sessionStorage.getItem(keptAs);
  sessionStorage.removeItem(keptAs);
  if (!kept) return;
  const used = {};
  for (const [name, value] of JSON.parse(kept)) {
    const inputs = [...form.querySelectorAll(`[name="${CSS.escape(name)}"]:not([type=file], [type=hidden])`)];
    if (!inputs.length) continue;
    if (inputs[0].type === "radio") inputs.forEach((input) => { input.checked = input.value === value; });
    else if (inputs[0].type === "checkbox") inputs[0].checked = value === "true";
    else {
      const index = (used[name] = (used[name] ?? -1) + 1);
      if (index >= inputs.length) inputs[0].closest("[data-rows]")?.querySelector("[data-add-row]").click();
      const box = form.querySelectorAll(`[name="${CSS.escape(name)}"]:not([type=file])`)[index];
      if (box) box.value = value;
    }
  }
}

function say(words) {
  form.querySelector("[data-summary-list]").replaceChildren(Object.assign(document.createElement("li"), { textContent: words }));
  form.querySelector("[data-summary]").hidden = false;
}

function signIn() {
  keep();
  location.href = form.dataset.signIn ?? `/accounts/login/?next=${encodeURIComponent(location.pathname)}`;
}

async function run() {
  if (form.dataset.signIn) return signIn();
  if (runButton.disabled) return;
  if (Number(form.dataset.uploading)) return say("A file is still being uploaded.");
  runButton.disabled = true;
  form.querySelector("[data-summary]").hidden = true;
  try {
    await start(await post(form.action));
  } catch {
    say("The site could not be reached. Nothing was started; check your connection and run again.");
  } finally {
    runButton.disabled = false;
  }
}

async function start(answer) {
  if (answer.status === 401) return signIn();
  const found = await answer.json();
  if (answer.status === 201) {
    showMistakes({}, false);
    pane.innerHTML = found.html;
    history.replaceState(null, "", `?prediction=${found.id}`);
    follow(pane.querySelector("[data-run]"));
    if (matchMedia("(max-width: 899px)").matches) pane.scrollIntoView({ block: "start" });
  } else if (found.fields) {
    showMistakes(found.fields, false);
    showSummary(found);
  } else {
    say(found.detail ?? "This could not be run.");
  }
}

function showView(view) {
  for (const part of form.querySelectorAll("[data-pane]")) part.hidden = part.dataset.pane !== view;
  for (const button of form.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", String(button.dataset.view === view));
}

form.addEventListener("submit", (event) => { event.preventDefault(); run(); });
form.addEventListener("input", () => checkSoon());
form.addEventListener("focusout", (event) => {
  const name = event.target.closest("[data-field]")?.dataset.field;
  if (name) { touched.add(name); checkSoon(50); }
});
form.addEventListener("reset", () => { touched.clear(); showMistakes({}, false); form.querySelector("[data-summary]").hidden = true; checkSoon(50); });
form.addEventListener("click", (event) => {
  const view = event.target.closest("[data-view]")?.dataset.view;
  if (view) showView(view);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); run(); }
});

form.querySelector("[data-views]").hidden = false;
bindFields(form);
restore();
check();
const shown = pane.querySelector("[data-run]");
if (shown) follow(shown);
