/* A worker that calls everything at the wrong moment. */
#include <stdlib.h>
#include <string.h>

#include <kennel.h>

static void
done_cb(struct kennel_socket *s, int err, void *arg)
{
	(void)arg;
	kennel_log("hostile done err=%d", err);
	kennel_send(s, "done", 4, 0);
	kennel_close(s, 4001, "done");
	kennel_close(s, 4002, "twice");
}

static void
gossip_cb(struct kennel_socket *s, const struct kennel_slot *slots, size_t n,
    void *arg)
{
	(void)slots, (void)n;
	done_cb(s, 0, arg);
}

/* A request to be answered when its client may have gone. */
struct late {
	struct kennel_request	*q;
	struct kennel_timer	*timer;
	int			 connect;
};

static void
late_cb(void *arg)
{
	struct late	*l = arg;

	kennel_log("hostile late");
	if (l->connect)
		kennel_connect(l->q);
	else
		kennel_respond(l->q, 200, "text/plain", "late", 4);
	kennel_timer_free(l->timer);
	free(l);
}

static void
late(struct kennel_request *q, int connect)
{
	struct late	*l = malloc(sizeof(*l));

	*l = (struct late){ q, NULL, connect };
	l->timer = kennel_timer_new(200, 0, late_cb, l);
}

static void
large(struct kennel_request *q)
{
	size_t	 n = 20 << 20;
	char	*b = malloc(n);

	memset(b, 'x', n);
	kennel_respond(q, 200, "text/plain", b, n);
	free(b);
}

static void
receive(struct kennel_request *q)
{
	const char	*how = strrchr(kennel_request_path(q), '/') + 1;
	const char	*name = kennel_request_query(q, "name", NULL);

	if (strcmp(how, "ws") == 0)
		kennel_connect(q);
	else if (strcmp(how, "late") == 0)
		late(q, 0);
	else if (strcmp(how, "later") == 0)
		late(q, 1);
	else if (strcmp(how, "status") == 0)
		kennel_respond(q, 7, "text/plain", "x", 1);
	else if (strcmp(how, "type") == 0)
		kennel_respond(q, 200, "text/plain\r\nX-Evil: 1", "x", 1);
	else if (strcmp(how, "field") == 0)
		kennel_respond(q, kennel_header(q, "X-A", "a\r\nX-Evil: 1") ==
		    -1 && kennel_header(q, "X\r\n", "a") == -1 ? 200 : 500,
		    NULL, NULL, 0);
	else if (strcmp(how, "page") == 0)
		kennel_respond_page(q, name == NULL ? "" : name);
	else if (strcmp(how, "large") == 0)
		large(q);
	/* else it never answers */
}

static int
onopen(struct kennel_socket *s)
{
	const char	*uid = kennel_socket_uid(s, NULL);

	if (strcmp(uid, "twice") == 0) {
		kennel_close(s, 4003, "once");
		kennel_close(s, 4004, "twice");
		kennel_send(s, "after", 5, 0);
	} else if (strcmp(uid, "refused") == 0) {
		kennel_broadcast(s, "seen", 4, KENNEL_SELF, done_cb, NULL);
		return (-1);
	}
	return (0);
}

static void
onmessage(struct kennel_socket *s, const struct kennel_message *m)
{
	if (m->len == 0)
		return;
	switch (m->data[0]) {
	case 'b':
		kennel_broadcast(s, "b", 1, 0, done_cb, NULL);
		break;
	case 'g':
		kennel_gossip(s, "g", 1, 300, gossip_cb, NULL);
		break;
	case 'w':
		kennel_whisper(s, "nobody", 6, "w", 1, 0, done_cb, NULL);
		break;
	}
	if (m->len > 1)			/* and it is over */
		kennel_close(s, 4005, "at once");
	kennel_close(s, 99999, NULL);
}

static void
onclose(struct kennel_socket *s, const struct kennel_close *c)
{
	kennel_log("hostile close uid=%s code=%d",
	    kennel_socket_uid(s, NULL), c->code);
	kennel_broadcast(s, "bye", 3, KENNEL_SELF, done_cb, NULL);
	kennel_gossip(s, "bye", 3, 0, gossip_cb, NULL);
	kennel_close(s, 1000, NULL);
}

int
main(int argc, char **argv)
{
	static const struct kennel_app app = {
		.receive = receive, .onopen = onopen, .onmessage = onmessage,
		.onclose = onclose,
	};

	return (kennel_worker_main(argc, argv, &app, 1));
}
