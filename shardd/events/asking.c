/* Questions to one client by its id. */
#include <errno.h>
#include <stdlib.h>

#include "common/clock.h"
#include "shardd/events/acks.h"
#include "shardd/events/asking.h"
#include "shardd/events/inside.h"
#include "shardd/events/parcel.h"
#include "shardd/events/say.h"
#include "shardd/events/sockets.h"
#include "shardd/events/values.h"

#define ASKING_LOOK_MS	50

struct asking {
	struct map_node	 by_number;
	struct list	 at;		/* askings->under_way, or ended */
	uint64_t	 number;
	struct events_server *server;
	struct events_socket *socket;	/* that has it; NULL: it is not here */
	uint32_t	 id;		/* of its frame */
	unsigned	 host;		/* where it has gone, or 0 */
	uint64_t	*near;		/* neighbours that may answer it */
	size_t		 nnear;
	uint64_t	 deadline;	/* clock_ms */
	enum asking_why	 why;		/* it is over, without an answer */
	asking_cb	*cb;
	void		*arg;
};

static void	 asking_look_cb(void *arg);
static void	 asking_over(void *arg);

void
asking_init(struct events_server *v)
{
	v->asking.numbers = bytes_random64() >> 1;
	list_init(&v->asking.under_way);
	list_init(&v->asking.ended);
	turn_work_init(&v->asking.over, asking_over, v);
}

/* The question of that number, or NULL. */
static struct asking *
asking_find(const struct events_server *v, uint64_t number)
{
	struct map_node	*n = map_find(&v->asking.by_number, &number,
			    sizeof(number));

	return (n == NULL ? NULL : container_of(n, struct asking, by_number));
}

/* One that nobody has yet.  NULL without memory. */
static struct asking *
asking_new(struct events_server *v, unsigned ms, asking_cb *cb, void *arg)
{
	struct asking	*a;

	if (v->asking.closed || (v->asking.timer == NULL && (v->asking.timer =
	    kennel_timer_new(ASKING_LOOK_MS, 1, asking_look_cb, v)) == NULL) ||
	    (a = calloc(1, sizeof(*a))) == NULL)
		return (NULL);
	a->server = v;
	a->number = ++v->asking.numbers;
	a->deadline = clock_ms() + ms;
	a->cb = cb;
	a->arg = arg;
	if (map_insert(&v->asking.by_number, &a->by_number, &a->number,
	    sizeof(a->number)) == -1) {
		free(a);
		return (NULL);
	}
	list_push(&v->asking.under_way, &a->at);
	return (a);
}

static void
asking_free(struct asking *a)
{
	map_remove(&a->server->asking.by_number, &a->by_number);
	list_remove(&a->at);
	free(a->near);
	free(a);
}

/* Nobody answers a, for that reason: it ends soon. */
static void
asking_lose(struct asking *a, enum asking_why why)
{
	struct askings	*all = &a->server->asking;

	a->why = why;
	list_remove(&a->at);
	list_push(&all->ended, &a->at);
	turn_add(&all->over, TURN_CLIENTS);
}

/* a is over: with an answer, or without. */
static void
asking_end(struct asking *a, enum asking_why why,
    const struct fasttcp_frame *answer)
{
	struct events_server	*v = a->server;
	asking_cb		*cb = a->cb;
	void			*arg = a->arg;

	if (a->socket != NULL)
		asked_forget(a->socket, a->id);
	asking_free(a);
	cb(v, answer, why, arg);
}

void
asking_answered(struct events_server *v, uint64_t number, enum asking_why why,
    const struct fasttcp_frame *answer)
{
	struct asking	*a = asking_find(v, number);

	if (a != NULL)
		asking_end(a, why, answer);
}

/* ---- asking ---- */

/* The client says f, or (NULL) it has gone: it has the question no more. */
static void
asking_raw_cb(struct events_server *v, const struct fasttcp_frame *f,
    uint64_t number)
{
	struct asking	*a = asking_find(v, number);

	if (a == NULL)
		return;
	a->socket = NULL;
	asking_end(a, f != NULL ? ASKING_ANSWERED : ASKING_GONE, f);
}

/* a to s, which is here. */
static enum asking_why
asking_here(struct asking *a, struct events_socket *s,
    const struct fasttcp_frame *f)
{
	struct fasttcp_frame	 ask = *f;

	ask.type = FASTTCP_DATA_WITH_ACK;
	ask.id = a->id = socket_next_id(s);
	if (asked_new_raw(s, ask.id, asking_raw_cb, a->number) == -1)
		return (ASKING_FAILED);
	if (sockets_send(s, &ask) == -1) {
		asked_forget(s, ask.id);
		return (errno == EPIPE ? ASKING_GONE : ASKING_FAILED);
	}
	a->socket = s;
	return (ASKING_ANSWERED);
}

int
asking_is_far(const struct events_server *v, struct slice id)
{
	const char	*slash = id.len == 0 ? NULL : memchr(id.data, '/',
			    id.len);

	return (v->far != NULL && slash != NULL && !slice_eq(v->host,
	    slice_of(id.data, (size_t)(slash - id.data))));
}

/* a to a client of another host. */
static enum asking_why
asking_far(struct asking *a, struct slice id, unsigned ms,
    const struct fasttcp_frame *f)
{
	struct asking_way	 way = { 0 };

	if (a->server->far->ask(a->server, a->number, ms, id, f, &way) == -1)
		return (ASKING_UNREACHED);
	a->host = way.host;
	if (way.neighbour == 0)
		return (ASKING_ANSWERED);
	if ((a->near = malloc(sizeof(*a->near))) == NULL)
		return (ASKING_FAILED);
	a->near[a->nnear++] = way.neighbour;
	return (ASKING_ANSWERED);
}

/* a to all neighbours: one of them has the client. */
static enum asking_why
asking_near(struct asking *a, struct slice id, unsigned ms,
    const struct fasttcp_frame *f)
{
	const struct word	 w = { .type = WORD_ASK, .number = a->number,
				    .flags = ms, .names = id,
				    .data_type = f->data_type,
				    .event = f->event };
	struct kennel_replica	*r = a->server->replica;
	size_t			 n = 0;

	while (kennel_replica_neighbour(r, n) != 0)
		n++;
	if (n == 0)
		return (ASKING_NOBODY);
	if ((a->near = calloc(n, sizeof(*a->near))) == NULL)
		return (ASKING_FAILED);
	for (; a->nnear < n; a->nnear++)
		a->near[a->nnear] = kennel_replica_neighbour(r, a->nnear);
	return (say_tell(a->server, NULL, 0, &w, f->data) == -1 ?
	    ASKING_FAILED : ASKING_ANSWERED);
}

enum asking_why
asking_ask(struct events_server *v, struct slice id, unsigned ms,
    const struct fasttcp_frame *f, asking_cb *cb, void *arg)
{
	struct events_socket	*s = sockets_find(v, id);
	struct asking		*a = asking_new(v, ms, cb, arg);
	enum asking_why		 why;

	if (a == NULL)
		return (ASKING_FAILED);
	if (s != NULL)
		why = asking_here(a, s, f);
	else if (asking_is_far(v, id))
		why = asking_far(a, id, ms, f);
	else
		why = asking_near(a, id, ms, f);
	if (why != ASKING_ANSWERED)
		asking_free(a);
	return (why);
}

/* ---- neighbours ---- */

/* Who has asked, and what number that has there. */
struct reply {
	uint64_t	 neighbour, number;
};

/* Tell a neighbour the answer, or why there is none. */
static void
asking_reply(struct events_server *v, const struct reply *to,
    const struct fasttcp_frame *answer, enum asking_why why)
{
	const struct word	 w = { .type = WORD_ANSWER,
				    .number = to->number, .flags = why,
				    .data_type = answer == NULL ? 0 :
				    answer->data_type };

	say_tell(v, NULL, to->neighbour, &w, answer == NULL ?
	    slice_of(NULL, 0) : answer->data);
}

static void
asking_reply_cb(struct events_server *v, const struct fasttcp_frame *answer,
    enum asking_why why, void *arg)
{
	asking_reply(v, arg, answer, why);
	free(arg);
}

/* A neighbour's question, which s, or (NULL) a client of another host, is to answer. */
static void
asking_pass(struct events_server *v, struct events_socket *s,
    uint64_t neighbour, const struct word *w, struct slice data)
{
	const struct fasttcp_frame	 f = { .event = w->event, .data = data,
					    .data_type = (uint8_t)w->data_type };
	struct reply			 to = { neighbour, w->number }, *copy;
	enum asking_why			 why = ASKING_FAILED;
	struct asking			*a = NULL;

	if ((copy = malloc(sizeof(*copy))) != NULL) {
		*copy = to;
		a = asking_new(v, w->flags, asking_reply_cb, copy);
	}
	if (a != NULL)
		why = s != NULL ? asking_here(a, s, &f) :
		    asking_far(a, w->names, w->flags, &f);
	if (why == ASKING_ANSWERED)
		return;
	if (a != NULL)
		asking_free(a);
	free(copy);
	asking_reply(v, &to, NULL, why);
}

void
asking_told(struct events_server *v, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	const struct reply	 to = { neighbour, w->number };
	struct events_socket	*s = sockets_find(v, w->names);

	if (s != NULL) {
		/* Who is coming is told again. */
		if (kennel_socket_way(s->socket) != KENNEL_COMING)
			asking_pass(v, s, neighbour, w, data);
	} else if (asking_is_far(v, w->names))
		asking_pass(v, NULL, neighbour, w, data);
	else if (kennel_replica_expected(v->replica, NULL) == 0)
		asking_reply(v, &to, NULL, ASKING_NOBODY);
}

void
asking_told_one(struct events_socket *s, uint64_t neighbour,
    const struct word *w, struct slice data)
{
	if (slice_eq(w->names, s->id))
		asking_pass(s->server, s, neighbour, w, data);
}

/* That neighbour does not answer a, for that reason. */
static void
asking_less(struct asking *a, uint64_t neighbour, enum asking_why why)
{
	for (size_t i = 0; i < a->nnear; i++)
		if (a->near[i] == neighbour) {
			a->near[i] = a->near[--a->nnear];
			if (a->nnear == 0)
				asking_lose(a, why);
			return;
		}
}

void
asking_told_answer(struct events_server *v, uint64_t neighbour,
    const struct word *w, struct slice data)
{
	const struct fasttcp_frame	 f = { .type = FASTTCP_ACK, .data = data,
					    .data_type = (uint8_t)w->data_type };
	struct asking			*a = asking_find(v, w->number);

	if (a == NULL || a->why != ASKING_ANSWERED)
		return;
	if (w->flags == ASKING_ANSWERED && w->data_type >= FASTTCP_STRING)
		asking_end(a, ASKING_ANSWERED, &f);
	else
		asking_less(a, neighbour, w->flags > ASKING_ANSWERED &&
		    w->flags < ASKING_NWHYS ? (enum asking_why)w->flags :
		    ASKING_FAILED);
}

/* ---- ends ---- */

void
asking_neighbour_gone(struct events_server *v, uint64_t neighbour)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &v->asking.under_way)
		asking_less(list_entry(e, struct asking, at), neighbour,
		    ASKING_GONE);
}

void
asking_host_gone(struct events_server *v, unsigned host)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &v->asking.under_way)
		if (list_entry(e, struct asking, at)->host == host)
			asking_lose(list_entry(e, struct asking, at),
			    ASKING_UNREACHED);
}

/* End those that are over.  Programs may ask again meanwhile, and be answered. */
static void
asking_over(void *arg)
{
	struct events_server	*v = arg;
	struct list		 now = { &now, &now };
	struct asking		*a;

	list_move(&now, &v->asking.ended);
	while (!list_empty(&now)) {
		a = list_entry(now.next, struct asking, at);
		asking_end(a, a->why, NULL);
	}
}

/* Those whose time is up. */
static void
asking_late(struct events_server *v)
{
	const uint64_t	 now = clock_ms();
	struct list	*e, *tmp;

	list_each(e, tmp, &v->asking.under_way)
		if (now >= list_entry(e, struct asking, at)->deadline)
			asking_lose(list_entry(e, struct asking, at),
			    ASKING_LATE);
	asking_over(v);
}

/* Once in a while, as long as there are some. */
static void
asking_look_cb(void *arg)
{
	struct events_server	*v = arg;

	asking_late(v);
	if (v->asking.by_number.count > 0)
		return;
	kennel_timer_free(v->asking.timer);
	v->asking.timer = NULL;
}

void
asking_clear(struct events_server *v)
{
	struct list	*lists[] = { &v->asking.ended, &v->asking.under_way };

	v->asking.closed = 1;
	for (size_t i = 0; i < nitems(lists); i++)
		while (!list_empty(lists[i]))
			asking_end(list_entry(lists[i]->next, struct asking,
			    at), ASKING_GONE, NULL);
	map_clear(&v->asking.by_number);
	turn_cancel(&v->asking.over);
	kennel_timer_free(v->asking.timer);
	v->asking.timer = NULL;
}

/* ---- kennel-events.h ---- */

/* What a program is to be told. */
struct ask {
	events_answer_cb *cb;
	void		*arg;
};

/* The errno of each reason. */
static const int	 ask_errnos[ASKING_NWHYS] = {
	[ASKING_NOBODY]		= ENOENT,
	[ASKING_UNREACHED]	= EHOSTUNREACH,
	[ASKING_LATE]		= ETIMEDOUT,
	[ASKING_GONE]		= ECONNRESET,
	[ASKING_FAILED]		= ENOMEM,
};

static void
ask_cb(struct events_server *v, const struct fasttcp_frame *answer,
    enum asking_why why, void *arg)
{
	const struct events_serializer	*how = v->events->serializer;
	const struct ask		 ask = *(struct ask *)arg;
	struct events_value		 value;

	free(arg);
	if (answer == NULL) {
		errno = ask_errnos[why];
		ask.cb(v, NULL, ask.arg);
		return;
	}
	value_of(&value, answer->data_type, answer->data, how);
	ask.cb(v, &value, ask.arg);
	value_end(&value, how);
}

int
events_ask(struct events_server *v, const char *id, const char *name,
    struct events_value value, unsigned ms, events_answer_cb *cb, void *arg)
{
	struct fasttcp_frame	 f = { .event = slice_str(name) };
	struct value_bytes	 b;
	struct ask		*ask;
	enum asking_why		 why = ASKING_FAILED;
	int			 r;

	if (strchr(id, ',') != NULL || ms == 0 || ms > PARCEL_ANSWER_MS) {
		errno = EINVAL;
		return (-1);
	}
	if ((ask = malloc(sizeof(*ask))) == NULL)
		return (-1);
	*ask = (struct ask){ cb, arg };
	if ((r = value_frame(&f, &value, v->events->serializer, &b)) == 0)
		why = asking_ask(v, slice_str(id), ms, &f, ask_cb, ask);
	value_bytes_clear(&b);
	if (r == 0 && why == ASKING_ANSWERED)
		return (0);
	free(ask);
	if (r == 0)
		errno = ask_errnos[why];
	return (-1);
}
