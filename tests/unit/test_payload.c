#include <check.h>

#include "shardd/client/outbox.h"
#include "shardd/client/payload.h"
#include "tests/unit/inflate.h"

static struct payload *
message(enum ws_opcode opcode, size_t len)
{
	static char	 x[70000];

	memset(x, 'x', len);
	return (payload_frame(opcode, slice_of(x, len)));
}

START_TEST(one_twin_serves_all_with_this_window)
{
	struct payload	*p = message(WS_TEXT, 1000), *a, *b;
	struct buf	 out = { 0 };
	struct slice	 s;

	a = payload_deflated(p, 15);
	ck_assert_ptr_ne(a, p);
	ck_assert_ptr_eq(payload_deflated(p, 15), a);
	b = payload_deflated(p, 9);
	ck_assert_ptr_ne(b, a);
	ck_assert_ptr_eq(payload_deflated(p, 15), a);
	ck_assert_ptr_eq(payload_deflated(p, 9), b);
	s = payload_wire(a);
	ck_assert_int_eq((uint8_t)s.data[0], 0xc1);	/* FIN, RSV1, text */
	s = payload_data(a);
	ck_assert_uint_lt(s.len, 100);
	ck_assert_int_eq(ws_inflate(&out, 1000, s), 0);
	ck_assert(slice_eq(slice_of(out.data, out.len), payload_data(p)));
	ck_assert_int_eq((uint8_t)payload_wire(p).data[0], 0x81);
	buf_clear(&out);
	payload_unref(p);
}
END_TEST

START_TEST(a_twin_outlives_its_message_in_an_outbox)
{
	struct payload	*p = message(WS_BINARY, 70000);
	struct outbox	 o = { 0 };
	size_t		 n;

	ck_assert_int_eq(outbox_add(&o, payload_deflated(p, 15)), 0);
	ck_assert_int_eq(outbox_add(&o, payload_deflated(p, 10)), 0);
	n = outbox_queued(&o);
	ck_assert(n > 0 && n < 1000);
	payload_unref(p);
	ck_assert_uint_eq(outbox_queued(&o), n);
	outbox_clear(&o);
}
END_TEST

START_TEST(what_is_not_to_be_compressed_is_sent_as_it_is)
{
	struct payload	*rows[] = {
		message(WS_TEXT, 0), message(WS_TEXT, WS_DEFLATE_MIN - 1),
		message(WS_PING, 100), message(WS_PONG, 100),
		message(WS_CLOSE, 100),
		payload_raw(slice_str("HTTP/1.1 200 OK................"
		    "..................................................")),
		payload_frame(WS_TEXT, slice_str("abcdefghijklmnopqrstuvwxyz"
		    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ/+-*_.!?")),
	};

	for (size_t i = 0; i < nitems(rows); i++) {
		ck_assert_ptr_eq(payload_deflated(rows[i], 15), rows[i]);
		ck_assert_ptr_eq(payload_deflated(rows[i], 15), rows[i]);
		payload_unref(rows[i]);
	}
}
END_TEST

START_TEST(a_twin_in_another_form_is_made_once)
{
	struct payload	*p = message(WS_TEXT, 3), *a, *b, *alone;
	struct outbox	 o = { 0 };

	ck_assert_ptr_null(payload_twin(p, FORM_CHUNK));
	a = payload_add_twin(p, FORM_CHUNK, slice_str("3\r\nxxx\r\n"));
	b = payload_add_twin(p, FORM_EVENT, slice_str("data: xxx\n\n"));
	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_nonnull(b);
	ck_assert_ptr_eq(payload_twin(p, FORM_CHUNK), a);
	ck_assert_ptr_eq(payload_twin(p, FORM_EVENT), b);
	ck_assert_ptr_null(payload_twin(p, FORM_PLAIN));
	ck_assert(slice_is(payload_wire(a), "3\r\nxxx\r\n"));
	/* One that waits may be dropped, as the message may. */
	ck_assert_int_eq(outbox_add(&o, b), 0);
	alone = payload_formed(FORM_EVENT, WS_TEXT, slice_str("data: y\n\n"));
	ck_assert_int_eq(outbox_add(&o, alone), 0);
	payload_unref(alone);
	payload_unref(p);
	ck_assert_uint_eq(outbox_drop(&o, 0), 2);
	outbox_clear(&o);
}
END_TEST

START_TEST(the_plain_one_has_the_same_bytes_and_references)
{
	struct payload	*p = message(WS_TEXT, 1000), *a, *raw;
	struct outbox	 o = { 0 };
	struct buf	 b = { 0 };

	a = payload_plain(p);
	ck_assert_ptr_ne(a, p);
	ck_assert_ptr_eq(payload_plain(p), a);
	ck_assert_ptr_eq(payload_plain(a), a);
	ck_assert_ptr_eq(payload_wire(a).data, payload_data(p).data);
	ck_assert_uint_eq(payload_wire(a).len, 1000);
	/* Compressed beside it, and queued, both outlive the caller's reference. */
	ck_assert_int_eq(outbox_add(&o, a), 0);
	ck_assert_int_eq(outbox_add(&o, payload_deflated(p, 15)), 0);
	ck_assert_int_eq(outbox_add(&o, a), 0);
	ck_assert_uint_eq(p->refs, 3);
	payload_unref(p);
	ck_assert_uint_gt(outbox_queued(&o), 2000);
	ck_assert_uint_eq(outbox_drop(&o, 0), 3);
	ck_assert_int_eq(outbox_empty(&o), 1);
	outbox_clear(&o);
	raw = payload_formed(FORM_PLAIN, WS_BINARY, slice_str("x"));
	ck_assert_ptr_eq(payload_plain(raw), raw);
	ck_assert_int_eq(outbox_add(&o, raw), 0);
	payload_unref(raw);
	ck_assert_int_eq(outbox_copy(&o, &b), 0);
	ck_assert(slice_is(slice_of(b.data, b.len), "x"));
	outbox_clear(&o);
	buf_clear(&b);
	p = payload_frame_empty(3);
	memcpy((char *)(uintptr_t)payload_data(p).data, "abc", 3);
	ck_assert(slice_eq(payload_wire(p), slice_of("\x82\x03" "abc", 5)));
	payload_unref(p);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("payload");
	TCase	*t = tcase_create("payload");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t, one_twin_serves_all_with_this_window);
	tcase_add_test(t, a_twin_outlives_its_message_in_an_outbox);
	tcase_add_test(t, what_is_not_to_be_compressed_is_sent_as_it_is);
	tcase_add_test(t, a_twin_in_another_form_is_made_once);
	tcase_add_test(t, the_plain_one_has_the_same_bytes_and_references);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
