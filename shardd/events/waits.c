/* Clients that have filled a link. */
#include "common/clock.h"
#include "shardd/events/inside.h"
#include "shardd/events/sockets.h"
#include "shardd/events/waits.h"

#define WAITS_MS	10000		/* the word that they go on may be lost */

void
waits_hold(struct events_socket *s)
{
	if (s->waits)
		return;
	s->waits = 1;
	if (s->server->nwaits++ == 0)
		s->server->waited = clock_ms();
	sockets_hold(s, 1);
}

void
waits_hold_number(struct events_server *v, uint64_t number)
{
	for (size_t i = 0; i < v->n; i++)
		if (kennel_socket_id(v->sockets[i]->socket) == number) {
			waits_hold(v->sockets[i]);
			return;
		}
}

void
waits_go_on(struct events_server *v)
{
	for (size_t i = 0; v->nwaits > 0 && i < v->n; i++) {
		if (!v->sockets[i]->waits)
			continue;
		v->sockets[i]->waits = 0;
		v->nwaits--;
		sockets_hold(v->sockets[i], 0);
	}
}

void
waits_socket_gone(struct events_socket *s)
{
	if (!s->waits)
		return;
	s->waits = 0;
	s->server->nwaits--;
}

void
waits_look(struct events_server *v, uint64_t now)
{
	if (v->nwaits > 0 && now - v->waited >= WAITS_MS)
		waits_go_on(v);
}
