/* Who decides in a group, and what was decided. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "proto/news.h"
#include "shardd/authority.h"
#include "shardd/decide.h"
#include "shardd/kennel.h"
#include "shardd/neighbours.h"
#include "shardd/replica.h"
#include "shardd/store.h"
#include "shardd/worker.h"

#define AUTHORITY_NEWS		STORE_LOG	/* batches kept for others */
#define AUTHORITY_ASK_MS	500	/* neighbours, where they are */
#define AUTHORITY_WAIT_MS	1000	/* for Redis, with steps unanswered */
#define AUTHORITY_STEP_MS	10000	/* an origin, for its answer */
#define AUTHORITY_READY_MS	1000	/* clients of a new replica, for its state */
#define AUTHORITY_SLOW_MS	1000	/* for a replica that does not say it knows */
#define AUTHORITY_LOST_MS	5000	/* for the head's state */
#define AUTHORITY_AGAIN_MS	2000	/* it sends its steps again */
#define AUTHORITY_NEWS_BYTES	(2 << 20)	/* of them */
#define AUTHORITY_RETRY_MS	500	/* until Redis is asked again */
#define AUTHORITY_TAKE_MS	1000	/* for Redis' answer, twice as long if late */
#define AUTHORITY_TAKE_MAX_MS	8000
#define AUTHORITY_BATCH		(256 << 10)	/* bytes of steps */
#define AUTHORITY_INBOX		(16 << 20)	/* bytes of steps that wait */

enum office {
	OFFICE_NONE,		/* another one decides */
	OFFICE_ASKING,		/* the neighbours, where they are */
	OFFICE_TAKING,		/* Redis: what was written, the new epoch */
	OFFICE_RESTORING,	/* Redis came back with less than we know */
	OFFICE_READY,
	OFFICE_COMMITTING,	/* a batch is being written */
	OFFICE_WAITING		/* Redis went away with it */
};

struct step {			/* of ours */
	struct list	 at;		/* steps, or, when it took effect, applied */
	uint64_t	 number;
	uint64_t	 pos;		/* where it took effect */
	uint64_t	 since;		/* clock_ms */
	authority_done_cb *done;
	void		*arg;
	size_t		 len;
	char		 data[];
};

struct proposal {		/* to be decided */
	struct list	 at;
	uint64_t	 origin, number;	/* 0: the origin has ended */
	uint64_t	 after;		/* the step before it; 0: that is answered */
	int		 alone;		/* its batch was refused by Redis */
	int		 refused;	/* so was it, alone */
	size_t		 len;
	char		 data[];
};

struct item {			/* news that others may have missed */
	struct list	 at;
	uint64_t	 pos;
	size_t		 len;
	char		 data[];
};

struct mark {			/* how far an origin's steps have come */
	struct map_node	 by_origin;
	uint64_t	 origin;
	uint64_t	 done;		/* took effect, or were refused */
	uint64_t	 seen;		/* are being decided */
};

/* A state that comes in parts. */
struct incoming {
	struct maps	 maps;
	struct map	 marks;
};

struct member {			/* a neighbour, as the authority sees it */
	struct list	 at;
	uint64_t	 id;
	uint64_t	 pos;		/* has been sent */
	uint64_t	 acked;		/* has said that it has */
	uint64_t	 asked;		/* wants to know that all have */
	uint64_t	 told;		/* was told */
	int		 heard;		/* it has said where it is, and gets news */
	int		 stale;		/* whatever it says, it gets the state */
	struct incoming	*incoming;	/* its state; several may be on their way */
};

struct departed {		/* neighbours that ended, not yet in the news */
	struct list	 at;
	uint64_t	 id;
};

struct authority {
	struct replica	*r;
	struct list	 restless;	/* worker->restless */
	uint64_t	 term, head;	/* who decides; 0: not known */

	struct maps	 maps;
	int		 synced;	/* maps, pos and marks are the group's */
	uint64_t	 born;		/* clock_ms; 0: need not wait for them */
	uint64_t	 pos;
	uint64_t	 durable;	/* last batch in Redis that maps have */
	struct map	 marks;
	struct list	 news;		/* struct item, oldest first */
	size_t		 nnews, news_bytes;
	struct list	 departed;
	struct incoming	*incoming;	/* the head's state */
	uint64_t	 asked;		/* clock_ms: told the head what is missing */

	struct list	 steps, applied;
	uint64_t	 number;	/* of our latest */
	uint64_t	 sent;		/* clock_ms */

	enum office	 office;
	uint64_t	 since;		/* clock_ms of office, if it is timed */
	struct list	 members;
	struct list	 inbox;
	size_t		 inbox_bytes;
	struct turn_work work;
	struct store_keys *keys;
	struct store_call *call;
	uint64_t	 epoch;
	unsigned	 take_ms;
	int		 away;		/* Redis is: what needs it is refused */
	int		 unknown;	/* a batch may have been written or not */
	int		 refused;	/* it was refused since */
	struct list	 batch;		/* struct proposal, being committed */
	size_t		 nbatch;	/* steps in bytes */
	struct buf	 bytes;		/* it, as news */
};

static void	 authority_work(void *arg);
static void	 authority_take(struct authority *a);
static void	 authority_resend(struct authority *a);
static struct member *authority_member(struct authority *a, uint64_t id);

static void
authority_restless(struct authority *a)
{
	if (list_empty(&a->restless))
		list_push(&a->r->worker->restless, &a->restless);
}

/* ---- life ---- */

struct authority *
authority_new(struct replica *r)
{
	struct authority	*a;
	struct store		*store;

	if ((a = calloc(1, sizeof(*a))) == NULL)
		return (NULL);
	a->r = r;
	a->durable = STORE_UNKNOWN;
	a->born = clock_ms();
	a->take_ms = AUTHORITY_TAKE_MS;
	list_init(&a->restless);
	list_init(&a->news);
	list_init(&a->departed);
	list_init(&a->steps);
	list_init(&a->applied);
	list_init(&a->members);
	list_init(&a->inbox);
	list_init(&a->batch);
	turn_work_init(&a->work, authority_work, a);
	if ((store = worker_store(r->worker)) != NULL &&
	    (a->keys = store_keys_new(store, slice_of(r->group, r->group_len),
	    slice_str(r->app_name))) == NULL) {
		free(a);
		return (NULL);
	}
	authority_restless(a);
	return (a);
}

#define FREE_ALL(head, type)						\
	while (!list_empty(head)) {					\
		struct list *e_ = (head)->next;				\
		list_remove(e_);					\
		free(list_entry(e_, type, at));				\
	}

static void
authority_forget_news(struct authority *a)
{
	FREE_ALL(&a->news, struct item);
	a->nnews = a->news_bytes = 0;
}

static void
marks_forget(struct map *marks)
{
	struct map_node	*n;

	while ((n = map_first(marks)) != NULL) {
		map_remove(marks, n);
		free(container_of(n, struct mark, by_origin));
	}
	map_clear(marks);
}

static void
incoming_drop(struct incoming **in)
{
	if (*in == NULL)
		return;
	maps_clear(&(*in)->maps);
	marks_forget(&(*in)->marks);
	free(*in);
	*in = NULL;
}

static void
member_free(struct member *m)
{
	list_remove(&m->at);
	incoming_drop(&m->incoming);
	free(m);
}

static void
authority_forget_members(struct authority *a)
{
	while (!list_empty(&a->members))
		member_free(list_entry(a->members.next, struct member, at));
}

/* Ends it. */
static void
step_done(struct step *s, int err)
{
	list_remove(&s->at);
	if (s->done != NULL)
		s->done(err, s->arg);
	free(s);
}

void
authority_free(struct authority *a)
{
	if (a == NULL)
		return;
	store_forget(a->call);
	turn_cancel(&a->work);
	list_remove(&a->restless);
	while (!list_empty(&a->applied))
		step_done(list_entry(a->applied.next, struct step, at), 0);
	while (!list_empty(&a->steps))
		step_done(list_entry(a->steps.next, struct step, at),
		    ECANCELED);
	FREE_ALL(&a->departed, struct departed);
	authority_forget_members(a);
	FREE_ALL(&a->inbox, struct proposal);
	FREE_ALL(&a->batch, struct proposal);
	authority_forget_news(a);
	marks_forget(&a->marks);
	incoming_drop(&a->incoming);
	maps_clear(&a->maps);
	buf_clear(&a->bytes);
	store_keys_free(a->keys);
	free(a);
}

const struct maps *
authority_maps(const struct authority *a)
{
	return (&a->maps);
}

int
authority_ready(const struct authority *a)
{
	return (a->synced || a->born == 0);
}

/* Clients of a new replica see the state it has. */
static void
authority_get_ready(struct authority *a)
{
	a->born = 0;
	neighbours_ready(a->r->neighbours);
}

int
authority_reigns(const struct authority *a, uint64_t *term)
{
	*term = a->term;
	return (a->head != 0 && a->head == a->r->id);
}

static int
authority_tell(struct authority *a, uint64_t to, struct gossip *m)
{
	m->term = a->term;
	return (neighbours_tell(a->r->neighbours, to, m));
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

static struct mark *
authority_mark(struct authority *a, uint64_t origin)
{
	return (marks_get(&a->marks, origin));
}

static void
marks_set(struct map *marks, uint64_t origin, uint64_t number)
{
	struct mark	*k = marks_get(marks, origin);

	if (k == NULL)
		return;
	if (number > k->done)
		k->done = number;
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

/* ---- what takes effect ---- */

/*
 * Our steps up to number: the last one ended with err, those before must have
 * ended well, for else we had been told.  What took effect is done when all
 * replicas know it.
 */
static void
authority_answered(struct authority *a, uint64_t number, int err)
{
	struct step	*s;

	while (!list_empty(&a->steps)) {
		s = list_entry(a->steps.next, struct step, at);
		if (s->number > number)
			break;
		if (s->done == NULL || (s->number == number && err != 0)) {
			step_done(s, err);
			continue;
		}
		s->pos = a->pos;
		s->since = clock_ms();
		list_remove(&s->at);
		list_push(&a->applied, &s->at);
	}
}

/* All replicas have what stands up to pos. */
static void
authority_settled(struct authority *a, uint64_t pos)
{
	struct step	*s;

	while (!list_empty(&a->applied)) {
		s = list_entry(a->applied.next, struct step, at);
		if (s->pos > pos)
			break;
		step_done(s, 0);
	}
}

/* As the authority: how far have all come?  Who asked is told. */
static void
authority_settle(struct authority *a)
{
	struct gossip	 m = { .type = GOSSIP_ACK };
	struct list	*e, *tmp;
	struct member	*k;
	uint64_t	 pos = a->pos;

	list_each(e, tmp, &a->members) {
		k = list_entry(e, struct member, at);
		if (k->heard && k->acked < pos)
			pos = k->acked;
	}
	list_each(e, tmp, &a->members) {
		k = list_entry(e, struct member, at);
		if (!k->heard || k->asked <= k->told || pos <= k->told)
			continue;
		k->told = m.seq = pos;
		authority_tell(a, k->id, &m);
	}
	authority_settled(a, pos);
}

/* The application hears of one step, its changes being made. */
static void
authority_announce(struct authority *a, const struct news_step *s)
{
	static struct kennel_change	 changes[NEWS_CHANGES_MAX];
	struct news_step		 walk = *s;
	struct news_change		 c;
	size_t				 n = 0;

	if (a->r->app->onstep == NULL)
		return;
	while (n < nitems(changes) && news_change(&walk, &c))
		changes[n++] = (struct kennel_change){
			.map = c.map.data, .map_len = c.map.len,
			.key = c.key.len == 0 ? "" : c.key.data,
			.key_len = c.key.len,
			.value = c.kind == NEWS_PUT ? c.value.data : NULL,
			.value_len = c.value.len,
		};
	a->r->app->onstep((struct kennel_replica *)a->r, changes, n,
	    s->data.len == 0 ? "" : s->data.data, s->data.len);
}

static void
authority_departed_said(struct authority *a, uint64_t id)
{
	struct list	*e, *tmp;

	authority_unmark(a, id);
	list_each(e, tmp, &a->departed)
		if (list_entry(e, struct departed, at)->id == id) {
			list_remove(e);
			free(list_entry(e, struct departed, at));
		}
}

static void
authority_apply_step(struct authority *a, struct news_step *s)
{
	struct news_step	 walk = *s;
	struct news_change	 c;

	while (news_change(&walk, &c))
		if (maps_put(&a->maps, c.map, c.key, c.value) == -1)
			log_warn("group state lost=1 error=\"no memory\"");
	if (s->number == 0)
		authority_departed_said(a, s->origin);
	else
		marks_set(&a->marks, s->origin, s->number);
	if (s->err == 0)
		authority_announce(a, s);
	if (s->origin == a->r->id)
		authority_answered(a, s->number, (int)s->err);
}

static void
authority_keep(struct authority *a, const char *data, size_t len)
{
	struct item	*i;

	if ((i = malloc(sizeof(*i) + len)) == NULL) {
		authority_forget_news(a);	/* others get all of it */
		return;
	}
	i->pos = a->pos;
	i->len = len;
	memcpy(i->data, data, len);
	list_push(&a->news, &i->at);
	a->nnews++;
	a->news_bytes += len;
	while (a->nnews > AUTHORITY_NEWS ||
	    a->news_bytes > AUTHORITY_NEWS_BYTES) {
		i = list_entry(a->news.next, struct item, at);
		list_remove(&i->at);
		a->nnews--;
		a->news_bytes -= i->len;
		free(i);
	}
}

/* The next news.  0, or -1: it is none. */
static int
authority_apply(struct authority *a, const char *data, size_t len)
{
	struct news_step	 s;
	struct news		 n;

	if (news_open(&n, data, len) == -1) {
		log_warn("replica id=%" PRIu64 " error=\"bad news\"", a->r->id);
		return (-1);
	}
	a->pos++;
	if (n.durable != 0)
		a->durable = n.durable;
	authority_keep(a, data, len);
	while (news_step(&n, &s))
		authority_apply_step(a, &s);
	return (0);
}

/* ---- bringing others up ---- */

static void
authority_send_news(struct authority *a, uint64_t to, const struct item *i)
{
	struct gossip	 m = { .type = GOSSIP_NEWS, .seq = i->pos,
			    .payload = slice_of(i->data, i->len) };

	authority_tell(a, to, &m);
}

/* A part: changes, and marks from *mark on, as many as fit in a message. */
static void
authority_send_part(struct authority *a, uint64_t to, struct buf *changes,
    size_t nchanges, struct map_node **mark, int more)
{
	struct gossip		 m = { .type = GOSSIP_STATE, .seq = a->pos };
	struct buf		 b = { 0 };
	struct map_node		*n = *mark, *end;
	struct mark		*k;
	size_t			 nmarks = 0;

	for (end = n; !more && end != NULL && nmarks < NEWS_CHANGES_MAX / 2;
	    end = map_next(&a->marks, end))
		nmarks++;
	if (!more)
		*mark = end;
	m.flags = more || *mark != NULL ? GOSSIP_F_MORE : 0;
	news_begin(&b, a->durable, 1 + nmarks);
	news_add_step(&b, 0, 0, 0, slice_of(NULL, 0), nchanges);
	if (changes->len > 0)
		buf_add(&b, changes->data, changes->len);
	for (; nmarks > 0; nmarks--, n = map_next(&a->marks, n)) {
		k = container_of(n, struct mark, by_origin);
		news_add_step(&b, k->origin, k->done, 0, slice_of(NULL, 0), 0);
	}
	m.payload = slice_of(b.data, b.len);
	if (b.failed || changes->failed)
		log_warn("replica id=%" PRIu64 " state not sent: no memory",
		    a->r->id);
	else
		authority_tell(a, to, &m);
	buf_clear(&b);
	changes->len = 0;
}

/* All there is, in parts. */
static void
authority_send_state(struct authority *a, uint64_t to)
{
	struct map_node		*mark = map_first(&a->marks);
	struct buf		 changes = { 0 };
	struct news_change	 c = { .kind = NEWS_PUT };
	struct map_node		*n, *k;
	struct maps_one		*one;
	struct maps_entry	*e;
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
			authority_send_part(a, to, &changes, count, &mark, 1);
			count = 0;
		}
	}
	do {
		authority_send_part(a, to, &changes, count, &mark, 0);
		count = 0;
	} while (mark != NULL);
	buf_clear(&changes);
}

/* What is behind pos, or all if that is not known any more. */
static void
authority_send_since(struct authority *a, uint64_t to, uint64_t pos)
{
	struct list	*e, *tmp;

	if (pos < a->pos - a->nnews) {
		authority_send_state(a, to);
		return;
	}
	list_each(e, tmp, &a->news)
		if (list_entry(e, struct item, at)->pos > pos)
			authority_send_news(a, to, list_entry(e, struct item,
			    at));
}

static void
authority_bring_up(struct authority *a, struct member *m)
{
	if (m->stale || m->pos > a->pos)
		authority_send_state(a, m->id);
	else if (m->pos < a->pos)
		authority_send_since(a, m->id, m->pos);
	m->stale = 0;
	m->pos = a->pos;
	m->asked = a->pos;
}

/* ---- deciding ---- */

static struct member *
authority_member(struct authority *a, uint64_t id)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &a->members)
		if (list_entry(e, struct member, at)->id == id)
			return (list_entry(e, struct member, at));
	return (NULL);
}

/* The batch took effect: tell everybody, then us. */
static void
authority_publish(struct authority *a)
{
	struct gossip	 m = { .type = GOSSIP_NEWS, .seq = a->pos + 1,
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
	}
	list_each(e, tmp, &a->batch) {
		p = list_entry(e, struct proposal, at);
		if (p->number != 0 && p->origin != a->r->id &&
		    (k = authority_member(a, p->origin)) != NULL)
			k->asked = m.seq;
	}
	FREE_ALL(&a->batch, struct proposal);
	a->nbatch = 0;
	memset(&a->bytes, 0, sizeof(a->bytes));
	authority_apply(a, bytes.data, bytes.len);
	buf_clear(&bytes);
	authority_settle(a);
}

/* It did not: its steps are to be decided again. */
static void
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
	const struct kennel_app	*app = a->r->app;
	struct kennel_replica	*r = (struct kennel_replica *)a->r;
	int			 err;

	if (p->number == 0)
		err = app->ongone == NULL ? 0 : app->ongone(r, t, p->origin);
	else
		err = app->decide(r, t, p->data, p->len);
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
	struct buf		 steps = { 0 };
	struct kennel_step	 t;
	struct proposal		*p;
	struct mark		*k;
	size_t			 n = 0, changes = 0;
	int			 err, durable = 0, more = 0, alone = 0;

	while (!list_empty(&a->inbox) && n < NEWS_STEPS_MAX &&
	    steps.len < AUTHORITY_BATCH && !more) {
		p = list_entry(a->inbox.next, struct proposal, at);
		if (n > 0 && (p->alone || alone))
			break;
		alone = p->alone;
		k = p->number == 0 ? NULL : authority_mark(a, p->origin);
		/* It came again; or one before it was lost, and both will. */
		if (k != NULL && (p->number <= k->seen || p->after > k->seen)) {
			list_remove(&p->at);
			a->inbox_bytes -= sizeof(*p) + p->len;
			free(p);
			continue;
		}
		decide_begin(&t, &a->maps, &batch, NEWS_CHANGES_MAX - changes,
		    a->r->worker->opt.store_max);
		err = authority_decide(a, &t, p, &more);
		if (err == E2BIG && n > 0) {
			decide_end(&t);
			break;			/* in a batch of its own */
		}
		more = more && err == 0;	/* p is decided again */
		if (p->number == 0 && err == EAGAIN) {
			/* Its end stays to be told until Redis is back. */
			list_remove(&p->at);
			a->inbox_bytes -= sizeof(*p);
			free(p);
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
		}
		if (k != NULL)
			k->seen = p->number;
		decide_end(&t);
		n++;
	}
	durable = durable && a->keys != NULL;
	a->nbatch = n;
	a->bytes.len = 0;
	news_begin(&a->bytes, durable ? a->durable + 1 : 0, n);
	if (steps.len > 0)
		buf_add(&a->bytes, steps.data, steps.len);
	a->bytes.failed |= steps.failed;
	buf_clear(&steps);
	maps_clear(&batch);
	return (durable);
}

static void	 authority_committed_cb(const struct store_answer *, void *);

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
	    "another type", a->r->id, a->nbatch);
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

static void
authority_commit(struct authority *a)
{
	a->office = OFFICE_COMMITTING;
	a->call = store_commit(worker_store(a->r->worker), a->keys, a->epoch,
	    a->durable + 1, slice_of(a->bytes.data, a->bytes.len),
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
authority_work(void *arg)
{
	struct authority	*a = arg;
	int			 durable;

	while (a->office == OFFICE_READY && !list_empty(&a->inbox)) {
		durable = authority_make_batch(a);
		if (a->nbatch == 0)
			continue;
		if (a->bytes.failed) {
			log_warn("replica id=%" PRIu64 " no memory to decide",
			    a->r->id);
			authority_unbatch(a);
			break;
		}
		if (durable)
			authority_commit(a);
		else
			authority_publish(a);
	}
}

static int
authority_propose(struct authority *a, uint64_t origin, uint64_t number,
    uint64_t after, struct slice data)
{
	struct proposal	*p;

	/* What ends is a few, and is said once only. */
	if ((number != 0 && a->inbox_bytes + data.len > AUTHORITY_INBOX) ||
	    (p = malloc(sizeof(*p) + data.len)) == NULL) {
		log_warn("replica id=%" PRIu64 " step of replica=%" PRIu64
		    " dropped: too many wait", a->r->id, origin);
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

/* ---- taking office ---- */

/* What was found is known: the others get it, then steps are decided. */
static void
authority_inaugurate(struct authority *a)
{
	struct list	*e, *tmp;
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
	list_each(e, tmp, &a->departed)
		authority_propose(a, list_entry(e, struct departed, at)->id, 0,
		    0, slice_of(NULL, 0));
	authority_resend(a);
	authority_settle(a);
	turn_add(&a->work, TURN_CLIENTS);
}

static void
authority_reset(struct authority *a)
{
	if (a->r->app->onreset != NULL)
		a->r->app->onreset((struct kennel_replica *)a->r);
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
		    a->r->id);
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
				marks_set(&a->marks, s.origin, s.number);
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
	authority_forget_news(a);
	n = map_find(&a->marks, &a->r->id, sizeof(a->r->id));
	if (n != NULL)
		authority_answered(a, container_of(n, struct mark,
		    by_origin)->done, 0);
	authority_reset(a);
}

static void
authority_take_logged(struct authority *a, const struct store_answer *s)
{
	struct redis_value	 v;

	for (size_t i = 0; i < s->values.n; i++) {
		v = redis_at(&s->values, i);
		if (v.kind == REDIS_STRING)
			authority_apply(a, v.str, v.len);
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
	a->call = store_restore(worker_store(a->r->worker), a->keys, a->epoch,
	    a->durable, &a->maps, authority_restored_cb, a);
	if (a->call != NULL)
		return;
	a->away = 1;
	authority_inaugurate(a);
}

static void
authority_taken_cb(const struct store_answer *s, void *arg)
{
	struct authority	*a = arg;

	a->call = NULL;
	a->away = s->result == STORE_FAILED;
	a->epoch = s->epoch;
	/* Those who were told that it was refused are not to be wrong. */
	if (a->refused && s->result == STORE_LOGGED &&
	    s->seq == a->durable + 1) {
		a->refused = a->unknown = 0;
		a->durable = s->seq;
		authority_restore(a);
		return;
	}
	if (s->result != STORE_FAILED) {
		a->refused = a->unknown = 0;
		a->take_ms = AUTHORITY_TAKE_MS;
	} else if (a->durable == STORE_UNKNOWN &&
	    a->take_ms < AUTHORITY_TAKE_MAX_MS)
		a->take_ms *= 2;	/* there may be much to be read */
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
		    "written again", a->r->id);
		authority_restore(a);
		return;
	default:
		authority_restless(a);
		break;
	}
	authority_inaugurate(a);
}

/* Redis has what was written, and gives a new epoch. */
static void
authority_take(struct authority *a)
{
	a->office = OFFICE_TAKING;
	if (a->keys == NULL) {
		authority_inaugurate(a);
		return;
	}
	a->call = store_take(worker_store(a->r->worker), a->keys, a->durable,
	    a->take_ms, authority_taken_cb, a);
	if (a->call != NULL)
		return;
	a->office = OFFICE_WAITING;	/* it may be about to come */
	a->since = clock_ms();
	authority_restless(a);
}

/* Have all said where they are? */
static void
authority_heard(struct authority *a, int late)
{
	struct list	*e, *tmp;

	if (a->office != OFFICE_ASKING)
		return;
	list_each(e, tmp, &a->members)
		if (!late && !list_entry(e, struct member, at)->heard)
			return;
	authority_take(a);
}

static void
authority_ask(struct authority *a, uint64_t neighbour)
{
	struct gossip	 m = { .type = GOSSIP_REIGN, .seq = a->pos,
			    .flags = a->synced ? 0 : GOSSIP_F_EMPTY };
	struct member	*k = authority_member(a, neighbour);

	if (k == NULL) {
		if ((k = calloc(1, sizeof(*k))) == NULL)
			return;
		k->id = neighbour;
		k->stale = a->office != OFFICE_ASKING;
		list_push(&a->members, &k->at);
	}
	authority_tell(a, neighbour, &m);
}

static void
authority_begin(struct authority *a)
{
	log_debug("replica id=%" PRIu64 " decides, term=%" PRIu64, a->r->id,
	    a->term);
	a->office = OFFICE_ASKING;
	a->since = clock_ms();
	for (size_t i = 0; i < neighbours_count(a->r->neighbours); i++)
		authority_ask(a, neighbours_id(a->r->neighbours, i));
	authority_restless(a);
	authority_heard(a, 0);
}

/* Whatever office it had, it has no more. */
static void
authority_step_down(struct authority *a)
{
	store_forget(a->call);
	a->call = NULL;
	authority_unbatch(a);
	authority_forget_members(a);
	a->office = OFFICE_NONE;
	incoming_drop(&a->incoming);
}

/* Another one decides, as of term. */
static void
authority_follow(struct authority *a, uint64_t term, uint64_t head)
{
	struct gossip	 m = { .type = GOSSIP_AT, .seq = a->pos,
			    .flags = GOSSIP_F_EMPTY };

	authority_step_down(a);
	a->term = term;
	a->head = head;
	FREE_ALL(&a->inbox, struct proposal);	/* they are sent to it, too */
	a->inbox_bytes = 0;
	if (!a->synced)
		authority_tell(a, head, &m);
	authority_resend(a);
}

void
authority_named(struct authority *a, uint64_t term, uint64_t head)
{
	if (term <= a->term)
		return;
	if (head != a->r->id) {
		authority_follow(a, term, head);
		return;
	}
	authority_step_down(a);
	a->term = term;
	a->head = head;
	authority_begin(a);
}

void
authority_met(struct authority *a, uint64_t neighbour)
{
	if (a->office != OFFICE_NONE && authority_member(a, neighbour) == NULL)
		authority_ask(a, neighbour);
	/* It could not be told before it was known. */
	if (a->head == neighbour)
		a->sent = 0;
}

void
authority_parted(struct authority *a, uint64_t neighbour)
{
	struct member	*m = authority_member(a, neighbour);
	struct departed	*d;

	if (m != NULL) {
		member_free(m);
		if (a->office > OFFICE_ASKING)
			authority_settle(a);
	}
	if ((d = malloc(sizeof(*d))) != NULL) {
		d->id = neighbour;
		list_push(&a->departed, &d->at);
	}
	if (a->office > OFFICE_ASKING)
		authority_propose(a, neighbour, 0, 0, slice_of(NULL, 0));
	authority_heard(a, 0);
}

/* ---- messages ---- */

static void
authority_got_reign(struct authority *a, const struct gossip *m)
{
	struct gossip	 at = { .type = GOSSIP_AT };

	if (m->term < a->term)
		return;
	if (m->term > a->term || m->from != a->head)
		authority_follow(a, m->term, m->from);
	if (a->synced && (m->flags & GOSSIP_F_EMPTY) != 0)
		authority_send_state(a, m->from);
	else if (a->synced && a->pos > m->seq)
		authority_send_since(a, m->from, m->seq);
	at.seq = a->pos;
	at.flags = a->synced ? 0 : GOSSIP_F_EMPTY;
	authority_tell(a, m->from, &at);
}

static void
authority_got_at(struct authority *a, const struct gossip *m)
{
	struct member	*k;

	if (a->office == OFFICE_NONE || m->term != a->term)
		return;
	if ((k = authority_member(a, m->from)) == NULL) {
		authority_ask(a, m->from);	/* it answers, then it is one */
		return;
	}
	k->heard = 1;
	k->pos = k->acked = m->seq;
	k->stale |= (m->flags & GOSSIP_F_EMPTY) != 0;
	if (a->office == OFFICE_ASKING)
		authority_heard(a, 0);
	else if (a->office == OFFICE_READY || a->office == OFFICE_COMMITTING)
		authority_bring_up(a, k);
}

/* What we have, the authority may tell those who wait for all to have it. */
static void
authority_acknowledge(struct authority *a)
{
	struct gossip	 m = { .type = GOSSIP_ACK, .seq = a->pos };

	authority_tell(a, a->head, &m);
}

static void
authority_got_ack(struct authority *a, const struct gossip *m)
{
	struct member	*k = authority_member(a, m->from);

	if (m->term != a->term)
		return;
	if (a->office == OFFICE_NONE) {
		if (m->from == a->head)
			authority_settled(a, m->seq);
	} else if (k != NULL && m->seq > k->acked) {
		k->acked = m->seq;
		authority_settle(a);
	}
}

static void
authority_got_news(struct authority *a, const struct gossip *m)
{
	struct gossip	 at = { .type = GOSSIP_AT, .seq = a->pos };

	if (m->term != a->term || !a->synced || m->seq <= a->pos ||
	    (a->office != OFFICE_ASKING && m->from != a->head))
		return;
	if (m->seq == a->pos + 1) {
		authority_apply(a, m->payload.data, m->payload.len);
		if (a->office == OFFICE_NONE)
			authority_acknowledge(a);
		return;
	}
	if (a->office == OFFICE_ASKING || clock_ms() - a->asked < 100)
		return;
	log_warn("replica id=%" PRIu64 " missed news=%" PRIu64, a->r->id,
	    m->seq - a->pos - 1);
	a->asked = clock_ms();
	authority_tell(a, a->head, &at);
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
authority_become(struct authority *a, uint64_t pos, uint64_t durable,
    struct incoming **in)
{
	struct mark	*k;

	maps_clear(&a->maps);
	marks_forget(&a->marks);
	a->maps = (*in)->maps;
	a->marks = (*in)->marks;
	free(*in);
	*in = NULL;
	a->pos = pos;
	a->durable = durable;
	a->synced = 1;
	authority_get_ready(a);
	authority_forget_news(a);
	if ((k = authority_mark(a, a->r->id)) != NULL) {
		authority_unapply(a, k->done);
		authority_answered(a, k->done, 0);
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
			marks_set(&in->marks, s.origin, s.number);
		while (news_change(&s, &c))
			rv |= maps_put(&in->maps, c.map, c.key, c.value);
	}
	return (rv);
}

static void
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
	} else {
		if (a->office != OFFICE_ASKING || k == NULL ||
		    (a->synced && m->seq <= a->pos))
			return;
		in = &k->incoming;
	}
	if (*in == NULL && (*in = calloc(1, sizeof(**in))) == NULL)
		return;
	if (news_open(&n, m->payload.data, m->payload.len) == -1) {
		log_warn("replica id=%" PRIu64 " error=\"bad state\"",
		    a->r->id);
		incoming_drop(in);
		return;
	}
	if (authority_take_part(*in, &n) == -1)
		log_warn("group state lost=1 error=\"no memory\"");
	if ((m->flags & GOSSIP_F_MORE) == 0)
		authority_become(a, m->seq, n.durable, in);
}

void
authority_message(struct authority *a, const struct gossip *m)
{
	switch (m->type) {
	case GOSSIP_STEP:
		if (m->seq != 0 && m->payload.len <= STEP_MAX)
			authority_propose(a, m->from, m->seq, m->after,
			    m->payload);
		break;
	case GOSSIP_REIGN:
		authority_got_reign(a, m);
		break;
	case GOSSIP_AT:
		authority_got_at(a, m);
		break;
	case GOSSIP_NEWS:
		authority_got_news(a, m);
		break;
	case GOSSIP_ACK:
		authority_got_ack(a, m);
		break;
	case GOSSIP_STATE:
		authority_got_state(a, m);
		break;
	default:
		break;
	}
}

/* ---- our own steps ---- */

static void
authority_send_step(struct authority *a, const struct step *s)
{
	struct gossip	 m = { .type = GOSSIP_STEP, .seq = s->number,
			    .payload = slice_of(s->data, s->len) };

	if (s->at.prev != &a->steps)
		m.after = list_entry(s->at.prev, struct step, at)->number;
	if (a->head == a->r->id)
		authority_propose(a, a->r->id, m.seq, m.after, m.payload);
	else
		authority_tell(a, a->head, &m);
}

/* All that were not answered, to whoever decides. */
static void
authority_resend(struct authority *a)
{
	struct gossip	 at = { .type = GOSSIP_AT, .flags = GOSSIP_F_EMPTY };
	struct list	*e, *tmp;

	a->sent = clock_ms();
	if (!a->synced && a->office == OFFICE_NONE && a->head != 0 &&
	    a->sent - a->asked > AUTHORITY_LOST_MS) {
		a->asked = a->sent;	/* its state has not come */
		authority_tell(a, a->head, &at);
	}
	if (a->head == 0 || !a->synced)
		return;
	list_each(e, tmp, &a->steps)
		authority_send_step(a, list_entry(e, struct step, at));
}

int
authority_step(struct authority *a, struct slice data,
    authority_done_cb *done, void *arg)
{
	struct step	*s;

	if (data.len > STEP_MAX) {
		errno = EMSGSIZE;
		return (-1);
	}
	if ((s = malloc(sizeof(*s) + data.len)) == NULL)
		return (-1);
	s->number = ++a->number;
	s->since = clock_ms();
	s->done = done;
	s->arg = arg;
	s->len = data.len;
	if (data.len > 0)
		memcpy(s->data, data.data, data.len);
	if (list_empty(&a->steps))
		a->sent = s->since;
	list_push(&a->steps, &s->at);
	authority_restless(a);
	if (a->head != 0 && a->synced)
		authority_send_step(a, s);
	return (0);
}

/* ---- time ---- */

static void
authority_tick(struct authority *a)
{
	struct step	*s;
	uint64_t	 now = clock_ms();

	if (a->office == OFFICE_ASKING && now - a->since > AUTHORITY_ASK_MS)
		authority_heard(a, 1);
	else if (a->office == OFFICE_WAITING) {
		a->call = store_take(worker_store(a->r->worker), a->keys,
		    a->durable, a->take_ms, authority_taken_cb, a);
		if (a->call != NULL)
			a->office = OFFICE_TAKING;
		else if (now - a->since > AUTHORITY_WAIT_MS) {
			a->away = 1;
			authority_inaugurate(a);
		}
	} else if (a->office == OFFICE_READY && a->away &&
	    now - a->since >= AUTHORITY_RETRY_MS &&
	    store_usable(worker_store(a->r->worker)))
		authority_take(a);
	if (a->born != 0 && now - a->born > AUTHORITY_READY_MS)
		authority_get_ready(a);
	while (!list_empty(&a->steps)) {
		s = list_entry(a->steps.next, struct step, at);
		if (now - s->since < AUTHORITY_STEP_MS)
			break;
		step_done(s, ETIMEDOUT);
	}
	while (!list_empty(&a->applied)) {
		s = list_entry(a->applied.next, struct step, at);
		if (now - s->since < AUTHORITY_SLOW_MS)
			break;
		step_done(s, 0);
	}
	if (!list_empty(&a->steps) && now - a->sent > AUTHORITY_AGAIN_MS)
		authority_resend(a);
	if (a->born == 0 && list_empty(&a->steps) &&
	    list_empty(&a->applied) && (a->office == OFFICE_NONE ||
	    (a->office == OFFICE_READY && !a->away)))
		list_remove(&a->restless);
}

void
authority_tick_all(struct worker *w)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &w->restless)
		authority_tick(list_entry(e, struct authority, restless));
}
