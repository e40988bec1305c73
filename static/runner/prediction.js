// The page of one run: follows it, and fetches the page's facts (times, cost) anew when it has ended.

import { follow } from "./stream.js";

async function refreshFacts() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.querySelector('[data-slot="facts"]').replaceChildren(...page.querySelector('[data-slot="facts"]').children);
}

follow(document.querySelector("[data-run]"), refreshFacts);
