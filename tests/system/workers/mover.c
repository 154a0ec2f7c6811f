/*
 * mover: a worker whose sockets move.  A text message is a command; N is the client's
 * own number for it, WHO its uid:
 *
 *	c N			"c WHO N" to all others of the group
 *	C N			the same, and "C N" back when all have acted
 *	w UID N			"w WHO N" to one
 *	p TOPIC N		"p WHO N" to the subscribers, its own uid's too
 *	+ TOPIC			subscribe
 *	i			one more in the group's state: "n VALUE" to topic n
 *	I			the same, and "I" back when it has taken effect
 *	e TEXT			"e TEXT" back
 *	b N			"e I " and 190 'x' back, for each I below N
 *	x TEXT			"x TEXT" back, and then it is closed
 *	k N			"k N" back; 1: freeze says not now, from then on; 0: again it does
 *	q			"q COUNT SHARD": how many commands came, and where it is
 *
 * MOVER_LINES in the environment: whatever others are told ends with a newline.
 * A raw client says and hears lines.  A request for .../stream or .../events is a
 * response that goes on.
 *
 * MOVER_BLOB in the environment: freeze writes version 2, and thaw reads both.
 * MOVER_REFUSE in the environment: thaw refuses everybody.  MOVER_ABORT=N: it dies at
 * the Nth thaw of a process.  MOVER_HANG=N: it never returns from that.  MOVER_STOP=FILE:
 * a process whose thaw finds that file removes it, and stops itself (SIGSTOP).
 * MOVER_ENDS=FILE: each onclose adds "PID UID" to it, and each onmoved "PID moved UID".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kennel.h>

struct mine {
	unsigned long	 count;
	int		 kept;
};

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
tell(struct kennel_socket *s, const char *text, size_t len)
{
	char	 line[512];

	if (!kennel_socket_raw(s)) {
		kennel_send(s, text, len, 0);
		return;
	}
	memcpy(line, text, len);
	line[len] = '\n';
	kennel_send(s, line, len + 1, 0);
}

static int
onopen(struct kennel_socket *s)
{
	struct mine	*m = calloc(1, sizeof(*m));

	kennel_socket_set_data(s, m);
	return (m == NULL ? -1 : 0);
}

/* One line more in MOVER_ENDS, whole, whoever else writes there. */
static void
note_end(struct kennel_socket *s, const char *how)
{
	const char	*path = getenv("MOVER_ENDS");
	char		 line[300];
	int		 fd, n;

	if (path == NULL || (fd = open(path, O_WRONLY | O_APPEND | O_CREAT |
	    O_CLOEXEC, 0600)) == -1)
		return;
	n = snprintf(line, sizeof(line), "%ld%s %s\n", (long)getpid(), how,
	    kennel_socket_uid(s, NULL));
	if (write(fd, line, (size_t)n) != n)
		abort();
	close(fd);
}

static void
onclose(struct kennel_socket *s, const struct kennel_close *why)
{
	(void)why;
	note_end(s, "");
	free(kennel_socket_data(s));
}

static int
moves_freeze(struct kennel_socket *s, struct kennel_blob *b)
{
	const struct mine	*m = kennel_socket_data(s);
	char			 text[32];
	int			 n;

	if (m->kept) {
		errno = EAGAIN;
		return (-1);
	}
	n = snprintf(text, sizeof(text), "%s%lu", getenv("MOVER_BLOB") == NULL ?
	    "" : "two:", m->count);
	return (kennel_blob_add(b, text, (size_t)n));
}

/* Is it this time that the variable names? */
static int
moves_time(const char *name, unsigned long thaws)
{
	const char	*at = getenv(name);

	return (at != NULL && strtoul(at, NULL, 10) == thaws);
}

static int
moves_thaw(struct kennel_socket *s, const char *data, size_t len, int how)
{
	static unsigned long	 thaws;
	char			 text[32];
	struct mine		*m;

	(void)how;
	if (getenv("MOVER_STOP") != NULL && unlink(getenv("MOVER_STOP")) == 0)
		raise(SIGSTOP);
	thaws++;
	if (moves_time("MOVER_ABORT", thaws))
		abort();
	while (moves_time("MOVER_HANG", thaws))
		pause();
	if (getenv("MOVER_REFUSE") != NULL || len >= sizeof(text) ||
	    (m = calloc(1, sizeof(*m))) == NULL)
		return (-1);
	memcpy(text, data, len);
	text[len] = '\0';
	m->count = strtoul(strncmp(text, "two:", 4) == 0 &&
	    getenv("MOVER_BLOB") != NULL ? text + 4 : text, NULL, 10);
	kennel_socket_set_data(s, m);
	return (0);
}

static void
moves_gone(struct kennel_socket *s, int how)
{
	(void)how;
	note_end(s, " moved");
	free(kennel_socket_data(s));
}

/* So many messages, numbered. */
static void
many(struct kennel_socket *s, unsigned long n)
{
	char	 text[256];
	int	 len;

	for (unsigned long i = 0; i < n; i++) {
		len = snprintf(text, sizeof(text), "e %lu ", i);
		memset(text + len, 'x', 190);
		tell(s, text, (size_t)len + 190);
	}
}

static void
done_cb(struct kennel_socket *s, int err, void *arg)
{
	char	*text = arg;

	if (err == 0)
		tell(s, text, strlen(text));
	free(text);
}

static void
command(struct kennel_socket *s, const char *data, size_t len)
{
	struct mine	*m = kennel_socket_data(s);
	const char	*who = kennel_socket_uid(s, NULL), *topics[2] = { NULL };
	char		 line[256], text[512], *arg, *rest;
	int		 lines = kennel_socket_raw(s) ||
			    getenv("MOVER_LINES") != NULL;

	if (len >= sizeof(line))
		return;
	memcpy(line, data, len);
	line[len] = '\0';
	m->count++;
	arg = len < 2 ? line + len : line + 2;
	if ((rest = strchr(arg, ' ')) != NULL)
		*rest++ = '\0';
	else
		rest = line + len;
	switch (line[0]) {
	case 'c':
	case 'C':
		snprintf(text, sizeof(text), "c %s %s%s", who, arg,
		    lines ? "\n" : "");
		rest = NULL;
		if (line[0] == 'C' && asprintf(&rest, "C %s", arg) == -1)
			return;
		kennel_broadcast(s, text, strlen(text), 0, rest == NULL ? NULL :
		    done_cb, rest);
		break;
	case 'w':
		snprintf(text, sizeof(text), "w %s %s%s", who, rest,
		    lines ? "\n" : "");
		kennel_whisper(s, arg, strlen(arg), text, strlen(text), 0,
		    NULL, NULL);
		break;
	case 'p':
		topics[0] = arg;
		snprintf(text, sizeof(text), "p %s %s%s", who, rest,
		    lines ? "\n" : "");
		kennel_publish(s, topics, text, strlen(text), KENNEL_SELF,
		    NULL, NULL);
		break;
	case '+':
		kennel_subscribe(s, arg);
		tell(s, data, len);
		break;
	case 'i':
		kennel_step(s, "i", 1, NULL, NULL);
		break;
	case 'I':
		kennel_step(s, "i", 1, done_cb, strdup("I"));
		break;
	case 'e':
		tell(s, data, len);
		break;
	case 'b':
		many(s, strtoul(arg, NULL, 10));
		break;
	case 'k':
		m->kept = *arg == '1';
		tell(s, data, len);
		break;
	case 'x':
		tell(s, data, len);
		kennel_close(s, 1000, "");
		break;
	case 'q':
		snprintf(text, sizeof(text), "q %lu %s", m->count,
		    kennel_address());
		tell(s, text, strlen(text));
		break;
	default:
		break;
	}
}

static void
onmessage(struct kennel_socket *s, const struct kennel_message *m)
{
	command(s, m->data, m->len);
}

static ssize_t
ondata(struct kennel_socket *s, const char *data, size_t len)
{
	const char	*end = memchr(data, '\n', len);

	if (end == NULL)
		return (0);
	command(s, data, (size_t)(end - data));
	return (end + 1 - data);
}

static int
decide(struct kennel_replica *r, struct kennel_step *t, const char *data,
    size_t len)
{
	const char	*v = kennel_get_in(t, "~m", "n", 1, NULL);
	char		 text[32];

	(void)r, (void)data, (void)len;
	snprintf(text, sizeof(text), "%lu",
	    (v == NULL ? 0 : strtoul(v, NULL, 10)) + 1);
	return (kennel_put(t, "~m", "n", 1, text, strlen(text)));
}

static void
onstep(struct kennel_replica *r, const struct kennel_change *changes,
    size_t n, const char *data, size_t len)
{
	static const char *const	 topics[] = { "n", NULL };
	char				 text[64];

	(void)data, (void)len;
	for (size_t i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "n %.*s",
		    (int)changes[i].value_len, changes[i].value);
		kennel_replica_publish(r, topics, text, strlen(text), 0);
	}
}

int
main(int argc, char **argv)
{
	static struct kennel_app app = {
		.name = "mover",
		.receive = receive, .onopen = onopen, .onmessage = onmessage,
		.ondata = ondata, .onclose = onclose, .decide = decide, .onstep = onstep,
		.moves = 1, .freeze = moves_freeze, .thaw = moves_thaw,
		.onmoved = moves_gone,
	};

	if (getenv("MOVER_BLOB") != NULL)
		app.moves = 2;
	return (kennel_worker_main(argc, argv, &app, 1));
}
