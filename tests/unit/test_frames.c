#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/budget.h"
#include "common/turn.h"
#include "proto/channel.h"
#include "proto/limits.h"

#define MARK	(1 << 20)

struct side {
	struct frames	*f;
	size_t		 messages, bytes, ends, drained;
	uint32_t	 next;		/* the number each frame begins with */
	int		 refuse;
	char		 why[128];
};

static struct event_base	*base;
static struct side		 left, right;
static int			 sv[2];

static int
message(struct frames *f, const char *data, size_t len, void *arg)
{
	struct side	*s = arg;

	(void)f;
	ck_assert_uint_eq(s->ends, 0);
	if (s->refuse)
		return (-1);
	if (len >= 4)
		ck_assert_uint_eq(bytes_get_be32(data), s->next);
	s->next++;
	for (size_t i = 4; i < len; i += len < 4096 ? 1 : 1009)
		ck_assert_int_eq((uint8_t)data[i], (uint8_t)(len + i));
	s->messages++;
	s->bytes += len;
	return (0);
}

static void
end(struct frames *f, const char *why, void *arg)
{
	struct side	*s = arg;

	s->ends++;
	snprintf(s->why, sizeof(s->why), "%s", why);
	frames_free(f);
	s->f = NULL;
}

static void
drained(struct frames *f, void *arg)
{
	struct side	*s = arg;

	ck_assert_uint_le(frames_queued(f), MARK / 2);
	s->drained++;
}

static void
turns(int n)
{
	while (n-- > 0) {
		turn_end();
		event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	}
	turn_end();
}

/* A frame of len bytes with its number first, as two runs cut at `cut`. */
static void
send_frame(struct frames *f, uint32_t number, size_t len, size_t cut)
{
	char	*p = malloc(len + 4);

	ck_assert_ptr_nonnull(p);
	bytes_put_be32(p, number);
	for (size_t i = 4; i < len; i++)
		p[i] = (char)(uint8_t)(len + i);
	ck_assert_int_eq(frames_send(f, slice_of(p, cut),
	    slice_of(p + cut, len - cut)), 0);
	free(p);
}

static void
setup(void)
{
	memset(&left, 0, sizeof(left));
	memset(&right, 0, sizeof(right));
	ck_assert_ptr_nonnull(base = event_base_new());
	ck_assert_int_eq(socketpair(AF_UNIX,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv), 0);
	left.f = frames_new(base, sv[0], "left", message, end, drained, MARK,
	    &left);
	right.f = frames_new(base, sv[1], "right", message, end, NULL, MARK,
	    &right);
	ck_assert(left.f != NULL && right.f != NULL);
}

static void
teardown(void)
{
	frames_free(left.f);
	frames_free(right.f);
	event_base_free(base);
}

START_TEST(frames_cut_anywhere_are_put_together)
{
	static const size_t	 lengths[] = { 0, 4, 5, 100, 3, 0, 1000, 7 };
	struct buf		 b = { 0 };
	char			*p;
	size_t			 n, step = (size_t)_i;

	for (uint32_t k = 0; k < nitems(lengths); k++) {
		n = lengths[k];
		ck_assert_ptr_nonnull(p = buf_reserve(&b, 8 + n));
		bytes_put_be32(p, (uint32_t)n);
		bytes_put_be32(p + 4, k);
		for (size_t i = 4; i < n; i++)
			p[4 + i] = (char)(uint8_t)(n + i);
		b.len += 4 + n;
	}
	for (size_t at = 0; at < b.len; at += n) {
		n = step < b.len - at ? step : b.len - at;
		ck_assert_int_eq(send(sv[0], b.data + at, n, 0), n);
		turns(1);
	}
	turns(1);
	ck_assert_uint_eq(right.messages, nitems(lengths));
	ck_assert_uint_eq(right.ends, 0);
	buf_clear(&b);
}
END_TEST

START_TEST(a_hundred_thousand_small_frames_coalesce)
{
	for (uint32_t i = 0; i < 100000; i++)
		send_frame(left.f, i, 20, i % 21);
	ck_assert_uint_eq(frames_queued(left.f), 100000 * 24);
	for (int i = 0; i < 1000 && right.messages < 100000; i++)
		turns(1);
	ck_assert_uint_eq(right.messages, 100000);
	ck_assert_uint_eq(right.bytes, 2000000);
	ck_assert_uint_eq(frames_queued(left.f), 0);
	ck_assert_uint_eq(left.drained, 1);
	ck_assert_uint_eq(left.ends + right.ends, 0);
}
END_TEST

static size_t		 burst_turns, burst_most, burst_seen;

/* Once a round of the loop: how many came in it. */
static void
burst_cb(evutil_socket_t fd, short what, void *arg)
{
	struct timeval	 now = { 0, 0 };
	size_t		 n = right.messages - burst_seen;

	(void)fd, (void)what;
	burst_seen = right.messages;
	if (n > burst_most)
		burst_most = n;
	burst_turns++;
	if (right.messages == 50000)
		turn_stop();
	else
		event_add(arg, &now);
}

START_TEST(a_burst_is_handed_out_in_as_many_turns_as_it_needs)
{
	struct timeval	 now = { 0, 0 };
	struct event	*ev = evtimer_new(base, burst_cb, event_self_cbarg());

	budget_set(1);
	event_add(ev, &now);
	for (uint32_t i = 0; i < 50000; i++)
		send_frame(left.f, i, 8, i % 9);
	ck_assert_int_eq(turn_loop(base), 0);
	/* One read's worth and one that was kept may fall between two looks. */
	ck_assert_uint_le(burst_most, 2 * 1000000 / BUDGET_MESSAGE + 2);
	ck_assert_uint_ge(burst_turns, 50000 / burst_most);
	ck_assert_uint_eq(left.ends + right.ends, 0);
	event_free(ev);
	budget_set(0);
}
END_TEST

START_TEST(both_ways_at_once_with_large_frames)
{
	static const size_t	sizes[] = { 4, 70000, 1 << 20, 5, 3 << 20,
		65536, 65532, 65531, 8 << 20, 6 };
	const int		small = 8192;

	setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	for (uint32_t i = 0; i < 10; i++) {
		send_frame(left.f, i, sizes[i], 4);
		send_frame(right.f, i, sizes[9 - i], 0);
	}
	for (int i = 0; i < 100000 && (right.messages < 10 ||
	    left.messages < 10); i++)
		turns(1);
	ck_assert_uint_eq(right.messages, 10);
	ck_assert_uint_eq(left.messages, 10);
	ck_assert_uint_eq(right.bytes, left.bytes);
}
END_TEST

START_TEST(the_largest_frame_passes_and_a_larger_one_is_not_sent)
{
	char	*p = calloc(1, LINK_FRAME_MAX + 1);

	ck_assert_ptr_nonnull(p);
	for (size_t i = 4; i < LINK_FRAME_MAX; i++)
		p[i] = (char)(uint8_t)(LINK_FRAME_MAX + i);
	ck_assert_int_eq(frames_send(left.f, slice_of(p, 1),
	    slice_of(p, LINK_FRAME_MAX)), -1);
	ck_assert_int_eq(errno, EMSGSIZE);
	ck_assert_uint_eq(frames_queued(left.f), 0);
	ck_assert_int_eq(frames_send(left.f, slice_of(p, 0),
	    slice_of(p, LINK_FRAME_MAX)), 0);
	free(p);
	for (int i = 0; i < 100000 && right.messages < 1; i++)
		turns(1);
	ck_assert_uint_eq(right.bytes, LINK_FRAME_MAX);
}
END_TEST

START_TEST(a_frame_that_announces_too_much_ends_it_at_its_header)
{
	uint8_t	head[4];

	bytes_put_be32(head, LINK_FRAME_MAX + 1);
	for (int i = 0; i < 4; i += _i) {
		ck_assert_int_eq(send(sv[0], head + i, (size_t)_i, 0), _i);
		turns(1);
	}
	turns(1);
	ck_assert_uint_eq(right.ends, 1);
	ck_assert_str_eq(right.why, "a frame was larger than allowed");
}
END_TEST

START_TEST(the_end_comes_once_and_after_all_that_was_sent)
{
	for (uint32_t i = 0; i < 1000; i++)
		send_frame(left.f, i, 50, 0);
	ck_assert_int_eq(frames_flush(left.f), 0);
	/* Unread bytes over there make it a reset. */
	send_frame(right.f, 0, 10, 0);
	frames_flush(right.f);
	frames_free(left.f);
	left.f = NULL;
	turns(5);
	ck_assert_uint_eq(right.messages, 1000);
	ck_assert_uint_eq(right.ends, 1);
	ck_assert_str_eq(right.why, "the other side closed the link");
}
END_TEST

START_TEST(a_failed_write_ends_it_from_the_loop_after_reading)
{
	for (uint32_t i = 0; i < 10; i++)
		send_frame(left.f, i, 50, 0);
	ck_assert_int_eq(frames_flush(left.f), 0);
	frames_free(left.f);
	left.f = NULL;
	send_frame(right.f, 0, 10, 0);
	ck_assert_int_eq(frames_flush(right.f), -1);
	ck_assert_int_eq(errno, EPIPE);
	ck_assert_uint_eq(right.ends, 0);
	send_frame(right.f, 0, 10, 0);
	turns(3);
	ck_assert_uint_eq(right.messages, 10);
	ck_assert_uint_eq(right.ends, 1);
}
END_TEST

START_TEST(an_end_amid_a_frame_says_so)
{
	ck_assert_int_eq(send(sv[0], "\0\0\0\x09" "abc", 7, 0), 7);
	right.next = 0x61620000;		/* never compared: not whole */
	turns(1);
	frames_free(left.f);
	left.f = NULL;
	turns(2);
	ck_assert_uint_eq(right.ends, 1);
	ck_assert_str_eq(right.why,
	    "the other side closed the link amid a frame");
}
END_TEST

START_TEST(a_refused_message_ends_it)
{
	right.refuse = 1;
	send_frame(left.f, 0, 10, 0);
	send_frame(left.f, 1, 10, 0);
	turns(3);
	ck_assert_uint_eq(right.ends, 1);
	turns(2);
	ck_assert_uint_eq(left.ends, 1);
}
END_TEST

START_TEST(passing_the_mark_is_told_once_it_is_down_to_half)
{
	send_frame(left.f, 0, MARK - 4, 0);
	for (int i = 0; i < 100; i++)
		turns(1);
	ck_assert_uint_eq(right.messages, 1);
	ck_assert_uint_eq(left.drained, 0);	/* reached, not passed */
	for (uint32_t i = 1; i <= 4; i++)
		send_frame(left.f, i, MARK, 0);
	frames_flush(left.f);
	ck_assert_uint_eq(left.drained, 0);
	for (int i = 0; i < 1000 && right.messages < 5; i++)
		turns(1);
	turns(1);
	ck_assert_uint_eq(left.drained, 1);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("frames");
	TCase	*t = tcase_create("frames");
	SRunner	*r;
	int	 failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 20);
	tcase_add_loop_test(t, frames_cut_anywhere_are_put_together, 1, 40);
	tcase_add_test(t, a_hundred_thousand_small_frames_coalesce);
	tcase_add_test(t,
	    a_burst_is_handed_out_in_as_many_turns_as_it_needs);
	tcase_add_test(t, both_ways_at_once_with_large_frames);
	tcase_add_test(t,
	    the_largest_frame_passes_and_a_larger_one_is_not_sent);
	for (int step = 1; step <= 4; step *= 2)
		tcase_add_loop_test(t,
		    a_frame_that_announces_too_much_ends_it_at_its_header,
		    step, step + 1);
	tcase_add_test(t, the_end_comes_once_and_after_all_that_was_sent);
	tcase_add_test(t, a_failed_write_ends_it_from_the_loop_after_reading);
	tcase_add_test(t, an_end_amid_a_frame_says_so);
	tcase_add_test(t, a_refused_message_ends_it);
	tcase_add_test(t, passing_the_mark_is_told_once_it_is_down_to_half);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
