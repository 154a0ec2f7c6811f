/* Questions to other shards, and their deadlines. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/turn.h"
#include "shardd/group/ask.h"

#define ASK_TICK_MS	20
#define ASK_WHEEL	1024		/* ticks: 20 s, longer than most deadlines */
#define ASK_SPARES	64		/* kept for the next */

static struct map	 asks;		/* outstanding, by id */
static struct list	 ask_wheel[ASK_WHEEL];	/* the same, by the ticks of deadlines */
static uint64_t		 ask_at;	/* the tick that was looked at last */
static struct list	 ask_finished;
static struct list	 ask_spares;
static size_t		 ask_nspares;
static struct turn_work	 ask_work;
static int		 ask_running;	/* ask_run is at work */
static struct event	*ask_timer;
static struct event_base *ask_base;	/* the timer's */
static uint64_t		 ask_last;

static void	 ask_finish(struct ask *a);
static void	 ask_free(struct ask *a);
static void	 ask_run(void *arg);
static void	 ask_tick_cb(evutil_socket_t fd, short what, void *arg);

/* The timer runs only while something is outstanding. */
static void
ask_tick(void)
{
	struct timeval	 tv = { 0, ASK_TICK_MS * 1000 };

	if (!evtimer_pending(ask_timer, NULL))
		evtimer_add(ask_timer, &tv);
}

/* The lists and the timer, once for each event base. */
static int
ask_setup(struct event_base *base)
{
	if (ask_base == base)
		return (0);
	if (ask_timer == NULL) {
		for (size_t i = 0; i < ASK_WHEEL; i++)
			list_init(&ask_wheel[i]);
		list_init(&ask_finished);
		list_init(&ask_spares);
		turn_work_init(&ask_work, ask_run, NULL);
	} else
		event_free(ask_timer);
	ask_base = NULL;
	if ((ask_timer = evtimer_new(base, ask_tick_cb, NULL)) == NULL) {
		errno = ENOMEM;
		return (-1);
	}
	ask_base = base;
	return (0);
}

/* A question with room for max parts; nothing else in it is set. */
static struct ask *
ask_spare(size_t max)
{
	struct ask_part	*parts;
	struct ask	*a;

	if (list_empty(&ask_spares)) {
		if ((a = calloc(1, sizeof(*a))) == NULL)
			return (NULL);
		list_init(&a->at);
		list_init(&a->of_owner);
	} else {
		a = list_entry(ask_spares.next, struct ask, at);
		list_remove(&a->at);
		ask_nspares--;
	}
	a->nparts = 0;
	if (a->cap >= max)
		return (a);
	if ((parts = realloc(a->parts, max * sizeof(*parts))) == NULL) {
		ask_free(a);
		return (NULL);
	}
	a->parts = parts;
	a->cap = max;
	return (a);
}

struct ask *
ask_new(struct event_base *base, struct list *owner, unsigned deadline_ms,
    size_t max, void (*done)(const struct ask *a, int err, void *arg),
    void *arg)
{
	struct ask	*a;

	if (ask_setup(base) == -1 || (a = ask_spare(max)) == NULL)
		return (NULL);
	a->id = ++ask_last;
	a->deadline = clock_ms() + deadline_ms;
	a->pending = 1;
	a->err = 0;
	a->done = done;
	a->arg = arg;
	a->call = NULL;
	if (map_insert(&asks, &a->by_id, &a->id, sizeof(a->id)) == -1) {
		ask_free(a);
		return (NULL);
	}
	list_push(owner, &a->of_owner);
	list_push(&ask_wheel[a->deadline / ASK_TICK_MS % ASK_WHEEL], &a->at);
	ask_tick();
	return (a);
}

void
ask_add(struct ask *a, struct link *link, uint64_t neighbour)
{
	a->parts[a->nparts++] = (struct ask_part){
		.link = link, .neighbour = neighbour,
		.error = link == NULL ? "gone" : NULL
	};
	if (link != NULL)
		a->pending++;
}

/* A part has its answer, or gets none. */
static void
ask_settle(struct ask *a, struct ask_part *part, const char *error)
{
	part->link = NULL;
	part->error = error;
	if (--a->pending == 0)
		ask_finish(a);
}

void
ask_unsent(struct ask *a)
{
	struct ask_part	*part = &a->parts[a->nparts - 1];

	a->err = ETIMEDOUT;
	if (part->link != NULL)
		ask_settle(a, part, "gone");
}

void
ask_go(struct ask *a)
{
	if (--a->pending == 0)
		ask_finish(a);
}

void
ask_answer(uint64_t id, const struct link *link, struct slice data,
    int is_error)
{
	struct map_node	*n = map_find(&asks, &id, sizeof(id));
	struct ask_part	*part;
	struct ask	*a;

	if (n == NULL)
		return;
	a = container_of(n, struct ask, by_id);
	for (size_t i = 0; i < a->nparts; i++) {
		part = &a->parts[i];
		if (part->link != link)
			continue;
		if (data.data == NULL)
			ask_settle(a, part, NULL);
		else if ((part->data = slice_dup(data)) == NULL)
			ask_settle(a, part, "out of memory");
		else {
			part->len = data.len;
			ask_settle(a, part, is_error ? part->data : NULL);
		}
		return;
	}
}

int
ask_is_open(uint64_t id)
{
	return (map_find(&asks, &id, sizeof(id)) != NULL);
}

void
ask_missed(uint64_t id, const struct link *link)
{
	struct map_node	*n = map_find(&asks, &id, sizeof(id));
	struct ask	*a;

	if (n == NULL)
		return;
	a = container_of(n, struct ask, by_id);
	for (size_t i = 0; i < a->nparts; i++)
		if (a->parts[i].link == link) {
			a->err = ETIMEDOUT;
			ask_settle(a, &a->parts[i], "overloaded");
			return;
		}
}

/* Nobody answers any more: done comes at the end of the turn. */
static void
ask_finish(struct ask *a)
{
	map_remove(&asks, &a->by_id);
	list_remove(&a->at);
	list_push(&ask_finished, &a->at);
	if (ask_running)
		event_active(ask_timer, EV_TIMEOUT, 0);
	else
		turn_add(&ask_work, TURN_CLIENTS);
}

/* Turn work: tell those who asked. */
static void
ask_run(void *arg)
{
	struct ask	*a;

	(void)arg;
	/* What these finish at once waits for the next turn: others get theirs. */
	ask_running = 1;
	for (size_t n = list_count(&ask_finished); n > 0 &&
	    !list_empty(&ask_finished); n--) {
		a = list_entry(ask_finished.next, struct ask, at);
		list_remove(&a->at);
		list_remove(&a->of_owner);
		a->done(a, a->err, a->arg);
		ask_free(a);
	}
	ask_running = 0;
}

/* Keep an ask for the next, or free it. */
static void
ask_free(struct ask *a)
{
	list_remove(&a->at);
	list_remove(&a->of_owner);
	for (size_t i = 0; i < a->nparts; i++)
		free(a->parts[i].data);
	if (ask_nspares == ASK_SPARES) {
		free(a->parts);
		free(a);
		return;
	}
	list_push(&ask_spares, &a->at);
	ask_nspares++;
}

/* Nobody has answered a in time. */
static void
ask_late(struct ask *a)
{
	a->err = ETIMEDOUT;
	for (size_t i = 0; i < a->nparts; i++)
		if (a->parts[i].link != NULL)
			a->parts[i].error = "timeout";
	ask_finish(a);
}

/* Asks whose deadline has passed end: those of the ticks since the last look, and of that
 * one, which was not over yet. */
static void
ask_tick_cb(evutil_socket_t fd, short what, void *arg)
{
	uint64_t	 now = clock_ms(), tick = now / ASK_TICK_MS;
	struct list	*e, *tmp;

	(void)fd, (void)what, (void)arg;
	if (!list_empty(&ask_finished))
		turn_add(&ask_work, TURN_CLIENTS);
	if (tick - ask_at >= ASK_WHEEL)
		ask_at = tick - ASK_WHEEL + 1;
	for (; ask_at <= tick; ask_at++)
		list_each(e, tmp, &ask_wheel[ask_at % ASK_WHEEL])
			if (list_entry(e, struct ask, at)->deadline <= now)
				ask_late(list_entry(e, struct ask, at));
	ask_at = tick;
	if (asks.count > 0)
		ask_tick();
}

/* The part of a that went over link gets no answer. */
static void
ask_part_lost(struct ask *a, const struct link *link, int dead)
{
	for (size_t i = 0; i < a->nparts; i++) {
		if (a->parts[i].link != link)
			continue;
		if (!dead)
			a->err = ETIMEDOUT;
		ask_settle(a, &a->parts[i], "gone");
		return;			/* a may be finished */
	}
}

void
ask_link_lost(const struct link *link, int dead)
{
	struct map_node	*n, *next;

	for (n = map_first(&asks); n != NULL; n = next) {
		next = map_next(&asks, n);
		ask_part_lost(container_of(n, struct ask, by_id), link, dead);
	}
}

void
ask_neighbour_gone(struct list *owner, uint64_t neighbour)
{
	struct list	*e, *tmp;
	struct ask	*a;

	list_each(e, tmp, owner) {
		a = list_entry(e, struct ask, of_owner);
		for (size_t i = 0; i < a->nparts; i++) {
			if (a->parts[i].neighbour != neighbour ||
			    a->parts[i].link == NULL)
				continue;
			ask_settle(a, &a->parts[i], "gone");
			break;		/* a may be finished */
		}
	}
}

void
ask_cancel(struct list *owner)
{
	struct ask	*a;

	while (!list_empty(owner)) {	/* done may change it */
		a = list_entry(owner->next, struct ask, of_owner);
		if (ask_is_open(a->id))
			map_remove(&asks, &a->by_id);
		list_remove(&a->at);
		list_remove(&a->of_owner);
		a->done(a, ECANCELED, a->arg);
		ask_free(a);
	}
}
