/* Questions to other shards, and their deadlines. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/turn.h"
#include "shardd/group/ask.h"

#define ASK_TICK_MS	20
#define ASK_SPARES	64		/* kept for the next */

static struct map	 asks;		/* outstanding, by id */
static struct list	 ask_list;	/* the same, earliest deadline first */
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
		list_init(&ask_list);
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
ask_new(struct event_base *base, const void *owner, unsigned deadline_ms,
    size_t max, void (*done)(const struct ask *a, int err, void *arg),
    void *arg)
{
	struct ask	*a;
	struct list	*e;

	if (ask_setup(base) == -1 || (a = ask_spare(max)) == NULL)
		return (NULL);
	a->id = ++ask_last;
	a->deadline = clock_ms() + deadline_ms;
	a->pending = 1;
	a->err = 0;
	a->owner = owner;
	a->done = done;
	a->arg = arg;
	a->call = NULL;
	if (map_insert(&asks, &a->by_id, &a->id, sizeof(a->id)) == -1) {
		ask_free(a);
		return (NULL);
	}
	/* Most have the same deadline: it belongs at the end, or near it. */
	for (e = ask_list.prev; e != &ask_list &&
	    list_entry(e, struct ask, at)->deadline > a->deadline; e = e->prev)
		;
	list_push(e->next, &a->at);
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

/* Asks whose deadline has passed end. */
static void
ask_tick_cb(evutil_socket_t fd, short what, void *arg)
{
	uint64_t	 now = clock_ms();
	struct ask	*a;

	(void)fd, (void)what, (void)arg;
	if (!list_empty(&ask_finished))
		turn_add(&ask_work, TURN_CLIENTS);
	while (!list_empty(&ask_list)) {
		a = list_entry(ask_list.next, struct ask, at);
		if (a->deadline > now) {
			ask_tick();
			return;
		}
		a->err = ETIMEDOUT;
		for (size_t i = 0; i < a->nparts; i++)
			if (a->parts[i].link != NULL)
				a->parts[i].error = "timeout";
		ask_finish(a);
	}
}

void
ask_link_lost(const struct link *link, int dead)
{
	struct list	*e, *tmp;
	struct ask	*a;

	if (ask_base == NULL)
		return;
	list_each(e, tmp, &ask_list) {
		a = list_entry(e, struct ask, at);
		for (size_t i = 0; i < a->nparts; i++) {
			if (a->parts[i].link != link)
				continue;
			if (!dead)
				a->err = ETIMEDOUT;
			ask_settle(a, &a->parts[i], "gone");
			break;		/* a may be finished */
		}
	}
}

void
ask_neighbour_gone(const void *owner, uint64_t neighbour)
{
	struct list	*e, *tmp;
	struct ask	*a;

	if (ask_base == NULL)
		return;
	list_each(e, tmp, &ask_list) {
		a = list_entry(e, struct ask, at);
		for (size_t i = 0; a->owner == owner && i < a->nparts; i++) {
			if (a->parts[i].neighbour != neighbour ||
			    a->parts[i].link == NULL)
				continue;
			ask_settle(a, &a->parts[i], "gone");
			break;
		}
	}
}

void
ask_cancel(const void *owner)
{
	struct list	*lists[] = { &ask_list, &ask_finished };
	struct list	*e;
	struct ask	*a;

	if (ask_base == NULL)
		return;
	for (size_t i = 0; i < nitems(lists); i++)
		for (e = lists[i]->next; e != lists[i]; ) {
			a = list_entry(e, struct ask, at);
			if (a->owner != owner) {
				e = e->next;
				continue;
			}
			if (i == 0)
				map_remove(&asks, &a->by_id);
			list_remove(&a->at);
			a->done(a, ECANCELED, a->arg);
			ask_free(a);
			e = lists[i]->next;	/* done may change them */
		}
}
