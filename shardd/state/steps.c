/* Steps of our own replica. */
#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/spare.h"
#include "proto/counters.h"
#include "shardd/state/steps.h"

#define STEPS_NS_MS	1000000

void
steps_init(struct steps *s)
{
	memset(s, 0, sizeof(*s));
	list_init(&s->open);
	list_init(&s->applied);
}

/* What became of a step, for the metrics. */
static void
step_count(const struct step *s, int err)
{
	enum counter_step	 result = STEP_REFUSED;

	switch (err) {
	case 0:
		result = STEP_DONE;
		histogram_add(&counters->cells[COUNTER_STEP_SECONDS],
		    clock_ns() - s->began);
		break;
	case EAGAIN:
		result = STEP_AWAY;
		break;
	case ETIMEDOUT:
		result = STEP_LATE;
		break;
	case ECANCELED:
		result = STEP_CANCELED;
		break;
	}
	counter_add(COUNTER_STEPS + result, 1);
}

/* Ends it. */
static void
step_done(struct step *s, int err)
{
	list_remove(&s->at);
	step_count(s, err);
	if (s->done != NULL)
		s->done(err, s->arg);
	spare_put(s, sizeof(*s) + s->len);
}

void
steps_end(struct steps *s)
{
	while (!list_empty(&s->applied))
		step_done(list_entry(s->applied.next, struct step, at), 0);
	while (!list_empty(&s->open))
		step_done(list_entry(s->open.next, struct step, at),
		    ECANCELED);
}

struct step *
steps_add(struct steps *s, struct slice data, steps_done_cb *done, void *arg)
{
	struct step	*st;

	if ((st = spare_get(sizeof(*st) + data.len)) == NULL)
		return (NULL);
	st->number = ++s->number;
	st->began = clock_ns();
	st->since = st->began / STEPS_NS_MS;
	st->head = 0;
	st->before = 0;
	st->done = done;
	st->arg = arg;
	st->len = data.len;
	if (data.len > 0)
		memcpy(st->data, data.data, data.len);
	if (list_empty(&s->open))
		s->sent = st->since;
	list_push(&s->open, &st->at);
	return (st);
}

void
steps_sent(struct step *st, uint64_t head)
{
	st->before |= st->head != 0 && st->head != head;
	st->head = head;
}

uint64_t
steps_before(const struct steps *s, const struct step *st)
{
	if (st->at.prev == &s->open)
		return (0);
	return (list_entry(st->at.prev, struct step, at)->number);
}

void
steps_answered(struct steps *s, uint64_t number, int err, uint64_t pos)
{
	struct step	*st;

	while (!list_empty(&s->open)) {
		st = list_entry(s->open.next, struct step, at);
		if (st->number > number)
			break;
		if (st->done == NULL || (st->number == number && err != 0)) {
			step_done(st, err == EAGAIN && st->before ?
			    ETIMEDOUT : err);
			continue;
		}
		st->pos = pos;
		st->since = clock_ms();
		list_remove(&st->at);
		list_push(&s->applied, &st->at);
	}
}

void
steps_recalled(struct steps *s, uint64_t refused, int err, uint64_t done,
    uint64_t pos)
{
	struct step	*st;

	while (!list_empty(&s->open)) {
		st = list_entry(s->open.next, struct step, at);
		if (st->number >= refused)
			break;
		step_done(st, ETIMEDOUT);
	}
	steps_answered(s, refused, err, pos);
	steps_answered(s, done, 0, pos);
}

void
steps_settled(struct steps *s, uint64_t pos)
{
	struct step	*st;

	while (!list_empty(&s->applied)) {
		st = list_entry(s->applied.next, struct step, at);
		if (st->pos > pos)
			break;
		step_done(st, 0);
	}
}

void
steps_unapply(struct steps *s, uint64_t number)
{
	struct step	*st;

	while (!list_empty(&s->applied)) {
		st = list_entry(s->applied.prev, struct step, at);
		if (st->number <= number)
			break;
		list_remove(&st->at);
		list_push(s->open.next, &st->at);	/* before the first */
	}
}

/*
 * How long ago since was.  Looked up each time: what an end leads to makes steps that
 * are younger than the walk.
 */
static uint64_t
steps_age(uint64_t since)
{
	return (clock_ms() - since);
}

void
steps_expire(struct steps *s, uint64_t open_ms, uint64_t applied_ms)
{
	struct step	*st;

	while (!list_empty(&s->open)) {
		st = list_entry(s->open.next, struct step, at);
		if (steps_age(st->since) < open_ms)
			break;
		step_done(st, ETIMEDOUT);
	}
	while (!list_empty(&s->applied)) {
		st = list_entry(s->applied.next, struct step, at);
		if (steps_age(st->since) < applied_ms)
			break;
		step_done(st, 0);
	}
}

/* Is the first of a list, if there is one, beyond number? */
static int
steps_begin_after(const struct list *l, uint64_t number)
{
	return (list_empty(l) ||
	    list_entry(l->next, struct step, at)->number > number);
}

int
steps_settled_to(const struct steps *s, uint64_t number)
{
	return (steps_begin_after(&s->open, number) &&
	    steps_begin_after(&s->applied, number));
}

int
steps_none(const struct steps *s)
{
	return (list_empty(&s->open) && list_empty(&s->applied));
}
