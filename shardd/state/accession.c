/* Taking office. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "proto/news.h"
#include "shardd/state/accession.h"
#include "shardd/state/effect.h"
#include "shardd/state/office.h"

/* What was found is known: the others get it, then steps are decided. */
static void
accession_inaugurate(struct authority *a)
{
	struct list	*e, *tmp;
	struct departed	*d;
	struct member	*m;

	a->office = OFFICE_READY;
	a->synced = 1;
	a->since = clock_ms();
	if (a->away)
		a->refused |= a->unknown;
	a->ops->ready(a->arg);
	list_each(e, tmp, &a->members) {
		m = list_entry(e, struct member, at);
		if (m->heard)
			office_bring_up(a, m);
	}
	list_each(e, tmp, &a->departed) {
		d = list_entry(e, struct departed, at);
		if (!d->said)
			office_propose_end(a, d->id);
	}
	office_resend(a);
	office_settle(a);
	turn_add(&a->work, TURN_CLIENTS);
}

/* The whole durable state, from Redis: it replaces ours. */
static int
accession_load(struct authority *a, const struct redis_value *all)
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
	for (n = map_first(&a->j.maps.by_name); n != NULL;
	    n = map_next(&a->j.maps.by_name, n)) {
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
	maps_clear(&a->j.maps);
	a->j.maps = fresh;
	return (0);
}

/* Whose steps are in the log needs no repeat of them. */
static void
accession_read_marks(struct authority *a, const struct redis_value *log)
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
				marks_set(&a->j.marks, s.origin, s.number,
				    s.err);
	}
}

/* Redis has another state: it is the one. */
static void
accession_take_all(struct authority *a, const struct store_answer *s)
{
	struct redis_value	 log;
	struct map_node		*n;

	if (accession_load(a, &s->values) == -1) {
		a->away = 1;
		return;
	}
	log = redis_at(&s->values, s->values.n - 1);
	accession_read_marks(a, &log);
	journal_end_others(&a->j, a->ops->has, a->arg);
	a->j.durable = s->seq;
	a->j.pos++;			/* nobody else has this */
	a->j.era = a->term;
	journal_forget_news(&a->j);
	n = map_find(&a->j.marks, &a->of.id, sizeof(a->of.id));
	if (n != NULL)
		effect_recall(a, container_of(n, struct mark, by_origin));
	effect_reset(a);
}

/* Redis has batches that we have not. */
static void
accession_take_logged(struct authority *a, const struct store_answer *s)
{
	struct redis_value	 v;

	for (size_t i = 0; i < s->values.n; i++) {
		v = redis_at(&s->values, i);
		if (v.kind == REDIS_STRING)
			effect_apply(a, a->term, v.str, v.len);
	}
	a->j.durable = s->seq;
}

/* Redis has what we have, or could not take it. */
static void
accession_restored_cb(const struct store_answer *s, void *arg)
{
	struct authority	*a = arg;

	a->call = NULL;
	if (s->result != STORE_OK)
		a->away = 1;
	accession_inaugurate(a);
}

/* Redis is to have what we have, and no more. */
static void
accession_restore(struct authority *a)
{
	a->office = OFFICE_RESTORING;
	a->call = store_restore(a->desk->store, a->keys, a->epoch,
	    a->j.durable, &a->j.maps, accession_restored_cb, a);
	if (a->call != NULL)
		return;
	a->away = 1;
	accession_inaugurate(a);
}

/* What Redis has to say of the state. */
static void
accession_taken_cb(const struct store_answer *s, void *arg)
{
	struct authority	*a = arg;

	a->call = NULL;
	if (s->result == STORE_DEPOSED) {
		a->retake(a);		/* another one has claimed meanwhile */
		return;
	}
	a->away = s->result == STORE_FAILED || s->result == STORE_LATE;
	if (a->desk->us == NULL)
		a->epoch = s->epoch;
	/* Callers that heard of a refusal are not to be wrong. */
	if (a->refused && s->result == STORE_LOGGED &&
	    s->seq == a->j.durable + 1) {
		a->refused = a->unknown = 0;
		a->j.durable = s->seq;
		accession_restore(a);
		return;
	}
	if (!a->away) {
		office_touched(a);
		a->refused = a->unknown = 0;
		a->take_ms = AUTHORITY_TAKE_MS;
	} else if (a->j.durable == STORE_UNKNOWN) {
		if (a->take_ms < AUTHORITY_TAKE_MAX_MS)
			a->take_ms *= 2;	/* there may be much to be read */
		if (s->result == STORE_LATE) {
			log_info("replica id=%" PRIu64 " waits for its state: "
			    "Redis has not answered", a->of.id);
			a->office = OFFICE_WAITING;	/* not without it */
			a->since = clock_ms();
			office_restless(a);
			return;
		}
	}
	switch (s->result) {
	case STORE_OK:
		a->j.durable = s->seq;
		break;
	case STORE_LOGGED:
		accession_take_logged(a, s);
		break;
	case STORE_ALL:
		accession_take_all(a, s);
		break;
	case STORE_OLDER:
		log_info("replica id=%" PRIu64 " Redis has lost state, which is "
		    "written again", a->of.id);
		accession_restore(a);
		return;
	default:
		office_restless(a);
		break;
	}
	accession_inaugurate(a);
}

/* The epoch that was claimed; 0: Redis is to make one. */
static uint64_t
accession_claimed(const struct authority *a)
{
	return (a->desk->us == NULL ? 0 : a->epoch);
}

void
accession_take(struct authority *a)
{
	a->office = OFFICE_TAKING;
	/* Without Redis, for now or altogether. */
	if (a->keys == NULL || (a->desk->us != NULL && a->away)) {
		accession_inaugurate(a);
		return;
	}
	a->call = store_take(a->desk->store, a->keys, a->j.durable,
	    accession_claimed(a), a->take_ms, accession_taken_cb, a);
	if (a->call != NULL)
		return;
	a->office = OFFICE_WAITING;	/* it may be about to come */
	a->since = clock_ms();
	office_restless(a);
}

void
accession_go_without(struct authority *a)
{
	a->away = 1;
	accession_inaugurate(a);
}

/* Ask those again who have not said anything. */
static void
accession_ask_again(struct authority *a)
{
	struct list	*e, *tmp;
	struct member	*k;

	a->since = clock_ms();
	log_info("replica id=%" PRIu64 " waits for its neighbours' state",
	    a->of.id);
	list_each(e, tmp, &a->members) {
		k = list_entry(e, struct member, at);
		if (!k->heard && k->incoming == NULL)
			accession_ask(a, k->id);
	}
}

void
accession_heard(struct authority *a, int late)
{
	struct list	*e, *tmp;

	if (a->office != OFFICE_ASKING)
		return;
	list_each(e, tmp, &a->members) {
		if (list_entry(e, struct member, at)->heard ||
		    (late && a->synced))
			continue;
		if (late && clock_ms() - a->since > AUTHORITY_LOST_MS)
			accession_ask_again(a);
		return;
	}
	accession_take(a);
}

void
accession_ask(struct authority *a, uint64_t neighbour)
{
	struct gossip	 m = { .type = GOSSIP_REIGN, .seq = a->j.pos,
			    .era = a->j.era,
			    .flags = a->synced ? 0 : GOSSIP_F_EMPTY };
	struct member	*k = office_member(a, neighbour);

	if (k == NULL) {
		if ((k = calloc(1, sizeof(*k))) == NULL)
			return;
		k->id = neighbour;
		list_push(&a->members, &k->at);
	}
	k->pos = a->j.pos;		/* from there on it answers */
	k->era = a->j.era;
	if (k->urged)
		m.flags |= GOSSIP_F_EMPTY;
	office_tell(a, neighbour, &m);
}

void
accession_begin(struct authority *a)
{
	log_debug("replica id=%" PRIu64 " decides, term=%" PRIu64, a->of.id,
	    a->term);
	a->office = OFFICE_ASKING;
	a->since = clock_ms();
	for (size_t i = 0; i < a->ops->count(a->arg); i++)
		accession_ask(a, a->ops->at(a->arg, i));
	office_restless(a);
	accession_heard(a, 0);
}

void
accession_tick(struct authority *a)
{
	uint64_t	 age = clock_ms() - a->since;

	if (a->office == OFFICE_ASKING && age > AUTHORITY_ASK_MS)
		accession_heard(a, 1);
	else if (a->office == OFFICE_WAITING) {
		if (a->desk->us != NULL && store_usable(a->desk->store)) {
			a->retake(a);
			return;
		}
		a->call = store_take(a->desk->store, a->keys, a->j.durable,
		    accession_claimed(a), a->take_ms, accession_taken_cb, a);
		if (a->call != NULL)
			a->office = OFFICE_TAKING;
		else if (age > AUTHORITY_WAIT_MS)
			accession_go_without(a);
	} else if (a->office == OFFICE_READY && a->away &&
	    age >= AUTHORITY_RETRY_MS && store_usable(a->desk->store))
		a->retake(a);
}
