/*
 * events: a server for clients of fast-tcp, as its JavaScript original is used.
 *
 *	hello NAME	answered "hello NAME"; all others hear "came", NAME
 *	late MS		answered so much later
 *	twice		answered twice by mistake: the second one is not sent
 *	image		a stream; answered at its end with how many bytes it had
 *	slowly		a stream, read a little at a time
 *	refused		a stream that is not opened
 *	fetch N		a stream "image" of N bytes to this client, which answers it
 *	film N		a stream "film" of N bytes to the room "cinema", all but this client
 *	put ID ROOM	that client enters the room; out ID ROOM; away ID
 *	to R,S|I,J|E,F EVENT	EVENT to rooms R and S, ids I and J, without E and F
 *	values		one of each type
 *	ask		is asked "question" in turn; its answer comes back as "answered"
 *	inquire ID MS X	the client ID, wherever it is, is asked "question" X; answered with its
 *			answer, or "no: " and why there is none
 *	what X		any other name: "other", its name
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kennel-events.h>

/* Words of a message, cut at blanks: at most n. */
static int
words(const struct events_message *m, char *copy, size_t size, char **w, int n)
{
	int	 i = 0;

	snprintf(copy, size, "%.*s", (int)m->value.len, m->value.data);
	for (w[i] = strtok(copy, " "); w[i] != NULL && i < n - 1; )
		w[++i] = strtok(NULL, " ");
	return (w[i] == NULL ? i : i + 1);
}

static void
hello(struct events_socket *s, const struct events_message *m, void *arg)
{
	const char		*me[] = { events_socket_id(s), NULL };
	struct events_to	 others = { NULL, NULL, me };
	char			 text[256];

	(void)arg;
	snprintf(text, sizeof(text), "hello %.*s", (int)m->value.len,
	    m->value.data);
	events_answer(m->ack, events_string(text));
	events_emit(events_socket_server(s), "came", m->value, &others);
}

struct late {
	struct events_ack *ack;
	struct kennel_timer *timer;
};

static void
late_cb(void *arg)
{
	struct late	*l = arg;

	events_answer(l->ack, events_integer(42));
	kennel_timer_free(l->timer);
	free(l);
}

static void
late(struct events_socket *s, const struct events_message *m, void *arg)
{
	struct late	*l = malloc(sizeof(*l));

	(void)s, (void)arg;
	if (l == NULL)
		abort();
	l->ack = events_ack_keep(m->ack);
	l->timer = kennel_timer_new((unsigned)m->value.u.integer, 0, late_cb,
	    l);
}

static void
twice(struct events_socket *s, const struct events_message *m, void *arg)
{
	(void)s, (void)arg;
	events_answer(m->ack, events_decimal(0.5));
	events_answer(m->ack, events_boolean(1));
	/* Not what six bytes can hold. */
	if (events_socket_emit(s, "x", events_integer((int64_t)1 << 47), NULL,
	    NULL) != -1 || errno != ERANGE)
		abort();
	if (events_join(events_socket_server(s), "a", "b,c") != -1 ||
	    errno != EINVAL)
		abort();
}

/* ---- streams that clients send ---- */

struct image {
	struct events_ack *ack;
	struct kennel_timer *timer;
	size_t		 bytes;
	int		 slowly;
};

static int
image_open(struct events_incoming *in, const struct events_message *m,
    void *arg)
{
	struct image	*i = calloc(1, sizeof(*i));

	if (i == NULL || m->name_len == 0)
		abort();
	i->ack = events_ack_keep(m->ack);
	i->slowly = arg != NULL;
	events_incoming_set_data(in, i);
	return (0);
}

static void
image_on_cb(void *arg)
{
	struct image	*i = events_incoming_data(arg);

	kennel_timer_free(i->timer);
	i->timer = NULL;
	events_incoming_resume(arg);
}

static void
image_data(struct events_incoming *in, const char *data, size_t len)
{
	struct image	*i = events_incoming_data(in);

	(void)data;
	i->bytes += len;
	if (!i->slowly || i->timer != NULL)
		return;
	events_incoming_pause(in);
	i->timer = kennel_timer_new(2, 0, image_on_cb, in);
}

static void
image_end(struct events_incoming *in, int cut)
{
	struct image		*i = events_incoming_data(in);
	struct events_socket	*s = events_incoming_socket(in);

	if (i->timer != NULL)
		kennel_timer_free(i->timer);
	if (cut)
		kennel_log("events id=%s image cut", events_socket_id(s));
	events_answer(i->ack, events_integer((int64_t)i->bytes));
	free(i);
}

static int
image_refuse(struct events_incoming *in, const struct events_message *m,
    void *arg)
{
	(void)in, (void)m, (void)arg;
	return (-1);
}

static const struct events_stream_ops	 image = { image_open, image_data,
					    image_end };
static const struct events_stream_ops	 refused = { image_refuse, NULL, NULL };

/* ---- streams to clients ---- */

struct film {
	size_t	 left;
};

/* Write until it is enough for now. */
static void
film_go_on(struct events_outgoing *o)
{
	static char	 chunk[65536];
	struct film	*f = events_stream_arg(o);
	size_t		 n;

	while (f->left > 0) {
		n = f->left < sizeof(chunk) ? f->left : sizeof(chunk);
		memset(chunk, (int)(f->left % 251), n);
		f->left -= n;
		if (events_stream_write(o, chunk, n) != 0 && f->left > 0)
			return;
	}
	events_stream_close(o);
}

static void
film_end(struct events_outgoing *o)
{
	free(events_stream_arg(o));
}

static void
film_answer(struct events_outgoing *o, const struct events_value *v)
{
	(void)o;
	kennel_log("events film answered %.*s", v == NULL ? 4 : (int)v->len,
	    v == NULL ? "gone" : v->data);
}

static const struct events_outgoing_ops	 film_ops = { film_go_on, NULL, film_end };
static const struct events_outgoing_ops	 fetch_ops = { film_go_on, film_answer,
					    film_end };

static void
film(struct events_socket *s, const struct events_message *m, void *arg)
{
	const char		*rooms[] = { "cinema", NULL };
	const char		*me[] = { events_socket_id(s), NULL };
	struct events_to	 to = { rooms, NULL, me };
	struct film		*f = malloc(sizeof(*f));
	struct events_outgoing	*o;

	if (f == NULL)
		abort();
	f->left = (size_t)m->value.u.integer;
	o = arg != NULL ? events_socket_stream(s, "image", m->value, &fetch_ops,
	    f) : events_stream(events_socket_server(s), "film", m->value, &to,
	    &film_ops, f);
	if (o == NULL)
		abort();
	film_go_on(o);
}

/* ---- rooms and targets ---- */

static void
room(struct events_socket *s, const struct events_message *m, void *arg)
{
	struct events_server	*v = events_socket_server(s);
	char			 copy[512], *w[3] = { NULL };
	int			 n = words(m, copy, sizeof(copy), w, 3);

	if (strcmp(arg, "put") == 0 && n == 2)
		events_join(v, w[0], w[1]);
	else if (strcmp(arg, "out") == 0 && n == 2)
		events_leave(v, w[0], w[1]);
	else if (n == 1)
		events_leave_all(v, w[0]);
	events_answer(m->ack, events_empty());
}

/* A list, cut at commas. */
static const char *const *
list(char *text, const char **at, size_t n)
{
	size_t	 i = 0;
	char	*next;

	if (*text == '\0')
		return (NULL);
	for (; text != NULL && i < n - 1; text = next) {
		if ((next = strchr(text, ',')) != NULL)
			*next++ = '\0';
		at[i++] = text;
	}
	at[i] = NULL;
	return (at);
}

static void
to(struct events_socket *s, const struct events_message *m, void *arg)
{
	const char		*rooms[8], *ids[8], *except[8];
	char			 copy[512], *w[3] = { NULL }, *bar, *second;
	struct events_to	 t;

	(void)arg;
	if (words(m, copy, sizeof(copy), w, 3) != 2 ||
	    (bar = strchr(w[0], '|')) == NULL ||
	    (second = strchr(bar + 1, '|')) == NULL)
		return;
	*bar = *second = '\0';
	t.rooms = list(w[0], rooms, 8);
	t.sockets = list(bar + 1, ids, 8);
	t.except = list(second + 1, except, 8);
	if (events_emit(events_socket_server(s), w[1], events_string("to"),
	    &t) == -1)
		abort();
}

/* ---- values, questions ---- */

/* An object of the program's is a number; on the wire it is {"n":1}. */
static int
object_write(void *obj, char **data, size_t *len, void *arg)
{
	(void)arg;
	if ((*data = malloc(64)) == NULL)
		return (-1);
	*len = (size_t)snprintf(*data, 64, "{\"n\":%d}", *(int *)obj);
	return (0);
}

static void *
object_read(const char *data, size_t len, void *arg)
{
	char	 text[64];
	int	*n;

	(void)arg;
	snprintf(text, sizeof(text), "%.*s", (int)len, data);
	if ((n = malloc(sizeof(*n))) == NULL || sscanf(text, "{\"n\":%d}", n) != 1) {
		free(n);
		return (NULL);
	}
	return (n);
}

static void
object_end(void *obj, void *arg)
{
	(void)arg;
	free(obj);
}

static const struct events_serializer	 json = { object_write, object_read,
					    object_end, NULL };

static void
values(struct events_socket *s, const struct events_message *m, void *arg)
{
	struct events_value	 obj = events_object(NULL, 0);
	int			 n = 7;

	(void)m, (void)arg;
	if (m->value.type == EVENTS_OBJECT && m->value.u.object != NULL)
		n = *(int *)m->value.u.object;
	obj.u.object = &n;
	events_socket_emit(s, "v", events_string("é"), NULL, NULL);
	events_socket_emit(s, "v", events_binary("\0\377", 2), NULL, NULL);
	events_socket_emit(s, "v", events_integer(-5), NULL, NULL);
	events_socket_emit(s, "v", events_decimal(-0.25), NULL, NULL);
	events_socket_emit(s, "v", obj, NULL, NULL);
	events_socket_emit(s, "v", events_boolean(1), NULL, NULL);
	events_socket_emit(s, "v", events_empty(), NULL, NULL);
}

static void
answered(struct events_server *v, const struct events_value *answer, void *arg)
{
	const char		*ids[] = { arg, NULL };
	struct events_to	 t = { NULL, ids, NULL };

	if (answer == NULL)
		kennel_log("events id=%s gone without an answer", (char *)arg);
	else
		events_emit(v, "answered", *answer, &t);
	free(arg);
}

static void
ask(struct events_socket *s, const struct events_message *m, void *arg)
{
	char	*id = malloc(strlen(events_socket_id(s)) + 1);

	(void)m, (void)arg;
	if (id == NULL)
		abort();
	strcpy(id, events_socket_id(s));
	events_socket_emit(s, "question", events_string("?"), answered, id);
}

/* What a client ID has said, to whoever wanted to know. */
static void
inquired(struct events_server *v, const struct events_value *answer, void *arg)
{
	char	 text[128];

	(void)v;
	if (answer == NULL) {
		snprintf(text, sizeof(text), "no: %s", strerror(errno));
		events_answer(arg, events_string(text));
	} else
		events_answer(arg, *answer);
}

static void
inquire(struct events_socket *s, const struct events_message *m, void *arg)
{
	char			 copy[512], *w[4] = { NULL };
	int			 n = words(m, copy, sizeof(copy), w, 4);
	struct events_ack	*ack = events_ack_keep(m->ack);

	(void)arg;
	if (n != 3)
		abort();
	if (events_ask(events_socket_server(s), w[0], "question",
	    events_string(w[2]), (unsigned)atoi(w[1]), inquired, ack) == -1)
		inquired(events_socket_server(s), NULL, ack);
}

static void
other(struct events_socket *s, const struct events_message *m, void *arg)
{
	(void)s, (void)arg;
	events_answer(m->ack, events_string(m->name));
}

/* ---- who comes and goes ---- */

/* A room has more members, or less: it is told to the room "watch". */
static void
members(struct events_server *v, const char *room, size_t len, uint64_t n,
    int registered, void *arg)
{
	static const char *const	 rooms[] = { "watch", NULL };
	const struct events_to		 to = { .rooms = rooms };
	char				 text[256];

	(void)arg;
	snprintf(text, sizeof(text), "%c%.*s %llu", registered ? '+' : '-',
	    (int)len, room, (unsigned long long)n);
	events_emit(v, "members", events_string(text), &to);
}

static void
connected(struct events_socket *s, void *arg)
{
	(void)arg;
	events_socket_set_data(s, s);
	if (events_count(events_socket_server(s)) == 0 ||
	    kennel_socket_raw(events_socket_kennel(s)) == 0)
		abort();
	events_socket_join(s, "everybody");
	events_socket_emit(s, "welcome", events_string(events_socket_id(s)),
	    NULL, NULL);
}

static void
disconnected(struct events_socket *s, void *arg)
{
	const char		*rooms[] = { "everybody", NULL };
	struct events_to	 t = { rooms, NULL, NULL };

	(void)arg;
	if (events_socket_data(s) != s)
		abort();
	events_emit(events_socket_server(s), "gone",
	    events_string(events_socket_id(s)), &t);
}

int
main(int argc, char **argv)
{
	static char	 put[] = "put", out[] = "out", away[] = "away", yes[] = "y";
	struct events	*e = events_new("hello");
	struct kennel_app app;

	if (e == NULL)
		return (1);
	events_set_serializer(e, &json);
	events_on_connection(e, connected, NULL);
	events_on_disconnection(e, disconnected, NULL);
	events_on_room(e, members, NULL);
	events_on(e, "hello", hello, NULL);
	events_on(e, "late", late, NULL);
	events_on(e, "twice", twice, NULL);
	events_on(e, "put", room, put);
	events_on(e, "out", room, out);
	events_on(e, "away", room, away);
	events_on(e, "to", to, NULL);
	events_on(e, "values", values, NULL);
	events_on(e, "ask", ask, NULL);
	events_on(e, "inquire", inquire, NULL);
	events_on(e, "film", film, NULL);
	events_on(e, "fetch", film, yes);
	events_on(e, NULL, other, NULL);
	events_on_stream(e, "image", &image, NULL);
	events_on_stream(e, "slowly", &image, yes);
	events_on_stream(e, "refused", &refused, NULL);
	app = events_app(e);
	return (kennel_worker_main(argc, argv, &app, 1));
}
