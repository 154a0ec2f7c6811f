/* Relays: their lanes, their marks, and what they keep. */
#include <stdlib.h>
#include <string.h>

#include "common/spare.h"
#include "shardd/events/inside.h"
#include "shardd/events/kept.h"
#include "shardd/events/relays.h"
#include "shardd/events/say.h"
#include "shardd/events/sockets.h"
#include "shardd/events/transit.h"

#define RELAYS_KEPT_MS	20		/* between two looks at those that keep */

static void	 relays_kept_cb(void *arg);

int
relays_is_ours(const struct relay *r)
{
	return (r->of.replica == kennel_replica_id(r->server->replica));
}

struct relay *
relays_find(const struct events_server *v, uint64_t replica, uint64_t number)
{
	const uint64_t	 of[2] = { replica, number };
	struct map_node	*n = map_find(&v->relays, of, sizeof(of));

	return (n == NULL ? NULL : container_of(n, struct relay, by_key));
}

struct relay *
relays_new(struct events_server *v, uint64_t replica, uint64_t number,
    struct slice event)
{
	struct relay	*r;

	if ((r = spare_zero(sizeof(*r) + event.len)) == NULL)
		return (NULL);
	r->of.replica = replica;
	r->of.number = number;
	r->server = v;
	list_init(&r->lanes);
	r->event_len = event.len;
	if (event.len > 0)
		memcpy(r->event, event.data, event.len);
	if (map_insert(&v->relays, &r->by_key, &r->of, sizeof(r->of)) == -1) {
		spare_put(r, sizeof(*r) + event.len);
		return (NULL);
	}
	return (r);
}

void
relays_lane_free(struct lane *l)
{
	struct relay	*r = l->relay;

	r->nlanes--;
	r->nhigh -= l->socket->high;
	list_remove(&l->of_relay);
	list_remove(&l->of_socket);
	transit_touch(l->socket);
	spare_put(l, sizeof(*l));
}

void
relays_free(struct relay *r)
{
	while (!list_empty(&r->lanes))
		relays_lane_free(list_entry(r->lanes.next, struct lane,
		    of_relay));
	if (r->voyage != NULL)
		r->server->far->end(r->voyage);
	if (r->pressed && r->source != NULL)
		r->source->press(r->arg, 0);
	map_remove(&r->server->relays, &r->by_key);
	kept_free(r->kept);
	spare_put(r->fars, r->capfars * sizeof(*r->fars));
	spare_put(r, sizeof(*r) + r->event_len);
}

void
relays_tell_source(const struct relay *r, enum word_type type, uint32_t flags)
{
	const struct word	 w = { .type = type, .number = r->of.number,
				    .flags = flags };

	say_tell(r->server, NULL, r->of.replica, &w, slice_of(NULL, 0));
}

void
relays_press(struct relay *r)
{
	int	 high = r->nhigh > 0 || r->behind || r->voyage_high ||
		    (r->kept != NULL && r->kept->bytes > KEPT_MAX);

	for (size_t i = 0; i < r->nfars; i++)
		high |= r->fars[i].high;
	if (high == r->pressed)
		return;
	r->pressed = high;
	if (!relays_is_ours(r))
		relays_tell_source(r, WORD_PRESS, high ? WORD_F_HIGH : 0);
	else if (r->source != NULL)
		r->source->press(r->arg, high);
}

struct lane *
relays_lane_new(struct relay *r, struct events_socket *s)
{
	struct lane	*l;

	if ((l = spare_get(sizeof(*l))) == NULL)
		return (NULL);
	l->relay = r;
	l->socket = s;
	l->id = socket_next_id(s);
	list_push(&r->lanes, &l->of_relay);
	list_push(&s->lanes, &l->of_socket);
	r->nlanes++;
	r->nhigh += s->high;
	transit_touch(s);
	return (l);
}

/* ---- for receivers on their way ---- */

void
relays_keep(struct relay *r)
{
	struct events_server	*v = r->server;
	uint64_t		 last = kennel_replica_expected(v->replica, NULL);

	if (last == 0 || (v->kept_timer == NULL && (v->kept_timer =
	    kennel_timer_new(RELAYS_KEPT_MS, 1, relays_kept_cb, v)) == NULL))
		return;
	r->kept = kept_new(last);
}

int
relays_awaits(struct relay *r)
{
	uint64_t	 oldest;

	if (r->kept == NULL)
		return (0);
	if (kennel_replica_expected(r->server->replica, &oldest) != 0 &&
	    oldest <= r->kept->until)
		return (1);
	kept_free(r->kept);
	r->kept = NULL;
	relays_press(r);
	return (0);
}

void
relays_over(struct relay *r)
{
	while (!list_empty(&r->lanes))
		relays_lane_free(list_entry(r->lanes.next, struct lane,
		    of_relay));
	if (r->pressed && r->source != NULL)
		r->source->press(r->arg, 0);
	r->source = NULL;
	r->pressed = 0;
	r->nfars = 0;
	r->over = 1;
}

/* Once in a while, as long as there are some that keep. */
static void
relays_kept_cb(void *arg)
{
	struct events_server	*v = arg;
	struct map_node		*n = map_first(&v->relays), *next;
	struct relay		*r;
	size_t			 left = 0;

	for (; n != NULL; n = next) {
		next = map_next(&v->relays, n);
		r = container_of(n, struct relay, by_key);
		if (r->kept == NULL)
			continue;
		if (relays_awaits(r)) {
			left++;
			continue;
		}
		if (!r->over && (r->nlanes > 0 || r->voyage != NULL ||
		    relays_is_ours(r)))
			continue;
		if (!r->over)
			relays_tell_source(r, WORD_NOBODY, 0);
		relays_free(r);
	}
	if (left > 0)
		return;
	kennel_timer_free(v->kept_timer);
	v->kept_timer = NULL;
}

