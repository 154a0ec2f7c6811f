/* What takes effect in a replica. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/log.h"
#include "proto/page.h"
#include "shardd/state/effect.h"
#include "shardd/state/expiry.h"

/* ---- steps that kill ---- */

void
effect_poison(struct authority *a, uint64_t origin, uint64_t number)
{
	if (!effect_is_poison(a, origin, number))
		a->poisons[a->npoisons++ % AUTHORITY_POISONS] =
		    (struct poison){ origin, number };
}

int
effect_is_poison(const struct authority *a, uint64_t origin, uint64_t number)
{
	for (size_t i = 0; i < a->npoisons && i < AUTHORITY_POISONS; i++)
		if (a->poisons[i].origin == origin &&
		    a->poisons[i].number == number)
			return (1);
	return (0);
}

/* ---- neighbours that ended ---- */

struct departed *
effect_departed(struct authority *a, uint64_t id)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &a->departed)
		if (list_entry(e, struct departed, at)->id == id)
			return (list_entry(e, struct departed, at));
	return (NULL);
}

void
departed_free(struct departed *d)
{
	list_remove(&d->at);
	free(d);
}

/* The latest, for a state that comes may have had some of the others in it. */
void
effect_remember(struct authority *a, uint64_t id, int said)
{
	struct departed	*d;

	if ((d = malloc(sizeof(*d))) == NULL)
		return;
	d->id = id;
	d->said = said;
	list_push(&a->departed, &d->at);
	if (list_count(&a->departed) <= AUTHORITY_DEPARTED)
		return;
	departed_free(list_entry(a->departed.next, struct departed, at));
}

/* The news say that it ended; perhaps before the gateway does. */
static void
effect_departed_said(struct authority *a, uint64_t id)
{
	struct departed	*d = effect_departed(a, id);

	if (d != NULL && !d->said)
		departed_free(d);
	else if (d == NULL && a->ops->has(a->arg, id))
		effect_remember(a, id, 1);
}

/* ---- taking effect ---- */

/*
 * The application hears of one step, its changes being made.  In the replica that
 * decides this is before the news leave this process: a step whose onstep kills
 * does so here, not everywhere at once.
 */
static void
effect_announce(struct authority *a, const struct news_step *s)
{
	static struct kennel_change	 changes[NEWS_CHANGES_MAX];
	struct news_step		 walk = *s;
	struct news_change		 c;
	size_t				 n = 0;

	if (a->of.app->onstep == NULL)
		return;
	/* What is ours is nothing for the application. */
	while (n < nitems(changes) && news_change(&walk, &c))
		if (!expiry_is_map(c.map))
			changes[n++] = (struct kennel_change){
				.map = c.map.data, .map_len = c.map.len,
				.key = c.key.len == 0 ? "" : c.key.data,
				.key_len = c.key.len,
				.value = c.kind == NEWS_PUT ? c.value.data : NULL,
				.value_len = c.value.len,
			};
	if (n == 0 && s->number == 0)
		return;
	page_at(a->desk->page, PAGE_ONSTEP, a->of.id, s->origin,
	    s->number);
	a->announcing = 1;
	a->of.app->onstep(a->of.replica, changes, n,
	    s->data.len == 0 ? "" : s->data.data, s->data.len);
	a->announcing = 0;
	page_idle(a->desk->page);
}

/* One step, which is news. */
static void
effect_apply_step(struct authority *a, struct news_step *s)
{
	int	 poison = effect_is_poison(a, s->origin, s->number);

	turn_progress();
	journal_take_step(&a->j, s);
	if (s->number == 0)
		effect_departed_said(a, s->origin);
	if (s->err == 0 && !poison)
		effect_announce(a, s);
	if (s->origin == a->of.id)
		steps_answered(&a->own, s->number, poison ? EBADMSG :
		    (int)s->err, a->j.pos);
}

int
effect_apply(struct authority *a, uint64_t era, const char *data, size_t len)
{
	struct news_step	 s;
	struct news		 n;
	int			 ended = 0;

	if (journal_open(&a->j, era, data, len, &n) == -1)
		return (-1);
	while (news_step(&n, &s)) {
		effect_apply_step(a, &s);
		ended |= s.number == 0 && s.origin == a->of.id;
	}
	/* We were taken for dead: what was ours is gone from the state. */
	if (ended)
		effect_reset(a);
	return (0);
}

void
effect_recall(struct authority *a, const struct mark *k)
{
	steps_recalled(&a->own, k->refused, (int)k->err, k->done, a->j.pos);
}

void
effect_reset(struct authority *a)
{
	struct page	*page = a->desk->page;

	turn_progress();
	if (a->of.app->onreset == NULL)
		return;
	if (effect_is_poison(a, 0, PAGE_RESETS)) {
		log_warn("replica id=%" PRIu64 " onreset not called: shards "
		    "died of it", a->of.id);
		return;
	}
	page_at(page, PAGE_ONRESET, a->of.id, 0, PAGE_RESETS);
	a->of.app->onreset(a->of.replica);
	page_idle(page);
}
