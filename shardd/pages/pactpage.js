"use strict";

/* What Pact's pages have in common: the state in the header, and links that
 * stay in the room. */
const $ = (id) => document.getElementById(id);

/* Says in #state how the connection is, and what the server refused.  Elements
 * with data-live can be used only while there is a connection. */
function showState(pact) {
	const LONG = 8000;		/* ms that an error is shown */
	let timer = 0;
	const show = () => {
		clearTimeout(timer);
		$("state").className = pact.state;
		$("state").textContent = pact.state === "up" ? "connected" : pact.why;
	};
	pact.on("state", (state) => {
		show();
		for (const e of document.querySelectorAll("[data-live]"))
			e.disabled = state !== "up";
	});
	pact.on("error", (text) => {
		$("state").className = "down";
		$("state").textContent = String(text);
		clearTimeout(timer);
		timer = setTimeout(show, LONG);
	});
	for (const a of document.querySelectorAll("a[data-room]"))
		a.href += `?room=${encodeURIComponent(pact.room)}`;
	for (const e of document.querySelectorAll("[data-name=room]"))
		e.textContent = pact.room;
}
