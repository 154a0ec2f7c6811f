"use strict";

/*
 * The poll page, under two paths: /poll, whose votes stay, and /ephemeral, whose
 * votes go when their voter's last window closes.
 */
const CHOICES = ["Green", "Red", "Purple", "Orange"];
const ID = "fav_color";
const ephemeral = location.pathname.replace(/\/+$/, "").endsWith("/ephemeral");
const kind = ephemeral ? "ephemeralPoll" : "poll";
const pact = new Pact();
const rows = new Map();		/* choice -> its parts */
let mine = ephemeral ? null : pact.recall("vote");

function part(parent, name, className) {
	const e = document.createElement(name);
	e.className = className;
	parent.append(e);
	return e;
}

function addRow(choice) {
	const row = part($("choices"), "div", "choice"), button = part(row, "button", "");
	const track = part(row, "span", "track"), bar = part(track, "span", "bar");
	const count = part(row, "output", "");
	row.dataset.choice = choice;
	button.type = "button";
	button.disabled = true;
	button.dataset.value = choice;
	button.dataset.live = "";
	button.textContent = choice;
	button.addEventListener("click", () => vote(choice));
	count.value = "0";
	/* The status line reads the counts out, all together. */
	count.setAttribute("aria-live", "off");
	rows.set(choice, { button, bar, count });
}

function press() {
	for (const [choice, { button }] of rows)
		button.setAttribute("aria-pressed", choice === mine);
}

function vote(choice) {
	if (!pact.send(kind, { id: ID, answer: choice }))
		return;
	mine = choice;
	if (!ephemeral)
		pact.remember("vote", choice);
	press();
}

function show(stats) {
	const of = (answer) => Object.hasOwn(stats, answer) ? Number(stats[answer]) : 0;
	const all = Object.values(stats).reduce((sum, n) => sum + Number(n), 0);
	let named = 0;
	for (const [choice, { bar, count }] of rows) {
		const n = of(choice);
		named += n;
		bar.style.width = all === 0 ? "0" : `${n * 100 / all}%`;
		count.value = String(n);
		count.title = all === 0 ? "" : `${Math.round(n * 100 / all)} %`;
	}
	$("total").textContent = all === 0 ? "No votes yet"
	    : `${all === 1 ? "1 vote" : `${all} votes`}${all > named ? `, ${all - named} for something else` : ""}`;
	tell(CHOICES.map((choice) => `${choice} ${of(choice)}`).join(", "));
}

/* Spoken at most once a second, however fast the votes come. */
let telling = 0, words = "";
function tell(text) {
	words = text;
	telling ||= setTimeout(() => {
		telling = 0;
		$("said").textContent = words;
	}, 1000);
}

/* A vote in an ephemeral poll went with the connection that was lost. */
pact.on("profile", () => {
	if (ephemeral && mine !== null)
		vote(mine);
});

pact.on(kind, (data) => {
	if (data.id === ID)
		show(data.stats);
});

for (const choice of CHOICES)
	addRow(choice);
press();
document.title = $("title").textContent = ephemeral ? "Ephemeral poll" : "Poll";
$("about").textContent = ephemeral
    ? "A vote counts while its voter is here: close this window, and yours is gone."
    : "Votes stay, also when you leave. You can change yours.";
showState(pact);
pact.subscribe(`${kind}:${ID}`);
pact.connect();
