/* A connection's pending output: what is written, what may be dropped. */
#include <sys/socket.h>

#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "shardd/client/outbox.h"
#include "shardd/client/payload.h"

static struct outbox	 o;
static size_t		 sent;

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

static void	 add_parts(const char *, int);

START_TEST(whole_is_what_ends_with_a_message)
{
	int	 sv[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	ck_assert_uint_eq(outbox_whole(&o), 0);
	add_frame(WS_TEXT, "abc");
	ck_assert_uint_eq(outbox_whole(&o), 5);
	add_frame(WS_TEXT, "d");
	ck_assert_uint_eq(outbox_whole(&o), 8);
	add_parts("ef", 1);
	ck_assert_uint_eq(outbox_whole(&o), 0);
	ck_assert_int_eq(outbox_flush(&o, sv[0], &sent), 0);
	ck_assert_uint_eq(sent, 10);
	/* All is written, and not all of the message. */
	ck_assert_int_eq(outbox_begun(&o), 1);
	ck_assert_uint_eq(outbox_whole(&o), 0);
	add_parts("g", 0);
	ck_assert_uint_eq(outbox_whole(&o), 1);
	ck_assert_int_eq(outbox_flush(&o, sv[0], &sent), 0);
	ck_assert_int_eq(outbox_begun(&o), 0);
	close(sv[0]);
	close(sv[1]);
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
	ck_assert_int_eq(outbox_flush(&o, sv[0], &sent), 1);
	left = outbox_queued(&o);
	ck_assert_uint_lt(left, sizeof(big));
	ck_assert_uint_eq(outbox_drop(&o, 0), 1);
	ck_assert_uint_eq(outbox_queued(&o), left - 3);
	close(sv[0]);
	close(sv[1]);
}
END_TEST

/* Parts of a message, one a letter; the last one ends it, unless more. */
static void
add_parts(const char *letters, int more)
{
	struct payload	*p;

	for (; *letters != '\0'; letters++) {
		p = payload_formed(FORM_PLAIN, WS_BINARY,
		    slice_of(letters, 1));
		p->more = more || letters[1] != '\0';
		add(p);
	}
}

/* n bytes of what waits are written. */
static void
write_some(size_t n)
{
	char		 scratch[64];
	struct slice	 s = outbox_next(&o, scratch, n);

	ck_assert_int_ne(outbox_sent(&o, (ssize_t)n, s.len), -1);
}

START_TEST(parts_of_a_message_go_together)
{
	add_parts("abc", 0);
	add_parts("de", 0);
	add_parts("f", 0);
	ck_assert_uint_eq(outbox_drop(&o, 5), 3);	/* one would do */
	is("def", 3);
	add_parts("gh", 0);
	write_some(1);			/* d: its message is begun */
	ck_assert_uint_eq(outbox_drop(&o, 0), 3);
	is("e", 1);
}
END_TEST

START_TEST(what_ends_a_message_that_is_begun_stays)
{
	add_parts("ab", 1);
	write_some(2);			/* all of it that is there yet */
	ck_assert(outbox_empty(&o));
	add_parts("c", 0);
	add_parts("d", 0);
	ck_assert_uint_eq(outbox_drop(&o, 0), 1);
	is("c", 1);
	write_some(1);
	add_parts("e", 0);
	ck_assert_uint_eq(outbox_drop(&o, 0), 1);
	ck_assert(outbox_empty(&o));
}
END_TEST

/* ---- what is written ---- */

static int		 fds[2];	/* ours, the client's */
static struct buf	 want, got;

static void
connected(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    fds), 0);
}

static void
disconnected(void)
{
	outbox_clear(&o);
	buf_clear(&want);
	buf_clear(&got);
	close(fds[0]);
	if (fds[1] != -1)
		close(fds[1]);
}

/* Queue len bytes that tell where they stand; our own reference goes. */
static void
add_bytes(size_t len)
{
	struct payload	*p;
	size_t		 at = want.len;
	char		*data;

	ck_assert_ptr_nonnull(data = buf_reserve(&want, len));
	for (size_t i = 0; i < len; i++)
		data[i] = (char)((at + i) * 31 >> 3);
	want.len += len;
	ck_assert_ptr_nonnull(p = payload_raw(slice_of(data, len)));
	ck_assert_int_eq(outbox_add(&o, p), 0);
	payload_unref(p);
}

/* What the client reads, at most max bytes. */
static size_t
receive(size_t max)
{
	static char	 b[64 << 10];
	ssize_t		 n;
	size_t		 sum = 0;

	while (sum < max && (n = read(fds[1], b,
	    max - sum < sizeof(b) ? max - sum : sizeof(b))) > 0) {
		ck_assert_int_eq(buf_add(&got, b, (size_t)n), 0);
		sum += (size_t)n;
	}
	return (sum);
}

static void
all_came(void)
{
	ck_assert_uint_eq(sent, want.len);
	ck_assert_int_eq(outbox_empty(&o), 1);
	ck_assert(slice_eq(slice_of(got.data, got.len),
	    slice_of(want.data, want.len)));
}

START_TEST(what_the_kernel_takes_at_once_leaves_nothing)
{
	add_bytes(100);
	ck_assert_ptr_nonnull(o.one);
	ck_assert_ptr_null(o.q);	/* nothing was allocated for it */
	ck_assert_uint_eq(outbox_queued(&o), 100);
	ck_assert_int_eq(outbox_flush(&o, fds[0], &sent), 0);
	ck_assert_ptr_null(o.one);
	receive(SIZE_MAX);
	all_came();
}
END_TEST

START_TEST(several_go_in_one_write)
{
	char	 b[64];

	for (size_t i = 1; i <= 5; i++)
		add_bytes(i);
	ck_assert_uint_eq(outbox_queued(&o), 15);
	ck_assert_int_eq(outbox_flush(&o, fds[0], &sent), 0);
	ck_assert_ptr_null(o.q);
	/* To one who peeks, Unix sockets keep writes apart. */
	ck_assert_int_eq(recv(fds[1], b, sizeof(b), MSG_PEEK), 15);
	receive(SIZE_MAX);
	all_came();
}
END_TEST

/* Sizes around each of the ways that bytes take: alone, gathered, direct. */
static const size_t sizes[][6] = {
	{ 5 << 20 }, { 1, 5 << 20 }, { 5 << 20, 1 }, { 32 << 10, 1, 32 << 10 },
	{ (32 << 10) - 1, 1, 300 << 10, 7 }, { 256 << 10, 256 << 10, 1 },
	{ 20000, 20000, 20000, 300000, 20000, 700000 },
};

START_TEST(a_slow_reader_gets_every_byte_in_order)
{
	int	 r = 1, full = 0;

	for (size_t i = 0; i < nitems(sizes[0]) && sizes[_i][i] > 0; i++)
		add_bytes(sizes[_i][i]);
	while ((r = outbox_flush(&o, fds[0], &sent)) == 1) {
		full++;
		ck_assert_uint_gt(outbox_queued(&o), 0);
		ck_assert_uint_gt(receive(7777), 0);
		if (full == 2)
			add_bytes(3);		/* behind one that is begun */
	}
	ck_assert_int_eq(r, 0);
	receive(SIZE_MAX);
	all_came();
}
END_TEST

START_TEST(what_is_queued_is_counted_and_can_be_copied)
{
	struct buf	 owed = { 0 };
	size_t		 came;

	for (int i = 0; i < 40; i++)
		add_bytes(40000);
	ck_assert_int_eq(outbox_flush(&o, fds[0], &sent), 1);
	came = receive(SIZE_MAX);
	ck_assert_uint_eq(outbox_queued(&o), want.len - came);
	ck_assert_int_eq(outbox_copy(&o, &owed), 0);
	ck_assert(slice_eq(slice_of(owed.data, owed.len),
	    slice_of(want.data + came, want.len - came)));
	buf_clear(&owed);
}
END_TEST

START_TEST(one_that_waits_untouched_can_be_copied)
{
	struct buf	 owed = { 0 };

	ck_assert_int_eq(outbox_copy(&o, &owed), 0);
	ck_assert_uint_eq(owed.len, 0);
	add_bytes(9);
	ck_assert_int_eq(outbox_copy(&o, &owed), 0);
	ck_assert_uint_eq(owed.len, 9);
	buf_clear(&owed);
}
END_TEST

START_TEST(a_queue_that_is_fed_while_it_drains_keeps_its_order)
{
	for (int i = 0; i < 5000; i++) {
		add_bytes(1000);
		if (outbox_flush(&o, fds[0], &sent) == 1)
			receive(1000);
	}
	while (outbox_flush(&o, fds[0], &sent) == 1)
		receive(SIZE_MAX);
	receive(SIZE_MAX);
	all_came();
}
END_TEST

START_TEST(who_has_gone_is_an_error)
{
	close(fds[1]);
	fds[1] = -1;
	add_bytes(10);
	if (_i == 1)
		add_bytes(10);
	ck_assert_int_eq(outbox_flush(&o, fds[0], &sent), -1);
	ck_assert_int_eq(errno, EPIPE);
}
END_TEST

START_TEST(references_are_given_back)
{
	struct payload	*p = payload_raw(slice_str("shared"));
	struct outbox	 others[3] = { 0 };

	for (size_t i = 0; i < nitems(others); i++)
		for (size_t k = 0; k <= i; k++)
			ck_assert_int_eq(outbox_add(&others[i], p), 0);
	ck_assert_uint_eq(p->refs, 1 + 1 + 2 + 3);
	outbox_clear(&others[0]);
	outbox_clear(&others[1]);
	ck_assert_uint_eq(p->refs, 1 + 3);
	ck_assert_int_eq(outbox_flush(&others[2], fds[0], &sent), 0);
	ck_assert_uint_eq(p->refs, 1);
	payload_unref(p);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("outbox");
	TCase	*t = tcase_create("drop"), *w = tcase_create("write");
	SRunner	*r = srunner_create(s);
	int	 failed;

	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_test(t, oldest_messages_go_first);
	tcase_add_test(t, the_only_one_can_go);
	tcase_add_test(t, handshakes_and_control_frames_stay);
	tcase_add_test(t, whole_is_what_ends_with_a_message);
	tcase_add_test(t, what_is_begun_is_finished);
	tcase_add_test(t, parts_of_a_message_go_together);
	tcase_add_test(t, what_ends_a_message_that_is_begun_stays);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(w, connected, disconnected);
	tcase_add_test(w, what_the_kernel_takes_at_once_leaves_nothing);
	tcase_add_test(w, several_go_in_one_write);
	tcase_add_loop_test(w, a_slow_reader_gets_every_byte_in_order, 0,
	    (int)nitems(sizes));
	tcase_add_test(w, what_is_queued_is_counted_and_can_be_copied);
	tcase_add_test(w, one_that_waits_untouched_can_be_copied);
	tcase_add_test(w, a_queue_that_is_fed_while_it_drains_keeps_its_order);
	tcase_add_loop_test(w, who_has_gone_is_an_error, 0, 2);
	tcase_add_test(w, references_are_given_back);
	suite_add_tcase(s, w);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}
