/*
 * bodies: a worker for the tests that takes bodies in every way.  The last part of
 * the path says how:
 *
 *	whole	answers "<length> <FNV-1a of it>" of kennel_request_body()
 *	fd	the same, by kennel_request_body_fd()
 *	both	the same, mapped first, then read
 *	stream	the same, of a body that comes in pieces, and "<pieces>"
 *	slow	the same, and pauses for 20 ms after each piece
 *	held	pauses in onhead until GET .../go
 *	large	allows 8 MiB; small: 10 bytes; any: any number
 *	refuse	answers 401 in onhead
 *	amid	answers 403 in onbody
 *	late	answers when GET .../go says so
 *	never	is not answered before the process ends
 *	become	kennel_stream() in onhead, which is an error
 *
 * GET .../log answers what onabort has heard, "<data> <received>," for each.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kennel.h>

#define WAITING	64

struct taken {
	uint64_t		 len, hash;
	unsigned		 pieces;
	int			 slow, refuse;
	struct kennel_request	*q;
	struct kennel_timer	*timer;
};

static char			 heard[4096];
static struct kennel_request	*held[WAITING], *late[WAITING],
			*never[WAITING];

static void
add(struct kennel_request **list, struct kennel_request *q)
{
	for (size_t i = 0; i < WAITING; i++)
		if (list[i] == NULL) {
			list[i] = q;
			return;
		}
}

static void
drop(struct kennel_request **list, const struct kennel_request *q)
{
	for (size_t i = 0; i < WAITING; i++)
		if (list[i] == q)
			list[i] = NULL;
}

static const char *
last(struct kennel_request *q)
{
	return (strrchr(kennel_request_path(q), '/') + 1);
}

static void
mix(struct taken *t, const char *data, size_t len)
{
	t->len += len;
	for (size_t i = 0; i < len; i++)
		t->hash = (t->hash ^ (unsigned char)data[i]) *
		    UINT64_C(1099511628211);
}

static void
init(struct taken *t)
{
	memset(t, 0, sizeof(*t));
	t->hash = UINT64_C(14695981039346656037);
}

static void
answer(struct kennel_request *q, const struct taken *t)
{
	char	 text[80];
	int	 n;

	n = snprintf(text, sizeof(text), "%" PRIu64 " %016" PRIx64, t->len,
	    t->hash);
	if (t->pieces > 0)
		n += snprintf(text + n, sizeof(text) - (size_t)n, " %u",
		    t->pieces);
	kennel_respond(q, 200, "text/plain", text, (size_t)n);
}

static void
again(void *arg)
{
	struct taken	*t = arg;

	kennel_timer_free(t->timer);
	t->timer = NULL;
	kennel_request_resume(t->q);
}

static void
onhead(struct kennel_request *q)
{
	const char	*how = last(q);
	struct taken	*t;

	if (strcmp(how, "refuse") == 0) {
		kennel_header(q, "WWW-Authenticate", "Basic");
		kennel_respond(q, 401, NULL, NULL, 0);
		return;
	}
	if (strcmp(how, "become") == 0) {
		kennel_stream(q, 200, NULL);
		return;
	}
	if (strcmp(how, "held") == 0) {
		kennel_request_pause(q);
		add(held, q);
	} else if (strcmp(how, "large") == 0)
		kennel_request_max(q, 8 << 20);
	else if (strcmp(how, "small") == 0)
		kennel_request_max(q, 10);
	else if (strcmp(how, "any") == 0 || strcmp(how, "stream") == 0)
		kennel_request_max(q, 0);
	if (strcmp(how, "stream") != 0 && strcmp(how, "slow") != 0 &&
	    strcmp(how, "amid") != 0)
		return;
	t = malloc(sizeof(*t));
	init(t);
	t->q = q;
	t->slow = strcmp(how, "slow") == 0;
	t->refuse = strcmp(how, "amid") == 0;
	kennel_request_attach(q, t);
	kennel_request_stream(q);
}

static void
onbody(struct kennel_request *q, const char *data, size_t len)
{
	struct taken	*t = kennel_request_attached(q);

	t->pieces++;
	mix(t, data, len);
	if (t->refuse && t->len > 100) {
		free(t);
		kennel_respond(q, 403, NULL, NULL, 0);
	} else if (t->slow) {
		kennel_request_pause(q);
		t->timer = kennel_timer_new(20, 0, again, t);
	}
}

static void
onabort(struct kennel_request *q)
{
	struct taken	*t = kennel_request_attached(q);
	size_t		 n = strlen(heard);

	snprintf(heard + n, sizeof(heard) - n, "%s %s,", last(q),
	    t != NULL ? "taken" : "no");
	drop(held, q);
	if (t != NULL && t->timer != NULL)
		kennel_timer_free(t->timer);
	free(t);
	kennel_request_attach(q, NULL);
}

static void
go(void)
{
	struct kennel_request	*q;

	for (size_t i = 0; i < WAITING; i++) {
		if ((q = held[i]) != NULL) {
			held[i] = NULL;
			kennel_request_resume(q);
		}
		if ((q = late[i]) != NULL) {
			late[i] = NULL;
			kennel_respond(q, 200, "text/plain", "late", 4);
		}
	}
}

/* By its descriptor. */
static void
read_all(struct kennel_request *q, struct taken *t)
{
	char		 buf[10000];
	uint64_t	 len = 0;
	ssize_t		 n;
	int		 fd = kennel_request_body_fd(q, &len);

	while (fd != -1 && (n = read(fd, buf, sizeof(buf))) > 0)
		mix(t, buf, (size_t)n);
	if (t->len != len)
		t->hash = 0;
}

static void
receive(struct kennel_request *q)
{
	const char	*how = last(q), *body;
	struct taken	*t = kennel_request_attached(q), here, again_;
	size_t		 len;

	if (strcmp(how, "log") == 0)
		kennel_respond(q, 200, "text/plain", heard, strlen(heard));
	else if (strcmp(how, "go") == 0) {
		go();
		kennel_respond(q, 200, NULL, NULL, 0);
	} else if (strcmp(how, "late") == 0)
		add(late, q);
	else if (strcmp(how, "never") == 0)
		add(never, q);
	else if (t != NULL) {
		answer(q, t);
		free(t);
	} else {
		init(&here);
		if (strcmp(how, "fd") != 0) {
			body = kennel_request_body(q, &len);
			mix(&here, body, len);
		} else
			read_all(q, &here);
		if (strcmp(how, "both") == 0) {
			init(&again_);
			read_all(q, &again_);
			if (again_.hash != here.hash)
				here.hash = 1;
		}
		answer(q, &here);
	}
}

static void
onexit(const struct kennel_app *app)
{
	(void)app;
	for (size_t i = 0; i < WAITING; i++)
		kennel_respond(never[i], 503, NULL, NULL, 0);
}

int
main(int argc, char **argv)
{
	static const struct kennel_app	 app = {
		.name = "bodies", .receive = receive, .onhead = onhead,
		.onbody = onbody, .onabort = onabort, .onexit = onexit,
	};

	return (kennel_worker_main(argc, argv, &app, 1));
}
