/*
 * A worker whose clients walk over the sockets of their replica, which go meanwhile.
 */
#include <stdio.h>
#include <string.h>

#include <kennel.h>

static struct kennel_socket	*victims[64];
static int			 nvictims, walked;

static void
receive(struct kennel_request *q)
{
	kennel_connect(q);
}

static void
gather(struct kennel_socket *s, void *arg)
{
	(void)arg;
	victims[nvictims++] = s;
}

/* The first one that is met closes all others. */
static void
close_others(struct kennel_socket *s, void *arg)
{
	(void)arg;
	walked++;
	for (int i = 0; i < nvictims; i++)
		if (victims[i] != s)
			kennel_close(victims[i], 4000, "walked over");
	kennel_send(s, "met", 3, 0);
}

/* Each one walks over all again. */
static void
walk_again(struct kennel_socket *s, void *arg)
{
	(void)arg;
	walked++;
	kennel_replica_each(kennel_socket_replica(s), gather, NULL);
	nvictims = 0;
}

static void
onmessage(struct kennel_socket *s, const struct kennel_message *m)
{
	struct kennel_replica	*r = kennel_socket_replica(s);
	char			 text[64];
	size_t			 len;
	const char		*uid = kennel_socket_uid(s, &len);

	nvictims = walked = 0;
	if (m->len == 5 && memcmp(m->data, "again", 5) == 0)
		kennel_replica_each(r, walk_again, NULL);
	else if (m->len == 4 && memcmp(m->data, "mine", 4) == 0) {
		kennel_replica_each_of(r, uid, len, gather, NULL);
		kennel_replica_each_of(r, uid, len, close_others, NULL);
	} else {
		kennel_replica_each(r, gather, NULL);
		kennel_replica_each(r, close_others, NULL);
	}
	snprintf(text, sizeof(text), "walked %d", walked);
	kennel_send(s, text, strlen(text), 0);
}

int
main(int argc, char **argv)
{
	static const struct kennel_app app = {
		.receive = receive, .onmessage = onmessage,
	};

	return (kennel_worker_main(argc, argv, &app, 1));
}
