/* Messages of one turn go together, none is lost, and of two kinds the first goes first. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/bus_frame.h"
#include "shardd/peers/batch.h"

static struct batches	 bs;
static struct batch	 one, two, room;
static struct buf	 said;		/* what was published, as text */
static size_t		 frames, sent, broken;

/* Note what is published: "<name>:<message>,<message>;". */
static int
publish(void *arg, unsigned flags, struct slice head, struct slice payload)
{
	struct slice	 m, body = head;

	if (broken > 0) {
		broken--;
		errno = EAGAIN;
		return (-1);
	}
	ck_assert_uint_le(head.len, BUS_FRAME_MAX);
	frames++;
	buf_addf(&said, "%s:", (const char *)arg);
	if ((flags & BUS_F_MANY) == 0) {
		buf_add(&said, head.data, head.len < 8 ? head.len : 8);
		buf_add(&said, payload.data, payload.len < 8 ? payload.len : 8);
		buf_adds(&said, ",");
	} else {
		ck_assert_uint_eq(payload.len, 0);
		while (batch_next(&body, &m) == 0) {
			buf_add(&said, m.data, m.len < 8 ? m.len : 8);
			buf_adds(&said, ",");
		}
		ck_assert_uint_eq(body.len, 0);
	}
	buf_adds(&said, ";");
	return (0);
}

static void
all_sent(void *arg)
{
	ck_assert_ptr_eq(arg, &bs);
	sent++;
}

static void
setup(void)
{
	batches_init(&bs, all_sent, &bs);
	batch_init(&one, &bs, BATCH_SHARD, publish, (void *)(uintptr_t)"one");
	batch_init(&two, &bs, BATCH_SHARD, publish, (void *)(uintptr_t)"two");
	batch_init(&room, &bs, BATCH_ROOM, publish, (void *)(uintptr_t)"room");
	frames = sent = broken = 0;
	memset(&said, 0, sizeof(said));
}

static void
teardown(void)
{
	batch_clear(&one);
	batch_clear(&two);
	batch_clear(&room);
	batches_end(&bs);
	buf_clear(&said);
}

static int
add(struct batch *b, const char *text)
{
	return (batch_add(b, slice_of(text, 1), slice_str(text + 1), 1));
}

static void
heard(const char *text)
{
	ck_assert_msg(said.len == strlen(text) &&
	    memcmp(said.data, text, said.len) == 0, "%.*s", (int)said.len,
	    said.data);
	buf_reset(&said);
}

START_TEST(a_turn_is_one_frame_a_channel)
{
	ck_assert_int_eq(add(&one, "a1"), 0);
	ck_assert_int_eq(add(&two, "b1"), 0);
	ck_assert_int_eq(add(&one, "a2"), 0);
	ck_assert_int_eq(add(&one, "a3"), 0);
	ck_assert_uint_eq(frames, 0);
	ck_assert_uint_gt(batch_bytes(&one), 0);
	turn_end();
	heard("one:a1,a2,a3,;two:b1,;");
	ck_assert_uint_eq(sent, 1);
	ck_assert_uint_eq(batch_bytes(&one), 0);
	turn_end();
	ck_assert_uint_eq(frames, 2);
}
END_TEST

START_TEST(of_two_kinds_the_first_goes_first)
{
	add(&one, "a1");
	add(&room, "r1");
	add(&room, "r2");
	add(&two, "b1");
	turn_end();
	heard("one:a1,;room:r1,r2,;two:b1,;");
}
END_TEST

START_TEST(who_reads_one_at_a_time_gets_one_at_a_time)
{
	ck_assert_int_eq(batch_add(&one, slice_str("a1"), slice_of(NULL, 0), 0), 0);
	ck_assert_int_eq(batch_add(&one, slice_str("a2"), slice_of(NULL, 0), 0), 0);
	heard("one:a1,;one:a2,;");
	/* Behind what waits. */
	add(&one, "a3");
	batch_add(&one, slice_str("a4"), slice_of(NULL, 0), 0);
	heard("one:a3,;one:a4,;");
}
END_TEST

START_TEST(a_frame_is_bounded_and_what_is_longer_goes_alone)
{
	static char	 data[2 * BUS_FRAME_MAX];
	size_t		 n = 0;

	memset(data, 'x', sizeof(data));
	while (frames == 0) {
		ck_assert_int_eq(batch_add(&one, slice_str("m"), slice_of(data,
		    1000), 1), 0);
		n++;
	}
	ck_assert_uint_eq(n, BUS_FRAME_MAX / 1005 + 1);
	buf_reset(&said);
	batch_add(&one, slice_str("m"), slice_of(data, BUS_FRAME_MAX - 4), 1);
	ck_assert_uint_eq(frames, 3);		/* what waited, and this */
	batch_add(&one, slice_str("m"), slice_of(data, BUS_FRAME_MAX - 5), 1);
	ck_assert_uint_eq(frames, 3);
	add(&one, "a1");
	ck_assert_uint_eq(frames, 4);
	turn_end();
	heard("one:mxxxxxxx,;one:mxxxxxxxx,;one:mxxxxxxx,;one:a1,;");
}
END_TEST

START_TEST(what_cannot_be_sent_stays_and_stays_first)
{
	add(&one, "a1");
	broken = 1;
	turn_end();
	ck_assert_uint_eq(sent, 0);
	ck_assert_uint_eq(frames, 0);
	broken = 1;
	ck_assert_int_eq(add(&room, "r1"), -1);
	add(&one, "a2");
	broken = 1;
	ck_assert_int_eq(batch_add(&one, slice_str("a3"), slice_of(NULL, 0), 0), -1);
	batches_flush(&bs);
	heard("one:a1,a2,;");
	ck_assert_uint_eq(sent, 1);
}
END_TEST

START_TEST(a_cleared_batch_says_nothing)
{
	add(&one, "a1");
	batch_clear(&one);
	turn_end();
	ck_assert_uint_eq(frames, 0);
	add(&one, "a2");
	turn_end();
	heard("one:a2,;");
}
END_TEST

START_TEST(what_is_no_frame_of_messages_is_seen)
{
	static const struct {
		const char	*data;
		size_t		 len;
		int		 rv;
	} rows[] = {
		{ "", 0, 1 },
		{ "\0\0\0", 3, -1 },
		{ "\0\0\0\2x", 5, -1 },
		{ "\377\377\377\377x", 5, -1 },
		{ "\0\0\0\0", 4, 0 },
		{ "\0\0\0\1x", 5, 0 },
	};
	struct slice	 body = slice_of(rows[_i].data, rows[_i].len), m;

	ck_assert_int_eq(batch_next(&body, &m), rows[_i].rv);
	if (rows[_i].rv == 0)
		ck_assert_uint_eq(body.len, 0);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("batch");
	TCase	*tc = tcase_create("batch");
	SRunner	*sr;
	int	 failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_turn_is_one_frame_a_channel);
	tcase_add_test(tc, of_two_kinds_the_first_goes_first);
	tcase_add_test(tc, who_reads_one_at_a_time_gets_one_at_a_time);
	tcase_add_test(tc, a_frame_is_bounded_and_what_is_longer_goes_alone);
	tcase_add_test(tc, what_cannot_be_sent_stays_and_stays_first);
	tcase_add_test(tc, a_cleared_batch_says_nothing);
	tcase_add_loop_test(tc, what_is_no_frame_of_messages_is_seen, 0, 6);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}
