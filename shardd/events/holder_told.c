/* What the holder of the network and the other replicas tell each other: each word is a
 * row. */
#include "shardd/events/holder.h"
#include "shardd/events/holder_in.h"
#include "shardd/events/inside.h"
#include "shardd/events/network.h"
#include "shardd/events/notices.h"
#include "shardd/events/uplink.h"
#include "shardd/events/waits.h"

static void
holder_told_up(struct holder *h, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	(void)data;
	if (h->network == NULL || holder_port(h, w->number, neighbour,
	    w->names, w->event, 1) == -1)
		holder_tell_number(h, neighbour, WORD_LINK_DOWN, w->number);
}

static void
holder_told_says(struct holder *h, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	struct fasttcp_in	 in = { .dialect = fasttcp_d2,
				    .max = SIZE_MAX };
	struct fasttcp_frame	 f;
	const char		*why;
	size_t			 used;

	if (h->network == NULL)
		holder_tell_number(h, neighbour, WORD_LINK_DOWN, w->number);
	else if (fasttcp_next(&in, data, &used, &f, &why) == FASTTCP_GOT)
		holder_hear(h, w->number, &f);
}

static void
holder_told_send(struct holder *h, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	struct uplink	*l = uplink_find(h->server, w->number);

	if (l != NULL)
		uplink_send(l, data.data, data.len);
	else
		holder_tell_number(h, neighbour, WORD_LINK_DOWN, w->number);
}

static void
holder_told_press(struct holder *h, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	struct uplink	*l = uplink_find(h->server, w->number);

	(void)neighbour, (void)data;
	if (h->network != NULL)
		holder_high(h, w->number, (w->flags & WORD_F_HIGH) != 0);
	else if (l != NULL)
		uplink_hold(l, (w->flags & WORD_F_HIGH) != 0);
}

static void
holder_told_kennel(struct holder *h, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	struct uplink	*l = uplink_find(h->server, w->number);

	(void)data;
	if (l != NULL && h->who == neighbour)
		uplink_kennel(l);
}

static void
holder_told_wait(struct holder *h, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	(void)data;
	if (h->who != neighbour)
		return;
	if (w->number != 0)
		waits_hold_number(h->server, w->number);
	else
		waits_go_on(h->server);
}

static void
holder_told_down(struct holder *h, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	struct uplink	*l = uplink_find(h->server, w->number);

	(void)neighbour, (void)data;
	if (l != NULL)
		kennel_close(l->socket->socket, 1013, "links");
	else
		holder_down(h, w->number);
}

static void
holder_told_members(struct holder *h, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	(void)data;
	if (h->network == NULL)
		return;			/* it asks when it is the holder */
	tallies_set(&h->tallies, neighbour, w->event, w->number);
	holder_sum(h, w->event);
}

static void
holder_told_notice(struct holder *h, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	(void)data;
	if (h->who == neighbour)
		notices_told(h->notices, w);
}

static void
holder_told_holder(struct holder *h, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	(void)w, (void)data;
	if (h->who == neighbour)
		holder_rooms(h);
}

void
holder_told(struct events_server *v, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	static void (*const rows[WORD_NTYPES])(struct holder *, uint64_t,
	    const struct word *, struct slice) = {
		[WORD_LINK_UP]		= holder_told_up,
		[WORD_LINK_SAYS]	= holder_told_says,
		[WORD_LINK_SEND]	= holder_told_send,
		[WORD_LINK_DOWN]	= holder_told_down,
		[WORD_MEMBERS]		= holder_told_members,
		[WORD_HOLDER]		= holder_told_holder,
		[WORD_NOTICE]		= holder_told_notice,
		[WORD_LINK_PRESS]	= holder_told_press,
		[WORD_LINK_KENNEL]	= holder_told_kennel,
		[WORD_WAIT]		= holder_told_wait,
	};

	if (v->holder == NULL)
		return;
	holder_look(v->holder);
	rows[w->type](v->holder, neighbour, w, data);
}

void
holder_told_one(struct events_socket *s, uint64_t neighbour,
    const struct word *w, struct slice data)
{
	struct holder	*h = s->server->holder;

	(void)neighbour, (void)data;
	if (h != NULL)
		notices_told_one(h->notices, s, w);
}
