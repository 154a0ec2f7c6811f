/*
 * probe: a worker for the tests.  A text message is a command, first word first:
 *
 *	who			{"pid":..,"replica":..,"neighbours":..,"count":..}
 *	mode WORD		how this replica answers gossip, see below
 *	tell HOW N		N words to neighbours, in three ways by turns: see below
 *	ask MS			gossip; a message a slot, then "end N"
 *	askdie MS		gossip, and close the socket in the same breath
 *	burst N UID		N messages, by emit, broadcast and whisper in turn
 *	close CODE REASON	kennel_close
 *	big N			kennel_send of N bytes
 *	bad			kennel_send of text that is not UTF-8
 *	tick MS N		N messages, one each MS
 *	keep NAME		kennel_socket_header
 *	option KEY		kennel_option
 *	exit, hang		this process does
 *
 * Each callback writes a line to the log.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kennel.h>

struct place {				/* a replica's data */
	char			 mode[16];
	unsigned		 opened;
};

struct later {
	struct kennel_answer	*answer;
	struct kennel_request	*request;
	struct kennel_timer	*timer;
};

struct tick {
	struct kennel_socket	*socket;
	struct kennel_timer	*timer;
	unsigned		 left;
};

static void
say(struct kennel_socket *s, const char *text)
{
	kennel_send(s, text, strlen(text), 0);
}

/* ---- replicas ---- */

static int
onstart(struct kennel_replica *r)
{
	struct place	*p;
	size_t		 len;
	const char	*group = kennel_replica_group(r, &len);

	kennel_log("probe start group=%s", group);
	if (len == 7 && memcmp(group, "refused", len) == 0)
		return (-1);
	if ((p = calloc(1, sizeof(*p))) == NULL)
		return (-1);
	strcpy(p->mode, "ok");
	kennel_replica_set_data(r, p);
	return (0);
}

static void
onstop(struct kennel_replica *r)
{
	struct place	*p = kennel_replica_data(r);
	size_t		 len;

	kennel_log("probe stop group=%s opened=%u",
	    kennel_replica_group(r, &len), p->opened);
	free(p);
}

/* ---- telling ---- */

/* N words to all neighbours: told, broadcast, whispered to "b".  how: "all" or "one",
 * whom is told; or "none", a neighbour that there is not. */
static void
tell(struct kennel_socket *s, const char *how, unsigned n)
{
	struct kennel_replica	*r = kennel_socket_replica(s);
	uint64_t		 to = 0;
	char			 text[64];
	int			 len;

	if (strcmp(how, "one") == 0)
		to = kennel_replica_neighbour(r, 0);
	for (unsigned i = 0; i < n; i++) {
		len = snprintf(text, sizeof(text), "%u", i);
		if (strcmp(how, "none") == 0)
			snprintf(text, sizeof(text), "%s", kennel_tell(s, 1,
			    "h", 1, "d", 1) == -1 && errno == ENOENT &&
			    kennel_replica_tell(r, 1, "h", 1, "d", 1) == -1 &&
			    errno == ENOENT ? "ENOENT" : "?");
		else if (i % 4 == 0)
			kennel_tell(s, to, "tell ", 5, text, (size_t)len);
		else if (i % 4 == 1)
			kennel_broadcast(s, text, (size_t)len, 0, NULL, NULL);
		else if (i % 4 == 2)
			kennel_whisper(s, "b", 1, text, (size_t)len, 0, NULL,
			    NULL);
		else
			kennel_replica_tell(r, to, "tell ", 5, text,
			    (size_t)len);
	}
	if (strcmp(how, "none") == 0)
		kennel_send(s, text, strlen(text), 0);
}

/* A word came: all clients here get it. */
static void
ontell(struct kennel_replica *r, uint64_t neighbour,
    const struct kennel_word *w)
{
	char	 text[128];

	if (kennel_replica_neighbour(r, 0) == 0 || neighbour == 0 ||
	    kennel_replica_app(r) == NULL)
		abort();
	snprintf(text, sizeof(text), "%.*s%.*s", (int)w->head_len, w->head,
	    (int)w->len, w->data);
	kennel_replica_emit(r, text, strlen(text), 0);
}

/* ---- gossip ---- */

static void
later_answer_cb(void *arg)
{
	struct later	*l = arg;

	kennel_answer(l->answer, "late", 4);
	kennel_timer_free(l->timer);
	free(l);
}

static void
ongossip(struct kennel_replica *r, struct kennel_answer *a, const char *msg,
    size_t len)
{
	struct place	*p = kennel_replica_data(r);
	static char	 big[512 << 10];
	struct later	*l;
	char		 text[256];

	if (strcmp(p->mode, "ok") == 0) {
		snprintf(text, sizeof(text), "%d:%.*s", (int)getpid(), (int)len,
		    msg);
		kennel_answer(a, text, strlen(text));
	} else if (strcmp(p->mode, "fail") == 0)
		kennel_answer_error(a, "I fail");
	else if (strcmp(p->mode, "null") == 0)
		kennel_answer(a, "null", 4);
	else if (strcmp(p->mode, "empty") == 0)
		kennel_answer(a, "", 0);
	else if (strcmp(p->mode, "big") == 0) {
		memset(big, 'b', sizeof(big));
		kennel_answer(a, big, sizeof(big));
	} else if (strcmp(p->mode, "late") == 0) {
		if ((l = calloc(1, sizeof(*l))) == NULL)
			abort();
		l->answer = a;
		l->timer = kennel_timer_new(300, 0, later_answer_cb, l);
	} else if (strcmp(p->mode, "die") == 0)
		_exit(7);
	/* "silent": never. */
}

static void
ask_cb(struct kennel_socket *s, const struct kennel_slot *slots, size_t n,
    void *arg)
{
	char	 text[512];

	(void)arg;
	for (size_t i = 0; i < n; i++) {
		if (slots[i].data != NULL)
			snprintf(text, sizeof(text), "value %.*s",
			    (int)slots[i].len, slots[i].data);
		else
			snprintf(text, sizeof(text), "error %s", slots[i].error);
		say(s, text);
	}
	snprintf(text, sizeof(text), "end %zu", n);
	say(s, text);
	kennel_log("probe asked n=%zu", n);
}

static void
replica_ask_cb(struct kennel_replica *r, const struct kennel_slot *slots,
    size_t n, void *arg)
{
	char	 text[4096];
	size_t	 len = 0;

	(void)r;
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\n",
		    slots[i].data != NULL ? "value" : slots[i].error);
	len += (size_t)snprintf(text + len, sizeof(text) - len, "end %zu\n", n);
	kennel_respond(arg, 200, "text/plain", text, len);
}

/* ---- commands ---- */

static void
burst_done_cb(struct kennel_socket *s, int err, void *arg)
{
	char	 text[64];

	(void)arg;
	snprintf(text, sizeof(text), "done %d", err);
	say(s, text);
}

static void
burst(struct kennel_socket *s, unsigned n, const char *uid)
{
	char	 text[32];
	size_t	 len;

	for (unsigned i = 0; i < n; i++) {
		len = (size_t)snprintf(text, sizeof(text), "%u", i);
		if (i % 3 == 0)
			kennel_broadcast(s, text, len, 0, NULL, NULL);
		else if (i % 3 == 1)
			kennel_whisper(s, uid, strlen(uid), text, len, 0, NULL,
			    NULL);
		else
			kennel_emit(s, text, len, 0);
	}
	kennel_broadcast(s, "burst", 5, 0, burst_done_cb, NULL);
}

static void
tick_cb(void *arg)
{
	struct tick	*t = arg;

	say(t->socket, "tick");
	if (--t->left == 0) {
		kennel_timer_free(t->timer);
		free(t);
	}
}

static void
tick(struct kennel_socket *s, unsigned ms, unsigned n)
{
	struct tick	*t = calloc(1, sizeof(*t));

	if (t == NULL)
		abort();
	t->socket = s;
	t->left = n;
	t->timer = kennel_timer_new(ms, 1, tick_cb, t);
}

static void
send_big(struct kennel_socket *s, size_t n)
{
	char	*p = malloc(n + 1);
	char	 text[64];
	int	 err;

	if (p == NULL)
		abort();
	memset(p, 'x', n);
	err = kennel_send(s, p, n, KENNEL_BINARY) == -1 ? errno : 0;
	free(p);
	kennel_log("probe big err=%d", err);
	snprintf(text, sizeof(text), "big %d", err);
	say(s, text);
}

static void
who(struct kennel_socket *s)
{
	struct kennel_replica	*r = kennel_socket_replica(s);
	char			 text[512];

	if (r == NULL)
		snprintf(text, sizeof(text), "{\"pid\":%d,\"replica\":null}",
		    (int)getpid());
	else
		snprintf(text, sizeof(text), "{\"pid\":%d,\"replica\":\"%" PRIu64
		    "\",\"neighbours\":%zu,\"count\":%zu,\"peer\":\"%s\","
		    "\"address\":\"%s\",\"node\":\"%s\",\"slot\":%u,"
		    "\"id\":\"%" PRIx64 "\"}", (int)getpid(),
		    kennel_replica_id(r), kennel_replica_neighbours(r),
		    kennel_replica_count(r), kennel_socket_peer(s),
		    kennel_address(), kennel_node(), kennel_slot(),
		    kennel_socket_id(s));
	say(s, text);
}

static void
onmessage(struct kennel_socket *s, const struct kennel_message *m)
{
	struct place	*p;
	char		 line[1024], word[16] = "", arg[256] = "";
	const char	*value;
	unsigned	 a = 0, b = 0;

	kennel_log("probe message id=%" PRIx64, kennel_socket_id(s));
	if (m->binary || m->len >= sizeof(line)) {
		kennel_send(s, m->data, m->len, m->binary ? KENNEL_BINARY : 0);
		return;
	}
	memcpy(line, m->data, m->len);
	line[m->len] = '\0';
	sscanf(line, "%15s %255[^\n]", word, arg);
	sscanf(arg, "%u %u", &a, &b);
	if (strcmp(word, "who") == 0)
		who(s);
	else if (strcmp(word, "mode") == 0) {
		p = kennel_replica_data(kennel_socket_replica(s));
		snprintf(p->mode, sizeof(p->mode), "%.15s", arg);
		say(s, "ok");
	} else if (strcmp(word, "ask") == 0)
		kennel_gossip(s, "who?", 4, a, ask_cb, NULL);
	else if (strcmp(word, "tell") == 0) {
		if ((value = strchr(arg, ' ')) != NULL) {
			arg[value - arg] = '\0';
			tell(s, arg, (unsigned)atoi(value + 1));
		}
	} else if (strcmp(word, "askdie") == 0) {
		kennel_gossip(s, "who?", 4, a, ask_cb, NULL);
		kennel_close(s, 4000, "asked");
	} else if (strcmp(word, "burst") == 0)
		burst(s, a, strchr(arg, ' ') + 1);
	else if (strcmp(word, "close") == 0) {
		value = strchr(arg, ' ');
		kennel_close(s, (int)a, value == NULL ? NULL : value + 1);
	} else if (strcmp(word, "big") == 0)
		send_big(s, a);
	else if (strcmp(word, "bad") == 0)
		kennel_send(s, "\xff", 1, 0);
	else if (strcmp(word, "tick") == 0)
		tick(s, a, b);
	else if (strcmp(word, "keep") == 0) {
		value = kennel_socket_header(s, arg);
		say(s, value == NULL ? "(none)" : value);
	} else if (strcmp(word, "option") == 0) {
		value = kennel_option(arg);
		say(s, value == NULL ? "(none)" : value);
	} else if (strcmp(word, "exit") == 0)
		_exit(7);
	else if (strcmp(word, "hang") == 0)
		for (;;)
			pause();
	else
		say(s, line);
}

/* ---- life of a socket ---- */

static int
onopen(struct kennel_socket *s)
{
	struct kennel_replica	*r = kennel_socket_replica(s);
	size_t			 len;
	const char		*uid = kennel_socket_uid(s, &len);

	kennel_log("probe open id=%" PRIx64, kennel_socket_id(s));
	if (len == 7 && memcmp(uid, "refused", 7) == 0)
		return (-1);
	if (r != NULL)
		((struct place *)kennel_replica_data(r))->opened++;
	say(s, "opened");
	kennel_socket_set_data(s, s);
	return (0);
}

static void
ended(struct kennel_socket *s, const struct kennel_close *c, const char *how)
{
	if (kennel_socket_data(s) != s)
		abort();
	kennel_log("probe %s id=%" PRIx64 " code=%d label=%s last=%d unsure=%d",
	    how, kennel_socket_id(s), c->code, c->label, c->last,
	    c->unsure);
}

static void
onclose(struct kennel_socket *s, const struct kennel_close *c)
{
	ended(s, c, "close");
}

static void
onerror(struct kennel_socket *s, const struct kennel_close *c)
{
	ended(s, c, "error");
}

/* ---- HTTP ---- */

static void
later_respond_cb(void *arg)
{
	struct later	*l = arg;

	kennel_respond(l->request, 200, "text/plain", "later", 5);
	kennel_timer_free(l->timer);
	free(l);
}

static void
receive(struct kennel_request *q)
{
	const char	*path = kennel_request_path(q), *body, *v;
	struct later	*l;
	size_t		 len;
	char		 text[2048];

	path = strrchr(path, '/');
	if (strcmp(path, "/ws") == 0) {
		kennel_header(q, "X-Probe", "here");
		kennel_connect(q);
	} else if (strcmp(path, "/later") == 0) {
		if ((l = calloc(1, sizeof(*l))) == NULL)
			abort();
		l->request = q;
		v = kennel_request_query(q, "ms", NULL);
		l->timer = kennel_timer_new(v == NULL ? 100 :
		    (unsigned)atoi(v), 0, later_respond_cb, l);
	} else if (strcmp(path, "/ask") == 0)
		kennel_replica_gossip(kennel_request_replica(q), "who?", 4, 300,
		    replica_ask_cb, q);
	else if (strcmp(path, "/204") == 0)
		kennel_respond(q, 204, NULL, NULL, 0);
	else if (strcmp(path, "/exit") == 0)
		_exit(7);
	else if (strcmp(path, "/header") == 0) {
		snprintf(text, sizeof(text), "%d %d %d",
		    kennel_header(q, "X-Good", "yes"),
		    kennel_header(q, "X Bad", "no"),
		    kennel_header(q, "X-Bad", "a\r\nX-Split: b"));
		kennel_respond(q, 200, "text/plain", text, strlen(text));
	} else {
		body = kennel_request_body(q, &len);
		v = kennel_request_query(q, "q", NULL);
		snprintf(text, sizeof(text), "%s %s q=%s uid=%s body=%.*s",
		    kennel_request_method(q), kennel_request_path(q),
		    v == NULL ? "(none)" : v, kennel_request_uid(q, NULL),
		    (int)len, body == NULL ? "" : body);
		kennel_respond(q, 200, "text/plain", text, strlen(text));
	}
}

int
main(int argc, char **argv)
{
	struct kennel_app	 app = {
		.onstart = onstart, .onstop = onstop, .receive = receive,
		.onopen = onopen, .onmessage = onmessage, .onclose = onclose,
		.onerror = onerror, .ongossip = ongossip, .ontell = ontell,
	};

	if (getenv("PROBE_NO_ONERROR") != NULL)
		app.onerror = NULL;
	if (getenv("PROBE_NO_ONGOSSIP") != NULL)
		app.ongossip = NULL;
	return (kennel_worker_main(argc, argv, &app, 1));
}
