/* Answers that wait until Redis may carry them. */
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "common/bucket.h"
#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "shardd/group/arrears.h"
#include "shardd/peers/link.h"

#define ARREARS_SMALL	(4 << 10)	/* bytes, that do not wait */
#define ARREARS_RATE	(20 << 20)	/* bytes a second */
#define ARREARS_BURST	(32 << 20)	/* bytes */
#define ARREARS_ONE	(4 << 20)	/* bytes that wait, of a replica */
#define ARREARS_ALL	(16 << 20)	/* and of all: it takes 0.8 s */
#define ARREARS_MS	20

struct arrear {
	struct list	 at;
	struct links	*links;
	struct peer_id	 peer;		/* the asker: its link may have ended */
	struct gossip	 m;		/* its payload is data */
	char		 data[];
};

static struct list	 arrears = { &arrears, &arrears };	/* oldest first */
static size_t		 arrears_bytes;
static struct bucket	 arrears_bucket;
static struct event	*arrears_timer;

/* May so many bytes go now? */
static int
arrears_may(size_t len)
{
	return (bucket_take(&arrears_bucket, clock_ms(), ARREARS_RATE,
	    ARREARS_BURST, len < ARREARS_BURST ? (uint32_t)len :
	    ARREARS_BURST));
}

/* Look again soon. */
static void
arrears_arm(void)
{
	const struct timeval	 tv = { 0, ARREARS_MS * 1000 };

	if (!evtimer_pending(arrears_timer, NULL))
		evtimer_add(arrears_timer, &tv);
}

/* Those that may go now are sent. */
static void
arrears_tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct arrear	*a;
	struct link	*l;

	(void)fd, (void)what, (void)arg;
	while (!list_empty(&arrears)) {
		a = list_entry(arrears.next, struct arrear, at);
		if (!arrears_may(a->m.payload.len)) {
			arrears_arm();
			return;
		}
		l = link_find(a->links, &a->peer);
		if (l != NULL && link_send(l, &a->m) == -1)
			log_debug("link slot=%u answer lost", link_slot(l));
		arrears_bytes -= a->m.payload.len;
		list_remove(&a->at);
		free(a);
	}
}

/* Bytes of that replica that wait. */
static size_t
arrears_of(uint64_t replica)
{
	const struct arrear	*a;
	struct list		*e, *tmp;
	size_t			 n = 0;

	list_each(e, tmp, &arrears) {
		a = list_entry(e, struct arrear, at);
		n += a->m.from == replica ? a->m.payload.len : 0;
	}
	return (n);
}

enum arrears_fate
arrears_take(const struct link *l, const struct gossip *m)
{
	size_t		 len = m->payload.len;
	struct arrear	*a;

	if (link_peer(l)->node == NULL || len <= ARREARS_SMALL ||
	    (list_empty(&arrears) && arrears_may(len)))
		return (ARREARS_NONE);
	if (arrears_timer == NULL && (arrears_timer = evtimer_new(links_base(
	    link_links(l)), arrears_tick_cb, NULL)) == NULL)
		return (ARREARS_FULL);
	if (arrears_bytes + len > ARREARS_ALL ||
	    arrears_of(m->from) + len > ARREARS_ONE ||
	    (a = malloc(sizeof(*a) + len)) == NULL)
		return (ARREARS_FULL);
	*a = (struct arrear){ .links = link_links(l), .peer = *link_peer(l),
	    .m = *m };
	memcpy(a->data, m->payload.data, len);
	a->m.payload.data = a->data;
	list_push(&arrears, &a->at);
	arrears_bytes += len;
	arrears_arm();
	return (ARREARS_WAITS);
}
