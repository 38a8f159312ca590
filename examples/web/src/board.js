// A group's card: its members, who has which queue and how far behind it is, and the rebalances.

import { element } from "./element.js";
import { keyOf } from "./group.js";

const MOST_LINES = 50;

export class Board {
  #group;
  #lag = element("strong", { class: "number" }, "0");
  #rows = element("tbody");
  #lines = element("ol");
  #shown = "";

  constructor(group, index, failed) {
    this.#group = group;
    const title = `group-${index}`;
    const button = (words, act) => element("button", { type: "button", click: () => act().catch(failed) }, words);
    const heads = ["Queue", "Member", "Offset", "Behind"].map((name) => element("th", { scope: "col" }, name));
    this.card = element(
      "section",
      { class: "card group", "data-group": index, "aria-labelledby": title },
      element("header", {}, element("h2", { id: title }, group.name), element("p", { class: "lag" }, this.#lag, " behind")),
      element("div", { class: "actions" }, button("Member joins", () => group.join()), button("Member leaves", () => group.leave())),
      element("table", {}, element("caption", {}, "Who has which queue"), element("thead", {}, element("tr", {}, ...heads)), this.#rows),
      element("h3", { class: "quiet" }, "Rebalances"),
      element("div", { class: "log", role: "log", tabindex: 0, "aria-label": `Rebalances of ${group.name}` }, this.#lines),
    );
  }

  /** A member has taken queues or given them up. */
  note(member, what, queues) {
    if (queues.length === 0) return;
    const names = queues.map(({ queueId }) => queueId).sort((one, other) => one - other).join(", ");
    const moment = new Date().toLocaleTimeString();
    this.#lines.prepend(element("li", {}, `${moment} ${member.name} ${what} ${queues.length === 1 ? "queue" : "queues"} ${names}`));
    while (this.#lines.children.length > MOST_LINES) this.#lines.lastChild.remove();
  }

  /** Shows how the group stands. */
  refresh() {
    // Nothing is shown of what brokers do not say: they forget a group that never was.
    this.#group.behind().then((count) => (this.#lag.textContent = String(count)), () => {});
    const { shares } = this.#group;
    const cells = shares.map(({ member, queue, offset, lag }) => [queue.queueId, member.name, offset, lag ?? "–"].map(String));
    const shown = JSON.stringify([cells, shares.map(({ queue }) => keyOf(queue))]);
    // Who reads it is not disturbed for nothing.
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#rows.replaceChildren(...cells.map((row) => element("tr", {}, ...row.map((text) => element("td", {}, text)))));
  }
}
