// The drawing: a sender, the topic's queues, and the members who have them. A message is a dot, from the sender to the queue that the
// receipt says, and from there to each member whose handler is done with it.

import { drawn } from "./element.js";
import { keyOf } from "./group.js";

const ROW = 38;
const BOX = 28;
const DOT_MS = 700;
/** Those that set out together are to be told apart. */
const SPREAD_MS = 250;
/** More at once would say nothing more. */
const MOST_DOTS = 80;

const rests = matchMedia("(prefers-reduced-motion: reduce)");

export class Way {
  #place;
  #picture = drawn("svg", { role: "img", "aria-labelledby": "way-text" });
  #text = drawn("title", { id: "way-text" });
  #still = drawn("g");
  #dots = drawn("g");
  #scene = { queues: [], groups: [] };
  #paths = new Map();
  #shown = "";
  /** When a message has reached its queue, by its id. */
  #arrivals = new Map();

  constructor(place) {
    this.#place = place;
    this.#picture.append(this.#text, this.#still, this.#dots);
    place.append(this.#picture);
    new ResizeObserver(() => this.#draw()).observe(place);
  }

  /** Shows these queues, and the members of groups as `{ name, shares, members }`. */
  show(scene) {
    this.#scene = scene;
    this.#draw();
  }

  #draw() {
    const { queues, groups } = this.#scene;
    const width = this.#place.clientWidth;
    const members = groups.flatMap(({ members }, group) => members.map((member) => ({ member, group })));
    const owners = groups.map(({ shares }) => new Map(shares.map(({ queue, member }) => [keyOf(queue), member])));
    const owned = owners.map((of) => [...of].map(([queue, { name }]) => [queue, name]));
    const shown = JSON.stringify([width, queues.map(keyOf), members.map(({ member }) => member.name), owned]);
    if (width === 0 || shown === this.#shown) return;
    this.#shown = shown;
    const height = Math.max(queues.length, members.length, 2) * ROW;
    this.#picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#picture.setAttribute("height", height);
    const boxWidth = Math.min(120, (width - 110) / 3);
    const middle = (rows, row) => (height / rows) * (row + 0.5);
    const sender = { x: 0, y: height / 2 };
    const column = (x, all) => all.map((_, row) => ({ x, y: middle(all.length, row) }));
    const atQueue = column((width - boxWidth) / 2, queues);
    const atMember = column(width - boxWidth, members);

    this.#paths.clear();
    const lines = queues.map((queue, at) => this.#line(`send ${keyOf(queue)}`, sender, atQueue[at], boxWidth));
    members.forEach(({ member, group }, row) => {
      queues.forEach((queue, at) => {
        if (owners[group].get(keyOf(queue)) !== member) return;
        lines.push(this.#line(`${member.name} ${keyOf(queue)}`, atQueue[at], atMember[row], boxWidth, group));
      });
    });
    const boxes = [
      box("sender", sender, boxWidth),
      ...queues.map((queue, at) => box(`queue ${queue.queueId}`, atQueue[at], boxWidth)),
      ...members.map(({ member, group }, row) => box(member.name, atMember[row], boxWidth, group)),
    ];
    this.#still.replaceChildren(...lines, ...boxes);
    this.#text.textContent = described(queues, groups);
  }

  #line(name, from, to, boxWidth, group) {
    const [start, end] = [from.x + boxWidth, to.x];
    const bend = (end - start) / 2;
    const path = `M${start} ${from.y}C${start + bend} ${from.y} ${end - bend} ${to.y} ${end} ${to.y}`;
    this.#paths.set(name, { path, group });
    return drawn("path", { d: path, ...(group !== undefined && { class: "owned", "data-group": group }) });
  }

  /** A message has been stored. */
  sent({ messageId, queue }) {
    const arrival = this.#travel(`send ${keyOf(queue)}`);
    this.#arrivals.set(messageId, arrival);
    // Whoever handles it later finds it there.
    setTimeout(() => this.#arrivals.delete(messageId), 10 * DOT_MS);
    return arrival;
  }

  /** A member has handled a message. */
  async handled(member, { messageId, queue }) {
    await this.#arrivals.get(messageId);
    await this.#travel(`${member.name} ${keyOf(queue)}`);
  }

  async #travel(name) {
    const known = this.#paths.get(name);
    if (!known || rests.matches || document.hidden || this.#dots.childElementCount >= MOST_DOTS) return;
    const { path, group } = known;
    const dot = drawn("circle", { class: "dot", r: 5, ...(group !== undefined && { "data-group": group }) });
    dot.style.offsetPath = `path("${path}")`;
    this.#dots.append(dot);
    const timing = { duration: DOT_MS, delay: Math.random() * SPREAD_MS, fill: "backwards", easing: "ease-in-out" };
    const moved = dot.animate({ offsetDistance: ["0%", "100%"] }, timing);
    await moved.finished.catch(() => {});
    dot.remove();
  }
}

function box(words, { x, y }, width, group) {
  const [shape, text] = [
    drawn("rect", { class: "box", x: x + 0.75, y: y - BOX / 2, width: width - 1.5, height: BOX, rx: 9 }),
    drawn("text", { x: x + width / 2, y, "text-anchor": "middle" }, words),
  ];
  return drawn("g", group === undefined ? {} : { class: "member", "data-group": group }, shape, text);
}

/** The drawing in words. */
function described(queues, groups) {
  const all = groups.map(({ name, shares }) => {
    const had = shares.map(({ queue, member }) => `queue ${queue.queueId} by ${member.name}`);
    return `in ${name} ${had.join(", ") || "nobody has a queue"}`;
  });
  return `A sender, ${queues.length} queues, and their consumers: ${all.join("; ")}`;
}
