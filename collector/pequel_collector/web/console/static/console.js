// What makes the pages quicker: keys, selection, tidy addresses, and times in the zone of the viewer.
// Every page works without it.
"use strict";

const one = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// -- times ------------------------------------------------------------------------------------

function localTimes(within) {
  for (const time of all("time[datetime]", within)) {
    const at = new Date(time.dateTime);
    time.title = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
    if ("clock" in time.dataset) time.textContent = at.toLocaleTimeString(undefined, { hour12: false });
    if ("day" in time.dataset) time.textContent = at.toLocaleDateString(undefined, { dateStyle: "medium" });
  }
}

// -- forms ------------------------------------------------------------------------------------

// A filter that is left empty does not belong in the address.
function tidy(form) {
  form.addEventListener("submit", () => {
    for (const field of form.elements) if (field.name && !field.value) field.disabled = true;
  });
  // The page may come back from the browser's memory.
  window.addEventListener("pageshow", () => {
    for (const field of form.elements) field.disabled = false;
  });
}

// -- menus ------------------------------------------------------------------------------------

function closeMenus(except) {
  for (const menu of all("details.menu[open]")) if (menu !== except) menu.open = false;
}

document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = event.target.closest("details.menu[open]");
  closeMenus();
  if (menu) one("summary", menu).focus();
});
function openMenu(menu) {
  menu.open = true;
  one("input:not([type=hidden]), select, textarea", menu)?.focus();
}

// A field of a menu must be filled in only where its menu is used: others share the form.
function requireFields(menu) {
  for (const field of all("[data-required]", menu)) field.required = menu.open;
}

for (const menu of all("details.menu")) {
  requireFields(menu);
  menu.addEventListener("toggle", () => {
    requireFields(menu);
    if (menu.open && !menu.contains(document.activeElement.closest(".stack"))) openMenu(menu);
  });
}

// -- the list of leads ------------------------------------------------------------------------

class Rows {
  constructor(form) {
    this.form = form;
    this.rows = all("[data-row]", form);
    this.at = -1;
    form.addEventListener("change", () => this.count());
    window.addEventListener("pageshow", () => this.count());
    this.count();
  }
  box(row) {
    return one("input[type=checkbox]", row);
  }
  get selected() {
    return this.rows.filter((row) => this.box(row)?.checked);
  }
  count() {
    const label = one("[data-selected]", this.form);
    const number = this.selected.length;
    if (label) label.textContent = number ? `${number} selected` : "Nothing selected";
  }
  move(step) {
    if (!this.rows.length) return;
    this.rows[this.at]?.classList.remove("current");
    this.at = Math.min(this.rows.length - 1, Math.max(0, this.at + step));
    const row = this.rows[this.at];
    row.classList.add("current");
    one("[data-open]", row).focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }
  toggle() {
    const box = this.rows[this.at] && this.box(this.rows[this.at]);
    if (!box) return;
    box.checked = !box.checked;
    this.count();
  }
  act(key) {
    const menu = one(`[data-act="${key}"]`, this.form);
    if (!menu) return false;
    if (!this.selected.length) this.toggle();
    if (this.selected.length) openMenu(menu);
    return true;
  }
  key(key) {
    if (key === "j") this.move(1);
    else if (key === "k") this.move(-1);
    else if (key === "x") this.toggle();
    else if (key === "o" && this.rows[this.at]) one("[data-open]", this.rows[this.at]).click();
    else return this.act(key);
    return true;
  }
}

const list = one("form[data-keys]");
const rows = list && new Rows(list);

// The page after a change of several leads is a new one: it goes on where the first of them was.
const FIRST_CHANGED = "pequel-first-changed";
list?.addEventListener("submit", () => sessionStorage.setItem(FIRST_CHANGED, rows.rows.indexOf(rows.selected[0])));
function goOn() {
  const place = sessionStorage.getItem(FIRST_CHANGED);
  sessionStorage.removeItem(FIRST_CHANGED);
  if (place === null || one("details.menu[open]")) return;
  if (rows) rows.move(Number(place) + 1);
  else one("#main").focus();
}

function keyOf(event) {
  const isTyping = event.target.closest("input:not([type=checkbox]), textarea, select, dialog[open]");
  const isOther = event.ctrlKey || event.metaKey || event.altKey || event.isComposing;
  return isTyping || isOther ? "" : event.key;
}

function actOnPage(key) {
  const menu = one(`[data-act-bar] [data-act="${CSS.escape(key)}"]`);
  if (menu) openMenu(menu);
  return Boolean(menu);
}

// A page without a search of its own leads to that of the leads.
function search() {
  const field = one("#q");
  if (field) {
    field.focus();
    field.select();
  } else location.assign(document.body.dataset.search);
}

document.addEventListener("keydown", (event) => {
  const key = keyOf(event);
  if (key.length !== 1) return;
  let isDone = false;
  if (key === "/") {
    search();
    isDone = true;
  } else if (key === "?" && one("#help")) {
    one("#help").showModal();
    isDone = true;
  } else if (/[a-z]/.test(key)) {
    isDone = rows ? rows.key(key) : actOnPage(key);
  }
  if (isDone) event.preventDefault();
});

// Enter in a menu means its own button, not the first one of the form.
for (const menu of all("form .menu .stack"))
  menu.addEventListener("keydown", (event) => {
    const button = one("button.main", menu);
    if (event.key !== "Enter" || event.target.tagName === "TEXTAREA" || event.target === button || event.target.tagName === "BUTTON") return;
    event.preventDefault();
    button?.click();
  });

for (const form of all("form[data-tidy]")) tidy(form);
for (const form of all("form[data-auto]"))
  form.addEventListener("change", (event) => {
    if (event.target.tagName === "SELECT") form.requestSubmit();
  });
if (location.hash === "#q" && one("#q")) search();
goOn();
localTimes(document);
