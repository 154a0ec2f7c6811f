"use strict";

/* The index of Pact's pages: a counter at work, and the same as an example that
 * can be copied, with the address of this host in it. */
const pact = new Pact();

function example() {
	const address = new URL("/websocket", location.href);
	address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
	/* Percent-encoded, so that no room's name can end the string or the script. */
	address.searchParams.set("room", pact.room);
	return `<!doctype html>
<meta charset="utf-8">
<button id="like">Like</button> <b id="likes">0</b>
<script>
  const s = new WebSocket(${JSON.stringify(address.href)});
  const send = (type, data) => s.send(JSON.stringify({ type, data }));
  s.onopen = () => send("subscribe", "counter:likes");
  s.onmessage = (e) => {
    const { type, data } = JSON.parse(e.data);
    if (type === "counter")
      likes.textContent = data.value;
  };
  like.onclick = () => send("counter", { id: "likes", value: 1 });
</script>
`;
}

pact.on("counter", (data) => {
	if (data.id === "likes")
		$("likes").value = String(data.value);
});
$("like").addEventListener("click", () => pact.send("counter", { id: "likes", value: 1 }));

$("example").firstElementChild.textContent = example();
showState(pact);
pact.subscribe("counter:likes");
pact.connect();
