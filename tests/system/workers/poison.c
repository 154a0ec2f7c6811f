/*
 * poison: a worker for the tests, whose steps kill or hold up whoever decides.  A
 * text message is a step, unless it is one of the last four:
 *
 *	add MAP		adds 1 to a number
 *	boom		decide aborts
 *	hang		decide never returns
 *	late MAP	adds 1 to a number; onstep aborts
 *	tabu		from now on, onreset aborts
 *	curse		once this replica has ended, ongone of it aborts
 *	work MS		decide takes so long
 *	many N WORDS	N steps "add m", the step WORDS, N more, all at once
 *	toil N MS	N steps "work MS", all at once
 *	scribble SEED	writes over the page of this shard, and aborts
 *	stop SEED	the same, and stops instead
 *
 * The application "survives" is the same, and its connections outlive their shards.
 *
 * The answer to a step is "error m ~m", of several the largest error.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <kennel.h>

struct many {
	struct kennel_socket	*socket;
	unsigned		 left;
	int			 err;
};

static long
number(const char *v)
{
	return (v == NULL ? 0 : atol(v));
}

static void
say(struct kennel_socket *s, int err)
{
	struct kennel_replica	*r = kennel_socket_replica(s);
	char			 text[64];

	snprintf(text, sizeof(text), "%d %ld %ld", err,
	    number(kennel_get(r, "m", "n", 1, NULL)),
	    number(kennel_get(r, "~m", "n", 1, NULL)));
	kennel_send(s, text, strlen(text), 0);
}

/* ---- deciding ---- */

static uint64_t
now_ms(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000);
}

static void
work(uint64_t ms)
{
	uint64_t	 end = now_ms() + ms;

	while (now_ms() < end)
		;
}

static int
decide(struct kennel_replica *r, struct kennel_step *t, const char *data,
    size_t len)
{
	char	 words[128], map[64], text[32];

	(void)r;
	snprintf(words, sizeof(words), "%.*s", (int)len, data);
	if (strcmp(words, "boom") == 0)
		abort();
	if (strcmp(words, "hang") == 0)
		for (;;)
			pause();
	if (strncmp(words, "work ", 5) == 0)
		work(strtoul(words + 5, NULL, 10));
	if (strcmp(words, "tabu") == 0)
		kennel_put(t, "~tabu", "n", 1, "1", 1);
	if (strncmp(words, "curse ", 6) == 0)
		kennel_put(t, "~curse", "n", 1, words + 6, strlen(words + 6));
	if (sscanf(words, "add %63s", map) == 1 ||
	    sscanf(words, "late %63s", map) == 1) {
		snprintf(text, sizeof(text), "%ld",
		    number(kennel_get_in(t, map, "n", 1, NULL)) + 1);
		kennel_put(t, map, "n", 1, text, strlen(text));
	}
	return (0);
}

static int
ongone(struct kennel_replica *r, struct kennel_step *t, uint64_t replica)
{
	const char	*cursed = kennel_get_in(t, "~curse", "n", 1, NULL);

	(void)r;
	if (cursed != NULL && strtoull(cursed, NULL, 10) == replica)
		abort();
	return (0);
}

static void
onreset(struct kennel_replica *r)
{
	if (kennel_get(r, "~tabu", "n", 1, NULL) != NULL)
		abort();
}

static void
onstep(struct kennel_replica *r, const struct kennel_change *changes, size_t n,
    const char *data, size_t len)
{
	(void)r, (void)changes, (void)n;
	if (len > 4 && memcmp(data, "late", 4) == 0)
		abort();
}

/* ---- asking ---- */

static void
many_cb(struct kennel_replica *r, int err, void *arg)
{
	struct many	*m = arg;

	(void)r;
	if (err > m->err)
		m->err = err;
	if (--m->left > 0)
		return;
	say(m->socket, m->err);
	free(m);
}

/* n steps, which are the same but for the one in the middle. */
static void
many(struct kennel_socket *s, unsigned n, const char *words, const char *middle)
{
	struct many	*m = calloc(1, sizeof(*m));
	const char	*data;

	if (m == NULL)
		abort();
	m->socket = s;
	m->left = n;
	for (unsigned i = 0; i < n; i++) {
		data = i == n / 2 ? middle : words;
		if (kennel_replica_step(kennel_socket_replica(s), data,
		    strlen(data), many_cb, m) == -1)
			abort();
	}
}

/* As somebody would who wants to harm the gateway: even seeds keep the head. */
static void
scribble(unsigned seed)
{
	unsigned char	 bytes[4096];
	int		 seals, keep = seed % 2 == 0 ? 64 : 0;

	srandom(seed);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)random();
	bytes[96] = (unsigned char)(seed % 5);		/* what it was at */
	memset(bytes + 97, 0, 3);
	for (int fd = 3; fd < 256; fd++)
		if ((seals = fcntl(fd, F_GET_SEALS)) != -1 &&
		    (seals & F_SEAL_SHRINK) != 0 &&
		    pwrite(fd, bytes, sizeof(bytes) - (size_t)keep, keep) > 0 &&
		    ftruncate(fd, 0) == 0)
			kennel_log("the page could be cut");
}

static void
done_cb(struct kennel_socket *s, int err, void *arg)
{
	(void)arg;
	say(s, err);
}

static void
onmessage(struct kennel_socket *s, const struct kennel_message *m)
{
	char		 words[128], rest[128];
	unsigned	 n, ms;

	snprintf(words, sizeof(words), "%.*s", (int)m->len, m->data);
	if (sscanf(words, "many %u %127[^\n]", &n, rest) == 2) {
		many(s, 2 * n + 1, "add m", rest);
		return;
	}
	if (sscanf(words, "toil %u %u", &n, &ms) == 2) {
		snprintf(rest, sizeof(rest), "work %u", ms);
		many(s, n, rest, rest);
		return;
	}
	if (sscanf(words, "scribble %u", &n) == 1) {
		scribble(n);
		abort();
	}
	if (sscanf(words, "stop %u", &n) == 1) {
		scribble(n);
		raise(SIGSTOP);
	}
	if (strcmp(words, "curse") == 0)
		snprintf(words, sizeof(words), "curse %" PRIu64,
		    kennel_replica_id(kennel_socket_replica(s)));
	if (kennel_step(s, words, strlen(words), done_cb, NULL) == -1)
		abort();
}

static void
receive(struct kennel_request *q)
{
	kennel_connect(q);
}

int
main(int argc, char **argv)
{
	struct kennel_app apps[2] = { {
		.name = "poison",
		.receive = receive,
		.onmessage = onmessage,
		.decide = decide,
		.ongone = ongone,
		.onstep = onstep,
		.onreset = onreset,
	} };

	apps[1] = apps[0];
	apps[1].name = "survives";
	apps[1].moves = 1;
	return (kennel_worker_main(argc, argv, apps, 2));
}
