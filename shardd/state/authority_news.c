/* Who decides in a group: what has taken effect, and bringing others up. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "proto/news.h"
#include "proto/page.h"
#include "shardd/state/authority_in.h"
#include "shardd/state/decide.h"
#include "shardd/kennel.h"
#include "shardd/state/store.h"

static void
item_free(struct item *i)
{
	list_remove(&i->at);
	spare_put(i, sizeof(*i) + i->len);
}

void
authority_forget_news(struct authority *a)
{
	while (!list_empty(&a->news))
		item_free(list_entry(a->news.next, struct item, at));
	a->nnews = a->news_bytes = 0;
	a->base = a->era;
}

void
marks_forget(struct map *marks)
{
	struct map_node	*n;

	while ((n = map_first(marks)) != NULL) {
		map_remove(marks, n);
		free(container_of(n, struct mark, by_origin));
	}
	map_clear(marks);
}

void
incoming_drop(struct incoming **in)
{
	if (*in == NULL)
		return;
	maps_clear(&(*in)->maps);
	marks_forget(&(*in)->marks);
	free(*in);
	*in = NULL;
}

/* ---- marks ---- */

static struct mark *
marks_get(struct map *marks, uint64_t origin)
{
	struct map_node	*n = map_find(marks, &origin, sizeof(origin));
	struct mark	*k;

	if (n != NULL)
		return (container_of(n, struct mark, by_origin));
	if ((k = calloc(1, sizeof(*k))) == NULL)
		return (NULL);
	k->origin = origin;
	if (map_insert(marks, &k->by_origin, &k->origin,
	    sizeof(k->origin)) == 0)
		return (k);
	free(k);
	return (NULL);
}

struct mark *
authority_mark(struct authority *a, uint64_t origin)
{
	return (marks_get(&a->marks, origin));
}

void
marks_set(struct map *marks, uint64_t origin, uint64_t number, uint32_t err)
{
	struct mark	*k = marks_get(marks, origin);

	if (k == NULL)
		return;
	if (number > k->done)
		k->done = number;
	if (err != 0 && number > k->refused) {
		k->refused = number;
		k->err = err;
	}
	if (k->done > k->seen)
		k->seen = k->done;
}

static void
authority_unmark(struct authority *a, uint64_t origin)
{
	struct map_node	*n = map_find(&a->marks, &origin, sizeof(origin));

	if (n == NULL)
		return;
	map_remove(&a->marks, n);
	free(container_of(n, struct mark, by_origin));
}

/* ---- steps that kill ---- */

void
authority_poison(struct authority *a, uint64_t origin, uint64_t number)
{
	if (!authority_is_poison(a, origin, number))
		a->poisons[a->npoisons++ % AUTHORITY_POISONS] =
		    (struct poison){ origin, number };
}

/* Has it killed those who decided it? */
int
authority_is_poison(const struct authority *a, uint64_t origin, uint64_t number)
{
	for (size_t i = 0; i < a->npoisons && i < AUTHORITY_POISONS; i++)
		if (a->poisons[i].origin == origin &&
		    a->poisons[i].number == number)
			return (1);
	return (0);
}

/* ---- taking effect ---- */

/*
 * The application hears of one step, its changes being made.  In the replica that
 * decides this is before the news leave this process: a step whose onstep kills
 * does so here, not everywhere at once.
 */
static void
authority_announce(struct authority *a, const struct news_step *s)
{
	static struct kennel_change	 changes[NEWS_CHANGES_MAX];
	struct news_step		 walk = *s;
	struct news_change		 c;
	size_t				 n = 0;

	if (a->of.app->onstep == NULL)
		return;
	while (n < nitems(changes) && news_change(&walk, &c))
		changes[n++] = (struct kennel_change){
			.map = c.map.data, .map_len = c.map.len,
			.key = c.key.len == 0 ? "" : c.key.data,
			.key_len = c.key.len,
			.value = c.kind == NEWS_PUT ? c.value.data : NULL,
			.value_len = c.value.len,
		};
	page_at(a->desk->page, PAGE_ONSTEP, a->of.id, s->origin,
	    s->number);
	a->of.app->onstep(a->of.replica, changes, n,
	    s->data.len == 0 ? "" : s->data.data, s->data.len);
	page_idle(a->desk->page);
}

struct departed *
authority_departed(struct authority *a, uint64_t id)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &a->departed)
		if (list_entry(e, struct departed, at)->id == id)
			return (list_entry(e, struct departed, at));
	return (NULL);
}

/* The latest, for a state that comes may have had some of the others in it. */
void
authority_remember(struct authority *a, uint64_t id, int said)
{
	struct departed	*d;

	if ((d = malloc(sizeof(*d))) == NULL)
		return;
	d->id = id;
	d->said = said;
	list_push(&a->departed, &d->at);
	if (list_count(&a->departed) <= AUTHORITY_DEPARTED)
		return;
	d = list_entry(a->departed.next, struct departed, at);
	list_remove(&d->at);
	free(d);
}

/* The news say that it ended; perhaps before the gateway does. */
static void
authority_departed_said(struct authority *a, uint64_t id)
{
	struct departed	*d = authority_departed(a, id);

	authority_unmark(a, id);
	if (d != NULL && !d->said) {
		list_remove(&d->at);
		free(d);
	} else if (d == NULL && a->ops->has(a->arg, id))
		authority_remember(a, id, 1);
}

static void
authority_apply_step(struct authority *a, struct news_step *s)
{
	struct news_step	 walk = *s;
	struct news_change	 c;
	int			 poison = authority_is_poison(a, s->origin,
				    s->number);

	turn_progress();
	while (news_change(&walk, &c))
		if (maps_put(&a->maps, c.map, c.key, c.value) == -1)
			log_warn("group state lost=1 error=\"no memory\"");
	if (s->number == 0)
		authority_departed_said(a, s->origin);
	else
		marks_set(&a->marks, s->origin, s->number, s->err);
	if (s->err == 0 && !poison)
		authority_announce(a, s);
	if (s->origin == a->of.id)
		authority_answered(a, s->number, poison ? EBADMSG :
		    (int)s->err);
}

static void
authority_keep(struct authority *a, const char *data, size_t len)
{
	struct item	*i;

	if ((i = spare_get(sizeof(*i) + len)) == NULL) {
		authority_forget_news(a);	/* others get all of it */
		return;
	}
	i->pos = a->pos;
	i->era = a->era;
	i->len = len;
	memcpy(i->data, data, len);
	list_push(&a->news, &i->at);
	a->nnews++;
	a->news_bytes += len;
	while (a->nnews > AUTHORITY_NEWS ||
	    a->news_bytes > AUTHORITY_NEWS_BYTES) {
		i = list_entry(a->news.next, struct item, at);
		a->nnews--;
		a->news_bytes -= i->len;
		a->base = i->era;
		item_free(i);
	}
}

/* The next news.  0, or -1: it is none. */
int
authority_apply(struct authority *a, uint64_t era, const char *data,
    size_t len)
{
	struct news_step	 s;
	struct news		 n;

	if (news_open(&n, data, len) == -1) {
		log_warn("replica id=%" PRIu64 " error=\"bad news\"", a->of.id);
		return (-1);
	}
	a->pos++;
	a->era = era;
	if (n.durable != 0)
		a->durable = n.durable;
	authority_keep(a, data, len);
	while (news_step(&n, &s))
		authority_apply_step(a, &s);
	return (0);
}

/* Is that where we are, or were, as far as it is remembered? */
int
authority_passed(const struct authority *a, uint64_t pos, uint64_t era)
{
	struct list	*e;
	struct item	*i;

	if (pos > a->pos || pos < a->pos - a->nnews)
		return (0);
	for (e = a->news.prev; e != &a->news; e = e->prev) {
		i = list_entry(e, struct item, at);
		if (i->pos == pos)
			return (i->era == era);
	}
	return (a->base == era);
}

/* ---- bringing others up ---- */

static void
authority_send_news(struct authority *a, uint64_t to, const struct item *i)
{
	struct gossip	 m = { .type = GOSSIP_NEWS, .seq = i->pos,
			    .era = i->era,
			    .payload = slice_of(i->data, i->len) };

	authority_tell(a, to, &m);
}

/* How many steps of a batch tell of a mark: the last that was refused, and the
 * last. */
static size_t
mark_steps(const struct mark *k)
{
	return ((k->refused != 0) + (k->refused != k->done));
}

/* A part: changes, and marks from *mark on, as many as fit in a message. */
static void
authority_send_part(struct authority *a, uint64_t to, struct buf *changes,
    size_t nchanges, struct map_node **mark, int more, uint64_t *parts)
{
	struct gossip		 m = { .type = GOSSIP_STATE, .seq = a->pos,
				    .era = a->era, .after = (*parts)++ };
	struct buf		 b = { 0 };
	struct map_node		*n = *mark, *end;
	struct mark		*k;
	size_t			 nmarks = 0;

	for (end = n; !more && end != NULL && nmarks < NEWS_CHANGES_MAX / 2;
	    end = map_next(&a->marks, end))
		nmarks += mark_steps(container_of(end, struct mark, by_origin));
	if (!more)
		*mark = end;
	m.flags = more || *mark != NULL ? GOSSIP_F_MORE : 0;
	news_begin(&b, a->durable, 1 + nmarks);
	news_add_step(&b, 0, 0, 0, slice_of(NULL, 0), nchanges);
	if (changes->len > 0)
		buf_add(&b, changes->data, changes->len);
	for (; !more && n != end; n = map_next(&a->marks, n)) {
		k = container_of(n, struct mark, by_origin);
		if (k->refused != 0)
			news_add_step(&b, k->origin, k->refused, k->err,
			    slice_of(NULL, 0), 0);
		if (k->refused != k->done)
			news_add_step(&b, k->origin, k->done, 0,
			    slice_of(NULL, 0), 0);
	}
	m.payload = slice_of(b.data, b.len);
	if (b.failed || changes->failed)
		log_warn("replica id=%" PRIu64 " state not sent: no memory",
		    a->of.id);
	else
		authority_tell(a, to, &m);
	buf_clear(&b);
	changes->len = 0;
}

/* All there is, in parts. */
void
authority_send_state(struct authority *a, uint64_t to)
{
	struct map_node		*mark = map_first(&a->marks);
	struct buf		 changes = { 0 };
	struct news_change	 c = { .kind = NEWS_PUT };
	struct map_node		*n, *k;
	struct maps_one		*one;
	struct maps_entry	*e;
	uint64_t		 parts = 0;
	size_t			 count = 0;

	for (n = map_first(&a->maps.by_name); n != NULL;
	    n = map_next(&a->maps.by_name, n)) {
		one = container_of(n, struct maps_one, by_name);
		c.map = slice_of(one->name, one->name_len);
		for (k = map_first(&one->entries); k != NULL;
		    k = map_next(&one->entries, k)) {
			e = container_of(k, struct maps_entry, by_key);
			c.key = slice_of(e->key, e->key_len);
			c.value = slice_of(e->value, e->len);
			news_add_change(&changes, &c);
			if (++count < NEWS_CHANGES_MAX / 2 &&
			    changes.len < AUTHORITY_BATCH)
				continue;
			authority_send_part(a, to, &changes, count, &mark, 1,
			    &parts);
			count = 0;
		}
	}
	do {
		authority_send_part(a, to, &changes, count, &mark, 0, &parts);
		count = 0;
	} while (mark != NULL);
	buf_clear(&changes);
}

/* What is behind pos, which we passed. */
void
authority_send_since(struct authority *a, uint64_t to, uint64_t pos)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &a->news)
		if (list_entry(e, struct item, at)->pos > pos)
			authority_send_news(a, to, list_entry(e, struct item,
			    at));
}

void
authority_bring_up(struct authority *a, struct member *m)
{
	if (!m->stale && authority_passed(a, m->pos, m->era))
		authority_send_since(a, m->id, m->pos);
	else {
		authority_send_state(a, m->id);
		m->stated = clock_ms();
		m->acked = 0;		/* whatever it had */
	}
	m->stale = 0;
	m->pos = a->pos;
	m->era = a->era;
	m->asked = a->pos;
}

/* Ours beyond number took effect here only, when another decided already: they
 * are to be decided again. */
static void
authority_unapply(struct authority *a, uint64_t number)
{
	struct step	*s;

	while (!list_empty(&a->applied)) {
		s = list_entry(a->applied.prev, struct step, at);
		if (s->number <= number)
			break;
		list_remove(&s->at);
		list_push(a->steps.next, &s->at);	/* before the first */
	}
}

/* The last part has come: that is the state. */
static void
authority_become(struct authority *a, uint64_t durable, struct incoming **in)
{
	struct mark	*k;

	maps_clear(&a->maps);
	marks_forget(&a->marks);
	a->maps = (*in)->maps;
	a->marks = (*in)->marks;
	a->pos = (*in)->pos;
	a->era = (*in)->era;
	free(*in);
	*in = NULL;
	a->durable = durable;
	a->synced = 1;
	authority_get_ready(a);
	authority_forget_news(a);
	if ((k = authority_mark(a, a->of.id)) != NULL) {
		authority_unapply(a, k->done);
		authority_recalled(a, k);
	}
	if (a->office == OFFICE_NONE)
		authority_acknowledge(a);
	authority_reset(a);
	authority_resend(a);
}

static int
authority_take_part(struct incoming *in, struct news *n)
{
	struct news_change	 c;
	struct news_step	 s;
	int			 rv = 0;

	while (news_step(n, &s)) {
		if (s.number != 0)
			marks_set(&in->marks, s.origin, s.number, s.err);
		while (news_change(&s, &c))
			rv |= maps_put(&in->maps, c.map, c.key, c.value);
	}
	return (rv);
}

/* Does m say where somebody is who is further than we are? */
int
authority_later(const struct authority *a, const struct gossip *m)
{
	return (m->era > a->era || (m->era == a->era && m->seq > a->pos));
}

void
authority_got_state(struct authority *a, const struct gossip *m)
{
	struct member	 *k = authority_member(a, m->from);
	struct incoming	**in = &a->incoming;
	struct news	  n;

	if (m->term != a->term)
		return;
	if (a->office == OFFICE_NONE) {
		if (m->from != a->head)
			return;
		a->asked = clock_ms();
	} else {
		if (a->office != OFFICE_ASKING || k == NULL)
			return;
		in = &k->incoming;
		k->pos = m->seq;
		k->era = m->era;
		if (a->synced && !authority_later(a, m)) {
			incoming_drop(in);
			return;
		}
	}
	/* The rest of another one will not come any more; and of one whose
	 * beginning did not come, the rest is no state. */
	if (m->after == 0 || (*in != NULL && ((*in)->pos != m->seq ||
	    (*in)->era != m->era || (*in)->parts != m->after)))
		incoming_drop(in);
	if (*in == NULL && (m->after != 0 ||
	    (*in = calloc(1, sizeof(**in))) == NULL))
		return;
	(*in)->parts++;
	(*in)->pos = m->seq;
	(*in)->era = m->era;
	if (news_open(&n, m->payload.data, m->payload.len) == -1) {
		log_warn("replica id=%" PRIu64 " error=\"bad state\"",
		    a->of.id);
		incoming_drop(in);
		return;
	}
	if (authority_take_part(*in, &n) == -1) {
		log_warn("replica id=%" PRIu64 " no memory for the state, "
		    "which is asked for again", a->of.id);
		incoming_drop(in);
		return;
	}
	if ((m->flags & GOSSIP_F_MORE) == 0)
		authority_become(a, n.durable, in);
}
