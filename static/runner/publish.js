// The publish form: fields of a new model only where one is made, archives by drag and drop, one click one upload.

const target = document.querySelector("#id_target");
const archive = document.querySelector("#id_archive");
const drop = document.querySelector("#archive-drop");
const chosen = document.querySelector("#archive-chosen");
const button = document.querySelector("#publish-button");

function showTarget() {
  document.querySelector("#new-model").hidden = target.value !== "+";
}

function showChosen() {
  const file = archive.files[0];
  if (file) chosen.textContent = `${file.name}, ${(file.size / 1e6).toFixed(1)} MB`;
}

for (const kind of ["dragenter", "dragover"]) {
  drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("is-over"); });
}
for (const kind of ["dragleave", "drop"]) {
  drop.addEventListener(kind, () => drop.classList.remove("is-over"));
}
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length) {
    archive.files = event.dataTransfer.files;
    showChosen();
  }
});
archive.addEventListener("change", showChosen);
target.addEventListener("change", showTarget);
document.querySelector("#publish-form").addEventListener("submit", () => {
  button.disabled = true;
  button.textContent = "Uploading…";
});
window.addEventListener("pageshow", () => { button.disabled = false; button.textContent = "Publish"; });
showTarget();
showChosen();
