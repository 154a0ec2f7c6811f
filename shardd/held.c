/* Messages for replicas that are not here. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "shardd/held.h"
#include "shardd/link.h"
#include "shardd/neighbours.h"
#include "shardd/worker.h"

#define HELD_TICK_MS	100
#define HELD_ENDED	1024		/* remembered */

struct held {
	struct list	 at;
	struct worker	*worker;
	uint32_t	 slot;		/* the link that it came over */
	uint64_t	 incarnation;
	uint64_t	 until;		/* clock_ms */
	size_t		 bytes;
	struct gossip	 m;		/* slices into data */
	char		 data[];
};

static struct list	 held_list = { &held_list, &held_list };
static size_t		 held_bytes;
static int		 held_ticking;
static uint64_t		 ended[HELD_ENDED];
static size_t		 nended;

static void	 held_tick_cb(evutil_socket_t fd, short what, void *arg);

/* Once more, while something waits. */
static int
held_tick(struct event_base *base)
{
	struct timeval	 tv = { 0, HELD_TICK_MS * 1000 };

	if (!held_ticking && event_base_once(base, -1, EV_TIMEOUT,
	    held_tick_cb, base, &tv) == 0)
		held_ticking = 1;
	return (held_ticking ? 0 : -1);
}

static void
held_free(struct held *h)
{
	list_remove(&h->at);
	held_bytes -= h->bytes;
	free(h);
}

/* Those whose replica did not come: nobody is here who could act. */
static void
held_tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct held	*h;
	struct link	*l;

	(void)fd, (void)what;
	held_ticking = 0;
	while (!list_empty(&held_list)) {
		h = list_entry(held_list.next, struct held, at);
		if (h->until > clock_ms()) {
			held_tick(arg);
			return;
		}
		log_debug("held %s for replica=%" PRIu64 " which did not come",
		    gossip_name(h->m.type), h->m.to);
		l = link_find(h->worker, h->slot, h->incarnation);
		if (l != NULL)
			neighbours_absent(l, &h->m);
		held_free(h);
	}
}

/* The bytes of s are at from now on; what is behind them. */
static char *
held_copy(struct slice *s, char *at)
{
	if (s->len > 0)
		memcpy(at, s->data, s->len);
	if (s->data != NULL)		/* NULL says more than none */
		s->data = at;
	return (at + s->len);
}

int
held_add(struct link *l, const struct gossip *m)
{
	struct held	*h;
	size_t		 bytes;
	char		*at;

	bytes = sizeof(*h) + m->uid.len + m->topics.len + m->payload.len;
	if (bytes > HELD_MAX - held_bytes) {
		errno = ENOBUFS;
		return (-1);
	}
	if ((h = malloc(bytes)) == NULL)
		return (-1);
	if (held_tick(link_worker(l)->base) == -1) {
		free(h);
		errno = ENOMEM;
		return (-1);
	}
	h->worker = link_worker(l);
	h->slot = link_slot(l);
	h->incarnation = link_incarnation(l);
	h->until = clock_ms() + HELD_MS;
	h->bytes = bytes;
	h->m = *m;
	at = held_copy(&h->m.uid, h->data);
	at = held_copy(&h->m.topics, at);
	held_copy(&h->m.payload, at);
	held_bytes += bytes;
	list_push(&held_list, &h->at);
	return (0);
}

void
held_release(struct worker *w, uint64_t replica,
    void (*cb)(struct link *l, const struct gossip *m, void *arg), void *arg)
{
	struct list	 mine = { &mine, &mine }, *e, *tmp;
	struct held	*h;
	struct link	*l;

	list_each(e, tmp, &held_list) {
		h = list_entry(e, struct held, at);
		if (h->m.to != replica || h->worker != w)
			continue;
		list_remove(&h->at);
		list_push(&mine, &h->at);
	}
	while (!list_empty(&mine)) {
		h = list_entry(mine.next, struct held, at);
		if ((l = link_find(w, h->slot, h->incarnation)) != NULL)
			cb(l, &h->m, arg);
		held_free(h);
	}
}

void
held_set_ended(uint64_t replica)
{
	ended[nended++ % HELD_ENDED] = replica;
}

int
held_ended(uint64_t replica)
{
	for (size_t i = 0; i < HELD_ENDED; i++)
		if (ended[i] == replica)
			return (1);
	return (0);
}
