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
function tell(trouble) {
  document.getElementById("trouble").textContent = trouble;
}
document.addEventListener("htmx:afterOnLoad", (event) => event.detail.successful !== false && tell(""));
document.addEventListener("htmx:sendError", () => tell(document.getElementById("trouble").dataset.unheard));
document.addEventListener("htmx:responseError", (event) => {
  const { signedOut, unheard } = document.getElementById("trouble").dataset;
  tell(event.detail.xhr.status === 401 ? signedOut : unheard);
});

// All people of a page are ticked at once; how many are is told, those of other pages too.
function tally(form) {
  const boxes = [...form.querySelectorAll("[type=checkbox][name=id]")];
  const all = form.querySelector("[data-all]");
  const told = form.querySelector("[data-chosen]");
  if (!all || !told) return;
  const count = boxes.filter((box) => box.checked).length;
  all.hidden = false;
  all.checked = count === boxes.length;
  all.indeterminate = count > 0 && count < boxes.length;
  const chosen = count + form.querySelectorAll("[type=hidden][name=id]").length;
  told.querySelector("[data-count]").textContent = chosen;
  told.hidden = chosen === 0;
}
document.addEventListener("change", (event) => {
  const form = event.target.closest("form");
  if (event.target.matches("[data-all]"))
    for (const box of form.querySelectorAll("[type=checkbox][name=id]")) box.checked = event.target.checked;
  if (event.target.matches("[data-all], [name=id]")) tally(form);
});
const tallyAll = () => document.querySelectorAll("form:has([data-all])").forEach(tally);
for (const name of ["htmx:load", "pageshow"]) addEventListener(name, tallyAll);

// Merge tags are put where somebody wrote last.
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

// A letter's HTML is shown anew while it is written: its texts alone are sent, to a frame as new, so that going back
// leads off the page and not through all that was shown.
for (const form of document.querySelectorAll("[data-preview]")) {
  const sent = document.querySelector(form.dataset.preview);
  let waiting;
  const look = () => (document.querySelector("[data-html]").hidden = !form.elements.html.value.trim());
  const show = () => {
    clearTimeout(waiting);
    const frame = document.querySelector(`iframe[name="${sent.target}"]`);
    frame.replaceWith(frame.cloneNode());
    for (const field of sent.elements) field.value = form.elements[field.name].value;
    if (!look()) sent.submit();
  };
  const soon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(show, 500);
  };
  form.addEventListener("input", (event) => event.target.name in sent.elements && soon());
  form.addEventListener("found", soon);
  form.addEventListener("click", (event) => {
    if (event.target.formTarget !== sent.target) return;
    event.preventDefault();
    show();
  });
  // Enter looks for people, as typing does; it would keep the template.
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.type === "search") event.preventDefault();
  });
  if (!look()) soon();
}

// What was changed in a form and not sent is not left behind without a question.
const changed = new Set();
for (const form of document.querySelectorAll("[data-guard]")) {
  if (form.dataset.guard) changed.add(form);
  for (const name of ["input", "change"])
    form.addEventListener(name, (event) => event.target.closest("[data-unguarded]") || changed.add(form));
  form.addEventListener("submit", (event) => event.submitter?.hasAttribute("formtarget") || changed.delete(form));
}
addEventListener("beforeunload", (event) => changed.size && event.preventDefault());

// A step's letter is asked for when it is opened, and while it is open whenever something changes that it is made from.
function askForLetter(letter) {
  letter.querySelector("[data-shown-by]").dispatchEvent(new Event("show"));
}
const opened = (event) => event.target.matches("[data-letter][open]") && askForLetter(event.target);
document.addEventListener("toggle", opened, true);
document.addEventListener("change", ({ target: { id } }) => {
  if (!id) return;
  const made = document.querySelectorAll(`[data-letter][open]:has([data-shown-by~="${id}"])`);
  made.forEach(askForLetter);
});

// Steps are moved by their buttons or dragged by their grip; their order in the page is their order in the sequence.
function number(list) {
  const steps = [...list.querySelectorAll("[data-step]")];
  steps.forEach((step, index) => {
    const place = index + 1;
    step.querySelector("[data-number]").textContent = place;
    const [up, down, remove] = ["[data-up]", "[data-down]", "[data-remove]"].map((name) => step.querySelector(name));
    up.ariaLabel = `Move step ${place} up`;
    down.ariaLabel = `Move step ${place} down`;
    remove.ariaLabel = `Remove step ${place}`;
    up.disabled = index === 0;
    down.disabled = place === steps.length;
  });
  list.dispatchEvent(new Event("change", { bubbles: true }));
}
function beside(step, side) {
  do step = step[side];
  while (step && !step.matches("[data-step]"));
  return step;
}
// A step that was taken away has its place kept until the form is sent.
function takeAway(step) {
  const place = document.createElement("li");
  const back = document.createElement("button");
  const name = step.querySelector("[data-number]").parentElement.textContent.trim();
  place.className = "panel flex items-center justify-between gap-2 p-4";
  back.className = "btn btn-sm";
  back.type = "button";
  back.textContent = "Undo";
  back.addEventListener("click", () => {
    const list = place.parentElement;
    place.replaceWith(step);
    number(list);
    step.querySelector("[data-remove]").focus();
  });
  place.append(`${name} goes with the next save.`, back);
  step.replaceWith(place);
  return back;
}
for (const list of document.querySelectorAll("[data-steps]")) {
  let dragged = null;
  list.addEventListener("click", (event) => {
    const step = event.target.closest("[data-step]");
    const pressed = event.target.closest("button");
    if (!step || !pressed) return;
    let next = pressed;
    if (pressed.matches("[data-up]")) beside(step, "previousElementSibling")?.before(step);
    else if (pressed.matches("[data-down]")) beside(step, "nextElementSibling")?.after(step);
    else if (pressed.matches("[data-remove]")) next = takeAway(step);
    else return;
    event.preventDefault();
    number(list);
    (next.disabled ? step.querySelector("button:enabled") : next).focus();
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
