// What pages do beyond htmx. Without it everything works all the same, with a click more.

// Blanks are put where somebody wrote last.
let written = null;
document.addEventListener("focusin", (event) => {
  if (event.target.matches("#editor textarea, #editor input[name=subject]")) written = event.target;
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-insert]");
  if (!button) return;
  const field = written || document.querySelector("#editor textarea");
  field.setRangeText(document.querySelector(button.dataset.insert).value, field.selectionStart, field.selectionEnd, "end");
  field.focus();
  field.dispatchEvent(new Event("input", { bubbles: true }));
});

// A letter's HTML is shown anew while it is written.
for (const form of document.querySelectorAll("[data-preview]")) {
  let waiting;
  const show = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => form.requestSubmit(document.querySelector(form.dataset.preview)), 500);
  };
  form.addEventListener("input", (event) => event.target.type !== "file" && show());
  if (form.querySelector("[name=html]").value) show();
}

// Steps are moved by their buttons or dragged by their grip; their order in the page is their order in the sequence.
function number(list) {
  [...list.children].forEach((step, index) => {
    step.querySelector("[data-number]").textContent = index + 1;
    step.querySelector("[data-up]").disabled = index === 0;
    step.querySelector("[data-down]").disabled = index === list.children.length - 1;
  });
  list.dispatchEvent(new Event("change", { bubbles: true }));
}
for (const list of document.querySelectorAll("[data-steps]")) {
  let dragged = null;
  list.addEventListener("click", (event) => {
    const step = event.target.closest("li");
    const pressed = event.target.closest("button");
    if (!step || !pressed) return;
    if (pressed.matches("[data-up]") && step.previousElementSibling) step.previousElementSibling.before(step);
    else if (pressed.matches("[data-down]") && step.nextElementSibling) step.nextElementSibling.after(step);
    else if (pressed.matches("[data-remove]")) step.remove();
    else return;
    event.preventDefault();
    number(list);
    (pressed.isConnected && !pressed.disabled ? pressed : list.querySelector("button:not(:disabled)"))?.focus();
  });
  list.addEventListener("pointerdown", (event) => {
    const step = event.target.closest("li");
    if (step) step.draggable = Boolean(event.target.closest("[data-grip]"));
  });
  list.addEventListener("dragstart", (event) => {
    dragged = event.target.closest("li");
    dragged.classList.add("dragging");
    event.dataTransfer.effectAllowed = "move";
  });
  list.addEventListener("dragover", (event) => {
    const over = event.target.closest("li");
    if (!dragged || !over || over === dragged || over.parentElement !== list) return;
    event.preventDefault();
    const middle = over.getBoundingClientRect().top + over.offsetHeight / 2;
    event.clientY < middle ? over.before(dragged) : over.after(dragged);
  });
  list.addEventListener("dragend", () => {
    dragged?.classList.remove("dragging");
    dragged = null;
    number(list);
  });
}
