#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "shardd/peers/backlog.h"

static struct backlog	 b;
static char		 data[1 << 20];
static size_t		 ndropped, neased;
static uint64_t		 dropped[64], eased;	/* whose */

/* A CAST leaves a note, an ASK nothing, a DONE stays. */
static enum backlog_fate
drop(void *arg, struct gossip *m, int many)
{
	ck_assert_ptr_eq(arg, &b);
	if (m->type == GOSSIP_DONE)
		return (BACKLOG_KEEP);
	dropped[ndropped++ % nitems(dropped)] = m->from;
	if (m->type == GOSSIP_ASK)
		return (BACKLOG_GONE);
	m->type = GOSSIP_LOST;
	m->after = m->seq - 1;
	m->payload = slice_of(NULL, 0);
	if (many)
		m->uid = slice_of(NULL, 0);
	return (BACKLOG_NOTE);
}

static void
ease(void *arg, uint64_t replica)
{
	ck_assert_ptr_eq(arg, &b);
	eased = replica;
	neased++;
}

static const struct backlog_ops	 ops = { drop, ease };

static void
setup(void)
{
	backlog_init(&b, &ops, &b);
	ndropped = neased = 0;
}

static void
teardown(void)
{
	backlog_clear(&b);
	ck_assert(backlog_is_empty(&b));
	ck_assert_uint_eq(backlog_bytes(&b), 0);
}

static int
add(uint64_t replica, uint64_t seq, size_t len)
{
	struct gossip	 m = { .type = GOSSIP_CAST, .to = 1, .from = replica,
			    .seq = seq, .uid = slice_str("u"),
			    .payload = slice_of(data, len) };

	return (backlog_add(&b, replica, &m));
}

/* The next message is this one. */
static void
next(enum gossip_type type, uint64_t replica, uint64_t seq)
{
	const struct gossip	*m = backlog_next(&b);

	ck_assert_ptr_nonnull(m);
	ck_assert_int_eq(m->type, type);
	ck_assert_uint_eq(m->from, replica);
	ck_assert_uint_eq(m->seq, seq);
	backlog_sent(&b);
}

START_TEST(of_one_group_all_in_order_and_as_it_was)
{
	const struct gossip	*m;

	for (uint64_t i = 1; i <= 3; i++)
		ck_assert_int_eq(add(7, i, i * 1000), 0);
	for (uint64_t i = 1; i <= 3; i++) {
		m = backlog_next(&b);
		ck_assert(m->seq == i && m->payload.len == i * 1000 &&
		    m->payload.data != data && slice_is(m->uid, "u") &&
		    m->topics.data == NULL);
		backlog_sent(&b);
	}
	ck_assert_ptr_null(backlog_next(&b));
}
END_TEST

START_TEST(a_word_keeps_all_that_it_has)
{
	char			 head[] = "head", bytes[] = "data";
	struct gossip		 m = { .type = GOSSIP_TELL, .to = 1, .from = 7,
				    .head = slice_str(head),
				    .payload = slice_str(bytes) };
	const struct gossip	*got;

	ck_assert_int_eq(backlog_add(&b, 7, &m), 0);
	memset(head, 0, 4);
	memset(bytes, 0, 4);
	got = backlog_next(&b);
	ck_assert(slice_is(got->head, "head") &&
	    slice_is(got->payload, "data"));
	backlog_sent(&b);
}
END_TEST

START_TEST(groups_take_turns_by_bytes)
{
	uint64_t	 small = 0;
	int		 large = 0;

	for (uint64_t i = 1; i <= 4; i++)
		ck_assert_int_eq(add(1, i, sizeof(data)), 0);
	for (uint64_t i = 1; i <= 100; i++)
		ck_assert_int_eq(add(2, i, 10), 0);
	while (small < 100) {
		if (backlog_next(&b)->from == 2)
			small++;
		else
			large++;
		backlog_sent(&b);
	}
	ck_assert_int_le(large, 1);
}
END_TEST

START_TEST(the_longest_queue_pays_and_the_others_lose_nothing)
{
	uint64_t	 n = 0;

	while (b.bytes + sizeof(data) + 1000 < BACKLOG_MAX)
		ck_assert_int_eq(add(1, ++n, sizeof(data)), 0);
	ck_assert_int_eq(add(2, 1, sizeof(data)), 0);	/* at 1's cost */
	ck_assert_uint_eq(ndropped, n);
	ck_assert_uint_eq(dropped[0], 1);
	for (uint64_t i = 2; i <= 10; i++)
		ck_assert_int_eq(add(2, i, 10), 0);
	next(GOSSIP_LOST, 1, n);		/* one note of all */
	for (uint64_t i = 1; i <= 10; i++)
		next(GOSSIP_CAST, 2, i);
	ck_assert_ptr_null(backlog_next(&b));
	ck_assert_uint_eq(neased, 1);
	ck_assert_uint_eq(eased, 1);
}
END_TEST

START_TEST(who_is_the_longest_itself_is_refused)
{
	uint64_t	 n = 0;

	while (add(1, ++n, sizeof(data)) == 0)
		;
	ck_assert_int_eq(errno, ENOBUFS);
	ck_assert_uint_eq(ndropped, 1);
	ck_assert_uint_le(backlog_bytes(&b), BACKLOG_MAX + 1000);
	ck_assert_int_eq(add(1, n + 1, sizeof(data)), -1);
	for (uint64_t i = 1; i < n; i++)
		next(GOSSIP_CAST, 1, i);
	ck_assert_uint_eq(backlog_next(&b)->after, n - 1);
	next(GOSSIP_LOST, 1, n + 1);
	ck_assert_ptr_null(backlog_next(&b));
}
END_TEST

START_TEST(over_its_mark_until_half_of_it_is_gone)
{
	for (uint64_t i = 1; i <= 9; i++)
		ck_assert_int_eq(add(1, i, sizeof(data)), 0);
	ck_assert_int_eq(add(2, 1, 10), 0);
	ck_assert(backlog_is_over(&b, 1) && !backlog_is_over(&b, 2));
	while (!backlog_is_empty(&b) && backlog_is_over(&b, 1)) {
		ck_assert_uint_eq(neased, 0);
		backlog_next(&b);
		backlog_sent(&b);
	}
	ck_assert_uint_eq(neased, 1);
	ck_assert_uint_ge(backlog_bytes(&b), 3 << 20);
	ck_assert_uint_le(backlog_bytes(&b), BACKLOG_MARK / 2 + 1000);
}
END_TEST

START_TEST(closed_it_keeps_notes_only)
{
	struct gossip	 done = { .type = GOSSIP_DONE, .from = 1, .ask = 3 };
	struct gossip	 ask = { .type = GOSSIP_ASK, .from = 1, .ask = 4 };

	ck_assert_int_eq(add(1, 1, 10), 0);
	ck_assert_int_eq(backlog_add(&b, 1, &ask), 0);
	b.closed = 1;
	backlog_drop(&b);
	ck_assert_uint_eq(ndropped, 2);
	ck_assert_int_eq(add(1, 2, 10), -1);
	ck_assert_int_eq(backlog_add(&b, 1, &done), 0);
	ck_assert_int_eq(backlog_add(&b, 1, &ask), -1);
	next(GOSSIP_LOST, 1, 2);
	next(GOSSIP_DONE, 1, 0);
	ck_assert(backlog_is_empty(&b));
}
END_TEST

START_TEST(notes_are_bounded)
{
	struct gossip	 m = { .type = GOSSIP_CAST, .to = 1, .from = 1 };
	char		 uid[16];
	size_t		 n = 0;

	b.closed = 1;
	for (m.seq = 1; m.seq <= 10000; m.seq++) {
		snprintf(uid, sizeof(uid), "%u", (unsigned)m.seq);
		m.uid = slice_str(uid);
		ck_assert_int_eq(backlog_add(&b, 1, &m), -1);
	}
	for (; backlog_next(&b) != NULL; n++)
		backlog_sent(&b);
	ck_assert_uint_eq(n, BACKLOG_NOTES + 1);
	ck_assert_uint_eq(ndropped, 10000);
}
END_TEST

/* Of about one size, the first of them pay; one of another size is found among many. */
START_TEST(among_many_groups_one_of_the_longest_pays)
{
	uint64_t	 n = 0;

	b.max = 4 << 20;
	for (uint64_t i = 100; i < 5100; i++)
		ck_assert_int_eq(add(i, 1, 100), 0);
	while (b.bytes + 20000 < b.max)
		ck_assert_int_eq(add(7, ++n, 10000), 0);
	ck_assert_int_eq(add(8, 1, 30000), 0);
	ck_assert_uint_eq(ndropped, n);
	ck_assert_uint_eq(dropped[0], 7);
	backlog_clear(&b);
}
END_TEST

START_TEST(of_two_about_as_long_the_longer_pays)
{
	ck_assert_int_eq(add(1, 1, 40000), 0);
	ck_assert_int_eq(add(2, 1, 60000), 0);
	b.max = b.bytes;
	ck_assert_int_eq(add(3, 1, 1000), 0);
	ck_assert_uint_eq(ndropped, 1);
	ck_assert_uint_eq(dropped[0], 2);
	next(GOSSIP_CAST, 1, 1);
}
END_TEST

/* What a message costs that finds no room, the best of some tries. */
static uint64_t
cost(uint64_t replica)
{
	uint64_t	 best = UINT64_MAX, t;

	for (int i = 0; i < 5; i++) {
		t = clock_ns();
		for (uint64_t k = 1; k <= 1000; k++)
			add(replica, k, 2000);
		if ((t = clock_ns() - t) < best)
			best = t;
	}
	return (best);
}

/* With a walk along all queues it is some hundred times as much. */
START_TEST(it_takes_no_longer_with_many_groups)
{
	uint64_t	 few, many;

	ck_assert_int_eq(add(1, 1, 1000), 0);
	b.max = b.bytes;
	few = cost(1);
	for (uint64_t i = 2; i < 50000; i++) {
		b.max = SIZE_MAX;
		ck_assert_int_eq(add(i, 1, 1000), 0);
	}
	b.max = b.bytes;
	many = cost(1);
	ck_assert_uint_lt(many, 10 * few + 5000000);
	backlog_clear(&b);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("backlog");
	TCase	*tc = tcase_create("backlog");
	SRunner	*sr;
	int	 failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, of_one_group_all_in_order_and_as_it_was);
	tcase_add_test(tc, a_word_keeps_all_that_it_has);
	tcase_add_test(tc, groups_take_turns_by_bytes);
	tcase_add_test(tc, the_longest_queue_pays_and_the_others_lose_nothing);
	tcase_add_test(tc, who_is_the_longest_itself_is_refused);
	tcase_add_test(tc, among_many_groups_one_of_the_longest_pays);
	tcase_add_test(tc, of_two_about_as_long_the_longer_pays);
	tcase_add_test(tc, it_takes_no_longer_with_many_groups);
	tcase_add_test(tc, over_its_mark_until_half_of_it_is_gone);
	tcase_add_test(tc, closed_it_keeps_notes_only);
	tcase_add_test(tc, notes_are_bounded);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}
