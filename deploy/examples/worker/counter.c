/*
 * A worker for Kennel: says to everybody in the group how often anything was said
 * there, ever.  The group's processes may be killed and started again; the count
 * is in Redis.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <kennel.h>

/* A request has come: make a WebSocket of it. */
static void
counter_receive(struct kennel_request *q)
{
	kennel_connect(q);
}

/* Who comes reads what the count is. */
static int
counter_onopen(struct kennel_socket *s)
{
	size_t		 len;
	const char	*n = kennel_get(kennel_socket_replica(s), "said",
			    "times", 5, &len);

	return (n == NULL ? kennel_send(s, "0", 1, 0) :
	    kennel_send(s, n, len, 0));
}

/* Whatever is said is a step: who decides for the group counts. */
static void
counter_onmessage(struct kennel_socket *s, const struct kennel_message *m)
{
	kennel_step(s, m->data, m->len, NULL, NULL);
}

/* In one process of the group, one step at a time. */
static int
counter_decide(struct kennel_replica *r, struct kennel_step *t,
    const char *data, size_t len)
{
	const char	*n = kennel_get_in(t, "said", "times", 5, NULL);
	char		 text[32];
	int		 digits;

	(void)r, (void)data, (void)len;
	digits = snprintf(text, sizeof(text), "%ld",
	    (n == NULL ? 0 : atol(n)) + 1);
	return (kennel_put(t, "said", "times", 5, text, (size_t)digits) == -1 ?
	    errno : 0);
}

/* In every process of the group, in the same order. */
static void
counter_onstep(struct kennel_replica *r, const struct kennel_change *changes,
    size_t n, const char *data, size_t len)
{
	(void)data, (void)len;
	for (size_t i = 0; i < n; i++)
		kennel_replica_emit(r, changes[i].value, changes[i].value_len,
		    0);
}

int
main(int argc, char **argv)
{
	static const struct kennel_app app = {
		.receive = counter_receive,
		.onopen = counter_onopen,
		.onmessage = counter_onmessage,
		.decide = counter_decide,
		.onstep = counter_onstep,
	};

	return (kennel_worker_main(argc, argv, &app, 1));
}
