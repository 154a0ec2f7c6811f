/*
 * Whoever moves from replica to replica hears all that is for it, once and in order, and
 * all hear it so: the rules of tests/model/moving.py, by the code that has them (fan, seen,
 * shelf, hear), over real links of shards whose loops run by turns that are drawn.  With all
 * rules no schedule shows a fault; without any one of them some schedule does.
 */
#include <stdlib.h>

#include <event2/event.h>

#include "common/clock.h"
#include "shardd/client/payload.h"
#include "shardd/group/fan.h"
#include "shardd/group/seen.h"
#include "shardd/group/shelf.h"
#include "shardd/group/topics.h"
#include "tests/unit/hood.h"

#define CLIENTS		5
#define SAYINGS		24	/* of each */
#define ASKS		64	/* lookups that may be under way */
#define SEEDS		200	/* of all rules */
#define SEEDS_MAX	400	/* until a rule is missed */

enum { FENCE = 1, HOLD = 2, LOG = 4, MARKS = 8, WHISPERS = 16, LATE = 32 };

enum state { STAYS, LOOKED_AT, PAUSED, FENCED, PACKED };

struct said { char kind; unsigned target; };	/* c; p, of topic 0 or 1; w */
struct got { unsigned sender, n; };

static struct client {
	char		 uid[4];
	size_t		 at, to;
	uint64_t	 joined;
	unsigned	 topics;	/* one or both, by bits */
	struct said	 said[SAYINGS];
	unsigned	 nsaid;
	struct got	 got[CLIENTS * SAYINGS * 4];
	size_t		 ngot, packed;
	int		 looking;	/* its whisper is looked up */
	enum state	 state;
	struct shelf_user shelf;
	struct capsule_mark *start, marks[SHARDS];
	size_t		 nstart;
	struct capsule	 cap;
	int		 fenced;
	uint64_t	 asked;		/* of which origin it waits, */
	int		 held;		/* whose answer may come when it has long moved on */
} clients[CLIENTS];

/* A lookup: its answer is of one moment, and comes at another. */
static struct ask {
	lookup_found_cb	*cb;		/* NULL: none */
	void		*arg;
	size_t		 uid;
	int		 answered;
	unsigned	 where;
} asks[ASKS];

static struct event_base *bases[SHARDS];
static unsigned		 left_out;	/* rules */
static const char	*fault;		/* the first of a schedule */
static size_t		 moves, under_way;

static size_t
draw(size_t n)
{
	return ((size_t)rand() % n);
}

static void
wrong(const char *why)
{
	if (fault == NULL)
		fault = why;
}

/* ---- what they hear ---- */

static size_t
client_of(struct slice uid)
{
	return ((size_t)(uid.data[1] - '0'));
}

static void
get(struct client *c, struct payload *p)
{
	struct slice	 s = payload_data(p);
	char		 text[16];

	if (c->ngot == nitems(c->got)) {
		wrong("doubled");
		return;
	}
	snprintf(text, sizeof(text), "%.*s", (int)p->len, s.data);
	ck_assert_int_eq(sscanf(text, "%u.%u", &c->got[c->ngot].sender,
	    &c->got[c->ngot].n), 2);
	c->ngot++;
}

size_t
replica_emit(struct replica *r, struct payload *p, struct slice but)
{
	for (size_t i = 0; i < CLIENTS; i++)
		if (replicas[clients[i].at] == r && client_of(but) != i)
			get(&clients[i], p);
	return (1);
}

/* Has a client, by the bits of its own, one of those? */
static int
subscribed(unsigned bits, struct slice topics)
{
	return (topics.data[0] == 'a' ? bits & 1 : (bits & 2) != 0);
}

void
topics_emit(struct replica *r, struct slice topics, struct payload *p,
    struct slice but)
{
	for (size_t i = 0; i < CLIENTS; i++)
		if (replicas[clients[i].at] == r && client_of(but) != i &&
		    subscribed(clients[i].topics, topics))
			get(&clients[i], p);
}

size_t
replica_whisper(struct replica *r, struct slice uid, struct payload *p,
    uint64_t since)
{
	struct client	*c = &clients[client_of(uid)];

	if (since > 0 && (left_out & LATE))
		return (0);
	if (replicas[c->at] != r || (since > 0 && c->joined <= since))
		return (0);
	get(c, p);
	return (1);
}

size_t
replica_missed(struct replica *r, struct slice but)
{
	(void)r, (void)but;
	wrong("missed");
	return (0);
}

size_t
replica_missed_uid(struct replica *r, struct slice uid)
{
	return (replica_missed(r, uid));
}

size_t
topics_missed(struct replica *r, struct slice topics, struct slice but)
{
	(void)topics;
	return (replica_missed(r, but));
}

/* ---- what they say ---- */

static void
queue_ask(struct slice uid, lookup_found_cb *cb, void *arg)
{
	struct ask	*a = asks;

	while (a->cb != NULL)
		ck_assert(++a < asks + ASKS);
	*a = (struct ask){ .cb = cb, .arg = arg, .uid = client_of(uid) };
}

/* Where they have its uid, or had it lately: answered now, or said. */
static void
go_on_with_ask(struct ask *a)
{
	const struct client	*c = &clients[a->uid];
	lookup_found_cb		*cb = a->cb;
	struct slice		 at[SHARDS];
	size_t			 n = 0;

	if (!a->answered) {
		a->answered = 1;
		a->where = 1u << c->at;
		if (c->state != STAYS && c->state != LOOKED_AT)
			a->where |= 1u << c->to;
		return;
	}
	for (size_t i = 0; i < SHARDS; i++)
		if (a->where & 1u << i)
			at[n++] = slice_str(addresses[i]);
	a->cb = NULL;
	cb(at, n, 0, a->arg);
}

static void
settled(int over, void *arg)
{
	(void)over;
	((struct client *)arg)->looking = 0;
}

static void
done(int err, void *arg)
{
	(void)arg;
	if (err != 0)
		wrong("not acted on");
	under_way--;
}

/* One message more, to those of the same replica first. */
static void
say(struct client *c)
{
	static const char	 topics[2][2] = { "a", "b" };
	struct replica		*r = replicas[c->at];
	struct slice		 uid = slice_str(c->uid);
	struct said		*s = &c->said[c->nsaid];
	struct slice		 to;
	struct payload		*p;
	char			 text[16];
	int			 waiting = 0;

	snprintf(text, sizeof(text), "%zu.%u", (size_t)(c - clients), c->nsaid++);
	p = payload_frame(WS_TEXT, slice_str(text));
	s->kind = "cpw"[draw(3)];
	s->target = (unsigned)draw(s->kind == 'p' ? 2 : CLIENTS);
	under_way++;
	switch (s->kind) {
	case 'c':
		replica_emit(r, p, uid);
		ck_assert_int_ne(fan_cast(r->neighbours, p, uid, done, NULL), -1);
		break;
	case 'p':
		to = slice_of(topics[s->target], 2);
		topics_emit(r, to, p, uid);
		ck_assert_int_ne(fan_publish(r->neighbours, to, p, uid, done,
		    NULL), -1);
		break;
	case 'w':
		to = slice_str(clients[s->target].uid);
		replica_whisper(r, to, p, 0);
		ck_assert_int_ne(fan_whisper(r->neighbours, slice_str("room"),
		    to, p, &waiting, settled, c, done, NULL), -1);
		c->looking = waiting;
		break;
	}
	payload_unref(p);
}

/* ---- how they move ---- */

static void
fenced(int err, void *arg)
{
	if (err != 0)
		wrong("a fence is not answered");
	*(int *)arg = 1;
}

/* Its frozen self goes to the other replica, if nothing is in the way. */
static void
pack(struct client *c)
{
	struct replica	*r = replicas[c->at];
	int		 n;

	if ((left_out & WHISPERS) == 0 &&
	    fan_whispers_to(r->neighbours, slice_str(c->uid)))
		return;
	n = seen_marks(r, c->marks, nitems(c->marks));
	ck_assert_int_gt(n, 0);
	c->cap = (struct capsule){ .marks = c->marks, .nmarks = (size_t)n };
	c->packed = c->ngot;
	c->asked = UINT64_MAX;
	c->state = PACKED;
}

/* One thing that was kept for it. */
static void
kept(const struct shelf_said *said, void *arg)
{
	struct client	*c = arg;
	int		 is = slice_is(said->uid, c->uid);

	if (said->type == GOSSIP_WHISPER ? !is : said->but && is)
		return;
	if (said->type == GOSSIP_PUBLISH && !subscribed(c->topics, said->topics))
		return;
	get(c, said->p);
}

/* It is here, and no more there, where things have gathered for it. */
static void
arrive(struct client *c)
{
	struct replica	*r = replicas[c->to];

	c->ngot = c->packed;
	if ((left_out & LOG) == 0)
		shelf_each(r->shelf, &c->shelf, c->marks, left_out & MARKS ? 0 :
		    c->cap.nmarks, 0, kept, c);
	c->at = c->to;
	c->joined = ++r->joins;
	moves++;
}

/* It is taken when the new replica is as far as the old one was; or is refused. */
static void
land(struct client *c)
{
	struct replica	*r = replicas[c->to];
	uint64_t	 origin;

	switch (seen_compare(r, &c->shelf, c->start, c->nstart, &c->cap,
	    &origin)) {
	case SEEN_BEHIND:
		if (left_out & HOLD)
			break;
		if (c->asked != origin)
			fan_fence(r->neighbours, origin, 10000, fenced,
			    &c->held);
		c->asked = origin;
		return;
	case SEEN_NEVER:
		wrong("the log begins too late");
		break;
	case SEEN_YES:
		break;
	}
	if (draw(7) > 0)
		arrive(c);
	seen_expect_no_more(r, &c->shelf);
	free(c->start);
	c->state = STAYS;
}

/* It goes on with its move, or begins one. */
static void
move(struct client *c, int may_begin)
{
	switch (c->state) {
	case STAYS:
		if (!may_begin || draw(4) > 0)
			break;
		c->to = (c->at + 1 + draw(SHARDS - 1)) % SHARDS;
		ck_assert_int_eq(seen_expect(replicas[c->to], &c->shelf,
		    &c->start, &c->nstart), 0);
		c->state = LOOKED_AT;
		break;
	case LOOKED_AT:			/* its entry there is confirmed */
		c->state = PAUSED;
		break;
	case PAUSED:
		if (c->looking)
			break;
		c->fenced = (left_out & FENCE) != 0;
		c->state = FENCED;
		if (!c->fenced)
			ck_assert_int_eq(fan_fence(replicas[c->at]->neighbours, 0,
			    10000, fenced, &c->fenced), 0);
		break;
	case FENCED:
		if (c->fenced)
			pack(c);
		break;
	case PACKED:
		land(c);
		break;
	}
}

/* ---- a schedule ---- */

/* One shard, or all, have a turn. */
static void
turn(size_t i)
{
	for (size_t k = 0; k < SHARDS; k++)
		if (i == SHARDS || i == k) {
			turn_end();
			event_base_loop(bases[k], EVLOOP_NONBLOCK);
		}
	turn_end();
}

static void
begin_clients(void)
{
	memset(clients, 0, sizeof(clients));
	memset(asks, 0, sizeof(asks));
	for (size_t i = 0; i < CLIENTS; i++) {
		snprintf(clients[i].uid, sizeof(clients[i].uid), "u%zu", i);
		clients[i].at = draw(SHARDS);
		clients[i].topics = 1 + (unsigned)draw(3);
		clients[i].joined = ++replicas[clients[i].at]->joins;
	}
}

/* Is that message for it? */
static int
wants(size_t to, size_t from, const struct said *s)
{
	if (s->kind == 'w')
		return (s->target == to);
	return (to != from && (s->kind == 'c' ||
	    subscribed(clients[to].topics, slice_str(s->target == 0 ? "a" : "b"))));
}

/* Of each sender all that is for it, once and in order. */
static void
check(size_t to)
{
	const struct client	*c = &clients[to];
	unsigned		 at[CLIENTS] = { 0 }, i;

	for (size_t n = 0; n <= c->ngot; n++)
		for (size_t from = 0; from < CLIENTS; from++) {
			if (n < c->ngot && c->got[n].sender != from)
				continue;
			for (i = at[from]; i < clients[from].nsaid &&
			    !wants(to, from, &clients[from].said[i]); )
				i++;
			if (n == c->ngot && i < clients[from].nsaid)
				wrong("lost");
			if (n < c->ngot && c->got[n].n != i)
				wrong(c->got[n].n < i ? "doubled" :
				    "lost, or in another order");
			at[from] = i + 1;
		}
}

/* Something that can happen. */
static void
step(int talk)
{
	struct client	*c = &clients[draw(CLIENTS)];
	struct ask	*a = &asks[draw(ASKS)];

	switch (draw(talk ? 8 : 5)) {
	case 0:
		if (talk && c->state <= LOOKED_AT && !c->looking &&
		    c->nsaid < SAYINGS)
			say(c);
		break;
	case 1:
		/* Redis is in no hurry. */
		for (size_t i = 0; i < CLIENTS && draw(2) && a->cb == NULL; i++)
			a = &asks[draw(CLIENTS)];
		if (a->cb != NULL)
			go_on_with_ask(a);
		break;
	case 2:
		turn(draw(SHARDS));
		break;
	case 3:
		move(c, talk);
		break;
	case 4:
		for (size_t i = 0; i < CLIENTS; i++)
			if (clients[i].state != STAYS)
				move(&clients[i], 0);
		break;
	default:
		turn(draw(SHARDS));
	}
}

/* Is anything under way? */
static int
unsettled(void)
{
	size_t	 n = under_way;

	for (size_t i = 0; i < CLIENTS; i++)
		n += clients[i].state != STAYS || clients[i].looking;
	for (size_t i = 0; i < ASKS; i++)
		n += asks[i].cb != NULL;
	return (n > 0);
}

/* The fault of one schedule, or NULL. */
static const char *
fault_of(unsigned seed, unsigned without)
{
	uint64_t	 end = clock_ms() + 10000;

	srand(seed);
	left_out = without;
	fault = NULL;
	under_way = 0;
	/* For good: the process has timers there. */
	for (size_t i = 0; i < SHARDS; i++)
		if (bases[i] == NULL)
			bases[i] = event_base_new();
	hood_setup(bases);
	look.usable = 1;
	look.queue = queue_ask;
	whisper_ask = seed % 3 ? 1 : 8;
	hood_begin_all();
	while (!replicas[0]->ready || !replicas[1]->ready ||
	    !replicas[2]->ready) {
		ck_assert_uint_lt(clock_ms(), end);
		turn(SHARDS);
	}
	begin_clients();
	for (int i = 0; i < 3000; i++)
		step(1);
	while (unsettled() && fault == NULL && clock_ms() < end)
		step(0);
	if (fault == NULL && unsettled())
		wrong("stuck");
	for (int i = 0; i < 20; i++)
		turn(SHARDS);
	for (size_t i = 0; i < CLIENTS; i++) {
		if (fault == NULL)
			check(i);
		if (clients[i].state != STAYS) {
			seen_expect_no_more(replicas[clients[i].to],
			    &clients[i].shelf);
			free(clients[i].start);
		}
	}
	for (size_t i = 0; i < SHARDS; i++)
		ck_assert_ptr_null(replicas[i]->shelf);
	hood_teardown();
	return (fault);
}

START_TEST(with_all_rules_no_schedule_has_a_fault)
{
	const char	*why = fault_of((unsigned)_i, 0);

	ck_assert_msg(why == NULL, "seed %d: %s", _i, why);
	ck_assert_uint_gt(moves, 0);
}
END_TEST

START_TEST(each_rule_is_needed)
{
	const char	*why = NULL;
	unsigned	 seed = 0;

	while (why == NULL && seed < SEEDS_MAX)
		why = fault_of(seed++, 1u << _i);
	ck_assert_msg(why != NULL, "rule %d: no schedule needs it", _i);
	printf("without rule %d, seed %u: %s\n", _i, seed - 1, why);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("seen");
	TCase	*tc = tcase_create("seen");
	SRunner	*sr;
	int	 failed;

	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, with_all_rules_no_schedule_has_a_fault, 0, SEEDS);
	tcase_add_loop_test(tc, each_rule_is_needed, 0, 6);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}
