/*
 * survivor: a worker whose sockets outlive it.  A text message is a command:
 *
 *	die SIGNAL		it dies, of SIGABRT if nothing else is said
 *	later SIGNAL		it dies when a timer comes
 *	step SIGNAL		whoever decides this dies
 *	news SIGNAL		whoever hears what that has changed dies
 *	keep TEXT		makes that the socket's checkpoint
 *	long N			N bytes 'x'
 *	x			"x VALUE": what the route keeps of the query
 *	+ TOPIC  - TOPIC	subscribe, unsubscribe
 *	c TEXT			"c WHO TEXT" to all of the group
 *	p TOPIC TEXT		"p WHO TEXT" to the subscribers
 *	big N			N bytes 'x' to this client
 *	parts N			the same to a raw one, and it dies before it says the rest
 *	e TEXT			"e TEXT" back
 *	q			"q SHARD" back
 *	beat TEXT		a stream's heart-beat
 *
 * A socket that goes on says "resumed CHECKPOINT" to its client and "back WHO" to all
 * of its group; thaw refuses the checkpoint "no".  A raw client says and hears lines.
 * A request for .../stream or .../events is a response that goes on; those for
 * .../plain/... are of an application that knows nothing of all this, those for
 * .../bare/... of one that moves and says no more.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <kennel.h>

static void
receive(struct kennel_request *q)
{
	const char	*verb = strrchr(kennel_request_path(q), '/');

	if (kennel_request_upgrades(q))
		kennel_connect(q);
	else if (strncmp(verb, "/events", 7) == 0)
		kennel_events(q);
	else
		kennel_stream(q, 200, "text/plain");
}

/* To this client; a line, to a raw one. */
static void
tell(struct kennel_socket *s, const char *text)
{
	char	 line[5000];
	int	 n = snprintf(line, sizeof(line), "%s%s", text,
		    kennel_socket_raw(s) ? "\n" : "");

	kennel_send(s, line, (size_t)n, 0);
}

/* "VERB WHO TEXT" */
static int
words(char *to, size_t size, const char *verb, struct kennel_socket *s,
    const char *text)
{
	size_t		 n;
	const char	*uid = kennel_socket_uid(s, &n);

	return (snprintf(to, size, "%s %.*s%s%s", verb, (int)n, uid,
	    *text == '\0' ? "" : " ", text));
}

static void
big(struct kennel_socket *s, const char *text, int flags)
{
	size_t	 n = strtoul(text, NULL, 10);
	char	*data = malloc(n);

	if (data == NULL)
		abort();
	memset(data, 'x', n);
	kennel_send(s, data, n, flags);
	free(data);
}

/* Die of the signal that text names. */
static void
die(const char *text)
{
	raise(*text == '\0' ? SIGABRT : atoi(text));
}

static struct kennel_timer	*later;

static void
later_cb(void *arg)
{
	kennel_timer_free(later);
	raise((int)(intptr_t)arg);
}

static int
decide(struct kennel_replica *r, struct kennel_step *t, const char *data,
    size_t len)
{
	char	 text[64];

	(void)r;
	snprintf(text, sizeof(text), "%.*s", (int)len, data);
	if (strncmp(text, "step ", 5) == 0)
		die(text + 5);
	return (kennel_put(t, "~m", "n", 1, "1", 1));
}

static void
onstep(struct kennel_replica *r, const struct kennel_change *changes, size_t n,
    const char *data, size_t len)
{
	char	 text[64];

	(void)r, (void)changes, (void)n;
	snprintf(text, sizeof(text), "%.*s", (int)len, data);
	if (strncmp(text, "news ", 5) == 0)
		die(text + 5);
}

/* A command, terminated, in pieces. */
static void
command(struct kennel_socket *s, char *text)
{
	char		*arg = strchr(text, ' '), *more, line[5000];
	const char	*topics[2] = { NULL, NULL };
	int		 n;

	if (arg == NULL)
		arg = text + strlen(text);
	else
		*arg++ = '\0';
	if (strcmp(text, "die") == 0)
		die(arg);
	else if (strcmp(text, "later") == 0)
		later = kennel_timer_new(1, 0, later_cb,
		    (void *)(intptr_t)atoi(arg));
	else if (strcmp(text, "step") == 0 || strcmp(text, "news") == 0) {
		n = snprintf(line, sizeof(line), "%s %s", text, arg);
		kennel_step(s, line, (size_t)n, NULL, NULL);
	} else if (strcmp(text, "keep") == 0)
		tell(s, kennel_checkpoint(s, arg, strlen(arg)) == 0 ? "kept" :
		    strerror(errno));
	else if (strcmp(text, "long") == 0) {
		n = atoi(arg);
		memset(line, 'x', sizeof(line));
		tell(s, kennel_checkpoint(s, line, (size_t)n) == 0 ? "kept" :
		    strerror(errno));
	} else if (strcmp(text, "x") == 0) {
		snprintf(line, sizeof(line), "x %s",
		    kennel_socket_query(s, "x"));
		tell(s, line);
	} else if (strcmp(text, "+") == 0)
		tell(s, kennel_subscribe(s, arg) == 0 ? "+" : strerror(errno));
	else if (strcmp(text, "-") == 0)
		tell(s, kennel_unsubscribe(s, arg) == 0 ? "-" :
		    strerror(errno));
	else if (strcmp(text, "c") == 0) {
		n = words(line, sizeof(line), "c", s, arg);
		kennel_broadcast(s, line, (size_t)n, KENNEL_SELF, NULL, NULL);
	} else if (strcmp(text, "p") == 0) {
		more = strchr(arg, ' ');
		*more++ = '\0';
		topics[0] = arg;
		n = words(line, sizeof(line), "p", s, more);
		kennel_publish(s, topics, line, (size_t)n, KENNEL_SELF, NULL,
		    NULL);
	} else if (strcmp(text, "big") == 0) {
		big(s, arg, 0);
	} else if (strcmp(text, "parts") == 0) {
		big(s, arg, KENNEL_MORE);
		big(s, arg, KENNEL_MORE);
		die("9");
	} else if (strcmp(text, "e") == 0) {
		snprintf(line, sizeof(line), "e %s", arg);
		tell(s, line);
	} else if (strcmp(text, "q") == 0) {
		snprintf(line, sizeof(line), "q %u", kennel_slot());
		tell(s, line);
	}
}

static int
onopen(struct kennel_socket *s)
{
	if (kennel_socket_kind(s) != KENNEL_WEBSOCKET) {
		kennel_subscribe(s, "streams");
		kennel_heartbeat(s, ":beat\n\n", 7);
		kennel_checkpoint(s, "a stream", 8);
	}
	return (0);
}

static void
onmessage(struct kennel_socket *s, const struct kennel_message *m)
{
	char	 text[512];

	snprintf(text, sizeof(text), "%.*s", (int)m->len, m->data);
	command(s, text);
}

static ssize_t
ondata(struct kennel_socket *s, const char *data, size_t len)
{
	const char	*end = memchr(data, '\n', len);
	char		 text[512];

	if (end == NULL)
		return (0);
	snprintf(text, sizeof(text), "%.*s", (int)(end - data), data);
	command(s, text);
	return (end - data + 1);
}

static int
thaw(struct kennel_socket *s, const char *data, size_t len, int how)
{
	(void)s;
	return (how == KENNEL_RESUMED && len == 2 && memcmp(data, "no", 2) == 0
	    ? -1 : 0);
}

static void
onresume(struct kennel_socket *s, const char *data, size_t len)
{
	char	 line[5000];
	int	 n;

	snprintf(line, sizeof(line), "resumed %.*s", (int)len, data);
	tell(s, line);
	n = words(line, sizeof(line), "back", s, "");
	kennel_broadcast(s, line, (size_t)n, 0, NULL, NULL);
}

int
main(int argc, char **argv)
{
	static const struct kennel_app	 apps[] = {
		{ .name = "survivor", .receive = receive, .onopen = onopen,
		  .onmessage = onmessage, .ondata = ondata, .moves = 1,
		  .decide = decide, .onstep = onstep, .thaw = thaw, .onresume = onresume },
		{ .name = "plain", .receive = receive, .onmessage = onmessage },
		{ .name = "bare", .receive = receive, .onmessage = onmessage,
		  .moves = 1 },
	};

	return (kennel_worker_main(argc, argv, apps, 3));
}
