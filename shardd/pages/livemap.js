"use strict";

/*
 * The live map: one answer per place in an ephemeral poll, "latitude,longitude".
 * Who closes the page takes the vote along.  Where we are, the server may know
 * (connectionDetails); if not, we ask.
 */
const SVG = "http://www.w3.org/2000/svg";
const pact = new Pact();
const poll = new URLSearchParams(location.search).get("poll") || "liveMap";
let here = null;		/* our answer */

/* ---- the map ---- */

function element(name, attributes) {
	const e = document.createElementNS(SVG, name);
	for (const [key, value] of Object.entries(attributes))
		e.setAttribute(key, value);
	return e;
}

function drawWorld() {
	$("land").setAttribute("d", worldPath(WORLD.land));
	$("lakes").setAttribute("d", worldPath(WORLD.water));
	for (let x = -150; x <= 150; x += 30)
		$("grid").append(element("path", { d: `M${x} -90V90` }));
	for (let y = -60; y <= 60; y += 30)
		$("grid").append(element("path", { d: `M-180 ${y}H180` }));
}

/* Anybody may vote anything: null if it is not a place. */
function place(answer) {
	const m = /^\s*(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)\s*$/.exec(answer);
	if (m === null)
		return null;
	const latitude = Number(m[1]), longitude = Number(m[2]);
	if (Math.abs(latitude) > 90 || Math.abs(longitude) > 180)
		return null;
	return { answer, latitude, longitude };
}

function words({ latitude, longitude }) {
	const side = (n, plus, minus) => `${Math.abs(n).toFixed(1)}° ${n < 0 ? minus : plus}`;
	return `${side(latitude, "north", "south")}, ${side(longitude, "east", "west")}`;
}

function people(n) {
	return n === 1 ? "1 person" : `${n} people`;
}

const pins = new Map();		/* answer -> element */

/* The area of a pin grows with its people, up to a limit. */
function setPin(at, count) {
	let pin = pins.get(at.answer);
	if (pin === undefined) {
		pin = element("g", { class: "pin", transform: `translate(${at.longitude} ${-at.latitude})` });
		pin.dataset.answer = at.answer;
		pin.append(element("circle", { class: "halo" }), element("circle", {}), element("text", {}), element("title", {}));
		pins.set(at.answer, pin);
		$("pins").append(pin);
	}
	const [halo, dot, text, title] = pin.children;
	const radius = Math.min(12, 2.2 * Math.sqrt(count));
	pin.dataset.count = count;
	pin.classList.toggle("self", at.answer === here);
	halo.setAttribute("r", radius * 1.8);
	dot.setAttribute("r", radius);
	text.textContent = count > 2 ? count : "";
	text.setAttribute("font-size", radius * (count > 99 ? .85 : 1.1));
	title.textContent = `${people(count)} at ${words(at)}`;
}

function show(stats) {
	let users = 0, places = 0;
	const seen = new Set();
	/* Large ones first, so that small ones lie upon them. */
	for (const [answer, count] of Object.entries(stats).sort(([, a], [, b]) => b - a)) {
		const at = place(answer);
		if (at === null || !(count > 0))
			continue;
		users += count;
		places++;
		seen.add(answer);
		setPin(at, count);
		$("pins").append(pins.get(answer));
	}
	for (const [answer, pin] of pins) {
		if (!seen.has(answer)) {
			pin.remove();
			pins.delete(answer);
		}
	}
	$("total").textContent = users === 0 ? "Nobody is on the map yet."
	    : `${people(users)} in ${places === 1 ? "1 place" : `${places} places`}`;
}

/* ---- where we are ---- */

function vote(answer) {
	here = answer;
	pact.send("ephemeralPoll", { id: poll, answer });
}

function say(latitude, longitude) {
	/* A tenth of a degree: neighbours share a pin, and nobody's house shows. */
	const answer = `${Number(latitude.toFixed(1))},${Number(longitude.toFixed(1))}`;
	$("latitude").value = Number(latitude.toFixed(1));
	$("longitude").value = Number(longitude.toFixed(1));
	pact.remember("place", answer);
	vote(answer);
}

/* The vote went with the last connection, so it is given again. */
pact.on("profile", ({ connectionDetails: details }) => {
	const known = place(`${details?.latitude},${details?.longitude}`);
	$("where").hidden = known !== null;
	$("map").classList.toggle("ask", known === null);
	const answer = known?.answer ?? pact.recall("place");
	if (answer !== null && place(answer) !== null)
		vote(answer);
});

pact.on("ephemeralPoll", (data) => {
	if (data.id === poll)
		show(data.stats);
});

$("map").addEventListener("click", (e) => {
	if ($("where").hidden || pact.state !== "up")
		return;
	const box = $("map").getBoundingClientRect();
	const x = (e.clientX - box.left) / box.width, y = (e.clientY - box.top) / box.height;
	say(Math.max(-90, Math.min(90, 90 - y * 180)), Math.max(-180, Math.min(180, x * 360 - 180)));
});

$("where").addEventListener("submit", (e) => {
	e.preventDefault();
	say($("latitude").valueAsNumber, $("longitude").valueAsNumber);
});

showState(pact);
drawWorld();
pact.subscribe(`ephemeralPoll:${poll}`);
pact.connect();
