/* Our replica has heard what was said before. */
#include "common/clock.h"
#include "shardd/group/abreast.h"
#include "shardd/group/fan.h"
#include "shardd/group/neighbours.h"
#include "shardd/group/replica.h"
#include "shardd/peers/bus.h"

#define ABREAST_ASK_MS	500		/* then the neighbours are asked again */

static void	 abreast_ask(struct replica *r);

void
abreast_init(struct replica *r)
{
	list_init(&r->behind);
	list_init(&r->abreast);
}

/* Has Redis brought what was published until then, or lost it? */
static int
abreast_published(const struct replica *r, uint64_t since)
{
	const struct bus	*b = r->neighbours->hood->bus;

	return (b == NULL || bus_away(b) || bus_echoed(b) > since);
}

/* Is the waiting over for w? */
static int
abreast_is(const struct replica *r, const struct abreast_wait *w, uint64_t now)
{
	return (abreast_published(r, w->since) && (w->answered ||
	    now - w->since >= ABREAST_MS * UINT64_C(1000000)));
}

/* Those who need not wait any more go on. */
static void
abreast_let_go(struct replica *r)
{
	struct list		 all, *e, *tmp;
	struct abreast_wait	*w;
	uint64_t		 now = clock_ns();

	list_init(&all);
	list_each(e, tmp, &r->abreast)
		if (abreast_is(r, list_entry(e, struct abreast_wait, at), now)) {
			list_remove(e);
			list_push(&all, e);
		}
	while (!list_empty(&all)) {
		w = list_entry(all.next, struct abreast_wait, at);
		list_remove(&w->at);
		w->done(w);
	}
	if (list_empty(&r->abreast))
		list_remove(&r->behind);
}

/* The neighbours have answered, or one has not: it is asked again, a little later. */
static void
abreast_asked_cb(int err, void *arg)
{
	struct replica		*r = arg;
	uint64_t		 asked = r->asked;
	struct abreast_wait	*w;
	struct list		*e, *tmp;
	int			 left = 0;

	r->asked = 0;
	if (err != 0)
		return;
	list_each(e, tmp, &r->abreast) {
		w = list_entry(e, struct abreast_wait, at);
		w->answered |= w->since <= asked;
		left |= !w->answered;
	}
	if (left)
		abreast_ask(r);
	replica_ref(r);
	abreast_let_go(r);
	replica_unref(r);
}

/* Ask the neighbours, if they are not being asked. */
static void
abreast_ask(struct replica *r)
{
	if (r->asked != 0)
		return;
	r->asked = clock_ns();
	if (fan_fence(r->neighbours, 0, ABREAST_ASK_MS, abreast_asked_cb,
	    r) == -1)
		r->asked = 0;	/* later */
}

/* The same for those who have no answer, and Redis. */
static void
abreast_ask_again(struct replica *r)
{
	const struct abreast_wait	*w;
	struct list			*e, *tmp;
	int				 unheard = 0, unanswered = 0;

	list_each(e, tmp, &r->abreast) {
		w = list_entry(e, struct abreast_wait, at);
		unheard |= !abreast_published(r, w->since);
		unanswered |= !w->answered;
	}
	if (unheard)
		bus_echo(r->neighbours->hood->bus);
	if (unanswered)
		abreast_ask(r);
}

void
abreast_begin(struct replica *r, struct abreast_wait *w)
{
	w->since = clock_ns();
	w->answered = 0;
	list_push(&r->abreast, &w->at);
	if (r->neighbours == NULL)
		return;			/* it ends */
	list_remove(&r->behind);
	list_push(&r->neighbours->hood->behind, &r->behind);
	if (r->neighbours->hood->bus != NULL)
		bus_echo(r->neighbours->hood->bus);
	abreast_ask(r);
}

void
abreast_end(struct abreast_wait *w)
{
	list_remove(&w->at);
}

void
abreast_dismissed(struct replica *r)
{
	struct abreast_wait	*w;

	list_remove(&r->behind);
	while (!list_empty(&r->abreast)) {
		w = list_entry(r->abreast.next, struct abreast_wait,
		    at);
		list_remove(&w->at);
		w->gone(w);
	}
}

void
abreast_look(struct neighbourhood *hood)
{
	struct list	 all;
	struct replica	*r;

	list_init(&all);
	list_move(&all, &hood->behind);
	while (!list_empty(&all)) {
		r = list_entry(all.next, struct replica, behind);
		list_remove(&r->behind);
		list_push(&hood->behind, &r->behind);
		replica_ref(r);
		abreast_let_go(r);
		abreast_ask_again(r);
		replica_unref(r);
	}
}
