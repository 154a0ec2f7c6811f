/* Says to each client who it is, as an answer and as the first message. */
#include <stdio.h>
#include <string.h>

#include <kennel.h>

static void
receive(struct kennel_request *q)
{
	char	 text[256];

	if (kennel_request_upgrades(q)) {
		kennel_connect(q);
		return;
	}
	snprintf(text, sizeof(text), "%s %d %d", kennel_request_peer(q),
	    kennel_request_proxied(q), kennel_request_secure(q));
	kennel_respond(q, 200, "text/plain", text, strlen(text));
}

static int
onopen(struct kennel_socket *s)
{
	char	 text[256];

	snprintf(text, sizeof(text), "%s %d %d", kennel_socket_peer(s),
	    kennel_socket_proxied(s), kennel_socket_secure(s));
	kennel_send(s, text, strlen(text), 0);
	return (0);
}

static void
onmessage(struct kennel_socket *s, const struct kennel_message *m)
{
	kennel_send(s, m->data, m->len, m->binary ? KENNEL_BINARY : 0);
}

int
main(int argc, char **argv)
{
	static const struct kennel_app app = {
		.receive = receive,
		.onopen = onopen,
		.onmessage = onmessage,
	};

	return (kennel_worker_main(argc, argv, &app, 1));
}
