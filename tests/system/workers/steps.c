/*
 * steps: a worker for the tests, with a state.  A text message is a command, first
 * word first, and is answered by one message:
 *
 *	flood N SIZE	N steps of SIZE bytes and a small one, all at once, each
 *			of which adds 1: "good bad value"
 *	put MAP N SIZE	one step that writes N values: its error's number
 *	again MAP N SIZE	the same, to one key
 *	pass MAP N SIZE	as put, in a step that is worth a visit only
 *	add MAP		adds 1 to a number: error, value
 *	get MAP		that number
 *	count MAP	keys, and the sum of their values' lengths
 *	some MAP N	the same, N keys at a time, and how many portions there were
 *	drop MAP N	a step that removes about N keys: its error's number
 *	id		of this replica
 *
 * The number in ~gone grows by 1 for each replica that has ended.
 */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kennel.h>

struct flood {
	struct kennel_socket	*socket;
	unsigned		 left, good, bad;
};

static void
say(struct kennel_socket *s, const char *text)
{
	kennel_send(s, text, strlen(text), 0);
}

/* ---- steps: a letter, then words ---- */

static int
add(struct kennel_step *t, const char *map)
{
	const char	*v = kennel_get_in(t, map, "n", 1, NULL);
	char		 text[32];

	snprintf(text, sizeof(text), "%ld", v == NULL ? 1 : atol(v) + 1);
	return (kennel_put(t, map, "n", 1, text, strlen(text)));
}

static int
put(struct kennel_step *t, const char *words, int again)
{
	char		 map[64], key[32], *value;
	unsigned	 n;
	size_t		 size;

	if (sscanf(words, "%63s %u %zu", map, &n, &size) != 3 ||
	    (value = malloc(size)) == NULL)
		return (1);
	memset(value, 'x', size);
	for (unsigned i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "%u", again ? 0 : i);
		kennel_put(t, map, key, strlen(key), value, size);
	}
	free(value);
	return (0);
}

struct drop {
	char	 keys[100][32];
	size_t	 n;
};

static void
drop_cb(const char *key, size_t key_len, const char *value, size_t len,
    void *arg)
{
	struct drop	*d = arg;

	(void)value, (void)len;
	if (d->n < 100)
		snprintf(d->keys[d->n++], 32, "%.*s", (int)key_len, key);
}

static int
drop(struct kennel_step *t, const char *words)
{
	struct drop	 d = { .n = 0 };
	char		 map[64];
	uint64_t	 cursor = 0;
	unsigned	 n;
	size_t		 before;

	if (sscanf(words, "%63s %u", map, &n) != 2)
		return (1);
	before = kennel_count_in(t, map);
	kennel_some_in(t, map, &cursor, n, drop_cb, &d);
	for (size_t i = 0; i < d.n; i++)
		kennel_put(t, map, d.keys[i], strlen(d.keys[i]), NULL, 0);
	return (kennel_count_in(t, map) + d.n == before &&
	    kennel_room_left(t) > 0 ? 0 : 2);
}

static int
decide(struct kennel_replica *r, struct kennel_step *t, const char *data,
    size_t len)
{
	char	*words = strndup(data + 1, len - 1);
	int	 err = 0;

	(void)r;
	if (words == NULL)
		return (1);
	if (*data == 'v')
		kennel_passing(t);
	if (*data == 'a')
		add(t, words);
	else if (*data == 'f')
		add(t, "~flood");
	else if (*data == 'd')
		err = drop(t, words);
	else
		put(t, words, *data == 'w');
	free(words);
	return (err);
}

static int
ongone(struct kennel_replica *r, struct kennel_step *t, uint64_t replica)
{
	(void)r, (void)replica;
	return (add(t, "~gone") == -1);
}

/* ---- commands ---- */

static void
flood_cb(struct kennel_replica *r, int err, void *arg)
{
	struct flood	*f = arg;
	const char	*v;
	char		 text[64];

	f->good += err == 0;
	f->bad += err != 0;
	if (--f->left > 0 || r == NULL)
		return;
	v = kennel_get(r, "~flood", "n", 1, NULL);
	snprintf(text, sizeof(text), "%u %u %s", f->good, f->bad,
	    v == NULL ? "0" : v);
	say(f->socket, text);
	free(f);
}

static void
flood(struct kennel_socket *s, unsigned n, size_t size)
{
	struct flood	*f = calloc(1, sizeof(*f));
	char		*data = malloc(size + 1);

	if (f == NULL || data == NULL)
		abort();
	memset(data, 'f', size + 1);
	f->socket = s;
	f->left = n + 1;
	for (unsigned i = 0; i <= n; i++)
		if (kennel_replica_step(kennel_socket_replica(s), data,
		    i < n ? size : 1, flood_cb, f) == -1)
			abort();
	free(data);
}

static void
put_cb(struct kennel_socket *s, int err, void *arg)
{
	char	 text[32];

	(void)arg;
	snprintf(text, sizeof(text), "%d", err);
	say(s, text);
}

static void
add_cb(struct kennel_socket *s, int err, void *arg)
{
	const char	*v;
	char		 text[64];

	v = kennel_get(kennel_socket_replica(s), arg, "n", 1, NULL);
	snprintf(text, sizeof(text), "%d %s", err, v == NULL ? "0" : v);
	say(s, text);
	free(arg);
}

struct sum {
	size_t	 keys, bytes;
};

static void
count_cb(const char *key, size_t key_len, const char *value, size_t len,
    void *arg)
{
	struct sum	*sum = arg;

	(void)key, (void)key_len, (void)value;
	sum->keys++;
	sum->bytes += len;
}

static void
step(struct kennel_socket *s, char letter, const char *words,
    kennel_done_cb *cb, void *arg)
{
	char	 text[128];

	snprintf(text, sizeof(text), "%c%s", letter, words);
	if (kennel_step(s, text, strlen(text), cb, arg) == -1)
		say(s, "no");
}

static void
onmessage(struct kennel_socket *s, const struct kennel_message *m)
{
	struct kennel_replica	*r = kennel_socket_replica(s);
	struct sum		 sum = { 0, 0 };
	const char		*v;
	char			 text[128], map[64];
	uint64_t		 cursor = 0;
	unsigned		 n;
	size_t			 size, portions = 0;

	snprintf(text, sizeof(text), "%.*s", (int)m->len, m->data);
	if (sscanf(text, "flood %u %zu", &n, &size) == 2)
		flood(s, n, size);
	else if (strncmp(text, "put ", 4) == 0)
		step(s, 'p', text + 4, put_cb, NULL);
	else if (strncmp(text, "pass ", 5) == 0)
		step(s, 'v', text + 5, put_cb, NULL);
	else if (strncmp(text, "drop ", 5) == 0)
		step(s, 'd', text + 5, put_cb, NULL);
	else if (strncmp(text, "again ", 6) == 0)
		step(s, 'w', text + 6, put_cb, NULL);
	else if (strncmp(text, "add ", 4) == 0)
		step(s, 'a', text + 4, add_cb, strdup(text + 4));
	else if (strncmp(text, "get ", 4) == 0) {
		v = kennel_get(r, text + 4, "n", 1, NULL);
		say(s, v == NULL ? "0" : v);
	} else if (strncmp(text, "count ", 6) == 0) {
		kennel_each(r, text + 6, count_cb, &sum);
		snprintf(text, sizeof(text), "%zu %zu", sum.keys, sum.bytes);
		say(s, text);
	} else if (sscanf(text, "some %63s %u", map, &n) == 2) {
		do {
			kennel_some(r, map, &cursor, n, count_cb, &sum);
			portions++;
		} while (cursor != 0);
		snprintf(text, sizeof(text), "%zu %zu %zu", sum.keys,
		    sum.bytes, portions);
		say(s, text);
	} else if (strcmp(text, "id") == 0) {
		snprintf(text, sizeof(text), "%" PRIu64, kennel_replica_id(r));
		say(s, text);
	} else
		say(s, "what?");
}

static void
receive(struct kennel_request *q)
{
	kennel_connect(q);
}

int
main(int argc, char **argv)
{
	static const struct kennel_app app = {
		.name = "steps",
		.receive = receive,
		.onmessage = onmessage,
		.decide = decide,
		.ongone = ongone,
	};

	return (kennel_worker_main(argc, argv, &app, 1));
}
