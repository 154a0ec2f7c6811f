"use strict";

function fact(name, value) {
	const row = document.createElement("tr");
	row.append(document.createElement("th"), document.createElement("td"));
	row.children[0].textContent = name;
	row.children[1].textContent = value;
	document.getElementById("facts").append(row);
}

async function show() {
	const info = await (await fetch("/info")).json();
	for (const { path, about } of info.links) {
		const item = document.createElement("li");
		const link = document.createElement("a");
		const name = document.createElement("b");
		link.href = path;
		name.textContent = path;
		link.append(name, about);
		item.append(link);
		document.getElementById("links").append(item);
	}
	fact("Version", info.version);
	fact("Node", info.node);
	if (info.shards)
		fact("Shards", info.shards);
	fact("Answered by", `shard ${info.slot} (${info.shard})`);
}

show().catch((e) => fact("Status", `cannot read /info: ${e.message}`));
