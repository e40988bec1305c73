// A prediction, live: follows its websocket from the position that the page has reached, and comes back to it after a lost
// line. The server says where each message starts and how far the page is with it (`at`, `next`), so nothing is lost or
// shown twice. Text is appended once per frame, however many messages bring it.

const ENDED = 4000;
const NOT_FOUND = 4404;
const SLOWEST_MS = 10000;

export function inWords(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${String(Math.floor(seconds % 60)).padStart(2, "0")} s`;
}

class Run {
  constructor(element, onEnd) {
    this.element = element;
    this.onEnd = onEnd;
    this.at = { outputs: +element.dataset.outputs, logs: +element.dataset.logs, stage: +element.dataset.stage };
    this.tries = 0;
    this.waiting = { text: "", logs: "" };
    this.frame = 0;
    this.startClock();
    this.connect();
    this.wake = () => { if (!document.hidden && navigator.onLine) this.retryNow(); };
    addEventListener("online", this.wake);
    document.addEventListener("visibilitychange", this.wake);
  }

  slot(name) { return this.element.querySelector(`[data-slot="${name}"]`); }

  connect() {
    if (this.isOver || !this.element.isConnected) return this.stop();
    const query = new URLSearchParams(this.at);
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.socket = new WebSocket(`${scheme}//${location.host}${this.element.dataset.watch}?${query}`);
    this.socket.onopen = () => { this.tries = 0; this.show("live"); };
    this.socket.onmessage = (message) => this.take(JSON.parse(message.data));
    this.socket.onclose = (event) => this.lost(event.code);
  }

  lost(code) {
    if (this.isOver || code === ENDED || code === NOT_FOUND) return this.stop();
    this.show(navigator.onLine ? "reconnecting" : "offline");
    const pause = Math.min(SLOWEST_MS, 300 * 2 ** this.tries++) * (0.75 + Math.random() / 2);
    this.retry = setTimeout(() => this.connect(), pause);
  }

  retryNow() {
    if (this.socket.readyState !== WebSocket.CLOSED || this.isOver) return;
    clearTimeout(this.retry);
    this.connect();
  }

  take(message) {
    if (message.kind === "output") this.takeOutput(message);
    else if (message.kind === "logs") this.takeLogs(message);
    else if (message.kind === "done") this.end(message);
    else if (message.status) this.showStatus(message);
  }

  takeOutput(message) {
    if (message.at !== this.at.outputs) return this.socket.close(); // come back from where the page is
    this.at.outputs = message.next;
    this.at.stage = Math.max(this.at.stage, 1);
    if (message.text === undefined) this.slot("parts").insertAdjacentHTML("beforeend", message.html);
    else this.later("text", message.text);
  }

  takeLogs(message) {
    if (message.at !== this.at.logs) return this.socket.close();
    this.at.logs = message.next;
    this.later("logs", message.text);
  }

  later(name, text) {
    this.waiting[name] += text;
    this.frame ||= requestAnimationFrame(() => this.flush());
  }

  flush() {
    this.frame = 0;
    for (const name of ["text", "logs"]) {
      if (!this.waiting[name]) continue;
      const box = this.slot(name);
      const isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 24;
      const last = box.lastChild;
      if (last?.nodeType === Node.TEXT_NODE) last.appendData(this.waiting[name]);
      else box.append(this.waiting[name]);
      this.waiting[name] = "";
      if (isAtEnd) box.scrollTop = box.scrollHeight;
    }
  }

  showStatus(message) {
    this.at.stage = Math.max(this.at.stage, message.next ?? 0);
    const slot = this.slot("status");
    const fresh = document.createElement("template");
    fresh.innerHTML = message.status;
    // A status that says the same is left alone: screen readers would say it again.
    const key = (root) => root.querySelector("[data-key]")?.dataset.key;
    if (key(fresh.content) === key(slot) && message.kind !== "done") return;
    slot.replaceChildren(fresh.content);
    this.startClock();
  }

  startClock() {
    clearInterval(this.clock);
    const elapsed = this.element.querySelector("[data-ticking]");
    if (!elapsed) return;
    const begin = performance.now() - Number(elapsed.dataset.elapsed) * 1000;
    this.clock = setInterval(() => { elapsed.textContent = inWords((performance.now() - begin) / 1000); }, 100);
  }

  end(message) {
    this.flush();
    this.isOver = true;
    this.showStatus(message);
    this.slot("verdict").innerHTML = message.verdict;
    if (message.output !== null) this.slot("output").innerHTML = message.output;
    this.slot("text")?.classList.remove("caret");
    this.element.querySelector("[data-cancel]")?.remove();
    this.element.dataset.stage = "2";
    if (message.state === "failed" && this.slot("logs").textContent) this.slot("logs").closest("details").open = true;
    this.onEnd?.(message.state);
    this.stop();
  }

  show(state) {
    const dot = this.slot("dot");
    if (!dot) return;
    dot.hidden = false;
    dot.dataset.state = state;
    dot.textContent = state;
  }

  stop() {
    clearTimeout(this.retry);
    if (this.isOver || !this.element.isConnected) clearInterval(this.clock);
    removeEventListener("online", this.wake);
    document.removeEventListener("visibilitychange", this.wake);
    this.slot("dot")?.setAttribute("hidden", "");
    if (!this.isOver && this.socket?.readyState < WebSocket.CLOSING) this.socket.close(); // else the server closes it
  }
}

/** Follow the run that this element shows, unless it is over. `onEnd(state)` is called once. */
export function follow(element, onEnd) {
  return Number(element.dataset.stage) < 2 ? new Run(element, onEnd) : null;
}

/** Cancel the run that this element shows. Its end arrives by the websocket. */
export async function cancel(element) {
  const form = element?.querySelector("[data-cancel]");
  if (!form) return;
  const button = form.querySelector("button");
  button.disabled = true;
  button.textContent = "Canceling…";
  const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers: { Accept: "application/json" } });
  if (answer.ok) return;
  button.disabled = false;
  button.textContent = "Cancel";
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("[data-cancel]");
  if (!form) return;
  event.preventDefault();
  cancel(form.closest("[data-run]"));
});

document.addEventListener("keydown", (event) => {
  const isPeriod = event.key === "." && (event.ctrlKey || event.metaKey);
  const isEscape = event.key === "Escape" && !document.querySelector("details.menu[open]");
  if (isPeriod || isEscape) cancel(document.querySelector("[data-run]:has([data-cancel])"));
});
