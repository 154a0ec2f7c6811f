/* A shard's entries in a real redis-server; its links are stood in for. */
#include <sys/wait.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/redis.h"
#include "common/sock.h"
#include "common/turn.h"
#include "shardd/group/ask.h"
#include "shardd/group/lookup.h"
#include "shardd/group/replica.h"
#include "tests/unit/loop.h"
#include "tests/unit/redis_server.h"

#define US		"here/3#00000000000000aa"
#define THEM		"here/4#00000000000000bb"

static const struct lookup_self	 self = { "here", US, 1 };
static struct replica	 room;
static struct lookup	*l;
static struct redis	*probe;		/* what others see */

/* Two neighbours, by address only. */
static char		 links[2];
static size_t		 nlinks, on, off;	/* ASKMEs said */
static struct list	 asks = { &asks, &asks };
static uint64_t		 asked;
static void		(*say_told)(void *);
static void		*told_arg;

static void
turns(uint64_t ms)
{
	uint64_t	 start = clock_ms();

	until(clock_ms() >= start + ms, ms + 1000);
}

/* ---- what the lookup wants to know, and to have said ---- */

/* Who is a member, and of which replica: in place of conns. */
static struct {
	const struct replica *r;
	char	 uid[8];
}			 members[2000];
static size_t		 nmembers;

static int
has(void *arg, struct slice group, struct slice uid)
{
	(void)arg;
	for (size_t i = 0; i < nmembers; i++)
		if (slice_eq(replica_group(members[i].r), group) &&
		    slice_is(uid, members[i].uid))
			return (1);
	return (0);
}

static void
each_uid(void *arg, void (*cb)(void *, struct slice, struct slice),
    void *cb_arg)
{
	(void)arg;
	for (size_t i = 0; i < nmembers; i++)
		cb(cb_arg, replica_group(members[i].r),
		    slice_str(members[i].uid));
}

static void
told_cb(const struct ask *a, int err, void *arg)
{
	(void)a, (void)arg;
	if (err != ECANCELED)
		say_told(told_arg);
}

static int
tell_all(void *arg, int be_on, void (*cb)(void *), void *cb_arg)
{
	struct ask	*a;

	(void)arg;
	if (!be_on) {
		off += nlinks;
		return (0);
	}
	on += nlinks;
	a = ask_new(base, &asks, 500, nlinks, told_cb, NULL);
	ck_assert_ptr_nonnull(a);
	say_told = cb;
	told_arg = cb_arg;
	asked = a->id;
	for (size_t i = 0; i < nlinks; i++)
		ask_add(a, (struct link *)&links[i], 0);
	ask_go(a);
	return (0);
}

static void
listed(void *arg)
{
	(void)arg;
}

static void
forgotten(void *arg)
{
	(void)arg;
}

static void
load(void *arg, size_t *connections, size_t *groups)
{
	(void)arg;
	*connections = 12;
	*groups = 1;
}

static const struct lookup_ops	 ops = {
	has, each_uid, tell_all, listed, forgotten, load
};

/* A link is up: it hears "ask me", if need be. */
static void
greet(void)
{
	on += lookup_is_asking(l) != 0;
}

static void
answer(void)
{
	for (size_t i = 0; i < nlinks; i++)
		ask_answer(asked, (struct link *)&links[i],
		    slice_of(NULL, 0), 0);
}

/* No lookup any more. */
static void
end(void)
{
	ask_cancel(&asks);
	lookup_free(l);
	l = NULL;
}

/* ---- fixture ---- */

static void
setup(void)
{
	make_place();
	base = event_base_new();
	room.id = 7;
	room.group = strdup("lobby");
	room.group_len = 5;
	start_server(NULL, NULL);
	probe = redis_new(base, url, "probe", NULL, NULL);
	ck_assert_ptr_nonnull(probe);
	until(redis_up(probe), 5000);
}

static void
begin(void)
{
	l = lookup_new(base, &self, url, "kennel:", &ops, NULL);
	ck_assert_ptr_nonnull(l);
	until(lookup_listed(l), 5000);
	ck_assert(lookup_usable(l));
	on = off = 0;
}

static void
teardown(void)
{
	char	 command[64];

	end();
	redis_free(probe);
	event_base_free(base);
	stop_server();
	free(room.group);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

/* ---- asking Redis ---- */

static char	 said[512];
static int	 told;

static void
said_cb(const struct redis_value *v, int err, void *arg)
{
	size_t			 at = 0;
	struct redis_value	 e;

	(void)arg;
	ck_assert_int_eq(err, 0);
	said[0] = '\0';
	if (v->kind == REDIS_INTEGER)
		snprintf(said, sizeof(said), "%lld", (long long)v->integer);
	else if (v->kind == REDIS_STRING || v->kind == REDIS_STATUS)
		snprintf(said, sizeof(said), "%.*s", (int)v->len, v->str);
	for (size_t i = 0; v->kind == REDIS_ARRAY && i < v->n; i++) {
		e = redis_at(v, i);
		at += (size_t)snprintf(said + at, sizeof(said) - at, "%s%.*s",
		    i == 0 ? "" : " ", (int)e.len, e.str);
	}
	told = 1;
}

#define redis_says(...) (redis_wait(redis_do(probe, 2000, said_cb, NULL,	\
    __VA_ARGS__, NULL)))

static const char *
redis_wait(int rv)
{
	ck_assert_int_eq(rv, 0);
	told = 0;
	until(told, 3000);
	return (said);
}

/* The entry of uid, "" for none. */
static const char *
entry(const char *uid)
{
	char	 key[64];

	snprintf(key, sizeof(key), "kennel:client:lobby:%s", uid);
	return (redis_says("HGETALL", key));
}

/* ---- connections ---- */

static int	 nconfirmed;

static void
confirmed(void *arg)
{
	(*(int *)arg)++;
}

static struct lookup_ticket *
enter(const char *uid)
{
	struct lookup_ticket	*t;
	int			 before = nconfirmed;

	t = lookup_enter(l, replica_group(&room), slice_str(uid), confirmed, &nconfirmed);
	ck_assert_ptr_nonnull(t);
	ck_assert_int_eq(nconfirmed, before);	/* never from within */
	return (t);
}

static void
leave(const char *uid)
{
	lookup_leave(l, replica_group(&room), slice_str(uid), NULL);
}

/* Those who become members when they are confirmed. */
struct joining {
	struct replica	*r;
	char		 uid[8];
};

static void
joined(void *arg)
{
	struct joining	*j = arg;

	nconfirmed++;
	members[nmembers].r = j->r;
	memcpy(members[nmembers++].uid, j->uid, sizeof(j->uid));
	free(j);
}

static void
join(struct replica *r, const char *uid)
{
	struct joining	*j = calloc(1, sizeof(*j));

	j->r = r;
	snprintf(j->uid, sizeof(j->uid), "%s", uid);
	ck_assert_ptr_nonnull(lookup_enter(l, replica_group(r), slice_str(uid), joined, j));
}

static void
part(struct replica *r, const char *uid)
{
	size_t	 i = 0;

	while (members[i].r != r || strcmp(members[i].uid, uid) != 0)
		ck_assert_uint_lt(++i, nmembers);
	members[i] = members[--nmembers];
	lookup_leave(l, replica_group(r), slice_str(uid), NULL);
}

/* ---- tests ---- */

START_TEST(confirmed_when_it_is_in_redis)
{
	begin();
	enter("ann");
	until(nconfirmed == 1, 1000);
	ck_assert_str_eq(entry("ann"), US " 1");
	ck_assert_str_eq(redis_says("SMEMBERS",
	    "kennel:shard:" US ":clients"), "kennel:client:lobby:ann");
	enter("ann");
	until(nconfirmed == 2, 1000);
	turns(20);
	ck_assert_str_eq(entry("ann"), US " 2");
	leave("ann");
	turns(20);
	ck_assert_str_eq(entry("ann"), US " 1");
	leave("ann");
	turns(20);
	ck_assert_str_eq(entry("ann"), "");
	ck_assert_str_eq(redis_says("EXISTS", "kennel:shard:" US ":clients"),
	    "0");
	leave("ann");			/* once too often: nothing */
	ck_assert_uint_eq(on, 0);
}
END_TEST

START_TEST(many_changes_at_once_end_exact)
{
	char	 uid[8], want[64];

	begin();
	for (int i = 0; i < 600; i++) {
		snprintf(uid, sizeof(uid), "u%d", i % 20);
		enter(uid);
		if (i % 3 == 0)
			leave(uid);
		if (i % 50 == 0)
			turn();
	}
	until(nconfirmed == 600, 3000);
	turns(50);
	for (int i = 0; i < 20; i++) {
		snprintf(uid, sizeof(uid), "u%d", i);
		snprintf(want, sizeof(want), "%s 20", US);
		ck_assert_str_eq(entry(uid), want);
		for (int n = 0; n < 20; n++)
			leave(uid);
	}
	turns(50);
	ck_assert_str_eq(redis_says("KEYS", "kennel:client:*"), "");
	ck_assert_uint_eq(on, 0);
}
END_TEST

START_TEST(cancelled_is_not_confirmed)
{
	struct lookup_ticket	*t;

	begin();
	t = enter("ann");
	lookup_cancel(t);
	turns(30);
	ck_assert_int_eq(nconfirmed, 0);
	ck_assert_str_eq(entry("ann"), "");
	enter("bob");
	until(nconfirmed == 1, 1000);
	/* One that is about to be confirmed. */
	t = enter("bob");
	lookup_cancel(t);
	turns(30);
	ck_assert_int_eq(nconfirmed, 1);
	ck_assert_str_eq(entry("bob"), US " 1");
}
END_TEST

START_TEST(group_and_heart_beat)
{
	begin();
	lookup_group_enter(l, replica_group(&room));
	turns(30);
	ck_assert_str_eq(redis_says("SMEMBERS", "kennel:group:lobby"), US);
	ck_assert_str_eq(redis_says("HGET", "kennel:shard:" US, "node"),
	    "here");
	ck_assert_int_gt(atoi(redis_says("TTL", "kennel:shard:" US)), 20);
	lookup_group_leave(l, replica_group(&room));
	turns(30);
	ck_assert_str_eq(redis_says("EXISTS", "kennel:group:lobby"), "0");
}
END_TEST

static char	 found[256];
static int	 found_err;
static size_t	 nfound;

static void
found_cb(const struct slice *addresses, size_t n, int err, void *arg)
{
	found[0] = '\0';
	for (size_t i = 0; i < n; i++)
		strncat(found, addresses[i].data, addresses[i].len);
	found_err = err;
	nfound++;
	(void)arg;
}

START_TEST(finds_other_shards_but_us)
{
	begin();
	enter("ann");
	redis_says("HSET", "kennel:client:lobby:ann", THEM, "3");
	ck_assert_int_eq(lookup_find(l, replica_group(&room), slice_str("ann"), 0,
	    found_cb, NULL), 0);
	ck_assert_uint_eq(nfound, 0);
	until(nfound == 1, 500);
	ck_assert_int_eq(found_err, 0);
	ck_assert_str_eq(found, THEM);
	ck_assert_int_eq(lookup_find(l, replica_group(&room), slice_str("bob"), 0,
	    found_cb, NULL), 0);
	until(nfound == 2, 500);
	ck_assert_str_eq(found, "");
	redis_says("SET", "kennel:client:lobby:eve", "nonsense");
	ck_assert_int_eq(lookup_find(l, replica_group(&room), slice_str("eve"), 0,
	    found_cb, NULL), 0);
	until(nfound == 3, 500);
	ck_assert_int_ne(found_err, 0);
}
END_TEST

START_TEST(what_redis_has_forgotten_is_not_taken_for_nothing)
{
	begin();
	redis_says("SADD", "kennel:group:lobby", US, THEM);
	redis_says("HSET", "kennel:client:lobby:ann", THEM, "3");
	ck_assert_int_eq(lookup_find(l, replica_group(&room), slice_str("ann"), 2,
	    found_cb, NULL), 0);
	until(nfound == 1, 500);
	ck_assert_int_eq(found_err, 0);
	ck_assert_str_eq(found, THEM);
	ck_assert_int_eq(lookup_find(l, replica_group(&room), slice_str("ann"), 3,
	    found_cb, NULL), 0);
	until(nfound == 2, 500);
	ck_assert_int_eq(found_err, EAGAIN);
	redis_says("FLUSHALL");
	ck_assert_int_eq(lookup_find(l, replica_group(&room), slice_str("ann"), 2,
	    found_cb, NULL), 0);
	until(nfound == 3, 500);
	ck_assert_int_eq(found_err, EAGAIN);
}
END_TEST

START_TEST(an_entry_that_is_missing_says_nothing)
{
	begin();
	enter("ann");
	turns(30);
	redis_says("SADD", "kennel:group:lobby", US, THEM);
	/* Evicted: whoever is asked knows better. */
	ck_assert_int_eq(lookup_find(l, replica_group(&room), slice_str("bob"), 2,
	    found_cb, NULL), 0);
	until(nfound == 1, 500);
	ck_assert_int_eq(found_err, EAGAIN);
	/* One that is here, and nowhere else, is not missing. */
	ck_assert_int_eq(lookup_find(l, replica_group(&room), slice_str("ann"), 2,
	    found_cb, NULL), 0);
	until(nfound == 2, 500);
	ck_assert_int_eq(found_err, 0);
	ck_assert_str_eq(found, "");
}
END_TEST

START_TEST(a_slow_redis_is_not_waited_for)
{
	uint64_t	 start;

	nlinks = 2;
	begin();
	kill(server, SIGSTOP);
	start = clock_ms();
	ck_assert_int_eq(lookup_find(l, replica_group(&room), slice_str("ann"), 0,
	    found_cb, NULL), 0);
	enter("ann");
	until(nfound == 1, 300);
	ck_assert_int_eq(found_err, ETIMEDOUT);
	until(on == 2, 1000);
	ck_assert_int_eq(nconfirmed, 0);	/* they do not know yet */
	ck_assert(!lookup_usable(l));
	answer();
	until(nconfirmed == 1, 50);
	enter("ann");
	until(nconfirmed == 2, 1000);
	ck_assert_uint_lt(clock_ms() - start, 1500);
	kill(server, SIGCONT);
	until(off == 2, 5000);
	ck_assert(lookup_listed(l));
	ck_assert_str_eq(entry("ann"), US " 2");
}
END_TEST

START_TEST(mute_neighbours_cost_half_a_second)
{
	uint64_t	 start;

	nlinks = 2;
	begin();
	kill(server, SIGSTOP);
	start = clock_ms();
	enter("ann");
	until(nconfirmed == 1, 1300);
	ck_assert_uint_ge(clock_ms() - start, 900);
	kill(server, SIGCONT);
	until(lookup_listed(l), 5000);
}
END_TEST

START_TEST(redis_that_comes_back_empty_is_written_again)
{
	char	 uid[8];

	nlinks = 1;
	begin();
	lookup_group_enter(l, replica_group(&room));
	for (int i = 0; i < 1500; i++) {
		snprintf(uid, sizeof(uid), "u%d", i);
		enter(uid);
	}
	until(nconfirmed == 1500, 5000);
	stop_server();
	until(on == 1, 1000);
	answer();
	enter("late");
	until(nconfirmed == 1501, 1000);
	leave("u0");
	leave("u1");
	enter("u1");
	ck_assert_int_ne(lookup_find(l, replica_group(&room), slice_str("u3"), 0,
	    found_cb, NULL), 0);
	start_server(NULL, NULL);
	until(off == 1, 5000);
	until(redis_up(probe), 5000);
	ck_assert_str_eq(entry("late"), US " 1");
	ck_assert_str_eq(entry("u1"), US " 1");
	ck_assert_str_eq(entry("u0"), "");
	ck_assert_str_eq(redis_says("SCARD", "kennel:shard:" US ":clients"),
	    "1500");
	ck_assert_str_eq(redis_says("SMEMBERS", "kennel:group:lobby"), US);
}
END_TEST

START_TEST(what_the_set_names_and_is_not_held_goes)
{
	char	 key[64];

	for (int i = 0; i < 1200; i++) {
		snprintf(key, sizeof(key), "kennel:client:lobby:old%d", i);
		redis_do(probe, 2000, NULL, NULL, "HSET", key, US, "1", NULL);
		redis_do(probe, 2000, NULL, NULL, "SADD",
		    "kennel:shard:" US ":clients", key, NULL);
	}
	redis_says("HSET", "kennel:client:lobby:old7", THEM, "1");
	begin();
	turns(300);
	ck_assert_str_eq(redis_says("KEYS", "kennel:client:*"),
	    "kennel:client:lobby:old7");
	ck_assert_str_eq(entry("old7"), THEM " 1");
	ck_assert_str_eq(redis_says("EXISTS", "kennel:shard:" US ":clients"),
	    "0");
}
END_TEST

START_TEST(a_heart_beat_that_is_gone_has_all_written_again)
{
	nlinks = 1;
	begin();
	enter("ann");
	until(nconfirmed == 1, 1000);
	redis_says("FLUSHALL");
	until(on == 1, 6000);
	answer();
	until(off == 1, 2000);
	ck_assert_str_eq(entry("ann"), US " 1");
}
END_TEST

START_TEST(an_error_of_redis_is_a_failed_write)
{
	nlinks = 1;
	begin();
	redis_says("SET", "kennel:client:lobby:ann", "nonsense");
	enter("ann");
	until(on == 1, 1000);
	answer();
	until(nconfirmed == 1, 1000);
	ck_assert(!lookup_listed(l));
	turns(300);
	ck_assert(!lookup_listed(l));
	redis_says("DEL", "kennel:client:lobby:ann");
	until(off == 1, 2000);
	ck_assert_str_eq(entry("ann"), US " 1");
}
END_TEST

static void
retired(void *arg)
{
	(*(int *)arg)++;
}

START_TEST(retiring_leaves_nothing)
{
	char	 uid[8];
	int	 n = 0;

	begin();
	lookup_group_enter(l, replica_group(&room));
	for (int i = 0; i < 700; i++) {
		snprintf(uid, sizeof(uid), "u%d", i);
		enter(uid);
	}
	until(nconfirmed == 700, 3000);
	lookup_retire(l, retired, &n);
	ck_assert_int_eq(n, 0);
	until(n == 1, 1500);
	ck_assert_str_eq(redis_says("KEYS", "*"), "");
	leave("u1");
	turns(50);
	ck_assert_int_eq(n, 1);
}
END_TEST

START_TEST(retiring_waits_a_second_at_most)
{
	struct lookup_ticket	*t;
	int			 n = 0;

	begin();
	enter("ann");
	until(nconfirmed == 1, 1000);
	kill(server, SIGSTOP);
	t = enter("bob");
	lookup_retire(l, retired, &n);
	lookup_cancel(t);
	until(n == 1, 1500);
	kill(server, SIGCONT);
	turns(200);
	ck_assert_int_eq(n, 1);
	ck_assert_int_eq(nconfirmed, 1);
}
END_TEST

START_TEST(without_redis_all_is_confirmed_and_nothing_found)
{
	int	 n = 0;

	l = lookup_new(base, &self, "", "kennel:", &ops, NULL);
	ck_assert_ptr_nonnull(l);
	lookup_group_enter(l, replica_group(&room));
	lookup_cancel(enter("ann"));
	enter("bob");
	turn_end();
	ck_assert_int_eq(nconfirmed, 1);
	leave("bob");
	ck_assert(!lookup_usable(l));
	ck_assert(lookup_listed(l));
	ck_assert_int_eq(lookup_find(l, replica_group(&room), slice_str("bob"), 0,
	    found_cb, NULL), -1);
	greet();
	ck_assert_uint_eq(on, 0);
	lookup_group_leave(l, replica_group(&room));
	lookup_retire(l, retired, &n);
	until(n == 1, 100);
}
END_TEST

START_TEST(before_redis_is_up_new_links_hear_ask_me)
{
	l = lookup_new(base, &self, url, "kennel:", &ops, NULL);
	ck_assert_ptr_nonnull(l);
	greet();
	ck_assert_uint_eq(on, 1);
	nlinks = 1;
	enter("ann");
	turn_end();
	ck_assert_int_eq(nconfirmed, 1);
	until(off == 1, 2000);
	ck_assert_str_eq(entry("ann"), US " 1");
	greet();
	ck_assert_uint_eq(on, 1);
}
END_TEST

START_TEST(of_a_member_with_one_connection_redis_alone_remembers)
{
	begin();
	lookup_group_enter(l, replica_group(&room));
	join(&room, "ann");
	join(&room, "bob");
	until(nconfirmed == 2, 1000);
	turns(20);
	ck_assert_uint_eq(lookup_entries(l), 1);	/* the group's */
	ck_assert_str_eq(entry("ann"), US " 1");
	join(&room, "ann");
	until(nconfirmed == 3, 1000);
	turns(20);
	ck_assert_uint_eq(lookup_entries(l), 2);
	ck_assert_str_eq(entry("ann"), US " 2");
	part(&room, "ann");
	turns(20);
	ck_assert_uint_eq(lookup_entries(l), 1);
	ck_assert_str_eq(entry("ann"), US " 1");
	part(&room, "ann");
	part(&room, "bob");
	turns(20);
	ck_assert_uint_eq(lookup_entries(l), 1);
	ck_assert_str_eq(redis_says("KEYS", "kennel:client:*"), "");
	ck_assert_str_eq(redis_says("EXISTS", "kennel:shard:" US ":clients"),
	    "0");
}
END_TEST

START_TEST(who_comes_and_goes_at_once_is_counted_exactly)
{
	begin();
	lookup_group_enter(l, replica_group(&room));
	join(&room, "ann");
	until(nconfirmed == 1, 1000);
	turns(20);
	part(&room, "ann");
	join(&room, "ann");
	until(nconfirmed == 2, 1000);
	turns(20);
	ck_assert_str_eq(entry("ann"), US " 1");
	join(&room, "ann");
	part(&room, "ann");
	turns(20);
	ck_assert_str_eq(entry("ann"), US " 1");
	ck_assert_uint_eq(lookup_entries(l), 1);
	part(&room, "ann");
	turns(20);
	ck_assert_str_eq(entry("ann"), "");
}
END_TEST

/* Of different applications. */
START_TEST(replicas_that_share_a_name_share_its_entries)
{
	struct replica	 other = { .id = 8, .group = room.group,
			    .group_len = room.group_len };

	begin();
	lookup_group_enter(l, replica_group(&room));
	lookup_group_enter(l, replica_group(&other));
	join(&room, "ann");
	until(nconfirmed == 1, 1000);
	turns(20);
	join(&other, "ann");
	until(nconfirmed == 2, 1000);
	turns(20);
	ck_assert_str_eq(entry("ann"), US " 2");
	part(&room, "ann");
	lookup_group_leave(l, replica_group(&room));
	turns(20);
	ck_assert_str_eq(entry("ann"), US " 1");
	ck_assert_str_eq(redis_says("SMEMBERS", "kennel:group:lobby"), US);
	part(&other, "ann");
	lookup_group_leave(l, replica_group(&other));
	turns(20);
	ck_assert_uint_eq(lookup_entries(l), 0);
	ck_assert_str_eq(redis_says("KEYS", "kennel:client:*"), "");
	ck_assert_str_eq(redis_says("KEYS", "kennel:group:*"), "");
}
END_TEST

START_TEST(what_redis_alone_remembered_is_written_again)
{
	char	 uid[8];

	nlinks = 1;
	begin();
	lookup_group_enter(l, replica_group(&room));
	for (int i = 0; i < 1500; i++) {
		snprintf(uid, sizeof(uid), "u%d", i);
		join(&room, uid);
	}
	until(nconfirmed == 1500, 5000);
	turns(50);
	ck_assert_uint_eq(lookup_entries(l), 1);
	stop_server();
	until(on == 1, 1000);
	answer();
	part(&room, "u0");
	part(&room, "u1");
	join(&room, "u1");
	join(&room, "u2");
	until(nconfirmed == 1502, 1000);
	start_server(NULL, NULL);
	until(off == 1, 5000);
	until(redis_up(probe), 5000);
	ck_assert_str_eq(entry("u0"), "");
	ck_assert_str_eq(entry("u1"), US " 1");
	ck_assert_str_eq(entry("u2"), US " 2");
	ck_assert_str_eq(redis_says("SCARD", "kennel:shard:" US ":clients"),
	    "1499");
	ck_assert_uint_eq(lookup_entries(l), 2);	/* the group's, u2's */
}
END_TEST

START_TEST(retiring_finds_what_redis_alone_remembered)
{
	int	 n = 0;

	begin();
	lookup_group_enter(l, replica_group(&room));
	join(&room, "ann");
	join(&room, "bob");
	until(nconfirmed == 2, 1000);
	turns(20);
	lookup_group_leave(l, replica_group(&room));
	lookup_retire(l, retired, &n);
	until(n == 1, 1500);
	ck_assert_str_eq(redis_says("KEYS", "*"), "");
	part(&room, "ann");
	turns(20);
	ck_assert_str_eq(redis_says("KEYS", "*"), "");
	ck_assert_uint_eq(lookup_entries(l), 0);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("lookup");
	TCase	*tc = tcase_create("lookup");
	SRunner	*sr;
	int	 failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 40);
	tcase_add_test(tc, confirmed_when_it_is_in_redis);
	tcase_add_test(tc, many_changes_at_once_end_exact);
	tcase_add_test(tc, cancelled_is_not_confirmed);
	tcase_add_test(tc, group_and_heart_beat);
	tcase_add_test(tc, finds_other_shards_but_us);
	tcase_add_test(tc,
	    what_redis_has_forgotten_is_not_taken_for_nothing);
	tcase_add_test(tc, an_entry_that_is_missing_says_nothing);
	tcase_add_test(tc, a_slow_redis_is_not_waited_for);
	tcase_add_test(tc, mute_neighbours_cost_half_a_second);
	tcase_add_test(tc, redis_that_comes_back_empty_is_written_again);
	tcase_add_test(tc, what_the_set_names_and_is_not_held_goes);
	tcase_add_test(tc, a_heart_beat_that_is_gone_has_all_written_again);
	tcase_add_test(tc, an_error_of_redis_is_a_failed_write);
	tcase_add_test(tc, retiring_leaves_nothing);
	tcase_add_test(tc, retiring_waits_a_second_at_most);
	tcase_add_test(tc, without_redis_all_is_confirmed_and_nothing_found);
	tcase_add_test(tc, before_redis_is_up_new_links_hear_ask_me);
	tcase_add_test(tc,
	    of_a_member_with_one_connection_redis_alone_remembers);
	tcase_add_test(tc, who_comes_and_goes_at_once_is_counted_exactly);
	tcase_add_test(tc, replicas_that_share_a_name_share_its_entries);
	tcase_add_test(tc, what_redis_alone_remembered_is_written_again);
	tcase_add_test(tc, retiring_finds_what_redis_alone_remembered);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}
