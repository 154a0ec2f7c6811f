/*
 * streams: a worker for the tests whose clients are WebSockets (/ws), streams
 * (/stream, of bytes) and events (/events).  All are told "hello UID", and hear "bye
 * UID CODE LABEL LAST" of everybody who leaves.  A WebSocket's text is a command, and
 * the body of POST /say, too, from nobody:
 *
 *	all TEXT		to its group, itself included
 *	many N SIZE		N times so many bytes, to its group
 *	bin HEX			a binary message to its group
 *	one UID TEXT		whisper
 *	topic TEXT		to those who know of "t", as all streams do
 *	event ID NAME RETRY TEXT	(to events) kennel_send_event; - is NULL
 *	close UID CODE		kennel_close, reason "as told"
 *	beat TEXT		heart-beat of all streams; its errno, as "beat N"
 *
 * "\n" in a TEXT is a line's end, "\r" a carriage return.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kennel.h>

#define STREAMS	4096

static struct kennel_socket	*sockets[STREAMS];
static char			 last_id[256];

/* In place. */
static size_t
unescape(char *s)
{
	char	*to = s, *from = s;

	for (; *from != '\0'; from++)
		if (from[0] == '\\' && (from[1] == 'n' || from[1] == 'r'))
			*to++ = *++from == 'n' ? '\n' : '\r';
		else
			*to++ = *from;
	*to = '\0';
	return ((size_t)(to - s));
}

static int
is_uid(struct kennel_socket *s, const char *uid)
{
	size_t		 n;
	const char	*is = kennel_socket_uid(s, &n);

	return (n == strlen(uid) && memcmp(is, uid, n) == 0);
}

static void
event(struct kennel_replica *r, char *arg)
{
	char			*id = strtok(arg, " "), *name = strtok(NULL, " ");
	char			*retry = strtok(NULL, " ");
	char			*text = strtok(NULL, "");
	struct kennel_event	 e = { 0 };
	char			 said[32];

	if (retry == NULL)
		return;
	e.id = strcmp(id, "-") == 0 ? NULL : id;
	e.event = strcmp(name, "-") == 0 ? NULL : name;
	if (e.id != NULL)
		unescape(id);
	e.retry_ms = (unsigned)atoi(retry);
	e.data = text == NULL ? "" : text;
	e.len = text == NULL ? 0 : unescape(text);
	for (size_t i = 0; i < STREAMS; i++) {
		if (sockets[i] == NULL || kennel_socket_replica(sockets[i]) != r)
			continue;
		if (kennel_send_event(sockets[i], &e) == -1) {
			snprintf(said, sizeof(said), "event %s",
			    errno == ENOTSUP ? "ENOTSUP" : errno == EINVAL ?
			    "EINVAL" : strerror(errno));
			kennel_send(sockets[i], said, strlen(said), 0);
		}
	}
}

static void
beat(struct kennel_replica *r, char *arg)
{
	char	 said[32];
	size_t	 n = arg == NULL ? 0 : unescape(arg);

	for (size_t i = 0; i < STREAMS; i++) {
		if (sockets[i] == NULL || kennel_socket_replica(sockets[i]) != r)
			continue;
		errno = 0;
		(void)kennel_heartbeat(sockets[i], arg, n);
		snprintf(said, sizeof(said), "beat %s", errno == ENOTSUP ?
		    "ENOTSUP" : errno == 0 ? "set" : strerror(errno));
		kennel_send(sockets[i], said, strlen(said), 0);
	}
}

static void
many(struct kennel_replica *r, char *arg)
{
	int	 n = 0, size = 0;
	char	*text;

	if (sscanf(arg, "%d %d", &n, &size) != 2 ||
	    (text = malloc((size_t)size + 1)) == NULL)
		return;
	memset(text, 'm', (size_t)size);
	for (int i = 0; i < n; i++)
		kennel_replica_broadcast(r, text, (size_t)size, 0, NULL, NULL);
	free(text);
}

static void
command(struct kennel_replica *r, char *text)
{
	static const char	*topics[] = { "t", NULL };
	char			*verb = strtok(text, " ");
	char			*arg = strtok(NULL, ""), *uid;
	char			 bytes[256];
	size_t			 n = 0;

	if (verb == NULL)
		return;
	if (strcmp(verb, "all") == 0)
		kennel_replica_broadcast(r, arg == NULL ? "" : arg,
		    arg == NULL ? 0 : unescape(arg), 0, NULL, NULL);
	else if (strcmp(verb, "many") == 0 && arg != NULL)
		many(r, arg);
	else if (strcmp(verb, "bin") == 0 && arg != NULL) {
		for (; n < sizeof(bytes) && sscanf(arg + 2 * n, "%2hhx",
		    (unsigned char *)bytes + n) == 1; n++)
			;
		kennel_replica_broadcast(r, bytes, n, KENNEL_BINARY, NULL, NULL);
	} else if (strcmp(verb, "one") == 0) {
		uid = strtok(arg, " ");
		arg = strtok(NULL, "");
		kennel_replica_whisper(r, uid, strlen(uid), arg, strlen(arg), 0,
		    NULL, NULL);
	} else if (strcmp(verb, "topic") == 0)
		kennel_replica_publish(r, topics, arg, strlen(arg), 0);
	else if (strcmp(verb, "event") == 0)
		event(r, arg);
	else if (strcmp(verb, "beat") == 0)
		beat(r, arg);
	else if (strcmp(verb, "close") == 0) {
		uid = strtok(arg, " ");
		arg = strtok(NULL, "");
		for (size_t i = 0; i < STREAMS; i++)
			if (sockets[i] != NULL && is_uid(sockets[i], uid) &&
			    kennel_socket_replica(sockets[i]) == r)
				kennel_close(sockets[i], atoi(arg), "as told");
	}
}

static void
receive(struct kennel_request *q)
{
	const char	*path = kennel_request_path(q);
	const char	*end = strrchr(path, '/'), *body, *id;
	char		*text;
	size_t		 n;

	if (kennel_request_upgrades(q))
		kennel_connect(q);
	else if (strcmp(end, "/stream") == 0) {
		kennel_header(q, "X-Of", "the test");
		kennel_stream(q, 200, "text/plain");
	} else if (strcmp(end, "/odd") == 0)
		kennel_stream(q, 204, NULL);
	else if (strcmp(end, "/cached") == 0) {
		kennel_header(q, "cache-control", "max-age=1");
		kennel_stream(q, 201, NULL);
	} else if (strcmp(end, "/events") == 0) {
		id = kennel_request_header(q, "Last-Event-ID");
		snprintf(last_id, sizeof(last_id), "%s", id == NULL ? "" : id);
		kennel_events(q);
	} else if (strcmp(end, "/say") == 0) {
		body = kennel_request_body(q, &n);
		if ((text = malloc(n + 1)) != NULL) {
			memcpy(text, body, n);
			text[n] = '\0';
			command(kennel_request_replica(q), text);
			free(text);
		}
		kennel_respond(q, 200, NULL, NULL, 0);
	} else
		kennel_respond(q, 200, "text/plain", "plain\n", 6);
}

static int
onopen(struct kennel_socket *s)
{
	static const char *const kinds[] = {
		[KENNEL_WEBSOCKET] = "websocket", [KENNEL_STREAM] = "stream",
		[KENNEL_EVENTS] = "events",
	};
	enum kennel_kind	 kind = kennel_socket_kind(s);
	char			 text[600];
	int			 n;

	if (is_uid(s, "refused"))
		return (-1);
	for (size_t i = 0; i < STREAMS; i++)
		if (sockets[i] == NULL) {
			sockets[i] = s;
			break;
		}
	if (kind != KENNEL_WEBSOCKET)
		kennel_subscribe(s, "t");
	n = snprintf(text, sizeof(text), "hello %s %s%s%s",
	    kennel_socket_uid(s, NULL), kinds[kind],
	    kind == KENNEL_EVENTS && last_id[0] != '\0' ? " " : "",
	    kind == KENNEL_EVENTS ? last_id : "");
	kennel_send(s, text, (size_t)n, 0);
	if (is_uid(s, "leaves"))
		kennel_close(s, 1000, NULL);
	return (0);
}

static void
onmessage(struct kennel_socket *s, const struct kennel_message *m)
{
	char	*text;

	if ((text = malloc(m->len + 1)) == NULL)
		return;
	memcpy(text, m->data, m->len);
	text[m->len] = '\0';
	command(kennel_socket_replica(s), text);
	free(text);
}

static void
left(struct kennel_socket *s, const struct kennel_close *c, const char *how)
{
	char	 text[400];
	int	 n;

	for (size_t i = 0; i < STREAMS; i++)
		if (sockets[i] == s)
			sockets[i] = NULL;
	n = snprintf(text, sizeof(text), "bye %s %s %d %s %d",
	    kennel_socket_uid(s, NULL), how, c->code, c->label, c->last);
	kennel_log("%s", text);
	kennel_replica_broadcast(kennel_socket_replica(s), text, (size_t)n, 0,
	    NULL, NULL);
}

static void
onclose(struct kennel_socket *s, const struct kennel_close *c)
{
	left(s, c, "closed");
}

static void
onerror(struct kennel_socket *s, const struct kennel_close *c)
{
	left(s, c, "failed");
}

int
main(int argc, char **argv)
{
	static const struct kennel_app	 app = {
		.name = "streams", .receive = receive, .onopen = onopen,
		.onmessage = onmessage, .onclose = onclose, .onerror = onerror,
	};

	return (kennel_worker_main(argc, argv, &app, 1));
}
