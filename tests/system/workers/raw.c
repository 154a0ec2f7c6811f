/*
 * raw: a worker for the tests that speaks lines over raw TCP, and WebSocket beside it.
 * A line is a command, whose answer is one or more lines:
 *
 *	echo TEXT	TEXT
 *	say TEXT	TEXT to all of the group, the sender too
 *	emit TEXT	TEXT to the replica's others
 *	tell UID TEXT	TEXT to that uid
 *	join T		"joined"; publish T TEXT: TEXT to the subscribers
 *	who		the uid; peer: the address; count: members of the replica
 *	setting KEY	its value, or "-"
 *	done TEXT	as say, and "done" when all have acted
 *	big N LEN	N lines of LEN bytes
 *	parts N LEN	the same, each in three parts
 *	share N		N times one payload, each with a head of its own
 *	each TEXT	one payload to all sockets of the process
 *	pause MS	reads nothing for so long, then says "resumed"
 *	hold		keeps the connection open after its end
 *	late MS TEXT	TEXT in so many ms
 *	stuck		closes "stuck", whose queue is full
 *	close		bye, in words, then kennel_close()
 *	bad		is an error
 *	over		says that it used more than there is
 *	dial ADDRESS	opens a connection there, to which "hello" is said and from which
 *			lines come back to the dialer, behind "from "
 *	closes		how others ended, since it was asked last
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kennel.h>

struct client {
	struct kennel_socket *s;
	struct client	*next;
	uint64_t	 dialer;	/* who had it dialled, or 0 */
	int		 hold;
	int		 highs, lows;
};

struct later {
	struct kennel_timer *timer;
	uint64_t	 id;
	int		 resume;
	char		 text[];
};

static const struct kennel_app	*self;
static struct client	*clients;
static char		 ends[4096];

static struct kennel_socket *
find(uint64_t id)
{
	for (struct client *c = clients; c != NULL; c = c->next)
		if (kennel_socket_id(c->s) == id)
			return (c->s);
	return (NULL);
}

static void
say(struct kennel_socket *s, const char *text)
{
	char	 line[1024];
	int	 n = snprintf(line, sizeof(line), "%s\n", text);

	kennel_send(s, line, (size_t)n, 0);
}

static void
later_cb(void *arg)
{
	struct later		*l = arg;
	struct kennel_socket	*s = find(l->id);

	if (s != NULL && l->resume)
		kennel_resume(s);
	if (s != NULL)
		say(s, l->text);
	kennel_timer_free(l->timer);
	free(l);
}

static void
later(struct kennel_socket *s, unsigned ms, const char *text, int resume)
{
	struct later	*l = malloc(sizeof(*l) + strlen(text) + 1);

	if (l == NULL)
		abort();
	l->id = kennel_socket_id(s);
	l->resume = resume;
	strcpy(l->text, text);
	l->timer = kennel_timer_new(ms, 0, later_cb, l);
	if (l->timer == NULL)
		abort();
}

/* A line of len bytes, with its end. */
static char *
line_new(size_t len)
{
	char	*line = malloc(len + 1);

	if (line == NULL)
		abort();
	memset(line, 'x', len);
	line[len] = '\n';
	return (line);
}

static void
big(struct kennel_socket *s, size_t n, size_t len, int parts)
{
	char	*line = line_new(len);
	size_t	 third = len / 3;

	for (size_t i = 0; i < n; i++) {
		if (!parts) {
			if (kennel_send(s, line, len + 1, 0) == -1)
				break;
			continue;
		}
		if (kennel_send(s, line, third, KENNEL_MORE) == -1 ||
		    kennel_send(s, line, third, KENNEL_MORE) == -1 ||
		    kennel_send(s, line + 2 * third, len + 1 - 2 * third,
		    0) == -1)
			break;
	}
	free(line);
}

static void
share(struct kennel_socket *s, unsigned n)
{
	struct kennel_payload	*p = kennel_payload_new(NULL, 5,
				    KENNEL_BINARY);
	char			 head[16];

	memcpy(kennel_payload_data(p), "same\n", 5);
	for (unsigned i = 0; i < n; i++) {
		snprintf(head, sizeof(head), "%u ", i);
		kennel_send_headed(s, head, strlen(head), p);
	}
	kennel_payload_free(p);
}

static void
each(const char *text)
{
	char			 line[256];
	int			 n = snprintf(line, sizeof(line), "%s\n", text);
	struct kennel_payload	*p = kennel_payload_new(line, (size_t)n, 0);

	for (struct client *c = clients; c != NULL; c = c->next)
		kennel_send_payload(c->s, p);
	kennel_payload_free(p);
}

/* Tell whoever had c dialled. */
static void
report(const struct client *c, const char *what, const char *text)
{
	struct kennel_socket	*s = find(c->dialer);
	char			 line[1024];

	snprintf(line, sizeof(line), "%s %s", what, text);
	if (s != NULL)
		say(s, line);
}

static void
dialled_cb(struct kennel_socket *s, int err, void *arg)
{
	struct client	*c = arg;
	char		 text[64];

	if (s != NULL) {
		report(c, "reached", kennel_socket_peer(s));
		return;
	}
	snprintf(text, sizeof(text), "%d", err);
	report(c, "failed", text);
	free(c);
}

static void
dial(struct kennel_socket *s, const char *address)
{
	struct client	*c = calloc(1, sizeof(*c));

	if (c == NULL)
		abort();
	c->dialer = kennel_socket_id(s);
	if (kennel_dial(self, address, 1500, dialled_cb, c) == 0)
		return;
	say(s, errno == EINVAL ? "no address" : "no dial");
	free(c);
}

static void
done_cb(struct kennel_socket *s, int err, void *arg)
{
	(void)arg;
	if (err == 0)
		say(s, "done");
}

/* One command, terminated.  0 or -1. */
static int
command(struct kennel_socket *s, char *line)
{
	const char	*topics[2] = { NULL, NULL }, *value;
	char		 word[16] = "", name[256] = "", text[64];
	struct client	*c = kennel_socket_data(s);
	unsigned	 a = 0, b = 0;
	char		*rest = strchr(line, ' ');
	size_t		 n;

	sscanf(line, "%15s %255s", word, name);
	rest = rest == NULL ? line + strlen(line) : rest + 1;
	sscanf(rest, "%u %u", &a, &b);
	n = strlen(rest);
	rest[n] = '\n';
	if (strcmp(word, "echo") == 0)
		kennel_send(s, rest, n + 1, 0);
	else if (strcmp(word, "say") == 0)
		kennel_broadcast(s, rest, n + 1, KENNEL_SELF, NULL, NULL);
	else if (strcmp(word, "emit") == 0)
		kennel_emit(s, rest, n + 1, 0);
	else if (strcmp(word, "done") == 0)
		kennel_broadcast(s, rest, n + 1, KENNEL_SELF, done_cb, NULL);
	else if (strcmp(word, "tell") == 0)
		kennel_whisper(s, name, strlen(name), rest + strlen(name) + 1,
		    n - strlen(name), 0, NULL, NULL);
	else if (strcmp(word, "join") == 0) {
		rest[n] = '\0';
		kennel_subscribe(s, rest);
		say(s, "joined");
	} else if (strcmp(word, "publish") == 0) {
		topics[0] = name;
		kennel_publish(s, topics, rest + strlen(name) + 1,
		    n - strlen(name), KENNEL_SELF, NULL, NULL);
	} else if (strcmp(word, "who") == 0)
		say(s, kennel_socket_uid(s, NULL));
	else if (strcmp(word, "peer") == 0)
		say(s, kennel_socket_peer(s));
	else if (strcmp(word, "count") == 0) {
		snprintf(text, sizeof(text), "%zu", kennel_replica_count(
		    kennel_socket_replica(s)));
		say(s, text);
	} else if (strcmp(word, "setting") == 0) {
		value = kennel_socket_setting(s, name);
		say(s, value == NULL ? "-" : value);
	} else if (strcmp(word, "big") == 0)
		big(s, a, b, 0);
	else if (strcmp(word, "parts") == 0)
		big(s, a, b, 1);
	else if (strcmp(word, "share") == 0)
		share(s, a);
	else if (strcmp(word, "each") == 0) {
		rest[n] = '\0';
		each(rest);
	} else if (strcmp(word, "pause") == 0) {
		kennel_pause(s);
		later(s, a, "resumed", 1);
	} else if (strcmp(word, "hold") == 0)
		c->hold = 1;
	else if (strcmp(word, "late") == 0) {
		rest[n] = '\0';
		later(s, a, strchr(rest, ' ') + 1, 0);
	} else if (strcmp(word, "marks") == 0) {
		snprintf(text, sizeof(text), "%d %d", c->highs, c->lows);
		say(s, text);
	} else if (strcmp(word, "dial") == 0) {
		rest[n] = '\0';
		dial(s, rest);
	} else if (strcmp(word, "close") == 0) {
		say(s, "bye");
		kennel_close(s, 1000, "words");
	} else if (strcmp(word, "closes") == 0) {
		say(s, ends);
		ends[0] = '\0';
	} else
		return (-1);
	return (0);
}

static ssize_t
ondata(struct kennel_socket *s, const char *data, size_t len)
{
	const char	*end = memchr(data, '\n', len);
	char		 line[64 << 10];
	size_t		 n;

	if (end == NULL)
		return (0);
	n = (size_t)(end - data);
	if (n >= sizeof(line) - 1)
		return (-1);
	memcpy(line, data, n);
	line[n] = '\0';
	if (((struct client *)kennel_socket_data(s))->dialer != 0) {
		report(kennel_socket_data(s), "from", line);
		return ((ssize_t)n + 1);
	}
	if (strcmp(line, "over") == 0)
		return ((ssize_t)len + 1);
	return (command(s, line) == -1 ? -1 : (ssize_t)n + 1);
}

static int
onend(struct kennel_socket *s)
{
	struct client	*c = kennel_socket_data(s);

	if (c->hold)
		say(s, "held");
	return (c->hold);
}

static void
onpressure(struct kennel_socket *s, int high)
{
	struct client	*c = kennel_socket_data(s);

	if (high)
		c->highs++;
	else
		c->lows++;
}

static void
receive(struct kennel_request *q)
{
	kennel_connect(q);
}

static int
onopen(struct kennel_socket *s)
{
	struct client	*c = kennel_socket_data(s);

	if (c == NULL && (c = calloc(1, sizeof(*c))) == NULL)
		return (-1);
	if (kennel_socket_setting(s, "app.refuse") != NULL) {
		free(c);
		return (-1);
	}
	c->s = s;
	c->next = clients;
	clients = c;
	kennel_socket_set_data(s, c);
	if (c->dialer != 0)
		say(s, "echo over there");
	else if (kennel_socket_raw(s))
		say(s, "hello");
	return (0);
}

static void
onmessage(struct kennel_socket *s, const struct kennel_message *m)
{
	if (m->len == 5 && memcmp(m->data, "pause", 5) == 0) {
		kennel_pause(s);
		later(s, 300, "resumed", 1);
		return;
	}
	kennel_broadcast(s, m->data, m->len, KENNEL_SELF |
	    (m->binary ? KENNEL_BINARY : 0), NULL, NULL);
}

static void
onclose(struct kennel_socket *s, const struct kennel_close *why)
{
	struct client	*c = kennel_socket_data(s), **at = &clients;
	size_t		 n = strlen(ends);

	snprintf(ends + n, sizeof(ends) - n, "%s %d ", why->label, why->code);
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	if (c->dialer != 0)
		report(c, "lost", why->label);
	free(c);
}

int
main(int argc, char **argv)
{
	static const struct kennel_app apps[] = {
		{ .name = "raw", .receive = receive, .onopen = onopen,
		  .onmessage = onmessage, .onclose = onclose,
		  .ondata = ondata, .onend = onend, .onpressure = onpressure,
		  .pressure_high = 256 << 10, .pressure_low = 64 << 10,
		  .message_max = 100 << 10 },
		{ .name = "web", .receive = receive },
	};

	self = &apps[0];
	return (kennel_worker_main(argc, argv, apps, 2));
}
