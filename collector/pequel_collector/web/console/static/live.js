// Follows what arrives. The list keeps its length, so the memory of the page stays flat.
"use strict";

const LINES = 200;
const live = document.querySelector("[data-live]");
const statusText = document.querySelector("[data-status]");
const dot = document.querySelector(".dot");
const rate = document.querySelector("[data-rate]");
const pause = document.querySelector("[data-pause]");
let after = live.dataset.after;
let isPaused = false;
let isBehind = false;

const wait = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

function say(isOn, text) {
  dot.classList.toggle("on", isOn);
  dot.classList.toggle("off", !isOn);
  statusText.textContent = text;
}

function show(html) {
  const added = document.createElement("template");
  added.innerHTML = html; // made and escaped by the collector
  const shown = new Set([...live.children].map((line) => line.dataset.id).filter(Boolean));
  for (const line of added.content.querySelectorAll("li")) {
    if (shown.has(line.dataset.id)) line.remove();
    else line.classList.add("fresh");
  }
  localTimes(added.content);
  live.prepend(added.content);
  while (live.children.length > LINES) live.lastElementChild.remove();
  document.querySelector("[data-empty]")?.remove();
}

async function step() {
  const address = new URL(live.dataset.live, location.href);
  address.searchParams.set("after", after);
  const answer = await fetch(address, { headers: { Accept: "application/json" } });
  if (answer.status === 401) return location.reload();
  if (!answer.ok) throw new Error(`the collector answered ${answer.status}`);
  const found = await answer.json();
  after = found.next;
  if (found.number) show(found.html);
  isBehind = found.number >= LINES;
  rate.textContent = found.rate;
  say(true, "receiving");
}

async function follow() {
  say(true, "waiting for events");
  for (let failures = 0; ; ) {
    if (isPaused || document.hidden) {
      await wait(0.5);
      continue;
    }
    try {
      await step();
      failures = 0;
      if (!isBehind) await wait(0.25); // many events a second come as one answer
    } catch (error) {
      failures += 1;
      say(false, `no connection, trying again: ${error.message}`);
      await wait(Math.min(30, 2 ** failures));
    }
  }
}

pause.hidden = false;
pause.addEventListener("click", () => {
  isPaused = !isPaused;
  pause.textContent = isPaused ? "Go on" : "Pause";
  if (isPaused) statusText.textContent = "paused";
});
follow();
