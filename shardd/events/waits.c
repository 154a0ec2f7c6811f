/* Clients that have filled a link. */
#include "common/clock.h"
#include "common/log.h"
#include "shardd/events/inside.h"
#include "shardd/events/sockets.h"
#include "shardd/events/waits.h"

#define WAITS_MS	10000		/* the word that they go on may be lost */

void
waits_hold(struct events_socket *s)
{
	struct events_server	*v = s->server;

	if (!list_empty(&s->waits))
		return;
	if (list_empty(&v->waiting))
		v->waited = clock_ms();
	list_push(&v->waiting, &s->waits);
	sockets_hold(s, 1);
}

void
waits_hold_number(struct events_server *v, uint64_t number)
{
	struct events_socket	*s = sockets_find_number(v, number);

	if (s != NULL)
		waits_hold(s);
}

void
waits_go_on(struct events_server *v)
{
	struct list		 now = { &now, &now };
	struct events_socket	*s;

	/* Whoever fills a link again meanwhile waits for the next time. */
	list_move(&now, &v->waiting);
	while (!list_empty(&now)) {
		s = list_entry(now.next, struct events_socket, waits);
		list_remove(&s->waits);
		sockets_hold(s, 0);
	}
}

void
waits_socket_gone(struct events_socket *s)
{
	list_remove(&s->waits);
}

void
waits_look(struct events_server *v, uint64_t now)
{
	if (list_empty(&v->waiting) || now - v->waited < WAITS_MS)
		return;
	log_info("events clients=%zu have waited for a link for %d s, they try "
	    "again", list_count(&v->waiting), WAITS_MS / 1000);
	waits_go_on(v);
}
