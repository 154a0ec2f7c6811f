/*
 * talk: a worker for the tests, whose clients talk.  A message whose first word is
 *
 *	whisper UID ...	goes to that uid
 *	topic T ...	goes to the subscribers of T
 *	join T		subscribes, and is answered "joined"
 *
 * and any other goes to all of the group, the sender too.  POST .../say with a number
 * broadcasts that many bytes: 200, or 503 with the error's number.  With app.tell, the
 * clients hear what the worker is told: "!missed" and "!lost".
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kennel.h>

static void
onmessage(struct kennel_socket *s, const struct kennel_message *m)
{
	const char	*topics[2] = { NULL, NULL };
	char		 word[16] = "", name[64] = "", head[81];
	size_t		 n = m->len < 80 ? m->len : 80;
	int		 flags = m->binary ? KENNEL_BINARY : 0;

	memcpy(head, m->data, n);
	head[n] = '\0';
	sscanf(head, "%15s %63s", word, name);
	topics[0] = name;
	if (strcmp(word, "whisper") == 0)
		kennel_whisper(s, name, strlen(name), m->data, m->len, flags,
		    NULL, NULL);
	else if (strcmp(word, "topic") == 0)
		kennel_publish(s, topics, m->data, m->len, flags, NULL, NULL);
	else if (strcmp(word, "join") == 0) {
		if (kennel_subscribe(s, name) == 0)
			kennel_send(s, "joined", 6, 0);
	} else
		kennel_broadcast(s, m->data, m->len, flags | KENNEL_SELF, NULL,
		    NULL);
}

static void
receive(struct kennel_request *q)
{
	const char	*path = kennel_request_path(q), *body;
	char		*data, text[16];
	size_t		 n;
	int		 rv;

	if (strcmp(strrchr(path, '/'), "/say") != 0) {
		kennel_connect(q);
		return;
	}
	body = kennel_request_body(q, &n);	/* not terminated */
	snprintf(text, sizeof(text), "%.*s", (int)n, body);
	n = strtoul(text, NULL, 10);
	if ((data = calloc(1, n + 1)) == NULL)
		abort();
	rv = kennel_replica_broadcast(kennel_request_replica(q), data, n,
	    KENNEL_BINARY, NULL, NULL);
	snprintf(text, sizeof(text), "%d", rv == 0 ? 0 : errno);
	free(data);
	kennel_respond(q, rv == 0 ? 200 : 503, "text/plain", text,
	    strlen(text));
}

/* All clients here are to know of it. */
static void
tell(struct kennel_replica *r, const char *what)
{
	if (kennel_option("app.tell") != NULL)
		kennel_replica_emit(r, what, strlen(what), 0);
}

static void
onlost(struct kennel_replica *r, uint64_t neighbour,
    const struct kennel_uid *uids, size_t n, int flags)
{
	(void)neighbour, (void)uids, (void)n, (void)flags;
	tell(r, "!lost");
}

static void
onmissed(struct kennel_replica *r, uint64_t origin)
{
	tell(r, "!missed");
	fprintf(stderr, "talk: missed something of %llu\n",
	    (unsigned long long)origin);
}

int
main(int argc, char **argv)
{
	static const struct kennel_app app = {
		.name = "talk", .receive = receive, .onmessage = onmessage,
		.onmissed = onmissed, .onlost = onlost,
	};

	return (kennel_worker_main(argc, argv, &app, 1));
}
