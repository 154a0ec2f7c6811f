"use strict";

/* What Pact's pages have in common: the state in the header, and links that
 * stay in the room. */
const $ = (id) => document.getElementById(id);

/* Says in #state how the connection is, and what the server refused.  Elements
 * with data-live can be used only while there is a connection. */
function showState(pact) {
	pact.on("state", (state) => {
		$("state").className = state;
		$("state").textContent = state === "up" ? "connected" : pact.why;
		for (const e of document.querySelectorAll("[data-live]"))
			e.disabled = state !== "up";
	});
	pact.on("error", (text) => {
		$("state").className = "down";
		$("state").textContent = String(text);
	});
	for (const a of document.querySelectorAll("a[data-room]"))
		a.href += `?room=${encodeURIComponent(pact.room)}`;
	for (const e of document.querySelectorAll("[data-name=room]"))
		e.textContent = pact.room;
}
