// Programs: one language at a time, remembered.

const panel = document.querySelector("[data-snippets]");

function choose(language) {
  for (const snippet of panel.querySelectorAll("[data-snippet]")) snippet.hidden = snippet.dataset.snippet !== language;
  for (const button of panel.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language));
  }
}

export function showSnippets(texts) {
  for (const [language, text] of Object.entries(texts)) {
    const box = document.querySelector(`#snippet-${language}`);
    if (box && box.textContent !== text) box.textContent = text;
  }
}

if (panel) {
  panel.querySelector("[data-languages]").hidden = false;
  choose(localStorage.getItem("language") ?? "curl");
  panel.addEventListener("click", (event) => {
    const language = event.target.closest("[data-language]")?.dataset.language;
    if (!language) return;
    localStorage.setItem("language", language);
    choose(language);
  });
}
