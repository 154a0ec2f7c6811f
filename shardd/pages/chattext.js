"use strict";

/*
 * What a text means: commands in what is about to be said, links in what was said.
 * The server says to everybody what is no command, a mistyped one too; so whoever
 * types one is told first.
 */
const commands = {
	w: { to: true }, msg: { to: true }, g: {}, group: {}, a: {}, all: {},
};
const commandHelp = "/w NAME text whispers to NAME, /g text is for your replica of the room only, " +
	"/a text is for everybody, also when it begins with a “/”; so is a text without a command.";

/*
 * What is to be said about a text before it is sent: undefined when nothing is, else a
 * sentence, and it is not sent.  isHere(name): is there somebody to whisper to?
 */
function objection(text, isHere) {
	const [, word, rest] = /^\/(\S*)\s*([^]*)$/.exec(text.trim()) ?? [];
	if (word === undefined)
		return undefined;
	if (word === "help" || word === "")
		return commandHelp;
	if (!Object.hasOwn(commands, word))
		return `Not sent: there is no /${word}. ${commandHelp}`;
	if (!commands[word].to)
		return rest === "" ? `Not sent: /${word} needs a text behind it.` : undefined;
	const [, to, said] = /^(\S*)\s*([^]*)$/.exec(rest);
	if (said === "")
		return `Not sent: write /${word} NAME text.`;
	return isHere(to) ? undefined : `Not sent: nobody here is called ${to}.`;
}

/* The end of a sentence is not the end of an address; brackets that it opened are. */
function address(found) {
	for (;;) {
		const last = found.at(-1), open = { ")": "(", "]": "[" }[last];
		const pairs = open !== undefined && found.split(open).length >= found.split(last).length;
		if (pairs || !/[.,;:!?'"’”)\]}]/.test(last))
			return found;
		found = found.slice(0, -1);
	}
}

/* A text as nodes: what are addresses of the web are links, all else is text. */
function linked(text) {
	const nodes = [];
	let done = 0;
	for (const m of text.matchAll(/\bhttps?:\/\/[^\s<>"]+/gi)) {
		const found = address(m[0]), a = document.createElement("a");
		let url;
		try {
			url = new URL(found);
		} catch {
			continue;
		}
		if (url.protocol !== "http:" && url.protocol !== "https:")
			continue;
		a.href = url.href;
		a.rel = "noopener noreferrer";
		a.target = "_blank";
		a.textContent = found;
		nodes.push(text.slice(done, m.index), a);
		done = m.index + found.length;
	}
	nodes.push(text.slice(done));
	return nodes;
}
