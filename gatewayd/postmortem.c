/* What shards died of. */
#include <stdlib.h>
#include <string.h>

#include "gatewayd/postmortem.h"

void
postmortem_init(struct postmortem *p)
{
	list_init(&p->suspects);
	p->n = 0;
}

/* Forget a step. */
static void
suspect_free(struct postmortem *p, struct suspect *s)
{
	list_remove(&s->at);
	p->n--;
	free(s);
}

void
postmortem_clear(struct postmortem *p)
{
	while (!list_empty(&p->suspects))
		suspect_free(p, list_entry(p->suspects.next, struct suspect,
		    at));
}

/* Is s a step of that group? */
static int
suspect_of(const struct suspect *s, struct slice app, struct slice group)
{
	return (slice_eq(slice_of(s->names, s->app_len), app) &&
	    slice_eq(slice_of(s->names + s->app_len, s->group_len), group));
}

static struct suspect *
suspect_find(struct postmortem *p, struct slice app, struct slice group,
    uint64_t origin, uint64_t number)
{
	struct list	*l, *tmp;
	struct suspect	*s;

	list_each(l, tmp, &p->suspects) {
		s = list_entry(l, struct suspect, at);
		if (s->origin == origin && s->number == number &&
		    suspect_of(s, app, group))
			return (s);
	}
	return (NULL);
}

/* One more suspect, for which the oldest may have to make room. */
static struct suspect *
suspect_new(struct postmortem *p, struct slice app, struct slice group,
    uint64_t origin, uint64_t number)
{
	struct suspect	*s;

	if ((s = calloc(1, sizeof(*s) + app.len + group.len)) == NULL)
		return (NULL);
	s->origin = origin;
	s->number = number;
	s->app_len = app.len;
	s->group_len = group.len;
	if (app.len > 0)
		memcpy(s->names, app.data, app.len);
	if (group.len > 0)
		memcpy(s->names + app.len, group.data, group.len);
	if (p->n == POSTMORTEM_SUSPECTS)
		suspect_free(p, list_entry(p->suspects.next, struct suspect,
		    at));
	list_push(&p->suspects, &s->at);
	p->n++;
	return (s);
}

unsigned
postmortem_blame(struct postmortem *p, struct slice app, struct slice group,
    uint64_t origin, uint64_t number, uint64_t incarnation)
{
	struct suspect	*s = suspect_find(p, app, group, origin, number);

	if (s == NULL &&
	    (s = suspect_new(p, app, group, origin, number)) == NULL)
		return (0);
	if (s->deaths > 0 && s->last == incarnation)
		return (s->deaths);
	s->last = incarnation;
	return (++s->deaths);
}

void
postmortem_absolve(struct postmortem *p, uint64_t incarnation)
{
	struct list	*l, *tmp;
	struct suspect	*s;

	list_each(l, tmp, &p->suspects) {
		s = list_entry(l, struct suspect, at);
		if (s->last == incarnation && s->deaths > 0 &&
		    s->deaths < POSTMORTEM_DEATHS)
			s->deaths--;
	}
}

const struct suspect *
postmortem_next(const struct postmortem *p, struct slice app,
    struct slice group, const struct suspect *after)
{
	struct list	*l = after == NULL ? p->suspects.next : after->at.next;
	struct suspect	*s;

	for (; l != &p->suspects; l = l->next) {
		s = list_entry(l, struct suspect, at);
		if (s->deaths >= POSTMORTEM_DEATHS && suspect_of(s, app, group))
			return (s);
	}
	return (NULL);
}
