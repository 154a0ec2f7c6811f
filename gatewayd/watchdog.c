/* The pulse of all shards. */
#include <errno.h>
#include <stdlib.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/memory.h"
#include "gatewayd/election.h"
#include "gatewayd/placement.h"
#include "gatewayd/shard.h"
#include "gatewayd/totals.h"
#include "gatewayd/watchdog.h"

#define WATCHDOG_LOOKS	25	/* in its time: so it is exact to less than a
				   tenth */

struct watchdog {
	struct event	*timer;
	unsigned	 ms;
	uint64_t	 watched;	/* clock_ms of the last look */
	struct shards	*shards;
	struct election	*election;
	struct totals	*totals;
};

static void	 watchdog_cb(evutil_socket_t, short, void *);

struct watchdog *
watchdog_new(struct event_base *base, unsigned ms, struct shards *shards,
    struct election *election, struct totals *totals)
{
	unsigned	 look = ms / WATCHDOG_LOOKS;
	struct timeval	 tv = clock_tv(look < 25 ? 25 : look);
	struct watchdog	*w;

	if ((w = calloc(1, sizeof(*w))) == NULL)
		return (NULL);
	w->ms = ms;
	w->watched = clock_ms();
	w->shards = shards;
	w->election = election;
	w->totals = totals;
	w->timer = event_new(base, -1, EV_PERSIST, watchdog_cb, w);
	if (w->timer != NULL && event_add(w->timer, &tv) == 0)
		return (w);
	watchdog_free(w);
	errno = ENOMEM;
	return (NULL);
}

void
watchdog_free(struct watchdog *w)
{
	if (w == NULL)
		return;
	if (w->timer != NULL)
		event_free(w->timer);
	free(w);
}

/* A shard hangs. */
static void
watchdog_bite(struct watchdog *w, struct shard *s, const char *why)
{
	w->totals->watchdog++;
	shard_kill(s, why);
}

/* Feel the pulse of all shards. */
static void
watchdog_cb(evutil_socket_t fd, short what, void *arg)
{
	struct watchdog	*w = arg;
	struct shard	*s;
	uint64_t	 now = clock_ms();
	enum pulse_state state;
	/* When it is us who slept, their answers may not have been read yet. */
	int		 fair = now - w->watched < w->ms / 2 + 1000;

	(void)fd, (void)what;
	w->watched = now;
	memory_tidy(now);
	for (size_t i = 0; i < w->shards->nslots; i++) {
		s = &w->shards->slots[i];
		if (!shard_open(s) || s->hopeless)
			continue;
		state = pulse_feel(&s->pulse, now, w->ms);
		if (state == PULSE_ANSWERED)
			shard_ping(s);
		else if (!fair)
			pulse_excuse(&s->pulse, now);
		else if (state == PULSE_HUNG)
			watchdog_bite(w, s, "it does not answer");
		else if (state == PULSE_ENDLESS)
			watchdog_bite(w, s, "it was busy for too long and "
			    "did not answer");
		else if (state == PULSE_DOUBTFUL && s->site != NULL &&
		    s->site->usable) {
			/* The next one who decides gets what it hangs in. */
			if (!pulse_moved(&s->pulse, s->pulse.asked, now))
				election_examine(w->election, s, "hangs");
			election_doubt(w->election, s);
		}
	}
}
