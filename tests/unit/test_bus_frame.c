/* Frames between nodes: what was encoded comes back, and nothing else is believed. */
#include <check.h>
#include <stdlib.h>

#include "proto/bus_frame.h"

static const struct bus_frame	 sample = {
	.kind = BUS_DATA, .flags = BUS_F_MORE, .node = { "node", 4 },
	.slot = 3, .incarnation = 0x1122334455667788, .session = 5, .n = 6,
	.pos = 7, .ack = 8,
};

/* The sample as a frame on channel "c". */
static struct buf
encoded(const char *key)
{
	struct buf	b = { 0 };

	bus_frame_encode(&b, &sample, slice_str("head"), slice_str("payload"),
	    slice_str("c"), slice_str(key));
	ck_assert(!b.failed);
	return (b);
}

static enum bus_fault
decode(struct bus_frame *f, const struct buf *b, size_t len, const char *channel,
    const char *key)
{
	return (bus_frame_decode(f, slice_of(b->data, len), slice_str(channel),
	    slice_str(key)));
}

START_TEST(what_was_encoded_comes_back)
{
	static const char *const keys[] = { "", "k" };
	struct buf		 b = encoded(keys[_i]);
	struct bus_frame	 f;

	ck_assert_int_eq(decode(&f, &b, b.len, "c", keys[_i]), BUS_OK);
	ck_assert_int_eq(f.kind, sample.kind);
	ck_assert_uint_eq(f.flags, sample.flags);
	ck_assert(slice_eq(f.node, sample.node));
	ck_assert_uint_eq(f.slot, sample.slot);
	ck_assert_uint_eq(f.incarnation, sample.incarnation);
	ck_assert_uint_eq(f.session, sample.session);
	ck_assert_uint_eq(f.n, sample.n);
	ck_assert_uint_eq(f.pos, sample.pos);
	ck_assert_uint_eq(f.ack, sample.ack);
	ck_assert(slice_is(f.body, "headpayload"));
	buf_clear(&b);
}
END_TEST

/* 47 */
START_TEST(no_changed_byte_and_no_other_channel_is_believed_with_a_key)
{
	struct buf		 b = encoded("k");
	struct bus_frame	 f;

	for (size_t i = 0; i < b.len; i++) {
		b.data[i] ^= 1;
		ck_assert_int_eq(decode(&f, &b, b.len, "c", "k"), BUS_FORGED);
		b.data[i] ^= 1;
	}
	for (size_t len = 0; len < b.len; len++)
		ck_assert_int_eq(decode(&f, &b, len, "c", "k"), BUS_FORGED);
	ck_assert_int_eq(decode(&f, &b, b.len, "d", "k"), BUS_FORGED);
	ck_assert_int_eq(decode(&f, &b, b.len, "c", "K"), BUS_FORGED);
	buf_clear(&b);
	b = encoded("");
	ck_assert_int_eq(decode(&f, &b, b.len, "c", "k"), BUS_FORGED);
	buf_clear(&b);
}
END_TEST

/* 47 */
START_TEST(what_is_no_frame_is_garbled)
{
	struct buf		 b = encoded("");
	struct bus_frame	 f;

	for (size_t len = 0; len < 49 + 4; len++)
		ck_assert_int_eq(decode(&f, &b, len, "c", ""), BUS_GARBLED);
	for (size_t i = 0; i < 3; i++) {
		b.data[i] = (char)~b.data[i];
		ck_assert_int_eq(decode(&f, &b, b.len, "c", ""), BUS_GARBLED);
		b.data[i] = (char)~b.data[i];
	}
	b.data[48] = 0;			/* no name */
	ck_assert_int_eq(decode(&f, &b, b.len, "c", ""), BUS_GARBLED);
	b.data[48] = 65;		/* longer than names are */
	ck_assert_int_eq(decode(&f, &b, b.len, "c", ""), BUS_GARBLED);
	b.data[48] = 4;
	b.data[4] = 1;			/* a slot beyond all */
	ck_assert_int_eq(decode(&f, &b, b.len, "c", ""), BUS_GARBLED);
	buf_clear(&b);
}
END_TEST

/* 2 */
START_TEST(channels_have_prefix_and_database)
{
	char	*name = bus_channel_shard("k:", 3, slice_str("n/1#00"));

	ck_assert_str_eq(name, "k:bus:3:shard:n/1#00");
	free(name);
	name = bus_channel_room("k:", 0, slice_str("a:b"), slice_str("chat"),
	    slice_str("n"));
	ck_assert_str_eq(name, "k:bus:0:group:a%3Ab:chat:n");
	free(name);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("bus_frame");
	TCase	*tc = tcase_create("bus_frame");
	SRunner	*sr;
	int	 failed;

	tcase_add_loop_test(tc, what_was_encoded_comes_back, 0, 2);
	tcase_add_test(tc,
	    no_changed_byte_and_no_other_channel_is_believed_with_a_key);
	tcase_add_test(tc, what_is_no_frame_is_garbled);
	tcase_add_test(tc, channels_have_prefix_and_database);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}
