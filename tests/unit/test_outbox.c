/* A connection's pending output: what may be dropped of it. */
#include <sys/socket.h>

#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#include "shardd/outbox.h"
#include "shardd/payload.h"

static struct outbox	 o;

static void
add(struct payload *p)
{
	ck_assert_ptr_nonnull(p);
	ck_assert_int_eq(outbox_add(&o, p), 0);
	payload_unref(p);
}

static void
add_frame(enum ws_opcode opcode, const char *text)
{
	add(payload_frame(opcode, slice_str(text)));
}

static void
is(const char *bytes, size_t len)
{
	struct buf	 b = { .max = 0 };

	ck_assert_int_eq(outbox_copy(&o, &b), 0);
	ck_assert_uint_eq(outbox_queued(&o), len);
	ck_assert_uint_eq(b.len, len);
	ck_assert_int_eq(memcmp(b.data, bytes, len), 0);
	buf_clear(&b);
}

static void
teardown(void)
{
	outbox_clear(&o);
}

START_TEST(oldest_messages_go_first)
{
	add_frame(WS_TEXT, "a");
	add_frame(WS_BINARY, "b");
	add_frame(WS_TEXT, "c");
	ck_assert_uint_eq(outbox_drop(&o, 9), 0);
	ck_assert_uint_eq(outbox_drop(&o, 6), 1);
	is("\x82\1b\x81\1c", 6);
	ck_assert_uint_eq(outbox_drop(&o, 5), 1);
	is("\x81\1c", 3);
	ck_assert_uint_eq(outbox_drop(&o, 0), 1);
	ck_assert(outbox_empty(&o));
	add_frame(WS_TEXT, "d");
	is("\x81\1d", 3);
}
END_TEST

START_TEST(the_only_one_can_go)
{
	add_frame(WS_TEXT, "a");
	ck_assert_uint_eq(outbox_drop(&o, 3), 0);
	ck_assert_uint_eq(outbox_drop(&o, 2), 1);
	ck_assert(outbox_empty(&o));
	add_frame(WS_PING, "");
	ck_assert_uint_eq(outbox_drop(&o, 0), 0);
	is("\x89\0", 2);
}
END_TEST

START_TEST(handshakes_and_control_frames_stay)
{
	add(payload_raw(slice_str("HTTP")));
	add_frame(WS_TEXT, "a");
	add_frame(WS_PONG, "p");
	add_frame(WS_TEXT, "b");
	add_frame(WS_CLOSE, "");
	ck_assert_uint_eq(outbox_drop(&o, 0), 2);
	is("HTTP\x8a\1p\x88\0", 9);
}
END_TEST

START_TEST(what_is_begun_is_finished)
{
	static char	 big[4 << 20];
	size_t		 left;
	int		 sv[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	add(payload_frame(WS_BINARY, slice_of(big, sizeof(big))));
	add_frame(WS_TEXT, "a");
	ck_assert_int_eq(outbox_flush(&o, sv[0]), 1);
	left = outbox_queued(&o);
	ck_assert_uint_lt(left, sizeof(big));
	ck_assert_uint_eq(outbox_drop(&o, 0), 1);
	ck_assert_uint_eq(outbox_queued(&o), left - 3);
	close(sv[0]);
	close(sv[1]);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("outbox");
	TCase	*t = tcase_create("outbox");
	SRunner	*r = srunner_create(s);
	int	 failed;

	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_test(t, oldest_messages_go_first);
	tcase_add_test(t, the_only_one_can_go);
	tcase_add_test(t, handshakes_and_control_frames_stay);
	tcase_add_test(t, what_is_begun_is_finished);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}
