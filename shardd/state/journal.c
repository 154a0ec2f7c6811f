/* The journal of one group: what was decided, and how far that is here. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/spare.h"
#include "shardd/state/journal.h"

struct item {			/* news that others may have missed */
	struct list	 at;
	uint64_t	 pos, era;
	size_t		 len;
	char		 data[];
};

void
journal_init(struct journal *j, uint64_t id, uint64_t durable)
{
	memset(j, 0, sizeof(*j));
	j->id = id;
	j->durable = durable;
	list_init(&j->news);
	list_init(&j->ended);
}

void
journal_clear(struct journal *j)
{
	journal_forget_news(j);
	marks_forget(&j->marks);
	maps_clear(&j->maps);
}

/* Forget one batch of the news. */
static void
item_free(struct item *i)
{
	list_remove(&i->at);
	spare_put(i, sizeof(*i) + i->len);
}

void
journal_forget_news(struct journal *j)
{
	while (!list_empty(&j->news))
		item_free(list_entry(j->news.next, struct item, at));
	j->nnews = j->news_bytes = 0;
	j->base = j->era;
}

/* ---- marks ---- */

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

/* The mark of an origin, made if there is none.  NULL without memory. */
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
	list_init(&k->at);
	if (map_insert(marks, &k->by_origin, &k->origin,
	    sizeof(k->origin)) == 0)
		return (k);
	free(k);
	return (NULL);
}

struct mark *
journal_mark(struct journal *j, uint64_t origin)
{
	return (marks_get(&j->marks, origin));
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

/* The origin of k, a replica whose steps were counted, has ended. */
static void
mark_end(struct journal *j, struct mark *k)
{
	if (!list_empty(&k->at))
		return;
	list_push(&j->ended, &k->at);
	j->nended++;
}

/* It lives, if it was taken for ended. */
static void
mark_live(struct journal *j, struct mark *k)
{
	if (list_empty(&k->at))
		return;
	list_remove(&k->at);
	j->nended--;
}

/* Only the latest that have ended are kept. */
static void
journal_bound_ended(struct journal *j)
{
	struct mark	*k;

	while (j->nended > JOURNAL_ENDED) {
		k = list_entry(j->ended.next, struct mark, at);
		mark_live(j, k);
		map_remove(&j->marks, &k->by_origin);
		free(k);
	}
}

void
journal_end_others(struct journal *j, int (*there)(void *arg, uint64_t origin),
    void *arg)
{
	struct map_node	*n;
	struct mark	*k;

	for (n = map_first(&j->marks); n != NULL; n = map_next(&j->marks, n)) {
		k = container_of(n, struct mark, by_origin);
		if (k->origin != j->id && !there(arg, k->origin))
			mark_end(j, k);
	}
	journal_bound_ended(j);
}

/* How far the steps of an origin have come is known anew, or it has ended (0). */
static void
journal_count(struct journal *j, const struct news_step *s)
{
	struct map_node	*n;

	if (s->number != 0)
		marks_set(&j->marks, s->origin, s->number, s->err);
	if ((n = map_find(&j->marks, &s->origin, sizeof(s->origin))) == NULL)
		return;
	if (s->number != 0) {
		mark_live(j, container_of(n, struct mark, by_origin));
		return;
	}
	mark_end(j, container_of(n, struct mark, by_origin));
	journal_bound_ended(j);
}

/* ---- taking effect ---- */

/* Keep a batch for others; the oldest make room. */
static void
journal_keep(struct journal *j, const char *data, size_t len)
{
	struct item	*i;

	if ((i = spare_get(sizeof(*i) + len)) == NULL) {
		journal_forget_news(j);	/* others get all of it */
		return;
	}
	i->pos = j->pos;
	i->era = j->era;
	i->len = len;
	memcpy(i->data, data, len);
	list_push(&j->news, &i->at);
	j->nnews++;
	j->news_bytes += len;
	while (j->nnews > JOURNAL_NEWS ||
	    j->news_bytes > JOURNAL_NEWS_BYTES) {
		i = list_entry(j->news.next, struct item, at);
		j->nnews--;
		j->news_bytes -= i->len;
		j->base = i->era;
		item_free(i);
	}
}

int
journal_open(struct journal *j, uint64_t era, const char *data, size_t len,
    struct news *n)
{
	if (news_open(n, data, len) == -1) {
		log_warn("replica id=%" PRIu64 " error=\"bad news\"", j->id);
		return (-1);
	}
	j->pos++;
	j->era = era;
	if (n->durable != 0)
		j->durable = n->durable;
	journal_keep(j, data, len);
	return (0);
}

void
journal_take_step(struct journal *j, const struct news_step *s)
{
	struct news_step	 walk = *s;
	struct news_change	 c;

	while (news_change(&walk, &c))
		if (maps_put(&j->maps, c.map, c.key, c.value) == -1)
			log_warn("group state lost=1 error=\"no memory\"");
	journal_count(j, s);
}

int
journal_passed(const struct journal *j, uint64_t pos, uint64_t era)
{
	struct list	*e;
	struct item	*i;

	if (pos > j->pos || pos < j->pos - j->nnews)
		return (0);
	for (e = j->news.prev; e != &j->news; e = e->prev) {
		i = list_entry(e, struct item, at);
		if (i->pos == pos)
			return (i->era == era);
	}
	return (j->base == era);
}

int
journal_is_behind(const struct journal *j, uint64_t pos, uint64_t era)
{
	return (era > j->era || (era == j->era && pos > j->pos));
}

/* ---- for others ---- */

/* How many steps of a batch tell of a mark: the last that was refused, and the
 * last. */
static size_t
mark_steps(const struct mark *k)
{
	return ((k->refused != 0) + (k->refused != k->done));
}

/* A part: changes, and marks from *mark on, as many as fit in a message. */
static void
journal_send_part(struct journal *j, uint64_t to, struct buf *changes,
    size_t nchanges, struct map_node **mark, int more, uint64_t *parts,
    journal_send_cb *send, void *arg)
{
	struct gossip		 m = { .type = GOSSIP_STATE, .seq = j->pos,
				    .era = j->era, .after = (*parts)++ };
	struct buf		 b = { 0 };
	struct map_node		*n = *mark, *end;
	struct mark		*k;
	size_t			 nmarks = 0;

	for (end = n; !more && end != NULL && nmarks < NEWS_CHANGES_MAX / 2;
	    end = map_next(&j->marks, end))
		nmarks += mark_steps(container_of(end, struct mark, by_origin));
	if (!more)
		*mark = end;
	m.flags = more || *mark != NULL ? GOSSIP_F_MORE : 0;
	news_begin(&b, j->durable, 1 + nmarks);
	news_add_step(&b, 0, 0, 0, slice_of(NULL, 0), nchanges);
	if (changes->len > 0)
		buf_add(&b, changes->data, changes->len);
	for (; !more && n != end; n = map_next(&j->marks, n)) {
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
		    j->id);
	else
		send(arg, to, &m);
	buf_clear(&b);
	changes->len = 0;
}

void
journal_send_state(struct journal *j, uint64_t to, journal_send_cb *send,
    void *arg)
{
	struct map_node		*mark = map_first(&j->marks);
	struct buf		 changes = { 0 };
	struct news_change	 c = { .kind = NEWS_PUT };
	struct map_node		*n, *k;
	struct maps_one		*one;
	struct maps_entry	*e;
	uint64_t		 parts = 0;
	size_t			 count = 0;

	for (n = map_first(&j->maps.by_name); n != NULL;
	    n = map_next(&j->maps.by_name, n)) {
		one = container_of(n, struct maps_one, by_name);
		c.map = slice_of(one->name, one->name_len);
		for (k = map_first(&one->entries); k != NULL;
		    k = map_next(&one->entries, k)) {
			e = container_of(k, struct maps_entry, by_key);
			c.key = slice_of(e->key, e->key_len);
			c.value = slice_of(e->value, e->len);
			news_add_change(&changes, &c);
			if (++count < NEWS_CHANGES_MAX / 2 &&
			    changes.len < JOURNAL_PART)
				continue;
			journal_send_part(j, to, &changes, count, &mark, 1,
			    &parts, send, arg);
			count = 0;
		}
	}
	do {
		journal_send_part(j, to, &changes, count, &mark, 0, &parts,
		    send, arg);
		count = 0;
	} while (mark != NULL);
	buf_clear(&changes);
}

void
journal_send_since(const struct journal *j, uint64_t to, uint64_t pos,
    journal_send_cb *send, void *arg)
{
	const struct item	*i;
	struct gossip		 m;
	struct list		*e;

	for (e = j->news.next; e != &j->news; e = e->next) {
		i = list_entry(e, struct item, at);
		if (i->pos <= pos)
			continue;
		m = (struct gossip){ .type = GOSSIP_NEWS, .seq = i->pos,
		    .era = i->era, .payload = slice_of(i->data, i->len) };
		send(arg, to, &m);
	}
}

/* ---- from others ---- */

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

/* What is in a part.  0, or -1 without memory. */
static int
incoming_add(struct incoming *in, struct news *n)
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

int
incoming_take(struct incoming **in, uint64_t id, const struct gossip *m,
    uint64_t *durable)
{
	struct news	 n;

	/* The rest of another one will not come any more; and of one whose
	 * beginning did not come, the rest is no state. */
	if (m->after == 0 || (*in != NULL && ((*in)->pos != m->seq ||
	    (*in)->era != m->era || (*in)->parts != m->after)))
		incoming_drop(in);
	if (*in == NULL && (m->after != 0 ||
	    (*in = calloc(1, sizeof(**in))) == NULL))
		return (0);
	(*in)->parts++;
	(*in)->pos = m->seq;
	(*in)->era = m->era;
	if (news_open(&n, m->payload.data, m->payload.len) == -1) {
		log_warn("replica id=%" PRIu64 " error=\"bad state\"", id);
		incoming_drop(in);
		return (0);
	}
	if (incoming_add(*in, &n) == -1) {
		log_warn("replica id=%" PRIu64 " no memory for the state, "
		    "which is asked for again", id);
		incoming_drop(in);
		return (0);
	}
	*durable = n.durable;
	return ((m->flags & GOSSIP_F_MORE) == 0);
}

void
journal_become(struct journal *j, uint64_t durable, struct incoming **in)
{
	maps_clear(&j->maps);
	marks_forget(&j->marks);
	j->maps = (*in)->maps;
	j->marks = (*in)->marks;
	list_init(&j->ended);
	j->nended = 0;
	j->pos = (*in)->pos;
	j->era = (*in)->era;
	j->durable = durable;
	free(*in);
	*in = NULL;
	journal_forget_news(j);
}
