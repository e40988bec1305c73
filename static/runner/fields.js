// Inputs that are more than one box: sliders, rows of lists, files. Each ends in an ordinary named input with a value.

function changed(input) {
  input.dispatchEvent(new Event("input", { bubbles: true }));
}

function bindSlider(slider) {
  const box = document.getElementById(slider.dataset.sliderFor);
  slider.hidden = false;
  slider.addEventListener("input", () => { box.value = slider.value; changed(box); });
  box.addEventListener("input", () => { if (box.value.trim() && !Number.isNaN(+box.value)) slider.value = box.value; });
  box.addEventListener("keydown", (event) => step(event, box));
  slider.form.addEventListener("reset", () => setTimeout(() => { slider.value = box.value || box.dataset.minimum; }));
}

function step(event, box) {
  const { minimum, maximum, step: size } = box.dataset;
  const jumps = { ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10 };
  const targets = { Home: +minimum, End: +maximum };
  const isJump = event.key in jumps;
  if (!isJump && !(event.key in targets && event.ctrlKey)) return;
  event.preventDefault();
  const decimals = (size.split(".")[1] ?? "").length;
  const wanted = isJump ? (Number(box.value) || 0) + jumps[event.key] * +size : targets[event.key];
  box.value = Math.min(+maximum, Math.max(+minimum, wanted)).toFixed(decimals);
  changed(box);
}

function bindRows(rows) {
  const add = rows.querySelector("[data-add-row]");
  const blank = [...rows.querySelectorAll(".rows-item")].at(-1).cloneNode(true);
  for (const button of rows.querySelectorAll("[data-remove-row]")) button.hidden = false;
  const addRow = (value) => {
    const row = blank.cloneNode(true);
    row.querySelector("[data-remove-row]").hidden = false;
    if (value) row.querySelector("input, select").value = value;
    add.parentElement.before(row);
    return row.querySelector("input, select");
  };
  add.hidden = false;
  add.addEventListener("click", () => addRow("").focus());
  rows.addEventListener("click", (event) => {
    const row = event.target.closest("[data-remove-row]")?.closest(".rows-item");
    if (!row) return;
    row.remove();
    add.focus();
    changed(add);
  });
  rows.addEventListener("paste", (event) => {
    const lines = event.clipboardData.getData("text").split(/\r?\n/).filter((line) => line.trim());
    if (event.target.tagName !== "INPUT" || lines.length < 2) return;
    event.preventDefault();
    event.target.value = lines.shift();
    lines.forEach(addRow);
    changed(add);
  });
  return addRow;
}

function preview(box, file) {
  const kind = file.type.split("/")[0];
  const tag = { image: "img", audio: "audio", video: "video" }[kind] ?? "pre";
  const element = document.createElement(tag);
  if (tag === "pre") {
    if (kind !== "text" && file.type !== "application/json") return box.replaceChildren(file.name);
    file.slice(0, 2000).text().then((text) => { element.textContent = text; });
  } else {
    element.src = URL.createObjectURL(file);
    element.controls = true;
    if (tag === "img") element.alt = `Preview of ${file.name}`;
  }
  box.replaceChildren(element);
  box.hidden = false;
}

/** Upload one file; the address to put into the input. `onProgress` gets 0 to 100. Rejects with words to show. */
function upload(form, file, onProgress) {
  return new Promise((resolve, reject) => {
    const body = new FormData();
    body.append("content", file);
    body.append("csrfmiddlewaretoken", form.querySelector("[name=csrfmiddlewaretoken]").value);
    const request = new XMLHttpRequest();
    request.upload.onprogress = (event) => onProgress(Math.round((100 * event.loaded) / event.total));
    request.onload = () => {
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch { /* a proxy's page: say the status */ }
      if (request.status === 201) resolve(answer.url);
      else reject(new Error(answer.detail ?? `The upload failed (${request.status}).`));
    };
    request.onerror = () => reject(new Error("The upload failed. Check your connection and choose the file again."));
    request.open("POST", form.dataset.files);
    request.setRequestHeader("Accept", "application/json");
    request.send(body);
  });
}

async function take(form, files, state, use) {
  if (form.dataset.signIn) { state.textContent = "Sign in to upload files, or paste an address."; return; }
  for (const file of files) {
    form.dataset.uploading = Number(form.dataset.uploading ?? 0) + 1;
    state.textContent = `Uploading ${file.name}…`;
    try {
      use(await upload(form, file, (percent) => { state.textContent = `Uploading ${file.name}: ${percent} %`; }), file);
      state.textContent = file.name;
    } catch (error) {
      state.textContent = error.message;
    } finally {
      form.dataset.uploading = Number(form.dataset.uploading) - 1;
    }
  }
}

function bindDropzone(zone) {
  const [chooser, box] = [zone.querySelector("[data-file]"), zone.querySelector("[data-file-url]")];
  const [state, picture] = [zone.querySelector("[data-file-state]"), zone.querySelector("[data-preview]")];
  chooser.removeAttribute("name"); // the address is what is sent
  const use = (files) => {
    if (!files.length) return;
    preview(picture, files[0]);
    take(box.form, [files[0]], state, (url) => { box.value = url; changed(box); });
  };
  chooser.addEventListener("change", () => use(chooser.files));
  zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("is-over"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("is-over"));
  zone.addEventListener("drop", (event) => { event.preventDefault(); zone.classList.remove("is-over"); use(event.dataTransfer.files); });
  zone.addEventListener("paste", (event) => { if (event.clipboardData.files.length) { event.preventDefault(); use(event.clipboardData.files); } });
  box.form.addEventListener("reset", () => { picture.hidden = true; state.textContent = ""; });
}

export function bindFields(form) {
  form.querySelectorAll("[data-slider-for]").forEach(bindSlider);
  form.querySelectorAll("[data-dropzone]").forEach(bindDropzone);
  for (const rows of form.querySelectorAll("[data-rows]")) {
    const addRow = bindRows(rows);
    const chooser = rows.querySelector("[data-row-files]");
    chooser?.removeAttribute("name");
    chooser?.addEventListener("change", () => {
      const state = rows.querySelector("[data-file-state]");
      take(form, [...chooser.files], state, (url) => changed(addRow(url)));
    });
  }
}
