/* Who decides in a group: taking office, deciding, writing to Redis. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "proto/news.h"
#include "proto/page.h"
#include "shardd/state/authority_in.h"
#include "shardd/state/decide.h"
#include "shardd/kennel.h"
#include "shardd/state/store.h"

#define AUTHORITY_TURN_MS	5	/* of deciding, then others have a turn */

static struct buf	 authority_kept;	/* for the next batch */

static void	 authority_committed_cb(const struct store_answer *, void *);

/* Is it waited for?  Who is silent for too long is not, until it has caught up:
 * one step is slow for it, not each. */
static int
authority_waits(const struct authority *a, struct member *k)
{
	uint64_t	 now;

	if (!k->heard)
		return (0);
	if (k->acked >= a->pos) {
		k->since = k->slow = 0;
		return (0);
	}
	now = clock_ms();
	if (k->since == 0)
		k->since = now;
	if (k->slow == 0 && now - k->since >= AUTHORITY_SLOW_MS) {
		log_info("replica id=%" PRIu64 " neighbour=%" PRIu64
		    " is silent, steps do not wait for it", a->of.id, k->id);
		k->slow = UINT64_MAX;
	}
	return (k->slow == 0);
}

/* It has said that it has more than before. */
void
authority_heard_ack(struct authority *a, struct member *k, uint64_t pos)
{
	k->acked = pos;
	k->since = 0;
	if (k->slow == UINT64_MAX)
		k->slow = a->pos;
	if (pos >= k->slow)
		k->slow = 0;
}

/* As the authority: how far have all come?  Who asked is told.  Returns whether
 * somebody is waited for. */
int
authority_settle(struct authority *a)
{
	struct gossip	 m = { .type = GOSSIP_ACK };
	struct list	*e, *tmp;
	struct member	*k;
	uint64_t	 pos = a->pos;
	int		 waits;

	list_each(e, tmp, &a->members) {
		k = list_entry(e, struct member, at);
		if (authority_waits(a, k) && k->acked < pos)
			pos = k->acked;
	}
	list_each(e, tmp, &a->members) {
		k = list_entry(e, struct member, at);
		if (!k->heard || k->asked <= k->told || pos <= k->told)
			continue;
		k->told = m.seq = pos;
		authority_tell(a, k->id, &m);
	}
	if ((waits = pos < a->pos))
		authority_restless(a);
	authority_settled(a, pos);
	return (waits);
}

/* ---- deciding ---- */

struct member *
authority_member(struct authority *a, uint64_t id)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &a->members)
		if (list_entry(e, struct member, at)->id == id)
			return (list_entry(e, struct member, at));
	return (NULL);
}

static void
proposal_free(struct proposal *p)
{
	list_remove(&p->at);
	spare_put(p, sizeof(*p) + p->len);
}

void
proposals_free(struct list *proposals)
{
	while (!list_empty(proposals))
		proposal_free(list_entry(proposals->next, struct proposal,
		    at));
}

/* The batch took effect: tell everybody, then us. */
static void
authority_publish(struct authority *a)
{
	struct gossip	 m = { .type = GOSSIP_NEWS, .seq = a->pos + 1,
			    .era = a->term,
			    .payload = slice_of(a->bytes.data, a->bytes.len) };
	struct buf	 bytes = a->bytes;
	struct list	*e, *tmp;
	struct proposal	*p;
	struct member	*k;

	list_each(e, tmp, &a->members) {
		k = list_entry(e, struct member, at);
		if (!k->heard)
			continue;
		authority_tell(a, k->id, &m);
		k->pos = m.seq;
		k->era = m.era;
	}
	list_each(e, tmp, &a->batch) {
		p = list_entry(e, struct proposal, at);
		if (p->number != 0 && p->origin != a->of.id &&
		    (k = authority_member(a, p->origin)) != NULL)
			k->asked = m.seq;
	}
	proposals_free(&a->batch);
	a->nbatch = 0;
	memset(&a->bytes, 0, sizeof(a->bytes));
	authority_apply(a, a->term, bytes.data, bytes.len);
	buf_give(&authority_kept, &bytes);
	authority_settle(a);
}

/* It did not: its steps are to be decided again. */
void
authority_unbatch(struct authority *a)
{
	struct proposal	*p;
	struct map_node	*n;
	struct mark	*k;

	while (!list_empty(&a->batch)) {
		p = list_entry(a->batch.prev, struct proposal, at);
		list_remove(&p->at);
		list_push(a->inbox.next, &p->at);	/* before the first */
		a->inbox_bytes += sizeof(*p) + p->len;
	}
	for (n = map_first(&a->marks); n != NULL; n = map_next(&a->marks, n)) {
		k = container_of(n, struct mark, by_origin);
		k->seen = k->done;
	}
	a->nbatch = 0;
	buf_clear(&a->bytes);
}

/*
 * Returns an errno.  *more: ongone has not come to its end, what it wrote is a
 * step of nobody's.
 */
static int
authority_decide(struct authority *a, struct kennel_step *t,
    const struct proposal *p, int *more)
{
	const struct kennel_app	*app = a->of.app;
	struct kennel_replica	*r = a->of.replica;
	struct page		*page = a->desk->page;
	int			 err;

	turn_progress();
	if (authority_is_poison(a, p->origin, p->number)) {
		log_warn("replica id=%" PRIu64 " step number=%" PRIu64
		    " of replica=%" PRIu64 " refused: shards died of it",
		    a->of.id, p->number, p->origin);
		*more = 0;
		return (EBADMSG);
	}
	page_at(page, PAGE_DECIDE, a->of.id, p->origin, p->number);
	if (p->number == 0)
		err = app->ongone == NULL ? 0 : app->ongone(r, t, p->origin);
	else
		err = app->decide(r, t, p->data, p->len);
	page_idle(page);
	*more = p->number == 0 && err == EAGAIN && t->nchanges > 0;
	if (err == 0 || *more)
		err = t->err;
	if (err == 0 && t->durable && a->keys != NULL &&
	    (a->away || p->refused))
		err = EAGAIN;
	return (err < 0 ? EINVAL : err);
}

/*
 * Decide what waits, as much as goes into one batch, which then is in a->batch and
 * a->bytes.  Returns whether it is to be written to Redis.
 */
static int
authority_make_batch(struct authority *a)
{
	struct maps		 batch = { 0 };
	static struct buf	 kept;
	struct buf		 steps = buf_take(&kept);
	struct kennel_step	 t;
	struct proposal		*p;
	struct mark		*k;
	size_t			 n = 0, changes = 0;
	int			 err, durable = 0, more = 0, alone = 0;
	int			 lasting = 0;

	while (!list_empty(&a->inbox) && n < NEWS_STEPS_MAX &&
	    steps.len < AUTHORITY_BATCH && !more) {
		p = list_entry(a->inbox.next, struct proposal, at);
		if (n > 0 && (p->alone || alone))
			break;
		alone = p->alone;
		k = p->number == 0 ? NULL : authority_mark(a, p->origin);
		/* It came again; or one before it was lost, and both will. */
		if (k != NULL && (p->number <= k->seen || p->after > k->seen)) {
			a->inbox_bytes -= sizeof(*p) + p->len;
			proposal_free(p);
			continue;
		}
		decide_begin(&t, &a->maps, &batch, NEWS_CHANGES_MAX - changes,
		    *a->desk->state_max);
		err = authority_decide(a, &t, p, &more);
		if (err == E2BIG && n > 0) {
			decide_end(&t);
			break;			/* in a batch of its own */
		}
		more = more && err == 0;	/* p is decided again */
		if (p->number == 0 && err == EAGAIN) {
			/* Its end stays to be told until Redis is back. */
			a->inbox_bytes -= sizeof(*p);
			proposal_free(p);
			decide_end(&t);
			continue;
		}
		if (!more) {
			list_remove(&p->at);
			list_push(&a->batch, &p->at);
			a->inbox_bytes -= sizeof(*p) + p->len;
		}
		if (err == 0 && decide_accept(&t, &batch) == -1)
			err = ENOMEM;
		news_add_step(&steps, more ? 0 : p->origin, p->number,
		    (uint32_t)err,
		    err == 0 ? slice_of(p->data, p->len) : slice_of(NULL, 0),
		    err == 0 ? t.nchanges : 0);
		if (err == 0) {
			if (t.changes.len > 0)
				buf_add(&steps, t.changes.data, t.changes.len);
			changes += t.nchanges;
			durable |= t.durable;
			lasting |= t.durable && !t.passing;
		}
		if (k != NULL)
			k->seen = p->number;
		decide_end(&t);
		n++;
	}
	durable = durable && a->keys != NULL;
	a->passing = !lasting;
	a->nbatch = n;
	if (a->bytes.data == NULL)
		a->bytes = buf_take(&authority_kept);
	a->bytes.len = 0;
	news_begin(&a->bytes, durable ? a->durable + 1 : 0, n);
	if (steps.len > 0)
		buf_add(&a->bytes, steps.data, steps.len);
	a->bytes.failed |= steps.failed;
	buf_give(&kept, &steps);
	maps_clear(&batch);
	return (durable);
}

static void
authority_lost(struct authority *a)
{
	a->unknown |= a->nbatch > 0;
	authority_unbatch(a);
	a->office = OFFICE_WAITING;
	a->since = clock_ms();
	authority_restless(a);
}

/* Redis refuses something in the batch: each of its steps is tried alone, and
 * what is refused then has to do without. */
static void
authority_sift(struct authority *a)
{
	struct list	*e, *tmp;
	struct proposal	*p;
	int		 alone = a->nbatch == 1;

	log_warn("replica id=%" PRIu64 " steps=%zu refused: a key in Redis has "
	    "another type", a->of.id, a->nbatch);
	list_each(e, tmp, &a->batch) {
		p = list_entry(e, struct proposal, at);
		p->alone = 1;
		p->refused = alone;
	}
	if (list_empty(&a->batch))	/* a part of an ongone */
		list_entry(a->inbox.next, struct proposal, at)->refused = 1;
	authority_unbatch(a);
	a->office = OFFICE_READY;
	turn_add(&a->work, TURN_CLIENTS);
}

/* Redis has just heard that the state is used. */
static void
authority_touched(struct authority *a)
{
	a->touched = clock_ms();
	list_remove(&a->keeping);
	list_push(&a->desk->keeping, &a->keeping);
}

static void
authority_commit(struct authority *a)
{
	a->office = OFFICE_COMMITTING;
	a->call = store_commit(a->desk->store, a->keys, a->epoch,
	    a->durable + 1, slice_of(a->bytes.data, a->bytes.len), a->passing,
	    authority_committed_cb, a);
	if (a->call == NULL)
		authority_lost(a);
}

static void
authority_committed_cb(const struct store_answer *s, void *arg)
{
	struct authority	*a = arg;

	a->call = NULL;
	switch (s->result) {
	case STORE_OK:
		a->office = OFFICE_READY;
		authority_touched(a);
		authority_publish(a);
		turn_add(&a->work, TURN_CLIENTS);
		break;
	case STORE_REFUSED:
		authority_sift(a);
		break;
	case STORE_EMPTY:
	case STORE_DEPOSED:
		/* While the gateway names us, we take office again. */
		authority_unbatch(a);
		authority_take(a);
		break;
	default:
		authority_lost(a);
		break;
	}
}

static void
authority_later_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	authority_work(arg);
}

/* Others have a turn first.  0, or -1: it is to be done now. */
static int
authority_work_later(struct authority *a)
{
	static const struct timeval	 now = { 0, 0 };

	if (a->later == NULL)
		a->later = evtimer_new(a->desk->base, authority_later_cb,
		    a);
	return (a->later == NULL ? -1 : evtimer_add(a->later, &now));
}

/* Turn work: decides what waits, a while long. */
void
authority_work(void *arg)
{
	struct authority	*a = arg;
	uint64_t		 since = clock_ms();
	int			 durable;

	while (a->office == OFFICE_READY && !list_empty(&a->inbox)) {
		if (clock_ms() - since >= AUTHORITY_TURN_MS &&
		    authority_work_later(a) == 0)
			break;
		durable = authority_make_batch(a);
		if (a->nbatch == 0)
			continue;
		if (a->bytes.failed) {
			log_warn("replica id=%" PRIu64 " no memory to decide",
			    a->of.id);
			authority_unbatch(a);
			break;
		}
		if (durable)
			authority_commit(a);
		else
			authority_publish(a);
	}
}

int
authority_propose(struct authority *a, uint64_t origin, uint64_t number,
    uint64_t after, struct slice data)
{
	struct proposal	*p;

	/* What ends is a few, and is said once only. */
	if ((number != 0 && a->inbox_bytes + data.len > AUTHORITY_INBOX) ||
	    (p = spare_get(sizeof(*p) + data.len)) == NULL) {
		log_warn("replica id=%" PRIu64 " step of replica=%" PRIu64
		    " dropped: too many wait", a->of.id, origin);
		return (-1);
	}
	p->origin = origin;
	p->number = number;
	p->after = after;
	p->alone = p->refused = 0;
	p->len = data.len;
	if (data.len > 0)
		memcpy(p->data, data.data, data.len);
	list_push(&a->inbox, &p->at);
	a->inbox_bytes += sizeof(*p) + data.len;
	turn_add(&a->work, TURN_CLIENTS);
	return (0);
}

/* Once, whatever it was that brought us to it. */
void
authority_propose_end(struct authority *a, uint64_t origin)
{
	struct list	*e, *tmp;
	struct proposal	*p;

	list_each(e, tmp, &a->inbox) {
		p = list_entry(e, struct proposal, at);
		if (p->number == 0 && p->origin == origin)
			return;
	}
	authority_propose(a, origin, 0, 0, slice_of(NULL, 0));
}

/* ---- taking office ---- */

/* What was found is known: the others get it, then steps are decided. */
void
authority_inaugurate(struct authority *a)
{
	struct list	*e, *tmp;
	struct departed	*d;
	struct member	*m;

	a->office = OFFICE_READY;
	a->synced = 1;
	a->since = clock_ms();
	if (a->away)
		a->refused |= a->unknown;
	authority_get_ready(a);
	list_each(e, tmp, &a->members) {
		m = list_entry(e, struct member, at);
		if (m->heard)
			authority_bring_up(a, m);
		else
			m->stale = 1;
	}
	list_each(e, tmp, &a->departed) {
		d = list_entry(e, struct departed, at);
		if (!d->said)
			authority_propose_end(a, d->id);
	}
	authority_resend(a);
	authority_settle(a);
	turn_add(&a->work, TURN_CLIENTS);
}

void
authority_reset(struct authority *a)
{
	struct page	*page = a->desk->page;

	turn_progress();
	if (a->of.app->onreset == NULL)
		return;
	if (authority_is_poison(a, 0, PAGE_RESETS)) {
		log_warn("replica id=%" PRIu64 " onreset not called: shards "
		    "died of it", a->of.id);
		return;
	}
	page_at(page, PAGE_ONRESET, a->of.id, 0, PAGE_RESETS);
	a->of.app->onreset(a->of.replica);
	page_idle(page);
}

/* The whole durable state, from Redis: it replaces ours. */
static int
authority_load(struct authority *a, const struct redis_value *all)
{
	struct maps		 fresh = { 0 };
	struct redis_value	 name, fields, k, v;
	struct map_node		*n, *m;
	struct maps_one		*one;
	struct maps_entry	*e;
	char			*plain;
	size_t			 len;
	int			 bad = 0;

	for (size_t i = 0; i + 2 < all->n; i += 2) {
		name = redis_at(all, i);
		fields = redis_at(all, i + 1);
		if (name.kind != REDIS_STRING || fields.kind != REDIS_ARRAY ||
		    (plain = malloc(name.len + 1)) == NULL) {
			bad = 1;
			continue;
		}
		len = bytes_unpercent(plain, slice_of(name.str, name.len), 0);
		for (size_t j = 0; j + 1 < fields.n; j += 2) {
			k = redis_at(&fields, j);
			v = redis_at(&fields, j + 1);
			/* Not ours, and it could not be told to others. */
			if (len == 0 || len > MAPS_NAME_MAX ||
			    k.len > MAPS_KEY_MAX || v.len > MAPS_VALUE_MAX)
				continue;
			bad |= maps_put(&fresh, slice_of(plain, len),
			    slice_of(k.str, k.len), slice_of(v.str, v.len));
		}
		free(plain);
	}
	for (n = map_first(&a->maps.by_name); n != NULL;
	    n = map_next(&a->maps.by_name, n)) {
		one = container_of(n, struct maps_one, by_name);
		if (!maps_volatile(slice_str(one->name)))
			continue;
		for (m = map_first(&one->entries); m != NULL;
		    m = map_next(&one->entries, m)) {
			e = container_of(m, struct maps_entry, by_key);
			bad |= maps_put(&fresh, slice_of(one->name,
			    one->name_len), slice_of(e->key,
			    e->key_len), slice_of(e->value, e->len));
		}
	}
	if (bad) {
		log_warn("replica id=%" PRIu64 " state could not be loaded",
		    a->of.id);
		maps_clear(&fresh);
		return (-1);
	}
	maps_clear(&a->maps);
	a->maps = fresh;
	return (0);
}

/* Whose steps are in the log needs no repeat of them. */
static void
authority_read_marks(struct authority *a, const struct redis_value *log)
{
	struct redis_value	 v;
	struct news_step	 s;
	struct news		 n;

	for (size_t i = 0; log->kind == REDIS_ARRAY && i < log->n; i++) {
		v = redis_at(log, i);
		if (news_open(&n, v.str, v.len) == -1)
			continue;
		while (news_step(&n, &s))
			if (s.number != 0)
				marks_set(&a->marks, s.origin, s.number,
				    s.err);
	}
}

static void
authority_take_all(struct authority *a, const struct store_answer *s)
{
	struct redis_value	 log;
	struct map_node		*n;

	if (authority_load(a, &s->values) == -1) {
		a->away = 1;
		return;
	}
	log = redis_at(&s->values, s->values.n - 1);
	authority_read_marks(a, &log);
	a->durable = s->seq;
	a->pos++;			/* nobody else has this */
	a->era = a->term;
	authority_forget_news(a);
	n = map_find(&a->marks, &a->of.id, sizeof(a->of.id));
	if (n != NULL)
		authority_recalled(a, container_of(n, struct mark,
		    by_origin));
	authority_reset(a);
}

static void
authority_take_logged(struct authority *a, const struct store_answer *s)
{
	struct redis_value	 v;

	for (size_t i = 0; i < s->values.n; i++) {
		v = redis_at(&s->values, i);
		if (v.kind == REDIS_STRING)
			authority_apply(a, a->term, v.str, v.len);
	}
	a->durable = s->seq;
}

static void
authority_restored_cb(const struct store_answer *s, void *arg)
{
	struct authority	*a = arg;

	a->call = NULL;
	if (s->result != STORE_OK)
		a->away = 1;
	authority_inaugurate(a);
}

/* Redis is to have what we have, and no more. */
static void
authority_restore(struct authority *a)
{
	a->office = OFFICE_RESTORING;
	a->call = store_restore(a->desk->store, a->keys, a->epoch,
	    a->durable, &a->maps, authority_restored_cb, a);
	if (a->call != NULL)
		return;
	a->away = 1;
	authority_inaugurate(a);
}

void
authority_taken_cb(const struct store_answer *s, void *arg)
{
	struct authority	*a = arg;

	a->call = NULL;
	a->away = s->result == STORE_FAILED || s->result == STORE_LATE;
	a->epoch = s->epoch;
	/* Those who were told that it was refused are not to be wrong. */
	if (a->refused && s->result == STORE_LOGGED &&
	    s->seq == a->durable + 1) {
		a->refused = a->unknown = 0;
		a->durable = s->seq;
		authority_restore(a);
		return;
	}
	if (!a->away) {
		authority_touched(a);
		a->refused = a->unknown = 0;
		a->take_ms = AUTHORITY_TAKE_MS;
	} else if (a->durable == STORE_UNKNOWN) {
		if (a->take_ms < AUTHORITY_TAKE_MAX_MS)
			a->take_ms *= 2;	/* there may be much to be read */
		if (s->result == STORE_LATE) {
			log_info("replica id=%" PRIu64 " waits for its state: "
			    "Redis has not answered", a->of.id);
			a->office = OFFICE_WAITING;	/* not without it */
			a->since = clock_ms();
			authority_restless(a);
			return;
		}
	}
	switch (s->result) {
	case STORE_OK:
		a->durable = s->seq;
		break;
	case STORE_LOGGED:
		authority_take_logged(a, s);
		break;
	case STORE_ALL:
		authority_take_all(a, s);
		break;
	case STORE_OLDER:
		log_info("replica id=%" PRIu64 " Redis has lost state, which is "
		    "written again", a->of.id);
		authority_restore(a);
		return;
	default:
		authority_restless(a);
		break;
	}
	authority_inaugurate(a);
}

/* Redis has what was written, and gives a new epoch. */
void
authority_take(struct authority *a)
{
	a->office = OFFICE_TAKING;
	if (a->keys == NULL) {
		authority_inaugurate(a);
		return;
	}
	a->call = store_take(a->desk->store, a->keys, a->durable,
	    a->take_ms, authority_taken_cb, a);
	if (a->call != NULL)
		return;
	a->office = OFFICE_WAITING;	/* it may be about to come */
	a->since = clock_ms();
	authority_restless(a);
}

/* Ask those again who have not said anything. */
static void
authority_ask_again(struct authority *a)
{
	struct list	*e, *tmp;
	struct member	*k;

	a->since = clock_ms();
	log_info("replica id=%" PRIu64 " waits for its neighbours' state",
	    a->of.id);
	list_each(e, tmp, &a->members) {
		k = list_entry(e, struct member, at);
		if (!k->heard && k->incoming == NULL)
			authority_ask(a, k->id);
	}
}

/*
 * Have all said where they are?  Whoever is late is not waited for by one who has
 * a state; one who has none would put nothing in its place.
 */
void
authority_heard(struct authority *a, int late)
{
	struct list	*e, *tmp;

	if (a->office != OFFICE_ASKING)
		return;
	list_each(e, tmp, &a->members) {
		if (list_entry(e, struct member, at)->heard ||
		    (late && a->synced))
			continue;
		if (late && clock_ms() - a->since > AUTHORITY_LOST_MS)
			authority_ask_again(a);
		return;
	}
	authority_take(a);
}

void
authority_ask(struct authority *a, uint64_t neighbour)
{
	struct gossip	 m = { .type = GOSSIP_REIGN, .seq = a->pos,
			    .era = a->era,
			    .flags = a->synced ? 0 : GOSSIP_F_EMPTY };
	struct member	*k = authority_member(a, neighbour);

	if (k == NULL) {
		if ((k = calloc(1, sizeof(*k))) == NULL)
			return;
		k->id = neighbour;
		k->stale = a->office != OFFICE_ASKING;
		list_push(&a->members, &k->at);
	}
	k->pos = a->pos;		/* from there on it answers */
	k->era = a->era;
	if (k->urged)
		m.flags |= GOSSIP_F_EMPTY;
	authority_tell(a, neighbour, &m);
}

void
authority_begin(struct authority *a)
{
	log_debug("replica id=%" PRIu64 " decides, term=%" PRIu64, a->of.id,
	    a->term);
	a->office = OFFICE_ASKING;
	a->since = clock_ms();
	for (size_t i = 0; i < a->ops->count(a->arg); i++)
		authority_ask(a, a->ops->at(a->arg, i));
	authority_restless(a);
	authority_heard(a, 0);
}
