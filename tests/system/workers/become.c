/*
 * A worker whose application decides who its clients are, and gives each data before
 * it is a socket.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kennel.h>

static int	 given, dropped, held;

static void
drop(void *data)
{
	dropped++;
	free(data);
}

/* One that is to be connected later. */
static struct kennel_request	*later;
static struct kennel_timer	*timer;

static void
go_on(void *arg)
{
	struct kennel_request	*q = later;

	(void)arg;
	kennel_timer_free(timer);
	later = NULL;
	kennel_connect(q);
}

static void
receive(struct kennel_request *q)
{
	const char	*as = kennel_request_query(q, "as", NULL);
	const char	*with = kennel_request_query(q, "with", NULL);
	char		 text[128];

	if (strcmp(kennel_request_path(q), "/counts") == 0) {
		snprintf(text, sizeof(text), "given=%d dropped=%d held=%d", given,
		    dropped, held);
		kennel_respond(q, 200, "text/plain", text, strlen(text));
		return;
	}
	if (with != NULL) {
		given++;
		if (kennel_request_set_data(q, strdup(with), drop) == -1)
			abort();
	}
	if (strcmp(kennel_request_path(q), "/plain") == 0) {
		kennel_respond(q, 200, "text/plain", "no", 2);
		return;
	}
	if (strcmp(kennel_request_path(q), "/later") == 0) {
		later = q;
		if (as != NULL)
			kennel_request_become(q, as, strlen(as));
		timer = kennel_timer_new(kennel_request_query(q, "long", NULL) !=
		    NULL ? 2500 : 100, 0, go_on, NULL);
		return;
	}
	if (as == NULL)
		kennel_connect(q);
	else if (kennel_connect_as(q, as, strlen(as)) == -1)
		kennel_respond(q, 403, NULL, NULL, 0);
}

static int
onopen(struct kennel_socket *s)
{
	char	*data = kennel_socket_data(s);
	char	 text[1200];

	if (data != NULL && strcmp(data, "refuse") == 0) {
		free(data);		/* it is ours now */
		dropped++;
		kennel_socket_set_data(s, NULL);
		return (-1);
	}
	held += data != NULL;
	snprintf(text, sizeof(text), "slot %u uid %s data %s", kennel_slot(),
	    kennel_socket_uid(s, NULL), data == NULL ? "none" : data);
	kennel_send(s, text, strlen(text), 0);
	return (0);
}

static void
onmessage(struct kennel_socket *s, const struct kennel_message *m)
{
	const char	*colon = memchr(m->data, ':', m->len);
	size_t		 n = colon == NULL ? 0 : (size_t)(colon - m->data);

	if (colon != NULL)
		kennel_whisper(s, m->data, n, colon + 1, m->len - n - 1, 0, NULL,
		    NULL);
	else
		kennel_broadcast(s, m->data, m->len, 0, NULL, NULL);
}

static void
onclose(struct kennel_socket *s, const struct kennel_close *c)
{
	char	 text[128];

	snprintf(text, sizeof(text), "%s left, last=%d, %.*s",
	    kennel_socket_uid(s, NULL), c->last, (int)c->reason_len, c->reason);
	kennel_replica_broadcast(kennel_socket_replica(s), text, strlen(text), 0,
	    NULL, NULL);
	held -= kennel_socket_data(s) != NULL;
	free(kennel_socket_data(s));
}

static void
onlost(struct kennel_replica *r, uint64_t neighbour,
    const struct kennel_uid *uids, size_t n, int flags)
{
	char	 text[1200];

	(void)neighbour, (void)flags;
	for (size_t i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "lost %.*s", (int)uids[i].len,
		    uids[i].data);
		kennel_replica_emit(r, text, strlen(text), 0);
	}
}

int
main(int argc, char **argv)
{
	static const struct kennel_app app = {
		.receive = receive, .onopen = onopen, .onmessage = onmessage,
		.onclose = onclose, .onerror = onclose, .onlost = onlost,
	};

	return (kennel_worker_main(argc, argv, &app, 1));
}
