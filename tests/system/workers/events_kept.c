/*
 * Clients of fast-tcp that have something of the program's, which goes along when they
 * move: how many events each has sent to the server.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kennel-events.h>

#include "events_late.h"

struct kept {			/* for a client */
	uint32_t	 events;
	uint32_t	 answers;	/* of the client's */
};

/* ---- events ---- */

/* How many there were, and which process says so. */
static void
count(struct events_socket *s, const struct events_message *m, void *arg)
{
	struct kept	*k = events_socket_data(s);
	char		 text[128];

	(void)arg;
	snprintf(text, sizeof(text), "%u %u %s", ++k->events, k->answers,
	    kennel_address());
	events_answer(m->ack, events_string(text));
}

/* The client has answered; in the process that has asked. */
static void
asked_cb(struct events_server *v, const struct events_value *answer, void *arg)
{
	(void)v;
	if (answer != NULL)
		((struct kept *)arg)->answers++;
}

/* The client is asked. */
static void
ask(struct events_socket *s, const struct events_message *m, void *arg)
{
	(void)m, (void)arg;
	events_socket_emit(s, "question", events_empty(), asked_cb,
	    events_socket_data(s));
}

/* How many clients this process has. */
static void
clients(struct events_socket *s, const struct events_message *m, void *arg)
{
	(void)arg;
	events_answer(m->ack, events_integer((int64_t)events_count(
	    events_socket_server(s))));
}

/* "id room": that client enters, or (arg) leaves. */
static void
room(struct events_socket *s, const struct events_message *m, void *arg)
{
	struct events_server	*v = events_socket_server(s);
	char			 text[700], id[600], name[64];

	snprintf(text, sizeof(text), "%.*s", (int)m->value.len, m->value.data);
	if (sscanf(text, "%599s %63s", id, name) != 2)
		abort();
	if (arg == NULL)
		events_join(v, id, name);
	else
		events_leave(v, id, name);
}

/* ---- coming, going, moving ---- */

static void
connected(struct events_socket *s, void *arg)
{
	struct kept	*k = calloc(1, sizeof(*k));

	(void)arg;
	if (k == NULL)
		abort();
	events_socket_set_data(s, k);
}

static void
disconnected(struct events_socket *s, void *arg)
{
	(void)arg;
	free(events_socket_data(s));
}

static int
freeze(struct events_socket *s, struct kennel_blob *b)
{
	return (kennel_blob_add(b, events_socket_data(s),
	    sizeof(struct kept)));
}

static int
thaw(struct events_socket *s, const char *data, size_t len, int how)
{
	const char	*refuse = getenv("KENNEL_REFUSE");

	(void)how;
	if (refuse != NULL && access(refuse, F_OK) == 0) {
		errno = ENOMEM;		/* not now */
		return (-1);
	}
	if (len != sizeof(struct kept))
		return (-1);
	connected(s, NULL);
	memcpy(events_socket_data(s), data, len);
	return (0);
}

static void
moved(struct events_socket *s, int how)
{
	(void)how;
	free(events_socket_data(s));
}

int
main(int argc, char **argv)
{
	static const struct events_move_ops	 ops = { 3, freeze, thaw,
						    moved };
	static char	 out[] = "out";
	struct events	*e = events_new("events");
	struct kennel_app app;

	if (e == NULL)
		return (1);
	events_on_connection(e, connected, NULL);
	events_on_disconnection(e, disconnected, NULL);
	if (getenv("KENNEL_STAY") == NULL)
		events_on_move(e, &ops);
	events_on(e, "echo", count, NULL);
	events_on(e, "late", late, NULL);
	events_on(e, "ask", ask, NULL);
	events_on(e, "clients", clients, NULL);
	events_on(e, "put", room, NULL);
	events_on(e, "out", room, out);
	app = events_app(e);
	return (kennel_worker_main(argc, argv, &app, 1));
}
