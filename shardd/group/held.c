/* Messages for replicas that are not here. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "shardd/group/answer.h"
#include "shardd/group/held.h"
#include "shardd/group/note.h"
#include "shardd/peers/link.h"

#define HELD_TICK_MS	100
#define HELD_ENDED	4096		/* remembered: a node's replicas, if it dies */

struct held {
	struct list	 at;
	struct links	*links;
	struct peer_id	 peer;		/* whose link it came over */
	uint64_t	 until;		/* clock_ms */
	size_t		 bytes;
	int		 note;		/* of a message that was not kept */
	struct gossip	 m;		/* slices into data */
	char		 data[];
};

static struct list	 held_list = { &held_list, &held_list };
static size_t		 held_bytes;
static int		 held_ticking;
static uint64_t		 ended[HELD_ENDED];
static size_t		 nended;

static int	 held_keep(struct link *l, const struct gossip *m, int note);
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

/* Forget a held message. */
static void
held_free(struct held *h)
{
	list_remove(&h->at);
	held_bytes -= h->bytes;
	free(h);
}

/* Messages whose replica did not come: nobody is here who could act. */
static void
held_tick_cb(evutil_socket_t fd, short what, void *arg)
{
	uint64_t	 now = clock_ms();
	struct list	*e, *tmp;
	struct gossip	 note;
	struct held	*h;
	struct link	*l;

	(void)fd, (void)what;
	held_ticking = 0;
	list_each(e, tmp, &held_list) {
		h = list_entry(e, struct held, at);
		if (h->until > now)
			continue;
		l = link_find(h->links, &h->peer);
		if (l != NULL && !h->note) {
			log_debug("held %s for replica=%" PRIu64
			    " which did not come", gossip_name(h->m.type),
			    h->m.to);
			answer_absent(l, &h->m);
			if (note_absent(&h->m, &note))
				held_keep(l, &note, 1);
		}
		held_free(h);
	}
	if (!list_empty(&held_list))
		held_tick(arg);
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

/* A copy of m, or (note) the note of one.  0, or -1 with errno ENOBUFS, ENOMEM. */
static int
held_keep(struct link *l, const struct gossip *m, int note)
{
	size_t		 max = note ? 2 * HELD_MAX : HELD_MAX, bytes;
	struct held	*h;
	char		*at;

	bytes = sizeof(*h) + m->uid.len + m->topics.len + m->head.len +
	    m->payload.len;
	if (held_bytes > max || bytes > max - held_bytes) {
		errno = ENOBUFS;
		return (-1);
	}
	if ((h = malloc(bytes)) == NULL)
		return (-1);
	if (held_tick(links_base(link_links(l))) == -1) {
		free(h);
		errno = ENOMEM;
		return (-1);
	}
	h->links = link_links(l);
	h->peer = *link_peer(l);
	h->note = note;
	h->until = clock_ms() + (note ? HELD_NOTE_MS : HELD_MS);
	h->bytes = bytes;
	h->m = *m;
	at = held_copy(&h->m.uid, h->data);
	at = held_copy(&h->m.topics, at);
	at = held_copy(&h->m.head, at);
	held_copy(&h->m.payload, at);
	held_bytes += bytes;
	list_push(&held_list, &h->at);
	return (0);
}

void
held_add(struct link *l, const struct gossip *m)
{
	struct gossip	 note;

	if (held_keep(l, m, 0) == 0)
		return;
	answer_absent(l, m);
	if (note_absent(m, &note) && held_keep(l, &note, 1) == -1)
		log_warn("link slot=%u lost=1 %s for replica=%" PRIu64 ": %s",
		    link_slot(l), gossip_name(m->type), m->to,
		    strerror(errno));
}

void
held_release(struct links *ls, uint64_t replica,
    void (*cb)(struct link *l, const struct gossip *m, void *arg), void *arg)
{
	struct list	 mine = { &mine, &mine }, *e, *tmp;
	struct held	*h;
	struct link	*l;

	list_each(e, tmp, &held_list) {
		h = list_entry(e, struct held, at);
		if (h->m.to != replica || h->links != ls)
			continue;
		list_remove(&h->at);
		list_push(&mine, &h->at);
	}
	while (!list_empty(&mine)) {
		h = list_entry(mine.next, struct held, at);
		if ((l = link_find(ls, &h->peer)) != NULL)
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

void
held_clear_ended(uint64_t replica)
{
	for (size_t i = 0; i < HELD_ENDED; i++)
		if (ended[i] == replica)
			ended[i] = 0;
}
