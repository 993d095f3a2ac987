// What pages do beyond htmx. Without it everything works all the same, with a click more.

// What a form is for is done once, however often its button is pressed.
const LONGEST_BUSY = 30_000;
function rest(form) {
  form.removeAttribute("aria-busy");
  for (const button of document.querySelectorAll(".is-pressed")) button.classList.remove("is-pressed");
}
document.addEventListener("submit", (event) => {
  const form = event.target;
  const method = event.submitter?.getAttribute("formmethod") || form.method;
  const frame = event.submitter?.getAttribute("formtarget") || form.target;
  if (event.defaultPrevented || method !== "post" || frame) return;
  if (form.ariaBusy === "true") return event.preventDefault();
  form.ariaBusy = "true";
  event.submitter?.classList.add("is-pressed");
  setTimeout(rest, LONGEST_BUSY, form);
});
addEventListener("pageshow", () => document.querySelectorAll("form[aria-busy]").forEach(rest));

// What a page asks for again by itself waits while somebody is about to use what it would take away.
let pressing = null;
document.addEventListener("pointerdown", (event) => (pressing = event.target));
for (const name of ["pointerup", "pointercancel"]) document.addEventListener(name, () => (pressing = null));
function isInUse(part) {
  const selection = getSelection();
  const held = [document.activeElement, pressing, selection.isCollapsed ? null : selection.anchorNode];
  return held.some((node) => node && node !== part && part.contains(node));
}
document.addEventListener("htmx:beforeSwap", (event) => {
  const asked = event.detail.requestConfig.triggeringEvent;
  if (!asked && isInUse(event.detail.target)) event.detail.shouldSwap = false;
});

// Whether what is shown could be asked for again.
document.addEventListener("htmx:afterRequest", (event) => {
  const trouble = document.getElementById("trouble");
  if (event.detail.successful) trouble.textContent = "";
  else if (event.detail.xhr.status === 401) trouble.textContent = trouble.dataset.signedOut;
  else trouble.textContent = trouble.dataset.unheard;
});

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
