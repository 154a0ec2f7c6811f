#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "proto/gossip.h"

static const struct gossip	full = {
	.ask = 1, .to = 2, .from = UINT64_MAX, .seq = 4, .incarnation = 5,
	.slot = 6, .low = 7, .high = 8, .flags = GOSSIP_F_BINARY,
	.term = 9, .era = 10, .after = 11, .said = 12, .prior = 13,
	.topics = { "t\0u", 4 }, .head = { "h\0d", 3 },
	.uid = { "uid", 3 }, .payload = { "p\0yload", 7 },
};

static int
has_payload(enum gossip_type type)
{
	return (type == GOSSIP_CAST || type == GOSSIP_WHISPER ||
	    type == GOSSIP_ASK || type == GOSSIP_ANSWER ||
	    type == GOSSIP_PUBLISH || type == GOSSIP_STEP ||
	    type == GOSSIP_NEWS || type == GOSSIP_STATE ||
	    type == GOSSIP_TELL || type == GOSSIP_CLOSE);
}

/* As a link sends it: the encoded part, then the payload's bytes. */
static void
encode(struct buf *b, const struct gossip *m)
{
	b->len = 0;
	gossip_encode(b, m, WIRE_VERSION);
	if (has_payload(m->type) && m->payload.len != 0)
		buf_add(b, m->payload.data, m->payload.len);
	ck_assert_int_eq(b->failed, 0);
}

static int
decode_exact(struct gossip *m, const char *data, size_t len)
{
	char	*copy = malloc(len + 1);
	int	 rv;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy + 1, data, len);
	rv = gossip_decode(m, copy + 1, len);
	free(copy);
	return (rv);
}

START_TEST(every_message_comes_back_as_it_was)
{
	struct buf	b = { 0 }, again = { 0 };
	struct gossip	m = full, got;

	m.type = (enum gossip_type)_i;
	encode(&b, &m);
	ck_assert_int_eq(gossip_decode(&got, b.data, b.len), 0);
	ck_assert_int_eq(got.type, m.type);
	encode(&again, &got);
	ck_assert_uint_eq(again.len, b.len);
	ck_assert_mem_eq(again.data, b.data, b.len);
	for (size_t i = 0; i < b.len; i++) {
		errno = 0;
		ck_assert_int_eq(decode_exact(&got, b.data, i), -1);
		ck_assert_int_eq(errno, EPROTO);
	}
	ck_assert_str_ne(gossip_name(m.type), "unknown");
	if (gossip_answer(m.type) != 0)
		ck_assert_str_ne(gossip_name(gossip_answer(m.type)),
		    "unknown");
	buf_clear(&b);
	buf_clear(&again);
}
END_TEST

START_TEST(a_cast_borrows_its_payload_from_the_frame)
{
	struct buf	b = { 0 };
	struct gossip	m = full, got;
	char		*big = calloc(1, 1 << 20);

	ck_assert_ptr_nonnull(big);
	m.type = GOSSIP_CAST;
	m.payload = slice_of(big, 1 << 20);
	gossip_encode(&b, &m, WIRE_VERSION);
	ck_assert_uint_lt(b.len, 100);		/* none of the payload */
	buf_add(&b, big, 1 << 20);
	ck_assert_int_eq(gossip_decode(&got, b.data, b.len), 0);
	ck_assert(got.ask == 1 && got.to == 2 && got.from == UINT64_MAX);
	ck_assert(got.seq == 4 && got.flags == GOSSIP_F_BINARY);
	ck_assert(slice_is(got.uid, "uid"));
	ck_assert_uint_eq(got.payload.len, 1 << 20);
	ck_assert_ptr_eq(got.payload.data + got.payload.len, b.data + b.len);
	buf_clear(&b);
	free(big);
}
END_TEST

START_TEST(what_is_not_a_message_is_refused)
{
	struct gossip	m = { .type = GOSSIP_NTYPES };
	struct buf	b = { 0 };

	ck_assert_int_eq(gossip_decode(&m, "", 0), -1);
	ck_assert_int_eq(gossip_decode(&m, "\x90", 1), -1);
	ck_assert_int_eq(gossip_decode(&m, "\x91\x00", 2), -1);
	ck_assert_int_eq(gossip_decode(&m, "\x92\x07\xc0", 3), -1);
	/* DONE has no payload; CAST has one, of another length. */
	ck_assert_int_eq(gossip_decode(&m,
	    "\x98\x03\x00\x01\x01\x01\x00\xa0\x02" "abc", 12), -1);
	ck_assert_int_eq(gossip_decode(&m, "\x92\x07\x05", 3), 0);
	m.type = GOSSIP_NTYPES;
	gossip_encode(&b, &m, WIRE_VERSION);
	ck_assert_int_eq(b.failed, 1);
	b.failed = 0;
	m.type = GOSSIP_ANSWER;
	m.payload = slice_of("", LINK_FRAME_MAX + 1);
	gossip_encode(&b, &m, WIRE_VERSION);
	ck_assert_int_eq(b.failed, 1);
	ck_assert_str_eq(gossip_name(GOSSIP_NTYPES), "unknown");
	buf_clear(&b);
}
END_TEST

START_TEST(a_later_version_may_say_more)
{
	struct gossip	m;

	/* A type of its own. */
	ck_assert_int_eq(gossip_decode(&m, "\x92\x7f\xa1x" "bytes", 9), 1);
	/* DONE with another field, and with a payload. */
	ck_assert_int_eq(gossip_decode(&m, "\x97\x07\x05\x00\x00\x00\x00\xa1x", 9), 0);
	ck_assert(m.type == GOSSIP_DONE && m.ask == 5);
	ck_assert_int_eq(gossip_decode(&m, "\x92\x07\x05" "bytes", 8), 0);
	ck_assert(m.ask == 5 && m.payload.len == 0);
	/* CAST with another field behind the length of its payload. */
	ck_assert_int_eq(gossip_decode(&m,
	    "\x9b\x03\x00\x01\x01\x01\x00\xa0\x02\x09\x08\xa1x" "ab", 15), 0);
	ck_assert(m.type == GOSSIP_CAST && slice_is(m.payload, "ab"));
	ck_assert(m.said == 9 && m.prior == 8);
}
END_TEST

START_TEST(version_1_is_told_what_it_knows)
{
	struct buf	one = { 0 }, two = { 0 };
	struct gossip	m = full, got;

	m.type = GOSSIP_CAST;
	m.payload.len = 0;
	gossip_encode(&one, &m, 1);
	gossip_encode(&two, &m, 2);
	ck_assert_uint_lt(one.len, two.len);
	ck_assert_int_eq(gossip_decode(&got, one.data, one.len), 0);
	ck_assert(got.seq == m.seq && got.said == 0 && got.prior == 0);
	ck_assert_int_eq(gossip_decode(&got, two.data, two.len), 0);
	ck_assert(got.seq == m.seq && got.said == 12 && got.prior == 13);
	buf_clear(&one);
	buf_clear(&two);
}
END_TEST

/* low and high of theirs, the highest of ours, and what is spoken. */
START_TEST(the_highest_that_both_speak_is_spoken)
{
	static const unsigned	rows[][4] = {
		{ 1, 1, 1, 1 }, { 1, 1, 2, 1 }, { 1, 2, 1, 1 }, { 1, 2, 2, 2 },
		{ 1, 9, 2, 2 }, { 2, 9, 2, 2 }, { 2, 9, 1, 0 }, { 7, 9, 2, 0 },
		{ 0, 0, 2, 0 }, { 2, 1, 2, 0 },
	};

	for (size_t i = 0; i < nitems(rows); i++)
		ck_assert_uint_eq(wire_common(rows[i][0], rows[i][1],
		    rows[i][2]), rows[i][3]);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("gossip");
	TCase	*t = tcase_create("gossip");
	SRunner	*r;
	int	 failed;

	tcase_add_loop_test(t, every_message_comes_back_as_it_was, 1,
	    GOSSIP_NTYPES);
	tcase_add_test(t, a_cast_borrows_its_payload_from_the_frame);
	tcase_add_test(t, what_is_not_a_message_is_refused);
	tcase_add_test(t, a_later_version_may_say_more);
	tcase_add_test(t, version_1_is_told_what_it_knows);
	tcase_add_test(t, the_highest_that_both_speak_is_spoken);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
