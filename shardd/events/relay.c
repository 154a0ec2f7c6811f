/* A relay is one stream on its way to its receivers. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/spare.h"
#include "shardd/events/inside.h"
#include "shardd/events/kept.h"
#include "shardd/events/relay.h"
#include "shardd/events/relays.h"
#include "shardd/events/sockets.h"

#define RELAY_LOOK_MS	1000		/* between two looks at those who do not read */
#define RELAY_LANES	1024		/* of one stream, besides what say_each() adds */

static void	 relay_look_cb(void *arg);
static void	 relay_settle(struct relay *r);

/* A relay without lanes, and a look at it once in a while.  NULL without memory. */
static struct relay *
relay_new(struct events_server *v, uint64_t replica, uint64_t number,
    struct slice event)
{
	if (v->timer == NULL && (v->timer = kennel_timer_new(RELAY_LOOK_MS, 1,
	    relay_look_cb, v)) == NULL)
		return (NULL);
	return (relays_new(v, replica, number, event));
}

/* ---- opening ---- */

/* What relay_open_cb() opens. */
struct opening {
	struct relay	*relay;
	struct fasttcp_frame f;
	struct kennel_payload *info;
};

/* One more receiver. */
static void
relay_open_cb(struct events_socket *s, void *arg)
{
	struct opening	*o = arg;
	struct lane	*l;

	if ((l = relays_lane_new(o->relay, s)) == NULL)
		return;
	o->f.id = l->id;
	if (sockets_send_with(s, &o->f, o->info) == -1)
		relays_lane_free(l);
}

/* Lanes to those of t who are here.  0, or -1 without memory. */
static int
relay_open_here(struct relay *r, const struct targets *t,
    const struct fasttcp_frame *f)
{
	struct opening	 o = { .relay = r, .f = *f };

	o.f.type = FASTTCP_STREAM_OPEN;
	if ((o.info = kennel_payload_new(f->data.len == 0 ? "" : f->data.data,
	    f->data.len, KENNEL_BINARY | KENNEL_TOLD)) == NULL)
		return (-1);
	relays_keep(r);
	say_each(r->server, t, RELAY_LANES, relay_open_cb, &o);
	kennel_payload_free(o.info);
	if (r->server->far != NULL && !t->home)
		r->voyage = r->server->far->open(r->server, r, t, f);
	relays_press(r);
	return (0);
}

/* Remember who else is there: 0, or -1 without memory. */
static int
relay_note_fars(struct relay *r)
{
	uint64_t	 neighbour;
	size_t		 n = 0;

	while (kennel_replica_neighbour(r->server->replica, n) != 0)
		n++;
	if (n == 0)
		return (0);
	if ((r->fars = spare_zero(n * sizeof(*r->fars))) == NULL)
		return (-1);
	r->capfars = n;
	for (; r->nfars < n; r->nfars++) {
		neighbour = kennel_replica_neighbour(r->server->replica,
		    r->nfars);
		r->fars[r->nfars].neighbour = neighbour;
	}
	return (0);
}

struct relay *
relay_open(struct events_server *v, struct events_socket *by,
    const struct targets *t, const struct fasttcp_frame *f,
    const struct relay_source *source, void *arg)
{
	struct word	 w = { .type = WORD_OPEN, .whom = t->whom,
			    .names = t->names, .except = t->except,
			    .data_type = f->data_type, .event = f->event };
	struct relay	*r;

	if (f->event.len > FASTTCP_EVENT_MAX) {
		errno = EMSGSIZE;
		return (NULL);
	}
	w.number = ++v->numbers;
	if ((r = relay_new(v, kennel_replica_id(v->replica), w.number,
	    f->event)) == NULL)
		return (NULL);
	r->source = source;
	r->arg = arg;
	if (t->home)
		w.flags = WORD_F_HOME;
	if (relay_note_fars(r) == -1 || relay_open_here(r, t, f) == -1 ||
	    (r->nfars > 0 && say_tell(v, by, 0, &w, f->data) == -1)) {
		relay_end(r, by);
		return (NULL);
	}
	return (r);
}

struct relay *
relay_open_one(struct events_socket *s, int ack, const struct fasttcp_frame *f,
    const struct relay_source *source, void *arg, uint32_t *id)
{
	struct events_server	*v = s->server;
	struct fasttcp_frame	 open = *f;
	struct relay		*r;
	struct lane		*l;

	if ((r = relay_new(v, kennel_replica_id(v->replica), ++v->numbers,
	    f->event)) == NULL)
		return (NULL);
	r->source = source;
	r->arg = arg;
	if ((l = relays_lane_new(r, s)) == NULL) {
		relays_free(r);
		return (NULL);
	}
	open.type = ack ? FASTTCP_STREAM_OPEN_WITH_ACK : FASTTCP_STREAM_OPEN;
	open.id = *id = l->id;
	if (sockets_send(s, &open) == -1) {
		relays_free(r);
		return (NULL);
	}
	relays_press(r);
	return (r);
}

/* ---- what follows ---- */

/* f to all lanes, each with its own id; f's data is shared by them. */
static int
relay_here(struct relay *r, struct fasttcp_frame *f)
{
	struct kennel_payload	*p;
	struct list		*e, *tmp;
	struct lane		*l;

	if (f->type == FASTTCP_STREAM_DATA && relays_awaits(r)) {
		if (kept_add(r->kept, f->data_type, f->data) == -1)
			return (-1);
		relays_press(r);
	}
	if (r->voyage != NULL && f->type == FASTTCP_STREAM_DATA)
		r->server->far->chunk(r->voyage, f);
	if (r->nlanes == 0)
		return (0);
	f->event = slice_of(r->event, r->event_len);
	if (r->nlanes == 1) {
		l = list_entry(r->lanes.next, struct lane, of_relay);
		f->id = l->id;
		sockets_send_told(l->socket, f); /* one that fails is ending */
		return (0);
	}
	if ((p = kennel_payload_new(f->data.len == 0 ? "" : f->data.data,
	    f->data.len, KENNEL_BINARY | KENNEL_TOLD)) == NULL)
		return (-1);
	list_each(e, tmp, &r->lanes) {
		l = list_entry(e, struct lane, of_relay);
		f->id = l->id;
		sockets_send_with(l->socket, f, p);
	}
	kennel_payload_free(p);
	return (0);
}

/* w, with data, to the neighbours that have receivers. */
static int
relay_there(struct relay *r, struct events_socket *by, const struct word *w,
    struct slice data)
{
	int	 rv = 0, told;

	for (size_t i = 0; i < r->nfars; ) {
		told = say_tell(r->server, by, r->fars[i].neighbour, w, data);
		if (told == -1 && errno == ENOENT) {
			r->fars[i] = r->fars[--r->nfars];
			relays_press(r);
			continue;
		}
		if (told != 0)
			rv = told;
		i++;
	}
	return (rv);
}

int
relay_chunk(struct relay *r, struct events_socket *by, uint8_t data_type,
    struct slice data)
{
	struct fasttcp_frame	 f = { .type = FASTTCP_STREAM_DATA,
				    .data_type = data_type, .data = data };
	const struct word	 w = { .type = WORD_CHUNK,
				    .number = r->of.number,
				    .data_type = data_type };
	int			 told;

	if (relay_here(r, &f) == -1)
		return (-1);
	/* A client is held up by the library itself. */
	if ((told = relay_there(r, by, &w, data)) == 1) {
		r->behind = 1;
		relays_press(r);
	}
	return (told);
}

/* The ways are free again, as far as is known: whoever finds that wrong waits again. */
static void
relay_go_on(struct relay *r)
{
	r->behind = 0;
	relays_press(r);
}

void
relay_eased(struct events_server *v)
{
	struct map_node	*n = map_first(&v->relays), *next;
	struct relay	*r;

	for (; n != NULL; n = next) {
		next = map_next(&v->relays, n);
		r = container_of(n, struct relay, by_key);
		if (r->behind)
			relay_go_on(r);
	}
}

/* Lanes hear an error, before their end. */
static void
relay_tell_cut(struct relay *r, const char *why)
{
	struct buf		 text = { 0 };
	struct fasttcp_frame	 f = { .type = FASTTCP_ERROR,
				    .data_type = FASTTCP_STRING,
				    .id = ID_SHARED };
	struct list		*e, *tmp;

	log_info("events stream=%.*s cut: %s", (int)r->event_len, r->event,
	    why);
	buf_addf(&text, "the stream %.*s has ended before its end: %s",
	    (int)r->event_len, r->event, why);
	f.data = slice_of(text.data, text.len);
	list_each(e, tmp, &r->lanes)
		if (!text.failed)
			sockets_send_told(list_entry(e, struct lane,
			    of_relay)->socket, &f);
	buf_clear(&text);
}

/* r is over, for that reason, or (NULL) as it should be. */
static void
relay_over(struct relay *r, struct events_socket *by, const char *why)
{
	struct fasttcp_frame	 f = { .type = FASTTCP_STREAM_CLOSE,
				    .data_type = FASTTCP_STRING };
	const struct word	 w = { .type = WORD_END,
				    .number = r->of.number,
				    .event = slice_str(why == NULL ? "" : why) };

	if (why != NULL)
		relay_tell_cut(r, why);
	relay_here(r, &f);
	relay_there(r, by, &w, slice_of(NULL, 0));
	if (r->voyage != NULL)
		r->server->far->end(r->voyage);
	r->voyage = NULL;
	r->voyage_high = 0;
	if (relays_awaits(r))
		relays_over(r);
	else
		relays_free(r);
}

void
relay_end(struct relay *r, struct events_socket *by)
{
	relay_over(r, by, NULL);
}

void
relay_cut(struct relay *r, const char *why)
{
	relay_over(r, NULL, why);
}

int
relay_is_heard(struct relay *r)
{
	return (r->nlanes > 0 || r->nfars > 0 || r->voyage != NULL ||
	    relays_awaits(r));
}

void
relay_voyage_high(struct relay *r, int high)
{
	r->voyage_high = high;
	relays_press(r);
}

void
relay_voyage_gone(struct relay *r)
{
	r->voyage = NULL;
	relay_voyage_high(r, 0);
	relay_settle(r);
}

/* ---- of a neighbour ---- */

void
relay_told_open(struct events_server *v, uint64_t neighbour,
    const struct word *w, const struct targets *t, struct slice info)
{
	const struct fasttcp_frame	 f = { .event = w->event,
					    .data_type = (uint8_t)w->data_type,
					    .data = info };
	struct relay			*r;

	if (relays_find(v, neighbour, w->number) != NULL)
		return;			/* it says nothing twice */
	if ((r = relay_new(v, neighbour, w->number, w->event)) == NULL)
		return;
	if (relay_open_here(r, t, &f) == -1 ||
	    (r->nlanes == 0 && r->voyage == NULL && !relays_awaits(r))) {
		relays_tell_source(r, WORD_NOBODY, 0);
		relays_free(r);
	}
}

void
relay_told_open_one(struct events_socket *s, uint64_t neighbour,
    const struct word *w, struct slice info)
{
	struct fasttcp_frame	 f = { .type = FASTTCP_STREAM_OPEN,
				    .data_type = (uint8_t)w->data_type,
				    .event = w->event, .data = info };
	struct relay		*r = relays_find(s->server, neighbour,
				    w->number);
	const struct kept_chunk	*c;
	struct lane		*l;
	struct list		*e, *tmp;

	if (r == NULL || r->kept == NULL || (l = relays_lane_new(r, s)) == NULL)
		return;
	f.id = l->id;
	sockets_send(s, &f);
	f.type = FASTTCP_STREAM_DATA;
	list_each(e, tmp, &r->kept->chunks) {
		c = list_entry(e, struct kept_chunk, at);
		f.data_type = c->data_type;
		f.data = slice_of(c->data, c->len);
		sockets_send(s, &f);
	}
	if (r->over) {
		f.type = FASTTCP_STREAM_CLOSE;
		f.data_type = FASTTCP_STRING;
		f.data = slice_of(NULL, 0);
		sockets_send(s, &f);
		relays_lane_free(l);
	}
	relays_press(r);
}

void
relay_told_chunk(struct events_server *v, uint64_t neighbour,
    const struct word *w, struct slice data)
{
	struct fasttcp_frame	 f = { .type = FASTTCP_STREAM_DATA,
				    .data_type = (uint8_t)w->data_type,
				    .data = data };
	struct relay		*r = relays_find(v, neighbour, w->number);

	if (r != NULL)
		relay_here(r, &f);
}

/* Why a neighbour has cut a stream, as text. */
static const char *
relay_why(struct slice text)
{
	static char	 why[256];
	size_t		 n = text.len < sizeof(why) ? text.len :
			    sizeof(why) - 1;

	memcpy(why, text.data, n);
	why[n] = '\0';
	return (why);
}

void
relay_told_end(struct events_server *v, uint64_t neighbour,
    const struct word *w)
{
	struct relay	*r = relays_find(v, neighbour, w->number);

	if (r != NULL)
		relay_over(r, NULL, w->event.len == 0 ? NULL :
		    relay_why(w->event));
}

/* The place of neighbour among r's, or NULL. */
static struct far *
relay_far(const struct relay *r, uint64_t neighbour)
{
	for (size_t i = 0; i < r->nfars; i++)
		if (r->fars[i].neighbour == neighbour)
			return (&r->fars[i]);
	return (NULL);
}

/* That neighbour has no receivers of r, or no more. */
static void
relay_far_gone(struct relay *r, uint64_t neighbour)
{
	struct far	*f = relay_far(r, neighbour);

	if (f == NULL)
		return;
	*f = r->fars[--r->nfars];
	relays_press(r);
}

void
relay_told_nobody(struct events_server *v, uint64_t neighbour,
    const struct word *w)
{
	struct relay	*r = relays_find(v, kennel_replica_id(v->replica),
			    w->number);

	if (r != NULL)
		relay_far_gone(r, neighbour);
}

void
relay_told_press(struct events_server *v, uint64_t neighbour,
    const struct word *w)
{
	struct relay	*r = relays_find(v, kennel_replica_id(v->replica),
			    w->number);
	struct far	*f = r == NULL ? NULL : relay_far(r, neighbour);

	if (f == NULL)
		return;
	f->high = (w->flags & WORD_F_HIGH) != 0;
	relays_press(r);
}

/* ---- what becomes of those who hear ---- */

void
relay_socket_gone(struct events_socket *s)
{
	struct relay	*r;

	while (!list_empty(&s->lanes)) {
		r = list_entry(s->lanes.next, struct lane, of_socket)->relay;
		relays_lane_free(list_entry(s->lanes.next, struct lane,
		    of_socket));
		relays_press(r);
		relay_settle(r);
	}
}

/* A relay of another replica's stream that nobody hears ends. */
static void
relay_settle(struct relay *r)
{
	if (r->nlanes > 0 || r->voyage != NULL || relays_is_ours(r) ||
	    relays_awaits(r))
		return;
	relays_tell_source(r, WORD_NOBODY, 0);
	relays_free(r);
}

void
relay_socket_high(struct events_socket *s, int high)
{
	struct list	*e, *tmp;
	struct relay	*r;

	if (s->high == high)
		return;
	s->high = high != 0;
	sockets_reads(s, clock_ms());
	list_each(e, tmp, &s->lanes) {
		r = list_entry(e, struct lane, of_socket)->relay;
		r->nhigh += high ? 1 : (size_t)-1;
		relays_press(r);
	}
}

void
relay_neighbour_gone(struct events_server *v, uint64_t neighbour)
{
	struct map_node	*n = map_first(&v->relays), *next;
	struct relay	*r;
	size_t		 cut = 0;

	for (; n != NULL; n = next) {
		next = map_next(&v->relays, n);
		r = container_of(n, struct relay, by_key);
		if (r->of.replica == neighbour) {
			relay_end(r, NULL);
			cut++;
		} else
			relay_far_gone(r, neighbour);
	}
	if (cut > 0)
		log_info("events replica=%" PRIu64 " is gone, streams_cut=%zu",
		    neighbour, cut);
}

/* Is that replica still there? */
static int
relay_is_there(const struct events_server *v, uint64_t replica)
{
	uint64_t	 neighbour;

	if (replica == kennel_replica_id(v->replica))
		return (1);
	for (size_t i = 0; (neighbour = kennel_replica_neighbour(v->replica,
	    i)) != 0; i++)
		if (neighbour == replica)
			return (1);
	return (0);
}

/* Replicas that have ended without a word, for theirs was not the last one. */
static void
relay_look_neighbours(struct events_server *v)
{
	struct map_node	*n = map_first(&v->relays), *next;
	struct relay	*r;

	for (; n != NULL; n = next) {
		next = map_next(&v->relays, n);
		r = container_of(n, struct relay, by_key);
		if (!relay_is_there(v, r->of.replica)) {
			relay_end(r, NULL);
			continue;
		}
		for (size_t i = 0; i < r->nfars; )
			if (relay_is_there(v, r->fars[i].neighbour))
				i++;
			else
				r->fars[i] = r->fars[--r->nfars];
		r->behind = 0;		/* its link may have ended */
		relays_press(r);
	}
}

/* Receivers over their mark that have not read anything for so long are closed, for
 * senders wait for them. */
static void
relay_look_socket(struct events_socket *s, uint64_t now)
{
	if (!s->high || list_empty(&s->lanes)) {
		sockets_reads(s, now);
		return;
	}
	if (sockets_stuck(s, now) < s->stuck_ms)
		return;
	log_info("events id=%s closed: it has read nothing of a stream for %u "
	    "ms", events_socket_id(s), s->stuck_ms);
	s->since = now;
	kennel_close(s->socket, 1008, "stuck");
}

/* Once in a while, as long as there are relays. */
static void
relay_look_cb(void *arg)
{
	struct events_server	*v = arg;
	uint64_t		 now = clock_ms();

	if (v->relays.count == 0) {
		kennel_timer_free(v->timer);
		v->timer = NULL;
		return;
	}
	relay_look_neighbours(v);
	for (size_t i = 0; i < v->n; i++)
		if (!list_empty(&v->sockets[i]->lanes))
			relay_look_socket(v->sockets[i], now);
}

void
relay_clear(struct events_server *v)
{
	struct map_node	*n;

	while ((n = map_first(&v->relays)) != NULL)
		relays_free(container_of(n, struct relay, by_key));
	kennel_timer_free(v->timer);
	kennel_timer_free(v->kept_timer);
	v->timer = v->kept_timer = NULL;
	map_clear(&v->relays);
}
