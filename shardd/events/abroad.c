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
	struct list	 pressed;	/* voyages whose relays wait */
	struct list	 changed, failed; /* voyages and landings to look at */
	uint64_t	 numbers;
	struct turn_work settled;	/* there are some */
};

struct voyage {
	struct map_node	 by_number;
	struct abroad	*abroad;
	struct relay	*relay;
	uint64_t	 number, place;	/* of what was said last */
	struct hosts	 to, high;
	struct list	 pressed;	/* abroad->pressed, or in none */
	struct list	 changed;	/* abroad->changed, or in none */
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
	struct list	 failed;	/* abroad->failed: why is not NULL */
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
	list_init(&a->pressed);
	list_init(&a->changed);
	list_init(&a->failed);
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

/* y has less hosts, or less of them are to be waited for: that is looked at soon. */
static void
voyage_changed(struct voyage *y)
{
	list_remove(&y->changed);
	list_push(&y->abroad->changed, &y->changed);
	turn_add(&y->abroad->settled, TURN_LINKS);
}

/* y does not go to that host any more. */
static void
voyage_leave(struct voyage *y, unsigned host)
{
	hosts_remove(&y->to, host);
	hosts_remove(&y->high, host);
	voyage_changed(y);
}

/* Say p about y to its hosts; those that are not reached are none of them any more. */
static void
voyage_say(struct voyage *y, struct parcel *p)
{
	struct hosts	 left = y->to;

	p->number = y->number;
	network_parcel(y->abroad->network, p, &left);
	for (unsigned i = 1; i < GRAPH_HOSTS; i++)
		if (hosts_have(&left, i))
			voyage_leave(y, i);
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
	if (high == !list_empty(&y->pressed))
		return;
	if (high)
		list_push(&a->pressed, &y->pressed);
	else
		list_remove(&y->pressed);
	relay_voyage_high(y->relay, high);
}

static void
voyage_free(struct voyage *y)
{
	map_remove(&y->abroad->voyages, &y->by_number);
	list_remove(&y->pressed);
	list_remove(&y->changed);
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
	list_init(&y->pressed);
	list_init(&y->changed);
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
	list_remove(&l->failed);
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
	list_init(&l->failed);
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
	list_push(&l->abroad->failed, &l->failed);
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

	if (y != NULL && host > 0)
		voyage_leave(y, (unsigned)host);
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
		landing_fail(l, "the cluster it comes from is not reached any "
		    "more");
	}
	for (n = map_first(&a->voyages); n != NULL;
	    n = map_next(&a->voyages, n)) {
		y = container_of(n, struct voyage, by_number);
		if (hosts_have(&y->to, host))
			voyage_leave(y, host);
	}
}

void
abroad_eased(struct abroad *a)
{
	struct list	 now = { &now, &now };
	struct voyage	*y;

	list_move(&now, &a->pressed);
	while (!list_empty(&now)) {
		y = list_entry(now.next, struct voyage, pressed);
		list_remove(&y->pressed);
		list_push(&a->pressed, &y->pressed);
		if (a->network != NULL)
			voyage_settle(y);
	}
}

/* y is over; its relay goes on, or ends. */
static void
voyage_over(struct voyage *y)
{
	struct relay	*r = y->relay;

	voyage_free(y);
	relay_voyage_gone(r);
}

/* At the end of a turn: what is over ends. */
static void
abroad_settled(void *arg)
{
	struct abroad	*a = arg;
	struct landing	*l;
	struct voyage	*y;

	while (!list_empty(&a->failed)) {
		l = list_entry(a->failed.next, struct landing, failed);
		landing_end(l, l->why);
	}
	while (!list_empty(&a->changed)) {
		y = list_entry(a->changed.next, struct voyage, changed);
		list_remove(&y->changed);
		if (hosts_empty(&y->to))
			voyage_over(y);
		else
			voyage_settle(y);
	}
}

/* Everything ends. */
static void
abroad_end_all(struct abroad *a, const char *why)
{
	struct map_node	*n, *next;
	struct landing	*l;

	for (n = map_first(&a->landings); n != NULL; n = next) {
		next = map_next(&a->landings, n);
		l = container_of(n, struct landing, by_key);
		landing_end(l, l->why != NULL ? l->why : why);
	}
	for (n = map_first(&a->voyages); n != NULL; n = next) {
		next = map_next(&a->voyages, n);
		voyage_over(container_of(n, struct voyage, by_number));
	}
}

void
abroad_set(struct abroad *a, struct network *w)
{
	abroad_end_all(a, "the process that links this cluster to others has "
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
	abroad_settled(a);
	abroad_eased(a);		/* there may be another way by now */
}
