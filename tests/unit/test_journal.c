/* The journal of a group: alone, with no neighbours, no Redis and no application. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/state/journal.h"

static struct journal	 j, other;
static struct buf	 bytes;

/* What was sent, copied: a sender's payload is valid for the call only. */
static struct {
	struct gossip	 m;
	struct buf	 data;
}			 sent[512];
static size_t		 nsent;

static void
setup(void)
{
	journal_init(&j, 7, 0);
	journal_init(&other, 8, 0);
}

static void
teardown(void)
{
	journal_clear(&j);
	journal_clear(&other);
	buf_clear(&bytes);
	for (size_t i = 0; i < nsent; i++)
		buf_clear(&sent[i].data);
	nsent = 0;
}

/* A batch with one step: key becomes value (NULL: the step was refused with err). */
static struct slice
batch(uint64_t origin, uint64_t number, uint32_t err, const char *key,
    const char *value)
{
	struct news_change	 c = { .kind = NEWS_PUT, .map = slice_str("m"),
				    .key = slice_str(key) };

	bytes.len = 0;
	news_begin(&bytes, 0, 1);
	news_add_step(&bytes, origin, number, err, slice_str("step"),
	    value != NULL);
	if (value != NULL) {
		c.value = slice_str(value);
		news_add_change(&bytes, &c);
	}
	ck_assert(!bytes.failed);
	return (slice_of(bytes.data, bytes.len));
}

static void
apply(struct journal *at, uint64_t era, struct slice data)
{
	struct news_step	 s;
	struct news		 n;

	ck_assert_int_eq(journal_open(at, era, data.data, data.len, &n), 0);
	while (news_step(&n, &s))
		journal_take_step(at, &s);
}

static void
put(uint64_t era, uint64_t number, const char *key, const char *value)
{
	apply(&j, era, batch(1, number, 0, key, value));
}

static void
send_cb(void *arg, uint64_t to, struct gossip *m)
{
	ck_assert_ptr_eq(arg, &nsent);
	ck_assert_uint_eq(to, 8);
	ck_assert_uint_lt(nsent, nitems(sent));
	sent[nsent].m = *m;
	buf_add(&sent[nsent].data, m->payload.data, m->payload.len);
	sent[nsent].m.payload = slice_of(sent[nsent].data.data,
	    sent[nsent].data.len);
	nsent++;
}

static void
is(const struct journal *at, const char *key, const char *want)
{
	struct slice	 v = maps_get(&at->maps, slice_str("m"), slice_str(key));

	if (want == NULL)
		ck_assert_ptr_null(v.data);
	else
		ck_assert(slice_is(v, want));
}

/* other takes all parts that were sent from `first` on.  Has the state come? */
static int
become(size_t first)
{
	struct incoming	*in = NULL;
	uint64_t	 durable;

	for (size_t i = first; i < nsent; i++)
		if (incoming_take(&in, 8, &sent[i].m, &durable)) {
			journal_become(&other, durable, &in);
			return (1);
		}
	incoming_drop(&in);
	return (0);
}

START_TEST(a_step_moves_the_position_the_map_and_its_origins_mark)
{
	put(3, 1, "k", "one");
	put(3, 2, "k", "two");
	ck_assert_uint_eq(j.pos, 2);
	ck_assert_uint_eq(j.era, 3);
	is(&j, "k", "two");
	ck_assert_uint_eq(journal_mark(&j, 1)->done, 2);
	apply(&j, 3, batch(1, 3, 22, "k", NULL));
	is(&j, "k", "two");
	ck_assert_uint_eq(journal_mark(&j, 1)->done, 3);
	ck_assert_uint_eq(journal_mark(&j, 1)->refused, 3);
	ck_assert_uint_eq(journal_mark(&j, 1)->err, 22);
}
END_TEST

/* 13, 32: It may only have been taken for dead, and make its steps again. */
START_TEST(marks_of_the_latest_that_ended_are_kept)
{
	for (uint64_t id = 1; id <= 2 * JOURNAL_ENDED; id++) {
		apply(&j, 1, batch(id, 5, 0, "k", "v"));
		apply(&j, 1, batch(id, 0, 0, "k", "gone"));
		apply(&j, 1, batch(id, 0, 0, "k", "gone"));
		if (id == 1 + JOURNAL_ENDED / 2)	/* the first lives */
			apply(&j, 1, batch(1, 6, 0, "k", "lives"));
	}
	is(&j, "k", "gone");
	ck_assert_uint_eq(j.marks.count, 1 + JOURNAL_ENDED);
	ck_assert_uint_eq(journal_mark(&j, 1)->done, 6);
	ck_assert_uint_eq(journal_mark(&j, 2)->done, 0);
	ck_assert_uint_eq(journal_mark(&j, 2 * JOURNAL_ENDED)->done, 5);
}
END_TEST

static int
is_fifth(void *arg, uint64_t origin)
{
	(void)arg;
	return (origin % 5 == 0);
}

/* 13: Those of a state that came say nothing of who has ended. */
START_TEST(marks_of_others_are_bounded)
{
	for (uint64_t id = 1; id <= 5 * JOURNAL_ENDED; id++)
		apply(&j, 1, batch(id, 3, 0, "k", "v"));
	journal_end_others(&j, is_fifth, NULL);
	ck_assert_uint_eq(j.marks.count, 2 * JOURNAL_ENDED + 1);	/* and our own */
	for (uint64_t id = 5; id <= 5 * JOURNAL_ENDED; id += 5)
		ck_assert_uint_eq(journal_mark(&j, id)->done, 3);
	ck_assert_uint_eq(journal_mark(&j, j.id)->done, 3);
}
END_TEST

START_TEST(nonsense_changes_nothing)
{
	struct news	 n;

	put(1, 1, "k", "v");
	ck_assert_int_eq(journal_open(&j, 2, "nonsense", 8, &n), -1);
	ck_assert_uint_eq(j.pos, 1);
	ck_assert_uint_eq(j.era, 1);
}
END_TEST

START_TEST(a_position_is_passed_in_its_own_era_only)
{
	put(1, 1, "k", "v");
	put(1, 2, "k", "v");
	put(4, 3, "k", "v");
	ck_assert(journal_passed(&j, 3, 4));
	ck_assert(journal_passed(&j, 2, 1));
	ck_assert(!journal_passed(&j, 2, 4));	/* reached another way */
	ck_assert(!journal_passed(&j, 4, 4));
	ck_assert(journal_is_behind(&j, 4, 4));
	ck_assert(journal_is_behind(&j, 1, 5));	/* a later era counts */
	ck_assert(!journal_is_behind(&j, 9, 3));
}
END_TEST

START_TEST(who_missed_some_gets_those_and_who_missed_more_than_is_kept_all)
{
	for (uint64_t i = 1; i <= JOURNAL_NEWS + 10; i++)
		put(1, i, "k", i % 2 == 0 ? "even" : "odd");
	ck_assert_uint_eq(j.nnews, JOURNAL_NEWS);
	ck_assert(!journal_passed(&j, 9, 1));
	ck_assert(journal_passed(&j, 10, 1));
	journal_send_since(&j, 8, JOURNAL_NEWS + 7, send_cb, &nsent);
	ck_assert_uint_eq(nsent, 3);
	for (size_t i = 0; i < nsent; i++) {
		ck_assert_int_eq(sent[i].m.type, GOSSIP_NEWS);
		ck_assert_uint_eq(sent[i].m.seq, JOURNAL_NEWS + 8 + i);
		ck_assert_uint_eq(sent[i].m.era, 1);
	}
	apply(&other, 1, sent[2].m.payload);
	is(&other, "k", "even");
}
END_TEST

/* A state of many keys and marks, part by part. */
static void
fill(void)
{
	char	 key[24];

	for (uint64_t i = 0; i < 3 * NEWS_CHANGES_MAX; i++) {
		snprintf(key, sizeof(key), "key%u", (unsigned)i);
		apply(&j, 2, batch(1000 + i % 1500, 1 + i, 0, key, key));
	}
	apply(&j, 2, batch(9, 4, 17, "", NULL));
	apply(&j, 2, batch(9, 5, 0, "last", "word"));
}

START_TEST(a_state_arrives_in_parts_as_it_was)
{
	fill();
	journal_send_state(&j, 8, send_cb, &nsent);
	ck_assert_uint_gt(nsent, 3);
	ck_assert_int_eq(become(0), 1);
	ck_assert_uint_eq(other.pos, j.pos);
	ck_assert_uint_eq(other.era, 2);
	ck_assert_uint_eq(other.maps.bytes, j.maps.bytes);
	is(&other, "key4711", "key4711");
	is(&other, "last", "word");
	ck_assert_uint_eq(other.marks.count, j.marks.count);
	ck_assert_uint_eq(journal_mark(&other, 9)->done, 5);
	ck_assert_uint_eq(journal_mark(&other, 9)->refused, 4);
	ck_assert_uint_eq(journal_mark(&other, 9)->err, 17);
	ck_assert_uint_eq(other.nnews, 0);
	ck_assert(journal_passed(&other, j.pos, 2));
}
END_TEST

START_TEST(a_state_without_its_beginning_or_with_a_gap_is_none)
{
	fill();
	journal_send_state(&j, 8, send_cb, &nsent);
	ck_assert_int_eq(become(1), 0);
	sent[1].m.after = 7;		/* its second part did not come */
	ck_assert_int_eq(become(0), 0);
	sent[1].m.after = 1;
	sent[1].m.seq++;		/* it is of another state */
	ck_assert_int_eq(become(0), 0);
	ck_assert_uint_eq(other.pos, 0);
	is(&other, "last", NULL);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("journal");
	TCase	*tc = tcase_create("journal");
	SRunner	*sr;
	int	 failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc,
	    a_step_moves_the_position_the_map_and_its_origins_mark);
	tcase_add_test(tc, marks_of_the_latest_that_ended_are_kept);
	tcase_add_test(tc, marks_of_others_are_bounded);
	tcase_add_test(tc, nonsense_changes_nothing);
	tcase_add_test(tc, a_position_is_passed_in_its_own_era_only);
	tcase_add_test(tc,
	    who_missed_some_gets_those_and_who_missed_more_than_is_kept_all);
	tcase_add_test(tc, a_state_arrives_in_parts_as_it_was);
	tcase_add_test(tc, a_state_without_its_beginning_or_with_a_gap_is_none);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}
