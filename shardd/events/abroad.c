/* Streams that cross to other hosts, and those that come from there. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/map.h"
#include "common/turn.h"
#include "shardd/events/abroad.h"
#include "shardd/events/inside.h"
#include "shardd/events/kept.h"
#include "shardd/events/relay.h"

#define ABROAD_EARLY	((size_t)4 << 20)	/* bytes that wait for their turn */
#define ABROAD_EARLY_MS	5000			/* and how long */

struct abroad {
	struct events_server *server;
	struct network	*network;
	const struct abroad_ops *ops;
	void		*arg;
	struct map	 voyages, landings;
	uint64_t	 numbers;
	struct turn_work settled;	/* some are over */
};

struct voyage {
	struct map_node	 by_number;
	struct abroad	*abroad;
	struct relay	*relay;
	uint64_t	 number, place;	/* of what was said last */
	struct hosts	 to, high;
	int		 pressed;
};

struct landing {
	struct map_node	 by_key;	/* key is of */
	struct {
		uint64_t host, number;
	}		 of;
	struct abroad	*abroad;
	struct relay	*relay;
	uint64_t	 place;		/* of what has come last, in order */
	uint64_t	 ends;		/* the place of its end, or 0 */
	struct kept	*early;		/* what came before its turn; or NULL */
	uint64_t	 since;		/* clock_ms: something is missing; or 0 */
	const char	*why;		/* it is to end; or NULL */
	int		 deaf;		/* its host hears nothing of it any more */
};

static void	 landing_press(void *arg, int high);
static void	 abroad_settled(void *arg);

static const struct relay_source landing_source = { landing_press };

struct abroad *
abroad_new(struct events_server *v, const struct abroad_ops *ops, void *arg)
{
	struct abroad	*a;

	if ((a = calloc(1, sizeof(*a))) == NULL)
		return (NULL);
	a->server = v;
	a->ops = ops;
	a->arg = arg;
	a->numbers = bytes_random64() >> 1;
	turn_work_init(&a->settled, abroad_settled, a);
	return (a);
}

void
abroad_free(struct abroad *a)
{
	if (a == NULL)
		return;
	abroad_set(a, NULL);
	turn_cancel(&a->settled);
	map_clear(&a->voyages);
	map_clear(&a->landings);
	free(a);
}

/* ---- voyages ---- */

/* Say p about y to its hosts; those that are not reached are none of them any more. */
static void
voyage_say(struct voyage *y, struct parcel *p)
{
	struct hosts	 left = y->to;

	p->number = y->number;
	network_parcel(y->abroad->network, p, &left);
	for (unsigned i = 1; i < GRAPH_HOSTS; i++)
		if (hosts_have(&left, i)) {
			hosts_remove(&y->to, i);
			hosts_remove(&y->high, i);
		}
	if (hosts_empty(&y->to))
		turn_add(&y->abroad->settled, TURN_LINKS);
}

/* y's relay waits, or goes on. */
static void
voyage_settle(struct voyage *y)
{
	struct abroad	*a = y->abroad;
	int		 high = !hosts_empty(&y->high);

	for (unsigned i = 1; !high && i < GRAPH_HOSTS; i++)
		high = hosts_have(&y->to, i) && a->ops->high(a->arg,
		    network_first(a->network, i));
	if (high == y->pressed)
		return;
	y->pressed = high;
	relay_voyage_high(y->relay, high);
}

static void
voyage_free(struct voyage *y)
{
	map_remove(&y->abroad->voyages, &y->by_number);
	free(y);
}

/* To each host of y with its own ids. */
static void
voyage_open_ids(struct voyage *y, struct parcel *p, const struct targets *t)
{
	struct hosts	 all = y->to, one;
	struct buf	 ids = { 0 };

	for (unsigned i = 1; i < GRAPH_HOSTS; i++) {
		if (!hosts_have(&all, i))
			continue;
		one = hosts_one(i);
		if (network_ids(y->abroad->network, i, t->names, &ids) == 0) {
			p->letter.names = slice_of(ids.data, ids.len);
			network_parcel(y->abroad->network, p, &one);
		}
		if (hosts_have(&one, i))
			hosts_remove(&y->to, i);
	}
	buf_clear(&ids);
}

struct voyage *
abroad_open(struct abroad *a, struct relay *r, const struct targets *t,
    const struct fasttcp_frame *f)
{
	struct parcel	 p = { .kind = PARCEL_OPEN, .letter = {
			    .whom = t->whom, .names = t->names,
			    .except = t->except, .event = f->event,
			    .data_type = f->data_type, .data = f->data } };
	struct voyage	*y;
	struct hosts	 to;

	if (a->network == NULL)
		return (NULL);
	network_meant(a->network, &p.letter, &to);
	if (hosts_empty(&to) || (y = calloc(1, sizeof(*y))) == NULL)
		return (NULL);
	y->abroad = a;
	y->relay = r;
	y->number = p.number = ++a->numbers;
	y->place = 1;
	y->to = to;
	if (map_insert(&a->voyages, &y->by_number, &y->number,
	    sizeof(y->number)) == -1) {
		free(y);
		return (NULL);
	}
	if (t->whom == WHOM_SOCKETS)
		voyage_open_ids(y, &p, t);
	else
		voyage_say(y, &p);
	if (hosts_empty(&y->to)) {
		voyage_free(y);
		return (NULL);
	}
	return (y);
}

void
abroad_chunk(struct voyage *y, const struct fasttcp_frame *f)
{
	struct parcel	 p = { .kind = PARCEL_CHUNK, .place = ++y->place,
			    .letter = { .data_type = f->data_type,
			    .data = f->data } };

	if (y->abroad->network == NULL || hosts_empty(&y->to))
		return;
	voyage_say(y, &p);
	voyage_settle(y);
}

void
abroad_end(struct voyage *y)
{
	struct parcel	 p = { .kind = PARCEL_END, .place = ++y->place };

	if (y->abroad->network != NULL)
		voyage_say(y, &p);
	voyage_free(y);
}

/* ---- landings ---- */

/* The stream of that host and number, or NULL. */
static struct landing *
landing_find(const struct abroad *a, uint64_t host, uint64_t number)
{
	const uint64_t	 of[2] = { host, number };
	struct map_node	*n = map_find(&a->landings, of, sizeof(of));

	return (n == NULL ? NULL : container_of(n, struct landing, by_key));
}

/* Tell the host where a stream begins. */
static void
landing_tell(struct abroad *a, unsigned host, enum parcel_kind kind,
    uint64_t number, uint32_t flags)
{
	struct parcel	 p = { .kind = kind, .number = number, .flags = flags,
			    .letter = { .event = network_host(a->network) } };
	struct hosts	 to = hosts_one(host);

	network_parcel(a->network, &p, &to);
}

/* The receivers of one are over their marks, or no more. */
static void
landing_press(void *arg, int high)
{
	struct landing	*l = arg;

	if (l->abroad->network != NULL && !l->deaf)
		landing_tell(l->abroad, (unsigned)l->of.host, PARCEL_PRESS,
		    l->of.number, high ? PARCEL_F_HIGH : 0);
}

/* l is over; its relay has ended. */
static void
landing_free(struct landing *l)
{
	map_remove(&l->abroad->landings, &l->by_key);
	kept_free(l->early);
	free(l);
}

/* l ends: as it should (NULL), or because of that. */
static void
landing_end(struct landing *l, const char *why)
{
	struct relay	*r = l->relay;

	l->deaf = 1;
	if (why == NULL)
		relay_end(r, NULL);
	else
		relay_cut(r, why);
	landing_free(l);
}

/* A stream of that host begins. */
static void
landing_open(struct abroad *a, unsigned host, const struct parcel *p)
{
	const struct fasttcp_frame	 f = { .event = p->letter.event,
					    .data_type = p->letter.data_type,
					    .data = p->letter.data };
	const struct targets		 t = { .whom = p->letter.whom,
					    .names = p->letter.names,
					    .except = p->letter.except,
					    .home = 1 };
	struct landing			*l;

	if (landing_find(a, host, p->number) != NULL)
		return;
	if ((l = calloc(1, sizeof(*l))) == NULL)
		goto nobody;
	l->abroad = a;
	l->of.host = host;
	l->of.number = p->number;
	l->place = 1;
	if (map_insert(&a->landings, &l->by_key, &l->of, sizeof(l->of)) == -1) {
		free(l);
		goto nobody;
	}
	if ((l->relay = relay_open(a->server, NULL, &t, &f, &landing_source,
	    l)) == NULL)
		landing_free(l);
	else if (relay_is_heard(l->relay))
		return;
	else
		landing_end(l, NULL);
nobody:
	landing_tell(a, host, PARCEL_NOBODY, p->number, 0);
}

/* l cannot go on: receivers hear so later, and the host now. */
static void
landing_fail(struct landing *l, const char *why)
{
	if (l->why != NULL)
		return;
	l->why = why;
	turn_add(&l->abroad->settled, TURN_LINKS);
	if (!l->deaf)
		landing_tell(l->abroad, (unsigned)l->of.host, PARCEL_NOBODY,
		    l->of.number, 0);
	l->deaf = 1;
}

/* More of l, whose turn it is. */
static void
landing_chunk(struct landing *l, uint8_t data_type, struct slice data)
{
	l->place++;
	if (relay_chunk(l->relay, NULL, data_type, data) == -1)
		landing_fail(l, "there is no memory for it");
}

/* What comes before its turn waits. */
static void
landing_keep(struct landing *l, const struct parcel *p)
{
	if (l->early == NULL)
		l->early = kept_new(0);
	if (l->early == NULL || l->early->bytes > ABROAD_EARLY ||
	    kept_add_at(l->early, p->place, p->letter.data_type,
	    p->letter.data) == -1)
		landing_fail(l, "a part of it was lost");
}

/* Those whose turn it is now, and the end, if that is all.  May free l. */
static void
landing_catch_up(struct landing *l)
{
	struct kept_chunk	*c;

	while (l->early != NULL && l->why == NULL &&
	    (c = kept_first(l->early)) != NULL && c->place <= l->place + 1) {
		if (c->place == l->place + 1)
			landing_chunk(l, c->data_type,
			    slice_of(c->data, c->len));
		kept_drop_first(l->early);
	}
	if (l->early != NULL && kept_first(l->early) == NULL) {
		kept_free(l->early);
		l->early = NULL;
	}
	if (l->why == NULL && l->ends == l->place + 1)
		landing_end(l, NULL);
	else if (l->early == NULL && l->ends == 0)
		l->since = 0;
	else if (l->since == 0)
		l->since = clock_ms();
}

/* ---- what other hosts tell ---- */

/* More of a stream of that host, or its end. */
static void
abroad_told_more(struct abroad *a, unsigned host, const struct parcel *p)
{
	struct landing	*l = landing_find(a, host, p->number);

	if (l == NULL && p->kind == PARCEL_CHUNK)
		landing_tell(a, host, PARCEL_NOBODY, p->number, 0);
	if (l == NULL || l->why != NULL || p->place <= l->place)
		return;
	if (p->kind == PARCEL_END)
		l->ends = p->place;
	else if (p->place == l->place + 1)
		landing_chunk(l, p->letter.data_type, p->letter.data);
	else
		landing_keep(l, p);
	landing_catch_up(l);
}

/* The voyage of that number, or NULL. */
static struct voyage *
abroad_voyage(const struct abroad *a, uint64_t number)
{
	struct map_node	*n = map_find(&a->voyages, &number, sizeof(number));

	return (n == NULL ? NULL : container_of(n, struct voyage, by_number));
}

/* A host has no receivers of a stream of ours. */
static void
abroad_told_nobody(struct abroad *a, const struct parcel *p)
{
	struct voyage	*y = abroad_voyage(a, p->number);
	int		 host = network_find(a->network, p->letter.event);

	if (y == NULL || host < 1)
		return;
	hosts_remove(&y->to, (unsigned)host);
	hosts_remove(&y->high, (unsigned)host);
	turn_add(&a->settled, TURN_LINKS);
}

/* Receivers there are over their marks, or not any more. */
static void
abroad_told_press(struct abroad *a, unsigned host, const struct parcel *p)
{
	struct voyage	*y = abroad_voyage(a, p->number);

	if (y == NULL || !hosts_have(&y->to, host))
		return;
	if (p->flags & PARCEL_F_HIGH)
		hosts_add(&y->high, host);
	else
		hosts_remove(&y->high, host);
	voyage_settle(y);
}

void
abroad_told(struct abroad *a, unsigned host, const struct parcel *p)
{
	if (a->network == NULL)
		return;
	switch (p->kind) {
	case PARCEL_OPEN:
		landing_open(a, host, p);
		break;
	case PARCEL_CHUNK:
	case PARCEL_END:
		abroad_told_more(a, host, p);
		break;
	case PARCEL_NOBODY:
		abroad_told_nobody(a, p);
		break;
	case PARCEL_PRESS:
		abroad_told_press(a, host, p);
		break;
	default:
		break;
	}
}

/* ---- what becomes of hosts and links ---- */

void
abroad_gone(struct abroad *a, unsigned host)
{
	struct map_node	*n;
	struct landing	*l;
	struct voyage	*y;

	for (n = map_first(&a->landings); n != NULL;
	    n = map_next(&a->landings, n)) {
		l = container_of(n, struct landing, by_key);
		if (l->of.host != host)
			continue;
		l->deaf = 1;
		l->why = l->why != NULL ? l->why :
		    "the cluster it comes from is not reached any more";
	}
	for (n = map_first(&a->voyages); n != NULL;
	    n = map_next(&a->voyages, n)) {
		y = container_of(n, struct voyage, by_number);
		hosts_remove(&y->to, host);
		hosts_remove(&y->high, host);
	}
	turn_add(&a->settled, TURN_LINKS);
}

void
abroad_pressed(struct abroad *a)
{
	struct map_node	*n = map_first(&a->voyages);

	for (; a->network != NULL && n != NULL; n = map_next(&a->voyages, n))
		voyage_settle(container_of(n, struct voyage, by_number));
}

/* What is over ends; with all, everything. */
static void
abroad_sweep(struct abroad *a, const char *all)
{
	struct map_node	*n = map_first(&a->landings), *next;
	struct landing	*l;
	struct voyage	*y;
	struct relay	*r;

	for (; n != NULL; n = next) {
		next = map_next(&a->landings, n);
		l = container_of(n, struct landing, by_key);
		if (l->why != NULL || all != NULL)
			landing_end(l, l->why != NULL ? l->why : all);
	}
	for (n = map_first(&a->voyages); n != NULL; n = next) {
		next = map_next(&a->voyages, n);
		y = container_of(n, struct voyage, by_number);
		if (all == NULL && !hosts_empty(&y->to)) {
			voyage_settle(y);
			continue;
		}
		r = y->relay;
		voyage_free(y);
		relay_voyage_gone(r);
	}
}

/* At the end of a turn. */
static void
abroad_settled(void *arg)
{
	abroad_sweep(arg, NULL);
}

void
abroad_set(struct abroad *a, struct network *w)
{
	abroad_sweep(a, "the process that links this cluster to others has "
	    "changed");
	a->network = w;
}

void
abroad_look(struct abroad *a, uint64_t now)
{
	struct map_node	*n = map_first(&a->landings);
	struct landing	*l;

	for (; n != NULL; n = map_next(&a->landings, n)) {
		l = container_of(n, struct landing, by_key);
		if (l->why == NULL && l->since != 0 &&
		    now - l->since >= ABROAD_EARLY_MS)
			landing_fail(l, "a part of it was lost");
		else if (l->why == NULL && !relay_is_heard(l->relay))
			landing_fail(l, "it has no receivers any more");
	}
	abroad_sweep(a, NULL);
}
