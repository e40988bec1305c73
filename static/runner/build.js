// A build as it goes: appends the log from the place that this page has, and fetches the status when it changes.
// The line may break at any time; it is opened again from the last character.

const log = document.querySelector("#build-log");
const line = document.querySelector("#build-line");
const NOT_FOUND = 4404;
let at = Number(log.dataset.at);
let tries = 0;
let isOver = false;

function show(state) {
  line.hidden = false;
  line.dataset.state = state;
  line.textContent = state;
}

function append(message) {
  const characters = [...message.text]; // the server counts characters, not UTF-16 units
  const news = characters.slice(at - message.at).join("");
  const follows = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.append(news);
  at = Math.max(at, message.at + characters.length);
  if (follows) log.scrollTop = log.scrollHeight;
}

async function refreshStatus() {
  const answer = await fetch(window.location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of ["#build-status", "#version-facts"]) {
    document.querySelector(part).replaceWith(page.querySelector(part));
  }
}

function connect() {
  const scheme = window.location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${window.location.host}/ws/builds/${log.dataset.build}?at=${at}`);
  socket.addEventListener("open", () => { tries = 0; show("live"); });
  socket.addEventListener("message", (event) => {
    const message = JSON.parse(event.data);
    if (message.kind === "log") append(message);
    if (message.kind === "status" || message.kind === "done") refreshStatus();
    if (message.kind === "done") { isOver = true; line.hidden = true; }
  });
  socket.addEventListener("close", (event) => {
    if (isOver || event.code === NOT_FOUND) return;
    show("reconnecting");
    setTimeout(connect, Math.min(500 * 2 ** tries++, 10000));
  });
}

log.scrollTop = log.scrollHeight;
if ("live" in log.dataset) connect();
