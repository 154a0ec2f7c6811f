"use strict";

/*
 * The chat page: a name, then messages.  Whatever comes from others is inserted
 * as text, never as HTML.
 */
const pact = new Pact();
let renaming = false;

/* Others may have made their name of any JSON. */
function words(value) {
	if (value === undefined || value === null)
		return "";
	return typeof value === "string" ? value : JSON.stringify(value);
}

function nameOf({ properties, suffix }) {
	return `${words(properties?.name) || "anon"}#${suffix}`;
}

function line(className, ...parts) {
	const log = $("messages"), p = document.createElement("p");
	const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
	p.className = className;
	p.append(...parts);
	log.append(p);
	while (log.childElementCount > 1000)
		log.firstElementChild.remove();
	if (atEnd)
		log.scrollTop = log.scrollHeight;
}

function showForms() {
	const named = words(pact.profile?.properties?.name) !== "" && !renaming;
	const had = document.activeElement?.closest("form");
	$("login").hidden = named;
	$("say").hidden = !named;
	if (had?.hidden ?? true)
		$(named ? "text" : "name").focus();
}

function login() {
	const name = $("name").value.trim();
	if (name !== "" && pact.send("login", { name }))
		renaming = false;
}

pact.on("profile", (profile) => {
	const name = words(profile.properties?.name), wanted = pact.recall("name");
	if (name !== "") {
		if (!pact.events.has("chat"))
			line("note", `You are ${nameOf(profile)}`);
		else if ($("rename").textContent !== nameOf(profile))
			line("note", `You are now ${nameOf(profile)}`);
		$("rename").textContent = nameOf(profile);
		pact.subscribe("chat");
		pact.remember("name", name);
	} else if (wanted !== null) {
		/* The server has forgotten us. */
		pact.send("login", { name: wanted });
		return;
	}
	showForms();
});

pact.on("chat", ({ message, user }) => {
	const who = document.createElement("b");
	who.textContent = nameOf(user);
	line(user.suffix === pact.profile?.suffix ? "self" : "", who, `: ${words(message)}`);
});

$("login").addEventListener("submit", (e) => {
	e.preventDefault();
	login();
});

$("say").addEventListener("submit", (e) => {
	e.preventDefault();
	const text = $("text").value;
	if (text.trim() !== "" && pact.send("chat", text))
		$("text").value = "";
});

$("rename").addEventListener("click", () => {
	renaming = true;
	$("name").value = words(pact.profile?.properties?.name);
	showForms();
	$("name").select();
});

showState(pact);
document.title = `${pact.room}: chat`;
showForms();
pact.connect();
