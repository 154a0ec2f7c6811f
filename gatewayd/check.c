/* Books and shards compared. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "gatewayd/check.h"
#include "gatewayd/placement.h"
#include "gatewayd/verify.h"
#include "gatewayd/roster.h"
#include "gatewayd/shard.h"
#include "proto/channel.h"

#define CHECK_LOOK_MS	50

struct check {
	struct list	 at;
	struct checks	*all;
	struct control	*asker;
	uint64_t	 id;		/* the asker's */
	uint64_t	 deadline;	/* clock_ms */
	struct event	*timer;
	int		 wrong;
	struct {
		const struct control *control;	/* that it was asked by */
		int		 said;
	}		 shards[SLOTS_MAX];
};

struct checks {
	struct event_base *base;
	struct roster	*roster;
	struct placement *placement;
	void		(*answer)(struct control *, uint64_t,
			    const struct check_result *, void *);
	void		*arg;
	struct list	 list;
};

static void	 check_look_cb(evutil_socket_t, short, void *);
static void	 check_free(struct check *);

struct checks *
checks_new(struct event_base *base, struct roster *roster,
    struct placement *placement, void (*answer)(struct control *, uint64_t,
    const struct check_result *, void *), void *arg)
{
	struct checks	*cs;

	if ((cs = calloc(1, sizeof(*cs))) == NULL)
		return (NULL);
	cs->base = base;
	cs->roster = roster;
	cs->placement = placement;
	cs->answer = answer;
	cs->arg = arg;
	list_init(&cs->list);
	return (cs);
}

void
checks_free(struct checks *cs)
{
	struct list	*l, *tmp;

	if (cs == NULL)
		return;
	list_each(l, tmp, &cs->list)
		check_free(list_entry(l, struct check, at));
	free(cs);
}

int
check_begin(struct checks *cs, struct control *asker, uint64_t id)
{
	struct check	*c;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		return (-1);
	list_init(&c->at);
	c->all = cs;
	c->asker = asker;
	c->id = id;
	c->deadline = clock_ms() + CHECK_MS;
	if ((c->timer = evtimer_new(cs->base, check_look_cb, c)) == NULL) {
		free(c);
		errno = ENOMEM;
		return (-1);
	}
	list_push(&cs->list, &c->at);
	event_active(c->timer, EV_TIMEOUT, 1);
	return (0);
}

/*
 * The channel has brought what the shard said before, so that only those on their
 * way to it are in the books and not with it.
 */
void
check_said(struct checks *cs, const struct shard *s, const struct ctl *m)
{
	struct list	*l, *tmp;
	struct check	*c;
	size_t		 books;

	if (s->site == NULL)
		return;
	books = s->site->count - s->site->expected - s->site->early -
	    list_count(&s->handoffs) - list_count(&s->rescues) - s->rescuing;
	list_each(l, tmp, &cs->list) {
		c = list_entry(l, struct check, at);
		if (c->shards[s->slot].control != s->control ||
		    c->id != m->id || c->shards[s->slot].said)
			continue;
		c->shards[s->slot].said = 1;
		c->wrong |= m->limit != books;
		event_active(c->timer, EV_TIMEOUT, 1);
	}
	if (m->limit != books)
		log_warn("shard slot=%" PRIu32 " counts=wrong books=%zu "
		    "shard=%" PRIu32, s->slot, books, m->limit);
}

void
check_cancel(struct checks *cs, const struct control *asker)
{
	struct list	*l, *tmp;

	list_each(l, tmp, &cs->list)
		if (list_entry(l, struct check, at)->asker == asker)
			check_free(list_entry(l, struct check, at));
}

/* Ask those that can be asked by now.  Is this one still to be heard? */
static int
check_awaits(struct check *c, struct shard *s)
{
	const struct ctl	 m = { .type = CTL_STATUS_ASK, .id = c->id };

	/* No process, or a fresh one that has nobody. */
	if (s->pid == 0 || (s->ours && !s->served && s->control == NULL))
		return (0);
	if (s->control == NULL || s->hello || s->hopeless)
		return (1);
	if (c->shards[s->slot].control != s->control) {
		c->shards[s->slot].control = s->control;
		c->shards[s->slot].said = 0;
		(void)shard_tell(s, &m, NULL);
	}
	return (!c->shards[s->slot].said);
}

/* Have all answered?  Then, or when the time is over, the asker hears of it. */
static void
check_look_cb(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval	 again = { 0, CHECK_LOOK_MS * 1000 };
	struct check			*c = arg;
	struct check_result		 result = { .nsilent = 0 };
	struct shard			*s;

	(void)fd, (void)what;
	for (size_t i = 0; i < roster_nslots(c->all->roster); i++) {
		s = roster_slot(c->all->roster, i);
		if (check_awaits(c, s))
			result.silent[result.nsilent++] = s->slot;
	}
	if (result.nsilent > 0 && clock_ms() < c->deadline) {
		evtimer_add(c->timer, &again);
		return;
	}
	result.wrong = c->wrong || verify_placement(c->all->placement) == -1;
	/* A channel that cannot take the answer ends by itself. */
	c->all->answer(c->asker, c->id, &result, c->all->arg);
	check_free(c);
}

/* End a check, answered or not. */
static void
check_free(struct check *c)
{
	list_remove(&c->at);
	event_free(c->timer);
	free(c);
}
