// Checks the text as you type, and marks mistakes at their place.
"use strict";

const form = document.querySelector("form[data-check]");
const text = form.elements.text;
const underlay = form.querySelector(".underlay");
const marksList = form.querySelector("[data-marks]");
const sentences = form.querySelector("[data-sentences]");
const stale = form.querySelector("[data-stale]");
const title = form.querySelector("#marks-title");
const AFTER = 350; // milliseconds without a key
const PLACE = "pequel-editor-place";
let timer = 0;
let latest = 0;
let marks = [];

// Columns count characters, which for some letters are two units of a JavaScript string.
function offsetOf(line, column) {
  const lines = text.value.split("\n");
  const before = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
  const units = [...(lines[line - 1] ?? "")].slice(0, column - 1).join("").length;
  return Math.min(before + units, text.value.length);
}

function wordAt(offset) {
  return Math.max(1, /^[\w."'-]*/.exec(text.value.slice(offset))[0].length);
}

function draw() {
  underlay.replaceChildren();
  const places = marks.map((mark) => ({ ...mark, at: offsetOf(mark.line, mark.column) }));
  let end = 0;
  for (const mark of places.sort((a, b) => a.at - b.at)) {
    if (mark.at < end) continue;
    underlay.append(text.value.slice(end, mark.at));
    const shown = document.createElement("mark");
    shown.className = mark.level;
    shown.textContent = text.value.slice(mark.at, mark.at + wordAt(mark.at)) || " ";
    underlay.append(shown);
    end = mark.at + wordAt(mark.at);
  }
  underlay.append(text.value.slice(end), "\n");
  scroll();
}

function scroll() {
  underlay.scrollTop = text.scrollTop;
  underlay.scrollLeft = text.scrollLeft;
}

function go(line, column) {
  const at = offsetOf(line, column);
  text.focus();
  text.setSelectionRange(at, at + wordAt(at));
  text.scrollTop = Math.max(0, (line - 6) * 19.5);
}

function item(mark) {
  const line = document.createElement("li");
  const place = document.createElement("button");
  line.className = mark.level;
  Object.assign(place, { type: "button", className: "quiet place", textContent: `${mark.line}:${mark.column}` });
  place.dataset.line = mark.line;
  place.dataset.column = mark.column;
  line.append(place, ` ${mark.message}`);
  return line;
}

function reading(sentence) {
  const pair = document.createElement("div");
  const name = document.createElement("dt");
  const words = document.createElement("dd");
  const code = document.createElement("code");
  code.textContent = sentence.name;
  name.append(code);
  const exact = document.createElement("details");
  const summary = document.createElement("summary");
  Object.assign(summary, { className: "muted", textContent: "Exactly" });
  exact.append(summary, sentence.exact);
  words.append(sentence.text, exact);
  pair.append(name, words);
  return pair;
}

function show(found) {
  marks = found.marks;
  const number = marks.length;
  title.textContent = found.is_right
    ? number ? `No mistakes, ${number} to think about` : "No mistakes"
    : `${number} mistake${number === 1 ? "" : "s"}`;
  marksList.replaceChildren(...marks.map(item));
  if (found.is_right) {
    sentences.replaceChildren(...found.sentences.map(reading));
    sentences.dataset.read = "";
  }
  stale.hidden = found.is_right || !("read" in sentences.dataset);
  sentences.classList.toggle("stale", !stale.hidden);
  draw();
}

async function check() {
  const number = ++latest;
  const body = new FormData();
  body.set("text", text.value);
  const headers = { "X-Form-Token": document.body.dataset.csrf, Accept: "application/json" };
  try {
    const answer = await fetch(form.dataset.check, { method: "POST", body, headers });
    const found = answer.ok ? await answer.json() : null;
    if (found && number === latest) show(found);
    else if (!answer.ok) title.textContent = `The check failed: the collector answered ${answer.status}`;
  } catch (error) {
    title.textContent = `The check failed: ${error.message}`;
  }
}

// A form that was sent comes back as a new page: the text stands where it stood.
form.addEventListener("submit", () => {
  const place = { top: text.scrollTop, left: text.scrollLeft, height: text.style.height };
  sessionStorage.setItem(PLACE, JSON.stringify(place));
});
if ("again" in form.dataset) {
  const place = JSON.parse(sessionStorage.getItem(PLACE) ?? "{}");
  text.style.height = place.height ?? "";
  text.scrollTop = place.top ?? 0;
  text.scrollLeft = place.left ?? 0;
}
sessionStorage.removeItem(PLACE);
if (location.hash === "#preview") document.getElementById("preview")?.focus();

text.addEventListener("input", () => {
  draw();
  clearTimeout(timer);
  timer = setTimeout(check, AFTER);
});
text.addEventListener("scroll", scroll);
new ResizeObserver(scroll).observe(text);
marksList.addEventListener("click", (event) => {
  const place = event.target.closest(".place");
  if (place) go(Number(place.dataset.line), Number(place.dataset.column));
});
check();
