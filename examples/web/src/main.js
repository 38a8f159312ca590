// The page: what its forms ask for is done, and what happens is shown.

import { Board } from "./board.js";
import { Group } from "./group.js";
import { begin } from "./session.js";
import { Way } from "./way.js";

const GROUPS = ["billing", "stock"];
/** How often is looked how groups stand. */
const LOOK_MS = 250;
const MOST_TOPIC_QUEUES = 16;

const $ = (id) => document.getElementById(id);
const [connecting, sending] = [$("connecting"), $("sending")];
const way = new Way($("way"));

/** What there is while the page is connected. */
let running;
const counts = { sent: 0, handled: 0 };

const work = () => Number($("work").value);

$("work").addEventListener("input", () => ($("work-shown").value = `${work()} ms`));

function showPlace() {
  const isGateway = connecting.elements.where.value === "gateway";
  $("gateway").hidden = !isGateway;
  for (const name of ["url", "nameServers"]) connecting.elements[name].required = isGateway;
}

connecting.addEventListener("change", showPlace);

// Whoever serves the page may say in its address where its gateway is: `demo.mjs` does.
const given = new URLSearchParams(location.search);
if (given.has("gateway")) {
  connecting.elements.where.value = "gateway";
  connecting.elements.url.value = given.get("gateway");
  connecting.elements.nameServers.value = given.get("nameServers") ?? "";
  showPlace();
}

connecting.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (running) return;
  failed();
  await busy($("connect"), start);
});

$("disconnect").addEventListener("click", () => busy($("disconnect"), stop));

sending.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!running) return failed(new Error("Connect first: there is nowhere to send to."));
  failed();
  const { body, orderKey } = sending.elements;
  const count = Number(event.submitter?.value ?? 1);
  const sends = Array.from({ length: count }, () => send(body.value, orderKey.value.trim()));
  await Promise.all(sends).catch(failed);
});

async function send(body, orderKey) {
  const receipt = await running.session.send(body, orderKey);
  counts.sent++;
  way.sent(receipt);
}

async function start() {
  const wanted = Object.fromEntries(new FormData(connecting));
  const queues = Math.min(Number(wanted.queues), MOST_TOPIC_QUEUES);
  const session = await begin({ ...wanted, queues });
  const boards = [];
  const groups = GROUPS.map((name, index) => {
    const told = {
      rebalanced: (...what) => boards[index].note(...what),
      handled(member, message) {
        counts.handled++;
        way.handled(member, message);
      },
    };
    const group = new Group(name, session, work, told);
    boards.push(new Board(group, index, failed));
    return group;
  });
  running = { session, groups, boards, looking: setInterval(look, LOOK_MS), joining: Promise.resolve() };
  $("groups").replaceChildren(...boards.map(({ card }) => card));
  show();
  running.joining = joinAll(groups);
  await running.joining;
}

async function joinAll(groups) {
  for (const group of groups.flatMap((group) => [group, group])) {
    // The page may have disconnected meanwhile.
    if (running?.groups !== groups) return;
    await group.join();
  }
}

async function stop() {
  const { session, groups, looking, joining } = running;
  clearInterval(looking);
  running = undefined;
  await Promise.all(groups.map((group) => group.close()));
  // Who is still joining leaves at once; before that nobody can connect again.
  await joining.catch(() => {});
  await session.close();
  $("groups").replaceChildren();
  way.show({ queues: [], groups: [] });
  show();
}

function look() {
  const { session, groups, boards } = running;
  boards.forEach((board) => board.refresh());
  way.show({ queues: session.queues, groups });
  show();
}

/** Only what has changed: a status is read aloud. */
function put(place, words) {
  if (place.textContent !== words) place.textContent = words;
}

function show() {
  const state = running?.session.state ?? "closed";
  $("state").dataset.state = state;
  put($("state"), running ? `${state[0].toUpperCase()}${state.slice(1)}: topic ${running.session.topic}` : "Not connected");
  $("disconnect").hidden = !running;
  $("connect").hidden = Boolean(running);
  for (const input of connecting.querySelectorAll("input")) input.disabled = Boolean(running);
  if (counts.sent > 0) put($("counts"), `${counts.sent} sent, ${counts.handled} handled by the two groups together.`);
}

/** Says what went wrong, or that nothing has. */
function failed(error) {
  put($("failure"), error ? error.message : "");
}

/** Does something, and keeps the button from being pressed twice. It keeps the focus, unless it goes away: then another has it. */
async function busy(button, act) {
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  await act().catch(failed);
  button.removeAttribute("aria-disabled");
  if (document.activeElement === button || document.activeElement === document.body) {
    (button.hidden ? (running ? sending.elements.body : $("connect")) : button).focus();
  }
}
