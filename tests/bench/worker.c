/*
 * The benchmark's jobs on kennel.h: /echo, /fan, /whisper and /crowd (the last
 * two at once), on plain text as the floor has them; and messages over raw TCP,
 * which begin with their length, echoed.  Built as a worker of its own, as a user would.
 */
#include <stdlib.h>
#include <string.h>

#include "shardd/kennel.h"

static void
receive(struct kennel_request *q)
{
	kennel_connect(q);
}

static void
echo(struct kennel_socket *s, const struct kennel_message *m)
{
	kennel_send(s, m->data, m->len, m->binary ? KENNEL_BINARY : 0);
}

static void
fan(struct kennel_socket *s, const struct kennel_message *m)
{
	kennel_broadcast(s, m->data, m->len, 0, NULL, NULL);
}

/* "<to> <from> <sequence> ..." */
static void
whisper(struct kennel_socket *s, const struct kennel_message *m)
{
	const char	*space = memchr(m->data, ' ', m->len);

	if (space != NULL)
		kennel_whisper(s, m->data, (size_t)(space - m->data), m->data,
		    m->len, 0, NULL, NULL);
}

/* "* ..." to all, anything else to one. */
static void
crowd(struct kennel_socket *s, const struct kennel_message *m)
{
	if (m->len > 0 && m->data[0] == '*')
		fan(s, m);
	else
		whisper(s, m);
}

static ssize_t
raw(struct kennel_socket *s, const char *data, size_t len)
{
	uint32_t	 n;

	if (len < sizeof(n))
		return (0);
	memcpy(&n, data, sizeof(n));
	if (len - sizeof(n) < n)
		return (0);
	kennel_send(s, data, sizeof(n) + n, 0);
	return ((ssize_t)(sizeof(n) + n));
}

int
main(int argc, char **argv)
{
	static const struct kennel_app	 apps[] = {
		{ .name = "echo", .receive = receive, .onmessage = echo,
		  .moves = 1 },
		{ .name = "fan", .receive = receive, .onmessage = fan,
		  .moves = 1 },
		{ .name = "whisper", .receive = receive, .onmessage = whisper,
		  .moves = 1 },
		{ .name = "crowd", .receive = receive, .onmessage = crowd,
		  .moves = 1 },
		{ .name = "raw", .ondata = raw, .moves = 1 },
	};

	return (kennel_worker_main(argc, argv, apps,
	    sizeof(apps) / sizeof(apps[0])));
}
